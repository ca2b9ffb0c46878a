//! The locks of a scripted fleet: a table on tokio's time, which tests pause.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::super::capability::{Claim, Lock};
use super::{Matcher, Script, Scripted};
use crate::vocab::{Holder, HostName, Loss, RunId};

/// What a host's highest record says.
#[derive(Clone, Debug)]
enum Record {
    /// Held until then.
    Held(Holder, Instant),
    /// Broken, by whom and why.
    Broken(String, String),
}

/// The locks of all hosts.
#[derive(Debug, Default)]
pub(super) struct Locks {
    records: BTreeMap<HostName, Record>,
    /// Actions after which a host's lock goes to somebody else.
    robbers: Vec<(HostName, Matcher, Holder)>,
}

/// Longer than any test.
const FOREVER: Duration = Duration::from_hours(24 * 365);

impl Scripted {
    /// The lock of `host` is held by somebody else, for so long if nobody gives it back.
    #[must_use]
    pub fn locked_for(self, host: &str, holder: Holder, length: Duration) -> Self {
        let record = Record::Held(holder, Instant::now() + length);
        self.script().locks.records.insert(HostName::new(host), record);
        self
    }

    /// Once an action that matches `after` has had its effect on `host`, its lock is somebody else's.
    #[must_use]
    pub fn robbed_after(self, host: &str, after: impl Into<Matcher>, holder: Holder) -> Self {
        self.script().locks.robbers.push((HostName::new(host), after.into(), holder));
        self
    }

    /// Who holds the lock of `host` now.
    pub fn lock_of(&self, host: &str) -> Option<Holder> {
        self.script().holder(&HostName::new(host))
    }
}

impl Script {
    /// Lets robbers whose time has come take what they want.
    pub(super) fn rob(&mut self) {
        let Self { locks, effects, .. } = self;
        let effects = &*effects;
        let come = |host: &HostName, after: &Matcher| effects.iter().any(|e| e.host == *host && after.matches(e));
        for (host, _, holder) in locks.robbers.extract_if(.., |(host, after, _)| come(host, after)) {
            locks.records.insert(host, Record::Held(holder, Instant::now() + FOREVER));
        }
    }

    pub(super) fn holder(&mut self, host: &HostName) -> Option<Holder> {
        self.rob();
        match self.locks.records.get(host)? {
            Record::Held(holder, until) if *until >= Instant::now() => Some(holder.clone()),
            Record::Held(..) | Record::Broken(..) => None,
        }
    }

    pub(super) fn lock(&mut self, host: &HostName, claim: &Claim) -> Lock {
        let holder = self.holder(host);
        let found = match self.locks.records.get(host) {
            Some(Record::Held(own, _)) if own.run == claim.run => None,
            _ if !claim.renewal => holder.map(Lock::Refused),
            Some(Record::Broken(by, reason)) => {
                Some(Lock::Lost(Loss::Broken { by: by.clone(), reason: reason.clone() }))
            }
            _ => Some(Lock::Lost(holder.map_or(Loss::Gone, Loss::Taken))),
        };
        if let Some(found) = found {
            return found;
        }
        let holder = Holder {
            run: claim.run.clone(),
            operator: claim.operator.clone(),
            admin_host: claim.admin_host.clone(),
            runbook: claim.runbook.clone(),
            since: Some(claim.since),
            running: false,
        };
        self.locks.records.insert(host.clone(), Record::Held(holder, Instant::now() + claim.length.get()));
        Lock::Taken { boot: format!("boot-of-{host}"), login: String::new() }
    }

    pub(super) fn unlock(&mut self, host: &HostName, run: &RunId) {
        if self.holder(host).is_some_and(|holder| holder.run == *run) {
            self.locks.records.remove(host);
        }
    }

    pub(super) fn break_lock(&mut self, host: &HostName, by: &str, reason: &str) -> Option<Holder> {
        let holder = self.holder(host)?;
        self.locks.records.insert(host.clone(), Record::Broken(by.to_owned(), reason.to_owned()));
        Some(holder)
    }
}
