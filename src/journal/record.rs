//! One record: a line of JSON that ends in the digest of its own bytes.
//!
//! ```text
//! {"format":1,"seq":1,"at":"…","prev":"…","event":{"opened":{…}},"digest":"…"}
//! {"seq":2,"at":"…","prev":"<the digest of record 1>","event":{…},"digest":"…"}
//! ```
//!
//! The digest covers the exact bytes of the line in front of `,"digest":"`, so no canonical form of JSON is needed,
//! and `sha256sum` on the command line can check a record. It is the line's own and not only in the next line's
//! `prev`, so that a change of the last record shows too.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::integrity::Fault;
use super::skim::{self, Skimmed};
use crate::event::Event;
use crate::vocab::Digest;

/// The format that is written. A reader reads every format up to its own.
pub const FORMAT: u64 = 1;

/// The longest record. Observations are kept whole in events, so there must be room; a reader must be able to give up.
pub(super) const LONGEST: usize = 64 * 1024 * 1024;

const DIGEST_KEY: &[u8] = b",\"digest\":\"";
const DIGEST_END: &[u8] = b"\"}";
const DIGEST_TAIL: usize = DIGEST_KEY.len() + 64 + DIGEST_END.len();

/// A record as it stands in a journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its number, from 1.
    pub seq: u64,
    /// When it happened, by the admin host's clock; not guaranteed to ascend.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
    /// The digest over its bytes, which the next record names.
    pub digest: Digest,
}

/// A record's line as written.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<u64>,
    seq: u64,
    at: Timestamp,
    prev: &'a Digest,
    event: &'a Event,
}

/// A record's line as read; `E` is an [`Event`] or what it is read as, or any JSON to learn why it is none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a, E> {
    #[serde(default)]
    format: Option<u64>,
    seq: u64,
    at: Timestamp,
    #[serde(borrow)]
    prev: Cow<'a, str>,
    event: E,
    /// What stands here is known from the end of the line.
    #[serde(rename = "digest")]
    digest: IgnoredAny,
}

impl<'a, E> Line<'a, E> {
    fn map<F>(self, change: impl FnOnce(E) -> F) -> Line<'a, F> {
        let Self { format, seq, at, prev, event, digest } = self;
        Line { format, seq, at, prev, event: change(event), digest }
    }
}

/// How much of a record's event is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// All of it.
    Whole,
    /// What the state and the files beside the journal need: see [`Skimmed`]. The verdict is the same.
    Skimmed,
}

/// Why a line cannot be taken as a record.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Refusal {
    /// It is not what a writer wrote.
    Fault(Fault),
    /// A newer program wrote it, in a newer format.
    TooNew { format: u64 },
    /// A newer program wrote it, in this format.
    UnknownEvent { event: String, detail: String },
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What the first record names as the one before it.
pub(super) fn origin() -> Digest {
    Digest::of(b"runbook journal, format 1")
}

/// Writes a record's line, its newline included.
pub(super) fn encode(seq: u64, at: Timestamp, prev: &Digest, event: &Event) -> Result<Vec<u8>, serde_json::Error> {
    let format = (seq == 1).then_some(FORMAT);
    let mut line = serde_json::to_vec(&Written { format, seq, at, prev, event })?;
    // the closing brace comes back behind the digest
    line.pop();
    Ok(closed(line))
}

/// Closes a line, whose brace is still open, with the digest of its bytes and a newline.
pub(super) fn closed(mut line: Vec<u8>) -> Vec<u8> {
    let digest = Digest::of(&line);
    line.extend_from_slice(DIGEST_KEY);
    line.extend_from_slice(digest.as_str().as_bytes());
    line.extend_from_slice(DIGEST_END);
    line.push(b'\n');
    line
}

/// Reads the line (without its newline) that should be record `seq` and follow `prev`.
pub(super) fn decode(line: &[u8], seq: u64, prev: &Digest, reading: Reading) -> Result<Record, Refusal> {
    // first of all: the rules below are this format's
    if seq == 1
        && let Some(format) = stated_format(line)
        && format > FORMAT
    {
        return Err(Refusal::TooNew { format });
    }
    let digest = check_digest(line)?;
    let line = parsed(line, reading)?;
    if line.seq != seq {
        return Err(Fault::Sequence { found: line.seq }.into());
    }
    if line.prev != prev.as_str() {
        return Err(Fault::Previous.into());
    }
    if line.format != (seq == 1).then_some(FORMAT) {
        return Err(Fault::Format.into());
    }
    Ok(Record { seq, at: line.at, event: line.event?, digest })
}

/// A line with its event, or why there is none in it.
fn parsed(line: &[u8], reading: Reading) -> Result<Line<'_, Result<Event, Refusal>>, Fault> {
    // UTF-8 is looked for once, and not again in each text
    let text = std::str::from_utf8(line).ok();
    if reading == Reading::Skimmed
        && let Some(Skimmed { seq, at, prev, event }) = text.and_then(skim::skim)
    {
        return Ok(Line { format: None, seq, at, prev: prev.into(), event: Ok(event), digest: IgnoredAny });
    }
    let whole = match text {
        Some(text) => serde_json::from_str(text),
        None => serde_json::from_slice(line),
    };
    match whole {
        Ok(line) => Ok(Line::map(line, Ok)),
        Err(error) => {
            let line: Line<serde_json::Value> =
                serde_json::from_slice(line).map_err(|_| Fault::NotARecord { detail: error.to_string() })?;
            Ok(line.map(|event| Err(Refusal::UnknownEvent { event: name_of(&event), detail: error.to_string() })))
        }
    }
}

/// The digest that the line ends in, if it is the one of what stands in front of it.
pub(super) fn check_digest(line: &[u8]) -> Result<Digest, Fault> {
    let cut = line.len().checked_sub(DIGEST_TAIL).ok_or(Fault::NoDigest)?;
    let (body, tail) = line.split_at(cut);
    let digits = tail.strip_prefix(DIGEST_KEY).and_then(|rest| rest.strip_suffix(DIGEST_END)).ok_or(Fault::NoDigest)?;
    let digest = Digest::of(body);
    if digest.as_str().as_bytes() == digits {
        return Ok(digest);
    }
    let is_one = std::str::from_utf8(digits).is_ok_and(|digits| Digest::parse(digits).is_some());
    Err(if is_one { Fault::Digest } else { Fault::NoDigest })
}

/// The format that a first line, or a seal's, states, read by its place only, so that later formats may change all the rest.
pub(super) fn stated_format(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"{\"format\":")?;
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

fn name_of(event: &serde_json::Value) -> String {
    match event {
        serde_json::Value::String(name) => name.clone(),
        serde_json::Value::Object(map) => map.keys().next().cloned().unwrap_or_default(),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::Array(_) => String::new(),
    }
}
