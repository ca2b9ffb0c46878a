//! `runbook audit collect`
//!
//! Apart from `audit`, which reads journals only: here hosts are asked.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::app::{Format, Global};
use super::context::{self, Context};
use super::error::CliError;
use super::receipts::{Found, accounts, ask, is_known, lines, place, running, unasked, unasked_json};
use super::resume::{context_of, find, sound};
use super::{conduct, exit, view};
use crate::event::{RunState, RunStatus};
use crate::journal::Replay;
use crate::report::elapsed::{short, stamp};
use crate::report::table::Cell;
use crate::report::{Data, Role, Sink, Table};
use crate::transport::{Fate, Fault, Fleet, Inspect as _, LeftReceipt, LeftRun, Operate as _};
use crate::vocab::neutral::{neutralise, one_line};
use crate::vocab::{Clock as _, HostName, RunId, StepHost, SystemClock};

/// Show, or remove, what the actions of runs left on their hosts
///
/// An action leaves a receipt on its host: when it started, what it wrote, how it ended. They are removed when the run
/// ends well; those of a run that failed or was abandoned, and those of hosts that could not be reached at its end,
/// stay. With RUN, every host that its actions went to is asked for them; without it, every host of the inventory for
/// those of any run, also of other admin hosts.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  runbook audit collect                                what is left on every host
  runbook audit collect --hosts 'va-web[01:03]'
  runbook audit collect 20261122T0315                  each receipt of a run
  runbook audit collect latest --output restart@va-web01
  runbook audit collect 20261122T0315 --remove

Receipts are removed only if none of the run's commands runs there. As long as the run can be resumed, they are also
kept while its journal lacks an outcome that is found in them: `runbook resume` reads it.")]
pub(super) struct Args {
    /// The run: its id, a unique beginning of it, or `latest`; without it, the receipts of all runs are counted
    run: Option<String>,
    /// Only these hosts: a host, a group, a pattern
    #[arg(long, value_name = "PATTERN")]
    hosts: Option<String>,
    /// Ask for the receipts of this user too, through sudo; known anyway are the login user, the host's own sudo user,
    /// and those whom the run's journal names
    #[arg(long, value_name = "USER")]
    sudo: Vec<String>,
    /// Print what this action wrote, of its last try; its control characters made visible; `--format json` has them as they are
    #[arg(long, value_name = "STEP@HOST", requires = "run", conflicts_with = "remove")]
    output: Option<StepHost>,
    /// Remove the receipts of the run
    #[arg(long, requires = "run")]
    remove: bool,
}

pub(super) fn collect(global: &Global, args: &Args) -> Result<u8, CliError> {
    match &args.run {
        None => all(global, args),
        Some(run) => of_run(global, args, run),
    }
}

/// Whether actions of the run may have left something.
pub(super) fn may_have_left(state: &RunState) -> bool {
    !state.sent.is_empty() || !state.undos.is_empty()
}

/// What every run has left.
fn all(global: &Global, args: &Args) -> Result<u8, CliError> {
    let context = Context::open(global)?;
    let names = context.inventory.select(args.hosts.as_deref().unwrap_or("all")).map_err(CliError::usage)?;
    let accounts = names.into_iter().map(|host| (host, BTreeSet::new())).collect();
    let found = conduct::runtime()?.block_on(ask(&conduct::fleet(64), &context.inventory, accounts, &args.sudo, None));
    let store = context::store_to_read(global)?;
    let known = |run: &RunId| store.as_ref().is_some_and(|store| store.folder(run).exists());
    let data = view::data();
    if global.format == Format::Json {
        let folders: Vec<_> = lines(&found)
            .map(|(found, left)| {
                serde_json::json!({
                    "run": left.run, "host": found.target.name, "account": left.account,
                    "receipts": left.receipts.len(), "running": running(&left.receipts), "known": known(&left.run),
                })
            })
            .collect();
        write_json(&data, &serde_json::json!({"folders": folders, "unasked": unasked_json(&found)}));
        return Ok(code(&found));
    }
    let mut table = Table::new(["run", "host", "user", "receipts", "running", "age", "recorded"]);
    for (found, left) in lines(&found) {
        table.row(vec![
            text(left.run.as_str()),
            Cell::new(Role::Host, found.target.name.as_str()),
            text(&left.account),
            Cell::number(left.receipts.len().to_string()),
            match running(&left.receipts) {
                0 => Cell::new(Role::Dim, "-"),
                some => Cell::new(Role::Warning, some.to_string()),
            },
            text(&age(&left.run)),
            if known(&left.run) { text("here") } else { Cell::new(Role::Dim, "not here") },
        ]);
    }
    show(global, &data, &table, &found);
    Ok(code(&found))
}

/// What one run has left.
fn of_run(global: &Global, args: &Args, run: &str) -> Result<u8, CliError> {
    let nothing = || CliError::usage("no run was ever recorded here").hint("`--state-dir` says where runs are kept");
    let store = context::store_to_read(global)?.ok_or_else(nothing)?;
    let run = find(&store, run)?;
    // whoever removes keeps others from going on with the run meanwhile
    let (past, _journal) = if args.remove {
        let (past, journal) = store.reopen(&run)?;
        sound(&store, &past, &run)?;
        (past, Some(journal))
    } else {
        (store.read(&run)?, None)
    };
    let context = context_of(global, &past.state.opened)?;
    let mut accounts = accounts(&past);
    if let Some(pattern) = &args.hosts {
        let names = context.inventory.select(pattern).map_err(CliError::usage)?;
        accounts.retain(|host, _| names.contains(host));
    }
    if let Some(at) = &args.output {
        accounts.retain(|host, _| *host == at.host);
    }
    let runtime = conduct::runtime()?;
    let fleet = conduct::fleet(64);
    let found = runtime.block_on(ask(&fleet, &context.inventory, accounts, &args.sudo, Some(&run)));
    if let Some(at) = &args.output {
        return runtime.block_on(output(global, &fleet, &run, at, &found));
    }
    let removed = if args.remove {
        removable(&past, &run, &found)?;
        runtime.block_on(remove(&fleet, &run, &found))
    } else {
        Vec::new()
    };
    let data = view::data();
    let failed = removed.iter().any(|(_, result)| result.is_err());
    if global.format == Format::Json {
        let receipts: Vec<_> = lines(&found)
            .flat_map(|(found, left)| left.receipts.iter().map(|receipt| json(&past.state, found, left, receipt)))
            .collect();
        let removed: Vec<_> = removed
            .iter()
            .map(|(found, result)| {
                let why = result.as_ref().err().map(|fault| one_line(&fault.to_string()));
                serde_json::json!({"host": found.target.name, "sudo": found.sudo, "removed": result.is_ok(), "why": why})
            })
            .collect();
        write_json(
            &data,
            &serde_json::json!({
                "run": run, "receipts": receipts, "unasked": unasked_json(&found), "removed": removed,
            }),
        );
    } else {
        let mut table = Table::new(["step@host", "try", "user", "state", "output", "in the journal"]);
        for (found, left) in lines(&found) {
            for receipt in &left.receipts {
                table.row(row(&past.state, found, left, receipt));
            }
        }
        show(global, &data, &table, &found);
        let out = Sink::stderr();
        for (found, result) in &removed {
            match result {
                Ok(()) => out.write(&format!("removed from {}\n", place(found))),
                Err(fault) => out.write(&format!("kept on {}: {}\n", place(found), one_line(&fault.to_string()))),
            }
        }
    }
    Ok(if failed { exit::FAILED } else { code(&found) })
}

/// Refuses where the truth would get lost: a run that can be resumed may need what its receipts tell.
fn removable(past: &Replay, run: &RunId, found: &[Found]) -> Result<(), CliError> {
    match &past.state.status {
        RunStatus::Ended { .. } | RunStatus::Abandoned { .. } => return Ok(()),
        RunStatus::Open | RunStatus::Stopped { .. } => {}
    }
    for (found, left) in lines(found) {
        for receipt in &left.receipts {
            let at = StepHost::new(receipt.step.clone(), found.target.name.clone());
            let why = if matches!(receipt.fate, Fate::Running { .. }) {
                "still runs"
            } else if is_known(&past.state, &at, receipt.attempt) {
                continue;
            } else {
                "has an outcome that its journal lacks"
            };
            return Err(CliError::usage(format!("the run {run} can still be resumed, and {at} {why}"))
                .hint(format!("`runbook resume {run}` goes on with it; `runbook abandon {run}` ends it for good")));
        }
    }
    Ok(())
}

async fn remove<'a>(fleet: &Fleet, run: &RunId, found: &'a [Found]) -> Vec<(&'a Found, Result<(), Fault>)> {
    let there = found.iter().filter(|found| found.left.as_ref().is_ok_and(|left| !left.is_empty()));
    let removing =
        there.map(|found| async move { (found, fleet.collect(&found.target, found.sudo.as_deref(), run).await) });
    futures_util::future::join_all(removing).await
}

/// Prints what an action wrote.
async fn output(global: &Global, fleet: &Fleet, run: &RunId, at: &StepHost, found: &[Found]) -> Result<u8, CliError> {
    let of = lines(found).flat_map(|(found, left)| left.receipts.iter().map(move |receipt| (found, receipt)));
    let last = of.filter(|(_, receipt)| receipt.step == at.step).max_by_key(|(_, receipt)| receipt.attempt);
    let Some((place, receipt)) = last else {
        let unasked = found.iter().find_map(|found| found.left.as_ref().err());
        let error = match unasked {
            Some(fault) => format!("{}: {}", at.host, one_line(&fault.to_string())),
            None => format!("{at} has no receipt of the run {run} on its host"),
        };
        return Err(CliError::new(exit::FAILED, error)
            .hint(format!("`runbook audit show {run} --output` has what the journal knows")));
    };
    let written = fleet
        .written(&place.target, place.sudo.as_deref(), run, &at.step, receipt.attempt)
        .await
        .map_err(|fault| CliError::new(exit::FAILED, format!("{}: {}", at.host, one_line(&fault.to_string()))))?;
    let (stdout, stderr) = (String::from_utf8_lossy(&written.stdout), String::from_utf8_lossy(&written.stderr));
    if global.format == Format::Json {
        let document = serde_json::json!({
            "run": run, "step": at.step, "host": at.host, "attempt": receipt.attempt,
            "stdout": stdout, "stderr": stderr,
        });
        write_json(&view::data(), &document);
    } else {
        view::data().sink().write(&neutralise(&stdout));
        Sink::stderr().write(&neutralise(&stderr));
    }
    Ok(exit::OK)
}

/// How long ago the run began, by its id.
fn age(run: &RunId) -> String {
    let began = jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", run.second()).and_then(|parsed| parsed.to_datetime());
    let began: Option<Timestamp> = began.and_then(|began| began.to_zoned(TimeZone::UTC)).map(|at| at.timestamp()).ok();
    let age: Option<SignedDuration> = began.map(|began| SystemClock.now().duration_since(began));
    age.and_then(|age| age.try_into().ok()).map_or_else(|| "-".to_owned(), short)
}

fn row(state: &RunState, found: &Found, left: &LeftRun, receipt: &LeftReceipt) -> Vec<Cell> {
    let at = StepHost::new(receipt.step.clone(), found.target.name.clone());
    let (role, fate) = match &receipt.fate {
        Fate::Running { since } => (Role::Warning, format!("running since {}", stamp(*since, &TimeZone::system()))),
        Fate::Finished(0) => (Role::Ok, receipt.fate.to_string()),
        Fate::Finished(_) => (Role::Failed, receipt.fate.to_string()),
        Fate::NeverStarted => (Role::Text, receipt.fate.to_string()),
        Fate::Gone | Fate::Rebooted | Fate::Unclear => (Role::Doubt, receipt.fate.to_string()),
    };
    vec![
        Cell::new(Role::Host, one_line(&at.to_string())),
        Cell::number(receipt.attempt.to_string()),
        text(&left.account),
        Cell::new(role, fate),
        Cell::number(format!("{} B", receipt.stdout + receipt.stderr)),
        if is_known(state, &at, receipt.attempt) { text("yes") } else { Cell::new(Role::Warning, "no") },
    ]
}

fn json(state: &RunState, found: &Found, left: &LeftRun, receipt: &LeftReceipt) -> serde_json::Value {
    let at = StepHost::new(receipt.step.clone(), found.target.name.clone());
    let (since, status) = match receipt.fate {
        Fate::Running { since } => (Some(since), None),
        Fate::Finished(status) => (None, Some(status)),
        Fate::NeverStarted | Fate::Gone | Fate::Rebooted | Fate::Unclear => (None, None),
    };
    serde_json::json!({
        "step": at.step, "host": at.host, "attempt": receipt.attempt, "account": left.account,
        "state": receipt.fate.word(), "since": since, "status": status,
        "stdout": receipt.stdout, "stderr": receipt.stderr, "known": is_known(state, &at, receipt.attempt),
    })
}

/// The table, or that there is nothing to put in it; and who could not be asked.
fn show(global: &Global, data: &Data, table: &Table, found: &[Found]) {
    if table.is_empty() {
        let hosts: BTreeSet<&HostName> =
            found.iter().filter(|found| found.left.is_ok()).map(|found| &found.target.name).collect();
        data.sink().write(&format!("nothing is left on the {} hosts that answered\n", hosts.len()));
    } else {
        data.sink().write(&table.shown(data.fit(), &view::stdout_styles(global)));
    }
    for (found, fault) in unasked(found) {
        Sink::stderr().write(&format!("not known: {}: {}\n", place(found), one_line(&fault.to_string())));
    }
}

fn text(text: &str) -> Cell {
    Cell::new(Role::Text, one_line(text))
}

fn write_json(data: &Data, document: &serde_json::Value) {
    data.json(document);
}

/// Whoever could not be asked may have something left.
fn code(found: &[Found]) -> u8 {
    if unasked(found).next().is_some() { exit::FAILED } else { exit::OK }
}
