//! Journals that cannot be read: every command that meets one says so and goes on with the others.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::Program;

const BOOK: &str = "title: A\nhosts: here\nsteps:\n  - { id: a, run: echo a }\n  - { id: b, run: exit 3 }\n";

/// A way to make a run's journal unreadable.
type Spoil = fn(folder: &Path, journal: PathBuf);

/// What happens to a run's journal, and what is said of it.
const SPOILED: [(Spoil, &str); 8] = [
    (
        |_, journal| {
            fs::remove_file(&journal).unwrap();
            fs::create_dir(journal).unwrap();
        },
        "is not a plain file",
    ),
    (
        |_, journal| {
            fs::remove_file(&journal).unwrap();
            std::os::unix::fs::symlink("/etc/passwd", journal).unwrap();
        },
        "is not a plain file",
    ),
    (
        |folder, _| {
            fs::remove_dir_all(folder).unwrap();
            fs::write(folder, "").unwrap();
        },
        "is not the folder of a run",
    ),
    (|_, journal| fs::remove_file(journal).unwrap(), "there is no whole first record"),
    (|_, journal| fs::write(journal, "").unwrap(), "there is no whole first record"),
    (
        |_, journal| {
            let bytes = fs::read(&journal).unwrap();
            fs::write(journal, &bytes[..100]).unwrap();
        },
        "there is no whole first record",
    ),
    (
        |_, journal| {
            let garbage: Vec<u8> = (0..20_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
            fs::write(journal, garbage).unwrap();
        },
        "broken at record 1",
    ),
    (
        |_, journal| {
            let text = fs::read_to_string(&journal).unwrap();
            fs::write(journal, text.replacen("\"format\":1", "\"format\":9", 1)).unwrap();
        },
        "is in format 9",
    ),
];

/// A program with an unfinished run whose journal was spoiled, and its id.
fn spoiled(spoil: Spoil) -> (Program, String) {
    let program = Program::new().with_book(&[("a.yaml", BOOK)]);
    program.run(["run", "a", "--yes"]).exits(1);
    let (folder, id) = (program.newest_run(), program.newest_id());
    spoil(&folder, folder.join("journal.jsonl"));
    (program, id)
}

#[test]
fn a_journal_that_cannot_be_read_is_told_of_and_nobody_takes_it_for_another() {
    for (spoil, what) in SPOILED {
        let (program, id) = spoiled(spoil);
        program.run(["audit", "list"]).exits(0).says(&id).says("unreadable").says(what);
        program.run(["audit", "verify", "--all"]).exits(7).says(&id).says(what);
        for words in [&["audit", "show", &id][..], &["resume", &id], &["abandon", &id, "--reason", "x"]] {
            program.run(words).exits(7).says(what).is_silent_about("panicked");
        }
        program
            .run(["resume"])
            .exits(7)
            .says(&format!("the run {id} cannot be read"))
            .says("no unfinished run can be read");
        program.run(["list"]).exits(0).says("never");
    }
}

#[test]
fn the_other_runs_go_on() {
    for (spoil, what) in SPOILED {
        let (program, id) = spoiled(spoil);
        program.run(["run", "a", "--yes"]).exits(1).says(&format!("the run {id} cannot be read")).says(what);
        let listed = program.run(["audit", "list"]);
        listed.exits(0).says("stopped, failed").says("unreadable");
        program.run(["resume", "--yes"]).exits(4).says("b@here had failed").says(what);
        program.run(["audit", "show", "latest"]).exits(0).says("b@here had failed");
    }
}

#[test]
fn many_unreadable_runs_are_not_named_one_by_one() {
    let program = Program::new().with_book(&[("a.yaml", BOOK)]);
    let runs = program.state().join("runs");
    for number in 0..5 {
        fs::create_dir_all(runs.join(format!("20260101T00000{number}Z-00000000"))).unwrap();
    }
    let ran = program.run(["run", "a", "--yes"]);
    ran.exits(1).says("note: 5 runs cannot be read: `runbook audit list` says why").is_silent_about("20260101");
}

#[test]
fn a_state_folder_that_may_not_be_looked_into_is_not_called_empty() {
    let program = Program::new().with_book(&[("a.yaml", BOOK)]);
    // root may look anywhere; but not below a file
    fs::write(program.state(), "").unwrap();
    program.run(["audit", "list"]).exits(9).says("is not a directory");
}
