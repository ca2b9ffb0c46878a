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
        lines.extend(
            verdicts::reasons(unmet.verdicts).into_iter().flat_map(|reason| self.wrapped(reason.indented(4), 8)),
        );
        for text in unmet.otherwise.into_iter().flat_map(|text| Line::each(Role::Text, text.trim())) {
            lines.extend(self.wrapped(text.indented(2), 2));
        }
        if !unmet.overridable {
            lines.push(Line::new().with(Role::Dim, "  It cannot be overridden."));
        }
        lines
    }

    fn advice(&self, story: &Story) -> Vec<Line> {
        let mut lines = Vec::new();
        for (id, hosts, text) in story.advice() {
            let title = Line::marked(Mark::Failed, &self.styles)
                .with(Role::Failed, id)
                .with(Role::Text, " does not hold on ")
                .with(Role::Host, &fold_hosts(&hosts));
            lines.extend(self.wrapped(title, 2));
            for text in Line::each(Role::Text, text.trim()) {
                lines.extend(self.wrapped(text.indented(2), 2));
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{ActionEnd, Event, FailureKind, Moment, Outcome};
    use crate::report::sample::{self, Tape};

    fn shown(tape: &Tape, columns: Option<usize>) -> String {
        let (exit, why) = tape.ending();
        let story = Story::from_records(tape.records());
        Closing::new(Styles::plain(), TimeZone::UTC, columns).shown(&story, exit, &why)
    }

    #[test]
    fn a_good_roll_is_short() {
        insta::assert_snapshot!(shown(&sample::good_roll(), Some(80)), @r#"
        ✓ restart-webs: done, every check held
          run 20261122T031500Z-1a2b3c4d by mark on dfw-admin01, 03:15:00, took 20s

          restart  ✓ ok  va-web{01..03}
        "#);
    }

    /// A step's own precondition does not hold on the second host.
    fn unready_host() -> Tape {
        let mut tape = Tape::new();
        let on = ["dfw-jobs01", "dfw-jobs02"];
        let steps = vec![sample::step("start", "Start gearmand", "run", None, &on)];
        tape.event(Event::Opened(Box::new(sample::opened("start-gearman", "Start Gearman", true, steps))));
        for (host, holding) in on.into_iter().zip([true, false]) {
            let at = sample::at("start", host);
            let verdict = if holding { sample::holds(host) } else { sample::unknown(host, "timed out") };
            tape.event(Event::PreconditionJudged {
                id: "start:port-free".to_owned(),
                says: "Nothing holds the port.".to_owned(),
                moment: Moment::Step { at: at.clone() },
                verdicts: vec![verdict],
                show: Vec::new(),
                overridable: false,
                otherwise: Some("If a gearmand is there, it hangs.".to_owned()),
            });
            if holding {
                tape.started(&at, "gearman/start").acted(&at, ActionEnd::Exited(0), "", "").ended(&at, Outcome::Ok);
            } else {
                let why = "Nothing holds the port.: timed out".to_owned();
                tape.ended(&at, Outcome::Failed { kind: FailureKind::Precondition, why });
            }
        }
        tape.event(Event::Stopped { exit: 1, why: "start failed on dfw-jobs02, and no failure is allowed".to_owned() });
        tape
    }

    #[test]
    fn a_precondition_of_a_step_says_what_to_do_where_it_does_not_hold() {
        insta::assert_snapshot!(shown(&unready_host(), Some(80)), @r#"
        ✗ start-gearman: start failed on dfw-jobs02, and no failure is allowed (exit 1)
          run 20261122T031500Z-1a2b3c4d by mark on dfw-admin01, 03:15:00, took 0.0s

          start  ✓ ok      dfw-jobs01
                 ✗ failed  dfw-jobs02  Nothing holds the port.: timed out

        ✗ start:port-free does not hold on dfw-jobs02
          If a gearmand is there, it hangs.

          Go on from here:  runbook resume 20261122T031500Z-1a2b3c4d
          Or give it up for good:
              runbook abandon 20261122T031500Z-1a2b3c4d --reason "…"
          The whole story: runbook audit show 20261122T031500Z-1a2b3c4d
        "#);
    }

    #[test]
    fn a_precondition_says_what_was_seen_and_both_ways_on() {
        insta::assert_snapshot!(shown(&sample::unmet_precondition(), Some(80)), @r#"
        ✗ restart-jobs: importers-bored does not hold (exit 3)
          run 20261122T031500Z-1a2b3c4d by mark on dfw-admin01, 03:15:00, took 0.8s

        ✗ importers-bored: Every content importer is bored.
            dfw-jobs01   pid 5663   state "entries: exampleuser(42)"
                         pid 25034   state "posting comments"
            dfw-mail01   unknown: unreachable: connection refused
          An import is in progress. Wait for it, or override this in an emergency.

          Nothing was changed.

          Go on when it is over:  runbook run restart-jobs --wait 2h
          In an emergency:
              runbook run restart-jobs --override importers-bored --reason "…"
        "#);
    }

    #[test]
    fn a_failure_shows_its_evidence_and_what_was_left() {
        insta::assert_snapshot!(shown(&sample::failure(), Some(80)), @r#"
        ✗ bounce-webs: bounce/start failed on va-web02 (exit 1)
          run 20261122T031500Z-1a2b3c4d by mark on dfw-admin01, 03:15:00, took 8.2s

                        va-web01  va-web02  va-web03   va-web04
          bounce/stop   ✓ ok      ✓ ok      – not run  – not run
          bounce/start  ✓ ok      ✗ failed  – not run  – not run
          ✗ bounce/start on va-web02 failed: exit 1

          bounce stopped: 1 host failed, 0 allowed; untouched: va-web{03,04}

          bounce/start on va-web02 wrote:
            … 3 lines before
            | (98)Address already in use: line 4
            | (98)Address already in use: line 5
            | (98)Address already in use: line 6
            | (98)Address already in use: line 7
            | (98)Address already in use: line 8
            | (98)Address already in use: line 9
            | (98)Address already in use: line 10
            | (98)Address already in use: line 11
            | (98)Address already in use: line 12
            | unable to open logs
          va-web02 $ tail -n 50 /var/log/apache2/error.log
            | [error] \x1b[31mcould not bind to 0.0.0.0:80\x1b[0m
            | [error] no listening sockets, and this line is so long that no terminal o…

          Go on from here:  runbook resume 20261122T031500Z-1a2b3c4d
          Or give it up for good:
              runbook abandon 20261122T031500Z-1a2b3c4d --reason "…"
          The whole story: runbook audit show 20261122T031500Z-1a2b3c4d
        "#);
    }

    #[test]
    fn on_a_narrow_screen_the_table_becomes_a_list() {
        insta::assert_snapshot!(shown(&sample::failure(), Some(50)), @r#"
        ✗ bounce-webs: bounce/start failed on va-web02
          (exit 1)
          run 20261122T031500Z-1a2b3c4d by mark on
          dfw-admin01, 03:15:00, took 8.2s

          bounce/stop   ✓ ok       va-web{01,02}
                        – not run  va-web{03,04}
          bounce/start  ✓ ok       va-web01
                        ✗ failed   va-web02  exit 1
                        – not run  va-web{03,04}

          bounce stopped: 1 host failed, 0 allowed;
            untouched: va-web{03,04}

          bounce/start on va-web02 wrote:
            … 3 lines before
            | (98)Address already in use: line 4
            | (98)Address already in use: line 5
            | (98)Address already in use: line 6
            | (98)Address already in use: line 7
            | (98)Address already in use: line 8
            | (98)Address already in use: line 9
            | (98)Address already in use: line 10
            | (98)Address already in use: line 11
            | (98)Address already in use: line 12
            | unable to open logs
          va-web02 $ tail -n 50 /var/log/apache2/error.log
            | [error] \x1b[31mcould not bind to 0.0.0.0:8…
            | [error] no listening sockets, and this line…

          Go on from here:
              runbook resume 20261122T031500Z-1a2b3c4d
          Or give it up for good:
              runbook abandon 20261122T031500Z-1a2b3c4d \
                --reason "…"
          The whole story: runbook audit show
            20261122T031500Z-1a2b3c4d
        "#);
    }

    #[test]
    fn doubt_names_the_words_that_settle_it() {
        insta::assert_snapshot!(shown(&sample::doubt(), Some(80)), @r#"
        ? restart-webs: stopped with 1 step in doubt (exit 5)
          run 20261122T031500Z-1a2b3c4d by mark on dfw-admin01, 03:15:00, took 8.3s

          restart  ✓ ok        va-web01
                   ? in doubt  va-web02
                   – not run   va-web03

        ? restart@va-web02 is in doubt: the connection was lost, and the host has not
          answered since
          It may have taken effect, or not. Look at the host, then say what you found:
          `done`, or `not-done` in its place. Until then nothing runs there again.

          Say what you found:
              runbook resolve 20261122T031500Z-1a2b3c4d restart@va-web02 \
                --outcome done --reason "…"
          Then go on from here:  runbook resume 20261122T031500Z-1a2b3c4d
          Or give it up for good:
              runbook abandon 20261122T031500Z-1a2b3c4d --reason "…"
          The whole story: runbook audit show 20261122T031500Z-1a2b3c4d
        "#);
    }

    #[test]
    fn an_interrupt_can_be_resumed() {
        insta::assert_snapshot!(shown(&sample::interrupted(), Some(80)), @r#"
        ! restart-webs: interrupted (exit 130)
          run 20261122T031500Z-1a2b3c4d by mark on dfw-admin01, 03:15:00, took 8.7s

          restart  ✓ ok       va-web{01,02}
                   – not run  va-web03

          restart stopped: interrupted; untouched: va-web03

          Go on from here:  runbook resume 20261122T031500Z-1a2b3c4d
          Or give it up for good:
              runbook abandon 20261122T031500Z-1a2b3c4d --reason "…"
          The whole story: runbook audit show 20261122T031500Z-1a2b3c4d
        "#);
    }

    #[test]
    fn what_was_overridden_is_said_again() {
        insta::assert_snapshot!(shown(&sample::resumed(), Some(80)), @r#"
        ✓ restart-webs: done, every check held
          run 20261122T031500Z-1a2b3c4d by mark on dfw-admin01, 03:15:00, took 1h 00m

          restart  ✓ ok  va-web{01..03}

          ! importers-bored was overridden by --override: db failover
        "#);
    }

    #[test]
    fn nobody_at_the_terminal() {
        insta::assert_snapshot!(shown(&sample::unasked(), Some(80)), @r#"
        ! restart-webs: nobody could be asked: there is no terminal (exit 4)
          run 20261122T031500Z-1a2b3c4d by mark on dfw-admin01, 03:15:00, took 0.0s

          Nothing was changed.

          Without a terminal, answer beforehand:
              runbook run restart-webs note='it'\''s urgent' pause=5s token=@FILE \
                --limit 'va-web[01:02]' --ack imports-stall --yes
        "#);
    }

    #[test]
    fn no_screen_is_too_narrow() {
        for tape in sample::all() {
            let (exit, why) = tape.ending();
            let story = Story::from_records(tape.records());
            for columns in 40..100 {
                for line in Closing::new(Styles::plain(), TimeZone::UTC, Some(columns)).lines(&story, exit, &why) {
                    assert!(line.width() <= columns, "{columns}: {line:?}");
                }
            }
        }
    }
}
