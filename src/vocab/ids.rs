//! Names of runs, steps and hosts.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The id of a run: its start in UTC and four random bytes, `20261122T031500Z-1a2b3c4d`.
///
/// Ids sort by start time, are safe as file names and in commands, and are unique across admin hosts for all
/// practical purposes (two runs would have to start in the same second and draw the same 32 bits).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RunId(String);

/// A text that is not a run id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a run id (it looks like `20261122T031500Z-1a2b3c4d`)")]
pub struct BadRunId(pub String);

impl RunId {
    /// Makes the id of a run that starts at `start` with the random tail `tail`.
    pub fn new(start: jiff::Timestamp, tail: [u8; 4]) -> Self {
        let stamp = start.strftime("%Y%m%dT%H%M%SZ");
        Self(format!("{stamp}-{:08x}", u32::from_be_bytes(tail)))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part that tells when it started: ids with the same one started in the same second.
    pub fn second(&self) -> &str {
        self.0.split_once('-').map_or(self.as_str(), |(second, _)| second)
    }
}

impl FromStr for RunId {
    type Err = BadRunId;

    fn from_str(text: &str) -> Result<Self, BadRunId> {
        let ok = text.len() == 25
            && text.is_ascii()
            && text[..8].bytes().all(|b| b.is_ascii_digit())
            && &text[8..9] == "T"
            && text[9..15].bytes().all(|b| b.is_ascii_digit())
            && &text[15..17] == "Z-"
            && text[17..].bytes().all(|b| b.is_ascii_hexdigit());
        if ok { Ok(Self(text.to_owned())) } else { Err(BadRunId(text.to_owned())) }
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps a text that was validated where it was read.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

name_type! {
    /// A step's path in the plan: its id, with the ids of the blocks and runbooks around it: `bounce/stop`.
    StepId
}
name_type! {
    /// A host's name in the inventory.
    HostName
}

impl HostName {
    /// The operator's own machine: the built-in host `here`.
    pub fn here() -> Self {
        Self("here".to_owned())
    }

    /// Whether this is the operator's own machine.
    pub fn is_here(&self) -> bool {
        self.0 == "here"
    }

    /// Whether `text` may name a host: letters, digits, `.`, `_`, `-`, not starting with `-` or `.`, at most 253 bytes.
    ///
    /// The rule is narrow because names travel into command lines, file names and the wiki.
    pub fn is_valid(text: &str) -> bool {
        !text.is_empty()
            && text.len() <= 253
            && !text.starts_with(['-', '.'])
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One step on one host, written `step@host`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct StepHost {
    /// The step.
    pub step: StepId,
    /// The host; `here` for what runs once on the operator's machine.
    pub host: HostName,
}

impl StepHost {
    /// Names `step` on `host`.
    pub fn new(step: StepId, host: HostName) -> Self {
        Self { step, host }
    }
}

impl fmt::Display for StepHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.step, self.host)
    }
}

impl fmt::Debug for StepHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for StepHost {
    type Err = BadStepHost;

    fn from_str(text: &str) -> Result<Self, BadStepHost> {
        match text.split_once('@') {
            Some((step, host)) if !step.is_empty() && HostName::is_valid(host) => {
                Ok(Self::new(StepId::new(step), HostName::new(host)))
            }
            _ => Err(BadStepHost(text.to_owned())),
        }
    }
}

/// A text that does not name a step on a host.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` does not name a step on a host (write `step@host`)")]
pub struct BadStepHost(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_sort_by_start_and_survive_text() {
        let early = RunId::new("2026-11-22T03:15:00Z".parse().unwrap(), [0xff; 4]);
        let late = RunId::new("2026-11-22T03:15:01Z".parse().unwrap(), [0; 4]);
        assert!(early < late);
        assert_eq!(early.as_str(), "20261122T031500Z-ffffffff");
        assert_eq!(early.as_str().parse::<RunId>().unwrap(), early);
        assert!("../../etc/passwd".parse::<RunId>().is_err());
        assert!("20261122T031500Z-zzzzzzzz".parse::<RunId>().is_err());
    }

    #[test]
    fn host_names_are_narrow() {
        assert!(HostName::is_valid("dfw-jobs01.example.org"));
        for bad in ["", "-rf", ".ssh", "a b", "a;b", "a\nb", "ü", "a/b", "a@b"] {
            assert!(!HostName::is_valid(bad), "{bad:?}");
        }
    }
}
