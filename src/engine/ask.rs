//! Someone to ask. The engine asks; the cli has the terminal.

use std::future::Future;
use std::pin::Pin;

use crate::event::{AskedWhat, Choice};
use crate::vocab::StepHost;

/// A question to the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether to start: the plan was shown.
    Start {
        /// The question's words.
        text: String,
    },
    /// A warning to acknowledge.
    Warning {
        /// Its id.
        id: String,
        /// Its text.
        says: String,
        /// The text that must be typed, when a yes does not do.
        typed: Option<String>,
    },
    /// Whether a manual step is done.
    Manual {
        /// Where.
        at: StepHost,
        /// What to do.
        says: String,
    },
    /// What to do about a failure.
    Failure {
        /// Where.
        at: StepHost,
        /// What happened.
        why: String,
        /// What can be chosen.
        choices: Vec<Choice>,
    },
    /// What to do about a step in doubt.
    InDoubt {
        /// Where.
        at: StepHost,
        /// What is known.
        why: String,
        /// What can be chosen.
        choices: Vec<Choice>,
    },
}

impl Question {
    /// What it is about, for the journal.
    pub fn what(&self) -> AskedWhat {
        match self {
            Self::Start { .. } => AskedWhat::Start,
            Self::Warning { id, .. } => AskedWhat::Warning { id: id.clone() },
            Self::Manual { at, .. } => AskedWhat::Manual { at: at.clone() },
            Self::Failure { at, .. } => AskedWhat::Failure { at: at.clone() },
            Self::InDoubt { at, .. } => AskedWhat::InDoubt { at: at.clone() },
        }
    }

    /// Its words, for the journal.
    pub fn words(&self) -> String {
        match self {
            Self::Start { text } => text.clone(),
            Self::Warning { says, typed: None, .. } => says.clone(),
            Self::Warning { says, typed: Some(text), .. } => format!("{says} (type `{text}`)"),
            Self::Manual { at, says } => format!("{at}: {says}"),
            Self::Failure { at, why, .. } => format!("{at} failed: {why}"),
            Self::InDoubt { at, why, .. } => format!("{at} is in doubt: {why}"),
        }
    }
}

/// The operator's response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// Yes.
    Yes,
    /// No, or nothing that counts as yes.
    No,
    /// A text.
    Text(String),
    /// One of the choices, with a reason if one was given.
    Chose(Choice, String),
    /// There is no terminal to ask at.
    NoTerminal,
}

/// Someone to ask.
pub trait Operator: Send + Sync {
    /// Puts a question and waits for the response. Ctrl-C at the question is [`Response::No`].
    fn ask<'a>(&'a self, question: &'a Question) -> Pin<Box<dyn Future<Output = Response> + Send + 'a>>;
}
