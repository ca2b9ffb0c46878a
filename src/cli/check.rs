//! `runbook check`

use std::path::PathBuf;

use super::app::{Format, Global};
use super::context::Context;
use super::error::CliError;
use super::{exit, view};
use crate::source::Severity;

/// Check runbooks: every fault of every file at once, each at its line
///
/// Beyond what makes a run refuse a file, it finds names that are not defined, hosts and columns that do not exist,
/// interpolations inside quotes, text compared with numbers, and gives advice.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  runbook check                           the whole book
  runbook check restart-jobs
  runbook check runbooks/restart-jobs.yaml --deny-warnings")]
pub(super) struct Args {
    /// Runbooks, by name or file; without any, the whole book
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Exit with 2 on warnings too
    #[arg(long)]
    deny_warnings: bool,
}

pub(super) fn check(global: &Global, args: &Args) -> Result<u8, CliError> {
    // a file outside the book's folder names its own book
    let mut global = global.clone();
    if global.book.is_none() {
        global.book = args.paths.iter().find(|path| path.extension().is_some()).and_then(|path| {
            path.parent().map(|dir| if dir.as_os_str().is_empty() { PathBuf::from(".") } else { dir.to_owned() })
        });
    }
    let context = Context::open(&global)?;
    let names: Vec<String> = if args.paths.is_empty() {
        context.source.names().to_vec()
    } else {
        let named = |path| Ok(context.source.named(&name_of(path))?.to_owned());
        args.paths.iter().map(|path| named(path)).collect::<Result<_, CliError>>()?
    };
    let found = context.source.check(&names, &context.inventory);
    let data = view::data();
    if global.format == Format::Json {
        data.json(&found.to_json());
    } else {
        data.sink().write(&found.render(global.colours_stdout()));
        let summary = if found.is_empty() { "nothing to complain of".to_owned() } else { found.summary() };
        let books = if names.len() == 1 { "1 runbook".to_owned() } else { format!("{} runbooks", names.len()) };
        data.sink().write(&format!("{books} checked: {summary}\n"));
    }
    let denied = args.deny_warnings && found.count(Severity::Warning) > 0;
    Ok(if found.has_errors() || denied { exit::USAGE } else { exit::OK })
}

/// `runbooks/restart-jobs.yaml` and `restart-jobs` name the same.
fn name_of(path: &std::path::Path) -> String {
    let stem =
        if path.extension().is_some_and(|ending| ending == "yaml") { path.file_stem() } else { path.file_name() };
    stem.map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
