//! Playing a scenario: a world of its own, whose time passes only where everyone waits.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::time::Instant;

use super::difference::Difference;
use super::fleet;
use super::judge::judge;
use super::person::{Person, Said};
use super::watch::Watch;
use crate::engine::{Crew, Interrupt, Options, Recorder, Rehearsal, perform, rehearse};
use crate::event::{Event, Observer, Opened, OperatorEntry, Resumed, RunState, RunStatus};
use crate::journal::{EventLog as _, MemoryLog};
use crate::model::Runbook;
use crate::model::scenario::{self, Scenario, Stretch, Suite};
use crate::plan::make::{Making, RunFacts};
use crate::plan::{Given, Plan, bind};
use crate::report::{Closing, Data, Keeper, Plain, Sink, Story, Styles};
use crate::transport::Scripted;
use crate::vocab::{Clock, HostName, Period, RunId, StepId};

/// Longer than a run goes on by itself.
const FOREVER: Duration = Duration::from_hours(24 * 7);

/// Who plays, and on what.
#[derive(Clone, Copy)]
pub struct Stage<'a> {
    /// The runbook.
    pub runbook: &'a Arc<Runbook>,
    /// Its scenarios' file.
    pub suite: &'a Suite,
    /// What a dry run shows.
    pub outline: &'a (dyn Fn(&Plan, &Rehearsal) -> String + Sync),
}

/// A scenario that was played.
#[derive(Debug)]
pub struct Played {
    /// How it differs from what must be.
    pub differences: Vec<Difference>,
    /// What each stretch told.
    pub told: Vec<String>,
    /// Which of the file's own answers were given.
    pub used: Vec<bool>,
    /// What was written down.
    pub log: MemoryLog,
}

/// What a stretch came to.
pub(super) struct Came {
    pub(super) end: End,
    pub(super) told: String,
    pub(super) plan: Option<Arc<Plan>>,
    pub(super) state: Option<RunState>,
    pub(super) said: Said,
    /// What was sent in it, in order.
    pub(super) sent: Vec<(StepId, HostName)>,
}

/// How a stretch ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With this exit status.
    Status(u8),
    /// The program died.
    Crash,
    /// It does not.
    Never,
    /// It could not go on, for a fault of ours.
    Broken(String),
}

#[derive(Debug)]
struct Simulated {
    began: Instant,
}

impl Clock for Simulated {
    fn now(&self) -> Timestamp {
        // a night of November 2026
        let noon = Timestamp::from_second(1_795_317_300).unwrap_or_default();
        noon.saturating_add(self.began.elapsed()).unwrap_or(noon)
    }
}

/// Plays `scenario`.
pub fn play(stage: Stage<'_>, scenario: &Scenario) -> Played {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    match runtime {
        Ok(runtime) => runtime.block_on(async { World::new(stage, scenario).play().await }),
        Err(error) => Played {
            differences: vec![Difference::new("the runtime", "", error.to_string())],
            told: Vec::new(),
            used: vec![false; stage.suite.answers.len()],
            log: MemoryLog::new(),
        },
    }
}

struct World<'a> {
    stage: Stage<'a>,
    scenario: &'a Scenario,
    fleet: Scripted,
    log: MemoryLog,
    clock: Arc<Simulated>,
    began: Instant,
    /// The rules of the file's answers, then those of the stretches, each with its answer.
    rules: Vec<(usize, &'a scenario::Answering)>,
}

impl<'a> World<'a> {
    fn new(stage: Stage<'a>, scenario: &'a Scenario) -> Self {
        let began = Instant::now();
        Self {
            stage,
            scenario,
            fleet: fleet::fleet(&scenario.locked, &run_id(2)),
            log: MemoryLog::new(),
            clock: Arc::new(Simulated { began }),
            began,
            rules: Vec::new(),
        }
    }

    async fn play(mut self) -> Played {
        let mut differences = Vec::new();
        let mut told = Vec::new();
        let mut whole = true;
        for (index, stretch) in self.scenario.stretches.iter().enumerate() {
            tokio::time::sleep(stretch.later.get()).await;
            let came = self.stretch(index, stretch).await;
            // what came of a run that was not answered says nothing
            let mut found = fleet::unanswered(&self.fleet.unanswered());
            let lost = !found.is_empty();
            if !lost {
                found = judge(stretch, &came);
            }
            differences.extend(found.into_iter().map(|found| Difference { stretch: index + 1, ..found }));
            told.push(came.told);
            whole = !lost && !matches!(came.end, End::Never | End::Broken(_));
            if !whole {
                break;
            }
        }
        let own = self.stage.suite.answers.len();
        let used = (0..own).map(|index| self.rules.get(index).is_some_and(|(rule, _)| self.fleet.used(*rule) > 0));
        let used = used.collect();
        if whole {
            let rest = self.rules.iter().skip(own);
            differences.extend(rest.filter_map(|(rule, answering)| self.unused(*rule, answering)));
        }
        Played { differences, told, used, log: self.log }
    }

    /// An answer that was not given, or whose list nobody came to the end of.
    fn unused(&self, rule: usize, answering: &scenario::Answering) -> Option<Difference> {
        let (used, wanted) = (self.fleet.used(rule), answering.gives.len());
        if used >= wanted {
            return None;
        }
        let was = match used {
            0 => "it is never given".to_owned(),
            used => format!("only {used} of its {wanted} are given"),
        };
        Some(Difference::new(format!("answer ({})", answering.to), "", was).at(&answering.location))
    }

    async fn stretch(&mut self, index: usize, stretch: &'a Stretch) -> Came {
        let begun = self.fleet.sent().len();
        let options = options(&stretch.options);
        let opened = match self.log.events().into_iter().next() {
            Some(Event::Opened(opened)) => Some(opened),
            Some(_) | None => None,
        };
        let options = match &opened {
            Some(opened) => options.going_on(opened),
            None => options,
        };
        let mut came = Came {
            end: End::Status(2),
            told: String::new(),
            plan: None,
            state: None,
            said: Said::default(),
            sent: Vec::new(),
        };
        let plan = match self.plan(&options) {
            Ok(plan) => Arc::new(plan),
            Err(errors) => {
                came.told = errors.iter().map(|error| format!("error: {error}\n")).collect();
                return came;
            }
        };
        self.learn(index, stretch, &plan);
        came.plan = Some(plan.clone());
        if self.scenario.dry_run {
            (came.end, came.told) = self.rehearsed(&plan, &options).await;
            return came;
        }
        if index > 0 && opened.is_none() {
            came.told.push_str("error: there is no unfinished run\n");
            return came;
        }
        if let Some(state) = self.state()
            && let RunStatus::Ended { exit, .. } = state.status
        {
            came.told = format!("error: the run is over: it ended with exit status {exit}\n");
            came.state = Some(state);
            return came;
        }
        let (end, told, said) = self.performed(&plan, &options, stretch).await;
        (came.end, came.told, came.said) = (end, told, said);
        came.state = self.state();
        let sent = self.fleet.sent().into_iter().skip(begun);
        came.sent = sent.filter_map(|call| Some((call.step?, call.host))).collect();
        came
    }

    fn plan(&self, options: &Options) -> Result<Plan, Vec<String>> {
        let Stage { runbook, suite, .. } = self.stage;
        let mut given = Given { secrets: self.scenario.secrets.clone(), ..Given::default() };
        for arg in &self.scenario.args {
            match bind::named(arg) {
                Some((name, value)) => given.named.push((name.to_owned(), value.to_owned())),
                None => given.positional.push(arg.clone()),
            }
        }
        let params = bind::bind(&runbook.params, &given, &suite.inventory)
            .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        let run = RunFacts {
            operator: options.operator.clone(),
            reason: options.reason.clone(),
            emergency: options.emergency,
        };
        let limit = self.scenario.limit.clone();
        Plan::make(runbook, Making { inventory: &suite.inventory, params, limit, run })
            .map_err(|error| vec![error.to_string()])
    }

    /// The fleet learns what it answers from this stretch on.
    fn learn(&mut self, index: usize, stretch: &'a Stretch, plan: &Plan) {
        let own = if self.rules.is_empty() && index == 0 { self.stage.suite.answers.as_slice() } else { &[] };
        for answering in own.iter().chain(&stretch.answers) {
            let rule = self.fleet.add(fleet::rule(answering, plan, self.began));
            self.rules.push((rule, answering));
        }
    }

    async fn rehearsed(&self, plan: &Plan, options: &Options) -> (End, String) {
        match rehearse(plan, &self.fleet, options, run_id(1), &Interrupt::new()).await {
            Ok(seen) => {
                let told = plan.masker().mask(&(self.stage.outline)(plan, &seen));
                (End::Status(if seen.would_start { 0 } else { 3 }), told)
            }
            Err(error) => (End::Status(2), format!("error: {error}\n")),
        }
    }

    async fn performed(&self, plan: &Arc<Plan>, options: &Options, stretch: &Stretch) -> (End, String, Said) {
        let (sink, captured) = Sink::captured();
        let clock: Arc<dyn Clock> = self.clock.clone();
        let data = Data::pipe(sink.clone());
        let plain = Arc::new(Plain::new(sink, data, Styles::plain(), TimeZone::UTC, clock.clone()));
        let resumed = match self.begin(plan, options) {
            Ok(resumed) => resumed,
            Err(error) => return (End::Broken(error), captured.text(), Said::default()),
        };
        let Some(state) = self.state() else {
            return (End::Broken("the log cannot be read".to_owned()), String::new(), Said::default());
        };
        let records = self.log.records();
        if resumed.is_none() {
            records.iter().for_each(|record| plain.event(record.at, &record.event, &state));
        }
        let keeper = Arc::new(Keeper::resuming(Story::from_records(
            records.into_iter().map(|record| (record.at, record.event)),
        )));
        let watch = Watch { fleet: self.fleet.clone(), plan: plan.clone(), elsewhere: Mutex::default() };
        let observers: Vec<Arc<dyn Observer>> = vec![keeper.clone(), plain, Arc::new(watch)];
        let recorder = Recorder::new(state, Box::new(self.log.clone()), clock, observers, plan.masker());
        let interrupt = Interrupt::new();
        let person = Person::new(stretch.operator.as_deref(), interrupt.clone());
        let program = async {
            if let Some(event) = resumed {
                recorder.record(event).await?;
            }
            let (fleet, operator, interrupt) = (&self.fleet, &person, interrupt.clone());
            perform(Crew { plan, fleet, operator, recorder: &recorder, interrupt, options, run: run_id(1) }).await
        };
        let program = async {
            tokio::select! {
                biased;
                // what the program had in flight is gone with it; what runs on hosts is not
                () = self.fleet.crashed() => None,
                () = crash(stretch.crash) => None,
                ended = program => Some(ended),
                never = interrupts(&stretch.interrupts, &interrupt, &recorder) => match never {},
            }
        };
        let ended = tokio::time::timeout(FOREVER, program).await;
        drop(recorder);
        let (end, exit, why) = match ended {
            Err(_) => (End::Never, None, String::new()),
            Ok(None) => (End::Crash, None, String::new()),
            Ok(Some(Ok(performed))) => {
                let exit = performed.ending.exit();
                (End::Status(exit), Some(exit), self.last_word())
            }
            Ok(Some(Err(error))) => (End::Broken(error.to_string()), None, String::new()),
        };
        let mut told = captured.text();
        if let Some(exit) = exit {
            let closing = Closing::new(Styles::plain(), TimeZone::UTC, None);
            told.push_str(&format!("\n{}", closing.shown(&keeper.story(), exit, &why)));
        }
        (end, told, person.said())
    }

    /// Opens the run, or gives the event that resumes it.
    fn begin(&self, plan: &Plan, options: &Options) -> Result<Option<Event>, String> {
        if !self.log.events().is_empty() {
            return Ok(Some(resumed(plan, options)));
        }
        let opened = opened(plan, options);
        self.log.clone().append(self.clock.now(), opened).map(|_| None).map_err(|error| error.to_string())
    }

    /// The state that follows from what was written.
    fn state(&self) -> Option<RunState> {
        let mut records = self.log.records().into_iter();
        let first = records.next()?;
        let mut state = RunState::open(first.at, &first.event).ok()?;
        for record in records {
            state.apply(record.at, &record.event).ok()?;
        }
        Some(state)
    }

    /// What the last event says of the stretch's end.
    fn last_word(&self) -> String {
        let last = self.log.events().into_iter().rev().find_map(|event| {
            let (Event::Stopped { why, .. } | Event::Ended { why, .. }) = event else { return None };
            Some(why)
        });
        last.unwrap_or_default()
    }
}

/// Comes back when the program is to die.
async fn crash(time: Option<Period>) {
    match time {
        Some(time) => tokio::time::sleep(time.get()).await,
        None => std::future::pending().await,
    }
}

/// Presses Ctrl-C at these times.
async fn interrupts(times: &[Period], interrupt: &Interrupt, recorder: &Recorder) -> Infallible {
    let began = Instant::now();
    for time in times {
        tokio::time::sleep_until(began + time.get()).await;
        let (signal, count) = ("SIGINT".to_owned(), interrupt.raise());
        // once the run is over there is nothing to write it into
        recorder.record(Event::Interrupted { signal, count }).await.ok();
    }
    std::future::pending().await
}

fn options(said: &scenario::Options) -> Options {
    let usual = Options::default();
    let longest = said.wait.max(said.wait_lock).unwrap_or_default();
    Options {
        operator: operator().name,
        yes: said.yes,
        acks: said.acks.clone(),
        overrides: said.overrides.clone(),
        emergency: said.emergency,
        reason: said.reason.clone(),
        wait: said.wait,
        wait_lock: said.wait_lock,
        retry: said.retry,
        // half a day is looked at some hundred times, not twenty thousand
        wait_interval: usual.wait_interval.max(Period::seconds(longest.get().as_secs() / 1000)),
        ..usual
    }
}

fn run_id(number: u8) -> RunId {
    RunId::new(Timestamp::from_second(1_795_317_300).unwrap_or_default(), [number; 4])
}

fn operator() -> OperatorEntry {
    OperatorEntry {
        name: "operator".to_owned(),
        identified: true,
        source: "--as".to_owned(),
        login: "operator".to_owned(),
        ssh_origin: None,
        loginuid: None,
    }
}

fn opened(plan: &Plan, options: &Options) -> Event {
    Event::Opened(Box::new(Opened {
        run: run_id(1),
        runbook: plan.runbook.name.clone(),
        title: plan.runbook.title.clone(),
        changes: plan.changes,
        operator: operator(),
        admin_host: "admin".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        book: String::new(),
        inventories: Vec::new(),
        plan: plan.digest.clone(),
        params: plan.params().shown().into_iter().collect::<BTreeMap<_, _>>(),
        limit: plan.limit.clone(),
        reason: options.reason.clone(),
        emergency: options.emergency,
        hosts: plan.host_entries(),
        steps: plan.step_entries(),
        texts: plan.text_entries(),
        link: None,
    }))
}

fn resumed(plan: &Plan, options: &Options) -> Event {
    Event::Resumed(Box::new(Resumed {
        operator: operator(),
        admin_host: "admin".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        plan: plan.digest.clone(),
        accepted_changes: false,
        reason: options.reason.clone(),
        emergency: options.emergency,
        hosts: plan.host_entries(),
        steps: plan.step_entries(),
        texts: plan.text_entries(),
    }))
}
