//! An action's tries: the intent on disk, the deed, its end on disk.
//!
//! Apart from `host`, which says what comes before an action and behind it: here is all that is sent to change something.

use super::ask::{Question, Response};
use super::ending::Ending;
use super::host::{failed, well};
use super::perform::{Flow, Halt, Stage};
use crate::event::{ActionEnd, ActionKind, Event, FailureKind, Outcome, Output, StepState};
use crate::model::deed::{Deed, ready_action};
use crate::model::{Action, EvalError, ProgramSpec, Scope, Target};
use crate::plan::{Leaf, Unit};
use crate::transport::{Act, Ended, Fault, Finished, HttpReply, Sending};
use crate::vocab::{Period, Reply, StepHost};

/// How one try of an action went.
enum Try {
    /// It ended and captured what it should; or this is wrong with it.
    Acted(Option<(FailureKind, String)>),
    /// It never started.
    Never(FailureKind, String),
    /// Its end could not be learned.
    Doubt(String),
}

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
        if matches!(deed, Deed::Command(_))
            && let Some(outcome) = self.nothing_runs(unit, leaf, at).await?
        {
            return Ok(Some(outcome));
        }
        let retry = leaf.retry();
        let first = self.crew.recorder.state(|state| state.step(at).attempts()).await + 1;
        let mut last = first + retry.attempts.max(1) - 1;
        if let Some((begun, scheduled, why)) = self.tries_left(leaf, at).await {
            // a former stretch ended between two tries
            last = begun + retry.attempts - 1;
            if !scheduled {
                self.record(Event::RetryScheduled { at: at.clone(), why, delay: retry.delay }).await?;
            }
            if !self.crew.interrupt.sleep(retry.delay.get()).await {
                // it is where the former stretch left it
                return Ok(None);
            }
        }
        for attempt in first..=last {
            let went = self.attempt(leaf, at, attempt, action, &deed, timeout).await?;
            let (kind, why) = match went {
                Try::Acted(None) => return self.checks(unit, leaf, at).await,
                Try::Acted(Some(failure)) => failure,
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

    /// Whether a former stretch ended between two of the tries that `retry` asks for: the first of them, whether the next
    /// was announced, and what was wrong with the last.
    pub(super) async fn tries_left(&self, leaf: &Leaf, at: &StepHost) -> Option<(u32, bool, String)> {
        let (state, sent, scheduled) = self
            .crew
            .recorder
            .state(|state| (state.step(at).clone(), state.sent.get(at).cloned(), state.retrying.contains(at)))
            .await;
        let sent = sent.filter(|sent| sent.attempt + 1 < sent.first + leaf.retry().attempts)?;
        match state {
            StepState::Acted { end, .. } if !well(leaf, &end) => Some((sent.first, scheduled, end.to_string())),
            StepState::Ended { outcome, .. } if scheduled && outcome.failed() => {
                Some((sent.first, scheduled, outcome.why().unwrap_or_default().to_owned()))
            }
            StepState::Due { .. } if scheduled => Some((sent.first, scheduled, "it never started".to_owned())),
            StepState::NotStarted
            | StepState::Due { .. }
            | StepState::Running { .. }
            | StepState::Acted { .. }
            | StepState::Ended { .. } => None,
        }
    }

    /// One try: the intent on disk, the deed, its end on disk.
    async fn attempt(
        &self,
        leaf: &Leaf,
        at: &StepHost,
        attempt: u32,
        action: &Action,
        deed: &Deed,
        timeout: Option<Period>,
    ) -> Flow<Try> {
        if matches!(deed, Deed::Command(_) | Deed::Http { .. })
            && let Err((kind, why)) = self.locks.ensure(&at.host).await?
        {
            return Ok(Try::Never(kind, why));
        }
        let target = self.target(&at.host);
        let user = match deed {
            Deed::Command(command) => command.sudo.clone(),
            Deed::Http { .. } | Deed::Manual(_) | Deed::Wait(_) => None,
        };
        let started =
            Event::StepStarted { at: at.clone(), attempt, kind: kind_of(action), command: deed.shown(), user };
        self.record(started).await?;
        let begin = tokio::time::Instant::now();
        let ended = |end: ActionEnd, wrong: Option<String>, reply: Reply| Acted {
            end,
            wrong,
            reply,
            took: Period::new(begin.elapsed()),
            output_cut: false,
        };
        let nothing = || Reply::Command { exit: 0, stdout: String::new(), stderr: String::new() };
        let acted = match deed {
            Deed::Command(command) => {
                let act = self.act(at, at.step.clone(), attempt, command.clone(), timeout).await;
                match self.minding(at, attempt, |notices| self.crew.fleet.act(target, Act { notices, ..act })).await? {
                    Ok(finished) => finished_try(&finished),
                    Err(fault) => return Ok(fault_try(fault)),
                }
            }
            Deed::Http { request, statuses } => {
                let limit = timeout.unwrap_or(Period::seconds(30));
                let sending = Sending {
                    step: at.step.clone(),
                    request: request.clone(),
                    timeout: limit,
                    cancel: self.crew.interrupt.stop(),
                };
                match self.crew.fleet.send(target, sending).await {
                    Ok(reply) => {
                        let wrong = wrong_status(&reply, statuses);
                        let body = String::from_utf8_lossy(&reply.body).into_owned();
                        let headers = reply.headers.into_iter().collect();
                        let end = ActionEnd::Answered(reply.status);
                        ended(end, wrong, Reply::Http { status: reply.status, headers, body })
                    }
                    Err(fault) => return Ok(fault_try(fault)),
                }
            }
            Deed::Wait(length) => {
                self.pause("wait", *length).await.ok();
                let slept = !self.crew.interrupt.is_raised();
                let end = if slept { ActionEnd::Done } else { ActionEnd::Cancelled };
                ended(end, (!slept).then(|| "interrupted".to_owned()), nothing())
            }
            Deed::Manual(says) => {
                let response = self.ask(Question::Manual { at: at.clone(), says: says.clone() }).await?;
                let done = response == Response::Yes;
                let end = if done { ActionEnd::Done } else { ActionEnd::Declined };
                let why = end.to_string();
                if response == Response::NoTerminal {
                    self.acted(leaf, at, attempt, ended(end, Some(why), nothing())).await?;
                    let why = format!("there is no terminal to ask at, and {at} needs a person");
                    self.end(at, failed(FailureKind::Action, why.clone())).await?;
                    return Err(Halt::End(Ending::Declined, why));
                }
                ended(end, (!done).then_some(why), nothing())
            }
        };
        Ok(Try::Acted(self.acted(leaf, at, attempt, acted).await?))
    }

    /// Writes down how an action ended, behind what it captured: once the end is there, so are the captures. Gives what
    /// is wrong with it.
    pub(super) async fn acted(
        &self,
        leaf: &Leaf,
        at: &StepHost,
        attempt: u32,
        acted: Acted,
    ) -> Flow<Option<(FailureKind, String)>> {
        let failure = match acted.wrong {
            Some(wrong) => Some((FailureKind::Action, wrong)),
            None => self.capture(leaf, at, &acted.reply).await?.map(|why| (FailureKind::Check, why)),
        };
        let (stdout, stderr) = match acted.reply {
            Reply::Command { stdout, stderr, .. } => (stdout, stderr),
            Reply::Http { body, .. } => (body, String::new()),
            Reply::Tcp { .. } | Reply::Nothing { .. } => (String::new(), String::new()),
        };
        self.record(Event::StepActed {
            at: at.clone(),
            attempt,
            end: acted.end,
            stdout: Output::inline(stdout),
            stderr: Output::inline(stderr),
            took: acted.took,
            output_cut: acted.output_cut,
        })
        .await?;
        Ok(failure)
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

pub(super) fn ready(
    leaf: &Leaf,
    action: &Action,
    scope: &Scope,
    target: &Target,
) -> Result<(Deed, Option<Period>), EvalError> {
    let deed = ready_action(action, leaf.sudo.as_ref(), scope, target)?;
    let timeout = leaf.timeout().map(|timeout| timeout.period(scope)).transpose()?;
    Ok((deed, timeout))
}

/// An action that ended.
pub(super) struct Acted {
    end: ActionEnd,
    /// What is wrong with its end, if anything.
    wrong: Option<String>,
    reply: Reply,
    took: Period,
    output_cut: bool,
}

pub(super) fn ended(ended: Ended) -> ActionEnd {
    match ended {
        Ended::Exited(code) => ActionEnd::Exited(code),
        Ended::TimedOut => ActionEnd::TimedOut,
        Ended::Cancelled => ActionEnd::Cancelled,
    }
}

pub(super) fn finished_try(finished: &Finished) -> Acted {
    let end = ended(finished.ended);
    let exit = match finished.ended {
        Ended::Exited(code) => code,
        Ended::TimedOut | Ended::Cancelled => -1,
    };
    let wrong = (end != ActionEnd::Exited(0)).then(|| end.to_string());
    let stdout = String::from_utf8_lossy(&finished.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&finished.stderr).into_owned();
    let reply = Reply::Command { exit, stdout, stderr };
    Acted { end, wrong, reply, took: finished.took, output_cut: finished.output_cut }
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
        Fault::Lost { reason, .. } => Try::Doubt(format!("it was sent, and its end is not known: {reason}")),
        Fault::NotStopped { reason, .. } => Try::Doubt(format!("it could not be stopped: {reason}")),
    }
}

fn wrong_status(reply: &HttpReply, statuses: &[u16]) -> Option<String> {
    (!wanted_status(reply.status, statuses)).then(|| format!("HTTP {}", reply.status))
}

pub(super) fn wanted_status(status: u16, statuses: &[u16]) -> bool {
    if statuses.is_empty() { (200..300).contains(&status) } else { statuses.contains(&status) }
}
