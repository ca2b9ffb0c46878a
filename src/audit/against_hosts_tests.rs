//! Journals beside logs that agree, that do not, and that say nothing.

use super::*;

const RUN: &str = "20261122T031500Z-11111111";
const OLDER: &str = "20261121T031500Z-22222222";
const NEWER: &str = "20261123T031500Z-33333333";

fn digest(number: u64) -> Digest {
    Digest::of(&number.to_be_bytes())
}

fn stamp(run: &str, step: &str, outcome: &str, records: u64) -> Stamp {
    let stamp = Stamp {
        run: run.parse().unwrap(),
        records,
        head: digest(records),
        runbook: "restart-jobs".to_owned(),
        operator: "anna".to_owned(),
        admin_host: "dfw-admin01".to_owned(),
        step: step.to_owned(),
        outcome: outcome.to_owned(),
    };
    stamp.cut()
}

fn seen(stamps: &[Stamp]) -> Result<StampsSeen, String> {
    let oldest = stamps.iter().map(|stamp| stamp.run.clone()).min();
    Ok(StampsSeen { stamps: stamps.to_vec(), oldest, ..StampsSeen::default() })
}

/// What `a` says of a run of so many records, whose last stretch ended there, and which did `restart` on it.
fn finding(records: u64, ended_at: Option<u64>, a: Result<StampsSeen, String>) -> HostFinding {
    let run = RUN.parse().unwrap();
    let digest_of = |number: u64| (1..=records).contains(&number).then(|| digest(number));
    let changed = BTreeMap::from([("a".into(), BTreeMap::from([("restart".into(), "ok")]))]);
    let facts = Facts { run: &run, records, digest_of: &digest_of, ended_at, changed };
    let mut findings = compare(&facts, &BTreeMap::from([("a".into(), a)]));
    assert_eq!(findings.len(), 1);
    findings.remove("a").unwrap()
}

fn contradicts(finding: HostFinding) -> Contradiction {
    let HostFinding::Contradicts { how, .. } = finding else { panic!("{finding:?}") };
    how
}

#[test]
fn a_journal_as_it_was_agrees() {
    let ours = [stamp(RUN, "restart", "in-doubt", 20), stamp(RUN, "restart", "ok", 57), stamp(OLDER, "x", "ok", 99)];
    assert_eq!(finding(57, Some(57), seen(&ours)), HostFinding::Agrees { records: 57, whole: true });
    // a person said something since; a later stretch was killed
    assert_eq!(finding(60, Some(57), seen(&ours)), HostFinding::Agrees { records: 57, whole: true });
    // the last stretch's stamp did not come there, or somebody removed it
    assert_eq!(finding(80, Some(80), seen(&ours)), HostFinding::Agrees { records: 57, whole: false });
}

#[test]
fn one_that_was_rewritten_or_cut_is_contradicted() {
    let other = Stamp { head: digest(1000), ..stamp(RUN, "restart", "ok", 57) };
    assert_eq!(contradicts(finding(57, Some(57), seen(std::slice::from_ref(&other)))), Contradiction::Differs);
    let both = [stamp(RUN, "restart", "ok", 20), other];
    assert_eq!(
        contradicts(finding(80, Some(80), seen(&both))),
        Contradiction::Differs,
        "one that agrees does not help"
    );
    let ours = [stamp(RUN, "restart", "ok", 57)];
    assert_eq!(contradicts(finding(56, Some(20), seen(&ours))), Contradiction::Cut { records: 56 });
    assert_eq!(contradicts(finding(3, None, seen(&ours))), Contradiction::Cut { records: 3 });
}

#[test]
fn what_a_stamp_says_of_a_step_must_be_so() {
    let failed = [stamp(RUN, "restart", "failed", 57)];
    let says_ok = Contradiction::Outcome { journal: Some("ok") };
    assert_eq!(contradicts(finding(57, Some(57), seen(&failed))), says_ok);
    let nothing = Contradiction::Outcome { journal: None };
    assert_eq!(contradicts(finding(57, Some(57), seen(&[stamp(RUN, "other", "ok", 57)]))), nothing);
    // after an earlier stretch it may have been so
    assert_eq!(finding(80, Some(80), seen(&failed)), HostFinding::Agrees { records: 57, whole: false });
}

#[test]
fn none_is_told_apart_from_none_that_could_be_there() {
    let older = [stamp(OLDER, "x", "ok", 9)];
    assert_eq!(finding(57, Some(57), seen(&older)), HostFinding::NoStamp { reaches_back: true });
    assert_eq!(
        finding(57, Some(57), seen(&[stamp(NEWER, "x", "ok", 9)])),
        HostFinding::NoStamp { reaches_back: false }
    );
    assert_eq!(finding(57, Some(57), seen(&[])), HostFinding::NoStamp { reaches_back: false });
    assert_eq!(finding(9, None, seen(&older)), HostFinding::NoneDue);
    let unread = vec!["/var/log/syslog.3.xz: there is no xzcat there".to_owned()];
    let some = StampsSeen { unread, ..seen(&older).unwrap() };
    let found = finding(57, Some(57), Ok(some));
    assert!(matches!(&found, HostFinding::NotAsked { why } if why.contains("xzcat")), "{found:?}");
    let newer = StampsSeen { cut: true, ..seen(&[stamp(NEWER, "x", "ok", 9)]).unwrap() };
    assert!(matches!(finding(57, Some(57), Ok(newer)), HostFinding::NotAsked { .. }));
    let why = "unreachable: timed out".to_owned();
    assert_eq!(finding(57, Some(57), Err(why.clone())), HostFinding::NotAsked { why });
}

#[test]
fn a_host_that_the_journal_does_not_name_speaks_too() {
    let run = RUN.parse().unwrap();
    let digest_of = |number: u64| Some(digest(number));
    let facts = Facts { run: &run, records: 57, digest_of: &digest_of, ended_at: Some(57), changed: BTreeMap::new() };
    let hosts = BTreeMap::from([
        ("a".into(), seen(&[stamp(RUN, "restart", "ok", 57)])),
        ("b".into(), seen(&[stamp(OLDER, "restart", "ok", 57)])),
        ("c".into(), Err("unreachable".to_owned())),
    ]);
    let findings = compare(&facts, &hosts);
    assert_eq!(findings.keys().map(HostName::as_str).collect::<Vec<_>>(), ["a"]);
    let how = contradicts(findings["a"].clone());
    assert_eq!(how, Contradiction::Outcome { journal: None });
    let nobody = Facts { changed: BTreeMap::from([("d".into(), BTreeMap::new())]), ..facts };
    assert!(matches!(compare(&nobody, &hosts)["d"], HostFinding::NotAsked { .. }));
}

#[test]
fn a_deleted_run_is_known_by_its_stamps() {
    let elsewhere = Stamp { admin_host: "va-admin01".to_owned(), ..stamp(NEWER, "x", "ok", 5) };
    let second = Stamp { operator: "bob".to_owned(), ..stamp(OLDER, "x", "ok", 12) };
    let hosts = BTreeMap::from([
        ("a".into(), seen(&[stamp(OLDER, "x", "failed", 9), second, stamp(RUN, "restart", "ok", 57)])),
        ("b".into(), seen(&[stamp(OLDER, "x", "ok", 9), elsewhere])),
        ("c".into(), Err("unreachable".to_owned())),
    ]);
    let found = missing("dfw-admin01", |run| run.as_str() == RUN, &hosts);
    let [run] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((run.run.as_str(), run.runbook.as_str(), run.records), (OLDER, "restart-jobs", 12));
    assert_eq!(run.operators, BTreeSet::from(["anna".to_owned(), "bob".to_owned()]));
    assert_eq!(run.hosts, BTreeSet::from(["a".into(), "b".into()]));
}

#[test]
fn long_names_are_known_again() {
    let long = "outer/".repeat(60);
    let run = RUN.parse().unwrap();
    let digest_of = |number: u64| Some(digest(number));
    let changed = BTreeMap::from([("a".into(), BTreeMap::from([(long.as_str().into(), "ok")]))]);
    let facts = Facts { run: &run, records: 57, digest_of: &digest_of, ended_at: Some(57), changed };
    let hosts = BTreeMap::from([("a".into(), seen(&[stamp(RUN, &long, "ok", 57)]))]);
    assert_eq!(compare(&facts, &hosts)["a"], HostFinding::Agrees { records: 57, whole: true });
}
