//! Verification looks at records as strictly as whoever reads them whole.

use std::collections::BTreeSet;

use jiff::Timestamp;
use proptest::prelude::*;

use super::fixture::{self, at, run};
use crate::event::{Event, RunState, StoredOutput};
use crate::journal::chain::Chain;
use crate::journal::record::{Reading, Refusal};
use crate::journal::skim::skim;
use crate::journal::walker::Walker;
use crate::vocab::Digest;

/// The kinds with bulk in them. What is not one of them is decoded as ever.
const SKIMMED: [&str; 9] = [
    "check-judged",
    "collected",
    "floor-judged",
    "looked",
    "observed",
    "precondition-judged",
    "step-acted",
    "undo-ended",
    "warning-shown",
];

/// A run with a step that is running.
fn begun() -> Chain {
    let mut chain = Chain::new(None);
    for event in [Event::Opened(Box::new(fixture::opened(run(1)))), fixture::started()] {
        let line = chain.draft(at(0), &event).unwrap();
        chain.link(&line).unwrap();
    }
    chain
}

/// The line without its digest.
fn body(chain: &Chain, event: &Event) -> String {
    let line = String::from_utf8(chain.draft(at(1), event).unwrap()).unwrap();
    line.rsplit_once(",\"digest\":").unwrap().0.to_owned()
}

/// The line with the right digest, whatever it says.
fn sealed(body: &[u8]) -> Vec<u8> {
    [body, format!(",\"digest\":\"{}\"}}", Digest::of(body)).as_bytes()].concat()
}

fn kind(event: &Event) -> String {
    serde_json::to_value(event).unwrap().as_object().unwrap().keys().next().unwrap().clone()
}

type Judged = Result<(RunState, Digest, Timestamp, Vec<StoredOutput>), Refusal>;

/// What becomes of a line, with all that verification takes from it.
fn judged(chain: &Chain, line: &[u8], reading: Reading) -> Judged {
    let mut chain = chain.clone().reading(reading);
    let record = chain.take(line)?;
    let stored = match &record.event {
        Event::StepActed { stdout, stderr, .. } => [stdout, stderr].map(|output| output.stored.clone()).to_vec(),
        Event::Collected { output, .. } | Event::UndoEnded { output, .. } => vec![output.stored.clone()],
        _ => Vec::new(),
    };
    Ok((chain.state().unwrap().clone(), chain.head().clone(), record.at, stored.into_iter().flatten().collect()))
}

/// The verdict on a line, the same for both readings.
fn verdict(chain: &Chain, line: &[u8]) -> Judged {
    let whole = judged(chain, line, Reading::Whole);
    assert_eq!(judged(chain, line, Reading::Skimmed), whole, "{}", String::from_utf8_lossy(line));
    whole
}

#[test]
fn what_the_writer_writes_is_skimmed_and_comes_to_the_same() {
    let chain = begun();
    let mut skimmed = BTreeSet::new();
    for event in fixture::every_event() {
        let line = sealed(body(&chain, &event).as_bytes());
        let has_bulk = SKIMMED.contains(&kind(&event).as_str());
        assert_eq!(skim(std::str::from_utf8(&line).unwrap()).is_some(), has_bulk, "{event:?}");
        if has_bulk {
            verdict(&chain, &line).unwrap();
            skimmed.insert(kind(&event));
        }
        // also in front of the run, and where it cannot follow
        for chain in [Chain::new(None), begun()] {
            let line = sealed(body(&chain, &event).as_bytes());
            let _ = verdict(&chain, &line);
        }
    }
    assert_eq!(Vec::from_iter(skimmed), SKIMMED, "the fixture has every kind");
}

#[test]
fn every_deviation_is_judged_the_same() {
    let chain = begun();
    let (mut seen, mut taken, mut refused) = (BTreeSet::new(), 0, 0);
    for event in fixture::every_event() {
        if !SKIMMED.contains(&kind(&event).as_str()) || !seen.insert(kind(&event)) {
            continue;
        }
        let body = body(&chain, &event);
        for place in 0..body.len() {
            let mut changed = body.clone().into_bytes();
            changed.remove(place);
            let mut lines = vec![changed];
            let by = [b"\"", b"0", b"\\", b"x", b"}"][place % 5];
            lines.push([&body.as_bytes()[..place], by, &body.as_bytes()[place + 1..]].concat());
            for changed in lines {
                match verdict(&chain, &sealed(&changed)) {
                    Ok(_) => taken += 1,
                    Err(_) => refused += 1,
                }
            }
        }
    }
    assert!(taken > 1000 && refused > 1000, "{taken} {refused}");
}

/// What may be put into a line, or be in the place of something.
fn snippet() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        " ",
        "\t",
        "\u{1}",
        "null",
        "true",
        "false",
        "\"",
        "\"x\"",
        "\\u0041",
        "\\u001b",
        "\\ud83d\\ude00",
        "\\ud800",
        "\\uD8",
        "\\x",
        "\\",
        "ü",
        "0",
        "01",
        "-0",
        "-1",
        "1.5",
        "1e5",
        "1e999",
        "18446744073709551616",
        "-9223372036854775809",
        "1.",
        "[]",
        "{}",
        "[1]",
        "{\"a\":1}",
        ",",
        ":",
        "]",
        "}",
        ",\"x\":1",
        "\"x\":1,",
        "\"stored\":null,",
        ",\"rows\":null",
        ",\"typed\":null",
        ",\"takes_none\":false",
        ",\"problems\":[]",
        "holds",
        "5s",
        "nothing",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
    ])
}

/// A text that is put in the place of all between two marks of JSON's: a whole value or key, mostly.
fn deviation() -> impl Strategy<Value = (prop::sample::Index, usize, &'static str)> {
    (any::<prop::sample::Index>(), 0..3_usize, snippet())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn whatever_is_changed_in_a_record_is_judged_the_same(
        event in prop::sample::select(fixture::every_event()), deviations in prop::collection::vec(deviation(), 1..4),
    ) {
        let chain = begun();
        let mut body = body(&chain, &event);
        for (place, length, by) in deviations {
            let marks: Vec<usize> = body.match_indices(['"', ',', ':', '[', ']', '{', '}']).map(|(mark, _)| mark).collect();
            let Some(first) = (!marks.is_empty()).then(|| place.index(marks.len())) else { break };
            let end = marks[(first + length).min(marks.len() - 1)];
            body.replace_range(marks[first]..end, by);
        }
        let _ = verdict(&chain, &sealed(body.as_bytes()));
    }

    #[test]
    fn what_is_gone_over_is_json(
        text in any::<String>(), number in "-?[0-9]{0,20}(\\.[0-9]{0,2})?([eE][+-]?[0-9]{0,3})?",
        at in any::<prop::sample::Index>(), by in snippet(),
    ) {
        let text = serde_json::to_string(&text).unwrap();
        prop_assert_eq!(Walker::new(&text).value(), Some(&*text));
        let mut json = format!("[{text},{{{text}:{number}}}]");
        let takes = |json: &str| Walker::new(json).value() == Some(json);
        let is_json = |json: &str| serde_json::from_str::<serde_json::Value>(json).is_ok();
        prop_assert_eq!(takes(&json), is_json(&json), "{}", json);
        let places: Vec<usize> = json.char_indices().map(|(place, _)| place).collect();
        json.insert_str(places[at.index(places.len())], by);
        prop_assert!(!takes(&json) || is_json(&json), "{}", json);
    }
}
