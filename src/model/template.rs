//! Texts with `${{ … }}` in them.
//!
//! Only `${{ … }}` is special: `${#x}`, `{%` and `{{` are plain shell. The text is cut here rather than by a template
//! engine, so that every interpolation is an [`Expression`] with a place of its own, and is quoted by its value's type:
//! in a shell text one word a value, a list as separate words.

use std::sync::Arc;

use minijinja::Value;
use minijinja::value::ValueKind;
use serde::{Serialize, Serializer};

use super::expression::{EvalError, Expression, ExpressionFault, as_secret, describe};
use super::scope::Scope;
use crate::vocab::{Location, MaskedText, Period, quote};

/// A text with interpolations.
#[derive(Clone, Debug)]
pub struct Template {
    source: Arc<str>,
    pieces: Arc<[Piece]>,
    location: Location,
}

/// A stretch of a template.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Plain text.
    Text(String),
    /// An interpolation.
    Expression {
        /// What is interpolated.
        expression: Expression,
        /// Where its `${{` stands in the text, in bytes.
        offset: usize,
        /// Where the text goes on behind its `}}`, in bytes.
        end: usize,
        /// Whether it ends in `| raw`.
        raw: bool,
    },
}

impl Template {
    /// Cuts `source`, which stands at `location`, and parses its expressions. `place` gives the location of a byte
    /// offset in `source`.
    pub fn parse(source: &str, location: Location, place: &dyn Fn(usize) -> Location) -> Result<Self, ExpressionFault> {
        let mut pieces = Vec::new();
        let mut rest = 0;
        while let Some(found) = source[rest..].find("${{") {
            let start = rest + found;
            let inner = start + 3;
            let Some(end) = closing(&source[inner..]).map(|at| inner + at) else {
                return Err(ExpressionFault {
                    message: "`${{` is not closed".to_owned(),
                    offset: start,
                    hint: Some("close it with `}}`".to_owned()),
                });
            };
            if start > rest {
                pieces.push(Piece::Text(source[rest..start].to_owned()));
            }
            let text = &source[inner..end];
            let expression = Expression::parse(text, place(inner))
                .map_err(|fault| ExpressionFault { offset: inner + fault.offset, ..fault })?;
            let raw = text.rsplit('|').next().is_some_and(|last| last.trim() == "raw") && text.contains('|');
            pieces.push(Piece::Expression { expression, offset: start, end: end + 2, raw });
            rest = end + 2;
        }
        if rest < source.len() {
            pieces.push(Piece::Text(source[rest..].to_owned()));
        }
        Ok(Self { source: source.into(), pieces: pieces.into(), location })
    }

    /// A text with nothing to interpolate.
    pub fn plain(text: &str, location: Location) -> Self {
        let pieces = if text.is_empty() { Vec::new() } else { vec![Piece::Text(text.to_owned())] };
        Self { source: text.into(), pieces: pieces.into(), location }
    }

    /// The text as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Where it stands.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Its stretches.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Its expressions.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Expression { expression, .. } => Some(expression),
        })
    }

    /// The text for a shell: every value quoted as one word, a list as separate words, `| raw` as it is.
    pub fn shell(&self, scope: &Scope) -> Result<String, EvalError> {
        self.render(scope, &mut |value, expression, raw| {
            // filters like `tojson` mark what they give as safe too, for HTML
            if raw && value.is_safe() {
                return text_of(value, expression);
            }
            match value.kind() {
                ValueKind::Seq | ValueKind::Iterable => {
                    let mut words = Vec::new();
                    if let Ok(items) = value.try_iter() {
                        for item in items {
                            words.push(quote::shell_word(&text_of(&item, expression)?));
                        }
                    }
                    Ok(words.join(" "))
                }
                _ => Ok(quote::shell_word(&text_of(value, expression)?)),
            }
        })
    }

    /// The text as it is: for argument vectors, prose, settings.
    pub fn text(&self, scope: &Scope) -> Result<String, EvalError> {
        self.render(scope, &mut |value, expression, _| text_of(value, expression))
    }

    /// The text with its secrets masked: the only form that secrets may take.
    pub fn masked(&self, scope: &Scope) -> Result<MaskedText, EvalError> {
        let mut out = MaskedText::default();
        for piece in self.pieces.iter() {
            match piece {
                Piece::Text(text) => out.push_plain(text),
                Piece::Expression { expression, .. } => {
                    let value = expression.value(scope)?;
                    match as_secret(&value) {
                        Some(secret) => out.push_secret(&secret.name, secret.secret.expose()),
                        None => out.push_plain(&text_of(&value, expression)?),
                    }
                }
            }
        }
        Ok(out)
    }

    /// A duration. A bare number is refused, as everywhere in the language.
    pub fn period(&self, scope: &Scope) -> Result<Period, EvalError> {
        let text = self.text(scope)?;
        text.parse().map_err(|_| self.wrong_kind(&text, "a duration like `5s`"))
    }

    /// A whole number of at least zero.
    pub fn count(&self, scope: &Scope) -> Result<usize, EvalError> {
        let text = self.text(scope)?;
        text.trim().parse().map_err(|_| self.wrong_kind(&text, "a whole number"))
    }

    fn wrong_kind(&self, got: &str, needed: &'static str) -> EvalError {
        EvalError::WrongKind {
            location: self.location.clone(),
            source_text: self.source.to_string(),
            got: format!("`{}`", crate::vocab::neutral::one_line(got)),
            needed,
        }
    }

    fn render(
        &self,
        scope: &Scope,
        write: &mut dyn FnMut(&Value, &Expression, bool) -> Result<String, EvalError>,
    ) -> Result<String, EvalError> {
        let mut out = String::with_capacity(self.source.len());
        for piece in self.pieces.iter() {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Expression { expression, raw, .. } => {
                    let value = expression.value(scope)?;
                    if let Some(secret) = as_secret(&value) {
                        return Err(EvalError::Secret {
                            location: expression.location().clone(),
                            name: secret.name.clone(),
                        });
                    }
                    out.push_str(&write(&value, expression, *raw)?);
                }
            }
        }
        Ok(out)
    }
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}

/// A value as text. Null, maps and NUL bytes are refused: what they would become is never what was meant.
fn text_of(value: &Value, expression: &Expression) -> Result<String, EvalError> {
    let wrong = |needed| EvalError::WrongKind {
        location: expression.location().clone(),
        source_text: expression.source().trim().to_owned(),
        got: describe(value),
        needed,
    };
    match value.kind() {
        ValueKind::String | ValueKind::Number | ValueKind::Bool => {
            let text = value.to_string();
            if text.contains('\0') { Err(wrong("a text without NUL bytes")) } else { Ok(text) }
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let mut items = Vec::new();
            if let Ok(iter) = value.try_iter() {
                for item in iter {
                    items.push(text_of(&item, expression)?);
                }
            }
            Ok(items.join(" "))
        }
        _ => Err(wrong("a text, a number or a list")),
    }
}

/// Where `}}` closes an interpolation, texts and inner braces passed over.
fn closing(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut depth = 0_usize;
    let mut quote: Option<u8> = None;
    while at < bytes.len() {
        let byte = bytes[at];
        match quote {
            Some(open) => {
                if byte == b'\\' {
                    at += 1;
                } else if byte == open {
                    quote = None;
                }
            }
            None => match byte {
                b'"' | b'\'' => quote = Some(byte),
                b'{' => depth += 1,
                b'}' if depth > 0 => depth -= 1,
                b'}' if bytes.get(at + 1) == Some(&b'}') => return Some(at),
                _ => {}
            },
        }
        at += 1;
    }
    None
}
