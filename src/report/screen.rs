//! What a live screen shows at one moment: the heading, a row for each host at work, what is waited for.
//!
//! Apart from the terminal: a pure fold of events and progress into lines, asked for whole frames at any time and any
//! size. So a resize needs no code of its own, and tests need no terminal.

use std::time::Duration;

use super::elapsed;
use super::line::{self, Line};
use super::style::{Role, Styles};
use crate::event::{ActionKind, Event, Found, Moment, Outcome, Progress, RunState};
use crate::vocab::{HostName, StepHost, StepId};

/// The moving part of the screen. Times are those since the display began.
#[derive(Debug)]
pub struct Screen {
    styles: Styles,
    roll: Option<Roll>,
    rows: Vec<Row>,
    looking: Option<Looking>,
    polling: Option<Poll>,
    waits: Vec<Wait>,
    interrupts: u32,
}

#[derive(Debug)]
struct Roll {
    step: StepId,
    done: usize,
    of: usize,
    batch: usize,
    batches: usize,
    since: Duration,
}

#[derive(Debug)]
struct Row {
    at: StepHost,
    since: Duration,
    doing: Doing,
    /// The last line it wrote, perhaps not whole yet.
    last: String,
    /// The last line is whole: the next piece begins another.
    whole: bool,
}

#[derive(Debug)]
enum Doing {
    Looking,
    Running { kind: ActionKind, attempt: u32 },
    Checking,
    Polling(Poll),
    Retrying { why: String, until: Duration },
    Undoing,
}

#[derive(Debug)]
struct Poll {
    says: String,
    why: String,
    until: Duration,
}

#[derive(Debug)]
struct Looking {
    says: String,
    looked: usize,
    of: usize,
    since: Duration,
}

#[derive(Debug)]
struct Wait {
    says: String,
    until: Duration,
}

impl Screen {
    /// An empty screen.
    pub fn new(styles: Styles) -> Self {
        Self { styles, roll: None, rows: Vec::new(), looking: None, polling: None, waits: Vec::new(), interrupts: 0 }
    }

    /// Takes an event that happened at `now`.
    pub fn event(&mut self, now: Duration, event: &Event, state: &RunState) {
        match event {
            Event::RollStarted { step, batches } => {
                self.clear();
                let planned = batches.iter().map(Vec::len).sum();
                let of = state.entry(step).map_or(planned, |entry| entry.hosts.len().max(planned));
                let done = done_hosts(step, state);
                self.roll = Some(Roll { step: step.clone(), done, of, batch: 0, batches: batches.len(), since: now });
            }
            Event::BatchStarted { step, batch, of, .. } => {
                self.waits.clear();
                self.looking = None;
                match &mut self.roll {
                    Some(roll) if roll.step == *step => (roll.batch, roll.batches) = (*batch, *of),
                    Some(_) | None => {}
                }
            }
            Event::PauseStarted { length, .. } => {
                self.looking = None;
                self.wait("pause before the next batch", now.saturating_add(length.get()));
            }
            Event::RollEnded { .. } | Event::RollStopped { .. } | Event::Stopped { .. } | Event::Ended { .. } => {
                self.clear();
                self.roll = None;
            }
            Event::ObservedBefore { at, .. } => self.row(now, at).doing = Doing::Looking,
            Event::StepStarted { at, attempt, kind, command, .. } => {
                let row = self.row(now, at);
                row.doing = Doing::Running { kind: *kind, attempt: *attempt };
                row.since = now;
                row.last = format!("$ {}", command.trim_end());
                row.whole = true;
            }
            Event::ReceiptRead { at, attempt, found: Found::Running } => {
                let row = self.row(now, at);
                row.doing = Doing::Running { kind: ActionKind::Run, attempt: *attempt };
                row.since = now;
            }
            Event::StepActed { at, .. } => self.row(now, at).doing = Doing::Checking,
            Event::RetryScheduled { at, why, delay } => {
                self.row(now, at).doing = Doing::Retrying { why: why.clone(), until: now.saturating_add(delay.get()) };
            }
            Event::UndoStarted { at, .. } => self.row(now, at).doing = Doing::Undoing,
            Event::UndoEnded { at, .. } | Event::StepEnded { at, .. } => {
                self.rows.retain(|row| row.at.host != at.host);
                if let Some(roll) = &mut self.roll {
                    roll.done = done_hosts(&roll.step, state);
                }
            }
            Event::CheckJudged { at, .. } => {
                self.polling = None;
                if let Some(row) = at.as_ref().and_then(|at| self.rows.iter_mut().find(|row| row.at == *at)) {
                    row.doing = Doing::Checking;
                }
            }
            Event::PreconditionJudged { moment, .. } => {
                self.looking = None;
                if *moment == Moment::Waiting {
                    self.waits.clear();
                }
            }
            Event::FloorJudged { .. } => self.looking = None,
            Event::Interrupted { count, .. } => self.interrupts = *count,
            Event::Opened(_) | Event::Resumed(_) => self.interrupts = 0,
            Event::HostsLocked { .. } | Event::LocksReleased { .. } => self.waits.clear(),
            Event::LockRefused { .. }
            | Event::LockLost { .. }
            | Event::LockBroken { .. }
            | Event::RunsPruned { .. }
            | Event::PreconditionOverridden { .. }
            | Event::WaitStarted { .. }
            | Event::WarningShown { .. }
            | Event::WarningAcknowledged { .. }
            | Event::Asked { .. }
            | Event::Answered { .. }
            | Event::Looked { .. }
            | Event::Observed { .. }
            | Event::ConnectionLost { .. }
            | Event::ConnectionRegained { .. }
            | Event::ReceiptRead { .. }
            | Event::Captured { .. }
            | Event::Collected { .. }
            | Event::Chosen { .. }
            | Event::Noted { .. }
            | Event::Resolved { .. }
            | Event::Abandoned { .. } => {}
        }
    }

    /// Takes what is going on at `now`.
    pub fn progress(&mut self, now: Duration, progress: &Progress) {
        match progress {
            Progress::Output { at, text, .. } => {
                // a late piece of a step that ended must not bring its row back
                if let Some(row) = self.rows.iter_mut().find(|row| row.at == *at) {
                    row.output(text);
                }
            }
            Progress::Looking { says, hosts } => {
                self.looking = Some(Looking { says: says.clone(), looked: 0, of: *hosts, since: now });
            }
            Progress::Looked { .. } => {
                if let Some(looking) = &mut self.looking {
                    looking.looked += 1;
                    if looking.looked >= looking.of {
                        self.looking = None;
                    }
                }
            }
            Progress::Polling { at, says, why, left } => {
                let poll = Poll { says: says.clone(), why: why.clone(), until: now.saturating_add(left.get()) };
                match at {
                    Some(at) => self.row(now, at).doing = Doing::Polling(poll),
                    None => self.polling = Some(poll),
                }
            }
            Progress::Unrecorded { at, .. } => self.rows.retain(|row| row.at != *at),
            Progress::Waiting { says, left } => self.wait(says, now.saturating_add(left.get())),
        }
    }

    fn clear(&mut self) {
        self.rows.clear();
        self.waits.clear();
        self.looking = None;
        self.polling = None;
    }

    fn row(&mut self, now: Duration, at: &StepHost) -> &mut Row {
        let found = self.rows.iter().position(|row| row.at.host == at.host);
        let index = found.unwrap_or(self.rows.len());
        if found.is_none() {
            self.rows.push(Row { at: at.clone(), since: now, doing: Doing::Looking, last: String::new(), whole: true });
        }
        let row = &mut self.rows[index];
        if row.at != *at {
            *row = Row { at: at.clone(), since: now, doing: Doing::Looking, last: String::new(), whole: true };
        }
        row
    }

    /// One wait is told many times, a pause also as an event, and in other words when what it waits for changed: the
    /// later word replaces the one before. What is left is told in whole seconds.
    fn wait(&mut self, says: &str, until: Duration) {
        let same = |wait: &Wait| {
            let apart = wait.until.abs_diff(until);
            wait.says == says || apart < Duration::from_millis(1500)
        };
        self.waits.retain(|wait| !same(wait));
        self.waits.push(Wait { says: says.to_owned(), until });
    }

    /// The frame at `now` for a terminal of this size: never wider, and never so high that it hides what scrolled by.
    pub fn frame(&self, now: Duration, columns: usize, height: usize) -> Vec<Line> {
        // the last column stays free: some terminals wrap when it is written
        let columns = columns.saturating_sub(1);
        let spinner = self.styles.spinner(usize::try_from(now.as_millis() / 100).unwrap_or(0));
        let mut lines: Vec<Line> = self.roll.iter().map(|roll| self.heading(roll, now)).collect();
        let mut foot: Vec<Line> = Vec::new();
        if let Some(looking) = &self.looking {
            foot.push(self.looking(looking, now, spinner));
        }
        if let Some(poll) = &self.polling {
            foot.push(Line::new().with(Role::Text, spinner).with(Role::Text, " ").and(polled(poll, now)));
        }
        foot.extend(
            self.waits.iter().filter(|wait| wait.until > now).map(|wait| waited(wait, now, columns, &self.styles)),
        );
        foot.extend(self.interrupted());
        let most = (height / 2).clamp(4, 24).min(height.saturating_sub(1));
        let room = most.saturating_sub(lines.len() + foot.len()).max(1);
        let shown = if self.rows.len() > room { room.saturating_sub(1) } else { self.rows.len() };
        let front =
            self.rows.iter().take(shown).map(|row| line::width(row.at.host.as_str())).max().unwrap_or(0).min(32);
        lines.extend(self.rows.iter().take(shown).map(|row| self.working(row, now, spinner, front)));
        let hidden = self.rows.len() - shown;
        if hidden > 0 {
            lines.push(Line::new().with(Role::Dim, &format!("{} and {hidden} more hosts", self.styles.more())));
        }
        lines.extend(foot);
        lines.truncate(most);
        lines.into_iter().map(|line| line.cut(columns, &self.styles)).collect()
    }

    fn heading(&self, roll: &Roll, now: Duration) -> Line {
        let dot = self.styles.dot();
        let mut line = Line::new().with(Role::Heading, roll.step.as_str());
        line.push(Role::Text, &format!(" {}/{} hosts", roll.done, roll.of));
        if roll.batches > 1 {
            line.push(Role::Text, &format!(" {dot} batch {} of {}", roll.batch.max(1), roll.batches));
        }
        line.with(Role::Dim, &format!(" {dot} {}", whole(now.saturating_sub(roll.since))))
    }

    fn looking(&self, looking: &Looking, now: Duration, spinner: &str) -> Line {
        let took = whole(now.saturating_sub(looking.since));
        Line::new()
            .with(Role::Text, spinner)
            .with(Role::Text, &format!(" looking {}/{} {} {took}  ", looking.looked, looking.of, self.styles.dot()))
            .with(Role::Text, &looking.says)
    }

    fn working(&self, row: &Row, now: Duration, spinner: &str, front: usize) -> Line {
        let mut line = Line::new()
            .with(Role::Text, spinner)
            .with(Role::Text, " ")
            .and(Line::new().with(Role::Host, row.at.host.as_str()).cut(front, &self.styles).padded(front))
            .with(Role::Text, "  ");
        if self.roll.as_ref().is_none_or(|roll| roll.step != row.at.step) {
            line.push(Role::Text, &format!("{} ", short_step(self.roll.as_ref(), &row.at.step)));
        }
        line.push(Role::Text, &whole(now.saturating_sub(row.since)));
        line.push(Role::Text, "  ");
        match &row.doing {
            Doing::Looking => line.with(Role::Text, "looking"),
            Doing::Running { kind: ActionKind::Manual, .. } => line.with(Role::Text, "waits for a person"),
            Doing::Running { kind: _, attempt } => {
                if *attempt > 1 {
                    line.push(Role::Warning, &format!("try {attempt}  "));
                }
                line.with(Role::Dim, &row.last)
            }
            Doing::Checking => line.with(Role::Text, "checking"),
            Doing::Polling(poll) => line.and(polled(poll, now)),
            Doing::Retrying { why, until } => line
                .with(Role::Warning, &format!("again in {}", elapsed::left(until.saturating_sub(now))))
                .with(Role::Text, &format!(": {why}")),
            Doing::Undoing => line.with(Role::Text, "undoing"),
        }
    }

    fn interrupted(&self) -> Option<Line> {
        let text = match self.interrupts {
            0 => return None,
            1 => "! interrupted: what runs may finish, nothing new starts; once more stops it",
            2.. => "! interrupted: stopping what runs",
        };
        Some(Line::new().with(Role::Warning, text))
    }
}

impl Row {
    /// Keeps the last line of what is written, as far as it is there. What a carriage return paints over is dropped.
    fn output(&mut self, text: &str) {
        for piece in text.split_inclusive(['\n', '\r']) {
            let content = piece.trim_end_matches(['\n', '\r']);
            if !content.is_empty() {
                if self.whole {
                    self.last.clear();
                }
                if self.last.len() < LONGEST {
                    self.last.push_str(content);
                }
                self.whole = false;
            }
            if content.len() < piece.len() {
                self.whole = true;
            }
        }
    }
}

/// No terminal shows more of one line.
const LONGEST: usize = 4096;

/// What is waited for may be long; how long still is never cut off.
fn waited(wait: &Wait, now: Duration, columns: usize, styles: &Styles) -> Line {
    let left = format!(", {} left", elapsed::left(wait.until.saturating_sub(now)));
    let room = columns.saturating_sub(line::width(&left) + 2);
    Line::text("  ").and(Line::text(&wait.says).cut(room, styles)).with(Role::Text, &left)
}

fn polled(poll: &Poll, now: Duration) -> Line {
    Line::new()
        .with(Role::Text, &format!("not yet, {} left: {}", elapsed::left(poll.until.saturating_sub(now)), poll.says))
        .with(Role::Dim, &format!(" {}", poll.why))
}

/// Whole seconds: a display that is painted ten times a second should not rattle.
fn whole(duration: Duration) -> String {
    if duration.as_secs() < 60 { format!("{}s", duration.as_secs()) } else { elapsed::short(duration) }
}

/// An inner step without the name of the block it is shown under.
fn short_step<'a>(roll: Option<&Roll>, step: &'a StepId) -> &'a str {
    let block = roll.map_or("", |roll| roll.step.as_str());
    step.as_str().strip_prefix(block).and_then(|rest| rest.strip_prefix('/')).unwrap_or(step.as_str())
}

/// How many hosts have gone through a step, or through all of a block; one that failed in it has.
fn done_hosts(step: &StepId, state: &RunState) -> usize {
    let Some(entry) = state.entry(step) else { return 0 };
    let mut parts: Vec<&StepId> =
        state.opened.steps.iter().filter(|inner| inner.block.as_ref() == Some(step)).map(|inner| &inner.id).collect();
    if parts.is_empty() {
        parts.push(step);
    }
    let outcome =
        |part: &StepId, host: &HostName| state.step(&StepHost::new(part.clone(), host.clone())).outcome().cloned();
    let done = |host: &&HostName| {
        let outcomes: Vec<Option<Outcome>> = parts.iter().map(|part| outcome(part, host)).collect();
        outcomes.iter().flatten().any(Outcome::failed) || outcomes.iter().all(Option::is_some)
    };
    entry.hosts.iter().filter(done).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::Period;

    fn shown(screen: &Screen, now: u64, columns: usize) -> Vec<String> {
        let frame = screen.frame(Duration::from_millis(now), columns, 24);
        frame.iter().map(|line| line.shown(&Styles::plain())).collect()
    }

    fn wait(screen: &mut Screen, now: u64, says: &str, left: u64) {
        let progress = Progress::Waiting { says: says.to_owned(), left: Period::seconds(left) };
        screen.progress(Duration::from_millis(now), &progress);
    }

    #[test]
    fn a_wait_says_for_what_and_how_long_still() {
        let mut screen = Screen::new(Styles::plain());
        wait(&mut screen, 0, "pause before batch 2", 5);
        wait(&mut screen, 1003, "pause before batch 2", 4);
        assert_eq!(shown(&screen, 1100, 80), ["  pause before batch 2, 4s left"]);
        assert_eq!(shown(&screen, 1100, 24), ["  pause befor…, 4s left"]);
        assert_eq!(shown(&screen, 5100, 80), [""; 0]);
    }

    #[test]
    fn a_wait_that_changes_its_words_is_still_one() {
        let mut screen = Screen::new(Styles::plain());
        wait(&mut screen, 0, "importers-bored: entries", 7200);
        wait(&mut screen, 10_005, "importers-bored: comments", 7189);
        assert_eq!(shown(&screen, 10_100, 80), ["  importers-bored: comments, 1h 59m left"]);
    }
}
