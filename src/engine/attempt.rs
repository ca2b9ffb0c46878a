//! An action's tries: the intent on disk, the deed, its end on disk.
//!
//! Apart from `host`, which says what comes before an action and behind it: here is all that is sent to change something.

use std::sync::{Arc, Mutex, PoisonError};

use super::ask::{Question, Response};
use super::ending::Ending;
use super::host::failed;
use super::perform::{Flow, Halt, Stage};
use crate::event::{ActionEnd, ActionKind, Event, FailureKind, Outcome, Output, Progress};
use crate::model::{Action, EvalError, ProgramSpec, Scope, Target};
use crate::plan::deed::{Deed, ready_action};
use crate::plan::{Leaf, Unit};
use crate::transport::{Act, Ended, Fault, Finished, HttpReply, OutputSink, Stream};
use crate::vocab::{Period, Reply, StepHost, StreamMasker};

/// How one try of an action went.
enum Try {
    /// It ended; its exit is well, or this is wrong with it.
    Acted(Option<String>, Box<Reply>),
    /// It never started.
    Never(FailureKind, String),
    /// Its end could not be learned.
    Doubt(String),
}

/// One stream on its way to those who watch: what the masker holds back, and a character's first bytes.
type Half = (StreamMasker, Vec<u8>);

impl Stage<'_> {
    /// An action with its retries, captures and checks.
    pub(super) async fn action(
        &self,
        unit: &Unit,
        leaf: &Leaf,
        action: &Action,
        at: &StepHost,
        scope: &Scope,
    ) -> Flow<Option<Outcome>> {
        let target = self.target(&at.host);
        let (deed, timeout) = match ready(leaf, action, scope, target) {
            Ok(ready) => ready,
            Err(error) => return Ok(Some(failed(FailureKind::NotStarted, error.to_string()))),
        };
        let retry = leaf.retry();
        let first = self.crew.recorder.state(|state| state.step(at).attempts()).await + 1;
        let last = first + retry.attempts.max(1) - 1;
        for attempt in first..=last {
            let went = self.attempt(at, attempt, action, &deed, timeout, target).await?;
            let (kind, why) = match went {
                Try::Acted(None, reply) => {
                    if let Some(outcome) = self.capture(leaf, at, *reply).await? {
                        return Ok(Some(outcome));
                    }
                    return self.checks(unit, leaf, at).await;
                }
                Try::Acted(Some(why), _) => (FailureKind::Action, why),
                Try::Never(kind, why) => (kind, why),
                Try::Doubt(why) => return Ok(Some(Outcome::InDoubt { why })),
            };
            if attempt == last || self.crew.interrupt.is_raised() {
                return Ok(Some(failed(kind, why)));
            }
            // a try that never started has to end before the next can begin: the table says so
            if !matches!(kind, FailureKind::Action) {
                self.end(at, failed(kind, why.clone())).await?;
            }
            self.record(Event::RetryScheduled { at: at.clone(), why: why.clone(), delay: retry.delay }).await?;
            if !self.crew.interrupt.sleep(retry.delay.get()).await {
                return Ok(Some(failed(kind, why)));
            }
        }
        Ok(None)
    }

    /// One try: the intent on disk, the deed, its end on disk.
    async fn attempt(
        &self,
        at: &StepHost,
        attempt: u32,
        action: &Action,
        deed: &Deed,
        timeout: Option<Period>,
        target: &Target,
    ) -> Flow<Try> {
        if matches!(deed, Deed::Command(_) | Deed::Http { .. })
            && let Err((kind, why)) = self.locks.ensure(&at.host).await?
        {
            return Ok(Try::Never(kind, why));
        }
        self.record(Event::StepStarted { at: at.clone(), attempt, kind: kind_of(action), command: deed.shown() })
            .await?;
        let started = tokio::time::Instant::now();
        let acted = |end: ActionEnd, stdout: Output, stderr: Output, took: Period, output_cut: bool| Event::StepActed {
            at: at.clone(),
            attempt,
            end,
            stdout,
            stderr,
            took,
            output_cut,
        };
        let nothing = Output::default;
        let took = || Period::new(started.elapsed());
        Ok(match deed {
            Deed::Command(command) => {
                let act = Act {
                    run: self.crew.run.clone(),
                    step: at.step.clone(),
                    attempt,
                    command: command.clone(),
                    timeout,
                    grace: self.crew.options.grace,
                    cancel: self.crew.interrupt.stop(),
                    output: self.sink(at),
                };
                match self.crew.fleet.act(target, act).await {
                    Ok(finished) => {
                        let (event, went) = finished_try(&finished, &acted);
                        self.record(event).await?;
                        went
                    }
                    Err(fault) => fault_try(fault),
                }
            }
            Deed::Http { request, statuses } => {
                let limit = timeout.unwrap_or(Period::seconds(30));
                let sent = self.crew.fleet.send(target, request.clone(), limit, self.crew.interrupt.stop()).await;
                match sent {
                    Ok(reply) => {
                        let wrong = wrong_status(&reply, statuses);
                        let end = ActionEnd::Answered(reply.status);
                        let body = String::from_utf8_lossy(&reply.body).into_owned();
                        self.record(acted(end, Output::inline(body.clone()), nothing(), took(), false)).await?;
                        let headers = reply.headers.into_iter().collect();
                        Try::Acted(wrong, Box::new(Reply::Http { status: reply.status, headers, body }))
                    }
                    Err(fault) => fault_try(fault),
                }
            }
            Deed::Wait(length) => {
                self.pause("wait", *length).await.ok();
                let slept = !self.crew.interrupt.is_raised();
                let end = if slept { ActionEnd::Done } else { ActionEnd::Cancelled };
                self.record(acted(end, nothing(), nothing(), took(), false)).await?;
                let reply = Reply::Command { exit: 0, stdout: String::new(), stderr: String::new() };
                Try::Acted((!slept).then(|| "interrupted".to_owned()), Box::new(reply))
            }
            Deed::Manual(says) => {
                let response = self.ask(Question::Manual { at: at.clone(), says: says.clone() }).await?;
                let done = response == Response::Yes;
                let end = if done { ActionEnd::Done } else { ActionEnd::Declined };
                let why = end.to_string();
                self.record(acted(end, nothing(), nothing(), took(), false)).await?;
                if response == Response::NoTerminal {
                    let why = format!("there is no terminal to ask at, and {at} needs a person");
                    self.end(at, failed(FailureKind::Action, why.clone())).await?;
                    return Err(Halt::End(Ending::Declined, why));
                }
                let reply = Reply::Command { exit: 0, stdout: String::new(), stderr: String::new() };
                Try::Acted((!done).then_some(why), Box::new(reply))
            }
        })
    }

    /// Who is told of an action's output while it comes: masked here, since it does not pass the journal.
    pub(super) fn sink(&self, at: &StepHost) -> OutputSink {
        let recorder = self.crew.recorder.clone();
        let at = at.clone();
        let streams: Arc<Mutex<[Half; 2]>> = Arc::default();
        Arc::new(move |stream, chunk: &[u8]| {
            let stderr = stream == Stream::Stderr;
            let mut streams = streams.lock().unwrap_or_else(PoisonError::into_inner);
            let (masker, rest) = &mut streams[usize::from(stderr)];
            rest.extend_from_slice(chunk);
            // a character may be cut in two by the chunk's end
            let valid = match std::str::from_utf8(rest) {
                Err(error) if error.error_len().is_none() => error.valid_up_to(),
                Ok(_) | Err(_) => rest.len(),
            };
            let ready: Vec<u8> = rest.drain(..valid).collect();
            let text = masker.feed(recorder.masker(), &String::from_utf8_lossy(&ready));
            if !text.is_empty() {
                recorder.progress(&Progress::Output { at: at.clone(), stderr, text });
            }
        })
    }
}

fn kind_of(action: &Action) -> ActionKind {
    match action {
        Action::Command(spec) => match &spec.program {
            ProgramSpec::Shell(_) | ProgramSpec::Argv(_) => ActionKind::Run,
            ProgramSpec::Command(_) => ActionKind::Command,
            ProgramSpec::Script { .. } => ActionKind::Script,
        },
        Action::Copy { .. } => ActionKind::Copy,
        Action::Http(_) => ActionKind::Http,
        Action::Manual { .. } => ActionKind::Manual,
        Action::Wait { .. } => ActionKind::Wait,
    }
}

fn ready(leaf: &Leaf, action: &Action, scope: &Scope, target: &Target) -> Result<(Deed, Option<Period>), EvalError> {
    let deed = ready_action(action, leaf.sudo.as_ref(), scope, target)?;
    let timeout = leaf.timeout().map(|timeout| timeout.period(scope)).transpose()?;
    Ok((deed, timeout))
}

fn finished_try(finished: &Finished, acted: &dyn Fn(ActionEnd, Output, Output, Period, bool) -> Event) -> (Event, Try) {
    let end = match finished.ended {
        Ended::Exited(code) => ActionEnd::Exited(code),
        Ended::TimedOut => ActionEnd::TimedOut,
        Ended::Cancelled => ActionEnd::Cancelled,
    };
    let exit = match finished.ended {
        Ended::Exited(code) => code,
        Ended::TimedOut | Ended::Cancelled => -1,
    };
    let wrong = (end != ActionEnd::Exited(0)).then(|| end.to_string());
    let stdout = String::from_utf8_lossy(&finished.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&finished.stderr).into_owned();
    let event =
        acted(end, Output::inline(stdout.clone()), Output::inline(stderr.clone()), finished.took, finished.output_cut);
    (event, Try::Acted(wrong, Box::new(Reply::Command { exit, stdout, stderr })))
}

fn fault_try(fault: Fault) -> Try {
    match fault {
        Fault::Unreachable { reason, hint } => {
            let hint = hint.map(|hint| format!(" (hint: {hint})")).unwrap_or_default();
            Try::Never(FailureKind::Unreachable, format!("unreachable: {reason}{hint}"))
        }
        Fault::NotStarted { reason } => Try::Never(FailureKind::NotStarted, reason),
        Fault::Conversation { reason, detail } => {
            Try::Never(FailureKind::NotStarted, format!("{}: {detail}", reason.words()))
        }
        Fault::Cancelled => Try::Never(FailureKind::NotStarted, "interrupted before it was sent".to_owned()),
        Fault::TimedOut { after } => Try::Never(FailureKind::NotStarted, format!("timed out after {after}")),
        Fault::Lost { reason, .. } => {
            Try::Doubt(format!("the connection was lost after the command was sent: {reason}"))
        }
        Fault::NotStopped { reason, .. } => Try::Doubt(format!("it could not be stopped: {reason}")),
    }
}

fn wrong_status(reply: &HttpReply, statuses: &[u16]) -> Option<String> {
    (!wanted_status(reply.status, statuses)).then(|| format!("HTTP {}", reply.status))
}

pub(super) fn wanted_status(status: u16, statuses: &[u16]) -> bool {
    if statuses.is_empty() { (200..300).contains(&status) } else { statuses.contains(&status) }
}
