//! Plain lines: a run told to a log, a pipe, a mail from cron.
//!
//! Apart from the live screen because nothing is ever taken back here: each line is whole, has its time, and says
//! where it comes from, so that `grep dfw-jobs01` tells one host's part.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::elapsed;
use super::line::Line;
use super::narration::{Narrator, Told};
use super::observed::{Gathered, Gathering};
use super::sink::{Data, Sink};
use super::style::{Role, Styles};
use super::table::Fit;
use crate::event::{Event, Observer, Progress, RunState};
use crate::vocab::{Clock, HostName, StepHost, StepId};

/// Tells a run in plain lines.
#[derive(Debug)]
pub struct Plain {
    out: Sink,
    data: Data,
    styles: Styles,
    zone: TimeZone,
    clock: Arc<dyn Clock>,
    told: Mutex<Said>,
}

/// A line longer than this is written in pieces: a command that never ends its line must not fill the memory.
const LONGEST: usize = 8 * 1024;

#[derive(Debug)]
struct Said {
    narrator: Narrator,
    gathering: Gathering,
    /// Output that waits for the end of its line, by stream.
    partial: BTreeMap<(StepHost, bool), String>,
    /// Whose output was told as it came; the rest is told when the action ended.
    streamed: BTreeSet<StepHost>,
    polled: BTreeMap<(Option<StepHost>, String), String>,
    waits: BTreeSet<String>,
    /// An event has just told of a wait: the progress that follows says the same.
    wait_told: bool,
    day: String,
}

impl Plain {
    /// Writes lines to `out` (stderr as a rule) with times of `zone`, and the tables of a read-only run to `data`.
    pub fn new(out: Sink, data: Data, styles: Styles, zone: TimeZone, clock: Arc<dyn Clock>) -> Self {
        let told = Said {
            narrator: Narrator::new(styles.clone()),
            gathering: Gathering::default(),
            partial: BTreeMap::new(),
            streamed: BTreeSet::new(),
            polled: BTreeMap::new(),
            waits: BTreeSet::new(),
            wait_told: false,
            day: String::new(),
        };
        Self { out, data, styles, zone, clock, told: Mutex::new(told) }
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, at: Timestamp, front: &Line, text: Line) {
        let time = Line::new().with(Role::Dim, &elapsed::time_of_day(at, &self.zone)).with(Role::Text, " ");
        self.out.write(&format!("{}\n", time.and(front.clone()).and(text).shown(&self.styles)));
    }

    fn say(&self, at: Timestamp, told: &Told) {
        let front = place(told.host.as_ref(), told.step.as_ref(), ": ");
        let text = match told.mark {
            Some(mark) => Line::marked(mark, &self.styles).and(told.text.clone()),
            None => told.text.clone(),
        };
        self.write(at, &front, text);
        for line in &told.detail {
            self.write(at, &front, line.clone().indented(4));
        }
    }

    /// Says the date when it is another than that of the line before.
    fn say_day(&self, at: Timestamp, said: &mut Said) {
        let day = elapsed::date(at, &self.zone);
        if said.day != day {
            self.write(at, &Line::new(), Line::new().with(Role::Dim, &format!("{day} {}", elapsed::zone_name(at, &self.zone))));
            said.day = day;
        }
    }

    fn say_output(&self, at: Timestamp, place_of: &StepHost, text: &str) {
        let front = place(Some(&place_of.host), Some(&place_of.step), " | ");
        for line in Line::each(Role::Text, text) {
            self.write(at, &front, line);
        }
    }

    /// Takes a piece of output; writes the lines that are whole with it.
    fn output(&self, said: &mut Said, at: &StepHost, stderr: bool, text: &str) {
        if text.is_empty() {
            return;
        }
        said.streamed.insert(at.clone());
        let held = said.partial.entry((at.clone(), stderr)).or_default();
        held.push_str(text);
        let whole = held.rfind('\n').map_or(0, |end| end + 1);
        let whole = if whole == 0 && held.len() > LONGEST { held.len() } else { whole };
        if whole > 0 {
            let rest = held.split_off(whole);
            let ready = std::mem::replace(held, rest);
            self.say_output(self.clock.now(), at, &ready);
        }
    }

    /// Writes what waited for the end of its line, when no more of it can come.
    fn flush(&self, said: &mut Said, now: Timestamp, at: &StepHost) {
        for stderr in [false, true] {
            if let Some(rest) = said.partial.remove(&(at.clone(), stderr)).filter(|rest| !rest.is_empty()) {
                self.say_output(now, at, &rest);
            }
        }
    }

    fn say_table(&self, at: Timestamp, gathered: &Gathered, state: &RunState) {
        if state.opened.changes {
            let front = place(None, Some(&gathered.step), ": ");
            for line in gathered.table.lines(Fit::Whole, &self.styles) {
                self.write(at, &front, line);
            }
        } else {
            self.data.sink().write(&gathered.table.shown(self.data.fit(), &self.styles_of_data()));
        }
    }

    fn styles_of_data(&self) -> Styles {
        if self.data.is_terminal() { self.styles.clone() } else { Styles::plain() }
    }
}

impl Observer for Plain {
    fn event(&self, at: Timestamp, event: &Event, state: &RunState) {
        let mut said = self.lock();
        self.say_day(at, &mut said);
        if let Event::StepActed { at: place, stdout, stderr, .. } = event {
            self.flush(&mut said, at, place);
            if !said.streamed.remove(place) {
                for output in [stdout, stderr].into_iter().filter(|output| !output.is_empty()) {
                    self.say_output(at, place, &output.text);
                }
            }
        }
        if let Event::StepEnded { at: place, .. } = event {
            self.flush(&mut said, at, place);
            said.polled.retain(|(polled, _), _| polled.as_ref() != Some(place));
        }
        if matches!(event, Event::PauseStarted { .. } | Event::RetryScheduled { .. } | Event::WaitStarted { .. }) {
            said.wait_told = true;
        }
        let tables = said.gathering.take(event);
        let told = said.narrator.tell(at, event, state);
        for table in &tables {
            self.say_table(at, table, state);
        }
        for told in &told {
            // what failed was told line by line as it was written
            let is_output = matches!(event, Event::StepEnded { .. });
            if is_output {
                self.say(at, &Told { detail: Vec::new(), ..told.clone() });
            } else {
                self.say(at, told);
            }
        }
    }

    fn progress(&self, progress: &Progress) {
        let mut said = self.lock();
        match progress {
            Progress::Output { at, stderr, text } => self.output(&mut said, at, *stderr, text),
            // what was seen is told by the event that follows
            Progress::Looking { .. } | Progress::Looked { .. } => {}
            Progress::Polling { at, says, why, left } => {
                let before = said.polled.insert((at.clone(), says.clone()), why.clone());
                if before.as_ref() != Some(why) {
                    let front = place(at.as_ref().map(|at| &at.host), at.as_ref().map(|at| &at.step), ": ");
                    let text = format!("not yet: {says} ({why}; {} left)", elapsed::left(left.get()));
                    self.write(self.clock.now(), &front, Line::text(&text));
                }
            }
            Progress::Waiting { says, left } => {
                let new = said.waits.insert(says.clone());
                if new && !said.wait_told {
                    let text = format!("{says} ({} left)", elapsed::left(left.get()));
                    self.write(self.clock.now(), &Line::new(), Line::text(&text));
                }
                said.wait_told = false;
            }
        }
    }
}

/// `host step` and what parts it from the text; nothing when it is about neither.
fn place(host: Option<&HostName>, step: Option<&StepId>, end: &str) -> Line {
    let mut line = Line::new();
    if let Some(host) = host {
        line.push(Role::Host, host.as_str());
    }
    if let Some(step) = step {
        if host.is_some() {
            line.push(Role::Text, " ");
        }
        line.push(Role::Text, step.as_str());
    }
    if !line.is_empty() {
        line.push(Role::Dim, end);
    }
    line
}
