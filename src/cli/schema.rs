//! `runbook schema`

use super::error::CliError;
use super::exit;
use crate::source::schema::SchemaKind;

/// Print a JSON Schema, for editors and other programs
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An editor with the YAML language server completes and checks a runbook that begins with
  # yaml-language-server: $schema=../schemas/runbook.schema.json")]
pub(super) struct Args {
    /// Of what
    #[arg(value_enum, default_value_t = Of::Runbook)]
    of: Of,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Of {
    /// A runbook.
    Runbook,
    /// An inventory.
    Inventory,
    /// book.yaml.
    Book,
    /// A file of scenarios.
    Scenario,
    /// An event of a journal, or of `--format json`.
    Event,
    /// A line of `audit export --format jsonl`.
    Export,
}

pub(super) fn schema(args: &Args) -> Result<u8, CliError> {
    let schema = match args.of {
        Of::Runbook => SchemaKind::Runbook,
        Of::Inventory => SchemaKind::Inventory,
        Of::Book => SchemaKind::Book,
        Of::Scenario => SchemaKind::Scenario,
        Of::Event => SchemaKind::Event,
        Of::Export => SchemaKind::Export,
    };
    crate::report::Sink::stdout().write(&schema.text());
    Ok(exit::OK)
}
