//! `runbook list`

use std::collections::BTreeMap;

use super::app::{Format, Global};
use super::context;
use super::error::CliError;
use super::{exit, view};
use crate::audit::{last_runs as last_runs_of, standing};
use crate::report::table::{Cell, Fit};
use crate::report::{Role, Table};
use crate::source::{BookSource, Headline};

/// List every runbook by system: name, title, last run, outcome
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  runbook list\n  runbook list --tag workers\n  runbook list --format json")]
pub(super) struct Args {
    /// Only runbooks with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
}

/// The last run of a runbook.
struct LastRun {
    at: String,
    by: String,
    outcome: String,
}

pub(super) fn list(global: &Global, args: &Args) -> Result<u8, CliError> {
    let dir = context::book_dir(global)?;
    let source = BookSource::open(&dir)?;
    let last = last_runs(global);
    let mut headlines: Vec<Headline> = source.names().iter().map(|name| source.headline(name)).collect();
    headlines.retain(|headline| args.tag.as_ref().is_none_or(|tag| headline.tags.contains(tag)));
    let data = view::data();
    if global.format == Format::Json {
        let documents: Vec<_> = headlines.iter().map(|headline| document(headline, last.get(&headline.name))).collect();
        data.sink().write(&format!("{}\n", serde_json::Value::from(documents)));
        return Ok(exit::OK);
    }
    // the systems in the book's order, then what belongs to none
    let order = |headline: &Headline| {
        let known = source.book().systems.iter().position(|system| headline.system.as_ref() == Some(&system.name));
        (known.is_none(), known, headline.system.clone())
    };
    headlines.sort_by_key(order);
    let program = data.fit() == Fit::Tabs;
    let columns = ["runbook", "title", "last run", "outcome"].into_iter();
    let mut table = Table::new(columns.chain(program.then_some("system")));
    for group in headlines.chunk_by(|one, other| order(one) == order(other)) {
        let name = group[0].system.as_deref();
        if !program {
            let system = source.book().systems.iter().find(|system| name == Some(&system.name));
            let title = system.map_or(name.unwrap_or("Of no system"), |system| &system.title);
            if !table.is_empty() {
                table.row(Vec::new());
            }
            table.noted(Vec::new(), Cell::new(Role::Heading, title));
        }
        for headline in group {
            let mut cells = row(headline, last.get(&headline.name), if program { "" } else { "  " });
            if program {
                cells.push(Cell::new(Role::Text, name.unwrap_or_default()));
            }
            table.row(cells);
        }
    }
    data.sink().write(&table.shown(data.fit(), &view::stdout_styles(global)));
    Ok(exit::OK)
}

fn document(headline: &Headline, run: Option<&LastRun>) -> serde_json::Value {
    serde_json::json!({
        "name": headline.name, "aliases": headline.aliases, "title": headline.title, "summary": headline.summary,
        "system": headline.system, "tags": headline.tags,
        "last_run": run.map(|run| serde_json::json!({"at": run.at, "by": run.by, "outcome": run.outcome})),
    })
}

fn row(headline: &Headline, run: Option<&LastRun>, indent: &str) -> Vec<Cell> {
    let title = match headline.aliases.as_slice() {
        [] => headline.title.clone(),
        aliases => format!("{} (also: {})", headline.title, aliases.join(", ")),
    };
    vec![
        Cell::new(Role::Command, format!("{indent}{}", headline.name)),
        Cell::new(Role::Text, title),
        Cell::new(Role::Dim, run.map_or("never".to_owned(), |run| format!("{} by {}", run.at, run.by))),
        Cell::new(Role::Text, run.map_or(String::new(), |run| run.outcome.clone())),
    ]
}

/// The newest run of each runbook. A state folder that cannot be read leaves the list without them: it is not why
/// the list was asked for.
fn last_runs(global: &Global) -> BTreeMap<String, LastRun> {
    let mut last = BTreeMap::new();
    let Ok(Some(store)) = context::store_to_read(global) else { return last };
    for (runbook, indexed) in last_runs_of(&store).unwrap_or_default() {
        let Ok(entry) = indexed.entry else { continue };
        let run = LastRun {
            at: entry.started.strftime("%Y-%m-%d %H:%M").to_string(),
            by: entry.operator,
            outcome: standing(&entry.status, indexed.running),
        };
        last.insert(runbook, run);
    }
    last
}
