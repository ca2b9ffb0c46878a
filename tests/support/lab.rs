//! A lab of real hosts for a test: see `tests/lab/README.md`.
//!
//! Labs are shared: a pool of them (`t0`, `t1`, …) stays up between tests, each test holds one for itself, and every
//! test gets it in its first state. `RUNBOOK_LAB_POOL` says how many there are (default 2),
//! `RUNBOOK_LAB_FIRST` which is the first (default 0), so that two checkouts can be tested side by side.

#![allow(dead_code, unreachable_pub, reason = "each test crate uses its own part")]
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the rules are for the program; this drives the scripts of tests/lab"
)]

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

const BASE: &str = "/var/lib/runbook-lab";
const MOST: usize = 10;

/// The hosts of a lab by threes, so that three tests can go side by side on it.
pub const TRIOS: [[&str; 3]; 3] = [
    ["dfw-jobs01", "dfw-jobs02", "dfw-mail01"],
    ["va-web01", "va-web02", "va-web03"],
    ["va-web04", "va-web05", "va-web06"],
];

/// One acquired lab. Dropping it lets the next test have it; the hosts stay up.
pub struct Lab {
    name: String,
    dir: PathBuf,
    inventory: PathBuf,
    // The lock lives as long as the file is open.
    _slot: File,
}

impl Lab {
    /// Waits for a free lab of the pool and puts it into its first state.
    ///
    /// # Panics
    ///
    /// Without root, and when a lab cannot be started: a test without its hosts has nothing to say.
    pub fn acquire() -> Lab {
        assert!(
            is_root(),
            "these tests need root: the lab makes namespaces, mounts and real sshd hosts on 127.77.0.0/16 \
             (tests/lab/README.md)"
        );
        let (name, slot) = take_slot(Self::pool());
        let dir = Path::new(BASE).join(&name);
        let lab = Lab { inventory: dir.join("inventory.yaml"), name, dir, _slot: slot };
        lab.make_ready();
        lab
    }

    /// How many labs there are.
    pub fn pool() -> usize {
        std::env::var("RUNBOOK_LAB_POOL")
            .map_or(2, |text| text.parse().expect("RUNBOOK_LAB_POOL: a number"))
            .clamp(1, MOST)
    }

    /// The inventory with this lab's addresses, to be layered over the book's.
    pub fn inventory(&self) -> &Path {
        &self.inventory
    }

    /// Where the lab keeps everything: `ssh_config`, `known_hosts`, `id_ed25519`, `hosts/NAME/…`.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn ssh_config(&self) -> PathBuf {
        self.dir.join("ssh_config")
    }

    /// The value of `LAB` for the scripts of `tests/lab`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The loopback address that is this host's own.
    pub fn address(&self, host: &str) -> String {
        let text = fs::read_to_string(&self.inventory).expect("the lab's inventory");
        let prefix = format!("  {host}: {{ address: ");
        text.lines()
            .find_map(|line| line.strip_prefix(&prefix)?.split(',').next())
            .unwrap_or_else(|| panic!("{host} is not in {}", self.inventory.display()))
            .to_owned()
    }

    /// `fault("dfw-jobs01", &["busy", "entries: exampleuser(42) post-prune"])`; it is in force on return.
    pub fn fault(&self, host: &str, args: &[&str]) {
        let mut all = vec![host];
        all.extend(args);
        succeed(&format!("fault {host} {args:?}"), &self.script("fault", &all));
    }

    /// Undoes every fault of a host.
    pub fn heal(&self, host: &str) {
        self.fault(host, &["heal"]);
    }

    /// The first state again, for a test that has several parts.
    pub fn reset(&self) {
        succeed("reset", &self.script("reset", &[]));
    }

    /// Runs a command on a host as root, not over ssh, and returns what it wrote to stdout.
    pub fn sh(&self, host: &str, command: &str) -> String {
        succeed(&format!("{host}: {command}"), &self.try_sh(host, command))
    }

    pub fn try_sh(&self, host: &str, command: &str) -> Output {
        self.script("enter", &[host, "bash", "-c", command])
    }

    /// Has a service of `tests/lab/services` do something, and returns what it wrote to stdout.
    pub fn service(&self, name: &str, args: &[&str]) -> String {
        succeed(&format!("service {name} {args:?}"), &self.script(&format!("services/{name}"), args))
    }

    /// How often processes of a job were started since the lab was acquired.
    pub fn worker_starts(&self, host: &str, job: &str) -> usize {
        let start = format!("start {job} ");
        self.log(host, "dw-workers.log").filter(|what| what.starts_with(&start)).count()
    }

    /// How often `restart-workers` was called since the lab was acquired.
    pub fn manager_restarts(&self, host: &str) -> usize {
        self.log(host, "dw-workers.log").filter(|what| what.starts_with("restart ")).count()
    }

    /// How often `bounce-apache` was called since the lab was acquired.
    pub fn web_restarts(&self, host: &str) -> usize {
        self.log(host, "dw-restarts.log").filter(|what| what.starts_with("bounce-apache ")).count()
    }

    /// Process number, start and command of everything that runs there, but for sshd's connections.
    pub fn processes(&self, host: &str) -> Vec<String> {
        let text = succeed(&format!("processes of {host}"), &self.script("look", &[host, "processes"]));
        text.lines().map(str::to_owned).collect()
    }

    /// Path, mode, owner, size, time and digest of every file that is the host's own, but for what each login writes.
    pub fn files(&self, host: &str) -> String {
        succeed(&format!("files of {host}"), &self.script("look", &[host, "files"]))
    }

    /// A log of the stand-ins, line by line without the time.
    fn log(&self, host: &str, file: &str) -> impl Iterator<Item = String> {
        let path = self.dir.join("hosts").join(host).join("log").join(file);
        let text = fs::read_to_string(path).unwrap_or_default();
        text.lines()
            .filter_map(|line| line.split_once(' ').map(|(_, what)| what.to_owned()))
            .collect::<Vec<_>>()
            .into_iter()
    }

    fn make_ready(&self) {
        let first = if self.dir.join("env").exists() { "reset" } else { "up" };
        let output = self.script(first, &[]);
        if output.status.success() && (first == "reset" || self.script("reset", &[]).status.success()) {
            return;
        }
        // A lab that cannot be mended is made anew, once, and its complaint is not lost.
        eprintln!("lab {}: {first} failed, starting over\n{}", self.name, String::from_utf8_lossy(&output.stderr));
        succeed("down", &self.script("down", &[]));
        succeed("up", &self.script("up", &[]));
        succeed("reset", &self.script("reset", &[]));
    }

    fn script(&self, script: &str, args: &[&str]) -> Output {
        Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab").join(script))
            .args(args)
            .env("LAB", &self.name)
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("tests/lab/{script}: {error}"))
    }
}

fn take_slot(pool: usize) -> (String, File) {
    let first = std::env::var("RUNBOOK_LAB_FIRST")
        .map_or(0, |text| text.parse::<usize>().expect("RUNBOOK_LAB_FIRST: a number"))
        .min(MOST - pool);
    loop {
        for number in first..first + pool {
            let name = format!("t{number}");
            // `down` of the last lab removes the folder; then this one is made again.
            fs::create_dir_all(BASE).expect(BASE);
            let Ok(slot) = File::create(Path::new(BASE).join(format!("{name}.lock"))) else {
                continue;
            };
            match slot.try_lock() {
                Ok(()) => return (name, slot),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => panic!("{BASE}/{name}.lock: {error}"),
            }
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    // Real, effective, saved, file system: the second counts.
    status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().nth(1)) == Some("0")
}

fn succeed(what: &str, output: &Output) -> String {
    assert!(
        output.status.success(),
        "{what}: {}\nstdout: {}\nstderr: {}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
