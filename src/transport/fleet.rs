//! The whole fleet: each target by its own transport.

use std::path::PathBuf;

use super::capability::{
    Act, Became, Claim, Fault, Finished, HttpReply, Inspect, Lock, Look, Operate, Pending, Seen, Sending,
};
use super::left::{LeftRun, Written};
use super::local::Local;
use super::ssh::Ssh;
use crate::model::Target;
use crate::model::target::Transport;
use crate::vocab::{Holder, Period, RunId, Stamp, StampsSeen, StepId};

/// How connections are made and kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory of the control sockets; made when missing, refused when others can write to it. Its path may have
    /// at most 69 bytes.
    pub control_dir: PathBuf,
    /// How long a connection is kept after its last use, beyond the end of the program.
    pub idle: Period,
    /// How long connecting to a host may take.
    pub connect_timeout: Period,
    /// How many hosts are connected to at the same time.
    pub parallel: usize,
    /// How many commands run on a host at the same time; sshd's own limit is 10.
    pub sessions_per_host: usize,
}

impl Settings {
    /// The usual settings.
    pub fn new(control_dir: impl Into<PathBuf>) -> Self {
        Self {
            control_dir: control_dir.into(),
            idle: Period::seconds(600),
            connect_timeout: Period::seconds(10),
            parallel: 32,
            sessions_per_host: 5,
        }
    }
}

/// Reaches every target by its own transport.
///
/// Dropping it leaves its connections to the next run of the program; [`Fleet::close`] ends them.
#[derive(Debug)]
pub struct Fleet {
    ssh: Ssh,
    local: Local,
}

impl Fleet {
    /// Nothing is connected before it is used.
    pub fn new(settings: Settings) -> Self {
        Self { ssh: Ssh::new(settings), local: Local::default() }
    }

    /// Ends the connections used so far.
    pub async fn close(&self) {
        self.ssh.close().await;
    }

    fn way(&self, target: &Target) -> &dyn Operate {
        match target.transport {
            Transport::Ssh => &self.ssh,
            Transport::Local => &self.local,
        }
    }
}

impl Inspect for Fleet {
    fn look<'a>(&'a self, target: &'a Target, look: Look) -> Pending<'a, Result<Seen, Fault>> {
        self.way(target).look(target, look)
    }

    fn ping<'a>(&'a self, target: &'a Target, timeout: Period) -> Pending<'a, Result<Period, Fault>> {
        self.way(target).ping(target, timeout)
    }

    fn locked<'a>(&'a self, target: &'a Target) -> Pending<'a, Result<Option<Holder>, Fault>> {
        self.way(target).locked(target)
    }
    fn receipts<'a>(
        &'a self,
        target: &'a Target,
        sudo: Option<&'a str>,
        run: Option<&'a RunId>,
    ) -> Pending<'a, Result<Vec<LeftRun>, Fault>> {
        self.way(target).receipts(target, sudo, run)
    }

    fn written<'a>(
        &'a self,
        target: &'a Target,
        sudo: Option<&'a str>,
        run: &'a RunId,
        step: &'a StepId,
        attempt: u32,
    ) -> Pending<'a, Result<Written, Fault>> {
        self.way(target).written(target, sudo, run, step, attempt)
    }

    fn stamps<'a>(&'a self, target: &'a Target, run: Option<&'a RunId>) -> Pending<'a, Result<StampsSeen, Fault>> {
        self.way(target).stamps(target, run)
    }
}

impl Operate for Fleet {
    fn act<'a>(&'a self, target: &'a Target, act: Act) -> Pending<'a, Result<Finished, Fault>> {
        self.way(target).act(target, act)
    }

    fn ask<'a>(&'a self, target: &'a Target, act: Act) -> Pending<'a, Result<Became, Fault>> {
        self.way(target).ask(target, act)
    }

    fn send<'a>(&'a self, target: &'a Target, sending: Sending) -> Pending<'a, Result<HttpReply, Fault>> {
        self.way(target).send(target, sending)
    }

    fn lock<'a>(&'a self, target: &'a Target, claim: &'a Claim) -> Pending<'a, Result<Lock, Fault>> {
        self.way(target).lock(target, claim)
    }

    fn unlock<'a>(&'a self, target: &'a Target, run: &'a RunId) -> Pending<'a, Result<(), Fault>> {
        self.way(target).unlock(target, run)
    }

    fn break_lock<'a>(
        &'a self,
        target: &'a Target,
        by: &'a str,
        reason: &'a str,
    ) -> Pending<'a, Result<Option<Holder>, Fault>> {
        self.way(target).break_lock(target, by, reason)
    }

    fn collect<'a>(
        &'a self,
        target: &'a Target,
        sudo: Option<&'a str>,
        run: &'a RunId,
    ) -> Pending<'a, Result<(), Fault>> {
        self.way(target).collect(target, sudo, run)
    }

    fn stamp<'a>(&'a self, target: &'a Target, stamps: &'a [Stamp]) -> Pending<'a, Result<(), Fault>> {
        self.way(target).stamp(target, stamps)
    }

    fn tidy<'a>(&'a self, target: &'a Target, run: &'a RunId) -> Pending<'a, ()> {
        self.way(target).tidy(target, run)
    }
}
