//! The middle form: a page before anyone has said in which markup.
//!
//! Every text in it is plain: nothing was escaped, nothing made harmless. Both are each renderer's own work, since what is
//! dangerous differs from one markup to the next.

use crate::vocab::{HostName, fold_hosts};

use super::last_run::LastRun;

/// A page.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Where it stands.
    pub page: Page,
    /// The page above it, where there is one: the book's.
    pub above: Option<(Page, String)>,
    /// Its title.
    pub title: String,
    /// What it is for, right below the title.
    pub lead: Vec<Block>,
    /// When it was last run. No part of what a digest is over: see [`Document::without_last_run`].
    pub last_run: Option<LastRun>,
    /// The rest.
    pub blocks: Vec<Block>,
    /// The wiki's category, if it has one.
    pub category: Option<String>,
}

/// A page's names: in a folder of files and in the wiki.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The file's name without its ending.
    pub file: String,
    /// The title in the wiki.
    pub wiki: String,
}

/// A stretch of a page.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// A heading, 1 to 3 below the title.
    Heading(u8, Vec<Inline>),
    /// A paragraph.
    Paragraph(Vec<Inline>),
    /// A list; numbered or not.
    List {
        /// Whether its items are numbered.
        ordered: bool,
        /// The items.
        items: Vec<Vec<Block>>,
    },
    /// Names and what they are: *Runs on*, *Port*.
    Facts(Vec<(String, Vec<Inline>)>),
    /// Something that stands out.
    Notice {
        /// What it begins with, in capitals.
        label: String,
        /// What it says.
        body: Vec<Block>,
    },
    /// A command, or another text that keeps its form.
    Code {
        /// Where it is pasted; none: it is only to be read.
        place: Option<Place>,
        /// The text.
        text: String,
    },
    /// A table.
    Table {
        /// What it shows, above it.
        caption: Vec<Inline>,
        /// The columns.
        head: Vec<String>,
        /// The rows.
        rows: Vec<Vec<Vec<Inline>>>,
    },
}

/// A stretch of a line.
#[derive(Clone, Debug, PartialEq)]
pub enum Inline {
    /// Plain text.
    Text(String),
    /// A command, a name, a value.
    Code(String),
    /// What stands out.
    Strong(Vec<Inline>),
    /// What is stressed.
    Emphasis(Vec<Inline>),
    /// A link.
    Link(To, Vec<Inline>),
}

/// Where a link leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// Another page of the book, or a heading on it.
    Page(Page, Option<String>),
    /// An address: `http`, `https` or `mailto`; see [`To::address`].
    Address(String),
}

/// On which hosts, and as whom, a command is pasted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The hosts; `here` is the admin host.
    pub hosts: Vec<HostName>,
    /// The login user, when the inventory says one.
    pub user: Option<String>,
    /// Whether the command names files of the book, so that it is pasted in the book's folder.
    pub in_book: bool,
}

impl Document {
    /// The page as its digest sees it: everything but the last run, which changes without the book.
    #[must_use]
    pub fn without_last_run(&self) -> Self {
        Self { last_run: None, ..self.clone() }
    }
}

impl To {
    /// A link to an address, if it is of a kind that is safe to follow.
    pub fn address(address: &str) -> Option<Self> {
        let address = address.trim();
        let lower = address.to_ascii_lowercase();
        let scheme = ["http://", "https://", "mailto:"].iter().any(|scheme| lower.starts_with(scheme));
        let clean = !address.chars().any(|c| c.is_whitespace() || c.is_control() || "<>\"[]{}|\\^`".contains(c))
            && crate::vocab::neutral::neutralise(address) == address;
        (scheme && clean).then(|| Self::Address(address.to_owned()))
    }
}

impl Place {
    /// In words: `As root on dfw-jobs{01,02}`.
    pub fn words(&self) -> String {
        let mut words = match &self.user {
            Some(user) => format!("As {user} on {}", hosts_in_words(&self.hosts)),
            None => format!("On {}", hosts_in_words(&self.hosts)),
        };
        if self.in_book {
            words.push_str(", in the book's folder");
        }
        words
    }
}

impl Inline {
    /// Plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A command, a name, a value.
    pub fn code(text: impl Into<String>) -> Self {
        Self::Code(text.into())
    }

    /// The stretches without their markup.
    pub fn plain(inlines: &[Self]) -> String {
        let mut out = String::new();
        for inline in inlines {
            match inline {
                Self::Text(text) | Self::Code(text) => out.push_str(text),
                Self::Strong(inner) | Self::Emphasis(inner) | Self::Link(_, inner) => {
                    out.push_str(&Self::plain(inner));
                }
            }
        }
        out
    }
}

/// Hosts as staff write them, `here` by what it is.
pub fn hosts_in_words(hosts: &[HostName]) -> String {
    let (here, others): (Vec<&HostName>, Vec<&HostName>) = hosts.iter().partition(|host| host.is_here());
    let mut words: Vec<String> =
        fold_hosts(others).split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    if !here.is_empty() {
        words.push("the admin host".to_owned());
    }
    words.join(", ")
}

/// The name of a heading within its page, as GitHub makes it: letters, digits, `-` and `_`; blanks become `-`.
pub fn slug(heading: &str) -> String {
    let kept = heading.trim().chars().filter_map(|c| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
        _ => None,
    });
    kept.flat_map(char::to_lowercase).collect()
}

/// Gives each heading of a page a name of its own: the second `status` is `status-1`.
#[derive(Debug, Default)]
pub struct Slugs(std::collections::BTreeMap<String, usize>);

impl Slugs {
    /// The name of the next heading.
    pub fn next(&mut self, heading: &str) -> String {
        let mut name = slug(heading);
        if name.is_empty() {
            name.push_str("section");
        }
        let first = name.clone();
        // a made-up name may be a heading's own
        while let Some(count) = self.0.get_mut(&name) {
            *count += 1;
            name = format!("{first}-{count}");
        }
        self.0.insert(name.clone(), 0);
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_get_names_of_their_own() {
        let mut slugs = Slugs::default();
        let names: Vec<String> =
            ["Status", "Start/Restart", "Status", "Status-1", "1. Look: twice", "…"].map(|h| slugs.next(h)).to_vec();
        assert_eq!(names, ["status", "startrestart", "status-1", "status-1-1", "1-look-twice", "section"]);
    }

    #[test]
    fn only_harmless_addresses_are_links() {
        assert!(To::address("https://wiki.example.org/a?b=c&d#e").is_some());
        for bad in ["javascript:alert(1)", "data:text/html,x", "//x", "https://a b", "https://a\"b", "http://a]b", "x"]
        {
            assert_eq!(To::address(bad), None, "{bad}");
        }
    }
}
