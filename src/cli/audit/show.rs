//! `runbook audit show`

use jiff::tz::TimeZone;

use super::super::app::{Format, Global};
use super::super::error::CliError;
use super::super::resume::find;
use super::super::{exit, view};
use super::{code, part};
use crate::audit::{Proof, Signers};
use crate::journal::{Integrity, Store};
use crate::report::{Sink, Story, Telling};

/// Tell the story of a run
///
/// Who ran it, from where and why; what was seen before and what was overridden; each step on each host with its command,
/// its outcome and how long it took; and how it ended. With --step and --host only what concerns these.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  runbook audit show latest
  runbook audit show 20261122T0315 --output
  runbook audit show latest --step restart --host dfw-jobs02 --output   all of one action
  runbook audit show latest --host 'va-web*' --format json

Exit status: 7 when the record is broken; it is told up to where it breaks.")]
pub(super) struct Args {
    /// The run: its id, a unique beginning of it, or `latest`
    #[arg(default_value = "latest")]
    run: String,
    /// Only this step; of a block, the steps in it, too (again for more)
    #[arg(long, value_name = "STEP")]
    step: Vec<String>,
    /// Only this host; `*` and `?` stand for any text and any letter (again for more)
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,
    /// Show all that commands wrote and all that was seen, not only the end of what failed
    #[arg(long)]
    output: bool,
}

pub(super) fn show(global: &Global, store: &Store, args: &Args) -> Result<u8, CliError> {
    let id = find(store, &args.run)?;
    let mut replay = store.read(&id)?;
    let selection = part::selection(&replay, &args.step, &args.host)?;
    if args.output {
        let wanted = replay.records.iter_mut().filter(|record| selection.takes(&record.event));
        for (file, fault) in wanted.flat_map(|record| store.put_back(&id, &mut record.event)) {
            Sink::stderr().write(&format!("warning: an output is told without its middle: {file} {fault}\n"));
        }
    }
    // not only the chain: a record that is unlike its seals is not told as if it were whole
    let proof = Proof::of(store, &id, &Signers::unasked());
    let unlike = proof.unlike_its_seals().first().map(ToString::to_string);
    let data = view::data();
    if global.format == Format::Json {
        let records: Vec<_> = replay
            .records
            .iter()
            .filter(|record| selection.takes(&record.event))
            .map(|record| serde_json::json!({"seq": record.seq, "at": record.at, "event": record.event}))
            .collect();
        let document = serde_json::json!({
            "run": id, "integrity": replay.integrity.to_string(), "unlike_its_seals": unlike, "records": records,
        });
        data.json(&document);
    } else {
        let broken = broken(&replay.integrity).or_else(|| unlike.clone());
        let story = Story::from_records(replay.records.into_iter().map(|record| (record.at, record.event)));
        let columns = data.is_terminal().then(|| usize::from(console::Term::stdout().size().1));
        let telling = Telling::new(view::stdout_styles(global), TimeZone::system(), columns)
            .all_output(args.output)
            .only(selection)
            .broken(broken);
        data.sink().write(&telling.shown(&story));
        data.sink().write(&crate::vocab::neutral::neutralise(&format!("\njournal: {}\n", replay.integrity)));
    }
    Ok(if unlike.is_some() { exit::JOURNAL } else { code(&replay.integrity) })
}

/// What has to be said of a record that is broken, before and behind what it tells.
fn broken(integrity: &Integrity) -> Option<String> {
    match integrity {
        Integrity::Intact | Integrity::Unfinished { .. } | Integrity::Torn { .. } => None,
        Integrity::BrokenFile { .. } => Some(integrity.to_string()),
        Integrity::Broken { record, .. } => {
            Some(format!("{integrity}; what is told here ends with record {}", record - 1))
        }
    }
}
