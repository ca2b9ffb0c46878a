//! A page as MediaWiki's wikitext.
//!
//! Whatever of a text the wiki would obey is written as an entity: braces of templates, brackets of links, tags, quotes,
//! signatures, magic words, what means something at the start of a line, addresses that would become links by themselves.
//! So no text can end what it stands in, and the page shows it as it is.

use std::fmt::Write as _;

use super::document::{Block, Document, Inline, Place, To};
use super::last_run::LastRun;
use crate::vocab::neutral::neutralise;

/// Before the box of the last run. No text of a page can hold it: its `<` would be an entity.
const LAST_RUN: &str = "<!-- last run: begin -->";
/// Behind it.
const LAST_RUN_ENDS: &str = "<!-- last run: end -->";

const NOTICE: &str = "border:2px solid #b32424; background:#fee7e6; color:#202122; padding:0.5em 1em; margin:1em 0";
const BOX: &str = "border:1px solid #a2a9b1; background:#f8f9fa; color:#202122; padding:0.5em 1em; margin:1em 0";
const STALE: &str = "border:2px solid #ac6600; background:#fef6e7; color:#202122; padding:0.5em 1em; margin:1em 0";

/// The page as wikitext. It ends with a newline, which the wiki does not keep.
pub fn render(document: &Document) -> String {
    let mut out = String::new();
    // the wiki's own heading is the page's name in the wiki
    if document.above.is_some() {
        let _ = writeln!(out, "'''{}'''\n", escape(&document.title, true));
    }
    blocks(&mut out, &document.lead);
    if let Some(last) = &document.last_run {
        out.push_str(&last_run(last));
        out.push('\n');
    }
    blocks(&mut out, &document.blocks);
    if let Some((page, title)) = &document.above {
        let _ = writeln!(out, "----\n{}\n", link(&To::Page(page.clone(), None), &escape(title, true)));
    }
    if let Some(category) = &document.category {
        let _ = writeln!(out, "[[Category:{}]]", title_of(category));
    }
    let end = out.trim_end().len();
    out.truncate(end);
    out.push('\n');
    out
}

/// The box of the last run, with the marks that [`without_last_run`] finds it by.
pub fn last_run(last: &LastRun) -> String {
    let style = if last.is_stale() { STALE } else { BOX };
    format!(
        "{LAST_RUN}\n<div style=\"{style}\">'''Last run:''' {}</div>\n{LAST_RUN_ENDS}\n",
        escape(&last.words(), false)
    )
}

/// A page's wikitext without the box of the last run: what `render` gives for [`Document::without_last_run`].
pub fn without_last_run(wikitext: &str) -> String {
    let Some((before, rest)) = wikitext.split_once(&format!("{LAST_RUN}\n")) else { return wikitext.to_owned() };
    let Some((_, behind)) = rest.split_once(LAST_RUN_ENDS) else { return wikitext.to_owned() };
    format!("{before}{}", behind.trim_start_matches('\n'))
}

/// A text as a title of the wiki: without what no title may hold.
pub fn title_of(text: &str) -> String {
    let kept: String = neutralise(text).chars().map(|c| if "#<>[]|{}_\n\t~&%".contains(c) { ' ' } else { c }).collect();
    let mut title = kept.split_whitespace().collect::<Vec<_>>().join(" ");
    // two of these are bold, or a link of another kind
    for (pair, one) in [("''", "'"), ("//", "/"), ("!!", "!")] {
        while title.contains(pair) {
            title = title.replace(pair, one);
        }
    }
    title.trim_start_matches([':', '/', ' ']).to_owned()
}

fn blocks(out: &mut String, blocks: &[Block]) {
    for block in blocks {
        self::block(out, block);
    }
}

fn block(out: &mut String, block: &Block) {
    match block {
        Block::Heading(level, text) => {
            let marks = "=".repeat(usize::from(*level) + 1);
            let _ = writeln!(out, "{marks} {} {marks}\n", inlines(text, true));
        }
        Block::Paragraph(text) => {
            let _ = writeln!(out, "{}\n", inlines(text, true));
        }
        Block::List { ordered, items } => {
            if items.iter().all(|item| is_simple(item)) {
                list(out, *ordered, items, "");
            } else {
                html_list(out, *ordered, items);
            }
            out.push('\n');
        }
        Block::Facts(facts) => {
            for (name, value) in facts {
                let _ = writeln!(out, "* '''{}:''' {}", escape(name, true), inlines(value, false));
            }
            out.push('\n');
        }
        Block::Notice { label, body } => {
            let _ = writeln!(out, "<div style=\"{NOTICE}\">");
            if let Some((Block::Paragraph(first), rest)) = body.split_first() {
                let _ = writeln!(out, "'''{}:''' {}\n", escape(label, true), inlines(first, false));
                blocks(out, rest);
            } else {
                let _ = writeln!(out, "'''{}:'''\n", escape(label, true));
                blocks(out, body);
            }
            out.push_str("</div>\n\n");
        }
        Block::Code { place, text } => {
            if let Some(place) = place {
                let _ = writeln!(out, "{}:", caption(place));
            }
            let _ = writeln!(out, "<pre>\n{}</pre>\n", preformatted(text));
        }
        Block::Table { caption, head, rows } => {
            out.push_str("{| class=\"wikitable\"\n");
            if !caption.is_empty() {
                let _ = writeln!(out, "|+ {}", inlines(caption, true));
            }
            for column in head {
                let _ = writeln!(out, "! scope=\"col\" | {}", escape(column, true));
            }
            for row in rows {
                out.push_str("|-\n");
                for cell in row {
                    let _ = writeln!(out, "| {}", inlines(cell, true));
                }
            }
            out.push_str("|}\n\n");
        }
    }
}

fn caption(place: &Place) -> String {
    format!("''{}''", escape(&place.words(), true))
}

/// Whether a list's item fits on a line, with a list of such items below it.
fn is_simple(item: &[Block]) -> bool {
    match item {
        [Block::Paragraph(_)] => true,
        [Block::Paragraph(_), Block::List { items, .. }] => items.iter().all(|item| is_simple(item)),
        _ => false,
    }
}

fn list(out: &mut String, ordered: bool, items: &[Vec<Block>], around: &str) {
    let mark = format!("{around}{}", if ordered { '#' } else { '*' });
    for item in items {
        for block in item {
            match block {
                Block::Paragraph(text) => {
                    let _ = writeln!(out, "{mark} {}", inlines(text, true));
                }
                Block::List { ordered, items } => list(out, *ordered, items, &mark),
                // no item of a simple list
                Block::Heading(..)
                | Block::Facts(_)
                | Block::Notice { .. }
                | Block::Code { .. }
                | Block::Table { .. } => {}
            }
        }
    }
}

fn html_list(out: &mut String, ordered: bool, items: &[Vec<Block>]) {
    let tag = if ordered { "ol" } else { "ul" };
    let _ = writeln!(out, "<{tag}>");
    for item in items {
        out.push_str("<li>\n");
        blocks(out, item);
        out.push_str("</li>\n");
    }
    let _ = writeln!(out, "</{tag}>");
}

fn inlines(inlines: &[Inline], start: bool) -> String {
    nested(inlines, start, false)
}

/// `inside` of what stands out already: quotes within quotes, or beside others, would be read as one.
fn nested(inlines: &[Inline], start: bool, inside: bool) -> String {
    let mut out = String::new();
    for inline in inlines {
        let start = start && out.is_empty();
        let inside = inside || out.ends_with('\'');
        match inline {
            Inline::Text(text) => out.push_str(&escape(text, start)),
            Inline::Code(text) => {
                let _ = write!(out, "<code>{}</code>", escape(text, false));
            }
            Inline::Strong(inner) => {
                let (opens, closes) = if inside { ("<b>", "</b>") } else { ("'''", "'''") };
                let _ = write!(out, "{opens}{}{closes}", nested(inner, start, true));
            }
            Inline::Emphasis(inner) => {
                let (opens, closes) = if inside { ("<i>", "</i>") } else { ("''", "''") };
                let _ = write!(out, "{opens}{}{closes}", nested(inner, start, true));
            }
            Inline::Link(to, inner) => out.push_str(&link(to, &nested(inner, false, inside))),
        }
    }
    out
}

/// A link around a text that is escaped already.
fn link(to: &To, text: &str) -> String {
    match to {
        To::Page(page, section) => {
            let section = section.as_ref().map(|section| format!("#{}", anchor(section))).unwrap_or_default();
            format!("[[:{}{section}|{text}]]", title_of(&page.wiki))
        }
        To::Address(address) => format!("[{} {text}]", address.replace('\'', "%27")),
    }
}

/// A heading's name within its page.
fn anchor(heading: &str) -> String {
    let heading = neutralise(heading);
    let mut out = String::new();
    for c in heading.split_whitespace().collect::<Vec<_>>().join("_").chars() {
        if "[]{}|<>#&'%~".contains(c) {
            let _ = write!(out, "&#{};", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// A text with everything that the wiki would obey written as entities, on one line. `start`: it begins a line.
fn escape(text: &str, start: bool) -> String {
    let text = neutralise(text).replace(['\n', '\t'], " ");
    let text = if start { text.trim_start() } else { &text };
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    for (at, &c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| chars[at]);
        let after = chars.get(at + 1).copied();
        let beside = |wanted: char| before == Some(wanted) || after == Some(wanted);
        let at_an_end = at == 0 || after.is_none();
        let special = match c {
            '&' | '<' | '>' | '[' | ']' | '|' => true,
            // several of these mean something, and what stands beside this text is not known
            '\'' | '~' | '{' | '}' => beside(c) || at_an_end,
            '_' | '!' => beside(c) || (start && at == 0),
            '*' | '#' | ';' | '=' => start && at == 0,
            // `----` at the start is a rule, `-{` converts languages
            '-' => (start && at == 0) || after == Some('{'),
            ':' => (start && at == 0) || starts_address(&chars[..at], &chars[at + 1..]),
            ' ' => is_number_behind(&chars[..at], after),
            _ => false,
        };
        if special {
            let _ = write!(out, "&#{};", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Protocols that make a link of what follows, without `//`.
const PROTOCOLS: &[&str] =
    &["bitcoin", "geo", "magnet", "mailto", "matrix", "news", "sip", "sips", "sms", "tel", "urn", "xmpp"];

/// Whether a colon between these would make a link of its own accord.
fn starts_address(before: &[char], behind: &[char]) -> bool {
    if behind.starts_with(&['/', '/']) {
        return true;
    }
    let word: String = before.iter().rev().take_while(|c| c.is_ascii_alphabetic()).take(9).collect();
    let word: String = word.chars().rev().collect::<String>().to_ascii_lowercase();
    PROTOCOLS.iter().any(|protocol| word.ends_with(protocol))
}

/// `RFC 1`, `PMID 1`, `ISBN 1` are links by themselves.
fn is_number_behind(before: &[char], after: Option<char>) -> bool {
    let ends =
        |word: &str| before.len() >= word.len() && before[before.len() - word.len()..].iter().copied().eq(word.chars());
    after.is_some_and(|c| c.is_ascii_digit()) && (ends("RFC") || ends("PMID") || ends("ISBN"))
}

/// A text that keeps its lines, for `<pre>`: the wiki obeys nothing in there but entities and the closing tag. What would be
/// obeyed elsewhere is an entity all the same, as far as it is rare: such pages are copied by hand.
fn preformatted(text: &str) -> String {
    let text = neutralise(text);
    let text = text.trim_end_matches('\n');
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len() + 1);
    for (at, &c) in chars.iter().enumerate() {
        let beside = |wanted: char| {
            at.checked_sub(1).map(|at| chars[at]) == Some(wanted) || chars.get(at + 1).copied() == Some(wanted)
        };
        let special = match c {
            '&' | '<' | '>' => true,
            '[' | ']' | '{' | '}' | '~' => beside(c),
            _ => false,
        };
        if special {
            let _ = write!(out, "&#{};", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_the_wiki_obeys_survives() {
        for (text, escaped) in [
            ("{{evil}}", "&#123;&#123;evil&#125;&#125;"),
            ("[[Category:X]]", "&#91;&#91;Category:X&#93;&#93;"),
            ("<script>&amp;", "&#60;script&#62;&#38;amp;"),
            ("a '''b''' it's", "a &#39;&#39;&#39;b&#39;&#39;&#39; it's"),
            ("~~~~ ~/x", "&#126;&#126;&#126;&#126; ~/x"),
            ("__NOTOC__ a_b", "&#95;&#95;NOTOC&#95;&#95; a_b"),
            ("  * x", "&#42; x"),
            ("== x", "&#61;= x"),
            ("a|b", "a&#124;b"),
            ("see http://x/ or mailto:a", "see http&#58;//x/ or mailto&#58;a"),
            ("at 12:30, RFC 2616", "at 12:30, RFC&#32;2616"),
            ("a\n# b", "a # b"),
            ("\u{202e}x", "\\u{202e}x"),
            ("dfw-jobs{01,02} -{x}- {| |}", "dfw-jobs{01,02} &#45;{x}- {&#124; &#124;&#125;"),
        ] {
            assert_eq!(escape(text, true), escaped, "{text}");
        }
        assert_eq!(
            preformatted("awk '{ print }' </pre> ${{ x }} [[a]]\n"),
            "awk '{ print }' &#60;/pre&#62; $&#123;&#123; x &#125;&#125; &#91;&#91;a&#93;&#93;\n"
        );
    }

    #[test]
    fn a_title_holds_nothing_that_no_title_may() {
        assert_eq!(title_of("Runbook:a_[b]|c#d{e}"), "Runbook:a b c d e");
        assert_eq!(title_of(":x"), "x");
    }
}
