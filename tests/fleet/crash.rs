//! The program dies at every record of its journal, right before it and right after it; a resume finishes the run, and
//! nobody can tell: every action took effect once, and the outcomes, captures and their order are the same.
//!
//! The records are those of an undisturbed run. Hosts of one batch run side by side, so record N need not be the same
//! one each time; it is some record, and all of them have their turn.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::thread;

use crate::support::tale::DEEDS;
use crate::support::{Crash, Lab, Program, Ran, TRIOS, Tale, Terminal};

/// Where a run goes.
#[derive(Clone, Copy)]
struct World<'a> {
    lab: &'a Lab,
    hosts: [&'static str; 3],
}

/// A runbook that is run under crashes.
struct Case {
    book: &'static [(&'static str, &'static str)],
    /// What its run ends with, crashed or not.
    exit: i32,
    /// Whether a person sits at a terminal, and says that what is manual is done.
    person: bool,
}

const ROLLING: Case = Case {
    book: &[
        (
            "act.yaml",
            r#"
title: Act
hosts: HOST0:HOST1:HOST2
preconditions:
  - id: there
    says: The hosts answer.
    probe: { run: echo there, hosts: HOST0:HOST1:HOST2 }
    expect: stdout is containing("there")
steps:
  - id: first
    run: |
      echo first >> DEEDS
      echo word of ${{ host.name }}
    rollout: { batch: 2 }
    capture: { word: stdout | trim }
  - id: twice
    hosts: HOST0
    run: |
      echo twice >> DEEDS
      test $(grep -c twice DEEDS) -ge 2
    retry: { attempts: 2, delay: 0s }
  - id: unless
    hosts: HOST0:HOST1
    skip_if: { run: hostname, expect: '"HOST0" in stdout', says: It is the first. }
    rollout: { batch: all }
    run: echo unless >> DEEDS
  - id: uses
    hosts: HOST2
    run: |
      echo uses ${{ steps.first.captured.word }} ${{ steps.first.on["HOST0"].captured.word }} >> DEEDS
      (sleep 0.3; echo late > /root/late.${{ run.id }}) >/dev/null 2>&1 &
    checks:
      - says: It came late.
        run: ls /root
        expect: '("late." ~ run.id) in stdout'
        within: 10s
  - id: script
    hosts: HOST1
    script: { file: mark.sh, args: ["${{ run.id }}"] }
  - id: copy
    hosts: HOST1
    copy: { src: note.txt, dest: "/root/note.${{ run.id }}" }
checks:
  - says: The first host has a line.
    probe: { run: "cat DEEDS", hosts: HOST0 }
    expect: stdout is containing("first")
"#,
        ),
        ("mark.sh", "#!/bin/sh\necho script >> \"/root/deeds.$1\"\n"),
        ("note.txt", "a note\n"),
    ],
    exit: 0,
    person: false,
};

const BUDGET: Case = Case {
    book: &[(
        "act.yaml",
        r"
title: Act
hosts: HOST0:HOST1:HOST2
steps:
  - id: act
    run: |
      echo act >> DEEDS
      test $(hostname) != HOST1
    rollout: { batch: 1, max_failures: 1 }
    on_failure: { collect: [{ run: echo evidence }] }
  - id: then
    hosts: HOST0
    run: echo then >> DEEDS
",
    )],
    exit: 1,
    person: false,
};

const MANUAL: Case = Case {
    book: &[(
        "act.yaml",
        r"
title: Act
hosts: HOST0
steps:
  - id: before
    run: echo before >> DEEDS
  - id: look
    manual: Look at it.
  - id: behind
    run: echo behind >> DEEDS
",
    )],
    exit: 0,
    person: true,
};

const SMALL: Case = Case {
    book: &[(
        "act.yaml",
        r"
title: Act
hosts: HOST0
steps:
  - id: act
    run: |
      echo act >> DEEDS
      echo word
    capture: { word: stdout | trim }
  - id: then
    run: echo then ${{ steps.act.captured.word }} >> DEEDS
",
    )],
    exit: 0,
    person: false,
};

impl Case {
    fn program(&self, world: World<'_>) -> Program {
        let placed = |text: &str| {
            let numbered = world.hosts.iter().enumerate();
            numbered
                .fold(text.replace("DEEDS", DEEDS), |text, (index, host)| text.replace(&format!("HOST{index}"), host))
        };
        let book: Vec<(&str, String)> = self.book.iter().map(|(name, text)| (*name, placed(text))).collect();
        let book: Vec<(&str, &str)> = book.iter().map(|(name, text)| (*name, text.as_str())).collect();
        Program::on(world.lab).with_book(&book)
    }

    fn run(&self, program: &Program, args: &[&str], crash: Option<Crash>) -> Ran {
        let mut command = program.command(args);
        if let Some(crash) = crash {
            crash.load_into(&mut command);
        }
        if !self.person {
            return Ran::of(command.output().unwrap());
        }
        // a person who is asked about a crash that should not show goes no further
        let answers = [("Is it done?", "y\r"), ("What became of it?", "stop\r"), ("What now?", "stop\r")];
        let (code, screen) = Terminal::of(&command).end_answering(&answers);
        Ran { code, stdout: screen, stderr: String::new() }
    }

    /// The undisturbed run: what it came to, and the names of its records.
    fn undisturbed(&self) -> (Tale, Vec<String>) {
        let lab = Lab::acquire();
        let world = World { lab: &lab, hosts: TRIOS[0] };
        let program = self.program(world);
        self.run(&program, &["run", "act", "--yes"], None).exits(self.exit);
        let names = program.events().into_iter().map(|(name, _)| name).collect();
        (Tale::of(&program, &lab, &world.hosts), names)
    }

    /// Crashes a run, then each resume but the last, and goes on as an operator would. What came of it otherwise than
    /// undisturbed, if anything.
    fn crashed(&self, world: World<'_>, crashes: &[Crash], wanted: &Tale) -> Option<String> {
        let (crash, again) = crashes.split_first().unwrap();
        let program = self.program(world);
        let mut ran = self.run(&program, &["run", "act", "--yes"], Some(*crash));
        let mut last = last_record(&program);
        let over = |program: &Program| {
            program.events().last().is_some_and(|(_, end)| end["exit"].as_i64() == Some(i64::from(self.exit)))
        };
        for crash in again {
            if program.newest_or_none().is_some() && !over(&program) {
                self.run(&program, &["resume", "--yes"], Some(*crash));
                last = format!("{last}, then {crash} behind {}", last_record(&program));
            }
        }
        if program.newest_or_none().is_none() {
            // the run had not begun, and there is nothing to resume: it is run again
            ran = self.run(&program, &["run", "act", "--yes"], None);
        } else if !over(&program) {
            ran = self.run(&program, &["resume", "--yes"], None);
        } else {
            ran.code = self.exit;
        }
        let mut wrong = wanted.differences(&Tale::of(&program, world.lab, &world.hosts));
        if ran.code != self.exit {
            let said = format!("{}{}", ran.stdout, ran.stderr);
            let said = said.lines().rev().find(|line| line.contains("doubt") || line.contains("failed")).unwrap_or("");
            wrong.insert(0, format!("exit {} instead of {}: {}", ran.code, self.exit, said.trim()));
        }
        let mut verified = program.run(["audit", "verify"]);
        if verified.stdout.contains("unsealed") {
            // it was killed behind its last record
            program.run(["audit", "seal", "latest"]).exits(0);
            verified = program.run(["audit", "verify"]);
        }
        if verified.code != 0 {
            wrong.push(format!("audit verify: {}", verified.stdout.trim()));
        }
        (!wrong.is_empty()).then(|| format!("{crash} (behind {last}):\n    {}", wrong.join("\n    ")))
    }

    /// Crashes at every record.
    fn holds(&self) {
        let (wanted, records) = self.undisturbed();
        self.all_hold(&wanted, every(records.len()).map(|crash| vec![crash]).collect());
    }

    /// Crashes in all these ways, on as many labs as there are to be had.
    fn all_hold(&self, wanted: &Tale, crashes: VecDeque<Vec<Crash>>) {
        let all = crashes.len();
        let left: Mutex<VecDeque<Vec<Crash>>> = Mutex::new(crashes);
        let wrong: Mutex<Vec<(Vec<Crash>, String)>> = Mutex::default();
        let work = &|world: World<'_>| {
            loop {
                let Some(crashes) = left.lock().unwrap().pop_front() else { return };
                if let Some(found) = self.crashed(world, &crashes, wanted) {
                    wrong.lock().unwrap().push((crashes, found));
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..Lab::pool() {
                scope.spawn(|| {
                    let lab = Lab::acquire();
                    thread::scope(|scope| {
                        for hosts in TRIOS {
                            let world = World { lab: &lab, hosts };
                            scope.spawn(move || work(world));
                        }
                    });
                });
            }
        });
        let mut wrong = wrong.into_inner().unwrap();
        wrong.sort();
        let told: Vec<&str> = wrong.iter().map(|(_, told)| told.as_str()).collect();
        assert!(wrong.is_empty(), "{} of {all} crashes show:\n{}", wrong.len(), told.join("\n"));
        println!("{all} runs with a crash, none shows");
    }
}

/// Before and after each of so many records.
fn every(records: usize) -> impl Iterator<Item = Crash> {
    (1..=records).flat_map(|number| [Crash::Before(number), Crash::After(number)])
}

/// The last record of the journal in a few words.
fn last_record(program: &Program) -> String {
    program.journal().lines().last().map(told).unwrap_or_default()
}

/// A record in a few words.
fn told(line: &str) -> String {
    let Ok(record) = serde_json::from_str::<serde_json::Value>(line) else { return "half a record".to_owned() };
    let Some((name, body)) = record["event"].as_object().and_then(|event| event.iter().next()) else {
        return String::new();
    };
    match (body["at"]["step"].as_str(), body["at"]["host"].as_str()) {
        (Some(step), Some(host)) => format!("{name} {step}@{host}"),
        _ => name.clone(),
    }
}

#[test]
fn a_crash_at_any_record_of_a_roll_does_not_show() {
    ROLLING.holds();
}

#[test]
fn a_crash_at_any_record_of_a_roll_with_a_failure_in_its_budget_does_not_show() {
    BUDGET.holds();
}

#[test]
fn a_crash_at_any_record_around_a_question_does_not_show() {
    MANUAL.holds();
}

#[test]
fn a_crash_within_any_record_does_not_show() {
    let (wanted, records) = SMALL.undisturbed();
    SMALL.all_hold(&wanted, (1..=records.len()).map(|number| vec![Crash::Within(number)]).collect());
}

#[test]
fn a_crash_of_the_resume_behind_a_crash_does_not_show() {
    let (wanted, records) = SMALL.undisturbed();
    let number = |wanted: &str| 1 + records.iter().position(|name| name == wanted).unwrap();
    // not sent; sent and ended; ended, and nothing captured
    let (started, acted) = (number("step-started"), number("step-acted"));
    let first = [Crash::After(started), Crash::Before(acted), Crash::After(acted)];
    let pairs = first.iter().flat_map(|first| every(records.len()).map(|second| vec![*first, second]));
    SMALL.all_hold(&wanted, pairs.collect());
}
