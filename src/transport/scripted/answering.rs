//! The capabilities of a scripted fleet.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::super::capability::{
    Act, Became, Claim, Ended, Fault, Finished, HttpReply, Inspect, Lock, Look, Operate, Pending, Probe, Seen, Sending,
    Stream,
};
use super::super::left::{Fate, LeftRun, Written};
use super::answer::After;
use super::receipts::{Receipt, ended};
use super::{Call, Kind, Scripted};
use crate::model::Target;
use crate::vocab::{Holder, Period, RunId, Stamp, StampsSeen, StepId};

/// How waiting for an answer came to its end.
enum Waited {
    Whole,
    TimeUp,
    Cancelled,
}

async fn wait(delay: Duration, time: Option<Period>, cancel: &CancellationToken) -> Waited {
    let time = time.map(Period::get).filter(|&time| time < delay);
    tokio::select! {
        biased;
        () = cancel.cancelled() => Waited::Cancelled,
        () = sleep(time.unwrap_or(delay)) => if time.is_some() { Waited::TimeUp } else { Waited::Whole },
    }
}

fn unscripted(call: &Call) -> Fault {
    Fault::NotStarted { reason: format!("the script has no answer for `{call}`") }
}

fn misfit(call: &Call) -> Fault {
    Fault::NotStarted { reason: format!("the script's answer for `{call}` is of another kind") }
}

impl Scripted {
    fn reachable(&self, target: &Target) -> Result<(), Fault> {
        let down = self.script().down.iter().find(|(host, _)| *host == target.name).map(|(_, reason)| reason.clone());
        if let Some(reason) = down {
            return Err(Fault::Unreachable { reason, hint: None });
        }
        match self.script().of_the_host(&target.name).map(|answer| answer.result) {
            Some(Err(fault)) => Err(fault),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    /// What becomes of a started action; its time and the operator's wish end it.
    async fn wait_for(&self, receipt: Receipt, act: &Act) -> Became {
        let gone = |why: &str| Became::Gone { why: why.to_owned(), stdout: Vec::new(), stderr: Vec::new() };
        let (mut told, stop) = match receipt {
            Receipt::Started(told, stop) => (told, stop),
            Receipt::Withdrawn => return Became::NeverStarted,
            Receipt::Gone => return gone("it ended, and nobody is left who could say how"),
        };
        let time = async {
            match act.timeout {
                Some(time) => sleep(time.get()).await,
                None => std::future::pending().await,
            }
        };
        let ended = tokio::select! {
            biased;
            () = act.cancel.cancelled() => Some(Ended::Cancelled),
            ended = ended(&mut told) => return Self::ended_so(ended, act),
            () = time => Some(Ended::TimedOut),
        };
        stop.send_replace(ended);
        Self::ended_so(self::ended(&mut told).await, act)
    }

    fn ended_so(finished: Option<Finished>, act: &Act) -> Became {
        let Some(done) = finished else {
            return Became::Gone { why: "its host is gone".to_owned(), stdout: Vec::new(), stderr: Vec::new() };
        };
        if !done.stdout.is_empty() {
            (act.output)(Stream::Stdout, &done.stdout);
        }
        if !done.stderr.is_empty() {
            (act.output)(Stream::Stderr, &done.stderr);
        }
        Became::Finished(done)
    }

    /// A call about a lock: a rule for it can only make it late or fail.
    async fn heard(&self, target: &Target, kind: Kind, text: &str) -> Result<(), Fault> {
        self.reachable(target)?;
        let (_, answer) = self.hear(target, kind, None, text.to_owned());
        let Some(answer) = answer else { return Ok(()) };
        sleep(answer.delay).await;
        answer.result.map(drop)
    }
}

impl Inspect for Scripted {
    fn look<'a>(&'a self, target: &'a Target, look: Look) -> Pending<'a, Result<Seen, Fault>> {
        Box::pin(async move {
            let text = match &look.probe {
                Probe::Run(command) => command.shown(),
                Probe::Tcp(talk) => talk.shown(),
                Probe::Http(request) => request.shown(),
            };
            self.reachable(target)?;
            let call = Call { name: Some(look.name), ..Call::new(target, Kind::Look, None, text) };
            let (call, answer) = self.hear_call(call);
            let answer = answer.ok_or_else(|| unscripted(&call))?;
            if answer.after == After::Died {
                return self.dies().await;
            }
            match wait(answer.delay, Some(look.timeout), &look.cancel).await {
                Waited::Cancelled => return Err(Fault::Cancelled),
                Waited::TimeUp => return Err(Fault::TimedOut { after: look.timeout }),
                Waited::Whole => {}
            }
            match (&look.probe, answer.result) {
                (Probe::Run(_), Ok(Seen::Command(done))) => {
                    Ok(Seen::Command(Finished { took: Period::new(answer.delay), ..done }))
                }
                (Probe::Tcp(_), Ok(seen @ Seen::Tcp(_))) | (Probe::Http(_), Ok(seen @ Seen::Http(_))) => Ok(seen),
                (Probe::Run(_) | Probe::Tcp(_) | Probe::Http(_), Ok(_)) => Err(misfit(&call)),
                (_, Err(fault)) => Err(fault),
            }
        })
    }

    fn ping<'a>(&'a self, target: &'a Target, timeout: Period) -> Pending<'a, Result<Period, Fault>> {
        Box::pin(async move {
            self.reachable(target)?;
            // a host that no rule for `ping` speaks of is there
            let (_, answer) = self.hear(target, Kind::Ping, None, "ping".to_owned());
            let Some(answer) = answer else { return Ok(Period::ZERO) };
            match wait(answer.delay, Some(timeout), &CancellationToken::new()).await {
                Waited::TimeUp | Waited::Cancelled => Err(Fault::TimedOut { after: timeout }),
                Waited::Whole => answer.result.map(|_| Period::new(answer.delay)),
            }
        })
    }

    fn locked<'a>(&'a self, target: &'a Target) -> Pending<'a, Result<Option<Holder>, Fault>> {
        Box::pin(async move {
            self.heard(target, Kind::Unlock, "locked").await?;
            Ok(self.script().holder(&target.name))
        })
    }
    fn receipts<'a>(
        &'a self,
        target: &'a Target,
        sudo: Option<&'a str>,
        run: Option<&'a RunId>,
    ) -> Pending<'a, Result<Vec<LeftRun>, Fault>> {
        Box::pin(async move {
            self.script().calls.push(Call::new(target, Kind::Receipts, None, "receipts".to_owned()));
            self.reachable(target)?;
            Ok(self.left(target, sudo, run))
        })
    }

    fn written<'a>(
        &'a self,
        target: &'a Target,
        _sudo: Option<&'a str>,
        run: &'a RunId,
        step: &'a StepId,
        attempt: u32,
    ) -> Pending<'a, Result<Written, Fault>> {
        Box::pin(async move {
            self.script().calls.push(Call::new(target, Kind::Receipts, None, "written".to_owned()));
            self.reachable(target)?;
            Ok(self.written_by(target, run, step, attempt))
        })
    }

    fn stamps<'a>(&'a self, target: &'a Target, run: Option<&'a RunId>) -> Pending<'a, Result<StampsSeen, Fault>> {
        Box::pin(std::future::ready(self.stamps_seen(target, run)))
    }
}

impl Operate for Scripted {
    fn act<'a>(&'a self, target: &'a Target, act: Act) -> Pending<'a, Result<Finished, Fault>> {
        Box::pin(async move {
            if act.cancel.is_cancelled() {
                return Err(Fault::NotStarted { reason: "interrupted before it was sent".to_owned() });
            }
            self.reachable(target)?;
            let other = self.script().holder(&target.name).filter(|holder| holder.run != act.run);
            if let Some(holder) = other {
                // the script's answers are for those that come to their host's shell
                self.script().calls.push(Call::new(target, Kind::Act, Some(&act), act.command.shown()));
                let reason = format!("this run does not hold the lock of the host: {}", holder.words());
                return Err(Fault::NotStarted { reason });
            }
            let (call, answer) = self.hear(target, Kind::Act, Some(&act), act.command.shown());
            let answer = answer.ok_or_else(|| unscripted(&call))?;
            match &answer.result {
                Ok(Seen::Command(_)) | Err(Fault::Lost { .. } | Fault::NotStopped { .. }) => {}
                Ok(Seen::Tcp(_) | Seen::Http(_)) => return Err(misfit(&call)),
                // it never starts
                Err(fault) => {
                    sleep(answer.delay).await;
                    return Err(fault.clone());
                }
            }
            let (receipt, mut told) = self.start(target, &act, call, &answer)?;
            if answer.after == After::Died {
                return self.dies().await;
            }
            if answer.after != After::Heard || answer.result.is_err() {
                ended(&mut told).await;
                let lost = Fault::Lost { reason: "it was running".to_owned(), stdout: Vec::new(), stderr: Vec::new() };
                return Err(answer.result.err().unwrap_or(lost));
            }
            match self.wait_for(receipt, &act).await {
                Became::Finished(finished) => Ok(finished),
                Became::NeverStarted => Err(Fault::NotStarted { reason: "it was withdrawn".to_owned() }),
                Became::Gone { why, stdout, stderr } => Err(Fault::Lost { reason: why, stdout, stderr }),
            }
        })
    }

    fn ask<'a>(&'a self, target: &'a Target, act: Act) -> Pending<'a, Result<Became, Fault>> {
        Box::pin(async move {
            let name = format!("{}#{}", act.step, act.attempt);
            // no rule answers: the host's own receipts do
            let asked = Call::new(target, Kind::Ask, Some(&act), name);
            self.script().calls.push(asked);
            self.reachable(target)?;
            let receipt = self.receipt(target, &act);
            Ok(self.wait_for(receipt, &act).await)
        })
    }

    fn send<'a>(&'a self, target: &'a Target, sending: Sending) -> Pending<'a, Result<HttpReply, Fault>> {
        Box::pin(async move {
            self.reachable(target)?;
            let call = Call::new(target, Kind::Send, None, sending.request.shown());
            let (call, answer) = self.hear_call(Call { step: Some(sending.step), ..call });
            let answer = answer.ok_or_else(|| unscripted(&call))?;
            if matches!(answer.result, Ok(Seen::Http(_)) | Err(Fault::Lost { .. })) {
                self.script().sent.push(call.clone());
            }
            if answer.after == After::Died {
                self.effect(call);
                return self.dies().await;
            }
            let lost = |reason: &str| Fault::Lost { reason: reason.to_owned(), stdout: Vec::new(), stderr: Vec::new() };
            match wait(answer.delay, Some(sending.timeout), &sending.cancel).await {
                Waited::Cancelled => return Err(lost("interrupted while waiting for the answer")),
                Waited::TimeUp => return Err(lost("no answer in time")),
                Waited::Whole => {}
            }
            match answer.result {
                Ok(Seen::Http(reply)) => {
                    self.effect(call);
                    Ok(reply)
                }
                Ok(Seen::Command(_) | Seen::Tcp(_)) => Err(misfit(&call)),
                Err(fault @ Fault::Lost { .. }) => {
                    self.effect(call);
                    Err(fault)
                }
                Err(fault) => Err(fault),
            }
        })
    }

    fn lock<'a>(&'a self, target: &'a Target, claim: &'a Claim) -> Pending<'a, Result<Lock, Fault>> {
        Box::pin(async move {
            self.heard(target, Kind::Lock, if claim.renewal { "renew" } else { "lock" }).await?;
            Ok(self.script().lock(&target.name, claim))
        })
    }

    fn unlock<'a>(&'a self, target: &'a Target, run: &'a RunId) -> Pending<'a, Result<(), Fault>> {
        Box::pin(async move {
            self.heard(target, Kind::Unlock, "unlock").await?;
            self.script().unlock(&target.name, run);
            Ok(())
        })
    }

    fn break_lock<'a>(
        &'a self,
        target: &'a Target,
        by: &'a str,
        reason: &'a str,
    ) -> Pending<'a, Result<Option<Holder>, Fault>> {
        Box::pin(async move {
            self.heard(target, Kind::Unlock, "break").await?;
            Ok(self.script().break_lock(&target.name, by, reason))
        })
    }

    fn collect<'a>(
        &'a self,
        target: &'a Target,
        sudo: Option<&'a str>,
        run: &'a RunId,
    ) -> Pending<'a, Result<(), Fault>> {
        Box::pin(async move {
            self.script().calls.push(Call::new(target, Kind::Tidy, None, run.to_string()));
            self.reachable(target)?;
            let runs = self.left(target, sudo, Some(run));
            if runs.iter().flat_map(|left| &left.receipts).any(|left| matches!(left.fate, Fate::Running { .. })) {
                let reason = "a command of the run still runs there".to_owned();
                return Err(Fault::NotStarted { reason });
            }
            self.forget(target, run);
            Ok(())
        })
    }

    fn stamp<'a>(&'a self, target: &'a Target, stamps: &'a [Stamp]) -> Pending<'a, Result<(), Fault>> {
        Box::pin(self.keep_stamps(target, stamps))
    }

    fn tidy<'a>(&'a self, target: &'a Target, run: &'a RunId) -> Pending<'a, ()> {
        Box::pin(async move {
            let _ = self.hear(target, Kind::Tidy, None, run.to_string());
            self.forget(target, run);
        })
    }
}
