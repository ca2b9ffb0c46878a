//! A page as it is published, and what it remembers.
//!
//! The first line of a published page is a comment that names the runbook and the digest of what was published: of all
//! the rest, but for the box of the last run. Where the two do not fit, somebody has edited the page.

use std::sync::LazyLock;

use jiff::Timestamp;
use regex::Regex;
use unicode_normalization::UnicodeNormalization as _;

use crate::render::mediawiki::{LAST_RUN as BOX, LAST_RUN_ENDS as BOX_ENDS};
use crate::vocab::Digest;

static MARK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"<!-- runbook: ([A-Za-z0-9_-]+) sha256:([0-9a-f]{64}) last-run:(never|[0-9TZ:.-]+)\b[^>]*-->\n?").ok()
});

/// A page of the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The runbook; `book` for the book's own page.
    pub name: String,
    /// The file it is made from, for whoever looks at the page's source.
    pub file: String,
    /// Its title in the wiki.
    pub title: String,
    /// Its wikitext, with the box of the last run where it has one.
    pub text: String,
    /// When the run that the box tells of began.
    pub last_run: Option<Timestamp>,
}

/// What a published page remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The runbook.
    pub name: String,
    /// The digest of what was published.
    pub digest: Digest,
    /// When the run began that its box tells of.
    pub last_run: Option<Timestamp>,
}

impl Mark {
    /// The comment that a page begins with.
    fn written(&self, file: &str) -> String {
        let last = self.last_run.map_or_else(|| "never".to_owned(), |at| at.to_string());
        // nothing but what the language allows in a name: no `--`, which ends a comment in other readers
        let file: String = file.chars().filter(|c| c.is_ascii_alphanumeric() || "._/-".contains(*c)).collect();
        let file = file.replace("--", "-");
        format!(
            "<!-- runbook: {} sha256:{} last-run:{last} - written from {file}: change it there. What is changed here is \
             reported, and stays until it is merged into the file. -->\n",
            self.name, self.digest
        )
    }

    /// What `text` remembers, and the text without it.
    pub(super) fn read(text: &str) -> Option<(Self, String)> {
        let found = MARK.as_ref()?.captures(text)?;
        let whole = found.get(0)?;
        let last_run = match &found[3] {
            "never" => None,
            at => Some(at.parse().ok()?),
        };
        let mark = Self { name: found[1].to_owned(), digest: Digest::parse(&found[2])?, last_run };
        Some((mark, format!("{}{}", &text[..whole.start()], &text[whole.end()..])))
    }
}

impl Page {
    /// The digest of what the page says: all but its last run.
    pub fn digest(&self) -> Digest {
        digest(&self.text)
    }

    /// The page as it is sent, its box of the last run no older than the one that `standing` has.
    pub(super) fn whole(&self, standing: Option<&str>) -> String {
        let digest = self.digest();
        let mark = |last_run| Mark { name: self.name.clone(), digest: digest.clone(), last_run };
        let newer = standing.and_then(|standing| {
            let (theirs, _) = Mark::read(standing)?;
            (theirs.last_run > self.last_run).then_some((theirs.last_run, box_of(standing)?))
        });
        match newer {
            Some((at, theirs)) => mark(at).written(&self.file) + &with_box(&clean(&self.text), theirs),
            None => mark(self.last_run).written(&self.file) + &clean(&self.text),
        }
    }

    /// What stands in the wiki with nothing but its box of the last run made new; none when there is nothing to do.
    pub(super) fn refreshed(&self, standing: &str) -> Option<String> {
        let (mark, rest) = Mark::read(standing)?;
        let ours = box_of(&self.text)?;
        let Some(theirs) = box_of(&rest) else {
            // somebody took it out; in a page that is as the book says there is a place for it
            return (digest(&rest) == self.digest()).then(|| self.whole(None));
        };
        if mark.last_run > self.last_run || clean(ours) == clean(theirs) {
            return None;
        }
        let mark = Mark { last_run: self.last_run, ..mark };
        Some(mark.written(&self.file) + &with_box(&rest, ours))
    }
}

/// The digest of what a text says, without the box of the last run.
pub(super) fn digest(text: &str) -> Digest {
    Digest::of(said(text).as_bytes())
}

/// What a text says, without the box of the last run.
pub(super) fn said(text: &str) -> String {
    let text = clean(text);
    match cut(&text) {
        Some((before, _, behind)) => clean(&format!("{before}{}", behind.trim_start_matches('\n'))),
        None => text,
    }
}

/// The box of the last run.
fn box_of(text: &str) -> Option<&str> {
    cut(text).map(|(_, inner, _)| inner)
}

fn with_box(text: &str, inner: &str) -> String {
    match cut(text) {
        Some((before, _, behind)) => format!("{before}{BOX}{inner}{BOX_ENDS}{behind}"),
        None => text.to_owned(),
    }
}

/// What stands before the box, in it and behind it, its marks left out.
fn cut(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once(BOX)?;
    let (inner, behind) = rest.split_once(BOX_ENDS)?;
    Some((before, inner, behind))
}

/// A text as a wiki keeps it: composed, with plain newlines, nothing at its end, and nothing that is no character.
pub(super) fn clean(text: &str) -> String {
    let text: String = text.replace("\r\n", "\n").nfc().collect();
    let kept = text.trim_end().chars().map(|c| match c {
        '\n' | '\t' => c,
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        c if c.is_ascii_control() => '\u{fffd}',
        c => c,
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str, last_run: Option<&str>) -> Page {
        Page {
            name: "restart-jobs".to_owned(),
            file: "restart-jobs.yaml".to_owned(),
            title: "Runbook:restart-jobs".to_owned(),
            text: text.to_owned(),
            last_run: last_run.map(|at| at.parse().unwrap()),
        }
    }

    fn boxed(inner: &str) -> String {
        format!("Lead.\n\n{BOX}\n{inner}\n{BOX_ENDS}\n\n== Steps ==\n")
    }

    #[test]
    fn what_is_published_is_read_again() {
        let page = page(&boxed("by mark"), Some("2026-11-23T03:15:00Z"));
        let whole = page.whole(None);
        let (mark, rest) = Mark::read(&whole).unwrap();
        assert_eq!((mark.name.as_str(), &mark.digest, mark.last_run), ("restart-jobs", &page.digest(), page.last_run));
        assert_eq!(digest(&rest), mark.digest);
        assert_eq!(rest, page.text.trim_end());
        // whatever the wiki does to a text by itself makes no edit of it
        assert_eq!(digest(&rest.replace('\n', "\r\n")), mark.digest);
        assert_eq!(digest(&format!("{rest}\n \n")), mark.digest);
        assert_ne!(digest(&rest.replace("Lead", "Led")), mark.digest);
        assert_ne!(digest(&format!("x{rest}")), mark.digest);
    }

    #[test]
    fn the_box_is_no_part_of_the_digest_and_never_goes_back_in_time() {
        let (older, newer) = ("2026-11-01T00:00:00Z", "2026-11-23T03:15:00Z");
        let old = page(&boxed("by mark"), Some(older));
        let new = page(&boxed("by denise"), Some(newer));
        assert_eq!(old.digest(), new.digest());
        assert_eq!(old.digest(), page("Lead.\n\n== Steps ==\n", None).digest());
        let stands = new.whole(None);
        for page in [&old, &page(&boxed("no run"), None)] {
            assert_eq!(page.refreshed(&stands), None);
            let (mark, rest) = Mark::read(&page.whole(Some(&stands))).unwrap();
            assert!(rest.contains("by denise") && !rest.contains("by mark"), "{rest}");
            assert_eq!(mark.last_run, new.last_run);
        }
        let refreshed = new.refreshed(&old.whole(None)).unwrap();
        assert_eq!(refreshed, stands);
        assert_eq!(new.refreshed(&stands), None);
    }

    #[test]
    fn only_a_whole_mark_is_one() {
        let whole = page("Lead.", None).whole(None);
        assert!(Mark::read(&whole.replace("sha256:", "sha256:x")).is_none());
        assert!(Mark::read(&whole.replace("-->", "--")).is_none());
        assert!(Mark::read("Lead.").is_none());
        // where it stands does not matter, what stands around it does
        let (mark, rest) = Mark::read(&format!("Above.\n{whole}")).unwrap();
        assert_ne!(digest(&rest), mark.digest);
    }
}
