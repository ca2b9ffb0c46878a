//! One run of a case in its own simulated time: stretch after stretch, until it is over.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use runbook::engine::{Crew, Ending, Interrupt, Operator, Performed, RecordError, Recorder, perform};
use runbook::event::{Event, Opened, OperatorEntry, Resumed, RunState, RunStatus, changed};
use runbook::journal::{EventLog as _, MemoryLog};
use runbook::plan::Plan;
use runbook::transport::Scripted;
use runbook::vocab::{Clock, HostName, Masker, RunId};

use crate::case::Case;
use crate::dying::{Crash, Died, Dying, mortal};
use crate::mischief::Mischief;
use crate::person::Person;
use crate::tale::Tale;

/// More stretches than any run needs.
const STRETCHES: usize = 12;
/// Longer than any run goes on by itself.
const FOREVER: Duration = Duration::from_hours(24 * 30);

/// A run of a case, with its hosts and its log.
pub struct World<'a> {
    pub case: &'a Case,
    pub fleet: Scripted,
    pub log: MemoryLog,
    mischief: Mischief,
}

#[derive(Debug)]
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_795_348_800).unwrap()
    }
}

/// Plays `story` in a world of its own, whose time passes only where everyone waits.
pub fn in_a_world<T>(case: &Case, story: impl AsyncFnOnce(World<'_>) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let fleet = (case.script)();
        let mischief = Mischief::new(fleet.clone());
        story(World { case, fleet, log: MemoryLog::new(), mischief }).await
    })
}

impl World<'_> {
    /// What is done to the run from outside.
    pub fn mischief(&self) -> &Mischief {
        &self.mischief
    }

    /// Another stretch of the run, or its first, with the person of the case.
    pub async fn stretch(&self, crash: Option<Crash>) -> Result<Ending, Died> {
        let patient = self.mischief.is_done();
        self.stretch_with(&Person { fleet: self.fleet.clone(), mind: self.case.mind, patient }, crash, &[]).await
    }

    /// Another stretch of the run, or its first; with Ctrl-C after these times.
    pub async fn stretch_with(
        &self,
        operator: &dyn Operator,
        crash: Option<Crash>,
        interrupts: &[Duration],
    ) -> Result<Ending, Died> {
        let performed = self.performed(operator, crash, interrupts).await?;
        let performed = performed.unwrap_or_else(|error| panic!("{error}\n{}", self.told()));
        self.is_stamped(&performed);
        Ok(performed.ending)
    }

    /// The same; what it came to.
    pub async fn performed(
        &self,
        operator: &dyn Operator,
        crash: Option<Crash>,
        interrupts: &[Duration],
    ) -> Result<Result<Performed, RecordError>, Died> {
        let plan = &self.case.plan;
        if self.log.events().is_empty() {
            self.log.clone().append(Noon.now(), opened(plan)).unwrap();
        }
        let state = self.state();
        let written = self.log.events().len();
        let log = Dying::new(&self.log, written, crash);
        let masker = Masker::new(std::iter::empty());
        let recorder = Recorder::new(state, Box::new(log), Arc::new(Noon), Vec::new(), masker);
        let interrupt = Interrupt::new();
        let program = async {
            if written > 1 {
                recorder.record(resumed(plan)).await?;
            }
            let (fleet, options) = (&self.mischief, &self.case.options);
            let interrupt = interrupt.clone();
            perform(Crew { plan, fleet, operator, recorder: &recorder, interrupt, options, run: run_id() }).await
        };
        let interrupted = async {
            for after in interrupts {
                tokio::time::sleep(*after).await;
                let (signal, count) = ("SIGINT".to_owned(), interrupt.raise());
                // between two stretches it is too late
                recorder.record(Event::Interrupted { signal, count }).await.ok();
            }
            std::future::pending::<Infallible>().await
        };
        let program = async {
            tokio::select! {
                biased;
                ended = program => ended,
                never = interrupted => match never {},
            }
        };
        let ended = tokio::time::timeout(FOREVER, mortal(program)).await;
        ended.unwrap_or_else(|_| panic!("it does not end:\n{}", self.told()))
    }

    /// Whatever became of the run: every stamp of it agrees with its log, and each host that it changed has one of its end or
    /// is told not to have.
    fn is_stamped(&self, performed: &Performed) {
        let records = self.log.records();
        let last = records.len() as u64;
        for host in self.case.hosts() {
            let stamps = self.fleet.stamps_on(host);
            for stamp in &stamps {
                let record = &records[usize::try_from(stamp.records).unwrap() - 1];
                assert_eq!(record.digest, stamp.head, "{host}: {stamp}\n{}", self.told());
            }
            let now = stamps.iter().any(|stamp| stamp.records == last);
            assert_eq!(performed.stamped.contains(&HostName::new(host)), now, "{host}\n{}", self.told());
        }
        let unstamped = performed.unstamped.iter().map(|(host, _)| host);
        let mut told: Vec<&HostName> = performed.stamped.iter().chain(unstamped).collect();
        told.sort();
        assert!(told.into_iter().eq(changed(&self.state()).keys()), "{performed:?}\n{}", self.told());
    }

    /// Resumes the run until it is over, or stopped as an undisturbed one would. The exit status of the last stretch.
    pub async fn goes_on(&self) -> u8 {
        for _ in 0..STRETCHES {
            match self.state().status {
                RunStatus::Ended { exit, .. } => return exit,
                RunStatus::Stopped { exit, .. } if self.case.ends_with(exit) => return exit,
                RunStatus::Open | RunStatus::Stopped { .. } | RunStatus::Abandoned { .. } => {}
            }
            self.stretch(None).await.unwrap();
        }
        panic!("{STRETCHES} stretches do not end it:\n{}", self.told());
    }

    /// The state that follows from what was written.
    pub fn state(&self) -> RunState {
        let mut events = self.log.events().into_iter();
        let mut state = RunState::open(Noon.now(), &events.next().unwrap()).unwrap();
        events.for_each(|event| state.apply(Noon.now(), &event).unwrap());
        state
    }

    /// What the run came to, once everything that still runs on a host has ended.
    pub async fn tale(&self) -> Tale {
        tokio::time::sleep(FOREVER).await;
        Tale::of(&self.log, &self.fleet, &self.case.hosts())
    }

    /// The records, a line each.
    pub fn told(&self) -> String {
        let told = |(index, event): (usize, Event)| format!("{:4} {}\n", index + 1, short(&event));
        self.log.events().into_iter().enumerate().map(told).collect()
    }
}

/// An event in a line.
pub fn short(event: &Event) -> String {
    let mut text = format!("{event:?}");
    if let Some((end, _)) = text.char_indices().nth(160) {
        text.truncate(end);
    }
    text
}

pub fn run_id() -> RunId {
    "20261122T031500Z-11111111".parse().unwrap()
}

fn operator() -> OperatorEntry {
    OperatorEntry {
        name: "anna".to_owned(),
        identified: true,
        source: "--as".to_owned(),
        login: "anna".to_owned(),
        ssh_origin: None,
        loginuid: None,
    }
}

fn opened(plan: &Plan) -> Event {
    Event::Opened(Box::new(Opened {
        run: run_id(),
        runbook: plan.runbook.name.clone(),
        title: plan.runbook.title.clone(),
        changes: plan.changes,
        operator: operator(),
        admin_host: "admin01".to_owned(),
        version: String::new(),
        book: String::new(),
        inventories: Vec::new(),
        plan: plan.digest.clone(),
        params: BTreeMap::new(),
        limit: None,
        reason: None,
        emergency: false,
        hosts: plan.host_entries(),
        steps: plan.step_entries(),
        texts: Vec::new(),
        link: None,
    }))
}

fn resumed(plan: &Plan) -> Event {
    Event::Resumed(Box::new(Resumed {
        operator: operator(),
        admin_host: "admin01".to_owned(),
        version: String::new(),
        plan: plan.digest.clone(),
        accepted_changes: false,
        reason: None,
        emergency: false,
        hosts: plan.host_entries(),
        steps: plan.step_entries(),
        texts: Vec::new(),
    }))
}
