//! What a row of an export has in it: the columns, in their order.
//!
//! These types are the promise: their fields' names are the columns' names, and the schema is made from them. A column may
//! be added behind the others; none is renamed or given another meaning.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::Kind;
use crate::event::{ActionEnd, Event, OverrideHow, RunState, RunStatus, StepEntry};
use crate::journal::Integrity;
use crate::report::story::{Fate, Story};
use crate::report::verdicts;
use crate::vocab::{Digest, HostName, RunId, StepHost, StepId};

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RunRow {
    /// The run's id.
    pub run: RunId,
    /// The runbook's name.
    pub runbook: String,
    /// The runbook's title.
    pub title: String,
    /// Who began it.
    pub operator: String,
    /// How the name was found: `--as`, `RUNBOOK_OPERATOR`, `SUDO_USER`, `login`, `asked`. None of these is proof.
    pub known_by: String,
    /// Whether the name tells a person: false for plain root.
    pub identified: bool,
    /// The login user of the process.
    pub login: String,
    /// The address that its ssh session came from; empty without one.
    pub from: Option<String>,
    /// The machine it was run from.
    pub admin_host: String,
    /// When it began, RFC 3339 in UTC.
    pub started: Timestamp,
    /// When it ended or stopped last, RFC 3339 in UTC; empty while it runs, when its program died, and when its record is
    /// broken.
    pub ended: Option<Timestamp>,
    /// Seconds from its beginning to its last record, the time between two stretches included; empty when the clock
    /// went back.
    pub seconds: Option<f64>,
    /// How it stands.
    pub outcome: Kind,
    /// The exit status of the last stretch; empty while it runs, when its program died, when it was abandoned, and when its
    /// record is broken.
    pub exit: Option<u8>,
    /// Why it stands so, for people.
    pub why: Option<String>,
    /// Whether it can be resumed.
    pub resumable: bool,
    /// `--reason` at its beginning; empty when none was given.
    pub reason: Option<String>,
    /// Whether it was begun as an emergency.
    pub emergency: bool,
    /// The preconditions that it went on against.
    pub overrides: Vec<Override>,
    /// Whether the runbook changes anything.
    pub changes: bool,
    /// The parameters as `name=value`; a secret's value is `<secret>`.
    pub params: Vec<String>,
    /// `--limit`; empty when none was given.
    pub limit: Option<String>,
    /// The hosts that its steps go to; where it has none, those it is about.
    pub hosts: Vec<HostName>,
    /// Steps on hosts, each counted once: those that are well. These numbers are empty where the outcome is `broken`.
    pub steps_ok: Option<usize>,
    /// Those that failed.
    pub steps_failed: Option<usize>,
    /// Those that were sent and whose outcome is not known.
    pub steps_in_doubt: Option<usize>,
    /// Those that ended and whose checks were not finished.
    pub steps_not_checked: Option<usize>,
    /// Those that were left out, by the runbook or by a person.
    pub steps_skipped: Option<usize>,
    /// Those whose turn never came.
    pub steps_not_run: Option<usize>,
    /// How often it was begun or resumed.
    pub stretches: u32,
    /// Who resumed it, in order.
    pub resumed_by: Vec<String>,
    /// The digest of the plan.
    pub plan: Digest,
    /// The version of the program that began it.
    pub version: String,
    /// Whether its journal is whole by its chain: `intact`, `running`, `unfinished`, `torn`, `broken`.
    pub integrity: String,
}

/// A precondition that a run went on against.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Override {
    /// The precondition's id.
    pub id: String,
    /// By which flag.
    pub how: OverrideHow,
    /// Why.
    pub reason: String,
}

/// One step of a run on one host; also those whose turn never came.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StepRow {
    /// The run's id.
    pub run: RunId,
    /// The runbook's name.
    pub runbook: String,
    /// The step's id, with those of the blocks and runbooks around it.
    pub step: StepId,
    /// The host.
    pub host: HostName,
    /// The step's name for people.
    pub name: String,
    /// What it does: `run`, `command`, `script`, `copy`, `http`, `manual`, `wait`, `probe`.
    pub kind: String,
    /// The command as it was sent last, secrets as placeholders; empty when nothing was sent.
    pub command: Option<String>,
    /// The user it ran as through sudo; empty for the login user.
    pub user: Option<String>,
    /// How often it was sent.
    pub attempts: u32,
    /// When it was sent first, or, where nothing was, when anything of it was known; RFC 3339 in UTC; empty when its turn
    /// never came.
    pub started: Option<Timestamp>,
    /// When its last outcome was known; RFC 3339 in UTC; empty without one.
    pub ended: Option<Timestamp>,
    /// Seconds from the one to the other, checks and retries included; empty without both, and when the clock went back.
    pub seconds: Option<f64>,
    /// What became of it.
    pub outcome: StepOutcome,
    /// Why, for people; empty where the word says all.
    pub why: Option<String>,
    /// The exit status of the last try; empty without one.
    pub exit: Option<i32>,
    /// The status of the last HTTP answer; empty without one.
    pub http: Option<u16>,
    /// How many of its checks held, by their last verdicts.
    pub checks_held: usize,
    /// How many did not.
    pub checks_failed: usize,
}

/// What became of a step on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepOutcome {
    /// It is well.
    Ok,
    /// It failed.
    Failed,
    /// It was sent, and its outcome is not known.
    InDoubt,
    /// It ended, and its checks were not finished.
    NotChecked,
    /// There was nothing to do, or a person chose so.
    Skipped,
    /// A person took the host out of the roll.
    Excluded,
    /// Its turn never came.
    NotRun,
}

impl StepOutcome {
    fn of(fate: &Fate) -> Self {
        match fate {
            Fate::Ok => Self::Ok,
            Fate::Failed(_) => Self::Failed,
            Fate::Running | Fate::InDoubt(_) => Self::InDoubt,
            Fate::Unchecked => Self::NotChecked,
            Fate::Skipped(_) => Self::Skipped,
            Fate::Excluded(_) => Self::Excluded,
            Fate::NotRun => Self::NotRun,
        }
    }
}

impl RunRow {
    /// The row of a run; none when its record has no beginning.
    pub fn of(story: &Story, integrity: &Integrity) -> Option<Self> {
        let state = story.state()?;
        let opened = &state.opened;
        let outcome = Kind::of(&state.status, matches!(integrity, Integrity::Unfinished { running: true }));
        let (exit, why, over) = standing(&state.status);
        let mut row = Self {
            run: opened.run.clone(),
            runbook: opened.runbook.clone(),
            title: opened.title.clone(),
            operator: opened.operator.name.clone(),
            known_by: opened.operator.source.clone(),
            identified: opened.operator.identified,
            login: opened.operator.login.clone(),
            // SSH_CONNECTION: the first word is the address it came from
            from: opened
                .operator
                .ssh_origin
                .as_deref()
                .and_then(|from| from.split_whitespace().next())
                .map(str::to_owned),
            admin_host: opened.admin_host.clone(),
            started: state.opened_at,
            ended: why.is_some().then_some(state.last_at),
            seconds: seconds(state.opened_at, state.last_at),
            outcome,
            exit,
            why,
            // a resume refuses what does not verify
            resumable: !over && !matches!(integrity, Integrity::Broken { .. } | Integrity::BrokenFile { .. }),
            reason: opened.reason.clone(),
            emergency: opened.emergency,
            overrides: overrides(state),
            changes: opened.changes,
            params: opened.params.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            limit: opened.limit.clone(),
            hosts: opened.reached().into_iter().cloned().collect(),
            steps_ok: None,
            steps_failed: None,
            steps_in_doubt: None,
            steps_not_checked: None,
            steps_skipped: None,
            steps_not_run: None,
            stretches: state.stretches,
            resumed_by: resumed_by(story),
            plan: opened.plan.clone(),
            version: opened.version.clone(),
            integrity: integrity.word().to_owned(),
        };
        // what is left of a record that breaks is not how the run stands
        if let Integrity::Broken { .. } = integrity {
            row.outcome = Kind::Broken;
            (row.ended, row.exit, row.why) = (None, None, Some(integrity.to_string()));
            return Some(row);
        }
        let mut counts: BTreeMap<StepOutcome, usize> = BTreeMap::new();
        for (_, at) in places(story) {
            *counts.entry(StepOutcome::of(&story.fate(&at))).or_default() += 1;
        }
        let count = |outcome| Some(counts.get(&outcome).copied().unwrap_or_default());
        row.steps_ok = count(StepOutcome::Ok);
        row.steps_failed = count(StepOutcome::Failed);
        row.steps_in_doubt = count(StepOutcome::InDoubt);
        row.steps_not_checked = count(StepOutcome::NotChecked);
        let left_out = [StepOutcome::Skipped, StepOutcome::Excluded];
        row.steps_skipped = Some(left_out.into_iter().filter_map(count).sum());
        row.steps_not_run = count(StepOutcome::NotRun);
        Some(row)
    }
}

/// The exit status, why, and whether nothing can follow.
fn standing(status: &RunStatus) -> (Option<u8>, Option<String>, bool) {
    match status {
        RunStatus::Open => (None, None, false),
        RunStatus::Stopped { exit, why } => (Some(*exit), Some(why.clone()), false),
        RunStatus::Ended { exit, why } => (Some(*exit), Some(why.clone()), true),
        RunStatus::Abandoned { reason } => (None, Some(reason.clone()), true),
    }
}

fn overrides(state: &RunState) -> Vec<Override> {
    let one = |(id, (how, reason)): (&String, &(OverrideHow, String))| Override {
        id: id.clone(),
        how: *how,
        reason: reason.clone(),
    };
    state.overrides.iter().map(one).collect()
}

fn resumed_by(story: &Story) -> Vec<String> {
    let resumed = story.records().iter().filter_map(|(_, event)| {
        if let Event::Resumed(resumed) = event { Some(resumed.operator.name.clone()) } else { None }
    });
    resumed.collect()
}

/// Every step that does something itself, on each of its hosts.
fn places(story: &Story) -> impl Iterator<Item = (&StepEntry, StepHost)> {
    let on = |step: &'_ StepEntry| -> Vec<StepHost> {
        step.hosts.iter().map(|host| StepHost::new(step.id.clone(), host.clone())).collect()
    };
    story.steps().into_iter().flat_map(move |step| on(step).into_iter().map(move |at| (step, at)))
}

/// The time between two stamps to the millisecond; none when the clock went back.
fn seconds(from: Timestamp, to: Timestamp) -> Option<f64> {
    let length: Duration = to.duration_since(from).try_into().ok()?;
    Some((length.as_secs_f64() * 1000.0).round() / 1000.0)
}

impl StepRow {
    /// A row for each step on each of its hosts, in the order of the plan.
    pub fn all(story: &Story) -> Vec<Self> {
        let Some(opened) = story.opened() else { return Vec::new() };
        let row = |(entry, at): (&StepEntry, StepHost)| {
            let fate = story.fate(&at);
            let row = Self {
                run: opened.run.clone(),
                runbook: opened.runbook.clone(),
                step: at.step.clone(),
                host: at.host.clone(),
                name: entry.name.clone(),
                kind: entry.kind.clone(),
                command: None,
                user: None,
                attempts: story.state().map_or(0, |state| state.step(&at).attempts()),
                started: None,
                ended: None,
                seconds: None,
                outcome: StepOutcome::of(&fate),
                why: Some(fate.why().to_owned()).filter(|why| !why.is_empty()),
                exit: None,
                http: None,
                checks_held: 0,
                checks_failed: 0,
            };
            (at, row)
        };
        let mut rows: Vec<(StepHost, Self)> = places(story).map(row).collect();
        let index: BTreeMap<StepHost, usize> =
            rows.iter().enumerate().map(|(number, (at, _))| (at.clone(), number)).collect();
        let mut checks: BTreeMap<(usize, usize), bool> = BTreeMap::new();
        for (at, event) in story.records() {
            let Some(number) = place(event).and_then(|place| index.get(place)).copied() else { continue };
            rows[number].1.take(*at, event);
            if let Event::StepStarted { .. } = event {
                // what was judged of the try before is no verdict on this one
                checks.retain(|(before, _), _| *before != number);
            }
            if let Event::CheckJudged { check, verdicts, .. } = event {
                checks.insert((number, *check), verdicts::hold(verdicts));
            }
        }
        for ((number, _), held) in checks {
            let row = &mut rows[number].1;
            *(if held { &mut row.checks_held } else { &mut row.checks_failed }) += 1;
        }
        rows.into_iter().map(|(_, row)| row).collect()
    }

    fn take(&mut self, at: Timestamp, event: &Event) {
        self.started.get_or_insert(at);
        if let Event::StepStarted { command, user, .. } = event {
            self.command = Some(command.clone());
            self.user.clone_from(user);
            (self.exit, self.http, self.ended) = (None, None, None);
        }
        if let Event::StepActed { end, .. } = event {
            (self.exit, self.http) = match end {
                ActionEnd::Exited(code) => (Some(*code), None),
                ActionEnd::Answered(status) => (None, Some(*status)),
                ActionEnd::Done | ActionEnd::TimedOut | ActionEnd::Cancelled | ActionEnd::Declined => (None, None),
            };
        }
        if let Event::StepEnded { .. } = event {
            self.ended = Some(at);
        }
        self.seconds = self.started.zip(self.ended).and_then(|(started, ended)| seconds(started, ended));
    }
}

/// Where an event is that a row of a step takes something from.
fn place(event: &Event) -> Option<&StepHost> {
    if let Event::StepStarted { at, .. }
    | Event::StepActed { at, .. }
    | Event::StepEnded { at, .. }
    | Event::Observed { at, .. }
    | Event::CheckJudged { at: Some(at), .. } = event
    {
        Some(at)
    } else {
        None
    }
}
