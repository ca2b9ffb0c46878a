//! `runbook audit seal`

use super::super::app::{Format, Global};
use super::super::error::CliError;
use super::super::resume::{find, sound};
use super::super::seal::{Extent, Stamped};
use super::super::{exit, identity, seal, view};
use crate::event::RunStatus;
use crate::journal::{Integrity, Signature, Store};

/// Seal a run once more: sign it with a key that was not there at its end
///
/// Every stretch of a run is sealed at its end. This adds a seal over the run as it is now: where the program died before it
/// could, or the key was not at hand. Whether it was changed in between, no seal can say.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  runbook audit seal latest
  runbook audit seal 20261122T0315 --sign-key ~/.ssh/id_ed25519")]
pub(super) struct Args {
    /// The run: its id, a unique beginning of it, or `latest`
    run: String,
    /// Who seals it; without it RUNBOOK_OPERATOR, SUDO_USER, or the login user
    #[arg(long = "as", value_name = "NAME")]
    operator: Option<String>,
}

pub(super) fn seal_run(global: &Global, store: &Store, args: &Args) -> Result<u8, CliError> {
    let operator = identity::operator(args.operator.as_deref())?;
    let run = find(store, &args.run)?;
    let past = store.read(&run)?;
    sound(store, &past, &run)?;
    if matches!(past.integrity, Integrity::Unfinished { running: true }) {
        return Err(CliError::usage(format!("the run {run} goes on at the moment")).hint("it is sealed at its end"));
    }
    if past.state.status == RunStatus::Open {
        return Err(CliError::usage(format!("the run {run} has no end yet"))
            .hint(format!("`runbook resume {run}` goes on with it, `runbook abandon {run}` ends it; both seal it")));
    }
    let first = past.first();
    let extent = Extent { records: past.records.len() as u64, head: past.head.clone(), first };
    let sealed = seal::sealed(global, store, &past.state, extent, &operator.name, Stamped::default())?;
    let signed = seal::signature_words(global, &sealed);
    if global.format == Format::Json {
        let (number, records) = (sealed.statement.number, sealed.statement.records);
        let document = serde_json::json!({"run": run, "seal": number, "records": records, "signed": matches!(sealed.signature, Signature::Signed(_)), "says": signed});
        view::data().json(&document);
    } else {
        let text = format!("{run}: seal {} over {} records, {signed}", sealed.statement.number, past.records.len());
        view::data().sink().write(&format!("{}\n", crate::vocab::neutral::one_line(&text)));
    }
    Ok(exit::OK)
}
