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
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::capability::Act;
use crate::model::Target;
use crate::vocab::{HostName, StepId};

use receipts::Receipts;

pub use answer::{Answer, Answers};

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
            Self::Any => !matches!(call.kind, Kind::Lock | Kind::Unlock),
            Self::Text(text) => {
                call.text.contains(text) || call.step.as_ref().is_some_and(|step| step.as_str() == text)
            }
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
    /// The step, for an action.
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
        Self { host: target.name.clone(), kind, step, attempt, text, at: Instant::now() }
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
    /// What actions left on their hosts.
    receipts: Receipts,
    /// Hosts that do not answer, and why.
    down: Vec<(HostName, String)>,
    locks: locks::Locks,
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
        let call = Call::new(target, kind, act, text);
        let mut script = self.script();
        script.calls.push(call.clone());
        let Script { rules, effects, .. } = &mut *script;
        let happened = |after: &Matcher| effects.iter().any(|effect| effect.host == call.host && after.matches(effect));
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
