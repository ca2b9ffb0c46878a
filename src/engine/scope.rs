//! What expressions see in a run: parameters, the run, the host, what steps captured.

use std::collections::BTreeMap;

use super::options::Options;
use crate::event::RunState;
use crate::model::Scope;
use crate::model::scope::StepView;
use crate::plan::{Plan, ScopeId};
use crate::vocab::{HostName, RunId, StepHost, StepId};

/// What is the same for every expression of a run.
#[derive(Clone, Debug)]
pub struct RunScope {
    /// The run's id.
    pub run: RunId,
    /// The operator's name.
    pub operator: String,
    /// `--reason`.
    pub reason: Option<String>,
    /// `--emergency`.
    pub emergency: bool,
}

impl RunScope {
    /// From the operator's options.
    pub fn new(run: RunId, options: &Options) -> Self {
        Self { run, operator: options.operator.clone(), reason: options.reason.clone(), emergency: options.emergency }
    }

    /// The scope of `id`'s parameters on `host`, with what the steps of `unit`'s runbook did so far.
    pub fn on(&self, plan: &Plan, id: ScopeId, host: Option<&HostName>, steps: &BTreeMap<String, StepView>) -> Scope {
        let mut scope = plan
            .scope(id)
            .with_run(&self.run, &self.operator, self.reason.as_deref(), self.emergency)
            .with_steps(steps);
        if let Some(host) = host {
            scope = scope.with_host(plan.host(host));
        }
        scope
    }
}

/// What the steps of the runbook around `unit` look like from `host`.
///
/// An included runbook sees only its own steps, under their own ids; the outer one sees them as `outer/inner`. A block's
/// inner steps are known by their own ids (which are unique in a runbook) and by their paths.
pub fn step_views(plan: &Plan, state: &RunState, unit: &StepId, host: &HostName) -> BTreeMap<String, StepView> {
    views(plan, unit, &|id| {
        let outcome = state.step(&StepHost::new(id.clone(), host.clone())).outcome().map_or("not-run", |o| o.word());
        let mut view = StepView { outcome: outcome.to_owned(), ..StepView::default() };
        for (at, captured) in state.captured.iter().filter(|(at, _)| at.step == *id) {
            if at.host == *host || at.host.is_here() {
                view.captured.extend(captured.clone());
            }
            view.on.insert(at.host.as_str().to_owned(), captured.clone());
        }
        view
    })
}

/// What the steps around `unit` will look like, for a plan that is only shown: `<steps.x.y>` for each capture.
pub fn placeholder_views(plan: &Plan, unit: &StepId) -> BTreeMap<String, StepView> {
    views(plan, unit, &|id| {
        let mut view = StepView { outcome: "ok".to_owned(), ..StepView::default() };
        if let Some((owner, leaf)) = plan.leaf(id) {
            for (name, _) in &leaf.step.capture {
                view.captured.insert(name.clone(), serde_json::Value::from(format!("<steps.{id}.{name}>")));
            }
            for host in &owner.hosts {
                view.on.insert(host.as_str().to_owned(), view.captured.clone());
            }
        }
        view
    })
}

fn views(plan: &Plan, unit: &StepId, view: &dyn Fn(&StepId) -> StepView) -> BTreeMap<String, StepView> {
    let prefix = unit.as_str().rfind('/').map_or("", |at| &unit.as_str()[..=at]);
    let mut views = BTreeMap::new();
    for other in &plan.units {
        for leaf in &other.leaves {
            let Some(relative) = leaf.id.as_str().strip_prefix(prefix) else { continue };
            let seen = view(&leaf.id);
            if other.block && other.id != leaf.id {
                // an inner step goes by its own id, as the runbook names it; its block's stands only in its path
                let around = other.id.as_str().strip_prefix(prefix).and_then(|id| id.rsplit_once('/'));
                let own = relative.rsplit('/').next().unwrap_or(relative);
                let known = around.map_or_else(|| own.to_owned(), |(around, _)| format!("{around}/{own}"));
                views.insert(known, seen.clone());
            }
            views.insert(relative.to_owned(), seen);
        }
    }
    views
}
