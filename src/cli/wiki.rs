//! What publishing and comparing share: the wiki, who we are there, the pages.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::app::Global;
use super::context::{self, Context};
use super::docs::{LastRuns, shelf};
use super::error::CliError;
use super::{exit, view};
use crate::render::{Edition, mediawiki};
use crate::report::Role;
use crate::source::BookSource;
use crate::vocab::Secret;
use crate::vocab::neutral::{neutralise, one_line};
use crate::wiki::{Account, Address, Change, Page, Wiki, WikiError};

/// The name of the book's own page, which no runbook can have.
pub(super) const BOOK: &str = "book";

/// Longer titles are none, in bytes.
const LONGEST_TITLE: usize = 255;

/// Which wiki, and who we are there.
#[derive(Debug, clap::Args)]
pub(super) struct Access {
    /// The wiki's address; without it, `url` of `wiki:` in book.yaml
    #[arg(long, value_name = "URL")]
    pub(super) wiki: Option<String>,
    /// The bot password's name: ACCOUNT@NAME
    #[arg(long, value_name = "NAME", env = "RUNBOOK_WIKI_USER", hide_env_values = true)]
    user: Option<String>,
    /// The file that the bot's password is in, readable by nobody else; without it, RUNBOOK_WIKI_PASSWORD
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl Access {
    /// The wiki, to be read by anyone, and written with a password.
    pub(super) fn wiki(&self, global: &Global, source: &BookSource) -> Result<Wiki, CliError> {
        let url = self.wiki.as_ref().or(source.book().wiki.url.as_ref()).ok_or_else(|| {
            CliError::usage("no wiki is named").hint("say which: `--wiki URL`, or `wiki: { url: … }` in book.yaml")
        })?;
        let address = Address::parse(url)?;
        let account = self.account()?;
        let styles = view::styles(global);
        let waiting = move |text: &str| {
            let text = styles.paint(Role::Dim, &neutralise(text));
            crate::report::Sink::stderr().write(&format!("{text}\n"));
        };
        Ok(Wiki::new(address, account, waiting)?)
    }

    /// Whom we are; nobody, when nothing was given.
    fn account(&self) -> Result<Option<Account>, CliError> {
        let password = match &self.password_file {
            Some(path) => Some(password_of(path)?),
            None => context::variable("RUNBOOK_WIKI_PASSWORD").filter(|password| !password.is_empty()).map(Secret::new),
        };
        password.iter().for_each(super::custody::keep_secret);
        match (self.user.as_deref().filter(|user| !user.is_empty()), password) {
            (Some(user), Some(password)) => Ok(Some(Account::new(user, password)?)),
            (None, Some(_)) => Err(CliError::usage("there is a bot's password, but no name to it")
                .hint("set RUNBOOK_WIKI_USER, or give `--user ACCOUNT@NAME`")),
            (_, None) => Ok(None),
        }
    }
}

impl From<WikiError> for CliError {
    fn from(error: WikiError) -> Self {
        let exit = if error.is_usage() { exit::USAGE } else { exit::FAILED };
        Self::new(exit, &error).maybe_hint(error.hint())
    }
}

/// Reads a password from a file that is nobody else's.
fn password_of(path: &Path) -> Result<Secret, CliError> {
    let failed = |error: std::io::Error| CliError::usage(format!("{}: {error}", path.display()));
    let about = fs::metadata(path).map_err(failed)?;
    let mode = about.mode() & 0o7777;
    if about.is_file() && mode & 0o077 != 0 {
        let what = format!("{} can be read or written by others (mode {mode:04o})", path.display());
        return Err(CliError::usage(what).hint(format!("chmod 600 {}", path.display())));
    }
    let owner = about.uid();
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        return Err(CliError::usage(format!("{} belongs to another user", path.display())));
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(CliError::usage(format!("{} is empty", path.display())));
    }
    Ok(Secret::new(text))
}

/// The pages of the whole book, each with a title that no other has. Its own is the last: when it is published, the pages that
/// it links to are there.
pub(super) fn pages(global: &Global, context: &Context) -> Result<Vec<Page>, CliError> {
    let book = context.source.book();
    let runbooks = shelf(context, true)?;
    let edition = Edition::new(book, &context.inventory, &runbooks);
    let last = LastRuns::read(global, book.stale_after);
    let mut pages = Vec::new();
    for runbook in &runbooks {
        // what the template cannot give is not published under another title
        let system = runbook.system.as_deref().unwrap_or_default();
        book.wiki.title_of(&runbook.name, &runbook.title, system).map_err(CliError::usage)?;
        let last = last.of(&runbook.name);
        let at = last.run.as_ref().map(|run| run.at);
        let document = edition.runbook(runbook, Some(last));
        pages.push(Page {
            name: runbook.name.clone(),
            file: format!("{}.yaml", runbook.name),
            title: document.page.wiki.clone(),
            text: mediawiki::render(&document),
            last_run: at,
        });
    }
    let document = edition.book();
    pages.push(Page {
        name: BOOK.to_owned(),
        file: "book.yaml".to_owned(),
        title: document.page.wiki.clone(),
        text: mediawiki::render(&document),
        last_run: None,
    });
    distinct(&pages)?;
    Ok(pages)
}

fn distinct(pages: &[Page]) -> Result<(), CliError> {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for Page { name, title, .. } in pages {
        let shown = one_line(title);
        if title.is_empty() {
            return Err(CliError::usage(format!("the page of {name} would have no title"))
                .hint("the title comes from `wiki: { title: … }` in book.yaml"));
        }
        if title.len() > LONGEST_TITLE {
            return Err(CliError::usage(format!("the title `{shown}` of {name} is longer than {LONGEST_TITLE} bytes")));
        }
        if let Some(other) = seen.insert(title, name) {
            return Err(CliError::usage(format!("{other} and {name} would both be the page `{shown}`"))
                .hint("use the name in the title: `wiki: { title: \"Runbook:${{ name }}\" }` in book.yaml"));
        }
    }
    Ok(())
}

/// A diff, with colours.
pub(super) fn diff_shown(global: &Global, diff: &str) -> String {
    let styles = view::stdout_styles(global);
    let mut out = String::new();
    for line in neutralise(diff).lines() {
        let role = match line.as_bytes().first() {
            _ if line.starts_with("--- ") || line.starts_with("+++ ") => Role::Heading,
            Some(b'+') => Role::Ok,
            Some(b'-') => Role::Failed,
            Some(b'@') => Role::Dim,
            Some(_) | None => Role::Text,
        };
        out.push_str(&styles.paint(role, line));
        out.push('\n');
    }
    out
}

/// By whom and when a page was edited, a line for each edit.
pub(super) fn edits_shown(change: &Change) -> String {
    let mut out = String::new();
    for [by, at, why] in change.edits.iter().take(5) {
        let why = if why.is_empty() { String::new() } else { format!(": {}", one_line(why)) };
        out.push_str(&format!("  by {}, {}{why}\n", one_line(by), when(at)));
    }
    if change.edits.len() > 5 {
        out.push_str(&format!("  and {} edits before\n", change.edits.len() - 5));
    }
    out
}

/// A time as people write it.
pub(super) fn when(at: &str) -> String {
    at.parse::<jiff::Timestamp>().map_or_else(|_| one_line(at), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

/// The edits of a change, for programs.
pub(super) fn edits_document(change: &Change) -> serde_json::Value {
    let edits = change.edits.iter().map(|[by, at, why]| serde_json::json!({"by": by, "at": at, "summary": why}));
    edits.collect::<Vec<_>>().into()
}
