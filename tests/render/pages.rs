//! The project's own book as wikitext, kept: a page changes when a runbook, the inventory or the renderer does, and somebody
//! looks at it. `UPDATE=1 cargo test --test render` writes them anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use runbook::render::document::slug;
use runbook::render::html;

use super::book::Book;

#[test]
fn the_pages_kept_are_those_of_the_book() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages");
    let pages = Book::own().pages(&runbook::render::mediawiki::render);
    if std::env::var_os("UPDATE").is_some() {
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        pages.iter().for_each(|(file, text)| fs::write(dir.join(format!("{file}.wiki")), text).unwrap());
    }
    let kept: BTreeMap<String, String> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .collect();
    let names = |pages: &BTreeMap<String, String>| pages.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&kept), names(&pages), "UPDATE=1 cargo test --test render writes them anew");
    for (file, text) in &pages {
        assert!(
            kept[file] == *text,
            "tests/pages/{file}.wiki is not the page of the book: UPDATE=1 writes it anew\n{text}"
        );
    }
}

/// The values of an attribute in a page.
fn values<'a>(html: &'a str, attribute: &'a str) -> impl Iterator<Item = &'a str> {
    let begins = format!(" {attribute}=\"");
    html.match_indices(&begins)
        .map(|(at, begins)| html[at + begins.len()..].split('"').next().unwrap())
        .collect::<Vec<_>>()
        .into_iter()
}

#[test]
fn every_link_leads_somewhere() {
    for book in [Book::own(), Book::at("tests/cases/valid")] {
        let pages = book.pages(&html::render);
        let ids: BTreeMap<&String, BTreeSet<&str>> =
            pages.iter().map(|(file, text)| (file, values(text, "id").collect())).collect();
        for (file, text) in &pages {
            assert_eq!(values(text, "id").count(), ids[file].len(), "{file}: a name is given twice");
            for link in values(text, "href").filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
                let (to, section) = link.split_once('#').unwrap_or((link, ""));
                let to = to.strip_suffix(".html").map_or_else(|| file.clone(), str::to_owned);
                assert!(pages.contains_key(&to), "{file}: {link} leads to no page");
                assert!(section.is_empty() || ids[&to].contains(section), "{file}: {link} leads to no heading");
            }
        }
    }
}

#[test]
fn every_runbook_is_on_the_page_of_the_book_under_its_system() {
    let book = Book::own();
    let pages = book.pages(&runbook::render::markdown::render);
    let index = &pages["index"];
    for runbook in &book.runbooks {
        assert_eq!(index.matches(&format!("](<{}.md>)**", runbook.name)).count(), 1, "{}", runbook.name);
        let system = runbook.system.as_deref().unwrap();
        let own = index.split(&format!("\n## {system}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
        assert!(own.contains(&format!("(<{}.md>)", runbook.name)), "{} is not under {system}", runbook.name);
        assert!(pages[&runbook.name].contains(&format!("(<index.md#{}>)", slug(system))), "{}", runbook.name);
    }
    // where the notes have these headings, so has the page
    for heading in ["## Gearman", "## Memcached", "## Workers", "### Start/Restart", "### Status", "## ddlockd"] {
        assert!(index.contains(&format!("\n{heading}\n")), "{heading}");
    }
    for fact in ["- **Runs on:** va-web{01..06}", "- **Port:** 7003"] {
        assert!(index.contains(fact), "{fact}");
    }
}

#[test]
fn no_page_shows_a_secret_s_value_or_an_unrendered_text() {
    for (file, text) in Book::at("tests/cases/valid").pages(&runbook::render::markdown::render) {
        let code = text.replace("{{ kept }}", "");
        assert!(!code.contains("${{"), "{file}: something was not rendered:\n{text}");
        assert!(!code.contains("<secret"), "{file}: a secret's mark");
        assert!(!code.contains(['\u{f8f0}', '\u{f8f1}']), "{file}: a secret's mark");
    }
}
