//! Lists of runs, and finding one.

use std::fs::{self, OpenOptions};
use std::io::Write;

use super::fixture::{self, at, begin, noted, run, store};
use crate::event::{Event, RunStatus};
use crate::journal::{EventLog, FindError};
use crate::vocab::RunId;

fn stopped() -> Event {
    Event::Stopped { exit: 5, why: "in doubt".into() }
}

#[test]
fn a_list_tells_each_run_at_a_glance() {
    let (_dir, store) = store();
    fixture::whole_run(&store, run(1));
    let mut running = begin(&store, run(2));
    running.append(at(7), noted("x")).unwrap();
    let mut died = begin(&store, run(3));
    // longer than the first look at the end
    died.append(at(8), noted(&"long ".repeat(20_000))).unwrap();
    drop(died);
    OpenOptions::new()
        .append(true)
        .open(store.folder(&run(3)).join("journal.jsonl"))
        .unwrap()
        .write_all(b"{\"se")
        .unwrap();
    let mut resolved = begin(&store, run(4));
    resolved.append(at(1), fixture::started()).unwrap();
    resolved.append(at(2), stopped()).unwrap();
    let word =
        Event::Resolved { at: fixture::step_host(), done: true, reason: "y".into(), operator: fixture::operator() };
    resolved.append(at(3), word).unwrap();
    drop(resolved);
    fs::create_dir(store.folder(&run(5))).unwrap();
    fixture::whole_run(&store, run(6));
    fs::write(store.folder(&run(6)).join("journal.jsonl"), "{}\n").unwrap();
    fs::create_dir(store.path().join("runs/lost+found")).unwrap();
    fixture::whole_run(&store, run(7));
    let path = store.folder(&run(7)).join("journal.jsonl");
    let changed = fs::read_to_string(&path).unwrap().replace("\"done\"", "\"gone\"");
    fs::write(path, changed).unwrap();

    let list = store.list().unwrap();
    let mut told = Vec::new();
    for listing in &list {
        let summary = listing.summary.as_ref().ok().map(|summary| (summary.status.clone(), summary.last_at));
        told.push((listing.run.clone(), listing.running, summary));
    }
    let ended = RunStatus::Ended { exit: 0, why: "done".into() };
    let stopped = RunStatus::Stopped { exit: 5, why: "in doubt".into() };
    assert_eq!(
        told,
        [
            (run(7), false, None),
            (run(6), false, None),
            (run(5), false, None),
            (run(4), false, Some((stopped, at(3)))),
            (run(3), false, Some((RunStatus::Open, at(8)))),
            (run(2), true, Some((RunStatus::Open, at(7)))),
            (run(1), false, Some((ended, at(5)))),
        ]
    );
    assert_eq!(list[6].summary.as_ref().unwrap().opened.runbook, "restart-jobs");
    let changed = list[0].summary.as_ref().unwrap_err().to_string();
    assert!(changed.ends_with("broken at record 6: its digest does not match its bytes"), "{changed}");
    for reached in
        [list[2].summary.clone().map(|_| ()), store.read(&run(5)).map(|_| ()), store.reopen(&run(5)).map(|_| ())]
    {
        assert!(reached.unwrap_err().is_corrupt(), "a folder without a journal");
    }
    let unfinished: Vec<RunId> = store.unfinished().unwrap().into_iter().map(|listing| listing.run).collect();
    assert_eq!(unfinished, [run(4), run(3)]);

    // a glance and the fold agree
    for listing in list.iter().filter(|listing| listing.summary.is_ok()) {
        let state = store.read(&listing.run).unwrap().state;
        let summary = listing.summary.as_ref().unwrap();
        assert_eq!(
            (&state.status, state.last_at, state.opened_at),
            (&summary.status, summary.last_at, summary.opened_at)
        );
    }
}

#[test]
fn a_run_is_found_by_what_tells_it_apart() {
    let (_dir, store) = store();
    assert!(matches!(store.find("latest"), Err(FindError::NoSuch { .. })));
    let later = RunId::new(at(60), [0xab, 0xcd, 0xef, 1]);
    for run in [run(0x1a2b_3c4d), run(0x1a99_9999), later.clone()] {
        begin(&store, run);
    }
    assert_eq!(store.find("latest").unwrap(), later);
    assert_eq!(store.find(later.as_str()).unwrap(), later);
    assert_eq!(store.find("abcd").unwrap(), later);
    assert_eq!(store.find("1a2").unwrap(), run(0x1a2b_3c4d));
    assert_eq!(store.find("20261122T0316").unwrap(), later);
    match store.find("1a") {
        Err(FindError::Ambiguous { candidates, .. }) => assert_eq!(candidates, [run(0x1a99_9999), run(0x1a2b_3c4d)]),
        other => panic!("{other:?}"),
    }
    for nonsense in ["", "zzz", "../..", "2b3c"] {
        assert!(matches!(store.find(nonsense), Err(FindError::NoSuch { .. })), "{nonsense:?}");
    }
}
