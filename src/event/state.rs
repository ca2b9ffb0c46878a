//! The state of a run, folded from its events: live and on resume by the same table.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::happening::{Event, Found, LockedHost, OverrideHow};
use super::opening::{Opened, StepEntry};
use super::outcome::{ActionEnd, FailureKind, Outcome};
use crate::vocab::{HostName, Observation, StepHost, StepId};

/// Where one step on one host is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepState {
    /// Nothing was sent.
    NotStarted,
    /// What was sent is known never to have started, or said not to have taken effect: it is sent anew.
    Due {
        /// The tries so far.
        attempt: u32,
    },
    /// The intent to send is written; whether it was sent, nobody knows until `Acted` or an end is written.
    Running {
        /// The try.
        attempt: u32,
    },
    /// The action ended; its checks are still to be evaluated.
    Acted {
        /// The try.
        attempt: u32,
        /// How it ended.
        end: ActionEnd,
    },
    /// It ended. `acted` says whether an action ended before: then a resume repeats only the checks.
    Ended {
        /// The tries so far; 0 when nothing was ever sent.
        attempt: u32,
        /// How the last action ended, if one did.
        acted: Option<ActionEnd>,
        /// The outcome.
        outcome: Outcome,
    },
}

impl StepState {
    /// The tries so far.
    pub fn attempts(&self) -> u32 {
        match self {
            Self::NotStarted => 0,
            Self::Due { attempt }
            | Self::Running { attempt }
            | Self::Acted { attempt, .. }
            | Self::Ended { attempt, .. } => *attempt,
        }
    }

    /// The outcome, once there is one.
    pub fn outcome(&self) -> Option<&Outcome> {
        match self {
            Self::Ended { outcome, .. } => Some(outcome),
            Self::NotStarted | Self::Due { .. } | Self::Running { .. } | Self::Acted { .. } => None,
        }
    }

    /// Whether nothing is left to do.
    pub fn is_settled(&self) -> bool {
        self.outcome().is_some_and(Outcome::is_settled)
    }
}

/// What happens to one step on one host, as far as its life is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Turn {
    Start { attempt: u32 },
    Act { attempt: u32, end: ActionEnd },
    End { outcome: Outcome },
    Settle { done: bool },
    Withdraw,
}

impl StepState {
    /// The one table of legal transitions. `None`: the event is illegal in this state.
    fn next(&self, turn: &Turn) -> Option<Self> {
        match (self, turn) {
            // an action starts: at first, as a retry of one that ended, or again after doubt was settled by the
            // runbook's word that it is repeatable; never while one may be running
            (Self::NotStarted, Turn::Start { attempt }) => Some(Self::Running { attempt: *attempt }),
            (Self::Due { attempt: before } | Self::Acted { attempt: before, .. }, Turn::Start { attempt })
                if *attempt == before + 1 =>
            {
                Some(Self::Running { attempt: *attempt })
            }
            (Self::Ended { attempt: before, outcome, .. }, Turn::Start { attempt })
                if *attempt == before + 1 && outcome.failed() =>
            {
                Some(Self::Running { attempt: *attempt })
            }
            // an action ends: only the one that was started
            (Self::Running { attempt: started }, Turn::Act { attempt, end }) if attempt == started => {
                Some(Self::Acted { attempt: *attempt, end: end.clone() })
            }
            // a step ends with nothing sent: it was skipped, excluded, unreachable, unready, or only looked
            (Self::NotStarted, Turn::End { outcome }) => match outcome {
                Outcome::Failed { kind: FailureKind::Action, .. } | Outcome::InDoubt { .. } => None,
                Outcome::Ok
                | Outcome::Failed {
                    kind:
                        FailureKind::Unreachable | FailureKind::Precondition | FailureKind::NotStarted | FailureKind::Check,
                    ..
                }
                | Outcome::Skipped { .. }
                | Outcome::Excluded { .. } => Some(Self::Ended { attempt: 0, acted: None, outcome: outcome.clone() }),
            },
            // a step that is due ends with nothing sent, as at first
            (Self::Due { attempt }, Turn::End { outcome }) => match outcome {
                Outcome::Ok | Outcome::Failed { kind: FailureKind::Action, .. } | Outcome::InDoubt { .. } => None,
                Outcome::Failed {
                    kind:
                        FailureKind::Unreachable | FailureKind::Precondition | FailureKind::NotStarted | FailureKind::Check,
                    ..
                }
                | Outcome::Skipped { .. }
                | Outcome::Excluded { .. } => {
                    Some(Self::Ended { attempt: *attempt, acted: None, outcome: outcome.clone() })
                }
            },
            // a step ends with its action's end unknown: in doubt; or known never to have started
            (Self::Running { attempt }, Turn::End { outcome }) => match outcome {
                Outcome::InDoubt { .. }
                | Outcome::Failed { kind: FailureKind::Unreachable | FailureKind::NotStarted, .. } => {
                    Some(Self::Ended { attempt: *attempt, acted: None, outcome: outcome.clone() })
                }
                Outcome::Ok
                | Outcome::Failed {
                    kind: FailureKind::Precondition | FailureKind::Action | FailureKind::Check, ..
                }
                | Outcome::Skipped { .. }
                | Outcome::Excluded { .. } => None,
            },
            // the host was asked later, and knew how the action had ended
            (Self::Ended { attempt: started, outcome: Outcome::InDoubt { .. }, .. }, Turn::Act { attempt, end })
                if attempt == started =>
            {
                Some(Self::Acted { attempt: *attempt, end: end.clone() })
            }
            // a step ends after its action and checks
            (Self::Acted { attempt, end }, Turn::End { outcome }) => match outcome {
                Outcome::Ok | Outcome::Failed { .. } | Outcome::Excluded { .. } | Outcome::Skipped { .. } => {
                    Some(Self::Ended { attempt: *attempt, acted: Some(end.clone()), outcome: outcome.clone() })
                }
                Outcome::InDoubt { .. } => None,
            },
            // a failed or in-doubt step ends anew: rechecked, settled, excluded, skipped, failed again
            (Self::Ended { attempt, acted, outcome: before }, Turn::End { outcome }) if before.failed() => {
                Some(Self::Ended { attempt: *attempt, acted: acted.clone(), outcome: outcome.clone() })
            }
            // the host was asked, and knows that it never started
            (
                Self::Running { attempt } | Self::Ended { attempt, outcome: Outcome::InDoubt { .. }, .. },
                Turn::Withdraw,
            ) => Some(Self::Due { attempt: *attempt }),
            // a person settles doubt from outside: done means acted, its checks still to be evaluated
            (
                Self::Running { attempt } | Self::Ended { attempt, outcome: Outcome::InDoubt { .. }, .. },
                Turn::Settle { done },
            ) => Some(if *done {
                Self::Acted { attempt: *attempt, end: ActionEnd::Done }
            } else {
                Self::Due { attempt: *attempt }
            }),
            (
                Self::NotStarted | Self::Due { .. } | Self::Running { .. } | Self::Acted { .. } | Self::Ended { .. },
                Turn::Start { .. } | Turn::Act { .. } | Turn::End { .. } | Turn::Settle { .. } | Turn::Withdraw,
            ) => None,
        }
    }
}

/// An action that was sent to a host, or was about to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The try.
    pub attempt: u32,
    /// The first try of those that `retry` strings together.
    pub first: u32,
    /// The user it runs as there through sudo.
    pub user: Option<String>,
    /// The host then, where the run had locked it: after another boot, or by another login, nothing follows from a receipt
    /// that is not there.
    pub locked: Option<LockedHost>,
    /// It was heard to start.
    pub heard: bool,
    /// Whether it is known what became of it: it ended, it never started, or nothing of it lives any more. As long as it
    /// is not, the action must not be sent again without asking the host.
    pub learned: bool,
}

/// A step's undos on a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undos {
    /// How many were sent, or were about to be.
    pub started: u32,
    /// The host's boot id at the last one, where the run had locked it.
    pub boot: Option<String>,
    /// The last one's end is not known.
    pub running: bool,
}

/// Where the run as a whole is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunStatus {
    /// A stretch is open: the program is running, or died.
    Open,
    /// The last stretch ended and the run can be resumed.
    Stopped {
        /// The exit status of the stretch.
        exit: u8,
        /// Why.
        why: String,
    },
    /// The run is over.
    Ended {
        /// The exit status.
        exit: u8,
        /// Why.
        why: String,
    },
    /// The run was ended for good by a person.
    Abandoned {
        /// Why.
        reason: String,
    },
}

/// An event that cannot follow what was before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IllegalEvent {
    /// The first event must be `opened`, and only the first.
    #[error("the first event of a run must be `opened`, and only the first")]
    Opening,
    /// A step's event does not fit the step's state.
    #[error("{at}: `{event}` cannot follow `{state}`")]
    Step {
        /// Where.
        at: Box<StepHost>,
        /// The event.
        event: &'static str,
        /// The state, as text.
        state: String,
    },
    /// The run is over.
    #[error("the run is over: nothing can follow")]
    Over,
    /// The stretch is over: only a resume, a resolve or an abandon can follow.
    #[error("this stretch of the run is over: only a resume can follow")]
    BetweenStretches,
}

/// The state of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunState {
    /// The opening event.
    pub opened: Box<Opened>,
    /// When the run was opened.
    pub opened_at: Timestamp,
    /// When the last event happened.
    pub last_at: Timestamp,
    /// Where the run is.
    pub status: RunStatus,
    /// The number of stretches so far.
    pub stretches: u32,
    /// Each step on each host that has begun its life.
    pub steps: BTreeMap<StepHost, StepState>,
    /// What each step observed on its host before it acted, by check.
    pub before: BTreeMap<StepHost, Vec<(usize, Observation)>>,
    /// Captured values.
    pub captured: BTreeMap<StepHost, BTreeMap<String, serde_json::Value>>,
    /// The last action sent for each step@host.
    pub sent: BTreeMap<StepHost, Sent>,
    /// Where the next try is one that `retry` asked for.
    pub retrying: BTreeSet<StepHost>,
    /// The undos of each step@host.
    pub undos: BTreeMap<StepHost, Undos>,
    /// Preconditions that were overridden.
    pub overrides: BTreeMap<String, (OverrideHow, String)>,
    /// Warnings that were acknowledged.
    pub acknowledged: Vec<String>,
    /// Why rolls stopped, by step.
    pub stopped_rolls: BTreeMap<StepId, String>,
    /// Signals so far in this stretch.
    pub interrupts: u32,
    /// Each host that was ever locked, as it was the last time.
    pub locked: BTreeMap<HostName, LockedHost>,
}

impl RunState {
    /// The state after the first event.
    pub fn open(at: Timestamp, event: &Event) -> Result<Self, IllegalEvent> {
        let Event::Opened(opened) = event else { return Err(IllegalEvent::Opening) };
        Ok(Self {
            opened: opened.clone(),
            opened_at: at,
            last_at: at,
            status: RunStatus::Open,
            stretches: 1,
            steps: BTreeMap::new(),
            before: BTreeMap::new(),
            captured: BTreeMap::new(),
            sent: BTreeMap::new(),
            retrying: BTreeSet::new(),
            undos: BTreeMap::new(),
            overrides: BTreeMap::new(),
            acknowledged: Vec::new(),
            stopped_rolls: BTreeMap::new(),
            interrupts: 0,
            locked: BTreeMap::new(),
        })
    }

    /// Where `at` is in its life.
    pub fn step(&self, at: &StepHost) -> &StepState {
        self.steps.get(at).unwrap_or(&StepState::NotStarted)
    }

    /// The entry of a step of the plan.
    pub fn entry(&self, step: &StepId) -> Option<&StepEntry> {
        self.opened.steps.iter().find(|entry| entry.id == *step)
    }

    /// Every step@host whose outcome could not be learned: said to be in doubt, or still `running` in a stretch that
    /// is no longer there.
    pub fn in_doubt(&self) -> Vec<StepHost> {
        self.steps
            .iter()
            .filter(|(_, state)| {
                matches!(state, StepState::Running { .. } | StepState::Ended { outcome: Outcome::InDoubt { .. }, .. })
            })
            .map(|(at, _)| at.clone())
            .collect()
    }

    /// The hosts whose latest outcome in the steps of `unit` (a step, or a block's inner steps) is a failure.
    pub fn failed_hosts<'a>(&self, steps: impl IntoIterator<Item = &'a StepId>) -> Vec<HostName> {
        let mut hosts: Vec<HostName> = steps
            .into_iter()
            .flat_map(|step| {
                self.steps
                    .iter()
                    .filter(move |(at, state)| at.step == *step && state.outcome().is_some_and(Outcome::failed))
                    .map(|(at, _)| at.host.clone())
            })
            .collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }

    /// Folds the next event in; an illegal one changes nothing.
    pub fn apply(&mut self, at: Timestamp, event: &Event) -> Result<(), IllegalEvent> {
        self.check_status(event)?;
        match event {
            Event::Opened(_) => return Err(IllegalEvent::Opening),
            Event::Resumed(resumed) => {
                self.status = RunStatus::Open;
                self.stretches += 1;
                self.interrupts = 0;
                self.stopped_rolls.clear();
                if resumed.accepted_changes {
                    self.opened.plan = resumed.plan.clone();
                    self.opened.hosts.clone_from(&resumed.hosts);
                    self.opened.steps.clone_from(&resumed.steps);
                    self.opened.texts.clone_from(&resumed.texts);
                }
            }
            Event::PreconditionOverridden { id, how, reason } => {
                self.overrides.insert(id.clone(), (*how, reason.clone()));
            }
            Event::WarningAcknowledged { id, .. } => {
                if !self.acknowledged.contains(id) {
                    self.acknowledged.push(id.clone());
                }
            }
            Event::RollStopped { step, why, .. } => {
                self.stopped_rolls.insert(step.clone(), why.clone());
            }
            Event::ObservedBefore { at, observations } => {
                self.before.insert(at.clone(), observations.clone());
            }
            Event::StepStarted { at, attempt, user, .. } => {
                self.turn(at, "step-started", &Turn::Start { attempt: *attempt })?;
                let locked = self.locked.get(&at.host).cloned();
                let before = self.sent.get(at).filter(|_| self.retrying.remove(at));
                let first = before.map_or(*attempt, |before| before.first);
                let sent = Sent { attempt: *attempt, first, user: user.clone(), locked, heard: false, learned: false };
                self.sent.insert(at.clone(), sent);
            }
            Event::RetryScheduled { at, .. } => {
                self.retrying.insert(at.clone());
            }
            Event::StepActed { at, attempt, end, .. } => {
                self.turn(at, "step-acted", &Turn::Act { attempt: *attempt, end: end.clone() })?;
                self.learned(at);
            }
            Event::StepEnded { at, outcome } => {
                let running = matches!(self.step(at), StepState::Running { .. });
                self.turn(at, "step-ended", &Turn::End { outcome: outcome.clone() })?;
                if running && !matches!(outcome, Outcome::InDoubt { .. }) {
                    // it is known never to have started
                    self.learned(at);
                }
            }
            Event::ConnectionLost { at, started: true, .. } => self.heard(at),
            Event::ReceiptRead { at, found, .. } => match found {
                Found::NeverStarted => {
                    // what a person has settled stays settled, also where it has failed since
                    let settled = match self.step(at) {
                        StepState::Due { .. } => true,
                        StepState::Ended { outcome, .. } => matches!(outcome, Outcome::Failed { .. }),
                        StepState::NotStarted | StepState::Running { .. } | StepState::Acted { .. } => false,
                    };
                    if !settled {
                        self.turn(at, "receipt-read", &Turn::Withdraw)?;
                        self.withdrawn(at);
                    }
                    self.learned(at);
                }
                Found::Finished | Found::Gone { .. } => self.learned(at),
                Found::Running => self.heard(at),
                Found::Unasked { .. } => {}
            },
            Event::UndoStarted { at, .. } => {
                let undo = self.undos.entry(at.clone()).or_default();
                let boot = self.locked.get(&at.host).map(|locked| locked.boot.clone());
                *undo = Undos { started: undo.started + 1, boot, running: true };
            }
            Event::UndoEnded { at, .. } => {
                if let Some(undo) = self.undos.get_mut(at) {
                    undo.running = false;
                }
            }
            Event::Resolved { at, done, .. } => self.turn(at, "resolved", &Turn::Settle { done: *done })?,
            Event::Captured { at, name, value } => {
                self.captured.entry(at.clone()).or_default().insert(name.clone(), value.clone());
            }
            Event::Interrupted { count, .. } => self.interrupts = *count,
            Event::Stopped { exit, why } => self.status = RunStatus::Stopped { exit: *exit, why: why.clone() },
            Event::Ended { exit, why } => self.status = RunStatus::Ended { exit: *exit, why: why.clone() },
            Event::Abandoned { reason, .. } => self.status = RunStatus::Abandoned { reason: reason.clone() },
            Event::HostsLocked { hosts, .. } => {
                self.locked.extend(hosts.iter().map(|locked| (locked.host.clone(), locked.clone())));
            }
            // told to people and kept for the record; nothing follows from them
            Event::LockRefused { .. }
            | Event::LockLost { .. }
            | Event::LocksReleased { .. }
            | Event::LockBroken { .. }
            | Event::RunsPruned { .. }
            | Event::PreconditionJudged { .. }
            | Event::WaitStarted { .. }
            | Event::WarningShown { .. }
            | Event::Asked { .. }
            | Event::Answered { .. }
            | Event::RollStarted { .. }
            | Event::FloorJudged { .. }
            | Event::BatchStarted { .. }
            | Event::PauseStarted { .. }
            | Event::RollEnded { .. }
            | Event::ConnectionLost { started: false, .. }
            | Event::ConnectionRegained { .. }
            | Event::Looked { .. }
            | Event::Observed { .. }
            | Event::CheckJudged { .. }
            | Event::Collected { .. }
            | Event::Chosen { .. }
            | Event::Noted { .. } => {}
        }
        self.last_at = at;
        Ok(())
    }

    /// What may follow depends on the run first: nothing follows its end, and between two stretches only what starts
    /// the next one or comes from outside. A stretch that died has no end: a resume may follow it directly.
    fn check_status(&self, event: &Event) -> Result<(), IllegalEvent> {
        let from_outside = matches!(event, Event::Resumed(_) | Event::Resolved { .. } | Event::Abandoned { .. });
        match &self.status {
            RunStatus::Open => Ok(()),
            RunStatus::Stopped { .. } if from_outside => Ok(()),
            RunStatus::Stopped { .. } => Err(IllegalEvent::BetweenStretches),
            RunStatus::Ended { .. } | RunStatus::Abandoned { .. } => Err(IllegalEvent::Over),
        }
    }

    /// A try that never started is none of those that `retry` strings together; the next one takes its place.
    fn withdrawn(&mut self, at: &StepHost) {
        if let Some(sent) = self.sent.get_mut(at).filter(|sent| sent.attempt > sent.first) {
            sent.first += 1;
            self.retrying.insert(at.clone());
        }
    }

    fn heard(&mut self, at: &StepHost) {
        if let Some(sent) = self.sent.get_mut(at) {
            sent.heard = true;
        }
    }

    fn learned(&mut self, at: &StepHost) {
        if let Some(sent) = self.sent.get_mut(at) {
            sent.learned = true;
        }
    }

    fn turn(&mut self, at: &StepHost, event: &'static str, turn: &Turn) -> Result<(), IllegalEvent> {
        let state = self.step(at);
        match state.next(turn) {
            Some(next) => {
                self.steps.insert(at.clone(), next);
                Ok(())
            }
            None => Err(IllegalEvent::Step { at: Box::new(at.clone()), event, state: format!("{state:?}") }),
        }
    }
}
