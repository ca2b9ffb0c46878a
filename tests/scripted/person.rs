//! The person at the terminal: slow, truthful, and always of the same mind.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use runbook::engine::{Operator, Question, Response};
use runbook::event::Choice;
use runbook::transport::Scripted;
use runbook::transport::scripted::{Call, Kind};
use runbook::vocab::StepHost;

/// Why a host does not answer.
pub const DOWN: &str = "it is down";

/// What a person says to a question about this fleet.
pub type Mind = fn(&Question, &Scripted) -> Response;

/// A person who looks at the hosts before answering.
pub struct Person {
    pub fleet: Scripted,
    pub mind: Mind,
    /// Decides nothing about a host that cannot be asked: goes on later.
    pub patient: bool,
}

impl Operator for Person {
    fn ask<'a>(&'a self, question: &'a Question) -> Pin<Box<dyn Future<Output = Response> + Send + 'a>> {
        Box::pin(async move {
            // what is still under way on a host has ended when they look
            tokio::time::sleep(Duration::from_mins(10)).await;
            let later = match question {
                Question::InDoubt { .. } => true,
                Question::Failure { why, .. } => why.contains(DOWN),
                Question::Start { .. } | Question::Warning { .. } | Question::Manual { .. } => false,
            };
            if self.patient && later { Response::NoTerminal } else { (self.mind)(question, &self.fleet) }
        })
    }
}

/// There is no terminal.
pub fn nobody(_: &Question, _: &Scripted) -> Response {
    Response::NoTerminal
}

/// Agrees to all, says truthfully what became of what is in doubt, and stops at a failure.
pub fn agreeing(question: &Question, fleet: &Scripted) -> Response {
    match question {
        Question::Start { .. } | Question::Manual { .. } | Question::Warning { typed: None, .. } => Response::Yes,
        Question::Warning { typed: Some(text), .. } => Response::Text(text.clone()),
        Question::InDoubt { at, .. } => {
            let choice = if took_effect(fleet, at) { Choice::Done } else { Choice::NotDone };
            Response::Chose(choice, "looked".to_owned())
        }
        Question::Failure { .. } => Response::Chose(Choice::Stop, String::new()),
    }
}

/// As [`agreeing`]; undoes a failure, then runs it again, then takes the host out.
pub fn undoing(question: &Question, fleet: &Scripted) -> Response {
    let Question::Failure { at, choices, .. } = question else { return agreeing(question, fleet) };
    let effects = fleet.effects();
    let here = |step: &str| effects.iter().filter(|effect| of(effect, at, step)).count();
    let choice = if choices.contains(&Choice::Undo) && here(&format!("{}/undo", at.step)) == 0 {
        Choice::Undo
    } else if here(at.step.as_str()) < 2 {
        Choice::Retry
    } else {
        Choice::Skip
    };
    Response::Chose(choice, "decided".to_owned())
}

/// As [`agreeing`]; takes a host that failed out.
pub fn skipping(question: &Question, fleet: &Scripted) -> Response {
    match question {
        Question::Failure { .. } => Response::Chose(Choice::Skip, "out".to_owned()),
        _ => agreeing(question, fleet),
    }
}

fn of(call: &Call, at: &StepHost, step: &str) -> bool {
    call.host == at.host && call.step.as_ref().is_some_and(|known| known.as_str() == step)
}

/// Whether the last try of a step took effect. A request carries no step: here its address ends with it.
fn took_effect(fleet: &Scripted, at: &StepHost) -> bool {
    let id = at.step.as_str();
    let path = format!("/{}", id.rsplit('/').next().unwrap_or(id));
    let tried = |call: &&Call| match call.kind {
        Kind::Act => of(call, at, id),
        Kind::Send => call.host == at.host && call.text.ends_with(&path),
        _ => false,
    };
    fleet.calls().iter().rfind(tried).is_some_and(|last| fleet.effects().contains(last))
}
