//! What is left on the hosts of runs that did not end well, and collecting it.

use serde_json::Value;

use crate::support::{Lab, Program, Ran, signal};

/// Waits on both jobs hosts, until `/root/go` is there.
const ACT: &str = "
title: Act
hosts: jobs
steps:
  - id: act
    rollout: { batch: all, max_failures: 2 }
    run: |
      printf 'out\\033]0;owned\\007\\n'
      echo err >&2
      until test -e /root/go; do sleep 0.05; done
      exit 3
";

const HOSTS: [&str; 2] = ["dfw-jobs01", "dfw-jobs02"];

fn program(lab: &Lab, act: &str) -> Program {
    Program::on(lab).with_book(&[("act.yaml", act)])
}

/// Everything of runs below a home.
fn left(lab: &Lab, host: &str, home: &str) -> String {
    lab.sh(host, &format!("cd {home}/.local/state/runbook 2>/dev/null && find . -type f | sort || true"))
}

/// Starts the run and kills its program once the command runs everywhere.
fn killed(program: &Program, lab: &Lab, hosts: &[&str], home: &str) -> String {
    let mut child = program.start(["run", "act", "--yes"]);
    program.wait_until("the command runs everywhere", || {
        hosts.iter().all(|host| left(lab, host, home).contains("act.1.out") && program.started().len() == hosts.len())
            && hosts.iter().all(|host| lab.sh(host, &format!("cat {home}/.local/state/runbook/*/act.1.err")) == "err\n")
    });
    signal(&child, "KILL");
    child.wait().unwrap();
    program.newest_id()
}

fn let_go(program: &Program, lab: &Lab, hosts: &[&str]) {
    for host in hosts {
        lab.sh(host, "touch /root/go");
    }
    program.wait_until("the command ended", || {
        hosts.iter().all(|host| !lab.processes(host).iter().any(|line| line.contains("sleep 0.05")))
    });
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// `HOST USER STATE STATUS KNOWN` of every receipt.
fn receipts(program: &Program, run: &str, code: i32) -> Vec<String> {
    let ran = program.run(["audit", "collect", run, "--format", "json"]);
    let document = json(ran.exits(code));
    let line = |left: &Value| {
        let text = |key: &str| left[key].as_str().unwrap().to_owned();
        format!("{} {} {} {} {}", text("host"), text("account"), text("state"), left["status"], left["known"])
    };
    document["receipts"].as_array().unwrap().iter().map(line).collect()
}

#[test]
fn what_a_killed_and_abandoned_run_left_is_shown_and_removed() {
    let lab = Lab::acquire();
    let program = program(&lab, ACT);
    let run = killed(&program, &lab, &HOSTS, "/root");

    program.run(["audit", "collect", &run]).exits(0).says("act@dfw-jobs01").says("running since 20");
    program.run(["audit", "collect", "--hosts", "jobs"]).exits(0).says(&run).says("here");
    program.run(["audit", "collect", &run, "--remove"]).exits(2).says("still be resumed").says("still runs");
    // what it wrote so far: nothing that a terminal would obey, but for programs as it is
    let shown = program.run(["audit", "collect", &run, "--output", "act@dfw-jobs01"]);
    assert_eq!(shown.exits(0).stdout, "out\\x1b]0;owned\\x07\n");
    assert_eq!(shown.stderr, "err\n");
    let exact = program.run(["audit", "collect", &run, "--output", "act@dfw-jobs01", "--format", "json"]);
    assert_eq!(json(&exact)["stdout"], "out\u{1b}]0;owned\u{7}\n");
    program.run(["audit", "collect", &run, "--output", "other@dfw-jobs01"]).exits(1).says("no receipt");

    let_go(&program, &lab, &HOSTS[..1]);
    let halfway = receipts(&program, &run, 0);
    assert_eq!(halfway, ["dfw-jobs01 root finished 3 false", "dfw-jobs02 root running null false"]);
    program.run(["abandon", &run, "--reason", "test"]).exits(0).says(&format!("audit collect {run} --remove"));
    // it removes what has ended and leaves what runs
    program
        .run(["audit", "collect", &run, "--remove"])
        .exits(1)
        .says("removed from dfw-jobs01")
        .says("still runs there");
    assert_eq!(left(&lab, "dfw-jobs01", "/root"), "");
    assert!(left(&lab, "dfw-jobs02", "/root").contains("act.1.start"));
    let_go(&program, &lab, &HOSTS[1..]);
    program
        .run(["audit", "collect", &run, "--remove"])
        .exits(0)
        .says("finished with 3")
        .says("removed from dfw-jobs02");
    assert_eq!(left(&lab, "dfw-jobs02", "/root"), "");
    program.run(["audit", "collect", &run]).exits(0).says("nothing is left on the 2 hosts");
    program.run(["audit", "verify"]).exits(0);
}

#[test]
fn what_a_resume_needs_is_not_removed_and_what_its_journal_has_is() {
    let lab = Lab::acquire();
    let program = program(&lab, ACT);
    let run = killed(&program, &lab, &HOSTS, "/root");
    let_go(&program, &lab, &HOSTS);
    let refused = program.run(["audit", "collect", &run, "--remove"]);
    refused.exits(2).says("an outcome that its journal lacks").says("runbook resume");
    assert!(left(&lab, "dfw-jobs01", "/root").contains("act.1.exit"));
    program.run(["resume", "--yes"]).exits(1);
    let known = receipts(&program, &run, 0);
    assert_eq!(known, ["dfw-jobs01 root finished 3 true", "dfw-jobs02 root finished 3 true"]);
    program.run(["audit", "collect", &run, "--remove"]).exits(0);
    assert_eq!(left(&lab, "dfw-jobs01", "/root"), "");
    // and it can still be resumed: nothing is done twice
    program.run(["resume", "--yes"]).exits(1);
    assert_eq!(program.started().len(), 2);
}

#[test]
fn what_is_left_of_another_user_on_a_host_that_was_down_or_by_another_admin_host() {
    let lab = Lab::acquire();
    let act =
        ACT.replace("    run: |\n", "    sudo: true\n    run: |\n").replace("hosts: jobs", "hosts: va-web01:va-web02");
    let hosts = ["va-web01", "va-web02"];
    let mut ours = program(&lab, &act);
    ours.lay("ops.yaml", "hosts:\n  va-web01: { user: ops }\n  va-web02: { user: ops }\n");
    let run = killed(&ours, &lab, &hosts, "/root");
    let_go(&ours, &lab, &hosts);
    ours.run(["abandon", &run, "--reason", "test"]).exits(0);

    // whoever has no journal of it does not know of the user; a host's own sudo user, or the one that is named, is asked
    let mut theirs = program(&lab, &act);
    theirs.lay("ops.yaml", "hosts:\n  va-web01: { user: ops }\n  va-web02: { user: ops }\n");
    theirs.run(["audit", "collect", "--hosts", "va-web01"]).exits(0).says("nothing is left on the 1 host");
    let found = theirs.run(["audit", "collect", "--hosts", "va-web01", "--sudo", "root", "--format", "json"]);
    let folder = &json(found.exits(0))["folders"][0];
    let told =
        (folder["run"].as_str(), folder["account"].as_str(), folder["receipts"].as_u64(), folder["known"].as_bool());
    assert_eq!(told, (Some(run.as_str()), Some("root"), Some(1), Some(false)));

    lab.fault("va-web02", &["sshd-down"]);
    lab.fault("va-web02", &["cut"]);
    let some = ours.run(["audit", "collect", &run, "--remove"]);
    some.exits(1)
        .says("not known: va-web02: unreachable")
        .says("act@va-web01")
        .says("removed from va-web01 (sudo root)");
    assert_eq!(left(&lab, "va-web01", "/root"), "");
    lab.heal("va-web02");
    assert_eq!(receipts(&ours, &run, 0), ["va-web02 root finished 3 false"]);
    ours.run(["audit", "collect", &run, "--remove"]).exits(0).says("removed from va-web02 (sudo root)");
    assert_eq!(left(&lab, "va-web02", "/root"), "");
}
