//! A disk that fills up, and a journal that is taken away, while an action runs.
//!
//! Needs root, for the small file systems.

use std::process::{Child, Command};

use crate::support::{Crash, Program, Ran, Small};

/// A program whose first step runs until `go` is there, then says much; a second step follows.
struct Held {
    program: Program,
    child: Child,
}

impl Held {
    fn program(says: &str) -> Program {
        let program = Program::new();
        let dir = program.dir().display().to_string();
        // the second step's intent is longer than what the journal takes beyond its need
        let padding = "x".repeat(20_000);
        let text = format!(
            "title: Held\nhosts: here\nsteps:\n  - id: held\n    run: |\n      touch {dir}/running\n      \
             until test -e {dir}/go; do sleep 0.02; done\n      {says}\n      echo held >> {dir}/deeds\n  - id: then\n    \
             run: \"true {padding}; echo then >> {dir}/deeds\"\n"
        );
        program.with_book(&[("held.yaml", &text)])
    }

    fn start(program: Program) -> Self {
        let child = program.start(["run", "held", "--yes"]);
        program.wait_until("the action runs", || program.dir().join("running").exists());
        Self { program, child }
    }

    /// Lets the action end.
    fn let_go(self) -> (Program, Ran) {
        std::fs::write(self.program.dir().join("go"), "").unwrap();
        (self.program, Ran::of(self.child.wait_with_output().unwrap()))
    }
}

#[track_caller]
fn deeds_are(program: &Program, wanted: &[&str]) {
    let text = std::fs::read_to_string(program.dir().join("deeds")).unwrap_or_default();
    assert_eq!(text.lines().collect::<Vec<_>>(), wanted);
}

/// The disk fills up while the action runs: its outcome is recorded, nothing is begun any more, a resume finishes.
fn filled_up(says: &str) -> Program {
    let program = Held::program(says);
    let small = Small::mounted_at(&program.state());
    let held = Held::start(program);
    small.fill();
    let (program, ran) = held.let_go();
    ran.exits(9).says("no room in").says("0 are free").says("No space left").says("make room").says("resume");
    ran.is_silent_about("in doubt");
    deeds_are(&program, &["held"]);
    assert_eq!(program.events_named("step-acted").len(), 1, "the outcome is recorded");
    let (last, body) = program.events().pop().unwrap();
    assert_eq!((last.as_str(), body["exit"].as_u64()), ("stopped", Some(9)));
    // for a seal there was no room
    program.run(["audit", "verify"]).exits(7).says("unsealed");
    // still full: it stops before anything is sent, and no doubt comes of it
    program.run(["resume", "--yes"]).exits(9).says("No space left");
    small.make_room();
    program.run(["resume", "--yes"]).exits(0);
    deeds_are(&program, &["held", "then"]);
    program.run(["audit", "verify"]).exits(0).says("intact");
    let acted = program.events_named("step-acted").swap_remove(0);
    let text = acted["stdout"]["text"].as_str().unwrap();
    assert!(says == "true" || text.contains("not kept: there was no room for it"), "{text}");
    let used = Command::new("du").args(["-s", "-B1"]).arg(program.newest_run().join("journal.jsonl")).output().unwrap();
    let used: u64 = String::from_utf8_lossy(&used.stdout).split_whitespace().next().unwrap().parse().unwrap();
    let length = std::fs::metadata(program.newest_run().join("journal.jsonl")).unwrap().len();
    assert!(used < length + 8192, "the room is given back: {used} for {length}");
    program
}

#[test]
fn a_disk_that_fills_up_while_an_action_runs_leaves_no_doubt() {
    filled_up("true");
}

#[test]
fn an_output_that_would_be_kept_beside_the_journal_loses_only_its_middle() {
    filled_up("seq 1 20000");
}

#[test]
fn an_output_as_large_as_a_record_may_hold_is_cut_and_its_outcome_kept() {
    // 32 kB, of which each byte is six in JSON: on both streams more than all the room that was taken
    filled_up("head -c 32000 /dev/zero | tr '\\0' '\\1' | tee /dev/stderr");
}

#[test]
fn a_state_folder_that_is_removed_stops_the_run_and_the_outcome_is_told() {
    let held = Held::start(Held::program("true"));
    std::fs::remove_dir_all(held.program.state()).unwrap();
    let (program, ran) = held.let_go();
    ran.exits(9).says("was removed during the run").says("not recorded: held@here: exit 0").says("look at the hosts");
    ran.is_silent_about(" resume ");
    deeds_are(&program, &["held"]);
    assert!(!program.state().exists(), "nothing is made again in its place");
}

#[test]
fn a_state_folder_that_is_moved_away_keeps_the_outcome_and_can_be_brought_back() {
    let held = Held::start(Held::program("true"));
    let (state, aside) = (held.program.state(), held.program.dir().join("aside"));
    std::fs::rename(&state, &aside).unwrap();
    let (program, ran) = held.let_go();
    ran.exits(9).says("is not in its place any more").says("bring it back").is_silent_about("not recorded");
    deeds_are(&program, &["held"]);
    std::fs::rename(&aside, &state).unwrap();
    program.run(["resume", "--yes"]).exits(0);
    deeds_are(&program, &["held", "then"]);
}

#[test]
fn a_file_system_that_is_unmounted_stops_the_run_before_the_next_action() {
    let program = Held::program("true");
    let small = Small::mounted_at(&program.state());
    let held = Held::start(program);
    small.unmount();
    let (program, ran) = held.let_go();
    ran.exits(9).says("its file system was unmounted");
    deeds_are(&program, &["held"]);
}

#[test]
fn another_file_in_the_journals_place_stops_the_run_before_the_next_action() {
    let held = Held::start(Held::program("true"));
    let path = held.program.newest_run().join("journal.jsonl");
    let copy = std::fs::read(&path).unwrap();
    std::fs::rename(&path, held.program.dir().join("aside")).unwrap();
    std::fs::write(&path, copy).unwrap();
    let (program, ran) = held.let_go();
    ran.exits(9).says("is another file than the one this run writes");
    deeds_are(&program, &["held"]);
    assert_eq!(program.events_named("step-acted").len(), 0, "the other file is left alone");
}

/// A disk that fails at the first record of this kind, with this error. Gives the program and what it said.
fn failed_at(record: &str, error: i32, format: &str) -> (Program, Ran) {
    let program = Held::program("true");
    std::fs::write(program.dir().join("go"), "").unwrap();
    program.run(["run", "held", "--yes"]).exits(0);
    let number = 1 + program.events().iter().position(|(name, _)| name == record).unwrap();
    std::fs::remove_file(program.dir().join("deeds")).unwrap();
    let ran = program.crash(Crash::Fail(number, error), ["run", "held", "--yes", "--format", format]);
    (program, ran)
}

const EIO: i32 = 5;
const EROFS: i32 = 30;

#[test]
fn a_disk_that_fails_before_an_action_is_sent_keeps_it_back() {
    for (error, hint) in [(EIO, "the disk may be failing"), (EROFS, "mounted read-only")] {
        let (program, ran) = failed_at("step-started", error, "text");
        ran.exits(9).says("could not write to").says(hint).says("resume").is_silent_about("in doubt");
        deeds_are(&program, &[]);
        program.run(["resume", "--yes"]).exits(0);
        deeds_are(&program, &["held", "then"]);
    }
}

#[test]
fn a_disk_that_fails_when_an_outcome_is_written_leaves_it_on_the_screen() {
    for (error, hint) in [(EIO, "the disk may be failing"), (EROFS, "mounted read-only")] {
        let (program, ran) = failed_at("step-acted", error, "json");
        ran.exits(9).says("not recorded: held@here: exit 0");
        deeds_are(&program, &["held"]);
        let (program, ran) = failed_at("step-acted", error, "text");
        ran.exits(9).says("held: ✗ not recorded: exit 0").says("not recorded: held@here: exit 0").says(hint);
        deeds_are(&program, &["held"]);
        program.run(["audit", "verify"]).exits(7).says("unfinished");
    }
}
