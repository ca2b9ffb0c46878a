//! A page of the book against what stands in the wiki under its title. No I/O but for the story of an edit.

use super::api::{Revision, Standing};
use super::diff::unified;
use super::error::WikiError;
use super::mark::{Mark, Page, digest, said};
use super::session::Wiki;

/// How a page stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It is not there.
    Missing,
    /// It is what the book says.
    Current,
    /// It is what was published, and the book says something else by now.
    Behind,
    /// Somebody has changed what was published.
    Edited,
    /// It was never published from here.
    Foreign,
    /// It is the page of another runbook.
    Taken {
        /// Of which.
        by: String,
    },
    /// No page can have this title.
    NoTitle {
        /// Why.
        why: String,
    },
}

/// A page whose text in the wiki may be replaced, whoever wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The runbook.
    pub name: String,
    /// The revision that was read and merged; none: whatever stands there.
    pub revision: Option<u64>,
}

/// What somebody did to a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The page's revision that has it.
    pub revision: u64,
    /// The edits since it was published, the newest first: by whom, when, why.
    pub edits: Vec<[String; 3]>,
    /// What they changed; against the book where what was published is not found any more.
    pub diff: String,
    /// Whether `diff` is against what was published.
    pub is_known: bool,
}

/// How `page` stands.
pub(super) fn judge(page: &Page, standing: &Standing) -> Judged {
    let revision = match standing {
        Standing::Missing => return Judged::Missing,
        Standing::NoTitle(why) => return Judged::NoTitle { why: why.clone() },
        Standing::Page(revision) => revision,
    };
    let Some((mark, rest)) = Mark::read(&revision.text) else { return Judged::Foreign };
    if mark.name != page.name {
        return Judged::Taken { by: mark.name };
    }
    let (stands, book) = (digest(&rest), page.digest());
    if stands == book && mark.digest == book {
        Judged::Current
    } else if stands == mark.digest || stands == book {
        // also where somebody made the very change that the book makes by now
        Judged::Behind
    } else {
        Judged::Edited
    }
}

/// Whether a text is what was published for `name` at some time, unchanged.
pub(super) fn is_intact(text: &str, name: &str) -> bool {
    Mark::read(text).is_some_and(|(mark, rest)| mark.name == name && digest(&rest) == mark.digest)
}

/// What a text says, its mark left out.
pub(super) fn said_by(text: &str) -> String {
    Mark::read(text).map_or_else(|| said(text), |(_, rest)| said(&rest))
}

/// What was done to a page since it was published. None: it never was.
pub(super) async fn change(wiki: &mut Wiki, page: &Page, current: &Revision) -> Result<Option<Change>, WikiError> {
    let history = wiki.history(&page.title).await?;
    let told = |revision: &Revision| [revision.by.clone(), revision.at.clone(), revision.summary.clone()];
    let published = history.iter().position(|revision| is_intact(&revision.text, &page.name));
    let now = said_by(&current.text);
    if let Some(at) = published {
        let edits: Vec<[String; 3]> = history[..at].iter().filter(|one| one.id <= current.id).map(told).collect();
        let diff = unified(&said_by(&history[at].text), &now, "as it was published", "as it stands in the wiki");
        return Ok(Some(Change { revision: current.id, edits, diff, is_known: true }));
    }
    if Mark::read(&current.text).is_none() {
        return Ok(None);
    }
    let diff = unified(&said(&page.text), &now, "as the book says", "as it stands in the wiki");
    Ok(Some(Change { revision: current.id, edits: vec![told(current)], diff, is_known: false }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Page {
        let name = "a".to_owned();
        Page { name, file: "a.yaml".to_owned(), title: "A".to_owned(), text: text.to_owned(), last_run: None }
    }

    #[test]
    fn a_page_is_judged_by_what_it_remembers() {
        let stands = |text: String| Standing::Page(Revision { id: 7, text, ..Revision::default() });
        let (old, new) = (page("Old words."), page("New words."));
        assert_eq!(judge(&new, &Standing::Missing), Judged::Missing);
        assert_eq!(judge(&new, &stands(new.whole(None))), Judged::Current);
        assert_eq!(judge(&new, &stands(old.whole(None))), Judged::Behind);
        assert_eq!(judge(&new, &stands(old.whole(None).replace("words", "wards"))), Judged::Edited);
        assert_eq!(judge(&new, &stands("New words.".to_owned())), Judged::Foreign);
        // somebody made the book's own change by hand: nothing of theirs would be lost
        assert_eq!(judge(&new, &stands(old.whole(None).replace("Old", "New"))), Judged::Behind);
        let other = Page { name: "b".to_owned(), ..new.clone() };
        assert_eq!(judge(&other, &stands(new.whole(None))), Judged::Taken { by: "a".to_owned() });
        assert!(is_intact(&old.whole(None), "a") && !is_intact(&old.whole(None), "b") && !is_intact("Old words.", "a"));
    }
}
