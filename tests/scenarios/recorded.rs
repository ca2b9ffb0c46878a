//! What is recorded of a run plays as the run did.

use std::path::Path;

use crate::book::Book;
use crate::player::{FAULTS, FAULTS_SCENARIOS, KINDS, KINDS_SCENARIOS};

/// The files of a book, by their path in it; its scenarios not among them.
fn files(dir: &Path, below: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{below}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_file() {
            found.extend(std::fs::read_to_string(&path).ok().map(|text| (name, text)));
        } else if name != "tests" {
            found.extend(files(&path, &format!("{name}/")));
        }
    }
    found
}

/// Records each scenario of a book, `but` one, and plays what was recorded. Gives how many there were.
#[track_caller]
fn round_trip(book: &Book, but: &str) -> usize {
    let own = files(book.dir(), "");
    let mut wrong = Vec::new();
    let mut count = 0;
    for ready in book.ready() {
        for scenario in ready.suite.scenarios.iter().filter(|scenario| !scenario.dry_run && scenario.name != but) {
            let played = ready.goes_well(scenario);
            if played.log.records().is_empty() {
                // it was refused before it began
                continue;
            }
            count += 1;
            let text = ready.recorded(scenario, &played);
            let path = format!("tests/{}.yaml", ready.suite.name);
            let mut with: Vec<(&str, &str)> = own.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
            with.push((&path, &text));
            for again in Book::of(&with).ready() {
                for recorded in &again.suite.scenarios {
                    let played = again.play(recorded);
                    let differences: Vec<String> = played.differences.iter().map(ToString::to_string).collect();
                    if !differences.is_empty() {
                        let told = played.told.join("\n---\n");
                        wrong.push(format!("{}: {differences:#?}\n{text}\n{told}", scenario.name));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count} recorded runs play otherwise:\n{}", wrong.len(), wrong.join("\n\n"));
    count
}

#[test]
fn every_run_of_the_book_plays_as_it_is_recorded() {
    let count = round_trip(&Book::own(), "");
    assert!(count >= 25, "{count}");
}

#[test]
fn every_kind_of_answer_is_recorded() {
    // a flag that was of no use stands in no journal
    let refused = "the text that is to be typed is not acknowledged by another";
    assert!(round_trip(&Book::with(KINDS, KINDS_SCENARIOS), refused) >= 8);
}

#[test]
fn every_fault_is_recorded() {
    assert!(round_trip(&Book::with(FAULTS, FAULTS_SCENARIOS), "") >= 11);
}
