//! `runbook resolve`

use super::app::Global;
use super::error::CliError;
use super::resume::{find, resumable, sound};
use super::{context, exit, identity, seal};
use crate::event::Event;
use crate::journal::EventLog as _;
use crate::vocab::{Clock as _, StepHost, SystemClock};

/// Say what became of a step in doubt
///
/// A step is in doubt when its command was sent and its outcome could not be learned. Look at the host; then say
/// `done` (it took effect: a resume evaluates only its checks) or `not-done` (it did not: a resume runs it again).
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  runbook resolve latest restart@dfw-jobs01 --outcome done --reason \"uptime says it restarted\""
)]
pub(super) struct Args {
    /// The run: its id, a unique beginning of it, or `latest`
    run: String,
    /// The step and host, as `step@host`
    #[arg(value_name = "STEP@HOST")]
    at: StepHost,
    /// What became of it
    #[arg(long, value_enum)]
    outcome: What,
    /// How you know; it goes to the audit log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who says so; without it RUNBOOK_OPERATOR, SUDO_USER, or the login user
    #[arg(long = "as", value_name = "NAME")]
    operator: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// It took effect.
    Done,
    /// It did not take effect.
    NotDone,
}

pub(super) fn resolve(global: &Global, args: &Args) -> Result<u8, CliError> {
    let operator = identity::operator(args.operator.as_deref())?;
    if args.reason.trim().is_empty() {
        return Err(CliError::usage("--reason may not be empty: say how you know"));
    }
    let store = context::store(global)?;
    let id = find(&store, &args.run)?;
    let (past, mut journal) = store.reopen(&id)?;
    sound(&store, &past, &id)?;
    resumable(&past, &id)?;
    let doubtful = past.state.in_doubt();
    if !doubtful.contains(&args.at) {
        let names: Vec<String> = doubtful.iter().map(ToString::to_string).collect();
        let error = CliError::usage(format!("{} is not in doubt in the run {id}", args.at));
        return Err(if names.is_empty() {
            error.hint("no step of it is: `runbook resume` goes on")
        } else {
            error.hint(format!("in doubt: {}", names.join(", ")))
        });
    }
    let done = args.outcome == What::Done;
    let name = operator.name.clone();
    let event = Event::Resolved { at: args.at.clone(), done, reason: args.reason.clone(), operator };
    journal.append(SystemClock.now(), event)?;
    let sealed = seal::seal_journal(global, &store, &id, &journal, &name)?;
    let next = if done { "a resume evaluates only its checks" } else { "a resume runs it again" };
    crate::report::Sink::stderr().write(&format!(
        "{} is settled: {next}\n  {} resume {id}\n{sealed}\n",
        args.at,
        crate::vocab::neutral::one_line(&super::conduct::program(global))
    ));
    Ok(exit::OK)
}
