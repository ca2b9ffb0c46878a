//! Making a plan: resolving hosts, expanding runbooks and blocks, cutting batches.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::bind::{self, BindError, Given};
use super::digest;
use super::outline::{
    Floor, Leaf, LeafKind, Plan, PlannedCheck, PlannedPrecondition, PlannedWarning, ScopeId, TextKept, Unit,
};
use crate::model::{
    Action, Check, EvalError, Expression, HostPattern, Inventory, InventoryError, Params, Probe, ProgramSpec, Rollout,
    Runbook, Scope, Step, StepKind, Sudo, Target, Template,
};
use crate::vocab::{Digest, HostName, Location, Period, StepId};

/// Why no plan can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A host pattern cannot be resolved.
    #[error("{location}: {source}")]
    Hosts {
        /// Where the pattern stands.
        location: Location,
        /// What is wrong.
        source: InventoryError,
    },
    /// `--limit` cannot be resolved.
    #[error("--limit: {0}")]
    Limit(InventoryError),
    /// `--limit` leaves nothing to do.
    #[error("--limit {0} leaves no host of this runbook")]
    LimitedAway(String),
    /// A step has no hosts.
    #[error("{location}: the step `{step}` names no `hosts:`, and neither does the runbook")]
    NoHosts {
        /// Where the step stands.
        location: Location,
        /// The step.
        step: StepId,
    },
    /// A probe has no hosts.
    #[error("{location}: the probe `{probe}` names no `hosts:`, and neither does the runbook")]
    NoProbeHosts {
        /// Where it is used.
        location: Location,
        /// The probe.
        probe: String,
    },
    /// A setting has no usable value.
    #[error("{0}")]
    Setting(#[from] EvalError),
    /// A setting is out of its range.
    #[error("{location}: {what}")]
    Range {
        /// Where it stands.
        location: Location,
        /// What is wrong.
        what: String,
    },
    /// A runbook inside a block.
    #[error("{location}: `runbook:` cannot stand inside a block: it keeps its own hosts and rollouts")]
    RunbookInBlock {
        /// Where it stands.
        location: Location,
    },
    /// What `with:` gives does not fit the inner runbook.
    #[error("{location}: `{runbook}`: {source}")]
    With {
        /// Where it stands.
        location: Location,
        /// The inner runbook.
        runbook: String,
        /// What does not fit.
        source: BindError,
    },
}

/// What a plan is made from, besides the runbook.
#[derive(Debug)]
pub struct Making<'a> {
    /// The fleet.
    pub inventory: &'a Inventory,
    /// The parameters, bound.
    pub params: Params,
    /// `--limit`.
    pub limit: Option<String>,
    /// The name of the operator, `--reason` and `--emergency`: settings may depend on them.
    pub run: RunFacts,
}

/// What settings may know of the run that is planned.
#[derive(Clone, Debug, Default)]
pub struct RunFacts {
    /// The operator's name.
    pub operator: String,
    /// `--reason`.
    pub reason: Option<String>,
    /// `--emergency`.
    pub emergency: bool,
}

impl RunFacts {
    fn scope(&self, params: &Params) -> Scope {
        // the run has no id yet: a setting that depends on it could not be the same on a resume
        let entries = BTreeMap::from([
            ("operator".to_owned(), minijinja::Value::from(self.operator.as_str())),
            ("reason".to_owned(), minijinja::Value::from(self.reason.as_deref().unwrap_or_default())),
            ("emergency".to_owned(), minijinja::Value::from(self.emergency)),
        ]);
        Scope::new().with_params(params).with_map("run", entries)
    }
}

impl Plan {
    /// Makes the plan of `runbook`.
    pub fn make(runbook: &Arc<Runbook>, making: Making<'_>) -> Result<Self, PlanError> {
        let limit = match &making.limit {
            Some(text) => Some(making.inventory.select(text).map_err(PlanError::Limit)?),
            None => None,
        };
        let changes = runbook.changes();
        let mut maker = Maker {
            inventory: making.inventory,
            run: &making.run,
            limit,
            changes,
            hosts: BTreeMap::new(),
            scopes: vec![making.params],
            patterns: BTreeMap::new(),
            texts: Vec::new(),
            preconditions: Vec::new(),
            warnings: Vec::new(),
            units: Vec::new(),
        };
        maker.runbook(runbook, &Inside::top(runbook))?;
        let checks = maker.checks(&runbook.checks, runbook, ScopeId(0))?;
        if let Some(text) = &making.limit
            && maker.units.iter().all(|unit| unit.hosts.is_empty())
        {
            return Err(PlanError::LimitedAway(text.clone()));
        }
        let mut plan = Self {
            runbook: runbook.clone(),
            hosts: maker.hosts,
            scopes: maker.scopes,
            patterns: maker.patterns,
            preconditions: maker.preconditions,
            warnings: maker.warnings,
            units: maker.units,
            checks,
            limit: making.limit,
            changes,
            digest: Digest::of(b""),
            texts: maker.texts,
        };
        plan.digest = digest::digest(&plan);
        Ok(plan)
    }
}

/// Where the maker stands: which runbook, whose parameters, what surrounds its steps.
#[derive(Clone)]
struct Inside<'a> {
    runbook: &'a Runbook,
    scope: ScopeId,
    prefix: String,
    conditions: Vec<Expression>,
    sudo: Option<Sudo>,
}

impl<'a> Inside<'a> {
    fn top(runbook: &'a Runbook) -> Self {
        Self { runbook, scope: ScopeId(0), prefix: String::new(), conditions: Vec::new(), sudo: runbook.sudo.clone() }
    }

    fn id(&self, id: &str) -> StepId {
        StepId::new(format!("{}{id}", self.prefix))
    }
}

struct Maker<'a> {
    inventory: &'a Inventory,
    run: &'a RunFacts,
    limit: Option<Vec<HostName>>,
    changes: bool,
    hosts: BTreeMap<HostName, Target>,
    scopes: Vec<Params>,
    patterns: BTreeMap<(usize, String), Vec<HostName>>,
    texts: Vec<TextKept>,
    preconditions: Vec<PlannedPrecondition>,
    warnings: Vec<PlannedWarning>,
    units: Vec<Unit>,
}

impl Maker<'_> {
    fn runbook(&mut self, runbook: &Runbook, inside: &Inside<'_>) -> Result<(), PlanError> {
        let name = std::path::Path::new(&*runbook.file)
            .file_name()
            .map_or_else(|| runbook.name.clone(), |name| name.to_string_lossy().into_owned());
        self.keep_text(&name, runbook.text.as_bytes());
        for precondition in &runbook.preconditions {
            let hosts = self.probe_hosts(&precondition.check.probe, inside, None, &precondition.check.location)?;
            self.preconditions.push(PlannedPrecondition {
                id: format!("{}{}", inside.prefix, precondition.id),
                scope: inside.scope,
                precondition: precondition.clone(),
                hosts,
            });
        }
        self.warnings_of(&runbook.warnings, inside, None, "")?;
        for step in &runbook.steps {
            self.step(step, inside)?;
        }
        Ok(())
    }

    fn step(&mut self, step: &Step, inside: &Inside<'_>) -> Result<(), PlanError> {
        if let StepKind::Runbook { name, with, runbook } = &step.kind {
            return self.included(step, name, with, runbook, inside);
        }
        let id = inside.id(&step.id);
        let all_hosts = self.step_hosts(step, &id, inside)?;
        let mut leaves = Vec::new();
        let block = matches!(step.kind, StepKind::Block(_));
        self.leaves(step, &id, Vec::new(), &Around { sudo: inside.sudo.clone(), ..Around::default() }, &mut leaves)?;
        for leaf in &leaves {
            self.leaf_hosts(leaf, inside, &all_hosts)?;
        }
        let changes = leaves.iter().any(|leaf| matches!(&leaf.kind, LeafKind::Action(action) if action.changes()));
        // --limit narrows actions, never probes; in a runbook that only looks it narrows what is looked at
        let limited = |host: &HostName| self.limit.as_ref().is_none_or(|limit| host.is_here() || limit.contains(host));
        let narrows = changes || !self.changes;
        let mut hosts: Vec<HostName> = all_hosts.iter().filter(|host| !narrows || limited(host)).cloned().collect();

        let scope = self.run.scope(&self.scopes[inside.scope.0]);
        let rolled = self.rollout(&step.rollout, &scope, &mut hosts, changes, block)?;
        let floor = match &step.rollout.min_healthy {
            Some(floor) => {
                for host in &all_hosts {
                    self.note_probe(&floor.check.probe, inside, Some(host), &floor.check.location)?;
                }
                Some(Floor { count: floor.count.count(&scope)?, check: floor.check.clone() })
            }
            None => None,
        };
        self.warnings_of(&step.warnings, inside, Some(&hosts), &format!("{}/", step.id))?;
        let mut conditions = inside.conditions.clone();
        // a plain step's own condition is its leaf's; a block's holds for all that is in it
        if block {
            conditions.extend(step.condition.clone());
        }
        self.units.push(Unit {
            id,
            name: step.name.clone(),
            block,
            scope: inside.scope,
            conditions,
            hosts,
            all_hosts,
            batches: rolled.batches,
            pause: rolled.pause,
            max_failures: rolled.max_failures,
            floor,
            leaves,
            changes,
        });
        Ok(())
    }

    fn included(
        &mut self,
        step: &Step,
        name: &str,
        with: &[(String, Template)],
        runbook: &Runbook,
        inside: &Inside<'_>,
    ) -> Result<(), PlanError> {
        let outer = self.scopes[inside.scope.0].clone();
        let scope = self.run.scope(&outer);
        let mut given = Given::default();
        for (param, value) in with {
            // a secret is handed on as a secret, under the inner name
            let masked = value.masked(&scope)?;
            if masked.has_secret() {
                given.secrets.insert(param.clone(), crate::vocab::Secret::new(masked.expose()));
            } else {
                given.named.push((param.clone(), masked.expose().to_owned()));
            }
        }
        let params = bind::bind(&runbook.params, &given, self.inventory).map_err(|mut faults| PlanError::With {
            location: step.location.clone(),
            runbook: name.to_owned(),
            source: faults.swap_remove(0),
        })?;
        self.scopes.push(params);
        let mut conditions = inside.conditions.clone();
        conditions.extend(step.condition.clone());
        let inner = Inside {
            runbook,
            scope: ScopeId(self.scopes.len() - 1),
            prefix: format!("{}{}/", inside.prefix, step.id),
            conditions,
            sudo: runbook.sudo.clone().or_else(|| inside.sudo.clone()),
        };
        self.runbook(runbook, &inner)?;
        // the inner runbook's checks at its end, and the step's own, hold before the outer one goes on
        let inner_checks =
            self.checks_unit(&inner, &inner.id("checks"), &runbook.checks, "Checks", runbook.hosts.as_ref())?;
        self.units.extend(inner_checks);
        let own =
            self.checks_unit(inside, &inside.id(&step.id), &step.checks, &step.name, inside.runbook.hosts.as_ref())?;
        self.units.extend(own);
        Ok(())
    }

    /// Checks that stand for themselves, as a unit that runs once: those of an included runbook.
    fn checks_unit(
        &mut self,
        inside: &Inside<'_>,
        id: &StepId,
        checks: &[Check],
        name: &str,
        hosts: Option<&HostPattern>,
    ) -> Result<Option<Unit>, PlanError> {
        let Some(first) = checks.first() else { return Ok(None) };
        let here = self.note_host(&HostName::here());
        let mut step = Step::bare(id.as_str(), name, first.location.clone());
        for check in checks {
            let mut check = check.clone();
            // a probe without hosts looked at the inner runbook's hosts there; here it must say so itself
            if check.probe.hosts.is_none() {
                check.probe = Arc::new(Probe { hosts: hosts.cloned(), ..(*check.probe).clone() });
            }
            self.note_probe(&check.probe, inside, None, &check.location)?;
            step.checks.push(check);
        }
        let leaf = Leaf {
            id: id.clone(),
            step: Arc::new(step),
            conditions: Vec::new(),
            kind: LeafKind::Checks,
            sudo: inside.sudo.clone(),
            collect: Vec::new(),
            then: crate::model::Then::default(),
        };
        Ok(Some(Unit {
            id: id.clone(),
            name: name.to_owned(),
            block: false,
            scope: inside.scope,
            conditions: inside.conditions.clone(),
            hosts: vec![here.clone()],
            all_hosts: vec![here.clone()],
            batches: vec![vec![here]],
            pause: Period::ZERO,
            max_failures: 0,
            floor: None,
            leaves: vec![leaf],
            changes: false,
        }))
    }

    fn leaves(
        &mut self,
        step: &Step,
        id: &StepId,
        mut conditions: Vec<Expression>,
        around: &Around,
        out: &mut Vec<Leaf>,
    ) -> Result<(), PlanError> {
        let sudo = step.sudo.clone().or_else(|| around.sudo.clone());
        let mut collect = step.on_failure.collect.clone();
        collect.extend(around.collect.iter().cloned());
        let then =
            if step.on_failure.then == crate::model::Then::default() { around.then } else { step.on_failure.then };
        let leaf = |kind| Leaf {
            id: id.clone(),
            step: Arc::new(step.clone()),
            conditions: Vec::new(),
            kind,
            sudo: sudo.clone(),
            collect: collect.clone(),
            then,
        };
        match &step.kind {
            StepKind::Block(inner) => {
                let within = Around { sudo: sudo.clone(), collect: collect.clone(), then, nested: true };
                for child in inner {
                    let child_id = StepId::new(format!("{id}/{}", child.id));
                    let mut child_conditions = conditions.clone();
                    // the outermost block's own condition is its unit's
                    if around.nested {
                        child_conditions.extend(step.condition.clone());
                    }
                    self.leaves(child, &child_id, child_conditions, &within, out)?;
                }
                if !step.checks.is_empty() {
                    out.push(Leaf { conditions, ..leaf(LeafKind::Checks) });
                }
            }
            StepKind::Action(action) => {
                conditions.extend(step.condition.clone());
                self.keep_files(action);
                out.push(Leaf { conditions, ..leaf(LeafKind::Action((**action).clone())) });
            }
            StepKind::Probe { probe, expectation, within } => {
                conditions.extend(step.condition.clone());
                let kind = LeafKind::Look { probe: probe.clone(), expectation: expectation.clone(), within: *within };
                out.push(Leaf { conditions, ..leaf(kind) });
            }
            StepKind::Runbook { .. } => {
                return Err(PlanError::RunbookInBlock { location: step.location.clone() });
            }
        }
        Ok(())
    }

    fn step_hosts(&mut self, step: &Step, id: &StepId, inside: &Inside<'_>) -> Result<Vec<HostName>, PlanError> {
        let once = step.once || matches!(&step.kind, StepKind::Action(action) if action.is_once());
        if let Some(pattern) = &step.hosts {
            let mut hosts = self.resolve(pattern, inside.scope)?;
            // `once` with hosts: on the first of them
            if step.once {
                hosts.truncate(1);
            }
            return Ok(hosts);
        }
        if once {
            return Ok(vec![self.note_host(&HostName::here())]);
        }
        // a probe step on the probe's own hosts
        if let StepKind::Probe { probe, .. } = &step.kind
            && probe.hosts.is_some()
        {
            return self.probe_hosts(probe, inside, None, &step.location);
        }
        match &inside.runbook.hosts {
            Some(pattern) => self.resolve(pattern, inside.scope),
            // a procedure of manual steps needs no hosts at all
            None if only_by_hand(step) => Ok(vec![self.note_host(&HostName::here())]),
            None => Err(PlanError::NoHosts { location: step.location.clone(), step: id.clone() }),
        }
    }

    /// The hosts that the probes of a leaf look at join the plan.
    fn leaf_hosts(&mut self, leaf: &Leaf, inside: &Inside<'_>, hosts: &[HostName]) -> Result<(), PlanError> {
        let step = &leaf.step;
        let checks = step.checks.iter().chain(&step.skip_if).chain(&step.settle);
        let preconditions = step.preconditions.iter().map(|precondition| &precondition.check);
        for check in checks.chain(preconditions) {
            self.note_probe(&check.probe, inside, hosts.first(), &check.location)?;
        }
        if let LeafKind::Look { probe, .. } = &leaf.kind {
            self.note_probe(probe, inside, hosts.first(), &step.location)?;
        }
        Ok(())
    }

    /// The hosts a probe looks at: its own, else `host`, else the runbook's.
    fn probe_hosts(
        &mut self,
        probe: &Probe,
        inside: &Inside<'_>,
        host: Option<&HostName>,
        location: &Location,
    ) -> Result<Vec<HostName>, PlanError> {
        if probe.shared {
            let text = serde_json::to_vec(probe).unwrap_or_default();
            self.keep_text(&format!("book.yaml#{}", probe.name), &text);
        }
        match (&probe.hosts, host, &inside.runbook.hosts) {
            (Some(pattern), _, _) | (None, None, Some(pattern)) => self.resolve(pattern, inside.scope),
            (None, Some(host), _) => Ok(vec![self.note_host(host)]),
            (None, None, None) => {
                Err(PlanError::NoProbeHosts { location: location.clone(), probe: probe.name.clone() })
            }
        }
    }

    fn note_probe(
        &mut self,
        probe: &Probe,
        inside: &Inside<'_>,
        host: Option<&HostName>,
        location: &Location,
    ) -> Result<(), PlanError> {
        self.probe_hosts(probe, inside, host, location).map(|_| ())
    }

    fn resolve(&mut self, pattern: &HostPattern, id: ScopeId) -> Result<Vec<HostName>, PlanError> {
        let scope = self.run.scope(&self.scopes[id.0]);
        let text = pattern.template().text(&scope)?;
        let hosts = self
            .inventory
            .select(&text)
            .map_err(|source| PlanError::Hosts { location: pattern.location().clone(), source })?;
        for host in &hosts {
            self.note_host(host);
        }
        self.patterns.insert((id.0, pattern.source().to_owned()), hosts.clone());
        Ok(hosts)
    }

    fn note_host(&mut self, host: &HostName) -> HostName {
        if let Some(target) = self.inventory.target(host) {
            self.hosts.entry(host.clone()).or_insert(target);
        }
        host.clone()
    }

    fn rollout(
        &self,
        rollout: &Rollout,
        scope: &Scope,
        hosts: &mut Vec<HostName>,
        changes: bool,
        block: bool,
    ) -> Result<Rolled, PlanError> {
        let mut canaries: Vec<HostName> = Vec::new();
        if let Some(count) = &rollout.canary_count {
            canaries = hosts.iter().take(count.count(scope)?).cloned().collect();
        } else if let Some(pattern) = &rollout.canary {
            let text = pattern.template().text(scope)?;
            let named = self
                .inventory
                .select(&text)
                .map_err(|source| PlanError::Hosts { location: pattern.location().clone(), source })?;
            canaries = hosts.iter().filter(|host| named.contains(host)).cloned().collect();
        }
        let others: Vec<HostName> = hosts.iter().filter(|host| !canaries.contains(host)).cloned().collect();
        let size = match &rollout.batch {
            Some(template) => match template.text(scope)?.trim() {
                "all" => others.len().max(1),
                _ => match template.count(scope)? {
                    0 => {
                        return Err(PlanError::Range {
                            location: template.location().clone(),
                            what: "a batch has at least one host".to_owned(),
                        });
                    }
                    count => count,
                },
            },
            // what only looks need not take turns
            None if !changes && !block => others.len().max(1),
            None => 1,
        };
        let pause = rollout.pause.as_ref().map(|pause| pause.period(scope)).transpose()?.unwrap_or_default();
        let max_failures = rollout.max_failures.as_ref().map(|count| count.count(scope)).transpose()?.unwrap_or(0);
        let mut batches = Vec::new();
        if !canaries.is_empty() {
            batches.push(canaries.clone());
        }
        batches.extend(others.chunks(size).map(<[HostName]>::to_vec));
        *hosts = canaries.into_iter().chain(others).collect();
        Ok(Rolled { batches, pause, max_failures })
    }

    fn warnings_of(
        &mut self,
        warnings: &[crate::model::Warning],
        inside: &Inside<'_>,
        hosts: Option<&[HostName]>,
        step: &str,
    ) -> Result<(), PlanError> {
        for warning in warnings {
            let looked_at = match &warning.when {
                crate::model::WarningWhen::Probe(check) => match (&check.probe.hosts, hosts) {
                    (None, Some(hosts)) => hosts.to_vec(),
                    _ => self.probe_hosts(&check.probe, inside, None, &check.location)?,
                },
                crate::model::WarningWhen::Always | crate::model::WarningWhen::If(_) => Vec::new(),
            };
            self.warnings.push(PlannedWarning {
                id: format!("{}{step}{}", inside.prefix, warning.id),
                scope: inside.scope,
                warning: warning.clone(),
                hosts: looked_at,
            });
        }
        Ok(())
    }

    fn checks(&mut self, checks: &[Check], runbook: &Runbook, scope: ScopeId) -> Result<Vec<PlannedCheck>, PlanError> {
        let inside = Inside { scope, ..Inside::top(runbook) };
        let mut planned = Vec::new();
        for check in checks {
            self.note_probe(&check.probe, &inside, None, &check.location)?;
            let hosts = self.probe_hosts(&check.probe, &inside, None, &check.location)?;
            planned.push(PlannedCheck { scope, check: check.clone(), hosts });
        }
        Ok(planned)
    }

    fn keep_files(&mut self, action: &Action) {
        match action {
            Action::Command(spec) => {
                if let ProgramSpec::Script { file, .. } = &spec.program {
                    self.keep_text(&file.name, file.text.as_bytes());
                }
            }
            Action::Copy { file, .. } => self.keep_text(&file.name, &file.bytes),
            Action::Http(_) | Action::Manual { .. } | Action::Wait { .. } => {}
        }
    }

    fn keep_text(&mut self, name: &str, bytes: &[u8]) {
        let digest = Digest::of(bytes);
        if !self.texts.iter().any(|text| text.name == name && text.digest == digest) {
            self.texts.push(TextKept { name: name.to_owned(), digest, bytes: bytes.to_vec() });
        }
    }
}

struct Rolled {
    batches: Vec<Vec<HostName>>,
    pause: Period,
    max_failures: usize,
}

/// What a block hands down to its inner steps.
#[derive(Clone, Default)]
struct Around {
    sudo: Option<Sudo>,
    collect: Vec<crate::model::CommandSpec>,
    then: crate::model::Then,
    nested: bool,
}

/// Whether a step is nothing but work for a person.
fn only_by_hand(step: &Step) -> bool {
    match &step.kind {
        StepKind::Action(action) => action.is_once(),
        StepKind::Block(inner) => inner.iter().all(only_by_hand),
        StepKind::Probe { .. } | StepKind::Runbook { .. } => false,
    }
}
