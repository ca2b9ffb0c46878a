//! A real MediaWiki of its own for each test: made once, copied, served on a free port of 127.0.0.1.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::proxy::{self, Request};

pub const BOT: &str = "RunbookBot@runbook";
pub const PASSWORD: &str = "0123456789abcdef0123456789abcdef";

/// The wiki that all are copied from. It is kept between runs as long as the script that makes it is the same.
static MADE: LazyLock<PathBuf> = LazyLock::new(|| {
    let script = include_bytes!("mediawiki");
    let key = runbook::vocab::Digest::of(script);
    let base = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mediawiki-{}", key.short()));
    fs::create_dir_all(&base).unwrap();
    let lock = fs::File::create(base.join("lock")).unwrap();
    lock.lock().unwrap();
    let dir = base.join("wiki");
    if !base.join("made").exists() {
        let _ = fs::remove_dir_all(&dir);
        run(&base, "make", &dir, &[], "");
        fs::write(base.join("made"), "").unwrap();
    }
    base
});

/// A wiki that is up.
pub struct Site {
    dir: TempDir,
    server: Child,
    address: String,
}

impl Site {
    /// A new wiki.
    pub fn up() -> Self {
        Self::up_with("")
    }

    /// A new wiki with further settings, in PHP.
    pub fn up_with(settings: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let copied = Command::new("cp").arg("-r").arg(MADE.join("wiki")).arg(dir.path()).status().unwrap();
        assert!(copied.success());
        if !settings.is_empty() {
            fs::write(dir.path().join("wiki/more.php"), format!("<?php\n{settings}\n")).unwrap();
        }
        let log = dir.path().join("log");
        let server = script(&MADE, "serve", &dir.path().join("wiki"))
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(30);
        let address = loop {
            let text = fs::read_to_string(&log).unwrap();
            if let Some((_, rest)) = text.split_once("(http://")
                && let Some((address, _)) = rest.split_once(')')
            {
                break address.to_owned();
            }
            assert!(Instant::now() < until, "the wiki does not come up: {text}");
            std::thread::sleep(Duration::from_millis(10));
        };
        Self { dir, server, address }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What `--wiki` is given.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Changes the settings of a wiki that is up.
    pub fn set(&self, settings: &str) {
        fs::write(self.dir.path().join("wiki/more.php"), format!("<?php\n{settings}\n")).unwrap();
    }

    /// One of MediaWiki's maintenance scripts.
    pub fn maintain(&self, arguments: &[&str], input: &str) {
        run(&MADE, "do", &self.dir.path().join("wiki"), arguments, input);
    }

    /// Asks the API, as nobody.
    pub fn ask(&self, form: &[(&str, &str)]) -> Value {
        ask(&self.address, form)
    }

    /// The wikitext of a page; none: there is no page.
    pub fn text(&self, title: &str) -> Option<String> {
        self.revisions(title).first().map(|revision| revision["slots"]["main"]["content"].as_str().unwrap().to_owned())
    }

    /// A page's revisions, the newest first.
    pub fn revisions(&self, title: &str) -> Vec<Value> {
        let answer = self.ask(&[
            ("action", "query"),
            ("prop", "revisions"),
            ("rvprop", "ids|content|user|comment|flags"),
            ("rvslots", "main"),
            ("rvlimit", "50"),
            ("titles", title),
        ]);
        answer["query"]["pages"][0]["revisions"].as_array().cloned().unwrap_or_default()
    }

    /// The number of the newest revision of the whole wiki: it grows with every edit.
    pub fn newest(&self) -> u64 {
        let answer = self.ask(&[("action", "query"), ("list", "recentchanges"), ("rcprop", "ids"), ("rclimit", "1")]);
        answer["query"]["recentchanges"][0]["revid"].as_u64().unwrap_or_default()
    }

    /// A page as the wiki shows it.
    pub fn html(&self, title: &str) -> String {
        let answer = self.ask(&[("action", "parse"), ("page", title), ("prop", "text|categories|templates|links")]);
        answer["parse"]["text"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// What the wiki made of a page: its categories, templates, links.
    pub fn parsed(&self, title: &str) -> Value {
        let wanted = "text|categories|templates|links|externallinks|images|properties";
        self.ask(&[("action", "parse"), ("page", title), ("prop", wanted)])["parse"].clone()
    }

    /// Somebody saves a page.
    pub fn write(&self, title: &str, text: &str) {
        edit(&self.address, title, text);
    }

    /// Somebody changes a page.
    pub fn change(&self, title: &str, old: &str, new: &str) {
        let text = self.text(title).unwrap();
        assert!(text.contains(old), "`{old}` is not in\n{text}");
        self.write(title, &text.replacen(old, new, 1));
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Somebody saves a page of the wiki at `address`.
pub fn edit(address: &str, title: &str, text: &str) {
    let summary = ("summary", "I know better");
    let answer = ask(address, &[("action", "edit"), ("title", title), ("text", text), summary, ("token", "+\\")]);
    assert_eq!(answer["edit"]["result"], "Success", "{answer}");
}

/// Asks the API of the wiki at `address`, as nobody.
pub fn ask(address: &str, form: &[(&str, &str)]) -> Value {
    let mut form: Vec<(String, String)> = form.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    form.push(("format".to_owned(), "json".to_owned()));
    form.push(("formatversion".to_owned(), "2".to_owned()));
    let request = Request { head: "POST /api.php HTTP/1.1".to_owned(), headers: Vec::new(), form };
    let answer = proxy::forward(address, &request);
    serde_json::from_slice(&answer.body)
        .unwrap_or_else(|error| panic!("{error}: {} {}", answer.status, String::from_utf8_lossy(&answer.body)))
}

fn script(base: &Path, action: &str, dir: &Path) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wiki/mediawiki"));
    command.arg(action).arg(dir).stdin(Stdio::piped());
    command.env("MEDIAWIKI_CACHE", base.join("cache")).env("MEDIAWIKI_PASSWORD", PASSWORD);
    command
}

fn run(base: &Path, action: &str, dir: &Path, arguments: &[&str], input: &str) {
    let mut command = script(base, action, dir);
    let mut child = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{action} {arguments:?}: {told}");
}
