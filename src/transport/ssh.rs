//! Hosts reached over ssh.

use tokio::time::{Instant, timeout};

use super::capability::{
    Act, Became, Claim, Fault, Finished, HttpReply, Inspect, Lock, Look, Operate, Pending, Seen, Sending,
};
use super::connection::Connections;
use super::fleet::Settings;
use super::host::{self, Left};
use super::left::{LeftRun, Written};
use crate::model::Target;
use crate::vocab::{Holder, Period, RunId, Stamp, StampsSeen, StepId};

/// Reaches hosts over ssh, by connections that are shared and kept.
#[derive(Debug)]
pub struct Ssh {
    connections: Connections,
    left: Left,
}

impl Ssh {
    /// Nothing is connected before it is used.
    pub fn new(settings: Settings) -> Self {
        Self { connections: Connections::new(settings), left: Left::default() }
    }

    /// Ends the connections used so far; without it they stay for the next run of the program.
    pub async fn close(&self) {
        self.connections.close().await;
    }
}

impl Inspect for Ssh {
    fn look<'a>(&'a self, target: &'a Target, look: Look) -> Pending<'a, Result<Seen, Fault>> {
        Box::pin(async move { host::look(&self.connections.to(target)?, look).await })
    }

    fn ping<'a>(&'a self, target: &'a Target, time: Period) -> Pending<'a, Result<Period, Fault>> {
        Box::pin(async move {
            let connection = self.connections.to(target)?;
            let start = Instant::now();
            match timeout(time.get(), connection.ensure()).await {
                Ok(ensured) => ensured.map(|()| Period::new(start.elapsed())),
                Err(_) => Err(Fault::TimedOut { after: time }),
            }
        })
    }

    fn locked<'a>(&'a self, target: &'a Target) -> Pending<'a, Result<Option<Holder>, Fault>> {
        Box::pin(async move { host::locked(&self.connections.to(target)?).await })
    }
    fn receipts<'a>(
        &'a self,
        target: &'a Target,
        sudo: Option<&'a str>,
        run: Option<&'a RunId>,
    ) -> Pending<'a, Result<Vec<LeftRun>, Fault>> {
        Box::pin(async move { host::receipts(&self.connections.to(target)?, sudo, run).await })
    }

    fn written<'a>(
        &'a self,
        target: &'a Target,
        sudo: Option<&'a str>,
        run: &'a RunId,
        step: &'a StepId,
        attempt: u32,
    ) -> Pending<'a, Result<Written, Fault>> {
        Box::pin(async move { host::written(&self.connections.to(target)?, sudo, run, step, attempt).await })
    }

    fn stamps<'a>(&'a self, target: &'a Target, run: Option<&'a RunId>) -> Pending<'a, Result<StampsSeen, Fault>> {
        Box::pin(async move { host::stamps(&self.connections.to(target)?, target, run).await })
    }
}

impl Operate for Ssh {
    fn act<'a>(&'a self, target: &'a Target, act: Act) -> Pending<'a, Result<Finished, Fault>> {
        Box::pin(async move { self.left.act(&self.connections.to(target)?, target, &act).await })
    }

    fn ask<'a>(&'a self, target: &'a Target, act: Act) -> Pending<'a, Result<Became, Fault>> {
        Box::pin(async move { self.left.ask(&self.connections.to(target)?, target, &act).await })
    }

    fn send<'a>(&'a self, target: &'a Target, sending: Sending) -> Pending<'a, Result<HttpReply, Fault>> {
        Box::pin(async move { host::send(&self.connections.to(target)?, &sending).await })
    }

    fn lock<'a>(&'a self, target: &'a Target, claim: &'a Claim) -> Pending<'a, Result<Lock, Fault>> {
        Box::pin(async move { host::lock(&self.connections.to(target)?, claim).await })
    }

    fn unlock<'a>(&'a self, target: &'a Target, run: &'a RunId) -> Pending<'a, Result<(), Fault>> {
        Box::pin(async move { host::unlock(&self.connections.to(target)?, run).await })
    }

    fn break_lock<'a>(
        &'a self,
        target: &'a Target,
        by: &'a str,
        reason: &'a str,
    ) -> Pending<'a, Result<Option<Holder>, Fault>> {
        Box::pin(async move { host::break_lock(&self.connections.to(target)?, target, by, reason).await })
    }

    fn collect<'a>(
        &'a self,
        target: &'a Target,
        sudo: Option<&'a str>,
        run: &'a RunId,
    ) -> Pending<'a, Result<(), Fault>> {
        Box::pin(async move { host::collect(&self.connections.to(target)?, sudo, run).await })
    }

    fn stamp<'a>(&'a self, target: &'a Target, stamps: &'a [Stamp]) -> Pending<'a, Result<(), Fault>> {
        Box::pin(async move { host::stamp(&self.connections.to(target)?, stamps).await })
    }

    fn tidy<'a>(&'a self, target: &'a Target, run: &'a RunId) -> Pending<'a, ()> {
        Box::pin(async move {
            if let Ok(connection) = self.connections.to(target) {
                connection.give_up_spare();
                self.left.tidy(&connection, target, run).await;
            }
        })
    }
}
