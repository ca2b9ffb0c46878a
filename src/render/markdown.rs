//! A page as Markdown: CommonMark with GitHub's tables.

use std::fmt::Write as _;

use super::document::{Block, Document, Inline, To, slug};
use crate::vocab::neutral::neutralise;

/// The page as Markdown.
pub fn render(document: &Document) -> String {
    let mut out = format!("# {}\n\n", escape(&document.title, true));
    blocks(&mut out, &document.lead);
    if let Some(last) = &document.last_run {
        let _ = writeln!(out, "> **Last run:** {}\n", escape(&last.words(), false));
    }
    blocks(&mut out, &document.blocks);
    if let Some((page, title)) = &document.above {
        let _ = writeln!(out, "---\n\n{}\n", link(&To::Page(page.clone(), None), &escape(title, false)));
    }
    let end = out.trim_end().len();
    out.truncate(end);
    out.push('\n');
    out
}

fn blocks(out: &mut String, blocks: &[Block]) {
    let mut after_list = false;
    for block in blocks {
        let is_list = matches!(block, Block::List { .. } | Block::Facts(_));
        if is_list && after_list {
            // two lists in a row would be one
            out.push_str("<!-- -->\n\n");
        }
        self::block(out, block);
        after_list = is_list;
    }
}

fn block(out: &mut String, block: &Block) {
    match block {
        Block::Heading(level, text) => {
            let marks = "#".repeat(usize::from(*level) + 1);
            let _ = writeln!(out, "{marks} {}\n", inlines(text, false, false).trim_start());
        }
        Block::Paragraph(text) => {
            let _ = writeln!(out, "{}\n", inlines(text, true, false));
        }
        Block::List { ordered, items } => {
            for (index, item) in items.iter().enumerate() {
                let mark = if *ordered { format!("{}. ", index + 1) } else { "- ".to_owned() };
                let mut inner = String::new();
                blocks(&mut inner, item);
                out.push_str(&within(&inner, &mark, &" ".repeat(mark.len())));
            }
            out.push('\n');
        }
        Block::Facts(facts) => {
            for (name, value) in facts {
                let _ = writeln!(out, "- **{}:** {}", escape(name, true), inlines(value, false, false));
            }
            out.push('\n');
        }
        Block::Notice { label, body } => {
            let mut inner = format!("**{}:**", escape(label, true));
            if let Some((Block::Paragraph(first), rest)) = body.split_first() {
                let _ = writeln!(inner, " {}\n", inlines(first, false, false));
                blocks(&mut inner, rest);
            } else {
                inner.push_str("\n\n");
                blocks(&mut inner, body);
            }
            out.push_str(&within(&inner, "> ", "> "));
            out.push('\n');
        }
        Block::Code { place, text } => {
            if let Some(place) = place {
                let _ = writeln!(out, "*{}:*\n", escape(&place.words(), true));
            }
            let text = neutralise(text);
            let fence = fence(&text, 3);
            let language = if place.is_some() { "sh" } else { "" };
            let _ = writeln!(out, "{fence}{language}\n{}\n{fence}\n", text.trim_end_matches('\n'));
        }
        Block::Table { caption, head, rows } => {
            if !caption.is_empty() {
                let _ = writeln!(out, "{}\n", inlines(caption, true, false));
            }
            let head: Vec<String> = head.iter().map(|column| escape_in(column, true, true)).collect();
            let _ = writeln!(out, "| {} |", head.join(" | "));
            let _ = writeln!(out, "|{}", " --- |".repeat(head.len()));
            for row in rows {
                let cells: Vec<String> = row.iter().map(|cell| inlines(cell, true, true)).collect();
                let _ = writeln!(out, "| {} |", cells.join(" | "));
            }
            out.push('\n');
        }
    }
}

/// A text's lines behind a mark, the later ones behind another.
fn within(inner: &str, first: &str, later: &str) -> String {
    let mut out = String::new();
    for (index, line) in inner.trim_end().lines().enumerate() {
        let mark = if index == 0 { first } else { later };
        let _ = writeln!(out, "{}", format!("{mark}{line}").trim_end());
    }
    out
}

fn inlines(inlines: &[Inline], start: bool, cell: bool) -> String {
    nested(inlines, start, cell, (false, false))
}

/// `inside` of what is strong, and of what is emphasised: there the same marks once more would be stars.
fn nested(inlines: &[Inline], start: bool, cell: bool, inside: (bool, bool)) -> String {
    let (strong, emphasised) = inside;
    let mut out = String::new();
    for inline in inlines {
        let start = start && out.is_empty();
        match inline {
            Inline::Text(text) => out.push_str(&escape_in(text, start, cell)),
            Inline::Code(text) => out.push_str(&code(text, cell)),
            Inline::Strong(inner) => {
                let mark = if strong { "" } else { "**" };
                let _ = write!(out, "{mark}{}{mark}", nested(inner, start, cell, (true, emphasised)));
            }
            Inline::Emphasis(inner) => {
                let mark = if emphasised { "" } else { "*" };
                let _ = write!(out, "{mark}{}{mark}", nested(inner, start, cell, (strong, true)));
            }
            Inline::Link(to, inner) => out.push_str(&link(to, &nested(inner, false, cell, inside))),
        }
    }
    out
}

fn code(text: &str, cell: bool) -> String {
    let text = neutralise(text).replace(['\n', '\t'], " ");
    if text.trim().is_empty() {
        return String::new();
    }
    if cell && text.contains('|') {
        // a table is cut at its bars before code is found, and what a backslash before them means differs
        return format!("<code>{}</code>", text.chars().map(entity).collect::<String>());
    }
    let fence = fence(&text, 1);
    // a blank at both ends is taken away; a backtick at one would join the fence
    let padded = text.starts_with('`') || text.ends_with('`') || (text.starts_with(' ') && text.ends_with(' '));
    let pad = if padded { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A character that means nothing to anyone.
fn entity(c: char) -> String {
    if c.is_ascii_punctuation() { format!("&#{};", u32::from(c)) } else { c.to_string() }
}

/// So many backticks as the text has not in a row.
fn fence(text: &str, least: usize) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(least.max(longest + 1))
}

fn link(to: &To, text: &str) -> String {
    match to {
        To::Page(page, section) => {
            let section = section.as_ref().map(|section| format!("#{}", slug(section))).unwrap_or_default();
            format!("[{text}](<{}.md{section}>)", page.file)
        }
        To::Address(address) => format!("[{text}](<{address}>)"),
    }
}

/// A text with everything that Markdown would obey behind a backslash, on one line. `start`: it begins a block.
fn escape(text: &str, start: bool) -> String {
    escape_in(text, start, false)
}

/// The same; in a table's cell a bar would end it.
fn escape_in(text: &str, start: bool, cell: bool) -> String {
    let text = neutralise(text).replace(['\n', '\t'], " ");
    let text = if start { text.trim_start() } else { &text };
    let chars: Vec<char> = text.chars().collect();
    let digits = chars.iter().take_while(|c| c.is_ascii_digit()).count();
    let mut out = String::with_capacity(text.len());
    for (at, &c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| chars[at]);
        let after = chars.get(at + 1).copied();
        let within_word = before.is_some_and(char::is_alphanumeric) && after.is_some_and(char::is_alphanumeric);
        let special = match c {
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '&' | '~' | '$' => true,
            '|' if cell => {
                out.push_str(&entity(c));
                continue;
            }
            // Liquid, where GitHub's pages are made
            '{' | '}' => [before, after].iter().any(|beside| matches!(beside, Some('{' | '}' | '%'))),
            '_' => !within_word,
            // at the end of a heading they would close it
            '#' if chars[at..].iter().all(|c| c.is_whitespace() || *c == '#') => true,
            '#' | '+' | '-' | '=' => start && at == 0,
            '.' | ')' => start && at == digits && digits > 0 || ends_with(&chars[..at], "www"),
            // what looks like an address is a link of its own accord; so is what looks like one of mail
            ':' => chars[at + 1..].starts_with(&['/', '/']) || ends_with(&chars[..at], "mailto"),
            '@' => within_word,
            '!' => after.is_none(),
            _ => false,
        };
        if special {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn ends_with(chars: &[char], word: &str) -> bool {
    chars.len() >= word.len() && chars[chars.len() - word.len()..].iter().copied().eq(word.chars())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_markdown_obeys_survives() {
        for (text, escaped) in [
            ("# no heading", "\\# no heading"),
            ("1. no list", "1\\. no list"),
            ("- no list", "\\- no list"),
            ("a_b _c_", "a_b \\_c\\_"),
            ("<b> & [x](y) `z`", "\\<b\\> \\& \\[x\\](y) \\`z\\`"),
            ("a | b {c} {{d}}", "a | b {c} \\{\\{d\\}\\}"),
            ("    code", "code"),
        ] {
            assert_eq!(escape(text, true), escaped, "{text}");
        }
        assert_eq!(code("a `b` c", false), "``a `b` c``");
        assert_eq!(code("`b`", false), "`` `b` ``");
        assert_eq!(code("a|b*", true), "<code>a&#124;b&#42;</code>");
        assert_eq!(escape_in("a|b", false, true), "a&#124;b");
    }
}
