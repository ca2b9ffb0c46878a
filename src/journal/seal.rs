//! A seal: what a stretch of a run came to, said once, beside its journal, and signed by whoever ran it.
//!
//! ```text
//! {"format":1,"seal":{"run":"…","records":57,"head":"…",…},"signed":"<SSHSIG in base64>","digest":"…"}
//! {"format":1,"seal":{…},"unsigned":"<why>","digest":"…"}
//! ```
//!
//! One line a seal in `seals.jsonl` of the run's folder. Signed are the exact bytes of the object behind `"seal":`, so
//! `ssh-keygen -Y verify` can check one by hand; the digest covers what stands in front of `,"digest":"`, as a record's
//! does. Each seal names the one that was made before it in the state dir, of whichever run: so a signature holds
//! all seals before it, also unsigned ones.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::integrity::Fault;
use super::record;
use crate::event::Link;
use crate::vocab::{Digest, HostName, RunId};

/// The namespace of a seal's signature: a signature for anything else is none here.
pub const NAMESPACE: &str = "runbook-audit";

/// The format that is written.
const FORMAT: u64 = 1;

const SIGNED: &str = ",\"signed\":\"";
const UNSIGNED: &str = ",\"unsigned\":\"";

/// What is sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The run.
    pub run: RunId,
    /// The how-manieth seal of the run, from 1.
    pub number: u32,
    /// The stretch of the run that is over, from 1.
    pub stretch: u32,
    /// How many records its journal had.
    pub records: u64,
    /// The digest of the last of them.
    pub head: Digest,
    /// The digest of its first record, which the run that started next names.
    pub first: Digest,
    /// The run that started before it.
    pub link: Option<Link>,
    /// The seal that was made before this one.
    pub before: Option<SealLink>,
    /// When, by the admin host's clock.
    pub at: Timestamp,
    /// Who ran the stretch, or said the word that ended it.
    pub operator: String,
    /// On which machine.
    pub admin_host: String,
    /// The hosts in whose own logs the head was left.
    pub stamped: Vec<HostName>,
    /// The hosts that were changed and where that could not be done, each with why.
    pub unstamped: Vec<(HostName, String)>,
}

/// A seal as the next one names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealLink {
    /// Its run.
    pub run: RunId,
    /// Its number.
    pub number: u32,
    /// Its digest.
    pub digest: Digest,
}

/// What an operator's key says to a seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signature {
    /// An SSH signature over the sealed bytes, in base64.
    Signed(String),
    /// There is none, and why.
    Unsigned(String),
}

/// A seal as it stands beside a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// What is sealed.
    pub statement: Statement,
    /// The exact bytes that a signature is over.
    pub message: Vec<u8>,
    /// The signature.
    pub signature: Signature,
    /// The digest of its line.
    pub digest: Digest,
}

impl Seal {
    /// The seal as the next one names it.
    pub fn link(&self) -> SealLink {
        SealLink { run: self.statement.run.clone(), number: self.statement.number, digest: self.digest.clone() }
    }
}

/// What is wrong with a line of seals.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealFault {
    /// It is not as it was written.
    #[error("{0}")]
    Line(Fault),
    /// A newer program wrote it.
    #[error("it is in format {0}, which this program does not know")]
    TooNew(u64),
    /// It is half a line: the program or the machine died while writing it.
    #[error("it was cut off after {0} bytes")]
    Torn(usize),
    /// It is of another run, or has another number than its place.
    #[error("it is seal {number} of {run}, which does not belong there")]
    Misplaced {
        /// The run it names.
        run: RunId,
        /// The number it has.
        number: u32,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    format: u64,
    seal: Statement,
    #[serde(default)]
    signed: Option<String>,
    #[serde(default)]
    unsigned: Option<String>,
    digest: Digest,
}

/// Writes a seal's line, its newline included; `sign` is given the bytes to sign.
pub(super) fn encode(
    statement: &Statement,
    sign: impl FnOnce(&[u8]) -> Signature,
) -> Result<Vec<u8>, serde_json::Error> {
    let message = serde_json::to_vec(statement)?;
    let signature = sign(&message);
    let mut line = format!("{{\"format\":{FORMAT},\"seal\":").into_bytes();
    line.extend_from_slice(&message);
    let (key, value) = match &signature {
        Signature::Signed(base64) => (SIGNED, base64),
        Signature::Unsigned(why) => (UNSIGNED, why),
    };
    // the key ends in the quote that the value begins with
    line.extend_from_slice(&key.as_bytes()[..key.len() - 1]);
    line.extend_from_slice(&serde_json::to_vec(value)?);
    Ok(record::closed(line))
}

/// Reads a seal's line, without its newline.
pub(super) fn decode(line: &[u8]) -> Result<Seal, SealFault> {
    // first of all: the rules below are this format's
    if let Some(format) = record::stated_format(line)
        && format > FORMAT
    {
        return Err(SealFault::TooNew(format));
    }
    record::check_digest(line).map_err(SealFault::Line)?;
    let not_a_seal = |detail: String| SealFault::Line(Fault::NotARecord { detail });
    let read: Line = serde_json::from_slice(line).map_err(|error| not_a_seal(error.to_string()))?;
    let (key, signature) = match (read.signed, read.unsigned) {
        (Some(base64), None) => (SIGNED, Signature::Signed(base64)),
        (None, Some(why)) => (UNSIGNED, Signature::Unsigned(why)),
        (Some(_), Some(_)) | (None, None) => return Err(not_a_seal("signed or unsigned, one of them".to_owned())),
    };
    let text = std::str::from_utf8(line).map_err(|error| not_a_seal(error.to_string()))?;
    // a quote within a text of JSON has a backslash in front: this is found nowhere else
    let message = text
        .strip_prefix(&format!("{{\"format\":{},\"seal\":", read.format))
        .and_then(|rest| rest.rsplit_once(key))
        .map(|(message, _)| message.as_bytes().to_vec())
        .ok_or_else(|| not_a_seal("its parts are not in their places".to_owned()))?;
    Ok(Seal { statement: read.seal, message, signature, digest: read.digest })
}

/// Reads the seals of `run` from the text of its file, in order, each with what is wrong with it.
pub(super) fn decode_all(run: &RunId, text: &[u8]) -> Vec<Result<Seal, SealFault>> {
    let lines = text.split_inclusive(|byte| *byte == b'\n').zip(1..);
    let seal = |(line, place): (&[u8], u32)| {
        let Some(line) = line.strip_suffix(b"\n") else { return Err(SealFault::Torn(line.len())) };
        let seal = decode(line)?;
        let Statement { run: named, number, .. } = &seal.statement;
        if named == run && *number == place {
            Ok(seal)
        } else {
            Err(SealFault::Misplaced { run: named.clone(), number: *number })
        }
    };
    lines.map(seal).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_format_is_known_by_its_place_whatever_else_it_has() {
        let digest = Digest::of(b"x");
        let statement = Statement {
            run: "20261122T031500Z-00000001".parse().unwrap(),
            number: 1,
            stretch: 1,
            records: 1,
            head: digest.clone(),
            first: digest,
            link: None,
            before: None,
            at: "2026-11-22T03:15:00Z".parse().unwrap(),
            operator: "mark".into(),
            admin_host: "admin01".into(),
            stamped: Vec::new(),
            unstamped: Vec::new(),
        };
        let line = encode(&statement, |_| Signature::Unsigned("no key".into())).unwrap();
        let line = line.strip_suffix(b"\n").unwrap();
        assert_eq!(decode(line).unwrap().statement, statement);
        // one whose fields all fit, and one of which nothing is known but that
        let (body, _) = std::str::from_utf8(line).unwrap().rsplit_once(",\"digest\"").unwrap();
        let fits = record::closed(body.replacen(":1,", ":2,", 1).into_bytes());
        for newer in [fits.strip_suffix(b"\n").unwrap(), b"{\"format\":2,of a later time"] {
            assert_eq!(decode(newer), Err(SealFault::TooNew(2)));
        }
    }
}
