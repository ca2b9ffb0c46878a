//! Warnings: shown when they apply, acknowledged before anything is changed.

use super::ask::{Question, Response};
use super::check::judge;
use super::ending::Ending;
use super::look::Looker;
use super::perform::{Flow, Halt, Stage};
use super::scope::RunScope;
use crate::event::{AckHow, Answer, AskedWhat, Event};
use crate::model::{Acknowledgement, EvalError, Target, WarningWhen};
use crate::plan::{Plan, PlannedWarning};
use crate::vocab::{HostName, Observation, Verdict};

/// A warning that applies.
#[derive(Clone, Debug)]
pub struct Raised {
    /// Its id.
    pub id: String,
    /// Its text.
    pub says: String,
    /// What its probe saw.
    pub observed: Vec<Observation>,
    /// The text to type, when a yes does not do.
    pub typed: Option<String>,
    /// Whether it asks for anything at all.
    pub asks: bool,
}

/// Whether a warning applies, and its text; and what was seen where it does not. One that cannot be decided applies.
pub async fn raise(
    plan: &Plan,
    looker: &Looker<'_>,
    run: &RunScope,
    planned: &PlannedWarning,
) -> Result<(Option<Raised>, Vec<Observation>), EvalError> {
    let none = std::collections::BTreeMap::new();
    let scope_at = |host: Option<&HostName>| run.on(plan, planned.scope, host, &none);
    let mut scope = scope_at(None);
    let mut observed = Vec::new();
    match &planned.warning.when {
        WarningWhen::Always => {}
        WarningWhen::If(expression) => {
            if !expression.truth(&scope)? {
                return Ok((None, Vec::new()));
            }
        }
        WarningWhen::Probe(check) => {
            let targets: Vec<&Target> = planned.hosts.iter().map(|host| plan.host(host)).collect();
            let sudo = plan.runbook.sudo.as_ref();
            observed = looker.all(&check.probe, sudo, &targets, &|target| scope_at(Some(&target.name))).await;
            let verdicts = judge(&check.expectation, observed.clone(), &scope_at, &[]);
            if verdicts.iter().all(|verdict| matches!(verdict.verdict, Verdict::Fails { .. })) {
                return Ok((None, observed));
            }
            scope = match observed.as_slice() {
                [one] => scope.with_observation(one),
                several => scope.with_all_rows(several),
            };
        }
    }
    // a text that cannot show what was seen is shown as it is written: a warning is not lost to a fault in it
    let says = planned.warning.says.text(&scope).unwrap_or_else(|_| planned.warning.says.source().to_owned());
    let typed = match &planned.warning.acknowledgement {
        Acknowledgement::Type(text) => Some(text.text(&scope)?),
        Acknowledgement::Confirm | Acknowledgement::None => None,
    };
    let asks = !matches!(planned.warning.acknowledgement, Acknowledgement::None);
    let raised = Raised { id: planned.id.clone(), says: says.trim().to_owned(), observed, typed, asks };
    Ok((Some(raised), Vec::new()))
}

impl Stage<'_> {
    /// Shows the warnings that apply and has them acknowledged. Gives whether a person was asked.
    pub(super) async fn warnings(&self) -> Flow<bool> {
        let mut asked = false;
        for planned in &self.plan().warnings {
            self.go_on()?;
            let (raised, seen) = raise(self.plan(), self.looker, &self.scope, planned)
                .await
                .map_err(|error| Halt::End(Ending::Failed, format!("the warning {}: {error}", planned.id)))?;
            if let WarningWhen::Probe(check) = &planned.warning.when {
                self.record_looked(None, &check.probe, seen).await?;
            }
            let Some(raised) = raised else { continue };
            self.record(Event::WarningShown {
                id: raised.id.clone(),
                says: raised.says.clone(),
                observed: raised.observed.clone(),
                typed: raised.typed.clone(),
            })
            .await?;
            asked |= self.acknowledge(raised).await?;
        }
        Ok(asked)
    }

    async fn acknowledge(&self, raised: Raised) -> Flow<bool> {
        let options = self.crew.options;
        let id = raised.id.clone();
        let earlier = self.crew.recorder.state(|state| state.acknowledged.contains(&id)).await;
        let by_flag = options.acks.iter().find(|(acked, _)| *acked == id);
        let how = match (raised.asks, by_flag, &raised.typed) {
            (false, _, _) => Some(AckHow::NotNeeded),
            (true, _, _) if earlier => Some(AckHow::Earlier),
            (true, Some((_, given)), typed) if typed.is_none() || given == typed => Some(AckHow::Flag),
            (true, Some(_), Some(typed)) => {
                return Err(Halt::End(
                    Ending::Declined,
                    format!(
                        "the warning {id} wants exactly this text: `--ack {id}={}`",
                        crate::vocab::quote::shell_word(typed)
                    ),
                ));
            }
            (true, None, None) if options.emergency => Some(AckHow::Emergency),
            (true, _, _) => None,
        };
        if let Some(how) = how {
            self.record(Event::WarningAcknowledged { id, how }).await?;
            return Ok(false);
        }
        let question = Question::Warning { id: id.clone(), says: raised.says, typed: raised.typed.clone() };
        let acknowledged = match (self.ask(question).await?, raised.typed) {
            (Response::Yes, None) => Some(AckHow::Confirmed),
            (Response::Text(text), Some(typed)) if text == typed => Some(AckHow::Typed),
            (Response::NoTerminal, typed) => {
                let flag = match typed {
                    Some(typed) => format!("--ack {id}={}", crate::vocab::quote::shell_word(&typed)),
                    None => format!("--ack {id}"),
                };
                return Err(Halt::End(
                    Ending::Declined,
                    format!("there is no terminal to ask at: `{flag}` acknowledges the warning"),
                ));
            }
            (Response::Yes | Response::No | Response::Text(_) | Response::Chose(..), _) => None,
        };
        if let Some(how) = acknowledged {
            self.record(Event::WarningAcknowledged { id, how }).await?;
            Ok(true)
        } else {
            self.record(Event::Answered { what: AskedWhat::Warning { id: id.clone() }, answer: Answer::No }).await?;
            Err(Halt::End(Ending::Declined, format!("the warning {id} was not acknowledged")))
        }
    }
}
