//! `runbook docs publish`

use super::app::{Format, Global};
use super::context::Context;
use super::error::CliError;
use super::wiki::{self, Access, BOOK};
use super::{conduct, exit, view};
use crate::report::Role;
use crate::vocab::neutral::neutralise;
use crate::wiki::{Accepted, Mode, Outcome, Page, Published, publish as publish_pages};

/// Publish the pages of runbooks to a MediaWiki, as far as they changed
///
/// A page that somebody edited on the wiki is never overwritten: their change is shown, and the page is left alone until it
/// is accepted. Interrupted at any point, publishing again completes it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  runbook docs publish --wiki https://wiki.example.org/w/api.php
  runbook docs publish restart-jobs --dry-run            what would change; nothing is written
  runbook docs publish restart-jobs --accept restart-jobs@1234
                                                         revision 1234 of the page has been merged into the runbook
  runbook docs publish restart-jobs --last-run           after a run: only the box of the last run

The bot's name and password come from RUNBOOK_WIKI_USER and RUNBOOK_WIKI_PASSWORD, or --user and --password-file.
Exit status 8: somebody edited a page, or it was never ours; nothing of theirs was overwritten.")]
pub(super) struct Args {
    /// The runbooks, and `book` for the book's own page; without a name, all of them
    names: Vec<String>,
    #[command(flatten)]
    access: Access,
    /// Show what would change, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Replace this page whoever wrote it, once what they wrote is merged; with @REVISION only if it is still that one
    #[arg(long, value_name = "NAME[@REVISION]")]
    accept: Vec<String>,
    /// Refresh only the boxes of the last run
    #[arg(long, conflicts_with = "accept")]
    last_run: bool,
}

pub(super) fn publish(global: &Global, args: &Args) -> Result<u8, CliError> {
    let context = Context::open(global)?;
    let mut pages = wiki::pages(global, &context)?;
    let name_of = |name: &str| -> Result<String, CliError> {
        if name == BOOK { Ok(BOOK.to_owned()) } else { Ok(context.source.named(name)?.to_owned()) }
    };
    let accepted = args.accept.iter().map(|text| accepted(text, &name_of)).collect::<Result<Vec<_>, _>>()?;
    if !args.names.is_empty() {
        let names = args.names.iter().map(|name| name_of(name)).collect::<Result<Vec<_>, _>>()?;
        pages.retain(|page| names.contains(&page.name));
    }
    if args.last_run && args.names.is_empty() {
        // the book's own page has no such box
        pages.retain(|page| page.name != BOOK);
    }
    if let Some(stray) = accepted.iter().find(|accepted| !pages.iter().any(|page| page.name == accepted.name)) {
        return Err(CliError::usage(format!("{} is accepted, but not published", stray.name))
            .hint(format!("name it: `runbook docs publish {} --accept …`", stray.name)));
    }
    let mut wiki = args.access.wiki(global, &context.source)?;
    let mode = Mode { is_dry: args.dry_run, last_run_only: args.last_run, accepted };
    let teller = Teller::new(global, args, &pages, &mode.accepted);
    let done = conduct::runtime()?.block_on(publish_pages(&mut wiki, &pages, &mode, |page| teller.line(page)))?;
    if global.format == Format::Json {
        let documents: Vec<_> = done.iter().map(document).collect();
        let document = serde_json::json!({"wiki": wiki.address().to_string(), "pages": documents});
        view::data().json(&document);
    } else {
        teller.details(&done);
    }
    Ok(status(&done))
}

/// `NAME` or `NAME@REVISION`.
fn accepted(text: &str, name_of: &dyn Fn(&str) -> Result<String, CliError>) -> Result<Accepted, CliError> {
    let (name, revision) = match text.split_once('@') {
        None => (text, None),
        Some((name, revision)) => {
            let number = revision.parse().map_err(|_| {
                CliError::usage(format!("`{revision}` is no revision")).hint("it is a number: `--accept NAME@1234`")
            })?;
            (name, Some(number))
        }
    };
    Ok(Accepted { name: name_of(name)?, revision })
}

fn status(done: &[Published]) -> u8 {
    let failed = |page: &Published| matches!(page.outcome, Outcome::Failed(_) | Outcome::NotTried);
    if done.iter().any(failed) {
        exit::FAILED
    } else if done.iter().any(|page| page.outcome.is_drift()) {
        exit::DRIFT
    } else {
        exit::OK
    }
}

struct Teller<'a> {
    global: &'a Global,
    /// What a command to type begins with.
    command: String,
    /// And what it ends with.
    wiki: String,
    width: usize,
    dry: bool,
    accepted: &'a [Accepted],
}

impl<'a> Teller<'a> {
    fn new(global: &'a Global, args: &Args, pages: &[Page], accepted: &'a [Accepted]) -> Self {
        let wiki = args.access.wiki.as_ref().map(|url| format!(" --wiki {}", crate::vocab::quote::shell_word(url)));
        Self {
            global,
            command: "runbook docs publish".to_owned(),
            wiki: wiki.unwrap_or_default(),
            width: pages.iter().map(|page| page.name.len()).max().unwrap_or_default(),
            dry: args.dry_run,
            accepted,
        }
    }

    fn write(&self, text: &str) {
        if self.global.format == Format::Text {
            view::data().sink().write(text);
        }
    }

    fn paint(&self, role: Role, text: &str) -> String {
        view::stdout_styles(self.global).paint(role, text)
    }

    /// A page that is done with, in a line. What did not change is only counted.
    fn line(&self, page: &Published) {
        let Published { name, url, outcome, .. } = page;
        let role = match outcome {
            Outcome::Unchanged => return,
            Outcome::Created(_) | Outcome::Updated(_) => Role::Ok,
            Outcome::Would { .. } => Role::Text,
            Outcome::Failed(_) | Outcome::NotTried => Role::Failed,
            Outcome::Edited(_)
            | Outcome::Foreign { .. }
            | Outcome::Taken { .. }
            | Outcome::Merged { .. }
            | Outcome::Altered { .. }
            | Outcome::NotPublished => Role::Warning,
        };
        let word = self.paint(role, &format!("{:<16}", outcome.word()));
        self.write(&format!("{word} {name:<width$}  {}\n", neutralise(url), width = self.width));
    }

    /// What a person must know of pages, and how many there are of each kind.
    fn details(&self, done: &[Published]) {
        for page in done {
            if let Some(text) = self.detail(page) {
                self.write(&format!("\n{text}"));
            }
        }
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for page in done {
            let word = page.outcome.word();
            match counts.iter_mut().find(|(known, _)| *known == word) {
                Some((_, count)) => *count += 1,
                None => counts.push((word, 1)),
            }
        }
        let told: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
        let pages = if done.len() == 1 { "1 page".to_owned() } else { format!("{} pages", done.len()) };
        let before = if self.global.format == Format::Text && done.iter().any(|page| page.outcome != Outcome::Unchanged)
        {
            "\n"
        } else {
            ""
        };
        let dry = if self.dry { "; nothing was written" } else { "" };
        self.write(&format!("{before}{pages}: {}{dry}\n", told.join(", ")));
    }

    fn accept(&self, page: &Published, revision: u64) -> String {
        let Self { command, wiki, .. } = self;
        let name = &page.name;
        self.paint(Role::Command, &format!("  {command} {name}{wiki} --accept {name}@{revision}"))
    }

    fn detail(&self, page: &Published) -> Option<String> {
        let Published { name, file, title, outcome, .. } = page;
        let title = neutralise(title);
        let head = |text: &str| format!("{}\n", self.paint(Role::Heading, text));
        let shown = |diff: &str| wiki::diff_shown(self.global, diff);
        Some(match outcome {
            Outcome::Unchanged | Outcome::Created(_) | Outcome::Updated(_) | Outcome::NotTried => return None,
            Outcome::Would { diff, .. } => head(&format!("{name}: {title}")) + &shown(diff),
            Outcome::Edited(change) => {
                let mut text = head(&format!("{name}: somebody edited the page since it was published"));
                text.push_str(&wiki::edits_shown(change));
                if !change.is_known {
                    text.push_str("  What was published is not found in the page's history: this is the difference to the book.\n");
                }
                text.push_str(&shown(&change.diff));
                if let Some(accepted) = self.accepted.iter().find(|accepted| accepted.name == *name) {
                    let revision = accepted
                        .revision
                        .map(|revision| format!("Revision {revision} was accepted"))
                        .unwrap_or_default();
                    text.push_str(&format!("{revision}; by now it is revision {}.\n", change.revision));
                }
                text.push_str(&format!(
                    "Nothing was overwritten. Put what is right of it into {file}, then replace the page:\n{}\n",
                    self.accept(page, change.revision)
                ));
                text
            }
            Outcome::Foreign { revision, by, at } => {
                head(&format!("{name}: there is a page `{title}` already, which was not published from here"))
                    + &format!(
                        "It was last edited by {}, {}. Nothing was overwritten. Move that page, or give this one another title \
                         in book.yaml; or, when nothing in it is needed any more, replace it:\n{}\n",
                        neutralise(by),
                        wiki::when(at),
                        self.accept(page, *revision)
                    )
            }
            Outcome::Taken { by } => {
                head(&format!("{name}: the page `{title}` is that of {}", neutralise(by)))
                    + "Nothing was overwritten. If that runbook is another one, give one of them another title in book.yaml; if it is \
                       this one by its former name, replace the page:\n"
                    + &format!(
                        "{}\n",
                        self.paint(Role::Command, &format!("  {} {name}{} --accept {name}", self.command, self.wiki))
                    )
            }
            Outcome::Merged { change, is_overwritten } => {
                let what = if *is_overwritten {
                    "somebody saved the page in the same moment with the bot's own account, and that edit was overwritten"
                } else {
                    "somebody saved the page in the same moment, and the wiki merged both"
                };
                let mut text = head(&format!("{name}: {what}"));
                text.push_str(&wiki::edits_shown(change));
                text.push_str(&shown(&change.diff));
                text.push_str(&format!("Put what is right of it into {file}, then replace the page:\n"));
                text.push_str(&format!("{}\n", self.accept(page, change.revision)));
                text
            }
            Outcome::Altered { diff } => {
                head(&format!("{name}: the wiki keeps something else than was sent"))
                    + &shown(diff)
                    + "An extension of the wiki may have done it. Until it is mended the page will be taken for an edited one.\n"
            }
            Outcome::NotPublished => {
                head(&format!("{name}: there is no page of ours whose last run could be shown"))
                    + &format!(
                        "Publish it first:\n{}\n",
                        self.paint(Role::Command, &format!("  {} {name}{}", self.command, self.wiki))
                    )
            }
            Outcome::Failed(error) => {
                let hint = error.hint().map(|hint| format!("{hint}\n")).unwrap_or_default();
                head(&format!("{name}: {}", neutralise(&error.to_string()))) + &hint
            }
        })
    }
}

fn document(page: &Published) -> serde_json::Value {
    let mut document = serde_json::json!({
        "name": page.name, "title": page.title, "url": page.url,
        "outcome": page.outcome.word().replace(' ', "-"),
    });
    let more = match &page.outcome {
        Outcome::Unchanged | Outcome::NotTried | Outcome::NotPublished => serde_json::json!({}),
        Outcome::Created(revision) | Outcome::Updated(revision) => serde_json::json!({"revision": revision}),
        Outcome::Would { diff, .. } | Outcome::Altered { diff } => serde_json::json!({"diff": diff}),
        Outcome::Edited(change) | Outcome::Merged { change, .. } => serde_json::json!({
            "revision": change.revision, "edits": wiki::edits_document(change), "diff": change.diff,
        }),
        Outcome::Foreign { revision, by, at } => serde_json::json!({"revision": revision, "by": by, "at": at}),
        Outcome::Taken { by } => serde_json::json!({"by": by}),
        Outcome::Failed(error) => serde_json::json!({"error": error.to_string(), "hint": error.hint()}),
    };
    if let (Some(document), Some(more)) = (document.as_object_mut(), more.as_object()) {
        document.extend(more.clone());
    }
    document
}
