//! Guided failure: a person chooses what becomes of a host that failed.

use super::ask::{Question, Response};
use super::attempt::ended;
use super::learn::{both, undo_step};
use super::perform::{Flow, Stage};
use crate::event::{Choice, Event, FailureKind, Outcome, Output, StepState};
use crate::model::deed::ready_command;
use crate::plan::{Leaf, Unit};
use crate::transport::Act;
use crate::vocab::{HostName, StepHost};

impl Stage<'_> {
    /// The first host of `batch` whose failure is still to be decided about, with the leaf it failed at.
    pub(super) async fn to_decide<'u>(
        &self,
        unit: &'u Unit,
        batch: &[HostName],
        failed: &[HostName],
    ) -> Option<(HostName, &'u Leaf)> {
        let host = batch.iter().find(|host| failed.contains(host))?;
        let at = |leaf: &Leaf| StepHost::new(leaf.id.clone(), host.clone());
        let leaf = self
            .crew
            .recorder
            .state(|state| {
                let broke = |leaf: &&Leaf| state.step(&at(leaf)).outcome().is_some_and(Outcome::failed);
                unit.leaves.iter().find(broke)
            })
            .await?;
        Some((host.clone(), leaf))
    }

    /// `then: continue`: the roll goes on, and the journal says that it did so against its budget.
    pub(super) async fn note_continue(&self, unit: &Unit, batch: &[HostName], failed: &[HostName]) -> Flow {
        for host in batch.iter().filter(|host| failed.contains(host)) {
            let Some((_, leaf)) = self.to_decide(unit, std::slice::from_ref(host), failed).await else { continue };
            self.record(Event::Chosen {
                at: StepHost::new(leaf.id.clone(), host.clone()),
                choice: Choice::Continue,
                reason: "the runbook says `then: continue`".to_owned(),
            })
            .await?;
        }
        Ok(())
    }

    /// Asks what to do about a failure, and does it. Gives whether the roll goes on.
    pub(super) async fn decide(&self, unit: &Unit, leaf: &Leaf, host: &HostName, beyond: &str) -> Flow<bool> {
        let at = StepHost::new(leaf.id.clone(), host.clone());
        let state = self.crew.recorder.state(|state| state.step(&at).clone()).await;
        let doubt = matches!(state.outcome(), Some(Outcome::InDoubt { .. }));
        let why = match state.outcome().and_then(Outcome::why) {
            Some(why) => format!("{why} ({beyond})"),
            None => beyond.to_owned(),
        };
        let question = if doubt {
            let choices = vec![Choice::Done, Choice::NotDone, Choice::Stop];
            Question::InDoubt { at: at.clone(), why, choices }
        } else {
            let mut choices = vec![Choice::Retry];
            if recheckable(leaf, &state) {
                choices.push(Choice::Recheck);
            }
            choices.push(Choice::Skip);
            if leaf.step.undo.is_some() {
                choices.push(Choice::Undo);
            }
            choices.push(Choice::Stop);
            Question::Failure { at: at.clone(), why, choices }
        };
        let Response::Chose(choice, reason) = self.ask(question).await? else {
            // no terminal, or no clear word: stop
            return Ok(false);
        };
        self.record(Event::Chosen { at: at.clone(), choice, reason: reason.clone() }).await?;
        self.follow(unit, leaf, &at, choice, reason).await
    }

    /// Does what was chosen. Gives whether the roll goes on.
    async fn follow(&self, unit: &Unit, leaf: &Leaf, at: &StepHost, choice: Choice, reason: String) -> Flow<bool> {
        match choice {
            Choice::Retry => {
                self.again(unit, leaf, at).await?;
                Ok(true)
            }
            Choice::Recheck => {
                self.recheck(unit, leaf, at).await?;
                Ok(true)
            }
            Choice::Skip => {
                let why = if reason.is_empty() { "the operator took this host out".to_owned() } else { reason };
                self.record(Event::StepEnded { at: at.clone(), outcome: Outcome::Excluded { why } }).await?;
                Ok(true)
            }
            Choice::Undo => {
                self.undo(unit, leaf, at).await?;
                Ok(true)
            }
            Choice::Done | Choice::NotDone => {
                let done = choice == Choice::Done;
                self.settled(at, done, if reason.is_empty() { "the operator's word".to_owned() } else { reason })
                    .await?;
                self.host(unit, &at.host).await?;
                Ok(true)
            }
            Choice::Continue => Ok(true),
            Choice::Stop => Ok(false),
        }
    }

    /// Runs a step's `undo`. The step stays failed: what next is asked again.
    pub(super) async fn undo(&self, unit: &Unit, leaf: &Leaf, at: &StepHost) -> Flow {
        let Some(spec) = &leaf.step.undo else { return Ok(()) };
        let target = self.target(&at.host);
        let scope = self.scope_of(unit, at).await;
        let command = match ready_command(spec, leaf.sudo.as_ref(), &scope, target) {
            Ok(command) => command,
            Err(error) => {
                return self.record(Event::Noted { at: Some(at.clone()), text: format!("undo: {error}") }).await;
            }
        };
        if let Err((_, why)) = self.locks.ensure(&at.host).await? {
            return self.record(Event::Noted { at: Some(at.clone()), text: format!("undo: {why}") }).await;
        }
        self.record(Event::UndoStarted { at: at.clone(), command: command.shown() }).await?;
        let undos = self.crew.recorder.state(|state| state.undos.get(at).map_or(1, |undo| undo.started)).await;
        let act = self.act(at, undo_step(at), undos, command, None).await;
        let (end, output) =
            match self.minding(at, undos, |notices| self.crew.fleet.act(target, Act { notices, ..act })).await? {
                Ok(finished) => (Some(ended(finished.ended)), both(&finished.stdout, &finished.stderr)),
                Err(fault) => (None, fault.to_string()),
            };
        self.record(Event::UndoEnded { at: at.clone(), end, output: Output::inline(output) }).await
    }

    /// Writes down that an in-doubt step took effect, or did not.
    pub(super) async fn settled(&self, at: &StepHost, done: bool, reason: String) -> Flow {
        let operator = self.crew.recorder.state(|state| state.opened.operator.clone()).await;
        let operator = crate::event::OperatorEntry { name: self.crew.options.operator.clone(), ..operator };
        self.record(Event::Resolved { at: at.clone(), done, reason, operator }).await
    }
}

/// Whether evaluating a failed step's checks again can make it well: its action ended well, or it only looks.
pub(super) fn recheckable(leaf: &Leaf, state: &StepState) -> bool {
    match state {
        // behind a bad end a person may have finished by hand what the action began; the checks then say so
        StepState::Ended {
            acted,
            outcome: Outcome::Failed { kind: FailureKind::Check | FailureKind::Action, .. },
            ..
        } => acted.as_ref().is_none_or(|end| super::host::well(leaf, end) || !leaf.step.checks.is_empty()),
        StepState::Ended { .. }
        | StepState::NotStarted
        | StepState::Due { .. }
        | StepState::Running { .. }
        | StepState::Acted { .. } => false,
    }
}
