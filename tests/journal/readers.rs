//! Who may read the record: its modes whatever the umask, and a group whose members read and do not write.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Program, Ran};

const BOOK: &str = "title: Local\nhosts: here\nsteps:\n  - id: a\n    run: head -c 100000 /dev/zero | tr '\\0' x\n  - id: b\n    run: exit 3\n";

/// Numbers that no account has.
const STAFF: &str = "48201";
const MEMBER: &str = "48202";

fn program() -> Program {
    let program = Program::new().with_book(&[("local.yaml", BOOK)]);
    // others come to the state folder, the book and the program itself
    fs::set_permissions(program.dir(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = program.dir().join("runbook");
    fs::hard_link(env!("CARGO_BIN_EXE_runbook"), &copy)
        .or_else(|_| fs::copy(env!("CARGO_BIN_EXE_runbook"), &copy).map(drop))
        .unwrap();
    program
}

/// Runs the program behind another one, which takes it as its last arguments.
fn behind(program: &Program, before: &[&str], args: &[&str]) -> Ran {
    let ready = program.command(args);
    let mut command = Command::new(before[0]);
    command.env_clear().envs(ready.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.args(&before[1..]).arg(program.dir().join("runbook")).args(ready.get_args());
    // the folder that tests start in may be closed to others
    Ran::of(command.current_dir("/").output().unwrap())
}

fn with_umask(program: &Program, umask: &str, args: &[&str]) -> Ran {
    behind(program, &["sh", "-c", "umask $0; exec \"$@\"", umask], args)
}

/// Everything in the state folder, itself first.
fn entries(program: &Program) -> Vec<(PathBuf, fs::Metadata)> {
    fn add(path: &Path, all: &mut Vec<(PathBuf, fs::Metadata)>) {
        let found = fs::symlink_metadata(path).unwrap();
        all.push((path.to_owned(), found.clone()));
        if found.is_dir() {
            fs::read_dir(path).unwrap().for_each(|entry| add(&entry.unwrap().path(), all));
        }
    }
    let mut all = Vec::new();
    add(&program.state(), &mut all);
    all
}

#[track_caller]
fn have(program: &Program, directory: u32, file: u32, gid: Option<&str>) {
    let all = entries(program);
    assert!(all.iter().any(|(path, _)| path.parent().is_some_and(|above| above.ends_with("outputs"))), "{all:?}");
    assert!(all.iter().any(|(path, _)| path.parent().is_some_and(|above| above.ends_with("texts"))), "{all:?}");
    for (path, found) in all {
        let wanted = if found.is_dir() { directory } else { file };
        assert_eq!(found.mode() & 0o7777, wanted, "{}: {:o}", path.display(), found.mode());
        assert!(gid.is_none_or(|gid| found.gid().to_string() == gid), "{}: {}", path.display(), found.gid());
    }
}

#[test]
fn the_record_has_its_modes_whatever_the_umask() {
    for umask in ["0", "077", "0777"] {
        let program = program();
        with_umask(&program, umask, &["run", "local", "--yes"]).exits(1);
        with_umask(&program, umask, &["resume", "--yes", "--retry"]).exits(1);
        have(&program, 0o750, 0o640, None);
        let plan = program.dir().join("plan.json");
        with_umask(&program, umask, &["run", "local", "--dry-run", "--out", plan.to_str().unwrap()]).exits(0);
        assert_eq!(fs::metadata(plan).unwrap().mode() & 0o137, 0, "a plan is nobody else's to read");
    }
}

#[test]
fn members_of_the_group_read_and_do_not_write_and_others_do_neither() {
    let program = program();
    with_umask(&program, "077", &["run", "local", "--yes"]).exits(1);
    fs::set_permissions(program.state(), fs::Permissions::from_mode(0o700)).unwrap();
    let member = ["setpriv", "--reuid", MEMBER, "--regid", MEMBER, "--groups", STAFF];
    let stranger = ["setpriv", "--reuid", MEMBER, "--regid", MEMBER, "--clear-groups"];
    behind(&program, &member, &["audit", "list"]).exits(7).says("ask to be in the group");

    // the runs there were are brought over, once; the new one inherits
    let inside = entries(&program).len() - 2;
    let with_group = ["--state-group", STAFF, "run", "local", "--yes"];
    with_umask(&program, "077", &with_group).exits(1).says(&format!("earlier runs now: {inside} files and folders"));
    with_umask(&program, "077", &with_group).exits(1).is_silent_about("earlier runs");
    with_umask(&program, "077", &["run", "local", "--yes"]).exits(1);
    have(&program, 0o2750, 0o640, Some(STAFF));

    let reading: [&[&str]; 6] = [
        &["audit", "list"],
        &["--format", "json", "audit", "list", "--unfinished"],
        &["audit", "show", "latest", "--output"],
        &["--format", "json", "audit", "show"],
        &["audit", "verify", "--all"],
        &["list"],
    ];
    for args in reading {
        behind(&program, &member, args).exits(0).is_silent_about("denied");
        // the option is for whoever writes: it does not keep a reader from reading
        let given: Vec<&str> = ["--state-group", STAFF].iter().chain(args).copied().collect();
        behind(&program, &member, &given).exits(0);
    }
    let before = entries(&program).len();
    behind(&program, &member, &["run", "local", "--yes"]).exits(9).says("denied");
    behind(&program, &member, &["resume", "latest", "--yes"]).exits(9);
    assert_eq!(entries(&program).len(), before);
    behind(&program, &stranger, &["audit", "list"]).exits(7).says("ask to be in the group");
    behind(&program, &stranger, &["audit", "verify", "--all"]).exits(7);
}

#[test]
fn a_run_that_is_going_on_can_be_read() {
    let text = "title: Wait\nhosts: here\nsteps:\n  - id: a\n    run: until test -e ${{ params.go }}; do sleep 0.05; done\nparams: { go: { help: x } }\n";
    let program = program();
    fs::write(program.book().join("wait.yaml"), text).unwrap();
    let go = program.dir().join("go");
    let run = program.start(["--state-group", STAFF, "run", "wait", &format!("go={}", go.display()), "--yes"]);
    program.wait_for_journal("step-started");
    let member = ["setpriv", "--reuid", MEMBER, "--regid", MEMBER, "--groups", STAFF];
    behind(&program, &member, &["audit", "list"]).exits(0).says("running");
    behind(&program, &member, &["audit", "show"]).exits(0);
    behind(&program, &member, &["audit", "verify"]).exits(0);
    fs::write(go, "").unwrap();
    Ran::of(run.wait_with_output().unwrap()).exits(0);
}

#[test]
fn an_owner_gives_to_a_group_of_their_own_and_to_no_other() {
    let program = program();
    let own = program.dir().join("own");
    fs::create_dir(&own).unwrap();
    std::os::unix::fs::chown(&own, Some(MEMBER.parse().unwrap()), Some(MEMBER.parse().unwrap())).unwrap();
    let state = own.join("state").display().to_string();
    let locks = format!("RUNBOOK_LOCKS={}", own.join("locks").display());
    let home = format!("HOME={}", own.display());
    let owner = |groups: &'static str, args: &[&str]| {
        let before = ["env", &locks, &home, "setpriv", "--reuid", MEMBER, "--regid", MEMBER, "--groups", groups];
        let args: Vec<&str> = ["--state-dir", &state].iter().chain(args).copied().collect();
        let mut ready = Command::new(before[0]);
        ready.env_clear().env("PATH", std::env::var("PATH").unwrap()).env("RUNBOOK_OPERATOR", "tester");
        ready.args(&before[1..]).arg(program.dir().join("runbook")).arg("--book").arg(program.book()).args(args);
        Ran::of(ready.current_dir("/").output().unwrap())
    };
    let ran = owner(MEMBER, &["--state-group", STAFF, "run", "local", "--yes"]);
    ran.exits(2).says(&format!("the group {STAFF}")).says(&format!("sudo chgrp -R {STAFF} {state}"));
    assert_eq!(fs::read_dir(own.join("state/runs")).unwrap().count(), 0, "nothing was run");
    let ran = owner(MEMBER, &["--state-group", "no-such-group", "run", "local", "--yes"]);
    ran.exits(2).says("`no-such-group`").says("groupadd");
    owner(MEMBER, &["--state-group", "4294967295", "run", "local", "--yes"]).exits(2);
    owner(STAFF, &["--state-group", STAFF, "run", "local", "--yes"]).exits(1);
    let found = fs::metadata(own.join("state/runs")).unwrap();
    assert_eq!((found.mode() & 0o7777, found.gid().to_string().as_str()), (0o2750, STAFF));
}
