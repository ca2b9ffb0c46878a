//! Nothing that comes from outside commands a terminal: arguments, the environment, books, inventories, journals, hosts.
//!
//! Each command runs at a pty, since that is where colours and prompts come in, and once more as JSON.

use std::fs;
use std::process::Command;

use crate::support::{Lab, Program, Terminal};

/// It retitles, paints, clears, goes back, hides and turns round; our own screens do none of that.
const HOSTILE: &str = "\u{1b}]0;owned\u{7}\u{1b}[35;45mX\u{1b}[2J\u{9b}7m\u{9d}0;o\u{9c}\u{202e}\u{2066}\u{200b}\u{e0041}\u{1d173}\u{8}\u{7f}\u{85}Y";

/// The same in a double-quoted text of YAML.
const IN_YAML: &str = r"\e]0;owned\a\e[35;45mX\e[2J\x9b7m\x9d0;o\x9c\u202e\u2066\u200b\U000e0041\U0001d173\b\x7f\x85Y";

/// The same by a shell's `printf`.
const BY_PRINTF: &str = r"\033]0;owned\007\033[35;45mX\033[2J\302\2337m\302\2350;o\302\234\342\200\256\342\201\246\342\200\213\363\240\201\201\360\235\205\263\b\177\302\205Y\rZ";

/// Only what our screens are made of: text, colours, and the cursor's moves of a live display and its prompts.
#[track_caller]
fn harmless(what: &str, screen: &str) {
    let ours = regex::Regex::new("\u{1b}(\\[\\??[0-9;]*[A-DGHJKhlmnu]|[78])").unwrap();
    let theirs = ["\u{1b}[35;45m", "\u{1b}[2J", "\u{1b}]"];
    let found = theirs.iter().find(|text| screen.contains(*text));
    assert!(found.is_none(), "{what}: {found:?} in {screen:?}");
    let rest = ours.replace_all(screen, "");
    let bad = rest.chars().find(|ch| {
        ch.is_control() && !matches!(ch, '\n' | '\t' | '\r')
            || matches!(ch, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}'..='\u{200f}' | '\u{1d173}' | '\u{e0000}'..='\u{e0fff}')
    });
    assert!(bad.is_none(), "{what}: {bad:?} in {rest:?}");
}

struct Sitting {
    program: Program,
    /// A folder with a name of the same kind.
    folder: String,
}

impl Sitting {
    fn command(&self, args: &[&str]) -> Command {
        let args = args.iter().map(|arg| arg.replace("HOSTILE", HOSTILE).replace("FOLDER", &self.folder));
        let mut command = self.program.command(args.collect::<Vec<_>>());
        command.env("RUNBOOK_LOG", "trace");
        command
    }

    /// At a terminal; its answers to all that is asked.
    #[track_caller]
    fn at_terminal(&self, args: &[&str], answers: &[(&str, &str)]) -> String {
        let (_, screen) = Terminal::of(&self.command(args)).end_answering(answers);
        assert!(!screen.trim().is_empty(), "{args:?} says something");
        assert!(!screen.contains("panicked"), "{args:?}: {screen}");
        harmless(&format!("{args:?}"), &screen);
        screen
    }

    /// Into a pipe: no sequence at all, and JSON reads back.
    #[track_caller]
    fn as_json(&self, args: &[&str]) {
        let args: Vec<&str> = ["--format", "json"].iter().chain(args).copied().collect();
        let ran = crate::support::Ran::of(self.command(&args).output().unwrap());
        for text in [&ran.stdout, &ran.stderr] {
            harmless(&format!("{args:?}"), text);
            assert!(!text.contains(['\u{1b}', '\r']), "{args:?}: {text:?}");
        }
        ran.stdout.lines().for_each(|line| drop(serde_json::from_str::<serde_json::Value>(line).unwrap()));
    }
}

fn book() -> String {
    let book = r#"title: "Title H"
summary: "Summary H"
system: Workers
tags: [one]
hosts: dfw-jobs01
params:
  one: { help: "Help H", default: "default H" }
  word: { type: secret, help: "Secret H" }
probes:
  seen:
    run: printf 'P\n'
    parse: { rows: '^(?<line>.*)$' }
    show: [line]
preconditions:
  - { id: pre, says: "Pre H", probe: seen, every: 'line == "no"', override: allowed, otherwise: "Otherwise H" }
warnings:
  - { id: care, says: "Care H ${{ params.one }}", type: "Type H" }
  - { id: sure, says: "Sure H", confirm: true }
steps:
  - { id: look, name: "Look H", probe: seen }
  - id: hand
    name: "Hand H"
    manual: "By hand H ${{ params.one }}"
  - id: act
    name: "Act H"
    says: "Says H"
    run: "printf 'P\\n'; printf 'P\\n' >&2; printf '%s\\n' \"$W\"; exit 3"
    env: { W: "${{ params.word }}" }
    checks:
      - { says: "Check H", probe: seen, expect: 'rows | length == 7' }
    on_failure: { collect: [ { run: "printf 'P\\n'" } ] }
"#;
    book.replace(" H", &format!(" {IN_YAML}")).replace("'P", &format!("'{}", BY_PRINTF.replace('\\', "\\\\"))).replace(
        &format!("    run: printf '{}", BY_PRINTF.replace('\\', "\\\\")),
        &format!("    run: printf '{BY_PRINTF}"),
    )
}

#[test]
fn nothing_from_outside_commands_a_terminal() {
    let lab = Lab::acquire();
    let program = Program::on(&lab).with_book(&[("hostile.yaml", &book())]);
    let secret = program.dir().join("secret");
    fs::write(&secret, "a secret of \u{1b}[2J").unwrap();
    let folder = program.dir().join(format!("folder{HOSTILE}"));
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("bad.yaml"), format!("title: \"{IN_YAML}\"\nhosts: nowhere\nnokey{IN_YAML}: 1\n")).unwrap();
    fs::write(folder.join("plan.json"), format!("{{\"{HOSTILE}\": 1}}")).unwrap();
    let word = format!("word=@{}", secret.display());
    let sitting = Sitting { program, folder: folder.display().to_string() };

    // what is refused, and quoted in the refusal
    for args in [
        &["--bogusHOSTILE"][..],
        &["HOSTILE"],
        &["run", "hostile", "--wait", "HOSTILE"],
        &["--color", "HOSTILE", "list"],
        &["--format", "HOSTILE", "list"],
        &["run", "HOSTILE"],
        &["run", "hostile", &word, "HOSTILE=x"],
        &["run", "hostile", &word, "a", "HOSTILE"],
        &["run", "hostile", "word=@HOSTILE"],
        &["run", "hostile", "word=env:HOSTILE"],
        &["run", "hostile", &word, "--limit", "HOSTILE"],
        &["run", "hostile", &word, "--ack", "HOSTILE"],
        &["run", "hostile", &word, "--as", "HOSTILE"],
        &["run", "hostile", &word, "--plan", "FOLDER/plan.json"],
        &["--book", "HOSTILE", "list"],
        &["--book", "FOLDER", "list"],
        &["--book", "FOLDER", "check"],
        &["-i", "HOSTILE", "hosts"],
        &["--state-dir", "HOSTILE", "audit", "list"],
        &["--state-group", "HOSTILE", "run", "hostile", &word],
        &["check", "HOSTILE.yaml"],
        &["show", "HOSTILE"],
        &["test", "HOSTILE"],
        &["hosts", "HOSTILE"],
        &["resume", "HOSTILE"],
        &["abandon", "HOSTILE", "--reason", "x"],
        &["resolve", "HOSTILE", "a@HOSTILE", "--outcome", "done", "--reason", "x"],
        &["docs", "render", "--out", "FOLDER/plan.json/x"],
        &["audit", "show", "HOSTILE"],
    ] {
        sitting.at_terminal(args, &[]);
    }

    // what is shown
    for args in [
        &["list"][..],
        &["show", "hostile"],
        &["check", "hostile"],
        &["hosts"],
        &["run", "hostile", &word, "one=HOSTILE", "--dry-run", "--out", "FOLDER/plan.json"],
        &["-vvv", "run", "hostile", &word, "one=HOSTILE", "--dry-run"],
    ] {
        sitting.at_terminal(args, &[]);
        sitting.as_json(args);
    }

    // a run with all its questions: the secret, the warnings, the manual step, the failure
    let mut terminal = Terminal::of(&sitting.command(&[
        "run",
        "hostile",
        "one=HOSTILE",
        "--reason",
        "why HOSTILE",
        "--override",
        "pre",
    ]));
    terminal.answer("word:", "not-shown-anywhere\r");
    terminal.answer("to go on:", "no\r");
    let (code, asked) = terminal.end();
    assert_eq!(code, 4, "{asked}");
    harmless("the questions", &asked);
    assert!(asked.contains("Type `Type \\x1b]0;owned") && !asked.contains("not-shown-anywhere"), "{asked}");
    let acked = format!("care=Type {HOSTILE}");
    let run = [
        "run",
        "hostile",
        &word,
        "one=HOSTILE",
        "--reason",
        "why HOSTILE",
        "--override",
        "pre",
        "--ack",
        &acked,
        "--ack",
        "sure",
    ];
    let mut terminal = Terminal::of(&sitting.command(&run));
    terminal.answer("(y/N)", "y\r");
    terminal.answer("Is it done?", "y\r");
    terminal.answer("What now?", "stop\r");
    let (code, told) = terminal.end();
    assert_eq!(code, 1, "{told}");
    harmless("the run", &told);
    for text in ["\\x1b[35;45mX", "What now?", "\\u{1d173}"] {
        assert!(told.contains(text), "{text} in {told}");
    }
    sitting.as_json(&[&run[..], &["--yes"]].concat());
    for args in [
        &["audit", "list"][..],
        &["audit", "show", "--output"],
        &["audit", "verify", "--all"],
        &["audit", "collect"],
        &["list"],
        &["locks"],
        &["resume", "latest", "--secret", &word, "--yes"],
    ] {
        sitting.at_terminal(args, &[("Is it done?", "y\r"), ("What now?", "stop\r")]);
        sitting.as_json(args);
    }
    let mut terminal = Terminal::of(&sitting.command(&["resume"]));
    terminal.answer("Which run?", "\x03");
    harmless("the choice of a run", &terminal.end().1);
    let id = sitting.program.newest_id();
    sitting.at_terminal(&["abandon", &id, "--reason", "HOSTILE"], &[]);
}

#[test]
fn nothing_from_the_environment_commands_a_terminal() {
    let program =
        Program::new().with_book(&[("x.yaml", "title: T\nhosts: here\nsteps:\n  - { id: a, run: \"true\" }\n")]);
    for name in ["RUNBOOK_OPERATOR", "RUNBOOK_STATE_GROUP", "SUDO_USER", "SSH_CONNECTION", "RUNBOOK_LOG", "TZ", "USER"]
    {
        let mut command = program.command(["-vv", "run", "x", "--yes"]);
        command.env(name, HOSTILE);
        if name == "SUDO_USER" {
            command.env("RUNBOOK_OPERATOR", "");
        }
        let (_, screen) = Terminal::of(&command).end_answering(&[]);
        harmless(name, &screen);
        let (_, screen) = Terminal::start(&program, &["audit", "show"]).end_answering(&[]);
        harmless(name, &screen);
    }
    // what the program is called is in the usage
    let link = program.dir().join(format!("runbook{HOSTILE}"));
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_runbook"), &link).unwrap();
    let (code, screen) = Terminal::of(Command::new(&link).arg("--bogus")).end_answering(&[]);
    assert_eq!(code, 2);
    harmless("argv[0]", &screen);
}
