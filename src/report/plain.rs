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
use super::narration::{self, Narrator, Told};
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
            self.write(
                at,
                &Line::new(),
                Line::new().with(Role::Dim, &format!("{day} {}", elapsed::zone_name(at, &self.zone))),
            );
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
        let told = said.narrator.tell(at, event, &state.opened.steps);
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
            Progress::Unrecorded { at, end } => {
                let now = self.clock.now();
                self.flush(&mut said, now, at);
                self.say(now, &narration::unrecorded(at, end));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::{self, Still, Tape};

    fn shown(tape: &Tape) -> (String, String) {
        let ((out, told), (data, table)) = (Sink::captured(), Sink::captured());
        let clock = Arc::new(Still::new());
        let plain = Plain::new(out, Data::pipe(data), Styles::plain(), TimeZone::UTC, clock.clone());
        sample::play(&tape.told, &plain, |at| clock.set(at));
        (told.text(), table.text())
    }

    #[test]
    fn a_good_roll() {
        insta::assert_snapshot!(shown(&sample::good_roll()).0, @r#"
        03:15:00 2026-11-22 UTC
        03:15:00 restart-webs: Restart the webservers
        03:15:00 run 20261122T031500Z-1a2b3c4d by mark on dfw-admin01, from 10.0.0.5
        03:15:00 reason: new release
        03:15:00 with pause=3s
        03:15:01 ✓ importers-bored: Every content importer is bored.
        03:15:01 ! warning slow
        03:15:01     Pages are slow for a minute.
        03:15:01 warning slow acknowledged by --ack
        03:15:01 asked: Start?
        03:15:01 start? yes, by --yes
        03:15:01 restart: Restart Apache: va-web{01..03}, 3 hosts in 3 batches
        03:15:01 restart: batch 1 of 3: va-web01
        03:15:01 va-web01 restart: $ service apache2 restart
        03:15:02 va-web01 restart | Stopping apache2
        03:15:02 va-web01 restart | Starting apache2 with a long line that tells of every module loaded: rewrite, ssl, headers
        03:15:03 va-web01 restart: exit 0 after 2.0s
        03:15:03 va-web01 restart: not yet: The site answers. (connection refused; 30s left)
        03:15:04 va-web01 restart: not yet: The site answers. (HTTP 503; 30s left)
        03:15:05 va-web01 restart: ✓ The site answers. (4 looks, 2.0s)
        03:15:05 va-web01 restart: ✓ ok (4.3s)
        03:15:05 restart: pause 3s
        03:15:08 restart: batch 2 of 3: va-web02
        03:15:08 va-web02 restart: $ service apache2 restart
        03:15:10 va-web02 restart | Stopping apache2
        03:15:10 va-web02 restart | Starting apache2 with a long line that tells of every module loaded: rewrite, ssl, headers
        03:15:10 va-web02 restart: exit 0 after 2.0s
        03:15:10 va-web02 restart: not yet: The site answers. (connection refused; 30s left)
        03:15:12 va-web02 restart: not yet: The site answers. (HTTP 503; 30s left)
        03:15:12 va-web02 restart: ✓ The site answers. (4 looks, 2.0s)
        03:15:12 va-web02 restart: ✓ ok (4.3s)
        03:15:12 restart: pause 3s
        03:15:15 restart: batch 3 of 3: va-web03
        03:15:15 va-web03 restart: $ service apache2 restart
        03:15:17 va-web03 restart | Stopping apache2
        03:15:17 va-web03 restart | Starting apache2 with a long line that tells of every module loaded: rewrite, ssl, headers
        03:15:17 va-web03 restart: exit 0 after 2.0s
        03:15:18 va-web03 restart: not yet: The site answers. (connection refused; 30s left)
        03:15:19 va-web03 restart: not yet: The site answers. (HTTP 503; 30s left)
        03:15:20 va-web03 restart: ✓ The site answers. (4 looks, 2.0s)
        03:15:20 va-web03 restart: ✓ ok (4.3s)
        03:15:20 ✓ Every webserver answers.
        03:15:20 ended (exit 0): done, every check held
        "#);
    }

    #[test]
    fn locks() {
        insta::assert_snapshot!(shown(&sample::locks()).0, @r"
        03:15:00 2026-11-22 UTC
        03:15:00 restart-webs: Restart the webservers
        03:15:00 run 20261122T031500Z-1a2b3c4d by mark on dfw-admin01, from 10.0.0.5
        03:15:00 reason: new release
        03:15:00 with pause=3s
        03:15:00 ! the lock of va-web01 is held by denise on dfw-admin02, restart-webs (20261122T030000Z-00000001), since 2026-11-22 03:00:00Z; a command of it runs there; waiting for it, 10m at most
        03:15:00 the lock of va-web01, held by denise (10m 00s left)
        03:15:10 ! not locked yet: va-web03 (unreachable: timed out)
        03:15:20 ✗ the lock of va-web01 is lost: denise on dfw-admin02 broke it: mark is away
        03:15:20 stopped (exit 6): the lock of va-web01 is lost
        ");
    }

    #[test]
    fn a_failure() {
        insta::assert_snapshot!(shown(&sample::failure()).0, @r#"
        03:15:00 2026-11-22 UTC
        03:15:00 bounce-webs: Bounce the webservers
        03:15:00 run 20261122T031500Z-1a2b3c4d by mark on dfw-admin01, from 10.0.0.5
        03:15:00 reason: new release
        03:15:00 with pause=3s
        03:15:00 bounce: Bounce each webserver: va-web{01..04}, 4 hosts in 4 batches
        03:15:00 bounce: batch 1 of 4: va-web01
        03:15:00 va-web01 bounce/stop: $ service apache2 stop
        03:15:02 va-web01 bounce/stop | stopped
        03:15:02 va-web01 bounce/stop: exit 0 after 2.0s
        03:15:02 va-web01 bounce/stop: ✓ ok (2.0s)
        03:15:02 va-web01 bounce/start: $ service apache2 start
        03:15:03 va-web01 bounce/start | started
        03:15:03 va-web01 bounce/start: exit 0 after 2.0s
        03:15:03 va-web01 bounce/start: ✓ ok (1.5s)
        03:15:03 bounce: batch 2 of 4: va-web02
        03:15:03 va-web02 bounce/stop: $ service apache2 stop
        03:15:05 va-web02 bounce/stop | stopped
        03:15:05 va-web02 bounce/stop: exit 0 after 2.0s
        03:15:05 va-web02 bounce/stop: ✓ ok (2.0s)
        03:15:05 va-web02 bounce/start: $ service apache2 start
        03:15:07 va-web02 bounce/start | (98)Address already in use: line 1
        03:15:07 va-web02 bounce/start | (98)Address already in use: line 2
        03:15:07 va-web02 bounce/start | (98)Address already in use: line 3
        03:15:07 va-web02 bounce/start | (98)Address already in use: line 4
        03:15:07 va-web02 bounce/start | (98)Address already in use: line 5
        03:15:07 va-web02 bounce/start | (98)Address already in use: line 6
        03:15:07 va-web02 bounce/start | (98)Address already in use: line 7
        03:15:07 va-web02 bounce/start | (98)Address already in use: line 8
        03:15:07 va-web02 bounce/start | (98)Address already in use: line 9
        03:15:07 va-web02 bounce/start | (98)Address already in use: line 10
        03:15:07 va-web02 bounce/start | (98)Address already in use: line 11
        03:15:07 va-web02 bounce/start | (98)Address already in use: line 12
        03:15:07 va-web02 bounce/start: exit 1 after 2.0s
        03:15:08 va-web02 bounce/start: collected tail -n 50 /var/log/apache2/error.log (2 lines)
        03:15:08 va-web02 bounce/start: ✗ failed: exit 1 (2.3s)
        03:15:08 bounce: ✗ stopped: 1 host failed, 0 allowed
        03:15:08 bounce:     not run on va-web{03,04}
        03:15:08 stopped (exit 1): bounce/start failed on va-web02
        "#);
    }

    #[test]
    fn what_was_seen_is_data() {
        let (told, table) = shown(&sample::read_only());
        insta::assert_snapshot!(told, @r#"
        03:15:00 2026-11-22 UTC
        03:15:00 importer-status: What every content importer is doing
        03:15:00 run 20261122T031500Z-1a2b3c4d by mark on dfw-admin01, from 10.0.0.5
        03:15:00 importers: What the importers do: dfw-jobs{01,02} dfw-mail01
        03:15:00 dfw-jobs01 importers: ✓ ok
        03:15:00 dfw-jobs02 importers: ✓ ok
        03:15:00 dfw-mail01 importers: ✗ failed: unreachable: connection refused
        03:15:00 ended (exit 1): importers failed on dfw-mail01
        "#);
        insta::assert_snapshot!(table, @r#"
        host	pid	state	problem
        dfw-jobs01	5663	bored	
        dfw-jobs01	25034	entries: exampleuser(42)	
        dfw-jobs02			no rows
        dfw-mail01			unknown: unreachable: connection refused
        "#);
    }

    #[test]
    fn waiting_is_told_once_for_each_change() {
        insta::assert_snapshot!(shown(&sample::waiting()).0, @r#"
        03:15:00 2026-11-22 UTC
        03:15:00 restart-webs: Restart the webservers
        03:15:00 run 20261122T031500Z-1a2b3c4d by mark on dfw-admin01, from 10.0.0.5
        03:15:00 reason: new release
        03:15:00 with pause=3s
        03:15:00 ✗ importers-bored does not hold: dfw-jobs01: state "entries"
        03:15:00 waiting for the preconditions, 2h at most
        03:15:30 ✗ importers-bored does not hold: dfw-jobs01: state "comments"
        03:15:50 ✓ importers-bored: Every content importer is bored.
        03:15:50 the lock of va-web01, held by denise (1m 00s left)
        03:15:50 ✓ importers-bored: Every content importer is bored.
        03:15:50 restart: pause 3s
        "#);
    }

    #[test]
    fn output_is_told_in_whole_lines_however_it_comes() {
        let text = "one\x1b[2J\r\ntwo \u{202e}\n\nthr\u{e9}e";
        let place = sample::at("restart", "va-web01");
        let mut all = Vec::new();
        for size in 1..text.len() {
            let mut tape = Tape::new();
            tape.started(&place, "x");
            let chars: Vec<char> = text.chars().collect();
            for piece in chars.chunks(size) {
                tape.output(&place, &piece.iter().collect::<String>());
            }
            tape.acted(&place, crate::event::ActionEnd::Exited(0), text, "");
            all.push(shown(&tape).0);
        }
        all.dedup();
        assert_eq!(all.len(), 1);
        insta::assert_snapshot!(all[0], @r#"
        03:15:00 2026-11-22 UTC
        03:15:00 va-web01 restart: $ x
        03:15:00 va-web01 restart | one\x1b[2J
        03:15:00 va-web01 restart | two \u{202e}
        03:15:00 va-web01 restart |
        03:15:00 va-web01 restart | thrée
        03:15:00 va-web01 restart: exit 0 after 2.0s
        "#);
    }
}
