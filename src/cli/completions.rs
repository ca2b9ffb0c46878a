//! `runbook completions`

use clap::CommandFactory as _;

use super::app::App;
use super::error::CliError;
use super::exit;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  runbook completions bash > /etc/bash_completion.d/runbook")]
pub(super) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

pub(super) fn completions(args: &Args) -> Result<u8, CliError> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut App::command(), "runbook", &mut text);
    crate::report::Sink::stdout().write(&String::from_utf8_lossy(&text));
    Ok(exit::OK)
}
