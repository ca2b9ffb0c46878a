//! What a host says, or does not say, of an action is not believed where it could be wrong: homes that change, receipts
//! that vanish, groups of other users, disks that the command itself filled.

use crate::support::{Lab, Program, deed, deeds, signal};

const HOST: &str = "dfw-jobs01";

/// A step `act` on one host; `more` is what else is said of it.
fn act(lab: &Lab, text: &str, more: &str) -> Program {
    let text = text.replace('\n', "\n      ");
    let book = format!("title: Act\nhosts: {HOST}\nsteps:\n  - id: act\n    run: |\n      {text}\n{more}");
    Program::on(lab).with_book(&[("act.yaml", &book)])
}

/// Starts the run and waits until its command has begun.
fn begun(lab: &Lab, program: &Program) -> std::process::Child {
    let child = program.start(["run", "act", "--yes"]);
    program.wait_until("the command runs", || lab.try_sh(HOST, "test -e /tmp/begun").status.success());
    child
}

fn killed(lab: &Lab, program: &Program) {
    let mut child = begun(lab, program);
    signal(&child, "KILL");
    child.wait().unwrap();
}

#[test]
fn a_receipt_is_found_again_though_the_home_became_writable() {
    let lab = Lab::acquire();
    lab.sh(HOST, "chmod 0555 /home/nosudo; touch /tmp/deeds; chmod 0666 /tmp/deeds");
    let text = "chmod u+w ~\ntouch /tmp/begun\nsleep 1\necho act >> /tmp/deeds";
    let program = act(&lab, text, "    sudo: nosudo\n");
    killed(&lab, &program);
    program.run(["resume", "--yes"]).exits(0);
    assert_eq!(lab.sh(HOST, "cat /tmp/deeds"), "act\n");
    assert_eq!(program.started(), [format!("act@{HOST}")]);
}

#[test]
fn another_login_is_no_witness() {
    let lab = Lab::acquire();
    let homes = tempfile::tempdir().unwrap();
    let text = "title: Act\nhosts: here\nsteps:\n  - id: act\n    run: |\n      touch \"$MARK\"\n      sleep 1\n    env: { MARK: \"${{ params.mark }}\" }\nparams:\n  mark: { type: string }\n";
    let mark = homes.path().join("mark");
    let at = |name: &str| {
        let home = homes.path().join(name);
        std::fs::create_dir_all(&home).unwrap();
        home.display().to_string()
    };
    let program = Program::on(&lab).with_book(&[("act.yaml", text)]).env("HOME", &at("one"));
    let mut child = program.start(["run", "act", "--yes", &format!("mark={}", mark.display())]);
    program.wait_until("the command runs", || mark.exists());
    signal(&child, "KILL");
    child.wait().unwrap();
    let program = program.env("HOME", &at("two"));
    program.run(["resume", "--yes"]).exits(5).says("it was sent as").says("act@here is in doubt");
    assert_eq!(program.started(), ["act@here"]);
    let program = program.env("HOME", &at("one"));
    program.run(["resume", "--yes"]).exits(0);
    assert_eq!(program.started(), ["act@here"]);
}

#[test]
fn what_was_heard_to_start_and_left_no_receipt_is_in_doubt_and_stays_so() {
    let lab = Lab::acquire();
    let text = format!("touch /tmp/begun\nrm -rf ~/.local\nsleep 3\n{}", deed("act"));
    let program = act(&lab, &text, "    repeatable: true\n");
    let child = begun(&lab, &program);
    lab.fault(HOST, &["cut"]);
    let ran = crate::support::Ran::of(child.wait_with_output().unwrap());
    ran.exits(5).says("its receipt is not there any more");
    // repeatable, and yet not beside what may still run
    program.run(["resume", "--yes"]).exits(5).says("may still run");
    assert_eq!(program.started(), [format!("act@{HOST}")]);
}

#[test]
fn a_group_with_another_users_process_is_not_said_to_be_gone() {
    let lab = Lab::acquire();
    let text = "title: Act\nhosts: dfw-jobs01\nsteps:\n  - id: act\n    run: sudo -n sh -c \"trap '' TERM; sleep 61\"\n    timeout: 1s\n";
    let mut program = Program::on(&lab).with_book(&[("act.yaml", text)]);
    program.lay("user.yaml", "hosts:\n  dfw-jobs01: { user: ops }\n");
    program.run(["run", "act", "--yes"]).exits(5).says("still there after KILL");
    assert!(lab.processes(HOST).iter().any(|line| line.contains("sleep 61")));
    lab.sh(HOST, "pkill -KILL -f 'sleep 6[1]'");
}

#[test]
fn a_command_that_fills_the_disk_ends_all_the_same() {
    let lab = Lab::acquire();
    let text = "touch /tmp/begun\ncat /dev/zero > /root/big || true\nsleep 1\nexit 7";
    let program = act(&lab, text, "");
    killed(&lab, &program);
    program.run(["resume", "--yes"]).says("the host was asked: it ended").says("exit 7");
    lab.sh(HOST, "rm -f /root/big");
}

#[test]
fn a_step_in_doubt_that_the_plan_has_no_more_stops_the_resume() {
    let lab = Lab::acquire();
    let program = act(&lab, &format!("touch /tmp/begun\nsleep 2\n{}", deed("act")), "");
    killed(&lab, &program);
    let other = format!("title: Act\nhosts: {HOST}\nsteps:\n  - id: other\n    run: {}\n", deed("other"));
    std::fs::write(program.book().join("act.yaml"), other).unwrap();
    program.run(["resume", "--yes", "--accept-changes"]).exits(5).says("the plan has it no more");
    assert_eq!(deeds(&lab, HOST).iter().filter(|deed| *deed == "other").count(), 0);
}
