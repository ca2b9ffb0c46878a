//! Whatever a text holds, in every place of a page and in each markup it is shown as it is, and nothing obeys it.

use std::collections::BTreeSet;

use html5gum::{Token, Tokenizer};
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag};
use runbook::render::{Block, Document, Inline, LastRun, Page, Place, Ran, To, html, markdown, mediawiki};
use runbook::vocab::neutral::neutralise;
use runbook::vocab::{HostName, Period};

/// Pieces of markup that something would obey, and harmless ones between.
const NASTY: &[&str] = &[
    "{{",
    "}}",
    "{{evil}}",
    "{{{1}}}",
    "{|",
    "|}",
    "|-",
    "||",
    "|",
    "!!",
    "[[Category:X]]",
    "[[",
    "]]",
    "[http://x y]",
    "]",
    "[",
    "<script>alert(1)</script>",
    "</pre>",
    "</code>",
    "<!--",
    "-->",
    "<nowiki>",
    "</nowiki>",
    "<br/>",
    "<",
    ">",
    "&lt;",
    "&#123;",
    "&",
    "'",
    "''",
    "'''",
    "''''''",
    "~~~~",
    "~",
    "__NOTOC__",
    "_",
    "__",
    "#REDIRECT",
    "# ",
    "* ",
    ": ",
    "; ",
    "== ",
    "=",
    "----",
    "-",
    "-{",
    "}-",
    "+ ",
    "1. ",
    "2) ",
    "http://example.org",
    "mailto:a@b.c",
    "www.a.b",
    "RFC 12",
    "ISBN 1",
    "`",
    "``",
    "```",
    "~~~",
    "*",
    "**",
    "\\",
    "\\|",
    "![a](b)",
    "[a](javascript:b)",
    "$x$",
    "{% raw %}",
    "\"",
    "\" onclick=\"x",
    "\t",
    "\n",
    "\n\n",
    "\r\n",
    "    ",
    " ",
    "\u{202e}",
    "\u{200b}",
    "\u{7f}",
    "\0",
    "\x1b[31m",
    "é",
    "→",
    "x",
    "word",
    "a b",
];

fn nasty() -> impl Strategy<Value = String> {
    // something to see in every text: an empty one is no text of a book
    prop::collection::vec(prop::sample::select(NASTY), 0..6)
        .prop_map(|pieces| format!("{}w{}", pieces.concat(), pieces.concat()))
}

/// A page with these texts in every place that a text can stand in.
fn page(texts: &[String]) -> Document {
    let mut next = texts.iter().cycle().cloned();
    let mut text = || next.next().unwrap();
    let line = |text: String| vec![Inline::Text(text)];
    let at = Page { file: "page".into(), wiki: mediawiki::title_of(&text()) };
    let rich = vec![
        Inline::text("see "),
        Inline::Strong(line(format!("s{}s", text()))),
        Inline::text(" "),
        Inline::Emphasis(line(format!("e{}e", text()))),
        Inline::text(" "),
        Inline::Strong(vec![Inline::text("b "), Inline::Strong(vec![Inline::Emphasis(line(format!("n{}n", text())))])]),
        Inline::text(" "),
        Inline::Code(text()),
        Inline::text(" "),
        Inline::Link(To::Page(at.clone(), None), line(text())),
        Inline::text(" "),
        Inline::Link(To::address("https://example.org/?a=b&c=d").unwrap(), line(text())),
    ];
    let run =
        Ran { at: "2026-11-22T03:15:00Z".parse().unwrap(), by: text(), outcome: text(), took: Period::seconds(9) };
    Document {
        page: at.clone(),
        above: Some((at, text())),
        title: text(),
        lead: vec![Block::Paragraph(line(text()))],
        last_run: Some(LastRun { run: Some(run), stale_after: None }),
        blocks: vec![
            Block::Heading(1, line(text())),
            Block::Paragraph(rich),
            Block::Facts(vec![(text(), line(text())), (text(), vec![Inline::Code(text())])]),
            Block::Heading(2, vec![Inline::Code(text())]),
            Block::List {
                ordered: false,
                items: vec![
                    vec![Block::Paragraph(line(text()))],
                    vec![
                        Block::Paragraph(vec![Inline::Code(text())]),
                        Block::List { ordered: true, items: vec![vec![Block::Paragraph(line(text()))]] },
                    ],
                ],
            },
            Block::Paragraph(line(text())),
            Block::List { ordered: true, items: vec![vec![Block::Code { place: None, text: text() }]] },
            Block::Notice { label: text(), body: vec![Block::Paragraph(line(text())), Block::Paragraph(line(text()))] },
            Block::Code {
                place: Some(Place { hosts: vec![HostName::new(text())], user: Some(text()), in_book: false }),
                text: text(),
            },
            Block::Table {
                caption: line(text()),
                head: vec![text(), text()],
                rows: vec![
                    vec![line(text()), vec![Inline::Code(text())]],
                    vec![vec![Inline::Code(text())], line(text())],
                ],
            },
        ],
        category: Some(text()),
    }
}

/// The same page with other texts: each as many lines of code as before, all of them harmless.
fn benign(text: &str) -> String {
    neutralise(text).trim_end_matches('\n').split('\n').map(|_| "x").collect::<Vec<_>>().join("\n")
}

/// A text as it must be seen: what is invisible made visible; blanks and colons aside, which labels bring along.
fn seen(text: &str) -> String {
    neutralise(text).chars().filter(|c| !c.is_whitespace() && *c != ':').collect()
}

fn of_inlines(inlines: &[Inline], out: &mut String) {
    inlines.iter().for_each(|inline| out.push_str(&Inline::plain(std::slice::from_ref(inline))));
}

/// Everything that a reader sees of these blocks, in order.
fn of_blocks(blocks: &[Block], out: &mut String) {
    for block in blocks {
        match block {
            Block::Heading(_, text) | Block::Paragraph(text) => of_inlines(text, out),
            Block::List { items, .. } => items.iter().for_each(|item| of_blocks(item, out)),
            Block::Facts(facts) => facts.iter().for_each(|(name, value)| {
                out.push_str(name);
                of_inlines(value, out);
            }),
            Block::Notice { label, body } => {
                out.push_str(label);
                of_blocks(body, out);
            }
            Block::Code { place, text } => {
                out.extend(place.iter().map(Place::words));
                out.push_str(text);
            }
            Block::Table { caption, head, rows } => {
                of_inlines(caption, out);
                out.extend(head.iter().map(String::as_str));
                rows.iter().flatten().for_each(|cell| of_inlines(cell, out));
            }
        }
    }
}

fn of_page(document: &Document) -> String {
    let mut out = document.title.clone();
    of_blocks(&document.lead, &mut out);
    out.extend(document.last_run.iter().map(|last| format!("Last run:{}", last.words())));
    of_blocks(&document.blocks, &mut out);
    seen(&out)
}

/// The tags of a page, with their attributes' names, and its text within `<main>`.
fn html_parts(html: &str) -> (Vec<String>, String, Vec<String>) {
    let mut tags = Vec::new();
    let mut text = String::new();
    let mut wrong = Vec::new();
    let mut inside = false;
    for token in Tokenizer::new(html) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => {
                let name = String::from_utf8_lossy(&tag.name).into_owned();
                inside |= name == "main";
                let names: Vec<String> =
                    tag.attributes.keys().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
                tags.push(format!("{name} {}", names.join(" ")));
            }
            Token::EndTag(tag) => inside &= &**tag.name != b"main",
            Token::String(string) if inside => text.push_str(&String::from_utf8_lossy(&string)),
            Token::String(_) | Token::Doctype(_) => {}
            Token::Comment(comment) => wrong.push(format!("{comment:?}")),
            Token::Error(error) => wrong.push(format!("{error:?}")),
        }
    }
    (tags, seen(&text), wrong)
}

/// What Markdown makes of it: its text, and the kinds of everything else.
fn markdown_parts(text: &str) -> (String, BTreeSet<String>) {
    let mut seen_text = String::new();
    let mut kinds = BTreeSet::new();
    for event in Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Text(text) | Event::Code(text) => seen_text.push_str(&text),
            Event::Start(Tag::Link { dest_url, .. }) => drop(kinds.insert(format!("link to {dest_url}"))),
            Event::Start(tag) => {
                let kind = format!("{tag:?}");
                kinds.insert(kind.split([' ', '(', '{']).next().unwrap().to_owned());
            }
            // the one tag of ours: code with a bar in a table
            Event::InlineHtml(html) if ["<code>", "</code>"].contains(&&*html) => {}
            Event::Html(html) | Event::InlineHtml(html) => drop(kinds.insert(format!("html {}", html.trim()))),
            Event::End(_) | Event::SoftBreak | Event::HardBreak | Event::Rule => {}
            other => drop(kinds.insert(format!("{other:?}"))),
        }
    }
    (seen(&seen_text), kinds)
}

/// What the wiki obeys, within a line.
const ACTIVE: &[&str] = &[
    "<", ">", "[[", "]]", "[", "]", "{{", "}}", "{|", "|}", "-{", "'''", "''", "~~~", "__", "://", "mailto:", "|",
    "!!", "RFC 1", "ISBN 1",
];

/// Compares a page's wikitext with that of the same page with harmless texts, line by line: nothing that the wiki obeys may
/// be in the one and not in the other.
fn same_wikitext(nasty: &str, harmless: &str) -> Result<(), String> {
    let mut preformatted = false;
    if nasty.lines().count() != harmless.lines().count() {
        return Err(format!("lines were added:\n{nasty}\n---\n{harmless}"));
    }
    // a title is no text: it has fewer characters, and stands where few of them mean anything
    let title = regex::Regex::new(r"\[\[(:|Category:)([^|\]]*)").unwrap();
    for found in title.captures_iter(nasty) {
        if found[2].contains(['<', '>', '[', '{', '}', '#', '_', '~'])
            || found[2].contains("''")
            || found[2].contains("://")
        {
            return Err(format!("a title: {}", &found[0]));
        }
    }
    let (nasty, harmless) = (title.replace_all(nasty, "[[$1"), title.replace_all(harmless, "[[$1"));
    for (line, plain) in nasty.lines().zip(harmless.lines()) {
        preformatted = (preformatted || plain == "<pre>") && !plain.contains("</pre>");
        if line.chars().any(|c| c.is_control() && c != '\t') {
            return Err(format!("a control character: {line:?}"));
        }
        let tokens: &[&str] =
            if preformatted || plain.contains("</pre>") { &["<", ">", "[[", "{{", "~~~"] } else { ACTIVE };
        for token in tokens {
            if line.matches(token).count() != plain.matches(token).count() {
                return Err(format!("`{token}` in {line:?}, and not in {plain:?}"));
            }
        }
        let starts = plain.starts_with('x') && !preformatted;
        if starts && line.starts_with(['*', '#', ':', ';', '=', ' ', '-', '|', '!', '{']) {
            return Err(format!("begins with markup: {line:?}"));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_html(texts in prop::collection::vec(nasty(), 1..6)) {
        let document = page(&texts);
        let (tags, text, wrong) = html_parts(&html::render(&document));
        let benign: Vec<String> = texts.iter().map(|text| benign(text)).collect();
        let (wanted, ..) = html_parts(&html::render(&page(&benign)));
        prop_assert_eq!(tags, wanted);
        prop_assert_eq!(text, of_page(&document));
        prop_assert_eq!(wrong, Vec::<String>::new());
    }

    #[test]
    fn in_markdown(texts in prop::collection::vec(nasty(), 1..6)) {
        let document = Document { above: None, ..page(&texts) };
        let rendered = markdown::render(&document);
        let (text, kinds) = markdown_parts(&rendered);
        let benign: Vec<String> = texts.iter().map(|text| benign(text)).collect();
        let (_, wanted) = markdown_parts(&markdown::render(&Document { above: None, ..page(&benign) }));
        prop_assert_eq!(kinds, wanted, "{}", rendered);
        prop_assert_eq!(text, of_page(&document), "{}", rendered);
    }

    #[test]
    fn in_wikitext(texts in prop::collection::vec(nasty(), 1..6)) {
        let benign: Vec<String> = texts.iter().map(|text| benign(text)).collect();
        let (rendered, wanted) = (mediawiki::render(&page(&texts)), mediawiki::render(&page(&benign)));
        prop_assert!(same_wikitext(&rendered, &wanted).is_ok(), "{}", same_wikitext(&rendered, &wanted).unwrap_err());
    }

    #[test]
    fn the_last_run_can_be_taken_out(texts in prop::collection::vec(nasty(), 1..6)) {
        let document = page(&texts);
        let without = mediawiki::render(&document.without_last_run());
        prop_assert_eq!(mediawiki::without_last_run(&mediawiki::render(&document)), without.clone());
        prop_assert_eq!(mediawiki::without_last_run(&without), without);
    }
}
