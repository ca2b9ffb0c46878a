//! A list of runs: `audit list`.
//!
//! Apart from the journal, which report does not know: whoever reads journals fills in the rows.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::elapsed;
use super::style::{Role, Styles};
use super::table::{Cell, Fit, Table};

/// One run of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The run's id.
    pub run: String,
    /// When it began; none when its record has no beginning.
    pub started: Option<Timestamp>,
    /// The runbook's name.
    pub runbook: String,
    /// Who ran it.
    pub operator: String,
    /// How it ended in a word: `ok`, `failed`, `in doubt`, `unfinished`, `declined`, …
    pub outcome: String,
    /// What that word is.
    pub role: Role,
    /// The last exit status, if there is one.
    pub exit: Option<u8>,
    /// How long it took.
    pub took: Duration,
    /// Why it was run.
    pub reason: Option<String>,
}

/// A list of runs, in the order given.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    entries: Vec<Entry>,
}

impl Ledger {
    /// A list of these.
    pub fn new(entries: Vec<Entry>) -> Self {
        Self { entries }
    }

    /// The list as text. Times are those of `zone`, to the second; a narrow terminal has fewer columns, and times to the
    /// minute.
    pub fn shown(&self, fit: Fit, styles: &Styles, zone: &TimeZone) -> String {
        let columns = match fit {
            Fit::Width(columns) => columns,
            Fit::Whole | Fit::Tabs => usize::MAX,
        };
        // the id has the year
        let started = |at| match columns {
            0..100 => at_minute(at, zone, "%m-%d %H:%M"),
            100..ROOMY => at_minute(at, zone, "%Y-%m-%d %H:%M"),
            ROOMY.. => elapsed::stamp(at, zone),
        };
        let has = |column: &str| match column {
            "exit" => columns >= ROOMY,
            "took" | "reason" => columns >= 100,
            _ => true,
        };
        let names = ["run", "started", "runbook", "operator", "outcome", "exit", "took", "reason"];
        let mut table = Table::new(names.into_iter().filter(|name| has(name))).with_whole("run").with_whole("started");
        for entry in &self.entries {
            let cells = [
                Cell::new(Role::Text, &entry.run),
                Cell::new(Role::Dim, entry.started.map_or_else(|| "-".to_owned(), started)),
                Cell::new(Role::Heading, &entry.runbook),
                Cell::new(Role::Text, &entry.operator),
                Cell::new(entry.role, &entry.outcome),
                Cell::number(entry.exit.map_or_else(|| "-".to_owned(), |exit| exit.to_string())),
                Cell::new(Role::Dim, elapsed::short(entry.took)),
                Cell::new(Role::Text, entry.reason.as_deref().unwrap_or("")),
            ];
            table.row(names.into_iter().zip(cells).filter(|(name, _)| has(name)).map(|(_, cell)| cell).collect());
        }
        table.shown(fit, styles)
    }
}

/// From so many columns on nothing is left out.
const ROOMY: usize = 120;

fn at_minute(at: Timestamp, zone: &TimeZone, format: &str) -> String {
    at.to_zoned(zone.clone()).strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_line_for_each_run() {
        let entry = |runbook: &str, outcome: &str, exit| Entry {
            run: "20261122T031500Z-1a2b3c4d".to_owned(),
            started: Some(sample::start()),
            runbook: runbook.to_owned(),
            operator: "mark".to_owned(),
            outcome: outcome.to_owned(),
            role: Role::Ok,
            exit,
            took: Duration::from_secs(125),
            reason: Some("new\nrelease \x1b[2J".to_owned()),
        };
        let ledger = Ledger::new(vec![
            entry("restart-jobs", "ok", Some(0)),
            entry("restart-webs", "interrupted", Some(130)),
            entry("x", "unfinished", None),
        ]);
        insta::assert_snapshot!(ledger.shown(Fit::Width(120), &Styles::plain(), &TimeZone::UTC), @r#"
        run                        started              runbook       operator  outcome      exit  took    reason
        20261122T031500Z-1a2b3c4d  2026-11-22 03:15:00  restart-jobs  mark      ok              0  2m 05s  new⏎release \x1b[2J
        20261122T031500Z-1a2b3c4d  2026-11-22 03:15:00  restart-webs  mark      interrupted   130  2m 05s  new⏎release \x1b[2J
        20261122T031500Z-1a2b3c4d  2026-11-22 03:15:00  x             mark      unfinished      -  2m 05s  new⏎release \x1b[2J
        "#);
        insta::assert_snapshot!(ledger.shown(Fit::Width(80), &Styles::plain(), &TimeZone::UTC), @"
        run                        started      runbook       operator  outcome
        20261122T031500Z-1a2b3c4d  11-22 03:15  restart-jobs  mark      ok
        20261122T031500Z-1a2b3c4d  11-22 03:15  restart-webs  mark      interrupted
        20261122T031500Z-1a2b3c4d  11-22 03:15  x             mark      unfinished
        ");
        for columns in 0..130 {
            for line in ledger.shown(Fit::Width(columns), &Styles::plain(), &TimeZone::UTC).lines() {
                assert!(super::super::line::width(line) <= columns, "{columns}: {line}");
            }
        }
    }
}
