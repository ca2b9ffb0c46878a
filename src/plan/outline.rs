//! The plan's own types.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::event::{HostEntry, StepEntry, TextEntry};
use crate::model::{
    Action, Check, CommandSpec, Expectation, Expression, Params, Precondition, Probe, Retry, Runbook, Scope, Step,
    Sudo, Target, Template, Then, Warning,
};
use crate::vocab::{Digest, HostName, Masker, Period, Secret, StepId};

/// Exactly what would be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The runbook.
    pub runbook: Arc<Runbook>,
    /// Every host the plan acts on or looks at.
    pub hosts: BTreeMap<HostName, Target>,
    /// Parameters by scope: the runbook's own first, then one for each included runbook.
    pub scopes: Vec<Params>,
    /// What each host pattern stands for, by scope and text.
    pub patterns: BTreeMap<(usize, String), Vec<HostName>>,
    /// Preconditions of the run, those of included runbooks with it.
    pub preconditions: Vec<PlannedPrecondition>,
    /// Warnings of the run, those of its steps and included runbooks with it.
    pub warnings: Vec<PlannedWarning>,
    /// The steps in order; a block or a plain step is one unit.
    pub units: Vec<Unit>,
    /// What must hold at the end.
    pub checks: Vec<PlannedCheck>,
    /// `--limit`.
    pub limit: Option<String>,
    /// Whether anything is changed.
    pub changes: bool,
    /// Tells this plan from any other.
    pub digest: Digest,
    /// The texts it was made from.
    pub texts: Vec<TextKept>,
}

/// Which parameters a part of the plan sees: an index into [`Plan::scopes`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScopeId(pub usize);

/// A text that the plan was made from.
#[derive(Clone, Debug)]
pub struct TextKept {
    /// What it is, for people.
    pub name: String,
    /// Its digest.
    pub digest: Digest,
    /// Itself.
    pub bytes: Vec<u8>,
}

/// A precondition and where it looks.
#[derive(Clone, Debug)]
pub struct PlannedPrecondition {
    /// Its id: `step/id` when an included runbook brought it.
    pub id: String,
    /// Whose parameters it sees.
    pub scope: ScopeId,
    /// Itself.
    pub precondition: Precondition,
    /// The hosts it looks at.
    pub hosts: Vec<HostName>,
}

/// A warning and where it looks.
#[derive(Clone, Debug)]
pub struct PlannedWarning {
    /// Its id: `step/id` when a step or an included runbook brought it.
    pub id: String,
    /// Whose parameters it sees.
    pub scope: ScopeId,
    /// Itself.
    pub warning: Warning,
    /// The hosts its probe looks at.
    pub hosts: Vec<HostName>,
}

/// A check of the run and where it looks.
#[derive(Clone, Debug)]
pub struct PlannedCheck {
    /// Whose parameters it sees.
    pub scope: ScopeId,
    /// Itself.
    pub check: Check,
    /// The hosts it looks at.
    pub hosts: Vec<HostName>,
}

/// What moves over hosts as one: a plain step, or a block with its inner steps.
#[derive(Clone, Debug)]
pub struct Unit {
    /// The step's or block's id.
    pub id: StepId,
    /// Its name.
    pub name: String,
    /// Whether it is a block.
    pub block: bool,
    /// Whose parameters it sees.
    pub scope: ScopeId,
    /// Conditions that must all be true for it to take part: its own and those of the steps around it.
    pub conditions: Vec<Expression>,
    /// The hosts it goes to, `--limit` applied, canaries first.
    pub hosts: Vec<HostName>,
    /// The hosts it would go to without `--limit`.
    pub all_hosts: Vec<HostName>,
    /// The hosts by batch.
    pub batches: Vec<Vec<HostName>>,
    /// The time between two batches.
    pub pause: Period,
    /// How many hosts may fail.
    pub max_failures: usize,
    /// The floor of healthy hosts.
    pub floor: Option<Floor>,
    /// What a host goes through, in order.
    pub leaves: Vec<Leaf>,
    /// Whether it changes anything.
    pub changes: bool,
}

/// How many hosts must be healthy outside a batch that takes a healthy one away.
#[derive(Clone, Debug)]
pub struct Floor {
    /// How many.
    pub count: usize,
    /// What says that a host is healthy.
    pub check: Check,
}

/// One thing a host goes through.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// Its id.
    pub id: StepId,
    /// The step as declared: its checks, captures, retry…
    pub step: Arc<Step>,
    /// Conditions of its own (and of blocks between it and its unit).
    pub conditions: Vec<Expression>,
    /// What it does.
    pub kind: LeafKind,
    /// Through which user its commands run when they do not say: the step's, the block's or the runbook's word.
    pub sudo: Option<Sudo>,
    /// What collects evidence when it fails: its own, then its block's.
    pub collect: Vec<CommandSpec>,
    /// What happens after a failure beyond the budget.
    pub then: Then,
}

/// What a leaf does.
#[derive(Clone, Debug)]
pub enum LeafKind {
    /// It acts.
    Action(Action),
    /// It looks, and may demand something.
    Look {
        /// The probe.
        probe: Arc<Probe>,
        /// What must become true.
        expectation: Option<Expectation>,
        /// How long that may take.
        within: Option<Period>,
    },
    /// It does nothing itself: a block's own checks behind its inner steps.
    Checks,
}

impl LeafKind {
    /// The kind in one word, as events and screens name it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Action(Action::Command(spec)) => match &spec.program {
                crate::model::ProgramSpec::Shell(_) | crate::model::ProgramSpec::Argv(_) => "run",
                crate::model::ProgramSpec::Command(_) => "command",
                crate::model::ProgramSpec::Script { .. } => "script",
            },
            Self::Action(Action::Copy { .. }) => "copy",
            Self::Action(Action::Http(_)) => "http",
            Self::Action(Action::Manual { .. }) => "manual",
            Self::Action(Action::Wait { .. }) => "wait",
            Self::Look { .. } => "probe",
            Self::Checks => "block",
        }
    }
}

impl Leaf {
    /// How failed tries are repeated: once and no more, unless the step says otherwise.
    pub fn retry(&self) -> Retry {
        self.step.retry.clone().unwrap_or(Retry { attempts: 1, delay: Period::ZERO })
    }

    /// The time its action may take.
    pub fn timeout(&self) -> Option<&Template> {
        self.step.timeout.as_ref()
    }
}

impl Plan {
    /// The parameters of the run itself.
    pub fn params(&self) -> &Params {
        &self.scopes[0]
    }

    /// What hides the secrets that were given for it.
    pub fn masker(&self) -> Masker {
        Masker::new(self.scopes.iter().flat_map(|scope| scope.secrets.values()).map(Secret::expose))
    }

    /// A host of the plan.
    pub fn host(&self, name: &HostName) -> &Target {
        &self.hosts[name]
    }

    /// The scope of a part: its parameters. The run and the host are added by whoever knows them.
    pub fn scope(&self, id: ScopeId) -> Scope {
        Scope::new().with_params(&self.scopes[id.0])
    }

    /// The hosts a probe looks at: its own, else the host of the step that uses it.
    pub fn probe_hosts(&self, probe: &Probe, scope: ScopeId, host: &HostName) -> Vec<HostName> {
        let own = probe.hosts.as_ref().and_then(|pattern| self.patterns.get(&(scope.0, pattern.source().to_owned())));
        own.cloned().unwrap_or_else(|| vec![host.clone()])
    }

    /// A leaf by its step's id, and its unit.
    pub fn leaf(&self, id: &StepId) -> Option<(&Unit, &Leaf)> {
        self.units.iter().find_map(|unit| unit.leaves.iter().find(|leaf| leaf.id == *id).map(|leaf| (unit, leaf)))
    }

    /// The hosts that the plan changes something on, sorted.
    pub fn changed_hosts(&self) -> Vec<HostName> {
        let mut hosts: Vec<HostName> =
            self.units.iter().filter(|unit| unit.changes).flat_map(|unit| unit.hosts.iter().cloned()).collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }

    /// The hosts, as the first event tells them.
    pub fn host_entries(&self) -> Vec<HostEntry> {
        let entry = |target: &Target| HostEntry {
            name: target.name.clone(),
            address: target.address.clone(),
            user: target.user.clone(),
        };
        self.hosts.values().map(entry).collect()
    }

    /// The steps, as the first event tells them.
    pub fn step_entries(&self) -> Vec<StepEntry> {
        let mut entries = Vec::new();
        for unit in &self.units {
            if unit.block {
                entries.push(StepEntry {
                    id: unit.id.clone(),
                    name: unit.name.clone(),
                    says: None,
                    kind: "block".to_owned(),
                    block: None,
                    hosts: unit.hosts.clone(),
                    checks: 0,
                });
            }
            for leaf in &unit.leaves {
                if matches!(leaf.kind, LeafKind::Checks) {
                    if let Some(block) = entries.iter_mut().find(|entry| entry.id == leaf.id) {
                        block.checks = leaf.step.checks.len();
                    }
                    continue;
                }
                entries.push(StepEntry {
                    id: leaf.id.clone(),
                    name: leaf.step.name.clone(),
                    says: leaf.step.says.clone(),
                    kind: leaf.kind.word().to_owned(),
                    block: unit.block.then(|| unit.id.clone()),
                    hosts: unit.hosts.clone(),
                    checks: leaf.step.checks.len(),
                });
            }
        }
        entries
    }

    /// The texts, as the first event tells them.
    pub fn text_entries(&self) -> Vec<TextEntry> {
        self.texts.iter().map(|text| TextEntry { name: text.name.clone(), digest: text.digest.clone() }).collect()
    }
}
