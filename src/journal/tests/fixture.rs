//! A small run, and one of each event.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tempfile::TempDir;

use crate::event::{
    AckHow, ActionEnd, ActionKind, Answer, AskedWhat, Choice, Event, FailureKind, Found, HostEntry, HostVerdict,
    LockedHost, Moment, Opened, OperatorEntry, Outcome, Output, OverrideHow, PrunedRun, Resumed, StepEntry,
    StoredOutput, TextEntry, Unlocked,
};
use crate::journal::{EventLog, Journal, Store};
use crate::vocab::observation::NoReply;
use crate::vocab::{
    Datum, Digest, Holder, HostName, Loss, Observation, Period, Reply, Rows, RunId, StepHost, StepId, Verdict,
};

pub(super) const TEXT: &[u8] = b"title: Restart\n";

/// A store in a directory that goes away with it.
pub(super) fn store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("state")).unwrap();
    (dir, store)
}

/// `seconds` after the start of the run.
pub(super) fn at(seconds: i64) -> Timestamp {
    "2026-11-22T03:15:00.123456789Z".parse::<Timestamp>().unwrap() + jiff::SignedDuration::from_secs(seconds)
}

/// A run id by its random tail.
pub(super) fn run(tail: u32) -> RunId {
    RunId::new(at(0), tail.to_be_bytes())
}

pub(super) fn step_host() -> StepHost {
    StepHost::new(StepId::new("restart"), HostName::new("jobs01"))
}

pub(super) fn operator() -> OperatorEntry {
    OperatorEntry {
        name: "mark".into(),
        identified: true,
        source: "SUDO_USER".into(),
        login: "root".into(),
        ssh_origin: Some("192.0.2.7 50000 192.0.2.1 22".into()),
        loginuid: Some(1000),
    }
}

pub(super) fn opened(run: RunId) -> Opened {
    Opened {
        run,
        runbook: "restart-jobs".into(),
        title: "Restart the job workers".into(),
        changes: true,
        operator: operator(),
        admin_host: "admin01".into(),
        version: "0.1.0".into(),
        book: "/srv/runbooks".into(),
        inventories: vec!["inventory.yaml".into()],
        plan: Digest::of(b"plan"),
        params: BTreeMap::from([("pause".into(), "5s".into())]),
        limit: None,
        reason: Some("ünïcode \u{1b}[31m \"quoted\" \\ back".into()),
        emergency: false,
        hosts: vec![HostEntry { name: HostName::new("jobs01"), address: "10.0.0.1".into(), user: None }],
        steps: vec![StepEntry {
            id: StepId::new("restart"),
            name: "Restart the workers".into(),
            says: None,
            kind: "run".into(),
            block: None,
            hosts: vec![HostName::new("jobs01")],
            checks: 1,
        }],
        texts: vec![TextEntry { name: "restart-jobs.yaml".into(), digest: Digest::of(TEXT) }],
        link: None,
    }
}

pub(super) fn resumed() -> Resumed {
    let Opened { plan, hosts, steps, texts, .. } = opened(run(1));
    Resumed {
        operator: operator(),
        admin_host: "admin01".into(),
        version: "0.1.0".into(),
        plan,
        accepted_changes: false,
        reason: None,
        emergency: false,
        hosts,
        steps,
        texts,
    }
}

pub(super) fn texts() -> Vec<(Digest, Vec<u8>)> {
    vec![(Digest::of(TEXT), TEXT.to_vec())]
}

pub(super) fn started() -> Event {
    Event::StepStarted {
        at: step_host(),
        attempt: 1,
        kind: ActionKind::Run,
        command: "restart <secret:x>".into(),
        user: None,
    }
}

pub(super) fn acted(stdout: &str) -> Event {
    Event::StepActed {
        at: step_host(),
        attempt: 1,
        end: ActionEnd::Exited(0),
        stdout: Output::inline(stdout),
        stderr: Output::default(),
        took: Period::new(std::time::Duration::from_millis(1234)),
        output_cut: false,
    }
}

pub(super) fn ended_ok() -> Event {
    Event::StepEnded { at: step_host(), outcome: Outcome::Ok }
}

pub(super) fn the_end() -> Event {
    Event::Ended { exit: 0, why: "done".into() }
}

pub(super) fn noted(text: &str) -> Event {
    Event::Noted { at: None, text: text.into() }
}

/// Begins a run in the store.
pub(super) fn begin(store: &Store, run: RunId) -> Journal {
    store.create(at(0), opened(run), &texts()).unwrap()
}

/// A run in the store with one step done, from its first to its last event; six records.
pub(super) fn whole_run(store: &Store, run: RunId) {
    let mut journal = begin(store, run);
    for (seconds, event) in (1..).zip([started(), acted("ok\n"), ended_ok(), noted("all is well"), the_end()]) {
        journal.append(at(seconds), event).unwrap();
    }
}

fn observation() -> Observation {
    Observation {
        host: HostName::new("jobs01"),
        reply: Reply::Command { exit: 0, stdout: "12 content-importer [bored]\n".into(), stderr: String::new() },
        took: Period::new(std::time::Duration::from_millis(37)),
        rows: Some(Rows {
            columns: ["n", "b", "i", "f", "t"].map(String::from).to_vec(),
            rows: vec![vec![
                Datum::Nothing,
                Datum::Boolean(true),
                Datum::Integer(-12),
                Datum::Number(2.5),
                Datum::Text("bored".into()),
            ]],
        }),
        value: Some(serde_json::json!({ "z": 1, "a": [null, 1.5, "x"] })),
        problems: vec!["line 2 did not parse".into()],
    }
}

fn verdicts() -> Vec<HostVerdict> {
    let host = HostName::new("jobs01");
    let nothing = Observation::nothing(host.clone(), NoReply::TimedOut, "5s", Period::seconds(5));
    vec![
        HostVerdict { host: Some(host.clone()), verdict: Verdict::Holds, observation: Some(observation()) },
        HostVerdict {
            host: Some(host),
            verdict: Verdict::Unknown { why: "timed out".into() },
            observation: Some(nothing),
        },
        HostVerdict { host: None, verdict: Verdict::Fails { why: "0 rows".into() }, observation: None },
    ]
}

fn holder() -> Holder {
    Holder {
        run: run(2),
        operator: "mark".into(),
        admin_host: "dfw-admin01".into(),
        runbook: "restart-jobs".into(),
        since: Some("2026-11-22T03:15:00Z".parse().unwrap()),
        running: true,
    }
}

/// One of each event, and more than one where the parts differ.
pub(super) fn every_event() -> Vec<Event> {
    let here = step_host;
    let step = || StepId::new("restart");
    let id = || "importers-bored".to_owned();
    let hosts = || vec![HostName::new("jobs01"), HostName::new("jobs02")];
    let stored = Output { text: "ends".into(), stored: Some(StoredOutput { digest: Digest::of(b"whole"), bytes: 5 }) };
    let mut events = vec![
        Event::Opened(Box::new(opened(run(1)))),
        Event::Resumed(Box::new(resumed())),
        Event::HostsLocked {
            hosts: vec![LockedHost { host: HostName::new("jobs01"), boot: "-".into(), login: "root:/root".into() }],
            left_out: vec![Unlocked { host: HostName::new("jobs02"), why: "unreachable".into() }],
        },
        Event::LockRefused { host: HostName::new("jobs01"), holder: holder(), wait: Some(Period::seconds(60)) },
        Event::LockLost { host: HostName::new("jobs01"), loss: Loss::Taken(holder()) },
        Event::LockLost {
            host: HostName::new("jobs01"),
            loss: Loss::Broken { by: "denise".into(), reason: "his laptop is gone".into() },
        },
        Event::LocksReleased { hosts: hosts(), not_told: Vec::new() },
        Event::LockBroken { host: HostName::new("jobs01"), holder: holder(), reason: "his laptop is gone".into() },
        Event::RunsPruned { runs: vec![PrunedRun { run: run(7), records: 57, head: Digest::of(b"head") }] },
        Event::PreconditionOverridden { id: id(), how: OverrideHow::Emergency, reason: "db failover".into() },
        Event::WaitStarted { limit: Period::seconds(7200) },
        Event::WarningShown {
            id: id(),
            says: "It stalls.".into(),
            observed: vec![observation()],
            typed: Some("stall".into()),
        },
        Event::Answered { what: AskedWhat::Start, answer: Answer::NoTerminal },
        Event::RollStarted { step: step(), batches: vec![hosts(), Vec::new()] },
        Event::FloorJudged { step: step(), batch: 1, needed: 2, healthy: hosts(), sick: verdicts(), takes_none: true },
        Event::BatchStarted { step: step(), batch: 1, of: 2, hosts: hosts() },
        Event::PauseStarted { step: step(), length: Period::ZERO },
        Event::RollStopped { step: step(), why: "too many failures".into(), untouched: hosts() },
        Event::RollEnded { step: step() },
        Event::ObservedBefore { at: here(), observations: vec![(1, observation())] },
        Event::Looked { at: Some(here()), probe: "web".into(), observations: vec![observation()] },
        started(),
        acted("out"),
        Event::RetryScheduled { at: here(), why: "exit 1".into(), delay: Period::seconds(3) },
        Event::ConnectionLost { at: here(), reason: "it was running".into(), started: true },
        Event::ConnectionRegained { at: here(), after: Period::seconds(4) },
        Event::ReceiptRead { at: here(), attempt: 1, found: Found::Gone { why: "killed".into() } },
        Event::Observed { at: here(), observation: observation(), show: vec!["pid".into()] },
        Event::CheckJudged {
            at: Some(here()),
            check: 1,
            says: "They are back.".into(),
            verdicts: verdicts(),
            polls: 3,
            took: Period::seconds(12),
        },
        Event::Captured {
            at: here(),
            name: "version".into(),
            value: serde_json::json!({ "b": [1, 2.25, null], "a": "x" }),
        },
        Event::Collected { at: here(), command: "tail".into(), output: stored.clone() },
        Event::UndoStarted { at: here(), command: "undo".into() },
        Event::UndoEnded { at: here(), end: None, output: stored },
        Event::Interrupted { signal: "SIGINT".into(), count: 1 },
        noted("a note"),
        Event::Stopped { exit: 130, why: "interrupted".into() },
        the_end(),
        Event::Resolved { at: here(), done: true, reason: "I looked".into(), operator: operator() },
        Event::Abandoned { reason: "never mind".into(), operator: operator() },
    ];
    for moment in [
        Moment::Start,
        Moment::Waiting,
        Moment::Again,
        Moment::Resume,
        Moment::Batch { step: step(), batch: 2 },
        Moment::Step { at: here() },
    ] {
        events.push(Event::PreconditionJudged {
            id: id(),
            says: "Bored.".into(),
            moment,
            verdicts: verdicts(),
            show: vec!["state".into()],
            overridable: true,
            otherwise: Some("Wait.".into()),
        });
    }
    for how in [AckHow::NotNeeded, AckHow::Confirmed, AckHow::Typed, AckHow::Flag, AckHow::Emergency, AckHow::Earlier] {
        events.push(Event::WarningAcknowledged { id: id(), how });
    }
    for what in [
        AskedWhat::Start,
        AskedWhat::Warning { id: id() },
        AskedWhat::Manual { at: here() },
        AskedWhat::Failure { at: here() },
        AskedWhat::InDoubt { at: here() },
    ] {
        events.push(Event::Asked { what, question: "Go on?".into() });
    }
    let why = || "seen".to_owned();
    for outcome in [
        Outcome::Ok,
        Outcome::Failed { kind: FailureKind::Check, why: why() },
        Outcome::Skipped { why: why() },
        Outcome::InDoubt { why: why() },
        Outcome::Excluded { why: why() },
    ] {
        events.push(Event::StepEnded { at: here(), outcome });
    }
    for choice in [
        Choice::Retry,
        Choice::Recheck,
        Choice::Skip,
        Choice::Undo,
        Choice::Stop,
        Choice::Continue,
        Choice::Done,
        Choice::NotDone,
    ] {
        events.push(Event::Chosen { at: here(), choice, reason: String::new() });
    }
    events
}
