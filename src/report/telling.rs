//! The story of a run as text, in reading order: `audit show`.
//!
//! Apart from plain lines, which tell in the order in which things came: here what hosts did side by side in a batch
//! is told host by host, and what a reader of a record wants (who exactly, what was seen when something did not hold,
//! what was written when something failed) is told in full.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::elapsed;
use super::line::{self, Line};
use super::narration::{Narrator, Told, tail};
use super::observed::{self, Gathered, Gathering};
use super::outline;
use super::selection::{Selection, host_of};
use super::story::Story;
use super::style::{Mark, Role, Styles};
use super::table::{Fit, Table};
use super::tally;
use super::verdicts;
use super::words::{self, override_words};
use crate::event::{
    ActionEnd, Event, HostVerdict, Moment, Opened, OperatorEntry, Outcome, Output, Resumed, RunState, RunStatus,
    StepEntry,
};
use crate::vocab::fold_hosts;
use crate::vocab::{HostName, Observation, StepHost, StepId};

/// Writes the story of a run.
#[derive(Clone, Debug)]
pub struct Telling {
    styles: Styles,
    zone: TimeZone,
    columns: Option<usize>,
    all_output: bool,
    only: Selection,
    broken: Option<String>,
}

/// How many lines of an output are told where not all are asked for.
const TAIL: usize = 12;

/// How many lines of what was seen, where all was well.
const GLANCE: usize = 8;

impl Telling {
    /// `columns` is the terminal's width; none where there is no terminal, and nothing is wrapped or cut.
    pub fn new(styles: Styles, zone: TimeZone, columns: Option<usize>) -> Self {
        Self { styles, zone, columns, all_output: false, only: Selection::default(), broken: None }
    }

    /// Tells all that was written and seen, not only the end of what failed and the beginning of what was well.
    #[must_use]
    pub fn all_output(mut self, all: bool) -> Self {
        self.all_output = all;
        self
    }

    /// Tells only what concerns these steps and hosts.
    #[must_use]
    pub fn only(mut self, only: Selection) -> Self {
        self.only = only;
        self
    }

    /// Says in front and at the end that the record is broken, and how.
    #[must_use]
    pub fn broken(mut self, how: Option<String>) -> Self {
        self.broken = how;
        self
    }

    /// The whole story.
    pub fn shown(&self, story: &Story) -> String {
        line::shown(&self.lines(story), &self.styles)
    }

    /// The whole story as lines.
    pub fn lines(&self, story: &Story) -> Vec<Line> {
        let mut lines = self.alarm();
        match story.opened() {
            Some(opened) => lines.extend(self.head(story, opened)),
            None => lines.push(
                Line::marked(Mark::Warning, &self.styles)
                    .with(Role::Warning, "the record of this run has no beginning"),
            ),
        }
        lines.extend(self.body(story));
        lines.extend(self.end(story));
        lines.extend(self.alarm());
        lines.into_iter().flat_map(|line| line.wrap(self.columns, 2)).collect()
    }

    fn alarm(&self) -> Vec<Line> {
        let alarm = |how: &String| {
            Line::marked(Mark::Failed, &self.styles).with(Role::Failed, &format!("THIS RECORD IS NOT WHOLE: {how}"))
        };
        self.broken.iter().map(alarm).collect()
    }

    fn body(&self, story: &Story) -> Vec<Line> {
        let mut teller = Teller {
            of: self,
            narrator: Narrator::new(self.styles.clone()).in_full(),
            lines: Vec::new(),
            beside: Vec::new(),
            gathering: Gathering::default(),
            gathered: BTreeSet::new(),
            day: String::new(),
            last: None,
        };
        let mut state: Option<RunState> = None;
        for (index, (at, event)) in story.records().iter().enumerate() {
            let open = state.as_ref().is_some_and(|state| state.status == RunStatus::Open);
            // nobody who is at a run abandons it
            if open && matches!(event, Event::Resumed(_) | Event::Abandoned { .. }) {
                teller.say_death();
            }
            match &mut state {
                // an event that does not fit is told all the same; whether the record is whole, `audit verify` says
                Some(state) => drop(state.apply(*at, event)),
                None => state = RunState::open(*at, event).ok(),
            }
            if !self.only.takes(event) {
                continue;
            }
            // the end is told at the end
            let last = index + 1 == story.records().len();
            if last && matches!(event, Event::Stopped { .. } | Event::Ended { .. }) {
                teller.flush();
                teller.say_seen(*at, event);
                teller.say_clock(*at);
            } else {
                teller.tell(*at, event, state.as_ref());
            }
        }
        teller.flush();
        if let Some(at) = teller.last {
            let rest = teller.gathering.finish();
            teller.say_tables(at, rest);
        }
        teller.lines
    }

    fn head(&self, story: &Story, opened: &Opened) -> Vec<Line> {
        let mut title = Line::new().with(Role::Heading, &opened.runbook);
        if !opened.title.is_empty() {
            title.push(Role::Text, &format!(": {}", opened.title));
        }
        if opened.emergency {
            title.push(Role::Warning, "  EMERGENCY");
        }
        let mut lines = title.wrap(self.columns, 2);
        let mut say_as = |role: Role, name: &str, text: &str| {
            if !text.is_empty() {
                let line = Line::new().with(Role::Dim, name).padded(12).with(role, text);
                lines.extend(line.wrap(self.columns, 12));
            }
        };
        let mut say = |name: &str, text: &str| say_as(Role::Text, name, text);
        let began = story.state().map(|state| state.opened_at).unwrap_or_default();
        let operator = &opened.operator;
        say("run", opened.run.as_str());
        say("started", &format!("{} {}", elapsed::stamp(began, &self.zone), elapsed::zone_name(began, &self.zone)));
        let who = outline::operator(operator, &opened.admin_host);
        let uid = operator.loginuid.map(|uid| format!(", login uid {uid}")).unwrap_or_default();
        say("operator", &format!("{who}, known by {}; login user {}{uid}", operator.source, operator.login));
        say("reason", opened.reason.as_deref().unwrap_or_default());
        say("parameters", &outline::params(opened));
        say("hosts", &fold_hosts(opened.reached()));
        if opened.has_runbook() {
            say("plan", &format!("{} from {}, by runbook {}", opened.plan.short(), opened.book, opened.version));
        } else {
            say("tool", &format!("runbook {}", opened.version));
        }
        say("inventory", &opened.inventories.join(", "));
        if !opened.changes {
            say("changes", "nothing: it only looks");
        }
        for resumed in resumptions(story) {
            say("resumed by", &outline::operator(&resumed.operator, &resumed.admin_host));
        }
        for (at, who) in abandonments(story) {
            say("abandoned", &format!("by {} at {}", outline::person(who), elapsed::stamp(*at, &self.zone)));
        }
        for (id, (how, reason)) in story.state().map(|state| &state.overrides).into_iter().flatten() {
            say_as(Role::Warning, "overrode", &format!("{id} by {}: {reason}", override_words(*how)));
        }
        if let Some((mark, text)) = story.state().map(outcome) {
            say_as(mark.role(), "outcome", &text);
        }
        say_as(Role::Warning, "told here", &self.part(story));
        lines.push(Line::new());
        lines
    }

    /// What is told here, where it is not all.
    fn part(&self, story: &Story) -> String {
        if self.only.is_all() {
            return String::new();
        }
        let steps: Vec<&str> = self.only.steps.iter().map(StepId::as_str).collect();
        let mut parts = Vec::new();
        if !steps.is_empty() {
            parts.push(steps.join(", "));
        }
        if !self.only.hosts.is_empty() {
            parts.push(format!("on {}", fold_hosts(&self.only.hosts)));
        }
        let taken = story.records().iter().filter(|(_, event)| self.only.takes(event)).count();
        format!("only {} ({taken} of {})", parts.join(" "), words::count(story.records().len(), "record"))
    }

    fn end(&self, story: &Story) -> Vec<Line> {
        let Some(state) = story.state() else { return Vec::new() };
        let (mark, text) = outcome(state);
        let took = elapsed::short(elapsed::between(state.opened_at, state.last_at));
        let stretches = if state.stretches > 1 { format!(", in {} stretches", state.stretches) } else { String::new() };
        let line = Line::marked(mark, &self.styles)
            .with(mark.role(), &text)
            .with(Role::Dim, &format!(" (after {took}{stretches})"));
        let mut lines = vec![Line::new()];
        if self.only.is_all() {
            let tally = tally::tally(story, self.columns, &self.styles);
            if !tally.is_empty() {
                lines.extend(tally);
                lines.push(Line::new());
            }
        }
        lines.extend(line.wrap(self.columns, 2));
        if story.misfits() > 0 {
            let text =
                format!("{} in this record cannot follow what was before", words::count(story.misfits(), "event"));
            lines.push(Line::marked(Mark::Warning, &self.styles).with(Role::Warning, &text));
        }
        lines
    }
}

/// How the run stands.
fn outcome(state: &RunState) -> (Mark, String) {
    match &state.status {
        RunStatus::Ended { exit: 0, why } => (Mark::Ok, format!("ended: {why}")),
        RunStatus::Ended { exit, why } => (Mark::Failed, format!("ended (exit {exit}): {why}")),
        RunStatus::Stopped { exit, why } => (Mark::Warning, format!("stopped (exit {exit}), can be resumed: {why}")),
        RunStatus::Abandoned { reason } => (Mark::Left, format!("abandoned: {reason}")),
        RunStatus::Open => (Mark::Doubt, "unfinished: it still runs, or its program died".to_owned()),
    }
}

fn resumptions(story: &Story) -> impl Iterator<Item = &Resumed> {
    story
        .records()
        .iter()
        .filter_map(|(_, event)| if let Event::Resumed(resumed) = event { Some(&**resumed) } else { None })
}

fn abandonments(story: &Story) -> impl Iterator<Item = (&Timestamp, &OperatorEntry)> {
    story.records().iter().filter_map(|(at, event)| {
        if let Event::Abandoned { operator, .. } = event { Some((at, operator)) } else { None }
    })
}

/// A clock that goes back by less is one that is kept in step, and no news.
const CLOCK_STEP: Duration = Duration::from_secs(1);

/// The story while it is told.
struct Teller<'a> {
    of: &'a Telling,
    narrator: Narrator,
    lines: Vec<Line>,
    /// What hosts did side by side, until it can be told host by host.
    beside: Vec<(HostName, Vec<Line>)>,
    /// What a step that only looks saw, until all its hosts have answered.
    gathering: Gathering,
    /// Where that is so: the table tells what each look would.
    gathered: BTreeSet<StepHost>,
    day: String,
    last: Option<Timestamp>,
}

impl Teller<'_> {
    fn tell(&mut self, at: Timestamp, event: &Event, state: Option<&RunState>) {
        let steps = state.map_or(&[][..], |state| &state.opened.steps);
        let mut told = self.narrator.tell(at, event, steps);
        if matches!(event, Event::Opened(_)) {
            told.clear();
        }
        if self.gathers(event, steps) {
            return;
        }
        if let Some(Told { detail, .. }) = told.last_mut() {
            self.more(event, detail);
        }
        let place = host_of(event);
        if place.is_none() {
            self.flush();
        }
        self.say_seen(at, event);
        if matches!(event, Event::Resumed(_)) {
            self.lines.push(Line::new());
        }
        self.say_clock(at);
        self.say_day(at);
        let lines: Vec<Line> = told.iter().flat_map(|told| self.shown(at, told)).collect();
        match place {
            None => self.lines.extend(lines),
            Some(host) => match self.beside.iter_mut().find(|(before, _)| before == host) {
                Some((_, before)) => before.extend(lines),
                None => self.beside.push((host.clone(), lines)),
            },
        }
    }

    /// Takes what a step of its own saw, for a table of all its hosts; in a block it is told where it was seen.
    fn gathers(&mut self, event: &Event, steps: &[StepEntry]) -> bool {
        if let Event::Observed { at, .. } = event
            && steps.iter().any(|step| step.id == at.step && step.block.is_none())
        {
            self.gathered.insert(at.clone());
            self.gathering.take(event);
            return true;
        }
        // that it went well, the table tells
        matches!(event, Event::StepEnded { at, outcome: Outcome::Ok } if self.gathered.remove(at))
    }

    /// The tables that are complete with this event.
    fn say_seen(&mut self, at: Timestamp, event: &Event) {
        // what was seen in a block was told there
        if !matches!(event, Event::Observed { .. }) {
            let complete = self.gathering.take(event);
            self.say_tables(at, complete);
        }
    }

    fn say_tables(&mut self, at: Timestamp, tables: Vec<Gathered>) {
        for gathered in tables {
            let detail = self.fitted(&gathered.table, usize::MAX);
            let told = Told { step: Some(gathered.step), text: Line::text("what was seen"), detail, ..Told::default() };
            let lines = self.shown(at, &told);
            self.lines.extend(lines);
        }
    }

    fn flush(&mut self) {
        for (_, lines) in std::mem::take(&mut self.beside) {
            self.lines.extend(lines);
        }
    }

    /// That a stretch has no end, where the next one begins.
    fn say_death(&mut self) {
        self.flush();
        let rest = self.gathering.finish();
        if let Some(at) = self.last {
            self.say_tables(at, rest);
        }
        let text = "the record of this stretch has no end: its program was killed, or its machine died";
        self.lines.push(Line::marked(Mark::Doubt, &self.of.styles).with(Role::Doubt, text));
    }

    /// That the clock went back: the times told do not tell then how long things took.
    fn say_clock(&mut self, at: Timestamp) {
        let back = self.last.map(|last| elapsed::between(at, last)).unwrap_or_default();
        self.last = Some(at);
        if back >= CLOCK_STEP {
            self.flush();
            let text = format!("the clock of the admin host went back by {}", elapsed::short(back));
            self.lines.push(Line::marked(Mark::Warning, &self.of.styles).with(Role::Warning, &text));
        }
    }

    /// The date, when it is another than that of the line before.
    fn say_day(&mut self, at: Timestamp) {
        let day = elapsed::date(at, &self.of.zone);
        if self.day != day {
            self.flush();
            self.lines.push(Line::new().with(Role::Dim, &day));
            self.day = day;
        }
    }

    fn shown(&self, at: Timestamp, told: &Told) -> Vec<Line> {
        let time = Line::new().with(Role::Dim, &elapsed::time_of_day(at, &self.of.zone)).with(Role::Text, "  ");
        let mut line = told.mark.map_or_else(|| Line::text("  "), |mark| Line::marked(mark, &self.of.styles));
        if let Some(host) = &told.host {
            line.push(Role::Host, host.as_str());
            line.push(Role::Text, " ");
        }
        if let Some(step) = &told.step {
            line.push(if told.host.is_none() { Role::Heading } else { Role::Text }, step.as_str());
            line.push(Role::Text, ": ");
        }
        let mut lines = time.and(line).and(told.text.clone()).wrap(self.of.columns, 14);
        lines.extend(told.detail.iter().flat_map(|detail| detail.clone().indented(14).wrap(self.of.columns, 16)));
        lines
    }

    /// What a record tells that a screen at the time did not.
    fn more(&self, event: &Event, detail: &mut Vec<Line>) {
        match event {
            Event::PreconditionJudged { verdicts, show, moment, .. } => {
                // what holds again needs no table again
                let first = match moment {
                    Moment::Start | Moment::Resume | Moment::Step { .. } => true,
                    Moment::Waiting | Moment::Again | Moment::Batch { .. } => false,
                };
                if first || self.of.all_output || !verdicts::hold(verdicts) {
                    detail.extend(self.seen(verdicts, show));
                }
            }
            Event::CheckJudged { verdicts, .. } if self.of.all_output || !verdicts::hold(verdicts) => {
                detail.extend(self.seen(verdicts, &[]));
            }
            Event::Looked { observations, .. } if self.of.all_output => {
                let observations: Vec<&Observation> = observations.iter().collect();
                detail.extend(self.table(&observations, &[], usize::MAX));
            }
            Event::ObservedBefore { observations, .. } if self.of.all_output => {
                let observations: Vec<&Observation> = observations.iter().map(|(_, one)| one).collect();
                detail.extend(self.table(&observations, &[], usize::MAX));
            }
            Event::StepActed { end, stdout, stderr, .. } => {
                let well = matches!(end, ActionEnd::Exited(0) | ActionEnd::Done | ActionEnd::Answered(200..=299));
                if self.of.all_output || !well {
                    *detail = self.both(stdout, stderr);
                }
            }
            // what was written was told with the action, what was false where it was judged
            Event::StepEnded { .. } | Event::PreconditionOverridden { .. } => detail.clear(),
            Event::Collected { output, .. } => {
                *detail = self.output(&output.text);
                detail.extend(stored(output));
            }
            Event::UndoEnded { output, .. } => *detail = self.output(&output.text),
            Event::Observed { observation, show, .. } => detail.extend(self.table(&[observation], show, usize::MAX)),
            Event::ObservedBefore { .. }
            | Event::Looked { .. }
            | Event::CheckJudged { .. }
            | Event::Opened(_)
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
            | Event::StepStarted { .. }
            | Event::RetryScheduled { .. }
            | Event::ConnectionLost { .. }
            | Event::ConnectionRegained { .. }
            | Event::ReceiptRead { .. }
            | Event::Captured { .. }
            | Event::Chosen { .. }
            | Event::UndoStarted { .. }
            | Event::Interrupted { .. }
            | Event::Noted { .. }
            | Event::Stopped { .. }
            | Event::Ended { .. }
            | Event::Resolved { .. }
            | Event::Abandoned { .. } => {}
        }
    }

    fn output(&self, text: &str) -> Vec<Line> {
        if text.trim().is_empty() {
            return Vec::new();
        }
        tail(text, if self.of.all_output { usize::MAX } else { TAIL }, &self.of.styles)
    }

    /// What was written on both streams, each for itself; their order in time is not known.
    fn both(&self, stdout: &Output, stderr: &Output) -> Vec<Line> {
        let mut lines = self.output(&stdout.text);
        lines.extend(stored(stdout));
        if !stderr.text.trim().is_empty() {
            if !lines.is_empty() {
                lines.push(Line::new().with(Role::Dim, "on stderr:"));
            }
            lines.extend(self.output(&stderr.text));
            lines.extend(stored(stderr));
        }
        lines
    }

    /// What verdicts were made from: all of it where they are not good, or asked for; else as much as a glance takes.
    fn seen(&self, verdicts: &[HostVerdict], show: &[String]) -> Vec<Line> {
        let well = verdicts::hold(verdicts);
        let wanted = |one: &&HostVerdict| {
            (well || self.of.all_output || !one.verdict.holds())
                && (self.of.only.hosts.is_empty()
                    || one.host.as_ref().is_none_or(|host| self.of.only.hosts.contains(host)))
        };
        let seen: Vec<&Observation> =
            verdicts.iter().filter(wanted).filter_map(|one| one.observation.as_ref()).collect();
        self.table(&seen, show, if well && !self.of.all_output { GLANCE } else { usize::MAX })
    }

    fn table(&self, seen: &[&Observation], show: &[String], most: usize) -> Vec<Line> {
        let show = if self.of.all_output { &[] } else { show };
        self.fitted(&observed::table(seen.iter().copied(), show), most)
    }

    /// A table below what is said, of so many lines at most.
    fn fitted(&self, table: &Table, most: usize) -> Vec<Line> {
        if table.is_empty() {
            return Vec::new();
        }
        let fit = self.of.columns.map_or(Fit::Whole, |columns| Fit::Width(columns.saturating_sub(14)));
        let mut lines = table.lines(fit, &self.of.styles);
        // one line more costs no more than to say that it is missing
        if lines.len() > most.saturating_add(2) {
            let missing = words::count(lines.len() - 1 - most, "more line");
            lines.truncate(most + 1);
            lines.push(Line::new().with(Role::Dim, &format!("{} {missing} (--output)", self.of.styles.more())));
        }
        lines
    }
}

fn stored(output: &Output) -> Option<Line> {
    let stored = output.stored.as_ref()?;
    Some(Line::new().with(Role::Dim, &format!("(whole: {} bytes, kept as {})", stored.bytes, stored.digest)))
}
