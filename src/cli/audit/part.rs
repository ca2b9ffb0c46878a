//! A part of a run by what a person types: steps, and hosts.

use std::collections::BTreeSet;

use super::super::error::CliError;
use crate::event::{Event, StepEntry};
use crate::journal::Replay;
use crate::model::scope::nearest;
use crate::report::Selection;
use crate::vocab::{HostName, glob};

/// What is asked for of a run, in its own names.
pub(super) fn selection(replay: &Replay, steps: &[String], hosts: &[String]) -> Result<Selection, CliError> {
    let (known_steps, known_hosts) = names(replay);
    let mut selection = Selection::default();
    for text in steps {
        // a block's own steps, and those of a runbook in it, are named below it
        let inner = format!("{text}/");
        let fits = known_steps.iter().filter(|step| step.id.as_str() == text || step.id.as_str().starts_with(&inner));
        let before = selection.steps.len();
        selection.steps.extend(fits.map(|step| step.id.clone()));
        if selection.steps.len() == before {
            return Err(unknown("step", text, known_steps.iter().map(|step| step.id.as_str())));
        }
    }
    for text in hosts {
        let fits: Vec<&HostName> = known_hosts.iter().filter(|host| glob(text, host.as_str())).collect();
        if fits.is_empty() {
            return Err(unknown("host", text, known_hosts.iter().map(HostName::as_str)));
        }
        selection.hosts.extend(fits.into_iter().cloned());
    }
    selection.hosts.dedup();
    Ok(selection)
}

/// Every step and host that the run ever named: a resume may have changed the plan.
fn names(replay: &Replay) -> (Vec<&StepEntry>, BTreeSet<HostName>) {
    let mut steps: Vec<&StepEntry> = Vec::new();
    let mut hosts = BTreeSet::new();
    for record in &replay.records {
        let (entries, planned) = if let Event::Opened(opened) = &record.event {
            (&opened.steps, &opened.hosts)
        } else if let Event::Resumed(resumed) = &record.event {
            (&resumed.steps, &resumed.hosts)
        } else {
            continue;
        };
        hosts.extend(planned.iter().map(|host| host.name.clone()));
        for entry in entries {
            hosts.extend(entry.hosts.iter().cloned());
            if !steps.iter().any(|known| known.id == entry.id) {
                steps.push(entry);
            }
        }
    }
    (steps, hosts)
}

fn unknown<'a>(what: &str, text: &str, known: impl Iterator<Item = &'a str> + Clone) -> CliError {
    let error = CliError::usage(format!("the run has no {what} `{text}`"));
    match nearest(text, known.clone()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("it has: {}", known.collect::<Vec<_>>().join(", "))),
    }
}
