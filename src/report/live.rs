//! The live screen: what goes on at the bottom, what is done scrolls up.
//!
//! Apart from [`Screen`], which knows what to show and nothing of terminals, and from [`Rows`], which has indicatif
//! draw it; here is the one writer of the terminal, and who may write when.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use console::Term;
use jiff::Timestamp;

use super::elapsed;
use super::line::Line;
use super::narration::{self, Narrator, Told};
use super::observed::{Gathered, Gathering};
use super::rows::Rows;
use super::screen::Screen;
use super::sink::Data;
use super::style::{Mark, Role, Styles};
use super::table::Fit;
use crate::event::{Event, Observer, Progress, RunState};
use crate::vocab::Clock;

/// Tells a run on a terminal.
///
/// Everything that is written to the terminal while it lives must go through it, or through [`Live::suspend`].
/// Off a terminal, or on one that cannot move its cursor (`TERM=dumb`), use [`Plain`](super::Plain).
#[derive(Debug)]
pub struct Live {
    shared: Arc<Shared>,
    ticker: Mutex<Option<thread::JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    term: Term,
    data: Data,
    styles: Styles,
    clock: Arc<dyn Clock>,
    began: Timestamp,
    stage: Mutex<Stage>,
    /// Told when the stage is struck, so that the ticker ends at once.
    over: Condvar,
}

#[derive(Debug)]
struct Stage {
    narrator: Narrator,
    gathering: Gathering,
    screen: Screen,
    rows: Rows,
    /// How many prompts have the terminal now.
    suspended: usize,
    /// What is to be said when they are over.
    held: Vec<Held>,
    /// Nothing moves any more; what is still said is said below.
    finished: bool,
}

#[derive(Debug)]
enum Held {
    Lines(Vec<Line>),
    Data(String),
}

/// How often the frame is painted anew.
const TICK: Duration = Duration::from_millis(100);

impl Live {
    /// Paints on `term` (stderr as a rule); tables of a read-only run go to `data`. How long things take is measured
    /// by `clock`.
    pub fn new(term: Term, data: Data, styles: Styles, clock: Arc<dyn Clock>) -> Self {
        let stage = Stage {
            narrator: Narrator::new(styles.clone()),
            gathering: Gathering::default(),
            screen: Screen::new(styles.clone()),
            rows: Rows::default(),
            suspended: 0,
            held: Vec::new(),
            finished: false,
        };
        let began = clock.now();
        let shared =
            Arc::new(Shared { term, data, styles, clock, began, stage: Mutex::new(stage), over: Condvar::new() });
        let ticking = Arc::clone(&shared);
        // without a thread the screen still moves with each event
        let ticker = thread::Builder::new().name("screen".to_owned()).spawn(move || ticking.tick()).ok();
        Self { shared, ticker: Mutex::new(ticker) }
    }

    /// Gives the terminal to `f` (a prompt), with nothing painted on it. What happens meanwhile is said afterwards;
    /// the run is not held up.
    pub fn suspend<T>(&self, f: impl FnOnce() -> T) -> T {
        /// Goes on also when `f` panics.
        struct Resume<'a>(&'a Shared);
        impl Drop for Resume<'_> {
            fn drop(&mut self) {
                self.0.go_on();
            }
        }
        {
            let mut stage = self.shared.stage();
            self.shared.paint(&mut stage, &[], &[]);
            stage.suspended += 1;
        }
        let _resume = Resume(&self.shared);
        f()
    }

    /// Says lines of the caller above what moves.
    pub fn say(&self, lines: Vec<Line>) {
        self.shared.put(&mut self.shared.stage(), Held::Lines(lines));
    }

    /// Takes what moves off the screen for good. Dropping does the same.
    pub fn finish(&self) {
        {
            let mut stage = self.shared.stage();
            if stage.suspended == 0 {
                self.shared.paint(&mut stage, &[], &[]);
            }
            stage.finished = true;
        }
        self.shared.over.notify_all();
        let ticker = self.ticker.lock().unwrap_or_else(PoisonError::into_inner).take();
        // the ticker does nothing that could panic but painting; a dead one is no reason to die as well
        drop(ticker.map(thread::JoinHandle::join));
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Observer for Live {
    fn event(&self, at: Timestamp, event: &Event, state: &RunState) {
        let shared = &*self.shared;
        let now = shared.now();
        let mut stage = shared.stage();
        stage.screen.event(now, event, state);
        for gathered in &stage.gathering.take(event) {
            let table = shared.table(gathered, state);
            shared.put(&mut stage, table);
        }
        let told = stage.narrator.tell(at, event, &state.opened.steps);
        let lines: Vec<Line> = told.iter().filter(|told| !told.fine).flat_map(|told| shared.lines(told)).collect();
        if !lines.is_empty() {
            shared.put(&mut stage, Held::Lines(lines));
        }
    }

    fn progress(&self, progress: &Progress) {
        let shared = &*self.shared;
        let now = shared.now();
        let mut stage = shared.stage();
        stage.screen.progress(now, progress);
        if let Progress::Unrecorded { at, end } = progress {
            let lines = shared.lines(&narration::unrecorded(at, end));
            shared.put(&mut stage, Held::Lines(lines));
        }
    }
}

impl Shared {
    fn now(&self) -> Duration {
        elapsed::between(self.began, self.clock.now())
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tick(&self) {
        let mut stage = self.stage();
        while !stage.finished {
            if stage.suspended == 0 {
                self.repaint(&mut stage, &[]);
            }
            (stage, _) = self.over.wait_timeout(stage, TICK).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn go_on(&self) {
        let mut stage = self.stage();
        stage.suspended = stage.suspended.saturating_sub(1);
        if stage.suspended == 0 {
            for held in std::mem::take(&mut stage.held) {
                self.print(&mut stage, held);
            }
        }
    }

    fn put(&self, stage: &mut Stage, held: Held) {
        if stage.suspended > 0 {
            stage.held.push(held);
        } else {
            self.print(stage, held);
        }
    }

    fn print(&self, stage: &mut Stage, held: Held) {
        match held {
            Held::Lines(lines) => {
                let columns = usize::from(self.term.size().1).saturating_sub(1);
                let wrapped: Vec<Line> = lines.into_iter().flat_map(|line| line.wrap(Some(columns), 6)).collect();
                self.repaint(stage, &wrapped);
            }
            Held::Data(text) => {
                // stdout may be the same terminal: the frame leaves it first
                self.paint(stage, &[], &[]);
                self.data.sink().write(&text);
            }
        }
    }

    fn repaint(&self, stage: &mut Stage, above: &[Line]) {
        let (height, columns) = self.term.size();
        let frame = if stage.finished {
            Vec::new()
        } else {
            stage.screen.frame(self.now(), usize::from(columns), usize::from(height))
        };
        self.paint(stage, above, &frame);
    }

    fn paint(&self, stage: &mut Stage, above: &[Line], frame: &[Line]) {
        if let Some(text) = stage.rows.paint(above, frame, self.term.size(), &self.styles) {
            // a terminal that went away ends nothing
            let _ = self.term.write_str(&text);
        }
    }

    fn lines(&self, told: &Told) -> Vec<Line> {
        let mut line = told.mark.map_or_else(Line::new, |mark: Mark| Line::marked(mark, &self.styles));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::{self, Tape};
    use crate::report::{Closing, Keeper, Sink};
    use crate::vocab::{HostName, StepHost, StepId};
    use indicatif::{InMemoryTerm, TermLike as _};

    /// A terminal that is a file, and what was written to it.
    fn terminal() -> (Term, impl Fn() -> String) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (read, write) = (file.reopen().unwrap(), file.reopen().unwrap());
        (Term::read_write_pair(read, write), move || std::fs::read_to_string(file.path()).unwrap())
    }

    #[test]
    fn a_prompt_has_the_terminal_alone_and_nothing_is_lost() {
        let (term, written) = terminal();
        let (data, table) = Sink::captured();
        let live = Live::new(term, Data::pipe(data), Styles::plain(), Arc::new(sample::Still::new()));
        let tape = sample::read_only();
        let before = live.suspend(|| {
            let before = written();
            sample::play(&tape.told, &live, |_| {});
            thread::sleep(TICK * 3);
            assert_eq!(written(), before);
            assert_eq!(table.text(), "");
            before
        });
        let after = written();
        assert!(after[before.len()..].contains("dfw-mail01 importers: failed: unreachable"), "{after}");
        assert!(table.text().contains("dfw-jobs01\t5663\tbored"));
        live.finish();
        live.say(vec![Line::text("afterwards")]);
        assert!(written().contains("afterwards"));
    }

    #[test]
    fn what_could_not_be_recorded_is_told_at_once() {
        let (term, written) = terminal();
        let live = Live::new(term, Data::pipe(Sink::captured().0), Styles::plain(), Arc::new(sample::Still::new()));
        let at = StepHost::new(StepId::new("restart"), HostName::new("dfw-jobs01"));
        live.progress(&Progress::Unrecorded { at, end: "exit 0".to_owned() });
        live.finish();
        assert!(written().contains("dfw-jobs01 restart: not recorded: exit 0"), "{}", written());
    }

    #[test]
    fn it_leaves_a_clean_screen_in_the_middle_of_a_roll() {
        let (term, written) = terminal();
        let live = Live::new(term, Data::pipe(Sink::captured().0), Styles::plain(), Arc::new(sample::Still::new()));
        sample::play(&sample::side_by_side().told[..5], &live, |_| {});
        thread::sleep(TICK * 3);
        assert!(screen(&written()).contains("restart 0/3 hosts"), "{:?}", written());
        drop(live);
        let left = screen(&written());
        assert!(!left.contains("0/3 hosts") && !left.contains("$ service"), "{left}");
    }

    /// What a terminal shows of this.
    fn screen(written: &str) -> String {
        let screen = InMemoryTerm::new(24, 80);
        screen.write_str(&written.replace('\n', "\r\n")).unwrap();
        screen.contents()
    }

    /// For eyes: `RUN=crowd cargo test --lib report::live -- --ignored --nocapture` in a terminal.
    #[test]
    #[ignore = "paints on the terminal for somebody to look at"]
    #[expect(clippy::disallowed_methods, reason = "a person chooses what to look at")]
    fn look() {
        let tape: Tape = match std::env::var("RUN").as_deref() {
            Ok("crowd") => sample::crowd(),
            Ok("failure") => sample::failure(),
            Ok("doubt") => sample::doubt(),
            Ok("unmet") => sample::unmet_precondition(),
            Ok("interrupted") => sample::interrupted(),
            Ok("resumed") => sample::resumed(),
            Ok("read-only") => sample::read_only(),
            Ok(_) | Err(_) => sample::good_roll(),
        };
        let (exit, why) = tape.ending();
        let data = Data::terminal(Sink::stdout(), Term::stdout());
        let live = Live::new(Term::stderr(), data, Styles::colour(), Arc::new(crate::vocab::SystemClock));
        let keeper = Keeper::new();
        let prompt = std::env::var("PROMPT").is_ok();
        let mut before = sample::start();
        let mut count = 0;
        sample::play(&tape.told, &Pair(&live, &keeper), |at| {
            let pause = super::super::elapsed::between(before, at).min(Duration::from_secs(4));
            before = at;
            std::thread::sleep(pause);
            count += 1;
            if prompt && count == 20 {
                live.suspend(|| {
                    let term = Term::stderr();
                    let _ = term.write_str("Shall it go on? ");
                    std::thread::sleep(Duration::from_secs(3));
                    let _ = term.write_line("yes");
                });
            }
        });
        drop(live);
        let columns = usize::from(Term::stderr().size().1);
        let closing = Closing::new(Styles::colour(), jiff::tz::TimeZone::UTC, Some(columns));
        eprintln!();
        eprint!("{}", closing.shown(&keeper.story(), exit, &why));
    }

    #[derive(Debug)]
    struct Pair<'a>(&'a dyn Observer, &'a dyn Observer);

    impl Observer for Pair<'_> {
        fn event(&self, at: Timestamp, event: &Event, state: &RunState) {
            self.0.event(at, event, state);
            self.1.event(at, event, state);
        }

        fn progress(&self, progress: &Progress) {
            self.0.progress(progress);
        }
    }
}
