//! Conducting a look from before its start to after its end, on whatever carries it: time, cancelling, stopping.
//!
//! Apart from the carriers so that a command means the same over ssh and on this machine; `action` does the same for what
//! changes something.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::capability::{Ended, Fault, Finished};
use super::channel::{Carrier, Priority};
use super::exchange::{Exchange, Progress};
use super::nonce;
use super::stop::stop;
use super::wrapper::{Bootstrap, Errand};
use crate::vocab::neutral::one_line;
use crate::vocab::{Command, Period};

/// How long a command that was sent may take to be heard of before it counts as not to be stopped.
pub(super) const HEARD: Duration = Duration::from_secs(5);
/// What TERM is given before KILL when a look is stopped.
const LOOK_GRACE: Duration = Duration::from_secs(1);
/// How long a look that is over waits for what it started to be stopped; the stopping goes on by itself.
const LOOK_STOP: Duration = Duration::from_millis(500);

/// Runs a probe's command to its end, or to `until`.
pub(super) async fn look<C: Carrier>(
    carrier: &C,
    command: &Command,
    until: Instant,
    after: Period,
    cancel: &CancellationToken,
) -> Result<Finished, Fault> {
    let bootstrap = Bootstrap::new(command.sudo.as_deref(), "probe");
    let mut again = true;
    loop {
        let errand = Errand::look(nonce_or_fault()?, command);
        let channel = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Fault::Cancelled),
            () = sleep_until(until) => return Err(Fault::TimedOut { after }),
            channel = carrier.open(&bootstrap, Priority::Normal) => channel?,
        };
        let mut exchange = Exchange::new(channel, &errand, Arc::default(), (0, 0));
        let fault = loop {
            tokio::select! {
                biased;
                progress = exchange.advance() => match progress {
                    Progress::Started => {}
                    Progress::Unsent if again => break None,
                    end => return conclude(&exchange, end),
                },
                () = cancel.cancelled() => break Some(Fault::Cancelled),
                () = sleep_until(until) => break Some(Fault::TimedOut { after }),
            }
        };
        if let Some(fault) = fault {
            let stopping = tokio::spawn(abandon(carrier.clone(), command.sudo.clone(), exchange));
            let _ = timeout(LOOK_STOP, stopping).await;
            return Err(fault);
        }
        again = false;
    }
}

/// Stops what a look has started, as far as can be.
async fn abandon<C: Carrier>(carrier: C, sudo: Option<String>, mut exchange: Exchange) {
    if !exchange.was_sent() {
        return;
    }
    if exchange.group.is_none() && timeout(HEARD, exchange.advance()).await != Ok(Progress::Started) {
        return;
    }
    if let Some(group) = exchange.group.clone()
        && let Err(reason) = stop(&carrier, sudo.as_deref(), &group, LOOK_GRACE, None).await
    {
        tracing::warn!(reason, "a probe that took too long could not be stopped");
    }
}

pub(super) fn nonce_or_fault() -> Result<String, Fault> {
    nonce().map_err(|reason| Fault::NotStarted { reason })
}

pub(super) fn unsent_cancel() -> Fault {
    Fault::NotStarted { reason: "interrupted before it was sent".to_owned() }
}

/// What an end by itself means.
fn conclude(exchange: &Exchange, end: Progress) -> Result<Finished, Fault> {
    match end {
        Progress::Exited(status) => Ok(exchange.finished(Ended::Exited(status))),
        Progress::Refused(reason) => Err(Fault::NotStarted { reason: one_line(&reason) }),
        Progress::Declined(reason) => Err(declined(reason)),
        Progress::Unsent => {
            let reason = "the connection broke before the command was sent".to_owned();
            Err(Fault::Unreachable { reason, hint: None })
        }
        Progress::Started | Progress::Broken | Progress::Lost(_) => {
            let reason = if exchange.group.is_some() { "it was running" } else { "it may have started" };
            let reason = format!("the connection was lost ({reason})");
            let written = exchange.gathered.take();
            Err(Fault::Lost { reason, stdout: written.stdout, stderr: written.stderr })
        }
    }
}

/// The host's answer was an end without a start.
pub(super) fn declined(reason: String) -> Fault {
    Fault::NotStarted { reason: one_line(&with_way_out(reason)) }
}

/// Adds what can be done about it, where that is known.
fn with_way_out(reason: String) -> String {
    if reason.contains("sudo:") && (reason.contains("password") || reason.contains("askpass")) {
        return format!("{reason} (allow it without one on the host: a line `… NOPASSWD: ALL` in sudoers)");
    }
    reason
}
