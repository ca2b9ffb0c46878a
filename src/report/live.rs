//! The live screen: what goes on at the bottom, what is done scrolls up.
//!
//! Apart from [`Screen`], which knows what to show and nothing of terminals; here is the one writer of the terminal.
//! All rows are one indicatif bar whose text is a whole frame: it is painted at once, at the size of the moment, and
//! there is nothing to keep in step when rows come and go.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use jiff::Timestamp;

use super::line::{self, Line};
use super::narration::{Narrator, Told};
use super::observed::{Gathered, Gathering};
use super::screen::Screen;
use super::sink::Data;
use super::style::{Role, Styles};
use super::table::Fit;
use crate::event::{Event, Observer, Progress, RunState};

/// Tells a run on a terminal.
///
/// Everything that is written to the terminal while it lives must go through it, or through [`Live::suspend`].
/// Off a terminal, or on one that cannot move its cursor, use [`Plain`](super::Plain).
#[derive(Debug)]
pub struct Live {
    term: Term,
    data: Data,
    styles: Styles,
    bar: ProgressBar,
    // taken by the painter while it holds the bar: never call the bar while holding this
    screen: Arc<Mutex<Screen>>,
    said: Mutex<Said>,
}

#[derive(Debug)]
struct Said {
    narrator: Narrator,
    gathering: Gathering,
    /// How many prompts have the terminal now.
    suspended: usize,
    /// What is to be said when they are over.
    held: Vec<Held>,
}

#[derive(Debug)]
enum Held {
    Lines(Vec<Line>),
    Data(String),
}

const TICK: Duration = Duration::from_millis(100);

impl Live {
    /// Paints on `term` (stderr as a rule); tables of a read-only run go to `data`.
    pub fn new(term: Term, data: Data, styles: Styles) -> Self {
        let screen = Arc::new(Mutex::new(Screen::new(styles.clone())));
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::term(term.clone(), 20));
        bar.set_style(style(term.clone(), styles.clone(), Arc::clone(&screen)));
        bar.enable_steady_tick(TICK);
        let said = Said {
            narrator: Narrator::new(styles.clone()),
            gathering: Gathering::default(),
            suspended: 0,
            held: Vec::new(),
        };
        Self { term, data, styles, bar, screen, said: Mutex::new(said) }
    }

    /// Gives the terminal to `f` (a prompt), with nothing painted on it. What happens meanwhile is said afterwards;
    /// the run is not held up.
    pub fn suspend<T>(&self, f: impl FnOnce() -> T) -> T {
        /// Goes on also when `f` panics.
        struct Resume<'a>(&'a Live);
        impl Drop for Resume<'_> {
            fn drop(&mut self) {
                self.0.go_on();
            }
        }
        {
            let mut said = self.said();
            said.suspended += 1;
            if said.suspended == 1 {
                self.bar.disable_steady_tick();
                self.blank();
            }
        }
        let _resume = Resume(self);
        f()
    }

    /// Says lines of the caller above what moves.
    pub fn say(&self, lines: Vec<Line>) {
        let mut said = self.said();
        self.put(&mut said, Held::Lines(lines));
    }

    /// Takes what moves off the screen for good. Dropping does the same.
    pub fn finish(&self) {
        self.bar.disable_steady_tick();
        self.blank();
        self.bar.finish_and_clear();
    }

    fn blank(&self) {
        self.screen().hide(true);
        // paints once, whatever the limit of its rate says
        self.bar.suspend(|| ());
    }

    fn go_on(&self) {
        let mut said = self.said();
        said.suspended = said.suspended.saturating_sub(1);
        if said.suspended > 0 || self.bar.is_finished() {
            return;
        }
        self.screen().hide(false);
        for held in std::mem::take(&mut said.held) {
            self.print(&held);
        }
        self.bar.enable_steady_tick(TICK);
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn screen(&self) -> MutexGuard<'_, Screen> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, said: &mut Said, held: Held) {
        if said.suspended > 0 {
            said.held.push(held);
        } else {
            self.print(&held);
        }
    }

    fn print(&self, held: &Held) {
        match held {
            Held::Lines(lines) => {
                let columns = usize::from(self.term.size().1).saturating_sub(1);
                let wrapped: Vec<Line> = lines.iter().flat_map(|line| line.clone().wrap(Some(columns), 6)).collect();
                let text = line::shown(&wrapped, &self.styles);
                if self.bar.is_hidden() || self.bar.is_finished() {
                    // no bar to print above: the words count more than the screen
                    let _ = self.term.write_str(&text);
                } else {
                    self.bar.println(text.trim_end_matches('\n'));
                }
            }
            Held::Data(text) => self.bar.suspend(|| self.data.sink().write(text)),
        }
    }

    fn lines(&self, told: &Told) -> Vec<Line> {
        let mut line = told.mark.map_or_else(Line::new, |mark| Line::marked(mark, &self.styles));
        if let Some(host) = &told.host {
            line.push(Role::Host, host.as_str());
            line.push(Role::Text, " ");
        }
        if let Some(step) = &told.step {
            line.push(if told.host.is_none() { Role::Heading } else { Role::Text }, step.as_str());
            line.push(Role::Text, ": ");
        }
        let mut lines = vec![line.and(told.text.clone())];
        lines.extend(told.detail.iter().map(|detail| detail.clone().indented(4)));
        lines
    }

    fn table(&self, gathered: &Gathered, state: &RunState) -> Held {
        if state.opened.changes {
            let fit = Fit::Width(usize::from(self.term.size().1).saturating_sub(5));
            let lines = gathered.table.lines(fit, &self.styles);
            return Held::Lines(lines.into_iter().map(|line| line.indented(4)).collect());
        }
        let styles = if self.data.is_terminal() { self.styles.clone() } else { Styles::plain() };
        Held::Data(gathered.table.shown(self.data.fit(), &styles))
    }
}

impl Observer for Live {
    fn event(&self, at: Timestamp, event: &Event, state: &RunState) {
        let now = self.bar.elapsed();
        self.screen().event(now, event, state);
        let mut said = self.said();
        let tables = said.gathering.take(event);
        let told = said.narrator.tell(at, event, state);
        for gathered in &tables {
            let table = self.table(gathered, state);
            self.put(&mut said, table);
        }
        let lines: Vec<Line> = told.iter().filter(|told| !told.fine).flat_map(|told| self.lines(told)).collect();
        if !lines.is_empty() {
            self.put(&mut said, Held::Lines(lines));
        }
    }

    fn progress(&self, progress: &Progress) {
        let now = self.bar.elapsed();
        self.screen().progress(now, progress);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.finish();
    }
}

fn style(term: Term, styles: Styles, screen: Arc<Mutex<Screen>>) -> ProgressStyle {
    let paint = move |state: &ProgressState, out: &mut dyn fmt::Write| {
        let (height, columns) = term.size();
        let frame = screen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .frame(state.elapsed(), usize::from(columns), usize::from(height));
        let shown: Vec<String> = frame.iter().map(|line| line.shown(&styles)).collect();
        let _ = out.write_str(&shown.join("\n"));
    };
    // the template is ours and parses; a spinner would still be a screen
    ProgressStyle::with_template("{frame}").unwrap_or_else(|_| ProgressStyle::default_spinner()).with_key("frame", paint)
}
