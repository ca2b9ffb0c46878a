//! A person at a terminal: questions, and what becomes of the answers.

use crate::support::{Lab, Program, Ran, Terminal, deed, deeds, signal};

const ENTER: &str = "\r";
const CTRL_C: &str = "\x03";

fn program(lab: &Lab, before: &str, act: &str, more: &str) -> Program {
    let act = act.replace('\n', "\n      ");
    let text = format!("title: Act\nhosts: jobs\n{before}steps:\n  - id: act\n    run: |\n      {act}\n{more}");
    Program::on(lab).with_book(&[("act.yaml", &text)])
}

/// What fails on dfw-jobs01 until `/root/mended` is there.
fn broken() -> String {
    format!("{}\ntest $(hostname) != dfw-jobs01 || test -e /root/mended", deed("act"))
}

#[track_caller]
fn ends(terminal: Terminal, code: i32) -> String {
    let (exit, screen) = terminal.end();
    assert_eq!(exit, code, "{screen}");
    screen
}

#[test]
fn the_start_is_asked_once_and_a_no_changes_nothing() {
    let lab = Lab::acquire();
    let program = program(&lab, "", &deed("act"), "");
    let mut terminal = Terminal::start(&program, &["run", "act"]);
    terminal.answer("Run act on 2 hosts?", "n\r");
    ends(terminal, 4);
    assert_eq!(deeds(&lab, "dfw-jobs01"), [""; 0]);
    // Enter alone is no yes
    let mut terminal = Terminal::start(&program, &["run", "act"]);
    terminal.answer("Run act on 2 hosts?", ENTER);
    ends(terminal, 4);
    assert_eq!(deeds(&lab, "dfw-jobs01"), [""; 0]);
    let mut terminal = Terminal::start(&program, &["run", "act"]);
    terminal.answer("Run act on 2 hosts?", "y\r");
    ends(terminal, 0);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act"]);
    assert_eq!(deeds(&lab, "dfw-jobs02"), ["act"]);
}

#[test]
fn warnings_are_confirmed_and_typed_and_another_text_changes_nothing() {
    let lab = Lab::acquire();
    let warnings = "warnings:\n  - { id: care, says: Take care., confirm: true }\n  - { id: typed, says: It is dangerous., type: I know }\n";
    let program = program(&lab, warnings, &deed("act"), "");
    let mut terminal = Terminal::start(&program, &["run", "act", "--yes"]);
    terminal.answer("Go on in spite of", "y\r");
    terminal.answer("Type `I know`", "i know\r");
    ends(terminal, 4);
    assert_eq!(deeds(&lab, "dfw-jobs01"), [""; 0]);
    let mut terminal = Terminal::start(&program, &["run", "act", "--yes"]);
    terminal.answer("Go on in spite of", "y\r");
    terminal.answer("Type `I know`", "I know\r");
    ends(terminal, 0);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act"]);
    let how: Vec<_> = program.events_named("warning-acknowledged").iter().map(|event| event["how"].clone()).collect();
    assert_eq!(how, ["confirmed", "typed"]);
}

#[test]
fn a_failure_is_decided_by_the_person_and_the_journal_says_why() {
    let lab = Lab::acquire();
    let program = program(&lab, "", &broken(), &format!("    undo: {{ run: {} }}\n", deed("undone")));
    let mut terminal = Terminal::start(&program, &["run", "act", "--yes"]);
    terminal.answer("act@dfw-jobs01 failed", "undo\r");
    terminal.answer("Why?", ENTER);
    terminal.answer("act@dfw-jobs01 failed", "retry\r");
    terminal.answer("Why?", "once more\r");
    terminal.answer("act@dfw-jobs01 failed", "skip\r");
    terminal.answer("Why?", "it is broken\r");
    ends(terminal, 0);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act", "undone", "act"]);
    assert_eq!(deeds(&lab, "dfw-jobs02"), ["act"]);
    let chosen: Vec<_> =
        program.events_named("chosen").iter().map(|event| (event["choice"].clone(), event["reason"].clone())).collect();
    assert_eq!(
        chosen,
        [("undo", ""), ("retry", "once more"), ("skip", "it is broken")]
            .map(|(choice, why)| (choice.into(), why.into()))
    );
}

#[test]
fn stop_leaves_the_rest_untouched_and_a_resume_asks_again() {
    let lab = Lab::acquire();
    let program = program(&lab, "", &broken(), "");
    let mut terminal = Terminal::start(&program, &["run", "act", "--yes"]);
    terminal.answer("act@dfw-jobs01 failed", "stop\r");
    ends(terminal, 1);
    assert_eq!(deeds(&lab, "dfw-jobs02"), [""; 0]);
    lab.sh("dfw-jobs01", "touch /root/mended");
    let mut terminal = Terminal::start(&program, &["resume", "--yes"]);
    terminal.answer("act@dfw-jobs01 failed", "retry\r");
    terminal.answer("Why?", ENTER);
    ends(terminal, 0);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act", "act"]);
    assert_eq!(deeds(&lab, "dfw-jobs02"), ["act"]);
}

#[test]
fn ctrl_c_at_a_question_interrupts_the_run() {
    let lab = Lab::acquire();
    let program = program(&lab, "", &broken(), "");
    let mut terminal = Terminal::start(&program, &["run", "act"]);
    terminal.answer("Run act on 2 hosts?", CTRL_C);
    ends(terminal, 130);
    assert_eq!(deeds(&lab, "dfw-jobs01"), [""; 0]);
    let mut terminal = Terminal::start(&program, &["run", "act", "--yes"]);
    terminal.answer("act@dfw-jobs01 failed", CTRL_C);
    let screen = ends(terminal, 130);
    assert!(screen.contains("resume"), "{screen}");
    assert_eq!(program.events_named("interrupted").len(), 1);
    assert_eq!(deeds(&lab, "dfw-jobs02"), [""; 0]);
}

#[test]
fn a_step_in_doubt_is_settled_by_the_person() {
    let lab = Lab::acquire();
    let program = program(&lab, "", &format!("{}\ntest $(hostname) != dfw-jobs01 || sleep 30", deed("act")), "");
    let mut child = program.start(["run", "act", "--yes"]);
    let sleeps = || lab.processes("dfw-jobs01").iter().any(|line| line.contains("sleep 30"));
    program.wait_until("the command runs", sleeps);
    signal(&child, "KILL");
    child.wait().unwrap();
    lab.fault("dfw-jobs01", &["reboot"]);
    let mut terminal = Terminal::start(&program, &["resume", "--yes"]);
    terminal.answer("act@dfw-jobs01 is in doubt: its host was booted", "done: it\r");
    terminal.answer("Why?", "I looked\r");
    ends(terminal, 0);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act"]);
    assert_eq!(deeds(&lab, "dfw-jobs02"), ["act"]);
    assert_eq!(program.events_named("resolved")[0]["reason"], "I looked");
}

#[test]
fn a_manual_step_is_done_when_the_person_says_so() {
    let lab = Lab::acquire();
    let text = format!(
        "title: Act\nhosts: jobs\nsteps:\n  - id: look\n    manual: Look at it.\n  - id: act\n    run: {}\n",
        deed("act")
    );
    let program = Program::on(&lab).with_book(&[("act.yaml", &text)]);
    let mut terminal = Terminal::start(&program, &["run", "act", "--yes"]);
    terminal.answer("Is it done?", CTRL_C);
    ends(terminal, 130);
    // the resume asks again by itself
    let mut terminal = Terminal::start(&program, &["resume", "--yes"]);
    terminal.answer("Is it done?", "n\r");
    terminal.answer("look@here failed", "stop\r");
    ends(terminal, 1);
    assert_eq!(deeds(&lab, "dfw-jobs01"), [""; 0]);
    let mut terminal = Terminal::start(&program, &["resume", "--yes"]);
    terminal.answer("Is it done?", "y\r");
    ends(terminal, 0);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act"]);
}

#[test]
fn ctrl_c_while_a_command_runs_lets_it_finish() {
    let lab = Lab::acquire();
    let program = program(&lab, "", &format!("sleep 2\n{}", deed("act")), "");
    let mut terminal = Terminal::start(&program, &["run", "act", "--yes"]);
    program.wait_until("the command runs", || lab.processes("dfw-jobs01").iter().any(|line| line.contains("sleep 2")));
    terminal.answer("act", CTRL_C);
    ends(terminal, 130);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act"]);
    Ran::of(program.command(["resume", "--yes"]).output().unwrap()).exits(0);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["act"]);
    assert_eq!(deeds(&lab, "dfw-jobs02"), ["act"]);
}

#[test]
fn a_signal_at_a_question_ends_the_run() {
    let lab = Lab::acquire();
    let program = program(&lab, "", &broken(), "");
    for name in ["TERM", "HUP"] {
        let mut terminal = Terminal::start(&program, &["run", "act", "--yes"]);
        terminal.answer("act@dfw-jobs01 failed", "");
        terminal.answer("enter to select", "");
        terminal.signal(&program, name);
        ends(terminal, 130);
        assert_eq!(program.events_named("interrupted")[0]["signal"], format!("SIG{name}"));
    }
    assert_eq!(deeds(&lab, "dfw-jobs02"), [""; 0]);
}
