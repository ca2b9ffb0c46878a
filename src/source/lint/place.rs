//! From places in the model back to bytes of the file.
//!
//! The model keeps lines and columns of whole templates and expressions; a complaint about a name inside one needs the
//! name's own place. The text of both is walked side by side: folding, indentation and escapes are skipped over.

use std::sync::Arc;

use super::Linter;
use crate::model::{Expression, Template};
use crate::source::diagnostic::{Diagnostic, Severity};
use crate::source::text::{SourceText, Span};
use crate::vocab::Location;

impl Linter<'_> {
    /// A complaint at a place of the model.
    pub(super) fn at(
        &self,
        severity: Severity,
        code: &'static str,
        location: &Location,
        message: impl Into<String>,
    ) -> Diagnostic {
        self.complain(severity, code, message.into(), location, "", 0)
    }

    /// A complaint at the byte `offset` of an expression.
    pub(super) fn in_expression(
        &self,
        severity: Severity,
        code: &'static str,
        expression: &Expression,
        offset: usize,
        message: impl Into<String>,
    ) -> Diagnostic {
        self.complain(severity, code, message.into(), expression.location(), expression.source(), offset)
    }

    /// A complaint at the byte `offset` of a template.
    pub(super) fn in_template(
        &self,
        severity: Severity,
        code: &'static str,
        template: &Template,
        offset: usize,
        message: impl Into<String>,
    ) -> Diagnostic {
        self.complain(severity, code, message.into(), template.location(), template.source(), offset)
    }

    fn complain(
        &self,
        severity: Severity,
        code: &'static str,
        message: String,
        location: &Location,
        text: &str,
        offset: usize,
    ) -> Diagnostic {
        let found = Diagnostic::new(severity, code, message);
        match self.subject.sources.iter().find(|source| *source.name() == location.file) {
            Some(source) => found.at(source, inside(source, location, text, offset), ""),
            None => found.in_file(&location.file),
        }
    }
}

/// The name at the byte `offset` of `text`, which begins at `location`.
pub(super) fn inside(source: &Arc<SourceText>, location: &Location, text: &str, offset: usize) -> Span {
    word(source, walk(source.text(), source.offset(location), text, offset))
}

/// The stretch that a name, or the like, covers from `start`.
fn word(source: &Arc<SourceText>, start: usize) -> Span {
    let start = source.floor(start);
    let rest = &source.text()[start..];
    let length = if rest.starts_with("${{") {
        rest.find("}}").map_or(3, |end| end + 2).min(rest.find('\n').unwrap_or(rest.len()))
    } else {
        let inside = |ch: char| ch.is_alphanumeric() || matches!(ch, '_' | '.' | '-' | '*' | '?');
        rest.find(|ch| !inside(ch)).unwrap_or(rest.len())
    };
    start..start + length.max(rest.chars().next().filter(|ch| *ch != '\n').map_or(0, char::len_utf8))
}

/// The byte of `file` at which the byte `offset` of `text` stands, when `text` begins at `start`.
fn walk(file: &str, start: usize, text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let bytes = file.as_bytes();
    let blank = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_whitespace);
    let mut at = start;
    let mut wanted = text[..offset].chars().filter(|ch| !ch.is_whitespace()).peekable();
    while let Some(ch) = wanted.next() {
        while blank(at) {
            at += 1;
        }
        // escapes stand before what they mean; in single quotes a quote stands twice
        if !file[at..].starts_with(ch) && file[at..].starts_with('\\') {
            at += 1;
            while file[at..].starts_with(['n', 't', 'r']) && !file[at..].starts_with(ch) {
                at += 1;
                while blank(at) || file[at..].starts_with('\\') && !file[at..].starts_with(ch) {
                    at += 1;
                }
            }
        }
        match file[at..].chars().next() {
            Some(found) => at += found.len_utf8(),
            None => return file.len(),
        }
        if ch == '\'' && file[at..].starts_with('\'') && wanted.peek() != Some(&'\'') {
            at += 1;
        }
    }
    while blank(at) {
        at += 1;
    }
    if file[at..].starts_with('\\') && !text[offset..].trim_start().starts_with('\\') {
        at += 1;
    }
    at.min(file.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_through_quoting_and_folding() {
        let found =
            |file: &str, text: &str, needle: &str| file[walk(file, 0, text, text.find(needle).unwrap())..].to_owned();
        assert_eq!(found("a == b.c", "a == b.c", "b"), "b.c");
        assert_eq!(found("x == ''it'' and y'", "x == 'it' and y", "y"), "y'");
        assert_eq!(found(r#"x == \"it\" and y""#, r#"x == "it" and y"#, "y"), "y\"");
        assert_eq!(found("one\n      and two", "one\nand two", "two"), "two");
        assert_eq!(found(r#"a\n${{ x }}""#, "a\n${{ x }}", "x"), "x }}\"");
        assert_eq!(walk("a", 0, "abcdef", 5), 1);
    }
}
