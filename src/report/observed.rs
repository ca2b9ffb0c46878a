//! What probes saw, as tables: one row for each row of each host.
//!
//! Apart because an observation is many things (rows, a value, a bare text, a failure to get any) and a reader wants
//! one: a table that names the host on every row and says of every host that was asked what came of it.

use super::style::Role;
use super::table::{Cell, Table};
use crate::event::Event;
use crate::vocab::{Datum, HostName, Observation, Reply, StepHost, StepId};

/// The observations as one table. `show` names the columns people see; empty for all.
pub fn table<'a>(observations: impl IntoIterator<Item = &'a Observation>, show: &[String]) -> Table {
    let seen: Vec<Seen> = observations.into_iter().map(Seen::new).collect();
    let columns = columns(&seen, show);
    let mut names = vec!["host".to_owned()];
    names.extend(columns.iter().cloned());
    let mut table = Table::new(names).with_notes("problem");
    for one in &seen {
        let host = || Cell::new(Role::Host, one.observation.host.as_str());
        for row in &one.rows {
            let mut cells = vec![host()];
            cells.extend(columns.iter().map(|name| {
                let at = one.columns.iter().position(|column| column == name);
                cell(at.and_then(|at| row.get(at)).unwrap_or(&Datum::Nothing))
            }));
            table.row(cells);
        }
        for problem in &one.observation.problems {
            table.noted(vec![host()], Cell::new(Role::Failed, format!("unknown: {problem}")));
        }
        if one.rows.is_empty() && one.observation.problems.is_empty() {
            table.noted(vec![host()], Cell::new(Role::Dim, one.nothing));
        }
    }
    table
}

/// An observation brought to the form of a table.
struct Seen<'a> {
    observation: &'a Observation,
    columns: Vec<String>,
    rows: Vec<Vec<Datum>>,
    /// What is said when there are no rows.
    nothing: &'static str,
}

impl<'a> Seen<'a> {
    fn new(observation: &'a Observation) -> Self {
        let (columns, rows, nothing) =
            if let (true, Reply::Nothing { reason, .. }) = (observation.problems.is_empty(), &observation.reply) {
                (Vec::new(), Vec::new(), reason.words())
            } else if let Some(rows) = &observation.rows {
                (rows.columns.clone(), rows.rows.clone(), "no rows")
            } else if let Some(value) = &observation.value {
                let (columns, rows) = of_value(value);
                (columns, rows, "nothing in it")
            } else if observation.problems.is_empty() {
                (vec!["output".to_owned()], of_reply(&observation.reply), "no output")
            } else {
                (Vec::new(), Vec::new(), "no rows")
            };
        Self { observation, columns, rows, nothing }
    }
}

fn columns(seen: &[Seen], show: &[String]) -> Vec<String> {
    // `show` speaks of parsed columns; of a bare text there is only the one
    let parsed = seen.iter().any(|one| one.observation.rows.is_some() || one.observation.value.is_some());
    if !show.is_empty() && (parsed || seen.iter().all(|one| one.columns.is_empty())) {
        return show.to_vec();
    }
    let mut columns: Vec<String> = Vec::new();
    for name in seen.iter().flat_map(|one| &one.columns) {
        if !columns.contains(name) {
            columns.push(name.clone());
        }
    }
    columns
}

fn cell(datum: &Datum) -> Cell {
    match datum {
        Datum::Nothing => Cell::new(Role::Dim, "-"),
        Datum::Boolean(_) | Datum::Text(_) => Cell::new(Role::Text, datum.shown()),
        Datum::Integer(_) | Datum::Number(_) => Cell::number(datum.shown()),
    }
}

/// A JSON value: a list of objects as rows, an object as one row, anything else as it is.
fn of_value(value: &serde_json::Value) -> (Vec<String>, Vec<Vec<Datum>>) {
    use serde_json::Value;
    let objects: Vec<&serde_json::Map<String, Value>> = match value {
        Value::Object(object) => vec![object],
        Value::Array(list) if list.iter().all(Value::is_object) => list.iter().filter_map(Value::as_object).collect(),
        Value::Array(list) => return (vec!["value".to_owned()], list.iter().map(|item| vec![datum(item)]).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return (vec!["value".to_owned()], vec![vec![datum(value)]]);
        }
    };
    let mut columns: Vec<String> = Vec::new();
    for key in objects.iter().flat_map(|object| object.keys()) {
        if !columns.contains(key) {
            columns.push(key.clone());
        }
    }
    let rows = objects
        .iter()
        .map(|object| columns.iter().map(|key| object.get(key).map_or(Datum::Nothing, datum)).collect())
        .collect();
    (columns, rows)
}

fn datum(value: &serde_json::Value) -> Datum {
    use serde_json::Value;
    match value {
        Value::Null => Datum::Nothing,
        Value::Bool(value) => Datum::Boolean(*value),
        Value::Number(number) => {
            number.as_i64().map_or_else(|| Datum::Number(number.as_f64().unwrap_or(f64::NAN)), Datum::Integer)
        }
        Value::String(text) => Datum::Text(text.clone()),
        Value::Array(_) | Value::Object(_) => Datum::Text(value.to_string()),
    }
}

fn of_reply(reply: &Reply) -> Vec<Vec<Datum>> {
    let lines = |text: &str| text.lines().map(|line| vec![Datum::Text(line.to_owned())]).collect::<Vec<_>>();
    match reply {
        Reply::Command { stdout, .. } => lines(stdout),
        Reply::Tcp { reply } => lines(reply),
        Reply::Http { status, body, .. } => {
            let mut rows = vec![vec![Datum::Text(format!("HTTP {status}"))]];
            rows.extend(lines(body));
            rows
        }
        Reply::Nothing { reason, detail } => vec![vec![Datum::Text(format!("{}: {detail}", reason.words()))]],
    }
}

/// Collects what `probe` steps observe until their roll is over.
#[derive(Debug, Default)]
pub struct Gathering {
    seen: Vec<(StepHost, Observation, Vec<String>)>,
    /// The hosts in the order of the roll: they answer in another.
    order: Vec<HostName>,
}

/// The observations of one step.
#[derive(Debug)]
pub struct Gathered {
    /// The step.
    pub step: StepId,
    /// What was seen.
    pub table: Table,
}

impl Gathering {
    /// Takes an event; gives the tables that are complete with it: at the end of a roll, or of the run.
    pub fn take(&mut self, event: &Event) -> Vec<Gathered> {
        match event {
            Event::Observed { at, observation, show } => {
                // seen again (a retry, a resume): the last look counts
                self.seen.retain(|(before, _, _)| before != at);
                self.seen.push((at.clone(), observation.clone(), show.clone()));
                Vec::new()
            }
            Event::RollEnded { .. } | Event::RollStopped { .. } | Event::Stopped { .. } | Event::Ended { .. } => {
                self.finish()
            }
            Event::RollStarted { batches, .. } => {
                self.order = batches.concat();
                Vec::new()
            }
            Event::Opened(_)
            | Event::Resumed(_)
            | Event::HostsLocked { .. }
            | Event::LockRefused { .. }
            | Event::LockLost { .. }
            | Event::LocksReleased { .. }
            | Event::LockBroken { .. }
            | Event::RunsPruned { .. }
            | Event::PreconditionJudged { .. }
            | Event::PreconditionOverridden { .. }
            | Event::WaitStarted { .. }
            | Event::WarningShown { .. }
            | Event::WarningAcknowledged { .. }
            | Event::Asked { .. }
            | Event::Answered { .. }
            | Event::FloorJudged { .. }
            | Event::BatchStarted { .. }
            | Event::PauseStarted { .. }
            | Event::ObservedBefore { .. }
            | Event::Looked { .. }
            | Event::StepStarted { .. }
            | Event::StepActed { .. }
            | Event::RetryScheduled { .. }
            | Event::CheckJudged { .. }
            | Event::ConnectionLost { .. }
            | Event::ConnectionRegained { .. }
            | Event::ReceiptRead { .. }
            | Event::Captured { .. }
            | Event::Collected { .. }
            | Event::StepEnded { .. }
            | Event::Chosen { .. }
            | Event::UndoStarted { .. }
            | Event::UndoEnded { .. }
            | Event::Interrupted { .. }
            | Event::Noted { .. }
            | Event::Resolved { .. }
            | Event::Abandoned { .. } => Vec::new(),
        }
    }

    /// The tables of what was seen so far, complete or not.
    pub fn finish(&mut self) -> Vec<Gathered> {
        let mut seen = std::mem::take(&mut self.seen);
        // stable: hosts the roll does not name stay behind the others, in the order of their answers
        seen.sort_by_key(|(at, _, _)| self.order.iter().position(|host| *host == at.host).unwrap_or(usize::MAX));
        let mut steps: Vec<StepId> = Vec::new();
        for (at, _, _) in &seen {
            if !steps.contains(&at.step) {
                steps.push(at.step.clone());
            }
        }
        let of = |step: &StepId| {
            let mine: Vec<_> = seen.iter().filter(|(at, _, _)| at.step == *step).collect();
            let show = mine.first().map_or(&[][..], |(_, _, show)| show);
            table(mine.iter().map(|(_, observation, _)| observation), show)
        };
        steps.into_iter().map(|step| Gathered { table: of(&step), step }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Fit, Styles};
    use crate::vocab::observation::NoReply;
    use crate::vocab::{HostName, Period, Rows};

    fn rows(host: &str, rows: &[(i64, &str)]) -> Observation {
        Observation {
            host: HostName::new(host),
            reply: Reply::Command { exit: 0, stdout: "raw".to_owned(), stderr: String::new() },
            took: Period::seconds(1),
            rows: Some(Rows {
                columns: vec!["pid".to_owned(), "args".to_owned(), "state".to_owned()],
                rows: rows
                    .iter()
                    .map(|(pid, state)| {
                        vec![Datum::Integer(*pid), Datum::Text("x".to_owned()), Datum::Text((*state).to_owned())]
                    })
                    .collect(),
            }),
            value: None,
            problems: Vec::new(),
        }
    }

    #[test]
    fn every_host_is_accounted_for() {
        let seen = [
            rows("dfw-jobs01", &[(5663, "bored"), (25034, "entries: exampleuser(42)\x1b[2J")]),
            rows("dfw-jobs02", &[]),
            Observation::nothing(HostName::new("dfw-mail01"), NoReply::Unreachable, "connection refused", Period::ZERO),
        ];
        let show = ["pid".to_owned(), "state".to_owned()];
        insta::assert_snapshot!(table(&seen, &show).shown(Fit::Width(80), &Styles::plain()), @r"
        host          pid  state
        dfw-jobs01   5663  bored
        dfw-jobs01  25034  entries: exampleuser(42)\x1b[2J
        dfw-jobs02  no rows
        dfw-mail01  unknown: unreachable: connection refused
        ");
    }

    #[test]
    fn bare_text_and_json_are_tables_too() {
        let mut text = rows("a", &[]);
        text.rows = None;
        text.reply = Reply::Tcp { reply: "uptime 5\nlocks 3\n".to_owned() };
        insta::assert_snapshot!(table([&text], &[]).shown(Fit::Width(80), &Styles::plain()), @r"
        host  output
        a     uptime 5
        a     locks 3
        ");
        text.value = Some(serde_json::json!([{"name": "x", "n": 1}, {"n": 2.5, "more": [1]}]));
        insta::assert_snapshot!(table([&text], &[]).shown(Fit::Width(80), &Styles::plain()), @r"
        host  name    n  more
        a     x       1  -
        a     -     2.5  [1]
        ");
    }
}
