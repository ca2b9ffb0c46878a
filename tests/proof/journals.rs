//! One run: its journal and its seals.

use std::fs;

use runbook::audit::Finding;
use runbook::journal::{EventLog as _, Integrity, SealFault};

use super::site::{Site, acted, at, ended, forged, id, lines, lines_before, resumed, unsigned};

#[test]
fn every_changed_byte_of_a_journal_shows_at_its_record() {
    let site = Site::with_runs(1);
    let path = site.journal(1);
    let whole = fs::read(&path).unwrap();
    let mut seen = 0;
    for place in 0..whole.len() {
        let line = u64::from(lines_before(&whole, place)) + 1;
        let mut bytes = whole.clone();
        bytes[place] ^= 0x01;
        fs::write(&path, &bytes).unwrap();
        let faults = site.faults_of(1);
        let located = faults.iter().any(|fault| match fault {
            Finding::Journal(Integrity::Broken { record, .. }) => *record == line,
            Finding::Journal(Integrity::Torn { at_record, .. }) => *at_record == line && place == whole.len() - 1,
            // the version of the format
            Finding::Unreadable(_) => place == 10,
            _ => false,
        });
        assert!(located, "byte {place}: {faults:?}");
        seen += 1;
    }
    assert!(seen > 1000, "a journal of {seen} bytes is no journal");
}

#[test]
fn every_changed_byte_of_a_seal_shows_at_its_line() {
    let site = Site::new();
    let mut journal = site.begin(1);
    for event in acted("x").into_iter().chain([ended()]) {
        journal.append(at(61), event).unwrap();
    }
    site.seal(1, &journal, "mark", &unsigned());
    site.seal(1, &journal, "mark", &unsigned());
    drop(journal);
    assert_eq!(site.faults(), []);
    // which has the newest one, too
    fs::remove_dir_all(site.path().join("chain")).unwrap();
    let path = site.seals(1);
    let whole = fs::read(&path).unwrap();
    for place in 0..whole.len() {
        let number = lines_before(&whole, place) + 1;
        let mut bytes = whole.clone();
        bytes[place] ^= 0x01;
        fs::write(&path, &bytes).unwrap();
        let faults = site.faults_of(1);
        let located =
            faults.iter().any(|fault| matches!(fault, Finding::SealBroken { number: broken, .. } if *broken == number));
        assert!(located, "byte {place}: {faults:?}");
    }
}

#[test]
fn records_deleted_swapped_and_doubled_show_in_their_place() {
    let site = Site::with_runs(1);
    let path = site.journal(1);
    let whole = lines(&fs::read(&path).unwrap());
    let at_record = |expected: u64| {
        let faults = site.faults_of(1);
        let there = faults
            .iter()
            .any(|fault| matches!(fault, Finding::Journal(Integrity::Broken { record, .. }) if *record == expected));
        assert!(there, "record {expected}: {faults:?}");
    };
    for place in 0..whole.len() {
        let number = place as u64 + 1;
        let mut deleted = whole.clone();
        deleted.remove(place);
        fs::write(&path, deleted.concat()).unwrap();
        if number == whole.len() as u64 {
            // the chain of records has no gap: the seal tells
            assert!(site.faults_of(1).contains(&Finding::Cut { sealed: number, records: number - 1 }));
        } else {
            at_record(number);
        }
        let mut doubled = whole.clone();
        doubled.insert(place, whole[place].clone());
        fs::write(&path, doubled.concat()).unwrap();
        at_record(number + 1);
        if place > 0 {
            let mut swapped = whole.clone();
            swapped.swap(place - 1, place);
            fs::write(&path, swapped.concat()).unwrap();
            at_record(number - 1);
        }
    }
}

#[test]
fn a_tail_cut_at_any_length_shows_where_there_is_a_seal() {
    let sealed = Site::with_runs(1);
    let whole = fs::read(sealed.journal(1)).unwrap();
    let bare = sealed.copy();
    fs::remove_file(bare.seals(1)).unwrap();
    fs::remove_dir_all(bare.path().join("chain")).unwrap();
    for length in 0..whole.len() {
        let records = u64::from(lines_before(&whole, length));
        let boundary = length > 0 && whole[length - 1] == b'\n';
        fs::write(sealed.journal(1), &whole[..length]).unwrap();
        let faults = sealed.faults_of(1);
        if records > 0 {
            assert!(faults.contains(&Finding::Cut { sealed: 5, records }), "{length}: {faults:?}");
        } else {
            assert!(!faults.is_empty(), "{length}");
        }
        fs::write(bare.journal(1), &whole[..length]).unwrap();
        let faults = bare.faults_of(1);
        match faults.as_slice() {
            // what nothing can show: there is no seal and no stamp, and the chain has no gap
            [Finding::Journal(Integrity::Unfinished { running: false })] => assert!(boundary, "{length}"),
            [Finding::Journal(Integrity::Torn { at_record, .. })] => assert_eq!(*at_record, records + 1),
            [Finding::Journal(Integrity::Broken { record: 1, .. })] => assert_eq!(records, 0),
            other => panic!("{length}: {other:?}"),
        }
    }
}

#[test]
fn a_journal_made_anew_from_a_record_on_is_not_the_sealed_one() {
    let site = Site::new();
    let mut journal = site.begin(1);
    for event in acted("the truth") {
        journal.append(at(61), event).unwrap();
    }
    journal.append(at(62), runbook::event::Event::Stopped { exit: 1, why: "failed".into() }).unwrap();
    site.seal(1, &journal, "mark", &unsigned());
    journal.append(at(90), resumed("denise")).unwrap();
    journal.append(at(91), ended()).unwrap();
    site.seal(1, &journal, "denise", &unsigned());
    drop(journal);
    assert_eq!(site.faults(), []);
    let whole = fs::read(site.journal(1)).unwrap();
    let cases: [(usize, &str, &str, &[Finding]); 3] = [
        (
            1,
            "\"mark\"",
            "\"nobody\"",
            &[
                Finding::Rewritten { after: 0, by: 5 },
                Finding::SealDiffers { number: 1, what: "first record" },
                Finding::Rewritten { after: 0, by: 7 },
                Finding::SealDiffers { number: 2, what: "first record" },
            ],
        ),
        (
            3,
            "the truth",
            "something else",
            &[Finding::Rewritten { after: 0, by: 5 }, Finding::Rewritten { after: 0, by: 7 }],
        ),
        (6, "denise", "mark", &[Finding::Rewritten { after: 5, by: 7 }]),
    ];
    for (seq, from, to, expected) in cases {
        fs::write(site.journal(1), forged(&whole, seq, |body| body.replacen(from, to, 1))).unwrap();
        assert_eq!(site.faults_of(1), expected, "record {seq}");
    }
}

#[test]
fn a_run_whose_seals_are_gone_is_unsealed() {
    let site = Site::with_runs(3);
    fs::remove_file(site.seals(1)).unwrap();
    assert_eq!(site.faults_of(1), [Finding::Unsealed { sealed: 0, records: 5 }]);
    // half a seal, as a crash leaves it
    let line = fs::read(site.seals(2)).unwrap();
    fs::write(site.seals(2), &line[..100]).unwrap();
    assert!(site.faults_of(2).contains(&Finding::SealBroken { number: 1, why: SealFault::Torn(100) }));
}

#[test]
fn a_run_that_goes_on_is_no_fault() {
    let site = Site::with_runs(1);
    let mut journal = site.begin(2);
    journal.append(at(121), acted("x")[0].clone()).unwrap();
    assert_eq!(site.faults(), []);
    assert_eq!(site.proof(2).findings, [Finding::Journal(Integrity::Unfinished { running: true })]);
    drop(journal);
    assert_eq!(site.proof(2).findings, [Finding::Journal(Integrity::Unfinished { running: false })]);
    assert!(!site.proof(2).is_intact());
    assert_eq!(site.proof(2).run, id(2));
}
