//! What became of an expectation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether an expectation holds. Only [`Verdict::Holds`] ever satisfies anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is true of what was observed.
    Holds,
    /// It is false of what was observed; `why` names what was seen.
    Fails {
        /// What was seen instead, for people.
        why: String,
    },
    /// It could not be decided: unreachable, timed out, did not parse, unknown column, mixed types.
    Unknown {
        /// Why it could not be decided, for people.
        why: String,
    },
}

impl Verdict {
    /// Whether the expectation holds.
    pub fn holds(&self) -> bool {
        matches!(self, Self::Holds)
    }

    /// Why it does not hold, if it does not.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Holds => None,
            Self::Fails { why } | Self::Unknown { why } => Some(why),
        }
    }

    /// `holds`, `fails` or `unknown`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Fails { .. } => "fails",
            Self::Unknown { .. } => "unknown",
        }
    }
}
