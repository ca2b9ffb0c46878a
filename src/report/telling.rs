//! The story of a run as text, in reading order: `audit show`.
//!
//! Apart from plain lines, which tell in the order in which things came: here what hosts did side by side in a batch
//! is told host by host, and what a reader of a record wants (who exactly, what was seen when something did not hold,
//! what was written when something failed) is told in full.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::elapsed;
use super::line::{self, Line};
use super::narration::{self, Narrator, Told, tail};
use super::observed;
use super::outline;
use super::story::Story;
use super::style::{Mark, Role, Styles};
use super::table::Fit;
use super::verdicts;
use super::words;
use crate::event::{ActionEnd, Event, HostVerdict, Opened, Output, RunState, RunStatus};
use crate::vocab::fold_hosts;
use crate::vocab::{HostName, Observation, StepHost};

/// Writes the story of a run.
#[derive(Clone, Debug)]
pub struct Telling {
    styles: Styles,
    zone: TimeZone,
    columns: Option<usize>,
    all_output: bool,
}

/// How many lines of an output are told where not all are asked for.
const TAIL: usize = 12;

impl Telling {
    /// `columns` is the terminal's width; none where there is no terminal, and nothing is wrapped or cut.
    pub fn new(styles: Styles, zone: TimeZone, columns: Option<usize>) -> Self {
        Self { styles, zone, columns, all_output: false }
    }

    /// Tells all that was written, not only the end of what failed.
    #[must_use]
    pub fn all_output(mut self, all: bool) -> Self {
        self.all_output = all;
        self
    }

    /// The whole story.
    pub fn shown(&self, story: &Story) -> String {
        line::shown(&self.lines(story), &self.styles)
    }

    /// The whole story as lines.
    pub fn lines(&self, story: &Story) -> Vec<Line> {
        let mut lines = match story.opened() {
            Some(opened) => self.head(story, opened),
            None => vec![
                Line::marked(Mark::Warning, &self.styles)
                    .with(Role::Warning, "the record of this run has no beginning"),
            ],
        };
        let mut teller = Teller {
            of: self,
            narrator: Narrator::new(self.styles.clone()).in_full(),
            lines: Vec::new(),
            beside: Vec::new(),
            day: String::new(),
            last: None,
        };
        let mut state: Option<RunState> = None;
        for (index, (at, event)) in story.records().iter().enumerate() {
            match &mut state {
                // an event that does not fit is told all the same; whether the record is whole, `audit verify` says
                Some(state) => drop(state.apply(*at, event)),
                None => state = RunState::open(*at, event).ok(),
            }
            // the end is told at the end
            let last = index + 1 == story.records().len();
            if last && matches!(event, Event::Stopped { .. } | Event::Ended { .. } | Event::Abandoned { .. }) {
                teller.say_clock(*at);
            } else {
                teller.tell(*at, event, state.as_ref());
            }
        }
        teller.flush();
        lines.extend(teller.lines);
        lines.extend(self.end(story));
        lines.into_iter().flat_map(|line| line.wrap(self.columns, 2)).collect()
    }

    fn head(&self, story: &Story, opened: &Opened) -> Vec<Line> {
        let mut title =
            Line::new().with(Role::Heading, &opened.runbook).with(Role::Text, ": ").with(Role::Text, &opened.title);
        if opened.emergency {
            title.push(Role::Warning, "  EMERGENCY");
        }
        let mut lines = title.wrap(self.columns, 2);
        let mut say = |name: &str, text: &str| {
            if !text.is_empty() {
                let line = Line::new().with(Role::Dim, name).padded(12).with(Role::Text, text);
                lines.extend(line.wrap(self.columns, 12));
            }
        };
        let began = story.state().map(|state| state.opened_at).unwrap_or_default();
        let operator = &opened.operator;
        say("run", opened.run.as_str());
        say("started", &format!("{} {}", elapsed::stamp(began, &self.zone), elapsed::zone_name(began, &self.zone)));
        let who = outline::operator(operator, &opened.admin_host);
        let uid = operator.loginuid.map(|uid| format!(", login uid {uid}")).unwrap_or_default();
        say("operator", &format!("{who}, known by {}; login user {}{uid}", operator.source, operator.login));
        say("reason", opened.reason.as_deref().unwrap_or_default());
        say("parameters", &outline::params(opened));
        say("hosts", &fold_hosts(opened.hosts.iter().map(|host| &host.name)));
        say("plan", &format!("{} from {}, by runbook {}", opened.plan.short(), opened.book, opened.version));
        if !opened.changes {
            say("changes", "nothing: it only looks");
        }
        lines.push(Line::new());
        lines
    }

    fn end(&self, story: &Story) -> Vec<Line> {
        let Some(state) = story.state() else { return Vec::new() };
        let (mark, text) = match &state.status {
            RunStatus::Ended { exit: 0, why } => (Mark::Ok, format!("ended: {why}")),
            RunStatus::Ended { exit, why } => (Mark::Failed, format!("ended (exit {exit}): {why}")),
            RunStatus::Stopped { exit, why } => {
                (Mark::Warning, format!("stopped (exit {exit}), can be resumed: {why}"))
            }
            RunStatus::Abandoned { reason } => (Mark::Left, format!("abandoned: {reason}")),
            RunStatus::Open => (Mark::Doubt, "unfinished: it still runs, or its program died".to_owned()),
        };
        let took = elapsed::short(elapsed::between(state.opened_at, state.last_at));
        let stretches = if state.stretches > 1 { format!(", in {} stretches", state.stretches) } else { String::new() };
        let line = Line::marked(mark, &self.styles)
            .with(mark.role(), &text)
            .with(Role::Dim, &format!(" (after {took}{stretches})"));
        let mut lines = vec![Line::new()];
        lines.extend(line.wrap(self.columns, 2));
        if story.misfits() > 0 {
            let text =
                format!("{} in this record cannot follow what was before", words::count(story.misfits(), "event"));
            lines.push(Line::marked(Mark::Warning, &self.styles).with(Role::Warning, &text));
        }
        lines
    }
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
        if let Some(Told { detail, .. }) = told.last_mut() {
            self.more(event, detail);
        }
        let place = host_of(event);
        if place.is_none() {
            self.flush();
        }
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

    fn flush(&mut self) {
        for (_, lines) in std::mem::take(&mut self.beside) {
            self.lines.extend(lines);
        }
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
            Event::PreconditionJudged { verdicts, show, .. } if !verdicts::hold(verdicts) => {
                detail.extend(self.seen(verdicts, show));
            }
            Event::CheckJudged { verdicts, .. } if !verdicts::hold(verdicts) => detail.extend(self.seen(verdicts, &[])),
            Event::StepActed { end, stdout, stderr, .. } => {
                let well = matches!(end, ActionEnd::Exited(0) | ActionEnd::Done | ActionEnd::Answered(200..=299));
                if self.of.all_output || !well {
                    *detail = self.output(&narration::joined(stdout, stderr));
                    detail.extend([stdout, stderr].into_iter().filter_map(stored));
                }
            }
            // what was written was told with the action, what was false where it was judged
            Event::StepEnded { .. } | Event::PreconditionOverridden { .. } => detail.clear(),
            Event::Collected { output, .. } => {
                *detail = self.output(&output.text);
                detail.extend(stored(output));
            }
            Event::UndoEnded { output, .. } => *detail = self.output(&output.text),
            Event::Observed { observation, show, .. } => detail.extend(self.table(&[observation], show)),
            Event::ObservedBefore { .. }
            | Event::Looked { .. }
            | Event::PreconditionJudged { .. }
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

    /// What the verdicts that are not good were made from.
    fn seen(&self, verdicts: &[HostVerdict], show: &[String]) -> Vec<Line> {
        let seen: Vec<&Observation> =
            verdicts.iter().filter(|one| !one.verdict.holds()).filter_map(|one| one.observation.as_ref()).collect();
        self.table(&seen, show)
    }

    fn table(&self, seen: &[&Observation], show: &[String]) -> Vec<Line> {
        let table = observed::table(seen.iter().copied(), show);
        if table.is_empty() {
            return Vec::new();
        }
        let fit = self.of.columns.map_or(Fit::Whole, |columns| Fit::Width(columns.saturating_sub(14)));
        table.lines(fit, &self.of.styles)
    }
}

fn stored(output: &Output) -> Option<Line> {
    let stored = output.stored.as_ref()?;
    Some(Line::new().with(Role::Dim, &format!("(whole: {} bytes, kept as {})", stored.bytes, stored.digest)))
}

/// The host whose own part of a batch an event is.
fn host_of(event: &Event) -> Option<&HostName> {
    let at: Option<&StepHost> = match event {
        Event::ObservedBefore { at, .. }
        | Event::StepStarted { at, .. }
        | Event::StepActed { at, .. }
        | Event::RetryScheduled { at, .. }
        | Event::ConnectionLost { at, .. }
        | Event::ConnectionRegained { at, .. }
        | Event::ReceiptRead { at, .. }
        | Event::Observed { at, .. }
        | Event::Captured { at, .. }
        | Event::Collected { at, .. }
        | Event::StepEnded { at, .. }
        | Event::Chosen { at, .. }
        | Event::UndoStarted { at, .. }
        | Event::UndoEnded { at, .. } => Some(at),
        Event::CheckJudged { at, .. } | Event::Looked { at, .. } | Event::Noted { at, .. } => at.as_ref(),
        Event::Opened(_)
        | Event::Resumed(_)
        | Event::PreconditionJudged { .. }
        | Event::PreconditionOverridden { .. }
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
        | Event::Interrupted { .. }
        | Event::Stopped { .. }
        | Event::Ended { .. }
        | Event::Resolved { .. }
        | Event::Abandoned { .. } => None,
    };
    at.map(|at| &at.host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::{self, Tape};

    fn shown(tape: &Tape) -> String {
        Telling::new(Styles::plain(), TimeZone::UTC, Some(100)).shown(&Story::from_records(tape.records()))
    }

    #[test]
    fn a_failure_is_told_with_what_it_wrote() {
        insta::assert_snapshot!(shown(&sample::failure()), @r#"
        bounce-webs: Bounce the webservers
        run         20261122T031500Z-1a2b3c4d
        started     2026-11-22 03:15:00 UTC
        operator    mark on dfw-admin01, from 10.0.0.5, known by SUDO_USER; login user root, login uid 1000
        reason      new release
        parameters  pause=3s
        hosts       va-web{01..04}
        plan        64879f7d6b96 from /srv/book/runbooks, by runbook 0.1.0

        2026-11-22
        03:15:00    bounce: Bounce each webserver: va-web{01..04}, 4 hosts in 4 batches
        03:15:00    bounce: batch 1 of 4: va-web01
        03:15:00    va-web01 bounce/stop: $ service apache2 stop
        03:15:02    va-web01 bounce/stop: exit 0 after 2.0s
        03:15:02  ✓ va-web01 bounce/stop: ok (2.0s)
        03:15:02    va-web01 bounce/start: $ service apache2 start
        03:15:03    va-web01 bounce/start: exit 0 after 2.0s
        03:15:03  ✓ va-web01 bounce/start: ok (1.5s)
        03:15:03    bounce: batch 2 of 4: va-web02
        03:15:03    va-web02 bounce/stop: $ service apache2 stop
        03:15:05    va-web02 bounce/stop: exit 0 after 2.0s
        03:15:05  ✓ va-web02 bounce/stop: ok (2.0s)
        03:15:05    va-web02 bounce/start: $ service apache2 start
        03:15:07    va-web02 bounce/start: exit 1 after 2.0s
                      … 1 line before
                      | (98)Address already in use: line 2
                      | (98)Address already in use: line 3
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
        03:15:08    va-web02 bounce/start: collected tail -n 50 /var/log/apache2/error.log (2 lines)
                      | [error] \x1b[31mcould not bind to 0.0.0.0:80\x1b[0m
                      | [error] no listening sockets, and this line is so long that no terminal of eighty
                        columns can show it
        03:15:08  ✗ va-web02 bounce/start: failed: exit 1 (2.3s)
        03:15:08  ✗ bounce: stopped: 1 host failed, 0 allowed
                      not run on va-web{03,04}

        ! stopped (exit 1), can be resumed: bounce/start failed on va-web02 (after 8.2s)
        "#);
    }

    #[test]
    fn an_interrupted_run_is_told_over_its_stretches() {
        insta::assert_snapshot!(shown(&sample::resumed()), @r#"
        restart-webs: Restart the webservers
        run         20261122T031500Z-1a2b3c4d
        started     2026-11-22 03:15:00 UTC
        operator    mark on dfw-admin01, from 10.0.0.5, known by SUDO_USER; login user root, login uid 1000
        reason      new release
        parameters  pause=3s
        hosts       va-web{01..03}
        plan        64879f7d6b96 from /srv/book/runbooks, by runbook 0.1.0

        2026-11-22
        03:15:00    restart: Restart Apache: va-web{01..03}, 3 hosts in 3 batches
        03:15:00    restart: batch 1 of 3: va-web01
        03:15:00    va-web01 restart: $ service apache2 restart
        03:15:02    va-web01 restart: exit 0 after 2.0s
        03:15:04  ✓ va-web01 restart: The site answers. (4 looks, 2.0s)
        03:15:04  ✓ va-web01 restart: ok (4.3s)
        03:15:04    restart: batch 2 of 3: va-web02
        03:15:04  ! SIGINT: nothing new starts; what runs may finish (once more stops it)
        03:15:04    va-web02 restart: $ service apache2 restart
        03:15:06    va-web02 restart: exit 0 after 2.0s
        03:15:08  ✓ va-web02 restart: The site answers. (4 looks, 2.0s)
        03:15:08  ✓ va-web02 restart: ok (4.3s)
        03:15:08  ✗ restart: stopped: interrupted
                      not run on va-web03
        03:15:08    stopped (exit 130): interrupted

        04:15:08    resumed by denise on laptop: finish what mark began
        04:15:08  ✗ importers-bored does not hold: Every content importer is bored.
                      dfw-jobs01   pid 5663 state "posting comments"
        04:15:08  ! importers-bored does not hold; overridden by --override: db failover
        04:15:08    restart: Restart Apache: va-web03
        04:15:08    va-web03 restart: $ service apache2 restart
        04:15:10    va-web03 restart: exit 0 after 2.0s
        04:15:13  ✓ va-web03 restart: The site answers. (4 looks, 2.0s)
        04:15:13  ✓ va-web03 restart: ok (4.3s)

        ✓ ended: done, every check held (after 1h 00m, in 2 stretches)
        "#);
    }

    #[test]
    fn hosts_side_by_side_are_told_one_after_the_other() {
        insta::assert_snapshot!(shown(&sample::side_by_side()), @r#"
        restart-webs: Restart the webservers
        run         20261122T031500Z-1a2b3c4d
        started     2026-11-22 03:15:00 UTC
        operator    mark on dfw-admin01, from 10.0.0.5, known by SUDO_USER; login user root, login uid 1000
        reason      new release
        parameters  pause=3s
        hosts       va-web{01..03}
        plan        64879f7d6b96 from /srv/book/runbooks, by runbook 0.1.0

        2026-11-22
        03:15:00    restart: Restart Apache: va-web{01,02}
        03:15:00    va-web01 restart: $ service apache2 restart
        03:15:01    va-web01 restart: exit 143 (signal 15) after 2.0s
                      | terminated
        03:15:01  ✗ va-web01 restart: failed: exit 143 (signal 15) (1.0s)
        03:15:00    va-web02 restart: $ service apache2 restart
        03:15:00    va-web02 restart: exit 0 after 2.0s
        03:15:01    va-web02 restart: captured release = r42
        03:15:01  ✓ va-web02 restart: ok (1.0s)

        ? unfinished: it still runs, or its program died (after 1.0s)
        "#);
    }

    #[test]
    fn what_was_seen_when_a_precondition_failed_is_told() {
        insta::assert_snapshot!(shown(&sample::unmet_precondition()), @r#"
        restart-jobs: Restart the job workers
        run         20261122T031500Z-1a2b3c4d
        started     2026-11-22 03:15:00 UTC
        operator    mark on dfw-admin01, from 10.0.0.5, known by SUDO_USER; login user root, login uid 1000
        reason      new release
        hosts       dfw-jobs{01,02}
        plan        64879f7d6b96 from /srv/book/runbooks, by runbook 0.1.0

        2026-11-22
        03:15:00  ✗ importers-bored does not hold: Every content importer is bored.
                      dfw-jobs01   pid 5663   state "entries: exampleuser(42)"
                                   pid 25034   state "posting comments"
                      dfw-mail01   unknown: unreachable: connection refused

        ✗ ended (exit 3): importers-bored does not hold (after 0.8s)
        "#);
    }

    #[test]
    fn a_clock_that_went_back_is_told_and_no_length_is_made_of_it() {
        let hour = jiff::SignedDuration::from_hours(1);
        let mut records = sample::failure().records();
        let end = records.len() - 1;
        let instant = records[end].0;
        for record in &mut records[end..] {
            record.0 = instant - hour;
        }
        // a clock that is kept in step is no news
        records[3].0 = records[2].0 - jiff::SignedDuration::from_millis(20);
        let story = Story::from_records(records);
        let told = Telling::new(Styles::plain(), TimeZone::UTC, None).shown(&story);
        assert_eq!(told.matches("the clock of the admin host went back by").count(), 1, "{told}");
        assert!(told.contains("! the clock of the admin host went back by 1h 0"), "{told}");
        assert!(told.contains("after 0.0s"), "the run is not told to have taken an hour: {told}");
    }
}
