//! The last screen of a run: what was done, what was not and why, what nobody knows, and how to go on.
//!
//! Apart from the live screen because it must stand alone: whoever scrolls back in the morning, or reads a mail from
//! cron, starts here.

use jiff::tz::TimeZone;

use super::elapsed;
use super::line::{self, Line};
use super::narration::tail;
use super::story::{Story, Unmet};
use super::style::{Mark, Role, Styles};
use super::tally;
use super::verdicts;
use super::way_on::{self, Way};
use super::words::override_words;
use crate::vocab::fold_hosts;

/// Writes the last screen.
#[derive(Clone, Debug)]
pub struct Closing {
    styles: Styles,
    zone: TimeZone,
    columns: Option<usize>,
    program: String,
    lost: bool,
}

/// How many step@hosts have their output shown, and how many lines of each.
const SHOWN: usize = 3;
const LINES: usize = 10;

impl Closing {
    /// `columns` is the terminal's width; none where there is no terminal, and nothing is wrapped or cut.
    pub fn new(styles: Styles, zone: TimeZone, columns: Option<usize>) -> Self {
        Self { styles, zone, columns, program: "runbook".to_owned(), lost: false }
    }

    /// The words in front of each command it names, with the global options it needs (`runbook --book /srv/book`),
    /// quoted for a shell.
    #[must_use]
    pub fn program(mut self, program: impl Into<String>) -> Self {
        self.program = program.into();
        self
    }

    /// Whether the record of the run is lost: then nothing can go on from it.
    #[must_use]
    pub fn lost(mut self, lost: bool) -> Self {
        self.lost = lost;
        self
    }

    /// The screen after a run that ended with `exit`, for the reason `why`.
    pub fn shown(&self, story: &Story, exit: u8, why: &str) -> String {
        line::shown(&self.lines(story, exit, why), &self.styles)
    }

    /// The screen as lines.
    pub fn lines(&self, story: &Story, exit: u8, why: &str) -> Vec<Line> {
        let mut parts = vec![self.head(story, exit, why), tally::tally(story, self.columns, &self.styles)];
        let unmet = if exit == 0 { Vec::new() } else { story.unmet() };
        parts.push(self.stops(story));
        parts.push(self.overrides(story));
        parts.push(unmet.iter().flat_map(|unmet| self.unmet(unmet)).collect());
        parts.push(self.advice(story));
        parts.push(self.checks(story));
        if exit != 0 {
            parts.push(self.failed_steps(story));
            parts.push(self.evidence(story));
        }
        parts.push(changes(story, exit));
        parts.push(self.doubt(story));
        if !self.lost {
            parts.push(self.ways(&way_on::ways(story, exit, &self.program), story, exit));
        }
        let mut lines: Vec<Line> = Vec::new();
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            if !lines.is_empty() {
                lines.push(Line::new());
            }
            lines.extend(part);
        }
        lines
    }

    fn wrapped(&self, line: Line, hang: usize) -> Vec<Line> {
        line.wrap(self.columns, hang)
    }

    fn head(&self, story: &Story, exit: u8, why: &str) -> Vec<Line> {
        let mark = match exit {
            0 => Mark::Ok,
            4 | 130 => Mark::Warning,
            5 => Mark::Doubt,
            _ => Mark::Failed,
        };
        let mut head = Line::marked(mark, &self.styles);
        if let Some(opened) = story.opened() {
            head.push(Role::Heading, &opened.runbook);
            head.push(Role::Text, ": ");
        }
        head.push(mark.role(), why);
        if exit != 0 {
            head.push(Role::Dim, &format!(" (exit {exit})"));
        }
        let mut lines = self.wrapped(head, 2);
        if let Some(state) = story.state() {
            let took = elapsed::short(elapsed::between(state.opened_at, state.last_at));
            let opened = &state.opened;
            let text = format!(
                "  run {} by {} on {}, {}, took {took}",
                opened.run,
                opened.operator.name,
                opened.admin_host,
                elapsed::time_of_day(state.opened_at, &self.zone),
            );
            lines.extend(self.wrapped(Line::new().with(Role::Dim, &text), 2));
        } else {
            lines.push(Line::new().with(Role::Dim, "  the record of this run has no beginning"));
        }
        lines
    }

    fn stops(&self, story: &Story) -> Vec<Line> {
        let mut lines = Vec::new();
        for (step, why, untouched) in story.stopped_rolls() {
            let mut line =
                Line::text("  ").with(Role::Heading, step.as_str()).with(Role::Text, &format!(" stopped: {why}"));
            if !untouched.is_empty() {
                line.push(Role::Text, "; untouched: ");
                line.push(Role::Host, &fold_hosts(untouched));
            }
            lines.extend(self.wrapped(line, 4));
        }
        lines
    }

    fn overrides(&self, story: &Story) -> Vec<Line> {
        let mut lines = Vec::new();
        for (id, (how, reason)) in story.state().map(|state| &state.overrides).into_iter().flatten() {
            let text = format!("{id} was overridden by {}: {reason}", override_words(*how));
            lines.extend(
                self.wrapped(
                    Line::text("  ").and(Line::marked(Mark::Warning, &self.styles)).with(Role::Text, &text),
                    4,
                ),
            );
        }
        lines
    }

    fn unmet(&self, unmet: &Unmet<'_>) -> Vec<Line> {
        let title = Line::marked(Mark::Failed, &self.styles)
            .with(Role::Failed, unmet.id)
            .with(Role::Text, &format!(": {}", unmet.says));
        let mut lines = self.wrapped(title, 2);
        let undecided = verdicts::undecided(unmet.verdicts);
        if undecided {
            lines.extend(self.wrapped(Line::text("  It could not be told whether this is so:"), 2));
        }
        lines.extend(
            verdicts::reasons(unmet.verdicts).into_iter().flat_map(|reason| self.wrapped(reason.indented(4), 8)),
        );
        lines.extend(unmet.otherwise.into_iter().flat_map(|text| self.otherwise(text, undecided)));
        if !unmet.overridable {
            lines.push(Line::new().with(Role::Dim, "  It cannot be overridden."));
        }
        lines
    }

    /// What an author says to do where a precondition does not hold. It explains what was found: where nothing was,
    /// it would name a cause that nobody saw.
    fn otherwise(&self, text: &str, undecided: bool) -> Vec<Line> {
        let mut lines = Vec::new();
        if undecided {
            let text = "  See first why it could not be looked at. Only if it then turns out not to be so:";
            lines.extend(self.wrapped(Line::text(text), 2));
        }
        let indent = if undecided { 4 } else { 2 };
        for text in Line::each(Role::Text, text.trim()) {
            lines.extend(self.wrapped(text.indented(indent), indent));
        }
        lines
    }

    fn advice(&self, story: &Story) -> Vec<Line> {
        let mut lines = Vec::new();
        for advice in story.advice() {
            let found = if advice.undecided { " could not be told on " } else { " does not hold on " };
            let title = Line::marked(Mark::Failed, &self.styles)
                .with(Role::Failed, advice.id)
                .with(Role::Text, found)
                .with(Role::Host, &fold_hosts(&advice.hosts));
            lines.extend(self.wrapped(title, 2));
            lines.extend(self.otherwise(advice.text, advice.undecided));
        }
        lines
    }

    fn checks(&self, story: &Story) -> Vec<Line> {
        let mut lines = Vec::new();
        for (says, verdicts) in story.failed_checks() {
            let title = Line::marked(Mark::Failed, &self.styles)
                .with(Role::Failed, "does not hold")
                .with(Role::Text, &format!(": {says}"));
            lines.extend(self.wrapped(title, 2));
            lines
                .extend(verdicts::reasons(verdicts).into_iter().flat_map(|reason| self.wrapped(reason.indented(4), 8)));
        }
        lines
    }

    /// What the authors say of the steps that failed: the next thing to do stands there.
    fn failed_steps(&self, story: &Story) -> Vec<Line> {
        let mut lines = Vec::new();
        for (step, says) in story.failed_steps() {
            let mut texts = Line::each(Role::Text, says.trim()).into_iter();
            let first = texts.next().unwrap_or_default();
            let title = Line::text("  ").with(Role::Heading, step.as_str()).with(Role::Text, ": ").and(first);
            lines.extend(self.wrapped(title, 4));
            lines.extend(texts.flat_map(|text| self.wrapped(text.indented(4), 4)));
        }
        lines
    }

    fn evidence(&self, story: &Story) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut more = 0;
        let mut shown = 0;
        for at in story.troubled() {
            let wrote = story.wrote(&at).unwrap_or_default();
            let collected = story.collected(&at);
            if wrote.trim().is_empty() && collected.is_empty() {
                continue;
            }
            shown += 1;
            if shown > SHOWN {
                more += 1;
                continue;
            }
            if !wrote.trim().is_empty() {
                lines.push(
                    self.cut(
                        Line::text("  ")
                            .with(Role::Heading, at.step.as_str())
                            .with(Role::Text, " on ")
                            .with(Role::Host, at.host.as_str())
                            .with(Role::Text, " wrote:"),
                    ),
                );
                lines.extend(self.tail(&wrote));
            }
            for (command, output) in collected {
                lines.push(
                    self.cut(
                        Line::text("  ")
                            .with(Role::Host, at.host.as_str())
                            .with(Role::Dim, " $ ")
                            .with(Role::Command, command),
                    ),
                );
                lines.extend(self.tail(&output.text));
            }
        }
        if more > 0 {
            lines.push(Line::new().with(Role::Dim, &format!("  {} and as much for {more} more", self.styles.more())));
        }
        lines
    }

    fn tail(&self, text: &str) -> Vec<Line> {
        if text.trim().is_empty() {
            return vec![Line::new().with(Role::Dim, "    (nothing)")];
        }
        tail(text, LINES, &self.styles).into_iter().map(|line| self.cut(line.indented(4))).collect()
    }

    fn cut(&self, line: Line) -> Line {
        match self.columns {
            Some(columns) => line.cut(columns, &self.styles),
            None => line,
        }
    }

    fn doubt(&self, story: &Story) -> Vec<Line> {
        let doubt = story.state().map(crate::event::RunState::in_doubt).unwrap_or_default();
        if doubt.is_empty() {
            return Vec::new();
        }
        let mut lines = Vec::new();
        for at in &doubt {
            let text = format!(" is in doubt: {}", story.fate(at).why());
            let line =
                Line::marked(Mark::Doubt, &self.styles).with(Role::Doubt, &at.to_string()).with(Role::Text, &text);
            lines.extend(self.wrapped(line, 2));
        }
        let text = "  It may have taken effect, or not. Look at the host, then say what you found: `done`, or `not-done` in its place. Until then nothing runs there again.";
        lines.extend(self.wrapped(Line::text(text), 2));
        lines
    }

    fn ways(&self, ways: &[Way], story: &Story, exit: u8) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut last = "";
        // a command stands beside its label when it fits there, under it otherwise
        let mut beside: Vec<&Way> = ways.iter().collect();
        let front = loop {
            let before = beside.len();
            let front = beside.iter().map(|way| line::width(&way.when)).max().unwrap_or(0) + 5;
            beside.retain(|way| self.columns.is_none_or(|most| front + line::width(&way.words.join(" ")) <= most));
            if beside.len() == before {
                break front;
            }
        };
        for way in ways {
            let label = if way.when == last { String::new() } else { format!("{}:", way.when) };
            last = &way.when;
            if beside.contains(&way) {
                let front = Line::text("  ").with(Role::Text, &label).padded(front);
                lines.push(front.with(Role::Command, &way.words.join(" ")));
            } else {
                if !label.is_empty() {
                    lines.extend(self.wrapped(Line::text("  ").with(Role::Text, &label), 2));
                }
                lines.extend(self.command(&way.words));
            }
        }
        if exit != 0
            && story.changed_anything()
            && let Some(opened) = story.opened()
        {
            let text = format!("  The whole story: {} audit show {}", self.program, opened.run);
            lines.extend(self.wrapped(Line::new().with(Role::Dim, &text), 4));
        }
        lines
    }

    /// A command on its own lines, broken so that the shell reads it as one. A word is never broken.
    fn command(&self, words: &[String]) -> Vec<Line> {
        let most = self.columns.unwrap_or(usize::MAX);
        // a flag and its value stay together
        let mut parts: Vec<String> = Vec::new();
        for word in words {
            match parts.last_mut() {
                Some(flag) if flag.starts_with("--") && !flag.contains(' ') && !word.starts_with("--") => {
                    flag.push(' ');
                    flag.push_str(word);
                }
                Some(_) | None => parts.push(word.clone()),
            }
        }
        let mut lines: Vec<String> = Vec::new();
        for word in &parts {
            match lines.last_mut() {
                Some(line) if 6 + line::width(line) + 1 + line::width(word) + 2 <= most => {
                    line.push(' ');
                    line.push_str(word);
                }
                Some(line) => {
                    line.push_str(" \\");
                    lines.push(format!("  {word}"));
                }
                None => lines.push(word.clone()),
            }
        }
        lines.iter().map(|line| Line::text("      ").with(Role::Command, line)).collect()
    }
}

/// That nothing was changed, where something should have been.
fn changes(story: &Story, exit: u8) -> Vec<Line> {
    let changing = story.opened().is_some_and(|opened| opened.changes);
    if exit != 0 && changing && !story.changed_anything() {
        return vec![Line::text("  Nothing was changed.")];
    }
    Vec::new()
}
