//! An edition: a book, its runbooks and its fleet, ready to be made into pages.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::{Block, Document, Inline, Page, To};
use super::last_run::LastRun;
use super::{mediawiki, notes, page, prose};
use crate::model::{Book, Inventory, Runbook, Scope, StepKind, System, Target, Template};
use crate::vocab::{HostName, Location};

/// A book, its runbooks and its fleet. Pages are made from nothing else: no file is read, no clock, no host.
#[derive(Debug)]
pub struct Edition<'a> {
    pub(super) book: &'a Book,
    pub(super) inventory: &'a Inventory,
    pub(super) runbooks: &'a [Arc<Runbook>],
    /// Names and aliases.
    names: BTreeMap<&'a str, &'a Arc<Runbook>>,
    title: Option<Template>,
    /// Pages and titles of the runbooks, and which others each runs: every page looks at those of all.
    known: BTreeMap<&'a str, Known<'a>>,
    /// Hosts and patterns that were resolved before: pages ask for the same ones again and again.
    targets: RefCell<BTreeMap<HostName, Option<Arc<Target>>>>,
    selected: RefCell<BTreeMap<String, Option<Vec<HostName>>>>,
}

#[derive(Debug)]
struct Known<'a> {
    page: Page,
    title: String,
    parts: Vec<&'a str>,
}

impl<'a> Edition<'a> {
    /// An edition of `book`. `runbooks` are all that pages may link to; they must be without faults.
    pub fn new(book: &'a Book, inventory: &'a Inventory, runbooks: &'a [Arc<Runbook>]) -> Self {
        let aliases = runbooks.iter().flat_map(|runbook| runbook.aliases.iter().map(move |alias| (&**alias, runbook)));
        // a name wins over an alias
        let names = aliases.chain(runbooks.iter().map(|runbook| (&*runbook.name, runbook))).collect();
        let nowhere = Location { file: "book.yaml".into(), line: 0, column: 0 };
        let title = book.wiki.get("title").map_or("Runbook:${{ name }}", String::as_str);
        let title = Template::parse(title, nowhere.clone(), &|_| nowhere.clone()).ok();
        let mut edition = Self {
            book,
            inventory,
            runbooks,
            names,
            title,
            known: BTreeMap::new(),
            targets: RefCell::default(),
            selected: RefCell::default(),
        };
        let known = |runbook: &'a Arc<Runbook>| {
            let known = Known { page: edition.page(runbook), title: title_of(runbook), parts: parts(runbook) };
            (runbook.name.as_str(), known)
        };
        edition.known = runbooks.iter().map(known).collect();
        edition
    }

    /// The page of a runbook. Its last run is shown where it is known.
    pub fn runbook(&self, runbook: &Runbook, last_run: Option<LastRun>) -> Document {
        Document { last_run, ..page::outline(self, runbook) }
    }

    /// The page of the whole book: a section for each system.
    pub fn book(&self) -> Document {
        notes::outline(self)
    }

    /// Where a runbook's page stands.
    pub fn page(&self, runbook: &Runbook) -> Page {
        if let Some(known) = self.known.get(&*runbook.name) {
            return known.page.clone();
        }
        let scope = Scope::new().with("name", runbook.name.as_str().into()).with("title", title_of(runbook).into());
        let wiki = self.title.as_ref().and_then(|title| title.text(&scope).ok());
        let wiki = wiki.unwrap_or_else(|| format!("Runbook:{}", runbook.name));
        Page { file: runbook.name.clone(), wiki: mediawiki::title_of(&wiki) }
    }

    /// Where the book's page stands.
    pub fn home(&self) -> Page {
        let wiki = self.book.wiki.get("book_title").cloned().unwrap_or_else(|| self.book_name());
        Page { file: "index".to_owned(), wiki: mediawiki::title_of(&wiki) }
    }

    /// The book's name.
    pub fn book_name(&self) -> String {
        self.book.name.clone().unwrap_or_else(|| "Runbooks".to_owned())
    }

    /// A runbook's title without markup.
    pub(super) fn title(&self, runbook: &Runbook) -> String {
        self.known.get(&*runbook.name).map_or_else(|| title_of(runbook), |known| known.title.clone())
    }

    /// The names of the runbooks that a runbook runs.
    pub(super) fn parts(&self, runbook: &'a Runbook) -> Vec<&'a str> {
        self.known.get(&*runbook.name).map_or_else(|| parts(runbook), |known| known.parts.clone())
    }

    /// Whether a runbook of the edition runs this one.
    pub(super) fn runs(&self, other: &Runbook, name: &str) -> bool {
        self.known.get(&*other.name).is_some_and(|known| known.parts.contains(&name))
    }

    pub(super) fn category(&self) -> Option<String> {
        self.book.wiki.get("category").cloned()
    }

    pub(super) fn system(&self, name: &str) -> Option<&'a System> {
        self.book.systems.iter().find(|system| system.name == name)
    }

    /// The runbook that goes by `name`.
    pub(super) fn named(&self, name: &str) -> Option<&'a Arc<Runbook>> {
        self.names.get(name).copied()
    }

    /// A link to a runbook's page, by its title.
    pub(super) fn link(&self, runbook: &Runbook) -> Inline {
        Inline::Link(To::Page(self.page(runbook), None), vec![Inline::text(self.title(runbook))])
    }

    /// Prose of the book. A runbook's name in code is a link to its page, but on that page itself.
    pub(super) fn blocks(&self, text: &str, on: &str) -> Vec<Block> {
        prose::blocks(text, &|code| self.leads(code, on))
    }

    /// Prose of the book on one line.
    pub(super) fn line(&self, text: &str, on: &str) -> Vec<Inline> {
        prose::inlines(text, &|code| self.leads(code, on))
    }

    fn leads(&self, code: &str, on: &str) -> Option<To> {
        let mut words = code.strip_prefix("runbook run ").unwrap_or(code).split_whitespace();
        let runbook = self.named(words.next()?)?;
        let whole = code.starts_with("runbook run ") || words.next().is_none();
        (whole && runbook.name != on).then(|| To::Page(self.page(runbook), None))
    }

    /// A host, everything about it resolved.
    pub(super) fn target(&self, name: &HostName) -> Option<Arc<Target>> {
        let mut known = self.targets.borrow_mut();
        known.entry(name.clone()).or_insert_with(|| self.inventory.target(name).map(Arc::new)).clone()
    }

    /// The hosts that a pattern names; none, when it names none that there is.
    pub(super) fn select(&self, pattern: &str) -> Option<Vec<HostName>> {
        let mut known = self.selected.borrow_mut();
        known.entry(pattern.to_owned()).or_insert_with(|| self.inventory.select(pattern).ok()).clone()
    }
}

fn title_of(runbook: &Runbook) -> String {
    let title = prose::plain(&runbook.title);
    if title.is_empty() { runbook.name.clone() } else { title }
}

fn parts(runbook: &Runbook) -> Vec<&str> {
    let names = runbook.steps.iter().filter_map(|step| match &step.kind {
        StepKind::Runbook { name, .. } => Some(name.as_str()),
        StepKind::Action(_) | StepKind::Probe { .. } | StepKind::Block(_) => None,
    });
    names.collect()
}
