//! What could be proven of a record, as a page tells it.

use super::html::Html;
use crate::journal::{Integrity, JournalError, Verification};
use crate::report::style::Mark;

/// Whether a run's record is whole, as far as that was looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Nothing speaks against it. A run that is not over, or whose end a crash tore off, is no sign of tampering.
    pub ok: bool,
    /// The result in a word or two.
    pub word: String,
    /// What was looked at, and what was found; a sentence each.
    pub details: Vec<String>,
}

impl Proof {
    /// What the journal's own chain of digests proves.
    pub fn of_chain(verified: &Result<Verification, JournalError>) -> Self {
        match verified {
            Ok(found) => Self {
                ok: found.integrity.is_sound(),
                word: found.integrity.word().to_owned(),
                details: vec![
                    said(&found.integrity),
                    format!("{} records verify; the digest of the last one is {}.", found.records, found.head),
                ],
            },
            Err(error) => Self { ok: false, word: "unreadable".to_owned(), details: vec![error.whole()] },
        }
    }

    pub(super) fn write(&self, html: &mut Html) {
        let (class, mark) = if self.ok { ("proof", Mark::Ok) } else { ("proof broken", Mark::Failed) };
        html.open("section", &[("class", class), ("aria-labelledby", "proof")]);
        html.heading("h2", "proof", "The record itself");
        html.open("p", &[]).mark(mark).leaf("strong", &[], &self.word).end("p");
        html.open("ul", &[]);
        for detail in &self.details {
            html.leaf("li", &[], detail);
        }
        html.end("ul").end("section");
    }
}

fn said(integrity: &Integrity) -> String {
    match integrity {
        Integrity::Intact => "Every record is chained to the one before it by its digest, and the last one ends the run or its stretch.".to_owned(),
        Integrity::Unfinished { running: true } => {
            "Every record verifies so far; a program is still writing.".to_owned()
        }
        Integrity::Unfinished { running: false } => {
            "Every record verifies, and the last stretch has no end: its program died, or the journal was cut behind a record.".to_owned()
        }
        Integrity::Torn { .. } => format!("{integrity}. The program or the machine died while writing it; nobody was told of it."),
        Integrity::BrokenFile { .. } | Integrity::Broken { .. } => {
            format!("{integrity}. Only what stands before it is told here, and nothing behind it can be believed.")
        }
    }
}
