//! YAML as one tree of nodes, each with its place.
//!
//! Scalars stay source text: whether `1.10` is a text or a number is for the reader of a key to say. Apart from `yaml`,
//! which builds the tree, so that nothing behind it knows the parser.

use super::text::Span;

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub value: Value,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Value {
    /// A scalar.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the file's order; duplicate keys were reported and left out.
    Map(Vec<Entry>),
}

/// A scalar: its text and how it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// Its text, escapes read, otherwise as in the file.
    pub text: String,
    /// How it was written.
    pub style: Style,
}

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In `'…'`.
    Single,
    /// In `"…"`.
    Double,
    /// As a `|` or `>` block.
    Block,
}

/// One entry of a mapping.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

impl Node {
    /// Whether there is nothing: no value, `~` or `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.is_null())
    }

    /// What it is, for `expected …, found …`.
    pub fn describe(&self) -> String {
        match &self.value {
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
            Value::Scalar(scalar) if scalar.is_null() => "nothing".to_owned(),
            Value::Scalar(scalar) => {
                let mut text = crate::vocab::neutral::one_line(&scalar.text);
                if text.chars().count() > 40 {
                    text = text.chars().take(40).chain(['…']).collect();
                }
                match scalar.kind() {
                    Kind::Integer | Kind::Number => format!("the number `{text}`"),
                    Kind::Boolean => format!("the boolean `{text}`"),
                    Kind::Null | Kind::Text => format!("the text `{text}`"),
                }
            }
        }
    }
}

/// What a plain scalar looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing, `~`, `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A whole number without leading zeros.
    Integer,
    /// Any other number.
    Number,
    /// Anything else, and everything quoted.
    Text,
}

impl Scalar {
    /// Whether it is nothing.
    pub fn is_null(&self) -> bool {
        self.kind() == Kind::Null
    }

    /// What it looks like.
    pub fn kind(&self) -> Kind {
        if self.style != Style::Plain {
            return Kind::Text;
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
            "true" | "false" | "True" | "False" | "TRUE" | "FALSE" => Kind::Boolean,
            text => {
                let digits = text.strip_prefix('-').unwrap_or(text);
                let whole = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
                if whole && (digits == "0" || !digits.starts_with('0')) {
                    Kind::Integer
                } else if !whole && digits.starts_with(|ch: char| ch.is_ascii_digit()) && text.parse::<f64>().is_ok() {
                    Kind::Number
                } else {
                    Kind::Text
                }
            }
        }
    }
}
