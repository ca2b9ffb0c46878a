//! The page of the whole book, in the shape in which staff have always read it: a section for each system.

use super::document::{Block, Document, Inline, To, hosts_in_words};
use super::edition::Edition;
use super::inside::Inside;
use super::page::{admin, formerly_words, usage, warnings};
use crate::model::{Runbook, System};

/// What a runbook is for, as far as its tags and steps tell: the heading that it stands under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// It starts or restarts something.
    Start,
    /// It shows figures.
    Stats,
    /// It only looks.
    Status,
    /// It changes something else.
    Other,
}

impl Kind {
    /// The heading.
    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::Start => "Start/Restart",
            Self::Stats => "Admin Stats",
            Self::Status => "Status",
            Self::Other => "How to run it",
        }
    }

    /// The heading over several of them.
    fn heading_of_many(self) -> &'static str {
        match self {
            Self::Start | Self::Stats | Self::Status => self.heading(),
            Self::Other => "Other procedures",
        }
    }
}

/// What a runbook is for.
pub(super) fn kind(runbook: &Runbook) -> Kind {
    let tagged = |words: &[&str]| runbook.tags.iter().any(|tag| words.contains(&tag.as_str()));
    match (runbook.changes(), tagged(&["restart", "start"]), tagged(&["stats"])) {
        (true, true, _) => Kind::Start,
        (false, _, true) => Kind::Stats,
        (false, ..) => Kind::Status,
        (true, false, _) => Kind::Other,
    }
}

/// The hosts of a system.
pub(super) fn runs_on(edition: &Edition<'_>, system: &System) -> Option<String> {
    let pattern = system.hosts.as_ref()?;
    let hosts = edition.select(pattern.source());
    Some(hosts.map_or_else(|| pattern.source().to_owned(), |hosts| hosts_in_words(&hosts)))
}

/// A link out of the book; a text where the address is none to follow.
pub(super) fn outside(title: &str, address: &str) -> Inline {
    match To::address(address) {
        Some(to) => Inline::Link(to, vec![Inline::text(title)]),
        None => Inline::text(format!("{title}: {address}")),
    }
}

/// The page of the book.
pub(super) fn outline(edition: &Edition<'_>) -> Document {
    let mut blocks = Vec::new();
    for system in &edition.book.systems {
        section(edition, system, &mut blocks);
    }
    let homeless: Vec<&Runbook> = edition
        .runbooks
        .iter()
        .filter(|runbook| runbook.system.as_deref().is_none_or(|name| edition.system(name).is_none()))
        .map(|runbook| &**runbook)
        .collect();
    if !homeless.is_empty() {
        // a book without systems is one list
        if !edition.book.systems.is_empty() {
            blocks.push(heading(1, "Of no system"));
        }
        homeless.iter().for_each(|runbook| entry(edition, runbook, &mut blocks));
    }
    Document {
        page: edition.home(),
        above: None,
        title: edition.book_name(),
        lead: Vec::new(),
        last_run: None,
        blocks,
        category: edition.category(),
    }
}

fn heading(level: u8, text: &str) -> Block {
    Block::Heading(level, vec![Inline::text(text)])
}

fn section(edition: &Edition<'_>, system: &System, out: &mut Vec<Block>) {
    out.push(heading(1, &system.title));
    out.extend(edition.blocks(&system.prose, ""));
    let mut facts = Vec::new();
    if let Some(hosts) = runs_on(edition, system) {
        facts.push(("Runs on".to_owned(), vec![Inline::text(hosts)]));
    }
    if let Some(port) = system.port {
        facts.push(("Port".to_owned(), vec![Inline::text(port.to_string())]));
    }
    if !facts.is_empty() {
        out.push(Block::Facts(facts));
    }
    let mut of_system: Vec<(Kind, &Runbook)> = edition
        .runbooks
        .iter()
        .filter(|runbook| runbook.system.as_deref() == Some(&system.name))
        .map(|runbook| (kind(runbook), &**runbook))
        .collect();
    of_system.sort_by_key(|(kind, _)| *kind);
    for group in of_system.chunk_by(|(one, _), (other, _)| one == other) {
        out.push(heading(2, group[0].0.heading_of_many()));
        group.iter().for_each(|(_, runbook)| entry(edition, runbook, out));
    }
    if !system.links.is_empty() {
        let title = edition.book.wiki.get("links_heading").map_or("See also", String::as_str);
        out.push(heading(2, title));
        let items = system.links.iter().map(|(title, address)| vec![Block::Paragraph(vec![outside(title, address)])]);
        out.push(Block::List { ordered: false, items: items.collect() });
    }
}

/// A runbook on the book's page: what it is, its command, what to keep in mind.
fn entry(edition: &Edition<'_>, runbook: &Runbook, out: &mut Vec<Block>) {
    let mut words = vec![Inline::Strong(vec![edition.link(runbook)]), Inline::text(": ")];
    words.extend(edition.line(&runbook.summary, ""));
    if let Some(formerly) = &runbook.formerly {
        words.push(Inline::text(" Formerly "));
        words.extend(formerly_words(formerly));
        words.push(Inline::text("."));
    }
    out.push(Block::Paragraph(words));
    out.push(admin(&usage(runbook)));
    warnings(&Inside::top(edition, runbook), "", out);
}
