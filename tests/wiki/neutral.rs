//! Whatever a text of the book or of a run says, the wiki shows it and obeys none of it.

use std::path::Path;

use runbook::render::{Block, Document, Edition};
use runbook::source::{BookSource, InventorySource};
use runbook::vocab::neutral::neutralise;
use serde_json::Value;

use super::shown::Shown;
use super::site::Site;
use super::{book, publish};

/// What a wiki would obey, piece by piece.
const HOSTILE: &[&str] = &[
    "{{Evil}}",
    "{{subst:Evil}} {{{1}}}",
    "<script>alert(1)</script>",
    "[[Category:Evil]]",
    "[[Evil]] [[File:Evil.png]]",
    "[https://evil.example.org evil] https://evil.example.org/",
    "'''bold''' ''italic''",
    "~~~~ ~~~",
    "__NOTOC__ __NOINDEX__",
    "</pre></code></nowiki><nowiki>",
    "| a || b |- {| class=x |}",
    "&lt;b&gt; &amp; &#60;",
    "<!-- runbook: evil sha256:0000 --> <!-- last run: begin -->",
    "<ref>x</ref> <math>x</math> <syntaxhighlight lang=c>",
    "-{zh:a}- RFC 2616 ISBN 0123456789",
    "onmouseover=x \" style=\"position:fixed",
    "#REDIRECT [[Evil]]",
    "== heading ==",
    "* item ; term : definition",
];

/// A name as long as an operator's may be.
const OPERATOR: &str =
    "{{Evil}}<script>[[Category:Evil]]'''b'''~~~~__NOTOC__</pre>|<!-- last run: end -->https://e.org";

/// Elements that our pages and the wiki's own skeleton of a page have.
const ELEMENTS: &[&str] = &[
    "a", "b", "br", "caption", "code", "div", "h1", "h2", "h3", "h4", "hr", "i", "input", "label", "li", "ol", "p",
    "pre", "span", "table", "tbody", "td", "th", "tr", "ul",
];

#[track_caller]
fn obeys_nothing(site: &Site, title: &str, allowed: &[&str]) -> Shown {
    let parsed = site.parsed(title);
    let shown = Shown::of(parsed["text"].as_str().unwrap());
    let names = |list: &Value, key: &str| -> Vec<String> {
        list.as_array().into_iter().flatten().map(|entry| entry[key].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&parsed["categories"], "category"), ["Runbooks"]);
    assert!(names(&parsed["templates"], "title").is_empty(), "{}", parsed["templates"]);
    assert_eq!(parsed["images"], Value::Array(Vec::new()));
    assert_eq!(parsed["externallinks"], Value::Array(Vec::new()));
    for link in names(&parsed["links"], "title") {
        assert!(allowed.contains(&link.as_str()), "a link to {link}");
    }
    // no magic word was obeyed
    assert_eq!(parsed["properties"], serde_json::json!({}), "{title}: {}", site.text(title).unwrap());
    for (name, attributes) in &shown.elements {
        assert!(ELEMENTS.contains(&name.as_str()), "an element {name} {attributes:?}");
        for (attribute, value) in attributes {
            let obeyed = attribute.starts_with("on") || (attribute == "style" && value.contains("position"));
            assert!(!obeyed, "{name} {attribute}={value}");
        }
    }
    shown
}

#[test]
fn nothing_hostile_is_obeyed_wherever_it_stands() {
    let site = Site::up();
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let all = HOSTILE.join(" ; ");
    let mut files = Vec::new();
    for (index, hostile) in HOSTILE.iter().enumerate() {
        // in Markdown prose some of it is markup of its own: as code it is read as it is
        let prose = quoted(&format!("{hostile} and more."));
        let word = quoted(hostile);
        let command = quoted(&format!("cat > /dev/null <<'X'\n{hostile}\nX\n"));
        let text = format!(
            "title: {prose}\nsystem: Works\nsummary: {prose}\nformerly: {prose}\nhosts: here\nparams:\n  p: {{ type: string, \
             default: {word}, help: {prose} }}\nprobes:\n  look:\n    summary: {prose}\n    run: {command}\nwarnings:\n  - id: w\n    \
             says: {prose}\n    type: {word}\npreconditions:\n  - id: c\n    says: {prose}\n    probe: look\n    expect: exit == 0\n    \
             otherwise: {prose}\nsteps:\n  - id: one\n    name: {prose}\n    says: {prose}\n    run: {command}\n  - id: two\n    \
             manual: {prose}\n  - id: three\n    run: [echo, {word}]\n"
        );
        files.push((format!("h{index:02}.yaml"), text));
    }
    files.push(("local.yaml".to_owned(), super::ALPHA.replace("First things", "Local things")));
    let settings = format!(
        "name: {0}\nsystems: {{ Works: {{ title: {0}, prose: {0} }} }}\nwiki: {{ page: Home, links_heading: {0} }}\n",
        quoted(&all)
    );
    let mut given: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    given.push(("book.yaml", &settings));
    let program = book(&given);
    // a run whose operator is hostile, too
    program.run(["run", "local", "--yes", "--as", OPERATOR]).exits(0);
    let ran = publish(&program, &site.url(), &[]);
    ran.exits(0).says(&format!("{} created", HOSTILE.len() + 2));

    let titles: Vec<String> = (0..HOSTILE.len()).map(|index| format!("Runbook:h{index:02}")).collect();
    let mut allowed: Vec<&str> = titles.iter().map(String::as_str).collect();
    allowed.extend(["Home", "Runbook:local"]);
    for (title, hostile) in titles.iter().zip(HOSTILE) {
        let shown = obeys_nothing(&site, title, &allowed);
        // shown as it was written, in the command that is pasted and in the parameters' table
        let block = format!("{hostile}\nX");
        assert!(shown.blocks.iter().any(|text| text.contains(&block)), "{title}: {hostile}: {:?}", shown.blocks);
        assert!(shown.text.contains(hostile), "{title}: {hostile}");
    }
    obeys_nothing(&site, "Home", &allowed);
    let shown = obeys_nothing(&site, "Runbook:local", &allowed);
    assert!(shown.text.contains(&format!("by {OPERATOR}: ok")), "{}", shown.text);
    // and it is what was sent: the wiki's own changes on saving found nothing to change
    publish(&program, &site.url(), &[]).exits(0).says(&format!("{} unchanged", HOSTILE.len() + 2));
}

/// The texts of all code of a page, in order.
fn code(blocks: &[Block], into: &mut Vec<String>) {
    for block in blocks {
        match block {
            Block::Code { text, .. } => into.push(neutralise(text).trim_end_matches('\n').to_owned()),
            Block::List { items, .. } => items.iter().for_each(|item| code(item, into)),
            Block::Notice { body, .. } => code(body, into),
            Block::Heading(..) | Block::Paragraph(_) | Block::Facts(_) | Block::Table { .. } => {}
        }
    }
}

#[test]
fn every_page_of_the_book_is_read_in_the_wiki_as_it_was_meant() {
    let site = Site::up();
    let program = super::support::Program::new()
        .env("RUNBOOK_WIKI_USER", super::site::BOT)
        .env("RUNBOOK_WIKI_PASSWORD", super::site::PASSWORD);
    publish(&program, &site.url(), &[]).exits(0);

    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
    let source = BookSource::open(&dir).unwrap();
    let inventory = InventorySource::read(&[dir.join("inventory.yaml")]).unwrap().inventory;
    let runbooks: Vec<_> = source.names().iter().map(|name| source.runbook(name).unwrap()).collect();
    let edition = Edition::new(source.book(), &inventory, &runbooks);
    let pages = runbooks.iter().map(|runbook| edition.runbook(runbook, None)).chain([edition.book()]);
    for document in pages {
        let Document { page, lead, blocks, .. } = &document;
        let shown = Shown::of(&site.html(&page.wiki));
        shown.has_no_markup();
        assert!(!shown.has("script"), "{}", page.wiki);
        // every command arrives as it would be pasted
        let mut meant = Vec::new();
        code(lead, &mut meant);
        code(blocks, &mut meant);
        assert_eq!(shown.blocks, meant, "{}", page.wiki);
    }
    publish(&program, &site.url(), &[]).exits(0).says("unchanged").is_silent_about("updated");
    program.run(["docs", "drift", "--wiki", &site.url()]).exits(0);
}
