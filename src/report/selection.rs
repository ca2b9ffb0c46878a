//! A part of a run: what concerns some of its steps and hosts.
//!
//! Apart because the story and the records as JSON leave out the same things: `audit show --step --host`.

use crate::event::{Event, HostVerdict, Moment};
use crate::vocab::{HostName, Observation, StepHost, StepId};

/// Which steps and hosts of a run are asked for; empty for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The steps.
    pub steps: Vec<StepId>,
    /// The hosts.
    pub hosts: Vec<HostName>,
}

/// What an event is about.
enum About<'a> {
    /// The run and its stretches: told whatever is asked for, or nobody knows whose part it is.
    Frame,
    /// One step on one host.
    Action(&'a StepHost),
    /// A step as a whole, on these hosts; on all where none is named.
    Step(&'a StepId, Vec<&'a HostName>),
    /// These hosts, and no step.
    Hosts(Vec<&'a HostName>),
    /// All of it.
    Whole,
}

impl Selection {
    /// Whether all is asked for.
    pub fn is_all(&self) -> bool {
        self.steps.is_empty() && self.hosts.is_empty()
    }

    /// Whether an event concerns what is asked for.
    pub fn takes(&self, event: &Event) -> bool {
        let step = |step: &StepId| self.steps.is_empty() || self.steps.contains(step);
        let host = |host: &HostName| self.hosts.is_empty() || self.hosts.contains(host);
        let any = |hosts: &[&HostName]| self.hosts.is_empty() || hosts.iter().any(|one| self.hosts.contains(one));
        self.is_all()
            || match about(event) {
                About::Frame => true,
                About::Action(at) => step(&at.step) && host(&at.host),
                About::Step(id, hosts) => step(id) && (hosts.is_empty() || any(&hosts)),
                About::Hosts(hosts) => self.steps.is_empty() && any(&hosts),
                About::Whole => false,
            }
    }
}

/// The host whose own part of the run an event is.
pub(super) fn host_of(event: &Event) -> Option<&HostName> {
    match about(event) {
        About::Action(at) => Some(&at.host),
        About::Frame | About::Step(..) | About::Hosts(_) | About::Whole => None,
    }
}

fn about(event: &Event) -> About<'_> {
    match event {
        Event::Opened(_)
        | Event::Resumed(_)
        | Event::Interrupted { .. }
        | Event::RunsPruned { .. }
        | Event::Stopped { .. }
        | Event::Ended { .. }
        | Event::Abandoned { .. } => About::Frame,
        Event::ObservedBefore { at, .. }
        | Event::StepStarted { at, .. }
        | Event::ConnectionLost { at, .. }
        | Event::ConnectionRegained { at, .. }
        | Event::ReceiptRead { at, .. }
        | Event::StepActed { at, .. }
        | Event::RetryScheduled { at, .. }
        | Event::Observed { at, .. }
        | Event::Captured { at, .. }
        | Event::Collected { at, .. }
        | Event::StepEnded { at, .. }
        | Event::Chosen { at, .. }
        | Event::UndoStarted { at, .. }
        | Event::UndoEnded { at, .. }
        | Event::Resolved { at, .. }
        | Event::Looked { at: Some(at), .. }
        | Event::CheckJudged { at: Some(at), .. }
        | Event::Noted { at: Some(at), .. } => About::Action(at),
        Event::PreconditionJudged { moment, verdicts, .. } => match moment {
            Moment::Step { at } => About::Action(at),
            Moment::Start | Moment::Waiting | Moment::Again | Moment::Resume | Moment::Batch { .. } => {
                About::Hosts(judged(verdicts))
            }
        },
        Event::CheckJudged { at: None, verdicts, .. } => About::Hosts(judged(verdicts)),
        Event::Looked { at: None, observations, .. } => About::Hosts(seen(observations)),
        Event::WarningShown { observed, .. } if !observed.is_empty() => About::Hosts(seen(observed)),
        Event::Asked { what, .. } | Event::Answered { what, .. } => what.at().map_or(About::Whole, About::Action),
        Event::HostsLocked { hosts, left_out } => {
            let left_out = left_out.iter().map(|left| &left.host);
            About::Hosts(hosts.iter().map(|locked| &locked.host).chain(left_out).collect())
        }
        Event::LocksReleased { hosts, not_told } => {
            About::Hosts(hosts.iter().chain(not_told.iter().map(|left| &left.host)).collect())
        }
        Event::LockRefused { host, .. } | Event::LockLost { host, .. } | Event::LockBroken { host, .. } => {
            About::Hosts(vec![host])
        }
        Event::RollStarted { step, batches } => About::Step(step, batches.iter().flatten().collect()),
        Event::BatchStarted { step, hosts, .. } => About::Step(step, hosts.iter().collect()),
        Event::FloorJudged { step, .. }
        | Event::PauseStarted { step, .. }
        | Event::RollStopped { step, .. }
        | Event::RollEnded { step } => About::Step(step, Vec::new()),
        Event::PreconditionOverridden { .. }
        | Event::WaitStarted { .. }
        | Event::WarningShown { .. }
        | Event::WarningAcknowledged { .. }
        | Event::Noted { at: None, .. } => About::Whole,
    }
}

fn judged(verdicts: &[HostVerdict]) -> Vec<&HostName> {
    verdicts.iter().filter_map(|one| one.host.as_ref()).collect()
}

fn seen(observations: &[Observation]) -> Vec<&HostName> {
    observations.iter().map(|one| &one.host).collect()
}
