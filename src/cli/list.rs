//! `runbook list`

use std::collections::BTreeMap;

use super::app::{Format, Global};
use super::context;
use super::error::CliError;
use super::{exit, view};
use crate::event::RunStatus;
use crate::report::table::Cell;
use crate::report::{Role, Table};
use crate::source::BookSource;

/// List every runbook: name, title, last run, outcome
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  runbook list\n  runbook list --tag workers\n  runbook list --format json")]
pub(super) struct Args {
    /// Only runbooks with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
}

/// The last run of a runbook.
struct LastRun {
    at: String,
    by: String,
    outcome: String,
}

pub(super) fn list(global: &Global, args: &Args) -> Result<u8, CliError> {
    let dir = context::book_dir(global)?;
    let source = BookSource::open(&dir)?;
    let last = last_runs(global);
    let mut table = Table::new(["runbook", "title", "last run", "outcome"]);
    let mut documents = Vec::new();
    for name in source.names() {
        let headline = source.headline(name);
        if args.tag.as_ref().is_some_and(|tag| !headline.tags.contains(tag)) {
            continue;
        }
        let run = last.get(name.as_str());
        if global.format == Format::Json {
            documents.push(serde_json::json!({
                "name": name, "title": headline.title, "summary": headline.summary, "system": headline.system,
                "tags": headline.tags,
                "last_run": run.map(|run| serde_json::json!({"at": run.at, "by": run.by, "outcome": run.outcome})),
            }));
            continue;
        }
        let title = headline.title;
        table.row(vec![
            Cell::new(Role::Command, name.as_str()),
            Cell::new(Role::Text, title),
            Cell::new(Role::Dim, run.map_or("never".to_owned(), |run| format!("{} by {}", run.at, run.by))),
            Cell::new(Role::Text, run.map_or(String::new(), |run| run.outcome.clone())),
        ]);
    }
    let data = view::data();
    if global.format == Format::Json {
        data.sink().write(&format!("{}\n", serde_json::Value::from(documents)));
    } else {
        data.sink().write(&table.shown(data.fit(), &view::stdout_styles(global)));
    }
    Ok(exit::OK)
}

/// The newest run of each runbook. A state folder that cannot be read leaves the list without them: it is not why
/// the list was asked for.
fn last_runs(global: &Global) -> BTreeMap<String, LastRun> {
    let mut last = BTreeMap::new();
    let Ok(Some(store)) = context::store_to_read(global) else { return last };
    for listing in store.list().unwrap_or_default() {
        let Ok(summary) = listing.summary else { continue };
        last.entry(summary.opened.runbook.clone()).or_insert_with(|| LastRun {
            at: summary.opened_at.strftime("%Y-%m-%d %H:%M").to_string(),
            by: summary.opened.operator.name.clone(),
            outcome: outcome(&summary.status, listing.running),
        });
    }
    last
}

/// How a run stands, in a word or two.
pub(super) fn outcome(status: &RunStatus, running: bool) -> String {
    match status {
        RunStatus::Open if running => "running".to_owned(),
        RunStatus::Open => "unfinished (its program died)".to_owned(),
        RunStatus::Stopped { exit, .. } => format!("stopped, {}", exit_words(*exit)),
        RunStatus::Ended { exit: 0, .. } => "ok".to_owned(),
        RunStatus::Ended { exit, .. } => exit_words(*exit).to_owned(),
        RunStatus::Abandoned { .. } => "abandoned".to_owned(),
    }
}

/// An exit status in a word.
pub(super) fn exit_words(exit: u8) -> &'static str {
    match exit {
        0 => "ok",
        1 => "failed",
        3 => "refused",
        4 => "declined",
        5 => "in doubt",
        6 => "locked",
        9 => "state not written",
        130 => "interrupted",
        _ => "ended",
    }
}
