//! The person at the terminal, or the lack of one.

use std::future::Future;
use std::io::IsTerminal as _;
use std::pin::Pin;
use std::sync::Arc;

use inquire::{Confirm, InquireError, Select, Text};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use super::view::View;
use crate::engine::{Interrupt, Operator, Question, Response};
use crate::event::Choice;
use crate::vocab::neutral::{neutralise, one_line};

/// Asks at the terminal; without one every question answers no.
pub(super) struct Terminal {
    view: Arc<View>,
    interrupt: Interrupt,
    /// What is shown in front of the question whether to start.
    outline: String,
}

impl Terminal {
    pub(super) fn new(view: Arc<View>, interrupt: Interrupt, outline: String) -> Self {
        Self { view, interrupt, outline }
    }
}

/// Whether there is someone to ask.
pub(super) fn is_there() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

impl Operator for Terminal {
    fn ask<'a>(&'a self, question: &'a Question) -> Pin<Box<dyn Future<Output = Response> + Send + 'a>> {
        let view = self.view.clone();
        let outline = self.outline.clone();
        let question = question.clone();
        let interrupt = self.interrupt.clone();
        Box::pin(async move {
            if !is_there() {
                return Response::NoTerminal;
            }
            // whoever wants to stop is asked nothing more
            if interrupt.is_raised() {
                return Response::No;
            }
            let before = tcgetattr(std::io::stdin()).ok();
            // a prompt blocks its thread; the run's other hosts must go on meanwhile
            let asked = tokio::task::spawn_blocking(move || match &view.live {
                Some(live) => live.suspend(|| prompt(&question, &outline, &view)),
                None => prompt(&question, &outline, &view),
            });
            let asked = tokio::select! {
                biased;
                asked = asked => asked,
                // a signal, or a terminal that is gone: the prompt keeps its thread to the program's end, and the
                // terminal is put back as it was for whoever uses it next
                () = interrupt.raised() => {
                    if let Some(before) = before {
                        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &before);
                    }
                    return Response::No;
                }
            };
            match asked {
                Ok(Ok(response)) => response,
                Ok(Err(InquireError::OperationInterrupted)) => {
                    interrupt.raise();
                    Response::No
                }
                Ok(Err(_)) | Err(_) => Response::No,
            }
        })
    }
}

fn prompt(question: &Question, outline: &str, view: &View) -> Result<Response, InquireError> {
    let yes_or_no = |text: &str, help: &str| -> Result<Response, InquireError> {
        let answer = Confirm::new(text).with_default(false).with_help_message(help).prompt()?;
        Ok(if answer { Response::Yes } else { Response::No })
    };
    match question {
        Question::Start { text } => {
            view.prose.write(outline);
            yes_or_no(&one_line(text), "y starts it; --dry-run shows every command beforehand")
        }
        // the warning itself stands above: whoever shows the run has shown it
        Question::Warning { id, typed: None, .. } => {
            yes_or_no(&format!("Go on in spite of {}?", one_line(id)), "y goes on")
        }
        Question::Warning { typed: Some(text), .. } => {
            let answer = Text::new(&format!("Type `{}` to go on:", one_line(text))).prompt()?;
            Ok(Response::Text(answer))
        }
        Question::Manual { at, says } => {
            view.prose.write(&format!("\nBy hand, {at}:\n{}\n", neutralise(says)));
            yes_or_no("Is it done?", "y when it is done; n makes the step fail")
        }
        Question::Failure { at, why, choices } => {
            view.prose.write(&format!("\n{at} failed: {}\n", shortened(why)));
            choose("What now?", choices)
        }
        Question::InDoubt { at, why, choices } => {
            view.prose.write(&format!("\n{at} is in doubt: {}\n", shortened(why)));
            choose("What became of it?", choices)
        }
    }
}

fn choose(text: &str, choices: &[Choice]) -> Result<Response, InquireError> {
    let names: Vec<String> = choices.iter().map(|choice| name(*choice).to_owned()).collect();
    let chosen = Select::new(text, names.clone()).prompt()?;
    let Some(choice) = names.iter().position(|name| *name == chosen).and_then(|at| choices.get(at)) else {
        return Ok(Response::No);
    };
    let reason = match choice {
        Choice::Stop => String::new(),
        _ => Text::new("Why? (for the audit; may be empty)").prompt_skippable()?.unwrap_or_default(),
    };
    Ok(Response::Chose(*choice, reason))
}

/// The beginning of a reason: the screen has the whole above.
fn shortened(why: &str) -> String {
    let line = one_line(why);
    if line.chars().count() <= 160 { line } else { line.chars().take(159).chain(['…']).collect() }
}

fn name(choice: Choice) -> &'static str {
    match choice {
        Choice::Retry => "retry: run the action again",
        Choice::Recheck => "recheck: only look again whether it is well now",
        Choice::Skip => "skip: take this host out and go on with the others",
        Choice::Undo => "undo: run the step's undo command, then ask again",
        Choice::Stop => "stop: do nothing more (the run can be resumed)",
        Choice::Continue => "continue: go on with the next hosts",
        Choice::Done => "done: it took effect",
        Choice::NotDone => "not done: it did not take effect; run it again",
    }
}
