//! What a run has changed, host by host: what its stamps say there, and what they are compared with later.
//!
//! Apart from `state` because two floors must come to the same answer: the engine when it leaves the stamps, the audit when it
//! looks for them.

use std::collections::BTreeMap;

use super::outcome::{FailureKind, Outcome};
use super::state::{RunState, StepState};
use crate::vocab::{HostName, StepHost, StepId};

/// The word for a step whose action ended, and which did not: its checks were not evaluated, or it is to be tried again.
const UNFINISHED: &str = "unfinished";

/// Each host to which something was sent that may have had an effect there, with the steps and what became of them in a word:
/// that of the outcome ([`Outcome::word`]), `in-doubt` also for what still ran, or `unfinished`.
///
/// A host is left out where it is known that nothing started there, where there was nothing but waiting and what a person did by
/// hand, and `here` where requests only began.
pub fn changed(state: &RunState) -> BTreeMap<HostName, BTreeMap<StepId, &'static str>> {
    let mut hosts: BTreeMap<HostName, BTreeMap<StepId, &'static str>> = BTreeMap::new();
    for (at, step) in &state.steps {
        if let Some(word) = word(step).filter(|_| reaches(state, at)) {
            hosts.entry(at.host.clone()).or_default().insert(at.step.clone(), word);
        }
    }
    hosts
}

fn word(step: &StepState) -> Option<&'static str> {
    match step {
        // nothing was sent, or the only try never started
        StepState::NotStarted
        | StepState::Due { attempt: 0 | 1 }
        | StepState::Ended { attempt: 0, .. }
        | StepState::Ended {
            attempt: 1,
            acted: None,
            outcome: Outcome::Failed { kind: FailureKind::Unreachable | FailureKind::NotStarted, .. },
        } => None,
        StepState::Running { .. } => Some("in-doubt"),
        StepState::Due { .. } | StepState::Acted { .. } => Some(UNFINISHED),
        StepState::Ended { outcome, .. } => Some(outcome.word()),
    }
}

/// Whether an action of the step, or its undo, goes to the host.
fn reaches(state: &RunState, at: &StepHost) -> bool {
    let kind = state.entry(&at.step).map_or("", |entry| entry.kind.as_str());
    let elsewhere = matches!(kind, "wait" | "manual") || (kind == "http" && at.host.is_here());
    !elsewhere || state.undos.contains_key(at)
}

#[cfg(test)]
mod tests {
    use super::super::outcome::ActionEnd;
    use super::*;

    #[test]
    fn only_what_may_have_had_an_effect_counts() {
        let why = String::new;
        let ended = |attempt, acted, outcome| StepState::Ended { attempt, acted, outcome };
        let failed = |kind| Outcome::Failed { kind, why: why() };
        let exited = || Some(ActionEnd::Exited(0));
        for (step, told) in [
            (StepState::NotStarted, None),
            (StepState::Due { attempt: 1 }, None),
            (StepState::Due { attempt: 2 }, Some("unfinished")),
            (StepState::Running { attempt: 1 }, Some("in-doubt")),
            (StepState::Acted { attempt: 1, end: ActionEnd::Exited(0) }, Some("unfinished")),
            (ended(0, None, Outcome::Ok), None),
            (ended(0, None, failed(FailureKind::Precondition)), None),
            (ended(1, None, failed(FailureKind::Unreachable)), None),
            (ended(1, None, failed(FailureKind::NotStarted)), None),
            (ended(2, None, failed(FailureKind::NotStarted)), Some("failed")),
            (ended(1, None, Outcome::InDoubt { why: why() }), Some("in-doubt")),
            (ended(1, exited(), failed(FailureKind::Action)), Some("failed")),
            (ended(1, exited(), Outcome::Ok), Some("ok")),
            (ended(1, exited(), Outcome::Excluded { why: why() }), Some("excluded")),
            (ended(1, exited(), Outcome::Skipped { why: why() }), Some("skipped")),
        ] {
            assert_eq!(word(&step), told, "{step:?}");
        }
    }
}
