//! Lists of runs, and finding one.

use std::fs::{self, OpenOptions};
use std::io::Write;

use super::fixture::{self, at, begin, noted, run, store};
use crate::event::{Event, RunStatus};
use crate::journal::{EventLog, FindError, Indexed, Integrity};
use crate::vocab::RunId;

fn stopped() -> Event {
    Event::Stopped { exit: 5, why: "in doubt".into() }
}

#[test]
fn a_list_tells_each_run() {
    let (_dir, store) = store();
    fixture::whole_run(&store, run(1));
    let mut running = begin(&store, run(2));
    running.append(at(7), noted("x")).unwrap();
    let mut died = begin(&store, run(3));
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

    let list = store.index().unwrap();
    let mut told = Vec::new();
    for indexed in &list {
        let entry = indexed.entry.as_ref().ok().map(|entry| (entry.status.clone(), entry.last));
        told.push((indexed.run.clone(), indexed.running, entry));
    }
    let ended = RunStatus::Ended { exit: 0, why: "done".into() };
    let stopped = RunStatus::Stopped { exit: 5, why: "in doubt".into() };
    assert_eq!(
        told,
        [
            (run(7), false, None),
            (run(4), false, Some((stopped, at(3)))),
            (run(3), false, Some((RunStatus::Open, at(8)))),
            (run(2), true, Some((RunStatus::Open, at(7)))),
            (run(1), false, Some((ended, at(5)))),
            // of one second: those that do not tell when they began come last
            (run(6), false, None),
            (run(5), false, None),
        ]
    );
    assert_eq!(list[4].entry.as_ref().unwrap().runbook, "restart-jobs");
    let changed = list[0].entry.as_ref().unwrap_err().to_string();
    assert!(changed.ends_with("broken at record 6: its digest does not match its bytes"), "{changed}");
    for reached in
        [list[6].entry.clone().map(|_| ()), store.read(&run(5)).map(|_| ()), store.reopen(&run(5)).map(|_| ())]
    {
        assert!(reached.unwrap_err().is_corrupt(), "a folder without a journal");
    }
    let (unfinished, unreadable): (Vec<Indexed>, Vec<Indexed>) =
        store.unfinished().unwrap().into_iter().partition(Indexed::is_unfinished);
    let ids = |runs: Vec<Indexed>| runs.into_iter().map(|indexed| indexed.run).collect::<Vec<RunId>>();
    assert_eq!(ids(unfinished), [run(4), run(3)]);
    assert_eq!(ids(unreadable), [run(7), run(6), run(5)]);
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

#[test]
fn runs_of_one_second_are_told_apart_by_their_first_records() {
    let (_dir, store) = store();
    // the ids say the opposite
    for (milliseconds, tail) in [(100, 9), (200, 5), (300, 1)] {
        let at = at(0) + jiff::SignedDuration::from_millis(milliseconds);
        store.create(at, fixture::opened(run(tail)), &fixture::texts()).unwrap();
    }
    fs::write(store.folder(&run(5)).join("journal.jsonl"), "garbage").unwrap();
    let newest: Vec<RunId> = store.runs_newest_first().unwrap();
    assert_eq!(newest, [run(1), run(9), run(5)], "one that cannot be read comes last");
    assert_eq!(store.find("latest").unwrap(), run(1));
}

#[test]
fn a_clock_that_goes_back_disturbs_nothing() {
    let (_dir, store) = store();
    let mut journal = begin(&store, run(1));
    for (seconds, event) in [(50, fixture::started()), (-3600, fixture::acted("x")), (-7200, stopped())] {
        journal.append(at(seconds), event).unwrap();
    }
    drop(journal);
    let (replay, mut journal) = store.reopen(&run(1)).unwrap();
    assert_eq!(replay.integrity, Integrity::Intact);
    assert_eq!((replay.state.opened_at, replay.state.last_at), (at(0), at(-7200)));
    journal.append(at(-86_400), Event::Resumed(Box::new(fixture::resumed()))).unwrap();
    journal.append(at(-86_401), fixture::ended_ok()).unwrap();
    drop(journal);
    assert_eq!(store.verify(&run(1)).unwrap().records, 6);
    let entry = store.index().unwrap().remove(0).entry.unwrap();
    assert_eq!((entry.status, entry.last), (RunStatus::Open, at(-86_401)));
    // tidying up must not take a draft for an old one because the clock says that it is from tomorrow
    let draft = store.path().join("runs/.drafts/20261122T000000Z-00000000");
    fs::create_dir(&draft).unwrap();
    store.create(at(-864_000), fixture::opened(run(2)), &fixture::texts()).unwrap();
    assert!(draft.exists());
}
