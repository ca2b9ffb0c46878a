//! Scalars as their author writes them: text, prose, durations, numbers, names.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::source::decode::{Context, Decode, Fields, Take, required, schema};
use crate::source::text::Span;
use crate::source::tree::{Kind, Node, Scalar, Style, Value};
use crate::vocab::Period;

/// Any scalar, as its text: `5`, `0644` and `true` are what they look like, whatever YAML calls them.
#[derive(Clone, Debug)]
pub struct Word {
    /// The text.
    pub text: String,
    /// Where it stands, quotes included.
    pub span: Span,
    /// How it is written.
    pub style: Style,
}

/// A text for people. A number or `true` without quotes is refused: it is never what was meant.
#[derive(Clone, Debug)]
pub struct Prose(pub Word);

/// An expression: `state == "bored"`.
#[derive(Clone, Debug)]
pub struct Expr(pub Word);

/// The id of a step, a precondition, a warning; the name of a probe: letters, digits, `-` and `_`.
#[derive(Clone, Debug)]
pub struct Ident(pub Word);

/// A length of time that is known when the file is read: `90s`, `1h 30m`.
#[derive(Clone, Debug)]
pub struct Length {
    /// The length.
    pub period: Period,
    /// Where it stands.
    pub span: Span,
}

/// A length of time, or a template that gives one.
#[derive(Clone, Debug)]
pub struct LengthText(pub Word);

/// A whole number of at least zero, or a template that gives one.
#[derive(Clone, Debug)]
pub struct CountText(pub Word);

/// A whole number of at least zero.
#[derive(Clone, Debug)]
pub struct Whole {
    /// The number.
    pub number: u32,
    /// Where it stands.
    pub span: Span,
}

/// `true` or `false`.
#[derive(Clone, Copy, Debug)]
pub struct Flag(pub bool);

/// A list of words, or one; it may be empty.
#[derive(Clone, Debug)]
pub struct Words(pub Vec<Word>);

/// One value or a list of them.
#[derive(Clone, Debug)]
pub struct OneOrMany<T> {
    /// The values.
    pub items: Vec<T>,
    /// Whether it was a list.
    pub listed: bool,
    /// Where it stands.
    pub span: Span,
}

impl Word {
    /// The byte of the file at which the byte `offset` of the text stands.
    ///
    /// Exact up to white space: folding and indentation change nothing else, so the n-th visible character of the text
    /// is the n-th visible character of the file's stretch, escapes counted as what they stand for.
    pub fn place(&self, source: &str, offset: usize) -> usize {
        let mut before = self.text[..floor(&self.text, offset)].chars().filter(|ch| !ch.is_whitespace()).count();
        let Some(written) = source.get(self.span.clone()) else { return self.span.start };
        let quoted = usize::from(matches!(self.style, Style::Single | Style::Double) && written.len() >= 2);
        let inner = &written[quoted..written.len() - quoted];
        let mut at = 0;
        while at < inner.len() {
            let (step, visible) = self.unit(&inner[at..]);
            if visible {
                if before == 0 {
                    return self.span.start + quoted + at;
                }
                before -= 1;
            }
            at += step;
        }
        self.span.end - quoted
    }

    /// The bytes of the first character as it is written, and whether it is visible.
    fn unit(&self, written: &str) -> (usize, bool) {
        let mut chars = written.chars();
        let first = chars.next().unwrap_or(' ');
        match (self.style, first) {
            (Style::Single, '\'') => (2.min(written.len()), true),
            (Style::Double, '\\') => {
                let escape = chars.next().unwrap_or(' ');
                let length = match escape {
                    'x' => 4,
                    'u' => 6,
                    'U' => 10,
                    other => 1 + other.len_utf8(),
                };
                let blank =
                    matches!(escape, 't' | 'n' | 'v' | 'f' | 'r' | ' ' | 'N' | '_' | 'L' | 'P' | '\n' | '\r' | '\t');
                (floor(written, length).max(1), !blank)
            }
            _ => (first.len_utf8(), !first.is_whitespace()),
        }
    }
}

fn floor(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn scalar<'n>(node: &'n Node, what: &str, cx: &Context) -> Option<&'n Scalar> {
    match &node.value {
        Value::Scalar(scalar) if !scalar.is_null() => Some(scalar),
        Value::Map(_) if cx.source().text().get(node.span.clone()).is_some_and(|text| text.starts_with("{{")) => {
            let found =
                cx.expected(what, node).help("an interpolation is written `${{ … }}`, and needs quotes in a `{ … }`");
            cx.report(found);
            None
        }
        Value::Scalar(_) | Value::List(_) | Value::Map(_) => {
            cx.report(cx.expected(what, node));
            None
        }
    }
}

fn word(node: &Node, scalar: &Scalar) -> Word {
    Word { text: scalar.text.clone(), span: node.span.clone(), style: scalar.style }
}

impl Decode for Word {
    fn decode(node: &Node, cx: &Context) -> Option<Self> {
        scalar(node, "a text", cx).map(|scalar| word(node, scalar))
    }
}

impl Decode for Prose {
    fn decode(node: &Node, cx: &Context) -> Option<Self> {
        let scalar = scalar(node, "a text", cx)?;
        if scalar.kind() != Kind::Text {
            cx.report(cx.expected("a text", node).help(format!("write `\"{}\"` if it is one", scalar.text)));
            return None;
        }
        if scalar.text.trim().is_empty() {
            cx.fault("no-value", &node.span, "the text is empty");
            return None;
        }
        Some(Self(word(node, scalar)))
    }
}

impl Decode for Expr {
    fn decode(node: &Node, cx: &Context) -> Option<Self> {
        if let Value::List(_) = node.value {
            cx.report(cx.expected("an expression", node).help("join several with `and`"));
            return None;
        }
        scalar(node, "an expression", cx).map(|scalar| Self(word(node, scalar)))
    }
}

impl Decode for Ident {
    fn decode(node: &Node, cx: &Context) -> Option<Self> {
        let scalar = scalar(node, "a name", cx)?;
        is_ident(&scalar.text, &node.span, cx).then(|| Self(word(node, scalar)))
    }
}

/// Whether `text` is an id; reported when it is not.
pub(crate) fn is_ident(text: &str, span: &Span, cx: &Context) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let good =
        text.bytes().all(inner) && text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric) && text.len() <= 100;
    if !good {
        let found = cx.error("bad-name", span, format!("`{text}` is no name"));
        cx.report(found.help("a name is letters, digits, `-` and `_`, and begins with a letter or a digit"));
    }
    good
}

/// Whether `text` can be a variable: a parameter, a captured value, an environment variable; reported when it is not.
pub(crate) fn is_variable(text: &str, what: &str, span: &Span, cx: &Context) -> bool {
    let good = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && text.as_bytes().first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_');
    if !good {
        let found = cx.error("bad-name", span, format!("`{text}` is no name for {what}"));
        cx.report(found.help("it is letters, digits and `_`, and does not begin with a digit"));
    }
    good
}

fn length(node: &Node, scalar: &Scalar, cx: &Context) -> Option<Period> {
    match scalar.text.parse::<Period>() {
        Ok(period) => Some(period),
        Err(error) => {
            let found = cx.error("bad-duration", &node.span, error.to_string());
            let bare = scalar.text.trim();
            let number = !bare.is_empty() && bare.bytes().all(|b| b.is_ascii_digit());
            cx.report(found.maybe_help(number.then(|| format!("write `{bare}s` for seconds"))));
            None
        }
    }
}

impl Decode for Length {
    fn decode(node: &Node, cx: &Context) -> Option<Self> {
        let scalar = scalar(node, "a duration", cx)?;
        if scalar.text.contains("${{") {
            let found = cx.error("bad-duration", &node.span, "this duration must be known when the file is read");
            cx.report(found.help("write it out: `90s`"));
            return None;
        }
        length(node, scalar, cx).map(|period| Self { period, span: node.span.clone() })
    }
}

impl Decode for LengthText {
    fn decode(node: &Node, cx: &Context) -> Option<Self> {
        let scalar = scalar(node, "a duration", cx)?;
        if !scalar.text.contains("${{") {
            length(node, scalar, cx)?;
        }
        Some(Self(word(node, scalar)))
    }
}

impl Decode for CountText {
    fn decode(node: &Node, cx: &Context) -> Option<Self> {
        let scalar = scalar(node, "a whole number", cx)?;
        if !scalar.text.contains("${{") && scalar.text.parse::<u32>().is_err() {
            cx.report(cx.expected("a whole number", node));
            return None;
        }
        Some(Self(word(node, scalar)))
    }
}

impl Decode for Whole {
    fn decode(node: &Node, cx: &Context) -> Option<Self> {
        let scalar = scalar(node, "a whole number", cx)?;
        match scalar.text.parse::<u32>() {
            Ok(number) if scalar.style == Style::Plain => Some(Self { number, span: node.span.clone() }),
            Ok(_) | Err(_) => {
                cx.report(cx.expected("a whole number", node));
                None
            }
        }
    }
}

impl Decode for Flag {
    fn decode(node: &Node, cx: &Context) -> Option<Self> {
        let scalar = scalar(node, "`true` or `false`", cx)?;
        match (scalar.style, scalar.text.as_str()) {
            (Style::Plain, "true") => Some(Self(true)),
            (Style::Plain, "false") => Some(Self(false)),
            (_, text) => {
                let meant = match text.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "y" | "true" => Some("write `true`".to_owned()),
                    "no" | "off" | "n" | "false" => Some("write `false`".to_owned()),
                    _ => None,
                };
                cx.report(cx.expected("`true` or `false`", node).maybe_help(meant));
                None
            }
        }
    }
}

impl<T: Decode> Decode for OneOrMany<T> {
    fn decode(node: &Node, cx: &Context) -> Option<Self> {
        let (items, listed) = match &node.value {
            Value::List(items) => {
                if items.is_empty() {
                    cx.fault("no-value", &node.span, "the list is empty");
                    return None;
                }
                let read: Vec<T> = items.iter().filter_map(|item| T::decode(item, cx)).collect();
                if read.len() < items.len() {
                    return None;
                }
                (read, true)
            }
            Value::Scalar(_) | Value::Map(_) => (vec![T::decode(node, cx)?], false),
        };
        Some(Self { items, listed, span: node.span.clone() })
    }
}

impl Decode for Words {
    fn decode(node: &Node, cx: &Context) -> Option<Self> {
        match &node.value {
            Value::List(items) => Some(Self(items.iter().filter_map(|item| Word::decode(item, cx)).collect())),
            Value::Scalar(_) => Word::decode(node, cx).map(|word| Self(vec![word])),
            Value::Map(_) => {
                cx.report(cx.expected("a list of names", node));
                None
            }
        }
    }
}

impl<T: Decode> Take for OneOrMany<T> {
    fn take(fields: &Fields<'_>, key: &'static str) -> Option<Self> {
        fields.required(key)
    }
}

required!(Word, Prose, Expr, Ident, LengthText, CountText, Length, Whole);

schema! {
    Word => |_generator| json_schema!({ "type": ["string", "number", "boolean"] }),
    Prose => |_generator| json_schema!({ "type": "string", "minLength": 1 }),
    Expr => |_generator| json_schema!({ "type": ["string", "number", "boolean"] }),
    Ident => |_generator| json_schema!({ "type": ["string", "number", "boolean"], "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]*$" }),
    Length => |_generator| json_schema!({ "anyOf": [
        { "type": "string", "pattern": "^\\s*(0|([0-9]+(ms|s|min|m|h|d|w)\\s*)+)$" },
        { "const": 0 }
    ] }),
    LengthText => |_generator| json_schema!({ "anyOf": [
        { "type": "string", "pattern": "(^\\s*(0|([0-9]+(ms|s|min|m|h|d|w)\\s*)+)$)|\\$\\{\\{" },
        { "const": 0 }
    ] }),
    CountText => |_generator| json_schema!({ "anyOf": [
        { "type": "integer", "minimum": 0 },
        { "type": "string", "pattern": "(^[0-9]+$)|\\$\\{\\{" }
    ] }),
    Whole => |_generator| json_schema!({ "type": "integer", "minimum": 0, "maximum": 4_294_967_295_u32 }),
    Flag => |_generator| json_schema!({ "type": "boolean" }),
    Words => |generator| {
        let word = generator.subschema_for::<Word>();
        json_schema!({ "anyOf": [word, { "type": "array", "items": word }] })
    },
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(source: &str, style: Style, text: &str, needle: &str) -> String {
        let word = Word { text: text.to_owned(), span: 0..source.len(), style };
        source[word.place(source, text.find(needle).unwrap())..].chars().take(2).collect()
    }

    #[test]
    fn places_inside_scalars_are_found() {
        assert_eq!(place("plain ${{ x }}", Style::Plain, "plain ${{ x }}", "x"), "x ");
        assert_eq!(place("'it''s xy'", Style::Single, "it's xy", "xy"), "xy");
        assert_eq!(place(r#""\u00e9\n\"a\" xy""#, Style::Double, "é\n\"a\" xy", "xy"), "xy");
        assert_eq!(place("one\n      two xy\n", Style::Block, "one\n  two xy\n", "xy"), "xy");
        assert_eq!(place("fold\n  xy\n", Style::Block, "fold xy\n", "xy"), "xy");
    }
}
