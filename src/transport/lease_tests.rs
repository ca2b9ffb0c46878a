//! The texts about locks in the shells they must work with, each on a folder of its own.
//!
//! Debian's `dash` must be there; `bash` and `busybox` are used where they exist.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};

use super::capability::{Claim, Lock};
use super::{lease, lock};
use crate::vocab::{Holder, Loss, Period, RunId};

/// What a wrapper has before the guard.
const WRAPPER: &str = "read -r rb_s </proc/$$/stat;set -- ${rb_s##*) };rb_g=$3;rb_t=${20};set --;\
                       rb_gone() { printf 'gone %s\\n' \"$1\";exit 0; };";

/// A folder of locks, and a shell that works in it.
struct Place {
    shell: Vec<String>,
    home: tempfile::TempDir,
}

fn places() -> Vec<Place> {
    let find =
        |name: &str| ["/bin", "/usr/bin"].iter().map(|dir| format!("{dir}/{name}")).find(|p| Path::new(p).exists());
    assert!(find("dash").is_some(), "dash is not installed");
    let all: [&[&str]; 4] = [&["dash"], &["bash"], &["bash", "--posix"], &["busybox", "sh"]];
    let mut places = Vec::new();
    for words in all {
        let Some(path) = find(words[0]) else { continue };
        let shell = std::iter::once(path).chain(words[1..].iter().map(|&word| word.to_owned())).collect();
        places.push(Place { shell, home: tempfile::tempdir().unwrap() });
    }
    places
}

impl Place {
    fn folder(&self) -> PathBuf {
        self.home.path().join("locks")
    }

    fn process(&self, text: &str) -> Process {
        #[expect(clippy::disallowed_methods, reason = "the test is a host of its own")]
        let mut process = Process::new(&self.shell[0]);
        process.args(&self.shell[1..]).args(["-c", text]).env("RUNBOOK_LOCKS", self.folder());
        process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        process
    }

    /// Runs a text as a service is run.
    fn run(&self, text: &str) -> String {
        let output = self.process(&format!("set -e\n{text}")).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn take(&self, claim: &Claim) -> Lock {
        lock::taken(&self.run(&lock::take(claim))).unwrap()
    }

    fn seen(&self) -> Option<Holder> {
        lock::holder(&self.run(&lock::see())).unwrap()
    }

    /// An action of `run` that says `inside` where its command would run.
    fn action(&self, run: &RunId) -> String {
        let text = format!("{WRAPPER}{}echo inside;{}", lease::guard(run, "outer/restart it"), lease::RETIRE);
        // the folders of PATH are empty: nothing is started
        let output = self.process(&text).env("PATH", "/nonexistent").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn refused(&self, run: &RunId) -> String {
        let said = self.action(run);
        lease::told(said.trim_end().strip_prefix("gone ").unwrap_or_else(|| panic!("{:?}: {said}", self.shell)))
    }

    /// An action of `run` that has passed its guard and stays inside.
    fn staying(&self, run: &RunId) -> Child {
        let text = format!("{WRAPPER}{}echo inside;sleep 60;{}", lease::guard(run, "restart"), lease::RETIRE);
        let mut child = self.process(&text).spawn().unwrap();
        let mut said = [0; 7];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut said).unwrap();
        assert_eq!(&said, b"inside\n");
        child
    }

    /// Adds a record by hand.
    fn record(&self, number: u32, line: &str) {
        std::fs::create_dir_all(self.folder()).unwrap();
        std::fs::write(self.folder().join(format!("lease.{number:09}")), format!("{line}\n")).unwrap();
    }

    fn files(&self, start: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder()).unwrap().flatten();
        let mut files: Vec<PathBuf> =
            entries.filter(|e| e.file_name().to_string_lossy().starts_with(start)).map(|e| e.path()).collect();
        files.sort();
        files
    }
}

/// Kills a child and what it has started.
fn end_group(child: &Child) {
    let group = rustix::process::Pid::from_child(child);
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
}

fn one() -> RunId {
    "20261122T031500Z-11111111".parse().unwrap()
}

fn other() -> RunId {
    "20261122T041500Z-22222222".parse().unwrap()
}

fn claim(run: &RunId, operator: &str) -> Claim {
    Claim {
        run: run.clone(),
        operator: operator.to_owned(),
        admin_host: "admin01".to_owned(),
        runbook: "restart-jobs".to_owned(),
        since: "2026-11-22T03:15:00Z".parse().unwrap(),
        length: Period::seconds(60),
        renewal: false,
    }
}

fn renewal(run: &RunId) -> Claim {
    Claim { renewal: true, ..claim(run, "anna") }
}

fn is_taken(lock: &Lock) -> bool {
    matches!(lock, Lock::Taken { boot, .. } if *boot == this_boot())
}

fn this_boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned()
}

#[test]
fn one_takes_and_the_other_is_told_who() {
    for place in places() {
        assert_eq!(place.seen(), None);
        assert!(is_taken(&place.take(&claim(&one(), "anna b"))), "{:?}", place.shell);
        let Lock::Refused(holder) = place.take(&claim(&other(), "bob")) else { panic!("{:?}", place.shell) };
        assert_eq!(
            holder.words(),
            "anna b on admin01, restart-jobs (20261122T031500Z-11111111), since 2026-11-22 03:15:00Z"
        );
        assert_eq!(place.seen(), Some(holder));
        // the same run may take it again, renew it, and only it can give it back
        assert!(is_taken(&place.take(&claim(&one(), "anna b"))));
        assert!(is_taken(&place.take(&renewal(&one()))));
        place.run(&lock::free(&other()));
        assert!(place.seen().is_some());
        place.run(&lock::free(&one()));
        assert_eq!(place.seen(), None);
        assert_eq!(place.take(&renewal(&one())), Lock::Lost(Loss::Gone));
        assert!(is_taken(&place.take(&claim(&other(), "bob"))));
        assert!(matches!(place.take(&renewal(&one())), Lock::Lost(Loss::Taken(holder)) if holder.run == other()));
        for _ in 0..10 {
            place.take(&renewal(&other()));
        }
        assert_eq!(place.files("lease.").len(), 8);
        assert_eq!(place.files("new.").len(), 0);
    }
}

#[test]
fn a_lease_ends_by_the_hosts_uptime_and_after_a_restart() {
    let rest = "1795000000 anna admin01 restart-jobs - - .";
    for place in places() {
        // over, and nobody took it: its own run may renew it
        place.record(1, &format!("1 held {} {} 0 60 {rest}", one(), this_boot()));
        assert_eq!(place.seen(), None);
        assert!(place.refused(&one()).ends_with("its lease ended while it was not renewed"));
        assert!(is_taken(&place.take(&renewal(&one()))));
        assert_eq!(place.action(&one()), "inside\n");
        place.record(4, &format!("1 held {} {} 0 60 {rest}", one(), this_boot()));
        assert!(is_taken(&place.take(&claim(&other(), "bob"))));
        // restarted: what counts is how long the host has been up
        place.record(9, &format!("1 held {} before-the-restart 7 999999999 {rest}", one()));
        assert!(matches!(place.take(&claim(&other(), "bob")), Lock::Refused(_)));
        assert_eq!(place.action(&one()), "inside\n");
        place.record(10, &format!("1 held {} before-the-restart 999999999 0 {rest}", one()));
        assert!(place.refused(&one()).contains("its lease ended"));
        assert!(is_taken(&place.take(&claim(&other(), "bob"))));
    }
}

#[test]
fn what_cannot_be_understood_is_not_taken() {
    for place in places() {
        place.record(1, "2 something quite different");
        let answer = place.run(&lock::take(&claim(&one(), "anna")));
        assert_eq!(lock::taken(&answer), Err("the locks there are those of a newer runbook".to_owned()));
        assert!(place.action(&one()).starts_with("gone "));
        std::fs::remove_dir_all(place.folder()).unwrap();
        std::os::unix::fs::symlink("/tmp", place.folder()).unwrap();
        let answer = place.run(&lock::take(&claim(&one(), "anna")));
        assert!(lock::taken(&answer).is_err_and(|why| why.ends_with("is not a folder")), "{answer}");
        assert_eq!(place.seen(), None);
        assert!(place.action(&one()).starts_with("gone "));
    }
}

#[test]
fn an_action_passes_only_while_its_run_holds_the_lock() {
    for place in places() {
        assert!(!lease::guard(&one(), "x").contains('\n') && !lease::RETIRE.contains('\n'));
        assert!(place.refused(&one()).ends_with("nobody holds it"));
        place.take(&claim(&one(), "anna"));
        assert_eq!(place.action(&one()), "inside\n", "{:?}", place.shell);
        assert!(place.refused(&other()).contains("it is held by anna on admin01"), "{}", place.refused(&other()));
        let marks = place.files("busy.");
        assert_eq!(marks.len(), 2);
        assert!(marks.iter().all(|mark| std::fs::metadata(mark).unwrap().len() == 0), "{:?}", place.shell);
        place.run(&lock::free(&one()));
        assert!(place.refused(&one()).ends_with("nobody holds it"));
        place.run(&lock::sweep());
        assert_eq!(place.files("busy."), Vec::<PathBuf>::new(), "{:?}", place.shell);
    }
}

#[test]
fn a_command_that_runs_counts_as_its_runs_lock() {
    for place in places() {
        place.take(&claim(&one(), "anna"));
        let mut child = place.staying(&one());
        assert!(place.seen().unwrap().running);
        // its lease ends, its command does not
        let rest = "1795000000 anna admin01 restart-jobs - - .";
        place.record(5, &format!("1 held {} {} 0 60 {rest}", one(), this_boot()));
        for _ in 0..2 {
            let Lock::Refused(holder) = place.take(&claim(&other(), "bob")) else { panic!("{:?}", place.shell) };
            assert!(holder.running && holder.operator == "anna", "{holder:?}");
        }
        assert!(place.seen().unwrap().running);
        assert!(is_taken(&place.take(&renewal(&one()))), "the refusals took nothing away");
        place.record(50, &format!("1 held {} {} 0 60 {rest}", one(), this_boot()));
        child.kill().unwrap();
        // what the shell had started lives on in its group
        assert!(matches!(place.take(&claim(&other(), "bob")), Lock::Refused(_)), "{:?}", place.shell);
        end_group(&child);
        // its leader is not buried yet: a zombie does not count. (A signal that is sent is not yet obeyed.)
        assert!((0..200).any(|_| is_taken(&place.take(&claim(&other(), "bob")))), "{:?}", place.shell);
        child.wait().unwrap();
        assert_eq!(place.files("busy."), Vec::<PathBuf>::new());
    }
}

#[test]
fn a_lock_can_be_broken_and_its_run_is_told_why() {
    for place in places() {
        assert_eq!(lock::holder(&place.run(&lock::smash("boss", "x"))), Ok(None));
        place.take(&claim(&one(), "anna"));
        let mut child = place.staying(&one());
        let holder = lock::holder(&place.run(&lock::smash("the boss", "db failover"))).unwrap().unwrap();
        assert!(holder.running && holder.operator == "anna", "{holder:?}");
        assert_eq!(place.seen(), None);
        let loss = Loss::Broken { by: "the boss".to_owned(), reason: "db failover".to_owned() };
        assert!(place.refused(&one()).ends_with(&loss.words()), "{}", place.refused(&one()));
        assert_eq!(place.take(&renewal(&one())), Lock::Lost(loss));
        assert!(is_taken(&place.take(&claim(&other(), "bob"))), "{:?}", place.shell);
        end_group(&child);
        child.wait().unwrap();
    }
}

#[test]
fn of_many_that_contend_only_one_is_ever_inside() {
    const CONTENDERS: u32 = 6;
    const ROUNDS: u32 = 20;
    let places = places();
    // all shells in one folder, where each finds the others' marks and records
    let folder = places[0].folder();
    let inside = folder.with_file_name("inside");
    let contenders: Vec<Child> = (0..CONTENDERS)
        .map(|number| {
            let place = &places[number as usize % places.len()];
            let run: RunId = format!("20261122T031500Z-{number:08x}").parse().unwrap();
            let mut claim = claim(&run, "anna");
            claim.length = Period::seconds(1);
            // now and then a command outlives its lease, or a run goes away without giving its lock back
            let round = format!(
                "round=$1;{WRAPPER}\nanswer=$(\n{}\n)\ncase $answer in taken*) ;; *) exit 1;; esac\n{}\n\
                 mkdir '{inside}' || echo two\n[ $round -ne 22 ] || sleep 2.5\nrmdir '{inside}' || echo none\n\
                 echo once\n{}\n[ $round -ne 21 ] || exit 0\n(\n{}\n)\n",
                lock::take(&claim),
                lease::guard(&run, "restart"),
                lease::RETIRE,
                lock::free(&run).replace("echo free", ":"),
                inside = inside.display(),
            );
            let shell = place.shell.join(" ");
            let mut process = place.process(&format!(
                "i=0;n=0;while [ $i -lt {ROUNDS} ] && [ $n -lt 1000 ];do n=$((n+1));{shell} -c \"$ROUND\" sh $((i + {number})) && i=$((i+1)) || sleep 0.02;done"
            ));
            process.env("ROUND", round).env("RUNBOOK_LOCKS", &folder).spawn().unwrap()
        })
        .collect();
    let said: Vec<String> = contenders
        .into_iter()
        .map(|child| String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap())
        .collect();
    let said = said.concat();
    let count = |word: &str| said.lines().filter(|line| *line == word).count();
    assert_eq!((count("two"), count("none")), (0, 0), "{said}");
    assert!(count("once") > 100, "too few came inside to show anything: {said}");
}

#[test]
fn a_mark_that_was_swapped_for_another_file_empties_nothing() {
    for place in places() {
        let victim = place.home.path().join("victim");
        std::fs::write(&victim, "precious").unwrap();
        place.take(&claim(&one(), "anna"));
        let swap = format!("rm \"$rb_lm\";ln -s {} \"$rb_lm\";", victim.display());
        let text = format!("{WRAPPER}{}{swap}{}echo done", lease::guard(&one(), "restart"), lease::RETIRE);
        assert_eq!(place.run(&text), "done\n");
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious", "{:?}", place.shell);
    }
}
