//! `restart-jobs`: the main job.

use crate::support::{Lab, Program};

/// The worker jobs of dfw-jobs01 and how many of each there are.
const JOBS01: &[(&str, usize)] =
    &[("content-importer", 2), ("send-email", 2), ("birthday-notify", 1), ("directory-search", 1), ("synsuck", 1)];

#[test]
fn all_bored_every_worker_is_restarted_once() {
    let lab = Lab::acquire();
    let program = Program::on(&lab);
    let before: Vec<usize> = JOBS01.iter().map(|(job, _)| lab.worker_starts("dfw-jobs01", job)).collect();
    program.run(["run", "restart-jobs", "--yes"]).exits(0);
    assert_eq!(lab.manager_restarts("dfw-jobs01"), 1);
    assert_eq!(lab.manager_restarts("dfw-jobs02"), 1);
    assert_eq!(lab.manager_restarts("dfw-mail01"), 0, "the mail host's importer is not of the jobs hosts");
    for ((job, count), before) in JOBS01.iter().zip(before) {
        assert_eq!(lab.worker_starts("dfw-jobs01", job), before + count, "{job}");
    }
    assert_eq!(program.started(), ["restart@dfw-jobs01", "restart@dfw-jobs02"], "host by host");
}

/// What the importer of these tests does when it is not bored.
const IMPORT: &str = "entries: exampleuser(42) getevents - 2021-01-01 to 2021-02-01";

/// Nothing on either jobs host was restarted.
#[track_caller]
fn nothing_was_restarted(lab: &Lab, program: &Program) {
    for host in ["dfw-jobs01", "dfw-jobs02"] {
        assert_eq!(lab.manager_restarts(host), 0, "{host}");
    }
    assert_eq!(program.started(), [""; 0]);
}

/// The process number of an importer that is not bored.
fn busy_importer(lab: &Lab, host: &str) -> String {
    lab.sh(host, "ps axww -o pid=,args= | awk '/content-importer \\[[a-z]+:/ { print $1 }'").trim().to_owned()
}

#[test]
fn a_busy_importer_refuses_the_run_and_the_screen_says_whose_import_it_is() {
    let lab = Lab::acquire();
    let program = Program::on(&lab);
    lab.fault("dfw-jobs02", &["busy", IMPORT]);
    let pid = busy_importer(&lab, "dfw-jobs02");
    assert!(!pid.is_empty());
    program
        .run(["run", "restart-jobs", "--yes"])
        .exits(3)
        .says("importers-bored")
        .says("dfw-jobs02")
        .says(&pid)
        .says("exampleuser")
        .says("getevents - 2021-01-01 to 2021-02-01")
        .says("Wait for it, or override this in an emergency.")
        .says("--override importers-bored")
        .says("Nothing was changed.");
    nothing_was_restarted(&lab, &program);
    // a run that was refused is in the audit, and is over
    program.run(["audit", "list"]).exits(0).says("restart-jobs");
    program.run(["resume"]).exits(2).says("there is no unfinished run");
}

#[test]
fn an_override_goes_on_against_the_precondition_and_its_reason_is_kept() {
    let lab = Lab::acquire();
    let program = Program::on(&lab);
    lab.fault("dfw-jobs01", &["busy", IMPORT]);
    program
        .run(["run", "restart-jobs", "--yes", "--override", "importers-bored", "--reason", "db failover"])
        .exits(0)
        .says("db failover");
    assert_eq!(program.started(), ["restart@dfw-jobs01", "restart@dfw-jobs02"]);
    let overridden = program.events_named("precondition-overridden");
    assert_eq!(overridden.len(), 1, "{overridden:?}");
    assert_eq!(overridden[0]["id"], "importers-bored");
    assert_eq!(overridden[0]["how"], "override");
    assert_eq!(overridden[0]["reason"], "db failover");
    assert!(program.journal().contains("exampleuser"), "what was false is kept all the same");
}

#[test]
fn an_emergency_overrides_what_allows_it_and_its_reason_is_kept() {
    let lab = Lab::acquire();
    let program = Program::on(&lab);
    lab.fault("dfw-mail01", &["busy", IMPORT]);
    program.run(["run", "restart-jobs", "--yes", "--emergency", "--reason", "site down"]).exits(0);
    assert_eq!(lab.manager_restarts("dfw-jobs01"), 1);
    assert_eq!(lab.manager_restarts("dfw-jobs02"), 1);
    let overridden = program.events_named("precondition-overridden");
    assert_eq!(overridden.len(), 1, "{overridden:?}");
    assert_eq!(overridden[0]["how"], "emergency");
    assert_eq!(overridden[0]["reason"], "site down");
}

#[test]
fn an_override_that_is_incomplete_or_misspelt_is_refused_before_anything_is_looked_at() {
    let lab = Lab::acquire();
    let program = Program::on(&lab);
    lab.fault("dfw-jobs01", &["busy", IMPORT]);
    program.run(["run", "restart-jobs", "--yes", "--override", "importers-bored"]).exits(2).says("--reason");
    program.run(["run", "restart-jobs", "--yes", "--emergency"]).exits(2).says("--reason");
    program.run(["run", "restart-jobs", "--yes", "--emergency", "--reason", " "]).exits(2).says("--reason");
    program
        .run(["run", "restart-jobs", "--yes", "--override", "importer-bored", "--reason", "x"])
        .exits(2)
        .says("did you mean `importers-bored`?");
    nothing_was_restarted(&lab, &program);
    assert_eq!(program.journal(), "", "no run was begun");
}

#[test]
fn waiting_goes_on_once_the_importer_is_bored() {
    let lab = Lab::acquire();
    let program = Program::on(&lab);
    lab.fault("dfw-jobs02", &["becomes-bored", "4", IMPORT]);
    program.run(["run", "restart-jobs", "--yes", "--wait", "30s"]).exits(0);
    assert_eq!(program.events_named("wait-started").len(), 1);
    assert_eq!(program.events_named("precondition-overridden").len(), 0);
    assert_eq!(lab.manager_restarts("dfw-jobs01"), 1);
    assert_eq!(lab.manager_restarts("dfw-jobs02"), 1);
    let log = lab.sh("dfw-jobs02", "cat /var/log/dw-workers.log");
    assert!(!log.contains("stop content-importer") || !log.contains("signal 9"), "no importer was killed:\n{log}");
}

#[test]
fn waiting_in_vain_changes_nothing() {
    let lab = Lab::acquire();
    let program = Program::on(&lab);
    lab.fault("dfw-jobs02", &["busy", IMPORT]);
    program.run(["run", "restart-jobs", "--yes", "--wait", "1s"]).exits(3).says("exampleuser");
    nothing_was_restarted(&lab, &program);
}

#[test]
fn an_importer_that_has_no_title_yet_is_not_taken_for_bored() {
    let lab = Lab::acquire();
    let program = Program::on(&lab);
    lab.fault("dfw-jobs01", &["starting"]);
    program.run(["run", "restart-jobs", "--yes"]).exits(3).says("dfw-jobs01");
    nothing_was_restarted(&lab, &program);
}

#[test]
fn a_host_that_does_not_answer_is_not_taken_for_bored() {
    let lab = Lab::acquire();
    let program = Program::on(&lab);
    lab.fault("dfw-mail01", &["kill"]);
    program.run(["run", "restart-jobs", "--yes"]).exits(3).says("dfw-mail01").says("unreachable");
    nothing_was_restarted(&lab, &program);
    lab.heal("dfw-mail01");
    lab.fault("dfw-jobs02", &["sshd-down"]);
    // a connection that was kept may live on: without it the host cannot be asked
    lab.fault("dfw-jobs02", &["cut"]);
    program.run(["run", "restart-jobs", "--yes"]).exits(3).says("dfw-jobs02").says("unreachable");
    nothing_was_restarted(&lab, &program);
}

/// `restart-jobs` with another expectation.
fn with_expectation(lab: &Lab, every: &str) -> Program {
    let text = std::fs::read_to_string(Program::new().book().join("restart-jobs.yaml")).unwrap();
    let changed = text.replace("every: state == \"bored\"", every);
    assert_ne!(changed, text);
    Program::on(lab).with_book(&[("restart-jobs.yaml", &changed)])
}

#[test]
fn a_misspelt_column_holds_for_nothing() {
    let lab = Lab::acquire();
    let program = with_expectation(&lab, "every: sate == \"bored\"");
    let ran = program.run(["run", "restart-jobs", "--yes"]);
    ran.exits(2).says("sate").says("restart-jobs.yaml:");
    nothing_was_restarted(&lab, &program);
}

#[test]
fn a_column_that_no_check_can_know_of_holds_for_nothing() {
    let lab = Lab::acquire();
    let program = with_expectation(&lab, "expect: rows | selectattr('sate', 'equalto', 'busy') | list | length == 0");
    let ran = program.run(["run", "restart-jobs", "--yes"]);
    assert!([2, 3].contains(&ran.code), "refused when it is read, or when it is judged: {ran:?}");
    nothing_was_restarted(&lab, &program);
}

#[test]
fn an_import_that_begins_during_the_roll_stops_it_before_the_next_host() {
    let lab = Lab::acquire();
    let program = Program::on(&lab);
    lab.fault("dfw-jobs01", &["busy-after-restart", IMPORT]);
    let ran = program.run(["run", "restart-jobs", "5s", "--yes"]);
    ran.exits(1).says("exampleuser").says("untouched: dfw-jobs02").says("importers-bored no longer holds");
    assert_eq!(lab.manager_restarts("dfw-jobs01"), 1);
    assert_eq!(lab.manager_restarts("dfw-jobs02"), 0);
    assert_eq!(program.started(), ["restart@dfw-jobs01"]);
    // once it is over the run goes on with the second host alone
    lab.fault("dfw-jobs01", &["bored"]);
    program.run(["resume", "--yes"]).exits(0);
    assert_eq!(program.started(), ["restart@dfw-jobs01", "restart@dfw-jobs02"]);
    assert_eq!(lab.manager_restarts("dfw-jobs01"), 1);
    assert_eq!(lab.manager_restarts("dfw-jobs02"), 1);
}
