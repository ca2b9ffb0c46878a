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
        /// The wiki that pages are published to.
        wiki: Option<RawWiki>,
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

record! {
    /// The wiki that pages are published to.
    RawWiki is "a wiki" {
        /// The address of the wiki's `api.php`, or of the folder that this is in.
        url: Option<Word>,
        /// What a runbook's page is called, over `name`, `title` and `system`. Default: `Runbook:${{ name }}`.
        title: Option<Prose>,
        /// The category of all pages. Default: `Runbooks`.
        category: Option<Prose>,
        /// What the book's own page is called. Default: the book's name.
        page: Option<Prose>,
        /// What the links of a system stand under on the book's own page. Default: `See also`.
        links_heading: Option<Prose>,
    }
}
