//! Pages of made-up runs: what they say, that nothing on them obeys a text, and that they stand for themselves.

use std::collections::BTreeSet;

use html5gum::{Token, Tokenizer};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use proptest::prelude::*;
use serde_json::Value;

use super::{Made, Period, Run, Seen, Verified};
use crate::event::{ActionEnd, ActionKind, Choice, Event, FailureKind, Outcome, Output, RunStatus, StoredOutput};
use crate::journal::{Entry, FileFault, Indexed, JournalError};
use crate::report::Story;
use crate::report::sample::{self, Tape, at, hosts, step};
use crate::vocab::{Digest, HostName, RunId, StepId};

fn made() -> Made {
    Made {
        at: "2026-11-24T09:00:00Z".parse().unwrap(),
        admin_host: "dfw-admin01".to_owned(),
        store: "/var/lib/runbook".to_owned(),
        version: "0.1.0".to_owned(),
        zone: TimeZone::UTC,
    }
}

fn intact() -> Verified {
    Verified { ok: true, word: "intact".to_owned(), details: vec!["Every record verifies.".to_owned()] }
}

fn of(records: impl IntoIterator<Item = (Timestamp, Event)>) -> String {
    of_kept(records, &|_| Err(FileFault::Missing))
}

fn of_kept(
    records: impl IntoIterator<Item = (Timestamp, Event)>,
    whole: &dyn Fn(&Digest) -> Result<Vec<u8>, FileFault>,
) -> String {
    let story = Story::from_records(records);
    Run { story: &story, running: false, proof: &intact(), whole, made: &made() }.page()
}

/// A failure that a person undoes and gives a reason for, after which the host is left out.
fn chosen() -> Tape {
    let mut tape = sample::failure();
    let place = at("bounce/start", "va-web02");
    tape.told.truncate(tape.told.len() - 2);
    tape.event(Event::Chosen { at: place.clone(), choice: Choice::Undo, reason: "it cannot stay so".to_owned() });
    tape.event(Event::UndoStarted { at: place.clone(), command: "service apache2 start-old".to_owned() });
    tape.later(1200).event(Event::UndoEnded {
        at: place.clone(),
        end: Some(ActionEnd::Exited(0)),
        output: Output::inline("the old one is back\n"),
    });
    tape.event(Event::Interrupted { signal: "SIGTERM".to_owned(), count: 1 });
    tape.event(Event::Stopped { exit: 130, why: "interrupted".to_owned() });
    tape
}

/// What stands behind a page's head: its style is the same everywhere.
fn body(page: &str) -> &str {
    &page[page.find("<body>").unwrap()..]
}

#[test]
fn a_failed_run_with_its_undo() {
    insta::assert_snapshot!(body(&of(chosen().records())));
}

#[test]
fn a_run_that_was_resumed_against_a_precondition() {
    insta::assert_snapshot!(body(&of(sample::resumed().records())));
}

#[test]
fn a_failure_that_a_resume_overcame_is_not_forgotten() {
    let place = at("restart", "va-web01");
    let failed = Outcome::Failed { kind: FailureKind::Action, why: "exit 7".to_owned() };
    let resumed = sample::resumed().records().into_iter().find(|(_, event)| matches!(event, Event::Resumed(_)));
    let mut tape = Tape::new();
    let steps = vec![step("restart", "", "run", None, &["va-web01"])];
    tape.event(Event::Opened(Box::new(sample::opened("restart", "", true, steps))));
    tape.started(&place, "false").acted(&place, ActionEnd::Exited(7), "", "no\n").ended(&place, failed);
    tape.event(Event::Stopped { exit: 1, why: "restart failed on va-web01".to_owned() });
    tape.event(resumed.unwrap().1);
    tape.event(Event::StepStarted {
        at: place.clone(),
        attempt: 2,
        kind: ActionKind::Run,
        command: "true".to_owned(),
        user: None,
    });
    tape.event(Event::StepActed {
        at: place.clone(),
        attempt: 2,
        end: ActionEnd::Exited(0),
        stdout: Output::default(),
        stderr: Output::default(),
        took: crate::vocab::Period::seconds(1),
        output_cut: false,
    });
    tape.ended(&place, Outcome::Ok);
    for verdict in [sample::fails("va-web01", "no answer"), sample::holds("va-web01")] {
        tape.event(Event::CheckJudged {
            at: None,
            check: 1,
            says: "It answers.".to_owned(),
            verdicts: vec![verdict],
            polls: 1,
            took: crate::vocab::Period::seconds(1),
        });
    }
    tape.event(Event::Ended { exit: 0, why: "done".to_owned() });
    let page = of(tape.records());
    assert!(page.contains("a check of the whole run did not hold at first: It answers."));
    assert!(page.contains("restart failed on va-web01 before it went well: exit 7"), "at a glance");
    assert!(page.contains("failed before: exit 7") && page.contains("class=\"host\" open=\"\""), "at its place");
    assert_eq!(stands_for_itself(&page), Ok(()));
}

fn entry(run: &str, runbook: &str, status: RunStatus) -> Seen {
    let run: RunId = run.parse().unwrap();
    let started = jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", run.second()).unwrap();
    let started = started.to_datetime().unwrap().to_zoned(TimeZone::UTC).unwrap().timestamp();
    let entry = Entry {
        runbook: runbook.to_owned(),
        operator: "mark".to_owned(),
        admin_host: "dfw-admin01".to_owned(),
        hosts: vec![HostName::new("va-web01")],
        changes: true,
        started,
        last: started + Span::new().seconds(90),
        status,
        reason: Some("new release".to_owned()),
        emergency: false,
        overrides: Vec::new(),
        stretches: 1,
    };
    Seen { indexed: Indexed { run, running: false, entry: Ok(entry) }, proof: intact() }
}

fn ended(exit: u8, why: &str) -> RunStatus {
    RunStatus::Ended { exit, why: why.to_owned() }
}

fn month() -> Vec<Seen> {
    let mut runs = vec![
        entry("20261123T031500Z-00000005", "restart-webs", ended(0, "everything was done")),
        entry("20261122T031500Z-00000004", "restart-webs", ended(1, "restart failed on va-web03")),
        entry("20261121T031500Z-00000003", "restart-jobs", ended(3, "importers-bored does not hold")),
        entry(
            "20261120T031500Z-00000002",
            "restart-jobs",
            RunStatus::Stopped { exit: 130, why: "interrupted".to_owned() },
        ),
    ];
    let Ok(against) = &mut runs[0].indexed.entry else { panic!("it can be read") };
    against.overrides = vec![("importers-bored".to_owned(), "db failover".to_owned())];
    let run: RunId = "20261119T031500Z-00000001".parse().unwrap();
    let error = JournalError::NoRun { run: run.clone() };
    let proof = Verified { ok: false, word: "broken".to_owned(), details: vec!["broken at record 3".to_owned()] };
    runs.push(Seen { indexed: Indexed { run, running: false, entry: Err(error) }, proof });
    runs
}

fn of_month(runs: &[Seen]) -> String {
    let asked = [("Which".to_owned(), "--since 2026-11-01".to_owned())];
    Period { runs, asked: &asked, made: &made() }.page()
}

#[test]
fn a_month_of_runs() {
    insta::assert_snapshot!(body(&of_month(&month())));
}

/// Every tag with the names of its attributes; and what is wrong with the page.
fn parts(page: &str) -> (Vec<String>, Vec<String>) {
    let (mut tags, mut wrong, mut open) = (Vec::new(), Vec::new(), Vec::new());
    let (mut ids, mut links) = (BTreeSet::new(), BTreeSet::new());
    for token in Tokenizer::new(page) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => {
                let name = String::from_utf8_lossy(&tag.name).into_owned();
                let names: Vec<_> =
                    tag.attributes.keys().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
                for (key, value) in &tag.attributes {
                    let value = String::from_utf8_lossy(value).into_owned();
                    if &***key == b"id" && !ids.insert(value.clone()) {
                        wrong.push(format!("two have the id {value}"));
                    } else if &***key == b"href" {
                        links.insert(value);
                    }
                }
                tags.push(format!("{name} {}", names.join(" ")));
                if !tag.self_closing && name != "meta" {
                    open.push(name);
                }
            }
            Token::EndTag(tag) => {
                let name = String::from_utf8_lossy(&tag.name).into_owned();
                let before = open.pop();
                if before.as_ref() != Some(&name) {
                    wrong.push(format!("</{name}> ends {before:?}"));
                }
            }
            Token::String(_) | Token::Doctype(_) => {}
            Token::Comment(comment) => wrong.push(format!("{comment:?}")),
            Token::Error(error) => wrong.push(format!("{error:?}")),
        }
    }
    wrong.extend(open.into_iter().map(|name| format!("<{name}> never ends")));
    for link in links {
        if !link.strip_prefix('#').is_some_and(|id| ids.contains(id)) {
            wrong.push(format!("a link to {link}, which is not there"));
        }
    }
    (tags, wrong)
}

fn stands_for_itself(page: &str) -> Result<(), String> {
    for word in ["http:", "https:", "//", "src=", "<script", "@import", "<link", "<img", "<iframe", "url(h", "url(d"] {
        if let Some(found) = page.find(word) {
            return Err(format!("`{word}` in …{}", &page[found.saturating_sub(40)..][..80.min(page.len() - found)]));
        }
    }
    let (_, wrong) = parts(page);
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

#[test]
fn every_page_is_whole_by_itself_and_always_the_same() {
    let mut pages: Vec<String> = sample::all().iter().map(|tape| of(tape.records())).collect();
    pages.extend([of(chosen().records()), of_month(&month()), of_month(&[]), of([])]);
    for page in &pages {
        assert_eq!(stands_for_itself(page), Ok(()));
    }
    let again: Vec<String> = sample::all().iter().map(|tape| of(tape.records())).collect();
    assert_eq!(pages[..again.len()], again);
}

/// What something would obey, and what nobody can see.
const NASTY: &[&str] = &[
    "<script>alert(1)</script>",
    "</pre>",
    "</title>",
    "</style>",
    "</svg>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<",
    ">",
    "&lt;",
    "&#60;",
    "&",
    "\"",
    "'",
    "\" onload=\"x",
    "' onclick='x",
    "javascript:x",
    "<img src=x>",
    "\u{202e}",
    "\u{200b}",
    "\0",
    "\x1b[31m",
    "\r",
    "\u{7f}",
    "\u{feff}",
    "`",
    "=",
    "é",
    "\\",
];

fn nasty() -> impl Strategy<Value = String> {
    // a carriage return that a newline follows is not seen: none comes to stand in front of one
    prop::collection::vec(prop::sample::select(NASTY), 1..4).prop_map(|pieces| pieces.concat() + "z")
}

/// The event with `tail` behind each of its texts that may be any text: where it is then no event any more, it stays.
fn spoiled(event: &Event, tail: &str) -> Event {
    let mut document = serde_json::to_value(event).unwrap();
    let mut number = 0;
    while let Some(text) = nth(&mut document, &mut { number }) {
        let before = text.clone();
        text.push_str(tail);
        if serde_json::from_value::<Event>(document.clone()).is_err()
            && let Some(text) = nth(&mut document, &mut { number })
        {
            *text = before;
        }
        number += 1;
    }
    serde_json::from_value(document).unwrap()
}

fn nth<'a>(value: &'a mut Value, left: &mut usize) -> Option<&'a mut String> {
    match value {
        Value::String(text) if *left == 0 => Some(text),
        Value::String(_) => {
            *left -= 1;
            None
        }
        Value::Array(items) => items.iter_mut().find_map(|item| nth(item, left)),
        Value::Object(fields) => fields.iter_mut().map(|(_, field)| field).find_map(|field| nth(field, left)),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn spoiled_page(tape: &Tape, tail: &str) -> String {
    of(tape.records().iter().map(|(at, event)| (*at, spoiled(event, tail))))
}

#[test]
fn texts_are_spoiled_everywhere() {
    let page = spoiled_page(&sample::resumed(), "SPOILED");
    for text in ["va-web01SPOILED", "restartSPOILED", "db failoverSPOILED", "denise", "finish what mark beganSPOILED"] {
        assert!(page.contains(text), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_of_a_record_is_markup(tail in nasty(), pick in any::<prop::sample::Index>()) {
        let mut tapes = sample::all();
        // thirty hosts at once tell no more than three
        tapes.retain(|tape| tape.told.len() < 100);
        tapes.push(chosen());
        let tape = pick.get(&tapes);
        let (tags, wrong) = parts(&spoiled_page(tape, &tail));
        prop_assert_eq!(wrong, Vec::<String>::new());
        // the same page with harmless texts that are as long where they are seen
        let harmless = "x".repeat(crate::report::line::width(&crate::vocab::neutral::one_line(&tail)));
        let (wanted, _) = parts(&spoiled_page(tape, &harmless));
        prop_assert_eq!(tags, wanted);
    }

    #[test]
    fn streams_without_sense_become_pages(picks in prop::collection::vec((0_usize..12, any::<prop::sample::Index>()), 0..60)) {
        let tapes: Vec<_> = sample::all().iter().map(Tape::records).collect();
        let records = picks.iter().map(|(tape, index)| index.get(&tapes[*tape]).clone());
        prop_assert_eq!(stands_for_itself(&of(records)), Ok(()));
    }
}

#[test]
fn what_is_not_seen_is_shown() {
    let page = of(sample::failure().records());
    assert!(page.contains("\\x1b[31mcould not bind"), "control characters are told");
    assert!(!page.contains('\x1b'));
    assert!(of(sample::crowd().records()).chars().all(|ch| !ch.is_control() || ch == '\n'));
}

/// One step whose output is kept beside the journal.
fn large(outcome: Outcome, end: ActionEnd) -> Vec<(Timestamp, Event)> {
    let place = at("dump", "db01");
    let mut tape = Tape::new();
    let steps = vec![step("dump", "Dump", "run", None, &["db01"])];
    tape.event(Event::Opened(Box::new(sample::opened("dump", "Dump", true, steps))));
    tape.started(&place, "dump").later(1000).event(Event::StepActed {
        at: place.clone(),
        attempt: 1,
        end,
        stdout: Output {
            text: "the beginning\n… left out …\nthe end\n".to_owned(),
            stored: Some(StoredOutput { digest: Digest::of(b"x"), bytes: 900_000 }),
        },
        stderr: Output::default(),
        took: crate::vocab::Period::seconds(1),
        output_cut: false,
    });
    tape.ended(&place, outcome);
    tape.records()
}

#[test]
fn a_large_output_is_on_the_page_up_to_a_bound() {
    let whole = |_: &Digest| Ok(("a line of output\n".repeat(60_000) + "the very end").into_bytes());
    let page = of_kept(large(Outcome::Ok, ActionEnd::Exited(0)), &whole);
    assert!(page.contains("the very end") && page.contains("bytes are not on this page"));
    assert!(page.contains("--step dump --host db01 --output"), "how to see the whole");
    assert!((256 << 10..300 << 10).contains(&page.len()), "{}", page.len());
    let page = of(large(Outcome::Ok, ActionEnd::Exited(0)));
    assert!(page.contains("the beginning") && page.contains(", which is missing."), "what is left, and why");
}

#[test]
fn a_failure_is_open_and_what_went_well_is_folded() {
    let failed = Outcome::Failed { kind: FailureKind::Action, why: "exit 1".to_owned() };
    let long = |_: &Digest| Ok("line\n".repeat(20).into_bytes());
    let page = of_kept(large(failed, ActionEnd::Exited(1)), &long);
    assert!(page.contains("<details id=\"dump@db01\" class=\"host trouble\" open=\"\">"));
    assert!(page.contains("<details open=\"\"><summary>stdout: 20 lines"));
    let page = of_kept(large(Outcome::Ok, ActionEnd::Exited(0)), &long);
    assert!(page.contains("<details id=\"dump@db01\" class=\"host\">"));
    assert!(page.contains("<details><summary>stdout: 20 lines"));
}

#[test]
fn two_hundred_hosts_and_twenty_steps_are_a_page_of_a_few_megabytes() {
    let names: Vec<String> = (1..=200).map(|number| format!("va-web{number:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let ids: Vec<String> = (1..=20).map(|number| format!("step-{number}")).collect();
    let steps = ids.iter().map(|id| step(id, "One of many", "run", None, &names)).collect();
    let mut tape = Tape::new();
    tape.event(Event::Opened(Box::new(sample::opened("all", "All of it", true, steps))));
    for id in &ids {
        let batches = names.chunks(10).map(hosts).collect();
        tape.event(Event::RollStarted { step: StepId::new(id.as_str()), batches });
        for name in &names {
            let place = at(id, name);
            tape.later(20).started(&place, "service apache2 restart").later(200);
            tape.acted(&place, ActionEnd::Exited(0), "Restarting apache2: done\n", "").ended(&place, Outcome::Ok);
        }
        tape.event(Event::RollEnded { step: StepId::new(id.as_str()) });
    }
    tape.event(Event::Ended { exit: 0, why: "done, every check held".to_owned() });
    let page = of(tape.records());
    assert!(page.contains("id=\"step-20@va-web200\""));
    assert!(page.len() < 5 << 20, "{}", page.len());
    assert_eq!(stands_for_itself(&page), Ok(()));
}

#[test]
fn a_thousand_runs_are_lines() {
    let runs: Vec<Seen> = (0..1000)
        .map(|number| {
            let (day, hour) = (1 + number % 28, number / 28 % 24);
            entry(&format!("202610{day:02}T{hour:02}1500Z-{number:08x}"), "restart-webs", ended(0, "done"))
        })
        .collect();
    let page = of_month(&runs);
    assert!(page.len() < 500 << 10, "{}", page.len());
    assert!(runs.iter().all(|seen| page.contains(seen.indexed.run.as_str())));
}

#[test]
fn a_clock_that_went_back_is_told_and_takes_nothing_away() {
    let mut records = sample::good_roll().records();
    let half = records.len() / 2;
    for (at, _) in &mut records[half..] {
        *at -= Span::new().hours(1);
    }
    let page = of(records);
    assert!(page.contains("the clock of the admin host went back by"));
    assert_eq!(stands_for_itself(&page), Ok(()));
}

#[test]
fn a_record_that_is_broken_says_so() {
    let story = Story::from_records(sample::good_roll().records());
    let details = vec!["broken at record 9: its digest does not match its bytes".to_owned()];
    let proof = Verified { ok: false, word: "broken".to_owned(), details };
    let page =
        Run { story: &story, running: false, proof: &proof, whole: &|_| Err(FileFault::Missing), made: &made() }.page();
    assert!(page.contains("class=\"proof broken\"") && page.contains("broken at record 9"));
}
