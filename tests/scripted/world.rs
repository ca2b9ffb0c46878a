//! One run of a case in its own simulated time: stretch after stretch, until it is over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use runbook::engine::{Crew, Ending, Interrupt, Recorder, perform};
use runbook::event::{Event, Opened, OperatorEntry, Resumed, RunState, RunStatus};
use runbook::journal::{EventLog as _, MemoryLog};
use runbook::plan::Plan;
use runbook::transport::Scripted;
use runbook::vocab::{Clock, Masker, RunId};

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

    /// Another stretch of the run, or its first.
    pub async fn stretch(&self, crash: Option<Crash>) -> Result<Ending, Died> {
        let plan = &self.case.plan;
        let mut events = self.log.events().into_iter();
        let mut written = events.len();
        let first = match events.next() {
            Some(first) => first,
            None => {
                written = 1;
                self.log.clone().append(Noon.now(), opened(plan)).unwrap()
            }
        };
        let mut state = RunState::open(Noon.now(), &first).unwrap();
        events.for_each(|event| state.apply(Noon.now(), &event).unwrap());
        let log = Dying::new(&self.log, written, crash);
        let masker = Masker::new(std::iter::empty());
        let recorder = Recorder::new(state, Box::new(log), Arc::new(Noon), Vec::new(), masker);
        let person = Person { fleet: self.fleet.clone(), mind: self.case.mind, patient: self.mischief.is_done() };
        let program = async {
            if written > 1 {
                recorder.record(resumed(plan)).await.unwrap();
            }
            let crew = Crew {
                plan,
                fleet: &self.mischief,
                operator: &person,
                recorder: &recorder,
                interrupt: Interrupt::new(),
                options: &self.case.options,
                run: run_id(),
            };
            perform(crew).await.unwrap_or_else(|error| panic!("{error}\n{}", self.told()))
        };
        let ended = tokio::time::timeout(FOREVER, mortal(program)).await;
        ended.unwrap_or_else(|_| panic!("it does not end:\n{}", self.told()))
    }

    /// Resumes the run until it is over, or stopped as an undisturbed one would. What the last stretch ended with.
    pub async fn goes_on(&self) -> Ending {
        let mut last = None;
        for _ in 0..STRETCHES {
            match self.status() {
                RunStatus::Ended { .. } => return last.unwrap_or(self.case.ending),
                RunStatus::Stopped { exit, .. } if self.is_an_end(exit) => return last.unwrap_or(self.case.ending),
                RunStatus::Open | RunStatus::Stopped { .. } | RunStatus::Abandoned { .. } => {}
            }
            last = Some(self.stretch(None).await.unwrap());
            self.mischief.over().await;
        }
        panic!("{STRETCHES} stretches do not end it:\n{}", self.told());
    }

    fn is_an_end(&self, exit: u8) -> bool {
        exit == self.case.ending.exit() || self.case.or.is_some_and(|or| exit == or.exit())
    }

    fn status(&self) -> RunStatus {
        let mut events = self.log.events().into_iter();
        let mut state = RunState::open(Noon.now(), &events.next().unwrap()).unwrap();
        events.for_each(|event| state.apply(Noon.now(), &event).unwrap());
        state.status
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
