//! The dry run: every probe live, every command shown, nothing done.
//!
//! It is handed an [`Inspect`], which has no method that changes anything: that a rehearsal changes nothing is not a
//! matter of care.

use super::check::{Checking, all_hold};
use super::interrupt::Interrupt;
use super::look::Looker;
use super::options::Options;
use super::roll::takes_away;
use super::scope::{RunScope, placeholder_views};
use super::warning::{self, Raised};
use crate::event::HostVerdict;
use crate::model::deed::{ready_action, ready_probe};
use crate::model::{EvalError, Recheck, Target};
use crate::plan::{Leaf, LeafKind, Plan, Unit};
use crate::transport::Inspect;
use crate::vocab::{HostName, Observation, Period, RunId, StepId};

/// What a dry run found out.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// Each precondition's verdicts.
    pub preconditions: Vec<PreconditionSeen>,
    /// The warnings that would be shown.
    pub warnings: Vec<Raised>,
    /// What would be done, in order.
    pub units: Vec<UnitSeen>,
    /// Whether the run would start: preconditions and floors hold (or may be overridden as the options say).
    pub would_start: bool,
}

/// A precondition as it is now.
#[derive(Clone, Debug)]
pub struct PreconditionSeen {
    /// Its id.
    pub id: String,
    /// What it demands.
    pub says: String,
    /// The verdicts.
    pub verdicts: Vec<HostVerdict>,
    /// Whether it holds.
    pub holds: bool,
    /// Whether the options override it.
    pub overridden: bool,
    /// Whether it may be overridden at all.
    pub overridable: bool,
    /// What the author says when it does not hold.
    pub otherwise: Option<String>,
    /// Whether it is judged again before each batch.
    pub each_batch: bool,
}

/// A unit as it would roll.
#[derive(Clone, Debug)]
pub struct UnitSeen {
    /// Its id.
    pub id: StepId,
    /// Its name.
    pub name: String,
    /// The batches.
    pub batches: Vec<Vec<HostName>>,
    /// The time between two.
    pub pause: Period,
    /// How many hosts may fail.
    pub max_failures: usize,
    /// The floor: needed, healthy now, and who is not.
    pub floor: Option<(usize, Vec<HostName>, Vec<HostVerdict>)>,
    /// What would be done on each host, in order of batches.
    pub deeds: Vec<DeedSeen>,
}

/// One step on one host as it would go.
#[derive(Clone, Debug)]
pub struct DeedSeen {
    /// The step.
    pub step: StepId,
    /// The host.
    pub host: HostName,
    /// What would be sent, or why nothing.
    pub what: Planned,
    /// What its checks would demand afterwards.
    pub checks: Vec<String>,
}

/// What would become of a step on a host.
#[derive(Clone, Debug)]
pub enum Planned {
    /// This would be sent, by this kind of action.
    Act(&'static str, String),
    /// This would be looked at; and this is what it shows now.
    Look(String, Option<Box<Observation>>),
    /// It would be skipped, for this reason.
    Skip(String),
    /// It could not be made ready, for this reason.
    Unready(String),
}

/// Rehearses a plan.
pub async fn rehearse(
    plan: &Plan,
    inspect: &dyn Inspect,
    options: &Options,
    run: RunId,
    interrupt: &Interrupt,
) -> Result<Rehearsal, EvalError> {
    let looker = Looker::new(inspect, None, options.parallel, interrupt.stop());
    let rehearser = Rehearser { plan, looker: &looker, options, scope: RunScope::new(run, options), interrupt };
    let preconditions = rehearser.preconditions().await;
    let mut warnings = Vec::new();
    for planned in &plan.warnings {
        let (raised, _) = warning::raise(plan, &looker, &rehearser.scope, planned).await?;
        warnings.extend(raised);
    }
    let mut units = Vec::new();
    for unit in &plan.units {
        units.push(rehearser.unit(unit).await);
    }
    let floors_hold = units.iter().all(|unit| {
        let Some((needed, healthy, sick)) = &unit.floor else { return true };
        unit.batches.iter().all(|batch| {
            !takes_away(batch, sick) || healthy.iter().filter(|host| !batch.contains(host)).count() >= *needed
        })
    });
    let would_start = floors_hold && preconditions.iter().all(|seen| seen.holds || seen.overridden);
    Ok(Rehearsal { preconditions, warnings, units, would_start })
}

struct Rehearser<'a> {
    plan: &'a Plan,
    looker: &'a Looker<'a>,
    options: &'a Options,
    scope: RunScope,
    interrupt: &'a Interrupt,
}

impl Rehearser<'_> {
    async fn preconditions(&self) -> Vec<PreconditionSeen> {
        let none = std::collections::BTreeMap::new();
        let looks = self.plan.preconditions.iter().map(|planned| {
            let none = &none;
            async move {
                let scope = |host: Option<&HostName>| self.scope.on(self.plan, planned.scope, host, none);
                let check = &planned.precondition.check;
                let targets = planned.hosts.iter().map(|host| self.plan.host(host)).collect();
                let (verdicts, _) = self.checking(targets, &scope).once(&check.probe, &check.expectation).await;
                let overridden = planned.precondition.overridable
                    && (self.options.emergency || self.options.overrides.contains(&planned.id));
                PreconditionSeen {
                    id: planned.id.clone(),
                    says: check.says.clone(),
                    holds: all_hold(&verdicts),
                    verdicts,
                    overridden,
                    overridable: planned.precondition.overridable,
                    otherwise: planned.precondition.otherwise.clone(),
                    each_batch: planned.precondition.recheck == Recheck::Batch,
                }
            }
        });
        futures_util::future::join_all(looks).await
    }

    fn checking<'c>(
        &'c self,
        targets: Vec<&'c Target>,
        scope: &'c (dyn Fn(Option<&HostName>) -> crate::model::Scope + Sync),
    ) -> Checking<'c> {
        Checking {
            looker: self.looker,
            recorder: None,
            interrupt: self.interrupt,
            targets,
            scope,
            before: Vec::new(),
            sudo: self.plan.runbook.sudo.as_ref(),
            at: None,
        }
    }

    async fn unit(&self, unit: &Unit) -> UnitSeen {
        let views = placeholder_views(self.plan, &unit.id);
        let scope = |host: Option<&HostName>| self.scope.on(self.plan, unit.scope, host, &views);
        let floor = match &unit.floor {
            Some(floor) => {
                let targets = unit.all_hosts.iter().map(|host| self.plan.host(host)).collect();
                let checking = self.checking(targets, &scope);
                let (verdicts, _) = checking.once(&floor.check.probe, &floor.check.expectation).await;
                let (well, sick): (Vec<_>, Vec<_>) = verdicts.into_iter().partition(|v| v.verdict.holds());
                Some((floor.count, well.into_iter().filter_map(|verdict| verdict.host).collect(), sick))
            }
            None => None,
        };
        let hosts = unit.hosts.iter().map(|host| async {
            let mut deeds = Vec::new();
            for leaf in &unit.leaves {
                let what = self.leaf(unit, leaf, host, &scope(Some(host))).await;
                let checks = match &what {
                    Planned::Act(..) | Planned::Look(..) => {
                        leaf.step.checks.iter().map(|check| check.says.clone()).collect()
                    }
                    Planned::Skip(_) | Planned::Unready(_) => Vec::new(),
                };
                deeds.push(DeedSeen { step: leaf.id.clone(), host: host.clone(), what, checks });
            }
            deeds
        });
        let deeds = futures_util::future::join_all(hosts).await.into_iter().flatten().collect();
        UnitSeen {
            id: unit.id.clone(),
            name: unit.name.clone(),
            batches: unit.batches.clone(),
            pause: unit.pause,
            max_failures: unit.max_failures,
            floor,
            deeds,
        }
    }

    async fn leaf(&self, unit: &Unit, leaf: &Leaf, host: &HostName, scope: &crate::model::Scope) -> Planned {
        let target = self.plan.host(host);
        for condition in unit.conditions.iter().chain(&leaf.conditions) {
            match condition.truth(scope) {
                Ok(true) => {}
                Ok(false) => return Planned::Skip(format!("`{}` is false", condition.source().trim())),
                // what depends on a capture cannot be known yet: it may take part
                Err(_)
                    if condition.names().iter().any(|name| name.path.first().is_some_and(|part| part == "steps")) => {}
                Err(error) => return Planned::Unready(error.to_string()),
            }
        }
        if let Some(check) = &leaf.step.skip_if {
            let hosts = self.plan.probe_hosts(&check.probe, unit.scope, host);
            let targets = hosts.iter().map(|host| self.plan.host(host)).collect();
            let scope_at = |_: Option<&HostName>| scope.clone();
            let (verdicts, _) = self.checking(targets, &scope_at).once(&check.probe, &check.expectation).await;
            if all_hold(&verdicts) {
                return Planned::Skip(format!("already so: {}", check.says));
            }
        }
        match &leaf.kind {
            LeafKind::Action(action) => match ready_action(action, leaf.sudo.as_ref(), scope, target) {
                Ok(deed) => Planned::Act(leaf.kind.word(), deed.shown()),
                Err(error) => Planned::Unready(error.to_string()),
            },
            LeafKind::Look { probe, .. } => match ready_probe(probe, leaf.sudo.as_ref(), scope, target) {
                Ok(glance) => {
                    let seen = self.looker.one(probe, leaf.sudo.as_ref(), target, scope).await;
                    Planned::Look(glance.shown(), Some(Box::new(seen)))
                }
                Err(error) => Planned::Unready(error.to_string()),
            },
            LeafKind::Checks => Planned::Look(String::new(), None),
        }
    }
}
