//! Which runs are meant.

use jiff::Timestamp;

use crate::event::RunStatus;
use crate::journal::{Entry, Indexed};
use crate::vocab::HostName;

/// What a run must be; what is not said is not looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// It is a run of this runbook.
    pub runbook: Option<String>,
    /// This operator began it.
    pub operator: Option<String>,
    /// One of these hosts is in its plan; empty for any.
    pub hosts: Vec<HostName>,
    /// It began then or later.
    pub since: Option<Timestamp>,
    /// It began before then.
    pub until: Option<Timestamp>,
    /// It stands so: one of these; empty for any.
    pub kinds: Vec<Kind>,
    /// Its reason, or that of an override, has this text in it, whatever the case of the letters.
    pub reason: Option<String>,
    /// It went on against a precondition: this one, or with an empty name any.
    pub overridden: Option<String>,
}

/// How a run stands, as people ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It ended, and every check held.
    Ok,
    /// A step or check failed.
    Failed,
    /// A precondition did not hold.
    Refused,
    /// The operator declined.
    Declined,
    /// Steps are in doubt.
    InDoubt,
    /// Another run had the locks.
    Locked,
    /// Its state could not be written.
    NotWritten,
    /// The operator interrupted it.
    Interrupted,
    /// A person ended it for good.
    Abandoned,
    /// Its program runs.
    Running,
    /// Its program died.
    Died,
}

impl Kind {
    /// How a run stands.
    pub fn of(status: &RunStatus, running: bool) -> Self {
        match status {
            RunStatus::Open if running => Self::Running,
            RunStatus::Open => Self::Died,
            RunStatus::Abandoned { .. } => Self::Abandoned,
            RunStatus::Stopped { exit, .. } | RunStatus::Ended { exit, .. } => match exit {
                0 => Self::Ok,
                3 => Self::Refused,
                4 => Self::Declined,
                5 => Self::InDoubt,
                6 => Self::Locked,
                9 => Self::NotWritten,
                130 => Self::Interrupted,
                _ => Self::Failed,
            },
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Declined => "declined",
            Self::InDoubt => "in doubt",
            Self::Locked => "locked",
            Self::NotWritten => "state not written",
            Self::Interrupted => "interrupted",
            Self::Abandoned => "abandoned",
            Self::Running => "running",
            Self::Died => "unfinished (its program died)",
        }
    }
}

impl Filter {
    /// Whether it asks for nothing: every run fits.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a run fits. One that cannot be read fits whatever is asked for: it is what an audit is for.
    pub fn takes(&self, indexed: &Indexed) -> bool {
        indexed.entry.as_ref().map_or(true, |entry| self.fits(entry, indexed.running))
    }

    fn fits(&self, entry: &Entry, running: bool) -> bool {
        let overridden = |wanted: &String| {
            if wanted.is_empty() {
                !entry.overrides.is_empty()
            } else {
                entry.overrides.iter().any(|(id, _)| id == wanted)
            }
        };
        self.runbook.as_ref().is_none_or(|name| entry.runbook == *name)
            && self.operator.as_ref().is_none_or(|name| entry.operator == *name)
            && (self.hosts.is_empty() || entry.hosts.iter().any(|host| self.hosts.contains(host)))
            && self.since.is_none_or(|since| entry.started >= since)
            && self.until.is_none_or(|until| entry.started < until)
            && (self.kinds.is_empty() || self.kinds.contains(&Kind::of(&entry.status, running)))
            && self.reason.as_ref().is_none_or(|text| has_reason(entry, text))
            && self.overridden.as_ref().is_none_or(overridden)
    }
}

fn has_reason(entry: &Entry, text: &str) -> bool {
    let text = text.to_lowercase();
    let reasons = entry.reason.iter().chain(entry.overrides.iter().map(|(_, reason)| reason));
    reasons.into_iter().any(|reason| reason.to_lowercase().contains(&text))
}
