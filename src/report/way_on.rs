//! The exact commands that go on from where a run ended.
//!
//! Apart because it is what a tired person reads first: a command to copy, not a hint to work out. Built from the
//! record alone, so that `audit show` could say the same a week later.

use super::story::Story;
use crate::event::{Answer, AskedWhat, Opened};
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
            when: "Go on when it is over".to_owned(),
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
            when: "Wait until the hosts are free".to_owned(),
            words: with(&command.again(story), ["--wait-lock", "30m"]),
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

    /// Resumes what was begun; begins anew what is over or never changed anything.
    fn again(&self, story: &Story) -> Vec<String> {
        if story.is_resumable() && story.changed_anything() { self.resume() } else { self.run() }
    }

    fn abandon(&self) -> Vec<String> {
        with_reason(&self.words(["abandon", self.id().as_str()]))
    }

    fn resolve(&self, at: &StepHost) -> Vec<String> {
        with_reason(&self.words(["resolve", self.id().as_str(), &at.to_string(), "--outcome", "done"]))
    }

    /// The flags that would have answered the questions that nobody could answer.
    fn answered(&self, story: &Story, refused: &[(&AskedWhat, &Answer)]) -> Vec<Way> {
        let unasked = refused.iter().any(|(_, answer)| matches!(answer, Answer::NoTerminal));
        let mut flags: Vec<String> = Vec::new();
        let mut person = false;
        for (what, _) in refused {
            match what {
                AskedWhat::Start | AskedWhat::Warning { .. } => {}
                AskedWhat::Manual { .. } | AskedWhat::Failure { .. } | AskedWhat::InDoubt { .. } => person = true,
            }
        }
        let before_start = refused.iter().any(|(what, _)| matches!(what, AskedWhat::Start | AskedWhat::Warning { .. }));
        if unasked && before_start {
            for id in story.unacknowledged() {
                flags.extend(["--ack".to_owned(), shell_word(id)]);
            }
            // whoever cannot be asked about a warning cannot be asked whether to start either
            flags.push("--yes".to_owned());
        }
        let again = self.again(story);
        if person {
            let resume = if story.is_resumable() { self.resume() } else { again };
            return vec![Way { when: "Go on from a terminal, where you can answer".to_owned(), words: resume }];
        }
        if unasked && before_start {
            return vec![Way {
                when: "Without a terminal, answer beforehand".to_owned(),
                words: [again, flags].concat(),
            }];
        }
        vec![Way { when: "When you are ready".to_owned(), words: again }]
    }
}

fn with<const N: usize>(words: &[String], more: [&str; N]) -> Vec<String> {
    words.iter().cloned().chain(more.iter().map(|word| (*word).to_owned())).collect()
}

fn with_reason(words: &[String]) -> Vec<String> {
    with(words, ["--reason", "\"…\""])
}
