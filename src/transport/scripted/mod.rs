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

mod answer;
mod answering;
mod locks;
mod receipts;
mod rule;
mod stamps;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

use super::capability::Act;
use crate::model::Target;
use crate::vocab::{HostName, StepId};

use receipts::Receipts;
use rule::Standing;

pub use answer::{Answer, Answers};
pub use rule::{Pace, Rule, When};

/// Which calls a rule answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matcher {
    /// All.
    Any,
    /// Those of this step, or whose text as people see it contains this.
    Text(String),
    /// Those of this step.
    Step(StepId),
    /// Looks of this name.
    Look(String),
    /// Those whose text as people see it contains this.
    Command(String),
    /// Everything on the host, locks and receipts too: only a fault can answer so.
    Host,
}

impl From<&str> for Matcher {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl Matcher {
    fn matches(&self, call: &Call) -> bool {
        match self {
            Self::Any => !matches!(call.kind, Kind::Lock | Kind::Unlock),
            Self::Text(text) => {
                call.text.contains(text) || call.step.as_ref().is_some_and(|step| step.as_str() == text)
            }
            Self::Step(step) => call.step.as_ref() == Some(step),
            Self::Look(name) => call.name.as_ref() == Some(name),
            Self::Command(text) => matches!(call.kind, Kind::Look | Kind::Act | Kind::Send) && call.text.contains(text),
            // asked about on its own, before any other rule
            Self::Host => false,
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
    /// The question what became of an action.
    Ask,
    /// The question what actions have left.
    Receipts,
    /// A lock that is taken or renewed. [`Matcher::Any`] does not speak of it, nor of the next.
    Lock,
    /// A lock that is given back, broken or looked at.
    Unlock,
}

/// A call that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The host.
    pub host: HostName,
    /// What was asked for.
    pub kind: Kind,
    /// What the runbook calls it, for a look.
    pub name: Option<String>,
    /// The step, for an action or a request.
    pub step: Option<StepId>,
    /// The attempt, for an action.
    pub attempt: Option<u32>,
    /// The command, conversation or request as people see it.
    pub text: String,
    /// When.
    pub at: Instant,
}

impl Call {
    fn new(target: &Target, kind: Kind, act: Option<&Act>, text: String) -> Self {
        let (step, attempt) = (act.map(|act| act.step.clone()), act.map(|act| act.attempt));
        Self { host: target.name.clone(), kind, name: None, step, attempt, text, at: Instant::now() }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Look => "look",
            Kind::Act => "act",
            Kind::Send => "send",
            Kind::Ping => "ping",
            Kind::Tidy => "tidy",
            Kind::Ask => "ask",
            Kind::Receipts => "receipts",
            Kind::Lock => "lock",
            Kind::Unlock => "unlock",
        };
        write!(f, "{kind} {}: {}", self.host, self.text)
    }
}

#[derive(Debug, Default)]
struct Script {
    rules: Vec<Standing>,
    calls: Vec<Call>,
    /// Looks, actions and requests that no rule answers.
    unanswered: Vec<Call>,
    /// Actions and requests that came to their host.
    sent: Vec<Call>,
    /// Calls whose effect has taken place.
    effects: Vec<Call>,
    /// What actions left on their hosts.
    receipts: Receipts,
    /// Hosts that do not answer, and why.
    down: Vec<(HostName, String)>,
    locks: locks::Locks,
    syslogs: stamps::Syslogs,
    /// How many verdicts were made of each look on each host.
    verdicts: BTreeMap<(String, HostName), usize>,
    /// How often the program that asks has died.
    deaths: watch::Sender<usize>,
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
        self.add(Rule::new(matcher, answers));
        self
    }

    /// On `host`, calls that match are answered so.
    #[must_use]
    pub fn on(self, host: &str, matcher: impl Into<Matcher>, answers: impl Into<Answers>) -> Self {
        self.add(Rule { hosts: Some(vec![HostName::new(host)]), ..Rule::new(matcher, answers) });
        self
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
        let when = When::Here(after.into());
        self.add(Rule { hosts: Some(vec![HostName::new(host)]), when, ..Rule::new(matcher, answers) });
        self
    }

    /// All calls so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.script().calls.clone()
    }

    /// The calls of one kind so far, each as `host: text`.
    pub fn told(&self, kind: Kind) -> Vec<String> {
        let script = self.script();
        script
            .calls
            .iter()
            .filter(|call| call.kind == kind)
            .map(|call| format!("{}: {}", call.host, call.text))
            .collect()
    }

    /// The actions whose effect took place so far, in order.
    pub fn effects(&self) -> Vec<Call> {
        self.script().effects.clone()
    }

    /// The actions and requests that came to their host so far, in order; not those that never started.
    pub fn sent(&self) -> Vec<Call> {
        self.script().sent.clone()
    }

    /// The looks, actions and requests so far that no rule answers.
    pub fn unanswered(&self) -> Vec<Call> {
        self.script().unanswered.clone()
    }

    /// What reaches no host was done: a person did it, a wait is over. Rules that come after it answer now.
    pub fn happened(&self, step: &StepId, host: &HostName) {
        let call = Self::elsewhere(step, host);
        self.effect(call);
    }

    /// What reaches no host is begun.
    pub fn begun(&self, step: &StepId, host: &HostName) {
        let call = Self::elsewhere(step, host);
        self.script().sent.push(call);
    }

    fn elsewhere(step: &StepId, host: &HostName) -> Call {
        Call {
            host: host.clone(),
            kind: Kind::Act,
            name: None,
            step: Some(step.clone()),
            attempt: None,
            text: String::new(),
            at: Instant::now(),
        }
    }

    /// Comes back when an answer ends the program that asked ([`Answer::fatal`]): whoever drives the program drops it
    /// then. What was sent goes on.
    pub async fn crashed(&self) {
        let mut deaths = self.script().deaths.subscribe();
        // the sender lives in self, so waiting cannot fail
        let _ = deaths.changed().await;
    }

    /// The program dies here.
    async fn dies<T>(&self) -> T {
        self.script().deaths.send_modify(|deaths| *deaths += 1);
        std::future::pending().await
    }

    /// From now on `host` does not answer; what runs there runs on.
    pub fn goes_down(&self, host: &str, reason: &str) {
        self.script().down.push((HostName::new(host), reason.to_owned()));
    }

    /// From now on `host` answers again.
    pub fn comes_back(&self, host: &str) {
        self.script().down.retain(|(down, _)| down.as_str() != host);
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the call and finds its answer.
    fn hear(&self, target: &Target, kind: Kind, act: Option<&Act>, text: String) -> (Call, Option<Answer>) {
        self.hear_call(Call::new(target, kind, act, text))
    }

    fn hear_call(&self, call: Call) -> (Call, Option<Answer>) {
        let mut script = self.script();
        script.calls.push(call.clone());
        let answer = script.answer(&call);
        if answer.is_none() && matches!(call.kind, Kind::Look | Kind::Act | Kind::Send) {
            script.unanswered.push(call.clone());
        }
        drop(script);
        (call, answer)
    }

    fn effect(&self, call: Call) {
        self.script().effects.push(call);
    }
}
