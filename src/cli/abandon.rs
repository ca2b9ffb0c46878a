//! `runbook abandon`

use super::app::Global;
use super::error::CliError;
use super::resume::{find, resumable, sound};
use super::{collect, context, exit, identity, seal};
use crate::event::Event;
use crate::journal::EventLog as _;
use crate::vocab::{Clock as _, SystemClock};

/// End an unfinished run for good; it cannot be resumed after that
///
/// What its actions left on their hosts stays: `runbook audit collect` shows and removes it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  runbook abandon 20261122T0315 --reason \"finished by hand\"")]
pub(super) struct Args {
    /// The run: its id, a unique beginning of it, or `latest`
    run: String,
    /// Why; it goes to the audit log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who ends it; without it RUNBOOK_OPERATOR, SUDO_USER, or the login user
    #[arg(long = "as", value_name = "NAME")]
    operator: Option<String>,
}

pub(super) fn abandon(global: &Global, args: &Args) -> Result<u8, CliError> {
    let operator = identity::operator(args.operator.as_deref())?;
    if args.reason.trim().is_empty() {
        return Err(CliError::usage("--reason may not be empty: say why"));
    }
    let store = context::store(global)?;
    let id = find(&store, &args.run)?;
    let (past, mut journal) = store.reopen(&id)?;
    sound(&store, &past, &id)?;
    resumable(&past, &id)?;
    let name = operator.name.clone();
    journal.append(SystemClock.now(), Event::Abandoned { reason: args.reason.clone(), operator })?;
    let out = crate::report::Sink::stderr();
    let sealed = seal::seal_journal(global, &store, &id, &journal, &name)?;
    let runbook = crate::vocab::neutral::one_line(&past.state.opened.runbook);
    out.write(&format!("the run {id} of {runbook} is abandoned\n"));
    let doubt: Vec<String> = past.state.in_doubt().iter().map(ToString::to_string).collect();
    if !doubt.is_empty() {
        out.write(&format!("still in doubt, and now nobody's task: {}\n", doubt.join(", ")));
    }
    if collect::may_have_left(&past.state) {
        out.write(&format!(
            "what its actions left on their hosts is not removed by itself: `runbook audit collect {id} --remove`\n"
        ));
    }
    out.write(&format!("{sealed}\n"));
    Ok(exit::OK)
}
