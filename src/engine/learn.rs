//! Learning what became of an action that was sent before: the host is asked, and what it says is written down.
//!
//! Apart from `attempt`, which sends: here nothing is ever started.

use super::attempt::{ended, finished_try};
use super::perform::{Flow, Stage};
use crate::event::{Event, FailureKind, Found, Outcome, Output, Sent};
use crate::model::Action;
use crate::model::deed::ready_command;
use crate::plan::{Leaf, LeafKind, Unit};
use crate::transport::{Act, Became, Fault};
use crate::vocab::{Command, StepHost, StepId};

/// What a host's silence means about an action that was heard to start.
const VANISHED: &str = "it had started, and its receipt is not there any more: it may still run";

/// What was learned.
pub(super) enum Learned {
    /// Its action ended: the step is `acted`, and captured what it should.
    Acted,
    /// It never started, and never will.
    NeverStarted,
    /// How it ended, nobody knows; nothing of it runs.
    Doubt(String),
    /// The host could not be asked: it may run.
    Unasked(String),
}

impl Stage<'_> {
    /// Finds out what became of the last try of a leaf's action; waits for its end if it runs, and writes that down as
    /// the step's own.
    pub(super) async fn learn(&self, unit: &Unit, leaf: &Leaf, at: &StepHost) -> Flow<Learned> {
        let sent = self.crew.recorder.state(|state| state.sent.get(at).cloned()).await;
        let (Some(sent), LeafKind::Action(Action::Command(_) | Action::Copy { .. })) = (sent, &leaf.kind) else {
            return Ok(Learned::Doubt("its outcome was not written, and no host keeps a receipt of it".to_owned()));
        };
        Ok(match self.read_receipt(unit, leaf, at, &sent).await? {
            Ok(Became::Finished(finished)) => {
                self.acted(leaf, at, sent.attempt, finished_try(&finished)).await?;
                Learned::Acted
            }
            Ok(Became::NeverStarted) => Learned::NeverStarted,
            // what had started may run on without its receipt
            Ok(Became::Gone { why, .. }) if why == VANISHED => Learned::Unasked(why),
            Ok(Became::Gone { why, .. }) => Learned::Doubt(why),
            Err(why) => Learned::Unasked(why),
        })
    }

    /// Makes sure that an earlier try does not run, before another one is sent: a person, or the runbook's word, settled
    /// it without the host having been asked. `Some`: it cannot be made sure of.
    pub(super) async fn nothing_runs(&self, unit: &Unit, leaf: &Leaf, at: &StepHost) -> Flow<Option<Outcome>> {
        let sent = self.crew.recorder.state(|state| state.sent.get(at).cloned()).await;
        let Some(sent) = sent.filter(|sent| !sent.learned) else { return Ok(None) };
        // what it did is settled already: that it is over is enough
        Ok(self.read_receipt(unit, leaf, at, &sent).await?.err().map(|why| Outcome::Failed {
            kind: FailureKind::Unreachable,
            why: format!("an earlier try may still run: {why}"),
        }))
    }

    /// Asks the host what became of what was sent, waits for its end if it runs, and writes down what it says.
    async fn read_receipt(&self, unit: &Unit, leaf: &Leaf, at: &StepHost, sent: &Sent) -> Flow<Result<Became, String>> {
        let timeout = match leaf.timeout().map(|timeout| async { timeout.period(&self.scope_of(unit, at).await) }) {
            Some(timeout) => timeout.await.ok(),
            None => None,
        };
        let now = self.crew.recorder.state(|state| state.locked.get(&at.host).cloned()).await;
        if let (None, Some(then), Some(now)) = (&sent.user, &sent.locked, now)
            && then.login != now.login
        {
            let why = format!("it was sent as {}, and this login is {}", then.login, now.login);
            self.record(Event::ReceiptRead {
                at: at.clone(),
                attempt: sent.attempt,
                found: Found::Unasked { why: why.clone() },
            })
            .await?;
            return Ok(Err(why));
        }
        // what it was does not matter any more, only as whom it was sent
        let command = Command { sudo: sent.user.clone(), ..Command::shell("") };
        let act = self.act(at, at.step.clone(), sent.attempt, command, timeout).await;
        let boot = sent.locked.as_ref().map(|locked| locked.boot.clone());
        let became = self
            .minding(at, sent.attempt, |notices| {
                self.crew.fleet.ask(self.target(&at.host), Act { notices, boot, ..act })
            })
            .await?;
        let became = match became {
            Ok(Became::NeverStarted) if sent.heard => {
                Ok(Became::Gone { why: VANISHED.to_owned(), stdout: Vec::new(), stderr: Vec::new() })
            }
            became => became,
        };
        let (found, became) = match became {
            Ok(became @ Became::Finished(_)) => (Found::Finished, Ok(became)),
            Ok(Became::NeverStarted) => (Found::NeverStarted, Ok(Became::NeverStarted)),
            Ok(Became::Gone { why, stdout, stderr }) => {
                (Found::Gone { why: why.clone() }, Ok(Became::Gone { why, stdout, stderr }))
            }
            Err(fault) => {
                let why = unasked(&fault);
                (Found::Unasked { why: why.clone() }, Err(format!("the host could not be asked: {why}")))
            }
        };
        self.record(Event::ReceiptRead { at: at.clone(), attempt: sent.attempt, found }).await?;
        Ok(became)
    }

    /// Finds out what became of an undo whose end was not written, before anything else is decided about its step.
    pub(super) async fn learn_undo(&self, unit: &Unit, leaf: &Leaf, at: &StepHost) -> Flow {
        let undo = self.crew.recorder.state(|state| state.undos.get(at).cloned()).await;
        let (Some(undo), Some(spec)) = (undo.filter(|undo| undo.running), &leaf.step.undo) else { return Ok(()) };
        let scope = self.scope_of(unit, at).await;
        let target = self.target(&at.host);
        let (end, text) = match ready_command(spec, leaf.sudo.as_ref(), &scope, target) {
            Ok(command) => {
                let act = self.act(at, undo_step(at), undo.started, command, None).await;
                let became = self
                    .minding(at, undo.started, |notices| {
                        self.crew.fleet.ask(target, Act { notices, boot: undo.boot.clone(), ..act })
                    })
                    .await?;
                match became {
                    Ok(Became::Finished(finished)) => {
                        (Some(ended(finished.ended)), both(&finished.stdout, &finished.stderr))
                    }
                    Ok(Became::NeverStarted) => (None, "it never started".to_owned()),
                    Ok(Became::Gone { why, .. }) => (None, why),
                    Err(fault) => (None, unasked(&fault)),
                }
            }
            Err(error) => (None, error.to_string()),
        };
        self.record(Event::UndoEnded { at: at.clone(), end, output: Output::inline(text) }).await
    }
}

/// The receipt of a step's undo is its own: an undo is not the step.
pub(super) fn undo_step(at: &StepHost) -> StepId {
    StepId::new(format!("{}/undo", at.step))
}

/// Both streams, one behind the other.
pub(super) fn both(stdout: &[u8], stderr: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(stderr));
    text
}

fn unasked(fault: &Fault) -> String {
    match fault {
        Fault::Unreachable { reason, hint } => {
            let hint = hint.as_ref().map(|hint| format!(" (hint: {hint})")).unwrap_or_default();
            format!("unreachable: {reason}{hint}")
        }
        Fault::NotStarted { reason } => reason.clone(),
        Fault::Lost { .. }
        | Fault::NotStopped { .. }
        | Fault::Conversation { .. }
        | Fault::TimedOut { .. }
        | Fault::Cancelled => fault.to_string(),
    }
}
