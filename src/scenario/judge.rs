//! Judging a stretch: what must come of it, against what came.

use super::difference::Difference;
use super::play::{Came, End};
use crate::event::{Outcome, RunState, StepState};
use crate::model::scenario::{Asked, Exit, Fate, Place, Stretch};
use crate::plan::Plan;
use crate::vocab::{HostName, StepHost, StepId};

/// Lines of what was told that stand with a difference.
const SHOWN: usize = 8;

/// How a stretch differs from what must come of it.
pub(super) fn judge(stretch: &Stretch, came: &Came) -> Vec<Difference> {
    let judge = Judge { stretch, came };
    let mut found = came.said.differences.clone();
    found.extend(judge.exit());
    found.extend(judge.outcomes());
    found.extend(judge.asked());
    found.extend(judge.sent());
    found.extend(judge.told());
    found
}

struct Judge<'a> {
    stretch: &'a Stretch,
    came: &'a Came,
}

impl Judge<'_> {
    fn exit(&self) -> Option<Difference> {
        let expected = self.stretch.expected.exit;
        let was = match (&self.came.end, expected) {
            (End::Status(status), Some(Exit::Status(wanted))) if *status == wanted => return None,
            (End::Status(0) | End::Crash, None) | (End::Crash, Some(Exit::Crash)) => return None,
            (End::Status(status), _) => status.to_string(),
            (End::Crash, _) => "crash: an answer ended the program".to_owned(),
            (End::Never, _) => "never: it goes on for more than a week".to_owned(),
            (End::Broken(error), _) => error.clone(),
        };
        let wanted = expected.unwrap_or(Exit::Status(0));
        Some(Difference::new("exit", wanted.to_string(), was).told(self.last_lines()))
    }

    fn outcomes(&self) -> Vec<Difference> {
        let expected = &self.stretch.expected.outcomes;
        let mut found = Vec::new();
        for (place, wanted) in expected {
            let places = self.places(place);
            if places.is_empty() {
                let was = "the step goes to no host in this run".to_owned();
                found.push(Difference::new(place.to_string(), wanted.word(), was));
            }
            for at in places {
                // what is said of one host is not said of it by a word for all
                let own = |(other, _): &&(Place, Fate)| other.host.is_some() && other.is(&at.step, &at.host);
                if place.host.is_none() && expected.iter().any(|other| own(&other)) {
                    continue;
                }
                let (fate, why) = fate(self.came.state.as_ref(), &at);
                if fate != *wanted {
                    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
                    let was = format!("{}{why}", fate.word());
                    let told = self.lines_about(&at);
                    found.push(Difference::new(at.to_string(), wanted.word(), was).told(told));
                }
            }
        }
        found
    }

    /// The leaves on hosts that a place names.
    fn places(&self, place: &Place) -> Vec<StepHost> {
        let Some(plan) = &self.came.plan else { return Vec::new() };
        let mut places = Vec::new();
        for (step, hosts) in leaves(plan).filter(|(step, _)| covers(&place.step, step)) {
            match &place.host {
                Some(host) => places.push(StepHost::new(step.clone(), host.clone())),
                None => places.extend(hosts.iter().map(|host| StepHost::new(step.clone(), host.clone()))),
            }
        }
        places
    }

    fn asked(&self) -> Option<Difference> {
        let expected = self.stretch.expected.asked.as_ref()?;
        let asked = &self.came.said.asked;
        let same = expected.len() == asked.len() && expected.iter().zip(asked).all(|(one, other)| is_about(one, other));
        let list = |list: &[Asked]| match list {
            [] => "nothing".to_owned(),
            some => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        };
        (!same).then(|| Difference::new("asked", list(expected), list(asked)).told(self.last_lines()))
    }

    fn sent(&self) -> Vec<Difference> {
        let expected = &self.stretch.expected;
        let sent = &self.came.sent;
        let mut found = Vec::new();
        for never in &expected.never {
            let is = |(step, host): &&(StepId, HostName)| {
                covers(&never.step, step) && never.host.as_ref().is_none_or(|own| own == host)
            };
            if let Some((step, host)) = sent.iter().find(is) {
                let at = StepHost::new(step.clone(), host.clone());
                let told = self.lines_about(&at);
                found.push(Difference::new(never.to_string(), "never sent", format!("sent: {at}")).told(told));
            }
        }
        if !expected.order.is_empty() {
            let named = |step: &StepId| expected.order.iter().any(|place| place.step == *step);
            let was: Vec<&(StepId, HostName)> = sent.iter().filter(|(step, _)| named(step)).collect();
            let same = was.len() == expected.order.len()
                && expected.order.iter().zip(&was).all(|(place, (step, host))| place.is(step, host));
            if !same {
                let wanted: Vec<String> = expected.order.iter().map(ToString::to_string).collect();
                let was: Vec<String> = was.iter().map(|(step, host)| format!("{step}@{host}")).collect();
                let was = if was.is_empty() { "nothing".to_owned() } else { was.join(", ") };
                found.push(Difference::new("order", wanted.join(", "), was));
            }
        }
        found
    }

    fn told(&self) -> Vec<Difference> {
        let told = words(&self.came.told);
        let expected = &self.stretch.expected;
        let mut found = Vec::new();
        for text in &expected.says {
            if !told.contains(&words(text)) {
                let line = near(&self.came.told, text);
                found.push(Difference::new("says", "", format!("`{}` is not told", words(text))).told(line));
            }
        }
        for text in &expected.silent {
            if told.contains(&words(text)) {
                let lines = self.came.told.lines().filter(|line| words(line).contains(&words(text)));
                let lines = lines.take(SHOWN).map(str::to_owned).collect();
                found.push(Difference::new("silent", "", format!("`{}` is told", words(text))).told(lines));
            }
        }
        found
    }

    fn last_lines(&self) -> Vec<String> {
        let lines: Vec<&str> = self.came.told.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(SHOWN)..].iter().map(|line| (*line).to_owned()).collect()
    }

    /// What was told of a step on a host: plain lines name both.
    fn lines_about(&self, at: &StepHost) -> Vec<String> {
        let (host, step) = (at.host.as_str(), at.step.as_str());
        let about = |line: &&str| {
            let mut words = line.split(|ch: char| ch.is_whitespace() || matches!(ch, ':' | '@' | ','));
            line.contains(step) && words.any(|word| word == host)
        };
        let lines: Vec<&str> = self.came.told.lines().filter(about).collect();
        lines[lines.len().saturating_sub(SHOWN)..].iter().map(|line| (*line).to_owned()).collect()
    }
}

/// The leaves of a plan with the hosts they go to.
fn leaves(plan: &Plan) -> impl Iterator<Item = (&StepId, &Vec<HostName>)> {
    plan.units.iter().flat_map(|unit| unit.leaves.iter().map(move |leaf| (&leaf.id, &unit.hosts)))
}

/// Whether a step is this one, or one that stands in it.
fn covers(outer: &StepId, step: &StepId) -> bool {
    outer == step || step.as_str().strip_prefix(outer.as_str()).is_some_and(|rest| rest.starts_with('/'))
}

fn is_about(expected: &Asked, asked: &Asked) -> bool {
    match (expected, asked) {
        (Asked::Step(expected), Asked::Step(asked)) => {
            expected.step == asked.step && (expected.host.is_none() || expected.host == asked.host)
        }
        (Asked::Start | Asked::Warning(_) | Asked::Step(_), _) => expected == asked,
    }
}

/// How a step stands on a host, and why.
pub(super) fn fate(state: Option<&RunState>, at: &StepHost) -> (Fate, Option<String>) {
    let Some(state) = state else { return (Fate::NotRun, None) };
    match state.step(at) {
        StepState::NotStarted | StepState::Due { .. } => (Fate::NotRun, None),
        StepState::Running { .. } => (Fate::InDoubt, Some("it was sent, and its end is not written".to_owned())),
        StepState::Acted { end, .. } => (Fate::Unchecked, Some(end.to_string())),
        StepState::Ended { outcome, .. } => {
            let fate = match outcome {
                Outcome::Ok => Fate::Ok,
                Outcome::Failed { .. } => Fate::Failed,
                Outcome::Skipped { .. } => Fate::Skipped,
                Outcome::InDoubt { .. } => Fate::InDoubt,
                Outcome::Excluded { .. } => Fate::Excluded,
            };
            (fate, outcome.why().map(str::to_owned))
        }
    }
}

/// A text with every stretch of white space as one blank: where lines end does not matter.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The line that shares the most words with a text that was not told, if there is one.
fn near(told: &str, text: &str) -> Vec<String> {
    let wanted: Vec<&str> = text.split_whitespace().collect();
    let shared = |line: &&str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        wanted.iter().filter(|word| words.contains(word)).count()
    };
    let line = told.lines().max_by_key(shared).filter(|line| shared(line) * 2 > wanted.len());
    line.map(str::to_owned).into_iter().collect()
}
