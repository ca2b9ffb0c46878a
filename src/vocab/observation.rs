//! What a probe saw on one host, as data.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::duration::Period;
use super::ids::HostName;

/// What one probe saw on one host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Observation {
    /// The host that was looked at.
    pub host: HostName,
    /// What came back.
    pub reply: Reply,
    /// How long it took.
    pub took: Period,
    /// The reply as a table, where the probe parses to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<Rows>,
    /// The reply as a value (`json`), where the probe parses to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<serde_json::Value>,
    /// Why the reply cannot be used: a line that did not parse, an exit status that is not expected, no answer.
    /// Any entry makes every expectation over it unknown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// A command ended.
    Command {
        /// Its exit status; 128 + N for signal N.
        exit: i32,
        /// What it wrote, invalid UTF-8 replaced.
        stdout: String,
        /// What it wrote on stderr.
        stderr: String,
    },
    /// A TCP conversation answered.
    Tcp {
        /// What the peer sent.
        reply: String,
    },
    /// A request was answered.
    Http {
        /// The status code.
        status: u16,
        /// Headers, names in lower case; several of a name joined by `, `.
        headers: BTreeMap<String, String>,
        /// The body.
        body: String,
    },
    /// Nothing usable came back.
    Nothing {
        /// The kind of failure.
        reason: NoReply,
        /// What is known about it, for people.
        detail: String,
    },
}

/// Why nothing came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NoReply {
    /// The host could not be reached or logged into.
    Unreachable,
    /// It took longer than allowed.
    TimedOut,
    /// The connection to the host broke off in the middle.
    Lost,
    /// The port refused the connection.
    Refused,
    /// The peer closed before what was waited for came.
    Closed,
    /// The host's sshd does not allow forwarding.
    Prohibited,
    /// The name or address does not resolve or route.
    NoRoute,
    /// TLS or HTTP was not spoken as it should be.
    Protocol,
    /// The run was interrupted.
    Interrupted,
}

impl NoReply {
    /// The word for it in expectations, of what a TCP probe may take for an answer.
    pub fn answer(self) -> Option<&'static str> {
        match self {
            Self::TimedOut => Some("timed-out"),
            Self::Refused => Some("refused"),
            Self::Closed => Some("closed"),
            Self::Unreachable | Self::Lost | Self::Prohibited | Self::NoRoute | Self::Protocol | Self::Interrupted => {
                None
            }
        }
    }

    /// The reason in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed out",
            Self::Lost => "connection lost",
            Self::Refused => "connection refused",
            Self::Closed => "closed without an answer",
            Self::Prohibited => "forwarding prohibited by the host's sshd",
            Self::NoRoute => "no route or no such name",
            Self::Protocol => "protocol error",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A table: typed columns, rows in the order of the output.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rows {
    /// Column names in order.
    pub columns: Vec<String>,
    /// The rows, each as long as `columns`.
    pub rows: Vec<Row>,
}

/// One row.
pub type Row = Vec<Datum>;

/// One value of a table.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Datum {
    /// No value: an optional group that did not take part, a JSON null.
    Nothing,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number; durations are seconds.
    Number(f64),
    /// A text.
    Text(String),
}

impl Datum {
    /// The value as people see it.
    pub fn shown(&self) -> String {
        match self {
            Self::Nothing => "-".to_owned(),
            Self::Boolean(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::Text(value) => value.clone(),
        }
    }
}

/// By hand: serde's own way for untagged enums tries one variant after the other and words a failure for each, which took
/// most of the time of reading a journal.
impl<'de> Deserialize<'de> for Datum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DatumVisitor)
    }
}

struct DatumVisitor;

impl Visitor<'_> for DatumVisitor {
    type Value = Datum;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of a table: null, a boolean, a number or a text")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Datum, E> {
        Ok(Datum::Nothing)
    }

    fn visit_none<E: de::Error>(self) -> Result<Datum, E> {
        Ok(Datum::Nothing)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Datum, E> {
        Ok(Datum::Boolean(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Datum, E> {
        Ok(Datum::Integer(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Datum, E> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "what is too large for a whole number is read as one of the others"
        )]
        Ok(i64::try_from(value).map_or(Datum::Number(value as f64), Datum::Integer))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Datum, E> {
        Ok(Datum::Number(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Datum, E> {
        Ok(Datum::Text(value.to_owned()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Datum, E> {
        Ok(Datum::Text(value))
    }
}

impl Observation {
    /// An observation that is nothing but a failure to get one.
    pub fn nothing(host: HostName, reason: NoReply, detail: impl Into<String>, took: Period) -> Self {
        let detail = detail.into();
        let problem =
            if detail.is_empty() { reason.words().to_owned() } else { format!("{}: {detail}", reason.words()) };
        Self { host, reply: Reply::Nothing { reason, detail }, took, rows: None, value: None, problems: vec![problem] }
    }
}
