//! `audit export`: rows that other programs read.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use runbook::source::schema::SchemaKind;
use serde_json::Value;

use crate::support::{Program, Ran};

const GOOD: &str = "title: Good\nhosts: here\nsteps:\n  - { id: a, run: echo a }\n";
const BAD: &str = "\
title: \"Bad, with \\\"quotes\\\"\"
hosts: here
preconditions:
  - { id: never, says: Never., probe: { run: echo no }, expect: \"'yes' in stdout\", override: allowed }
steps:
  - { id: look, probe: { run: echo seen } }
  - { id: a, run: exit 3, checks: [{ says: It is so., probe: { run: echo x }, expect: \"'x' in stdout\" }] }
  - { id: b, run: echo b }
";
/// What a spreadsheet would run, what a terminal would obey, and what a reader of CSV stumbles over.
const EVIL: &str = "=HYPERLINK(\"http://x\";\"y\"), \x1b[2J\u{202e}\nsecond line";

fn runs() -> Program {
    let program = Program::new().with_book(&[("good.yaml", GOOD), ("bad.yaml", BAD)]);
    program.run(["run", "good", "--yes", "--as", "denise"]).exits(0);
    program.run(["run", "bad", "--yes"]).exits(3);
    program.run(["run", "bad", "--yes", "--override", "never", "--reason", EVIL]).exits(1);
    program
}

fn lines(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn table(ran: &Ran) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_reader(ran.stdout.as_bytes());
    let owned = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect::<Vec<_>>();
    let head = owned(reader.headers().unwrap());
    (head, reader.records().map(|record| owned(&record.unwrap())).collect())
}

/// A value as the documentation says that a cell has it, but for what is made harmless.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join("; "),
        Value::Object(one) => format!("{} ({}): {}", cell(&one["id"]), cell(&one["how"]), cell(&one["reason"])),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

#[test]
fn csv_and_json_lines_say_the_same_and_keep_their_schema() {
    let program = runs();
    let validator = jsonschema::validator_for(&SchemaKind::Export.schema()).unwrap();
    for (what, wanted) in [("runs", 3), ("steps", 7)] {
        let exact = lines(program.run(["audit", "export", "--what", what, "--format", "jsonl"]).exits(0));
        let (head, rows) = table(program.run(["audit", "export", "--what", what, "--format", "csv"]).exits(0));
        assert_eq!((exact.len(), rows.len()), (wanted, wanted), "{what}");
        for (row, exact) in rows.iter().zip(&exact) {
            assert!(validator.is_valid(exact), "{:?}", validator.iter_errors(exact).collect::<Vec<_>>());
            let fields = exact.as_object().unwrap();
            assert_eq!(head, fields.keys().cloned().collect::<Vec<_>>());
            for ((name, value), shown) in fields.iter().zip(row) {
                let plain = cell(value);
                let harmless = plain.replace('\x1b', "\\x1b").replace('\u{202e}', "\\u{202e}");
                let guarded = if harmless.starts_with(['=', '-']) { format!("'{harmless}") } else { harmless };
                assert_eq!(*shown, guarded, "{name}");
            }
        }
    }
    let events = lines(program.run(["audit", "export", "--what", "events"]).exits(0));
    assert!(events.iter().all(|event| validator.is_valid(event)));
    let of_newest: Vec<&Value> = events.iter().filter(|event| event["run"] == program.newest_id().as_str()).collect();
    assert_eq!(of_newest.len(), program.events().len());
    let journal: Value = serde_json::from_str(program.journal().lines().nth(1).unwrap()).unwrap();
    assert_eq!((&of_newest[1]["event"], &of_newest[1]["digest"]), (&journal["event"], &journal["digest"]));
}

#[test]
fn each_run_and_each_step_is_told_as_it_went() {
    let program = runs();
    let runs = lines(program.run(["audit", "export", "--format", "jsonl"]).exits(0));
    let [overridden, refused, good] = runs.as_slice() else { panic!("{runs:?}") };
    assert_eq!((&overridden["outcome"], &overridden["exit"]), (&"failed".into(), &1.into()));
    assert_eq!(overridden["overrides"][0]["id"], "never");
    assert_eq!(overridden["reason"], EVIL);
    assert_eq!(overridden["resumable"], true);
    let counts = ["steps_ok", "steps_failed", "steps_not_run"].map(|name| overridden[name].as_u64().unwrap());
    assert_eq!(counts, [1, 1, 1]);
    assert_eq!((&refused["outcome"], &refused["steps_not_run"]), (&"refused".into(), &3.into()));
    assert_eq!(
        (&good["outcome"], &good["operator"], &good["known_by"]),
        (&"ok".into(), &"denise".into(), &"--as".into())
    );

    let steps = lines(program.run(["audit", "export", "latest", "--what", "steps", "--format", "json"]).exits(0));
    let of = |id: &str| steps.iter().find(|step| step["step"] == id).unwrap();
    assert_eq!(
        (&of("a")["outcome"], &of("a")["exit"], &of("a")["command"]),
        (&"failed".into(), &3.into(), &"exit 3".into())
    );
    assert_eq!(
        (&of("b")["outcome"], &of("b")["started"], &of("b")["attempts"]),
        (&"not-run".into(), &Value::Null, &0.into())
    );
    assert_eq!((&of("look")["outcome"], &of("look")["command"]), (&"ok".into(), &Value::Null));

    let some = lines(
        program.run(["audit", "export", "--format", "jsonl", "--runbook", "bad", "--outcome", "refused"]).exits(0),
    );
    assert_eq!(some.iter().map(|run| &run["run"]).collect::<Vec<_>>(), [&refused["run"]]);
}

#[test]
fn what_cannot_be_read_is_named_and_the_others_are_exported() {
    let program = runs();
    let journal = program.newest_run().join("journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, text.replacen("\"ended\"", "\"endet\"", 1).replacen("\"stopped\"", "\"stoppet\"", 1)).unwrap();
    let broken = program.run(["audit", "export", "--format", "jsonl"]);
    broken.exits(7).says(&format!("warning: run {}: broken at record", program.newest_id()));
    let row = &lines(&broken)[0];
    assert_eq!((&row["integrity"], &row["outcome"]), (&"broken".into(), &"broken".into()));
    assert_eq!((&row["resumable"], &row["steps_not_run"]), (&false.into(), &Value::Null));
    assert!(row["why"].as_str().unwrap().contains("broken at record"), "{row}");
    fs::write(&journal, "no journal\n").unwrap();
    let unreadable = program.run(["audit", "export", "--format", "jsonl"]);
    unreadable.exits(7).says(&format!("warning: run {}: is not exported: ", program.newest_id()));
    assert_eq!(lines(&unreadable).len(), 2);
}

#[test]
fn a_reader_who_has_read_enough_ends_it_quietly() {
    let long = "x".repeat(12_000);
    let steps: String = (0..8).map(|n| format!("  - {{ id: s{n}, run: \"seq 1 6000 # {long}\" }}\n")).collect();
    let program = Program::new().with_book(&[("wordy.yaml", &format!("title: W\nhosts: here\nsteps:\n{steps}"))]);
    program.run(["run", "wordy", "--yes"]).exits(0);
    for words in [["events", "jsonl"], ["steps", "jsonl"], ["steps", "csv"]] {
        let words = ["audit", "export", "--what", words[0], "--format", words[1]];
        assert!(program.run(words).stdout.len() > 64 * 1024, "more than a pipe holds, or nothing is proven");
        let mut child = program.command(words).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut String::new()).unwrap();
        drop(out);
        let ran = Ran::of(child.wait_with_output().unwrap());
        ran.exits(0);
        assert_eq!(ran.stderr, "", "{words:?}");
    }
}

#[test]
fn a_format_that_nobody_writes_is_refused() {
    let program = Program::new().with_book(&[("good.yaml", GOOD)]);
    let (head, rows) = table(program.run(["audit", "export"]).exits(0));
    assert!(rows.is_empty() && head[0] == "run", "without a run there is a head");
    program
        .run(["audit", "list", "--format", "csv"])
        .exits(2)
        .says("only `runbook audit export` writes `--format csv`");
    program.run(["run", "good", "--format", "jsonl"]).exits(2).says("--format jsonl");
    program.run(["audit", "export", "--what", "events", "--format", "csv"]).exits(2).says("goes with `--format jsonl`");
    program.run(["audit", "export", "latest", "--runbook", "good"]).exits(2).says("cannot be used with");
    assert!(program.newest_or_none().is_none(), "nothing was run");
}
