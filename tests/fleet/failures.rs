//! What fails, and what becomes of the rest.

use crate::support::{Lab, Program, deed, deeds};

/// A runbook of one step `act` on both jobs hosts.
fn act(lab: &Lab, text: &str, more: &str) -> Program {
    let text = text.replace('\n', "\n      ");
    let book = format!("title: Act\nhosts: jobs\nsteps:\n  - id: act\n    run: |\n      {text}\n{more}");
    Program::on(lab).with_book(&[("act.yaml", &book)])
}

/// What fails on dfw-jobs01 until `/root/mended` is there.
fn broken() -> String {
    format!("{}\ntest $(hostname) != dfw-jobs01 || test -e /root/mended", deed("act"))
}

#[test]
fn a_failed_action_is_not_run_again_unless_the_operator_says_so() {
    let lab = Lab::acquire();
    let program = act(&lab, &broken(), "");
    program.run(["run", "act", "--yes"]).exits(1).says("untouched: dfw-jobs02").says("resume");
    program.run(["resume", "--yes"]).exits(4).says("act@dfw-jobs01").says("--retry");
    assert_eq!(program.started(), ["act@dfw-jobs01"]);
    // it fails again: the second host stays untouched
    program.run(["resume", "--yes", "--retry"]).exits(1);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act", "act"]);
    assert_eq!(deeds(&lab, "dfw-jobs02"), [""; 0]);
    lab.sh("dfw-jobs01", "touch /root/mended");
    program.run(["resume", "--yes", "--retry"]).exits(0);
    assert_eq!(program.started(), ["act@dfw-jobs01", "act@dfw-jobs01", "act@dfw-jobs01", "act@dfw-jobs02"]);
}

#[test]
fn a_failure_within_the_budget_lets_the_others_go_on_and_fails_the_run() {
    let lab = Lab::acquire();
    let program = act(&lab, &broken(), "    rollout: { max_failures: 1 }\n");
    program.run(["run", "act", "--yes"]).exits(1).says("act@dfw-jobs01").says("resume");
    assert_eq!(program.started(), ["act@dfw-jobs01", "act@dfw-jobs02"]);
    assert_eq!(program.events_named("roll-stopped").len(), 0);
    lab.sh("dfw-jobs01", "touch /root/mended");
    program.run(["resume", "--yes", "--retry"]).exits(0);
    assert_eq!(deeds(&lab, "dfw-jobs02"), ["act"]);
}

#[test]
fn the_budget_is_counted_over_the_whole_run_and_across_resumes() {
    let lab = Lab::acquire();
    let text = format!(
        "title: Act\nhosts: va-web[01:04]\nsteps:\n  - id: act\n    run: |\n      {}\n      case $(hostname) in va-web01|va-web03) exit 3;; esac\n    rollout: {{ max_failures: 1 }}\n",
        deed("act")
    );
    let program = Program::on(&lab).with_book(&[("act.yaml", &text)]);
    program
        .run(["run", "act", "--yes"])
        .exits(1)
        .says("act failed on va-web01, va-web03, and 1 failure is allowed")
        .says("untouched: va-web04");
    assert_eq!(program.started(), ["act@va-web01", "act@va-web02", "act@va-web03"]);
    program.run(["resume", "--yes", "--retry"]).exits(1);
    assert_eq!(deeds(&lab, "va-web04"), [""; 0], "the budget is spent still");
    assert_eq!(deeds(&lab, "va-web02"), ["act"]);
}

#[test]
fn a_host_that_is_down_counts_against_the_budget() {
    let lab = Lab::acquire();
    lab.fault("dfw-jobs01", &["kill"]);
    let program = act(&lab, &deed("act"), "");
    program
        .run(["run", "act", "--yes"])
        .exits(1)
        .says("dfw-jobs01")
        .says("Connection refused")
        .says("untouched: dfw-jobs02");
    assert_eq!(deeds(&lab, "dfw-jobs02"), [""; 0]);
    lab.heal("dfw-jobs01");
    // nothing had been sent: it is simply run now
    program.run(["resume", "--yes"]).exits(0);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act"]);
    assert_eq!(deeds(&lab, "dfw-jobs02"), ["act"]);
}

#[test]
fn a_host_that_is_down_is_within_a_budget_of_one() {
    let lab = Lab::acquire();
    lab.fault("dfw-jobs01", &["kill"]);
    let program = act(&lab, &deed("act"), "    rollout: { max_failures: 1 }\n");
    program.run(["run", "act", "--yes"]).exits(1).says("act@dfw-jobs01");
    assert_eq!(deeds(&lab, "dfw-jobs02"), ["act"]);
    lab.heal("dfw-jobs01");
    program.run(["resume", "--yes"]).exits(0);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act"]);
    assert_eq!(deeds(&lab, "dfw-jobs02"), ["act"]);
}

#[test]
fn a_connection_that_breaks_during_a_command_is_made_anew_and_the_run_goes_on() {
    let lab = Lab::acquire();
    let program = act(&lab, &format!("echo before\nsleep 2\n{}\necho behind", deed("act")), "");
    let child = program.start(["run", "act", "--yes"]);
    program.wait_until("the command runs", || lab.processes("dfw-jobs01").iter().any(|line| line.contains("sleep 2")));
    lab.fault("dfw-jobs01", &["cut"]);
    let ran = crate::support::Ran::of(child.wait_with_output().unwrap());
    ran.exits(0).says("the connection was lost").says("connected again");
    assert_eq!(program.started(), ["act@dfw-jobs01", "act@dfw-jobs02"]);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act"]);
    let acted = program.events_named("step-acted");
    assert_eq!(acted[0]["stdout"]["text"], "before\nbehind\n");
    // a fault that takes its time may meet the new connection as well
    assert!(!program.events_named("connection-lost").is_empty());
    assert!(!program.events_named("connection-regained").is_empty());
}

#[test]
fn a_host_that_is_booted_during_a_command_leaves_the_step_in_doubt() {
    let lab = Lab::acquire();
    let program = act(&lab, &format!("sleep 2\n{}", deed("act")), "");
    let child = program.start(["run", "act", "--yes"]);
    program.wait_until("the command runs", || lab.processes("dfw-jobs01").iter().any(|line| line.contains("sleep 2")));
    lab.fault("dfw-jobs01", &["reboot"]);
    let ran = crate::support::Ran::of(child.wait_with_output().unwrap());
    ran.exits(5).says("act@dfw-jobs01 is in doubt").says("booted in the middle of it").says("untouched: dfw-jobs02");
    assert_eq!(deeds(&lab, "dfw-jobs01"), [""; 0]);
    program.run(["resume", "--yes"]).exits(5).says("act@dfw-jobs01");
    assert_eq!(program.started(), ["act@dfw-jobs01"]);
}

#[test]
fn a_host_that_is_gone_during_a_command_is_waited_for_as_long_as_the_step_may_take() {
    let lab = Lab::acquire();
    let program = act(&lab, &format!("sleep 2\n{}", deed("act")), "    timeout: 4s\n");
    let child = program.start(["run", "act", "--yes"]);
    program.wait_until("the command runs", || lab.processes("dfw-jobs01").iter().any(|line| line.contains("sleep 2")));
    lab.fault("dfw-jobs01", &["kill"]);
    let ran = crate::support::Ran::of(child.wait_with_output().unwrap());
    ran.exits(5).says("act@dfw-jobs01 is in doubt").says("could not be asked").says("untouched: dfw-jobs02");
}

#[test]
fn then_continue_goes_on_against_the_budget_and_the_run_has_failed() {
    let lab = Lab::acquire();
    let text = format!(
        "title: Act\nhosts: va-web[01:04]\nsteps:\n  - id: act\n    run: |\n      {}\n      test $(hostname) != va-web01\n    on_failure: {{ then: continue }}\n",
        deed("act")
    );
    let program = Program::on(&lab).with_book(&[("act.yaml", &text)]);
    program.run(["run", "act", "--yes"]).exits(1).says("failed: act@va-web01");
    assert_eq!(program.started(), ["act@va-web01", "act@va-web02", "act@va-web03", "act@va-web04"]);
    let chosen = program.events_named("chosen");
    assert_eq!(chosen.len(), 1, "{chosen:?}");
    assert_eq!(chosen[0]["choice"], "continue");
}

#[test]
fn retry_repeats_a_failed_try_and_no_more_than_it_says() {
    let lab = Lab::acquire();
    let text = format!("{}\ntest $(wc -l < /root/deeds) -ge 3", deed("act"));
    let program = act(&lab, &text, "    retry: { attempts: 3, delay: 100ms }\n");
    program.run(["run", "act", "--yes"]).exits(0);
    for host in ["dfw-jobs01", "dfw-jobs02"] {
        assert_eq!(deeds(&lab, host).len(), 3, "{host}");
    }
    let program = act(&lab, &format!("{}\nexit 3", deed("again")), "    retry: { attempts: 2 }\n");
    program.run(["run", "act", "--yes"]).exits(1).says("exit 3");
    assert_eq!(program.started(), ["act@dfw-jobs01", "act@dfw-jobs01"]);
    assert_eq!(deeds(&lab, "dfw-jobs02").len(), 3, "untouched");
}

#[test]
fn a_timeout_stops_the_whole_process_group_on_the_host() {
    let lab = Lab::acquire();
    let text = format!("sleep 301 &\nsleep 302\n{}", deed("act"));
    let program = act(&lab, &text, "    timeout: 1s\n");
    program.run(["run", "act", "--yes"]).exits(1).says("its time was up");
    let left: Vec<String> = lab.processes("dfw-jobs01").into_iter().filter(|line| line.contains("sleep 30")).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(deeds(&lab, "dfw-jobs01"), [""; 0]);
    assert_eq!(program.events_named("step-acted")[0]["end"], "timed-out");
}

#[test]
fn evidence_is_collected_on_the_host_that_failed() {
    let lab = Lab::acquire();
    let more = "    on_failure:\n      collect:\n        - run: echo evidence of $(hostname)\n        - run: [cat, /nowhere]\n";
    let program = act(&lab, &broken(), more);
    program.run(["run", "act", "--yes"]).exits(1).says("evidence of dfw-jobs01");
    let collected = program.events_named("collected");
    assert_eq!(collected.len(), 2, "a command of it that fails keeps no other from running");
    assert!(collected[1]["output"]["text"].as_str().unwrap().contains("/nowhere"), "its failure is evidence too");
}

#[test]
fn undo_is_never_automatic() {
    let lab = Lab::acquire();
    let program = act(&lab, &broken(), &format!("    undo: {{ run: {} }}\n", deed("undone")));
    program.run(["run", "act", "--yes"]).exits(1);
    program.run(["resume", "--yes", "--retry"]).exits(1);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act", "act"]);
}

#[test]
fn a_precondition_of_a_step_holds_back_its_host() {
    let lab = Lab::acquire();
    let more = "    preconditions:\n      - id: allowed\n        says: The host allows it.\n        run: ls /root\n        expect: not (\"forbidden\" in stdout)\n        override: allowed\n";
    let program = act(&lab, &deed("act"), more);
    lab.sh("dfw-jobs01", "touch /root/forbidden");
    program.run(["run", "act", "--yes"]).exits(1).says("The host allows it").says("untouched: dfw-jobs02");
    assert_eq!(deeds(&lab, "dfw-jobs01"), [""; 0]);
    assert_eq!(program.started(), [""; 0]);
    program.run(["resume", "--yes", "--override", "allowed", "--reason", "I know"]).exits(0);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act"]);
    assert_eq!(deeds(&lab, "dfw-jobs02"), ["act"]);
    assert_eq!(program.events_named("precondition-overridden")[0]["reason"], "I know");
}

#[test]
fn a_failure_inside_a_block_stops_the_rest_of_that_host_and_the_next_hosts() {
    let lab = Lab::acquire();
    let (stop, start) = (deed("stop"), deed("start"));
    let text = format!(
        "title: Bounce\nhosts: jobs\nsteps:\n  - id: bounce\n    steps:\n      - id: stop\n        run: {stop}\n      - id: closed\n        probe: {{ run: ls /root }}\n        expect: not (\"open\" in stdout)\n        within: 300ms\n      - id: start\n        run: {start}\n      - id: verify\n        probe: {{ run: cat /root/deeds }}\n        expect: stdout == \"stop\\nstart\\n\"\n"
    );
    let program = Program::on(&lab).with_book(&[("bounce.yaml", &text)]);
    lab.sh("dfw-jobs01", "touch /root/open");
    program.run(["run", "bounce", "--yes"]).exits(1).says("bounce/closed").says("untouched: dfw-jobs02");
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["stop"]);
    assert_eq!(deeds(&lab, "dfw-jobs02"), [""; 0]);
    lab.sh("dfw-jobs01", "rm /root/open");
    program.run(["resume", "--yes"]).exits(0);
    for host in ["dfw-jobs01", "dfw-jobs02"] {
        assert_eq!(deeds(&lab, host), ["stop", "start"], "one host at a time, nothing twice");
    }
    assert_eq!(
        program.started(),
        ["bounce/stop@dfw-jobs01", "bounce/start@dfw-jobs01", "bounce/stop@dfw-jobs02", "bounce/start@dfw-jobs02"]
    );
}
