//! What happens in a run beside the hosts, told to the scripted fleet: what persons did, and what was judged.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::event::{ActionEnd, ActionKind, Event, HostVerdict, Observer, RunState};
use crate::model::WarningWhen;
use crate::plan::{LeafKind, Plan};
use crate::transport::Scripted;
use crate::vocab::{HostName, StepHost, StepId};

/// Watches a run for the fleet that it is played on.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) fleet: Scripted,
    pub(super) plan: Arc<Plan>,
    /// What a person or time is doing.
    pub(super) elsewhere: Mutex<Vec<StepHost>>,
}

impl Observer for Watch {
    fn event(&self, _: Timestamp, event: &Event, _: &RunState) {
        self.beside(event);
        if let Some((probe, hosts)) = judged(&self.plan, event) {
            for host in hosts {
                self.fleet.judged(&probe, &host);
            }
        }
    }
}

impl Watch {
    fn beside(&self, event: &Event) {
        let mut elsewhere = self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        if let Event::StepStarted { at, kind: ActionKind::Manual | ActionKind::Wait, .. } = event {
            self.fleet.begun(&at.step, &at.host);
            elsewhere.push(at.clone());
        }
        if let Event::StepActed { at, end, .. } = event
            && let Some(index) = elsewhere.iter().position(|known| known == at)
        {
            elsewhere.remove(index);
            if *end == ActionEnd::Done {
                self.fleet.happened(&at.step, &at.host);
            }
        }
    }
}

/// Of which probe's observations, on which hosts, an event tells the verdict.
pub(super) fn judged(plan: &Plan, event: &Event) -> Option<(String, Vec<HostName>)> {
    let all = |verdicts: &[HostVerdict]| {
        // one over all hosts is about each of them
        if verdicts.iter().any(|verdict| verdict.host.is_none()) {
            return plan.hosts.keys().cloned().collect();
        }
        verdicts.iter().filter_map(|verdict| verdict.host.clone()).collect::<Vec<_>>()
    };
    if let Event::PreconditionJudged { id, verdicts, .. } = event {
        return Some((precondition(plan, id)?, all(verdicts)));
    }
    if let Event::WarningShown { id, observed, .. } = event {
        let planned = plan.warnings.iter().find(|planned| planned.id == *id)?;
        let WarningWhen::Probe(check) = &planned.warning.when else { return None };
        return Some((check.probe.name.clone(), observed.iter().map(|seen| seen.host.clone()).collect()));
    }
    if let Event::CheckJudged { at, check, verdicts, .. } = event {
        return Some((self::check(plan, at.as_ref().map(|at| &at.step), *check)?, all(verdicts)));
    }
    if let Event::Observed { at, .. } = event {
        let LeafKind::Look { probe, .. } = &plan.leaf(&at.step)?.1.kind else { return None };
        return Some((probe.name.clone(), vec![at.host.clone()]));
    }
    if let Event::ObservedBefore { at, observations } = event {
        let (number, _) = observations.first()?;
        let hosts = observations.iter().filter(|(one, _)| one == number).map(|(_, seen)| seen.host.clone());
        return Some((self::check(plan, Some(&at.step), *number)?, hosts.collect()));
    }
    if let Event::Looked { probe, observations, .. } = event {
        return Some((probe.clone(), observations.iter().map(|seen| seen.host.clone()).collect()));
    }
    if let Event::FloorJudged { step, healthy, sick, .. } = event {
        let floor = plan.units.iter().find(|unit| unit.id == *step)?.floor.as_ref()?;
        let sick = sick.iter().filter_map(|verdict| verdict.host.clone());
        return Some((floor.check.probe.name.clone(), healthy.iter().cloned().chain(sick).collect()));
    }
    None
}

/// The probe of a precondition, by the id that events give it.
fn precondition(plan: &Plan, id: &str) -> Option<String> {
    let planned = plan.preconditions.iter().find(|planned| planned.id == *id);
    if let Some(planned) = planned {
        return Some(planned.precondition.check.probe.name.clone());
    }
    let (step, own) = id.rsplit_once(':')?;
    let (_, leaf) = plan.leaf(&StepId::new(step))?;
    let own = leaf.step.preconditions.iter().find(|precondition| precondition.id == own)?;
    Some(own.check.probe.name.clone())
}

/// The probe of a step's check, or of the run's.
fn check(plan: &Plan, step: Option<&StepId>, number: usize) -> Option<String> {
    let index = number.checked_sub(1)?;
    let check = match step {
        Some(step) => plan.leaf(step)?.1.step.checks.get(index)?,
        None => &plan.checks.get(index)?.check,
    };
    Some(check.probe.name.clone())
}
