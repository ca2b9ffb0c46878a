//! Host locks: two admin hosts (two state folders), the same hosts.

use std::process::Child;
use std::time::{Duration, Instant};

use crate::support::{Lab, Program, Ran, deed, deeds, signal};

/// `act` on the jobs hosts, one after the other.
fn book(act: &str) -> String {
    format!("title: Act\nhosts: jobs\nsteps:\n  - id: act\n    run: |\n      {}\n", act.replace('\n', "\n      "))
}

fn program(lab: &Lab, operator: &str, act: &str) -> Program {
    Program::on(lab).with_book(&[("act.yaml", &book(act))]).env("RUNBOOK_OPERATOR", operator)
}

fn ended(child: Child) -> Ran {
    Ran::of(child.wait_with_output().unwrap())
}

fn sleeps(lab: &Lab, host: &str, seconds: u32) -> bool {
    lab.processes(host).iter().any(|line| line.contains(&format!("sleep {seconds}")))
}

/// Ends every `sleep` of this length on a host.
fn wake(lab: &Lab, host: &str, seconds: u32) {
    lab.sh(host, &format!("pkill -f '^sleep {seconds}$' || true"));
}

#[test]
fn of_two_runs_one_goes_on_and_the_other_is_told_who_and_since_when() {
    let lab = Lab::acquire();
    let anna = program(&lab, "anna", &format!("sleep 331 || true\n{}", deed("anna")));
    let bob = program(&lab, "bob", &deed("bob"));
    let running = anna.start(["run", "act", "--yes"]);
    anna.wait_until("the command runs", || sleeps(&lab, "dfw-jobs01", 331));
    let run = anna.newest_id();
    let refused = bob.run(["run", "act", "--yes"]);
    refused.exits(6).says("the lock of dfw-jobs01 is held by anna on ").says(&run).says("since 20");
    assert_eq!(deeds(&lab, "dfw-jobs01"), [""; 0]);
    assert_eq!(deeds(&lab, "dfw-jobs02"), [""; 0]);
    assert_eq!(bob.started(), [""; 0]);
    // only looking needs no lock, and it is shown who has it
    bob.run(["run", "act", "--dry-run"]).exits(0);
    bob.run(["locks", "jobs"]).exits(0).says(&run).says("anna").says("act").says("runs");
    // a refusal took nothing: one that overlaps in another host goes on, the held host excepted
    bob.run(["run", "act", "--yes", "--limit", "dfw-jobs02"]).exits(6).says("dfw-jobs02");
    // whoever waits gets it when the other is done
    let waiting = bob.start(["run", "act", "--yes", "--wait-lock", "1m"]);
    bob.wait_for_journal("lock-refused");
    for host in ["dfw-jobs01", "dfw-jobs02"] {
        anna.wait_until("the command runs", || sleeps(&lab, host, 331));
        assert_eq!(bob.started(), [""; 0]);
        wake(&lab, host, 331);
    }
    ended(running).exits(0);
    ended(waiting).exits(0);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["anna", "bob"]);
    assert_eq!(deeds(&lab, "dfw-jobs02"), ["anna", "bob"]);
    bob.run(["locks"]).exits(0).says("no lock is held");
}

#[test]
fn a_dead_programs_lock_ends_by_itself_but_not_while_its_command_runs() {
    let lab = Lab::acquire();
    let anna = program(&lab, "anna", &format!("sleep 332\n{}", deed("anna")));
    let bob = program(&lab, "bob", &deed("bob"));
    let mut running = anna.start(["run", "act", "--yes", "--limit", "dfw-jobs01"]);
    anna.wait_until("the command runs", || sleeps(&lab, "dfw-jobs01", 332));
    signal(&running, "KILL");
    running.wait().unwrap();
    let died = Instant::now();
    bob.run(["run", "act", "--yes", "--limit", "dfw-jobs01"]).exits(6).says("anna");
    std::thread::sleep(Duration::from_secs(63).saturating_sub(died.elapsed()));
    let refused = bob.run(["run", "act", "--yes", "--limit", "dfw-jobs01"]);
    refused.exits(6).says("anna").says("a command of it runs there");
    wake(&lab, "dfw-jobs01", 332);
    bob.wait_until("the command ended", || !sleeps(&lab, "dfw-jobs01", 332));
    bob.run(["run", "act", "--yes", "--limit", "dfw-jobs01"]).exits(0);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["bob"]);
}

#[test]
fn a_program_that_wakes_without_its_lock_does_not_act() {
    let lab = Lab::acquire();
    let text =
        "title: Act\nhosts: jobs\nsteps:\n  - id: act\n    run: echo anna >> /root/deeds\n    rollout: { pause: 5s }\n";
    let anna = Program::on(&lab).with_book(&[("act.yaml", text)]).env("RUNBOOK_OPERATOR", "anna");
    let bob = program(&lab, "bob", &deed("bob"));
    let running = anna.start(["run", "act", "--yes"]);
    anna.wait_for_journal("pause-started");
    signal(&running, "STOP");
    let run = anna.newest_id();
    bob.run(["locks", "break", "dfw-jobs02", "--reason", "anna is away"]).exits(4).says("--yes");
    bob.run(["locks", "break", "dfw-jobs02", "--reason", "anna is away", "--yes"]).exits(0).says(&run);
    bob.run(["run", "act", "--yes", "--limit", "dfw-jobs02"]).exits(0);
    assert_eq!(deeds(&lab, "dfw-jobs02"), ["bob"]);
    // she wakes when more time has passed than a renewal would have waited
    std::thread::sleep(Duration::from_secs(6));
    signal(&running, "CONT");
    ended(running).exits(6).says("the lock of dfw-jobs02 is lost");
    assert_eq!(deeds(&lab, "dfw-jobs02"), ["bob"]);
    // the one who broke it finds it in the audit, and so does the host
    bob.run(["audit", "list"]).exits(0).says("(locks break)");
    let breaking = bob.run(["audit", "list", "--runbook", "(locks break)", "--format", "json"]);
    let id =
        serde_json::from_str::<serde_json::Value>(&breaking.stdout).unwrap()[0]["run"].as_str().unwrap().to_owned();
    bob.run(["audit", "show", &id]).exits(0).says("anna is away").says("dfw-jobs02").says(&run);
    bob.run(["audit", "verify", "--all"]).exits(0);
    let log = lab.sh("dfw-jobs02", "cat /var/log/syslog");
    assert!(log.contains("anna is away") && log.contains(&run), "{log}");
}

#[test]
fn users_exclude_each_other() {
    let lab = Lab::acquire();
    let anna = program(&lab, "anna", "sleep 333");
    let mut bob = program(&lab, "bob", &deed("bob"));
    bob.lay("ops.yaml", "hosts:\n  dfw-jobs01: { user: ops, sudo: true }\n  dfw-jobs02: { user: ops, sudo: true }\n");
    let running = anna.start(["run", "act", "--yes", "--limit", "dfw-jobs01"]);
    anna.wait_until("the command runs", || sleeps(&lab, "dfw-jobs01", 333));
    bob.run(["run", "act", "--yes", "--limit", "dfw-jobs01"]).exits(6).says("anna");
    wake(&lab, "dfw-jobs01", 333);
    ended(running).exits(1);
    bob.run(["run", "act", "--yes", "--limit", "dfw-jobs01"]).exits(0);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["bob"]);
    // and the other way round: what ops wrote there is respected by root, and can be broken by it
    let mut carl = program(&lab, "carl", "sleep 334");
    carl.lay("ops.yaml", "hosts:\n  dfw-jobs01: { user: ops, sudo: true }\n");
    let running = carl.start(["run", "act", "--yes", "--limit", "dfw-jobs01"]);
    carl.wait_until("the command runs", || sleeps(&lab, "dfw-jobs01", 334));
    anna.run(["run", "act", "--yes", "--limit", "dfw-jobs01"]).exits(6).says("carl");
    anna.run(["locks", "break", "dfw-jobs01", "--reason", "x", "--yes"]).exits(0).says("carl");
    wake(&lab, "dfw-jobs01", 334);
    ended(running);
    anna.run(["locks"]).exits(0).says("no lock is held");
}
