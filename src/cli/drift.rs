//! `runbook docs drift`

use super::app::{Format, Global};
use super::context::Context;
use super::error::CliError;
use super::wiki::{self, Access};
use super::{conduct, exit, view};
use crate::report::Role;
use crate::vocab::neutral::neutralise;
use crate::wiki::{Drift, DriftKind, drifts};

/// Compare the wiki with the book: pages missing, edited, behind the book, orphaned
///
/// What was published is remembered in each page, so any admin host can tell, also one that has never published. A wiki
/// that everyone may read needs no password for this.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  runbook docs drift --wiki https://wiki.example.org/w/api.php
  runbook docs drift --format json

For cron, at five past every hour, with mail only when something differs:
  5 * * * *  out=$(runbook --book /srv/runbooks docs drift 2>&1) || echo \"$out\"

Exit status 8: something differs.")]
pub(super) struct Args {
    #[command(flatten)]
    access: Access,
}

pub(super) fn drift(global: &Global, args: &Args) -> Result<u8, CliError> {
    let context = Context::open(global)?;
    let pages = wiki::pages(global, &context)?;
    let mut wiki = args.access.wiki(global, &context.source)?;
    let category = context.source.book().wiki.category();
    let drifts = conduct::runtime()?.block_on(drifts(&mut wiki, &pages, category))?;
    let data = view::data();
    if global.format == Format::Json {
        let found: Vec<_> = drifts.found.iter().map(document).collect();
        let document = serde_json::json!({"wiki": wiki.address().to_string(), "pages": drifts.pages, "drift": found});
        data.json(&document);
    } else {
        let width = drifts.found.iter().map(|drift| drift.name.len()).max().unwrap_or_default();
        for drift in &drifts.found {
            data.sink().write(&line(global, drift, width));
        }
        for drift in &drifts.found {
            data.sink().write(&detail(global, drift));
        }
        let differ = match drifts.found.len() {
            0 => "the wiki is as the book says".to_owned(),
            1 => "1 differs".to_owned(),
            many => format!("{many} differ"),
        };
        let before = if drifts.found.is_empty() { "" } else { "\n" };
        let pages = if drifts.pages == 1 { "1 page".to_owned() } else { format!("{} pages", drifts.pages) };
        data.sink().write(&format!("{before}{pages}: {differ}\n"));
    }
    Ok(if drifts.found.is_empty() { exit::OK } else { exit::DRIFT })
}

fn line(global: &Global, drift: &Drift, width: usize) -> String {
    let word = view::stdout_styles(global).paint(Role::Warning, &format!("{:<10}", drift.kind.word()));
    let name = neutralise(&drift.name);
    format!("{word} {name:<width$}  {}\n", neutralise(&drift.url))
}

fn detail(global: &Global, drift: &Drift) -> String {
    let name = neutralise(&drift.name);
    let note = neutralise(&drift.note);
    let mut behind = "";
    let text = match drift.kind {
        DriftKind::Missing => format!("{name}: it is not on the wiki; publish it\n"),
        DriftKind::Edited => {
            let mut text = format!("{name}: somebody edited the page since it was published\n");
            if let Some(change) = &drift.change {
                text.push_str(&wiki::edits_shown(change));
            }
            behind = "Put what is right of it into the book; `runbook docs publish` then says how to go on.\n";
            text
        }
        DriftKind::Behind => format!("{name}: the book has changed since it was published; publish it\n"),
        DriftKind::Orphaned => {
            format!(
                "{name}: `{}` was published from here, and {note}; delete the page, or redirect it\n",
                neutralise(&drift.title)
            )
        }
        DriftKind::Foreign => {
            format!("{name}: `{}` was not published from here: {note}\n", neutralise(&drift.title))
        }
        DriftKind::Taken => format!("{name}: `{}` is taken: {note}\n", neutralise(&drift.title)),
        DriftKind::NoTitle => format!("{name}: `{}` can be no page's title: {note}\n", neutralise(&drift.title)),
    };
    format!("\n{text}{}{behind}", wiki::diff_shown(global, &drift.diff))
}

fn document(drift: &Drift) -> serde_json::Value {
    serde_json::json!({
        "kind": drift.kind.word().replace(' ', "-"), "name": drift.name, "title": drift.title, "url": drift.url,
        "revision": drift.change.as_ref().map(|change| change.revision),
        "edits": drift.change.as_ref().map(wiki::edits_document),
        "diff": drift.diff, "note": drift.note,
    })
}
