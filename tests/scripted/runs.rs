//! The runs that are disturbed: the book's own, and one for each thing that a runbook can do.
//!
//! Their actions say `do …` and take three seconds each, so that a disturbance finds them running.

use std::time::Duration;

use runbook::engine::Ending;
use runbook::transport::Scripted;
use runbook::transport::scripted::Answer;

use crate::case::Case;
use crate::person::{nobody, skipping, undoing};

const SECONDS: Duration = Duration::from_secs(3);

fn exit(status: i32) -> Answer {
    Answer::exit(status).after(SECONDS)
}

fn says(text: &str) -> Answer {
    exit(0).stdout(text)
}

/// Every action is well.
fn well() -> Scripted {
    Scripted::new().everywhere("do ", exit(0))
}

macro_rules! disturbed {
    ($($name:ident: $case:expr;)*) => { $(
        mod $name {
            use super::*;

            #[test]
            fn survives_crashes() {
                println!("{} crashes", $case.survives_crashes());
            }

            #[test]
            fn survives_harm() {
                if $case.ending == Ending::Done {
                    println!("{} harms", $case.survives_harm());
                }
            }
        }
    )* };
}

disturbed! {
    roll: Case::new(
        r"
title: T
hosts: all
steps:
  - { id: act, run: do act }
  - { id: then, run: do then, rollout: { batch: all } }
",
        well,
    );

    the_books_restart_jobs: Case::of_the_book("restart-jobs", || {
        let bored = "  812 Ss content-importer [bored]\n";
        Scripted::new()
            .everywhere("pid=", Answer::exit(0).stdout(bored))
            .everywhere("awk", Answer::exit(0).stdout("idle 3 3\n"))
            .everywhere("restart-workers", exit(0))
            .everywhere("mysql", Answer::exit(0).stdout("7\tEntries\tlj_entries-42\tas the titles say\t11.9\n"))
            .on_after("dfw-jobs01", "restart", "awk", [
                Answer::exit(0).stdout("idle 3 0\n"),
                Answer::exit(0).stdout("idle 3 2\n"),
                Answer::exit(0).stdout("idle 3 3\n"),
            ])
    });

    the_books_restart_webs: Case::of_the_book("restart-webs", || {
        Scripted::new()
            .everywhere("/admin/healthy", Answer::http(200, "status=ok"))
            .everywhere("bounce", exit(0))
            .on_after("va-web03", "restart", "/admin/healthy", [
                Answer::no_reply(runbook::vocab::observation::NoReply::Refused),
                Answer::http(200, "status=bad"),
                Answer::http(200, "status=ok"),
            ])
    });

    preconditions_with_an_override_before_each_batch: Case::new(
        r"
title: T
hosts: all
probes:
  load:
    run: look load
    parse: { rows: '^(?<name>\w+) (?<load>\d+)$', types: { load: integer } }
preconditions:
  - { id: quiet, says: It is quiet., probe: load, every: load < 5, recheck: batch, override: allowed }
  - { id: there, says: It is there., probe: load, expect: rows | length == 2, recheck: batch }
steps:
  - id: act
    run: do act
    preconditions: [{ id: calm, says: It is calm., probe: load, every: load < 90, override: allowed }]
",
        || well().everywhere("look load", Answer::exit(0).stdout("a 3\nb 7\n")).on(
            "b",
            "look load",
            Answer::exit(0).stdout("a 95\nb 95\n"),
        ),
    )
    .with(|options| {
        options.overrides = vec!["quiet".to_owned(), "calm".to_owned()];
        options.reason = Some("failover".to_owned());
    });

    warnings_that_are_acknowledged: Case::new(
        r"
title: T
hosts: ab
warnings:
  - { id: told, says: It hurts. }
  - { id: flagged, says: It hurts., confirm: true }
  - { id: asked, says: It hurts., confirm: true }
  - { id: typed, says: It hurts., type: it hurts }
  - { id: seen, says: It hurts., run: look load, expect: '\'hot\' in stdout', confirm: true }
steps:
  - { id: act, run: do act }
"
        .replace("\\'", "''")
        .as_str(),
        || well().everywhere("look load", Answer::exit(0).stdout("hot")),
    )
    .with(|options| {
        options.yes = false;
        options.acks = vec![("flagged".to_owned(), None)];
    });

    canary_batches_and_pause: Case::new(
        r"
title: T
hosts: all
steps:
  - { id: act, run: do act, rollout: { canary: 1, batch: 2, pause: 90s } }
",
        well,
    );

    a_floor_of_healthy_hosts: Case::new(
        r"
title: T
hosts: all
steps:
  - id: act
    run: do act
    rollout: { min_healthy: { count: 2, run: look health, expect: exit == 0 } }
    checks: [{ run: look health, expect: exit == 0, within: 1m }]
",
        || well().everywhere("look health", Answer::exit(0)).on_after("b", "act", "look health", [
            Answer::exit(1),
            Answer::exit(1),
            Answer::exit(0),
        ]),
    );

    a_failure_within_the_budget: Case::new(
        r"
title: T
hosts: all
steps:
  - id: act
    run: do act
    rollout: { max_failures: 1 }
    on_failure: { collect: [{ run: look log }, { run: look again }] }
  - { id: then, run: do then, hosts: a }
",
        || well().on("b", "do act", exit(1)).everywhere("look ", Answer::exit(0).stdout("evidence")),
    )
    .asking(nobody)
    .ends(Ending::Failed, None);

    a_failure_beyond_the_budget: Case::new(
        r"
title: T
hosts: all
steps:
  - { id: act, run: do act, on_failure: { then: stop } }
  - { id: then, run: do then, hosts: a }
",
        || well().on("b", "do act", exit(1)),
    )
    .asking(nobody)
    .ends(Ending::Failed, Some(Ending::Declined));

    a_failure_that_the_roll_continues_behind: Case::new(
        r"
title: T
hosts: all
steps:
  - { id: act, run: do act, on_failure: { then: continue } }
  - { id: then, run: do then, rollout: { batch: all } }
",
        || well().on("b", "do act", exit(1)),
    )
    .asking(nobody)
    .ends(Ending::Failed, None);

    retries: Case::new(
        r"
title: T
hosts: ab
steps:
  - { id: act, run: do act, retry: { attempts: 3, delay: 0s } }
  - { id: then, run: do then, retry: { attempts: 3, delay: 40s }, rollout: { batch: all } }
",
        || well()
            .everywhere("do act", [exit(1), exit(1), exit(0)])
            .everywhere("do then", [exit(1), exit(0)]),
    );

    retries_that_do_not_help: Case::new(
        r"
title: T
hosts: ab
steps:
  - { id: act, run: do act, retry: { attempts: 3, delay: 5s }, rollout: { max_failures: 1 } }
  - { id: then, run: do then, hosts: b }
",
        || well().on("a", "do act", exit(1)),
    )
    .asking(nobody)
    .ends(Ending::Failed, None);

    captures_on_other_hosts: Case::new(
        r#"
title: T
hosts: ab
steps:
  - { id: act, run: do act, capture: { word: stdout | trim, long: stdout | length }, rollout: { batch: all } }
  - { id: look, probe: { run: look, parse: { pairs: true } }, expect: value.x == "1", capture: { x: value.x } }
  - id: then
    run: do then ${{ steps.act.captured.word }} ${{ steps.act.on["a"].captured.word }} ${{ steps.look.captured.x }}
"#,
        || well()
            .on("a", "do act", says("one\n"))
            .on("b", "do act", says("another\n"))
            .everywhere("look", Answer::exit(0).stdout("x 1\n")),
    );

    a_block: Case::new(
        r"
title: T
hosts: all
steps:
  - id: bounce
    rollout: { batch: 2, pause: 10s }
    steps:
      - { id: stop, run: do stop, capture: { pid: stdout | trim } }
      - { id: rest, wait: 5s }
      - { id: closed, probe: { run: look closed }, expect: exit == 0, within: 30s }
      - { id: start, run: 'do start ${{ steps.stop.captured.pid }}', checks: [{ run: look open, expect: exit == 0, within: 1m }] }
",
        || well()
            .everywhere("do stop", says("812\n"))
            .everywhere("look ", [Answer::exit(0)])
            .on_after("b", "bounce/start", "look open", [Answer::exit(1), Answer::exit(0)]),
    );

    what_a_person_does: Case::new(
        r"
title: T
hosts: ab
steps:
  - { id: act, run: do act }
  - { id: look, manual: Look at it. }
  - { id: each, manual: 'Look at ${{ host.name }}.', hosts: ab }
  - { id: then, run: do then }
",
        well,
    );

    waits: Case::new(
        r"
title: T
hosts: a
steps:
  - { id: act, run: do act }
  - { id: rest, wait: 90s }
  - { id: then, run: do then }
",
        well,
    );

    requests: Case::new(
        r#"
title: T
hosts: ab
steps:
  - { id: act, run: do act }
  - { id: drain, http: { url: "http://${{ host.address }}/drain", body: now, status: [204] } }
  - { id: then, run: do then }
"#,
        || well().everywhere("/drain", Answer::http(204, "").after(SECONDS)),
    );

    files_and_scripts: Case::of_files(
        &[
            (
                "t.yaml",
                r#"
title: T
hosts: ab
steps:
  - { id: put, copy: { src: note.txt, dest: /etc/note, mode: 0644 }, rollout: { batch: all } }
  - { id: act, script: { file: mark.sh, args: [one, "${{ host.name }}"] } }
"#,
            ),
            ("note.txt", "a note\n"),
            ("mark.sh", "#!/bin/sh\necho \"$1\"\n"),
        ],
        || Scripted::new().everywhere("put", exit(0)).everywhere("act", exit(0)),
    );

    an_undo_that_is_chosen: Case::new(
        r"
title: T
hosts: ab
steps:
  - { id: act, run: do act, undo: { run: do undo } }
  - { id: then, run: do then }
",
        || well().on("a", "do act", [exit(1), exit(0)]).everywhere("do undo", exit(0)),
    )
    .asking(undoing);

    a_host_that_is_taken_out: Case::new(
        r"
title: T
hosts: all
steps:
  - { id: act, run: do act, rollout: { batch: 2 } }
  - { id: then, run: do then }
",
        || well().on("b", "do act", exit(3)),
    )
    .asking(skipping);

    what_is_so_already: Case::new(
        r#"
title: T
hosts: all
steps:
  - id: act
    run: do act
    skip_if: { run: look already, exits: [0, 1], expect: exit == 0, says: It is so. }
  - { id: only, run: do only, if: host.name != "b", rollout: { batch: all } }
"#,
        || well()
            .everywhere("look already", Answer::exit(1))
            .on("b", "look already", Answer::exit(0))
            .on_after("a", "act", "look already", Answer::exit(0)),
    );

    an_included_runbook: Case::of_files(
        &[
            (
                "t.yaml",
                r"
title: T
hosts: a
steps:
  - { id: act, run: do act }
  - { id: other, runbook: { name: inner, with: { word: told } } }
  - { id: then, run: do then }
",
            ),
            (
                "inner.yaml",
                r"
title: Inner
hosts: [b, c]
params: { word: {} }
preconditions: [{ id: fine, says: It is fine., run: look fine, expect: exit == 0, recheck: batch }]
warnings: [{ id: heed, says: Heed., confirm: true }]
steps:
  - { id: first, run: 'do ${{ params.word }}', capture: { said: stdout | trim } }
  - { id: second, run: 'do second ${{ steps.first.captured.said }}', rollout: { batch: all } }
",
            ),
        ],
        || well().everywhere("do told", says("heard\n")).everywhere("look fine", Answer::exit(0)),
    );

    checks_that_compare_and_poll: Case::new(
        r"
title: T
hosts: all
steps:
  - id: act
    run: do act
    rollout: { batch: 2 }
    checks:
      - { says: More than before., run: look count, parse: { pairs: true, types: { count: integer } }, expect: value.count > before.value.count, within: 1m }
checks:
  - { says: All have it., run: look count, parse: { pairs: true, types: { count: integer } }, expect: value.count >= 1 }
",
        || {
            let count = |n: u8| Answer::exit(0).stdout(format!("count {n}\n"));
            ["a", "b", "c"].iter().fold(well().everywhere("look count", count(0)), |fleet, host| {
                fleet.on_after(host, "act", "look count", [count(0), count(0), count(1)])
            })
        },
    );

    doubt_that_settle_decides: Case::new(
        r"
title: T
hosts: ab
steps:
  - { id: act, run: do act, settle: { run: look done, exits: [0, 1], expect: exit == 0 } }
  - { id: then, run: do then }
",
        || well()
            .everywhere("look done", Answer::exit(1))
            .on_after("a", "act", "look done", Answer::exit(0))
            .on_after("b", "act", "look done", Answer::exit(0))
            .on("a", "do act", Answer::lost("the cable")),
    );

    doubt_that_a_person_decides: Case::new(
        r"
title: T
hosts: ab
steps:
  - { id: act, run: do act, settle: { run: look done, expect: exit == 0 } }
  - { id: then, run: do then, rollout: { batch: all } }
",
        || well().everywhere("look done", Answer::exit(7)).everywhere("do act", Answer::lost("the cable").after(SECONDS)),
    );

    another_user_and_here: Case::new(
        r"
title: T
hosts: ab
sudo: deploy
steps:
  - { id: act, run: do act, sudo: true }
  - { id: tell, run: do tell, once: true, sudo: false }
  - { id: then, run: do then, hosts: 'here:b', rollout: { batch: all } }
",
        well,
    );

    output_that_is_large: Case::new(
        r"
title: T
hosts: ab
steps:
  - { id: act, run: do act, capture: { length: stdout | length } }
  - { id: then, run: 'do then ${{ steps.act.captured.length }}' }
",
        || well().everywhere("do act", says(&"word ".repeat(40_000))),
    );
}

#[test]
fn a_crash_of_the_resume_behind_a_crash_does_not_show() {
    let text = r"
title: T
hosts: a
steps:
  - { id: act, run: do act, capture: { word: stdout | trim }, checks: [{ run: look, expect: exit == 0 }] }
  - { id: then, run: 'do then ${{ steps.act.captured.word }}', retry: { attempts: 2 } }
";
    let script = || {
        let fleet = well().everywhere("do act", says("word\n")).everywhere("look", Answer::exit(0));
        fleet.everywhere("do then", [exit(1), exit(0)])
    };
    println!("{} pairs of crashes", Case::new(text, script).survives_crashes_of_the_resume());
}
