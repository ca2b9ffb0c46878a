//! The way to a host breaks between an action's sending and its end being told: whatever broke and wherever, the action
//! takes effect once, and no more is left to a person than to type `resume`.

use std::thread;
use std::time::Duration;

use crate::support::tale::DEEDS;
use crate::support::{Lab, Program, Ran};

/// Where an action is when it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    /// Its intent is written, and it is on its way: nothing of it ran yet, and what was sent may still begin.
    Sent,
    /// It runs.
    Running,
    /// It ended, its receipt is written, and its end is not told.
    Untold,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The connection breaks; the host can be reached again at once.
    Cut,
    /// sshd is gone with all its connections, and comes back before anyone goes on.
    Down,
    /// Every process of the host stops for ten seconds.
    Frozen,
}

/// Each combination on a host of its own, so that all of them happen at once.
const SPOTS: [(Point, Fault, &str); 9] = [
    (Point::Sent, Fault::Cut, "dfw-admin01"),
    (Point::Sent, Fault::Down, "dfw-jobs01"),
    (Point::Sent, Fault::Frozen, "dfw-jobs02"),
    (Point::Running, Fault::Cut, "dfw-mail01"),
    (Point::Running, Fault::Down, "va-admin01"),
    (Point::Running, Fault::Frozen, "va-web01"),
    (Point::Untold, Fault::Cut, "va-web02"),
    (Point::Untold, Fault::Down, "va-web03"),
    (Point::Untold, Fault::Frozen, "va-web04"),
];

/// An action that says when it runs and ends when it is let go; a minute is more than anything here takes.
const ACT: &str = "
title: Act
hosts: HOST
steps:
  - id: act
    run: |
      touch /root/running
      until test -e /root/go; do sleep 0.05; done
      echo act >> DEEDS
    timeout: 1m
    capture: { word: '\"seen\"' }
  - id: then
    run: echo then ${{ steps.act.captured.word }} >> DEEDS
";

/// Most often that a person types `resume`.
const RESUMES: usize = 3;

/// Breaks the way to a host and gives what is wrong then, if anything.
fn broken(lab: &Lab, point: Point, fault: Fault, host: &str) -> Option<String> {
    let program = Program::on(lab).with_book(&[("act.yaml", &ACT.replace("HOST", host).replace("DEEDS", DEEDS))]);
    if point == Point::Sent {
        lab.fault(host, &["slow", "2"]);
    }
    let child = program.start(["run", "act", "--yes"]);
    program.wait_for_journal("step-started");
    let receipt = |end: &str| format!("/root/.local/state/runbook/{}/act.1.{end}", program.newest_id());
    if point != Point::Sent {
        program.wait_until("the command runs", || there(lab, host, "running"));
    }
    if point == Point::Untold {
        // what would carry the end stands still; the command does not
        lab.sh(host, "pkill -STOP -f '^sshd.*(@notty|\\[priv\\])|^sshd-session'");
        lab.sh(host, "touch /root/go");
        program.wait_until("the end is written on the host", || ended(lab, host, &receipt("exit")));
        thread::sleep(Duration::from_millis(300));
    }
    // it is where it is said to be
    assert_eq!(there(lab, host, &receipt("start")), point != Point::Sent);
    assert_eq!(ended(lab, host, &receipt("exit")), point == Point::Untold);
    assert_eq!(program.events_named("step-acted").len(), 0);
    match fault {
        Fault::Cut => lab.fault(host, &["cut"]),
        Fault::Down => {
            lab.fault(host, &["sshd-down"]);
            lab.fault(host, &["cut"]);
        }
        Fault::Frozen => lab.fault(host, &["freeze"]),
    }
    let ran = thread::scope(|scope| {
        // the host comes back, and what runs there ends, while somebody waits for it or after
        scope.spawn(|| {
            match fault {
                Fault::Cut => {}
                Fault::Down => {
                    thread::sleep(Duration::from_secs(1));
                    lab.fault(host, &["sshd-up"]);
                }
                Fault::Frozen => {
                    thread::sleep(Duration::from_secs(10));
                    lab.fault(host, &["thaw"]);
                }
            }
            if point == Point::Sent {
                lab.fault(host, &["fast"]);
            }
            thread::sleep(Duration::from_secs(1));
            lab.sh(host, "touch /root/go");
        });
        let mut ran = Ran::of(child.wait_with_output().unwrap());
        for _ in 0..RESUMES {
            if ran.code == 0 {
                break;
            }
            if fault == Fault::Down {
                program.wait_until("sshd is back", || !lab.sh(host, "pgrep -o -x sshd || true").is_empty());
            }
            ran = program.run(["resume", "--yes"]);
        }
        ran
    });
    // what was on its way when the way broke may begin this late
    if point == Point::Sent {
        thread::sleep(Duration::from_secs(3));
    }
    let deeds = lab.sh(host, &format!("cat /root/deeds.{} 2>/dev/null || true", program.newest_id()));
    let mut wrong = Vec::new();
    if deeds != "act\nthen seen\n" {
        wrong.push(format!("deeds: {deeds:?}"));
    }
    if ran.code != 0 {
        let said = ran.stderr.lines().find(|line| line.contains("doubt") || line.contains("failed")).unwrap_or("");
        wrong.push(format!("exit {}: {}", ran.code, said.trim()));
    }
    (!wrong.is_empty()).then(|| format!("{point:?} and {fault:?}: {}", wrong.join("; ")))
}

/// Whether an end is written in this file, which is there from the start.
fn ended(lab: &Lab, host: &str, file: &str) -> bool {
    lab.try_sh(host, &format!("grep -q ' [.]' {file}")).status.success()
}

fn there(lab: &Lab, host: &str, file: &str) -> bool {
    lab.try_sh(host, &format!("cd /root && test -e {file}")).status.success()
}

#[test]
fn a_way_that_breaks_anywhere_between_sending_and_telling_does_not_show() {
    let lab = Lab::acquire();
    let wrong: Vec<String> = thread::scope(|scope| {
        let lab = &lab;
        let spots: Vec<_> =
            SPOTS.iter().map(|(point, fault, host)| scope.spawn(move || broken(lab, *point, *fault, host))).collect();
        spots.into_iter().filter_map(|spot| spot.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{} of {} show:\n{}", wrong.len(), SPOTS.len(), wrong.join("\n"));
}
