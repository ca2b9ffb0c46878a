//! Publishing to a real MediaWiki: see `tests/wiki/mediawiki`.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test stops where it does not go on, and drives programs by itself"
)]

#[path = "wiki/drifting.rs"]
mod drifting;
#[path = "wiki/interrupted.rs"]
mod interrupted;
#[path = "wiki/neutral.rs"]
mod neutral;
#[path = "wiki/people.rs"]
mod people;
#[path = "wiki/proxy.rs"]
mod proxy;
#[path = "wiki/publishing.rs"]
mod publishing;
#[path = "wiki/shown.rs"]
mod shown;
#[path = "wiki/site.rs"]
mod site;
mod support;
#[path = "wiki/tls.rs"]
mod tls;
#[path = "wiki/unwell.rs"]
mod unwell;

use serde_json::Value;

use support::{Program, Ran};

/// Two runbooks and a book.
fn small() -> Program {
    book(&[("alpha.yaml", ALPHA), ("beta.yaml", BETA)])
}

/// A book of these files and a plain `book.yaml`, known to the wiki's bot.
fn book(files: &[(&str, &str)]) -> Program {
    let mut all = vec![("book.yaml", BOOK)];
    all.extend(files);
    Program::new().with_book(&all).env("RUNBOOK_WIKI_USER", site::BOT).env("RUNBOOK_WIKI_PASSWORD", site::PASSWORD)
}

const BOOK: &str = "name: Notes of the test\nsystems: { Works: { prose: What works. } }\n";
const ALPHA: &str = "title: First things\nsystem: Works\nsummary: Does the first thing.\nhosts: here\nsteps:\n  - { id: one, says: It is one., run: echo one }\n  - { id: two, says: It is two., run: echo two }\n";
const BETA: &str = "title: Second things\nsystem: Works\nsummary: Does the second thing.\nhosts: here\nsteps:\n  - { id: one, run: echo one }\n";

/// Publishes; further arguments behind.
fn publish(program: &Program, url: &str, arguments: &[&str]) -> Ran {
    program.run([&["docs", "publish", "--wiki", url], arguments].concat())
}

/// Publishes, and gives what became of each page: name and outcome.
fn outcomes(program: &Program, url: &str, arguments: &[&str], code: i32) -> Vec<(String, String)> {
    let ran = publish(program, url, &[arguments, &["--format", "json"]].concat());
    ran.exits(code);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout));
    let pages = document["pages"].as_array().unwrap_or_else(|| panic!("{document}"));
    let word = |page: &Value, key: &str| page[key].as_str().unwrap().to_owned();
    pages.iter().map(|page| (word(page, "name"), word(page, "outcome"))).collect()
}

/// Names and outcomes as they are compared.
fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, outcome)| ((*name).to_owned(), (*outcome).to_owned())).collect()
}
