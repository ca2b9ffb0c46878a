//! Expectations: what must be true of observations. They fail closed.

use serde::Serialize;

use super::expression::Expression;
use super::scope::Scope;
use crate::vocab::neutral::one_line;
use crate::vocab::{Observation, Reply, Row, Rows, Verdict};

/// What must be true of what a probe saw.
#[derive(Clone, Debug, Serialize)]
pub struct Expectation {
    /// Of what the expression must be true.
    pub quantifier: Quantifier,
    /// The expression.
    pub expression: Expression,
    /// `over: all`: evaluated once over all hosts' rows, each with its `host`, not per host.
    pub over_all: bool,
}

/// What is said where something is asked of rows, and there is none.
const NO_ROW: &str = "there is no row";

/// Of what an expectation's expression must be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantifier {
    /// `expect:` of the observation.
    Expect,
    /// `every:` of each row, and there is at least one.
    Every,
    /// `none:` of no row.
    None,
}

impl Expectation {
    /// Judges one host's observation in `scope`, which holds everything but the observation itself.
    pub fn judge(&self, scope: &Scope, observation: &Observation) -> Verdict {
        if let Some(problem) = observation.problems.first() {
            return Verdict::Unknown { why: problem.clone() };
        }
        let scope = scope.clone().with_observation(observation);
        if let Some(verdict) = self.unknown_columns(&scope, std::slice::from_ref(observation)) {
            return verdict;
        }
        match self.quantifier {
            Quantifier::Expect => self.whole(&scope, &|| seen(observation)),
            Quantifier::Every | Quantifier::None => match &observation.rows {
                Some(table) => {
                    let rows: Vec<(Scope, String)> = table
                        .rows
                        .iter()
                        .map(|row| (scope.clone().with_row(&table.columns, row), shown_row(table, row)))
                        .collect();
                    self.rows(&rows)
                }
                None => Verdict::Unknown { why: "the probe gives no rows".to_owned() },
            },
        }
    }

    /// Judges all hosts' observations at once (`over: all`): every one of them must be usable.
    pub fn judge_all(&self, scope: &Scope, observations: &[Observation]) -> Verdict {
        for observation in observations {
            if let Some(problem) = observation.problems.first() {
                return Verdict::Unknown { why: format!("{}: {problem}", observation.host) };
            }
        }
        let scope = scope.clone().with_all_rows(observations);
        if let Some(verdict) = self.unknown_columns(&scope, observations) {
            return verdict;
        }
        match self.quantifier {
            Quantifier::Expect => self.whole(&scope, &|| {
                let rows: usize =
                    observations.iter().filter_map(|o| o.rows.as_ref()).map(|table| table.rows.len()).sum();
                format!("{rows} rows on {} hosts", observations.len())
            }),
            Quantifier::Every | Quantifier::None => {
                let mut rows = Vec::new();
                for observation in observations {
                    let Some(table) = &observation.rows else {
                        return Verdict::Unknown { why: format!("{}: the probe gives no rows", observation.host) };
                    };
                    let host = minijinja::Value::from(observation.host.as_str());
                    for row in &table.rows {
                        rows.push((
                            scope.clone().with_row(&table.columns, row).with("host", host.clone()),
                            format!("{} {}", observation.host, shown_row(table, row)),
                        ));
                    }
                }
                self.rows(&rows)
            }
        }
    }

    /// What is to be said of a column that no table has. Without rows no evaluation would meet it, and `none:` of no
    /// row is true.
    fn unknown_columns(&self, scope: &Scope, observations: &[Observation]) -> Option<Verdict> {
        let tables: Vec<&Rows> = observations.iter().filter_map(|observation| observation.rows.as_ref()).collect();
        if tables.is_empty() {
            return None;
        }
        let known = |name: &str| {
            (self.over_all && name == "host")
                || tables.iter().any(|table| table.columns.iter().any(|column| column == name))
        };
        let expression = &self.expression;
        let mut roots = expression.names().iter().filter_map(|used| used.path.first());
        let unknown = if self.quantifier == Quantifier::Expect {
            let of_rows = roots.any(|root| root == "rows");
            let columns = expression.columns().iter().filter_map(|used| used.path.first());
            columns.filter_map(|path| path.split('.').next()).find(|column| of_rows && !known(column))
        } else {
            roots.map(String::as_str).find(|root| !scope.has(root) && !known(root) && !expression.tolerates(root))
        };
        let why = |name: &str| {
            // a table whose columns are those of its rows has none without rows: that is what is to be said then
            if tables.iter().all(|table| table.rows.is_empty() && table.columns.is_empty()) {
                return match self.quantifier {
                    Quantifier::Every => Verdict::Fails { why: NO_ROW.to_owned() },
                    Quantifier::Expect | Quantifier::None => {
                        Verdict::Unknown { why: format!("{NO_ROW}, and so no column `{name}`") }
                    }
                };
            }
            Verdict::Unknown { why: format!("{}: there is no column `{name}`", expression.location()) }
        };
        unknown.map(why)
    }

    fn whole(&self, scope: &Scope, seen: &dyn Fn() -> String) -> Verdict {
        match self.expression.truth(scope) {
            Ok(true) => Verdict::Holds,
            Ok(false) => Verdict::Fails { why: format!("`{}` is false: {}", self.expression.source().trim(), seen()) },
            Err(error) => Verdict::Unknown { why: error.to_string() },
        }
    }

    fn rows(&self, rows: &[(Scope, String)]) -> Verdict {
        let wanted = self.quantifier == Quantifier::Every;
        if rows.is_empty() && wanted {
            return Verdict::Fails { why: NO_ROW.to_owned() };
        }
        let mut wrong = Vec::new();
        for (scope, shown) in rows {
            match self.expression.truth(scope) {
                Ok(truth) if truth == wanted => {}
                Ok(_) => wrong.push(shown.clone()),
                Err(error) => return Verdict::Unknown { why: error.to_string() },
            }
        }
        if wrong.is_empty() { Verdict::Holds } else { Verdict::Fails { why: wrong.join("\n") } }
    }
}

/// A row for people: `pid 5663, state "entries: someone(42)"`.
fn shown_row(table: &Rows, row: &Row) -> String {
    let cells = table.columns.iter().zip(row).map(|(column, datum)| match datum {
        crate::vocab::Datum::Text(text) => format!("{column} {:?}", one_line(text)),
        other => format!("{column} {}", other.shown()),
    });
    cells.collect::<Vec<_>>().join(", ")
}

/// What an observation shows, in a few words.
fn seen(observation: &Observation) -> String {
    let first = |text: &str| -> String {
        let line = one_line(text.trim());
        let mut short: String = line.chars().take(100).collect();
        if short.len() < line.len() {
            short.push('…');
        }
        short
    };
    let rows = observation.rows.as_ref().map(|table| match table.rows.as_slice() {
        [row] => format!("1 row ({})", shown_row(table, row)),
        rows => format!("{} rows", rows.len()),
    });
    match (&observation.reply, rows) {
        (Reply::Command { .. } | Reply::Http { .. } | Reply::Tcp { .. }, Some(rows)) => rows,
        (Reply::Command { exit, stdout, stderr }, None) => {
            let text = if stdout.trim().is_empty() { stderr } else { stdout };
            if text.trim().is_empty() {
                format!("exit {exit}, no output")
            } else {
                format!("exit {exit}, `{}`", first(text))
            }
        }
        (Reply::Tcp { reply }, None) => format!("the answer was `{}`", first(reply)),
        (Reply::Http { status, body, .. }, None) => format!("HTTP {status}, `{}`", first(body)),
        (Reply::Nothing { reason, .. }, _) => reason.words().to_owned(),
    }
}
