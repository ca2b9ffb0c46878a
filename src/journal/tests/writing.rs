//! The writer: alone, durable, and stopped by its first failure.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::fixture::{self, acted, at, begin, noted, run, started, store};
use crate::event::{Event, Output};
use crate::journal::{EventLog, Fault, Integrity, JournalError, LARGE_OUTPUT, MemoryLog, Store};
use crate::vocab::Digest;

fn journal_path(store: &Store, tail: u32) -> std::path::PathBuf {
    store.folder(&run(tail)).join("journal.jsonl")
}

#[test]
fn there_is_one_writer() {
    let (_dir, store) = store();
    let journal = begin(&store, run(1));
    let refused = store.reopen(&run(1)).unwrap_err();
    assert!(refused.is_busy(), "{refused}");
    assert!(matches!(&refused, JournalError::Busy { run: named, .. } if *named == run(1)));
    // looking does not disturb the writer, nor is it disturbed
    assert_eq!(store.read(&run(1)).unwrap().integrity, Integrity::Unfinished { running: true });
    assert!(store.is_running(&run(1)));
    drop(journal);
    assert_eq!(store.read(&run(1)).unwrap().integrity, Integrity::Unfinished { running: false });
    assert!(!store.is_running(&run(1)) && !store.is_running(&run(2)));
    store.reopen(&run(1)).unwrap();
}

#[test]
fn looking_never_keeps_a_writer_out() {
    let (_dir, store) = store();
    drop(begin(&store, run(1)));
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            for _ in 0..200 {
                assert!(store.runs_newest_first().unwrap() == [run(1)]);
                store.is_running(&run(1));
            }
        });
        while !looking.is_finished() {
            store.reopen(&run(1)).unwrap();
        }
    });
}

#[test]
fn half_a_record_that_is_being_written_is_no_tear() {
    let (_dir, store) = store();
    let journal = begin(&store, run(1));
    let mut other = OpenOptions::new().append(true).open(journal_path(&store, 1)).unwrap();
    other.write_all(b"{\"seq\":2,\"at\"").unwrap();
    assert_eq!(store.read(&run(1)).unwrap().integrity, Integrity::Unfinished { running: true });
    drop(journal);
    assert_eq!(store.read(&run(1)).unwrap().integrity, Integrity::Torn { bytes: 13, at_record: 2 });
}

#[test]
fn a_torn_end_is_kept_and_cut_off() {
    let (_dir, store) = store();
    drop(begin(&store, run(1)));
    let path = journal_path(&store, 1);
    for (number, torn) in [(1, &b"{\"seq\":2,"[..]), (2, b"\xff\0\0")] {
        OpenOptions::new().append(true).open(&path).unwrap().write_all(torn).unwrap();
        let (replay, mut journal) = store.reopen(&run(1)).unwrap();
        assert!(matches!(replay.integrity, Integrity::Torn { bytes, .. } if bytes == torn.len() as u64));
        assert_eq!(fs::read(store.folder(&run(1)).join(format!("journal.torn-{number}"))).unwrap(), torn);
        let note = journal.torn_note().unwrap();
        let Event::Noted { text, .. } = &note else { panic!("{note:?}") };
        assert!(
            text.contains(&format!("after {} bytes", torn.len())) && text.ends_with(&format!("journal.torn-{number}"))
        );
        journal.append(at(1), note).unwrap();
    }
    let replay = store.read(&run(1)).unwrap();
    assert_eq!((replay.integrity, replay.records.len()), (Integrity::Unfinished { running: false }, 3));
}

#[test]
fn a_broken_journal_is_left_alone() {
    let (_dir, store) = store();
    drop(begin(&store, run(1)));
    let path = journal_path(&store, 1);
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{}\n").unwrap();
    let before = fs::read(&path).unwrap();
    let refused = store.reopen(&run(1)).unwrap_err();
    assert!(refused.is_corrupt(), "{refused}");
    assert!(refused.to_string().contains("broken at record 2: it does not end in its digest"), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), before);
    // and what verifies of it can be read all the same
    let replay = store.read(&run(1)).unwrap();
    assert_eq!(replay.integrity, Integrity::Broken { record: 2, why: Fault::NoDigest });
    assert_eq!(replay.records.len(), 1);
}

#[test]
fn a_failed_write_stops_the_journal() {
    let (_dir, store) = store();
    let mut journal = begin(&store, run(1));
    let path = journal_path(&store, 1);
    let (real, length) = journal.swap(OpenOptions::new().append(true).open("/dev/full").unwrap(), 0);
    let failure = journal.append(at(1), started()).unwrap_err();
    assert!(failure.is_state_unwritable() && failure.hint().unwrap().contains("room"), "{failure}");
    assert!(failure.to_string().contains("could not write to") && failure.to_string().contains("journal.jsonl"));
    // the disk is well again, but nobody knows what it has
    journal.swap(real, length);
    for _ in 0..2 {
        assert_eq!(journal.append(at(2), noted("x")).unwrap_err().to_string(), failure.to_string());
        assert!(journal.keep_texts(&fixture::texts()).unwrap_err().is_state_unwritable());
    }
    drop(journal);
    assert_eq!(path.metadata().unwrap().len(), length);
    let (_, mut journal) = store.reopen(&run(1)).unwrap();
    journal.append(at(3), started()).unwrap();
}

#[test]
fn a_journal_that_somebody_else_wrote_into_stops_the_run() {
    let (_dir, store) = store();
    let mut journal = begin(&store, run(1));
    journal.append(at(1), noted("one")).unwrap();
    OpenOptions::new().append(true).open(journal_path(&store, 1)).unwrap().write_all(b"x").unwrap();
    assert!(matches!(journal.append(at(2), noted("two")).unwrap_err(), JournalError::Disturbed { .. }));
}

#[test]
fn a_large_output_is_kept_whole_beside_the_journal() {
    let (_dir, store) = store();
    let mut journal = begin(&store, run(1));
    journal.append(at(1), started()).unwrap();
    // two-byte characters, shifted so that a cut at a round number falls into one
    let large = format!("x{}", "é".repeat(LARGE_OUTPUT));
    let digest = Digest::of(large.as_bytes());
    let written = journal.append(at(2), acted(&large)).unwrap();
    drop(journal);
    let Event::StepActed { stdout: Output { text, stored }, .. } = &written else { panic!("{written:?}") };
    let stored = stored.clone().unwrap();
    assert_eq!((&stored.digest, stored.bytes), (&digest, large.len() as u64));
    assert!(text.len() < 9 * 1024);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("xéé") && lines[2].ends_with("éé"));
    let left_out = large.len() - lines[0].len() - lines[2].len();
    assert_eq!(lines[1], format!("… {left_out} bytes left out, whole in outputs/{digest} …"));
    assert_eq!(store.output(&run(1), &digest).unwrap(), large.as_bytes());
    assert_eq!(store.read(&run(1)).unwrap().records[2].event, written);
    // one that just fits stays
    let mut journal = begin(&store, run(2));
    journal.append(at(1), started()).unwrap();
    let fits = acted(&"y".repeat(LARGE_OUTPUT));
    assert_eq!(journal.append(at(2), fits.clone()).unwrap(), fits);
}

#[test]
fn texts_are_there_before_they_are_named() {
    let (_dir, store) = store();
    let refused = store.create(at(0), fixture::opened(run(1)), &[]).unwrap_err();
    assert!(matches!(refused, JournalError::TextNotKept { .. }), "{refused}");
    let wrong = [(Digest::of(fixture::TEXT), b"something else".to_vec())];
    let refused = store.create(at(0), fixture::opened(run(1)), &wrong).unwrap_err();
    assert!(matches!(refused, JournalError::TextNotKept { .. }), "{refused}");
    assert_eq!(
        fs::read_dir(store.path().join("runs/.drafts")).unwrap().count() + store.runs_newest_first().unwrap().len(),
        0,
        "nothing is left of a run that did not begin"
    );

    let mut journal = begin(&store, run(1));
    let new = b"title: Changed\n";
    let mut resumed = fixture::resumed();
    resumed.accepted_changes = true;
    resumed.texts[0].digest = Digest::of(new);
    let resumed = Event::Resumed(Box::new(resumed));
    let refused = journal.append(at(1), resumed.clone()).unwrap_err();
    assert!(matches!(refused, JournalError::TextNotKept { .. }), "{refused}");
    journal.keep_texts(&[(Digest::of(new), new.to_vec())]).unwrap();
    journal.append(at(1), resumed).unwrap();
    assert_eq!(store.text(&run(1), &Digest::of(new)).unwrap(), new);
    assert_eq!(store.text(&run(1), &Digest::of(fixture::TEXT)).unwrap(), fixture::TEXT);
}

#[test]
fn only_owner_and_group_can_look() {
    let (_dir, store) = store();
    fixture::whole_run(&store, run(1));
    let mut open = vec![store.path().to_owned()];
    let mut files = 0;
    while let Some(path) = open.pop() {
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        let most = if path.is_dir() { 0o750 } else { 0o640 };
        assert_eq!(mode & !most, 0, "{}: {mode:o}", path.display());
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            files += 1;
        }
    }
    assert_eq!(files, 6);
}

#[test]
fn a_run_begins_whole_and_once() {
    let (_dir, store) = store();
    let runs = store.path().join("runs");
    // a draft that a crash left two days ago, and one of now
    let drafts = runs.join(".drafts");
    for (name, age) in [("20261120T000000Z-00000000", 48), ("20261122T000000Z-00000000", 1)] {
        fs::create_dir_all(drafts.join(name).join("texts")).unwrap();
        let then = at(0) - jiff::SignedDuration::from_hours(age);
        fs::File::open(drafts.join(name)).unwrap().set_modified(then.into()).unwrap();
    }
    assert!(store.runs_newest_first().unwrap().is_empty(), "drafts are no runs");
    begin(&store, run(1));
    let names = |path| {
        let mut names: Vec<String> =
            fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&drafts), ["20261122T000000Z-00000000"]);
    assert_eq!(names(&runs), [".drafts", run(1).as_str()]);
    let refused = store.create(at(0), fixture::opened(run(1)), &fixture::texts()).unwrap_err();
    assert!(matches!(refused, JournalError::Exists { .. }), "{refused}");
}

#[test]
fn a_draft_that_the_newest_names_is_not_tidied_away_before_another_is_named() {
    let (_dir, store) = store();
    let first = begin(&store, run(1)).head().clone();
    let newest = store.newest_started().unwrap().unwrap();
    // a program died between naming its draft and giving it its place, two days ago
    let draft = store.path().join("runs/.drafts").join(run(2).as_str());
    fs::create_dir(&draft).unwrap();
    fs::File::open(&draft).unwrap().set_modified((at(0) - jiff::SignedDuration::from_hours(48)).into()).unwrap();
    let link = |number| serde_json::json!({ "run": run(number), "first": first });
    let named = serde_json::json!({ "run": link(2), "before": link(1) });
    fs::write(store.path().join("chain/run.json"), named.to_string()).unwrap();
    assert_eq!(store.newest_started().unwrap().as_ref(), Some(&newest));
    store.create(at(0), fixture::opened(run(3)), &[]).unwrap_err();
    assert_eq!(store.newest_started().unwrap().as_ref(), Some(&newest), "that one did not begin");
    let journal = begin(&store, run(4));
    assert!(!draft.exists());
    assert_eq!(store.newest_started().unwrap().unwrap().run, run(4));
    drop(journal);
    assert_eq!(store.read(&run(4)).unwrap().state.opened.link, Some(newest));
}

#[test]
fn a_store_says_what_is_wrong_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    for place in [file.clone(), file.join("below")] {
        let refused = Store::open(&place).unwrap_err();
        assert!(matches!(&refused, JournalError::NotADirectory { path } if *path == file), "{refused}");
        assert!(refused.is_state_unwritable());
        assert!(Store::open_existing(&place).is_err());
    }
    let nowhere = dir.path().join("nowhere");
    assert!(matches!(Store::open_existing(&nowhere).unwrap_err(), JournalError::NoStore { .. }));
    assert!(!nowhere.exists(), "reading makes nothing");
    let refused = Store::open(Path::new("/proc/runbook")).unwrap_err();
    assert!(refused.is_state_unwritable() && refused.to_string().contains("/proc/runbook"), "{refused}");
    let deep = dir.path().join("a/b/c");
    let store = Store::open(&deep).unwrap();
    assert_eq!(Store::open_existing(&deep).unwrap(), store);
    assert!(matches!(store.read(&run(9)).unwrap_err(), JournalError::NoRun { .. }));
    assert!(matches!(store.reopen(&run(9)).unwrap_err(), JournalError::NoRun { .. }));
}

#[test]
fn a_log_in_memory_is_full_when_told() {
    let log = MemoryLog::full_at(3);
    let mut writer = log.clone();
    writer.append(at(0), Event::Opened(Box::new(fixture::opened(run(1))))).unwrap();
    writer.append(at(1), started()).unwrap();
    for _ in 0..2 {
        let failure = writer.append(at(2), acted("x")).unwrap_err();
        assert!(failure.is_state_unwritable(), "{failure}");
    }
    assert_eq!(log.events().len(), 2);
    log.make_room();
    let large = "z".repeat(LARGE_OUTPUT + 1);
    let written = writer.append(at(2), acted(&large)).unwrap();
    assert_eq!(log.events()[2], written);
    assert_eq!(log.kept(&Digest::of(large.as_bytes())).unwrap(), large.as_bytes());
    assert!(matches!(writer.append(at(3), started()).unwrap_err(), JournalError::Illegal { .. }));
}
