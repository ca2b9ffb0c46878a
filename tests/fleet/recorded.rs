//! What is recorded of a run on real hosts plays at once, without them.

use crate::support::{Lab, Program};

#[test]
fn a_roll_that_failed_and_was_resumed_plays_as_it_went() {
    let lab = Lab::acquire();
    let own = Program::new().book().join("restart-webs.yaml");
    let quick = std::fs::read_to_string(own).unwrap().replace("within: 60s", "within: 1s");
    let program = Program::on(&lab).with_book(&[("restart-webs.yaml", &quick)]);
    lab.fault("va-web03", &["sick-after-restart"]);
    program.run(["run", "restart-webs", "0", "--yes"]).exits(1);
    lab.fault("va-web03", &["well"]);
    program.run(["resume", "--yes"]).exits(0);

    let recorded = program.run(["test", "--record", "latest"]);
    recorded.exits(0).says("pause=0").says("restart@va-web03: failed").says("restart@va-web04: not-run");
    std::fs::create_dir_all(program.book().join("tests")).unwrap();
    std::fs::write(program.book().join("tests/restart-webs.yaml"), &recorded.stdout).unwrap();
    let restarts = lab.web_restarts("va-web03");
    let ran = program.run(["test", "restart-webs"]);
    ran.exits(0).says("1 runbook, 1 scenario, all as expected");
    assert_eq!(lab.web_restarts("va-web03"), restarts, "no host was asked");
}
