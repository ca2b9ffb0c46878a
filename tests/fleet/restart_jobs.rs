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
