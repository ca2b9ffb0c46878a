//! One line of the index: `RUN TAB STATE …  TAB CHECKSUM`.
//!
//! Apart from the file because this is a format: texts of journals go into it, whatever is in them, and come out the same.

use std::borrow::Cow;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

use jiff::Timestamp;

use super::entry::{Entry, Facts};
use crate::event::RunStatus;
use crate::vocab::{HostName, RunId};

/// The length of a run's id.
pub(super) const ID: usize = 25;

/// A tab and eight hex digits.
const SUM: usize = 9;

const FIELDS: usize = 14;

/// What tells a journal's file from what it was before: its length and when it was last written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) struct Seen {
    length: u64,
    changed: i64,
}

impl Seen {
    pub(in crate::journal) fn of(found: &Metadata) -> Self {
        let changed = found.mtime().saturating_mul(1_000_000_000).saturating_add(found.mtime_nsec());
        Self { length: found.len(), changed }
    }
}

/// What the index says of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// It is there: look at it.
    Look,
    /// It is not there any more.
    Gone,
    /// What it was when its journal was so; it can go on.
    Unfinished,
    /// What it was; nothing can follow.
    Over,
}

/// A line that is whole, not taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Raw<'a> {
    pub(super) run: &'a [u8],
    body: &'a [u8],
}

impl<'a> Raw<'a> {
    /// The line without its newline; none where it is not what was written.
    pub(super) fn read(line: &'a [u8]) -> Option<Self> {
        let (said, sum) = line.split_at_checked(line.len().checked_sub(SUM)?)?;
        if sum != self::sum(said).as_slice() || said.len() < ID + 2 || said[ID] != b'\t' {
            return None;
        }
        Some(Self { run: &said[..ID], body: &said[ID + 1..] })
    }

    /// A line that was read before.
    pub(super) fn of(line: &'a [u8]) -> Self {
        Self { run: &line[..ID], body: &line[ID + 1..line.len() - SUM] }
    }

    pub(super) fn says(self) -> Option<Says> {
        match self.body[0] {
            b'?' => Some(Says::Look),
            b'-' => Some(Says::Gone),
            b'o' | b's' => Some(Says::Unfinished),
            b'e' | b'a' => Some(Says::Over),
            // somebody else's, with the right checksum
            _ => None,
        }
    }

    /// The fields; none where they are not those of a line with fields.
    pub(super) fn line(self) -> Option<Line<'a>> {
        let mut fields = [""; FIELDS];
        let body = std::str::from_utf8(self.body).ok()?;
        let mut ends = memchr::memchr_iter(b'\t', self.body).chain([body.len()]);
        let mut from = 0;
        for field in &mut fields {
            let end = ends.next()?;
            *field = &body[from..end];
            from = end + 1;
        }
        let started = stamp(fields[3])?;
        Some(Line { fields, started })
    }
}

/// A line taken apart into its fields, which stand as they were written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    fields: [&'a str; FIELDS],
    started: Timestamp,
}

impl Line<'_> {
    /// The journal's file when the line was written.
    pub(super) fn seen(&self) -> Option<Seen> {
        Some(Seen { length: self.fields[1].parse().ok()?, changed: self.fields[2].parse().ok()? })
    }

    fn standing(&self, why: String) -> RunStatus {
        let (letter, exit) = self.fields[0].split_at(1);
        let exit = exit.parse().unwrap_or(1);
        match letter {
            "o" => RunStatus::Open,
            "s" => RunStatus::Stopped { exit, why },
            "e" => RunStatus::Ended { exit, why },
            _ => RunStatus::Abandoned { reason: why },
        }
    }

    /// What it says; none where it says nothing that an entry could be.
    pub(super) fn entry(&self) -> Option<Entry> {
        let text = |field: usize| word(self.fields[field]).into_owned();
        let mut overrides = Vec::new();
        let mut words = words(self.fields[12]);
        while let Some(id) = words.next() {
            overrides.push((id.into_owned(), words.next()?.into_owned()));
        }
        Some(Entry {
            runbook: text(5),
            operator: text(6),
            admin_host: text(7),
            changes: self.fields[8].contains('c'),
            emergency: self.fields[8].contains('e'),
            stretches: self.fields[9].parse().ok()?,
            hosts: self::words(self.fields[13]).map(HostName::new).collect(),
            started: self.started,
            last: stamp(self.fields[4])?,
            status: self.standing(text(10)),
            reason: self.reason().map(Cow::into_owned),
            overrides,
        })
    }
}

impl Facts for Line<'_> {
    fn runbook(&self) -> Cow<'_, str> {
        word(self.fields[5])
    }

    fn operator(&self) -> Cow<'_, str> {
        word(self.fields[6])
    }

    fn started(&self) -> Timestamp {
        self.started
    }

    fn status(&self) -> RunStatus {
        self.standing(String::new())
    }

    fn reason(&self) -> Option<Cow<'_, str>> {
        (self.fields[11] != NONE).then(|| word(self.fields[11]))
    }

    fn any_host(&self, is: &dyn Fn(&str) -> bool) -> bool {
        words(self.fields[13]).any(|host| is(&host))
    }

    fn any_override(&self, is: &dyn Fn(&str, &str) -> bool) -> bool {
        let mut words = words(self.fields[12]);
        while let (Some(id), Some(reason)) = (words.next(), words.next()) {
            if is(&id, &reason) {
                return true;
            }
        }
        false
    }
}

/// The line that says no more than that a run is there.
pub(super) fn look(run: &RunId) -> Vec<u8> {
    closed(format!("{run}\t?").into_bytes())
}

/// The line that says that a run is not there any more.
pub(super) fn gone(run: &RunId) -> Vec<u8> {
    closed(format!("{run}\t-").into_bytes())
}

/// The line that says what a run is while its journal is so.
pub(super) fn told(run: &RunId, entry: &Entry, seen: Seen) -> Vec<u8> {
    let (standing, why) = match &entry.status {
        RunStatus::Open => ("o".to_owned(), ""),
        RunStatus::Stopped { exit, why } => (format!("s{exit}"), why.as_str()),
        RunStatus::Ended { exit, why } => (format!("e{exit}"), why.as_str()),
        RunStatus::Abandoned { reason } => ("a".to_owned(), reason.as_str()),
    };
    let mut flags = String::new();
    flags.extend(entry.changes.then_some('c'));
    flags.extend(entry.emergency.then_some('e'));
    let overrides: Vec<String> =
        entry.overrides.iter().flat_map(|(id, reason)| [escaped(id), escaped(reason)]).collect();
    let hosts: Vec<String> = entry.hosts.iter().map(|host| escaped(host.as_str())).collect();
    let fields: [&str; FIELDS] = [
        &standing,
        &seen.length.to_string(),
        &seen.changed.to_string(),
        &entry.started.as_nanosecond().to_string(),
        &entry.last.as_nanosecond().to_string(),
        &escaped(&entry.runbook),
        &escaped(&entry.operator),
        &escaped(&entry.admin_host),
        &flags,
        &entry.stretches.to_string(),
        &escaped(why),
        &entry.reason.as_deref().map_or_else(|| NONE.to_owned(), escaped),
        &overrides.join(" "),
        &hosts.join(" "),
    ];
    closed(format!("{run}\t{}", fields.join("\t")).into_bytes())
}

fn closed(mut line: Vec<u8>) -> Vec<u8> {
    let sum = sum(&line);
    line.extend(sum);
    line.push(b'\n');
    line
}

/// A tab, and the checksum of what stands before it. Against accidents, not against people.
pub(super) fn sum(said: &[u8]) -> [u8; SUM] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let sum = crc32fast::hash(said);
    std::array::from_fn(|at| match at {
        0 => b'\t',
        at => DIGITS[(sum >> (32 - 4 * at) & 0xf) as usize],
    })
}

fn stamp(text: &str) -> Option<Timestamp> {
    let nanoseconds: i64 = text.parse().ok()?;
    Timestamp::from_nanosecond(nanoseconds.into()).ok()
}

/// What stands for no text at all; an empty one is `\e`.
const NONE: &str = "\\0";

/// `text` as one word without a blank, a tab or a newline.
fn escaped(text: &str) -> String {
    if text.is_empty() {
        return "\\e".to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for ch in text.chars() {
        match ch {
            '\\' => out.push_str("\\\\"),
            ' ' => out.push_str("\\s"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            ch => out.push(ch),
        }
    }
    out
}

/// The text that a word was made from.
fn word(written: &str) -> Cow<'_, str> {
    if !written.as_bytes().contains(&b'\\') {
        return Cow::Borrowed(written);
    }
    let mut out = String::with_capacity(written.len());
    let mut chars = written.chars();
    while let Some(ch) = chars.next() {
        match ch {
            '\\' => match chars.next() {
                Some('s') => out.push(' '),
                Some('t') => out.push('\t'),
                Some('n') => out.push('\n'),
                Some('e') | None => {}
                Some(other) => out.push(other),
            },
            ch => out.push(ch),
        }
    }
    Cow::Owned(out)
}

fn words(field: &str) -> impl Iterator<Item = Cow<'_, str>> {
    field.split(' ').filter(|word| !word.is_empty()).map(word)
}
