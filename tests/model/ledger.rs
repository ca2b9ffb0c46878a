//! The journals that a run of one step on one host may write, folded by the real table.
//!
//! A journal is known by a number, so that a state of the search stays small: two equal journals are one.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use runbook::event::{
    ActionEnd, ActionKind, Event, FailureKind, Found, Opened, OperatorEntry, Outcome, Output, Resumed, RunState,
    StepState,
};
use runbook::vocab::{Digest, Period, RunId, StepHost};

/// One record, as far as the life of one step on one host goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Record {
    /// A stretch begins; the lock that it takes tells the host's boot.
    Stretch { boot: u8 },
    /// The intent.
    Started(u32),
    /// The action ended well.
    Acted(u32),
    /// It never started, and never will.
    Never,
    /// The host was asked: the attempt never started, and never will.
    Withdrawn(u32),
    /// It could not be reached: nothing was sent.
    Unreachable,
    /// The host was asked and cannot say how it ended.
    Doubt,
    /// A person found that it took effect, or did not.
    Resolved(bool),
    /// All is well.
    Ok,
}

/// A journal's number.
pub(crate) type Number = u16;

/// A journal and what follows from it.
struct Journal {
    records: Vec<Record>,
    run: RunState,
}

/// Every journal written so far.
pub(crate) struct Ledger {
    at: StepHost,
    journals: RefCell<Vec<Journal>>,
    next: RefCell<HashMap<(Number, Record), Option<Number>>>,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        let run = RunState::open(Timestamp::UNIX_EPOCH, &Event::Opened(Box::new(opened()))).expect("it is the first");
        Self {
            at: StepHost::new("step".into(), "host".into()),
            journals: RefCell::new(vec![Journal { records: vec![Record::Stretch { boot: 0 }], run }]),
            next: RefCell::default(),
        }
    }

    /// The journal with one more record; none where the table forbids it.
    pub(crate) fn append(&self, to: Number, record: Record) -> Option<Number> {
        *self.next.borrow_mut().entry((to, record)).or_insert_with(|| {
            let mut journals = self.journals.borrow_mut();
            let Journal { records, run } = &journals[usize::from(to)];
            let mut run = run.clone();
            run.apply(Timestamp::UNIX_EPOCH, &event(&self.at, record)).ok()?;
            let records = records.iter().copied().chain([record]).collect();
            journals.push(Journal { records, run });
            Some(Number::try_from(journals.len() - 1).expect("few journals"))
        })
    }

    /// Where the step is in its life.
    pub(crate) fn step(&self, journal: Number) -> StepState {
        self.journals.borrow()[usize::from(journal)].run.step(&self.at).clone()
    }

    /// The records.
    pub(crate) fn records(&self, journal: Number) -> Vec<Record> {
        self.journals.borrow()[usize::from(journal)].records.clone()
    }
}

/// The event of a record.
fn event(at: &StepHost, record: Record) -> Event {
    let at = at.clone();
    let failed = |kind| Outcome::Failed { kind, why: String::new() };
    let ended = |at, outcome| Event::StepEnded { at, outcome };
    match record {
        Record::Stretch { .. } => Event::Resumed(Box::new(resumed())),
        Record::Started(attempt) => {
            Event::StepStarted { at, attempt, kind: ActionKind::Run, command: String::new(), user: None }
        }
        Record::Acted(attempt) => acted(at, attempt, ActionEnd::Exited(0)),
        Record::Withdrawn(attempt) => Event::ReceiptRead { at, attempt, found: Found::NeverStarted },
        Record::Never => ended(at, failed(FailureKind::NotStarted)),
        Record::Unreachable => ended(at, failed(FailureKind::Unreachable)),
        Record::Doubt => ended(at, Outcome::InDoubt { why: String::new() }),
        Record::Resolved(done) => Event::Resolved { at, done, reason: String::new(), operator: operator() },
        Record::Ok => ended(at, Outcome::Ok),
    }
}

/// An action's end.
pub(crate) fn acted(at: StepHost, attempt: u32, end: ActionEnd) -> Event {
    let took = Period::seconds(1);
    let (stdout, stderr) = (Output::default(), Output::default());
    Event::StepActed { at, attempt, end, stdout, stderr, took, output_cut: false }
}

/// Somebody.
pub(crate) fn operator() -> OperatorEntry {
    let (name, source, login) = ("ann".to_owned(), "--as".to_owned(), "ann".to_owned());
    OperatorEntry { name, identified: true, source, login, ssh_origin: None, loginuid: None }
}

/// A run's first event.
pub(crate) fn opened() -> Opened {
    Opened {
        run: RunId::new(Timestamp::UNIX_EPOCH, [0; 4]),
        runbook: String::new(),
        title: String::new(),
        changes: true,
        operator: operator(),
        admin_host: String::new(),
        version: String::new(),
        book: String::new(),
        inventories: Vec::new(),
        plan: Digest::of(b""),
        params: BTreeMap::new(),
        limit: None,
        reason: None,
        emergency: false,
        hosts: Vec::new(),
        steps: Vec::new(),
        texts: Vec::new(),
        link: None,
    }
}

/// A later stretch's first event.
pub(crate) fn resumed() -> Resumed {
    Resumed {
        operator: operator(),
        admin_host: String::new(),
        version: String::new(),
        plan: Digest::of(b""),
        accepted_changes: false,
        reason: None,
        emergency: false,
        hosts: Vec::new(),
        steps: Vec::new(),
        texts: Vec::new(),
    }
}
