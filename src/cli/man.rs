//! `runbook man`

use std::path::PathBuf;

use clap::CommandFactory as _;

use super::app::App;
use super::error::CliError;
use super::exit;

/// Print the manual page, or write one page a subcommand into a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  runbook man | man -l -\n  runbook man --out /usr/local/share/man/man1")]
pub(super) struct Args {
    /// Write runbook.1 and a page for each subcommand here
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn man(args: &Args) -> Result<u8, CliError> {
    let failed = |error: std::io::Error| CliError::usage(format!("the manual could not be written: {error}"));
    if let Some(dir) = &args.out {
        clap_mangen::generate_to(App::command(), dir).map_err(failed)?;
    } else {
        let mut text = Vec::new();
        clap_mangen::Man::new(App::command()).render(&mut text).map_err(failed)?;
        crate::report::Sink::stdout().write(&String::from_utf8_lossy(&text));
    }
    Ok(exit::OK)
}
