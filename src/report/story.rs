//! All that was said in a run, and what follows from it: the one memory behind the last screen and the audit.
//!
//! Apart from `RunState`, which keeps what the engine needs to go on; a reader wants more: which precondition did not
//! hold and why, what was asked, what was collected after a failure. Built from a journal or kept while a run goes on.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::event::{
    ActionKind, Answer, AskedWhat, Event, HostVerdict, Observer, Opened, Outcome, Output, RunState, RunStatus,
    StepEntry, StepState,
};
use crate::vocab::{HostName, StepHost, StepId};

/// The records of a run and the state they fold to.
///
/// Takes any stream: an event that cannot follow what was before it is kept, and counted in [`Story::misfits`], but
/// changes no state. A stream without a beginning has no state at all.
#[derive(Clone, Debug, Default)]
pub struct Story {
    records: Vec<(Timestamp, Event)>,
    state: Option<RunState>,
    misfits: usize,
}

/// A precondition that did not hold when it was last looked at.
#[derive(Clone, Copy, Debug)]
pub struct Unmet<'a> {
    /// Its id.
    pub id: &'a str,
    /// What it demands.
    pub says: &'a str,
    /// Each host's verdict.
    pub verdicts: &'a [HostVerdict],
    /// Whether it may be overridden.
    pub overridable: bool,
    /// What its author says then.
    pub otherwise: Option<&'a str>,
}

/// What a step's own precondition says to do, where it keeps the step from being well.
#[derive(Clone, Debug)]
pub struct Advice<'a> {
    /// Its id.
    pub id: &'a str,
    /// Whether nobody could tell if it holds.
    pub undecided: bool,
    /// The hosts.
    pub hosts: Vec<HostName>,
    /// What its author says to do where it does not hold.
    pub text: &'a str,
}

/// What became of one step on one host, for people.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It is well.
    Ok,
    /// Something was sent and its end is not written.
    Running,
    /// It ended and its checks did not come to a verdict.
    Unchecked,
    /// It failed; why.
    Failed(String),
    /// Nobody knows; why.
    InDoubt(String),
    /// There was nothing to do, or it was left out; why.
    Skipped(String),
    /// A person left the host out; why.
    Excluded(String),
    /// Its turn never came.
    NotRun,
}

impl Story {
    /// The story of these records, in their order.
    pub fn from_records(records: impl IntoIterator<Item = (Timestamp, Event)>) -> Self {
        let mut story = Self::default();
        for (at, event) in records {
            story.add(at, event);
        }
        story
    }

    /// Adds what happened next.
    pub fn add(&mut self, at: Timestamp, event: Event) {
        let folded = match &mut self.state {
            Some(state) => state.apply(at, &event),
            None => RunState::open(at, &event).map(|state| self.state = Some(state)),
        };
        self.misfits += usize::from(folded.is_err());
        self.records.push((at, event));
    }

    /// Everything that happened, in order.
    pub fn records(&self) -> &[(Timestamp, Event)] {
        &self.records
    }

    /// The state of the run; none when its beginning is missing.
    pub fn state(&self) -> Option<&RunState> {
        self.state.as_ref()
    }

    /// How many events did not fit what was before them.
    pub fn misfits(&self) -> usize {
        self.misfits
    }

    /// How the run began.
    pub fn opened(&self) -> Option<&Opened> {
        self.state.as_ref().map(|state| &*state.opened)
    }

    /// Whether the run can be resumed: it began, and nothing says that it is over.
    pub fn is_resumable(&self) -> bool {
        self.state.as_ref().is_some_and(|state| match state.status {
            RunStatus::Open | RunStatus::Stopped { .. } => true,
            RunStatus::Ended { .. } | RunStatus::Abandoned { .. } => false,
        })
    }

    /// Whether anything was sent that may have changed something.
    pub fn changed_anything(&self) -> bool {
        self.records.iter().any(|(_, event)| {
            if let Event::StepStarted { kind, .. } = event {
                return !matches!(kind, ActionKind::Manual | ActionKind::Wait);
            }
            matches!(event, Event::UndoStarted { .. })
        })
    }

    /// The events of the last stretch.
    pub fn last_stretch(&self) -> &[(Timestamp, Event)] {
        let start = self
            .records
            .iter()
            .rposition(|(_, event)| matches!(event, Event::Opened(_) | Event::Resumed(_)))
            .unwrap_or(0);
        &self.records[start..]
    }

    /// The preconditions of the whole run that did not hold when last looked at in this stretch and were not
    /// overridden. Those of a step are told with the step.
    pub fn unmet(&self) -> Vec<Unmet<'_>> {
        let mut last: Vec<(Unmet<'_>, bool)> = Vec::new();
        for (_, event) in self.last_stretch() {
            if let Event::PreconditionJudged { id, says, verdicts, overridable, otherwise, moment, .. } = event {
                if matches!(moment, crate::event::Moment::Step { .. }) {
                    continue;
                }
                let unmet = Unmet { id, says, verdicts, overridable: *overridable, otherwise: otherwise.as_deref() };
                let holds = super::verdicts::hold(verdicts);
                match last.iter_mut().find(|(before, _)| before.id == id) {
                    Some(before) => *before = (unmet, holds),
                    None => last.push((unmet, holds)),
                }
            }
        }
        let overridden = |id: &str| self.state.as_ref().is_some_and(|state| state.overrides.contains_key(id));
        last.into_iter().filter(|(unmet, holds)| !holds && !overridden(unmet.id)).map(|(unmet, _)| unmet).collect()
    }

    /// What the preconditions of steps say to do, for the hosts where they keep a step from being well.
    pub fn advice(&self) -> Vec<Advice<'_>> {
        let mut advice: Vec<Advice<'_>> = Vec::new();
        for troubled in self.troubled() {
            let judged = self.last_stretch().iter().rev().find_map(|(_, event)| {
                let Event::PreconditionJudged { id, verdicts, otherwise, moment, .. } = event else { return None };
                let here = matches!(moment, crate::event::Moment::Step { at } if *at == troubled);
                here.then_some((id.as_str(), verdicts, otherwise.as_deref()))
            });
            // they are looked at in order: the last one is that which did not hold, if any did not
            let Some((id, verdicts, Some(text))) = judged else { continue };
            if super::verdicts::hold(verdicts) {
                continue;
            }
            let undecided = super::verdicts::undecided(verdicts);
            match advice.iter_mut().find(|known| known.id == id && known.undecided == undecided) {
                Some(known) => known.hosts.push(troubled.host),
                None => advice.push(Advice { id, undecided, hosts: vec![troubled.host], text }),
            }
        }
        advice
    }

    /// The questions of this stretch that were answered no, by a person or for lack of a terminal.
    pub fn refused(&self) -> Vec<(&AskedWhat, &Answer)> {
        let mut refused: Vec<(&AskedWhat, &Answer)> = Vec::new();
        for (_, event) in self.last_stretch() {
            if let Event::Answered { what, answer } = event {
                refused.retain(|(before, _)| *before != what);
                match answer {
                    Answer::No | Answer::NoTerminal => refused.push((what, answer)),
                    Answer::Yes | Answer::Text(_) | Answer::Flag(_) => {}
                }
            }
        }
        refused
    }

    /// The warnings that were shown in this stretch and never acknowledged, each with the text that has to be typed.
    pub fn unacknowledged(&self) -> Vec<(&str, Option<&str>)> {
        let acknowledged = |id: &str| {
            self.records
                .iter()
                .any(|(_, event)| matches!(event, Event::WarningAcknowledged { id: done, .. } if done == id))
        };
        let mut ids: Vec<(&str, Option<&str>)> = Vec::new();
        for (_, event) in self.last_stretch() {
            if let Event::WarningShown { id, typed, .. } = event
                && !acknowledged(id)
                && !ids.iter().any(|(known, _)| known == id)
            {
                ids.push((id, typed.as_deref()));
            }
        }
        ids
    }

    /// What became of a step on a host.
    pub fn fate(&self, at: &StepHost) -> Fate {
        let Some(state) = &self.state else { return Fate::NotRun };
        match state.step(at) {
            StepState::NotStarted | StepState::Due { .. } => Fate::NotRun,
            StepState::Running { .. } => Fate::Running,
            StepState::Acted { .. } => Fate::Unchecked,
            StepState::Ended { outcome, .. } => match outcome {
                Outcome::Ok => Fate::Ok,
                Outcome::Failed { why, .. } => Fate::Failed(why.clone()),
                Outcome::Skipped { why } => Fate::Skipped(why.clone()),
                Outcome::InDoubt { why } => Fate::InDoubt(why.clone()),
                Outcome::Excluded { why } => Fate::Excluded(why.clone()),
            },
        }
    }

    /// The steps that do something themselves, in order: blocks are told by what stands in them.
    pub fn steps(&self) -> Vec<&StepEntry> {
        self.opened()
            .map(|opened| opened.steps.iter().filter(|step| step.kind != "block").collect())
            .unwrap_or_default()
    }

    /// What their authors say of the steps that failed somewhere, in order.
    pub fn failed_steps(&self) -> Vec<(&StepId, &str)> {
        let failed = |step: &StepEntry, host: &HostName| {
            matches!(self.fate(&StepHost::new(step.id.clone(), host.clone())), Fate::Failed(_))
        };
        let failed = self.steps().into_iter().filter(|step| step.hosts.iter().any(|host| failed(step, host)));
        failed.filter_map(|step| Some((&step.id, step.says.as_deref()?))).collect()
    }

    /// Each step on a host that is well and was not: it had failed, or nobody knew. What became of it then, the last time.
    pub fn overcome(&self) -> BTreeMap<StepHost, Fate> {
        let mut before = BTreeMap::new();
        for (_, event) in &self.records {
            let Event::StepEnded { at, outcome } = event else { continue };
            match outcome {
                Outcome::Failed { why, .. } => before.insert(at.clone(), Fate::Failed(why.clone())),
                Outcome::InDoubt { why } => before.insert(at.clone(), Fate::InDoubt(why.clone())),
                Outcome::Ok | Outcome::Skipped { .. } | Outcome::Excluded { .. } => None,
            };
        }
        before.retain(|at, _| self.fate(at) == Fate::Ok);
        before
    }

    /// What the last try of an action wrote, on both streams.
    pub fn wrote(&self, at: &StepHost) -> Option<String> {
        self.records.iter().rev().find_map(|(_, event)| {
            let Event::StepActed { at: place, stdout, stderr, .. } = event else { return None };
            (place == at).then(|| super::narration::joined(stdout, stderr))
        })
    }

    /// What was collected on a host after the last try of a step.
    pub fn collected(&self, at: &StepHost) -> Vec<(&str, &Output)> {
        let mut collected = Vec::new();
        for (_, event) in &self.records {
            if matches!(event, Event::StepStarted { at: place, .. } if place == at) {
                collected.clear();
            }
            if let Event::Collected { at: place, command, output } = event
                && place == at
            {
                collected.push((command.as_str(), output));
            }
        }
        collected
    }

    /// The checks of the whole run that did not hold, by their last verdict.
    pub fn failed_checks(&self) -> Vec<(&str, &[HostVerdict])> {
        let mut checks: BTreeMap<usize, (&str, &[HostVerdict])> = BTreeMap::new();
        for (_, event) in &self.records {
            if let Event::CheckJudged { at: None, check, says, verdicts, .. } = event {
                checks.insert(*check, (says, verdicts));
            }
        }
        checks.into_values().filter(|(_, verdicts)| !super::verdicts::hold(verdicts)).collect()
    }

    /// Why rolls stopped in the last stretch.
    pub fn stopped_rolls(&self) -> Vec<(&StepId, &str, &[HostName])> {
        let stopped = self.last_stretch().iter().filter_map(|(_, event)| {
            let Event::RollStopped { step, why, untouched } = event else { return None };
            Some((step, why.as_str(), untouched.as_slice()))
        });
        stopped.collect()
    }

    /// Every step@host that failed, is in doubt, or was cut off.
    pub fn troubled(&self) -> Vec<StepHost> {
        let mut troubled = Vec::new();
        for step in self.steps() {
            for host in &step.hosts {
                let at = StepHost::new(step.id.clone(), host.clone());
                match self.fate(&at) {
                    Fate::Failed(_) | Fate::InDoubt(_) | Fate::Running | Fate::Unchecked => troubled.push(at),
                    Fate::Ok | Fate::Skipped(_) | Fate::Excluded(_) | Fate::NotRun => {}
                }
            }
        }
        troubled
    }
}

/// Keeps the story of a run while it goes on.
#[derive(Debug, Default)]
pub struct Keeper(Mutex<Story>);

impl Keeper {
    /// Keeps the story from its beginning.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps on with a story that began in an earlier stretch.
    pub fn resuming(story: Story) -> Self {
        Self(Mutex::new(story))
    }

    /// The story so far.
    pub fn story(&self) -> Story {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Observer for Keeper {
    fn event(&self, at: Timestamp, event: &Event, _state: &RunState) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(at, event.clone());
    }
}
