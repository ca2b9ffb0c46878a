//! What runs leave in the syslogs of their hosts, and what it shows of a journal later.

use std::collections::BTreeMap;
use std::path::Path;

use runbook::audit::against_hosts::{Contradiction, Facts, HostFinding, MissingRun, compare, missing};
use runbook::event::Event;
use runbook::journal::{Replay, Store};
use runbook::source::InventorySource;
use runbook::transport::{Fleet, Inspect as _, Settings};
use runbook::vocab::{Digest, HostName, RunId, Stamp, StampsSeen};

use crate::support::{Crash, Lab, Program};

const HOSTS: [&str; 2] = ["dfw-jobs01", "dfw-jobs02"];

/// One host after the other; a host that fails is the last.
const ACT: &str = "
title: Act
hosts: jobs
steps:
  - id: act
    run: test -e /root/ok
";

/// The stamps in the host's own file, whichever run left them, once there are so many.
fn stamps(program: &Program, lab: &Lab, host: &str, count: usize) -> Vec<Stamp> {
    let read = || -> Vec<Stamp> { lab.sh(host, "cat /var/log/syslog").lines().filter_map(Stamp::parse).collect() };
    program.wait_until(&format!("{count} stamps on {host}"), || read().len() >= count);
    let stamps = read();
    assert_eq!(stamps.len(), count, "{stamps:?}");
    stamps
}

/// Asks a host as the program would, by the lab's inventory and one over it.
fn ask(lab: &Lab, over: Option<&Path>, host: &str, run: Option<&RunId>) -> Result<StampsSeen, String> {
    let files: Vec<_> = std::iter::once(lab.inventory()).chain(over).map(Path::to_owned).collect();
    let target = InventorySource::read(&files).unwrap().inventory.target(&HostName::new(host)).unwrap();
    let control = tempfile::tempdir().unwrap();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let fleet = Fleet::new(Settings::new(control.path()));
        let seen = fleet.stamps(&target, run).await;
        fleet.close().await;
        seen.map_err(|fault| fault.why())
    })
}

/// The newest run, as its journal has it.
fn journal(program: &Program) -> Replay {
    Store::open_existing(&program.state()).unwrap().read(&program.newest_id().parse().unwrap()).unwrap()
}

/// What a host's log says of a journal.
fn finding(lab: &Lab, replay: &Replay, host: &str) -> HostFinding {
    let ends = |event: &Event| matches!(event, Event::Stopped { .. } | Event::Ended { .. });
    let ended_at = replay.records.iter().rfind(|record| ends(&record.event)).map(|record| record.seq);
    let digest_of = |number: u64| -> Option<Digest> {
        replay.records.iter().find(|record| record.seq == number).map(|record| record.digest.clone())
    };
    let facts = Facts::of(&replay.state, replay.records.len() as u64, ended_at, &digest_of);
    let seen = BTreeMap::from([(HostName::new(host), ask(lab, None, host, Some(facts.run)))]);
    compare(&facts, &seen).remove(host).unwrap()
}

fn head(replay: &Replay) -> (u64, Digest) {
    let last = replay.records.last().unwrap();
    (last.seq, last.digest.clone())
}

#[test]
fn the_end_of_each_stretch_stands_in_the_logs_of_the_hosts_that_it_changed() {
    let lab = Lab::acquire();
    let program = Program::on(&lab).with_book(&[("act.yaml", ACT)]);
    program.run(["run", "act", "--dry-run"]).exits(0);
    program.run(["run", "act", "--yes"]).exits(1);
    let first = stamps(&program, &lab, HOSTS[0], 1).remove(0);
    assert_eq!((first.records, first.head.clone()), head(&journal(&program)));
    let told = [&first.runbook, &first.operator, &first.step, &first.outcome].map(String::as_str);
    assert_eq!(told, ["act", "tester", "act", "failed"]);
    assert_eq!(
        finding(&lab, &journal(&program), HOSTS[0]),
        HostFinding::Agrees { records: first.records, whole: true }
    );
    // nothing was sent there; the dry run left nothing either
    for host in [HOSTS[1], "dfw-mail01"] {
        assert_eq!(stamps(&program, &lab, host, 0), []);
    }

    for host in HOSTS {
        lab.sh(host, "touch /root/ok");
    }
    program.run(["resume", "--retry", "--yes"]).exits(0);
    let whole = journal(&program);
    let (records, digest) = head(&whole);
    let again = Stamp { records, head: digest, outcome: "ok".to_owned(), ..first.clone() };
    assert_eq!(stamps(&program, &lab, HOSTS[0], 2), [first, again.clone()]);
    assert_eq!(stamps(&program, &lab, HOSTS[1], 1), std::slice::from_ref(&again));
    for host in HOSTS {
        assert_eq!(finding(&lab, &whole, host), HostFinding::Agrees { records, whole: true });
    }

    // cut at a record, which no chain shows; and written anew, with a chain that holds
    let mut cut = whole.clone();
    cut.records.pop();
    let how = Contradiction::Cut { records: records - 1 };
    assert_eq!(finding(&lab, &cut, HOSTS[1]), HostFinding::Contradicts { stamp: Box::new(again.clone()), how });
    let mut other = whole;
    other.records.last_mut().unwrap().digest = Digest::of(b"another");
    let how = Contradiction::Differs;
    assert_eq!(finding(&lab, &other, HOSTS[1]), HostFinding::Contradicts { stamp: Box::new(again.clone()), how });
    // and deleted
    let seen = HOSTS.map(|host| (HostName::new(host), ask(&lab, None, host, None))).into();
    let gone = missing(&again.admin_host, |_| false, &seen);
    let [MissingRun { run, hosts, .. }] = gone.as_slice() else { panic!("{gone:?}") };
    assert_eq!((run, hosts.len()), (&again.run, 2));
}

#[test]
fn a_host_without_a_syslog_is_changed_all_the_same() {
    let lab = Lab::acquire();
    let program = Program::on(&lab).with_book(&[("act.yaml", &ACT.replace("test -e /root/ok", "'true'"))]);
    lab.fault(HOSTS[0], &["log-down"]);
    let ran = program.run(["run", "act", "--yes", "-v"]);
    ran.exits(0).says("no /dev/log").says("its syslog has no stamp of this run");
    stamps(&program, &lab, HOSTS[1], 1);
    assert_eq!(stamps(&program, &lab, HOSTS[0], 0), []);
    assert_eq!(finding(&lab, &journal(&program), HOSTS[0]), HostFinding::NoStamp { reaches_back: false });
    program
        .run(["run", "act", "--yes"])
        .exits(0)
        .says("not in the log of dfw-jobs01 (nothing there takes lines for a log: there is no /dev/log)");
}

#[test]
fn a_program_that_dies_before_it_leaves_none_and_its_resume_does() {
    let lab = Lab::acquire();
    let act = ACT.replace("test -e /root/ok", "'true'");
    let undisturbed = Program::on(&lab).with_book(&[("act.yaml", &act)]);
    undisturbed.run(["run", "act", "--yes"]).exits(0);
    let (records, _) = head(&journal(&undisturbed));
    let first = stamps(&undisturbed, &lab, HOSTS[1], 1).remove(0);

    let last = usize::try_from(records).unwrap();
    let program = Program::on(&lab).with_book(&[("act.yaml", &act)]);
    program.crash(Crash::Before(last), ["run", "act", "--yes"]).exits(128 + 9);
    assert_eq!(finding(&lab, &journal(&program), HOSTS[1]), HostFinding::NoneDue);
    program.run(["resume", "--yes"]).exits(0);
    let (records, digest) = head(&journal(&program));
    let resumed = stamps(&program, &lab, HOSTS[1], 2).remove(1);
    assert_eq!((resumed.records, resumed.head), (records, digest));

    // behind the last record: the run is over, and its stamps are not there
    let program = Program::on(&lab).with_book(&[("act.yaml", &act)]);
    program.crash(Crash::After(last), ["run", "act", "--yes"]).exits(128 + 9);
    let replay = journal(&program);
    let reaches_back = first.run < replay.state.opened.run;
    assert_eq!(finding(&lab, &replay, HOSTS[1]), HostFinding::NoStamp { reaches_back });
}

#[test]
fn rotated_logs_of_a_real_rsyslogd_tell_and_whoever_may_not_read_them_is_told() {
    let lab = Lab::acquire();
    let host = "va-web01";
    lab.service("rsyslog", &["up", host]);
    let act = "title: Act\nhosts: va-web01\nsteps:\n  - { id: act, sudo: true, run: id -u }\n";
    let mut program = Program::on(&lab).with_book(&[("act.yaml", act)]);
    program.lay("ops.yaml", "hosts: { va-web01: { user: ops } }\n");
    let mut runs = Vec::new();
    for _ in 0..3 {
        program.run(["run", "act", "--yes"]).exits(0);
        program.wait_until("its stamp", || lab.sh(host, "cat /var/log/syslog").contains(&program.newest_id()));
        runs.push(program.newest_id());
        // the last one stays where it is
        if runs.len() < 3 {
            lab.service("rsyslog", &["rotate", host]);
        }
    }
    let over = program.dir().join("ops.yaml");
    let denied = ask(&lab, Some(&over), host, None).unwrap_err();
    assert!(denied.contains("ops may not read") && denied.contains("/var/log/syslog.1"), "{denied}");
    assert!(denied.contains("`sudo:`"), "{denied}");

    std::fs::write(&over, "hosts: { va-web01: { user: ops, sudo: root } }\n").unwrap();
    let all = ask(&lab, Some(&over), host, None).unwrap();
    let mut found: Vec<&str> = all.stamps.iter().map(|stamp| stamp.run.as_str()).collect();
    let mut wanted: Vec<&str> = runs.iter().map(String::as_str).collect();
    found.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
    assert_eq!(all.read, ["/var/log/syslog", "/var/log/syslog.1", "/var/log/syslog.2.gz"]);
    let one = ask(&lab, Some(&over), host, Some(&runs[0].parse().unwrap())).unwrap();
    assert_eq!(one.stamps.len(), 1);
    assert_eq!(one.oldest.as_ref().map(RunId::as_str), wanted.first().copied());
}

#[test]
fn what_is_made_anew_or_removed_here_is_contradicted_by_the_hosts() {
    let lab = Lab::acquire();
    for host in HOSTS {
        lab.sh(host, "touch /root/ok");
    }
    let program = Program::on(&lab).with_book(&[("act.yaml", ACT)]);
    let verify = |words: &[&str]| program.run([&["audit", "verify", "--all", "--against-hosts"], words].concat());
    program.run(["run", "act", "--yes", "--reason", "the truth"]).exits(0);
    let first = program.newest_id();
    program.run(["run", "act", "--yes"]).exits(0);
    let second = program.newest_id();
    let ran = verify(&[]);
    ran.exits(0).says("2 runs of").says("2 intact").says("dfw-jobs{01,02}: its log agrees");
    program.run(["audit", "verify", &first, "--against-hosts"]).exits(0).says("its log agrees");

    // all of it told anew: every digest, every seal, both chains
    let state = program.state();
    let kept = state.with_file_name("kept");
    std::fs::rename(&state, &kept).unwrap();
    program.run(["run", "act", "--yes", "--reason", "a story"]).exits(0);
    let (other, anew) = (program.newest_id(), state.join("runs"));
    let journal = std::fs::read_to_string(anew.join(&other).join("journal.jsonl")).unwrap();
    // under the id of the first run, as whoever computes all digests can make it
    let forged = forged(&journal.replace(&other, &first));
    std::fs::write(anew.join(&other).join("journal.jsonl"), forged).unwrap();
    std::fs::rename(anew.join(&other), anew.join(&first)).unwrap();
    for gone in ["chain", "index"] {
        let path = state.join(gone);
        let _ = std::fs::remove_dir_all(&path);
        let _ = std::fs::remove_file(&path);
    }
    std::fs::remove_file(anew.join(&first).join("seals.jsonl")).unwrap();
    program.run(["audit", "seal", &first]).exits(0);
    program.run(["audit", "verify", "--all"]).exits(7).says("does not say which run is the newest");
    end_with(&state, &first);
    program.run(["audit", "verify", "--all"]).exits(0).says("1 intact");
    let ran = verify(&["--quiet"]);
    ran.exits(7).says(&format!("{first}  dfw-jobs01: its log contradicts the journal"));
    ran.says(&format!("{second}  missing: the log of dfw-jobs{{01,02}} has stamps of it (act, "));

    // a run removed together with all that names it
    std::fs::remove_dir_all(&state).unwrap();
    std::fs::rename(&kept, &state).unwrap();
    std::fs::remove_dir_all(state.join("runs").join(&second)).unwrap();
    end_with(&state, &first);
    program.run(["audit", "verify", "--all"]).exits(0);
    verify(&[]).exits(7).says(&format!("{second}  missing: the log of"));
    // a host that cannot be asked is no fault of the record, and is named
    lab.fault(HOSTS[0], &["kill"]);
    let ran = program.run(["audit", "verify", &first, "--against-hosts"]);
    lab.fault(HOSTS[0], &["revive"]);
    ran.exits(0).says("dfw-jobs01: not asked: ").says("dfw-jobs02: its log agrees");
}

/// Makes the end of both chains fit a run, as whoever knows how it is kept can.
fn end_with(state: &Path, run: &str) {
    let store = Store::open_existing(state).unwrap();
    let run: RunId = run.parse().unwrap();
    let first = store.read(&run).unwrap().records[0].digest.clone();
    let link = store.seals(&run).unwrap().pop().unwrap().unwrap().link();
    let lines = std::fs::read_to_string(store.folder(&run).join("seals.jsonl")).unwrap();
    let line = lines.split_inclusive('\n').next_back().unwrap();
    let newest = serde_json::json!({"run": {"run": run, "first": first}, "before": null});
    std::fs::write(state.join("chain/run.json"), newest.to_string()).unwrap();
    let newest = serde_json::json!({"link": link, "line": line});
    std::fs::write(state.join("chain/seal.json"), newest.to_string()).unwrap();
}

/// A journal with all digests made anew.
fn forged(journal: &str) -> String {
    let mut prev: Option<Digest> = None;
    let mut forged = String::new();
    for line in journal.lines() {
        let (body, _) = line.rsplit_once(",\"digest\":\"").unwrap();
        let old = &body[body.find("\"prev\":\"").unwrap() + 8..][..64];
        let body = prev.as_ref().map_or_else(|| body.to_owned(), |prev| body.replacen(old, prev.as_str(), 1));
        let digest = Digest::of(body.as_bytes());
        forged.push_str(&format!("{body},\"digest\":\"{digest}\"}}\n"));
        prev = Some(digest);
    }
    forged
}
