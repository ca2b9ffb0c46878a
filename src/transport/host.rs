//! What can be done on one host, whatever carries it: the methods of the two capabilities, once.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::action::Action;
use super::capability::{Act, Became, Fault, Finished, HttpReply, Look, Probe, Seen};
use super::conduct;
use super::dial::{Dial, dial};
use super::http::{self, Failure};
use super::stop;
use super::wrapper::{Bootstrap, Errand};
use super::{nonce, receipt, tcp};
use crate::model::Target;
use crate::vocab::{HostName, HttpRequest, Period, RunId};

/// What tidying may take on one host.
const TIDY: Duration = Duration::from_secs(15);

/// Looks at a host.
pub(super) async fn look<D: Dial>(host: &D, look: Look) -> Result<Seen, Fault> {
    let until = Instant::now() + look.timeout.get();
    let talking = async {
        match &look.probe {
            Probe::Run(command) => {
                conduct::look(host, command, until, look.timeout, &look.cancel).await.map(Seen::Command)
            }
            Probe::Tcp(talk) => {
                let stream = dial(host, talk.from, &talk.to, talk.port).await?;
                tcp::converse(stream, talk).await.map(Seen::Tcp)
            }
            Probe::Http(request) => http::ask(host, request).await.map(Seen::Http).map_err(Failure::fault),
        }
    };
    match &look.probe {
        // keeps its time itself: what it started must be stopped
        Probe::Run(_) => talking.await,
        Probe::Tcp(_) | Probe::Http(_) => tokio::select! {
            biased;
            () = look.cancel.cancelled() => Err(Fault::Cancelled),
            seen = talking => seen,
            () = sleep_until(until) => Err(Fault::TimedOut { after: look.timeout }),
        },
    }
}

/// Sends a request that changes something.
pub(super) async fn send<D: Dial>(
    host: &D,
    request: &HttpRequest,
    time: Period,
    cancel: &CancellationToken,
) -> Result<HttpReply, Fault> {
    let until = Instant::now() + time.get();
    let lost = |reason: String| Fault::Lost { reason, stdout: Vec::new(), stderr: Vec::new() };
    // how far it had got when time is up is not known: it counts as sent
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(lost("interrupted while waiting for the answer".to_owned())),
        answer = http::ask(host, request) => answer.map_err(|failure| match failure {
            Failure::Before(fault) => fault,
            Failure::After(fault) => lost(fault.to_string()),
        }),
        () = sleep_until(until) => Err(lost(format!("no answer within {time}"))),
    }
}

/// Remembers where receipts were left in this run of the program, and as whom.
#[derive(Debug, Default)]
pub(super) struct Left(Mutex<BTreeSet<(HostName, Option<String>)>>);

impl Left {
    /// Runs an action, and remembers that it leaves a receipt.
    pub(super) async fn act<D: Dial>(&self, host: &D, target: &Target, act: &Act) -> Result<Finished, Fault> {
        self.remember(target, act);
        Action::new(host, act).run().await
    }

    /// Asks what became of an action, and remembers that it left a receipt.
    pub(super) async fn ask<D: Dial>(&self, host: &D, target: &Target, act: &Act) -> Result<Became, Fault> {
        self.remember(target, act);
        Action::new(host, act).ask().await
    }

    fn remember(&self, target: &Target, act: &Act) {
        let entry = (target.name.clone(), act.command.sudo.clone());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(entry);
    }

    /// Removes the receipts of `run` for the login user, the host's own sudo user, and whoever else left some.
    pub(super) async fn tidy<D: Dial>(&self, host: &D, target: &Target, run: &RunId) {
        let mut users = BTreeSet::from([None, target.sudo.clone()]);
        {
            let left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            users.extend(left.iter().filter(|(name, _)| *name == target.name).map(|(_, user)| user.clone()));
        }
        for user in users {
            let Ok(nonce) = nonce() else { return };
            let errand = Errand::service(nonce, &receipt::remove(run));
            let bootstrap = Bootstrap::new(user.as_deref(), "tidy");
            if let Err(reason) = stop::run(host, &bootstrap, &errand, TIDY).await {
                tracing::debug!(host = %target.name, reason, "receipts were left behind");
            }
        }
    }
}
