//! Going on: what is decided about steps that a former stretch left in doubt or failed, before anything rolls.

use std::collections::HashMap;

use futures_util::{StreamExt as _, stream};

use super::ask::{Question, Response};
use super::check::Checking;
use super::ending::Ending;
use super::learn::Learned;
use super::perform::{Flow, Halt, Stage};
use super::trouble::recheckable;
use crate::event::{Choice, Event, FailureKind, Outcome, RunState, StepState};
use crate::model::{Action, Then};
use crate::plan::{Leaf, LeafKind, Unit};
use crate::vocab::{HostName, StepHost, Verdict};

impl Stage<'_> {
    /// Settles every step in doubt and decides about every failed action, one after the other.
    ///
    /// In doubt: the host is asked, by the receipt that the action left there; all hosts at once. When that does not tell, the runbook's
    /// `repeatable` runs it again, its `settle` decides, else a person does. A failed action: `repeatable` or `--retry`
    /// runs it again, else a person chooses; without a terminal nothing is run twice.
    pub(super) async fn settle(&self) -> Flow {
        let mut learned = self.learn_all().await?;
        for unit in &self.plan().units {
            for host in &unit.hosts {
                for leaf in &unit.leaves {
                    let at = StepHost::new(leaf.id.clone(), host.clone());
                    self.learn_undo(unit, leaf, &at).await?;
                    let state = self.crew.recorder.state(|state| state.step(&at).clone()).await;
                    match state {
                        StepState::Running { .. } | StepState::Ended { outcome: Outcome::InDoubt { .. }, .. } => {
                            let learned = learned.remove(&at);
                            let why = "nothing is known of what was sent".to_owned();
                            self.settle_doubt(unit, leaf, &at, learned.unwrap_or(Learned::Doubt(why))).await?;
                        }
                        StepState::Acted { .. } => self.decide_acted(unit, leaf, &at).await?,
                        StepState::Ended { outcome: Outcome::Failed { kind: FailureKind::Action, .. }, .. } => {
                            self.decide_failed(unit, leaf, &at, &state).await?;
                        }
                        // its checks were evaluated all the same, as a person had chosen
                        StepState::Ended {
                            acted: Some(ref end),
                            outcome: Outcome::Failed { kind: FailureKind::Check, .. },
                            ..
                        } if !super::host::well(leaf, end) => self.decide_failed(unit, leaf, &at, &state).await?,
                        StepState::NotStarted | StepState::Due { .. } | StepState::Ended { .. } => {}
                    }
                }
            }
        }
        Ok(())
    }

    /// Asks the hosts of all steps in doubt what became of them, and waits for what runs.
    async fn learn_all(&self) -> Flow<HashMap<StepHost, Learned>> {
        self.go_on()?;
        let doubt = self.crew.recorder.state(RunState::in_doubt).await;
        let known = |at: &&StepHost| self.plan().leaf(&at.step).is_some_and(|(unit, _)| unit.hosts.contains(&at.host));
        if let Some(at) = doubt.iter().find(|at| !known(at)) {
            let why = format!(
                "{at} is in doubt, and the plan has it no more: look at the host, then `runbook resolve` says what became of it"
            );
            return Err(Halt::End(Ending::InDoubt, why));
        }
        let asked = doubt.into_iter().filter_map(|at| {
            let (unit, leaf) = self.plan().leaf(&at.step)?;
            unit.hosts.contains(&at.host).then_some(async move {
                let learned = self.learn(unit, leaf, &at).await;
                learned.map(|learned| (at, learned))
            })
        });
        let asked: Vec<_> = stream::iter(asked).buffer_unordered(self.crew.options.parallel.max(1)).collect().await;
        asked.into_iter().collect()
    }

    async fn settle_doubt(&self, unit: &Unit, leaf: &Leaf, at: &StepHost, learned: Learned) -> Flow {
        self.go_on()?;
        let (why, may_run) = match learned {
            // it is decided about by how it ended, or due again
            Learned::Acted | Learned::NeverStarted => return Ok(()),
            Learned::Doubt(why) => (why, false),
            Learned::Unasked(why) => (why, true),
        };
        // an interrupt ends the question, and answers nothing
        self.go_on()?;
        self.record(Event::StepEnded { at: at.clone(), outcome: Outcome::InDoubt { why: why.clone() } }).await?;
        if let Some(reason) = repeatable(leaf).filter(|_| !may_run) {
            self.record(Event::Chosen { at: at.clone(), choice: Choice::Retry, reason: reason.to_owned() }).await?;
            return self.settled(at, false, reason.to_owned()).await;
        }
        if let Some(check) = &leaf.step.settle {
            match self.look_whether_done(unit, leaf, at, check).await? {
                Verdict::Holds => return self.settled(at, true, format!("settle: {}", check.says)).await,
                Verdict::Fails { why } => return self.settled(at, false, format!("settle: {why}")).await,
                Verdict::Unknown { why } => {
                    self.record(Event::Noted { at: Some(at.clone()), text: format!("settle could not decide: {why}") })
                        .await?;
                }
            }
        }
        let choices = vec![Choice::Done, Choice::NotDone, Choice::Stop];
        match self.ask(Question::InDoubt { at: at.clone(), why, choices }).await? {
            Response::Chose(choice @ (Choice::Done | Choice::NotDone), reason) => {
                self.record(Event::Chosen { at: at.clone(), choice, reason: reason.clone() }).await?;
                let reason = if reason.is_empty() { "the operator's word".to_owned() } else { reason };
                self.settled(at, choice == Choice::Done, reason).await
            }
            Response::Chose(..) | Response::Yes | Response::No | Response::Text(_) | Response::NoTerminal => {
                Err(Halt::End(
                    Ending::InDoubt,
                    format!("{at} is in doubt: look at the host, then `runbook resolve` says what became of it"),
                ))
            }
        }
    }

    /// An action that ended badly is decided about; one that ended well has its checks before it.
    async fn decide_acted(&self, unit: &Unit, leaf: &Leaf, at: &StepHost) -> Flow {
        let state = self.crew.recorder.state(|state| state.step(at).clone()).await;
        let StepState::Acted { end, .. } = &state else { return Ok(()) };
        if super::host::well(leaf, end) || self.tries_left(leaf, at).await.is_some() {
            return Ok(());
        }
        let outcome = super::host::failed(FailureKind::Action, end.to_string());
        self.record(Event::StepEnded { at: at.clone(), outcome }).await?;
        let state = self.crew.recorder.state(|state| state.step(at).clone()).await;
        self.decide_failed(unit, leaf, at, &state).await
    }

    async fn look_whether_done(
        &self,
        unit: &Unit,
        leaf: &Leaf,
        at: &StepHost,
        check: &crate::model::Check,
    ) -> Flow<Verdict> {
        let scope = self.scope_of(unit, at).await;
        let scope_at = |_: Option<&HostName>| scope.clone();
        let hosts = self.plan().probe_hosts(&check.probe, unit.scope, &at.host);
        let checking = Checking {
            looker: self.looker,
            recorder: Some(self.crew.recorder),
            interrupt: &self.crew.interrupt,
            targets: hosts.iter().map(|host| self.target(host)).collect(),
            scope: &scope_at,
            before: Vec::new(),
            sudo: leaf.sudo.as_ref(),
            at: Some(at),
        };
        let judged = checking.until(check).await;
        let verdicts = judged.verdicts;
        let seen = verdicts.iter().filter_map(|verdict| verdict.observation.clone()).chain(judged.unshown);
        self.record_looked(Some(at), &check.probe, seen.collect()).await?;
        // one unknown leaves all unknown; else one false says that it did not take effect
        let unknown = verdicts.iter().find(|verdict| matches!(verdict.verdict, Verdict::Unknown { .. }));
        let false_one = verdicts.iter().find(|verdict| matches!(verdict.verdict, Verdict::Fails { .. }));
        Ok(match (unknown.or(false_one), verdicts.is_empty()) {
            (Some(verdict), _) => verdict.verdict.clone(),
            (None, false) => Verdict::Holds,
            (None, true) => Verdict::Unknown { why: "nothing was looked at".to_owned() },
        })
    }

    /// Whether any step has still to begin, or to be finished, on any of its hosts.
    async fn more_to_do(&self) -> bool {
        self.crew
            .recorder
            .state(|state| {
                let open = |at: StepHost| match state.step(&at) {
                    StepState::NotStarted
                    | StepState::Due { .. }
                    | StepState::Running { .. }
                    | StepState::Acted { .. } => true,
                    StepState::Ended { .. } => false,
                };
                self.plan().units.iter().any(|unit| {
                    // behind a failed step of a block nothing comes for its host
                    let failed = state.failed_hosts(unit.leaves.iter().map(|leaf| &leaf.id));
                    let hosts = unit.hosts.iter().filter(|host| !failed.contains(host));
                    let mut places = hosts
                        .flat_map(|host| unit.leaves.iter().map(|leaf| StepHost::new(leaf.id.clone(), host.clone())));
                    places.any(open)
                })
            })
            .await
    }

    async fn decide_failed(&self, unit: &Unit, leaf: &Leaf, at: &StepHost, state: &StepState) -> Flow {
        self.go_on()?;
        let by_rule = repeatable(leaf).or(self.crew.options.retry.then_some("--retry"));
        if let Some(reason) = by_rule {
            self.record(Event::Chosen { at: at.clone(), choice: Choice::Retry, reason: reason.to_owned() }).await?;
            return self.again(unit, leaf, at).await;
        }
        // what the budget or `then: continue` allows stays failed, as it would have without the interruption, as long as
        // there is more to do
        let allowed = leaf.then == Then::Continue || self.failures(unit).await.len() <= unit.max_failures;
        if allowed && self.more_to_do().await {
            return Ok(());
        }
        let why = state.outcome().and_then(Outcome::why).unwrap_or_default().to_owned();
        let mut choices = vec![Choice::Retry];
        if recheckable(leaf, state) {
            choices.push(Choice::Recheck);
        }
        choices.push(Choice::Skip);
        if leaf.step.undo.is_some() {
            choices.push(Choice::Undo);
        }
        choices.push(Choice::Stop);
        let question = Question::Failure { at: at.clone(), why, choices };
        let mut response = self.ask(question.clone()).await?;
        // an undo leaves the step failed: what next is asked again
        while let Response::Chose(choice @ Choice::Undo, reason) = &response {
            self.record(Event::Chosen { at: at.clone(), choice: *choice, reason: reason.clone() }).await?;
            self.undo(unit, leaf, at).await?;
            response = self.ask(question.clone()).await?;
        }
        match response {
            Response::Chose(choice, reason) => {
                self.record(Event::Chosen { at: at.clone(), choice, reason: reason.clone() }).await?;
                match choice {
                    Choice::Retry => self.again(unit, leaf, at).await,
                    Choice::Recheck => self.recheck(unit, leaf, at).await,
                    Choice::Skip => {
                        let why = if reason.is_empty() { "the operator took this host out".to_owned() } else { reason };
                        self.record(Event::StepEnded { at: at.clone(), outcome: Outcome::Excluded { why } }).await
                    }
                    Choice::Undo | Choice::Stop | Choice::Continue | Choice::Done | Choice::NotDone => {
                        Err(Halt::End(Ending::Declined, "the operator stopped".to_owned()))
                    }
                }
            }
            Response::NoTerminal if allowed => Ok(()),
            Response::NoTerminal => Err(Halt::End(
                Ending::Declined,
                format!(
                    "{at} had failed, and there is no terminal to ask at: `resume --retry` runs failed actions again"
                ),
            )),
            Response::Yes | Response::No | Response::Text(_) => {
                Err(Halt::End(Ending::Declined, "the operator stopped".to_owned()))
            }
        }
    }
}

/// Why a leaf may be run again without asking, if it may.
fn repeatable(leaf: &Leaf) -> Option<&'static str> {
    match &leaf.kind {
        _ if leaf.step.repeatable => Some("the runbook says it is repeatable"),
        LeafKind::Action(Action::Wait { .. }) => Some("waiting again changes nothing"),
        LeafKind::Action(Action::Manual { .. }) => Some("the person is asked again"),
        LeafKind::Action(Action::Command(_) | Action::Copy { .. } | Action::Http(_))
        | LeafKind::Look { .. }
        | LeafKind::Checks => None,
    }
}
