//! What a run survives: signals, the death of the program, and what is in doubt afterwards.

use std::process::Child;

use crate::support::{Lab, Program, Ran, deed, deeds, signal};

/// `act` on both jobs hosts: what it does, and what else is said of the step.
fn book(act: &str, more: &str) -> String {
    let act = act.replace('\n', "\n      ");
    format!("title: Act\nhosts: jobs\nsteps:\n  - id: act\n    run: |\n      {act}\n{more}")
}

fn program(lab: &Lab, act: &str, more: &str) -> Program {
    Program::on(lab).with_book(&[("act.yaml", &book(act, more))])
}

fn ended(child: Child) -> Ran {
    Ran::of(child.wait_with_output().unwrap())
}

/// Whether a `sleep` of this length runs on a host.
fn sleeps(lab: &Lab, host: &str, seconds: u32) -> bool {
    lab.processes(host).iter().any(|line| line.contains(&format!("sleep {seconds}")))
}

#[track_caller]
fn started_are(program: &Program, hosts: &[&str]) {
    let wanted: Vec<String> = hosts.iter().map(|host| format!("act@{host}")).collect();
    assert_eq!(program.started(), wanted);
}

/// A signal while the roll pauses between two hosts.
fn in_a_pause(name: &str) {
    let lab = Lab::acquire();
    let program = program(&lab, &deed("act"), "    rollout: { pause: 2s }\n");
    let child = program.start(["run", "act", "--yes"]);
    program.wait_for_journal("pause-started");
    signal(&child, name);
    let ran = ended(child);
    ran.exits(130).says(&format!("resume {}", program.newest_id()));
    started_are(&program, &["dfw-jobs01"]);
    assert!(program.journal().contains(&format!("SIG{name}")), "the journal says what it was");
    program.run(["resume", "--yes"]).exits(0);
    started_are(&program, &["dfw-jobs01", "dfw-jobs02"]);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act"], "not done twice");
    assert_eq!(deeds(&lab, "dfw-jobs02"), ["act"]);
}

#[test]
fn sigint_in_a_pause_stops_the_roll_and_resume_goes_on_with_the_next_host() {
    in_a_pause("INT");
}

#[test]
fn sigterm_in_a_pause_stops_the_roll_and_resume_goes_on_with_the_next_host() {
    in_a_pause("TERM");
}

#[test]
fn sighup_in_a_pause_stops_the_roll_and_resume_goes_on_with_the_next_host() {
    in_a_pause("HUP");
}

/// A first signal while a command runs.
fn in_a_command(name: &str, more: u32) {
    let lab = Lab::acquire();
    let program = program(&lab, &format!("sleep 2\n{}", deed("act")), "");
    let child = program.start(["run", "act", "--yes"]);
    program.wait_until("the command runs", || sleeps(&lab, "dfw-jobs01", 2));
    for _ in 0..=more {
        signal(&child, name);
    }
    ended(child).exits(130).says("resume");
    started_are(&program, &["dfw-jobs01"]);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act"], "the running command was let finish");
    program.run(["resume", "--yes"]).exits(0);
    started_are(&program, &["dfw-jobs01", "dfw-jobs02"]);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act"]);
    assert_eq!(deeds(&lab, "dfw-jobs02"), ["act"]);
}

#[test]
fn the_first_signal_lets_the_running_command_finish() {
    in_a_command("INT", 0);
}

#[test]
fn a_terminal_that_vanishes_never_stops_a_running_command() {
    in_a_command("HUP", 2);
}

/// A second signal while a command runs.
fn twice(name: &str) {
    let lab = Lab::acquire();
    let program = program(&lab, &format!("sleep 300\n{}", deed("act")), "");
    let child = program.start(["run", "act", "--yes"]);
    program.wait_until("the command runs", || sleeps(&lab, "dfw-jobs01", 300));
    signal(&child, name);
    program.wait_for_journal("\"interrupted\"");
    signal(&child, name);
    ended(child).exits(130).says("resume");
    assert!(!sleeps(&lab, "dfw-jobs01", 300), "the process is gone");
    assert_eq!(program.events_named("step-acted")[0]["end"], "cancelled");
    started_are(&program, &["dfw-jobs01"]);
    assert_eq!(deeds(&lab, "dfw-jobs01"), [""; 0]);
    // what was stopped half-way is not begun again unasked
    program.run(["resume", "--yes"]).exits(4).says("act@dfw-jobs01").says("--retry");
    started_are(&program, &["dfw-jobs01"]);
}

#[test]
fn a_second_sigint_stops_the_command_on_the_host() {
    twice("INT");
}

#[test]
fn a_second_sigterm_stops_the_command_on_the_host() {
    twice("TERM");
}

/// A check that the deed is done.
const CHECKED: &str = "    checks:\n      - says: It is done.\n        run: cat /root/deeds\n        expect: stdout is containing(\"act\")\n";

/// The program is killed while the command runs on dfw-jobs01; gives the run's id.
fn killed(lab: &Lab, program: &Program) -> String {
    let mut child = program.start(["run", "act", "--yes"]);
    program.wait_until("the command runs", || sleeps(lab, "dfw-jobs01", 2));
    signal(&child, "KILL");
    child.wait().unwrap();
    program.newest_id()
}

/// The same, and its host is booted before the command ends: nobody can say how it ended.
fn killed_and_booted(lab: &Lab, program: &Program) -> String {
    let id = killed(lab, program);
    lab.fault("dfw-jobs01", &["reboot"]);
    id
}

/// A program whose command takes a while the first time on dfw-jobs01, behind its line.
fn slow(lab: &Lab, more: &str) -> Program {
    let wait = "test $(hostname) != dfw-jobs01 || test $(wc -l </root/deeds) -gt 1 || sleep 2";
    program(lab, &format!("{}\n{wait}\necho said", deed("act")), &format!("{CHECKED}{more}"))
}

#[test]
fn a_command_that_ended_after_the_program_is_taken_as_it_ended() {
    let lab = Lab::acquire();
    let program = slow(&lab, "");
    killed(&lab, &program);
    program.wait_until("the command ended", || !sleeps(&lab, "dfw-jobs01", 2));
    program.run(["resume", "--yes"]).exits(0).says("the host was asked: it ended");
    started_are(&program, &["dfw-jobs01", "dfw-jobs02"]);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act"]);
    let acted = program.events_named("step-acted");
    assert_eq!((acted.len(), &acted[0]["stdout"]["text"]), (2, &"said\n".into()), "what it wrote is there");
    assert_eq!(program.events_named("check-judged").len(), 2, "one on each host");
    let left = lab.sh("dfw-jobs01", "find /root/.local/state/runbook -type f || true");
    assert_eq!(left, "", "a run that ended well leaves nothing");
}

#[test]
fn a_command_that_still_runs_is_waited_for() {
    let lab = Lab::acquire();
    let program = slow(&lab, "    repeatable: true\n");
    killed(&lab, &program);
    assert!(sleeps(&lab, "dfw-jobs01", 2), "it outlives the program");
    program.run(["resume", "--yes"]).exits(0);
    started_are(&program, &["dfw-jobs01", "dfw-jobs02"]);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act"], "repeatable, and yet not beside itself");
}

#[test]
fn the_second_interrupt_stops_a_command_that_a_resume_found_running() {
    let lab = Lab::acquire();
    let program = program(&lab, &format!("{}\nsleep 31", deed("act")), "");
    let mut child = program.start(["run", "act", "--yes"]);
    program.wait_until("the command runs", || sleeps(&lab, "dfw-jobs01", 31));
    signal(&child, "KILL");
    child.wait().unwrap();
    let child = program.start(["resume", "--yes"]);
    program.wait_for_journal("\"found\":\"running\"");
    signal(&child, "INT");
    program.wait_for_journal("interrupted");
    signal(&child, "INT");
    ended(child).exits(130);
    assert!(!sleeps(&lab, "dfw-jobs01", 31));
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act"]);
}

#[test]
fn a_step_whose_host_was_booted_in_the_middle_is_in_doubt_until_a_person_says_it_is_done() {
    let lab = Lab::acquire();
    let program = slow(&lab, "");
    let id = killed_and_booted(&lab, &program);
    program
        .run(["resume", "--yes"])
        .exits(5)
        .says("act@dfw-jobs01 is in doubt")
        .says("booted in the middle")
        .says(&format!("resolve {id} act@dfw-jobs01 --outcome done"));
    started_are(&program, &["dfw-jobs01"]);
    program
        .run(["resolve", &id, "act@dfw-jobs02", "--outcome", "done", "--reason", "x"])
        .exits(2)
        .says("act@dfw-jobs01");
    program.run(["resolve", &id, "act@dfw-jobs01", "--outcome", "done", "--reason", "the file says so"]).exits(0);
    program.run(["resume", "--yes"]).exits(0);
    started_are(&program, &["dfw-jobs01", "dfw-jobs02"]);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act"], "only its checks were repeated");
    let checked = program.events_named("check-judged");
    assert_eq!(checked.len(), 2, "one on each host");
    assert!(program.journal().contains("the file says so"));
}

#[test]
fn a_step_that_a_person_says_is_not_done_runs_again_once_the_first_try_is_over() {
    let lab = Lab::acquire();
    let program = slow(&lab, "");
    let id = killed(&lab, &program);
    // said while it still runs: the host knows better, and is asked before anything is sent again
    program.run(["resolve", &id, "act@dfw-jobs01", "--outcome", "not-done", "--reason", "looked"]).exits(0);
    program.run(["resume", "--yes"]).exits(0);
    started_are(&program, &["dfw-jobs01", "dfw-jobs01", "dfw-jobs02"]);
    assert_eq!(deeds(&lab, "dfw-jobs02"), ["act"]);
    let kinds: Vec<String> = program.events().into_iter().map(|(kind, _)| kind).collect();
    let place = |name: &str| kinds.iter().rposition(|kind| kind == name).unwrap();
    assert!(kinds.iter().position(|kind| kind == "receipt-read").unwrap() < place("step-started"), "{kinds:?}");
}

#[test]
fn a_repeatable_step_in_doubt_runs_again_by_itself() {
    let lab = Lab::acquire();
    let program = slow(&lab, "    repeatable: true\n");
    killed_and_booted(&lab, &program);
    program.run(["resume", "--yes"]).exits(0);
    started_are(&program, &["dfw-jobs01", "dfw-jobs01", "dfw-jobs02"]);
    assert_eq!(deeds(&lab, "dfw-jobs02"), ["act"]);
}

#[test]
fn a_step_in_doubt_whose_host_cannot_be_asked_is_not_run_again() {
    let lab = Lab::acquire();
    let program = slow(&lab, "    repeatable: true\n");
    killed(&lab, &program);
    lab.fault("dfw-jobs01", &["kill"]);
    program.run(["resume", "--yes"]).exits(5).says("could not be asked").says("unreachable");
    started_are(&program, &["dfw-jobs01"]);
}

/// A step in doubt that `settle` decides.
fn settled(expect: &str, exit: i32, hosts: &[&str]) {
    let lab = Lab::acquire();
    let settle = format!("    settle: {{ run: cat /root/deeds, expect: {expect}, says: The deed is there. }}\n");
    let program = slow(&lab, &settle);
    killed_and_booted(&lab, &program);
    program.run(["resume", "--yes"]).exits(exit);
    started_are(&program, hosts);
}

#[test]
fn settle_that_holds_means_done_and_only_the_checks_are_repeated() {
    settled("exit == 0", 0, &["dfw-jobs01", "dfw-jobs02"]);
}

#[test]
fn settle_that_fails_means_not_done_and_the_step_runs_again() {
    settled("exit == 1", 0, &["dfw-jobs01", "dfw-jobs01", "dfw-jobs02"]);
}

#[test]
fn settle_that_cannot_tell_leaves_the_step_in_doubt() {
    // what was written is no number: neither true nor false
    settled("stdout | int == 1", 5, &["dfw-jobs01"]);
}

#[test]
fn a_program_killed_while_it_looked_repeats_the_checks_and_not_the_action() {
    let lab = Lab::acquire();
    let check = "    checks:\n      - says: It was let go on.\n        run: ls /root/go-on || true\n        expect: stdout is containing(\"go-on\")\n        within: 60s\n";
    let program = program(&lab, &deed("act"), check);
    let mut child = program.start(["run", "act", "--yes"]);
    program.wait_for_journal("step-acted");
    signal(&child, "KILL");
    child.wait().unwrap();
    for host in ["dfw-jobs01", "dfw-jobs02"] {
        lab.sh(host, "touch /root/go-on");
    }
    program.run(["resume", "--yes"]).exits(0);
    started_are(&program, &["dfw-jobs01", "dfw-jobs02"]);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act"]);
    assert_eq!(deeds(&lab, "dfw-jobs02"), ["act"]);
}

#[test]
fn an_interrupt_while_it_looks_leaves_the_checks_to_the_resume() {
    let lab = Lab::acquire();
    let check = "    checks:\n      - says: It was let go on.\n        run: ls /root/go-on || true\n        expect: stdout is containing(\"go-on\")\n        within: 60s\n";
    let program = program(&lab, &deed("act"), check);
    let child = program.start(["run", "act", "--yes"]);
    program.wait_for_journal("step-acted");
    signal(&child, "INT");
    ended(child).exits(130).says("resume");
    assert_eq!(program.events_named("step-ended").len(), 0, "nothing was decided");
    for host in ["dfw-jobs01", "dfw-jobs02"] {
        lab.sh(host, "touch /root/go-on");
    }
    program.run(["resume", "--yes"]).exits(0);
    started_are(&program, &["dfw-jobs01", "dfw-jobs02"]);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act"]);
}

#[test]
fn a_wait_that_was_interrupted_is_waited_again_by_itself() {
    let lab = Lab::acquire();
    let text = format!(
        "title: Act\nhosts: jobs\nsteps:\n  - id: act\n    wait: 2s\n  - id: then\n    run: {}\n",
        deed("then")
    );
    let program = Program::on(&lab).with_book(&[("act.yaml", &text)]);
    let child = program.start(["run", "act", "--yes"]);
    program.wait_for_journal("step-started");
    signal(&child, "INT");
    ended(child).exits(130).says("resume");
    program.run(["resume", "--yes"]).exits(0);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["then"]);
    assert_eq!(deeds(&lab, "dfw-jobs02"), ["then"]);
}
