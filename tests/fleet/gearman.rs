//! Gearman: started where it is down, restarted one host at a time, and what it has queued. The servers, the init scripts,
//! the workers and the jobs are real.

use std::process::Stdio;

use crate::support::{Lab, Program, Ran};

const HOSTS: [&str; 2] = ["dfw-jobs01", "dfw-jobs02"];

/// The gearmand of a host, by its process number there; empty when none runs.
fn pid(lab: &Lab, host: &str) -> String {
    lab.service("gearman", &["pid", host]).trim().to_owned()
}

fn pids(lab: &Lab) -> [String; 2] {
    HOSTS.map(|host| pid(lab, host))
}

/// The table of `status`, as the server itself gives it.
fn status(lab: &Lab, host: &str) -> String {
    lab.service("gearman", &["status", host])
}

/// The book, less patient with what will not come.
fn hasty(lab: &Lab) -> Program {
    Program::on(lab).with_changes(&[
        ("start-gearman.yaml", "within: 15s", "within: 2s"),
        ("start-gearman.yaml", "timeout: 30s", "timeout: 2s"),
        ("restart-gearman.yaml", "within: 15s", "within: 2s"),
        ("book.yaml", "timeout: 3s", "timeout: 700ms"),
        ("gearman/stop", "tries=100", "tries=3"),
        ("gearman/end", "tries=50", "tries=2"),
    ])
}

/// With the second host's server the C one.
fn with_c(program: &mut Program) {
    program.lay(
        "c.yaml",
        "hosts:\n  dfw-jobs02:\n    vars:\n      gearman_init: /etc/init.d/gearman-job-server\n      \
         gearman_defaults: /etc/default/gearman-job-server\n      gearman_pidfile: /run/gearman/gearmand.pid\n",
    );
}

#[test]
fn what_is_down_is_started_and_what_answers_is_left_alone() {
    let lab = Lab::acquire();
    lab.service("gearman", &["lay", "dfw-jobs01"]);
    lab.service("gearman", &["up", "dfw-jobs02"]);
    let up = pid(&lab, "dfw-jobs02");
    let program = Program::on(&lab);
    program.run(["run", "start-gearman", "--yes"]).exits(0).says("already so: gearmand answers on its port");
    assert_eq!(program.started(), ["start@dfw-jobs01"]);
    assert_eq!(pid(&lab, "dfw-jobs02"), up, "what answers is not touched");
    assert!(lab.service("gearman", &["version", "dfw-jobs01"]).starts_with('v'));

    let both = pids(&lab);
    program.run(["run", "start-gearman", "--yes"]).exits(0);
    assert_eq!(program.started(), [""; 0]);
    assert_eq!(pids(&lab), both);

    // a gearmand that crashes leaves a pidfile beside which Debian's init script does not start
    lab.service("gearman", &["crash", "dfw-jobs01"]);
    program.run(["run", "start-gearman", "--yes"]).exits(0).says("removing /var/run/gearmand.pid");
    assert_eq!(program.started(), ["start@dfw-jobs01"]);
    assert!(!pid(&lab, "dfw-jobs01").is_empty());
    assert_ne!(pid(&lab, "dfw-jobs01"), both[0]);
}

#[test]
fn an_init_script_that_says_it_is_done_is_not_believed() {
    let lab = Lab::acquire();
    let program = hasty(&lab);
    lab.service("gearman", &["lay", "dfw-jobs01", "dfw-jobs02"]);
    // it does nothing, says nothing, and returns 0
    lab.service("gearman", &["disable", "dfw-jobs01"]);
    program
        .run(["run", "start-gearman", "--yes"])
        .exits(1)
        .says("start:enabled does not hold on dfw-jobs01")
        .says("Set `ENABLED=\"true\"`");
    assert_eq!(program.started(), ["start@dfw-jobs02"], "the other one is started all the same");
    assert_eq!(pid(&lab, "dfw-jobs01"), "");
    assert!(!pid(&lab, "dfw-jobs02").is_empty());

    // enabled, on a port where nobody looks for it
    lab.service("gearman", &["lay", "dfw-jobs01"]);
    lab.service("gearman", &["port", "dfw-jobs01", "4730"]);
    program.run(["run", "start-gearman", "--yes"]).exits(1).says("start:enabled does not hold on dfw-jobs01");
    assert_eq!(pid(&lab, "dfw-jobs01"), "");

    // and one that returns 0 for no reason that can be read beforehand
    lab.service("gearman", &["lay", "dfw-jobs01"]);
    lab.service("gearman", &["lie", "dfw-jobs01"]);
    program
        .run(["run", "start-gearman", "--yes"])
        .exits(1)
        .says("gearmand gives its version.")
        .says("connection refused")
        .says("start: exit status 0");
}

#[test]
fn what_holds_the_port_without_an_answer_is_neither_started_over_nor_touched() {
    let lab = Lab::acquire();
    let program = hasty(&lab);
    lab.service("gearman", &["up", "dfw-jobs01"]);
    lab.service("gearman", &["freeze", "dfw-jobs01"]);
    lab.service("gearman", &["lay", "dfw-jobs02"]);
    lab.service("gearman", &["squat", "dfw-jobs02"]);
    let before = [lab.processes("dfw-jobs01"), lab.processes("dfw-jobs02")];
    program
        .run(["run", "start-gearman", "--yes"])
        .exits(1)
        .says("start:port-free does not hold on dfw-jobs{01,02}")
        .says("it hangs: `restart-gearman` ends it")
        .says("squatter")
        .says("Nothing was changed.");
    assert_eq!(program.started(), [""; 0]);
    assert_eq!([lab.processes("dfw-jobs01"), lab.processes("dfw-jobs02")], before);
}

#[test]
fn an_init_script_that_does_not_come_back_is_given_up() {
    let lab = Lab::acquire();
    let program = hasty(&lab);
    lab.service("gearman", &["lay", "dfw-jobs01"]);
    lab.service("gearman", &["up", "dfw-jobs02"]);
    lab.service("gearman", &["hang", "dfw-jobs01"]);
    program.run(["run", "start-gearman", "--yes"]).exits(1).says("its time was up");
    let left = lab.processes("dfw-jobs01");
    assert!(!left.iter().any(|line| line.contains("gearman-server") || line.contains("sleep 600")), "{left:?}");
}

/// Starts a restart, gives each server a new worker once it waits for workers, and gives how it ended.
fn restart_with_new_workers(lab: &Lab, program: &Program, function: &str) -> Ran {
    let child = program
        .command(["run", "restart-gearman", "--yes", "--ack", "jobs-lost"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    for host in HOSTS {
        // the site's workers find their servers again by themselves, after some ten seconds
        let started = format!(r#""step-ended":{{"at":{{"step":"restart/start","host":"{host}"}}"#);
        program.wait_for_journal(&started);
        lab.service("gearman", &["worker", host, function]);
    }
    Ran::of(child.wait_with_output().unwrap())
}

#[test]
fn both_servers_are_restarted_one_after_the_other_whichever_they_are() {
    let lab = Lab::acquire();
    let mut program = Program::on(&lab);
    with_c(&mut program);
    lab.service("gearman", &["up", "dfw-jobs01"]);
    lab.service("gearman", &["c", "dfw-jobs02"]);
    lab.service("gearman", &["worker", "dfw-jobs01", "spellcheck"]);
    lab.service("gearman", &["jobs", "dfw-jobs02", "resolve-extacct", "3"]);
    let before = pids(&lab);

    // what each step would see is a table of its own
    program
        .run(["run", "restart-gearman", "--dry-run"])
        .exits(0)
        .says("restart/closed:\n    host\tversion\tproblem")
        .says("stopping it loses those that are queued");
    // nobody is there to be asked about the jobs
    program.run(["run", "restart-gearman", "--yes"]).exits(4).says("resolve-extacct       3").says("--ack jobs-lost");
    assert_eq!(pids(&lab), before);

    let ran = restart_with_new_workers(&lab, &program, "spellcheck");
    ran.exits(0);
    for (host, before) in HOSTS.iter().zip(&before) {
        assert_ne!(&pid(&lab, host), before, "{host}");
        assert!(!pid(&lab, host).is_empty(), "{host}");
        assert!(!status(&lab, host).contains("resolve-extacct"), "{host}: what was queued is gone, as was said");
    }
    // Debian's script for the Perl server cannot stop it, C's can
    assert_eq!(
        program.started(),
        [
            "restart/stop@dfw-jobs01",
            "restart/end@dfw-jobs01",
            "restart/start@dfw-jobs01",
            "restart/stop@dfw-jobs02",
            "restart/start@dfw-jobs02"
        ]
    );
    ran.says("it stopped when told");
}

#[test]
fn a_server_that_does_not_come_back_stops_the_restart_and_a_resume_does_the_other() {
    let lab = Lab::acquire();
    let program = hasty(&lab);
    lab.service("gearman", &["up", "dfw-jobs01", "dfw-jobs02"]);
    lab.service("gearman", &["lie", "dfw-jobs01"]);
    let before = pids(&lab);
    program
        .run(["run", "restart-gearman", "--yes"])
        .exits(1)
        .says("restart failed on dfw-jobs01, and no failure is allowed")
        .says("untouched: dfw-jobs02");
    assert_eq!(pids(&lab), [String::new(), before[1].clone()], "never both at once");

    lab.service("gearman", &["up", "dfw-jobs01"]);
    let mended = pid(&lab, "dfw-jobs01");
    program.run(["resume", "--yes"]).exits(0);
    assert_eq!(pid(&lab, "dfw-jobs01"), mended, "it is looked at, not restarted again");
    assert_ne!(pid(&lab, "dfw-jobs02"), before[1]);
}

#[test]
fn a_server_that_hangs_is_ended_by_its_pidfile_and_only_if_it_is_a_gearmand() {
    let lab = Lab::acquire();
    let program = hasty(&lab);
    lab.service("gearman", &["up", "dfw-jobs01", "dfw-jobs02"]);
    lab.service("gearman", &["freeze", "dfw-jobs01"]);
    let before = pids(&lab);
    // it is not healthy, so the other one is not taken down beside it
    program
        .run(["run", "restart-gearman", "--yes", "--ack", "jobs-lost"])
        .exits(3)
        .says("not healthy: dfw-jobs01 (`--limit dfw-jobs01` begins with what is not)");
    assert_eq!(pids(&lab), before);

    // the pidfile names another program: that one is not ended
    let other = lab.sh(
        "dfw-jobs01",
        "cp -p /var/run/gearmand.pid /root/kept; perl -e 'sleep 600' gearmand >/dev/null 2>&1 & \
         echo $! > /var/run/gearmand.pid; echo $!",
    );
    let restart = ["run", "restart-gearman", "--yes", "--ack", "jobs-lost", "--limit", "dfw-jobs01"];
    program.run(restart).exits(1).says(&format!("process {} of /var/run/gearmand.pid is no gearmand", other.trim()));
    assert_eq!(pids(&lab), before);
    lab.sh("dfw-jobs01", &format!("kill -0 {}", other.trim()));

    lab.sh("dfw-jobs01", "cat /root/kept > /var/run/gearmand.pid");
    program.run(restart).exits(0).says("did not end by itself");
    assert_ne!(pid(&lab, "dfw-jobs01"), before[0]);
    assert_eq!(pid(&lab, "dfw-jobs02"), before[1], "--limit");

    // with both of them so there is nothing healthy to lose
    for host in HOSTS {
        lab.service("gearman", &["freeze", host]);
    }
    let hung = pids(&lab);
    program.run(["run", "restart-gearman", "--yes", "--ack", "jobs-lost"]).exits(0).says("no loss to the others");
    for (now, then) in pids(&lab).iter().zip(&hung) {
        assert!(!now.is_empty() && now != then, "{now} after {then}");
    }
}

#[test]
fn status_tells_what_waits_for_a_worker_that_is_not_there() {
    let lab = Lab::acquire();
    let program = Program::on(&lab);
    lab.service("gearman", &["up", "dfw-jobs01"]);
    lab.service("gearman", &["c", "dfw-jobs02"]);
    lab.service("gearman", &["worker", "dfw-jobs01", "directory_search", "60"]);
    program.run(["run", "gearman-status"]).exits(0).says("1.130.1").says("directory_search");

    for host in HOSTS {
        lab.service("gearman", &["jobs", host, "directory_search", "3"]);
    }
    // the one worker has taken a job of one server: it is counted as queued there, and does not wait
    let both = || HOSTS.map(|host| status(&lab, host)).concat();
    program.wait_until("a job that runs", || both().contains("directory_search\t3\t1\t1"));
    program.run(["run", "gearman-status", "3"]).exits(0);
    program.run(["run", "gearman-status", "2"]).exits(1).says("No function has more jobs waiting than is normal");

    lab.service("gearman", &["jobs", "dfw-jobs02", "resolve-extacct", "1"]);
    program
        .run(["run", "gearman-status"])
        .exits(1)
        .says("No function has jobs queued and no worker.")
        .says("function \"resolve-extacct\", queued 1, running 0, workers 0");
    assert!(status(&lab, "dfw-jobs02").contains("resolve-extacct\t1\t0\t0"), "looking takes nothing away");

    lab.service("gearman", &["crash", "dfw-jobs01"]);
    program.run(["run", "gearman-status"]).exits(1).says("Every Gearman server answers.").says("connection refused");
}
