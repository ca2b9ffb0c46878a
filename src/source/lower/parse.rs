//! How output is read.

use std::collections::BTreeMap;

use super::Lowering;
use crate::model::parse::Pattern;
use crate::model::{ColumnType, Parse, Shape};
use crate::source::raw::probe::{RawColumnType, RawParse, RawParseSpec, RawShape};
use crate::source::raw::{Named, Word};

/// The keys that say what form an output has.
const SHAPES: &[&str] = &["rows", "table", "pairs", "json", "json_lines"];

impl Lowering<'_> {
    /// A parser, its column types checked against its columns.
    pub(super) fn parse(&self, raw: &RawParse) -> Option<Parse> {
        let spec = &raw.spec;
        let shape = match &raw.word {
            Some((RawShape::Json, _)) => Shape::Json,
            Some((RawShape::JsonLines, _)) => Shape::JsonLines,
            Some((RawShape::Pairs, _)) => Shape::Pairs { separator: None },
            None => self.shape(spec)?,
        };
        let like = spec.like.as_ref().and_then(|word| self.cx.regex(word));
        if let (Some(span), Shape::Json) = (spec.place.key("like"), &shape) {
            self.cx.fault("misplaced-key", span, "`like` has no meaning for one JSON document");
        }
        let types = self.types(&spec.types, columns(&shape).as_deref());
        Some(Parse { shape, like, types, location: self.cx.location(&spec.place.head()) })
    }

    fn shape(&self, spec: &RawParseSpec) -> Option<Shape> {
        Some(match self.one_of(&spec.place, SHAPES, "`parse`")? {
            "rows" => {
                let word = spec.rows.as_ref()?;
                let pattern = self.cx.regex(word)?;
                if pattern.0.capture_names().flatten().next().is_none() {
                    let found = self.cx.error(
                        "bad-regex",
                        &word.span,
                        "the expression names no group, so there are no columns",
                    );
                    self.cx.report(found.help("name what you want to see: `(?<pid>\\d+)`"));
                    return None;
                }
                Shape::Rows(pattern)
            }
            "table" => {
                let table = spec.table.as_ref()?;
                if let (None, Some(span)) = (table.place.key("columns"), spec.place.key("table")) {
                    self.cx.fault("missing-key", span, "`table` needs the key `columns`");
                    return None;
                }
                for word in &table.columns {
                    crate::source::raw::scalar::is_variable(&word.text, "a column", &word.span, self.cx);
                }
                self.unique("columns", table.columns.iter().map(|word| (word.text.as_str(), &word.span)));
                Shape::Table {
                    separator: self.separator(table.separator.as_ref()),
                    columns: table.columns.iter().map(|word| word.text.clone()).collect(),
                    header: table.header.is_some_and(|flag| flag.0),
                }
            }
            "pairs" => {
                let word = &spec.pairs.as_ref()?.0;
                let plain = word.style == crate::source::tree::Style::Plain && word.text == "true";
                Shape::Pairs { separator: if plain { None } else { self.separator(Some(word)) } }
            }
            "json" => self.wanted("json", spec.json.as_ref()?.0, spec).then_some(Shape::Json)?,
            _ => self.wanted("json_lines", spec.json_lines.as_ref()?.0, spec).then_some(Shape::JsonLines)?,
        })
    }

    fn wanted(&self, key: &str, on: bool, spec: &RawParseSpec) -> bool {
        if let (false, Some(span)) = (on, spec.place.key(key)) {
            self.cx.fault("wrong-type", span, format!("`{key}: false` says nothing: take it out"));
        }
        on
    }

    fn separator(&self, word: Option<&Word>) -> Option<String> {
        let word = word?;
        if word.text.is_empty() {
            self.cx.fault("no-value", &word.span, "the separator is empty");
            return None;
        }
        Some(word.text.clone())
    }

    fn types(&self, raw: &Named<RawColumnType>, columns: Option<&[String]>) -> BTreeMap<String, ColumnType> {
        let mut types = BTreeMap::new();
        for entry in &raw.entries {
            if let Some(columns) = columns.filter(|columns| !columns.contains(&entry.name)) {
                self.unknown_column(&entry.name, &entry.span, columns);
            }
            if let Some(kind) = entry.value {
                let kind = match kind {
                    RawColumnType::Text => ColumnType::Text,
                    RawColumnType::Integer => ColumnType::Integer,
                    RawColumnType::Number => ColumnType::Number,
                    RawColumnType::Duration => ColumnType::Duration,
                    RawColumnType::Boolean => ColumnType::Boolean,
                };
                types.insert(entry.name.clone(), kind);
            }
        }
        types
    }

    /// Reports the columns of `show` that there are not.
    pub(super) fn shown(&self, show: &[Word], parse: Option<&Parse>) -> Vec<String> {
        let columns = parse.and_then(|parse| columns(&parse.shape));
        for word in show {
            match (&columns, parse) {
                (Some(columns), _) if !columns.contains(&word.text) => {
                    self.unknown_column(&word.text, &word.span, columns);
                }
                (_, None) => {
                    let found = self.cx.error("unknown-column", &word.span, "the probe has no columns to show");
                    self.cx.report(found.help("add `parse:`"));
                }
                _ => {}
            }
        }
        show.iter().map(|word| word.text.clone()).collect()
    }

    fn unknown_column(&self, name: &str, span: &crate::source::text::Span, columns: &[String]) {
        let known: Vec<&str> = columns.iter().map(String::as_str).collect();
        let found = self.cx.error("unknown-column", span, format!("there is no column `{name}`"));
        self.cx.report(found.help(format!("the columns are: {}", known.join(", "))).did_you_mean(name, &known));
    }
}

/// The columns that a form has, where they are known before it is read.
pub(in crate::source) fn columns(shape: &Shape) -> Option<Vec<String>> {
    match shape {
        Shape::Rows(Pattern(regex)) => Some(regex.capture_names().flatten().map(str::to_owned).collect()),
        Shape::Table { columns, .. } => Some(columns.clone()),
        Shape::Json | Shape::JsonLines | Shape::Pairs { .. } => None,
    }
}
