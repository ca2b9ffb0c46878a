//! What is recorded as a run of its own though no runbook says it: a lock broken, journals removed.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::CliError;
use super::run::{absolute, random};
use super::{identity, terminal};
use crate::event::{HostEntry, Opened, OperatorEntry};
use crate::vocab::{Clock as _, Digest, RunId, SystemClock};

/// How such a run begins: `what` stands where a run has the name of its runbook.
pub(super) fn opened(
    what: &str,
    title: String,
    operator: OperatorEntry,
    reason: &str,
    book: Option<&Path>,
    hosts: Vec<HostEntry>,
) -> Result<Opened, CliError> {
    Ok(Opened {
        run: RunId::new(SystemClock.now(), random()?),
        runbook: what.to_owned(),
        title,
        changes: true,
        operator,
        admin_host: identity::admin_host(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        book: book.map(absolute).unwrap_or_default(),
        inventories: Vec::new(),
        plan: Digest::of(b""),
        params: BTreeMap::new(),
        limit: None,
        reason: Some(reason.to_owned()),
        emergency: false,
        hosts,
        steps: Vec::new(),
        texts: Vec::new(),
        link: None,
    })
}

/// Asks whether to do it, unless that was said beforehand; `help` says what yes does, `otherwise` what stays as it is.
pub(super) fn agreed(yes: bool, question: &str, help: &str, otherwise: &str) -> Result<(), CliError> {
    if yes {
        return Ok(());
    }
    if !terminal::is_there() {
        let why = "there is no terminal to ask at: `--yes` agrees to it";
        return Err(CliError::new(super::exit::DECLINED, why));
    }
    match inquire::Confirm::new(question).with_default(false).with_help_message(help).prompt() {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(CliError::new(super::exit::DECLINED, format!("declined; {otherwise}"))),
    }
}
