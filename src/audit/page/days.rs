//! How many runs began on each day, drawn: those that did not end well marked.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{Span, ToSpan as _};

use super::html::Html;
use super::made::Made;
use super::period::Readable;
use super::run::mark;
use crate::report::style::Mark;
use crate::report::words::count;

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 36.0;
const HIGH: f64 = 130.0;
const TOP: f64 = 14.0;

/// How many columns are drawn at most; more days than that are taken together.
const COLUMNS: i64 = 124;

/// What a column counts: runs that went well, that did not come to it, that failed.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    well: u32,
    other: u32,
    failed: u32,
}

impl Counts {
    fn all(self) -> u32 {
        self.well + self.other + self.failed
    }

    fn words(self) -> String {
        let runs = count(usize::try_from(self.all()).unwrap_or(usize::MAX), "run");
        format!("{runs}: {} ok, {} failed or in doubt, {} other", self.well, self.failed, self.other)
    }
}

/// How long a column is.
#[derive(Clone, Copy, Debug)]
enum Unit {
    Day,
    Week,
    Month,
}

impl Unit {
    /// The shortest in which the days fit.
    fn of(first: Date, last: Date) -> Self {
        let days = first.duration_until(last).as_hours() / 24 + 1;
        match days {
            ..=COLUMNS => Self::Day,
            _ if days <= COLUMNS * 7 => Self::Week,
            _ => Self::Month,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The first day of the column that a day belongs to.
    fn start(self, day: Date) -> Date {
        let back = match self {
            Self::Day => 0,
            Self::Week => day.weekday().to_monday_zero_offset(),
            Self::Month => day.day() - 1,
        };
        day.checked_sub(Span::new().days(back)).unwrap_or(day)
    }

    fn next(self, day: Date) -> Option<Date> {
        let step = match self {
            Self::Day => 1.day(),
            Self::Week => 1.week(),
            Self::Month => 1.month(),
        };
        day.checked_add(step).ok()
    }
}

/// Writes the drawing, and a table of the same.
pub(super) fn write(html: &mut Html, runs: &[Readable], made: &Made) {
    let days: Vec<(Date, &Readable)> =
        runs.iter().map(|run| (run.entry.started.to_zoned(made.zone.clone()).date(), run)).collect();
    let first = days.iter().map(|(day, _)| *day).min();
    let last = days.iter().map(|(day, _)| *day).max();
    let (Some(first), Some(last)) = (first, last) else {
        html.paragraph("There is nothing to draw.");
        return;
    };
    let unit = Unit::of(first, last);
    let mut columns: BTreeMap<Date, Counts> = BTreeMap::new();
    let starts = std::iter::successors(Some(unit.start(first)), |day| unit.next(*day));
    for day in starts.take_while(|day| *day <= last) {
        columns.insert(day, Counts::default());
    }
    for (day, run) in days {
        let counts = columns.entry(unit.start(day)).or_default();
        match mark(run.kind) {
            Mark::Ok => counts.well += 1,
            Mark::Failed | Mark::Doubt => counts.failed += 1,
            Mark::Left | Mark::Warning => counts.other += 1,
        }
    }
    draw(html, &columns, unit);
    let word = unit.word();
    html.open("details", &[]).leaf("summary", &[], &format!("The same as a table, {word} by {word}"));
    html.table_head(&format!("Runs of each {word}"), [word, "runs", "ok", "failed or in doubt", "other"]);
    for (day, counts) in columns.iter().filter(|(_, counts)| counts.all() > 0) {
        html.open("tr", &[]).leaf("th", &[("scope", "row")], &day.to_string());
        for number in [counts.all(), counts.well, counts.failed, counts.other] {
            html.leaf("td", &[("class", "number")], &number.to_string());
        }
        html.end("tr");
    }
    html.table_end().end("details");
}

fn draw(html: &mut Html, columns: &BTreeMap<Date, Counts>, unit: Unit) {
    let most = columns.values().map(|counts| counts.all()).max().unwrap_or(1).max(1);
    let number = u32::try_from(columns.len()).unwrap_or(1).max(1);
    let wide = (WIDTH - LEFT - 10.0) / f64::from(number);
    let bar = (wide * 0.8).clamp(1.5, 40.0);
    let word = unit.word();
    let name = format!("Runs of each {word}, {most} at most; the same is told in the table below");
    let ground = TOP + HIGH;
    html.open("div", &[("class", "timeline"), ("tabindex", "0"), ("role", "group"), ("aria-label", "Day by day")]);
    html.open("svg", &[("viewBox", "0 0 1000 176"), ("role", "img"), ("aria-label", &name)]);
    super::timeline::patterns(html);
    for (value, y) in [(0, ground), (most, TOP)] {
        let y = format!("{y:.1}");
        html.empty("path", &[("class", "grid"), ("d", &format!("M{LEFT} {y}H990"))]);
        html.leaf("text", &[("class", "scale"), ("x", "30"), ("y", &y)], &value.to_string());
    }
    // about ten dates below, whatever the number of columns
    let every = number.div_ceil(10);
    for (index, (day, counts)) in (0_u32..).zip(columns) {
        let x = LEFT + wide * f64::from(index) + (wide - bar) / 2.0;
        html.open("g", &[]).leaf("title", &[], &format!("{day}: {}", counts.words()));
        let mut y = ground;
        for (class, part) in [("bar ok", counts.well), ("bar left", counts.other), ("bar failed", counts.failed)] {
            let high = HIGH * f64::from(part) / f64::from(most);
            if part > 0 {
                y -= high;
                html.empty(
                    "path",
                    &[("class", class), ("d", &format!("M{x:.1} {y:.1}h{bar:.1}v{high:.1}h-{bar:.1}z"))],
                );
            }
        }
        html.close("g");
        if index % every == 0 {
            let x = format!("{x:.1}");
            html.leaf("text", &[("class", "date"), ("x", &x), ("y", "164")], &day.to_string());
        }
        html.text("\n");
    }
    html.close("svg").end("div");
    html.open("ul", &[("class", "legend")]);
    for (class, words) in
        [("bar ok", "ok"), ("bar left", "refused, interrupted, other"), ("bar failed", "failed or in doubt")]
    {
        super::timeline::swatch(html, class, None, words);
    }
    html.end("ul");
}
