//! What is known of every run of a store without reading its journal: for lists, filters and periods.
//!
//! Never the truth: it says what the journals say and can be made from them at any time. Whoever wants proof verifies.

use std::borrow::Cow;

use jiff::Timestamp;

use super::error::JournalError;
use super::integrity::Integrity;
use super::listing::RunListing;
use super::store::Store;
use crate::event::{Event, RunStatus};
use crate::vocab::{HostName, RunId};

/// One run of a store.
#[derive(Clone, Debug)]
pub struct Indexed {
    /// The run.
    pub run: RunId,
    /// Whether a program holds its journal at the moment.
    pub running: bool,
    /// What its journal says, or why it could not be read.
    pub entry: Result<Entry, JournalError>,
}

/// What a run's journal says of it as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The runbook's name.
    pub runbook: String,
    /// Who began it.
    pub operator: String,
    /// The machine it was run from.
    pub admin_host: String,
    /// The hosts of its plan.
    pub hosts: Vec<HostName>,
    /// Whether it changes anything.
    pub changes: bool,
    /// When it began.
    pub started: Timestamp,
    /// When its last event happened.
    pub last: Timestamp,
    /// Where it is.
    pub status: RunStatus,
    /// `--reason` at its start.
    pub reason: Option<String>,
    /// Whether it was begun as an emergency.
    pub emergency: bool,
    /// The preconditions it went on against, each with the reason.
    pub overrides: Vec<(String, String)>,
    /// The number of its stretches.
    pub stretches: u32,
}

/// What can be asked of a run to see whether it is meant.
pub trait Facts {
    /// The runbook's name.
    fn runbook(&self) -> Cow<'_, str>;
    /// Who began it.
    fn operator(&self) -> Cow<'_, str>;
    /// When it began.
    fn started(&self) -> Timestamp;
    /// Where it is; why may be left out.
    fn status(&self) -> RunStatus;
    /// `--reason` at its start.
    fn reason(&self) -> Option<Cow<'_, str>>;
    /// Whether a host of its plan is such a one.
    fn any_host(&self, is: &dyn Fn(&str) -> bool) -> bool;
    /// Whether an override, with its reason, is such a one.
    fn any_override(&self, is: &dyn Fn(&str, &str) -> bool) -> bool;
}

impl Facts for Entry {
    fn runbook(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.runbook)
    }

    fn operator(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.operator)
    }

    fn started(&self) -> Timestamp {
        self.started
    }

    fn status(&self) -> RunStatus {
        self.status.clone()
    }

    fn reason(&self) -> Option<Cow<'_, str>> {
        self.reason.as_deref().map(Cow::Borrowed)
    }

    fn any_host(&self, is: &dyn Fn(&str) -> bool) -> bool {
        self.hosts.iter().any(|host| is(host.as_str()))
    }

    fn any_override(&self, is: &dyn Fn(&str, &str) -> bool) -> bool {
        self.overrides.iter().any(|(id, reason)| is(id, reason))
    }
}

impl Indexed {
    /// Whether the run could go on, and nobody is at it.
    pub fn is_unfinished(&self) -> bool {
        !self.running
            && self.entry.as_ref().is_ok_and(|entry| match entry.status {
                RunStatus::Open | RunStatus::Stopped { .. } => true,
                RunStatus::Ended { .. } | RunStatus::Abandoned { .. } => false,
            })
    }
}

impl Store {
    /// Every run, newest first; one that cannot be read has its failure.
    pub fn index(&self) -> Result<Vec<Indexed>, JournalError> {
        Ok(self.list()?.into_iter().map(|listing| self.indexed(listing)).collect())
    }

    fn indexed(&self, listing: RunListing) -> Indexed {
        let RunListing { run, running, summary } = listing;
        let entry = summary.and_then(|_| {
            let replay = self.read(&run)?;
            if let Integrity::Broken { .. } = &replay.integrity {
                let path = self.folder(&run);
                return Err(JournalError::Corrupt { path, integrity: Box::new(replay.integrity) });
            }
            let state = replay.state;
            let overrides = replay.records.iter().filter_map(|record| {
                let Event::PreconditionOverridden { id, reason, .. } = &record.event else { return None };
                Some((id.clone(), reason.clone()))
            });
            Ok(Entry {
                overrides: overrides.collect(),
                runbook: state.opened.runbook.clone(),
                operator: state.opened.operator.name.clone(),
                admin_host: state.opened.admin_host.clone(),
                hosts: state.opened.hosts.iter().map(|host| host.name.clone()).collect(),
                changes: state.opened.changes,
                started: state.opened_at,
                last: state.last_at,
                status: state.status,
                reason: state.opened.reason.clone(),
                emergency: state.opened.emergency,
                stretches: state.stretches,
            })
        });
        Indexed { run, running, entry }
    }
}
