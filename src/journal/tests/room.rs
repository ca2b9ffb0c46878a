//! What was begun can be told to its end: with no room left, and when the journal is not in its place any more.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::fixture::{acted, at, begin, ended_ok, noted, run, started, store, the_end};
use crate::event::Event;
use crate::journal::attachment::cramp;
use crate::journal::room::{ACTION, STRETCH};
use crate::journal::{EventLog, Fate, JournalError, Record};

/// The bytes that a file has on the disk.
fn blocks(path: &std::path::Path) -> u64 {
    fs::metadata(path).unwrap().blocks() * 512
}

#[test]
fn room_for_the_end_is_taken_before_an_action_and_given_back() {
    let (_dir, store) = store();
    let mut journal = begin(&store, run(1));
    let path = store.folder(&run(1)).join("journal.jsonl");
    let length = || fs::metadata(&path).unwrap().len();
    assert!(blocks(&path) >= length() + STRETCH);
    journal.append(at(1), started()).unwrap();
    assert!(blocks(&path) >= length() + STRETCH + ACTION, "{} for {}", blocks(&path), length());
    for event in [acted("ok"), ended_ok(), the_end()] {
        journal.append(at(2), event).unwrap();
    }
    assert!(blocks(&path) < length() + 8192, "{} for {}", blocks(&path), length());
    drop(journal);
    let bytes = fs::read(&path).unwrap();
    assert!(bytes.ends_with(b"\"}\n"), "no reader sees it");
}

#[test]
fn a_cramped_outcome_fits_into_the_room_of_an_action_whatever_is_in_it() {
    for text in ["\u{1}".repeat(40_000), "ü".repeat(20_000), "\"\\".repeat(20_000)] {
        let mut event = acted(&text);
        if let Event::StepActed { stderr, stdout, .. } = &mut event {
            *stderr = stdout.clone();
        }
        cramp(&mut event);
        let bytes = serde_json::to_vec(&event).unwrap().len() as u64;
        assert!(bytes + 4096 < ACTION, "{bytes}");
    }
}

#[test]
fn a_removed_journal_takes_nothing_any_more() {
    let (_dir, store) = store();
    let mut journal = begin(&store, run(1));
    journal.append(at(1), started()).unwrap();
    fs::remove_dir_all(store.folder(&run(1))).unwrap();
    for _ in 0..2 {
        let refused = journal.append(at(2), acted("x")).unwrap_err();
        assert!(matches!(refused, JournalError::Lost { fate: Fate::Removed, .. }), "{refused}");
        assert!(refused.is_state_unwritable() && refused.is_lost() && !refused.is_corrupt());
    }
}

#[test]
fn a_journal_elsewhere_takes_only_the_ends_of_what_was_begun() {
    for replaced in [false, true] {
        let (dir, store) = store();
        let mut journal = begin(&store, run(1));
        journal.append(at(1), started()).unwrap();
        let (folder, aside) = (store.folder(&run(1)), dir.path().join("aside"));
        fs::rename(&folder, &aside).unwrap();
        let fate = if replaced {
            fs::create_dir(&folder).unwrap();
            fs::copy(aside.join("journal.jsonl"), folder.join("journal.jsonl")).unwrap();
            Fate::Replaced
        } else {
            Fate::Gone
        };
        journal.append(at(2), acted("x")).unwrap();
        for event in [noted("x"), Event::RollStarted { step: super::fixture::step_host().step, batches: Vec::new() }] {
            let refused = journal.append(at(2), event).unwrap_err();
            assert!(matches!(refused, JournalError::Lost { fate: found, .. } if found == fate), "{refused}");
            assert!(!refused.is_lost(), "it can be brought back");
        }
        journal.append(at(3), ended_ok()).unwrap();
        journal.append(at(4), Event::Stopped { exit: 9, why: "lost".into() }).unwrap();
        // bringing it back at this moment begins nothing either
        if replaced {
            fs::remove_dir_all(&folder).unwrap();
        }
        fs::rename(&aside, &folder).unwrap();
        assert!(journal.append(at(5), started()).is_err());
        drop(journal);
        let seen: Vec<u64> = store.read(&run(1)).unwrap().records.iter().map(|Record { seq, .. }| *seq).collect();
        assert_eq!(seen, [1, 2, 3, 4, 5]);
        store.reopen(&run(1)).unwrap();
    }
}
