//! The last screen, of made-up runs.

use jiff::tz::TimeZone;

use super::closing::Closing;
use super::story::Story;
use super::style::Styles;
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

    ✗ start:port-free could not be told on dfw-jobs02
      See first why it could not be looked at. Only if it then turns out not to be
      so:
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
fn what_could_not_be_looked_at_is_not_blamed_on_what_would_be_found() {
    let mut tape = Tape::new();
    let steps = vec![sample::step("restart", "Restart the workers", "run", None, &["dfw-jobs01"])];
    tape.event(Event::Opened(Box::new(sample::opened("restart-jobs", "Restart the workers", true, steps))));
    tape.judged(Moment::Start, vec![sample::unknown("dfw-jobs01", "unreachable: connection refused")]);
    tape.event(Event::Stopped { exit: 3, why: "importers-bored could not be told".to_owned() });
    insta::assert_snapshot!(shown(&tape, Some(80)), @r#"
    ✗ restart-jobs: importers-bored could not be told (exit 3)
      run 20261122T031500Z-1a2b3c4d by mark on dfw-admin01, 03:15:00, took 0.0s

    ✗ importers-bored: Every content importer is bored.
      It could not be told whether this is so:
        dfw-jobs01   unknown: unreachable: connection refused
      See first why it could not be looked at. Only if it then turns out not to be
      so:
        An import is in progress. Wait for it, or override this in an emergency.

      Nothing was changed.

      Go on when it can be looked at:  runbook run restart-jobs pause=3s --wait 2h
      In an emergency:
          runbook run restart-jobs pause=3s --override importers-bored \
            --reason "…"
    "#);
}

#[test]
fn a_failed_step_says_what_to_do() {
    let mut tape = Tape::new();
    let mut step = sample::step("servers", "What each server answers", "probe", None, &["dfw-jobs01"]);
    step.says = Some("One that does not answer is started: `runbook run start-gearman`.".to_owned());
    let opened = sample::opened("gearman-status", "What Gearman does", false, vec![step]);
    tape.event(Event::Opened(Box::new(opened)));
    let at = sample::at("servers", "dfw-jobs01");
    tape.started(&at, "gearman").acted(&at, ActionEnd::Exited(0), "", "");
    tape.ended(&at, Outcome::Failed { kind: FailureKind::Check, why: "Each answers.: refused".to_owned() });
    tape.event(Event::Ended { exit: 1, why: "servers failed on dfw-jobs01".to_owned() });
    let said = "\n  servers: One that does not answer is started: `runbook run start-gearman`.\n";
    assert!(shown(&tape, None).contains(said), "{}", shown(&tape, None));
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
