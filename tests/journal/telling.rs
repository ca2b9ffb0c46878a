//! `audit show`: a run told whole, a part of it, and a record that is broken.

use std::fs;

use serde_json::Value;

use crate::support::Program;

const BOOK: &str = "\
title: Much
hosts: here
preconditions:
  - id: quiet
    says: The machine is quiet.
    probe: { run: 'echo quiet as a mouse' }
    expect: \"'quiet' in stdout\"
steps:
  - id: first
    run: 'seq 1 20000; echo noise >&2'
  - id: around
    steps:
      - id: inner
        run: 'printf \"\\\\033[2Jpainted over\\\\n\"'
      - id: more
        run: echo inner more
  - id: last
    run: exit 3
";

fn told() -> Program {
    let program = Program::new().with_book(&[("much.yaml", BOOK)]);
    program.run(["run", "much", "--yes", "--reason", "new release"]).exits(1);
    program
}

#[test]
fn a_run_is_told_with_what_was_seen_and_how_each_step_went() {
    let program = told();
    let shown = program.run(["audit", "show"]);
    shown.exits(0).says("reason      new release").says("quiet as a mouse").says("around/inner: $ printf");
    shown.says("✗ here last: failed: exit 3").says("outcome     stopped (exit 1)").says("journal: intact");
    // what went well is told without what it wrote
    shown.is_silent_about("painted over\n").is_silent_about("noise\n");
}

#[test]
fn a_part_of_a_run_is_told_alone() {
    let program = told();
    let inner = program.run(["audit", "show", "--step", "around", "--output"]);
    inner.exits(0).says("around/inner: ok").says("around/more: ok").says("| \\x1b[2Jpainted over").says("only around");
    inner.is_silent_about("here first").is_silent_about("here last").is_silent_about("\x1b[2J");
    program.run(["audit", "show", "--step", "around/more"]).exits(0).is_silent_about("around/inner");
    let here = program.run(["audit", "show", "--host", "he*", "--step", "last"]);
    here.exits(0).says("here last: $ exit 3").is_silent_about("here first");

    let document: Value =
        serde_json::from_str(&program.run(["--format", "json", "audit", "show", "--step", "last"]).stdout).unwrap();
    let records = document["records"].as_array().unwrap();
    let text = document["records"].to_string();
    assert!(records.len() < program.events().len() && text.contains("\"last\"") && records[0]["seq"] == 1);
    assert!(!records[1..].iter().any(|record| record.to_string().contains("\"first\"")), "{text}");

    program.run(["audit", "show", "--step", "frist"]).exits(2).says("no step `frist`").says("did you mean `first`?");
    program.run(["audit", "show", "--step", "x"]).exits(2).says("it has: first, around");
    program.run(["audit", "show", "--host", "hree"]).exits(2).says("no host `hree`").says("did you mean `here`?");
    program.run(["audit", "show", "--host", "va-*"]).exits(2).says("it has: here");
}

#[test]
fn a_large_output_is_told_whole_and_a_lost_one_is_missed() {
    let program = told();
    let whole = program.run(["audit", "show", "--step", "first", "--output"]);
    whole.exits(0).says("| 10000\n").says("| noise\n").says("kept as");
    let text = program.run(["--format", "json", "audit", "show", "--step", "first", "--output"]).stdout;
    assert!(text.contains("\\n10000\\n"), "the JSON has all of it, too");
    program.run(["audit", "show", "--step", "first"]).exits(0).is_silent_about("10000");

    let outputs = program.newest_run().join("outputs");
    for output in fs::read_dir(outputs).unwrap() {
        fs::remove_file(output.unwrap().path()).unwrap();
    }
    let lost = program.run(["audit", "show", "--output"]);
    lost.exits(7)
        .says("an output is told without its middle: outputs/")
        .says("THIS RECORD IS NOT WHOLE")
        .says("| 20000\n");
}

#[test]
fn a_broken_record_is_told_up_to_where_it_breaks_loudly() {
    let program = told();
    let journal = program.newest_run().join("journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    let line = text.lines().position(|line| line.contains("around/more") && line.contains("step-acted")).unwrap();
    let changed: Vec<String> = text
        .lines()
        .enumerate()
        .map(|(at, text)| if at == line { text.replacen("inner more", "inner less", 1) } else { text.to_owned() })
        .collect();
    fs::write(&journal, changed.join("\n") + "\n").unwrap();
    let shown = program.run(["audit", "show"]);
    let alarm = format!("THIS RECORD IS NOT WHOLE: broken at record {}", line + 1);
    shown.exits(7).says(&format!("what is told here ends with record {line}"));
    assert!(shown.stdout.lines().next().unwrap().contains(&alarm), "{}", shown.stdout);
    assert_eq!(shown.stdout.matches(&alarm).count(), 2, "at the end again: {}", shown.stdout);
    shown.says("around/more: $ echo inner more").is_silent_about("here last");
}
