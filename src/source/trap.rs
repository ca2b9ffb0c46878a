//! YAML's traps: errors of the parser told in the words of a runbook's author.
//!
//! Apart because it is knowledge about people, not about the language: what they write when they fall into YAML's
//! corners, and what they meant.

use std::sync::Arc;

use granit_parser::{ErrorKind, ScanError};

use super::diagnostic::Diagnostic;
use super::text::{SourceText, Span};

/// What the parser stumbled over.
pub(super) fn syntax(source: &Arc<SourceText>, error: &ScanError) -> Diagnostic {
    let at = source.floor(error.marker().byte_offset().unwrap_or_default());
    let line = source.line(source.line_of(at));
    let text = source.text();
    let key = text[line.clone()].trim_start().trim_start_matches("- ").split(':').next().unwrap_or_default().trim();
    let is_expression = matches!(key, "expect" | "every" | "none" | "if");
    let (message, help): (String, Option<String>) = match error.kind() {
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => (
            "a text in quotes ends here, and more follows".to_owned(),
            Some(if is_expression {
                "an expression that begins with a quote needs quotes around the whole: `expect: \"'ok' in stdout\"`"
                    .to_owned()
            } else {
                "put the whole value in quotes of the other kind, or write it as a block behind `|`".to_owned()
            }),
        ),
        ErrorKind::TabInBlockIndentation
        | ErrorKind::TabNotAllowed
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart => {
            ("a tab stands where the line is indented".to_owned(), Some("indent with blanks".to_owned()))
        }
        ErrorKind::UnexpectedCharacter { character: ch @ ('@' | '`' | '%') } => (
            format!("a text without quotes cannot begin with the character {ch}"),
            Some("put the value in quotes".to_owned()),
        ),
        ErrorKind::UnexpectedCharacter { character } => (
            format!("the character {} may not stand in YAML", character.escape_default()),
            Some(format!("in a text in double quotes it can be written `\\x{:02x}`", u32::from(*character))),
        ),
        ErrorKind::MappingValueNotAllowed => (
            "a second `: ` stands where a value is".to_owned(),
            Some(
                "put a value that holds `: ` in quotes, or write it as a block behind `|`; or check the indentation"
                    .to_owned(),
            ),
        ),
        ErrorKind::MissingAnchorOrAliasName => (
            "a text without quotes cannot begin with `*` or `&`".to_owned(),
            Some("put the value in quotes".to_owned()),
        ),
        ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::ExpectedFlowSequenceSeparator
            if text[line.clone()].contains("${{") =>
        {
            (
                "inside `{ … }` and `[ … ]` an interpolation needs quotes".to_owned(),
                Some("write `\"${{ … }}\"`".to_owned()),
            )
        }
        ErrorKind::InvalidColonPlacement => (
            "a `:` stands where none may".to_owned(),
            Some("check that the quotes, `[` and `{` before it are closed".to_owned()),
        ),
        ErrorKind::UnknownAnchor if is_expression || text[at..].starts_with('*') => (
            "a text without quotes cannot begin with `*`: it names an anchor, and there is none of this name"
                .to_owned(),
            Some("put the value in quotes".to_owned()),
        ),
        ErrorKind::UnclosedFlowCollection { open } => (
            format!("`{open}` is not closed"),
            (*open == '{').then(|| "a text that begins with `{` needs quotes".to_owned()),
        ),
        ErrorKind::UnknownQuotedScalarEscape => (
            "the text in double quotes holds an escape that YAML does not know".to_owned(),
            Some("in single quotes a backslash is only itself: `'\\d+'`".to_owned()),
        ),
        ErrorKind::UnclosedQuotedScalar => ("the quotes are not closed".to_owned(), None),
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::ExpectedBlockSequenceEntry | ErrorKind::InvalidIndentation => {
            (error.kind().to_string(), Some("check the indentation of this line and the one before".to_owned()))
        }
        ErrorKind::RecursionLimitExceeded => ("the file nests too deep".to_owned(), None),
        other => (other.to_string(), None),
    };
    let end = text[at..].chars().next().filter(|ch| *ch != '\n').map_or(at, |ch| at + ch.len_utf8());
    Diagnostic::error("yaml", message).at(source, at..end, "").maybe_help(help)
}

/// A tag (`!x`), which is almost always a negation that was meant.
pub(super) fn tag(source: &Arc<SourceText>, span: Span, text: &str) -> Diagnostic {
    let written = source.text().get(span.clone()).unwrap_or_default();
    let name = written.trim_start_matches('!');
    let help = if written.starts_with("!!") {
        "put the value in quotes to make it a text".to_owned()
    } else {
        let rest = if text.is_empty() { String::new() } else { format!(" {text}") };
        format!("to negate write `not {name}{rest}`; a text that begins with `!` needs quotes: `\"{written}{rest}\"`")
    };
    Diagnostic::error("tag", format!("`{written}` is a YAML tag, and the language has none"))
        .at(source, span, "")
        .help(help)
}
