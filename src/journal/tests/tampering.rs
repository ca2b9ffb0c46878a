//! What was not written is found out.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::fixture::{self, acted, at, begin, run, store};
use crate::event::{Event, IllegalEvent, Outcome};
use crate::journal::record;
use crate::journal::{EventLog, Fault, FileFault, Integrity, JournalError, Store, Verification, verify};
use crate::vocab::Digest;

/// A whole run of six records, to be damaged.
struct Victim {
    _dir: TempDir,
    store: Store,
    path: PathBuf,
    whole: Vec<u8>,
}

impl Victim {
    fn new() -> Self {
        let (dir, store) = store();
        fixture::whole_run(&store, run(1));
        let path = store.folder(&run(1)).join("journal.jsonl");
        let whole = fs::read(&path).unwrap();
        Self { _dir: dir, store, path, whole }
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        self.whole.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    }

    fn becomes(&self, bytes: &[u8]) -> Result<Verification, JournalError> {
        fs::write(&self.path, bytes).unwrap();
        verify(&self.store.folder(&run(1)))
    }

    fn integrity(&self, bytes: &[u8]) -> Integrity {
        self.becomes(bytes).unwrap().integrity
    }

    /// What is wrong with the journal when record `seq` says something else, with all digests made anew behind it.
    fn forge(&self, seq: usize, change: impl Fn(&str) -> String) -> Result<Verification, JournalError> {
        let mut prev = record::origin();
        let mut forged = Vec::new();
        for (number, line) in (1..).zip(self.lines()) {
            let line = String::from_utf8(line).unwrap();
            let (body, _) = line.rsplit_once(",\"digest\"").unwrap();
            let old_prev = &body[body.find("\"prev\":\"").unwrap() + 8..][..64];
            let mut body = body.replacen(old_prev, prev.as_str(), 1);
            if number == seq {
                body = change(&body);
            }
            prev = Digest::of(body.as_bytes());
            forged.extend_from_slice(format!("{body},\"digest\":\"{prev}\"}}\n").as_bytes());
        }
        self.becomes(&forged)
    }
}

#[test]
fn every_changed_byte_shows() {
    let victim = Victim::new();
    assert_eq!(victim.integrity(&victim.whole), Integrity::Intact);
    let last = victim.whole.len() - 1;
    for place in 0..victim.whole.len() {
        let line = victim.whole[..place].split(|byte| *byte == b'\n').count() as u64;
        for flip in [0x01, 0x20, 0x80] {
            let mut bytes = victim.whole.clone();
            bytes[place] ^= flip;
            match victim.becomes(&bytes) {
                // the version of the format
                Err(JournalError::TooNew { .. }) if place == 10 => {}
                Ok(found) => match found.integrity {
                    Integrity::Broken { record, .. } if record == line => {}
                    Integrity::Torn { at_record: 6, .. } if place == last => {}
                    other => panic!("byte {place} ^ {flip:#x}: {other}"),
                },
                Err(other) => panic!("byte {place} ^ {flip:#x}: {other}"),
            }
        }
    }
}

#[test]
fn every_byte_missing_or_too_many_shows() {
    let victim = Victim::new();
    for place in 0..victim.whole.len() {
        let mut less = victim.whole.clone();
        less.remove(place);
        let found = victim.integrity(&less);
        assert!(matches!(found, Integrity::Broken { .. } | Integrity::Torn { .. }), "byte {place}: {found}");
        for extra in [b'\n', b' ', b'0'] {
            let mut more = victim.whole.clone();
            more.insert(place, extra);
            match victim.becomes(&more) {
                Ok(found) => {
                    assert!(matches!(found.integrity, Integrity::Broken { .. }), "byte {place}: {}", found.integrity);
                }
                Err(error) => assert!(matches!(error, JournalError::TooNew { .. }), "byte {place}: {error}"),
            }
        }
    }
}

#[test]
fn records_deleted_swapped_and_doubled_show_in_their_place() {
    let victim = Victim::new();
    let lines = victim.lines();
    let count = lines.len();
    for place in 0..count {
        let number = place as u64 + 1;
        let mut deleted = lines.clone();
        deleted.remove(place);
        let found = victim.integrity(&deleted.concat());
        if place == count - 1 {
            // what a chain alone cannot show
            assert_eq!(found, Integrity::Unfinished { running: false });
        } else {
            assert_eq!(found, Integrity::Broken { record: number, why: Fault::Sequence { found: number + 1 } });
        }
        let mut doubled = lines.clone();
        doubled.insert(place, lines[place].clone());
        let found = victim.integrity(&doubled.concat());
        assert_eq!(found, Integrity::Broken { record: number + 1, why: Fault::Sequence { found: number } });
        if place + 1 < count {
            let mut swapped = lines.clone();
            swapped.swap(place, place + 1);
            let found = victim.integrity(&swapped.concat());
            assert_eq!(found, Integrity::Broken { record: number, why: Fault::Sequence { found: number + 1 } });
        }
    }
}

#[test]
fn a_cut_tail_is_torn_or_unfinished() {
    let victim = Victim::new();
    let first = victim.lines()[0].len();
    for length in 0..victim.whole.len() {
        let found = victim.integrity(&victim.whole[..length]);
        let is_boundary = length > 0 && victim.whole[length - 1] == b'\n';
        match found {
            Integrity::Broken { record: 1, why: Fault::NoOpening } => assert!(length < first, "{length}"),
            Integrity::Unfinished { running: false } => assert!(is_boundary && length >= first, "{length}"),
            Integrity::Torn { bytes, .. } => {
                assert!(!is_boundary && length > first, "{length}");
                let good = length - usize::try_from(bytes).unwrap();
                assert_eq!(victim.whole[good - 1], b'\n');
            }
            other => panic!("cut to {length}: {other}"),
        }
    }
}

#[test]
fn a_bad_last_record_with_its_newline_is_no_tear() {
    let victim = Victim::new();
    let mut bytes = victim.whole.clone();
    bytes.extend_from_slice(b"{\"seq\":7\n");
    assert_eq!(victim.integrity(&bytes), Integrity::Broken { record: 7, why: Fault::NoDigest });
    // the other way round: garbage without one is what a crash leaves
    bytes.pop();
    assert_eq!(victim.integrity(&bytes), Integrity::Torn { bytes: 8, at_record: 7 });
}

#[test]
fn a_forged_record_with_good_digests_must_still_be_legal() {
    let victim = Victim::new();
    let found = victim.forge(3, |body| body.replace("\"attempt\":1", "\"attempt\":2")).unwrap().integrity;
    assert!(
        matches!(found, Integrity::Broken { record: 3, why: Fault::Illegal(IllegalEvent::Step { .. }) }),
        "{found}"
    );
    let found = victim.forge(2, |body| body.replace("\"seq\":2", "\"seq\":2,\"format\":1")).unwrap().integrity;
    assert_eq!(found, Integrity::Broken { record: 2, why: Fault::Format });
    let found = victim.forge(1, |body| body.replace("\"format\":1,", "")).unwrap().integrity;
    assert_eq!(found, Integrity::Broken { record: 1, why: Fault::Format });
    let found = victim.forge(4, |body| body.replace("\"prev\":\"", "\"prev\":\"0")).unwrap().integrity;
    assert_eq!(found, Integrity::Broken { record: 4, why: Fault::Previous });
    let found = victim.forge(4, |body| body.replace("\"seq\":4", "\"seq\":4,\"x\":1")).unwrap().integrity;
    assert!(matches!(found, Integrity::Broken { record: 4, why: Fault::NotARecord { .. } }), "{found}");
    // and a forgery that is legal passes: this is what seals are for
    let found = victim.forge(5, |body| body.replace("all is well", "all was ill")).unwrap().integrity;
    assert_eq!(found, Integrity::Intact);
}

#[test]
fn a_journal_of_another_run_is_broken() {
    let victim = Victim::new();
    let other = victim.store.folder(&run(2));
    fs::rename(victim.store.folder(&run(1)), &other).unwrap();
    let broken = Integrity::Broken { record: 1, why: Fault::OtherRun { opened: run(1) } };
    assert_eq!(verify(&other).unwrap().integrity, broken);
    let refused = victim.store.read(&run(2)).unwrap_err();
    assert!(refused.is_corrupt(), "{refused}");
    assert!(victim.store.reopen(&run(2)).unwrap_err().is_corrupt());
    // a copy under a name that is no run id claims nothing
    let copy = other.with_file_name("evidence");
    fs::rename(&other, &copy).unwrap();
    assert_eq!(verify(&copy).unwrap().integrity, Integrity::Intact);
}

#[test]
fn what_a_newer_program_wrote_is_called_that() {
    let victim = Victim::new();
    let error = victim.forge(1, |body| body.replace("\"format\":1", "\"format\":2")).unwrap_err();
    assert!(matches!(error, JournalError::TooNew { format: 2, readable: 1, .. }), "{error}");
    assert!(error.hint().is_some() && !error.is_corrupt());
    let error = victim.forge(5, |body| body.replace("\"noted\"", "\"dreamt\"")).unwrap_err();
    assert!(error.to_string().contains("`dreamt` in record 5"), "{error}");
    let error = victim.forge(4, |body| body.replace("\"ok\"", "\"splendid\"")).unwrap_err();
    assert!(matches!(error, JournalError::UnknownEvent { record: 4, .. }), "{error}");
}

#[test]
fn texts_and_outputs_are_part_of_the_journal() {
    let (_dir, store) = store();
    let mut journal = begin(&store, run(1));
    let large = "0123456789\n".repeat(10_000);
    journal.append(at(1), fixture::started()).unwrap();
    journal.append(at(2), acted(&large)).unwrap();
    journal.append(at(3), Event::StepEnded { at: fixture::step_host(), outcome: Outcome::Ok }).unwrap();
    journal.append(at(4), fixture::the_end()).unwrap();
    drop(journal);
    let digest = Digest::of(large.as_bytes());
    let folder = store.folder(&run(1));
    let integrity = || store.read(&run(1)).unwrap().integrity;
    assert_eq!(integrity(), Integrity::Intact);

    let output = folder.join("outputs").join(digest.as_str());
    let name = format!("outputs/{digest}");
    let fault = |why| Integrity::BrokenFile { record: 3, file: name.clone(), why };
    fs::write(&output, large.replacen('0', "1", 1)).unwrap();
    assert_eq!(integrity(), fault(FileFault::Changed));
    assert_eq!(store.output(&run(1), &digest).unwrap_err(), FileFault::Changed);
    assert!(store.reopen(&run(1)).unwrap_err().is_corrupt());
    fs::remove_file(&output).unwrap();
    assert_eq!(integrity(), fault(FileFault::Missing));
    std::os::unix::fs::symlink("/dev/zero", &output).unwrap();
    assert_eq!(integrity(), fault(FileFault::Missing), "links are not followed");
    fs::remove_file(&output).unwrap();
    fs::write(&output, &large).unwrap();
    assert_eq!(integrity(), Integrity::Intact);

    let text = folder.join("texts").join(Digest::of(fixture::TEXT).as_str());
    fs::remove_file(&text).unwrap();
    let found = integrity();
    assert!(matches!(found, Integrity::BrokenFile { record: 1, why: FileFault::Missing, .. }), "{found}");
    assert!(!found.is_sound());
}

#[test]
fn a_digest_in_a_record_is_no_path() {
    let victim = Victim::new();
    let real = Digest::of(fixture::TEXT);
    let found = victim.forge(1, |body| body.replace(real.as_str(), "../../../../etc/passwd")).unwrap().integrity;
    assert!(matches!(found, Integrity::BrokenFile { why: FileFault::BadName, .. }), "{found}");
}
