//! What a run leaves in the syslog of a host that it changed, and what is found of it there later.
//!
//! Apart from journals, which are on the admin host: whoever rewrites one there does not reach these lines. One is a line of
//! plain words, so that people find it with `grep`:
//!
//! ```text
//! run=20261122T031500Z-1a2b3c4d runbook=restart-jobs by=mark from=dfw-admin01:/var/lib/runbook step=restart outcome=ok records=57 head=5b4…
//! ```

use std::fmt;

use super::{Digest, RunId, StepId};

/// A stamp: that a run did this step on this host, and what its journal was then.
///
/// Names that are too long for a line of syslog are cut when it is written ([`Stamp::cut`]). A host's users can write any line
/// into its syslog, so what is read back is as untrusted as all that a host says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// The run.
    pub run: RunId,
    /// The number of records of its journal.
    pub records: u64,
    /// The digest of the last of them.
    pub head: Digest,
    /// Its runbook.
    pub runbook: String,
    /// Who ran it.
    pub operator: String,
    /// The machine it was run from, and where its record is kept there.
    pub admin_host: String,
    /// The step.
    pub step: String,
    /// What became of the step on this host, in a word.
    pub outcome: String,
}

/// What was found of stamps on one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StampsSeen {
    /// The stamps, each once, by run and number of records.
    pub stamps: Vec<Stamp>,
    /// The oldest run that the host's logs have a stamp of, whichever was asked for: so far back they tell.
    pub oldest: Option<RunId>,
    /// Where they were looked for: `journalctl`, or files.
    pub read: Vec<String>,
    /// The logs that could not be read, and why.
    pub unread: Vec<String>,
    /// There were more than are brought; the oldest were left out.
    pub cut: bool,
}

/// How long a name may be on the line, and a step's path: all together stay below what a syslog takes (1 KiB with its header).
const NAME: usize = 90;
const PATH: usize = 180;
/// How long a machine's name may be together with where it keeps its record.
const PLACE: usize = 150;
/// Stands where something was cut off.
const MORE: char = '…';

impl Stamp {
    /// The same with what is too long cut: what [`Stamp::parse`] gives of its line.
    #[must_use]
    pub fn cut(&self) -> Self {
        Self {
            runbook: cut(&self.runbook, NAME),
            operator: cut(&self.operator, NAME),
            admin_host: cut(&self.admin_host, PLACE),
            step: cut(&self.step, PATH),
            outcome: cut(&self.outcome, NAME),
            ..self.clone()
        }
    }

    /// Whether a stamp that was read is of this step; of steps that are cut alike, of each.
    pub fn is_of(&self, step: &StepId) -> bool {
        cut(step.as_str(), PATH) == self.step
    }

    /// Whether a stamp that was read is from this machine and record: `dfw-admin01:/var/lib/runbook`.
    pub fn is_from(&self, admin_host: &str) -> bool {
        cut(admin_host, PLACE) == self.admin_host
    }

    /// Finds a stamp in a line, whatever stands before and behind it.
    pub fn parse(line: &str) -> Option<Self> {
        line.match_indices("run=").find_map(|(at, _)| Self::at(&line[at..]))
    }

    fn at(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let mut field = |name: &str| words.next()?.strip_prefix(name)?.strip_prefix('=');
        let run = field("run")?.parse().ok()?;
        let runbook = decoded(field("runbook")?)?;
        let operator = decoded(field("by")?)?;
        let admin_host = decoded(field("from")?)?;
        let step = decoded(field("step")?)?;
        let outcome = decoded(field("outcome")?)?;
        let records = field("records")?.parse().ok()?;
        let head = field("head")?;
        // a log may write something of its own behind it
        let digits = head.bytes().position(|b| !b.is_ascii_hexdigit()).unwrap_or(head.len());
        let head = Digest::parse(&head[..digits])?;
        Some(Self { run, records, head, runbook, operator, admin_host, step, outcome })
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, records, head, runbook, operator, admin_host, step, outcome } = &self.cut();
        write!(
            f,
            "run={run} runbook={} by={} from={} step={} outcome={} records={records} head={head}",
            encoded(runbook),
            encoded(operator),
            encoded(admin_host),
            encoded(step),
            encoded(outcome),
        )
    }
}

/// Whether a character stays as it is: none that parts fields, ends a line or is quoted by a log.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._/:@+,".contains(&byte)
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                bytes.push(u8::try_from(high * 16 + low).ok()?);
            }
            byte if is_plain(byte) => bytes.push(byte),
            _ => return None,
        }
    }
    String::from_utf8(bytes).ok()
}

fn width(c: char) -> usize {
    c.encode_utf8(&mut [0; 4]).bytes().map(|byte| if is_plain(byte) { 1 } else { 3 }).sum()
}

/// `text`, if it has at most so many bytes on the line; otherwise its beginning.
fn cut(text: &str, most: usize) -> String {
    if text.chars().map(width).sum::<usize>() <= most {
        return text.to_owned();
    }
    let mut left = most - width(MORE);
    let fits = |c: &char| {
        let width = width(*c);
        let fits = width <= left;
        left = left.saturating_sub(width);
        fits
    };
    text.chars().take_while(fits).chain([MORE]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stamp() -> Stamp {
        Stamp {
            run: "20261122T031500Z-1a2b3c4d".parse().unwrap(),
            records: 57,
            head: Digest::of(b"record 57"),
            runbook: "restart-jobs".to_owned(),
            operator: "mark".to_owned(),
            admin_host: "dfw-admin01".to_owned(),
            step: "bounce/restart".to_owned(),
            outcome: "ok".to_owned(),
        }
    }

    #[test]
    fn is_a_line_that_people_can_read_and_find() {
        let line = format!(
            "run=20261122T031500Z-1a2b3c4d runbook=restart-jobs by=mark from=dfw-admin01 step=bounce/restart \
             outcome=ok records=57 head={}",
            Digest::of(b"record 57")
        );
        assert_eq!(stamp().to_string(), line);
        for (before, behind) in [
            ("", ""),
            ("Nov 22 03:15:00 dfw-jobs01 runbook: ", "\n"),
            ("2026-11-22T03:15:00.1+00:00 dfw-jobs01 runbook[12]: run=no ", " more"),
            (r#"{"host":"a","msg":""#, r#""}"#),
        ] {
            assert_eq!(Stamp::parse(&format!("{before}{line}{behind}")), Some(stamp()), "{before}");
        }
    }

    #[test]
    fn what_is_damaged_is_none() {
        let line = stamp().to_string();
        for end in 0..line.len() {
            assert_eq!(Stamp::parse(&line[..end]), None, "{}", &line[..end]);
        }
        for (from, to) in [
            ("by=mark", "by=ma\"rk"),
            ("by=mark", "by=%f"),
            ("by=mark", "by=%ff"),
            ("by=mark ", ""),
            ("records=57", "records=-1"),
            ("20261122T", "20261122X"),
        ] {
            assert_ne!(line.replace(from, to), line);
            assert_eq!(Stamp::parse(&line.replace(from, to)), None, "{to}");
        }
    }

    proptest! {
        #[test]
        fn comes_back_from_any_line(
            names in prop::array::uniform5(prop_oneof![any::<String>(), ".{0,400}", "[a-z=% \"\\\\\n]{0,300}"]),
            records in any::<u64>(),
            before in any::<String>(),
        ) {
            let [runbook, operator, admin_host, step, outcome] = names;
            let stamp = Stamp { records, runbook, operator, admin_host, step, outcome, ..stamp() };
            let line = stamp.to_string();
            prop_assert!(line.len() < 900, "{}", line.len());
            prop_assert!(line.bytes().all(|b| b == b' ' || b == b'=' || b == b'%' || is_plain(b)), "{}", line);
            prop_assert_eq!(Stamp::parse(&format!("{before} {line}")), Some(stamp.cut()));
            prop_assert_eq!(stamp.cut().cut(), stamp.cut());
        }

        #[test]
        fn no_line_is_too_odd(line in any::<String>()) {
            prop_assert_eq!(Stamp::parse(&line), None);
        }
    }
}
