//! `runbook docs`

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::app::Global;
use super::context::{self, Context};
use super::error::CliError;
use super::run::load;
use super::{drift, exit, publish};
use crate::audit::{last_runs, standing};
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
  runbook docs render --to html --site public             a site to read in a browser: public/index.html")]
struct Render {
    /// The runbooks; without a name and without --all, the page of the book
    names: Vec<String>,
    /// Every runbook, and the page of the book
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// The markup; without it Markdown, for a site HTML
    #[arg(long, value_enum)]
    to: Option<Markup>,
    /// Write a file for each page into this folder; without it, the one page goes to stdout
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write the whole book as HTML into this folder, with `index.html` as its first page
    #[arg(long, value_name = "DIR", conflicts_with_all = ["names", "out"])]
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
    if args.site.is_some() && args.to.is_some_and(|to| to != Markup::Html) {
        return Err(CliError::usage("a site is made of HTML").hint("take `--to` out, or write pages with `--out DIR`"));
    }
    let (markup, out) = match &args.site {
        Some(dir) => (Markup::Html, Some(dir)),
        None => (args.to.unwrap_or(Markup::Markdown), args.out.as_ref()),
    };
    if out.is_none() && (all || args.names.len() > 1) {
        return Err(CliError::usage("several pages need a folder to go to").hint("say which: `--out DIR`"));
    }
    let runbooks = shelf(&context, all || args.names.is_empty())?;
    let last =
        if args.without_last_run { None } else { Some(LastRuns::read(global, context.source.book().stale_after)) };
    let press = Press { context: &context, runbooks: &runbooks, last, markup };
    let mut wanted: Vec<Option<Arc<Runbook>>> = Vec::new();
    if all || args.names.is_empty() {
        wanted.push(None);
    }
    if all {
        wanted.extend(runbooks.iter().cloned().map(Some));
    }
    for name in &args.names {
        wanted.push(Some(load(&context, name)?));
    }
    match out {
        Some(dir) => press.write(dir, &wanted)?,
        None => press.pages(&wanted, &mut |_, text| {
            Sink::stdout().write(text);
            Ok(())
        })?,
    }
    Ok(exit::OK)
}

/// What pages are made from.
struct Press<'a> {
    context: &'a Context,
    runbooks: &'a [Arc<Runbook>],
    last: Option<LastRuns>,
    markup: Markup,
}

impl Press<'_> {
    /// Makes pages, of runbooks or of the book, and hands on each with its file's name.
    fn pages(
        &self,
        wanted: &[Option<Arc<Runbook>>],
        take: &mut dyn FnMut(&str, &str) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let edition = Edition::new(self.context.source.book(), &self.context.inventory, self.runbooks);
        for runbook in wanted {
            let document = match runbook {
                Some(runbook) => {
                    let last = self.last.as_ref().map(|last| last.of(&runbook.name));
                    edition.runbook(runbook, last)
                }
                None => edition.book(),
            };
            take(&document.page.file, &self.markup.render(&document))?;
        }
        Ok(())
    }

    /// Writes pages into a folder, each whole or not at all; as many at once as the machine has cores.
    fn write(&self, dir: &Path, wanted: &[Option<Arc<Runbook>>]) -> Result<(), CliError> {
        let failed =
            |path: &Path, error: &std::io::Error| CliError::new(exit::FAILED, format!("{}: {error}", path.display()));
        fs::create_dir_all(dir).map_err(|error| failed(dir, &error))?;
        let put = |file: &str, text: &str| {
            let path = dir.join(format!("{file}.{}", self.markup.ending()));
            let new = dir.join(format!(".{file}.new"));
            fs::write(&new, text).and_then(|()| fs::rename(&new, &path)).map_err(|error| failed(&path, &error))
        };
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(8);
        let share = wanted.len().div_ceil(cores).max(20);
        std::thread::scope(|scope| {
            let shares: Vec<_> =
                wanted.chunks(share).map(|share| scope.spawn(|| self.pages(share, &mut { put }))).collect();
            shares.into_iter().try_for_each(|share| match share.join() {
                Ok(written) => written,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })
    }
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
        for (runbook, indexed) in store.and_then(|store| last_runs(&store).ok()).unwrap_or_default() {
            let Ok(entry) = indexed.entry else { continue };
            let ran = Ran {
                at: entry.started,
                outcome: standing(&entry.status, indexed.running),
                took: Period::seconds(entry.last.duration_since(entry.started).unsigned_abs().as_secs()),
                by: entry.operator,
            };
            runs.insert(runbook, ran);
        }
        Self { runs, stale_after }
    }

    pub(super) fn of(&self, runbook: &str) -> LastRun {
        LastRun::new(self.runs.get(runbook).cloned(), self.stale_after, SystemClock.now())
    }
}
