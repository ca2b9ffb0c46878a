//! `runbook audit`: one file a subcommand.

mod against_hosts;
mod export;
mod filter;
mod list;
mod part;
mod prune;
mod report;
mod seal;
mod show;
mod verify;

use super::app::{Format, Global};
use super::error::CliError;
use super::{collect, context, exit, view};
use crate::journal::Integrity;

/// Read the record of runs: who did what, when, and why
///
/// Shows what this machine's state folder holds; runs of another admin host are in that host's.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  runbook audit list --since 7d                       what was done, by whom, how it ended
  runbook audit show latest                           the story of a run
  runbook audit report latest --out run.html          the same as a page, to hand on
  runbook audit verify --all --against-hosts          the records are whole, and the hosts say the same")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(list::Args),
    Show(show::Args),
    Verify(verify::Args),
    Report(report::Args),
    Export(export::Args),
    Seal(seal::Args),
    Prune(prune::Args),
    Collect(collect::Args),
}

impl Args {
    /// Whether rows are wanted.
    pub(super) fn exports(&self) -> bool {
        matches!(self.command, Command::Export(_))
    }
}

pub(super) fn audit(global: &Global, args: &Args) -> Result<u8, CliError> {
    // what is left on hosts is there without a store as well
    if let Command::Collect(args) = &args.command {
        return collect::collect(global, args);
    }
    let store = context::store_to_read(global)?;
    // a table without rows has a head
    if let Command::Export(args) = &args.command {
        return export::export(global, store.as_ref(), args);
    }
    let Some(store) = store else {
        let dir = context::state_dir(global)?;
        if dir.join("chain").exists() {
            let gone = format!("the runs of {} are gone: what is left there says that there were some", dir.display());
            return Err(CliError::new(exit::JOURNAL, gone)
                .hint("find out who removed them; the hosts' own logs have their stamps"));
        }
        if let Command::Verify(args) = &args.command {
            if !dir.is_dir() && global.state_dir.is_some() {
                let gone = format!("there is no state folder {}", dir.display());
                return Err(CliError::usage(gone).hint("what is looked for in a wrong place is not verified"));
            }
            if let Some(code) = verify::nothing(global, &dir, args)? {
                return Ok(code);
            }
        }
        if global.format == Format::Json {
            view::data().sink().write("[]\n");
        } else {
            let text = format!("no run was ever recorded in {}\n", dir.display());
            view::beside(&view::data()).write(&crate::vocab::neutral::neutralise(&text));
        }
        return Ok(exit::OK);
    };
    match &args.command {
        Command::List(args) => list::list_runs(global, &store, args),
        Command::Show(args) => show::show(global, &store, args),
        Command::Verify(args) => verify::verify(global, &store, args),
        Command::Seal(args) => seal::seal_run(global, &store, args),
        Command::Prune(args) => prune::prune(global, args),
        Command::Export(args) => export::export(global, Some(&store), args),
        Command::Report(args) => report::report(global, &store, args),
        Command::Collect(args) => collect::collect(global, args),
    }
}

/// The exit status that a journal's state is worth: a run that is not over, or whose end a crash tore off, is no
/// sign of tampering.
fn code(integrity: &Integrity) -> u8 {
    match integrity {
        Integrity::Intact | Integrity::Unfinished { .. } | Integrity::Torn { .. } => exit::OK,
        Integrity::Broken { .. } | Integrity::BrokenFile { .. } => exit::JOURNAL,
    }
}
