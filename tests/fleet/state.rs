//! What cannot be written, and what was written over.

use std::process::Command;

use crate::support::{Lab, Program, Ran, Small, deeds};

const ACT: &str =
    "title: Act\nhosts: jobs\nsteps:\n  - id: act\n    run: echo act >> /root/deeds\n    rollout: { pause: 3s }\n";

#[test]
fn a_disk_that_fills_up_stops_the_run_before_the_next_action_and_resume_finishes_it() {
    let lab = Lab::acquire();
    // the journal takes a little more room than it needs: the next intent is larger than that
    let long = ACT.replace("echo act", &format!("true {}; echo act", "x".repeat(20_000)));
    let program = Program::on(&lab).with_book(&[("act.yaml", &long)]);
    let small = Small::mounted_at(&program.state());
    let child = program.start(["run", "act", "--yes"]);
    program.wait_for_journal("pause-started");
    small.fill();
    let ran = Ran::of(child.wait_with_output().unwrap());
    ran.exits(9).says("No space left").says("resume");
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act"]);
    assert_eq!(deeds(&lab, "dfw-jobs02"), [""; 0], "nothing is done that cannot be written down");
    small.make_room();
    program.run(["resume", "--yes"]).exits(0);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act"]);
    assert_eq!(deeds(&lab, "dfw-jobs02"), ["act"]);
    program.run(["audit", "verify"]).exits(0);
}

/// Both jobs hosts act side by side until `go` is on them; the next step's intent is larger than what is left of the
/// room that the journal took.
fn beside(lab: &Lab) -> Program {
    let text = format!(
        "title: Act\nhosts: jobs\nsteps:\n  - id: act\n    run: |\n      touch /root/running\n      \
         until test -e /root/go; do sleep 0.05; done\n      echo act >> /root/deeds\n    rollout: {{ batch: all }}\n  - \
         id: then\n    run: \"true {}; echo then >> /root/deeds\"\n",
        "x".repeat(150_000)
    );
    Program::on(lab).with_book(&[("act.yaml", &text)])
}

/// Starts it, and does something while both hosts act.
fn while_both_act(lab: &Lab, program: &Program, happens: impl FnOnce()) -> Ran {
    let child = program.start(["run", "act", "--yes"]);
    for host in ["dfw-jobs01", "dfw-jobs02"] {
        program.wait_until("both act", || lab.try_sh(host, "test -e /root/running").status.success());
    }
    happens();
    for host in ["dfw-jobs01", "dfw-jobs02"] {
        lab.sh(host, "touch /root/go");
    }
    Ran::of(child.wait_with_output().unwrap())
}

#[test]
fn a_disk_that_fills_up_while_two_hosts_act_keeps_both_outcomes() {
    let lab = Lab::acquire();
    let program = beside(&lab);
    let small = Small::mounted_at(&program.state());
    let ran = while_both_act(&lab, &program, || small.fill());
    ran.exits(9).says("no room in").says("make room").is_silent_about("in doubt");
    assert_eq!(program.events_named("step-acted").len(), 2);
    assert_eq!(program.events_named("step-ended").len(), 2);
    small.make_room();
    program.run(["resume", "--yes"]).exits(0);
    for host in ["dfw-jobs01", "dfw-jobs02"] {
        assert_eq!(deeds(&lab, host), ["act", "then"]);
    }
    program.run(["audit", "verify"]).exits(0);
}

#[test]
fn a_state_folder_that_is_removed_while_two_hosts_act_leaves_both_outcomes_on_the_screen() {
    let lab = Lab::acquire();
    let program = beside(&lab);
    let ran = while_both_act(&lab, &program, || std::fs::remove_dir_all(program.state()).unwrap());
    ran.exits(9).says("was removed during the run");
    for host in ["dfw-jobs01", "dfw-jobs02"] {
        ran.says(&format!("not recorded: act@{host}: exit 0"));
        assert_eq!(deeds(&lab, host), ["act"], "nothing more is sent");
    }
}

#[test]
fn a_file_system_that_is_unmounted_in_a_pause_stops_the_roll() {
    let lab = Lab::acquire();
    let program = Program::on(&lab).with_book(&[("act.yaml", ACT)]);
    let small = Small::mounted_at(&program.state());
    let child = program.start(["run", "act", "--yes"]);
    program.wait_for_journal("pause-started");
    small.unmount();
    Ran::of(child.wait_with_output().unwrap()).exits(9).says("its file system was unmounted").says("bring it back");
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act"]);
    assert_eq!(deeds(&lab, "dfw-jobs02"), [""; 0]);
}

#[test]
fn a_full_disk_refuses_a_run_from_the_start() {
    let lab = Lab::acquire();
    let program = Program::on(&lab).with_book(&[("act.yaml", ACT)]);
    let small = Small::mounted_at(&program.state());
    small.fill();
    program.run(["run", "act", "--yes"]).exits(9).says("No space left");
    assert_eq!(deeds(&lab, "dfw-jobs01"), [""; 0]);
}

#[test]
fn a_state_folder_that_cannot_be_written_refuses_a_run_from_the_start() {
    let lab = Lab::acquire();
    let program = Program::on(&lab).with_book(&[("act.yaml", ACT)]);
    // root may write anywhere but where a file is in the way, or the file system is read-only
    std::fs::write(program.state(), "in the way").unwrap();
    program.run(["run", "act", "--yes"]).exits(9).says("state");
    std::fs::remove_file(program.state()).unwrap();
    let _small = Small::mounted_at(&program.state());
    let done = Command::new("mount").args(["-o", "remount,ro"]).arg(program.state()).status().unwrap();
    assert!(done.success());
    program.run(["run", "act", "--yes"]).exits(9).says("Read-only");
    assert_eq!(deeds(&lab, "dfw-jobs01"), [""; 0]);
}

#[test]
fn a_journal_that_was_written_over_is_neither_resumed_nor_verified() {
    let lab = Lab::acquire();
    let program = Program::on(&lab).with_book(&[("act.yaml", &ACT.replace("echo act >> /root/deeds", "exit 3"))]);
    program.run(["run", "act", "--yes"]).exits(1);
    program.run(["audit", "verify"]).exits(0);
    let path = program.newest_run().join("journal.jsonl");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    program.run(["audit", "verify"]).exits(7).says("record");
    let id = program.newest_id();
    program.run(["resume", "--yes"]).exits(7).says("does not verify");
    program.run(["resume", &id, "--yes", "--retry"]).exits(7);
    program.run(["resolve", &id, "act@dfw-jobs01", "--outcome", "done", "--reason", "x"]).exits(7);
}
