//! What each step did on each host, and what the run did beside them, told event by event.
//!
//! The words are the narrator's, as on the screen at the time; what a record has beyond them (what was seen, what was written)
//! stands with them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::course::Course;
use super::html::{Html, class, id_of, id_of_step};
use super::made::Made;
use super::output::Outputs;
use crate::event::{ActionEnd, ActionKind, Event, HostVerdict, StepEntry};
use crate::report::narration::{Narrator, Told};
use crate::report::story::Fate;
use crate::report::style::Mark;
use crate::report::tally::groups;
use crate::report::words::count;
use crate::report::{Story, Styles, Table, elapsed, observed, verdicts};
use crate::vocab::{HostName, Observation, StepHost, StepId, fold_hosts};

/// What the chapters of a run's page are made from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chapters<'a> {
    pub(super) story: &'a Story,
    pub(super) account: &'a Account<'a>,
    pub(super) sections: &'a [(StepId, Vec<StepHost>)],
    pub(super) course: &'a Course,
    pub(super) made: &'a Made,
}

/// One event, told.
#[derive(Debug)]
pub(super) struct Happened<'a> {
    pub(super) at: Timestamp,
    pub(super) event: &'a Event,
    pub(super) told: Vec<Told>,
}

/// All events, told: by step and host, and the others.
#[derive(Debug, Default)]
pub(super) struct Account<'a> {
    at: BTreeMap<StepHost, Vec<Happened<'a>>>,
    pub(super) run: Vec<Happened<'a>>,
}

impl<'a> Account<'a> {
    pub(super) fn of(story: &'a Story) -> Self {
        let mut account = Self::default();
        let mut narrator = Narrator::new(Styles::plain()).in_full();
        let mut steps: &[StepEntry] = &[];
        for (at, event) in story.records() {
            if let Event::Opened(opened) = event {
                steps = &opened.steps;
            }
            if let Event::Resumed(resumed) = event
                && resumed.accepted_changes
            {
                steps = &resumed.steps;
            }
            let told = narrator.tell(*at, event, steps);
            let place = place(event, &told);
            let happened = Happened { at: *at, event, told };
            match place {
                Some(place) => account.at.entry(place).or_default().push(happened),
                None => account.run.push(happened),
            }
        }
        account
    }
}

/// The step and host an event is about, if it is about one.
fn place(event: &Event, told: &[Told]) -> Option<StepHost> {
    if let Event::ObservedBefore { at, .. } | Event::Looked { at: Some(at), .. } = event {
        return Some(at.clone());
    }
    let told = told.first()?;
    Some(StepHost::new(told.step.clone()?, told.host.clone()?))
}

/// The steps with the hosts of which something is told, in the order of the plan; what the plan does not know comes last.
pub(super) fn sections(story: &Story, account: &Account) -> Vec<(StepId, Vec<StepHost>)> {
    let mut sections: Vec<(StepId, Vec<StepHost>)> = Vec::new();
    for step in story.steps() {
        let hosts = step.hosts.iter().map(|host| StepHost::new(step.id.clone(), host.clone()));
        let mut seen = BTreeSet::new();
        let places = hosts.filter(|at| account.at.contains_key(at) && seen.insert(at.clone())).collect();
        if !sections.iter().any(|(id, _)| *id == step.id) {
            sections.push((step.id.clone(), places));
        }
    }
    let known: BTreeSet<StepHost> = sections.iter().flat_map(|(_, places)| places.clone()).collect();
    for at in account.at.keys().filter(|at| !known.contains(at)) {
        match sections.iter_mut().find(|(id, _)| *id == at.step) {
            Some((_, places)) => places.push(at.clone()),
            None => sections.push((at.step.clone(), vec![at.clone()])),
        }
    }
    sections
}

/// A table of what became of each step, then each step with its hosts.
pub(super) fn write(html: &mut Html, told: &Chapters, outputs: &mut Outputs) {
    let Chapters { story, account, sections, .. } = told;
    overview(html, story);
    let overcome = story.overcome();
    let entries = story.steps();
    for (id, places) in *sections {
        let entry = entries.iter().find(|entry| entry.id == *id);
        html.open("section", &[("class", "step"), ("aria-labelledby", &id_of_step(id))]);
        let name = match entry {
            Some(entry) if !entry.name.is_empty() && entry.name != id.as_str() => format!("{id}: {}", entry.name),
            Some(_) | None => id.to_string(),
        };
        html.heading("h3", &id_of_step(id), &name);
        if let Some(says) = entry.and_then(|entry| entry.says.as_deref()) {
            html.paragraph(says.trim());
        }
        for at in places {
            let happened = account.at.get(at).map_or(&[][..], Vec::as_slice);
            one(html, at, happened, told, &overcome, outputs);
        }
        let begun: BTreeSet<&HostName> = places.iter().map(|at| &at.host).collect();
        let mut never =
            entry.into_iter().flat_map(|entry| &entry.hosts).filter(|host| !begun.contains(host)).peekable();
        if never.peek().is_some() {
            html.paragraph(&format!("Nothing was done on {}.", fold_hosts(never)));
        }
        html.end("section");
    }
}

fn overview(html: &mut Html, story: &Story) {
    html.table_head("What became of each step", ["step", "outcome", "hosts", "why"]);
    for step in story.steps() {
        for (fate, hosts) in groups(story, step) {
            let first = StepHost::new(step.id.clone(), (*hosts.first().unwrap_or(&&HostName::new(""))).clone());
            html.open("tr", &[]).open("td", &[]).link(&id_of_step(&step.id), step.id.as_str()).close("td");
            html.open("td", &[("class", "outcome")]).mark(fate.mark());
            html.leaf("span", &[("class", class(fate.mark().role()))], fate.word()).close("td").open("td", &[]);
            if hosts.len() == 1 && fate != Fate::NotRun {
                html.link(&id_of(&first), first.host.as_str());
            } else {
                html.text(&fold_hosts(hosts));
            }
            html.close("td").leaf("td", &[], fate.why()).end("tr");
        }
    }
    html.table_end();
}

fn one(
    html: &mut Html,
    at: &StepHost,
    happened: &[Happened],
    told: &Chapters,
    overcome: &BTreeMap<StepHost, Fate>,
    outputs: &mut Outputs,
) {
    let fate = told.story.fate(at);
    let troubled = matches!(fate, Fate::Failed(_) | Fate::InDoubt(_) | Fate::Running | Fate::Unchecked);
    let id = id_of(at);
    let mut attributes: Vec<(&'static str, &str)> =
        vec![("id", &id), ("class", if troubled { "host trouble" } else { "host" })];
    // a failure that was overcome is one all the same
    let before = overcome.get(at);
    let wrong = troubled || before.is_some();
    if wrong {
        attributes.push(("open", ""));
    }
    html.open("details", &attributes).open("summary", &[]);
    html.open("h4", &[]).mark(fate.mark()).text(at.host.as_str()).close("h4");
    html.text(" ").leaf("span", &[("class", class(fate.mark().role()))], fate.word());
    if let Some(before) = before {
        html.text(" ").leaf("span", &[("class", class(Mark::Warning.role()))], &format!("{} before", before.word()));
    }
    html.leaf("span", &[("class", "dim")], &in_short(happened, told.course.took(at))).end("summary");
    if !fate.why().is_empty() {
        html.paragraph(fate.why());
    }
    if let Some(before) = before {
        html.open("p", &[]).mark(Mark::Warning).text(&format!("{} before: {}", before.word(), before.why())).end("p");
    }
    events(html, happened, outputs, told.made, wrong);
    html.end("details");
}

/// How often it was tried, how the last try ended, and how long all tries took.
fn in_short(happened: &[Happened], took: Duration) -> String {
    let tries = happened.iter().filter(|one| matches!(one.event, Event::StepStarted { .. })).count();
    let end = happened.iter().rev().find_map(|one| {
        let Event::StepActed { end, .. } = one.event else { return None };
        Some(end.to_string())
    });
    let tries = (tries > 1).then(|| format!("{tries} tries"));
    let took = (took > Duration::ZERO).then(|| elapsed::short(took));
    [tries, end, took].into_iter().flatten().fold(String::new(), |text, part| text + " · " + &part)
}

/// Events with their times, each with all that belongs to it.
pub(super) fn events(html: &mut Html, happened: &[Happened], outputs: &mut Outputs, made: &Made, troubled: bool) {
    let mut day = None;
    let days = happened.windows(2).any(|pair| made.date(pair[0].at) != made.date(pair[1].at));
    html.open("ol", &[("class", "events")]);
    for one in happened {
        let date = made.date(one.at);
        if days && day.as_ref() != Some(&date) {
            html.leaf("li", &[("class", "day")], &date).text("\n");
        }
        day = Some(date);
        write_event(html, one, outputs, made, troubled);
    }
    html.end("ol");
}

fn write_event(html: &mut Html, one: &Happened, outputs: &mut Outputs, made: &Made, troubled: bool) {
    let time = elapsed::time_of_day(one.at, &made.zone);
    if let Event::StepStarted { attempt, kind, command, user, .. } = one.event {
        html.open("li", &[]).leaf("span", &[("class", "time")], &time);
        let again = if *attempt > 1 { format!("try {attempt}: ") } else { String::new() };
        let user = user.as_ref().map(|user| format!(" as {user}")).unwrap_or_default();
        html.text(&format!("{again}{}{user}", kind_words(*kind))).preformatted("command", command).end("li");
        return;
    }
    if let Event::ObservedBefore { observations, .. } = one.event {
        html.open("li", &[]).leaf("span", &[("class", "time")], &time).text("looked before the step, for its checks");
        seen(html, "Seen before the step", observations.iter().map(|(_, seen)| seen), &[], false);
        html.end("li");
        return;
    }
    if let Event::Looked { probe, observations, .. } = one.event {
        html.open("li", &[]).leaf("span", &[("class", "time")], &time).text(&format!("looked: {probe}"));
        seen(html, probe, observations, &[], false);
        html.end("li");
        return;
    }
    for (index, told) in one.told.iter().enumerate() {
        html.open("li", &[]).leaf("span", &[("class", "time")], &time);
        if let Some(mark) = told.mark {
            html.mark(mark);
        }
        if let (Some(step), None) = (&told.step, &told.host) {
            html.leaf("span", &[("class", "heading")], step.as_str()).text(": ");
        }
        html.line(&told.text);
        if index == 0 {
            more(html, one.event, told, outputs, troubled);
        }
        html.end("li");
    }
}

/// What a record has beyond what was said at the time.
fn more(html: &mut Html, event: &Event, told: &Told, outputs: &mut Outputs, troubled: bool) {
    match event {
        Event::StepActed { at, end, stdout, stderr, .. } => {
            let well = matches!(end, ActionEnd::Exited(0) | ActionEnd::Done | ActionEnd::Answered(200..=299));
            outputs.write(html, "stdout", stdout, at, troubled && !well);
            outputs.write(html, "stderr", stderr, at, troubled && !well);
        }
        Event::Collected { at, command, output } => outputs.write(html, command, output, at, troubled),
        Event::UndoEnded { at, output, .. } => outputs.write(html, "output of the undo", output, at, troubled),
        Event::Observed { observation, show, .. } => seen(html, "Seen", [observation], show, true),
        Event::CheckJudged { verdicts, .. } => judged(html, verdicts, &[], told),
        Event::PreconditionJudged { verdicts, show, .. } => judged(html, verdicts, show, told),
        // what was written stands with the action, what was false where it was judged
        Event::StepEnded { .. } | Event::PreconditionOverridden { .. } => {}
        Event::Opened(_)
        | Event::Resumed(_)
        | Event::HostsLocked { .. }
        | Event::LockRefused { .. }
        | Event::LockLost { .. }
        | Event::LocksReleased { .. }
        | Event::LockBroken { .. }
        | Event::RunsPruned { .. }
        | Event::WaitStarted { .. }
        | Event::WarningShown { .. }
        | Event::WarningAcknowledged { .. }
        | Event::Asked { .. }
        | Event::Answered { .. }
        | Event::RollStarted { .. }
        | Event::FloorJudged { .. }
        | Event::BatchStarted { .. }
        | Event::PauseStarted { .. }
        | Event::RollStopped { .. }
        | Event::RollEnded { .. }
        | Event::ObservedBefore { .. }
        | Event::Looked { .. }
        | Event::StepStarted { .. }
        | Event::ConnectionLost { .. }
        | Event::ConnectionRegained { .. }
        | Event::ReceiptRead { .. }
        | Event::RetryScheduled { .. }
        | Event::Captured { .. }
        | Event::Chosen { .. }
        | Event::UndoStarted { .. }
        | Event::Interrupted { .. }
        | Event::Noted { .. }
        | Event::Stopped { .. }
        | Event::Ended { .. }
        | Event::Resolved { .. }
        | Event::Abandoned { .. } => {
            html.lines(&told.detail);
        }
    }
}

/// Why it does not hold, and what the verdicts were made from.
fn judged(html: &mut Html, verdicts: &[HostVerdict], show: &[String], told: &Told) {
    html.lines(&told.detail);
    let observations: Vec<&Observation> = verdicts.iter().filter_map(|one| one.observation.as_ref()).collect();
    seen(html, "What was seen", observations, show, !verdicts::hold(verdicts));
}

/// Observations as a table, folded unless they are what a reader looks for; nothing where nothing was seen.
pub(super) fn seen<'a>(
    html: &mut Html,
    caption: &str,
    observations: impl IntoIterator<Item = &'a Observation>,
    show: &[String],
    open: bool,
) {
    let table = observed::table(observations, show);
    if table.is_empty() {
        return;
    }
    // on paper, too, only what a reader looks for is unfolded: what was seen of healthy hosts is long
    let attributes: &[(&'static str, &str)] = if open { &[("open", "")] } else { &[("class", "seen")] };
    html.open("details", attributes);
    if let Some(text) = text_of_one(&table) {
        html.leaf("summary", &[], &format!("{caption}: {}", count(text.lines().count(), "line")));
        html.preformatted("output", &text);
    } else {
        html.leaf("summary", &[], &format!("{caption}: {}", count(table.rows().len(), "row")));
        html.table(caption, &table);
    }
    html.end("details");
}

/// What one host alone wrote, where that is a bare text: a table of its lines would name the host on each.
fn text_of_one(table: &Table) -> Option<String> {
    let [_, only] = table.columns() else { return None };
    if only != "output" {
        return None;
    }
    let mut text = String::new();
    let mut host = None;
    for (cells, note) in table.rows() {
        let ([first, line], None) = (cells, note) else { return None };
        if host.is_some_and(|host| host != first.text()) {
            return None;
        }
        host = Some(first.text());
        text.push_str(line.text());
        text.push('\n');
    }
    Some(text)
}

fn kind_words(kind: ActionKind) -> &'static str {
    match kind {
        ActionKind::Run | ActionKind::Command => "command",
        ActionKind::Script => "script",
        ActionKind::Copy => "copy",
        ActionKind::Http => "HTTP request",
        ActionKind::Manual => "by hand",
        ActionKind::Wait => "wait",
    }
}
