//! The file `book.yaml`.

use super::probe::RawProbe;
use super::{Length, Named, OneOrMany, Prose, Whole, Word};
use crate::source::decode::record;

record! {
    /// What the runbooks of a book share.
    RawBook is "a book" {
        /// The book's name.
        name: Option<Prose>,
        /// The systems: the sections of the wiki page.
        #[schemars(default)]
        systems: Named<RawSystem>,
        /// Probes that every runbook may use.
        #[schemars(default)]
        probes: Named<RawProbe>,
        /// After how long without a run a runbook's page says STALE.
        stale_after: Option<Length>,
        /// Settings for the wiki.
        #[schemars(default)]
        wiki: Named<Word>,
    }
}

record! {
    /// A system.
    RawSystem is "a system" {
        /// The heading. Default: its key.
        title: Option<Prose>,
        /// What it is.
        prose: Option<Prose>,
        /// Where it runs: a group, a host, a pattern.
        hosts: Option<OneOrMany<Word>>,
        /// Its port.
        port: Option<Whole>,
        /// Links: `Title: address`.
        #[schemars(default)]
        links: Named<Word>,
    }
}
