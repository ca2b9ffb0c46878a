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
    /// How long it took; none when its record cannot be read.
    pub took: Option<Duration>,
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
            0..NARROW => at_minute(at, zone, "%m-%d %H:%M"),
            NARROW..ROOMY => at_minute(at, zone, "%Y-%m-%d %H:%M"),
            ROOMY.. => elapsed::stamp(at, zone),
        };
        let has = |column: &str| match column {
            "exit" => columns >= ROOMY,
            "took" | "reason" => columns >= NARROW,
            _ => true,
        };
        let names = ["run", "started", "runbook", "operator", "outcome", "exit", "took", "reason"];
        let mut table = Table::new(names.into_iter().filter(|name| has(name)));
        for whole in ["run", "started", "outcome"] {
            table = table.with_whole(whole);
        }
        for entry in &self.entries {
            if entry.started.is_none() && fit != Fit::Tabs {
                // why it cannot be read is longer than any outcome
                let known = vec![Cell::new(Role::Text, &entry.run), Cell::new(Role::Dim, "-")];
                table.noted(known, Cell::new(entry.role, &entry.outcome));
                continue;
            }
            // what explains a word in brackets costs the names beside it
            let outcome = if columns < NARROW { entry.outcome.split(" (").next() } else { None };
            let cells = [
                Cell::new(Role::Text, &entry.run),
                Cell::new(Role::Dim, entry.started.map_or_else(|| "-".to_owned(), started)),
                Cell::new(Role::Heading, &entry.runbook),
                Cell::new(Role::Text, &entry.operator),
                Cell::new(entry.role, outcome.unwrap_or(&entry.outcome)),
                Cell::number(entry.exit.map_or_else(|| "-".to_owned(), |exit| exit.to_string())),
                Cell::new(Role::Dim, entry.took.map_or_else(|| "-".to_owned(), elapsed::short)),
                Cell::new(Role::Text, entry.reason.as_deref().unwrap_or("")),
            ];
            table.row(names.into_iter().zip(cells).filter(|(name, _)| has(name)).map(|(_, cell)| cell).collect());
        }
        table.shown(fit, styles)
    }
}

/// With fewer columns than these there is no room for reasons.
pub const NARROW: usize = 100;

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
            took: Some(Duration::from_secs(125)),
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
        let mut long = entry("restart-jobs", "stopped, failed", Some(1));
        long.reason = Some("a reason that takes more room than there is beside the rest".to_owned());
        let died = entry("restart-webs", "unfinished (its program died)", None);
        let unreadable =
            Entry { started: None, took: None, ..entry("", "unreadable: the record breaks at its line 3", None) };
        let ledger = Ledger::new(vec![long, died, unreadable]);
        insta::assert_snapshot!(ledger.shown(Fit::Width(80), &Styles::plain(), &TimeZone::UTC), @"
        run                        started      runbook       operator  outcome
        20261122T031500Z-1a2b3c4d  11-22 03:15  restart-jobs  mark      stopped, failed
        20261122T031500Z-1a2b3c4d  11-22 03:15  restart-webs  mark      unfinished
        20261122T031500Z-1a2b3c4d  -            unreadable: the record breaks at its li…
        ");
        insta::assert_snapshot!(ledger.shown(Fit::Width(118), &Styles::plain(), &TimeZone::UTC), @"
        run                        started           runbook       operator  outcome                        took    reason
        20261122T031500Z-1a2b3c4d  2026-11-22 03:15  restart-jobs  mark      stopped, failed                2m 05s  a reason …
        20261122T031500Z-1a2b3c4d  2026-11-22 03:15  restart-webs  mark      unfinished (its program died)  2m 05s  new⏎relea…
        20261122T031500Z-1a2b3c4d  -                 unreadable: the record breaks at its line 3
        ");
        let tabs = ledger.shown(Fit::Tabs, &Styles::plain(), &TimeZone::UTC);
        assert!(tabs.contains("\tunreadable: the record breaks at its line 3\t-\t-\t"), "in its column: {tabs}");
        for columns in 0..130 {
            for line in ledger.shown(Fit::Width(columns), &Styles::plain(), &TimeZone::UTC).lines() {
                assert!(super::super::line::width(line) <= columns, "{columns}: {line}");
            }
        }
    }
}
