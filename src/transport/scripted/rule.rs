//! Rules: which calls an answer is for, from when on, and how a list of answers goes on.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::super::capability::Fault;
use super::{Answer, Answers, Call, Kind, Matcher, Script, Scripted};
use crate::vocab::HostName;

/// From when on a rule answers.
#[derive(Clone, Debug)]
pub enum When {
    /// From the start.
    Always,
    /// Once an action or request that matches has had its effect on the host of the call.
    Here(Matcher),
    /// Once one has had its effect on one of these hosts.
    There(Matcher, Vec<HostName>),
    /// Once one has had its effect on the host of the call where that is one of these; for other hosts, on any.
    Reaching(Matcher, Vec<HostName>),
    /// From this time on.
    From(Instant),
}

/// How a list of answers goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// With each call on a host.
    Call,
    /// With each verdict that was made of it ([`Scripted::judged`]), however often was looked for that.
    Verdict,
}

/// Which calls are answered how.
#[derive(Clone, Debug)]
pub struct Rule {
    /// On which hosts; none: on every one.
    pub hosts: Option<Vec<HostName>>,
    /// From when on.
    pub when: When,
    /// Which calls.
    pub matcher: Matcher,
    /// How a list goes on.
    pub pace: Pace,
    /// The answers.
    pub answers: Answers,
}

/// A rule and how far each host has come with it.
#[derive(Debug)]
pub(super) struct Standing {
    rule: Rule,
    given: BTreeMap<HostName, Given>,
}

#[derive(Debug)]
struct Given {
    index: usize,
    /// How many verdicts there had been when it was given.
    verdicts: usize,
}

impl Rule {
    /// Calls that match, on every host.
    pub fn new(matcher: impl Into<Matcher>, answers: impl Into<Answers>) -> Self {
        Self { hosts: None, when: When::Always, matcher: matcher.into(), pace: Pace::Call, answers: answers.into() }
    }

    fn is_for(&self, host: &HostName, effects: &[Call]) -> bool {
        self.hosts.as_ref().is_none_or(|hosts| hosts.contains(host))
            && match &self.when {
                When::Always => true,
                When::Here(after) => effects.iter().any(|effect| effect.host == *host && after.matches(effect)),
                When::There(after, hosts) => {
                    effects.iter().any(|effect| hosts.contains(&effect.host) && after.matches(effect))
                }
                When::Reaching(after, hosts) => effects
                    .iter()
                    .any(|effect| (!hosts.contains(host) || effect.host == *host) && after.matches(effect)),
                When::From(time) => *time <= Instant::now(),
            }
    }
}

impl Standing {
    fn next(&mut self, host: &HostName, verdicts: usize, kind: Kind) -> Option<Answer> {
        let last = self.rule.answers.0.len().checked_sub(1)?;
        let given = self.given.entry(host.clone());
        let pace = self.rule.pace;
        let given = given
            .and_modify(|given| {
                let passed = match pace {
                    // several looks may be taken before the first of their verdicts: each verdict has an answer of its own
                    Pace::Verdict if kind == Kind::Look => verdicts.saturating_sub(given.verdicts),
                    Pace::Verdict => usize::from(given.verdicts < verdicts),
                    Pace::Call => 1,
                };
                *given = Given { index: (given.index + passed).min(last), verdicts: verdicts.max(given.verdicts) };
            })
            .or_insert(Given { index: 0, verdicts });
        self.rule.answers.0.get(given.index).cloned()
    }
}

impl Scripted {
    /// Adds a rule, also while calls come; gives its number.
    pub fn add(&self, rule: Rule) -> usize {
        let mut script = self.script();
        script.rules.push(Standing { rule, given: BTreeMap::new() });
        script.rules.len() - 1
    }

    /// How many answers of a rule's list were given, on the host that came furthest; 0 when it never answered.
    pub fn used(&self, number: usize) -> usize {
        let script = self.script();
        let given = script.rules.get(number).into_iter().flat_map(|standing| standing.given.values());
        given.map(|given| given.index + 1).max().unwrap_or(0)
    }

    /// A verdict was made of what `name` saw on `host`: lists that go on with verdicts go on.
    pub fn judged(&self, name: &str, host: &HostName) {
        *self.script().verdicts.entry((name.to_owned(), host.clone())).or_default() += 1;
    }
}

impl Script {
    /// The answer to a call, by the rule added last of those that are for it.
    pub(super) fn answer(&mut self, call: &Call) -> Option<Answer> {
        let name = call.name.clone().unwrap_or_default();
        let verdicts = self.verdicts.get(&(name, call.host.clone())).copied().unwrap_or_default();
        // an action's answer is a verdict by itself
        let verdicts = if call.kind == Kind::Look { verdicts } else { self.calls.len() };
        let Self { rules, effects, .. } = self;
        let is_for =
            |standing: &&mut Standing| standing.rule.matcher.matches(call) && standing.rule.is_for(&call.host, effects);
        rules.iter_mut().rev().find(is_for)?.next(&call.host, verdicts, call.kind)
    }

    /// What a rule for the whole host says of any call there.
    pub(super) fn of_the_host(&mut self, host: &HostName) -> Option<Answer> {
        let calls = self.calls.len();
        let Self { rules, effects, .. } = self;
        let is_for =
            |standing: &&mut Standing| standing.rule.matcher == Matcher::Host && standing.rule.is_for(host, effects);
        rules.iter_mut().rev().find(is_for)?.next(host, calls, Kind::Act)
    }

    /// The fault that a rule for the whole host has it in now; its list does not go on.
    pub(super) fn fault_of_the_host(&self, host: &HostName) -> Option<Fault> {
        let is_for =
            |standing: &&Standing| standing.rule.matcher == Matcher::Host && standing.rule.is_for(host, &self.effects);
        let standing = self.rules.iter().rev().find(is_for)?;
        let index = standing.given.get(host).map_or(0, |given| given.index);
        standing.rule.answers.0.get(index)?.result.clone().err()
    }
}
