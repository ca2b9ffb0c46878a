//! `runbook audit prune`

use std::collections::BTreeMap;

use super::super::app::{Format, Global};
use super::super::error::CliError;
use super::super::{context, exit, identity, seal, view, without_runbook};
use super::filter::Near;
use crate::audit::{Finding, Proof, Sight, Signers, survey};
use crate::event::{Event, PrunedRun, RunStatus};
use crate::journal::{EventLog as _, Store};
use crate::report::Sink;
use crate::report::words::count;
use crate::vocab::{Clock as _, RunId, SystemClock};

/// Remove the journals of old runs; their seals are kept, so that the chains still verify
///
/// Only runs that are over, intact and sealed are removed: one that does not verify is evidence, one that is unfinished can be
/// resumed. What is removed is recorded as a run of its own. Texts, outputs and events of a pruned run are gone for good.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  runbook audit prune --before 2025-01-01 --dry-run
  runbook audit prune --before 730d --reason \"kept for two years\" --yes")]
pub(super) struct Args {
    /// Runs whose last event is before then: `2025-01-01`, or an age: `730d`
    #[arg(long, value_name = "TIME")]
    before: String,
    /// Why; it goes to the audit log
    #[arg(long, value_name = "TEXT", required_unless_present = "dry_run")]
    reason: Option<String>,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Who does it; without it RUNBOOK_OPERATOR, SUDO_USER, or the login user
    #[arg(long = "as", value_name = "NAME")]
    operator: Option<String>,
}

/// What stands in the audit where a run has the name of its runbook.
const PRUNING: &str = "(audit prune)";

pub(super) fn prune(global: &Global, args: &Args) -> Result<u8, CliError> {
    let near = Near::here();
    let before = near.since("--before", &args.before)?;
    let reason = args.reason.as_deref().map(str::trim).unwrap_or_default();
    if reason.is_empty() && !args.dry_run {
        return Err(CliError::usage("--reason may not be empty: say why"));
    }
    // a look must not make anything
    let store = if args.dry_run { context::store_to_read(global)? } else { Some(context::store(global)?) };
    let (mut old, mut kept) = (Vec::new(), Vec::new());
    if let Some(store) = &store {
        let faulty = faulty(global, store)?;
        for indexed in store.index()? {
            let Ok(entry) = &indexed.entry else {
                kept.push((indexed.run, "it cannot be read".to_owned()));
                continue;
            };
            if entry.last >= before || entry.runbook == PRUNING {
                continue;
            }
            if !matches!(entry.status, RunStatus::Ended { .. } | RunStatus::Abandoned { .. }) {
                kept.push((indexed.run, "it is unfinished".to_owned()));
                continue;
            }
            match faulty.get(&indexed.run).cloned().map_or_else(|| provable(store, &indexed.run), Err) {
                Ok(pruned) => old.push(pruned),
                Err(why) => kept.push((indexed.run, why)),
            }
        }
    }
    let out = Sink::stderr();
    for (run, why) in &kept {
        out.write(&format!("kept: {run}: {}\n", crate::vocab::neutral::one_line(why)));
    }
    let what = format!("{} that ended before {}", count(old.len(), "run"), near.shown(before));
    let (Some(store), false, false) = (store, args.dry_run, old.is_empty()) else {
        let would = if args.dry_run { "would be removed" } else { "there is nothing to remove" };
        tell(global, &old, &format!("{what}: {would}"));
        return Ok(exit::OK);
    };
    let operator = identity::operator(args.operator.as_deref())?;
    out.write(&format!("{what}: their journals, texts and outputs are removed, their seals kept\n"));
    without_runbook::agreed(args.yes, "Remove them?", "y removes them for good", "nothing was removed")?;

    let name = operator.name.clone();
    let title = format!("Remove the journals of {what}");
    let opened = without_runbook::opened(PRUNING, title, operator, reason, None, Vec::new())?;
    let run = opened.run.clone();
    let mut journal = store.create(SystemClock.now(), opened, &[])?;
    let ids: Vec<RunId> = old.iter().map(|pruned| pruned.run.clone()).collect();
    let kept = still(&store, &old)
        .and_then(|()| Ok(store.keep_seals(&ids, &run, SystemClock.now())?))
        .and_then(|()| Ok(journal.append(SystemClock.now(), Event::RunsPruned { runs: old.clone() })?));
    if let Err(error) = kept {
        // nothing was removed yet; what is kept of runs that are there does no harm
        let why = format!("nothing was removed: {}", error.messages.join("; "));
        journal.append(SystemClock.now(), Event::Ended { exit: exit::FAILED, why })?;
        return Err(error);
    }
    let failed: Vec<String> =
        ids.iter().filter_map(|id| store.remove(id).err().map(|error| format!("{id}: {}", error.whole()))).collect();
    let (exit, why) = match failed.as_slice() {
        [] => (exit::OK, format!("{} removed", count(ids.len(), "run"))),
        failed => {
            (exit::FAILED, format!("{} of {} could not be removed: {}", failed.len(), ids.len(), failed.join("; ")))
        }
    };
    journal.append(SystemClock.now(), Event::Ended { exit, why: why.clone() })?;
    let sealed = seal::seal_journal(global, &store, &run, &journal, &name)?;
    tell(global, &old, &why);
    out.write(&format!("{sealed}\n"));
    Ok(exit)
}

/// The runs that are not whole, by themselves or by what others show of them: evidence, and kept.
fn faulty(global: &Global, store: &Store) -> Result<BTreeMap<RunId, String>, CliError> {
    let mut faulty = BTreeMap::new();
    survey(store, &seal::signers(global)?, None, |sight| {
        let (run, findings) = match sight {
            Sight::Run(proof) => (proof.run, proof.findings),
            Sight::Shown(run, findings) => (run, findings),
            Sight::PrunedLine(_) => return,
        };
        if let Some(fault) = findings.iter().find(|found| found.is_fault()) {
            faulty.entry(run).or_insert_with(|| fault.to_string());
        }
    })?;
    Ok(faulty)
}

/// The run as it is noted when it is removed, or why it is kept.
fn provable(store: &Store, run: &RunId) -> Result<PrunedRun, String> {
    let proof = Proof::of(store, run, &Signers::unasked());
    // who signed it was asked with all the others
    let fault = proof.findings.iter().find(|found| found.is_fault() && !matches!(found, Finding::Signed { .. }));
    if let Some(fault) = fault {
        return Err(fault.to_string());
    }
    let seal = proof.seals.last().ok_or("it is not sealed")?;
    Ok(PrunedRun { run: run.clone(), records: seal.statement.records, head: seal.statement.head.clone() })
}

/// Whether the runs are still what they were before the question: hours may have gone by.
fn still(store: &Store, old: &[PrunedRun]) -> Result<(), CliError> {
    let changed = old.iter().find(|pruned| provable(store, &pruned.run).as_ref() != Ok(*pruned));
    match changed {
        Some(changed) => Err(CliError::new(exit::JOURNAL, format!("the run {} was changed meanwhile", changed.run))
            .hint(format!("`runbook audit verify {}` says what it is now; then prune again", changed.run))),
        None => Ok(()),
    }
}

fn tell(global: &Global, runs: &[PrunedRun], text: &str) {
    let data = view::data();
    if global.format == Format::Json {
        data.json(&serde_json::json!({"runs": runs, "says": text}));
    } else {
        runs.iter().for_each(|pruned| data.sink().write(&format!("{}\n", pruned.run)));
        data.sink().write(&crate::vocab::neutral::neutralise(&format!("{text}\n")));
    }
}
