//! The runs of a period as one page: how many, by whom, what went wrong, and what could be proven.

use std::collections::BTreeMap;
use std::time::Duration;

use super::days;
use super::html::{Html, class};
use super::made::Made;
use super::run::{last_words, mark};
use super::verified::Verified;
use crate::audit::Kind;
use crate::journal::{Entry, Indexed};
use crate::report::elapsed;
use crate::report::style::Mark;
use crate::report::words::count;
use crate::vocab::RunId;

/// How many runs are listed each by itself.
const MOST: usize = 2000;

/// One run of the period.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What its journal says.
    pub indexed: Indexed,
    /// What could be proven of it.
    pub proof: Verified,
}

/// A page of many runs, and what it is made from.
#[derive(Clone, Copy, Debug)]
pub struct Period<'a> {
    /// The runs, newest first.
    pub runs: &'a [Seen],
    /// Which were asked for, in words: a name and a value each.
    pub asked: &'a [(String, String)],
    /// When and from what the page is made.
    pub made: &'a Made,
}

/// A run whose journal can be read.
#[derive(Clone, Copy)]
pub(super) struct Readable<'a> {
    run: &'a RunId,
    pub(super) entry: &'a Entry,
    pub(super) kind: Kind,
}

impl Period<'_> {
    /// The page: a line for each run, in full only what went wrong and what was overridden.
    pub fn page(&self) -> String {
        let runs: Vec<Readable> = self
            .runs
            .iter()
            .filter_map(|seen| {
                let entry = seen.indexed.entry.as_ref().ok()?;
                let kind = Kind::of(&entry.status, seen.indexed.running);
                Some(Readable { run: &seen.indexed.run, entry, kind })
            })
            .collect();
        let mut html = Html::page("Report of runs");
        html.open("header", &[]).leaf("p", &[], "Report of runs").end("header");
        html.contents(&[
            ("numbers", "Numbers"),
            ("days", "Day by day"),
            ("trouble", "What went wrong"),
            ("overrides", "Overrides and emergencies"),
            ("unfinished", "Unfinished"),
            ("records", "The records themselves"),
            ("runs", "Every run"),
        ]);
        html.open("main", &[("id", "content"), ("tabindex", "-1")]);
        html.leaf("h1", &[], &format!("{} of {}", count(self.runs.len(), "run"), self.made.admin_host)).text("\n");
        self.head(&mut html, &runs);
        html.heading("h2", "numbers", "Numbers");
        numbers(&mut html, "By runbook", "runbook", &runs, |entry| &entry.runbook);
        numbers(&mut html, "By operator", "operator", &runs, |entry| &entry.operator);
        html.heading("h2", "days", "Day by day");
        days::write(&mut html, &runs, self.made);
        html.heading("h2", "trouble", "What went wrong");
        self.trouble(&mut html, &runs);
        html.heading("h2", "overrides", "Overrides and emergencies");
        self.overrides(&mut html, &runs);
        html.heading("h2", "unfinished", "Unfinished");
        self.unfinished(&mut html);
        html.heading("h2", "records", "The records themselves");
        self.proofs(&mut html);
        html.heading("h2", "runs", "Every run");
        self.every(&mut html);
        html.end("main");
        let how = "One run in full: runbook audit report RUN";
        self.made.write(&mut html, how);
        html.finish()
    }

    fn head(&self, html: &mut Html, runs: &[Readable]) {
        let mut facts: Vec<(&str, String)> =
            self.asked.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        if facts.is_empty() {
            facts.push(("Which", "every run".to_owned()));
        }
        let starts = || runs.iter().map(|run| run.entry.started);
        if let (Some(first), Some(last)) = (starts().min(), starts().max()) {
            let zone = self.made.zone_at(last);
            facts.push(("First began", self.made.stamp(first)));
            facts.push(("Last began", self.made.stamp(last)));
            facts.push(("Times", format!("in {zone}")));
        }
        html.facts(&facts);
        let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
        for run in runs {
            *kinds.entry(run.kind).or_default() += 1;
        }
        html.open("ul", &[("class", "tiles")]);
        for (kind, number) in kinds {
            tile(html, mark(kind), number, kind.word());
        }
        let overridden = runs.iter().filter(|run| !run.entry.overrides.is_empty()).count();
        let emergencies = runs.iter().filter(|run| run.entry.emergency).count();
        let unread = self.runs.len() - runs.len();
        let broken = self.runs.iter().filter(|seen| !seen.proof.ok).count();
        for (mark, number, words) in [
            (Mark::Warning, overridden, "with an override"),
            (Mark::Warning, emergencies, "as an emergency"),
            (Mark::Failed, unread, "cannot be read"),
            (Mark::Failed, broken, "not proven whole"),
        ] {
            if number > 0 {
                tile(html, mark, number, words);
            }
        }
        html.end("ul");
        html.paragraph(
            "On this page: a line for each run; why, only where a run did not end well; every override with its reason. \
             Not on it: steps, commands and their output.",
        );
    }

    fn trouble(&self, html: &mut Html, runs: &[Readable]) {
        let wrong = |run: &&Readable| match run.kind {
            Kind::Failed
            | Kind::InDoubt
            | Kind::Interrupted
            | Kind::NotWritten
            | Kind::Abandoned
            | Kind::Died
            | Kind::Broken => true,
            // it did not end well at first
            Kind::Ok => run.entry.stretches > 1,
            Kind::Refused | Kind::Declined | Kind::Locked | Kind::Running => false,
        };
        let wrong: Vec<&Readable> = runs.iter().filter(wrong).collect();
        if wrong.is_empty() {
            html.paragraph("Nothing: no run failed, was interrupted, left a step in doubt or had to be resumed.");
            return;
        }
        html.table_head(
            "Runs that did not end well, or only after a resume",
            ["run", "began", "runbook", "operator", "outcome", "why"],
        );
        for run in wrong {
            self.front(html, run);
            outcome(html, run.kind);
            let words = last_words(&run.entry.status);
            let stretches = run.entry.stretches;
            let words = if stretches > 1 { format!("{words} (in {stretches} stretches)") } else { words };
            html.leaf("td", &[], &words).end("tr");
        }
        html.table_end();
    }

    fn overrides(&self, html: &mut Html, runs: &[Readable]) {
        let against: Vec<&Readable> =
            runs.iter().filter(|run| run.entry.emergency || !run.entry.overrides.is_empty()).collect();
        if against.is_empty() {
            html.paragraph("None: no run went on against a precondition.");
            return;
        }
        let columns = ["run", "began", "runbook", "operator", "against", "reason", "outcome"];
        html.table_head("Runs against a precondition, and emergencies", columns);
        for run in against {
            let mut lines: Vec<(String, &str)> = Vec::new();
            if run.entry.emergency {
                lines.push(("EMERGENCY".to_owned(), run.entry.reason.as_deref().unwrap_or_default()));
            }
            lines.extend(run.entry.overrides.iter().map(|(id, reason)| (id.clone(), reason.as_str())));
            for (against, reason) in lines {
                self.front(html, run);
                html.leaf("td", &[], &against).leaf("td", &[], reason);
                outcome(html, run.kind);
                html.end("tr");
            }
        }
        html.table_end();
    }

    fn unfinished(&self, html: &mut Html) {
        let open: Vec<&Seen> = self.runs.iter().filter(|seen| seen.indexed.is_unfinished()).collect();
        if open.is_empty() {
            html.paragraph("None: every run is over, or its program is at work.");
            return;
        }
        html.paragraph("Nobody is at them, and they could go on: runbook resume RUN, or runbook abandon RUN.");
        html.open("ul", &[]);
        for seen in open {
            let Ok(entry) = &seen.indexed.entry else { continue };
            html.open("li", &[]).leaf("code", &[], seen.indexed.run.as_str());
            html.text(&format!(" {} by {}: {}", entry.runbook, entry.operator, last_words(&entry.status))).end("li");
        }
        html.end("ul");
    }

    fn proofs(&self, html: &mut Html) {
        let mut words: BTreeMap<(bool, &str), usize> = BTreeMap::new();
        for seen in self.runs {
            *words.entry((seen.proof.ok, seen.proof.word.as_str())).or_default() += 1;
        }
        html.open("ul", &[]);
        for ((ok, word), number) in &words {
            let mark = if *ok { Mark::Ok } else { Mark::Failed };
            html.open("li", &[]).mark(mark).text(&format!("{}: {word}", count(*number, "run"))).end("li");
        }
        html.end("ul");
        html.paragraph(
            "Each run was looked at by itself; whether one is missing altogether: runbook audit verify --all.",
        );
        for seen in self.runs.iter().filter(|seen| !seen.proof.ok) {
            html.open("div", &[("class", "notice"), ("role", "note")]).open("p", &[]).mark(Mark::Failed);
            html.leaf("code", &[], seen.indexed.run.as_str()).text(&format!(": {}", seen.proof.word)).end("p");
            html.open("ul", &[]);
            for detail in &seen.proof.details {
                html.leaf("li", &[], detail);
            }
            html.close("ul").end("div");
        }
    }

    fn every(&self, html: &mut Html) {
        html.table_head(
            "Every run, newest first",
            ["run", "began", "runbook", "operator", "outcome", "took", "reason", "record"],
        );
        for seen in self.runs.iter().take(MOST) {
            let proof = |html: &mut Html| {
                let (role, word) = (if seen.proof.ok { "" } else { "failed" }, &seen.proof.word);
                html.leaf("td", &[("class", role)], word).end("tr");
            };
            match &seen.indexed.entry {
                Ok(entry) => {
                    let kind = Kind::of(&entry.status, seen.indexed.running);
                    self.front(html, &Readable { run: &seen.indexed.run, entry, kind });
                    outcome(html, kind);
                    html.leaf("td", &[("class", "number")], &elapsed::short(took(entry)));
                    html.leaf("td", &[], entry.reason.as_deref().unwrap_or_default());
                    proof(html);
                }
                Err(error) => {
                    html.open("tr", &[]).open("td", &[]).leaf("code", &[], seen.indexed.run.as_str()).close("td");
                    html.leaf(
                        "td",
                        &[("colspan", "6"), ("class", "failed")],
                        &format!("unreadable: {}", error.whole()),
                    );
                    proof(html);
                }
            }
        }
        html.table_end();
        let more = self.runs.len().saturating_sub(MOST);
        if more > 0 {
            html.paragraph(&format!("… and {more} older ones, counted above and not listed: ask for a shorter time."));
        }
    }

    /// A row up to what differs between the tables.
    fn front(&self, html: &mut Html, run: &Readable) {
        html.open("tr", &[]).open("td", &[]).leaf("code", &[], run.run.as_str()).close("td");
        html.leaf("td", &[], &self.made.stamp(run.entry.started));
        html.leaf("td", &[], &run.entry.runbook).leaf("td", &[], &run.entry.operator);
    }
}

fn tile(html: &mut Html, mark: Mark, number: usize, words: &str) {
    html.open("li", &[("class", class(mark.role()))]).leaf("strong", &[], &number.to_string()).text(" ");
    html.mark(mark).text(words).end("li");
}

fn outcome(html: &mut Html, kind: Kind) {
    let mark = mark(kind);
    html.open("td", &[("class", "outcome")]).mark(mark);
    html.leaf("span", &[("class", class(mark.role()))], kind.word()).close("td");
}

fn took(entry: &Entry) -> Duration {
    elapsed::between(entry.started, entry.last)
}

/// Counts of outcomes and lengths, by what `name` gives.
fn numbers(html: &mut Html, caption: &str, column: &str, runs: &[Readable], name: fn(&Entry) -> &String) {
    let mut groups: BTreeMap<&str, Vec<&Readable>> = BTreeMap::new();
    let mut kinds: Vec<Kind> = Vec::new();
    for run in runs {
        groups.entry(name(run.entry)).or_default().push(run);
        if !kinds.contains(&run.kind) {
            kinds.push(run.kind);
        }
    }
    kinds.sort();
    let mut columns = vec![column, "runs"];
    columns.extend(kinds.iter().map(|kind| kind.word()));
    columns.extend(["median time", "longest"]);
    html.table_head(caption, columns);
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, runs)| std::cmp::Reverse(runs.len()));
    for (name, runs) in groups {
        html.open("tr", &[]).leaf("th", &[("scope", "row")], name);
        let number = |html: &mut Html, text: &str| {
            html.leaf("td", &[("class", "number")], text);
        };
        number(html, &runs.len().to_string());
        for kind in &kinds {
            let count = runs.iter().filter(|run| run.kind == *kind).count();
            number(html, &if count == 0 { "–".to_owned() } else { count.to_string() });
        }
        let mut lengths: Vec<Duration> = runs.iter().map(|run| took(run.entry)).collect();
        lengths.sort();
        number(html, &median(&lengths).map_or(String::new(), elapsed::short));
        number(html, &lengths.last().map_or(String::new(), |length| elapsed::short(*length)));
        html.end("tr");
    }
    html.table_end();
}

/// The one in the middle; of an even number the mean of the two that are.
fn median(sorted: &[Duration]) -> Option<Duration> {
    let upper = sorted.get(sorted.len() / 2)?;
    let lower = sorted.get((sorted.len() - 1) / 2)?;
    Some((*lower + *upper) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_is_between_two() {
        let of = |seconds: &[u64]| {
            let lengths: Vec<Duration> = seconds.iter().map(|length| Duration::from_secs(*length)).collect();
            median(&lengths).map(|length| length.as_millis())
        };
        assert_eq!([of(&[]), of(&[7]), of(&[1, 2]), of(&[1, 2, 9])], [None, Some(7000), Some(1500), Some(2000)]);
    }
}
