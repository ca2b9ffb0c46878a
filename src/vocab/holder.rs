//! Who holds a host's lock.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::RunId;

/// The run that holds the lock of a host, as the host tells it.
///
/// What the host does not know (a command that runs on, whose record is gone) is empty. The texts were written by
/// whoever took the lock: they are shown neutralised, like all that a host says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Holder {
    /// The run.
    pub run: RunId,
    /// Its operator.
    pub operator: String,
    /// The machine it runs from.
    pub admin_host: String,
    /// Its runbook.
    pub runbook: String,
    /// Since when, by the clock of that machine.
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// Whether a command of it runs on the host.
    pub running: bool,
}

impl Holder {
    /// Its operator, or the run where the host does not know one.
    pub fn name(&self) -> String {
        let name = if self.operator.is_empty() { self.run.as_str() } else { &self.operator };
        super::neutral::one_line(name)
    }

    /// Who it is, in a few words: `anna on admin01, restart-jobs (20261122T031500Z-1a2b3c4d), since …`.
    pub fn words(&self) -> String {
        let mut words = if self.operator.is_empty() {
            format!("run {}", self.run)
        } else {
            format!("{} on {}, {} ({})", self.operator, self.admin_host, self.runbook, self.run)
        };
        if let Some(since) = self.since {
            words.push_str(&format!(", since {}", since.strftime("%Y-%m-%d %H:%M:%SZ")));
        }
        if self.running {
            words.push_str("; a command of it runs there");
        }
        super::neutral::one_line(&words)
    }
}

/// Where a lock went that a run held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Another run took it after its lease had ended.
    Taken(Holder),
    /// A person broke it.
    Broken {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Its lease had ended; nobody holds it now.
    Gone,
}

impl Loss {
    /// What happened, in a few words.
    pub fn words(&self) -> String {
        match self {
            Self::Taken(holder) => format!("its lease ended, and it is held by {}", holder.words()),
            Self::Broken { by, reason } => super::neutral::one_line(&format!("{by} broke it: {reason}")),
            Self::Gone => "its lease ended, and nobody holds it".to_owned(),
        }
    }
}
