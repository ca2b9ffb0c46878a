//! The kit that kills the program at a record: whether it kills where it says.

use crate::support::{Crash, Program};

const BOOK: &str = "title: Local\nhosts: here\nsteps:\n  - { id: a, run: echo a }\n  - { id: b, run: echo b }\n";

/// The lines of the only journal, and what stands behind the last newline. Before its first record is synced its folder
/// is among the drafts.
fn lines(program: &Program) -> (usize, usize) {
    let runs = program.state().join("runs");
    let folders = [runs.join(".drafts"), runs].into_iter().flat_map(|place| std::fs::read_dir(place).unwrap());
    let mut journals = folders.map(|folder| folder.unwrap().path().join("journal.jsonl"));
    let text = std::fs::read_to_string(journals.find(|path| path.exists()).unwrap()).unwrap();
    let whole = text.rfind('\n').map_or(0, |at| at + 1);
    (text[..whole].lines().count(), text.len() - whole)
}

#[test]
fn a_program_is_killed_exactly_before_within_and_after_each_record() {
    let whole = Program::new().with_book(&[("local.yaml", BOOK)]);
    whole.run(["run", "local", "--yes"]).exits(0);
    let (records, _) = lines(&whole);
    assert!(records > 8, "{records}");
    for number in [1, 2, records / 2, records] {
        let crashes = [
            (Crash::Before(number), number - 1, false),
            (Crash::Within(number), number - 1, true),
            (Crash::After(number), number, false),
        ];
        for (crash, left, torn) in crashes {
            let program = Program::new().with_book(&[("local.yaml", BOOK)]);
            program.crash(crash, ["run", "local", "--yes"]).exits(128 + 9);
            let (found, behind) = lines(&program);
            assert_eq!((found, behind > 0), (left, torn), "{crash}");
        }
    }
}

#[test]
fn a_program_that_writes_fewer_records_is_not_killed() {
    let program = Program::new().with_book(&[("local.yaml", BOOK)]);
    program.crash(Crash::After(1000), ["run", "local", "--yes"]).exits(0);
}
