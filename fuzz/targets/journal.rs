//! The reader of journals: it believes nothing, and takes no changed journal for an intact one.

#![no_main]

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use runbook::journal::{Fault, Integrity, Store, Verification};
use runbook::vocab::{Digest, RunId};
use tempfile::TempDir;

thread_local! {
    static SHELF: RefCell<Shelf> = RefCell::new(Shelf::new());
}

/// A place for journals of one run.
struct Shelf {
    _dir: TempDir,
    store: Store,
    run: RunId,
    journal: PathBuf,
}

impl Shelf {
    fn new() -> Self {
        let dir = TempDir::new().expect("a folder");
        let store = Store::open(dir.path()).expect("a store");
        let run: RunId = "20261122T031500Z-00000001".parse().expect("a run id");
        let folder = store.folder(&run);
        fs::create_dir_all(&folder).expect("a folder");
        Self { journal: folder.join("journal.jsonl"), _dir: dir, store, run }
    }

    /// Reads `bytes` as the journal, in every way there is. None: not a journal of this program's time.
    fn read(&self, bytes: &[u8]) -> Option<Verification> {
        fs::write(&self.journal, bytes).expect("a file");
        let _ = self.store.is_running(&self.run);
        let verified = self.store.verify(&self.run).ok();
        let replayed = self.store.read(&self.run).ok();
        if let (Some(verified), Some(replayed)) = (&verified, &replayed) {
            assert_eq!(verified.records, replayed.records.len() as u64);
            assert_eq!((&verified.integrity, verified.bytes), (&replayed.integrity, replayed.bytes));
            assert_eq!(verified.state.as_ref(), Some(&replayed.state));
        }
        let verified = verified?;
        let whole = usize::try_from(verified.bytes).expect("a length");
        let lines = bytes[..whole].iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(lines as u64, verified.records, "each record is a line");
        match verified.integrity {
            Integrity::Torn { bytes: rest, .. } => assert_eq!(whole as u64 + rest, bytes.len() as u64),
            Integrity::Intact | Integrity::Unfinished { .. } => assert_eq!(whole, bytes.len()),
            Integrity::BrokenFile { .. } | Integrity::Broken { .. } => {}
        }
        let _ = verified.integrity.to_string();
        Some(verified)
    }
}

/// The journal of these events (a line of JSON each), as its writer would have written it.
fn chained(events: &[u8]) -> Vec<u8> {
    let mut journal = Vec::new();
    let mut head = Digest::of(b"runbook journal, format 1");
    for (number, event) in (1..).zip(events.split(|byte| *byte == b'\n').filter(|event| !event.is_empty())) {
        let format = if number == 1 { "\"format\":1," } else { "" };
        let mut line =
            format!("{{{format}\"seq\":{number},\"at\":\"2026-11-22T03:15:00Z\",\"prev\":\"{head}\",\"event\":")
                .into_bytes();
        line.extend_from_slice(event);
        head = Digest::of(&line);
        line.extend_from_slice(format!(",\"digest\":\"{head}\"}}\n").as_bytes());
        journal.extend_from_slice(&line);
    }
    journal
}

fuzz_target!(|bytes: &[u8]| {
    // two bytes say where something is changed, one says how
    let [kind, high, low, how, rest @ ..] = bytes else { return };
    SHELF.with_borrow(|shelf| {
        if *kind == b'r' {
            shelf.read(rest);
            return;
        }
        let journal = chained(rest);
        let Some(found) = shelf.read(&journal).filter(|found| found.integrity.is_sound()) else { return };
        assert!(!matches!(found.integrity, Integrity::Torn { .. }), "whole lines are no tear");
        let at = usize::from(u16::from_be_bytes([*high, *low])) % journal.len();
        if *how == 0 {
            let cut = &journal[..at];
            let boundary = cut.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            let Some(found) = shelf.read(cut) else { return };
            match found.integrity {
                Integrity::Torn { bytes, .. } => assert_eq!(bytes, (at - boundary) as u64),
                Integrity::Intact | Integrity::Unfinished { .. } => assert_eq!(at, boundary),
                Integrity::Broken { why: Fault::NoOpening, .. } => assert_eq!(boundary, 0),
                integrity => panic!("a cut journal is {integrity}"),
            }
        } else {
            let mut changed = journal.clone();
            changed[at] ^= how;
            let Some(found) = shelf.read(&changed) else { return };
            match found.integrity {
                Integrity::Broken { .. } => {}
                // the last newline is a newline no more
                Integrity::Torn { .. } => assert_eq!(at + 1, journal.len()),
                integrity => panic!("a changed journal is {integrity}"),
            }
        }
    });
});
