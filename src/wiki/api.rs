//! What a wiki is asked: what stands where, what stood there before, and to save a page.

use std::collections::BTreeMap;

use md5::{Digest as _, Md5};
use serde_json::Value;
use unicode_normalization::UnicodeNormalization as _;

use super::error::WikiError;
use super::retry::Patience;
use super::session::{Form, Setback, Wiki, text};

/// As many titles may stand in one request, for anyone.
const TITLES: usize = 50;
/// As many revisions are looked through for what was published.
const REVISIONS: usize = 50;
/// An answer comes in no more parts than this.
const PARTS: usize = 200;

/// What stands under a title.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing.
    Missing,
    /// A page.
    Page(Revision),
    /// Nothing can: why.
    NoTitle(String),
}

/// One state of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Revision {
    pub(super) id: u64,
    pub(super) by: String,
    pub(super) at: String,
    pub(super) summary: String,
    /// Empty where the wiki hides it.
    pub(super) text: String,
}

/// What was seen in one look.
#[derive(Clone, Debug, Default)]
pub(super) struct Sight {
    /// What stands under each title that was asked for.
    pub(super) standings: BTreeMap<String, Standing>,
    /// How the wiki itself writes each title.
    pub(super) titles: BTreeMap<String, String>,
    /// The titles of a category's pages.
    pub(super) members: Vec<String>,
    /// What the account may do.
    pub(super) rights: Vec<String>,
    /// Which MediaWiki it is: `MediaWiki 1.39.17`.
    pub(super) generator: String,
}

/// A page to be saved.
#[derive(Clone, Debug)]
pub(super) struct Edit<'a> {
    pub(super) title: &'a str,
    pub(super) text: &'a str,
    pub(super) summary: &'a str,
    /// The revision that it replaces; none: there is no page.
    pub(super) base: Option<&'a Revision>,
}

/// What became of an edit.
#[derive(Debug)]
pub(super) enum Sent {
    /// It was saved as `new`, over `old` (0 for nothing).
    Saved { old: u64, new: u64 },
    /// It is so already.
    Same,
    /// The page is another than it was.
    Conflict,
    /// Nobody knows; how long to wait before a further try.
    Lost(WikiError, Option<std::time::Duration>),
}

fn form(pairs: &[(&'static str, &str)]) -> Form {
    pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

impl Wiki {
    /// Looks what stands under each of `titles`, which pages are in `category`, and what the account may do.
    pub(super) async fn look(&mut self, titles: &[&str], category: Option<&str>) -> Result<Sight, WikiError> {
        let mut sight = Sight::default();
        let asked: Vec<(String, &str)> = titles.iter().map(|title| (title.nfc().collect(), *title)).collect();
        let mut category = category;
        for (number, batch) in asked.chunks(TITLES).enumerate() {
            let joined: Vec<&str> = batch.iter().map(|(title, _)| title.as_str()).collect();
            let mut query = form(&[
                ("action", "query"),
                ("prop", "revisions"),
                ("rvprop", "ids|content|user|timestamp|comment"),
                ("rvslots", "main"),
                ("titles", &joined.join("|")),
            ]);
            if let Some(category) = category.take() {
                query.extend(form(&[("list", "categorymembers"), ("cmlimit", "500"), ("cmprop", "title")]));
                query.push(("cmtitle", format!("Category:{category}")));
            }
            if self.is_in() && number == 0 {
                query.extend(form(&[("meta", "tokens|userinfo|siteinfo"), ("uiprop", "rights")]));
            }
            let mut found = Found::default();
            self.in_parts(query, |part| found.take(part, &mut sight)).await?;
            if let Some(token) = found.token.take() {
                self.token = Some(token);
            }
            found.settle(batch, &mut sight);
        }
        Ok(sight)
    }

    /// Looks at one page.
    pub(super) async fn look_at(&mut self, title: &str) -> Result<Standing, WikiError> {
        let mut sight = self.look(&[title], None).await?;
        sight.standings.remove(title).ok_or_else(|| WikiError::Answer(format!("it says nothing of `{title}`")))
    }

    /// The latest states of a page, the newest first.
    pub(super) async fn history(&mut self, title: &str) -> Result<Vec<Revision>, WikiError> {
        let title: String = title.nfc().collect();
        let limit = REVISIONS.to_string();
        let query = form(&[
            ("action", "query"),
            ("prop", "revisions"),
            ("rvprop", "ids|content|user|timestamp|comment"),
            ("rvslots", "main"),
            ("rvlimit", &limit),
            ("titles", &title),
        ]);
        // one part: where the answer would be too long, the newest are what is wanted
        let answer = self.ask(&query).await?;
        let pages = answer["query"]["pages"].as_array().cloned().unwrap_or_default();
        let revisions = pages.first().and_then(|page| page["revisions"].as_array().cloned()).unwrap_or_default();
        Ok(revisions.iter().map(revision).collect())
    }

    /// One state of a page.
    pub(super) async fn revision(&mut self, id: u64) -> Result<Revision, WikiError> {
        let id = id.to_string();
        let query = form(&[
            ("action", "query"),
            ("prop", "revisions"),
            ("rvprop", "ids|content|user|timestamp|comment"),
            ("rvslots", "main"),
            ("revids", &id),
        ]);
        let answer = self.ask(&query).await?;
        let found = answer["query"]["pages"][0]["revisions"].get(0).map(revision);
        found.ok_or_else(|| WikiError::Answer(format!("it does not show revision {id}")))
    }

    /// Saves a page. Nothing is sent twice of which nobody knows what came.
    pub(super) async fn save(&mut self, edit: &Edit<'_>, patience: &mut Patience) -> Result<Sent, WikiError> {
        let digest: String = Md5::digest(edit.text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let mut base = form(&[
            ("action", "edit"),
            ("assert", "bot"),
            ("bot", "1"),
            ("contentmodel", "wikitext"),
            ("title", edit.title),
            ("summary", edit.summary),
            ("md5", &digest),
            ("text", edit.text),
        ]);
        match edit.base {
            None => base.push(("createonly", "1".to_owned())),
            Some(revision) => {
                base.push(("nocreate", "1".to_owned()));
                // no `basetimestamp` beside it: the wiki would take another's edit of the same second for our own
                base.push(("baserevid", revision.id.to_string()));
            }
        }
        loop {
            let token = self.edit_token().await?;
            let mut form = base.clone();
            // last: a request that was cut on its way is no edit
            form.push(("token", token));
            match self.once(&form).await {
                Ok(answer) => return sent(&answer["edit"]),
                Err(Setback::Undone(error, told)) => self.wait(error, told, patience).await?,
                Err(Setback::Lost(error, told)) => return Ok(Sent::Lost(error, told)),
                Err(Setback::Forgotten) => self.log_in_again().await?,
                Err(Setback::Final(WikiError::Refused { code, .. })) if is_conflict(&code) => {
                    return Ok(Sent::Conflict);
                }
                Err(Setback::Final(error)) => return Err(error),
            }
        }
    }

    async fn edit_token(&mut self) -> Result<String, WikiError> {
        if let Some(token) = &self.token {
            return Ok(token.clone());
        }
        let answer = self.ask(&form(&[("action", "query"), ("meta", "tokens")])).await?;
        let token = text(&answer["query"]["tokens"]["csrftoken"])?;
        self.token = Some(token.clone());
        Ok(token)
    }

    /// Asks a query until all parts of its answer are there.
    async fn in_parts(&mut self, query: Form, mut take: impl FnMut(&Value)) -> Result<(), WikiError> {
        let mut next = query.clone();
        for _ in 0..PARTS {
            let answer = self.ask(&next).await?;
            take(&answer["query"]);
            let Some(more) = answer["continue"].as_object() else { return Ok(()) };
            next.clone_from(&query);
            for (name, value) in more {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                // the names are the wiki's, and few
                let name: &'static str = match name.as_str() {
                    "continue" => "continue",
                    "rvcontinue" => "rvcontinue",
                    "cmcontinue" => "cmcontinue",
                    other => return Err(WikiError::Answer(format!("it goes on with `{other}`"))),
                };
                next.push((name, value));
            }
        }
        Err(WikiError::Answer("it does not end".to_owned()))
    }
}

/// What the parts of an answer tell.
#[derive(Default)]
struct Found {
    /// From how a title was asked for to how the wiki writes it.
    normalised: BTreeMap<String, String>,
    pages: BTreeMap<String, Standing>,
    token: Option<String>,
}

impl Found {
    fn take(&mut self, query: &Value, sight: &mut Sight) {
        let list = |name: &str| query[name].as_array().into_iter().flatten();
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for entry in list("normalized") {
            self.normalised.insert(word(&entry["from"]), word(&entry["to"]));
        }
        for entry in list("interwiki") {
            let why = format!("the wiki takes `{}:` for the name of another wiki", word(&entry["iw"]));
            self.pages.insert(word(&entry["title"]), Standing::NoTitle(why));
        }
        for page in list("pages") {
            let standing = if page["invalid"] == true {
                Standing::NoTitle(word(&page["invalidreason"]))
            } else if page["special"] == true {
                Standing::NoTitle("it is one of the wiki's special pages".to_owned())
            } else if page["missing"] == true {
                Standing::Missing
            } else if let Some(found) = page["revisions"].get(0) {
                Standing::Page(revision(found))
            } else {
                // its text comes with a later part
                continue;
            };
            self.pages.insert(word(&page["title"]), standing);
        }
        sight.members.extend(list("categorymembers").map(|member| word(&member["title"])));
        sight.rights.extend(query["userinfo"]["rights"].as_array().into_iter().flatten().map(word));
        if let Some(generator) = query["general"]["generator"].as_str() {
            generator.clone_into(&mut sight.generator);
        }
        if let Some(token) = query["tokens"]["csrftoken"].as_str() {
            self.token = Some(token.to_owned());
        }
    }

    fn settle(&self, asked: &[(String, &str)], sight: &mut Sight) {
        for (sent, original) in asked {
            let title = self.normalised.get(sent).unwrap_or(sent);
            if let Some(standing) = self.pages.get(title) {
                sight.standings.insert((*original).to_owned(), standing.clone());
                sight.titles.insert((*original).to_owned(), title.clone());
            }
        }
    }
}

fn revision(found: &Value) -> Revision {
    let word = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    // before 1.32 there were no slots
    let slot = &found["slots"]["main"]["content"];
    let text = slot.as_str().or_else(|| found["content"].as_str()).unwrap_or_default().to_owned();
    Revision {
        id: found["revid"].as_u64().unwrap_or_default(),
        by: word("user"),
        at: word("timestamp"),
        summary: word("comment"),
        text,
    }
}

fn is_conflict(code: &str) -> bool {
    matches!(code, "editconflict" | "articleexists" | "missingtitle" | "pagedeleted" | "nosuchrevid")
}

fn sent(edit: &Value) -> Result<Sent, WikiError> {
    if edit["result"] != "Success" {
        // an extension has its say: a captcha, a filter, a blacklist
        let mut said = edit.clone();
        if let Some(said) = said.as_object_mut() {
            said.remove("result");
        }
        return Err(WikiError::refused("edit-failed", &said.to_string()));
    }
    if edit["nochange"] == true {
        return Ok(Sent::Same);
    }
    match (edit["oldrevid"].as_u64(), edit["newrevid"].as_u64()) {
        (Some(old), Some(new)) => Ok(Sent::Saved { old, new }),
        _ => Err(WikiError::Answer("it says not which revision it saved".to_owned())),
    }
}
