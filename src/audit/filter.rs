//! Which runs are meant.

use jiff::Timestamp;

use super::kind::Kind;
use crate::event::RunStatus;
use crate::journal::{Facts, Indexed};
use crate::vocab::glob;

/// What a run must be; what is not said is not looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// It is a run of this runbook.
    pub runbook: Option<String>,
    /// This operator began it.
    pub operator: Option<String>,
    /// A step of it goes to a host that fits one of these: names, or patterns with `*` and `?`; empty for any.
    pub hosts: Vec<String>,
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
    /// It can go on, and nobody is at it.
    pub unfinished: bool,
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

    /// Whether a run of which this is known fits.
    pub fn fits(&self, run: &(impl Facts + ?Sized), running: bool) -> bool {
        // what costs least comes first
        self.since.is_none_or(|since| run.started() >= since)
            && self.until.is_none_or(|until| run.started() < until)
            && self.stands(&run.status(), running)
            && self.runbook.as_ref().is_none_or(|name| run.runbook() == name.as_str())
            && self.operator.as_ref().is_none_or(|name| run.operator() == name.as_str())
            && (self.hosts.is_empty() || run.any_host(&|host| self.hosts.iter().any(|wanted| is_host(wanted, host))))
            && self.overridden.as_ref().is_none_or(|id| run.any_override(&|known, _| id.is_empty() || known == id))
            && self.reason.as_ref().is_none_or(|text| has_reason(run, &text.to_lowercase()))
    }

    fn stands(&self, status: &RunStatus, running: bool) -> bool {
        let over = match status {
            RunStatus::Open | RunStatus::Stopped { .. } => running,
            RunStatus::Ended { .. } | RunStatus::Abandoned { .. } => true,
        };
        !(self.unfinished && over) && (self.kinds.is_empty() || self.kinds.contains(&Kind::of(status, running)))
    }
}

fn is_host(wanted: &str, host: &str) -> bool {
    if wanted.contains(['*', '?']) { glob(wanted, host) } else { wanted == host }
}

fn has_reason(run: &(impl Facts + ?Sized), text: &str) -> bool {
    let has = |reason: &str| reason.to_lowercase().contains(text);
    run.reason().is_some_and(|reason| has(&reason)) || run.any_override(&|_, reason| has(reason))
}
