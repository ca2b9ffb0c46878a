//! The built program, run as a person would run it: in a state folder of its own, with a clean environment.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::lab::Lab;

/// The program with a state folder, a book and inventories.
pub struct Program {
    dir: TempDir,
    book: PathBuf,
    inventories: Vec<PathBuf>,
    env: Vec<(String, String)>,
}

/// What the program did.
#[derive(Debug)]
pub struct Ran {
    /// Its exit status; 128 + N for signal N.
    pub code: i32,
    /// What it wrote on stdout.
    pub stdout: String,
    /// What it wrote on stderr.
    pub stderr: String,
}

impl Program {
    /// On the project's own book and a lab.
    pub fn on(lab: &Lab) -> Self {
        let mut program = Self::new();
        program.inventories.push(lab.inventory().to_owned());
        program
    }

    /// On the project's own book, with no lab.
    pub fn new() -> Self {
        let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
        Self { dir: TempDir::new().unwrap(), book, inventories: Vec::new(), env: Vec::new() }
    }

    /// With a book of its own: the project's inventory, `book.yaml` and scripts, and these files (name, text) over them.
    pub fn with_book(mut self, files: &[(&str, &str)]) -> Self {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
        let book = self.dir.path().join("book");
        std::fs::create_dir_all(&book).unwrap();
        for entry in std::fs::read_dir(&own).unwrap() {
            let path = entry.unwrap().path();
            // the runbooks and their scenarios stay behind: a test is about the one it brings
            let scripts = path.is_dir() && !path.ends_with("tests");
            if scripts || path.ends_with("inventory.yaml") || path.ends_with("book.yaml") {
                assert!(Command::new("cp").arg("-R").arg(&path).arg(&book).status().unwrap().success());
            }
        }
        for (name, text) in files {
            let path = book.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        self.book = book;
        self
    }

    /// On a copy of the project's book in which files read otherwise: (file, text, the text in its place).
    pub fn with_changes(mut self, changes: &[(&str, &str, &str)]) -> Self {
        let book = self.dir.path().join("book");
        if self.book != book {
            copy_folder(&self.book, &book);
        }
        for (file, from, to) in changes {
            let path = book.join(file);
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains(from), "{file} has no `{from}`");
            std::fs::write(path, text.replace(from, to)).unwrap();
        }
        self.book = book;
        self
    }

    /// Lays another inventory of this text over the others.
    pub fn lay(&mut self, name: &str, text: &str) {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        self.inventories.push(path);
    }

    /// With what a service of the lab lays over the inventory; the service is up already.
    pub fn with_service(mut self, lab: &Lab, name: &str) -> Self {
        self.inventories.push(lab.dir().join(format!("{name}.yaml")));
        self
    }

    /// A runbook of the project with some of its text changed: each change is there to be made.
    pub fn changed(runbook: &str, changes: &[(&str, &str)]) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks").join(format!("{runbook}.yaml"));
        changes.iter().fold(std::fs::read_to_string(path).unwrap(), |text, (from, to)| {
            assert!(text.contains(from), "{runbook}: `{from}`");
            text.replace(from, to)
        })
    }

    /// With a variable in its environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A folder that lives as long as this.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The book's folder.
    pub fn book(&self) -> &Path {
        &self.book
    }

    /// The state folder.
    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// The command, ready to be changed and spawned.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        command.env_clear();
        for name in ["PATH", "HOME"] {
            if let Ok(value) = std::env::var(name) {
                command.env(name, value);
            }
        }
        // what runs on this machine is locked here, where other tests run too
        command.env("RUNBOOK_LOCKS", self.dir.path().join("locks"));
        command.env("RUNBOOK_OPERATOR", "tester").env("TZ", "UTC").env("LANG", "C.UTF-8");
        command.arg("--book").arg(&self.book).arg("--state-dir").arg(self.state());
        for inventory in &self.inventories {
            command.arg("-i").arg(inventory);
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it to its end, without a terminal.
    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        Ran::of(self.command(args).output().unwrap())
    }

    /// Runs it to its end with this on its standard input.
    pub fn run_with_input<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>, input: &str) -> Ran {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Ran::of(child.wait_with_output().unwrap())
    }

    /// Starts it, and leaves it running.
    pub fn start<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Child {
        self.command(args).spawn().unwrap()
    }

    /// The folder of the newest run, once there is one.
    pub fn newest_or_none(&self) -> Option<PathBuf> {
        let dir = std::fs::read_dir(self.state().join("runs")).ok()?;
        let mut runs: Vec<PathBuf> = dir.map(|entry| entry.unwrap().path()).collect();
        // an id tells the second only
        let began = |path: &PathBuf| std::fs::metadata(path.join("journal.jsonl")).and_then(|file| file.created()).ok();
        // a folder that begins with a dot has not got its run's name yet
        runs.retain(|path| began(path).is_some() && !path.file_name().unwrap().to_string_lossy().starts_with('.'));
        runs.sort_by_key(began);
        runs.pop()
    }

    /// The folder of the newest run.
    pub fn newest_run(&self) -> PathBuf {
        self.newest_or_none().expect("a run was recorded")
    }

    /// The id of the newest run.
    pub fn newest_id(&self) -> String {
        self.newest_run().file_name().unwrap().to_string_lossy().into_owned()
    }

    /// The newest run's journal as text, empty before there is one.
    pub fn journal(&self) -> String {
        self.newest_or_none()
            .and_then(|run| std::fs::read_to_string(run.join("journal.jsonl")).ok())
            .unwrap_or_default()
    }

    /// The newest run's events, each as `(name, body)`.
    pub fn events(&self) -> Vec<(String, Value)> {
        let record = |line: &str| -> Option<(String, Value)> {
            let record: Value = serde_json::from_str(line).ok()?;
            let (name, body) = record["event"].as_object()?.iter().next()?;
            Some((name.clone(), body.clone()))
        };
        self.journal().lines().filter_map(record).collect()
    }

    /// The newest run's events of this name.
    pub fn events_named(&self, name: &str) -> Vec<Value> {
        self.events().into_iter().filter(|(known, _)| known == name).map(|(_, body)| body).collect()
    }

    /// `step@host` of every action that was started, in order.
    pub fn started(&self) -> Vec<String> {
        let at =
            |body: &Value| format!("{}@{}", body["at"]["step"].as_str().unwrap(), body["at"]["host"].as_str().unwrap());
        self.events_named("step-started").iter().map(at).collect()
    }

    /// Waits until the newest journal holds `text`; panics after 30 seconds.
    pub fn wait_for_journal(&self, text: &str) {
        self.wait_until(&format!("`{text}` in the journal"), || self.journal().contains(text));
    }

    /// Waits until `true_now`; panics after 30 seconds.
    pub fn wait_until(&self, what: &str, true_now: impl Fn() -> bool) {
        let until = Instant::now() + Duration::from_secs(30);
        while !true_now() {
            assert!(Instant::now() < until, "waited in vain for {what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let copy = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &copy);
        } else {
            std::fs::copy(&path, &copy).unwrap();
        }
    }
}

/// Sends a signal to a process that the test started.
pub fn signal(child: &Child, name: &str) {
    let done = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status().unwrap();
    assert!(done.success(), "kill -{name} {}", child.id());
}

impl Ran {
    /// From an ended process.
    pub fn of(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt as _;
        let status = output.status;
        Self {
            code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Asserts the exit status, showing everything when it is another.
    #[track_caller]
    pub fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// Asserts that a text is on the screen (stdout or stderr).
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        let found = self.stdout.contains(text) || self.stderr.contains(text);
        assert!(found, "`{text}` is not there\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// Asserts that a text is nowhere on the screen.
    #[track_caller]
    pub fn is_silent_about(&self, text: &str) -> &Self {
        let found = self.stdout.contains(text) || self.stderr.contains(text);
        assert!(!found, "`{text}` is there\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }
}
