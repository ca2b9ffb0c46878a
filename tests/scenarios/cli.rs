//! `runbook test` and `runbook check` as a person types them.

use serde_json::Value;

use crate::support::Program;

const RUNBOOK: &str = "title: T\nhosts: dfw-jobs01\nsteps:\n  - { id: act, run: do it }\n";
const WELL: &str = "answers: [{ to: act, gives: {} }]\nscenarios:\n  - name: well\n    expect: { outcomes: { act: ok } }\n  - name: badly\n    answers: [{ to: act, gives: { exit: 7 } }]\n    expect: { exit: 1 }\n";

fn program(scenarios: &str) -> Program {
    Program::new().with_book(&[("t.yaml", RUNBOOK), ("other.yaml", RUNBOOK), ("tests/t.yaml", scenarios)])
}

#[test]
fn the_books_own_scenarios_are_as_expected() {
    Program::new().run(["test"]).exits(0).says(", all as expected");
}

#[test]
fn a_line_a_file_and_a_summary() {
    let program = program(WELL);
    let ran = program.run(["test"]);
    ran.exits(0);
    assert_eq!(ran.stdout, "ok    t  2 scenarios\nno scenarios: other\n1 runbook, 2 scenarios, all as expected\n");
    assert!(ran.stderr.is_empty(), "{}", ran.stderr);
    assert!(!program.state().exists(), "nothing is left behind");
    program.run(["test", "--all"]).exits(1).says("1 runbook without scenarios");
    let one = program.run(["test", "t/badly", "-v"]);
    one.exits(0).says("1 runbook, 1 scenario").says("| 03:15:00 dfw-jobs01 act: exit 7");
    program.run(["test", "t", "t/badly"]).exits(0).says("1 runbook, 2 scenarios");
}

#[test]
fn differences_are_told_where_they_stand() {
    let program = program(&WELL.replace("outcomes: { act: ok }", "exit: 3"));
    let ran = program.run(["test"]);
    ran.exits(1).says("FAIL  t/well").says("tests/t.yaml:3:11").says("exit: expected 3, was 0");
    ran.says("1 runbook, 2 scenarios: 1 not as expected");
    let ran = program.run(["test", "--format", "json"]);
    ran.exits(1);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["as_expected"], false);
    let first = &document["scenarios"][0];
    assert_eq!((&first["scenario"], &first["as_expected"]), (&Value::from("well"), &Value::from(false)));
    assert_eq!(first["differences"][0]["expected"], "3");
    assert_eq!(document["without"][0], "other");
}

#[test]
fn answers_that_no_scenario_needs_are_told_once_all_are_played() {
    let program = program(&WELL.replacen("answers: [", "answers: [{ run: never, gives: {} }, ", 1));
    program.run(["test", "t/well"]).exits(0);
    let ran = program.run(["test"]);
    ran.exits(1).says("FAIL  t: the file's own answers").says("answer (run: never): no scenario is given it");
}

#[test]
fn what_is_not_there_is_said() {
    let program = program(WELL);
    program.run(["test", "othr"]).exits(2).says("did you mean `other`?");
    program.run(["test", "t/wel"]).exits(2).says("did you mean `t/well`?");
    program.run(["test", "other"]).exits(2).says("other has no scenarios");
    program.run(["test", "--record", "latest"]).exits(2).says("there are no runs");
}

#[test]
fn a_file_with_faults_is_refused_here_and_by_check() {
    let program = program(&WELL.replace("outcomes: { act: ok }", "outcomes: { atc: ok }"));
    for command in [&["test"][..], &["check"], &["check", "t"]] {
        program
            .run(command)
            .exits(2)
            .says("the runbook has no step `atc`")
            .says("did you mean `act`?")
            .says("t.yaml:4");
    }
    program.run(["check", "other"]).exits(0);
}

#[test]
fn a_run_on_this_machine_is_recorded() {
    let runbook = "title: L\nhosts: here\nparams: { key: { type: secret } }\nsteps:\n  - { id: a, run: 'echo $K >&2; echo one; echo two', env: { K: \"${{ params.key }}\" }, checks: [{ run: cat /etc/hostname, expect: exit == 0 }] }\n  - { id: b, run: exit 3 }\n";
    let program = Program::new().with_book(&[("l.yaml", runbook)]).env("KEY", "abcdefgh");
    program.run(["run", "l", "key=env:KEY", "--yes"]).exits(1);
    let recorded = program.run(["test", "--record", "latest"]);
    recorded.exits(0).says("key: made-up-key").is_silent_about("abcdefgh");
    assert!(recorded.stdout.contains("stdout: |\n"), "readable: {}", recorded.stdout);
    std::fs::create_dir_all(program.book().join("tests")).unwrap();
    std::fs::write(program.book().join("tests/l.yaml"), &recorded.stdout).unwrap();
    program.run(["test", "l"]).exits(0).says("1 runbook, 1 scenario, all as expected");
    program.run(["check", "l"]).exits(0);
}
