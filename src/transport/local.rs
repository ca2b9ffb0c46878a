//! The operator's own machine: the same wrapper, run by `sh` here.
//!
//! Commands get a session of their own (`setsid`), so that neither Ctrl-C nor a terminal that vanishes reaches them;
//! where `setsid` is missing, a process group of their own.

use std::process::Stdio;

use tokio::process::{Child, Command as Process};

use super::capability::{
    Act, Became, Claim, Fault, Finished, HttpReply, Inspect, Lock, Look, Operate, Pending, Seen, Sending,
};
use super::channel::{Carrier, Channel, Priority};
use super::host::{self, Left};
use super::left::{LeftRun, Written};
use super::wrapper::Bootstrap;
use crate::model::Target;
use crate::vocab::{Holder, Period, RunId, Stamp, StampsSeen, StepId};

/// Runs commands on this machine, by this user.
#[derive(Debug, Default)]
pub struct Local {
    left: Left,
}

impl Inspect for Local {
    fn look<'a>(&'a self, _target: &'a Target, look: Look) -> Pending<'a, Result<Seen, Fault>> {
        Box::pin(host::look(&Here, look))
    }

    fn ping<'a>(&'a self, _target: &'a Target, _timeout: Period) -> Pending<'a, Result<Period, Fault>> {
        Box::pin(std::future::ready(Ok(Period::ZERO)))
    }

    fn locked<'a>(&'a self, _target: &'a Target) -> Pending<'a, Result<Option<Holder>, Fault>> {
        Box::pin(host::locked(&Here))
    }
    fn receipts<'a>(
        &'a self,
        _target: &'a Target,
        sudo: Option<&'a str>,
        run: Option<&'a RunId>,
    ) -> Pending<'a, Result<Vec<LeftRun>, Fault>> {
        Box::pin(host::receipts(&Here, sudo, run))
    }

    fn written<'a>(
        &'a self,
        _target: &'a Target,
        sudo: Option<&'a str>,
        run: &'a RunId,
        step: &'a StepId,
        attempt: u32,
    ) -> Pending<'a, Result<Written, Fault>> {
        Box::pin(host::written(&Here, sudo, run, step, attempt))
    }

    fn stamps<'a>(&'a self, target: &'a Target, run: Option<&'a RunId>) -> Pending<'a, Result<StampsSeen, Fault>> {
        Box::pin(host::stamps(&Here, target, run))
    }
}

impl Operate for Local {
    fn act<'a>(&'a self, target: &'a Target, act: Act) -> Pending<'a, Result<Finished, Fault>> {
        Box::pin(async move { self.left.act(&Here, target, &act).await })
    }

    fn ask<'a>(&'a self, target: &'a Target, act: Act) -> Pending<'a, Result<Became, Fault>> {
        Box::pin(async move { self.left.ask(&Here, target, &act).await })
    }

    fn send<'a>(&'a self, _target: &'a Target, sending: Sending) -> Pending<'a, Result<HttpReply, Fault>> {
        Box::pin(async move { host::send(&Here, &sending).await })
    }

    fn lock<'a>(&'a self, _target: &'a Target, claim: &'a Claim) -> Pending<'a, Result<Lock, Fault>> {
        Box::pin(host::lock(&Here, claim))
    }

    fn unlock<'a>(&'a self, _target: &'a Target, run: &'a RunId) -> Pending<'a, Result<(), Fault>> {
        Box::pin(host::unlock(&Here, run))
    }

    fn break_lock<'a>(
        &'a self,
        target: &'a Target,
        by: &'a str,
        reason: &'a str,
    ) -> Pending<'a, Result<Option<Holder>, Fault>> {
        Box::pin(host::break_lock(&Here, target, by, reason))
    }

    fn collect<'a>(
        &'a self,
        _target: &'a Target,
        sudo: Option<&'a str>,
        run: &'a RunId,
    ) -> Pending<'a, Result<(), Fault>> {
        Box::pin(host::collect(&Here, sudo, run))
    }

    fn stamp<'a>(&'a self, _target: &'a Target, stamps: &'a [Stamp]) -> Pending<'a, Result<(), Fault>> {
        Box::pin(host::stamp(&Here, stamps))
    }

    fn tidy<'a>(&'a self, target: &'a Target, run: &'a RunId) -> Pending<'a, ()> {
        Box::pin(self.left.tidy(&Here, target, run))
    }
}

/// Starts wrappers on this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Here;

impl Carrier for Here {
    async fn open(&self, bootstrap: &Bootstrap, _priority: Priority) -> Result<Channel, Fault> {
        let argv = bootstrap.argv();
        let started = match start("setsid", &argv, false) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => start(&argv[0], &argv[1..], true),
            started => started,
        };
        channel(started.map_err(|error| Fault::NotStarted { reason: format!("`{}`: {error}", argv[0]) })?)
    }
}

/// The streams of a process.
pub(super) fn channel(mut child: Child) -> Result<Channel, Fault> {
    let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(Fault::NotStarted { reason: "no pipes to the command".to_owned() });
    };
    Ok(Channel {
        stdin: Box::new(stdin),
        stdout: Box::new(stdout),
        stderr: Box::new(stderr),
        // a signal is no exit status: the wrapper was killed, and what it ran may live
        ended: Box::pin(async move { child.wait().await.ok().and_then(|status| status.code()) }),
        _place: None,
    })
}

/// `setsid` makes the session, and a group with it; a program that leads a group already would make it fork.
fn start(program: &str, arguments: &[String], group: bool) -> std::io::Result<Child> {
    #[expect(clippy::disallowed_methods, reason = "commands on this machine are spawned here")]
    let mut process = Process::new(program);
    process.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if group {
        process.process_group(0);
    }
    process.spawn()
}
