//! How a run stands, in the words that people ask for it and read it by.

use schemars::JsonSchema;
use serde::Serialize;

use crate::event::RunStatus;

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It ended, and every check held.
    Ok,
    /// A step or check failed.
    Failed,
    /// A precondition did not hold.
    Refused,
    /// The operator declined.
    Declined,
    /// Steps are in doubt.
    InDoubt,
    /// Another run had the locks.
    Locked,
    /// Its state could not be written.
    NotWritten,
    /// The operator interrupted it.
    Interrupted,
    /// A person ended it for good.
    Abandoned,
    /// Its program runs.
    Running,
    /// Its program died.
    Died,
    /// Its record does not verify, so nobody can tell.
    Broken,
}

impl Kind {
    /// Each of them.
    pub const ALL: [Self; 12] = [
        Self::Ok,
        Self::Failed,
        Self::Refused,
        Self::Declined,
        Self::InDoubt,
        Self::Locked,
        Self::NotWritten,
        Self::Interrupted,
        Self::Abandoned,
        Self::Running,
        Self::Died,
        Self::Broken,
    ];

    /// How a run stands whose record verifies.
    pub fn of(status: &RunStatus, running: bool) -> Self {
        match status {
            RunStatus::Open if running => Self::Running,
            RunStatus::Open => Self::Died,
            RunStatus::Abandoned { .. } => Self::Abandoned,
            RunStatus::Stopped { exit, .. } | RunStatus::Ended { exit, .. } => Self::of_exit(*exit),
        }
    }

    fn of_exit(exit: u8) -> Self {
        match exit {
            0 => Self::Ok,
            3 => Self::Refused,
            4 => Self::Declined,
            5 => Self::InDoubt,
            6 => Self::Locked,
            9 => Self::NotWritten,
            130 => Self::Interrupted,
            _ => Self::Failed,
        }
    }

    /// The words for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Declined => "declined",
            Self::InDoubt => "in doubt",
            Self::Locked => "locked",
            Self::NotWritten => "state not written",
            Self::Interrupted => "interrupted",
            Self::Abandoned => "abandoned",
            Self::Running => "running",
            Self::Died => "unfinished (its program died)",
            Self::Broken => "broken",
        }
    }

    /// The one word to type and to compare with.
    pub fn name(self) -> &'static str {
        match self {
            Self::InDoubt => "in-doubt",
            Self::NotWritten => "not-written",
            Self::Died => "died",
            Self::Ok
            | Self::Failed
            | Self::Refused
            | Self::Declined
            | Self::Locked
            | Self::Interrupted
            | Self::Abandoned
            | Self::Running
            | Self::Broken => self.word(),
        }
    }

    /// The kind that `text` names, by its name or by the words it is shown with, whatever the case.
    pub fn named(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase().replace('_', "-");
        Self::ALL.into_iter().find(|kind| text == kind.name() || text == kind.word())
    }
}

/// How a run stands, in a word or two: also whether it was stopped, and can be resumed.
pub fn standing(status: &RunStatus, running: bool) -> String {
    let word = Kind::of(status, running).word();
    match status {
        RunStatus::Stopped { .. } => format!("stopped, {word}"),
        RunStatus::Open | RunStatus::Ended { .. } | RunStatus::Abandoned { .. } => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_found_by_its_name_and_by_its_words() {
        for kind in Kind::ALL {
            assert_eq!(Kind::named(kind.name()), Some(kind));
            assert_eq!(Kind::named(&kind.word().to_uppercase()), Some(kind));
            assert!(!kind.name().contains([' ', ',']), "it is typed between commas");
        }
        assert_eq!(Kind::named("stopped"), None);
    }

    #[test]
    fn a_run_that_was_stopped_says_so() {
        let why = String::new;
        assert_eq!(standing(&RunStatus::Stopped { exit: 5, why: why() }, false), "stopped, in doubt");
        assert_eq!(standing(&RunStatus::Ended { exit: 0, why: why() }, false), "ok");
        assert_eq!(standing(&RunStatus::Ended { exit: 1, why: why() }, false), "failed");
        assert_eq!(standing(&RunStatus::Open, true), "running");
        assert_eq!(standing(&RunStatus::Open, false), "unfinished (its program died)");
        assert_eq!(standing(&RunStatus::Abandoned { reason: why() }, false), "abandoned");
    }
}
