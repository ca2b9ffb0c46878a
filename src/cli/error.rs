//! What goes wrong, as it is told to the person who typed the command.

use std::fmt::Display;

use super::exit;
use crate::engine::RecordError;
use crate::journal::JournalError;
use crate::plan::{BindError, PlanError, PlanFileError};
use crate::source::{Diagnostics, LoadError};

/// An error on its way to the screen.
#[derive(Debug)]
pub(super) struct CliError {
    pub(super) exit: u8,
    pub(super) messages: Vec<String>,
    pub(super) hints: Vec<String>,
    pub(super) diagnostics: Option<Diagnostics>,
}

impl CliError {
    pub(super) fn new(exit: u8, message: impl Display) -> Self {
        Self { exit, messages: vec![message.to_string()], hints: Vec::new(), diagnostics: None }
    }

    pub(super) fn usage(message: impl Display) -> Self {
        Self::new(exit::USAGE, message)
    }

    #[must_use]
    pub(super) fn hint(mut self, hint: impl Display) -> Self {
        self.hints.push(hint.to_string());
        self
    }

    #[must_use]
    pub(super) fn maybe_hint(self, hint: Option<impl Display>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// The faults of a file, each with its place.
    pub(super) fn faults(diagnostics: Diagnostics) -> Self {
        Self { exit: exit::USAGE, messages: Vec::new(), hints: Vec::new(), diagnostics: Some(diagnostics) }
    }
}

impl From<JournalError> for CliError {
    fn from(error: JournalError) -> Self {
        let exit = if error.is_busy() {
            exit::LOCKED
        } else if error.is_corrupt() {
            exit::JOURNAL
        } else if error.is_state_unwritable() {
            exit::UNWRITABLE
        } else {
            exit::JOURNAL
        };
        Self::new(exit, error.whole()).maybe_hint(error.hint())
    }
}

impl From<RecordError> for CliError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Journal(error) => error.into(),
            RecordError::Illegal(_) => Self::new(exit::FAILED, error),
        }
    }
}

impl From<PlanError> for CliError {
    fn from(error: PlanError) -> Self {
        let near = match &error {
            PlanError::Hosts { source: crate::model::InventoryError::Unknown { near, .. }, .. }
            | PlanError::Limit(crate::model::InventoryError::Unknown { near, .. }) => near.clone(),
            _ => None,
        };
        Self::usage(error).maybe_hint(near.map(|near| format!("did you mean `{near}`?")))
    }
}

impl From<LoadError> for CliError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Faults(diagnostics) => Self::faults(diagnostics),
            LoadError::Unknown { .. } => {
                let hint = error.hint();
                Self::usage(error).maybe_hint(hint).hint("`runbook list` shows them all")
            }
            LoadError::Ambiguous { .. } | LoadError::NoBook { .. } => {
                let hint = error.hint();
                Self::usage(error).maybe_hint(hint)
            }
        }
    }
}

impl From<PlanFileError> for CliError {
    fn from(error: PlanFileError) -> Self {
        Self::usage(error)
    }
}

impl From<Vec<BindError>> for CliError {
    fn from(errors: Vec<BindError>) -> Self {
        let mut all = Self { exit: exit::USAGE, messages: Vec::new(), hints: Vec::new(), diagnostics: None };
        for error in errors {
            match &error {
                BindError::Unknown { near: Some(near), .. } => all.hints.push(format!("did you mean `{near}`?")),
                BindError::Missing { name, kind: "secret", variable, .. } => {
                    let set = variable.as_ref().map(|variable| format!("set {variable} in the environment, or "));
                    all.hints.push(format!(
                        "{}give it as `{name}=@FILE` or `{name}=env:VARIABLE`, or at the prompt of a terminal",
                        set.unwrap_or_default()
                    ));
                }
                BindError::Missing { name, .. } => all.hints.push(format!("give it as `{name}=VALUE`")),
                BindError::LiteralSecret(name) => all.hints.push(format!(
                    "every user of this machine can read a command line: give it as `{name}=@FILE` or `{name}=env:VARIABLE`"
                )),
                BindError::Unknown { near: None, .. }
                | BindError::TooMany { .. }
                | BindError::Twice(_)
                | BindError::BadValue { .. } => {}
            }
            all.messages.push(error.to_string());
        }
        all
    }
}
