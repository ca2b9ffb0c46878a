//! The command line: what goes where, what it exits with, what its help says.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops where it does not go on")]

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

mod support;

use support::{Program, Ran};

/// A runbook that this machine can run alone, without any host.
const LOCAL: &str = "title: Local\nsummary: Two steps here.\ntags: [one]\nhosts: here\nsteps:\n  - id: a\n    run: echo printed-by-a; echo noise >&2\n  - id: b\n    run: \"true\"\n";
const FAILING: &str = "title: Failing\nhosts: here\nsteps:\n  - { id: a, run: exit 7 }\n";

fn local() -> Program {
    Program::new().with_book(&[("local.yaml", LOCAL), ("failing.yaml", FAILING)])
}

#[track_caller]
fn document(ran: &Ran) -> Value {
    assert!(ran.stdout.ends_with('\n'), "{}", ran.stdout);
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout))
}

const SUBCOMMANDS: &[&[&str]] = &[
    &["list"],
    &["show"],
    &["run"],
    &["resume"],
    &["resolve"],
    &["abandon"],
    &["check"],
    &["docs"],
    &["docs", "render"],
    &["docs", "publish"],
    &["docs", "drift"],
    &["test"],
    &["hosts"],
    &["locks"],
    &["locks", "break"],
    &["audit"],
    &["audit", "list"],
    &["audit", "show"],
    &["audit", "verify"],
    &["audit", "export"],
    &["completions"],
    &["man"],
];

#[test]
fn every_subcommand_has_help() {
    let program = Program::new();
    for path in SUBCOMMANDS {
        let ran = program.run([path, &["--help"][..]].concat());
        ran.exits(0).says("Usage: runbook").says("--book");
        assert!(ran.stderr.is_empty(), "help that was asked for goes to stdout: {}", ran.stderr);
        if !matches!(path, ["audit" | "man"]) {
            ran.says("Example");
        }
        program.run([path, &["-h"][..]].concat()).exits(0).says("Usage: runbook");
    }
    let ran = program.run(["--version"]);
    ran.exits(0);
    assert_eq!(ran.stdout, format!("runbook {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_exit_statuses_of_the_help_are_the_programs() {
    let help = Program::new().run(["--help"]).stdout;
    let source = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/exit.rs")).unwrap();
    let mut constants = 0;
    for line in source.lines().filter_map(|line| line.split_once(": u8 = ")) {
        let number = line.1.trim_end_matches(';');
        constants += 1;
        assert!(
            help.lines().any(|row| row.trim_start().starts_with(&format!("{number} "))),
            "{number} is not in the help:\n{help}"
        );
    }
    assert!(constants >= 9, "{source}");
    for number in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130] {
        assert!(help.lines().any(|row| row.trim_start().starts_with(&format!("{number} "))), "{number}");
    }
}

#[test]
fn queries_print_one_document() {
    let program = local();
    program.run(["run", "local", "--yes"]).exits(0);
    for args in [
        &["list"][..],
        &["show", "local"],
        &["hosts"],
        &["hosts", "jobs"],
        &["check", "local"],
        &["audit", "list"],
        &["audit", "show"],
        &["audit", "verify"],
        &["audit", "export"],
        &["audit", "verify", "--all"],
        &["run", "local", "--dry-run"],
    ] {
        let ran = program.run([args, &["--format", "json"][..]].concat());
        ran.exits(0);
        let document = document(&ran);
        assert!(document.is_array() || document.is_object(), "{args:?}: {document}");
        assert!(ran.stderr.is_empty(), "{args:?}: {}", ran.stderr);
        assert!(!ran.stdout.contains('\x1b'), "{args:?}");
        let text = program.run(args);
        text.exits(0);
        assert!(!text.stdout.is_empty(), "{args:?}");
        assert!(text.stderr.is_empty(), "{args:?}: {}", text.stderr);
    }
    let list = document(&program.run(["list", "--format", "json"]));
    let entry = list.as_array().unwrap().iter().find(|entry| entry["name"] == "local").unwrap();
    assert_eq!(entry["title"], "Local");
    assert_eq!(entry["last_run"]["by"], "tester");
    program.run(["list", "--tag", "one"]).exits(0).says("local").is_silent_about("failing");
}

#[test]
fn a_runbook_is_run_and_told_by_its_alias() {
    let program = Program::new().with_book(&[("local.yaml", &LOCAL.replace("tags:", "aliases: [old-name]\ntags:"))]);
    program.run(["run", "old-name", "--yes"]).exits(0).says("Local");
    program.run(["show", "old-name"]).exits(0).says("Also called: old-name");
    program.run(["check", "old-name"]).exits(0);
    let list = document(&program.run(["list", "--format", "json"]));
    assert_eq!((&list[0]["name"], &list[0]["aliases"][0]), (&"local".into(), &"old-name".into()));
    assert_eq!(list[0]["last_run"]["outcome"], "ok", "the run is the runbook's, whatever it was called by");
    program.run(["run", "old-nam"]).exits(2).says("did you mean `old-name`?");
}

#[test]
fn the_list_goes_by_system_in_the_books_order() {
    let of = |system: &str| LOCAL.replace("tags:", &format!("system: {system}\ntags:"));
    let systems = "systems: { Second: { title: The second }, First: {} }\n";
    let files = [("a.yaml", of("First")), ("b.yaml", of("Second")), ("c.yaml", LOCAL.to_owned())];
    let mut all: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    all.push(("book.yaml", systems));
    let program = Program::new().with_book(&all);
    let ran = program.run(["list"]);
    let lines: Vec<Vec<&str>> = ran.stdout.lines().map(|line| line.split('\t').collect()).collect();
    let order: Vec<(&str, &str)> = lines[1..].iter().map(|cells| (cells[0], cells[4])).collect();
    assert_eq!(order, [("b", "Second"), ("a", "First"), ("c", "")]);
    let shown = support::Terminal::start(&program, &["list"]).end().1;
    let at = |text: &str| shown.find(text).unwrap_or_else(|| panic!("`{text}` is not there:\n{shown}"));
    assert!(
        at("The second") < at("  b\u{1b}") && at("  b\u{1b}") < at("First") && at("  a\u{1b}") < at("Of no system"),
        "{shown}"
    );
}

#[test]
fn a_secret_may_come_from_the_environment() {
    let text =
        LOCAL.replace("steps:", "params: { token: { type: secret, default: \"env:SITE_TOKEN\" } }\nsteps:").replace(
            "run: \"true\"",
            "run: test \"$T\" = hunter2-hunter2 && echo given $T\n    env: { T: \"${{ params.token }}\" }",
        );
    let program = Program::new().with_book(&[("local.yaml", &text)]);
    let ran = program.run(["run", "local", "--yes"]);
    ran.exits(2)
        .says("the parameter `token` (secret) must be given")
        .says("set SITE_TOKEN in the environment, or give it");
    let program = program.env("SITE_TOKEN", "hunter2-hunter2");
    program.run(["run", "local", "--yes"]).exits(0).is_silent_about("hunter2").says("given");
    assert!(!program.journal().contains("hunter2"));
}

#[test]
fn a_run_prints_one_event_a_line() {
    let program = local();
    let ran = program.run(["--format", "json", "run", "local", "--yes"]);
    ran.exits(0);
    let events: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.len() >= 6, "{}", ran.stdout);
    let recorded = program.journal().lines().count();
    assert_eq!(events.len(), recorded, "as many events as the journal has\n{}", ran.stdout);
    assert!(ran.stderr.is_empty(), "{}", ran.stderr);
    let ran = program.run(["--format", "json", "run", "failing", "--yes"]);
    ran.exits(1);
    ran.stdout.lines().for_each(|line| drop(serde_json::from_str::<Value>(line).unwrap()));
}

#[test]
fn a_run_keeps_prose_off_stdout() {
    let program = local();
    let ran = program.run(["run", "local", "--yes"]);
    ran.exits(0);
    assert!(ran.stdout.is_empty() || !ran.stdout.contains("Run"), "{}", ran.stdout);
    assert!(!ran.stderr.is_empty());
    program.run(["run", "local"]).exits(4).says("--yes");
    program.run(["run", "failing", "--yes"]).exits(1).says("resume");
}

#[test]
fn colour_is_where_it_is_wanted() {
    let program = local();
    for (args, colour) in [
        (&["list"][..], false),
        (&["--color", "never", "list"], false),
        (&["--color", "always", "show", "local"], true),
        (&["--color", "always", "run", "nothing"], true),
        (&["run", "nothing"], false),
    ] {
        let ran = program.run(args);
        assert_eq!(
            ran.stdout.contains('\x1b') || ran.stderr.contains('\x1b'),
            colour,
            "{args:?}: {}{}",
            ran.stdout,
            ran.stderr
        );
    }
    // on a terminal, which `script` gives
    let terminal = |variable: Option<&str>| {
        let line = format!("{} --book {} list", env!("CARGO_BIN_EXE_runbook"), program.book().display());
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).env_remove("NO_COLOR").env("TERM", "xterm").stdin(Stdio::null());
        if let Some(value) = variable {
            command.env("NO_COLOR", value);
        }
        String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned()
    };
    assert!(terminal(None).contains('\x1b'));
    assert!(!terminal(Some("1")).contains("\x1b["), "NO_COLOR");
    assert!(terminal(Some("")).contains('\x1b'), "an empty NO_COLOR is none");
}

#[test]
fn completions_are_programs_of_their_shells() {
    let program = Program::new();
    for shell in ["bash", "zsh", "fish"] {
        let ran = program.run(["completions", shell]);
        ran.exits(0).says("runbook").says("resume").is_silent_about("panicked");
        let known =
            Command::new("sh").args(["-c", &format!("command -v {shell}")]).stdout(Stdio::null()).status().unwrap();
        if !known.success() {
            continue;
        }
        let mut child = Command::new(shell).arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(ran.stdout.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{shell}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    program.run(["completions", "csh"]).exits(2);
}

#[test]
fn the_manual_renders() {
    let ran = Program::new().run(["man"]);
    ran.exits(0);
    assert!(
        ran.stdout.contains(".TH") && ran.stdout.contains("130") && ran.stdout.contains("resume"),
        "{}",
        ran.stdout
    );
    let known = Command::new("sh").args(["-c", "command -v groff || command -v man"]).output().unwrap();
    if String::from_utf8_lossy(&known.stdout).contains("groff") {
        let mut child = Command::new("groff")
            .args(["-man", "-Tutf8", "-ww"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(ran.stdout.as_bytes()).unwrap();
        assert!(child.wait_with_output().unwrap().status.success());
    }
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let program = local();
    program.run(["run", "local", "--yes"]).exits(0);
    for args in [
        &["list"][..],
        &["show", "local"],
        &["hosts"],
        &["hosts", "--format", "json"],
        &["check"],
        &["docs"],
        &["docs", "render"],
        &["audit", "list"],
        &["audit", "show"],
        &["audit", "verify"],
        &["audit", "export"],
        &["man"],
        &["completions", "bash"],
        &["--help"],
        &["run", "local", "--dry-run"],
    ] {
        let mut child = program.command(args).stdout(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ran = Ran::of(child.wait_with_output().unwrap());
        ran.is_silent_about("panicked").is_silent_about("Broken pipe");
        assert!(ran.code < 128, "{args:?}: {}", ran.code);
    }
    // a run does its work whoever listens
    let mut child = program.command(["--format", "json", "run", "local", "--yes"]).spawn().unwrap();
    drop(child.stdout.take());
    drop(child.stderr.take());
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 0);
    assert!(program.journal().contains("\"ended\""));
}

#[test]
fn a_full_output_is_no_panic() {
    let program = local();
    for args in
        [&["list"][..], &["man"], &["completions", "bash"], &["--help"], &["--version"], &["run", "local", "--yes"]]
    {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ran = Ran::of(program.command(args).stdout(full).output().unwrap());
        ran.is_silent_about("panicked");
    }
}

#[test]
fn the_audit_of_an_empty_state_folder() {
    let program = local();
    // nothing is listed of a folder that is not there; to verify it is a mistake
    for (args, exit) in [(&["audit", "list"][..], 0), (&["audit", "verify", "--all"], 2)] {
        program.run(args).exits(exit);
        assert!(!program.state().exists(), "a query made the state folder");
    }
    assert_eq!(document(&program.run(["audit", "list", "--format", "json"])), serde_json::json!([]));
    for dir in ["", "runs"] {
        fs::create_dir_all(program.state().join(dir)).unwrap();
        program.run(["audit", "list"]).exits(0);
        assert_eq!(document(&program.run(["audit", "list", "--format", "json"])), serde_json::json!([]));
    }
    program.run(["audit", "show"]).is_silent_about("panicked");
    program.run(["audit", "show", "20200101T0000"]).exits(2);
}

#[test]
fn the_audit_of_a_folder_with_garbage() {
    let program = local();
    program.run(["run", "local", "--yes"]).exits(0);
    let id = program.newest_id();
    let runs = program.state().join("runs");
    for name in
        ["lost+found", "..x", "20200101T000000Z-abcdef", "20200102T000000Z-abcdef", "20200103T000000Z-abcdef", "é"]
    {
        fs::create_dir_all(runs.join(name)).unwrap();
    }
    fs::write(runs.join("20200101T000000Z-abcdef/journal.jsonl"), "garbage\n").unwrap();
    fs::write(runs.join("20200102T000000Z-abcdef/journal.jsonl"), b"\xff\xfe\0{").unwrap();
    fs::create_dir_all(runs.join("20200103T000000Z-abcdef/journal.jsonl")).unwrap();
    fs::write(runs.join("a-file"), "x").unwrap();
    std::os::unix::fs::symlink("/absent", runs.join("20200104T000000Z-abcdef")).unwrap();
    let ran = program.run(["audit", "list"]);
    ran.exits(0).says(&id).is_silent_about("panicked");
    let listed = document(&program.run(["audit", "list", "--format", "json"]));
    assert!(listed.as_array().unwrap().iter().any(|entry| entry["run"] == id.as_str()), "{listed}");
    program.run(["audit", "verify", "--all"]).is_silent_about("panicked");
    program.run(["audit", "verify", &id]).exits(0);
    program.run(["list"]).exits(0).says("local");
    // whatever else lies there, the next run goes its way
    program.run(["run", "local", "--yes"]).exits(0);
    program.run(["resume"]).is_silent_about("panicked");
}

#[test]
fn a_state_folder_that_cannot_be_written() {
    let program = local();
    fs::write(program.state(), "a file").unwrap();
    program.run(["run", "local", "--yes"]).exits(9);
    program.run(["audit", "list"]).is_silent_about("panicked");
}

#[test]
fn locks_of_hosts_that_cannot_be_reached_are_not_known() {
    let mut program = local();
    program.lay("gone.yaml", "hosts: { gone: { address: 127.0.0.1, port: 1 }, me: { transport: local } }\n");
    program.run(["locks", "me"]).exits(0).says("no lock is held on 1 of 1 hosts");
    program
        .run(["locks", "gone:me"])
        .exits(0)
        .says("no lock is held on 1 of 2 hosts")
        .says("not known: gone: unreachable");
    let document = document(&program.run(["locks", "gone:me", "--format", "json"]));
    assert_eq!(document[1], serde_json::json!({"host": "me", "holder": null}));
    assert!(document[0]["unknown"].as_str().unwrap().contains("unreachable"), "{document}");
    program.run(["locks", "nobody"]).exits(2).says("nobody");
    program.run(["locks", "break", "gone", "--reason", "x", "--yes"]).exits(1).says("unreachable");
    program.run(["locks", "break", "me", "--reason", "x"]).exits(0).says("nobody holds the lock of me");
    program.run(["locks", "break", "me", "--reason", " ", "--yes"]).exits(2).says("--reason");
    assert!(!program.state().exists(), "nothing was broken, and nothing recorded");
}
