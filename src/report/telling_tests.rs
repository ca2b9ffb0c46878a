//! The story of a run, over runs that were made up.

use jiff::tz::TimeZone;

use super::sample::{self, Tape};
use super::{Selection, Story, Styles, Telling};
use crate::event::{AckHow, Event, HostVerdict, Moment, Opened, TextEntry};
use crate::vocab::{Digest, HostName, StepId};

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
    inventory   inventory.yaml
    outcome     stopped (exit 1), can be resumed: bounce/start failed on va-web02

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
                  | (98)Address already in use: line 1
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
                  on stderr:
                  | unable to open logs
    03:15:08    va-web02 bounce/start: collected tail -n 50 /var/log/apache2/error.log (2 lines)
                  | [error] \x1b[31mcould not bind to 0.0.0.0:80\x1b[0m
                  | [error] no listening sockets, and this line is so long that no terminal of eighty
                    columns can show it
    03:15:08  ✗ va-web02 bounce/start: failed: exit 1 (2.3s)
    03:15:08  ✗ bounce: stopped: 1 host failed, 0 allowed
                  not run on va-web{03,04}

                    va-web01  va-web02  va-web03   va-web04
      bounce/stop   ✓ ok      ✓ ok      – not run  – not run
      bounce/start  ✓ ok      ✗ failed  – not run  – not run
      ✗ bounce/start on va-web02 failed: exit 1

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
    inventory   inventory.yaml
    resumed by  denise on laptop
    overrode    importers-bored by --override: db failover
    outcome     ended: done, every check held

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
    04:15:08  ! importers-bored does not hold; overridden by denise with --override: db failover
    04:15:08    restart: Restart Apache: va-web03
    04:15:08    va-web03 restart: $ service apache2 restart
    04:15:10    va-web03 restart: exit 0 after 2.0s
    04:15:13  ✓ va-web03 restart: The site answers. (4 looks, 2.0s)
    04:15:13  ✓ va-web03 restart: ok (4.3s)

      restart  ✓ ok  va-web{01..03}

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
    inventory   inventory.yaml
    outcome     unfinished: it still runs, or its program died

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

      restart  ✗ failed   va-web01  exit 143 (signal 15)
               ✓ ok       va-web02
               – not run  va-web03

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
    inventory   inventory.yaml
    outcome     ended (exit 3): importers-bored does not hold

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

fn of(steps: &[&str], hosts: &[&str]) -> Selection {
    Selection { steps: steps.iter().map(|step| StepId::new(*step)).collect(), hosts: sample::hosts(hosts) }
}

#[test]
fn one_action_is_told_alone_and_whole() {
    let telling = Telling::new(Styles::plain(), TimeZone::UTC, Some(100))
        .only(of(&["bounce/stop"], &["va-web02"]))
        .all_output(true);
    insta::assert_snapshot!(telling.shown(&Story::from_records(sample::failure().records())), @r#"
    bounce-webs: Bounce the webservers
    run         20261122T031500Z-1a2b3c4d
    started     2026-11-22 03:15:00 UTC
    operator    mark on dfw-admin01, from 10.0.0.5, known by SUDO_USER; login user root, login uid 1000
    reason      new release
    parameters  pause=3s
    hosts       va-web{01..04}
    plan        64879f7d6b96 from /srv/book/runbooks, by runbook 0.1.0
    inventory   inventory.yaml
    outcome     stopped (exit 1), can be resumed: bounce/start failed on va-web02
    told here   only bounce/stop on va-web02 (5 of 19 records)

    2026-11-22
    03:15:03    va-web02 bounce/stop: $ service apache2 stop
    03:15:05    va-web02 bounce/stop: exit 0 after 2.0s
                  | stopped
    03:15:05  ✓ va-web02 bounce/stop: ok (2.0s)

    ! stopped (exit 1), can be resumed: bounce/start failed on va-web02 (after 8.2s)
    "#);
}

#[test]
fn what_holds_is_told_with_a_glance_at_what_was_seen() {
    let mut tape = Tape::new();
    let mut opened = sample::opened("restart-jobs", "", true, Vec::new());
    opened.texts = vec![TextEntry { name: "restart-jobs.yaml".to_owned(), digest: Digest::of(b"text") }];
    opened.emergency = true;
    tape.event(Event::Opened(Box::new(opened)));
    let many: Vec<(i64, &str)> = (0..12).map(|pid| (pid, "bored")).collect();
    let judged =
        |seen| HostVerdict { observation: Some(sample::rows("dfw-jobs01", seen)), ..sample::holds("dfw-jobs01") };
    tape.judged(Moment::Start, vec![judged(&many)]);
    tape.later(1000).judged(Moment::Again, vec![judged(&many[..2])]);
    tape.later(1000).event(Event::Looked {
        at: None,
        probe: "health".to_owned(),
        observations: vec![sample::rows("va-web01", &many[..1])],
    });
    tape.event(Event::WarningShown {
        id: "slow".to_owned(),
        says: "It is slow.".to_owned(),
        observed: Vec::new(),
        typed: None,
    });
    tape.event(Event::WarningAcknowledged { id: "slow".to_owned(), how: AckHow::Emergency });
    insta::assert_snapshot!(shown(&tape), @r#"
    restart-jobs  EMERGENCY
    run         20261122T031500Z-1a2b3c4d
    started     2026-11-22 03:15:00 UTC
    operator    mark on dfw-admin01, from 10.0.0.5, known by SUDO_USER; login user root, login uid 1000
    reason      new release
    parameters  pause=3s
    plan        64879f7d6b96 from /srv/book/runbooks, by runbook 0.1.0
    inventory   inventory.yaml
    outcome     unfinished: it still runs, or its program died

    2026-11-22
    03:15:00  ✓ importers-bored: Every content importer is bored.
                  host        pid  state
                  dfw-jobs01    0  bored
                  dfw-jobs01    1  bored
                  dfw-jobs01    2  bored
                  dfw-jobs01    3  bored
                  dfw-jobs01    4  bored
                  dfw-jobs01    5  bored
                  dfw-jobs01    6  bored
                  dfw-jobs01    7  bored
                  … 4 more lines (--output)
    03:15:01  ✓ importers-bored: Every content importer is bored.
    03:15:02    looked: probe health on va-web01
    03:15:02  ! warning slow
                  It is slow.
    03:15:02    warning slow acknowledged by --emergency (mark)

    ? unfinished: it still runs, or its program died (after 2.0s)
    "#);
    let all =
        Telling::new(Styles::plain(), TimeZone::UTC, None).all_output(true).shown(&Story::from_records(tape.records()));
    assert!(!all.contains("more lines"), "{all}");
}

#[test]
fn a_stretch_that_was_killed_and_a_word_from_outside_are_told() {
    let mut tape = sample::doubt();
    let mut records = tape.records();
    // its program was killed: nobody wrote how it ended
    records.truncate(records.len() - 2);
    tape.later(1000);
    let resumed = sample::resumed().records().into_iter().find(|(_, event)| matches!(event, Event::Resumed(_)));
    records.push((tape.now, resumed.unwrap().1));
    records.push((tape.now, Event::Stopped { exit: 5, why: "stopped with 1 step in doubt".to_owned() }));
    let at = sample::at("restart", "va-web02");
    let settled =
        Event::Resolved { at, done: true, reason: "its log says so".to_owned(), operator: sample::operator() };
    records.push((tape.now, settled));
    records.push((tape.now, Event::Abandoned { reason: "enough".to_owned(), operator: sample::operator() }));
    let told = Telling::new(Styles::plain(), TimeZone::UTC, None).shown(&Story::from_records(records));
    let (_, rest) = told.split_once("va-web02 restart: $").unwrap();
    insta::assert_snapshot!(rest, @r#"
     service apache2 restart
    ? the record of this stretch has no end: its program was killed, or its machine died

    03:15:09    resumed by denise on laptop: finish what mark began
    03:15:09    stopped (exit 5): stopped with 1 step in doubt
    03:15:09  ! va-web02 restart: settled as done by mark: its log says so
    03:15:09  ! abandoned by mark: enough

      restart  ✓ ok           va-web01
               ! not checked  va-web02  it ended, and its checks were not finished
               – not run      va-web03

    – abandoned: enough (after 9.3s, in 2 stretches)
    "#);
}

#[test]
fn a_read_only_run_is_told_in_tables() {
    insta::assert_snapshot!(shown(&sample::read_only()), @r#"
    importer-status: What every content importer is doing
    run         20261122T031500Z-1a2b3c4d
    started     2026-11-22 03:15:00 UTC
    operator    mark on dfw-admin01, from 10.0.0.5, known by SUDO_USER; login user root, login uid 1000
    hosts       dfw-jobs{01,02} dfw-mail01
    plan        64879f7d6b96 from /srv/book/runbooks, by runbook 0.1.0
    inventory   inventory.yaml
    changes     nothing: it only looks
    outcome     ended (exit 1): importers failed on dfw-mail01

    2026-11-22
    03:15:00    importers: What the importers do: dfw-jobs{01,02} dfw-mail01
    03:15:00  ✗ dfw-mail01 importers: failed: unreachable: connection refused
    03:15:00    importers: what was seen
                  host          pid  state
                  dfw-jobs01   5663  bored
                  dfw-jobs01  25034  entries: exampleuser(42)
                  dfw-jobs02  no rows
                  dfw-mail01  unknown: unreachable: connection refused

      importers  ✓ ok      dfw-jobs{01,02}
                 ✗ failed  dfw-mail01  unreachable: connection refused

    ✗ ended (exit 1): importers failed on dfw-mail01 (after 0.9s)
    "#);
}

#[test]
fn locks_are_told() {
    insta::assert_snapshot!(shown(&sample::locks()), @r#"
    restart-webs: Restart the webservers
    run         20261122T031500Z-1a2b3c4d
    started     2026-11-22 03:15:00 UTC
    operator    mark on dfw-admin01, from 10.0.0.5, known by SUDO_USER; login user root, login uid 1000
    reason      new release
    parameters  pause=3s
    hosts       va-web{01..03}
    plan        64879f7d6b96 from /srv/book/runbooks, by runbook 0.1.0
    inventory   inventory.yaml
    outcome     stopped (exit 6), can be resumed: the lock of va-web01 is lost

    2026-11-22
    03:15:00  ! the lock of va-web01 is held by denise on dfw-admin02, restart-webs
                  (20261122T030000Z-00000001), since 2026-11-22 03:00:00Z; a command of it runs there;
                  waiting for it, 10m at most
    03:15:10    locked va-web{01,02}
    03:15:10  ! not locked yet: va-web03 (unreachable: timed out)
    03:15:20  ✗ the lock of va-web01 is lost: denise on dfw-admin02 broke it: mark is away
    03:15:20    unlocked va-web02

    ! stopped (exit 6), can be resumed: the lock of va-web01 is lost (after 20s)
    "#);
}

#[test]
fn a_broken_record_says_so_first_and_last() {
    let telling =
        Telling::new(Styles::plain(), TimeZone::UTC, None).broken(Some("broken at record 9: \x1b[2J".to_owned()));
    let told = telling.shown(&Story::from_records(sample::good_roll().records()));
    let alarm = "✗ THIS RECORD IS NOT WHOLE: broken at record 9: \\x1b[2J";
    assert_eq!((told.lines().next(), told.lines().last()), (Some(alarm), Some(alarm)));
}

#[test]
fn a_part_has_what_concerns_it_and_the_whole_has_all() {
    for tape in sample::all() {
        let records = tape.records();
        assert!(records.iter().all(|(_, event)| Selection::default().takes(event)));
        // what nobody took part in leaves the frame, which is never left out
        let nobody = of(&["no-such"], &["nowhere"]);
        let frame: Vec<&Event> = records.iter().map(|(_, event)| event).filter(|event| nobody.takes(event)).collect();
        assert!(matches!(frame[0], Event::Opened(_)), "{frame:?}");
        assert!(!frame.iter().any(|event| matches!(event, Event::StepStarted { .. } | Event::HostsLocked { .. })));
    }
    let one = of(&[], &["va-web02"]);
    let taken = |want: &dyn Fn(&Event) -> bool| {
        sample::good_roll().records().iter().filter(|(_, event)| one.takes(event) && want(event)).count()
    };
    assert_eq!(taken(&|event| matches!(event, Event::StepStarted { .. })), 1);
    assert_eq!(taken(&|event| matches!(event, Event::BatchStarted { .. })), 1);
    assert_eq!(taken(&|event| matches!(event, Event::PreconditionJudged { .. })), 0, "it was not looked at for it");
    assert_eq!(taken(&|event| matches!(event, Event::CheckJudged { at: None, .. })), 1, "it was among those checked");
}

#[test]
fn only_hosts_that_a_step_goes_to_are_named() {
    let mut opened = sample::opened("restart", "", true, vec![sample::step("a", "", "run", None, &["web02"])]);
    opened.hosts = sample::opened("x", "", true, vec![sample::step("a", "", "run", None, &["web01", "web02"])]).hosts;
    assert_eq!(opened.reached(), [&HostName::new("web02")]);
    let told = |opened: &Opened| {
        let records = [(sample::start(), Event::Opened(Box::new(opened.clone())))];
        Telling::new(Styles::plain(), TimeZone::UTC, None).shown(&Story::from_records(records))
    };
    assert!(told(&opened).contains("\nhosts       web02\n"), "the limit left one");
    opened.steps.clear();
    assert!(told(&opened).contains("\nhosts       web{01,02}\n"), "without a step it is about both");
}
