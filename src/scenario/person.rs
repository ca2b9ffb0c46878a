//! The person at the terminal: answers as the scenario says, and nothing else.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use super::difference::Difference;
use crate::engine::{Interrupt, Operator, Question, Response};
use crate::event::Choice;
use crate::model::scenario::{Asked, Place, Reply, Says};
use crate::vocab::StepHost;

/// One answer given so often is one that never helps.
const OFTEN: usize = 100;

/// The person, or nobody.
pub(super) struct Person<'a> {
    replies: Option<&'a [Reply]>,
    interrupt: Interrupt,
    said: Mutex<Said>,
}

/// What came of the questions.
#[derive(Default)]
pub(super) struct Said {
    /// What was asked.
    pub(super) asked: Vec<Asked>,
    /// How often each reply was given.
    pub(super) given: Vec<usize>,
    /// What could not be answered.
    pub(super) differences: Vec<Difference>,
}

impl<'a> Person<'a> {
    pub(super) fn new(replies: Option<&'a [Reply]>, interrupt: Interrupt) -> Self {
        let given = vec![0; replies.map_or(0, <[Reply]>::len)];
        Self { replies, interrupt, said: Mutex::new(Said { given, ..Said::default() }) }
    }

    /// What came of the questions; a reply that was never given is a difference.
    pub(super) fn said(self) -> Said {
        let replies = self.replies.unwrap_or_default();
        let mut said = self.said.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (reply, given) in replies.iter().zip(&said.given) {
            let wanted = if reply.once { reply.answers.len() } else { 1 };
            if *given < wanted {
                let was = match (given, reply.once) {
                    (0, _) => "nobody asked that".to_owned(),
                    (given, _) => format!("that was asked {given} of {wanted} times"),
                };
                let found = Difference::new(format!("operator: {}", reply.to), "", was).at(&reply.location);
                said.differences.push(found);
            }
        }
        said
    }

    /// The answer to a question, and how it is to be given.
    fn answer(&self, question: &Question) -> Option<(Says, String, std::time::Duration)> {
        let about = about(question);
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.asked.push(about.clone());
        let replies = self.replies?;
        let exact = replies.iter().position(|reply| reply.to == about);
        let step = replies.iter().position(|reply| match (&reply.to, &about) {
            (Asked::Step(place), Asked::Step(asked)) => place.host.is_none() && place.step == asked.step,
            (Asked::Start | Asked::Warning(_) | Asked::Step(_), _) => false,
        });
        let Some(index) = exact.or(step) else {
            let found =
                Difference::new("question", "", format!("nobody has an answer for `{about}`: {}", question.words()))
                    .hint(format!("operator: {{ {about}: {} }}", offered(question).join(" | ")));
            said.differences.push(found);
            return None;
        };
        let reply = &replies[index];
        let given = said.given[index];
        said.given[index] += 1;
        let most = if reply.once { reply.answers.len() } else { OFTEN };
        if given >= most {
            let found = Difference::new(
                format!("operator: {}", reply.to),
                "",
                format!("that was asked more than {most} times"),
            );
            if given == most {
                said.differences.push(found.at(&reply.location));
            }
            return None;
        }
        let word = if reply.once { reply.answers.get(given) } else { reply.answers.first() }?;
        if !fits(question, &word.says) {
            let offered = offered(question).join(", ");
            let was = format!("`{}` is no answer to `{}`", word.says.word(), question.words());
            said.differences.push(
                Difference::new(format!("operator: {}", reply.to), "", was)
                    .hint(format!("it can be answered: {offered}"))
                    .at(&reply.location),
            );
            return None;
        }
        Some((word.says.clone(), word.reason.clone(), word.took.get()))
    }
}

impl Operator for Person<'_> {
    fn ask<'a>(&'a self, question: &'a Question) -> Pin<Box<dyn Future<Output = Response> + Send + 'a>> {
        Box::pin(async move {
            let Some((says, reason, took)) = self.answer(question) else { return Response::NoTerminal };
            tokio::time::sleep(took).await;
            let typed = matches!(question, Question::Warning { typed: Some(_), .. });
            match says {
                Says::Interrupt => {
                    self.interrupt.raise();
                    Response::No
                }
                says if typed => Response::Text(says.word().to_owned()),
                Says::Text(text) => Response::Text(text),
                Says::Yes => Response::Yes,
                Says::No => Response::No,
                Says::Done if matches!(question, Question::Manual { .. }) => Response::Yes,
                Says::NotDone if matches!(question, Question::Manual { .. }) => Response::No,
                Says::Retry => Response::Chose(Choice::Retry, reason),
                Says::Recheck => Response::Chose(Choice::Recheck, reason),
                Says::Skip => Response::Chose(Choice::Skip, reason),
                Says::Undo => Response::Chose(Choice::Undo, reason),
                Says::Stop => Response::Chose(Choice::Stop, reason),
                Says::Done => Response::Chose(Choice::Done, reason),
                Says::NotDone => Response::Chose(Choice::NotDone, reason),
            }
        })
    }
}

fn about(question: &Question) -> Asked {
    let place = |at: &StepHost| Asked::Step(Place { step: at.step.clone(), host: Some(at.host.clone()) });
    match question {
        Question::Start { .. } => Asked::Start,
        Question::Warning { id, .. } => Asked::Warning(id.clone()),
        Question::Manual { at, .. } | Question::Failure { at, .. } | Question::InDoubt { at, .. } => place(at),
    }
}

/// The words that are an answer.
fn offered(question: &Question) -> Vec<String> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    match question {
        Question::Start { .. } | Question::Warning { typed: None, .. } | Question::Manual { .. } => {
            words(&["yes", "no", "ctrl-c"])
        }
        Question::Warning { typed: Some(text), .. } => vec![text.clone()],
        Question::Failure { choices, .. } | Question::InDoubt { choices, .. } => {
            choices.iter().map(|choice| word(*choice).to_owned()).chain(["ctrl-c".to_owned()]).collect()
        }
    }
}

fn fits(question: &Question, says: &Says) -> bool {
    match (question, says) {
        (_, Says::Interrupt)
        | (Question::Warning { typed: Some(_), .. }, _)
        | (Question::Manual { .. }, Says::Done | Says::NotDone) => true,
        (_, says) => offered(question).iter().any(|word| word == says.word()),
    }
}

/// The word of a choice.
pub(super) fn word(choice: Choice) -> &'static str {
    match choice {
        Choice::Retry => "retry",
        Choice::Recheck => "recheck",
        Choice::Skip => "skip",
        Choice::Undo => "undo",
        Choice::Stop => "stop",
        Choice::Continue => "continue",
        Choice::Done => "done",
        Choice::NotDone => "not-done",
    }
}
