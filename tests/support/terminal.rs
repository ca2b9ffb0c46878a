//! The program at a terminal of its own: a pty that `script` of util-linux makes.

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::program::Program;

/// A program that someone sits in front of.
pub struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: Arc<Mutex<String>>,
    seen: usize,
}

impl Terminal {
    /// Starts `runbook` with these arguments.
    pub fn start(program: &Program, args: &[&str]) -> Self {
        Self::of(&program.command(args))
    }

    /// Starts a command that a program made ready.
    pub fn of(command: &Command) -> Self {
        let quote = |word: &std::ffi::OsStr| format!("'{}'", word.to_string_lossy().replace('\'', "'\\''"));
        let words: Vec<String> = std::iter::once(command.get_program()).chain(command.get_args()).map(quote).collect();
        let mut script = Command::new("script");
        script
            .env_clear()
            .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .env("TERM", "xterm");
        let line = format!("stty cols 200 rows 50; exec {}", words.join(" "));
        script.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let keys = child.stdin.take().unwrap();
        let mut out = child.stdout.take().unwrap();
        let screen = Arc::new(Mutex::new(String::new()));
        let shown = screen.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = out.read(&mut buffer) {
                shown.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        });
        Self { child, keys, screen, seen: 0 }
    }

    /// Waits until `text` is shown, behind what was waited for before; then types `keys`.
    #[track_caller]
    pub fn answer(&mut self, text: &str, keys: &str) {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let screen = self.screen.lock().unwrap().clone();
            if let Some(at) = screen[self.seen..].find(text) {
                self.seen += at + text.len();
                break;
            }
            assert!(Instant::now() < until, "waited in vain for `{text}`:\n{}", &screen[self.seen..]);
            std::thread::sleep(Duration::from_millis(10));
        }
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Sends the program a signal, as another process would.
    pub fn signal(&self, program: &Program, name: &str) {
        // the newest of those with its state folder among their arguments is the program itself, behind `script`
        let state = program.state().display().to_string();
        let found = Command::new("pgrep").args(["-n", "-f", &state]).output().unwrap();
        let pid = String::from_utf8_lossy(&found.stdout).trim().to_owned();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success(), "kill {pid}");
    }

    /// Gives each of these answers (text, keys) as often as its text is shown, until it ends: its exit status (128 + N for
    /// signal N) and all that was shown.
    pub fn end_answering(mut self, answers: &[(&str, &str)]) -> (i32, String) {
        let until = Instant::now() + Duration::from_secs(30);
        while self.child.try_wait().unwrap().is_none() {
            let screen = self.screen.lock().unwrap().clone();
            let shown = answers.iter().filter_map(|(text, keys)| Some((screen[self.seen..].find(text)?, text, keys)));
            if let Some((at, text, keys)) = shown.min_by_key(|(at, ..)| *at) {
                self.seen += at + text.len();
                // it may be killed at this very moment
                let _ = self.keys.write_all(keys.as_bytes()).and_then(|()| self.keys.flush());
            }
            if Instant::now() > until {
                self.child.kill().unwrap();
                panic!("it does not end:\n{screen}");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.end()
    }

    /// Waits for its end: its exit status and all that was shown.
    pub fn end(mut self) -> (i32, String) {
        let status = self.child.wait().unwrap();
        let screen = self.screen.lock().unwrap().clone();
        (status.code().unwrap(), screen)
    }
}
