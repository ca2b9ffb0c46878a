//! The exact commands that go on from where a run ended.
//!
//! Apart because it is what a tired person reads first: a command to copy, not a hint to work out. Built from the
//! record alone, so that `audit show` could say the same a week later.

use super::story::Story;
use super::verdicts;
use crate::event::{Answer, AskedWhat, Event, Opened, OverrideHow, Resumed};
use crate::vocab::quote::shell_word;
use crate::vocab::{RunId, StepHost};

/// A way to go on: when one would, and the words to type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// When or why one would go this way; ends without a colon.
    pub when: String,
    /// The words, quoted for a shell.
    pub words: Vec<String>,
}

/// Everything there is to do after `exit`. `program` are the words in front of every command.
pub fn ways(story: &Story, exit: u8, program: &str) -> Vec<Way> {
    let Some(opened) = story.opened() else { return Vec::new() };
    let command = Command { program, opened };
    let mut ways = Vec::new();
    let doubt: Vec<StepHost> = story.state().map(crate::event::RunState::in_doubt).unwrap_or_default();
    for at in &doubt {
        ways.push(Way { when: "Say what you found".to_owned(), words: command.resolve(at) });
    }
    let unmet = story.unmet();
    if !unmet.is_empty() && exit != 0 {
        let again = command.again(story);
        ways.push(Way {
            when: if unmet.iter().all(|one| verdicts::undecided(one.verdicts)) {
                "Go on when it can be looked at".to_owned()
            } else {
                "Go on when it is over".to_owned()
            },
            words: if story.is_resumable() && story.changed_anything() {
                again.clone()
            } else {
                with(&again, ["--wait", "2h"])
            },
        });
        if unmet.iter().all(|one| one.overridable) {
            let ids = unmet.iter().flat_map(|one| ["--override".to_owned(), shell_word(one.id)]);
            ways.push(Way { when: "In an emergency".to_owned(), words: with_reason(&[again, ids.collect()].concat()) });
        }
        return ways;
    }
    let refused = story.refused();
    match exit {
        // nothing to go on from; a wrong invocation and a broken journal are explained by who found them
        0 | 2 | 7 => return ways,
        4 => {
            ways.extend(command.answered(story, &refused));
        }
        6 => ways.push(Way {
            when: "Wait until the other run is over".to_owned(),
            words: with(&command.again(story), ["--wait-lock", "1h"]),
        }),
        8 if story.is_resumable() => ways.push(Way {
            when: "Look at the change, and accept it".to_owned(),
            words: with(&command.resume(), ["--accept-changes"]),
        }),
        _ if story.is_resumable() => {
            let when = if doubt.is_empty() { "Go on from here" } else { "Then go on from here" };
            ways.push(Way { when: when.to_owned(), words: command.resume() });
        }
        _ => ways.push(Way { when: "Run it again".to_owned(), words: command.run() }),
    }
    if story.is_resumable() && story.changed_anything() {
        ways.push(Way { when: "Or give it up for good".to_owned(), words: command.abandon() });
    }
    ways
}

struct Command<'a> {
    program: &'a str,
    opened: &'a Opened,
}

impl Command<'_> {
    fn words<const N: usize>(&self, words: [&str; N]) -> Vec<String> {
        // the program's words come from the caller, quoted as they must be
        let mut all = vec![self.program.to_owned()];
        all.extend(words.iter().map(|word| shell_word(word)));
        all
    }

    fn id(&self) -> &RunId {
        &self.opened.run
    }

    /// The command that began the run.
    fn run(&self) -> Vec<String> {
        let opened = self.opened;
        let mut words = self.words(["run", &opened.runbook]);
        for (name, value) in &opened.params {
            // a secret was never kept: the operator gives it again
            words.push(if value == "<secret>" {
                format!("{name}=@FILE")
            } else {
                format!("{name}={}", shell_word(value))
            });
        }
        if let Some(limit) = &opened.limit {
            words.extend(["--limit".to_owned(), shell_word(limit)]);
        }
        if opened.emergency {
            words.push("--emergency".to_owned());
            words.extend(["--reason".to_owned(), shell_word(opened.reason.as_deref().unwrap_or("…"))]);
        }
        words
    }

    fn resume(&self) -> Vec<String> {
        self.words(["resume", self.id().as_str()])
    }

    /// Resumes what was begun or resumed; begins anew what is over or never changed anything.
    fn again(&self, story: &Story) -> Vec<String> {
        let begun = story.changed_anything() || resumed(story).is_some();
        if story.is_resumable() && begun { self.resume() } else { self.run() }
    }

    fn abandon(&self) -> Vec<String> {
        with_reason(&self.words(["abandon", self.id().as_str()]))
    }

    fn resolve(&self, at: &StepHost) -> Vec<String> {
        with_reason(&self.words(["resolve", self.id().as_str(), &at.to_string(), "--outcome", "done"]))
    }

    /// What would have answered the questions that nobody could answer, or that were answered no.
    fn answered(&self, story: &Story, refused: &[(&AskedWhat, &Answer)]) -> Vec<Way> {
        let unasked = refused.iter().any(|(_, answer)| matches!(answer, Answer::NoTerminal));
        let again = [self.again(story), self.insisted(story)].concat();
        if !unasked {
            return vec![Way { when: "When you are ready".to_owned(), words: again }];
        }
        let person = |what: &AskedWhat| !matches!(what, AskedWhat::Start | AskedWhat::Warning { .. });
        if refused.iter().any(|(what, _)| person(what)) {
            let words = if story.is_resumable() { [self.resume(), self.insisted(story)].concat() } else { again };
            let mut ways =
                vec![Way { when: "Go on from a terminal, where you can answer".to_owned(), words: words.clone() }];
            let failure = |what: &AskedWhat| matches!(what, AskedWhat::Failure { .. });
            if story.is_resumable() && refused.iter().filter(|(what, _)| person(what)).all(|(what, _)| failure(what)) {
                ways.push(Way {
                    when: "Or run again what failed, without a question".to_owned(),
                    words: with(&words, ["--retry"]),
                });
            }
            return ways;
        }
        let ack = |(id, typed): (&str, Option<&str>)| match typed {
            Some(text) => format!("{id}={}", shell_word(text)),
            None => shell_word(id),
        };
        let acks = story.unacknowledged().into_iter().flat_map(|warning| ["--ack".to_owned(), ack(warning)]);
        // whoever cannot be asked about a warning cannot be asked whether to start either
        let flags = acks.chain(["--yes".to_owned()]).collect();
        vec![Way { when: "Without a terminal, answer beforehand".to_owned(), words: [again, flags].concat() }]
    }

    /// What the operator insisted on in this stretch, beyond what the command that goes on says by itself.
    fn insisted(&self, story: &Story) -> Vec<String> {
        let mut flags = Vec::new();
        for (_, event) in story.last_stretch() {
            if let Event::PreconditionOverridden { id, how: OverrideHow::Override, .. } = event {
                flags.extend(["--override".to_owned(), shell_word(id)]);
            }
        }
        let resumed = resumed(story);
        if resumed.is_some_and(|resumed| resumed.emergency) && !self.opened.emergency {
            flags.push("--emergency".to_owned());
        }
        // an emergency from the beginning has its reason already
        if !flags.is_empty() && !self.opened.emergency {
            let reason = resumed.and_then(|resumed| resumed.reason.as_deref()).or(self.opened.reason.as_deref());
            flags.extend(["--reason".to_owned(), shell_word(reason.unwrap_or("…"))]);
        }
        flags
    }
}

/// How the last stretch began, when it was not the first.
fn resumed(story: &Story) -> Option<&Resumed> {
    match story.last_stretch().first() {
        Some((_, Event::Resumed(resumed))) => Some(resumed),
        Some(_) | None => None,
    }
}

fn with<const N: usize>(words: &[String], more: [&str; N]) -> Vec<String> {
    words.iter().cloned().chain(more.iter().map(|word| (*word).to_owned())).collect()
}

fn with_reason(words: &[String]) -> Vec<String> {
    with(words, ["--reason", "\"…\""])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::{self, Tape};

    fn told(tape: &Tape, exit: u8) -> Vec<String> {
        let story = Story::from_records(tape.records());
        ways(&story, exit, "runbook").iter().map(|way| format!("{}: {}", way.when, way.words.join(" "))).collect()
    }

    fn unasked(tape: &mut Tape, what: AskedWhat) {
        tape.event(Event::Asked { what: what.clone(), question: "?".to_owned() });
        tape.event(Event::Answered { what, answer: Answer::NoTerminal });
        tape.event(Event::Stopped { exit: 4, why: "nobody could be asked".to_owned() });
    }

    /// A resumed run up to where its precondition was overridden.
    fn resumed() -> Tape {
        let mut tape = sample::resumed();
        let rolls = |tell: &sample::Tell| match tell {
            sample::Tell::Event(_, event) => matches!(**event, Event::RollStarted { .. }),
            sample::Tell::Progress(..) => false,
        };
        let before_roll = tape.told.iter().rposition(rolls).unwrap();
        tape.told.truncate(before_roll);
        tape
    }

    const RESUME: &str = "runbook resume 20261122T031500Z-1a2b3c4d \
        --override importers-bored --reason 'finish what mark began'";

    #[test]
    fn what_could_not_be_asked_on_a_resume_is_answered_on_a_resume() {
        let mut tape = resumed();
        unasked(&mut tape, AskedWhat::Start);
        assert_eq!(told(&tape, 4)[0], format!("Without a terminal, answer beforehand: {RESUME} --yes"));
    }

    #[test]
    fn a_failure_that_nobody_could_be_asked_about_can_be_retried() {
        let mut tape = resumed();
        let at = StepHost::new(crate::vocab::StepId::new("restart"), crate::vocab::HostName::new("va-web02"));
        unasked(&mut tape, AskedWhat::Failure { at });
        let told = told(&tape, 4);
        assert_eq!(told[0], format!("Go on from a terminal, where you can answer: {RESUME}"));
        assert_eq!(told[1], format!("Or run again what failed, without a question: {RESUME} --retry"));
    }

    #[test]
    fn a_locked_run_is_begun_again() {
        let told = told(&sample::unasked(), 6);
        assert!(told[0].starts_with("Wait until the other run is over: runbook run restart-webs "), "{told:?}");
        assert!(told[0].ends_with("--wait-lock 1h"), "{told:?}");
    }
}
