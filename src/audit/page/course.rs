//! When what was under way: the facts behind the timeline, without its geometry.
//!
//! Time here is what passed by the admin host's clock, added up: a clock that goes back takes nothing away, so what came
//! later is always later.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::event::{Event, Moment, Outcome};
use crate::report::Story;
use crate::report::elapsed;
use crate::report::words::{answer_words, count, override_words};
use crate::vocab::{HostName, StepHost};

/// How one try of a step on a host looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Look {
    Ok,
    Left,
    Open,
    Repeated,
    Undo,
    Doubt,
    Failed,
}

/// One try of a step on a host.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    pub(super) at: StepHost,
    pub(super) attempt: u32,
    pub(super) look: Look,
    pub(super) from: Duration,
    /// When the action itself was over; what follows are its checks.
    pub(super) acted: Option<Duration>,
    pub(super) to: Duration,
    /// What became of it, in words.
    pub(super) words: String,
}

/// What lasts, and is no step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Stretch,
    Pause,
    Wait,
    Question,
    Cut,
}

/// Something that lasts, of the run or of one host.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) kind: Kind,
    pub(super) host: Option<HostName>,
    pub(super) from: Duration,
    pub(super) to: Duration,
    pub(super) words: String,
}

/// A moment of the run that stands out.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) at: Duration,
    pub(super) sign: Sign,
    pub(super) words: String,
}

/// What kind of moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sign {
    Override,
    Interrupt,
    Stop,
}

/// What was under way when.
#[derive(Clone, Debug, Default)]
pub(super) struct Course {
    /// Each moment of which there is a record, with what the clock said.
    pub(super) clock: Vec<(Duration, Timestamp)>,
    pub(super) bars: Vec<Bar>,
    pub(super) spans: Vec<Span>,
    pub(super) points: Vec<Point>,
    took: BTreeMap<StepHost, Duration>,
    open: BTreeMap<StepHost, Bar>,
    lost: BTreeMap<StepHost, (Duration, String)>,
    waits: Vec<(Kind, Duration, String)>,
    stretch: Option<(Duration, String)>,
    /// When what a new stretch tells can have begun at the earliest.
    since: Duration,
}

impl Course {
    pub(super) fn of(story: &Story) -> Self {
        let mut course = Self::default();
        for (at, event) in story.records() {
            let now = course.clock.last().map_or(Duration::ZERO, |(now, before)| *now + elapsed::between(*before, *at));
            let begins = matches!(event, Event::Opened(_) | Event::Resumed(_));
            if begins {
                // the stretch before may have died without a word: its last record is all that is known
                let last = course.clock.last().map_or(now, |(last, _)| *last);
                course.end_stretch(last);
                course.since = now;
            }
            course.clock.push((now, *at));
            course.take(now, event);
        }
        let last = course.now();
        course.end_stretch(last);
        for bar in &course.bars {
            *course.took.entry(bar.at.clone()).or_default() += bar.to.saturating_sub(bar.from);
        }
        course
    }

    /// When the last record was written.
    pub(super) fn now(&self) -> Duration {
        self.clock.last().map_or(Duration::ZERO, |(now, _)| *now)
    }

    /// How long its programs were at work.
    pub(super) fn at_work(&self) -> Duration {
        let stretches = self.spans.iter().filter(|span| span.kind == Kind::Stretch);
        stretches.map(|span| span.to.saturating_sub(span.from)).sum()
    }

    /// How long all tries of a step on a host took together.
    pub(super) fn took(&self, at: &StepHost) -> Duration {
        self.took.get(at).copied().unwrap_or_default()
    }

    fn take(&mut self, now: Duration, event: &Event) {
        self.end_waits(now, event);
        match event {
            Event::Opened(opened) => self.stretch = Some((now, format!("begun by {}", opened.operator.name))),
            Event::Resumed(resumed) => self.stretch = Some((now, format!("resumed by {}", resumed.operator.name))),
            Event::Stopped { exit, why } | Event::Ended { exit, why } => {
                self.end_stretch(now);
                if *exit != 0 {
                    self.point(now, Sign::Stop, format!("exit {exit}: {why}"));
                }
            }
            Event::Abandoned { reason, .. } => self.point(now, Sign::Stop, format!("abandoned: {reason}")),
            Event::PreconditionOverridden { id, how, reason } => {
                self.point(now, Sign::Override, format!("{id} overridden by {}: {reason}", override_words(*how)));
            }
            Event::LockBroken { host, reason, .. } => {
                self.point(now, Sign::Override, format!("the lock of {host} was broken: {reason}"));
            }
            Event::RunsPruned { runs } => {
                self.point(now, Sign::Override, format!("the journals of {} were removed", count(runs.len(), "run")));
            }
            Event::Interrupted { signal, .. } => self.point(now, Sign::Interrupt, signal.clone()),
            Event::LockLost { host, loss } => {
                self.point(now, Sign::Interrupt, format!("the lock of {host} is lost: {}", loss.words()));
            }
            Event::WaitStarted { limit } => {
                self.wait(Kind::Wait, now, format!("waited for the preconditions, {limit} at most"));
            }
            Event::LockRefused { host, holder, wait: Some(_) } => {
                self.wait(Kind::Wait, now, format!("waited for the lock of {host}, held by {}", holder.name()));
            }
            Event::Asked { question, .. } => self.wait(Kind::Question, now, question.clone()),
            Event::PauseStarted { step, length } => self.wait(Kind::Pause, now, format!("{step}: pause {length}")),
            Event::StepStarted { at, attempt, .. } => self.begin(now, at, *attempt),
            Event::ReceiptRead { at, attempt, .. } if !self.open.contains_key(at) => self.begin(now, at, *attempt),
            Event::StepActed { at, attempt, end, .. } => {
                let bar = self.bar(now, at, *attempt);
                bar.acted = Some(now);
                bar.words = end.to_string();
            }
            Event::Observed { at, observation, .. } => self.begin(self.before(now, observation.took.get()), at, 1),
            Event::CheckJudged { at: Some(at), took, .. } if !self.open.contains_key(at) => {
                self.begin(self.before(now, took.get()), at, 1);
            }
            Event::RetryScheduled { at, why, .. } => self.finish(now, at, Look::Repeated, format!("again: {why}")),
            Event::StepEnded { at, outcome } => self.ended(now, at, outcome),
            Event::UndoStarted { at, .. } => {
                self.begin(now, at, 1);
                self.bar(now, at, 1).look = Look::Undo;
            }
            Event::UndoEnded { at, end, .. } => {
                let words = end.as_ref().map_or("its end could not be learned".to_owned(), ToString::to_string);
                self.finish(now, at, Look::Undo, format!("undo: {words}"));
            }
            Event::ConnectionLost { at, reason, .. } => {
                self.lost.entry(at.clone()).or_insert((now, format!("connection lost: {reason}")));
            }
            Event::ConnectionRegained { at, .. } => self.regain(now, at),
            Event::HostsLocked { .. }
            | Event::LockRefused { wait: None, .. }
            | Event::LocksReleased { .. }
            | Event::PreconditionJudged { .. }
            | Event::WarningShown { .. }
            | Event::WarningAcknowledged { .. }
            | Event::Answered { .. }
            | Event::RollStarted { .. }
            | Event::FloorJudged { .. }
            | Event::BatchStarted { .. }
            | Event::RollStopped { .. }
            | Event::RollEnded { .. }
            | Event::ObservedBefore { .. }
            | Event::Looked { .. }
            | Event::ReceiptRead { .. }
            | Event::CheckJudged { .. }
            | Event::Captured { .. }
            | Event::Collected { .. }
            | Event::Chosen { .. }
            | Event::Noted { .. }
            | Event::Resolved { .. } => {}
        }
    }

    fn point(&mut self, at: Duration, sign: Sign, words: String) {
        self.points.push(Point { at, sign, words });
    }

    fn wait(&mut self, kind: Kind, from: Duration, words: String) {
        self.waits.push((kind, from, words));
    }

    /// What waited is over: a pause with whatever comes next, a question with its answer, the others with what they waited
    /// for.
    fn end_waits(&mut self, now: Duration, event: &Event) {
        let answer = if let Event::Answered { answer, .. } = event { Some(answer) } else { None };
        let goes_on = matches!(
            event,
            Event::HostsLocked { .. }
                | Event::RollStarted { .. }
                | Event::WarningShown { .. }
                | Event::PreconditionJudged { moment: Moment::Again, .. }
        );
        for (kind, from, words) in std::mem::take(&mut self.waits) {
            let words = match (kind, answer) {
                (Kind::Question, Some(answer)) => format!("{words} {}", answer_words(answer)),
                (Kind::Pause, _) => words,
                (Kind::Wait, _) if goes_on => words,
                (Kind::Question | Kind::Wait | Kind::Stretch | Kind::Cut, _) => {
                    self.waits.push((kind, from, words));
                    continue;
                }
            };
            self.spans.push(Span { kind, host: None, from, to: now, words });
        }
    }

    /// A time before now by which something took so long, but not before this stretch.
    fn before(&self, now: Duration, took: Duration) -> Duration {
        now.saturating_sub(took).max(self.since)
    }

    fn begin(&mut self, from: Duration, at: &StepHost, attempt: u32) {
        let look = Look::Open;
        let words = "its end is not in this record".to_owned();
        let bar = Bar { at: at.clone(), attempt, look, from, acted: None, to: from, words };
        if let Some(before) = self.open.insert(at.clone(), bar) {
            self.bars.push(Bar { to: from.max(before.from), ..before });
        }
    }

    /// The try that is under way; one whose beginning is not known begins now.
    fn bar(&mut self, now: Duration, at: &StepHost, attempt: u32) -> &mut Bar {
        self.open.entry(at.clone()).or_insert_with(|| Bar {
            at: at.clone(),
            attempt,
            look: Look::Open,
            from: now,
            acted: None,
            to: now,
            words: String::new(),
        })
    }

    fn finish(&mut self, now: Duration, at: &StepHost, look: Look, words: String) {
        self.regain(now, at);
        self.bar(now, at, 1);
        if let Some(bar) = self.open.remove(at) {
            self.bars.push(Bar { look, to: now, words, ..bar });
        }
    }

    fn ended(&mut self, now: Duration, at: &StepHost, outcome: &Outcome) {
        let look = match outcome {
            Outcome::Ok => Look::Ok,
            Outcome::Failed { .. } => Look::Failed,
            Outcome::InDoubt { .. } => Look::Doubt,
            Outcome::Skipped { .. } | Outcome::Excluded { .. } => Look::Left,
        };
        let why = outcome.why().map(|why| format!(": {why}")).unwrap_or_default();
        self.finish(now, at, look, format!("{}{why}", outcome.word()));
    }

    fn regain(&mut self, now: Duration, at: &StepHost) {
        if let Some((from, words)) = self.lost.remove(at) {
            self.spans.push(Span { kind: Kind::Cut, host: Some(at.host.clone()), from, to: now, words });
        }
    }

    /// Nothing of a stretch goes on behind it, as far as its record tells.
    fn end_stretch(&mut self, now: Duration) {
        for (_, bar) in std::mem::take(&mut self.open) {
            self.bars.push(Bar { to: now.max(bar.from), ..bar });
        }
        for (at, (from, words)) in std::mem::take(&mut self.lost) {
            self.spans.push(Span { kind: Kind::Cut, host: Some(at.host), from, to: now, words });
        }
        for (kind, from, words) in std::mem::take(&mut self.waits) {
            self.spans.push(Span { kind, host: None, from, to: now, words });
        }
        if let Some((from, words)) = self.stretch.take() {
            self.spans.push(Span { kind: Kind::Stretch, host: None, from, to: now, words });
        }
    }
}
