//! Conducting a command from before its start to after its end, on whatever carries it: time, cancelling, stopping,
//! and what is made of a lost connection.
//!
//! Apart from the carriers so that a command means the same over ssh and on this machine.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::capability::{Act, Ended, Fault, Finished};
use super::channel::Carrier;
use super::exchange::{DRAIN, Exchange, Progress};
use super::nonce;
use super::receipt::Receipt;
use super::stop::stop;
use super::wrapper::{Bootstrap, Errand};
use crate::vocab::command::Stdin;
use crate::vocab::neutral::one_line;
use crate::vocab::{Command, Period};

/// How long a command that was sent may take to be heard of before it counts as not to be stopped.
const HEARD: Duration = Duration::from_secs(5);
/// What TERM is given before KILL when a look is stopped.
const LOOK_GRACE: Duration = Duration::from_secs(1);
/// How long a look that is over waits for what it started to be stopped; the stopping goes on by itself.
const LOOK_STOP: Duration = Duration::from_millis(500);

/// Runs an action to its end.
pub(super) async fn act<C: Carrier>(carrier: &C, act: &Act) -> Result<Finished, Fault> {
    let command = &act.command;
    let receipt = Receipt::new(&act.run, &act.step, act.attempt);
    let bootstrap = Bootstrap::new(command.sudo.as_deref(), &format!("{}/{}#{}", act.run, act.step, act.attempt));
    let mut again = true;
    loop {
        let errand = errand(command, Some(&receipt))?;
        let channel = tokio::select! {
            biased;
            () = act.cancel.cancelled() => return Err(unsent_cancel()),
            channel = carrier.open(&bootstrap, false) => channel?,
        };
        let stdin = command.stdin.as_ref().map(Stdin::bytes).unwrap_or_default();
        let mut exchange =
            Exchange::new(channel, &errand.nonce, errand.line(command.stdin.is_none()), stdin, Some(&act.output));
        let why = loop {
            let deadline = exchange.started.zip(act.timeout).map(|(start, time)| start + time.get());
            tokio::select! {
                biased;
                progress = exchange.advance() => match progress {
                    Progress::Started => {}
                    Progress::Unsent if again => break None,
                    end => return conclude(exchange, end),
                },
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => break Some(Ended::TimedOut),
                () = act.cancel.cancelled() => break Some(Ended::Cancelled),
            }
        };
        match why {
            Some(why) => return halt(carrier, act, exchange, &receipt, why).await,
            None => again = false,
        }
    }
}

/// Stops an action, reading on meanwhile.
async fn halt<C: Carrier>(
    carrier: &C,
    act: &Act,
    mut exchange: Exchange<'_>,
    receipt: &Receipt,
    why: Ended,
) -> Result<Finished, Fault> {
    if !exchange.was_sent() {
        return Err(unsent_cancel());
    }
    if exchange.group.is_none() {
        // it was sent and not heard of yet: what cannot be named cannot be stopped
        match timeout(HEARD, exchange.advance()).await {
            Ok(Progress::Started) => {}
            Ok(end) => return conclude(exchange, end),
            Err(_) => {
                let reason = "it was sent, and the host has not said whether it started".to_owned();
                return Err(Fault::NotStopped { reason, stdout: exchange.stdout, stderr: exchange.stderr });
            }
        }
    }
    let group = exchange.group.clone().unwrap_or(super::control::Group { id: u32::MAX });
    let mut end = None;
    let stopped = {
        let stopping = stop(carrier, act.command.sudo.as_deref(), &group, act.grace.get(), Some(receipt));
        tokio::pin!(stopping);
        loop {
            tokio::select! {
                stopped = &mut stopping => break stopped,
                progress = exchange.advance(), if end.is_none() => if progress != Progress::Started { end = Some(progress) },
            }
        }
    };
    match (stopped, end) {
        (Ok(()), Some(_)) => {}
        (Ok(()), None) => {
            // a daemon may hold the output open
            let rest = async { while exchange.advance().await == Progress::Started {} };
            if timeout(DRAIN, rest).await.is_err() {
                exchange.cut = true;
            }
        }
        // it ended by itself while the way to stop it was closed
        (Err(_), Some(end @ Progress::Exited(_))) => return conclude(exchange, end),
        (Err(reason), _) => {
            return Err(Fault::NotStopped { reason, stdout: exchange.stdout, stderr: exchange.stderr });
        }
    }
    Ok(finished(exchange, why))
}

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
        let errand = errand(command, None)?;
        let channel = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Fault::Cancelled),
            () = sleep_until(until) => return Err(Fault::TimedOut { after }),
            channel = carrier.open(&bootstrap, false) => channel?,
        };
        let stdin = command.stdin.as_ref().map(Stdin::bytes).unwrap_or_default();
        let mut exchange = Exchange::new(channel, &errand.nonce, errand.line(command.stdin.is_none()), stdin, None);
        let fault = loop {
            tokio::select! {
                biased;
                progress = exchange.advance() => match progress {
                    Progress::Started => {}
                    Progress::Unsent if again => break None,
                    end => return conclude(exchange, end),
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
async fn abandon<C: Carrier>(carrier: C, sudo: Option<String>, mut exchange: Exchange<'static>) {
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

fn errand(command: &Command, receipt: Option<&Receipt>) -> Result<Errand, Fault> {
    let nonce = nonce().map_err(|reason| Fault::NotStarted { reason })?;
    Ok(Errand::command(nonce, command, receipt))
}

fn unsent_cancel() -> Fault {
    Fault::NotStarted { reason: "interrupted before it was sent".to_owned() }
}

/// What an end by itself means.
fn conclude(exchange: Exchange<'_>, end: Progress) -> Result<Finished, Fault> {
    match end {
        Progress::Exited(status) => Ok(finished(exchange, Ended::Exited(status))),
        Progress::Refused(reason) => Err(Fault::NotStarted { reason: one_line(&reason) }),
        Progress::Declined(reason) => Err(Fault::NotStarted { reason: one_line(&with_way_out(reason)) }),
        Progress::Unsent => {
            let reason = "the connection broke before the command was sent".to_owned();
            Err(Fault::Unreachable { reason, hint: None })
        }
        Progress::Started | Progress::Broken => Err(lost(exchange)),
    }
}

/// A command that was sent and whose end did not arrive.
///
/// This is the one place that decides what is made of it: whoever wants to ask the host for the receipt, and to attach
/// to the command again, does it here.
fn lost(exchange: Exchange<'_>) -> Fault {
    let reason = if exchange.group.is_some() { "it was running" } else { "it may have started" };
    Fault::Lost { reason: reason.to_owned(), stdout: exchange.stdout, stderr: exchange.stderr }
}

fn finished(exchange: Exchange<'_>, ended: Ended) -> Finished {
    let start = exchange.started.unwrap_or_else(Instant::now);
    let end = exchange.ended.unwrap_or_else(Instant::now);
    Finished {
        ended,
        took: Period::new(end.saturating_duration_since(start)),
        output_cut: exchange.cut,
        stdout: exchange.stdout,
        stderr: exchange.stderr,
    }
}

/// Adds what can be done about it, where that is known.
fn with_way_out(reason: String) -> String {
    if reason.contains("sudo:") && (reason.contains("password") || reason.contains("askpass")) {
        return format!("{reason} (allow it without one on the host: a line `… NOPASSWD: ALL` in sudoers)");
    }
    reason
}
