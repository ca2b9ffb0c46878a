//! A book: the folder of runbooks and what they share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::pattern::HostPattern;
use super::probe::Probe;
use crate::vocab::Period;

/// What `book.yaml` says. A book without the file has none of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Book {
    /// The folder.
    pub dir: PathBuf,
    /// The book's name.
    pub name: Option<String>,
    /// The systems in the file's order: the sections of the wiki page.
    pub systems: Vec<System>,
    /// Probes that every runbook may use.
    pub probes: BTreeMap<String, Arc<Probe>>,
    /// After how long without a run a runbook's page says STALE.
    pub stale_after: Option<Period>,
    /// Settings for the wiki, kept as they are written.
    pub wiki: BTreeMap<String, String>,
}

/// A system: what it is, where it listens, where to read on.
#[derive(Clone, Debug, Default, Serialize)]
pub struct System {
    /// The key that runbooks name.
    pub name: String,
    /// The heading.
    pub title: String,
    /// What it is.
    pub prose: String,
    /// Where it runs.
    pub hosts: Option<HostPattern>,
    /// Its port.
    pub port: Option<u16>,
    /// Links, title and address.
    pub links: Vec<(String, String)>,
}
