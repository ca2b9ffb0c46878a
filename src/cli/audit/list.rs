//! `runbook audit list`

use jiff::tz::TimeZone;

use super::super::app::{Format, Global};
use super::super::error::CliError;
use super::super::{exit, identity, view};
use super::filter::FilterArgs;
use crate::journal::Store;
use crate::report::Role;
use crate::report::ledger::{Entry, Ledger};

/// List runs, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  runbook audit list\n  runbook audit list --runbook restart-jobs --most 5")]
pub(super) struct Args {
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    most: usize,
    #[command(flatten)]
    filter: FilterArgs,
}

pub(super) fn list_runs(global: &Global, store: &Store, args: &Args) -> Result<u8, CliError> {
    let mut rows = Vec::new();
    let mut documents = Vec::new();
    let filter = args.filter.filter(global)?;
    let fits: std::collections::BTreeSet<_> =
        store.index()?.into_iter().filter(|indexed| filter.takes(indexed)).map(|indexed| indexed.run).collect();
    for listing in store.list()? {
        if !fits.contains(&listing.run) {
            continue;
        }
        if rows.len() == args.most {
            break;
        }
        let row = match &listing.summary {
            Ok(summary) => {
                let exit = match &summary.status {
                    crate::event::RunStatus::Stopped { exit, .. } | crate::event::RunStatus::Ended { exit, .. } => {
                        Some(*exit)
                    }
                    crate::event::RunStatus::Open | crate::event::RunStatus::Abandoned { .. } => None,
                };
                let role = match &summary.status {
                    crate::event::RunStatus::Ended { exit: 0, .. } => Role::Ok,
                    crate::event::RunStatus::Ended { .. } | crate::event::RunStatus::Stopped { .. } => Role::Failed,
                    crate::event::RunStatus::Open | crate::event::RunStatus::Abandoned { .. } => Role::Warning,
                };
                Entry {
                    run: listing.run.to_string(),
                    role,
                    started: Some(summary.opened_at),
                    runbook: summary.opened.runbook.clone(),
                    operator: summary.opened.operator.name.clone(),
                    outcome: crate::audit::standing(&summary.status, listing.running),
                    exit,
                    took: crate::report::elapsed::between(summary.opened_at, summary.last_at),
                    reason: summary.opened.reason.clone(),
                }
            }
            Err(error) => Entry {
                role: Role::Doubt,
                run: listing.run.to_string(),
                started: None,
                runbook: String::new(),
                operator: String::new(),
                outcome: format!("unreadable: {}", error.whole()),
                exit: None,
                took: std::time::Duration::ZERO,
                reason: None,
            },
        };
        if global.format == Format::Json {
            documents.push(serde_json::json!({
                "run": row.run, "started": row.started, "runbook": row.runbook, "operator": row.operator,
                "outcome": row.outcome, "exit": row.exit, "reason": row.reason, "unfinished": listing.is_unfinished(),
            }));
        }
        rows.push(row);
    }
    let data = view::data();
    if global.format == Format::Json {
        data.sink().write(&format!("{}\n", serde_json::Value::from(documents)));
        return Ok(exit::OK);
    }
    let ledger = Ledger::new(rows);
    data.sink().write(&ledger.shown(data.fit(), &view::stdout_styles(global), &TimeZone::system()));
    data.sink().write(&format!("runs of {}, in {}\n", identity::admin_host(), store.path().display()));
    Ok(exit::OK)
}
