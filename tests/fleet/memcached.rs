//! Memcached: one restarted after the other, while the databases can bear it and only when the cache is warm again.

use crate::support::{Lab, Program, Ran};

const HOSTS: [&str; 2] = ["dfw-memc01", "dfw-memc02"];
const RESTART: [&str; 8] =
    ["run", "restart-memcache", "--yes", "--ack", "databases-strained", "threads=3", "dead_time=0s", "sample=300ms"];

fn pids(lab: &Lab) -> [String; 2] {
    HOSTS.map(|host| lab.service("memcached", &["pid", host]).trim().to_owned())
}

/// Both servers, each with a site that reads from it, and a database that has little to do.
fn serving(lab: &Lab) {
    lab.service("memcached", &["up", HOSTS[0], HOSTS[1]]);
    for host in HOSTS {
        lab.service("memcached", &["fill", host, "50"]);
        lab.service("memcached", &["readers", host, "50"]);
    }
    lab.service("mariadb", &["up"]);
}

/// Has the global database run so many threads; the one that asks is among them.
fn database(lab: &Lab, threads: u32) {
    lab.service("mariadb", &["idle"]);
    lab.service("mariadb", &["busy", &(threads - 1).to_string()]);
}

/// The book, less patient with what will not come.
fn hasty(lab: &Lab) -> Program {
    Program::on(lab).with_changes(&[
        ("restart-memcache.yaml", "within: 30s", "within: 2s"),
        ("restart-memcache.yaml", "within: 30m", "within: 500ms"),
    ])
}

/// The restarts that were sent, waits left out.
fn bounced(program: &Program) -> Vec<String> {
    program.started().into_iter().filter(|at| at.starts_with("restart/bounce@")).collect()
}

#[test]
fn one_is_warm_again_before_the_other_is_restarted() {
    let lab = Lab::acquire();
    serving(&lab);
    let program = Program::on(&lab);
    let before = pids(&lab);
    program
        .run(["run", "restart-memcache", "--yes"])
        .exits(4)
        .says("shooting the site in the knee")
        .says("--ack databases-strained");
    assert_eq!(pids(&lab), before);

    program.run(RESTART).exits(0).says("It is another process, and started later.");
    assert_eq!(bounced(&program), ["restart/bounce@dfw-memc01", "restart/bounce@dfw-memc02"]);
    for (pid, before) in pids(&lab).iter().zip(&before) {
        assert!(!pid.is_empty() && pid != before);
    }
    let position = |needle: &str| program.journal().find(needle).unwrap();
    let warm = position(r#""step-ended":{"at":{"step":"restart/warm","host":"dfw-memc01"}"#);
    let next = position(r#""step-started":{"at":{"step":"restart/bounce","host":"dfw-memc02"}"#);
    assert!(warm < next, "the second one waits for the first one's hit rate");
}

#[test]
fn a_busy_database_refuses_the_restart_and_stops_it_halfway() {
    let lab = Lab::acquire();
    serving(&lab);
    let program = Program::on(&lab);
    let before = pids(&lab);
    database(&lab, 4);
    program.run(RESTART).exits(3).says("database-idle").says("running 4").says("Nothing was changed.");
    // what cannot be asked is not taken for idle
    lab.service("mariadb", &["stop"]);
    program.run(RESTART).exits(3).says("database-idle");
    assert_eq!(pids(&lab), before);

    lab.service("mariadb", &["up"]);
    database(&lab, 3);
    let child = program.start(RESTART);
    program.wait_for_journal(r#""step-started":{"at":{"step":"restart/bounce","host":"dfw-memc01"}"#);
    database(&lab, 6);
    Ran::of(child.wait_with_output().unwrap())
        .exits(1)
        .says("database-idle no longer holds")
        .says("running 6")
        .says("untouched: dfw-memc02");
    assert_ne!(pids(&lab)[0], before[0]);
    assert_eq!(pids(&lab)[1], before[1]);

    program.run(["resume", "--yes", "--override", "database-idle", "--reason", "memcached is the trouble"]).exits(0);
    assert_ne!(pids(&lab)[1], before[1]);
}

#[test]
fn a_restart_that_restarted_nothing_is_found_out_and_one_that_ended_it_too() {
    let lab = Lab::acquire();
    serving(&lab);
    let program = hasty(&lab);
    let before = pids(&lab);
    lab.service("memcached", &["lie", "dfw-memc01"]);
    program.run(RESTART).exits(1).says("It is another process, and started later.").says("untouched: dfw-memc02");
    assert_eq!(pids(&lab), before);

    lab.service("memcached", &["up", "dfw-memc01"]);
    lab.service("memcached", &["break", "dfw-memc01"]);
    program.run(RESTART).exits(1).says("Connection refused").says("untouched: dfw-memc02");
    assert_eq!(pids(&lab), [String::new(), before[1].clone()], "never both at once");
}

#[test]
fn a_cache_that_stays_cold_keeps_the_other_one_from_being_restarted() {
    let lab = Lab::acquire();
    lab.service("memcached", &["up", HOSTS[0], HOSTS[1]]);
    lab.service("mariadb", &["up"]);
    lab.service("memcached", &["fill", "dfw-memc01", "50"]);
    lab.service("memcached", &["strangers", "dfw-memc01", "50"]);
    let program = hasty(&lab);
    let before = pids(&lab);
    program.run(RESTART).exits(1).says("percent 0").says("untouched: dfw-memc02");
    assert_ne!(pids(&lab)[0], before[0]);
    assert_eq!(pids(&lab)[1], before[1]);

    // four fifths of what it was are enough; nobody reads from the other one, so there is nothing to wait for
    lab.service("memcached", &["fill", "dfw-memc01", "45"]);
    program.run(["resume", "--yes"]).exits(0);
    assert_eq!(bounced(&program), ["restart/bounce@dfw-memc01", "restart/bounce@dfw-memc02"]);
    assert_ne!(pids(&lab)[1], before[1]);
}

#[test]
fn while_one_is_down_or_hangs_the_other_is_not_touched() {
    let lab = Lab::acquire();
    serving(&lab);
    let program = Program::on(&lab);
    program.run(["run", "memcache-stats", "1s"]).exits(0).says("1.6.18").says("100");
    lab.sh("dfw-memc02", "kill $(ps axww -o pid=,args= | awk '/readers of [m]emcached/ { print $1 }')");
    // counters that are set back between two looks give no hit rate
    let child = program.start(["run", "memcache-stats", "2s"]);
    program.wait_for_journal(r#""observed":{"at":{"step":"servers","host":"dfw-memc02"}"#);
    let looked_at = || lab.service("memcached", &["stats", "dfw-memc02"]).contains("STAT curr_connections 2\r\n");
    program.wait_until("a first look", looked_at);
    lab.service("memcached", &["recount", "dfw-memc02"]);
    Ran::of(child.wait_with_output().unwrap()).exits(1).says("its counters were set back between two looks");
    lab.service("memcached", &["crash", "dfw-memc01"]);
    let before = pids(&lab);
    program.run(RESTART).exits(3).says("both-answer").says("Connection refused").says("Mend that one first");
    program.run(["run", "memcache-stats", "1s"]).exits(1).says("Connection refused");
    lab.service("memcached", &["freeze", "dfw-memc02"]);
    program.run(RESTART).exits(3).says("it takes connections and does not answer");
    assert_eq!(pids(&lab), before);
    assert_eq!(bounced(&program), [""; 0]);

    // neither flushed nor reset by being looked at
    lab.service("memcached", &["thaw", "dfw-memc02"]);
    let stats = lab.service("memcached", &["stats", "dfw-memc02"]);
    assert!(stats.contains("STAT curr_items 50\r\n") && stats.contains("STAT cmd_flush 0\r\n"), "{stats}");
}
