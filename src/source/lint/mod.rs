//! What is wrong with a runbook although every file of it can be read: names, types, hosts, quoting, secrets.
//!
//! Apart from `lower` because nothing here changes what a runbook means, and some of it needs an inventory.

mod hosts;
mod names;
mod place;
mod scope;
mod shell;
mod usage;
mod walk;

pub(super) use hosts::systems;

use std::collections::HashSet;
use std::sync::Arc;

use super::diagnostic::Diagnostics;
use super::raw::runbook::RawRunbook;
use super::raw::step::RawStep;
use super::text::SourceText;
use crate::model::{Inventory, Runbook};
use crate::vocab::Location;

/// What is looked at.
pub(super) struct Subject<'a> {
    /// The runbook, as far as it could be lowered.
    pub(super) runbook: &'a Runbook,
    /// The files that its places are in.
    pub(super) sources: &'a [Arc<SourceText>],
    /// What its file declares.
    pub(super) declared: &'a Declared,
    /// Whether some of it could not be lowered.
    pub(super) incomplete: bool,
    /// The fleet; empty when there is none.
    pub(super) inventory: &'a Inventory,
}

/// Names that a file declares, also those of what could not be lowered.
#[derive(Clone, Debug, Default)]
pub(super) struct Declared {
    /// The steps.
    pub(super) steps: Vec<String>,
}

impl Declared {
    pub(super) fn of(raw: &RawRunbook) -> Self {
        fn walk(steps: &[RawStep], into: &mut Vec<String>) {
            for step in steps {
                into.push(step.id.0.text.clone());
                walk(&step.steps, into);
            }
        }
        let mut steps = Vec::new();
        walk(&raw.steps, &mut steps);
        Self { steps }
    }
}

/// What kind of place a template stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    /// A text for a shell: every value is quoted.
    Shell,
    /// A whole command: nothing is quoted.
    Command,
    /// A text of its own: an argument, prose, a setting.
    Text,
    /// A text that may hold secrets.
    Secret,
}

struct Linter<'a> {
    subject: &'a Subject<'a>,
    out: Diagnostics,
    used: HashSet<Location>,
}

/// Everything that is found.
pub(super) fn lint(subject: &Subject<'_>) -> Diagnostics {
    let mut linter = Linter { subject, out: Diagnostics::new(), used: HashSet::new() };
    linter.runbook();
    linter.unused_probes();
    linter.unchecked_steps();
    linter.out
}
