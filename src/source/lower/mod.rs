//! From the language as written to the model: names resolved, files read, texts parsed.
//!
//! What cannot be lowered was reported and is left out; its neighbours are lowered all the same, so that one look tells
//! everything. The result is only handed out when nothing was reported.

mod book;
mod check;
mod command;
mod files;
mod give;
mod inventory;
mod known;
mod params;
mod parse;
mod probe;
mod rollout;
mod runbook;
mod scenario;
mod step;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) use book::book;
pub(super) use files::BookFiles;
pub(super) use inventory::{inventory, verify as verify_inventory};
pub(super) use parse::columns;
pub(super) use runbook::runbook;
pub(super) use scenario::suite;

use super::decode::{Context, Place};
use super::diagnostic::{Diagnostic, Diagnostics};
use super::text::Span;
use crate::model::scope::nearest;
use crate::model::{Probe, Runbook};

/// What another runbook is, when it is asked for by name.
pub(super) enum Include {
    /// It is this.
    Found(Arc<Runbook>),
    /// It leads back to where it was asked for: the names on the way.
    Cycle(Vec<String>),
    /// There is none, or not one only.
    Unknown {
        /// Why, as a fragment.
        why: String,
        /// The way out.
        help: Option<String>,
    },
    /// It has faults of its own.
    Broken(Diagnostics),
}

/// One file while it is lowered.
pub(super) struct Lowering<'a> {
    /// The file and what was found wrong with it.
    pub(super) cx: &'a Context,
    /// The book's scripts and files.
    pub(super) files: &'a BookFiles,
    /// The probes of `book.yaml`. One that could not be read is none.
    pub(super) shared: &'a BTreeMap<String, Option<Arc<Probe>>>,
    /// The probes of this file. One that could not be read is none.
    pub(super) own: BTreeMap<String, Option<Arc<Probe>>>,
    /// Gives other runbooks.
    pub(super) include: &'a dyn Fn(&str) -> Include,
    /// Whether the file is `book.yaml`.
    pub(super) is_book: bool,
}

impl Lowering<'_> {
    /// Which one of `names` is there. Reported when none or several are.
    fn one_of(&self, place: &Place, names: &[&'static str], what: &str) -> Option<&'static str> {
        let present = place.present(names);
        match present.as_slice() {
            [(name, _)] => return Some(name),
            // the one that is missing was misspelt, and that was reported
            [] if place.strange.iter().any(|key| nearest(key, names.iter().copied()).is_some()) => {}
            [] => {
                let list = format!("`{}`", names.join("`, `"));
                self.cx.fault("missing-key", &place.head(), format!("{what} needs one of {list}"));
            }
            [(first, first_span), rest @ ..] => {
                let (second, span) = rest[0];
                let mut found = Diagnostic::error(
                    "exclusive-keys",
                    format!("{what} has both `{first}` and `{second}`"),
                )
                .at(self.cx.source(), span.clone(), "");
                for (name, span) in std::iter::once(&(*first, *first_span)).chain(&rest[1..]) {
                    found = found.at(self.cx.source(), (*span).clone(), format!("and `{name}`"));
                }
                self.cx.report(found.help("leave one of them"));
            }
        }
        None
    }

    /// Reports each of `names` that is there although it means nothing beside `beside`.
    fn refuse(&self, place: &Place, names: &[&'static str], beside: &str, help: &str) {
        for (name, span) in place.present(names) {
            let found = self.cx.error("misplaced-key", span, format!("`{name}` has no meaning {beside}"));
            self.cx.report(if help.is_empty() { found } else { found.help(help) });
        }
    }

    /// Reports ids that stand twice.
    fn unique<'i>(&self, what: &str, ids: impl IntoIterator<Item = (&'i str, &'i Span)>) {
        let mut seen: BTreeMap<&str, &Span> = BTreeMap::new();
        for (id, span) in ids {
            if let Some(first) = seen.get(id) {
                let found = Diagnostic::error("duplicate-id", format!("the id `{id}` is given to two {what}"))
                    .at(self.cx.source(), span.clone(), "again")
                    .at(self.cx.source(), (*first).clone(), "first");
                self.cx.report(found);
            } else {
                seen.insert(id, span);
            }
        }
    }
}
