//! Without a terminal every question answers no, and says which flag would have answered it.

use crate::support::{Lab, Program, deed, deeds};

fn program(lab: &Lab, warnings: &str) -> Program {
    let text = format!("title: Act\nhosts: jobs\n{warnings}steps:\n  - id: act\n    run: {}\n", deed("act"));
    Program::on(lab).with_book(&[("act.yaml", &text)])
}

#[track_caller]
fn nothing_was_done(lab: &Lab, program: &Program) {
    assert_eq!(deeds(lab, "dfw-jobs01"), [""; 0]);
    assert_eq!(program.started(), [""; 0]);
}

#[test]
fn the_start_is_answered_by_yes() {
    let lab = Lab::acquire();
    let program = program(&lab, "");
    program.run(["run", "act"]).exits(4).says("--yes").says("Nothing was changed.");
    // what comes through a pipe is no person
    program.run_with_input(["run", "act"], "y\ny\n").exits(4);
    nothing_was_done(&lab, &program);
    program.run(["resume"]).exits(2).says("there is no unfinished run");
    program.run(["run", "act", "--yes"]).exits(0);
}

#[test]
fn a_read_only_runbook_asks_nothing() {
    let lab = Lab::acquire();
    lab.service("mariadb", &["up"]);
    let program = Program::on(&lab);
    program.run(["run", "importer-status"]).exits(0).says("bored");
    assert_eq!(program.events_named("asked").len(), 0);
}

#[test]
fn a_warning_is_answered_by_ack_and_not_by_yes() {
    let lab = Lab::acquire();
    let program = program(&lab, "warnings:\n  - { id: care, says: Take care., confirm: true }\n");
    program.run(["run", "act", "--yes"]).exits(4).says("Take care.").says("--ack care");
    nothing_was_done(&lab, &program);
    program.run(["run", "act", "--yes", "--ack", "cars"]).exits(2).says("did you mean `care`?");
    nothing_was_done(&lab, &program);
    program.run(["run", "act", "--yes", "--ack", "care"]).exits(0);
    assert_eq!(program.events_named("warning-acknowledged")[0]["how"], "flag");
}

#[test]
fn a_typed_warning_wants_its_text_exactly() {
    let lab = Lab::acquire();
    let program = program(&lab, "warnings:\n  - { id: care, says: Take care., type: I know }\n");
    program.run(["run", "act", "--yes"]).exits(4).says("run act --ack care='I know' --yes");
    program.run(["run", "act", "--yes", "--ack", "care"]).exits(4).says("I know");
    program.run(["run", "act", "--yes", "--ack", "care=i know"]).exits(4).says("I know");
    program.run(["run", "act", "--yes", "--emergency", "--reason", "x"]).exits(4).says("--ack");
    nothing_was_done(&lab, &program);
    program.run(["run", "act", "--yes", "--ack", "care=I know"]).exits(0);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act"]);
}

#[test]
fn an_emergency_acknowledges_what_is_only_to_be_confirmed() {
    let lab = Lab::acquire();
    let program = program(&lab, "warnings:\n  - { id: care, says: Take care., confirm: true }\n");
    program.run(["run", "act", "--yes", "--emergency", "--reason", "site down"]).exits(0).says("Take care.");
    assert_eq!(program.events_named("warning-acknowledged")[0]["how"], "emergency");
}

#[test]
fn a_warning_shows_only_where_its_probe_says_so() {
    let lab = Lab::acquire();
    let program = program(
        &lab,
        "warnings:\n  - id: loud\n    says: It is loud.\n    probe: { run: ls /root, hosts: dfw-jobs02 }\n    expect: '\"loud\" in stdout'\n    confirm: true\n",
    );
    lab.sh("dfw-jobs02", "touch /root/loud");
    program.run(["run", "act", "--yes"]).exits(4).says("It is loud.").says("--ack loud");
    nothing_was_done(&lab, &program);
    lab.sh("dfw-jobs02", "rm /root/loud");
    // a host that cannot be asked may be loud
    lab.fault("dfw-jobs02", &["kill"]);
    program.run(["run", "act", "--yes"]).exits(4).says("It is loud.");
    nothing_was_done(&lab, &program);
    lab.heal("dfw-jobs02");
    program.run(["run", "act", "--yes"]).exits(0).is_silent_about("It is loud.");
}
