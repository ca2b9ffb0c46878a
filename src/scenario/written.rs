//! Scenarios as they are written into a file: the shape of `source::raw::scenario`, for serde.

use std::collections::BTreeMap;

use serde::Serialize;

/// A file.
#[derive(Debug, Default, Serialize)]
pub(super) struct File {
    pub(super) runbook: String,
    pub(super) scenarios: Vec<Scenario>,
}

/// A scenario.
#[derive(Debug, Default, Serialize)]
pub(super) struct Scenario {
    pub(super) name: String,
    pub(super) says: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) args: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) secrets: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Options::is_plain")]
    pub(super) options: Options,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) locked: Vec<Locked>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) answers: Vec<Answering>,
    #[serde(flatten)]
    pub(super) stretch: Stretch,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) then: Vec<Then>,
}

/// A resume.
#[derive(Debug, Default, Serialize)]
pub(super) struct Then {
    #[serde(skip_serializing_if = "Options::is_plain")]
    pub(super) resume: Options,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) later: Option<String>,
    #[serde(flatten)]
    pub(super) stretch: Stretch,
}

/// What a run and a resume have in common.
#[derive(Debug, Default, Serialize)]
pub(super) struct Stretch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) operator: Option<BTreeMap<String, Vec<Reply>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) interrupt: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) crash: Option<String>,
    pub(super) expect: Expect,
}

/// The flags.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Options {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) yes: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) limit: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) ack: BTreeMap<String, String>,
    #[serde(rename = "override", skip_serializing_if = "Vec::is_empty")]
    pub(super) overrides: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) emergency: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) wait: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) wait_lock: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) retry: bool,
}

/// A lock that another run held.
#[derive(Debug, Serialize)]
pub(super) struct Locked {
    pub(super) on: String,
    pub(super) by: String,
    pub(super) r#for: String,
}

/// What hosts answered.
#[derive(Debug, Serialize)]
pub(super) struct Answering {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) on: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) each: Option<&'static str>,
    pub(super) gives: Gives,
}

/// One answer, or several.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Gives {
    One(Box<Give>),
    Several(Vec<Give>),
}

/// One answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Give {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fault: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exit: Option<i32>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) stdout: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) stderr: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reply: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) took: Option<String>,
}

/// What a person said.
#[derive(Debug, Serialize)]
pub(super) struct Reply {
    pub(super) answer: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) took: Option<String>,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Expect {
    pub(super) exit: Exit,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) outcomes: BTreeMap<String, &'static str>,
    pub(super) asked: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) order: Vec<String>,
}

/// How it ended.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Exit {
    Status(u8),
    Word(&'static str),
}

impl Default for Exit {
    fn default() -> Self {
        Self::Status(0)
    }
}

impl Options {
    fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}
