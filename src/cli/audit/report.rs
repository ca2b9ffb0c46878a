//! `runbook audit report`

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::super::app::{Format, Global};
use super::super::error::CliError;
use super::super::resume::find;
use super::super::{exit, identity, seal, view};
use super::filter::FilterArgs;
use crate::audit::page::{Made, Period, Run, Seen, Verified};
use crate::audit::{Proof, Signers};
use crate::journal::{Integrity, Store};
use crate::report::{Sink, Story};
use crate::vocab::neutral::neutralise;
use crate::vocab::{Clock as _, SystemClock};

/// Write a run, or the runs of a period, as a page for a browser or a printer
///
/// The page stands for itself: one file, no script, nothing loaded. Of a run it holds everything, from who and why to what each
/// command wrote, with a timeline; of many runs (any filter in place of RUN) what they came to, by runbook, operator and day, with
/// everything that went wrong or was overridden.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  runbook audit report latest --out run.html
  runbook audit report 20261122T0315 > run.html
  runbook audit report --since 30d --out november.html
  runbook audit report --runbook restart-jobs --override --since 2026-01-01 --out overrides.html")]
pub(super) struct Args {
    /// The run: its id, a unique beginning of it, or `latest` (also without this and without a filter)
    run: Option<String>,
    /// Write the page here, whole or not at all, over what is there; without it, it goes to stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    filter: FilterArgs,
}

pub(super) fn report(global: &Global, store: &Store, args: &Args) -> Result<u8, CliError> {
    if global.format == Format::Json {
        return Err(CliError::usage("a report is a page, and has no JSON")
            .hint("data: `audit show` or `audit list` with `--format json`"));
    }
    let filter = args.filter.filter(global)?;
    if args.run.is_some() && !filter.is_empty() {
        return Err(CliError::usage("a report is of one run, or of all that a filter takes")
            .hint("leave out the run, or the flags that choose runs"));
    }
    let signers = seal::signers(global)?;
    let made = Made {
        at: SystemClock.now(),
        admin_host: identity::admin_host(),
        store: store.path().display().to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        zone: TimeZone::system(),
    };
    let (page, code) = if filter.is_empty() {
        of_run(store, args.run.as_deref().unwrap_or("latest"), &signers, &made)?
    } else {
        let asked = [("Which".to_owned(), args.filter.words(&filter).join(" "))];
        let mut runs = store.index()?;
        runs.retain(|indexed| filter.takes(indexed));
        let seen: Vec<Seen> = runs
            .into_iter()
            .map(|indexed| Seen { proof: Verified::of(&Proof::of(store, &indexed.run, &signers)), indexed })
            .collect();
        let code = if seen.iter().all(|seen| seen.proof.ok) { exit::OK } else { exit::JOURNAL };
        (Period { runs: &seen, asked: &asked, made: &made }.page(), code)
    };
    match &args.out {
        Some(path) => {
            put(path, &page)?;
            let shown = neutralise(&path.display().to_string());
            Sink::stderr().write(&format!("wrote {shown} ({} KB)\n", page.len().div_ceil(1024)));
        }
        None => view::data().sink().write(&page),
    }
    Ok(code)
}

fn of_run(store: &Store, wanted: &str, signers: &Signers, made: &Made) -> Result<(String, u8), CliError> {
    let id = find(store, wanted)?;
    let replay = store.read(&id)?;
    let proof = Verified::of(&Proof::of(store, &id, signers));
    let running = matches!(replay.integrity, Integrity::Unfinished { running: true });
    let story = Story::from_records(replay.records.into_iter().map(|record| (record.at, record.event)));
    let whole = |digest: &crate::vocab::Digest| store.output(&id, digest);
    let page = Run { story: &story, running, proof: &proof, whole: &whole, made }.page();
    Ok((page, if proof.ok { exit::OK } else { exit::JOURNAL }))
}

/// Writes a file whole or not at all.
fn put(path: &Path, text: &str) -> Result<(), CliError> {
    let failed = |error: &std::io::Error| {
        CliError::new(exit::FAILED, format!("{}: {error}", path.display())).hint("no page was written")
    };
    if path.file_name().is_none() {
        return Err(CliError::usage(format!("--out: {} is not the name of a file", path.display())));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || {
        // for its owner only, as it may be in a folder of everybody's, unless the page before it was for others too
        let mut new = tempfile::Builder::new().prefix(".").tempfile_in(folder)?;
        new.write_all(text.as_bytes())?;
        if let Some(before) = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file) {
            new.as_file().set_permissions(fs::Permissions::from_mode(before.mode() & 0o777))?;
        }
        new.persist(path)?;
        Ok(())
    };
    write().map_err(|error| failed(&error))
}
