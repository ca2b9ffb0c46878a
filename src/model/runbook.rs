//! A runbook: one procedure.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::params::Param;
use super::pattern::HostPattern;
use super::probe::{Probe, Sudo};
use super::step::{Check, Precondition, Step, StepKind, Warning};
use crate::vocab::Digest;

/// A procedure: what one YAML file means.
#[derive(Clone, Debug, Serialize)]
pub struct Runbook {
    /// Its name: the file's name without `.yaml`.
    pub name: String,
    /// The file, as it is shown in messages.
    pub file: Arc<str>,
    /// The file's text, which the plan's digest covers and the journal keeps.
    #[serde(skip)]
    pub text: Arc<str>,
    /// Other names it is known by.
    pub aliases: Vec<String>,
    /// The title.
    pub title: String,
    /// What it is for, in a sentence or two.
    pub summary: String,
    /// The system of the book it belongs to.
    pub system: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// The old way, so that a reader recognises it.
    pub formerly: Option<String>,
    /// The hosts of every step that names none.
    pub hosts: Option<HostPattern>,
    /// Through which user every step runs that does not say.
    pub sudo: Option<Sudo>,
    /// Parameters in the file's order.
    pub params: Vec<Param>,
    /// Its own named probes.
    pub probes: BTreeMap<String, Arc<Probe>>,
    /// What must hold before anything is changed.
    pub preconditions: Vec<Precondition>,
    /// What a person must know first.
    pub warnings: Vec<Warning>,
    /// The steps in order.
    pub steps: Vec<Step>,
    /// What must hold at the end.
    pub checks: Vec<Check>,
}

impl Runbook {
    /// The digest of its text.
    pub fn digest(&self) -> Digest {
        Digest::of(self.text.as_bytes())
    }

    /// Whether any step changes anything: a runbook of probes and waits is read-only, takes no locks and asks nothing.
    pub fn changes(&self) -> bool {
        fn any(steps: &[Step]) -> bool {
            steps.iter().any(|step| match &step.kind {
                StepKind::Action(action) => action.changes(),
                StepKind::Probe { .. } => false,
                StepKind::Block(inner) => any(inner),
                StepKind::Runbook { runbook, .. } => runbook.changes(),
            })
        }
        any(&self.steps)
    }
}
