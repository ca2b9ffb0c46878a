//! What can be done on one host, whatever carries it: the methods of the two capabilities, once.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::action::Action;
use super::capability::{Act, Became, Claim, Fault, Finished, HttpReply, Lock, Look, Probe, Seen, Sending};
use super::conduct;
use super::dial::{Dial, dial};
use super::http::{self, Failure};
use super::left::{LeftRun, Written};
use super::stop;
use super::wrapper::{Bootstrap, Errand};
use super::{left, lock, nonce, receipt, stamps, tcp};
use crate::model::Target;
use crate::vocab::command::Stdin;
use crate::vocab::{Command, Holder, HostName, MaskedText, Period, RunId, Stamp, StampsSeen, StepId};

/// What tidying may take on one host.
const TIDY: Duration = Duration::from_secs(15);
/// What taking a lock, and the like, may take.
const LOCK: Period = Period::seconds(15);
/// What searching a host's logs may take.
const LOGS: Period = Period::seconds(60);
/// What bringing the output of an action may take.
const WRITTEN: Period = Period::seconds(300);

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
pub(super) async fn send<D: Dial>(host: &D, sending: &Sending) -> Result<HttpReply, Fault> {
    let time = sending.timeout;
    let until = Instant::now() + time.get();
    let lost = |reason: String| Fault::Lost { reason, stdout: Vec::new(), stderr: Vec::new() };
    // how far it had got when time is up is not known: it counts as sent
    tokio::select! {
        biased;
        () = sending.cancel.cancelled() => Err(lost("interrupted while waiting for the answer".to_owned())),
        answer = http::ask(host, &sending.request) => answer.map_err(|failure| match failure {
            Failure::Before(fault) => fault,
            Failure::After(fault) => lost(fault.to_string()),
        }),
        () = sleep_until(until) => Err(lost(format!("no answer within {time}"))),
    }
}

/// Takes or renews the host's lock.
pub(super) async fn lock<D: Dial>(host: &D, claim: &Claim) -> Result<Lock, Fault> {
    lock::taken(&asked(host, None, &lock::take(claim)).await?).map_err(not_started)
}

/// Gives the host's lock back.
pub(super) async fn unlock<D: Dial>(host: &D, run: &RunId) -> Result<(), Fault> {
    lock::holder(&asked(host, None, &lock::free(run)).await?).map(drop).map_err(not_started)
}

/// Breaks the host's lock.
pub(super) async fn break_lock<D: Dial>(
    host: &D,
    target: &Target,
    by: &str,
    reason: &str,
) -> Result<Option<Holder>, Fault> {
    let holder = lock::holder(&asked(host, None, &lock::smash(by, reason)).await?).map_err(not_started)?;
    if let (Some(holder), Some(user)) = (&holder, &target.sudo) {
        asked(host, Some(user), &lock::forget(&holder.run)).await?;
    }
    Ok(holder)
}

/// Says who holds the host's lock.
pub(super) async fn locked<D: Dial>(host: &D) -> Result<Option<Holder>, Fault> {
    lock::holder(&asked(host, None, &lock::see()).await?).map_err(not_started)
}

/// Says what actions have left.
pub(super) async fn receipts<D: Dial>(
    host: &D,
    sudo: Option<&str>,
    run: Option<&RunId>,
) -> Result<Vec<LeftRun>, Fault> {
    left::found(asked(host, sudo, &left::list(run)).await?.as_bytes()).map_err(not_started)
}

/// Gives what an action has written.
pub(super) async fn written<D: Dial>(
    host: &D,
    sudo: Option<&str>,
    run: &RunId,
    step: &StepId,
    attempt: u32,
) -> Result<Written, Fault> {
    let written = told(host, sudo, &left::output(run, step, attempt), WRITTEN).await?;
    Ok(Written { stdout: written.stdout, stderr: written.stderr })
}

/// Removes what a run has left.
pub(super) async fn collect<D: Dial>(host: &D, sudo: Option<&str>, run: &RunId) -> Result<(), Fault> {
    left::removed(&asked(host, sudo, &left::remove(run)).await?).map_err(not_started)
}

/// Leaves stamps in the host's syslog.
pub(super) async fn stamp<D: Dial>(host: &D, stamps: &[Stamp]) -> Result<(), Fault> {
    let lines: String = stamps.iter().map(|stamp| format!("{stamp}\n")).collect();
    let command = Command { stdin: Some(Stdin::Text(MaskedText::plain(lines))), ..Command::shell(stamps::leave()) };
    let answer = heard(host, &command, LOCK).await?.stdout;
    stamps::left(&String::from_utf8_lossy(&answer)).map_err(not_started)
}

/// Says which stamps the host's logs have.
pub(super) async fn stamps<D: Dial>(host: &D, target: &Target, run: Option<&RunId>) -> Result<StampsSeen, Fault> {
    let answer = told(host, target.sudo.as_deref(), &stamps::find(stamps::LOGS, run), LOGS).await?;
    stamps::found(&answer.stdout).map_err(not_started)
}

/// Runs a text of ours that answers in a few words, and gives these. A text that did not come to its end may be run again.
async fn asked<D: Dial>(host: &D, sudo: Option<&str>, text: &str) -> Result<String, Fault> {
    Ok(String::from_utf8_lossy(&told(host, sudo, text, LOCK).await?.stdout).into_owned())
}

async fn told<D: Dial>(host: &D, sudo: Option<&str>, text: &str, time: Period) -> Result<Finished, Fault> {
    heard(host, &Command { sudo: sudo.map(str::to_owned), ..Command::shell(text) }, time).await
}

async fn heard<D: Dial>(host: &D, command: &Command, time: Period) -> Result<Finished, Fault> {
    conduct::look(host, command, Instant::now() + time.get(), time, &CancellationToken::new()).await
}

fn not_started(reason: String) -> Fault {
    Fault::NotStarted { reason }
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
            let errand = Errand::service(nonce, &format!("{}\n{}", receipt::remove(run), lock::sweep()));
            let bootstrap = Bootstrap::new(user.as_deref(), "tidy");
            if let Err(reason) = stop::run(host, &bootstrap, &errand, TIDY).await {
                tracing::debug!(host = %target.name, reason, "receipts were left behind");
            }
        }
    }
}
