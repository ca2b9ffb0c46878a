//! A fleet that answers from a script, for tests of what stands above and for scenarios without hosts.
//!
//! Time is tokio's, so that a paused clock makes delays and timeouts instant. Of several rules that match, the one added
//! last answers; a call that no rule matches does not start, with a reason that names it.
//!
//! ```
//! use runbook::transport::scripted::{Answer, Scripted};
//!
//! let fleet = Scripted::new()
//!     .everywhere("uptime", Answer::exit(0).stdout("up 3 days\n"))
//!     .on("web02", "uptime", [Answer::unreachable("timed out"), Answer::exit(0)])
//!     .on_after("web01", "restart", "status", Answer::exit(0).stdout("running\n"));
//! assert!(fleet.calls().is_empty());
//! ```

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::capability::{
    Act, Ended, Fault, Finished, HttpReply, Inspect, Look, Operate, Pending, Probe, Seen, Stream,
};
use crate::model::Target;
use crate::vocab::observation::NoReply;
use crate::vocab::{HostName, HttpRequest, Period, RunId, StepId};

/// One answer of the script.
#[derive(Clone, Debug)]
pub struct Answer {
    result: Result<Seen, Fault>,
    delay: Duration,
}

impl Answer {
    /// The command exits with `status`.
    pub fn exit(status: i32) -> Self {
        Self::new(Ok(Seen::Command(Finished {
            ended: Ended::Exited(status),
            stdout: Vec::new(),
            stderr: Vec::new(),
            took: Period::ZERO,
            output_cut: false,
        })))
    }

    /// The conversation gives `reply`.
    pub fn tcp(reply: impl Into<Vec<u8>>) -> Self {
        Self::new(Ok(Seen::Tcp(reply.into())))
    }

    /// The request is answered.
    pub fn http(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(Ok(Seen::Http(HttpReply { status, headers: Vec::new(), body: body.into() })))
    }

    /// Any fault.
    pub fn fault(fault: Fault) -> Self {
        Self::new(Err(fault))
    }

    /// The host cannot be reached; nothing was sent.
    pub fn unreachable(reason: &str) -> Self {
        Self::fault(Fault::Unreachable { reason: reason.to_owned(), hint: None })
    }

    /// The command did not start.
    pub fn not_started(reason: &str) -> Self {
        Self::fault(Fault::NotStarted { reason: reason.to_owned() })
    }

    /// The command was sent, had its effect (rules of [`Scripted::on_after`] see it), and its end was not heard of.
    pub fn lost(reason: &str) -> Self {
        Self::fault(Fault::Lost { reason: reason.to_owned(), stdout: Vec::new(), stderr: Vec::new() })
    }

    /// The conversation fails.
    pub fn no_reply(reason: NoReply) -> Self {
        Self::fault(Fault::Conversation { reason, detail: String::new() })
    }

    fn new(result: Result<Seen, Fault>) -> Self {
        Self { result, delay: Duration::ZERO }
    }

    /// With this on stdout.
    #[must_use]
    pub fn stdout(mut self, text: impl Into<Vec<u8>>) -> Self {
        match &mut self.result {
            Ok(Seen::Command(Finished { stdout, .. }))
            | Err(Fault::Lost { stdout, .. } | Fault::NotStopped { stdout, .. }) => *stdout = text.into(),
            Ok(Seen::Tcp(_) | Seen::Http(_)) | Err(_) => {}
        }
        self
    }

    /// With this on stderr.
    #[must_use]
    pub fn stderr(mut self, text: impl Into<Vec<u8>>) -> Self {
        match &mut self.result {
            Ok(Seen::Command(Finished { stderr, .. }))
            | Err(Fault::Lost { stderr, .. } | Fault::NotStopped { stderr, .. }) => *stderr = text.into(),
            Ok(Seen::Tcp(_) | Seen::Http(_)) | Err(_) => {}
        }
        self
    }

    /// With this header, for an answer to a request.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Ok(Seen::Http(reply)) = &mut self.result {
            reply.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        self
    }

    /// Only after this time.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

/// Answers in the order of the calls on a host; the last one repeats.
#[derive(Clone, Debug)]
pub struct Answers(Vec<Answer>);

impl From<Answer> for Answers {
    fn from(answer: Answer) -> Self {
        Self(vec![answer])
    }
}

impl From<Vec<Answer>> for Answers {
    fn from(answers: Vec<Answer>) -> Self {
        Self(answers)
    }
}

impl<const N: usize> From<[Answer; N]> for Answers {
    fn from(answers: [Answer; N]) -> Self {
        Self(answers.into())
    }
}

/// Which calls a rule answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matcher {
    /// All.
    Any,
    /// Those of this step, or whose text as people see it contains this.
    Text(String),
    /// Those of this step.
    Step(StepId),
}

impl From<&str> for Matcher {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl Matcher {
    fn matches(&self, call: &Call) -> bool {
        match self {
            Self::Any => true,
            Self::Text(text) => call.text.contains(text) || call.step.as_ref().is_some_and(|step| step.as_str() == text),
            Self::Step(step) => call.step.as_ref() == Some(step),
        }
    }
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A look.
    Look,
    /// An action.
    Act,
    /// A request that changes something.
    Send,
    /// A connection.
    Ping,
    /// Tidying.
    Tidy,
}

/// A call that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The host.
    pub host: HostName,
    /// What was asked for.
    pub kind: Kind,
    /// The step, for an action.
    pub step: Option<StepId>,
    /// The attempt, for an action.
    pub attempt: Option<u32>,
    /// The command, conversation or request as people see it.
    pub text: String,
    /// When.
    pub at: Instant,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Look => "look",
            Kind::Act => "act",
            Kind::Send => "send",
            Kind::Ping => "ping",
            Kind::Tidy => "tidy",
        };
        write!(f, "{kind} {}: {}", self.host, self.text)
    }
}

#[derive(Debug)]
struct Rule {
    host: Option<HostName>,
    after: Option<Matcher>,
    matcher: Matcher,
    answers: Answers,
    given: Vec<(HostName, usize)>,
}

#[derive(Debug, Default)]
struct Script {
    rules: Vec<Rule>,
    calls: Vec<Call>,
    /// Calls whose effect has taken place.
    effects: Vec<Call>,
}

/// A fleet that answers from a script. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Scripted(Arc<Mutex<Script>>);

impl Scripted {
    /// A fleet that has no answers yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// On every host, calls that match are answered so.
    #[must_use]
    pub fn everywhere(self, matcher: impl Into<Matcher>, answers: impl Into<Answers>) -> Self {
        self.rule(None, None, matcher.into(), answers.into())
    }

    /// On `host`, calls that match are answered so.
    #[must_use]
    pub fn on(self, host: &str, matcher: impl Into<Matcher>, answers: impl Into<Answers>) -> Self {
        self.rule(Some(HostName::new(host)), None, matcher.into(), answers.into())
    }

    /// On `host`, once an action or request that matches `after` has had its effect there, calls that match are
    /// answered so.
    #[must_use]
    pub fn on_after(
        self,
        host: &str,
        after: impl Into<Matcher>,
        matcher: impl Into<Matcher>,
        answers: impl Into<Answers>,
    ) -> Self {
        self.rule(Some(HostName::new(host)), Some(after.into()), matcher.into(), answers.into())
    }

    fn rule(self, host: Option<HostName>, after: Option<Matcher>, matcher: Matcher, answers: Answers) -> Self {
        self.script().rules.push(Rule { host, after, matcher, answers, given: Vec::new() });
        self
    }

    /// All calls so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.script().calls.clone()
    }

    /// The calls of one kind so far, each as `host: text`.
    pub fn told(&self, kind: Kind) -> Vec<String> {
        let script = self.script();
        script.calls.iter().filter(|call| call.kind == kind).map(|call| format!("{}: {}", call.host, call.text)).collect()
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the call and finds its answer.
    fn hear(&self, target: &Target, kind: Kind, act: Option<&Act>, text: String) -> (Call, Option<Answer>) {
        let call = Call {
            host: target.name.clone(),
            kind,
            step: act.map(|act| act.step.clone()),
            attempt: act.map(|act| act.attempt),
            text,
            at: Instant::now(),
        };
        let mut script = self.script();
        script.calls.push(call.clone());
        let Script { rules, effects, .. } = &mut *script;
        let happened =
            |after: &Matcher| effects.iter().any(|effect| effect.host == call.host && after.matches(effect));
        let rule = rules.iter_mut().rev().find(|rule| {
            rule.host.as_ref().is_none_or(|host| *host == call.host)
                && rule.matcher.matches(&call)
                && rule.after.as_ref().is_none_or(happened)
        });
        let answer = rule.and_then(|rule| rule.next(&call.host));
        (call, answer)
    }

    fn effect(&self, call: Call) {
        self.script().effects.push(call);
    }
}

impl Rule {
    fn next(&mut self, host: &HostName) -> Option<Answer> {
        let last = self.answers.0.len().checked_sub(1)?;
        if let Some((_, count)) = self.given.iter_mut().find(|(known, _)| known == host) {
            *count += 1;
            return self.answers.0.get((*count).min(last)).cloned();
        }
        self.given.push((host.clone(), 0));
        self.answers.0.first().cloned()
    }
}

/// How waiting for an answer came to its end.
enum Waited {
    Whole,
    TimeUp,
    Cancelled,
}

async fn wait(delay: Duration, time: Option<Period>, cancel: &CancellationToken) -> Waited {
    let time = time.map(Period::get).filter(|&time| time < delay);
    tokio::select! {
        biased;
        () = cancel.cancelled() => Waited::Cancelled,
        () = sleep(time.unwrap_or(delay)) => if time.is_some() { Waited::TimeUp } else { Waited::Whole },
    }
}

fn unscripted(call: &Call) -> Fault {
    Fault::NotStarted { reason: format!("the script has no answer for `{call}`") }
}

fn misfit(call: &Call) -> Fault {
    Fault::NotStarted { reason: format!("the script's answer for `{call}` is of another kind") }
}

impl Inspect for Scripted {
    fn look<'a>(&'a self, target: &'a Target, look: Look) -> Pending<'a, Result<Seen, Fault>> {
        Box::pin(async move {
            let text = match &look.probe {
                Probe::Run(command) => command.shown(),
                Probe::Tcp(talk) => talk.shown(),
                Probe::Http(request) => request.shown(),
            };
            let (call, answer) = self.hear(target, Kind::Look, None, text);
            let answer = answer.ok_or_else(|| unscripted(&call))?;
            match wait(answer.delay, Some(look.timeout), &look.cancel).await {
                Waited::Cancelled => return Err(Fault::Cancelled),
                Waited::TimeUp => return Err(Fault::TimedOut { after: look.timeout }),
                Waited::Whole => {}
            }
            match (&look.probe, answer.result) {
                (Probe::Run(_), Ok(Seen::Command(done))) => {
                    Ok(Seen::Command(Finished { took: Period::new(answer.delay), ..done }))
                }
                (Probe::Tcp(_), Ok(seen @ Seen::Tcp(_))) | (Probe::Http(_), Ok(seen @ Seen::Http(_))) => Ok(seen),
                (Probe::Run(_) | Probe::Tcp(_) | Probe::Http(_), Ok(_)) => Err(misfit(&call)),
                (_, Err(fault)) => Err(fault),
            }
        })
    }

    fn ping<'a>(&'a self, target: &'a Target, timeout: Period) -> Pending<'a, Result<Period, Fault>> {
        Box::pin(async move {
            // a host that no rule for `ping` speaks of is there
            let (_, answer) = self.hear(target, Kind::Ping, None, "ping".to_owned());
            let Some(answer) = answer else { return Ok(Period::ZERO) };
            match wait(answer.delay, Some(timeout), &CancellationToken::new()).await {
                Waited::TimeUp | Waited::Cancelled => Err(Fault::TimedOut { after: timeout }),
                Waited::Whole => answer.result.map(|_| Period::new(answer.delay)),
            }
        })
    }
}

impl Operate for Scripted {
    fn act<'a>(&'a self, target: &'a Target, act: Act) -> Pending<'a, Result<Finished, Fault>> {
        Box::pin(async move {
            if act.cancel.is_cancelled() {
                return Err(Fault::NotStarted { reason: "interrupted before it was sent".to_owned() });
            }
            let (call, answer) = self.hear(target, Kind::Act, Some(&act), act.command.shown());
            let answer = answer.ok_or_else(|| unscripted(&call))?;
            let waited = wait(answer.delay, act.timeout, &act.cancel).await;
            let result = match answer.result {
                Ok(Seen::Command(done)) => Ok(done),
                Ok(Seen::Tcp(_) | Seen::Http(_)) => return Err(misfit(&call)),
                Err(fault) => Err(fault),
            };
            let (ended, took) = match waited {
                Waited::Whole => {
                    // what never started has no effect; everything else may have had one
                    if !matches!(result, Err(Fault::Unreachable { .. } | Fault::NotStarted { .. })) {
                        self.effect(call);
                    }
                    let done = result?;
                    if !done.stdout.is_empty() {
                        (act.output)(Stream::Stdout, &done.stdout);
                    }
                    if !done.stderr.is_empty() {
                        (act.output)(Stream::Stderr, &done.stderr);
                    }
                    return Ok(Finished { took: Period::new(answer.delay), ..done });
                }
                Waited::TimeUp => (Ended::TimedOut, act.timeout.unwrap_or_default()),
                Waited::Cancelled => (Ended::Cancelled, Period::new(call.at.elapsed())),
            };
            Ok(Finished { ended, stdout: Vec::new(), stderr: Vec::new(), took, output_cut: false })
        })
    }

    fn send<'a>(
        &'a self,
        target: &'a Target,
        request: HttpRequest,
        timeout: Period,
        cancel: CancellationToken,
    ) -> Pending<'a, Result<HttpReply, Fault>> {
        Box::pin(async move {
            let (call, answer) = self.hear(target, Kind::Send, None, request.shown());
            let answer = answer.ok_or_else(|| unscripted(&call))?;
            let lost =
                |reason: &str| Fault::Lost { reason: reason.to_owned(), stdout: Vec::new(), stderr: Vec::new() };
            match wait(answer.delay, Some(timeout), &cancel).await {
                Waited::Cancelled => return Err(lost("interrupted while waiting for the answer")),
                Waited::TimeUp => return Err(lost("no answer in time")),
                Waited::Whole => {}
            }
            match answer.result {
                Ok(Seen::Http(reply)) => {
                    self.effect(call);
                    Ok(reply)
                }
                Ok(Seen::Command(_) | Seen::Tcp(_)) => Err(misfit(&call)),
                Err(fault @ Fault::Lost { .. }) => {
                    self.effect(call);
                    Err(fault)
                }
                Err(fault) => Err(fault),
            }
        })
    }

    fn tidy<'a>(&'a self, target: &'a Target, run: &'a RunId) -> Pending<'a, ()> {
        Box::pin(async move {
            let _ = self.hear(target, Kind::Tidy, None, run.to_string());
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::Command;

    fn target(name: &str) -> Target {
        Target { name: HostName::new(name), ..Target::here() }
    }

    fn look(text: &str) -> Look {
        Look { probe: Probe::Run(Command::shell(text)), timeout: Period::seconds(60), cancel: CancellationToken::new() }
    }

    fn act(step: &str, text: &str) -> Act {
        Act {
            run: "20261122T031500Z-1a2b3c4d".parse().unwrap(),
            step: StepId::new(step),
            attempt: 1,
            command: Command::shell(text),
            timeout: Some(Period::seconds(60)),
            grace: Period::ZERO,
            cancel: CancellationToken::new(),
            output: Arc::new(|_, _| {}),
        }
    }

    async fn exit(fleet: &Scripted, host: &str, text: &str) -> Result<i32, Fault> {
        match fleet.look(&target(host), look(text)).await? {
            Seen::Command(Finished { ended: Ended::Exited(status), .. }) => Ok(status),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn answers_follow_each_other_and_the_last_repeats() {
        let fleet = Scripted::new()
            .everywhere("status", Answer::exit(9))
            .on("a", "status", [Answer::exit(1), Answer::exit(0).after(Duration::from_secs(30))]);
        for expected in [1, 0, 0] {
            assert_eq!(exit(&fleet, "a", "show status").await, Ok(expected));
        }
        assert_eq!(exit(&fleet, "b", "status").await, Ok(9));
        assert!(matches!(exit(&fleet, "b", "other").await, Err(Fault::NotStarted { .. })));
        assert_eq!(fleet.told(Kind::Look)[3..], ["b: status", "b: other"]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_action_changes_what_is_seen_even_when_it_is_lost() {
        let fleet = Scripted::new()
            .everywhere("status", Answer::exit(1))
            .everywhere("restart", [Answer::unreachable("down"), Answer::lost("cable")])
            .on_after("a", Matcher::Step(StepId::new("restart")), "status", Answer::exit(0));
        assert!(matches!(fleet.act(&target("a"), act("restart", "sv restart")).await, Err(Fault::Unreachable { .. })));
        assert_eq!(exit(&fleet, "a", "status").await, Ok(1));
        assert!(matches!(fleet.act(&target("a"), act("restart", "sv restart")).await, Err(Fault::Lost { .. })));
        assert_eq!(exit(&fleet, "a", "status").await, Ok(0));
    }

    #[tokio::test(start_paused = true)]
    async fn time_and_cancelling_are_kept() {
        let fleet = Scripted::new().everywhere(Matcher::Any, Answer::exit(0).after(Duration::from_secs(3600)));
        assert_eq!(exit(&fleet, "a", "x").await, Err(Fault::TimedOut { after: Period::seconds(60) }));
        assert_eq!(fleet.act(&target("a"), act("s", "x")).await.unwrap().ended, Ended::TimedOut);
        let act = act("s", "x");
        let cancel = act.cancel.clone();
        let host = target("a");
        let (done, ()) = tokio::join!(fleet.act(&host, act), async { cancel.cancel() });
        assert_eq!(done.unwrap().ended, Ended::Cancelled);
    }
}
