//! What is written is read.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::fixture::{self, at, begin, run, store};
use crate::event::{Event, RunStatus};
use crate::journal::chain::Chain;
use crate::journal::reader::{End, walk};
use crate::journal::record::{self, Reading, Refusal};
use crate::journal::{EventLog, Integrity, JournalError, verify};
use crate::vocab::Digest;

#[test]
fn every_event_comes_back_as_it_was() {
    let mut names = BTreeSet::new();
    for (seq, event) in (1..).zip(fixture::every_event()) {
        let line = record::encode(seq, at(0), &Digest::of(b"before"), &event).unwrap();
        assert_eq!(line.split(|byte| *byte == b'\n').count(), 2, "one record, one line");
        let read = record::decode(&line[..line.len() - 1], seq, &Digest::of(b"before"), Reading::Whole).unwrap();
        assert_eq!(read.event, event);
        assert_eq!((read.seq, read.at), (seq, at(0)));
        let json = serde_json::to_value(&event).unwrap();
        names.insert(json.as_object().unwrap().keys().next().unwrap().clone());
    }
    // serde names every variant when it is given one that is none
    let all = serde_json::from_str::<Event>(r#"{"nonesuch":{}}"#).unwrap_err().to_string();
    let all: BTreeSet<String> = all.split('`').skip(3).step_by(2).map(str::to_owned).collect();
    assert_eq!(names, all, "the fixture has every event");
}

#[test]
fn a_record_looks_as_documented() {
    let (_dir, store) = store();
    fixture::whole_run(&store, run(1));
    let text = std::fs::read_to_string(store.folder(&run(1)).join("journal.jsonl")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with(r#"{"format":1,"seq":1,"at":"2026-11-22T03:15:00.123456789Z","prev":""#),
        "{}",
        lines[0]
    );
    assert!(lines[5].starts_with(r#"{"seq":6,"at":"2026-11-22T03:15:05.123456789Z","prev":""#), "{}", lines[5]);
    let (body, digest) = lines[5].rsplit_once(r#","digest":""#).unwrap();
    assert_eq!(format!("{}\"}}", Digest::of(body.as_bytes())), digest);
    assert!(body.ends_with(r#""event":{"ended":{"exit":0,"why":"done"}}"#));
}

#[test]
fn a_run_is_read_verified_and_gone_on_with() {
    let (_dir, store) = store();
    let mut journal = begin(&store, run(1));
    journal.append(at(1), fixture::started()).unwrap();
    journal.append(at(2), Event::Stopped { exit: 130, why: "interrupted".into() }).unwrap();
    let head = journal.head().clone();
    drop(journal);

    let (replay, mut journal) = store.reopen(&run(1)).unwrap();
    assert_eq!((replay.records.len(), &replay.head, &replay.integrity), (3, &head, &Integrity::Intact));
    assert_eq!(replay.state.in_doubt(), [fixture::step_host()]);
    journal.append(at(3), Event::Resumed(Box::new(fixture::resumed()))).unwrap();
    let now = store.read(&run(1)).unwrap();
    assert_eq!(now.integrity, Integrity::Unfinished { running: true });
    assert_eq!(now.state.stretches, 2);
    journal.append(at(4), fixture::the_end()).unwrap();
    let head = journal.head().clone();
    drop(journal);

    let found = verify(&store.folder(&run(1))).unwrap();
    assert_eq!((found.records, &found.head, &found.integrity), (5, &head, &Integrity::Intact));
    assert_eq!(found.state.unwrap().status, RunStatus::Ended { exit: 0, why: "done".into() });
    let length = store.folder(&run(1)).join("journal.jsonl").metadata().unwrap().len();
    assert_eq!(found.bytes, length);
}

#[test]
fn what_could_not_be_read_back_is_not_written() {
    let (_dir, store) = store();
    let mut journal = begin(&store, run(1));
    // deeper than a reader goes
    let mut deep = serde_json::json!(1);
    for _ in 0..200 {
        deep = serde_json::json!([deep]);
    }
    let captured = |value| Event::Captured { at: fixture::step_host(), name: "x".into(), value };
    let refused = journal.append(at(1), captured(deep)).unwrap_err();
    assert!(matches!(refused, JournalError::Unrecordable { .. }), "{refused}");
    let refused = journal.append(at(1), fixture::acted("not started")).unwrap_err();
    assert!(matches!(refused, JournalError::Illegal { .. }), "{refused}");
    assert!(!refused.is_state_unwritable() && !refused.is_corrupt() && !refused.is_busy());
    // neither of them stands in the way of the next
    let value = serde_json::json!({ "v": [1, 2] });
    assert_eq!(journal.append(at(1), captured(value.clone())).unwrap(), captured(value));
    drop(journal);
    assert_eq!(store.read(&run(1)).unwrap().records.len(), 2);
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let walked = walk("x".as_ref(), &bytes[..], Chain::new(None), |_| {});
        if let Ok(walked) = walked {
            let is_broken = matches!(walked.end, End::Broken(_));
            prop_assert!(is_broken);
        }
        let _ = record::decode(&bytes, 1, &record::origin(), Reading::Whole);
    }

    #[test]
    fn no_line_that_looks_like_a_record_makes_the_reader_panic(
        seq in 0u64..4, head in "(\"format\":[0-9]{1,25},)?", event in "\\PC{0,80}", newline in any::<bool>(),
    ) {
        let body = format!("{{{head}\"seq\":{seq},\"at\":\"2026-11-22T03:15:00Z\",\"prev\":\"{}\",\"event\":{event}", record::origin());
        let line = format!("{body},\"digest\":\"{}\"}}{}", Digest::of(body.as_bytes()), if newline { "\n" } else { "" });
        let walked = walk("x".as_ref(), line.as_bytes(), Chain::new(None), |_| {});
        let is_clean = walked.is_ok_and(|walked| walked.end == End::Clean);
        prop_assert!(!is_clean);
        let refused = record::decode(line.as_bytes(), seq, &record::origin(), Reading::Whole);
        let is_refused = matches!(refused, Err(Refusal::Fault(_) | Refusal::TooNew { .. } | Refusal::UnknownEvent { .. }));
        prop_assert!(is_refused);
    }
}
