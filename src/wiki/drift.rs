//! Where the wiki and the book differ.

use std::collections::BTreeSet;

use super::api::Standing;
use super::diff::unified;
use super::error::WikiError;
use super::judge::{Change, Judged, change, judge, said_by};
use super::mark::{Mark, Page, said};
use super::session::Wiki;

/// How a page differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriftKind {
    /// It is not there.
    Missing,
    /// Somebody edited it.
    Edited,
    /// The book has changed since it was published.
    Behind,
    /// It was published from here, and the book has no such page any more.
    Orphaned,
    /// Under its title stands what was never published from here.
    Foreign,
    /// Under its title stands another runbook's page.
    Taken,
    /// No page can have its title.
    NoTitle,
}

/// A page that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// How.
    pub kind: DriftKind,
    /// The runbook; `book` for the book's own page.
    pub name: String,
    /// The page.
    pub title: String,
    /// Where it is read.
    pub url: String,
    /// What somebody did to it.
    pub change: Option<Change>,
    /// What differs, from the wiki to the book.
    pub diff: String,
    /// Anything else about it.
    pub note: String,
}

/// What differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drifts {
    /// How many pages were looked at.
    pub pages: usize,
    /// Those that differ.
    pub found: Vec<Drift>,
}

impl DriftKind {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Edited => "edited",
            Self::Behind => "behind",
            Self::Orphaned => "orphaned",
            Self::Foreign => "not ours",
            Self::Taken => "taken",
            Self::NoTitle => "no title",
        }
    }
}

/// Where the wiki differs from `pages`, all of the book's; `category` is where they all stand.
pub async fn drifts(wiki: &mut Wiki, pages: &[Page], category: &str) -> Result<Drifts, WikiError> {
    let titles: Vec<&str> = pages.iter().map(|page| page.title.as_str()).collect();
    let sight = wiki.look(&titles, Some(category)).await?;
    let mut found = Vec::new();
    for page in pages {
        let Some(standing) = sight.standings.get(&page.title) else {
            return Err(WikiError::Answer(format!("it says nothing of `{}`", page.title)));
        };
        if let Some(drift) = of_page(wiki, page, standing).await? {
            found.push(drift);
        }
    }
    let ours: BTreeSet<&String> = sight.titles.values().collect();
    let others: Vec<&str> = sight.members.iter().filter(|member| !ours.contains(member)).map(String::as_str).collect();
    if !others.is_empty() {
        let strange = wiki.look(&others, None).await?;
        for title in others {
            let Some(Standing::Page(revision)) = strange.standings.get(title) else { continue };
            let Some((mark, _)) = Mark::read(&revision.text) else { continue };
            let note = match pages.iter().find(|page| page.name == mark.name) {
                Some(page) => format!("its page is `{}` now", page.title),
                None => "the book has no such runbook".to_owned(),
            };
            let url = wiki.address().page(title);
            found.push(Drift {
                kind: DriftKind::Orphaned,
                name: mark.name,
                title: title.to_owned(),
                url,
                change: None,
                diff: String::new(),
                note,
            });
        }
    }
    Ok(Drifts { pages: pages.len(), found })
}

async fn of_page(wiki: &mut Wiki, page: &Page, standing: &Standing) -> Result<Option<Drift>, WikiError> {
    let mut drift = Drift {
        kind: DriftKind::Missing,
        name: page.name.clone(),
        title: page.title.clone(),
        url: wiki.address().page(&page.title),
        change: None,
        diff: String::new(),
        note: String::new(),
    };
    match (judge(page, standing), standing) {
        (Judged::Current, _) => return Ok(None),
        // what is judged to be behind, edited or foreign is there
        (Judged::Missing, _)
        | (Judged::Behind | Judged::Edited | Judged::Foreign, Standing::Missing | Standing::NoTitle(_)) => {}
        (Judged::NoTitle { why }, _) => {
            drift.kind = DriftKind::NoTitle;
            drift.note = why;
        }
        (Judged::Taken { by }, _) => {
            drift.kind = DriftKind::Taken;
            drift.note = format!("it is the page of {by}");
        }
        (Judged::Behind, Standing::Page(revision)) => {
            drift.kind = DriftKind::Behind;
            drift.diff =
                unified(&said_by(&revision.text), &said(&page.text), "as it stands in the wiki", "as the book says");
        }
        (Judged::Edited | Judged::Foreign, Standing::Page(revision)) => {
            if let Some(change) = change(wiki, page, revision).await? {
                drift.kind = DriftKind::Edited;
                drift.diff.clone_from(&change.diff);
                drift.change = Some(change);
            } else {
                drift.kind = DriftKind::Foreign;
                drift.note = format!("written by {}", revision.by);
            }
        }
    }
    Ok(Some(drift))
}
