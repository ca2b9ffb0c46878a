//! What could be proven of a record, as a page tells it.

use super::html::Html;
use crate::audit::{Finding, Proof};
use crate::report::style::Mark;
use crate::report::words::count;

/// Whether a run's record is whole, as far as that was looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Nothing speaks against it.
    pub ok: bool,
    /// The result in a word.
    pub word: String,
    /// What was found, in words; what speaks against it first.
    pub details: Vec<String>,
}

impl Verified {
    /// What was found of a run's journal and its seals, and beside what else they were held.
    pub fn of(proof: &Proof) -> Self {
        let (faults, others): (Vec<&Finding>, Vec<&Finding>) =
            proof.findings.iter().partition(|found| found.is_fault());
        let word = faults.first().or(others.first()).map_or("intact", |found| found.word());
        let mut details: Vec<String> = faults.iter().chain(&others).map(|found| said(found)).collect();
        details.retain(|detail| detail != word);
        let records = usize::try_from(proof.records).unwrap_or(usize::MAX);
        details.push(format!("{}, chained by their digests", count(records, "record")));
        if proof.seals.is_empty() {
            details.push("no seal: a journal that was cut or written anew as a whole would not show".to_owned());
        }
        Self { ok: faults.is_empty(), word: word.to_owned(), details }
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

/// A finding in words; of a signature also which seal it is on.
fn said(found: &Finding) -> String {
    if let Finding::Signed { number, .. } = found { format!("seal {number}: {found}") } else { found.to_string() }
}
