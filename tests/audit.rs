//! `audit list` through the program, on this machine alone.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops where it does not go on")]

use std::fs;

use serde_json::Value;

mod support;

use support::{Program, Ran};

const GOOD: &str = "title: Good\nhosts: here\nsteps: [{ id: a, run: \"true\" }]\n";
const BAD: &str = "title: Bad\nhosts: here\nsteps: [{ id: a, run: exit 7 }]\n";
const LONG: &str = "title: Long\nhosts: here\nsteps: [{ id: a, run: sleep 5 }]\n";

fn program() -> Program {
    Program::new().with_book(&[("good.yaml", GOOD), ("bad.yaml", BAD), ("long.yaml", LONG)])
}

fn list(program: &Program, args: &[&str]) -> Vec<Value> {
    let ran = program.run([&["audit", "list", "--format", "json"], args].concat());
    ran.exits(0);
    serde_json::from_str(&ran.stdout).unwrap()
}

fn ids(program: &Program, args: &[&str]) -> Vec<String> {
    list(program, args).iter().map(|run| run["run"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn programs_that_start_at_once_are_all_listed() {
    let program = program();
    let started: Vec<_> = (0..8).map(|_| program.start(["run", "good", "--yes"])).collect();
    // a reader among them
    program.run(["audit", "list"]).exits(0);
    for child in started {
        Ran::of(child.wait_with_output().unwrap()).is_silent_about("panicked");
    }
    let listed = list(&program, &[]);
    assert_eq!(listed.len(), 8);
    fs::remove_file(program.state().join("index")).unwrap();
    assert_eq!(list(&program, &[]), listed);
}

#[test]
fn a_list_is_chosen_and_paged() {
    let program = program();
    for (name, code, more) in [
        ("good", 0, &["--reason", "New release"][..]),
        ("bad", 1, &["--as", "eve"]),
        ("good", 0, &[]),
        ("bad", 1, &["--reason", "again"]),
        ("good", 0, &["--as", "eve"]),
    ] {
        program.run([&["run", name, "--yes"], more].concat()).exits(code);
    }
    let all = ids(&program, &[]);
    assert_eq!(all.len(), 5);
    let chosen = |args: &[&str]| -> Vec<usize> {
        ids(&program, args).iter().map(|run| all.iter().position(|known| known == run).unwrap()).collect()
    };
    for (args, runs) in [
        (&["--runbook", "good"][..], &[0, 2, 4][..]),
        (&["--operator", "eve"], &[0, 3]),
        (&["--outcome", "failed"], &[1, 3]),
        (&["--outcome", "ok,in-doubt", "--operator", "tester"], &[2, 4]),
        (&["--outcome", "declined"], &[]),
        (&["--unfinished"], &[1, 3]),
        (&["--reason", "RELEASE"], &[4]),
        (&["--host", "he*"], &[0, 1, 2, 3, 4]),
        (&["--host", "nowhere,here"], &[0, 1, 2, 3, 4]),
        (&["--host", "he"], &[]),
        (&["--override"], &[]),
        (&["--since", "1h"], &[0, 1, 2, 3, 4]),
        (&["--until", "1h"], &[]),
        (&["--most", "2"], &[0, 1]),
        (&["--before", &all[1], "--runbook", "good"], &[2, 4]),
    ] {
        assert_eq!(chosen(args), runs, "{args:?}");
    }
    // each page names the next, until there is none
    let mut args: Vec<String> = ["audit", "list", "--most", "2", "--host", "here"].map(str::to_owned).to_vec();
    let mut seen = Vec::new();
    for left in [3, 1, 0] {
        let ran = program.run(&args);
        ran.exits(0);
        // a head and rows: what is said about them goes elsewhere
        let mut rows = ran.stdout.lines().map(|line| line.split('\t').next().unwrap());
        assert_eq!(rows.next(), Some("run"));
        seen.extend(rows.map(str::to_owned));
        let Some(line) = ran.stderr.lines().find(|line| line.contains("; the next: ")) else {
            assert_eq!(left, 0, "{}", ran.stderr);
            break;
        };
        assert!(line.starts_with(&format!("{left} more")), "{line}");
        let command = line.split_once(" audit list ").unwrap().1;
        args = ["audit", "list"].into_iter().chain(command.split(' ')).map(str::to_owned).collect();
    }
    assert_eq!(seen, all);
    program
        .run(["audit", "list", "--since", "2020-01-01", "--until", "2020-12-31"])
        .exits(0)
        .says("no run fits")
        .says("begun since 2020-01-01 00:00:00 UTC and before 2021-01-01 00:00:00 UTC");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let program = program();
    program.run(["run", "good", "--yes"]).exits(0);
    for (args, says) in [
        (&["--outcome", "faild"][..], "did you mean `failed`?"),
        (&["--since", "2026-11-22", "--until", "2026-11-20"], "`--since` is the earlier time"),
        (&["--since", "last week"], "or an age: `7d`, `12h`"),
        (&["--until", "2026-02-30"], "is no time"),
        (&["--host", "web[3:1]"], "a range is written"),
        (&["--before", "nonesuch"], "no run is called"),
        (&["--most", "0"], "most"),
        (&["--most", "3", "--all"], "--all"),
    ] {
        program.run([&["audit", "list"], args].concat()).exits(2).says(says);
    }
}

#[test]
fn what_becomes_of_a_run_is_listed_whoever_does_it() {
    let program = program();
    program.run(["run", "good", "--yes"]).exits(0);
    let first = program.newest_id();
    let mut child = program.start(["run", "long", "--yes"]);
    program.wait_until("a second run", || program.newest_or_none().is_some_and(|run| !run.ends_with(&first)));
    program.wait_for_journal("step-started");
    assert_eq!(list(&program, &["--runbook", "long"])[0]["kind"], "running");
    child.kill().unwrap();
    child.wait().unwrap();
    let died = &list(&program, &[])[0];
    assert_eq!((&died["kind"], &died["unfinished"]), (&"died".into(), &true.into()));
    let died = died["run"].as_str().unwrap().to_owned();
    program.run(["abandon", &died, "--reason", "enough"]).exits(0);
    assert_eq!(list(&program, &["--outcome", "abandoned"])[0]["why"], "enough");
    // other hands
    let runs = program.state().join("runs");
    fs::write(runs.join(&died).join("journal.jsonl"), "x\n").unwrap();
    let broken = &list(&program, &[])[0];
    assert!(broken["outcome"].as_str().unwrap().starts_with("unreadable: "), "{broken}");
    fs::rename(runs.join(&first), runs.join("20200101T000000Z-00000000")).unwrap();
    let listed = ids(&program, &["--outcome", "declined"]);
    assert_eq!(listed, [died.as_str(), "20200101T000000Z-00000000"], "what cannot be read is listed always");
    fs::remove_dir_all(runs.join(&died)).unwrap();
    assert_eq!(ids(&program, &[]), ["20200101T000000Z-00000000"]);
}
