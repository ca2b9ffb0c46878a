//! Rows, written as CSV or as JSON Lines.

use std::io::{self, Write};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Json;

use super::rows::{RunRow, StepRow};
use crate::event::Event;
use crate::journal::{Record, Replay};
use crate::report::Story;
use crate::vocab::{Digest, RunId, neutral};

/// What there is a row for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Each run.
    Runs,
    /// Each step of each run on each host.
    Steps,
    /// Each record of each run.
    Events,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Comma-separated, quoted as RFC 4180 says, lines ended by a newline, with a head.
    Csv,
    /// One JSON document a line.
    JsonLines,
}

/// One record of a run, as its journal has it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ExportedRecord {
    /// The run's id.
    pub run: RunId,
    /// The record's number in its journal, from 1.
    pub seq: u64,
    /// When it happened, RFC 3339 in UTC.
    pub at: Timestamp,
    /// What happened, as the schema of events says.
    pub event: Event,
    /// The digest over the record's bytes, which the next record names.
    pub digest: Digest,
}

/// A line of an export as JSON Lines.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Row {
    /// Of `--what runs`.
    Run(Box<RunRow>),
    /// Of `--what steps`.
    Step(Box<StepRow>),
    /// Of `--what events`.
    Record(Box<ExportedRecord>),
}

/// An export that is being written.
#[derive(Debug)]
pub struct Export<W: Write> {
    what: What,
    out: Out<W>,
}

#[derive(Debug)]
enum Out<W: Write> {
    Csv(csv::Writer<W>),
    Lines(W),
}

impl<W: Write> Export<W> {
    /// Begins an export; of CSV the head is written. Records are no rows of a table: of them there are only JSON Lines,
    /// whatever is asked for.
    pub fn begin(what: What, form: Form, out: W) -> io::Result<Self> {
        let head = match (what, form) {
            (_, Form::JsonLines) | (What::Events, Form::Csv) => return Ok(Self { what, out: Out::Lines(out) }),
            (What::Runs, Form::Csv) => columns::<RunRow>(),
            (What::Steps, Form::Csv) => columns::<StepRow>(),
        };
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(&head).map_err(plain_error)?;
        Ok(Self { what, out: Out::Csv(writer) })
    }

    /// Writes what there is of a run.
    pub fn run(&mut self, replay: Replay) -> io::Result<()> {
        let Replay { records, integrity, state, .. } = replay;
        let run = state.opened.run;
        match self.what {
            What::Runs => match RunRow::of(&story(records), &integrity) {
                Some(row) => self.row(&row),
                None => Ok(()),
            },
            What::Steps => StepRow::all(&story(records)).iter().try_for_each(|row| self.row(row)),
            What::Events => records.into_iter().try_for_each(|Record { seq, at, event, digest }| {
                self.row(&ExportedRecord { run: run.clone(), seq, at, event, digest })
            }),
        }
    }

    /// Ends the export: all of it is handed on.
    pub fn end(self) -> io::Result<()> {
        match self.out {
            Out::Csv(mut writer) => writer.flush(),
            Out::Lines(mut out) => out.flush(),
        }
    }

    fn row(&mut self, row: &impl Serialize) -> io::Result<()> {
        match &mut self.out {
            Out::Lines(out) => {
                serde_json::to_writer(&mut *out, row)?;
                out.write_all(b"\n")
            }
            Out::Csv(writer) => {
                let Json::Object(row) = serde_json::to_value(row)? else { return Ok(()) };
                writer.write_record(row.values().map(cell)).map_err(plain_error)
            }
        }
    }
}

/// The writer's own error beneath: whether nobody reads any more is told by its kind.
fn plain_error(error: csv::Error) -> io::Error {
    if error.is_io_error()
        && let csv::ErrorKind::Io(error) = error.into_kind()
    {
        return error;
    }
    io::Error::other("a row was not as long as the head")
}

fn story(records: Vec<Record>) -> Story {
    Story::from_records(records.into_iter().map(|record| (record.at, record.event)))
}

/// The columns of a row, by its schema: the names of its fields, in their order.
fn columns<T: JsonSchema>() -> Vec<String> {
    let schema = schemars::schema_for!(T).to_value();
    let fields = schema.get("properties").and_then(Json::as_object);
    fields.map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
}

/// A value as a cell: nothing is empty, a list is joined by `; `, an override is `id (flag): reason`.
fn cell(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::Bool(_) | Json::Number(_) => value.to_string(),
        Json::String(_) | Json::Array(_) | Json::Object(_) => harmless(&plain(value)),
    }
}

fn plain(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::Bool(_) | Json::Number(_) => value.to_string(),
        Json::String(text) => text.clone(),
        Json::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join("; "),
        Json::Object(fields) => {
            let field = |name: &str| fields.get(name).map(plain).unwrap_or_default();
            format!("{} ({}): {}", field("id"), field("how"), field("reason"))
        }
    }
}

/// A text that neither a terminal nor a spreadsheet obeys: controls are made visible, and what would be taken for a
/// formula has a `'` in front.
fn harmless(text: &str) -> String {
    let text = neutral::neutralise(text);
    // a spreadsheet may read the wide forms as the plain ones
    let formula = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    if text.starts_with(formula) { format!("'{text}") } else { text }
}
