//! The index: whatever becomes of it, it says what the journals say.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::fixture::{self, at, begin, run, store};
use crate::event::{Event, OverrideHow};
use crate::journal::{EventLog, Indexed, Store};
use crate::vocab::RunId;

/// What is to be told apart of a run; failures by their text.
fn told(runs: Vec<Indexed>) -> Vec<String> {
    let one = |indexed: Indexed| {
        let entry = indexed.entry.map_err(|error| error.whole());
        format!("{} {} {entry:?}", indexed.run, indexed.running)
    };
    runs.into_iter().map(one).collect()
}

fn by_index(store: &Store) -> Vec<String> {
    told(store.index().unwrap())
}

fn by_journals(store: &Store) -> Vec<String> {
    told(store.by_journals().unwrap())
}

fn index(store: &Store) -> PathBuf {
    store.path().join("index")
}

fn journal(store: &Store, run: &RunId) -> PathBuf {
    store.folder(run).join("journal.jsonl")
}

fn stop(store: &Store, run: &RunId, resumed: bool) {
    let (_, mut journal) = store.reopen(run).unwrap();
    if resumed {
        journal.append(at(20), Event::Resumed(Box::new(fixture::resumed()))).unwrap();
    }
    journal.append(at(21), Event::Stopped { exit: 5, why: "in\tdoubt \\ \n".into() }).unwrap();
}

fn abandon(store: &Store, run: &RunId) {
    let (_, mut journal) = store.reopen(run).unwrap();
    let operator = fixture::operator();
    journal.append(at(30), Event::Abandoned { reason: String::new(), operator }).unwrap();
}

/// A store with one run of each kind, none of them running.
fn every_kind() -> (tempfile::TempDir, Store) {
    let (dir, store) = store();
    fixture::whole_run(&store, run(1));
    begin(&store, run(2));
    begin(&store, run(3));
    stop(&store, &run(3), false);
    begin(&store, run(4));
    abandon(&store, &run(4));
    let mut overridden = begin(&store, run(5));
    for (id, reason) in [("importers bored", ""), ("", "a\tb\\s \u{1b}[2J")] {
        let event = Event::PreconditionOverridden { id: id.into(), how: OverrideHow::Override, reason: reason.into() };
        overridden.append(at(1), event).unwrap();
    }
    overridden.append(at(2), fixture::the_end()).unwrap();
    drop(overridden);
    // one that cannot be read
    begin(&store, run(6));
    fs::write(journal(&store, &run(6)), "{}\n").unwrap();
    (dir, store)
}

/// Puts bytes into a file without a trace in its length and time.
fn forge(path: &Path, from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    let time = path.metadata().unwrap().modified().unwrap();
    fs::write(path, text.replace(from, to)).unwrap();
    fs::File::open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn the_index_says_what_the_journals_say() {
    let (_dir, store) = every_kind();
    let true_ones = by_journals(&store);
    assert_eq!(true_ones.len(), 6);
    for _ in 0..3 {
        assert_eq!(by_index(&store), true_ones);
    }
    let written = fs::read(index(&store)).unwrap();
    by_index(&store);
    assert_eq!(fs::read(index(&store)).unwrap(), written, "a reader who learns nothing writes nothing");
    fs::remove_file(index(&store)).unwrap();
    assert_eq!(by_index(&store), true_ones);
    assert!(index(&store).is_file(), "made anew");
}

#[test]
fn a_list_does_not_read_the_journals_of_runs_that_are_over() {
    let (_dir, store) = every_kind();
    by_index(&store);
    forge(&journal(&store, &run(1)), "restart-jobs", "RESTART-JOBS");
    let entry = |tail: u32| store.index().unwrap().into_iter().find(|it| it.run == run(tail)).unwrap().entry;
    assert_eq!(entry(1).unwrap().runbook, "restart-jobs", "this is what it can be wrong about");
    assert!(!store.verify(&run(1)).unwrap().integrity.is_sound(), "and this never is");
    // any trace is enough
    let path = journal(&store, &run(1));
    fs::write(&path, fs::read(&path).unwrap()).unwrap();
    assert!(entry(1).is_err());
}

#[test]
fn a_damaged_index_changes_nothing() {
    // as few as there can be: each byte costs a list
    let (_dir, store) = store();
    fixture::whole_run(&store, run(1));
    begin(&store, run(3));
    stop(&store, &run(3), false);
    by_index(&store);
    let true_ones = by_journals(&store);
    let whole = fs::read(index(&store)).unwrap();
    for length in 0..=whole.len() {
        fs::write(index(&store), &whole[..length]).unwrap();
        assert_eq!(by_index(&store), true_ones, "cut after {length} bytes");
    }
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 1 << (place % 8);
        fs::write(index(&store), &damaged).unwrap();
        assert_eq!(by_index(&store), true_ones, "byte {place} of {}", String::from_utf8_lossy(&whole));
    }
    let text = String::from_utf8(whole.clone()).unwrap();
    let future = text.replacen("index 2", "index 3", 1);
    let zeros = vec![0; whole.len()];
    for other in [b"".as_slice(), b"\n", b"garbage", &zeros, future.as_bytes(), &whole.repeat(2)] {
        fs::write(index(&store), other).unwrap();
        assert_eq!(by_index(&store), true_ones);
    }
}

#[test]
fn a_file_that_is_too_large_is_no_index() {
    let (_dir, store) = store();
    fixture::whole_run(&store, run(1));
    by_index(&store);
    let whole = fs::read(index(&store)).unwrap();
    // with holes: it takes no room, and would take all memory
    fs::OpenOptions::new().write(true).open(index(&store)).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(by_index(&store), by_journals(&store));
    assert!(fs::metadata(index(&store)).unwrap().len() < 2 * whole.len() as u64, "it is made anew");
}

#[test]
fn lines_that_are_lost_are_missed() {
    let (_dir, store) = store();
    for tail in 1..=4 {
        fixture::whole_run(&store, run(tail));
    }
    by_index(&store);
    let whole = fs::read(index(&store)).unwrap();
    // cut behind a line, and grown again by runs that begin and end
    let cut = whole.len() - 1 - whole.iter().rev().skip(1).position(|byte| *byte == b'\n').unwrap();
    fs::write(index(&store), &whole[..cut]).unwrap();
    for tail in 5..=8 {
        fixture::whole_run(&store, run(tail));
    }
    assert_eq!(by_index(&store), by_journals(&store));
    assert_eq!(by_index(&store).len(), 8);
}

#[test]
fn something_else_in_its_place_changes_nothing() {
    let (dir, store) = every_kind();
    let true_ones = by_journals(&store);
    let elsewhere = dir.path().join("elsewhere");
    fs::write(&elsewhere, "theirs").unwrap();
    let put: [&dyn Fn(&Path); 3] = [
        &|path| fs::create_dir(path).unwrap(),
        &|path| std::os::unix::fs::symlink(&elsewhere, path).unwrap(),
        &|path| drop(std::os::unix::net::UnixListener::bind(path).unwrap()),
    ];
    for put in put {
        fs::remove_file(index(&store)).unwrap();
        put(&index(&store));
        for _ in 0..2 {
            assert_eq!(by_index(&store), true_ones);
        }
        // a run goes its way
        let journal = begin(&store, run(7));
        drop(journal);
        fs::remove_dir_all(store.folder(&run(7))).unwrap();
        if index(&store).is_dir() {
            fs::remove_dir(index(&store)).unwrap();
            by_index(&store);
        }
    }
    assert_eq!(fs::read_to_string(elsewhere).unwrap(), "theirs");
}

#[test]
fn who_may_not_write_it_mends_it_for_himself() {
    let (_dir, store) = every_kind();
    by_index(&store);
    let whole = fs::read(index(&store)).unwrap();
    // somebody holds it, and does not let go
    let lock = fs::OpenOptions::new().write(true).open(store.path().join("index.lock")).unwrap();
    lock.lock().unwrap();
    fs::remove_dir_all(store.folder(&run(1))).unwrap();
    fixture::whole_run(&store, run(7));
    stop(&store, &run(3), true);
    let true_ones = by_journals(&store);
    assert_eq!(by_index(&store), true_ones);
    assert_eq!(fs::read(index(&store)).unwrap(), whole);
    drop(lock);
    assert_eq!(by_index(&store), true_ones);
    assert_ne!(fs::read(index(&store)).unwrap(), whole);
    assert_eq!(by_index(&store), true_ones);
}

#[test]
fn a_copied_store_has_its_own_runs() {
    let (dir, store) = every_kind();
    by_index(&store);
    for (option, name) in [("-a", "archive"), ("-r", "copy")] {
        let copy = dir.path().join(name);
        #[expect(clippy::disallowed_methods, reason = "cp copies a folder as an administrator does")]
        let copied = std::process::Command::new("cp").arg(option).arg(store.path()).arg(&copy).status().unwrap();
        assert!(copied.success());
        let copy = Store::open_existing(&copy).unwrap();
        assert_eq!(by_index(&copy).len(), 6);
        fs::remove_dir_all(copy.folder(&run(1))).unwrap();
        fixture::whole_run(&copy, run(9));
        assert_eq!(by_index(&copy), by_journals(&copy));
    }
}

#[test]
fn a_program_that_holds_a_run_is_seen() {
    let (_dir, store) = every_kind();
    by_index(&store);
    let held = store.reopen(&run(3)).unwrap();
    let mut begun = begin(&store, run(7));
    begun.append(at(1), fixture::noted("x")).unwrap();
    assert_eq!(by_index(&store), by_journals(&store));
    let unfinished = |store: &Store| {
        let all = store.unfinished().unwrap();
        all.into_iter().filter(Indexed::is_unfinished).map(|indexed| indexed.run).collect::<Vec<_>>()
    };
    assert_eq!(unfinished(&store), [run(2)]);
    drop((held, begun));
    assert_eq!(unfinished(&store), [run(7), run(3), run(2)]);
    assert_eq!(by_index(&store), by_journals(&store));
}

#[test]
fn runs_that_begin_and_end_at_once_are_all_known() {
    let (_dir, store) = store();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..6 {
                    fixture::whole_run(store, run(thread * 100 + number));
                    store.index().unwrap();
                }
            });
        }
    });
    assert_eq!(by_index(&store), by_journals(&store));
    assert_eq!(by_index(&store).len(), 24);
}

#[test]
fn lines_that_no_longer_count_are_cleared_away() {
    let (_dir, store) = store();
    begin(&store, run(1));
    let mut longest = 0;
    for time in 0..70 {
        stop(&store, &run(1), time > 0);
        longest = longest.max(index(&store).metadata().unwrap().len());
        by_index(&store);
    }
    let length = index(&store).metadata().unwrap().len();
    assert!(length < longest, "{length} of {longest} bytes");
    assert_eq!(by_index(&store), by_journals(&store));
}

#[derive(Clone, Debug)]
enum Deed {
    Begin(u32),
    End(usize),
    Stop(usize),
    Abandon(usize),
    Delete(usize),
    Copy(usize, u32),
    Return(usize),
    Tear(usize),
    Look,
    Find,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        3 => (0..40_u32).prop_map(Deed::Begin),
        2 => any::<usize>().prop_map(Deed::End),
        2 => any::<usize>().prop_map(Deed::Stop),
        1 => any::<usize>().prop_map(Deed::Abandon),
        2 => any::<usize>().prop_map(Deed::Delete),
        1 => (any::<usize>(), 40..60_u32).prop_map(|(from, to)| Deed::Copy(from, to)),
        1 => any::<usize>().prop_map(Deed::Return),
        1 => any::<usize>().prop_map(Deed::Tear),
        3 => Just(Deed::Look),
        1 => Just(Deed::Find),
    ]
}

/// Does it, as far as it can be done.
fn doing(store: &Store, away: &Path, deed: &Deed) {
    use crate::event::RunStatus;
    let runs = store.runs_newest_first().unwrap();
    let some = |which: usize| (!runs.is_empty()).then(|| runs[which % runs.len()].clone());
    let status = |run: &RunId| store.read(run).ok().map(|replay| replay.state.status);
    match deed {
        // ids of several seconds, and several of one
        Deed::Begin(number) => {
            let id = RunId::new(at(i64::from(number % 7)), number.to_be_bytes());
            let _ = store.create(at(i64::from(*number)), fixture::opened(id), &fixture::texts());
        }
        Deed::End(which) => {
            if let Some(run) = some(*which).filter(|run| matches!(status(run), Some(RunStatus::Open))) {
                store.reopen(&run).unwrap().1.append(at(50), fixture::the_end()).unwrap();
            }
        }
        Deed::Stop(which) => {
            if let Some(run) = some(*which) {
                match status(&run) {
                    Some(RunStatus::Open) => stop(store, &run, false),
                    Some(RunStatus::Stopped { .. }) => stop(store, &run, true),
                    Some(RunStatus::Ended { .. } | RunStatus::Abandoned { .. }) | None => {}
                }
            }
        }
        Deed::Abandon(which) => {
            let open = |run: &RunId| matches!(status(run), Some(RunStatus::Open | RunStatus::Stopped { .. }));
            if let Some(run) = some(*which).filter(open) {
                abandon(store, &run);
            }
        }
        // the first that goes is kept, to come back as it was then
        Deed::Delete(which) => {
            if let Some(run) = some(*which) {
                let kept = away.join(run.as_str());
                if kept.exists() {
                    fs::remove_dir_all(store.folder(&run)).unwrap();
                } else {
                    fs::rename(store.folder(&run), kept).unwrap();
                }
            }
        }
        Deed::Return(which) => {
            let mut kept: Vec<_> = fs::read_dir(away).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            kept.sort();
            if !kept.is_empty() {
                let name = &kept[which % kept.len()];
                let _ = fs::rename(away.join(name), store.path().join("runs").join(name));
            }
        }
        Deed::Copy(which, number) => {
            let to = store.folder(&run(*number));
            if let Some(from) = some(*which).filter(|_| !to.exists()) {
                fs::create_dir(&to).unwrap();
                let _ = fs::copy(journal(store, &from), to.join("journal.jsonl"));
            }
        }
        Deed::Tear(which) => {
            if let Some(run) = some(*which).filter(|run| matches!(status(run), Some(RunStatus::Open))) {
                let mut bytes = fs::read(journal(store, &run)).unwrap();
                bytes.extend(b"{\"seq\":");
                fs::write(journal(store, &run), bytes).unwrap();
            }
        }
        Deed::Look => drop(store.index().unwrap()),
        Deed::Find => {
            assert_eq!(store.find("latest").ok(), runs.first().cloned());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_index_says_what_the_journals_say(deeds in proptest::collection::vec(deed(), 1..40)) {
        let (dir, store) = store();
        let away = dir.path().join("away");
        fs::create_dir(&away).unwrap();
        for deed in &deeds {
            doing(&store, &away, deed);
        }
        prop_assert_eq!(by_index(&store), by_journals(&store));
        prop_assert_eq!(by_index(&store), by_journals(&store));
        let open = |runs: Vec<Indexed>| told(runs.into_iter().filter(|it| it.is_unfinished() || it.entry.is_err()).collect());
        prop_assert_eq!(told(store.unfinished().unwrap()), open(store.by_journals().unwrap()));
    }
}
