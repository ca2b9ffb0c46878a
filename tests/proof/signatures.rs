//! Who signed: by real keys, an agent, and `ssh-keygen`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use runbook::audit::{Key, Signers};
use runbook::journal::Signature;
use tempfile::TempDir;

use super::site::{Site, fault, id, unsigned};

/// Some keys.
struct Keys(TempDir);

impl Keys {
    fn new(names: &[&str]) -> Self {
        let keys = Self(tempfile::tempdir().unwrap());
        for name in names {
            keys.make(name, "");
        }
        keys
    }

    fn make(&self, name: &str, passphrase: &str) {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", passphrase, "-C", name, "-f"])
            .arg(self.path(name))
            .status()
            .unwrap();
        assert!(made.success());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn key(&self, name: &str) -> Key {
        Key::File(self.path(name))
    }

    /// The type and the blob of a public key.
    fn public(&self, name: &str) -> String {
        let line = fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap();
        line.split(' ').take(2).collect::<Vec<_>>().join(" ")
    }

    /// Allowed signers: each line with `{NAME}` for a public key.
    fn signers(&self, lines: &[&str]) -> Signers {
        let mut text = lines.join("\n") + "\n";
        for name in ["mark", "denise", "eve"] {
            if self.path(name).exists() {
                text = text.replace(&format!("{{{name}}}"), &self.public(name));
            }
        }
        let path = self.path("allowed_signers");
        fs::write(&path, text).unwrap();
        Signers::new(Some(path)).unwrap()
    }
}

#[test]
fn a_signature_counts_by_whose_it_is_and_when() {
    let keys = Keys::new(&["mark", "eve"]);
    let site = Site::new();
    site.run_as(1, "all is well", "mark", &keys.key("mark"));
    let said = |lines: &[&str]| site.signed(&keys.signers(lines)).remove(0);
    let faults = |lines: &[&str]| site.faults_by(&keys.signers(lines));
    // the run is of 2026-11-22
    for good in [
        "mark {mark}",
        "mark@example.org {mark}",
        "*@example.org,mark {mark}",
        "mark namespaces=\"runbook-audit\" {mark}",
        "mark valid-after=\"20261101\",valid-before=\"20261201\" {mark}",
    ] {
        assert!(said(&[good]).starts_with("signed by mark"), "{good}: {}", said(&[good]));
        assert_eq!(faults(&[good]), [], "{good}");
    }
    let cases = [
        ("mark valid-before=\"20261101\" {mark}", "signer-does-not-count"),
        ("mark valid-after=\"20261201\" {mark}", "signer-does-not-count"),
        ("mark namespaces=\"git\" {mark}", "signer-does-not-count"),
        ("mark {eve}", "signer-not-allowed"),
        ("denise {mark}", "signed-by-another"),
        ("", "signer-not-allowed"),
    ];
    for (line, word) in cases {
        assert_eq!(faults(&[line]), [fault(1, word)], "{line}: {}", said(&[line]));
    }
    // without a file nobody is asked, and that is said
    let unasked = Signers::new(None).unwrap();
    assert_eq!(site.faults_by(&unasked), []);
    assert!(site.signed(&unasked)[0].contains("SHA256:"), "{:?}", site.signed(&unasked));
}

#[test]
fn a_signature_of_something_else_is_wrong() {
    let keys = Keys::new(&["mark"]);
    let site = Site::new();
    site.run_as(1, "all is well", "mark", &keys.key("mark"));
    site.run_as(2, "all is well", "mark", &keys.key("mark"));
    let signers = keys.signers(&["mark {mark}"]);
    assert_eq!(site.faults_by(&signers), []);
    // the signature of another seal, with the digest of the line made anew
    let signature = |number: u32| match site.store.seals(&id(number)).unwrap().remove(0).unwrap().signature {
        Signature::Signed(base64) => base64,
        Signature::Unsigned(why) => panic!("{why}"),
    };
    let line = fs::read_to_string(site.seals(2)).unwrap();
    let (body, _) = line.rsplit_once(",\"digest\":\"").unwrap();
    let body = body.replace(&signature(2), &signature(1));
    let digest = runbook::vocab::Digest::of(body.as_bytes());
    fs::write(site.seals(2), format!("{body},\"digest\":\"{digest}\"}}\n")).unwrap();
    let faults = site.faults_by(&signers);
    assert!(faults.contains(&fault(2, "signature-wrong")), "{faults:?}");
}

#[test]
fn records_made_anew_by_somebody_without_the_key_are_found() {
    let keys = Keys::new(&["mark", "eve"]);
    let signers = keys.signers(&["mark {mark}", "eve {eve}"]);
    let anew = |key: &Key| {
        let site = Site::new();
        (1..=2).for_each(|number| site.run_as(number, "nothing happened", "mark", key));
        site
    };
    assert_eq!(anew(&keys.key("mark")).faults_by(&signers), []);
    let eve = anew(&keys.key("eve"));
    assert_eq!(eve.faults_by(&signers), [fault(2, "signed-by-another"), fault(1, "signed-by-another")]);
    // unsigned is said, and is for whoever verifies to judge
    let bare = anew(&unsigned());
    assert_eq!(bare.signed(&signers), ["unsigned (nobody is here)", "unsigned (nobody is here)"]);
    assert!(!bare.proof(1).is_signed());
}

#[test]
fn one_signature_holds_the_unsigned_runs_before_it() {
    let keys = Keys::new(&["mark"]);
    let signers = keys.signers(&["mark {mark}"]);
    let site = Site::new();
    site.run(1, "all is well");
    site.run_as(2, "all is well", "mark", &keys.key("mark"));
    // the first run is told anew, with its seal; the second one's seal cannot be
    let other = Site::new();
    other.run(1, "nothing happened");
    for file in ["journal.jsonl", "seals.jsonl"] {
        fs::copy(other.store.folder(&id(1)).join(file), site.store.folder(&id(1)).join(file)).unwrap();
    }
    assert_eq!(site.faults_by(&signers), [fault(1, "first-differs"), fault(1, "seal-gone")]);
}

/// An agent of this test's own.
struct Agent {
    child: std::process::Child,
    socket: PathBuf,
}

impl Agent {
    fn start(folder: &Path) -> Self {
        let socket = folder.join("agent");
        let child = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(&socket)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        while !socket.exists() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        Self { child, socket }
    }

    fn add(&self, key: &Path) {
        let added = Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", &self.socket).status().unwrap();
        assert!(added.success());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn keys_sign_from_files_and_agents_and_say_why_they_do_not() {
    let keys = Keys::new(&["mark", "eve"]);
    keys.make("locked", "secret");
    let folder = keys.0.path();
    let why = |key: &Key| match key.sign(b"x") {
        Signature::Unsigned(why) => why,
        Signature::Signed(_) => panic!("signed"),
    };
    assert!(matches!(keys.key("mark").sign(b"x"), Signature::Signed(_)));
    assert!(why(&keys.key("locked")).contains("passphrase"), "{}", why(&keys.key("locked")));
    assert!(why(&keys.key("nowhere")).contains("No such file"), "{}", why(&keys.key("nowhere")));
    fs::copy(keys.path("eve.pub"), keys.path("alone.pub")).unwrap();
    let alone = why(&Key::File(keys.path("alone.pub")));
    assert!(alone.contains("alone.pub: "), "{alone}");

    // the program with an agent
    let agent = Agent::start(folder);
    let book = folder.join("book");
    fs::create_dir(&book).unwrap();
    fs::write(
        book.join("hello.yaml"),
        "title: Hello\nsummary: Says hello.\nhosts: here\nsteps:\n  - id: greet\n    name: Greet\n    run: echo hello\n",
    )
    .unwrap();
    let program = |words: &[&str]| {
        let ran = Command::new(env!("CARGO_BIN_EXE_runbook"))
            .args(words)
            .current_dir(folder)
            .env("RUNBOOK_BOOK", &book)
            .env("RUNBOOK_STATE_DIR", folder.join("state"))
            .env("SSH_AUTH_SOCK", &agent.socket)
            .env_remove("RUNBOOK_SIGN_KEY")
            .env_remove("RUNBOOK_SIGNERS")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
        (ran.status.code().unwrap(), text)
    };
    let hello = ["run", "hello", "--yes", "--as", "mark"];
    let (code, text) = program(&hello);
    assert!(code == 0 && text.contains("unsigned (the ssh agent holds no key)"), "{text}");
    agent.add(&keys.path("eve"));
    agent.add(&keys.path("mark"));
    // of the agent's keys, the one that may sign is taken
    fs::write(book.join("allowed_signers"), format!("mark {}\n", keys.public("mark"))).unwrap();
    let (code, text) = program(&hello);
    assert!(code == 0 && text.contains("records, signed"), "{text}");
    let (code, text) = program(&["audit", "verify"]);
    assert!(code == 0 && text.contains("intact, signed by mark (ED25519 SHA256:"), "{text}");
    let (code, text) = program(&["audit", "verify", "--all", "--require-signatures"]);
    assert!(code == 7 && text.contains("1 unsigned"), "{text}");
    // the unsigned one is signed later, and by a key that is named
    let first = text.lines().rev().find_map(|line| line.starts_with("2026").then(|| line[..25].to_owned()));
    let first = first.unwrap_or_else(|| {
        let runs = fs::read_dir(folder.join("state/runs")).unwrap();
        runs.map(|run| run.unwrap().file_name().into_string().unwrap()).min().unwrap()
    });
    let (code, text) =
        program(&["audit", "seal", &first, "--as", "mark", "--sign-key", keys.path("mark").to_str().unwrap()]);
    assert!(code == 0 && text.contains("seal 2 over"), "{text}");
    let (code, text) = program(&["audit", "verify", "--all", "--require-signatures"]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = program(&["run", "hello", "--yes", "--as", "mark", "--sign-key", "none"]);
    assert!(code == 0 && text.contains("unsigned (by --sign-key none)"), "{text}");
}
