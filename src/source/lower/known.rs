//! What a runbook has that a scenario can name: steps, looks, warnings, preconditions, each as the run will call it.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Action, Check, LookSpec, Probe, Runbook, Step, StepKind, Warning, WarningWhen};

/// How something is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// By the end of a command.
    Command,
    /// By an HTTP answer.
    Http,
    /// By what a TCP peer sends.
    Tcp,
}

impl Manner {
    /// What it does, for people.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Command => "runs a command",
            Self::Http => "asks by HTTP",
            Self::Tcp => "speaks TCP",
        }
    }
}

/// What a step is for whoever answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Acts {
    /// Its action reaches a host.
    On(Manner),
    /// A person does it, or time.
    Nowhere,
    /// It looks, by this name.
    Looks(String),
    /// It is a block, another runbook, or checks: what stands in it acts and looks.
    Block,
}

/// What can be named.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) steps: BTreeMap<String, Acts>,
    pub(super) looks: BTreeMap<String, Manner>,
    pub(super) warnings: BTreeSet<String>,
    pub(super) preconditions: BTreeSet<String>,
}

impl Known {
    /// What `runbook` has.
    pub(super) fn of(runbook: &Runbook) -> Self {
        let mut known = Self::default();
        known.runbook(runbook, "");
        known
    }

    fn runbook(&mut self, runbook: &Runbook, outer: &str) {
        for precondition in &runbook.preconditions {
            self.preconditions.insert(format!("{outer}{}", precondition.id));
            self.check(&precondition.check);
        }
        self.warnings(&runbook.warnings, outer);
        self.steps(&runbook.steps, outer);
        runbook.checks.iter().for_each(|check| self.check(check));
    }

    fn steps(&mut self, steps: &[Step], outer: &str) {
        for step in steps {
            self.step(step, &format!("{outer}{}", step.id));
        }
    }

    fn step(&mut self, step: &Step, id: &str) {
        let acts = match &step.kind {
            StepKind::Action(action) => match &**action {
                Action::Command(_) | Action::Copy { .. } => Acts::On(Manner::Command),
                Action::Http(_) => Acts::On(Manner::Http),
                Action::Manual { .. } | Action::Wait { .. } => Acts::Nowhere,
            },
            StepKind::Probe { probe, .. } => {
                self.look(probe);
                Acts::Looks(probe.name.clone())
            }
            StepKind::Block(inner) => {
                self.steps(inner, &format!("{id}/"));
                Acts::Block
            }
            StepKind::Runbook { runbook, .. } => {
                self.runbook(runbook, &format!("{id}/"));
                if !runbook.checks.is_empty() {
                    self.steps.insert(format!("{id}/checks"), Acts::Block);
                }
                Acts::Block
            }
        };
        self.steps.insert(id.to_owned(), acts);
        if step.undo.is_some() {
            self.steps.insert(format!("{id}/undo"), Acts::On(Manner::Command));
        }
        for index in 1..=step.on_failure.collect.len() {
            self.looks.insert(format!("{id}/collect {index}"), Manner::Command);
        }
        for precondition in &step.preconditions {
            // both are understood by `--override`
            self.preconditions.insert(precondition.id.clone());
            self.preconditions.insert(format!("{id}:{}", precondition.id));
            self.check(&precondition.check);
        }
        self.warnings(&step.warnings, &format!("{id}/"));
        let checks = step.checks.iter().chain(&step.skip_if).chain(&step.settle);
        checks.for_each(|check| self.check(check));
        if let Some(floor) = &step.rollout.min_healthy {
            self.check(&floor.check);
        }
    }

    fn warnings(&mut self, warnings: &[Warning], outer: &str) {
        for warning in warnings {
            self.warnings.insert(format!("{outer}{}", warning.id));
            if let WarningWhen::Probe(check) = &warning.when {
                self.check(check);
            }
        }
    }

    fn check(&mut self, check: &Check) {
        self.look(&check.probe);
    }

    fn look(&mut self, probe: &Probe) {
        let manner = match &probe.look {
            LookSpec::Run(_) => Manner::Command,
            LookSpec::Tcp(_) => Manner::Tcp,
            LookSpec::Http(_) => Manner::Http,
        };
        self.looks.insert(probe.name.clone(), manner);
    }

    /// Every name that an answer may be for.
    pub(super) fn answerable(&self) -> Vec<&str> {
        let acts = self.steps.iter().filter(|(_, acts)| matches!(acts, Acts::On(_)));
        acts.map(|(id, _)| id.as_str()).chain(self.looks.keys().map(String::as_str)).collect()
    }
}
