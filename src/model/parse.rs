//! Parsers: a probe's output as a table or a value.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;

use crate::vocab::neutral::one_line;
use crate::vocab::{Datum, Location, Period, Row, Rows};

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

/// What a parser made of an output.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// The table, where the form gives one.
    pub rows: Option<Rows>,
    /// The value, where the form gives one.
    pub value: Option<Json>,
    /// What could not be read; any entry makes the observation unknown.
    pub problems: Vec<String>,
}

impl Parse {
    /// The columns that are known before anything is read: the named groups, the listed columns; none where the
    /// output itself names them.
    pub fn known_columns(&self) -> Option<Vec<String>> {
        match &self.shape {
            Shape::Rows(pattern) => Some(pattern.0.capture_names().flatten().map(str::to_owned).collect()),
            Shape::Table { columns, .. } => Some(columns.clone()),
            Shape::Json | Shape::JsonLines | Shape::Pairs { .. } => None,
        }
    }

    /// Reads an output.
    pub fn read(&self, text: &str) -> Parsed {
        let mut parsed = match &self.shape {
            Shape::Json => self.json(text),
            Shape::JsonLines => self.json_lines(text),
            Shape::Rows(pattern) => self.matching_lines(text, &pattern.0),
            Shape::Table { separator, columns, header } => self.table(text, separator.as_deref(), columns, *header),
            Shape::Pairs { separator } => self.pairs(text, separator.as_deref()),
        };
        // one bad line is told, a thousand are counted
        if parsed.problems.len() > 3 {
            let more = parsed.problems.len() - 3;
            parsed.problems.truncate(3);
            parsed.problems.push(format!("… and {more} more"));
        }
        parsed
    }

    /// Whether a line must parse. Without `like:`, tables, pairs and JSON must parse whole, matched rows need not.
    fn must_parse(&self, line: &str, otherwise: bool) -> bool {
        self.like.as_ref().map_or(otherwise, |pattern| pattern.0.is_match(line))
    }

    fn matching_lines(&self, text: &str, regex: &regex::Regex) -> Parsed {
        let columns: Vec<String> = regex.capture_names().flatten().map(str::to_owned).collect();
        let mut parsed = Parsed::default();
        let mut rows = Vec::new();
        for line in text.lines() {
            if let Some(found) = regex.captures(line) {
                let cells = columns.iter().map(|name| found.name(name).map(|cell| cell.as_str())).collect::<Vec<_>>();
                self.push_row(&columns, &cells, &mut rows, &mut parsed.problems);
            } else if self.must_parse(line, false) {
                parsed.problems.push(unread(line));
            }
        }
        parsed.rows = Some(Rows { columns, rows });
        parsed
    }

    fn table(&self, text: &str, separator: Option<&str>, columns: &[String], header: bool) -> Parsed {
        let mut parsed = Parsed::default();
        let mut rows = Vec::new();
        for line in text.lines().skip(usize::from(header)).filter(|line| !line.trim().is_empty()) {
            let cells: Vec<&str> = match separator {
                Some(separator) => line.split(separator).collect(),
                None => blanks(line, columns.len()),
            };
            if cells.len() == columns.len() {
                let cells: Vec<Option<&str>> = cells.into_iter().map(|cell| Some(cell.trim())).collect();
                self.push_row(columns, &cells, &mut rows, &mut parsed.problems);
            } else if self.must_parse(line, true) {
                parsed.problems.push(format!("{} ({} columns, not {})", unread(line), cells.len(), columns.len()));
            }
        }
        parsed.rows = Some(Rows { columns: columns.to_vec(), rows });
        parsed
    }

    fn pairs(&self, text: &str, separator: Option<&str>) -> Parsed {
        let mut parsed = Parsed::default();
        let mut columns: Vec<String> = Vec::new();
        let mut row: Row = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let pair = match separator {
                Some(separator) => line.split_once(separator).map(|(key, value)| (key.trim(), value.trim())),
                None => Some(match line.split_once(|ch: char| ch.is_whitespace() || ch == '=') {
                    Some((key, value)) => {
                        (key.trim_end_matches(':'), value.trim_start_matches(['=', ' ', '\t']).trim())
                    }
                    None => (line.trim_end_matches([':', '=']), ""),
                }),
            };
            match pair {
                Some((key, value)) if !key.is_empty() => {
                    if columns.iter().any(|known| known == key) {
                        parsed.problems.push(format!("the key `{}` comes twice", one_line(key)));
                        continue;
                    }
                    match self.datum(key, value) {
                        Ok(datum) => {
                            columns.push(key.to_owned());
                            row.push(datum);
                        }
                        Err(problem) => parsed.problems.push(problem),
                    }
                }
                _ if self.must_parse(line, true) => parsed.problems.push(unread(line)),
                _ => {}
            }
        }
        let object = columns.iter().cloned().zip(row.iter().map(datum_json)).collect();
        parsed.value = Some(Json::Object(object));
        parsed.rows = Some(Rows { columns, rows: vec![row] });
        parsed
    }

    fn json(&self, text: &str) -> Parsed {
        match serde_json::from_str::<Json>(text) {
            Ok(value) => {
                let objects = match &value {
                    Json::Array(items) => items.iter().map(Json::as_object).collect::<Option<Vec<_>>>(),
                    _ => None,
                };
                let mut parsed = Parsed::default();
                if let Some(objects) = objects {
                    parsed = self.objects(&objects);
                }
                parsed.value = Some(value);
                parsed
            }
            Err(error) => Parsed { problems: vec![format!("not JSON: {error}")], ..Parsed::default() },
        }
    }

    fn json_lines(&self, text: &str) -> Parsed {
        let mut maps = Vec::new();
        let mut problems = Vec::new();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match serde_json::from_str::<Json>(line) {
                Ok(Json::Object(map)) => maps.push(map),
                Ok(_) | Err(_) if self.must_parse(line, true) => problems.push(unread(line)),
                Ok(_) | Err(_) => {}
            }
        }
        let mut parsed = self.objects(&maps.iter().collect::<Vec<_>>());
        problems.append(&mut parsed.problems);
        parsed.problems = problems;
        parsed
    }

    /// JSON objects as rows: the columns are all keys in their first order; what is no scalar is kept as JSON text.
    fn objects(&self, objects: &[&serde_json::Map<String, Json>]) -> Parsed {
        let mut parsed = Parsed::default();
        let mut columns: Vec<String> = Vec::new();
        for object in objects {
            for key in object.keys() {
                if !columns.contains(key) {
                    columns.push(key.clone());
                }
            }
        }
        let mut rows = Vec::new();
        for object in objects {
            let mut row = Vec::new();
            for column in &columns {
                let datum = match object.get(column) {
                    None | Some(Json::Null) => Ok(Datum::Nothing),
                    Some(Json::Bool(value)) => Ok(Datum::Boolean(*value)),
                    Some(Json::Number(number)) => Ok(match number.as_i64() {
                        Some(value) => Datum::Integer(value),
                        None => Datum::Number(number.as_f64().unwrap_or(f64::NAN)),
                    }),
                    Some(Json::String(text)) => self.datum(column, text),
                    Some(other) => Ok(Datum::Text(other.to_string())),
                };
                row.push(datum.unwrap_or_else(|problem| {
                    parsed.problems.push(problem);
                    Datum::Nothing
                }));
            }
            rows.push(row);
        }
        parsed.rows = Some(Rows { columns, rows });
        parsed
    }

    fn push_row(&self, columns: &[String], cells: &[Option<&str>], rows: &mut Vec<Row>, problems: &mut Vec<String>) {
        let mut row = Vec::with_capacity(columns.len());
        for (column, cell) in columns.iter().zip(cells) {
            match cell.map_or(Ok(Datum::Nothing), |text| self.datum(column, text)) {
                Ok(datum) => row.push(datum),
                Err(problem) => return problems.push(problem),
            }
        }
        rows.push(row);
    }

    fn datum(&self, column: &str, text: &str) -> Result<Datum, String> {
        let kind = self.types.get(column).copied().unwrap_or_default();
        kind.read(text).ok_or_else(|| format!("{column}: `{}` is not {}", one_line(text), kind.words()))
    }
}

impl ColumnType {
    /// Reads a cell; none when it is not of this type.
    pub fn read(self, text: &str) -> Option<Datum> {
        let trimmed = text.trim();
        match self {
            Self::Text => Some(Datum::Text(text.to_owned())),
            Self::Integer => trimmed.parse().ok().map(Datum::Integer),
            Self::Number => trimmed.parse::<f64>().ok().filter(|number| number.is_finite()).map(Datum::Number),
            Self::Duration => match trimmed.parse::<Period>() {
                Ok(period) => Some(Datum::Number(period.get().as_secs_f64())),
                Err(_) => clock_seconds(trimmed).map(Datum::Number),
            },
            Self::Boolean => match trimmed.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Some(Datum::Boolean(true)),
                "false" | "no" | "off" | "0" => Some(Datum::Boolean(false)),
                _ => None,
            },
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Duration => "a duration",
            Self::Boolean => "a boolean",
        }
    }
}

/// ps's time forms: `4:29`, `01:02:03`, `2-01:02:03`.
fn clock_seconds(text: &str) -> Option<f64> {
    let (days, clock) = match text.split_once('-') {
        Some((days, clock)) => (days.parse::<u32>().ok()?, clock),
        None => (0, text),
    };
    let parts = clock.split(':').map(|part| part.parse::<u32>().ok()).collect::<Option<Vec<_>>>()?;
    if !(2..=3).contains(&parts.len()) {
        return None;
    }
    let seconds = parts.iter().fold(0.0, |total, part| total * 60.0 + f64::from(*part));
    Some(f64::from(days) * 86_400.0 + seconds)
}

/// The cells of a line split at blanks; the last column takes the rest.
fn blanks(line: &str, columns: usize) -> Vec<&str> {
    let mut cells = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        if cells.len() + 1 == columns {
            cells.push(rest);
            break;
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        cells.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    cells
}

fn unread(line: &str) -> String {
    let mut shown: String = one_line(line).chars().take(120).collect();
    if shown.len() < line.len() {
        shown.push('…');
    }
    format!("a line does not parse: `{shown}`")
}

fn datum_json(datum: &Datum) -> Json {
    match datum {
        Datum::Nothing => Json::Null,
        Datum::Boolean(value) => Json::from(*value),
        Datum::Integer(value) => Json::from(*value),
        Datum::Number(value) => Json::from(*value),
        Datum::Text(value) => Json::from(value.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn parse(shape: Shape, like: Option<&str>, types: &[(&str, ColumnType)]) -> Parse {
        Parse {
            shape,
            like: like.map(|text| Pattern(regex::Regex::new(text).unwrap())),
            types: types.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect(),
            location: Location { file: Arc::from("t"), line: 1, column: 1 },
        }
    }

    #[test]
    fn a_line_that_must_parse_and_does_not_is_a_problem() {
        let regex = regex::Regex::new(r"^\s*(?<pid>\d+)\s+\S+\s+content-importer \[(?<state>[^\]]+)\]$").unwrap();
        let parser = parse(Shape::Rows(Pattern(regex)), Some("content-importer"), &[("pid", ColumnType::Integer)]);
        let good = parser.read("    1 Ss   init\n 5663 S    content-importer [bored]\n");
        assert_eq!(good.problems, Vec::<String>::new());
        assert_eq!(good.rows.unwrap().rows, [vec![Datum::Integer(5663), Datum::Text("bored".into())]]);
        let starting = parser.read(" 5663 S    /usr/bin/perl /dreamwidth/bin/worker/content-importer\n");
        assert_eq!(starting.problems.len(), 1);
    }

    #[test]
    fn tables_pairs_and_json_give_typed_rows() {
        let table = parse(
            Shape::Table { separator: None, columns: vec!["name".into(), "n".into(), "rest".into()], header: true },
            None,
            &[("n", ColumnType::Integer)],
        );
        let read = table.read("NAME N REST\na 5 b c d\n");
        assert_eq!(
            read.rows.unwrap().rows,
            [vec![Datum::Text("a".into()), Datum::Integer(5), Datum::Text("b c d".into())]]
        );
        assert_eq!(table.read("H\na five b\n").problems, ["n: `five` is not a whole number"]);

        let pairs = parse(Shape::Pairs { separator: None }, None, &[("RUNTIME", ColumnType::Integer)]);
        let read = pairs.read("STATUS: OK\nRUNTIME: 4\nSUCCESSES: \n\n");
        assert_eq!(read.value.unwrap(), serde_json::json!({"STATUS": "OK", "RUNTIME": 4, "SUCCESSES": ""}));

        let json = parse(Shape::JsonLines, None, &[]);
        let read = json.read("{\"a\":1}\n{\"b\":null,\"a\":[2]}\n");
        let rows = read.rows.unwrap();
        assert_eq!(rows.columns, ["a", "b"]);
        assert_eq!(rows.rows[1], [Datum::Text("[2]".into()), Datum::Nothing]);
    }

    #[test]
    fn ps_times_are_durations() {
        let read = |text| ColumnType::Duration.read(text);
        assert_eq!(read("4:29"), Some(Datum::Number(269.0)));
        assert_eq!(read("2-01:02:03"), Some(Datum::Number(176_523.0)));
        assert_eq!(read("1h 30m"), Some(Datum::Number(5400.0)));
        assert_eq!(read("soon"), None);
    }
}
