//! What is wrong with a runbook although every file of it can be read: names, types, hosts, quoting, secrets.
//!
//! Apart from `lower` because nothing here changes what a runbook means, and some of it needs an inventory.

use std::sync::Arc;

use super::diagnostic::Diagnostics;
use super::raw::runbook::RawRunbook;
use super::raw::step::RawStep;
use super::text::SourceText;
use crate::model::{Inventory, Runbook};

/// What is looked at.
pub(super) struct Subject<'a> {
    /// The runbook, as far as it could be lowered.
    pub(super) runbook: &'a Runbook,
    /// The files that its places are in.
    pub(super) sources: &'a [Arc<SourceText>],
    /// What its file declares.
    pub(super) declared: &'a Declared,
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

/// Everything that is found.
pub(super) fn lint(_subject: &Subject<'_>) -> Diagnostics {
    Diagnostics::new()
}
