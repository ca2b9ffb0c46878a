//! The first event of a run and of each later stretch: everything a reader needs to understand the rest.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::vocab::{Digest, HostName, RunId, StepId};

/// A run begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Opened {
    /// The run.
    pub run: RunId,
    /// The runbook's name.
    pub runbook: String,
    /// Its title.
    pub title: String,
    /// Whether it changes anything; a read-only run takes no lock and asks nothing.
    pub changes: bool,
    /// Who runs it, and from where.
    pub operator: OperatorEntry,
    /// The machine the program runs on.
    pub admin_host: String,
    /// The program's version.
    pub version: String,
    /// The book's folder.
    pub book: String,
    /// The inventory files in order.
    pub inventories: Vec<String>,
    /// The digest of the plan.
    pub plan: Digest,
    /// Parameters as bound; a secret only as `<secret>`.
    pub params: BTreeMap<String, String>,
    /// `--limit`, if given.
    pub limit: Option<String>,
    /// `--reason`, if given.
    pub reason: Option<String>,
    /// `--emergency`.
    pub emergency: bool,
    /// The hosts of the plan; with `--limit` also those that no step goes to.
    pub hosts: Vec<HostEntry>,
    /// The steps of the plan in order, inner ones behind their block.
    pub steps: Vec<StepEntry>,
    /// The texts the plan was made from, kept whole beside the journal by digest.
    pub texts: Vec<TextEntry>,
    /// The run that started before it in the same state dir; none for the first one there. Set where the journal is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
}

impl Opened {
    /// The hosts that its steps go to, in the order of the plan; where there are no steps, all of the plan. With `--limit`
    /// the plan knows more than these.
    pub fn reached(&self) -> Vec<&HostName> {
        let named: BTreeSet<&HostName> = self.steps.iter().flat_map(|step| &step.hosts).collect();
        let known = self.hosts.iter().map(|host| &host.name);
        known.filter(|host| self.steps.is_empty() || named.contains(host)).collect()
    }

    /// Whether a runbook says what is done. Else something is recorded that was done without one: a lock broken, journals
    /// removed.
    pub fn has_runbook(&self) -> bool {
        !(self.steps.is_empty() && self.texts.is_empty())
    }
}

/// A run as the one that started next names it: if it is removed, or made anew from its first record on, that shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    /// The run.
    pub run: RunId,
    /// The digest of its first record.
    pub first: Digest,
}

/// A later stretch of a run begins: somebody resumed it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resumed {
    /// Who resumed it, and from where.
    pub operator: OperatorEntry,
    /// The machine the program runs on.
    pub admin_host: String,
    /// The program's version.
    pub version: String,
    /// The digest of the plan now.
    pub plan: Digest,
    /// Whether the plan is another than before and that was accepted; then `hosts`, `steps` and `texts` replace the
    /// earlier ones.
    pub accepted_changes: bool,
    /// `--reason`, if given.
    pub reason: Option<String>,
    /// `--emergency`.
    pub emergency: bool,
    /// The hosts of the plan now.
    pub hosts: Vec<HostEntry>,
    /// The steps of the plan now.
    pub steps: Vec<StepEntry>,
    /// The texts of the plan now.
    pub texts: Vec<TextEntry>,
}

/// Who runs it. None of these is proof of identity; a seal's signature is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OperatorEntry {
    /// The name given or found.
    pub name: String,
    /// Whether the name tells a person: false for plain root without `--as`.
    pub identified: bool,
    /// How it was found: `--as`, `RUNBOOK_OPERATOR`, `SUDO_USER`, `login`, `asked`.
    pub source: String,
    /// The login user of the process.
    pub login: String,
    /// Where the ssh session came from (`SSH_CONNECTION`), if there was one.
    pub ssh_origin: Option<String>,
    /// The kernel's audit login uid, if set.
    pub loginuid: Option<u32>,
}

/// A host of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostEntry {
    /// Its name.
    pub name: HostName,
    /// Its address.
    pub address: String,
    /// The login user, if the inventory names one.
    pub user: Option<String>,
}

/// A step of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepEntry {
    /// Its id.
    pub id: StepId,
    /// Its name for people.
    pub name: String,
    /// What its author says of it, and of what to do where it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
    /// What it does in one word: `run`, `command`, `script`, `copy`, `http`, `manual`, `wait`, `probe`, `block`.
    pub kind: String,
    /// The block it stands in, if any.
    pub block: Option<StepId>,
    /// The hosts it goes to, in order.
    pub hosts: Vec<HostName>,
    /// The number of its checks.
    pub checks: usize,
}

/// A text the plan was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TextEntry {
    /// What it is, for people: a path in the book.
    pub name: String,
    /// The digest under which it is kept beside the journal.
    pub digest: Digest,
}
