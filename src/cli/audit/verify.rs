//! `runbook audit verify`

use super::super::app::{Format, Global};
use super::super::error::CliError;
use super::super::resume::find;
use super::super::{exit, view};
use super::code;
use crate::journal::Store;
use crate::vocab::RunId;

/// Verify that journals are whole: every record, its chain, the files it names
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  runbook audit verify latest\n  runbook audit verify --all")]
pub(super) struct Args {
    /// The run: its id, a unique beginning of it, or `latest`
    #[arg(default_value = "latest", conflicts_with = "all")]
    run: String,
    /// Every run
    #[arg(long)]
    all: bool,
}

pub(super) fn verify(global: &Global, store: &Store, args: &Args) -> Result<u8, CliError> {
    let runs: Vec<RunId> = if args.all { store.runs_newest_first()? } else { vec![find(store, &args.run)?] };
    let data = view::data();
    let mut worst = exit::OK;
    let mut documents = Vec::new();
    for run in runs {
        let (word, text, code) = match store.verify(&run) {
            Ok(verification) => {
                let integrity = verification.integrity;
                (integrity.word().to_owned(), integrity.to_string(), code(&integrity))
            }
            Err(error) => ("unreadable".to_owned(), error.whole(), exit::JOURNAL),
        };
        worst = worst.max(code);
        if global.format == Format::Json {
            documents.push(serde_json::json!({"run": run, "integrity": word, "detail": text, "ok": code == exit::OK}));
        } else {
            data.sink().write(&format!("{run}  {}\n", crate::vocab::neutral::neutralise(&text)));
        }
    }
    if global.format == Format::Json {
        data.sink().write(&format!("{}\n", serde_json::Value::from(documents)));
    }
    Ok(worst)
}
