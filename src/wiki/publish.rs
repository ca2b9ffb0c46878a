//! Publishing: what differs is saved, each page on its own, and never over what somebody wrote.

use std::collections::BTreeMap;

use super::api::{Edit, Revision, Sent, Sight, Standing};
use super::diff::unified;
use super::error::WikiError;
use super::judge::{Accepted, Change, Judged, change, is_intact, judge, said_by};
use super::mark::{Page, said};
use super::retry::Patience;
use super::session::Wiki;
use crate::vocab::neutral::one_line;

/// A page that changes this often while it is saved is left alone.
const ROUNDS: usize = 5;

/// MediaWiki 1.this is the oldest to make an edit against a revision.
const OLDEST: u32 = 35;

/// What the account must be allowed.
const RIGHTS: [&str; 3] = ["edit", "createpage", "bot"];

/// What is published, and how.
#[derive(Clone, Debug, Default)]
pub struct Mode {
    /// Nothing is written, only told.
    pub is_dry: bool,
    /// Nothing but the boxes of the last run.
    pub last_run_only: bool,
    /// Pages that may be replaced whoever wrote them.
    pub accepted: Vec<Accepted>,
}

/// What became of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The runbook; `book` for the book's own page.
    pub name: String,
    /// The file it is made from.
    pub file: String,
    /// The page.
    pub title: String,
    /// Where it is read.
    pub url: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There is nothing to do.
    Unchanged,
    /// It is new, as this revision.
    Created(u64),
    /// It was changed, by this revision.
    Updated(u64),
    /// It would be new, or changed.
    Would {
        /// Whether it would be new.
        create: bool,
        /// What would change.
        diff: String,
    },
    /// Somebody edited it: it was left alone.
    Edited(Change),
    /// It was never published from here: it was left alone.
    Foreign {
        /// The revision that stands there.
        revision: u64,
        /// By whom.
        by: String,
        /// When.
        at: String,
    },
    /// It is another runbook's: it was left alone.
    Taken {
        /// Whose.
        by: String,
    },
    /// It was saved in the moment in which somebody else saved it.
    Merged {
        /// What they did.
        change: Change,
        /// Whether it is not in the page any more.
        is_overwritten: bool,
    },
    /// The wiki keeps something else than was sent.
    Altered {
        /// What it made of it.
        diff: String,
    },
    /// There is no box to refresh.
    NotPublished,
    /// It could not be published.
    Failed(WikiError),
    /// It was not tried: what happened to another page will happen to it, too.
    NotTried,
}

impl Outcome {
    /// Its word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Created(_) => "created",
            Self::Updated(_) => "updated",
            Self::Would { create: true, .. } => "would be created",
            Self::Would { create: false, .. } => "would be updated",
            Self::Edited(_) => "edited",
            Self::Foreign { .. } => "not ours",
            Self::Taken { .. } => "taken",
            Self::Merged { .. } => "merged",
            Self::Altered { .. } => "altered",
            Self::NotPublished => "not published",
            Self::Failed(_) => "failed",
            Self::NotTried => "not tried",
        }
    }

    /// Whether the wiki has something else than the book, and a person must see to it.
    pub fn is_drift(&self) -> bool {
        match self {
            Self::Edited(_)
            | Self::Foreign { .. }
            | Self::Taken { .. }
            | Self::Merged { .. }
            | Self::Altered { .. }
            | Self::NotPublished => true,
            Self::Unchanged
            | Self::Created(_)
            | Self::Updated(_)
            | Self::Would { .. }
            | Self::Failed(_)
            | Self::NotTried => false,
        }
    }
}

/// Publishes `pages`. `told` hears of each when it is done. An error: nothing was written.
pub async fn publish(
    wiki: &mut Wiki,
    pages: &[Page],
    mode: &Mode,
    mut told: impl FnMut(&Published),
) -> Result<Vec<Published>, WikiError> {
    if !mode.is_dry {
        wiki.log_in().await?;
    }
    let titles: Vec<&str> = pages.iter().map(|page| page.title.as_str()).collect();
    let sight = wiki.look(&titles, None).await?;
    if !mode.is_dry {
        if is_too_old(&sight.generator) {
            return Err(WikiError::TooOld { generator: one_line(&sight.generator) });
        }
        let lacks: Vec<&'static str> =
            RIGHTS.into_iter().filter(|right| !sight.rights.iter().any(|known| known == right)).collect();
        if !lacks.is_empty() {
            return Err(WikiError::Rights { user: wiki.user().to_owned(), rights: lacks });
        }
    }
    let doubles = doubles(pages, &sight);
    let mut publisher = Publisher { wiki, mode, saved: BTreeMap::new() };
    let mut done: Vec<Published> = Vec::new();
    let mut over = false;
    for (index, page) in pages.iter().enumerate() {
        let outcome = if over {
            Outcome::NotTried
        } else if let Some(other) = doubles.get(&index) {
            Outcome::Taken { by: pages[*other].name.clone() }
        } else {
            let standing = sight.standings.get(&page.title).cloned();
            match publisher.page(index, page, standing).await {
                Ok(outcome) => outcome,
                Err(error) => {
                    over = !error.is_of_the_page();
                    Outcome::Failed(error)
                }
            }
        };
        let url = publisher.wiki.address().page(&page.title);
        let published =
            Published { name: page.name.clone(), file: page.file.clone(), title: page.title.clone(), url, outcome };
        told(&published);
        done.push(published);
    }
    publisher.read_back(pages, &mut done).await;
    Ok(done)
}

/// Whether a wiki could overwrite somebody's edit: before 1.OLDEST none knows `baserevid`, and each would ignore it.
fn is_too_old(generator: &str) -> bool {
    let minor = generator.strip_prefix("MediaWiki 1.").and_then(|rest| rest.split(['.', '-']).next());
    minor.and_then(|minor| minor.parse::<u32>().ok()).is_some_and(|minor| minor < OLDEST)
}

/// Pages whose title the wiki takes for an earlier one's, with that one.
fn doubles(pages: &[Page], sight: &Sight) -> BTreeMap<usize, usize> {
    let canonical = |page: &Page| sight.titles.get(&page.title).unwrap_or(&page.title).clone();
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    let mut doubles = BTreeMap::new();
    for (index, page) in pages.iter().enumerate() {
        if let Some(earlier) = first.get(&canonical(page)) {
            doubles.insert(index, *earlier);
        } else {
            first.insert(canonical(page), index);
        }
    }
    doubles
}

struct Publisher<'a> {
    wiki: &'a mut Wiki,
    mode: &'a Mode,
    /// What was saved: by the page's place, the revision and the text.
    saved: BTreeMap<usize, (u64, String)>,
}

/// What is to be done with a page.
enum Wanted {
    /// Nothing.
    Nothing(Outcome),
    /// This text is to stand there.
    Text(String),
}

impl Publisher<'_> {
    async fn page(&mut self, index: usize, page: &Page, standing: Option<Standing>) -> Result<Outcome, WikiError> {
        let mut patience = Patience::default();
        let mut standing = match standing {
            Some(standing) => standing,
            None => self.wiki.look_at(&page.title).await?,
        };
        for _ in 0..ROUNDS {
            let text = match self.wanted(page, &standing).await? {
                Wanted::Nothing(outcome) => return Ok(outcome),
                Wanted::Text(text) => text,
            };
            let base = match &standing {
                Standing::Page(revision) => Some(revision),
                Standing::Missing | Standing::NoTitle(_) => None,
            };
            if self.mode.is_dry {
                return Ok(self.would(page, base, &text));
            }
            let outcome = |revision| if base.is_none() { Outcome::Created } else { Outcome::Updated }(revision);
            let summary = self.summary(page);
            let edit = Edit { title: &page.title, text: &text, summary: &summary, base };
            let lost = match self.wiki.save(&edit, &mut patience).await? {
                Sent::Saved { old, new } if old == base.map_or(0, |base| base.id) => {
                    self.saved.insert(index, (new, text));
                    return Ok(outcome(new));
                }
                Sent::Saved { old, new } => return self.merged(index, page, base, old, new, text).await,
                Sent::Same => return Ok(outcome(base.map_or(0, |base| base.id))),
                Sent::Conflict => None,
                Sent::Lost(error, told) => Some((error, told)),
            };
            let now = self.wiki.look_at(&page.title).await?;
            if let Standing::Page(revision) = &now
                && revision.text == text
            {
                // it had got through; only the answer had not
                return Ok(outcome(revision.id));
            }
            if let Some((error, told)) = lost {
                self.wiki.wait(error, told, &mut patience).await?;
            }
            standing = now;
        }
        Err(WikiError::refused("editconflict", "the page is edited again and again while it is saved"))
    }

    /// What is to be done with `page`, as it stands.
    async fn wanted(&mut self, page: &Page, standing: &Standing) -> Result<Wanted, WikiError> {
        let judged = judge(page, standing);
        let current = match standing {
            Standing::Page(revision) => Some(revision),
            Standing::Missing | Standing::NoTitle(_) => None,
        };
        let text = || Wanted::Text(page.whole(current.map(|revision| revision.text.as_str())));
        if self.mode.last_run_only {
            return Ok(match (&judged, current) {
                (Judged::Current | Judged::Behind | Judged::Edited, Some(revision)) => {
                    page.refreshed(&revision.text).map_or(Wanted::Nothing(Outcome::Unchanged), Wanted::Text)
                }
                (Judged::NoTitle { why }, _) => return Err(WikiError::refused("invalidtitle", why)),
                (Judged::Missing | Judged::Foreign | Judged::Taken { .. }, _)
                | (Judged::Current | Judged::Behind | Judged::Edited, None) => Wanted::Nothing(Outcome::NotPublished),
            });
        }
        let nothing = match (judged, current) {
            (Judged::Missing | Judged::Behind, _) => return Ok(text()),
            (Judged::Current, _) => Outcome::Unchanged,
            (Judged::NoTitle { why }, _) => return Err(WikiError::refused("invalidtitle", &why)),
            (Judged::Edited | Judged::Foreign | Judged::Taken { .. }, Some(revision))
                if self.accepts(page, revision) =>
            {
                return Ok(text());
            }
            (Judged::Taken { by }, _) => Outcome::Taken { by },
            (Judged::Edited | Judged::Foreign, Some(revision)) => match change(self.wiki, page, revision).await? {
                Some(change) => Outcome::Edited(change),
                None => Outcome::Foreign { revision: revision.id, by: revision.by.clone(), at: revision.at.clone() },
            },
            (Judged::Edited | Judged::Foreign, None) => Outcome::NotPublished,
        };
        Ok(Wanted::Nothing(nothing))
    }

    fn accepts(&self, page: &Page, standing: &Revision) -> bool {
        let fits = |accepted: &Accepted| {
            accepted.name == page.name && accepted.revision.is_none_or(|revision| revision == standing.id)
        };
        self.mode.accepted.iter().any(fits)
    }

    fn summary(&self, page: &Page) -> String {
        let tool = concat!("runbook ", env!("CARGO_PKG_VERSION"));
        if self.mode.last_run_only {
            format!("{tool}: last run of {}", page.name)
        } else {
            format!("{tool}: {}, digest {}", page.file, page.digest().short())
        }
    }

    fn would(&self, page: &Page, base: Option<&Revision>, text: &str) -> Outcome {
        let stands = base.map_or("", |base| base.text.as_str());
        let diff = if self.mode.last_run_only {
            unified(stands, text, "as it stands in the wiki", "as it would be")
        } else {
            let stands = if base.is_some() { said_by(stands) } else { String::new() };
            unified(&stands, &said(&page.text), "as it stands in the wiki", "as the book says")
        };
        Outcome::Would { create: base.is_none(), diff }
    }

    /// A page that was saved over another revision than the one it was made from: the wiki merges what does not
    /// overlap, and takes an edit by the bot's own account for ours.
    async fn merged(
        &mut self,
        index: usize,
        page: &Page,
        base: Option<&Revision>,
        old: u64,
        new: u64,
        text: String,
    ) -> Result<Outcome, WikiError> {
        let between = self.wiki.revision(old).await?;
        if is_intact(&between.text, &page.name) {
            // another admin host published the page in that moment
            self.saved.insert(index, (new, text));
            return Ok(Outcome::Updated(new));
        }
        let stored = self.wiki.revision(new).await?;
        let was = base.map(|base| said_by(&base.text)).unwrap_or_default();
        let diff = unified(&was, &said_by(&between.text), "as it was published", "as somebody else saved it");
        let change =
            Change { revision: new, edits: vec![[between.by, between.at, between.summary]], diff, is_known: true };
        Ok(Outcome::Merged { change, is_overwritten: stored.text == text })
    }

    /// Reads back what was saved: what the wiki made something else of would be taken for somebody's edit next time.
    async fn read_back(&mut self, pages: &[Page], done: &mut [Published]) {
        if self.saved.is_empty() {
            return;
        }
        let titles: Vec<&str> = self.saved.keys().map(|index| pages[*index].title.as_str()).collect();
        match self.wiki.look(&titles, None).await {
            Ok(sight) => {
                for (index, (revision, text)) in &self.saved {
                    let Some(Standing::Page(stands)) = sight.standings.get(&pages[*index].title) else { continue };
                    if stands.id == *revision && stands.text != *text {
                        let diff = unified(text, &stands.text, "as it was sent", "as the wiki keeps it");
                        done[*index].outcome = Outcome::Altered { diff };
                    }
                }
            }
            Err(error) => {
                for index in self.saved.keys() {
                    done[*index].outcome = Outcome::Failed(error.clone());
                }
            }
        }
    }
}
