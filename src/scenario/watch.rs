//! What happens in a run beside the hosts, told to the scripted fleet: what persons did, and what was judged.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::event::{ActionEnd, ActionKind, Event, HostVerdict, Observer, RunState};
use crate::model::WarningWhen;
use crate::plan::{LeafKind, Plan};
use crate::transport::Scripted;
use crate::vocab::{HostName, Observation, StepHost, StepId};

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
        for shown in shown(&self.plan, event) {
            shown.hosts.iter().for_each(|host| self.fleet.judged(&shown.name, host));
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

/// What an event shows of a look.
pub(super) struct Shown<'e> {
    /// The look's name.
    pub(super) name: String,
    /// The hosts it is a verdict about.
    pub(super) hosts: Vec<HostName>,
    /// What was seen, where the event has it.
    pub(super) seen: Vec<&'e Observation>,
}

/// What an event shows of looks, one entry a look.
pub(super) fn shown<'e>(plan: &Plan, event: &'e Event) -> Vec<Shown<'e>> {
    let of_verdicts = |name: Option<String>, verdicts: &'e [HostVerdict]| {
        // one over all hosts is about each of them
        let hosts = if verdicts.iter().any(|verdict| verdict.host.is_none()) {
            plan.hosts.keys().cloned().collect()
        } else {
            verdicts.iter().filter_map(|verdict| verdict.host.clone()).collect()
        };
        let seen = verdicts.iter().filter_map(|verdict| verdict.observation.as_ref()).collect();
        name.map(|name| Shown { name, hosts, seen }).into_iter().collect()
    };
    let of_seen = |name: Option<String>, seen: Vec<&'e Observation>| {
        let hosts = seen.iter().map(|seen| seen.host.clone()).collect();
        name.map(|name| Shown { name, hosts, seen }).into_iter().collect()
    };
    if let Event::PreconditionJudged { id, verdicts, .. } = event {
        return of_verdicts(precondition(plan, id), verdicts);
    }
    if let Event::CheckJudged { at, check, verdicts, .. } = event {
        return of_verdicts(self::check(plan, at.as_ref().map(|at| &at.step), *check), verdicts);
    }
    if let Event::FloorJudged { step, sick, .. } = event {
        let floor = plan.units.iter().find(|unit| unit.id == *step).and_then(|unit| unit.floor.as_ref());
        return of_verdicts(floor.map(|floor| floor.check.probe.name.clone()), sick);
    }
    if let Event::WarningShown { id, observed, .. } = event {
        return of_seen(warning(plan, id), observed.iter().collect());
    }
    if let Event::Observed { at, observation, .. } = event {
        return of_seen(look(plan, &at.step), vec![observation]);
    }
    if let Event::Looked { probe, observations, .. } = event {
        return of_seen(Some(probe.clone()), observations.iter().collect());
    }
    if let Event::ObservedBefore { at, observations } = event {
        // each check that compares looked for itself
        let mut numbers: Vec<usize> = observations.iter().map(|(number, _)| *number).collect();
        numbers.dedup();
        let of = |number: usize| {
            let own = observations.iter().filter(|(one, _)| *one == number).map(|(_, seen)| seen).collect();
            of_seen(self::check(plan, Some(&at.step), number), own)
        };
        return numbers.into_iter().flat_map(of).collect();
    }
    Vec::new()
}

/// The probe of a step that looks.
fn look(plan: &Plan, step: &StepId) -> Option<String> {
    match &plan.leaf(step)?.1.kind {
        LeafKind::Look { probe, .. } => Some(probe.name.clone()),
        LeafKind::Action(_) | LeafKind::Checks => None,
    }
}

/// The probe of a warning.
fn warning(plan: &Plan, id: &str) -> Option<String> {
    match &plan.warnings.iter().find(|planned| planned.id == *id)?.warning.when {
        WarningWhen::Probe(check) => Some(check.probe.name.clone()),
        WarningWhen::Always | WarningWhen::If(_) => None,
    }
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
