//! `runbook docs`

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::app::Global;
use super::context::{self, Context};
use super::error::CliError;
use super::run::load;
use super::{drift, exit, list, publish};
use crate::model::Runbook;
use crate::render::{Document, Edition, LastRun, Ran, html, markdown, mediawiki};
use crate::report::Sink;
use crate::source::{Diagnostics, Severity};
use crate::vocab::{Clock as _, Period, SystemClock};

/// Make pages of the runbooks: for the wiki, for a folder, for a browser
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  runbook docs render restart-jobs     one page, as Markdown
  runbook docs render --site public    a site to read in a browser")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Render(Render),
    Publish(publish::Args),
    Drift(drift::Args),
}

/// Write the pages of runbooks, each a whole procedure that can be followed by hand
///
/// A page is made of the book and the inventory alone; no host is asked. Its one part that changes without them is the box of the
/// last run, as far as this machine has a record of it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  runbook docs render restart-jobs                        one page, as Markdown
  runbook docs render restart-jobs --to mediawiki         as it would stand in the wiki
  runbook docs render --all --to markdown --out pages     every runbook and the book itself
  runbook docs render --site public                       a site to read in a browser: public/index.html")]
struct Render {
    /// The runbooks; without a name and without --all, the page of the book
    names: Vec<String>,
    /// Every runbook, and the page of the book
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// The markup
    #[arg(long, value_enum, default_value_t = Markup::Markdown)]
    to: Markup,
    /// Write a file for each page into this folder; without it, the one page goes to stdout
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write the whole book as HTML into this folder, with `index.html` as its first page
    #[arg(long, value_name = "DIR", conflicts_with_all = ["names", "all", "to", "out"])]
    site: Option<PathBuf>,
    /// Leave out the box of the last run, so that the same book gives the same pages everywhere
    #[arg(long)]
    without_last_run: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Markup {
    /// Wikitext.
    Mediawiki,
    /// CommonMark with GitHub's tables.
    Markdown,
    /// A page that stands for itself: no script, nothing loaded.
    Html,
}

impl Markup {
    fn render(self, document: &Document) -> String {
        match self {
            Self::Mediawiki => mediawiki::render(document),
            Self::Markdown => markdown::render(document),
            Self::Html => html::render(document),
        }
    }

    fn ending(self) -> &'static str {
        match self {
            Self::Mediawiki => "wiki",
            Self::Markdown => "md",
            Self::Html => "html",
        }
    }
}

pub(super) fn docs(global: &Global, args: &Args) -> Result<u8, CliError> {
    match &args.command {
        Command::Render(args) => render(global, args),
        Command::Publish(args) => publish::publish(global, args),
        Command::Drift(args) => drift::drift(global, args),
    }
}

fn render(global: &Global, args: &Render) -> Result<u8, CliError> {
    let context = Context::open(global)?;
    let all = args.all || args.site.is_some();
    let (markup, out) = match &args.site {
        Some(dir) => (Markup::Html, Some(dir)),
        None => (args.to, args.out.as_ref()),
    };
    if out.is_none() && (all || args.names.len() > 1) {
        return Err(CliError::usage("several pages need a folder to go to").hint("say which: `--out DIR`"));
    }
    let runbooks = shelf(&context, all || args.names.is_empty())?;
    let edition = Edition::new(context.source.book(), &context.inventory, &runbooks);
    let last = if args.without_last_run { None } else { Some(LastRuns::read(global, edition.stale_after())) };
    let page = |runbook: &Runbook| {
        let last = last.as_ref().map(|last| last.of(&runbook.name));
        let document = edition.runbook(runbook, last);
        (document.page.file.clone(), markup.render(&document))
    };
    let mut pages: Vec<(String, String)> = Vec::new();
    if all || args.names.is_empty() {
        let document = edition.book();
        pages.push((document.page.file.clone(), markup.render(&document)));
    }
    if all {
        pages.extend(runbooks.iter().map(|runbook| page(runbook)));
    }
    for name in &args.names {
        pages.push(page(&*load(&context, name)?));
    }
    match out {
        Some(dir) => write(dir, markup, &pages)?,
        None => pages.iter().for_each(|(_, text)| Sink::stdout().write(text)),
    }
    Ok(exit::OK)
}

/// Every runbook of the book. A page of its own needs the others only to link to: then those with faults are left out.
pub(super) fn shelf(context: &Context, whole: bool) -> Result<Vec<Arc<Runbook>>, CliError> {
    let runbooks = context.source.names().iter().map(|name| context.source.runbook(name));
    if !whole {
        return Ok(runbooks.flatten().collect());
    }
    let mut errors = Diagnostics::new();
    let found = context.source.check(context.source.names(), &context.inventory);
    errors.extend(found.iter().filter(|fault| fault.severity == Severity::Error).cloned());
    if !errors.is_empty() {
        return Err(CliError::faults(errors));
    }
    Ok(runbooks.collect::<Result<_, _>>()?)
}

/// Writes the pages, each whole or not at all.
fn write(dir: &Path, markup: Markup, pages: &[(String, String)]) -> Result<(), CliError> {
    let failed =
        |path: &Path, error: &std::io::Error| CliError::new(exit::FAILED, format!("{}: {error}", path.display()));
    fs::create_dir_all(dir).map_err(|error| failed(dir, &error))?;
    for (file, text) in pages {
        let path = dir.join(format!("{file}.{}", markup.ending()));
        let new = dir.join(format!(".{file}.new"));
        fs::write(&new, text).and_then(|()| fs::rename(&new, &path)).map_err(|error| failed(&path, &error))?;
    }
    Ok(())
}

/// The newest run of each runbook, as far as this machine has them.
pub(super) struct LastRuns {
    runs: BTreeMap<String, Ran>,
    stale_after: Option<Period>,
}

impl LastRuns {
    /// Reads them. A state folder that cannot be read leaves the pages without: it is not why they were asked for.
    pub(super) fn read(global: &Global, stale_after: Option<Period>) -> Self {
        let mut runs = BTreeMap::new();
        let store = context::store_to_read(global).ok().flatten();
        for listing in store.and_then(|store| store.list().ok()).unwrap_or_default() {
            let Ok(summary) = listing.summary else { continue };
            runs.entry(summary.opened.runbook.clone()).or_insert_with(|| Ran {
                at: summary.opened_at,
                by: summary.opened.operator.name.clone(),
                outcome: list::outcome(&summary.status, listing.running),
                took: Period::seconds(summary.last_at.duration_since(summary.opened_at).unsigned_abs().as_secs()),
            });
        }
        Self { runs, stale_after }
    }

    pub(super) fn of(&self, runbook: &str) -> LastRun {
        LastRun::new(self.runs.get(runbook).cloned(), self.stale_after, SystemClock.now())
    }
}
