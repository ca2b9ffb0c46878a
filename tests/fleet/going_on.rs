//! Which run a resume goes on with, and what it refuses.

use crate::support::{Lab, Program, deed, deeds, signal};

const ACT: &str =
    "title: Act\nhosts: jobs\nsteps:\n  - id: act\n    run: echo act >> /root/deeds\n    rollout: { pause: 1s }\n";

fn program(lab: &Lab) -> Program {
    Program::on(lab).with_book(&[("act.yaml", ACT)])
}

/// Leaves a run behind that did the first host and was interrupted before the second. Gives its id.
fn interrupted(program: &Program, args: &[&str]) -> String {
    let before = program.newest_or_none();
    let mut all = vec!["run", "act", "--yes"];
    all.extend(args);
    let mut child = program.start(all);
    program
        .wait_until("the pause", || program.newest_or_none() != before && program.journal().contains("pause-started"));
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    program.newest_id()
}

#[test]
fn a_changed_runbook_is_refused_with_its_difference_until_it_is_accepted() {
    let lab = Lab::acquire();
    let program = program(&lab);
    let id = interrupted(&program, &[]);
    let changed = ACT.replace("echo act", "echo changed");
    std::fs::write(program.book().join("act.yaml"), &changed).unwrap();
    program
        .run(["resume", "--yes"])
        .exits(8)
        .says("act.yaml")
        .says("- ")
        .says("run: echo act >> /root/deeds")
        .says("run: echo changed >> /root/deeds")
        .says("--accept-changes");
    assert_eq!(deeds(&lab, "dfw-jobs02"), [""; 0]);
    program.run(["resume", "--yes", "--accept-changes"]).exits(0);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act"], "what was done is not done again");
    assert_eq!(deeds(&lab, "dfw-jobs02"), ["changed"]);
    program.run(["audit", "verify", &id]).exits(0);
}

#[test]
fn a_change_elsewhere_in_the_book_is_none_of_the_run() {
    let lab = Lab::acquire();
    let program = program(&lab);
    interrupted(&program, &[]);
    std::fs::write(program.book().join("other.yaml"), "title: Other\nsteps:\n  - { id: look, manual: Look. }\n")
        .unwrap();
    program.run(["resume", "--yes"]).exits(0);
}

#[test]
fn without_an_unfinished_run_there_is_nothing_to_go_on_with() {
    let lab = Lab::acquire();
    let program = program(&lab);
    program.run(["resume", "--yes"]).exits(2).says("there is no unfinished run");
    program.run(["run", "act", "--yes"]).exits(0);
    let id = program.newest_id();
    program.run(["resume", "--yes"]).exits(2).says("there is no unfinished run");
    program.run(["resume", &id, "--yes"]).exits(2).says("is over");
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act"]);
    program.run(["resume", "20010101T0000", "--yes"]).exits(2);
}

#[test]
fn which_run_is_meant_is_never_guessed() {
    let lab = Lab::acquire();
    let program = program(&lab);
    let first = interrupted(&program, &[]);
    // another operator's run is not gone on with unasked
    program.run(["resume", "--yes", "--as", "somebody"]).exits(4).says(&first).says("another operator's");
    let ran_second = interrupted(&program, &[]);
    assert_ne!(first, ran_second);
    program.run(["resume", "--yes"]).exits(4).says(&first).says(&ran_second).says("several runs are unfinished");
    assert_eq!(deeds(&lab, "dfw-jobs02"), [""; 0]);
    // named, it is clear
    program.run(["resume", &first, "--yes", "--as", "somebody"]).exits(0);
    assert_eq!(deeds(&lab, "dfw-jobs02"), ["act"]);
    // and then only one is left
    program.run(["resume", "--yes"]).exits(0);
    assert_eq!(deeds(&lab, "dfw-jobs02"), ["act", "act"]);
}

#[test]
fn an_abandoned_run_is_over_for_good() {
    let lab = Lab::acquire();
    let program = program(&lab);
    let id = interrupted(&program, &[]);
    program.run(["abandon", &id]).exits(2).says("--reason");
    program.run(["abandon", &id, "--reason", "done by hand"]).exits(0);
    program.run(["resume", "--yes"]).exits(2).says("there is no unfinished run");
    program.run(["resume", &id, "--yes"]).exits(2).says("done by hand");
    program.run(["abandon", &id, "--reason", "again"]).exits(2);
    assert_eq!(deeds(&lab, "dfw-jobs02"), [""; 0]);
}

#[test]
fn a_new_run_mentions_unfinished_ones_on_its_hosts() {
    let lab = Lab::acquire();
    let program = program(&lab);
    let id = interrupted(&program, &[]);
    program
        .run(["run", "act", "--yes", "--limit", "dfw-jobs02"])
        .exits(0)
        .says("resume RUN")
        .says(&format!("  {id}  act by "));
    program.run(["run", "restart-webs", "0", "--yes", "--limit", "va-web01"]);
    let text = "title: Elsewhere\nhosts: va-web01\nsteps:\n  - { id: act, run: 'true' }\n";
    std::fs::write(program.book().join("elsewhere.yaml"), text).unwrap();
    program.run(["run", "elsewhere", "--yes"]).exits(0).is_silent_about(&id);
    // one that sent nothing is on these hosts too, and left nothing there
    let never = "{ id: never, says: It is never so., probe: { run: 'true' }, expect: exit == 1 }";
    let text =
        format!("title: Never\nhosts: va-web01\nsteps:\n  - {{ id: act, preconditions: [{never}], run: 'true' }}\n");
    std::fs::write(program.book().join("never.yaml"), text).unwrap();
    program.run(["run", "never", "--yes"]).exits(1);
    let never = program.newest_id();
    program.run(["audit", "list", "--unfinished"]).exits(0).says(&never);
    program.run(["run", "elsewhere", "--yes"]).exits(0).is_silent_about(&never);
}

#[test]
fn a_run_is_held_to_the_plan_that_was_saved() {
    let lab = Lab::acquire();
    let program = program(&lab);
    let plan = program.dir().join("plan.json").display().to_string();
    program.run(["run", "act", "--dry-run", "--out", &plan]).exits(0);
    assert_eq!(deeds(&lab, "dfw-jobs01"), [""; 0]);
    program.run(["run", "act", "--plan", &plan, "--limit", "dfw-jobs01", "--yes"]).exits(8).says("--limit");
    std::fs::write(program.book().join("act.yaml"), ACT.replace("echo act", "echo changed")).unwrap();
    program.run(["run", "act", "--plan", &plan, "--yes"]).exits(8);
    assert_eq!(deeds(&lab, "dfw-jobs01"), [""; 0]);
    std::fs::write(program.book().join("act.yaml"), ACT).unwrap();
    program.run(["run", "act", "--plan", &plan, "--yes"]).exits(0);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act"]);
}

#[test]
fn a_resume_keeps_the_limit_the_parameters_and_the_overrides() {
    let lab = Lab::acquire();
    let text = format!(
        "title: Act\nhosts: webs\nparams: {{ word: {{}} }}\npreconditions:\n  - id: quiet\n    says: It is quiet.\n    probe: {{ run: ls /root, hosts: dfw-jobs01 }}\n    expect: not (\"loud\" in stdout)\n    override: allowed\nsteps:\n  - id: act\n    run: echo ${{{{ params.word }}}} >> /root/deeds\n    rollout: {{ pause: 1s }}\n  - id: last\n    run: {}\n",
        deed("last")
    );
    let program = Program::on(&lab).with_book(&[("act.yaml", &text)]);
    lab.sh("dfw-jobs01", "touch /root/loud");
    interrupted(&program, &["word=a b", "--limit", "va-web[01:02]", "--override", "quiet", "--reason", "it will be"]);
    program.run(["resume", "--yes"]).exits(0).says("it will be");
    assert_eq!(deeds(&lab, "va-web01"), ["a b", "last"]);
    assert_eq!(deeds(&lab, "va-web02"), ["a b", "last"]);
    assert_eq!(deeds(&lab, "va-web03"), [""; 0]);
}
