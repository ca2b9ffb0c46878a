//! Bad input: refused with exit 2, at its place, with a hint, and with nothing done.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops where it does not go on")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

mod support;

use support::{Program, Ran};

const GOOD: &str = "title: T\nhosts: jobs\nparams:\n  pause: { type: duration, default: 1s, position: 1 }\n  release: { help: Which one. }\nsteps:\n  - id: a\n    run: echo ${{ params.release }}\n";

/// Runs the runbook `bad` of a book where it has this text.
fn bad(text: &str) -> (Program, Ran) {
    bad_with(text, &[])
}

fn bad_with(text: &str, args: &[&str]) -> (Program, Ran) {
    let program = Program::new().with_book(&[("bad.yaml", text)]);
    let ran = program.run([&["run", "bad", "--yes"], args].concat());
    (program, ran)
}

/// Asserts that it was refused as usage, that nothing was recorded, and that the program did not give up on itself.
#[track_caller]
fn refused<'a>(program: &Program, ran: &'a Ran) -> &'a Ran {
    ran.exits(2).is_silent_about("panicked");
    assert!(ran.stdout.is_empty(), "errors go to stderr: {}", ran.stdout);
    assert!(!program.state().exists(), "a refused run left a state folder");
    ran
}

/// Asserts that `text` as a runbook is refused with `place` (`line:column`) and all of `words` on the screen.
#[track_caller]
fn refuses(text: &str, place: &str, words: &[&str]) {
    let (program, ran) = bad(text);
    refused(&program, &ran);
    if !place.is_empty() {
        ran.says(&format!("bad.yaml:{place}"));
    }
    for word in words {
        ran.says(word);
    }
}

#[test]
fn an_unknown_key() {
    refuses("title: T\nhosts: jobs\nsteps:\n  - id: a\n    runn: x\n", "5:5", &["runn", "did you mean `run`?"]);
    refuses("title: T\ntitel: U\nsteps: []\n", "2:1", &["titel", "did you mean"]);
}

#[test]
fn a_duplicate_key() {
    refuses("title: T\ntitle: U\nhosts: jobs\nsteps:\n  - { id: a, run: x }\n", "2:1", &["title"]);
    refuses("title: T\nhosts: jobs\nsteps:\n  - id: a\n    run: x\n    run: y\n", "6:5", &["run"]);
    refuses("title: T\nhosts: jobs\nsteps:\n  - { id: a, run: x }\n  - { id: a, run: y }\n", "5:11", &["a"]);
}

#[test]
fn a_wrong_type() {
    refuses("title: T\nhosts: jobs\nsteps: x\n", "3:8", &["list"]);
    refuses("title: [a]\nhosts: jobs\nsteps:\n  - { id: a, run: x }\n", "1:8", &["text"]);
    refuses("title: T\nhosts: jobs\nsteps:\n  - { id: a, run: x, once: maybe }\n", "4:28", &["maybe"]);
    refuses("- title: T\n", "1:1", &["mapping"]);
    refuses("just a text\n", "1:1", &["mapping"]);
}

#[test]
fn all_faults_of_a_file_at_once() {
    let (program, ran) = bad("titel: T\nhosts: jobs\nsteps:\n  - id: a\n    runn: x\n    timeout: soon\n");
    refused(&program, &ran).says("bad.yaml:1:1").says("bad.yaml:5:5").says("bad.yaml:6:14");
}

#[test]
fn a_bad_duration_or_expression_or_pattern() {
    refuses("title: T\nhosts: jobs\nsteps:\n  - { id: a, run: x, timeout: 5 parsecs }\n", "4:31", &["5 parsecs"]);
    refuses("title: T\nhosts: jobs\nsteps:\n  - { id: a, run: x, if: a == }\n", "4:", &[]);
    refuses("title: T\nhosts: jobs\nsteps:\n  - { id: a, run: \"echo ${{ params.x\" }\n", "4:", &["not closed", "}}"]);
    refuses(
        "title: T\nhosts: jobs\nsteps:\n  - { id: a, run: \"echo ${{ run.id | uper }}\" }\n",
        "4:",
        &["uper", "did you mean `upper`?"],
    );
    let probe = "title: T\nhosts: jobs\nprobes:\n  p:\n    run: x\n    parse: { rows: '(?<a' }\nsteps:\n  - { id: a, probe: p }\n";
    refuses(probe, "6:", &["regular expression"]);
}

#[test]
fn a_name_that_nothing_has() {
    let step = |text: &str| format!("title: T\nhosts: jobs\nsteps:\n  - id: a\n    {text}\n");
    let (program, ran) = bad(&step("run: echo ${{ parms.x }}"));
    refused(&program, &ran).says("bad.yaml:5:").says("parms").says("did you mean `params`?");
    let (program, ran) = bad(&step("probe: importer"));
    refused(&program, &ran).says("bad.yaml:5:12").says("did you mean `importers`?");
    let (program, ran) = bad(&step("script: bin/absent.sh"));
    refused(&program, &ran).says("bad.yaml:5:13").says("bin/absent.sh");
    let (program, ran) = bad(&step("script: ../../etc/passwd"));
    refused(&program, &ran).says("bad.yaml:5:13");
}

#[test]
fn an_unknown_host_or_group() {
    for (hosts, word) in [
        ("job", "did you mean `jobs`?"),
        ("dfw-jobs1", "did you mean `dfw-jobs01`?"),
        ("'zzz*'", "zzz"),
        ("'jobs:!jobs'", "jobs"),
    ] {
        let text = GOOD.replace("hosts: jobs", &format!("hosts: {hosts}"));
        let (program, ran) = bad_with(&text, &["release=1"]);
        refused(&program, &ran).says(word);
    }
    let (program, ran) = bad_with(GOOD, &["release=1", "--limit", "va-web99"]);
    refused(&program, &ran).says("va-web99");
}

#[test]
fn parameters_that_do_not_fit() {
    for (args, words) in [
        (&[][..], &["release", "must be given", "release=VALUE"][..]),
        (&["releese=1"], &["releese", "did you mean `release`?", "must be given"]),
        (&["1s", "release=1", "2s"], &["2s", "too many"]),
        (&["1s", "pause=2s", "release=1"], &["pause", "twice"]),
        (&["soon", "release=1"], &["pause", "soon"]),
        (&["pause=-1s", "release=1"], &["pause"]),
        (&["release=1", "--override", "nothing", "--reason", "x"], &["nothing"]),
        (&["release=1", "--ack", "nothing"], &["nothing"]),
        (&["release=1", "--override", "nothing"], &["reason"]),
        (&["release=1", "--wait", "soon"], &["soon"]),
        (&["release=1", "--parallel", "0"], &["0"]),
        (&["release=1", "--plan", "/absent.json"], &["/absent.json"]),
        (&["release=1", "--out", "x"], &["--dry-run"]),
    ] {
        let (program, ran) = bad_with(GOOD, args);
        let ran = refused(&program, &ran);
        words.iter().for_each(|word| {
            ran.says(word);
        });
    }
}

#[test]
fn an_unknown_runbook_or_flag_or_command() {
    let program = Program::new();
    for (args, words) in [
        (&["run", "restart-job"][..], &["restart-job", "did you mean `restart-jobs`?", "runbook list"][..]),
        (&["run", "../runbooks/restart-jobs"], &["there is no runbook"]),
        (&["run", ""], &["there is no runbook"]),
        (&["show", "nothing-like-it"], &["nothing-like-it"]),
        (&["check", "nothing-like-it"], &["nothing-like-it"]),
        (&["run", "restart-jobs", "--yess"], &["--yess", "--yes"]),
        (&["runn"], &["runn", "run"]),
        (&[], &["Usage"]),
        (&["run"], &["NAME"]),
        (&["hosts", "va-web1"], &["va-web1", "did you mean"]),
        (&["hosts", "va-web[3:1]"], &["va-web[3:1]"]),
        (&["hosts", ""], &[]),
        (&["--format", "xml", "list"], &["xml", "json"]),
        (&["resume"], &["no unfinished run"]),
        (&["audit", "show", "20200101"], &["no run"]),
    ] {
        let ran = program.run(args);
        if args != ["audit", "show", "20200101"] {
            ran.exits(2).is_silent_about("panicked");
        }
        for word in words {
            ran.says(word);
        }
    }
}

#[test]
fn a_file_that_is_no_text() {
    let program = Program::new().with_book(&[
        ("bad.yaml", ""),
        ("blank.yaml", "\n# nothing\n\n"),
        ("two.yaml", "title: a\n---\ntitle: b\n"),
    ]);
    for (name, word) in [("bad", "empty"), ("blank", "empty"), ("two", "two.yaml:2:1")] {
        refused(&program, &program.run(["run", name])).says(word);
    }
    fs::write(program.book().join("bad.yaml"), b"title: \xff\xfe\nsteps: []\n").unwrap();
    refused(&program, &program.run(["run", "bad"])).says("bad.yaml").says("UTF-8");
    fs::write(program.book().join("bad.yaml"), b"title: a\0b\nsteps: []\n").unwrap();
    refused(&program, &program.run(["run", "bad"])).says("bad.yaml");
    fs::remove_file(program.book().join("bad.yaml")).unwrap();
    fs::create_dir(program.book().join("bad.yaml")).unwrap();
    refused(&program, &program.run(["run", "bad"])).says("directory");
    fs::remove_dir(program.book().join("bad.yaml")).unwrap();
    std::os::unix::fs::symlink("/absent", program.book().join("bad.yaml")).unwrap();
    refused(&program, &program.run(["run", "bad"])).says("bad.yaml");
}

#[test]
fn a_file_that_is_too_much() {
    let program = Program::new().with_book(&[("bad.yaml", "")]);
    let path = program.book().join("bad.yaml");
    let large = format!("title: T\nsteps:\n{}", "  - { id: a, run: x }\n".repeat(50 * 1024 * 1024 / 22));
    fs::write(&path, large).unwrap();
    let ran = program.run(["run", "bad"]);
    refused(&program, &ran).says("larger than");
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        let before = format!("*a{}", n - 1);
        bomb.push_str(&format!("a{n}: &a{n} [{}]\n", [before.as_str(); 9].join(", ")));
    }
    fs::write(&path, bomb).unwrap();
    refused(&program, &program.run(["run", "bad"])).says("bad.yaml:");
    fs::write(&path, format!("title: {}\n", "[".repeat(100_000))).unwrap();
    refused(&program, &program.run(["run", "bad"])).says("bad.yaml:1:");
    fs::write(&path, format!("title: T\nsteps:\n  - id: a\n    if: {}\n    run: x\n", "(".repeat(50_000))).unwrap();
    refused(&program, &program.run(["run", "bad"])).says("bad.yaml:4:");
}

#[test]
fn runbooks_that_run_each_other_in_a_circle() {
    let runs = |name: &str| format!("title: T\nsteps:\n  - id: inner\n    runbook: {{ name: {name} }}\n");
    let program = Program::new().with_book(&[
        ("a.yaml", &runs("b")),
        ("b.yaml", &runs("c")),
        ("c.yaml", &runs("a")),
        ("own.yaml", &runs("own")),
    ]);
    refused(&program, &program.run(["run", "a", "--yes"])).says("c.yaml:4:").says("a -> b -> c -> a");
    refused(&program, &program.run(["run", "own", "--yes"])).says("own.yaml:4:").says("own -> own");
}

#[test]
fn a_book_that_is_not_there() {
    let program = Program::new();
    for book in ["/absent", "/etc/passwd"] {
        let ran = Ran::of(program.command(["--book", book, "run", "x"]).output().unwrap());
        // the last of two wins, or two are one too many: a book that is not there is refused either way
        refused(&program, &ran);
    }
    let folder = tempfile::TempDir::new().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_runbook"));
    command.env_clear().current_dir(folder.path()).args(["list"]);
    Ran::of(command.output().unwrap()).exits(2).says("--book DIR").says("RUNBOOK_BOOK");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_runbook"));
    command.env_clear().env("RUNBOOK_BOOK", "/absent").args(["list"]);
    Ran::of(command.output().unwrap()).exits(2).says("/absent");
}

fn inventory(text: &str) -> (Program, Ran) {
    let program = Program::new().with_book(&[("good.yaml", GOOD), ("inventory.yaml", text)]);
    let ran = program.run(["run", "good", "release=1", "--yes"]);
    (program, ran)
}

#[test]
fn a_broken_inventory() {
    for (text, place, word) in [
        ("hosts: [a]\ngroups:\n  jobs: [b]\n", "3:10", "hosts"),
        ("hosts: [a, a]\n", "1:12", "a"),
        ("hosts: [\"-oProxyCommand=x\"]\n", "1:9", "host"),
        ("hosts: [\"a b\"]\n", "1:9", "host"),
        ("hosts: [\"$(x)\"]\n", "1:9", "host"),
        ("hosts: [\"../x\"]\n", "1:9", "host"),
        ("hosts: [\"a/b\"]\n", "1:9", "host"),
        ("hosts: [\"a[5:1]\"]\n", "1:9", "a[5:1]"),
        ("hosts: [\"a[1:99999999]\"]\n", "1:9", "a[1:99999999]"),
        ("hosts: [here]\n", "1:9", "here"),
        ("hosts:\n  a: { address: \"-oProxyCommand=touch /tmp/owned\" }\n", "2:17", "address"),
        ("hosts:\n  a: { address: \"x y\" }\n", "2:17", "address"),
        ("hosts:\n  a: { user: \"-x\" }\n", "2:14", "user"),
        ("hosts:\n  a: { user: \"x; y\" }\n", "2:14", "user"),
        ("hosts:\n  a: { user: \"a@b\" }\n", "2:14", "user"),
        ("hosts:\n  a: { sudo: \"-x\" }\n", "2:14", ""),
        ("hosts:\n  a: { port: 70000 }\n", "2:14", "70000"),
        ("hosts:\n  a: { port: 0 }\n", "2:14", "0"),
        ("hosts:\n  a: { port: -1 }\n", "2:14", "-1"),
        ("hosts:\n  a: { port: \"22 -x\" }\n", "2:14", ""),
        ("hosts:\n  a: { prot: 22 }\n", "2:8", "did you mean `port`?"),
        ("hosts: [a]\ngroups:\n  x: { children: [y] }\n  y: { children: [x] }\n", "3:", "itself"),
        ("hosts: [a]\ngroups:\n  x: { children: [z] }\n", "3:", "z"),
        ("hosts: [a]\ngroups:\n  a: [a]\n", "3:3", "a"),
        ("hosts: [a\n", "", "inventory.yaml:"),
    ] {
        let (program, ran) = inventory(text);
        let ran = refused(&program, &ran);
        if !place.is_empty() {
            ran.says(&format!("inventory.yaml:{place}"));
        }
        ran.says(word);
    }
    let program = Program::new();
    let ran = program.run(["-i", "/absent.yaml", "hosts"]);
    refused(&program, &ran).says("/absent.yaml");
}

fn executable(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn an_executable_inventory() {
    let program = Program::new();
    let path = program.dir().join("dynamic");
    let list = r#"#!/bin/sh
test "$1" = --list || exit 9
echo '{"_meta": {"hostvars": {"x1": {"ansible_host": "127.0.0.9", "ansible_port": 2201, "color": "red"}}},
       "all": {"vars": {"ansible_user": "ops"}}, "xs": {"hosts": ["x1", "x2"]}}'
"#;
    executable(&path, list);
    let hosts =
        |pattern: &str| Ran::of(program.command(["-i", path.to_str().unwrap(), "hosts", pattern]).output().unwrap());
    hosts("xs").exits(0).says("x1").says("127.0.0.9:2201").says("x2").says("ops");
    for (text, word) in [
        ("#!/bin/sh\necho 'the API says no' >&2; exit 3\n", "the API says no"),
        ("#!/bin/sh\nexit 3\n", "3"),
        ("#!/bin/sh\necho 'not json'\n", "JSON"),
        ("#!/bin/sh\necho '[]'\n", "JSON object"),
        ("#!/bin/sh\nprintf '\\377\\376'\n", "UTF-8"),
        ("#!/bin/sh\necho '{\"x\": [\"-oProxyCommand=touch\"]}'\n", "-oProxyCommand=touch"),
        ("#!/absent/interpreter\n", "cannot be run"),
    ] {
        executable(&path, text);
        refused(&program, &hosts("all")).says(word).says("dynamic");
    }
}

#[test]
fn faults_as_json_are_one_document() {
    let program = Program::new().with_book(&[("bad.yaml", "titel: T\nsteps: []\n")]);
    let ran = program.run(["--format", "json", "run", "bad"]);
    ran.exits(2);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["error"]["exit"], 2);
    assert!(document["error"]["faults"].as_array().is_some_and(|faults| !faults.is_empty()), "{document}");
    let ran = program.run(["--format", "json", "check"]);
    ran.exits(2);
    let _: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
}
