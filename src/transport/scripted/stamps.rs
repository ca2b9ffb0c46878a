//! The syslogs of a scripted fleet: they keep stamps, and can be told not to.
//!
//! Nothing is heard of it as of a call: what a script answers, and what a scenario compares, is what a run does before its end.

use std::collections::BTreeMap;

use super::super::capability::Fault;
use super::{Script, Scripted};
use crate::model::Target;
use crate::vocab::{HostName, RunId, Stamp, StampsSeen};

/// The stamps of all hosts, in the order in which they came; or why a host keeps none, where it says so at all.
#[derive(Debug, Default)]
pub(super) struct Syslogs {
    kept: BTreeMap<HostName, Vec<Stamp>>,
    broken: BTreeMap<HostName, Option<String>>,
}

impl Scripted {
    /// The syslog of `host` takes nothing, and says so.
    #[must_use]
    pub fn without_syslog(self, host: &str, reason: &str) -> Self {
        self.script().syslogs.broken.insert(HostName::new(host), Some(reason.to_owned()));
        self
    }

    /// The syslog of `host` takes nothing, and says nothing.
    #[must_use]
    pub fn with_silent_syslog(self, host: &str) -> Self {
        self.script().syslogs.broken.insert(HostName::new(host), None);
        self
    }

    /// The stamps that were left on `host`, in order.
    pub fn stamps_on(&self, host: &str) -> Vec<Stamp> {
        self.script().syslogs.kept.get(host).cloned().unwrap_or_default()
    }

    pub(super) async fn keep_stamps(&self, target: &Target, stamps: &[Stamp]) -> Result<(), Fault> {
        let silent = matches!(self.script().syslogs.broken.get(&target.name), Some(None));
        if silent {
            std::future::pending::<()>().await;
        }
        let mut script = self.script();
        script.syslog(&target.name)?;
        script.syslogs.kept.entry(target.name.clone()).or_default().extend(stamps.iter().map(Stamp::cut));
        Ok(())
    }

    pub(super) fn stamps_seen(&self, target: &Target, run: Option<&RunId>) -> Result<StampsSeen, Fault> {
        let script = self.script();
        script.syslog(&target.name)?;
        let mut kept = script.syslogs.kept.get(&target.name).cloned().unwrap_or_default();
        kept.sort();
        kept.dedup();
        let oldest = kept.first().map(|stamp| stamp.run.clone());
        kept.retain(|stamp| run.is_none_or(|run| *run == stamp.run));
        Ok(StampsSeen { stamps: kept, oldest, read: vec!["the script".to_owned()], ..StampsSeen::default() })
    }
}

impl Script {
    /// Whether the host answers, and has a syslog.
    fn syslog(&self, host: &HostName) -> Result<(), Fault> {
        if let Some((_, reason)) = self.down.iter().find(|(down, _)| down == host) {
            return Err(Fault::Unreachable { reason: reason.clone(), hint: None });
        }
        if let Some(fault) = self.fault_of_the_host(host) {
            return Err(fault);
        }
        match self.syslogs.broken.get(host) {
            Some(Some(reason)) => Err(Fault::NotStarted { reason: reason.clone() }),
            Some(None) | None => Ok(()),
        }
    }
}
