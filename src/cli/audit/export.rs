//! `runbook audit export`

use std::io::{self, BufWriter};

use super::super::app::{Format, Global};
use super::super::error::CliError;
use super::super::exit;
use super::super::resume::find;
use super::filter::FilterArgs;
use crate::audit::export::{Export, Form, What};
use crate::journal::{Integrity, Store};
use crate::report::Sink;
use crate::vocab::{RunId, neutral};

/// Write runs as CSV or JSON Lines, for spreadsheets and other programs
///
/// One line for each run, for each step of each run on each host, or for each record. Newest runs first. The columns are in
/// docs/audit.md and in `runbook schema export`; times are RFC 3339 in UTC, durations are seconds. In CSV, control characters
/// are made visible, and a text that a spreadsheet would take for a formula has a `'` in front; JSON Lines are exact.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  runbook audit export --since 2026-11-01 > november.csv
  runbook audit export --what steps --runbook restart-webs > steps.csv
  runbook audit export latest --what events --format jsonl | jq .event
  runbook audit export --format jsonl --outcome failed | jq -r .why

Exit status: 7 when a run could not be read, or only up to where its record
breaks. Such a run is named on stderr, and the others are exported.")]
pub(super) struct Args {
    /// Only this run: its id, a unique beginning of it, or `latest`
    #[arg(conflicts_with = "FilterArgs")]
    run: Option<String>,
    /// What there is a line for
    #[arg(long, value_enum, default_value_t = Each::Runs)]
    what: Each,
    #[command(flatten)]
    filter: FilterArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Each {
    /// Each run.
    Runs,
    /// Each step on each host.
    Steps,
    /// Each record as it stands; JSON Lines only.
    Events,
}

pub(super) fn export(global: &Global, store: Option<&Store>, args: &Args) -> Result<u8, CliError> {
    let what = match args.what {
        Each::Runs => What::Runs,
        Each::Steps => What::Steps,
        Each::Events => What::Events,
    };
    let form = match (global.format, what) {
        (Format::Json | Format::Jsonl, _) | (Format::Text, What::Events) => Form::JsonLines,
        (Format::Csv, What::Events) => {
            return Err(CliError::usage("records are no table: `--what events` goes with `--format jsonl`"));
        }
        (Format::Text | Format::Csv, What::Runs | What::Steps) => Form::Csv,
    };
    let runs = match store {
        Some(store) => runs(global, store, args)?,
        None => Vec::new(),
    };
    let mut code = exit::OK;
    let written = Export::begin(what, form, BufWriter::new(io::stdout().lock())).and_then(|mut export| {
        for (store, run) in store.iter().flat_map(|store| runs.iter().map(move |run| (*store, run))) {
            match store.read(run) {
                Ok(replay) => {
                    code = code.max(told(run, &replay.integrity));
                    export.run(replay)?;
                }
                Err(error) => {
                    code = exit::JOURNAL;
                    missing(run, &format!("is not exported: {}", error.whole()));
                }
            }
        }
        export.end()
    });
    match written {
        // whoever read it has read enough
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(exit::OK),
        Err(error) => Err(CliError::new(exit::FAILED, format!("the export could not be written: {error}"))),
        Ok(()) => Ok(code),
    }
}

/// The runs that are meant, newest first.
fn runs(global: &Global, store: &Store, args: &Args) -> Result<Vec<RunId>, CliError> {
    if let Some(text) = &args.run {
        return Ok(vec![find(store, text)?]);
    }
    let filter = args.filter.filter(global)?;
    if filter.is_empty() {
        return Ok(store.runs_newest_first()?);
    }
    let indexed = store.index()?.into_iter();
    Ok(indexed.filter(|indexed| filter.takes(indexed)).map(|indexed| indexed.run).collect())
}

/// Tells of a record that breaks somewhere, and gives the exit status that is worth.
fn told(run: &RunId, integrity: &Integrity) -> u8 {
    if let Integrity::Broken { .. } | Integrity::BrokenFile { .. } = integrity {
        missing(run, &integrity.to_string());
    }
    super::code(integrity)
}

fn missing(run: &RunId, what: &str) {
    Sink::stderr().write(&format!("warning: run {run}: {}\n", neutral::one_line(what)));
}
