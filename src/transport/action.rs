//! An action from before its start to after its end, whatever happens to the connection meanwhile.
//!
//! Apart from `conduct`, which looks: a look that is lost is made again, an action must never be. What keeps it so is on
//! the host (see `receipt`): the same errand sent twice starts once and is followed the second time.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::capability::{Act, Became, Ended, Fault, Finished, Notice};
use super::channel::{Carrier, Priority};
use super::conduct::{HEARD, declined, nonce_or_fault, unsent_cancel};
use super::control::{Group, Loss};
use super::exchange::{Exchange, Progress};
use super::gathered::Gathered;
use super::lease;
use super::receipt::Receipt;
use super::stop::{Stopped, stop};
use super::wrapper::{Bootstrap, Errand};
use crate::vocab::Period;
use crate::vocab::neutral::one_line;

/// A command that runs longer than this is not one that ends at once.
const LONG: Duration = Duration::from_millis(150);
/// How long a connection is tried to be made anew for an action without a timeout.
const REGAIN: Duration = Duration::from_mins(5);
/// The least time for that, however little is left of the action's own.
const REGAIN_LEAST: Duration = Duration::from_secs(15);
/// The pause before the first try to connect again; it doubles.
const PAUSE: Duration = Duration::from_millis(100);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// One action on one host.
pub(super) struct Action<'a, C> {
    carrier: &'a C,
    act: &'a Act,
    receipt: Receipt,
    bootstrap: Bootstrap,
    gathered: Arc<Gathered>,
}

/// How the watch over one wrapper ended.
enum Watched {
    /// By itself.
    Told(Progress),
    /// The action has to be stopped.
    Halt(Ended),
}

/// What is sent.
#[derive(Clone, Copy)]
enum What {
    /// The action, for the first time.
    Act,
    /// The action, again, of which nothing was heard: it is followed if it has started.
    ActOrFollow,
    /// The action was heard to start: it is followed.
    Follow,
    /// The question what became of it; it is withdrawn if nothing is there.
    Ask,
}

impl<'a, C: Carrier> Action<'a, C> {
    pub(super) fn new(carrier: &'a C, act: &'a Act) -> Self {
        let label = format!("{}/{}#{}", act.run, act.step, act.attempt);
        Self {
            carrier,
            act,
            receipt: Receipt::new(&act.run, &act.step, act.attempt),
            bootstrap: Bootstrap::new(act.command.sudo.as_deref(), &label),
            gathered: Arc::new(Gathered::told_to(Arc::clone(&act.output))),
        }
    }

    /// Runs it to its end.
    pub(super) async fn run(self) -> Result<Finished, Fault> {
        let exchange = tokio::select! {
            biased;
            () = self.act.cancel.cancelled() => return Err(unsent_cancel()),
            exchange = self.open(What::Act, Priority::Normal) => exchange?,
        };
        match self.to_end(exchange, What::Act).await? {
            Became::Finished(finished) => Ok(finished),
            Became::NeverStarted => Err(Fault::NotStarted { reason: "it was withdrawn before it started".to_owned() }),
            Became::Gone { why, stdout, stderr } => Err(Fault::Lost { reason: why, stdout, stderr }),
        }
    }

    /// Finds out what became of it, and waits for its end if it runs.
    pub(super) async fn ask(self) -> Result<Became, Fault> {
        let exchange = tokio::select! {
            biased;
            () = self.act.cancel.cancelled() => return Err(Fault::Cancelled),
            exchange = self.open(What::Ask, Priority::Normal) => exchange?,
        };
        self.to_end(exchange, What::Ask).await
    }

    async fn open(&self, what: What, priority: Priority) -> Result<Exchange, Fault> {
        let (command, seen, nonce) = (&self.act.command, self.gathered.seen(), nonce_or_fault()?);
        let guard = if self.act.locked { lease::guard(&self.act.run, self.act.step.as_str()) } else { String::new() };
        let errand = match what {
            What::Act => Errand::act(nonce, command, &self.receipt, &guard),
            What::ActOrFollow => Errand::act_or_follow(nonce, command, &self.receipt, &guard, seen),
            What::Follow => Errand::follow(nonce, &self.receipt, seen),
            What::Ask => Errand::ask(nonce, &self.receipt, self.act.boot.as_deref(), seen),
        };
        let seen = match what {
            What::Act => (0, 0),
            What::ActOrFollow | What::Follow | What::Ask => seen,
        };
        let channel = self.carrier.open(&self.bootstrap, priority).await?;
        Ok(Exchange::new(channel, &errand, Arc::clone(&self.gathered), seen))
    }

    /// Watches until it is known what became of the action, over as many connections as that takes.
    async fn to_end(&self, mut exchange: Exchange, what: What) -> Result<Became, Fault> {
        let (mut what, mut since, mut unsent) = (what, None, false);
        loop {
            let told = match self.watch(&mut exchange, what, &mut since).await {
                Watched::Told(told) => told,
                Watched::Halt(why) => return self.halt(exchange, what, why).await,
            };
            let started = exchange.group.is_some() || matches!(what, What::Follow);
            match (told, what) {
                (Progress::Exited(status), _) => return Ok(Became::Finished(exchange.finished(Ended::Exited(status)))),
                (Progress::Lost(loss), _) => return Ok(self.loss(loss)),
                // what was sent before may run all the same: only a wrapper that made its mark, and then found that the
                // run has lost its lock, speaks for all of them
                (Progress::Refused(reason), What::ActOrFollow | What::Follow) if !lease::is_refusal(&reason) => {
                    return Err(self.lost(format!("the connection was lost, and then: {}", one_line(&reason))));
                }
                (Progress::Refused(reason), _) => {
                    return Err(Fault::NotStarted { reason: one_line(&lease::told(&reason)) });
                }
                // a host that takes no logins for a moment, as one that comes up, says nothing of what was sent before
                (Progress::Declined(_), What::ActOrFollow | What::Follow) => {}
                (Progress::Declined(reason), _) => return Err(declined(reason)),
                // nothing was sent: as good as a first try, once
                (Progress::Unsent, What::Act) if !unsent => {
                    unsent = true;
                    exchange = self.open(what, Priority::Normal).await?;
                    continue;
                }
                (Progress::Unsent, What::Act) => {
                    let reason = "the connection broke before the command was sent".to_owned();
                    return Err(Fault::Unreachable { reason, hint: None });
                }
                (Progress::Unsent | Progress::Started | Progress::Broken, _) => {}
            }
            let reason = if started { "it was running" } else { "it may have started" };
            if since.is_none() {
                (self.act.notices)(Notice::Lost { reason: reason.to_owned(), started });
            }
            let since = *since.get_or_insert_with(Instant::now);
            what = match what {
                What::Act | What::ActOrFollow if !started => What::ActOrFollow,
                What::Act | What::ActOrFollow | What::Follow => What::Follow,
                What::Ask => What::Ask,
            };
            exchange = self.regain(what, since, exchange.started, reason).await?;
        }
    }

    /// Watches one wrapper. Once what it tells of has run for a moment, something is done beside it.
    async fn watch(&self, exchange: &mut Exchange, what: What, lost: &mut Option<Instant>) -> Watched {
        let beside = self.beside(what);
        tokio::pin!(beside);
        let (mut heard, mut done) = (exchange.group.as_ref().map(|_| Instant::now()), false);
        loop {
            let deadline = exchange.started.zip(self.act.timeout).map(|(start, time)| start + time.get());
            let long = heard.map(|heard| heard + LONG);
            tokio::select! {
                biased;
                progress = exchange.advance() => match progress {
                    Progress::Started => {
                        heard = Some(Instant::now());
                        if let Some(since) = lost.take() {
                            (self.act.notices)(Notice::Regained { after: Period::new(since.elapsed()) });
                        }
                    }
                    told => return Watched::Told(told),
                },
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    return Watched::Halt(Ended::TimedOut);
                }
                () = self.act.cancel.cancelled() => return Watched::Halt(Ended::Cancelled),
                () = async { sleep_until(long.unwrap_or_else(Instant::now)).await; (&mut beside).await },
                    if long.is_some() && !done => done = true,
            }
        }
    }

    /// What is done while a command runs. An action is followed by a session of its own, if the host has one to spare, so
    /// that its output is seen as it comes; what that one tells is never the last word. Whoever asked learns that it runs.
    async fn beside(&self, what: What) {
        match what {
            What::Act | What::ActOrFollow => {
                let Ok(mut exchange) = self.open(What::Follow, Priority::Spare).await else { return };
                while exchange.advance().await == Progress::Started {}
            }
            What::Ask => (self.act.notices)(Notice::Runs),
            What::Follow => {}
        }
    }

    /// Connects anew, until the action's time is up.
    async fn regain(
        &self,
        what: What,
        since: Instant,
        started: Option<Instant>,
        reason: &str,
    ) -> Result<Exchange, Fault> {
        let limit = match (started, self.act.timeout) {
            (Some(started), Some(time)) => (started + time.get()).max(since + REGAIN_LEAST),
            (None, Some(time)) => since + time.get().max(REGAIN_LEAST),
            (_, None) => since + REGAIN,
        };
        // longer where it was there for a moment and took no login
        let mut pause = (since.elapsed() / 8).clamp(PAUSE, LONGEST_PAUSE);
        loop {
            let again = async {
                sleep(pause).await;
                self.open(what, Priority::Normal).await
            };
            let tried = tokio::select! {
                biased;
                () = self.act.cancel.cancelled() => None,
                () = sleep_until(limit) => None,
                opened = again => Some(opened),
            };
            pause = (pause * 2).min(LONGEST_PAUSE);
            match tried {
                Some(Ok(exchange)) => return Ok(exchange),
                Some(Err(fault)) => tracing::debug!(%fault, "the connection is not there again yet"),
                None => {
                    let over =
                        if self.act.cancel.is_cancelled() { "the operator stopped" } else { "not again in time" };
                    return Err(self
                        .lost(format!("the connection was lost ({reason}), and the host could not be asked: {over}")));
                }
            }
        }
    }

    /// Stops it, reading on meanwhile.
    async fn halt(&self, mut exchange: Exchange, what: What, why: Ended) -> Result<Became, Fault> {
        if !exchange.was_sent() && matches!(what, What::Act) {
            return Err(unsent_cancel());
        }
        if exchange.group.is_none() {
            // it was sent and not heard of yet: what cannot be named cannot be stopped
            let heard = timeout(HEARD, exchange.advance()).await;
            if !matches!(heard, Ok(Progress::Started)) {
                // a question settles it: it says who runs, or that nothing ever will
                match timeout(HEARD, self.asked()).await {
                    Ok(Ok((asked, Progress::Started))) => exchange = asked,
                    Ok(Ok((asked, Progress::Exited(status)))) => {
                        return Ok(Became::Finished(asked.finished(Ended::Exited(status))));
                    }
                    Ok(Ok((_, Progress::Lost(loss)))) => return Ok(self.loss(loss)),
                    Ok(_) | Err(_) => {
                        let reason = "it was sent, and the host has not said whether it started";
                        return Err(self.not_stopped(reason.to_owned()));
                    }
                }
            }
        }
        let group = exchange.group.clone().unwrap_or(Group { id: u32::MAX });
        let mut end = None;
        let stopped = {
            let sudo = self.act.command.sudo.as_deref();
            let stopping = stop(self.carrier, sudo, &group, self.act.grace.get(), Some(&self.receipt));
            tokio::pin!(stopping);
            loop {
                tokio::select! {
                    stopped = &mut stopping => break stopped,
                    progress = exchange.advance(), if end.is_none() => if progress != Progress::Started { end = Some(progress) },
                }
            }
        };
        match (stopped, &end) {
            (Ok(Stopped::Alive), _) => {
                let reason = "something of its process group is still there after KILL: another user's process?";
                return Err(self.not_stopped(reason.to_owned()));
            }
            (Ok(Stopped::Gone), Some(Progress::Exited(_))) => {}
            // the wrapper was killed with it, or cannot tell any more: the receipt has the rest of the output
            (Ok(Stopped::Gone), _) => {
                let _ = timeout(HEARD, async {
                    if let Ok((mut asked, _)) = self.asked().await {
                        while asked.advance().await == Progress::Started {}
                    }
                })
                .await;
            }
            // it ended by itself while the way to stop it was closed
            (Err(_), Some(Progress::Exited(status))) => {
                return Ok(Became::Finished(exchange.finished(Ended::Exited(*status))));
            }
            (Err(reason), _) => return Err(self.not_stopped(reason.clone())),
        }
        Ok(Became::Finished(exchange.finished(why)))
    }

    /// Asks the host, up to the first that it says.
    async fn asked(&self) -> Result<(Exchange, Progress), Fault> {
        let mut exchange = self.open(What::Ask, Priority::Urgent).await?;
        let progress = exchange.advance().await;
        Ok((exchange, progress))
    }

    fn loss(&self, loss: Loss) -> Became {
        let why = match loss {
            Loss::Never => return Became::NeverStarted,
            Loss::Gone => "it ended, and nobody is left who could say how: its wrapper was killed",
            Loss::Missing => "its receipt is not there any more: it had started, and may still run",
            Loss::Rebooted => "its host was booted in the middle of it",
        };
        let written = self.gathered.take();
        Became::Gone { why: why.to_owned(), stdout: written.stdout, stderr: written.stderr }
    }

    fn lost(&self, reason: String) -> Fault {
        let written = self.gathered.take();
        Fault::Lost { reason, stdout: written.stdout, stderr: written.stderr }
    }

    fn not_stopped(&self, reason: String) -> Fault {
        let written = self.gathered.take();
        Fault::NotStopped { reason, stdout: written.stdout, stderr: written.stderr }
    }
}
