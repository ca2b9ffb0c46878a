//! The program's arguments as a whole, and its way from them to an exit status.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use super::custody::{self, Log};
use super::error::CliError;
use super::exit;
use super::{
    abandon, audit, check, completions, docs, hosts, list, locks, man, resolve, resume, run, schema, show, test,
};
use crate::vocab::neutral::neutralise;

/// Run an operator's procedures on a fleet over ssh: look, then touch; resume; audit
#[derive(Debug, Parser)]
#[command(name = "runbook", bin_name = "runbook", version, after_help = exit::TABLE, infer_subcommands = false)]
pub struct App {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options that every subcommand takes.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// The folder of runbooks; without it, the nearest `runbooks/` upward from here
    #[arg(long, value_name = "DIR", env = "RUNBOOK_BOOK", global = true)]
    pub(super) book: Option<PathBuf>,
    /// An inventory file, laid over the book's own `inventory.yaml`; given again, each over the ones before
    #[arg(short, long, value_name = "FILE", global = true)]
    pub(super) inventory: Vec<PathBuf>,
    /// Where runs are kept; without it `/var/lib/runbook` for root, `$XDG_STATE_HOME/runbook` for others
    #[arg(long, value_name = "DIR", env = "RUNBOOK_STATE_DIR", global = true)]
    pub(super) state_dir: Option<PathBuf>,
    /// The group whose members may read the runs, by name or number; it stays so, also without this option
    #[arg(long, value_name = "GROUP", env = "RUNBOOK_STATE_GROUP", global = true)]
    pub(super) state_group: Option<String>,
    /// Sign records with this ssh key: a private one, or a public one that the ssh agent has; `none` signs nothing. Without
    /// it, a key of the agent signs: an allowed signer's, if there is a file of those
    #[arg(long, value_name = "FILE", env = "RUNBOOK_SIGN_KEY", global = true)]
    pub(super) sign_key: Option<String>,
    /// Whose signatures count: a file as ssh's own `allowed_signers`; without it, the book's `allowed_signers`, if there is one
    #[arg(long, value_name = "FILE", env = "RUNBOOK_SIGNERS", global = true)]
    pub(super) signers: Option<PathBuf>,
    /// How to print: text for people; json, one document for a query, one event a line for a run
    #[arg(long, value_enum, default_value_t = Format::Text, global = true)]
    pub(super) format: Format,
    /// When to use colour; NO_COLOR is honoured
    #[arg(long, value_enum, default_value_t = When::Auto, value_name = "WHEN", global = true)]
    pub(super) color: When,
    /// Say more about what the program itself does (again for more)
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(super) verbose: u8,
}

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// Rows for a spreadsheet, of `audit export` only.
    Csv,
    /// One JSON document a line, of `audit export` only.
    Jsonl,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Args),
    Show(show::Args),
    Run(run::Args),
    Resume(resume::Args),
    Resolve(resolve::Args),
    Abandon(abandon::Args),
    Check(check::Args),
    Docs(docs::Args),
    Test(test::Args),
    Hosts(hosts::Args),
    Locks(locks::Args),
    Audit(audit::Args),
    Schema(schema::Args),
    Completions(completions::Args),
    Man(man::Args),
}

impl Global {
    /// Whether to colour what goes to stderr.
    pub(super) fn colours_stderr(&self) -> bool {
        self.colours(std::io::stderr().is_terminal())
    }

    /// Whether to colour what goes to stdout.
    pub(super) fn colours_stdout(&self) -> bool {
        self.colours(std::io::stdout().is_terminal())
    }

    fn colours(&self, terminal: bool) -> bool {
        match self.color {
            When::Always => true,
            When::Never => false,
            When::Auto => terminal && super::context::variable("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }
}

/// The program: reads its arguments, does what they say, gives the exit status.
pub fn main() -> ExitCode {
    let app = match App::try_parse() {
        Ok(app) => app,
        Err(error) => {
            // help and version are no errors
            let code = if error.use_stderr() { exit::USAGE } else { exit::OK };
            refused(&error, code);
            return ExitCode::from(code);
        }
    };
    // there -v tells what runs told, and nothing reaches a host
    let verbose = if matches!(app.command, Command::Test(_)) { 0 } else { app.global.verbose };
    log(verbose);
    custody::guard_panics();
    let global = app.global.clone();
    if let Err(error) = is_for(global.format, &app.command) {
        return ExitCode::from(tell(&global, &error));
    }
    let result = match app.command {
        Command::List(args) => list::list(&global, &args),
        Command::Show(args) => show::show(&global, &args),
        Command::Run(args) => run::run(&global, &args),
        Command::Resume(args) => resume::resume(&global, &args),
        Command::Resolve(args) => resolve::resolve(&global, &args),
        Command::Abandon(args) => abandon::abandon(&global, &args),
        Command::Check(args) => check::check(&global, &args),
        Command::Docs(args) => docs::docs(&global, &args),
        Command::Test(args) => test::test(&global, &args),
        Command::Hosts(args) => hosts::hosts(&global, &args),
        Command::Locks(args) => locks::locks(&global, &args),
        Command::Audit(args) => audit::audit(&global, &args),
        Command::Schema(args) => schema::schema(&args),
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => man::man(&args),
    };
    ExitCode::from(result.unwrap_or_else(|error| tell(&global, &error)))
}

/// Refuses a format that the command does not write.
fn is_for(format: Format, command: &Command) -> Result<(), CliError> {
    let word = match format {
        Format::Text | Format::Json => return Ok(()),
        Format::Csv => "csv",
        Format::Jsonl => "jsonl",
    };
    if let Command::Audit(args) = command
        && args.exports()
    {
        return Ok(());
    }
    Err(CliError::usage(format!("only `runbook audit export` writes `--format {word}`"))
        .hint("`--format json` is for programs, too"))
}

/// Tells why the arguments are none, or prints the help that was asked for.
fn refused(error: &clap::Error, code: u8) {
    if code == exit::OK {
        let _ = error.print();
        return;
    }
    // as clap says it, but for its colours: an argument is quoted in it
    let _ = write!(std::io::stderr().lock(), "{}", neutralise(&error.render().to_string()));
}

/// Tells an error and gives its exit status.
fn tell(global: &Global, error: &CliError) -> u8 {
    let mut out = std::io::stderr().lock();
    let colour = global.colours_stderr();
    if global.format == Format::Json {
        let faults = error.diagnostics.as_ref().map(crate::source::Diagnostics::to_json);
        let masked = |texts: &[String]| -> Vec<String> { texts.iter().map(|text| custody::masked(text)).collect() };
        let (messages, hints) = (masked(&error.messages), masked(&error.hints));
        super::view::data().json(&serde_json::json!({
            "error": { "exit": error.exit, "messages": messages, "hints": hints, "faults": faults }
        }));
    }
    if let Some(diagnostics) = &error.diagnostics {
        let _ = write!(out, "{}", diagnostics.render(colour));
    }
    let (red, cyan, off) = if colour { ("\x1b[1;31m", "\x1b[1;36m", "\x1b[0m") } else { ("", "", "") };
    for message in &error.messages {
        let _ = writeln!(out, "{red}error:{off} {}", custody::shown(message));
    }
    for hint in &error.hints {
        let _ = writeln!(out, "{cyan}hint:{off} {}", custody::shown(hint));
    }
    error.exit
}

/// Sends the program's own log to stderr: warnings always, more with `-v`.
fn log(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "runbook=info,warn",
        2 => "runbook=debug,info",
        _ => "trace",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("RUNBOOK_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Log).with_ansi(false).without_time().init();
}
