//! Parsers: a probe's output as a table or a value.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::vocab::Location;

/// How a probe's output is read.
#[derive(Clone, Debug, Serialize)]
pub struct Parse {
    /// The form.
    pub shape: Shape,
    /// Lines that must parse: a line that holds this text (or regular expression) and does not parse makes the
    /// observation unknown. Other lines that do not parse are passed over.
    pub like: Option<Pattern>,
    /// Column types; a column not named here is text.
    pub types: BTreeMap<String, ColumnType>,
    /// Where it is declared.
    #[serde(skip)]
    pub location: Location,
}

/// The form of an output.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// One JSON document: `value`; a list of objects is `rows` too.
    Json,
    /// A JSON object a line: `rows`.
    JsonLines,
    /// Lines that match a regular expression: `rows` of its named groups.
    Rows(Pattern),
    /// Lines split at a separator (blanks when none): `rows` of the columns. A header line is left out when `header`.
    Table {
        /// The separator; none: runs of blanks, the last column taking the rest of the line.
        separator: Option<String>,
        /// The columns in order.
        columns: Vec<String>,
        /// Whether the first line is a header.
        header: bool,
    },
    /// `key value` lines: one row whose columns are the keys, and `value` as an object.
    Pairs {
        /// What stands between key and value; none: blanks (a colon or `=` behind the key is cut off).
        separator: Option<String>,
    },
}

/// A regular expression that was compiled when the file was read.
#[derive(Clone, Debug)]
pub struct Pattern(pub regex::Regex);

impl Serialize for Pattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

/// A column's type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColumnType {
    /// Text.
    #[default]
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A length of time, as seconds; read from `90s` or `1h 30m`, or as ps writes it (`[[D-]H:]M:S`).
    Duration,
    /// `true`, `yes`, `on`, `1` or `false`, `no`, `off`, `0`.
    Boolean,
}
