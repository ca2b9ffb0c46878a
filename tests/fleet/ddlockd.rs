//! ddlockd: started where it is down, never bounced where it is up, and what it has locked. The daemon is a stand-in.

use crate::support::{Lab, Program, Ran};

const HOSTS: [&str; 2] = ["dfw-jobs01", "dfw-jobs02"];

fn pids(lab: &Lab) -> [String; 2] {
    HOSTS.map(|host| lab.service("ddlockd", &["pid", host]).trim().to_owned())
}

fn ask(lab: &Lab, host: &str, command: &str) -> String {
    lab.service("ddlockd", &["ask", host, command])
}

/// The book, less patient with what will not come.
fn hasty(lab: &Lab) -> Program {
    Program::on(lab).with_changes(&[
        ("start-ddlockd.yaml", "within: 15s", "within: 1s"),
        ("book.yaml", "timeout: 3s", "timeout: 700ms"),
        ("ddlockd/locks", "alarm 5", "alarm 1"),
    ])
}

#[test]
fn only_what_is_down_is_started_and_a_live_one_keeps_its_locks() {
    let lab = Lab::acquire();
    let program = Program::on(&lab);
    lab.service("ddlockd", &["lay", "dfw-jobs01"]);
    lab.service("ddlockd", &["up", "dfw-jobs02"]);
    lab.service("ddlockd", &["hold", "dfw-jobs02", "birthday-notify:1"]);
    let live = pids(&lab)[1].clone();
    // by the name that everybody knows
    program.run(["run", "restart-ddlockd", "--yes"]).exits(0).says("ddlockd answers, nothing to do");
    assert_eq!(program.started(), ["start@dfw-jobs01"]);
    assert!(ask(&lab, "dfw-jobs01", "status").starts_with("STATUS: OK\n"));
    assert_eq!(pids(&lab)[1], live, "a live one is not bounced");
    assert!(ask(&lab, "dfw-jobs02", "locks").contains("  birthday-notify:1 = "));

    let both = pids(&lab);
    program.run(["run", "start-ddlockd", "--yes"]).exits(0);
    assert_eq!(program.started(), [""; 0], "both are up");
    assert_eq!(pids(&lab), both);

    for host in HOSTS {
        lab.service("ddlockd", &["crash", host]);
    }
    program.run(["run", "start-ddlockd", "--yes"]).exits(0);
    assert_eq!(program.started(), ["start@dfw-jobs01", "start@dfw-jobs02"], "both were down");
    assert!(pids(&lab).iter().all(|pid| !pid.is_empty()));
}

#[test]
fn one_that_does_not_come_up_or_does_not_answer_does_not_keep_the_other_down() {
    let lab = Lab::acquire();
    let program = hasty(&lab);
    lab.service("ddlockd", &["break", "dfw-jobs01"]);
    lab.service("ddlockd", &["lay", "dfw-jobs02"]);
    program
        .run(["run", "start-ddlockd", "--yes"])
        .exits(1)
        .says("Can't locate Danga/Socket.pm")
        .says("connection refused");
    assert!(pids(&lab)[0].is_empty() && !pids(&lab)[1].is_empty());

    // mended, the same run goes on with what is left
    lab.service("ddlockd", &["up", "dfw-jobs01"]);
    let mended = pids(&lab);
    program.run(["resume", "--yes", "--retry"]).exits(0);
    assert_eq!(pids(&lab), mended);

    lab.service("ddlockd", &["hold", "dfw-jobs01", "interests:42"]);
    lab.service("ddlockd", &["freeze", "dfw-jobs01"]);
    lab.service("ddlockd", &["crash", "dfw-jobs02"]);
    // an empty one beside it would give the same locks a second time
    program
        .run(["run", "start-ddlockd", "--yes"])
        .exits(3)
        .says("none-hangs does not hold: dfw-jobs01")
        .says("first stop whoever takes locks");
    assert_eq!(program.started(), [""; 0]);
    assert!(pids(&lab)[1].is_empty());
    assert_eq!(pids(&lab)[0], mended[0], "what hangs is not killed");
    lab.service("ddlockd", &["thaw", "dfw-jobs01"]);
    assert!(ask(&lab, "dfw-jobs01", "locks").contains("  interests:42 = "));
}

#[test]
fn one_that_was_up_and_began_anew_meanwhile_is_seen() {
    let lab = Lab::acquire();
    let mut program = hasty(&lab);
    program.lay(
        "slow.yaml",
        "hosts:\n  dfw-jobs01:\n    vars:\n      ddlockd_start: until test -e /tmp/go; do sleep 0.1; done; /dreamwidth/bin/ddlockd --daemon\n",
    );
    lab.service("ddlockd", &["lay", "dfw-jobs01"]);
    lab.service("ddlockd", &["up", "dfw-jobs02"]);
    // old enough that the new one is younger still when it is looked at, also on a busy machine
    program.wait_until("a RUNTIME that can go back", || {
        let status = ask(&lab, "dfw-jobs02", "status");
        !(0..5).any(|young| status.contains(&format!("RUNTIME: {young}\n")))
    });
    let child = program.start(["run", "start-ddlockd", "--yes"]);
    program.wait_for_journal(r#""step-started":{"at":{"step":"start","host":"dfw-jobs01"}"#);
    lab.service("ddlockd", &["crash", "dfw-jobs02"]);
    lab.service("ddlockd", &["up", "dfw-jobs02"]);
    lab.sh("dfw-jobs01", "touch /tmp/go");
    Ran::of(child.wait_with_output().unwrap()).exits(1).says("not-bounced failed on dfw-jobs02");
}

#[test]
fn status_shows_counters_and_locks_of_both_kinds_of_ddlockd_and_takes_nothing() {
    let lab = Lab::acquire();
    let program = hasty(&lab);
    lab.service("ddlockd", &["up", "dfw-jobs01"]);
    // the public version: it shows no counter before it has counted
    lab.service("ddlockd", &["up", "dfw-jobs02", "hachi"]);
    assert!(ask(&lab, "dfw-jobs02", "status").contains("SUCCESSES: \n"));
    program.run(["run", "ddlockd-status"]).exits(0).says("RUNTIME").says("no rows");

    lab.service("ddlockd", &["hold", "dfw-jobs01", "usersearch:updater:a%20b"]);
    lab.service("ddlockd", &["hold", "dfw-jobs02", "latest_queue"]);
    program.run(["run", "ddlockd-status"]).exits(0).says("usersearch:updater:a b").says("latest_queue");
    for host in HOSTS {
        let status = ask(&lab, host, "status");
        assert!(
            status.contains("SUCCESSES: 1\n") && status.contains("LOAD: 1\n"),
            "looking counts for nothing: {status}"
        );
        // one command a read, and a newline in front makes a connection deaf: neither is ever sent
        assert_eq!(lab.service("ddlockd", &["deaf", host]), "deaf\n");
    }

    lab.service("ddlockd", &["freeze", "dfw-jobs02"]);
    program.run(["run", "ddlockd-status"]).exits(1).says("timed out");
    lab.service("ddlockd", &["thaw", "dfw-jobs02"]);
    lab.service("ddlockd", &["crash", "dfw-jobs01"]);
    program.run(["run", "ddlockd-status"]).exits(1).says("connection refused").says("latest_queue");
}
