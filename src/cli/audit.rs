//! `runbook audit`

use jiff::tz::TimeZone;

use super::app::{Format, Global};
use super::error::CliError;
use super::resume::find;
use super::{collect, context, exit, identity, list, view};
use crate::journal::{Integrity, Store};
use crate::report::ledger::{Entry, Ledger};
use crate::report::{Role, Story, Telling};
use crate::vocab::RunId;
use crate::vocab::neutral::neutralise;

/// Read the record of runs: who did what, when, and why
///
/// Shows what this machine's state folder holds; runs of another admin host are in that host's.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List runs, newest first
    #[command(after_help = "Examples:\n  runbook audit list\n  runbook audit list --runbook restart-jobs --most 5")]
    List(ListArgs),
    /// Tell the story of a run
    #[command(after_help = "Examples:\n  runbook audit show latest\n  runbook audit show 20261122T0315 --output")]
    Show(ShowArgs),
    /// Verify that journals are whole: every record, its chain, the files it names
    #[command(after_help = "Examples:\n  runbook audit verify latest\n  runbook audit verify --all")]
    Verify(VerifyArgs),
    Collect(collect::Args),
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Only runs of this runbook
    #[arg(long, value_name = "NAME")]
    runbook: Option<String>,
    /// Only runs by this operator
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// Only runs that can be resumed
    #[arg(long)]
    unfinished: bool,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    most: usize,
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// The run: its id, a unique beginning of it, or `latest`
    #[arg(default_value = "latest")]
    run: String,
    /// Show all that commands wrote, not only the end of what failed
    #[arg(long)]
    output: bool,
}

#[derive(Debug, clap::Args)]
struct VerifyArgs {
    /// The run: its id, a unique beginning of it, or `latest`
    #[arg(default_value = "latest", conflicts_with = "all")]
    run: String,
    /// Every run
    #[arg(long)]
    all: bool,
}

pub(super) fn audit(global: &Global, args: &Args) -> Result<u8, CliError> {
    // what is left on hosts is there without a store as well
    if let Command::Collect(args) = &args.command {
        return collect::collect(global, args);
    }
    let store = context::store_to_read(global)?;
    let Some(store) = store else {
        let dir = context::state_dir(global)?;
        if global.format == Format::Json {
            view::data().sink().write("[]\n");
        } else {
            view::data().sink().write(&neutralise(&format!("no run was ever recorded in {}\n", dir.display())));
        }
        return Ok(exit::OK);
    };
    match &args.command {
        Command::List(args) => list_runs(global, &store, args),
        Command::Show(args) => show(global, &store, args),
        Command::Verify(args) => verify(global, &store, args),
        Command::Collect(args) => collect::collect(global, args),
    }
}

fn list_runs(global: &Global, store: &Store, args: &ListArgs) -> Result<u8, CliError> {
    let mut rows = Vec::new();
    let mut documents = Vec::new();
    for listing in store.list()? {
        let fits = match &listing.summary {
            Ok(summary) => {
                args.runbook.as_ref().is_none_or(|name| summary.opened.runbook == *name)
                    && args.operator.as_ref().is_none_or(|name| summary.opened.operator.name == *name)
                    && (!args.unfinished || listing.is_unfinished())
            }
            // a run that cannot be read is shown whatever was asked for: it is what an audit is for
            Err(_) => true,
        };
        if !fits {
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
                    outcome: list::outcome(&summary.status, listing.running),
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
        data.json(&documents);
        return Ok(exit::OK);
    }
    let ledger = Ledger::new(rows);
    data.sink().write(&ledger.shown(data.fit(), &view::stdout_styles(global), &TimeZone::system()));
    data.sink().write(&neutralise(&format!("runs of {}, in {}\n", identity::admin_host(), store.path().display())));
    Ok(exit::OK)
}

fn show(global: &Global, store: &Store, args: &ShowArgs) -> Result<u8, CliError> {
    let id = find(store, &args.run)?;
    let replay = store.read(&id)?;
    let data = view::data();
    if global.format == Format::Json {
        let records: Vec<_> = replay
            .records
            .iter()
            .map(|record| serde_json::json!({"seq": record.seq, "at": record.at, "event": record.event}))
            .collect();
        let document = serde_json::json!({"run": id, "integrity": replay.integrity.to_string(), "records": records});
        data.json(&document);
    } else {
        let story = Story::from_records(replay.records.iter().map(|record| (record.at, record.event.clone())));
        let columns = data.is_terminal().then(|| usize::from(console::Term::stdout().size().1));
        let telling = Telling::new(view::stdout_styles(global), TimeZone::system(), columns).all_output(args.output);
        data.sink().write(&telling.shown(&story));
        data.sink().write(&neutralise(&format!("\njournal: {}\n", replay.integrity)));
    }
    Ok(code(&replay.integrity))
}

fn verify(global: &Global, store: &Store, args: &VerifyArgs) -> Result<u8, CliError> {
    let runs: Vec<RunId> = if args.all { store.runs_newest_first()? } else { vec![find(store, &args.run)?] };
    let data = view::data();
    let mut worst = exit::OK;
    let mut documents = Vec::new();
    for run in runs {
        let (word, text, code) = match store.verify(&run) {
            Ok(verification) => {
                let integrity = verification.integrity;
                (integrity.word().to_owned(), integrity.to_string(), code(&integrity))
            }
            Err(error) => ("unreadable".to_owned(), error.whole(), exit::JOURNAL),
        };
        worst = worst.max(code);
        if global.format == Format::Json {
            documents.push(serde_json::json!({"run": run, "integrity": word, "detail": text, "ok": code == exit::OK}));
        } else {
            data.sink().write(&format!("{run}  {}\n", neutralise(&text)));
        }
    }
    if global.format == Format::Json {
        data.json(&documents);
    }
    Ok(worst)
}

/// The exit status that a journal's state is worth: a run that is not over, or whose end a crash tore off, is no
/// sign of tampering.
fn code(integrity: &Integrity) -> u8 {
    match integrity {
        Integrity::Intact | Integrity::Unfinished { .. } | Integrity::Torn { .. } => exit::OK,
        Integrity::Broken { .. } | Integrity::BrokenFile { .. } => exit::JOURNAL,
    }
}
