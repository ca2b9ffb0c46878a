//! `runbook audit show`

use jiff::tz::TimeZone;

use super::super::app::{Format, Global};
use super::super::error::CliError;
use super::super::resume::find;
use super::super::view;
use super::code;
use crate::journal::Store;
use crate::report::{Story, Telling};

/// Tell the story of a run
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  runbook audit show latest\n  runbook audit show 20261122T0315 --output")]
pub(super) struct Args {
    /// The run: its id, a unique beginning of it, or `latest`
    #[arg(default_value = "latest")]
    run: String,
    /// Show all that commands wrote, not only the end of what failed
    #[arg(long)]
    output: bool,
}

pub(super) fn show(global: &Global, store: &Store, args: &Args) -> Result<u8, CliError> {
    let id = find(store, &args.run)?;
    let replay = store.read(&id)?;
    let data = view::data();
    if global.format == Format::Json {
        let records: Vec<_> = replay
            .records
            .iter()
            .map(|record| serde_json::json!({"seq": record.seq, "at": record.at, "event": record.event}))
            .collect();
        let document = serde_json::json!({"run": id, "integrity": replay.integrity.to_string(), "records": records});
        data.json(&document);
    } else {
        let story = Story::from_records(replay.records.iter().map(|record| (record.at, record.event.clone())));
        let columns = data.is_terminal().then(|| usize::from(console::Term::stdout().size().1));
        let telling = Telling::new(view::stdout_styles(global), TimeZone::system(), columns).all_output(args.output);
        data.sink().write(&telling.shown(&story));
        data.sink().write(&crate::vocab::neutral::neutralise(&format!("\njournal: {}\n", replay.integrity)));
    }
    Ok(code(&replay.integrity))
}
