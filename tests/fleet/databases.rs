//! Aurora: looking at the clusters, failing one over, and what is left to do when the site does not come back by itself.

use crate::support::{Lab, Program, Ran};

fn lab() -> (Lab, Program) {
    let lab = Lab::acquire();
    lab.service("aws", &["up"]);
    let program = Program::on(&lab).with_service(&lab, "aws");
    (lab, program)
}

fn aws(lab: &Lab, args: &[&str]) -> String {
    lab.service("aws", args).trim().to_owned()
}

/// How often RDS was told to fail over.
fn failovers(lab: &Lab) -> usize {
    aws(lab, &["calls"]).matches("rds.FailoverDBCluster").count()
}

const AGREED: [&str; 6] = ["run", "db-failover", "dreamwidth", "--yes", "--ack", "writes-fail=fail over dreamwidth"];

fn fail_over(program: &Program, more: &[&str]) -> Ran {
    program.run(AGREED.iter().chain(more))
}

#[test]
fn status_shows_clusters_members_and_load_and_looks_at_all_whatever_fails() {
    let (lab, program) = lab();
    lab.service("mariadb", &["up"]);
    let status = || program.run(["run", "db-status"]);
    status().exits(0).says("available\t2\t1\tdreamwidth-1").says("dreamwidth-2\tavailable").says("DB instance created");

    aws(&lab, &["cluster", "dreamwidth", "failing-over"]);
    aws(&lab, &["member", "dreamwidth-2", "rebooting"]);
    lab.service("mariadb", &["busy", "40"]);
    status()
        .exits(1)
        .says("status \"failing-over\"")
        .says("member \"dreamwidth-2\", status \"rebooting\"")
        .says("running 41");

    // refused in the middle: what RDS does not say is not taken for well, and the database is looked at all the same
    aws(&lab, &["set", "throttle", r#"{"DescribeDBInstances": -1}"#]);
    aws(&lab, &["cluster", "dreamwidth", "available"]);
    lab.service("mariadb", &["idle"]);
    let refused = status();
    refused.exits(1).says("Rate exceeded").says("failed: members@va-admin01").says("load      ✓ ok");

    // nothing to fail over to
    aws(&lab, &["set", "throttle", "{}"]);
    aws(&lab, &["member", "dreamwidth-2", "available"]);
    aws(&lab, &["alone"]);
    status().exits(1).says("members 1").says("nothing can take over").says("failed: clusters@va-admin01\n");
    assert_eq!(failovers(&lab), 0);

    // the CLI takes no endpoint from its environment for RDS: without the one that is named to it, it would ask the real AWS
    Program::on(&lab).run(["run", "db-status"]).exits(1).says("refused: no --endpoint-url of this lab");
}

#[test]
fn the_writer_changes_in_its_own_time_and_the_site_is_looked_at_afterwards() {
    let (lab, program) = lab();
    aws(&lab, &["set", "failover", "2"]);
    aws(&lab, &["set", "settling", "1"]);
    fail_over(&program, &["to=dreamwidth-2"])
        .exits(0)
        .says("captured writer = dreamwidth-1")
        .says("not yet: The writer is another than before")
        .says("synsuck                    1        1");
    assert_eq!(aws(&lab, &["get", "writers"]), r#"["dreamwidth-2"]"#);
    assert_eq!(failovers(&lab), 1);
    let polls: Vec<_> = program
        .events_named("check-judged")
        .iter()
        .filter(|e| e["at"]["step"] == "failover")
        .map(|e| e["polls"].clone())
        .collect();
    assert!(polls[0].as_u64().unwrap() >= 3, "writer as before, writer changed, then available: {polls:?}");
}

#[test]
fn what_cannot_take_over_is_refused_and_no_emergency_overrides_it() {
    let (lab, program) = lab();
    program
        .run(["run", "db-failover", "dreamwidth", "--yes"])
        .exits(4)
        .says("fail over dreamwidth")
        .says("Nothing was changed.");
    program
        .run(["run", "db-failover", "dreamwith", "--yes", "--ack", "writes-fail=fail over dreamwith"])
        .exits(3)
        .says("DBClusterNotFound")
        .says("`runbook run db-status` shows the clusters");
    fail_over(&program, &["to=dreamwidth-1"]).exits(3).says("Name one of the cluster's readers");
    aws(&lab, &["member", "dreamwidth-2", "rebooting"]);
    fail_over(&program, &[]).exits(3).says("member \"dreamwidth-2\", status \"rebooting\"").says("cannot take over");
    aws(&lab, &["member", "dreamwidth-2", "available"]);
    aws(&lab, &["alone"]);
    fail_over(&program, &["--emergency", "--reason", "site down"])
        .exits(3)
        .says("members 1")
        .says("There is nowhere to go");
    assert_eq!(failovers(&lab), 0);
    assert_eq!(program.started(), [""; 0]);
}

#[test]
fn a_refusal_of_rds_itself_ends_the_run_and_the_writer_is_the_old_one() {
    let (lab, program) = lab();
    aws(&lab, &["set", "throttle", r#"{"FailoverDBCluster": -1}"#]);
    fail_over(&program, &[]).exits(1).says("Rate exceeded").says("failover failed on va-admin01");
    assert_eq!(aws(&lab, &["get", "writers"]), r#"["dreamwidth-1"]"#);
    assert_eq!(program.started(), ["failover@va-admin01"]);
}

#[test]
fn a_writer_that_does_not_change_is_told_and_a_resume_does_not_fail_over_again() {
    let (lab, program) = lab();
    let program =
        program.with_book(&[("db-failover.yaml", &Program::changed("db-failover", &[("within: 5m", "within: 1s")]))]);
    aws(&lab, &["set", "failover", "-1"]);
    fail_over(&program, &[]).exits(1).says("status \"failing-over\"").says("DB instance created").says("resume");
    // later it is done after all
    aws(&lab, &["set", "failover", "0"]);
    aws(&lab, &["cluster", "dreamwidth", "available"]);
    let endpoint = format!("http://{}", aws(&lab, &["address"]));
    lab.sh(
        "va-admin01",
        &format!("aws --region us-east-1 --endpoint-url {endpoint} rds failover-db-cluster --db-cluster-identifier dreamwidth"),
    );
    program.run(["resume", "--yes"]).exits(0);
    assert_eq!(program.started(), ["failover@va-admin01"]);
    assert_eq!(failovers(&lab), 2, "ours, and the one by hand");
    assert_eq!(aws(&lab, &["get", "writers"]), r#"["dreamwidth-2"]"#);
}

#[test]
fn a_worker_and_a_webserver_that_do_not_come_back_are_named_with_what_to_do() {
    let (lab, program) = lab();
    let quick = Program::changed("db-failover", &[("within: 2m", "within: 1s")]);
    let program = program.with_book(&[("db-failover.yaml", &quick)]);
    // the manager is not there to start it again
    lab.sh("dfw-jobs01", "kill -STOP $(cat /dreamwidth/var/worker-manager.pid) && pkill -f worker/synsuck");
    lab.fault("va-web03", &["sick"]);
    fail_over(&program, &[])
        .exits(1)
        .says("failed: webs@va-web03, workers@dfw-jobs01")
        .says("job \"synsuck\", configured 1, running 0")
        .says("`runbook run restart-jobs`")
        .says("cluster 1 writer unreachable")
        .says("`runbook run restart-webs`");
    assert_eq!(aws(&lab, &["get", "writers"]), r#"["dreamwidth-2"]"#);

    lab.sh("dfw-jobs01", "kill -CONT $(cat /dreamwidth/var/worker-manager.pid)");
    lab.fault("va-web03", &["well"]);
    program.wait_until("synsuck", || lab.sh("dfw-jobs01", "pgrep -fc worker/synsuck || true").trim() != "0");
    program.run(["resume", "--yes"]).exits(0);
    assert_eq!(failovers(&lab), 1);
}
