//! How steps end.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a step ended on a host; each says why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It did what it should, and its checks hold.
    Ok,
    /// It did not.
    Failed {
        /// What failed.
        kind: FailureKind,
        /// What was seen, for people.
        why: String,
    },
    /// There was nothing to do, or a person chose so.
    Skipped {
        /// Why.
        why: String,
    },
    /// It was sent and its outcome could not be learned.
    InDoubt {
        /// What is known.
        why: String,
    },
    /// A person took this host out of the roll after a failure.
    Excluded {
        /// Why.
        why: String,
    },
}

/// What failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The host could not be reached; nothing was sent.
    Unreachable,
    /// A precondition of the step did not hold; nothing was sent.
    Precondition,
    /// The command could not be made ready (an undefined value) or did not start on the host.
    NotStarted,
    /// The action ended badly: an exit status, an HTTP status, a timeout, a person's no.
    Action,
    /// The action was well but a check of it does not hold.
    Check,
}

/// How an action ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ActionEnd {
    /// A command ended with this exit status; 128 + N for signal N.
    Exited(i32),
    /// An HTTP request was answered with this status.
    Answered(u16),
    /// A wait was over, a manual step was said to be done.
    Done,
    /// It took too long and was stopped; its process group is gone.
    TimedOut,
    /// The operator stopped it; its process group is gone.
    Cancelled,
    /// A person said that a manual step was not done.
    Declined,
}

impl Outcome {
    /// The outcome's word: `ok`, `failed`, `skipped`, `in-doubt`, `excluded`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed { .. } => "failed",
            Self::Skipped { .. } => "skipped",
            Self::InDoubt { .. } => "in-doubt",
            Self::Excluded { .. } => "excluded",
        }
    }

    /// Why, where there is more to say than the word.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Ok => None,
            Self::Failed { why, .. } | Self::Skipped { why } | Self::InDoubt { why } | Self::Excluded { why } => {
                Some(why)
            }
        }
    }

    /// Whether the step counts as a failure of its host.
    pub fn failed(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::InDoubt { .. })
    }

    /// Whether there is nothing left to do for this step on this host.
    pub fn is_settled(&self) -> bool {
        matches!(self, Self::Ok | Self::Skipped { .. } | Self::Excluded { .. })
    }
}

impl fmt::Display for ActionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(0) => f.write_str("exit 0"),
            Self::Exited(code @ 129..=192) => write!(f, "exit {code} (signal {})", code - 128),
            Self::Exited(code) => write!(f, "exit {code}"),
            Self::Answered(status) => write!(f, "HTTP {status}"),
            Self::Done => f.write_str("done"),
            Self::TimedOut => f.write_str("stopped: its time was up"),
            Self::Cancelled => f.write_str("stopped by the operator"),
            Self::Declined => f.write_str("said not to be done"),
        }
    }
}
