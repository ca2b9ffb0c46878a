//! `runbook audit list`

use jiff::tz::TimeZone;

use super::super::app::{Format, Global};
use super::super::conduct::program;
use super::super::error::CliError;
use super::super::resume::find;
use super::super::{exit, identity, view};
use super::filter::FilterArgs;
use crate::audit::{Filter, Kind, Page, Selection, standing};
use crate::event::RunStatus;
use crate::journal::{Indexed, JournalError, Store};
use crate::report::ledger::{self, Ledger};
use crate::report::table::Fit;
use crate::report::{Role, elapsed};

/// List runs, newest first
///
/// A run that cannot be read is listed whatever is asked for.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  runbook audit list
  runbook audit list --runbook restart-jobs --since 7d
  runbook audit list --host 'va-web*' --outcome failed,in-doubt
  runbook audit list --since 2026-11-01 --until 2026-11-30 --override --all
  runbook audit list --unfinished --format json")]
pub(super) struct Args {
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    most: u32,
    /// Only older ones than this run: the next page
    #[arg(long, value_name = "RUN")]
    before: Option<String>,
    /// All of them
    #[arg(long, conflicts_with = "most")]
    all: bool,
    #[command(flatten)]
    filter: FilterArgs,
}

pub(super) fn list_runs(global: &Global, store: &Store, args: &Args) -> Result<u8, CliError> {
    let filter = args.filter.filter(global)?;
    let before = args.before.as_ref().map(|text| find(store, text)).transpose()?;
    let selection = Selection::of(store, &filter)?;
    let most = if args.all { usize::MAX } else { args.most as usize };
    let page = selection.page(before.as_ref(), most);
    let data = view::data();
    if global.format == Format::Json {
        let documents: Vec<_> = page.runs.iter().map(document).collect();
        data.json(&documents);
        return Ok(exit::OK);
    }
    let ledger = Ledger::new(page.runs.iter().map(row).collect());
    if !page.runs.is_empty() || data.fit() == Fit::Tabs {
        data.sink().write(&ledger.shown(data.fit(), &view::stdout_styles(global), &TimeZone::system()));
    }
    let prose = view::beside(&data);
    prose.write(&closing(global, store, args, &filter, &page));
    let lacks_reasons = matches!(data.fit(), Fit::Width(columns) if columns < ledger::NARROW);
    if lacks_reasons && page.runs.iter().any(|run| run.entry.as_ref().is_ok_and(|entry| entry.reason.is_some())) {
        let columns = ledger::NARROW;
        prose.write(&format!("there are reasons: they are shown from {columns} columns on, and by `--format json`\n"));
    }
    Ok(exit::OK)
}

/// What was looked through, and what is left of it.
fn closing(global: &Global, store: &Store, args: &Args, filter: &Filter, page: &Page) -> String {
    let zone = TimeZone::system();
    let mut told = String::new();
    if page.runs.is_empty() {
        told.push_str(if filter.is_empty() { "no run\n" } else { "no run fits\n" });
    }
    if let Some(last) = &page.last {
        let mut words = vec![format!("{} audit list --before {last}", program(global))];
        if args.most != 50 {
            words.push(format!("--most {}", args.most));
        }
        words.extend(args.filter.words(filter));
        let fit = match (page.more, filter.is_empty()) {
            (1, true) => "1 more run is older".to_owned(),
            (more, true) => format!("{more} more runs are older"),
            (1, false) => "1 more run fits".to_owned(),
            (more, false) => format!("{more} more runs fit"),
        };
        told.push_str(&format!("{fit}; the next: {}\n", words.join(" ")));
    }
    let time = |at| format!("{} {}", elapsed::stamp(at, &zone), elapsed::zone_name(at, &zone));
    let period = match (filter.since, filter.until) {
        (None, None) => String::new(),
        (Some(since), None) => format!(", begun since {}", time(since)),
        (None, Some(until)) => format!(", begun before {}", time(until)),
        (Some(since), Some(until)) => format!(", begun since {} and before {}", time(since), time(until)),
    };
    told.push_str(&format!("runs of {}, in {}{period}\n", identity::admin_host(), store.path().display()));
    told
}

fn exit_of(status: &RunStatus) -> Option<u8> {
    match status {
        RunStatus::Stopped { exit, .. } | RunStatus::Ended { exit, .. } => Some(*exit),
        RunStatus::Open | RunStatus::Abandoned { .. } => None,
    }
}

fn unreadable(error: &JournalError) -> String {
    format!("unreadable: {}", error.whole())
}

fn row(indexed: &Indexed) -> ledger::Entry {
    let run = indexed.run.to_string();
    match &indexed.entry {
        Ok(entry) => ledger::Entry {
            run,
            role: match &entry.status {
                RunStatus::Ended { exit: 0, .. } => Role::Ok,
                RunStatus::Ended { .. } | RunStatus::Stopped { .. } => Role::Failed,
                RunStatus::Open | RunStatus::Abandoned { .. } => Role::Warning,
            },
            started: Some(entry.started),
            runbook: entry.runbook.clone(),
            operator: entry.operator.clone(),
            outcome: standing(&entry.status, indexed.running),
            exit: exit_of(&entry.status),
            took: Some(elapsed::between(entry.started, entry.last)),
            reason: entry.reason.clone(),
        },
        Err(error) => ledger::Entry {
            run,
            role: Role::Doubt,
            started: None,
            runbook: String::new(),
            operator: String::new(),
            outcome: unreadable(error),
            exit: None,
            took: None,
            reason: None,
        },
    }
}

/// All that is known of a run, for programs. One that cannot be read has null where nothing is known.
fn document(indexed: &Indexed) -> serde_json::Value {
    let entry = indexed.entry.as_ref().ok();
    let outcome = match &indexed.entry {
        Ok(entry) => standing(&entry.status, indexed.running),
        Err(error) => unreadable(error),
    };
    let why = entry.and_then(|entry| match &entry.status {
        RunStatus::Open => None,
        RunStatus::Stopped { why, .. } | RunStatus::Ended { why, .. } => Some(why),
        RunStatus::Abandoned { reason } => Some(reason),
    });
    let overrides = entry.map(|entry| {
        let one = |(id, reason): &(String, String)| serde_json::json!({"id": id, "reason": reason});
        entry.overrides.iter().map(one).collect::<Vec<_>>()
    });
    serde_json::json!({
        "run": indexed.run,
        "started": entry.map(|entry| entry.started),
        "last": entry.map(|entry| entry.last),
        "runbook": entry.map(|entry| &entry.runbook),
        "operator": entry.map(|entry| &entry.operator),
        "admin_host": entry.map(|entry| &entry.admin_host),
        "hosts": entry.map(|entry| &entry.hosts),
        "changes": entry.map(|entry| entry.changes),
        "outcome": outcome,
        "kind": entry.map(|entry| Kind::of(&entry.status, indexed.running).name()),
        "exit": entry.and_then(|entry| exit_of(&entry.status)),
        "why": why,
        "reason": entry.and_then(|entry| entry.reason.as_ref()),
        "emergency": entry.map(|entry| entry.emergency),
        "overrides": overrides,
        "stretches": entry.map(|entry| entry.stretches),
        "running": indexed.running,
        "unfinished": indexed.is_unfinished(),
    })
}
