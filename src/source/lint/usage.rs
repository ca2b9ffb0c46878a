//! What is there and serves nothing; what is missing and would serve.

use super::Linter;
use crate::model::{Action, Step, StepKind};
use crate::source::diagnostic::Severity;

impl Linter<'_> {
    /// Probes that nothing looks through.
    pub(super) fn unused_probes(&mut self) {
        // what could not be lowered may have used them
        if self.subject.incomplete {
            return;
        }
        for probe in self.subject.runbook.probes.values() {
            if !self.used.contains(&probe.location) {
                let message = format!("the probe `{}` is never used", probe.name);
                let found = self.at(Severity::Warning, "unused-probe", &probe.location, message);
                self.out.push(found.help("use it in a check, or take it out"));
            }
        }
    }

    /// Changes that nothing verifies.
    pub(super) fn unchecked_steps(&mut self) {
        if self.subject.incomplete || !self.subject.runbook.checks.is_empty() {
            return;
        }
        let steps = &self.subject.runbook.steps;
        for (index, step) in steps.iter().enumerate() {
            let verified = is_verified(step) || steps[index + 1..].first().is_some_and(is_gate);
            if changes(step) && !verified {
                let message = format!("nothing verifies that the step `{}` did what it should", step.id);
                let found = self.at(Severity::Advice, "unchecked", &step.location, message);
                self.out.push(found.help("add `checks:` to it"));
            }
        }
    }
}

fn changes(step: &Step) -> bool {
    match &step.kind {
        StepKind::Action(action) => !matches!(**action, Action::Manual { .. }) && action.changes(),
        StepKind::Block(steps) => steps.iter().any(changes),
        // they are looked at where they stand
        StepKind::Probe { .. } | StepKind::Runbook { .. } => false,
    }
}

fn is_verified(step: &Step) -> bool {
    let inner =
        matches!(&step.kind, StepKind::Block(steps) if steps.iter().any(|step| is_verified(step) || is_gate(step)));
    !step.checks.is_empty() || inner
}

fn is_gate(step: &Step) -> bool {
    matches!(&step.kind, StepKind::Probe { expectation: Some(_), .. })
}
