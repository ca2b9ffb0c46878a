//! What a journal comes to as a whole.

use std::borrow::Cow;

use jiff::Timestamp;

use crate::event::{RunState, RunStatus};
use crate::journal::error::JournalError;
use crate::journal::folder::{self, Folder};
use crate::journal::integrity::Integrity;
use crate::journal::reader;
use crate::journal::store::Store;
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
    /// The hosts that its steps go to; where it has none, those it is about.
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
    /// Whether one of its hosts is such a one.
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

impl Entry {
    pub(super) fn of(state: &RunState) -> Self {
        let opened = &state.opened;
        Self {
            overrides: state.overrides.iter().map(|(id, (_, reason))| (id.clone(), reason.clone())).collect(),
            runbook: opened.runbook.clone(),
            operator: opened.operator.name.clone(),
            admin_host: opened.admin_host.clone(),
            hosts: opened.reached().into_iter().cloned().collect(),
            changes: opened.changes,
            started: state.opened_at,
            last: state.last_at,
            status: state.status.clone(),
            reason: opened.reason.clone(),
            emergency: opened.emergency,
            stretches: state.stretches,
        }
    }
}

impl Store {
    /// Every run, newest first, each by its journal alone: what [`Store::index`] says, at the price of reading all.
    pub fn by_journals(&self) -> Result<Vec<Indexed>, JournalError> {
        Ok(self.runs_newest_first()?.iter().map(|run| self.by_journal(run)).collect())
    }

    pub(super) fn by_journal(&self, run: &RunId) -> Indexed {
        let opened = self.existing(run).and_then(|folder| Ok((reader::open(&folder)?, folder)));
        let (running, entry) = match opened {
            Ok((file, folder)) => (folder::is_locked(&file), entry_of(&folder)),
            Err(error) => (false, Err(error)),
        };
        Indexed { run: run.clone(), running, entry }
    }
}

fn entry_of(folder: &Folder) -> Result<Entry, JournalError> {
    let found = reader::verify(folder.path())?;
    match (found.state, found.integrity) {
        (
            Some(state),
            Integrity::Intact | Integrity::Unfinished { .. } | Integrity::Torn { .. } | Integrity::BrokenFile { .. },
        ) => Ok(Entry::of(&state)),
        (_, integrity) => Err(JournalError::Corrupt { path: folder.journal(), integrity: Box::new(integrity) }),
    }
}
