//! `audit verify`, `audit seal` and `audit prune` as they are typed.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// The program over a book of its own, on this machine alone.
struct Program {
    dir: TempDir,
}

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        self
    }

    fn says(&self, text: &str) -> &Self {
        assert!(
            self.stdout.contains(text) || self.stderr.contains(text),
            "no `{text}`: {}{}",
            self.stdout,
            self.stderr
        );
        self
    }
}

impl Program {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let book = dir.path().join("book");
        fs::create_dir(&book).unwrap();
        let text = "title: Hello\nsummary: Says hello.\nhosts: here\nsteps:\n  - id: greet\n    name: Greet\n    run: ";
        fs::write(book.join("hello.yaml"), format!("{text}echo hello\n")).unwrap();
        fs::write(book.join("fails.yaml"), format!("{text}exit 3\n")).unwrap();
        Self { dir }
    }

    fn run(&self, words: &[&str]) -> Ran {
        let ran = Command::new(env!("CARGO_BIN_EXE_runbook"))
            .args(words)
            .env("RUNBOOK_BOOK", self.dir.path().join("book"))
            .env("RUNBOOK_STATE_DIR", self.state())
            .env("RUNBOOK_OPERATOR", "mark")
            .env_remove("SSH_AUTH_SOCK")
            .env_remove("RUNBOOK_SIGN_KEY")
            .env_remove("RUNBOOK_SIGNERS")
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran { code: ran.status.code().unwrap(), stdout: text(&ran.stdout), stderr: text(&ran.stderr) }
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// The runs, oldest first.
    fn runs(&self) -> Vec<String> {
        let names = fs::read_dir(self.state().join("runs")).unwrap();
        let mut runs: Vec<(std::time::SystemTime, String)> = names
            .map(|entry| entry.unwrap())
            .filter_map(|entry| {
                let made = fs::metadata(entry.path().join("seals.jsonl")).ok()?.modified().unwrap();
                Some((made, entry.file_name().into_string().unwrap()))
            })
            .collect();
        runs.sort();
        runs.into_iter().map(|(_, run)| run).collect()
    }
}

#[test]
fn verification_says_what_it_found_in_words_and_for_programs() {
    let program = Program::new();
    program.run(&["audit", "verify", "--all"]).exits(2).says("there is no state folder");
    fs::create_dir(program.state()).unwrap();
    program.run(&["audit", "verify", "--all"]).exits(0).says("no run was ever recorded");
    for _ in 0..3 {
        program.run(&["run", "hello", "--yes"]).exits(0).says("records, unsigned (no ssh agent, and no --sign-key)");
    }
    let runs = program.runs();
    program.run(&["audit", "verify"]).exits(0).says(&runs[2]).says("intact, unsigned (no ssh agent");
    program.run(&["audit", "verify", "--all"]).exits(0).says("3 runs of").says("3 intact");
    assert_eq!(program.run(&["audit", "verify", "--all", "--quiet"]).exits(0).stdout, "");
    program.run(&["audit", "verify", "--all", "--require-signatures"]).exits(2).says("whose signatures count");
    fs::write(program.dir.path().join("book/allowed_signers"), "").unwrap();
    program.run(&["audit", "verify", "--all", "--require-signatures"]).exits(7).says("3 unsigned");
    program.run(&["audit", "verify", "--all", "--runbook", "hello"]).exits(2).says("leave out --all");
    program.run(&["audit", "verify", "--runbook", "hello", "--since", "1d"]).exits(0).says(&runs[0]);
    program.run(&["audit", "verify", "--signers", "/nowhere"]).exits(2).says("/nowhere").says("No such file");

    fs::remove_dir_all(program.state().join("runs").join(&runs[1])).unwrap();
    let ran = program.run(&["audit", "verify", "--all"]);
    ran.exits(7).says(&format!("{}  missing: {} names it, and there is no such run here", runs[1], runs[2]));
    program.run(&["audit", "verify", &runs[2]]).exits(7).says(&format!("{}  missing", runs[1]));
    program.run(&["audit", "verify", &runs[0]]).exits(0);
    let ran = program.run(&["audit", "verify", "--all", "--format", "json"]);
    ran.exits(7);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let verdicts: Vec<_> = document
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["run"].as_str().unwrap(), one["verdict"].as_str().unwrap(), one["ok"].as_bool().unwrap()))
        .collect();
    let wanted =
        [(runs[2].as_str(), "intact", true), (runs[0].as_str(), "intact", true), (runs[1].as_str(), "missing", false)];
    assert_eq!(verdicts, wanted, "{document}");
    // everything removed but what says that there was something
    fs::remove_dir_all(program.state().join("runs")).unwrap();
    program.run(&["audit", "verify", "--all"]).exits(7).says("are gone");
}

#[test]
fn old_runs_are_pruned_and_the_chains_still_verify() {
    let program = Program::new();
    program.run(&["run", "hello", "--yes"]).exits(0);
    program.run(&["run", "fails", "--yes"]).exits(1);
    program.run(&["run", "hello", "--yes"]).exits(0);
    program.run(&["run", "hello", "--yes"]).exits(0);
    let runs = program.runs();
    // one is evidence
    let journal = program.state().join("runs").join(&runs[2]).join("journal.jsonl");
    let whole = fs::read(&journal).unwrap();
    let mut changed = whole.clone();
    changed[700] ^= 1;
    fs::write(&journal, changed).unwrap();

    program.run(&["audit", "prune", "--before", "yesterday-ish", "--dry-run"]).exits(2).says("--before");
    program.run(&["audit", "prune", "--before", "2099-01-01"]).exits(2).says("--reason");
    program.run(&["audit", "prune", "--before", "1d", "--reason", "tidy", "--yes"]).exits(0).says("nothing to remove");
    let ran = program.run(&["audit", "prune", "--before", "2099-01-01", "--dry-run"]);
    ran.exits(0).says("2 runs").says("would be removed").says(&runs[0]).says(&runs[3]);
    ran.says(&format!("kept: {}: it is unfinished", runs[1])).says(&format!("kept: {}: ", runs[2]));
    program.run(&["audit", "prune", "--before", "2099-01-01", "--reason", "tidy"]).exits(4).says("--yes");
    assert_eq!(program.runs().len(), 4, "nothing is removed without a word");
    program
        .run(&["audit", "prune", "--before", "2099-01-01", "--reason", "two years", "--yes"])
        .exits(0)
        .says("2 runs removed");
    assert!(!program.state().join("runs").join(&runs[0]).exists());
    fs::write(&journal, whole).unwrap();

    program.run(&["audit", "verify", "--all"]).exits(0).says("5 runs of").says("2 pruned").says("3 intact");
    program.run(&["audit", "list"]).exits(0).says("(audit prune)").says("two years");
    program.run(&["audit", "show", "latest"]).exits(0).says("two years").says(&runs[0]).says("head ");
    program
        .run(&["audit", "show", &runs[0]])
        .exits(2)
        .says("was pruned at")
        .says(&format!("by {}", program.runs().last().unwrap()));
    program.run(&["run", "hello", "--yes"]).exits(0);
    program.run(&["audit", "verify", "--all", "--quiet"]).exits(0);
    // the run that says what was pruned is never pruned itself
    program
        .run(&["audit", "prune", "--before", "2099-01-01", "--reason", "again", "--yes"])
        .exits(0)
        .says("2 runs removed");
    program.run(&["audit", "verify", "--all", "--quiet"]).exits(0);
    // and what was pruned by nobody is missing
    let prunings: Vec<String> = program.runs();
    fs::remove_dir_all(program.state().join("runs").join(prunings.last().unwrap())).unwrap();
    program.run(&["audit", "verify", "--all"]).exits(7).says("no run says that it did that");
}

#[test]
fn a_run_without_an_end_is_not_sealed_by_hand() {
    let program = Program::new();
    program.run(&["run", "hello", "--yes"]).exits(0);
    let run = program.runs().remove(0);
    let folder = program.state().join("runs").join(&run);
    fs::remove_file(folder.join("seals.jsonl")).unwrap();
    program.run(&["audit", "verify"]).exits(0).says("intact");
    fs::remove_dir_all(program.state().join("chain")).unwrap();
    program.run(&["audit", "verify"]).exits(7).says("unsealed").says("audit seal");
    program.run(&["audit", "seal", &run]).exits(0).says("seal ");
    program.run(&["audit", "verify"]).exits(0);
    let journal = fs::read_to_string(folder.join("journal.jsonl")).unwrap();
    let cut = journal.rfind("\n{").unwrap() + 1;
    fs::write(folder.join("journal.jsonl"), &journal[..cut]).unwrap();
    program.run(&["audit", "seal", &run]).exits(7).says("is not as it was sealed: records missing");
    for words in [&["resume", &run, "--yes"][..], &["abandon", &run, "--reason", "x"]] {
        program.run(words).exits(7).says("records missing").says("begin a run of its own");
    }
    program.run(&["audit", "verify"]).exits(7).says("records missing: ").says("unfinished");
}
