//! Recording: a scenario made of what a run's journal says.
//!
//! From the journal alone: what hosts answered to each look and action, what persons said, what came of it. Secrets are
//! masked there, and are made up here.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::judge::fate;
use super::person::word;
use super::taken::{Taken, give_of};
use super::written::{Answering, Exit, Expect, File, Gives, Options, Reply, Scenario, Stretch, Then};
use crate::event::{AckHow, Answer, AskedWhat, Choice, Event, Opened, Output, OverrideHow, RunState};
use crate::model::scenario::Fate;
use crate::model::{Acknowledgement, ParamType};
use crate::plan::{LeafKind, Plan};
use crate::vocab::{HostName, Period, StepHost, StepId};

/// Why no scenario can be made of a run.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RecordingError {
    /// Its journal does not begin with its opening.
    #[error("the journal does not begin with the run's opening")]
    NoOpening,
    /// What was made cannot be written.
    #[error("the scenario cannot be written: {0}")]
    Yaml(String),
}

/// What is recorded.
pub struct Recording<'a> {
    /// The records in order, each with its time.
    pub records: &'a [(Timestamp, Event)],
    /// The plan of the runbook as it is now.
    pub plan: &'a Plan,
    /// Gives a large output whole.
    pub whole: &'a dyn Fn(&Output) -> String,
}

/// A stretch of the journal.
struct Part<'a> {
    /// What passed since the one before.
    later: Period,
    records: &'a [(Timestamp, Event)],
}

/// The made-up value of a secret.
pub fn made_up(name: &str) -> String {
    format!("made-up-{name}")
}

impl Recording<'_> {
    /// The file of scenarios with this one in it, as YAML.
    pub fn yaml(&self) -> Result<String, RecordingError> {
        let Some((_, Event::Opened(opened))) = self.records.first() else { return Err(RecordingError::NoOpening) };
        let scenario = self.scenario(opened);
        let file = File { runbook: opened.runbook.clone(), scenarios: vec![scenario] };
        let text = serde_yaml::to_string(&file).map_err(|error| RecordingError::Yaml(error.to_string()))?;
        let mut head = "# yaml-language-server: $schema=../../schemas/scenario.schema.json\n".to_owned();
        head.push_str(&format!(
            "# Recorded from the run {}: give it a name, and take out what does not matter.\n",
            opened.run
        ));
        if opened.plan != self.plan.digest {
            head.push_str("# The plan is another now than it was then, or a secret is: look whether it still fits.\n");
        }
        Ok(format!("{head}{text}"))
    }

    fn scenario(&self, opened: &Opened) -> Scenario {
        let parts = self.parts();
        let mut taken = Taken::new(self.plan, self.whole);
        self.records.iter().for_each(|(at, event)| taken.take(*at, event));
        taken.finish();
        let mut stretches: Vec<(Period, Options, Stretch)> = Vec::new();
        let mut records = 0;
        for (index, part) in parts.iter().enumerate() {
            records += part.records.len();
            let state = self.state(records);
            let mut options = self.options(part, index == 0);
            if index == 0 {
                options.limit.clone_from(&opened.limit);
                options.emergency = opened.emergency;
                options.reason.clone_from(&opened.reason);
            }
            stretches.push((part.later, options, self.stretch(part, state.as_ref())));
        }
        let mut stretches = stretches.into_iter();
        let (_, options, stretch) = stretches.next().unwrap_or_default();
        let secrets = self.plan.runbook.params.iter().filter(|param| param.kind == ParamType::Secret);
        let secrets: BTreeMap<String, String> =
            secrets.map(|param| (param.name.clone(), made_up(&param.name))).collect();
        let args = opened.params.iter().filter(|(name, value)| {
            let param = self.plan.runbook.params.iter().find(|param| param.name == **name);
            param.is_none_or(|param| param.default.as_deref() != Some(value.as_str())) && !secrets.contains_key(*name)
        });
        Scenario {
            name: format!("recorded {}", opened.run),
            says: format!("What {} did, and what the hosts said to it.", opened.runbook),
            args: args.map(|(name, value)| format!("{name}={value}")).collect(),
            secrets,
            options,
            locked: taken.locked(),
            answers: self.answers(&taken),
            stretch,
            then: stretches
                .map(|(later, resume, stretch)| Then {
                    resume,
                    later: (later > Period::ZERO).then(|| later.to_string()),
                    stretch,
                })
                .collect(),
        }
    }

    fn parts(&self) -> Vec<Part<'_>> {
        let starts = self.records.iter().enumerate().filter(|(_, (_, event))| matches!(event, Event::Resumed(_)));
        let mut starts: Vec<usize> = std::iter::once(0).chain(starts.map(|(index, _)| index)).collect();
        starts.push(self.records.len());
        let part = |pair: &[usize]| {
            let records = &self.records[pair[0]..pair[1]];
            let before = pair[0].checked_sub(1).and_then(|index| self.records.get(index));
            let later = match (before, records.first()) {
                (Some((before, _)), Some((at, _))) => between(*before, *at),
                (Some(_) | None, _) => Period::ZERO,
            };
            Part { later, records }
        };
        starts.windows(2).map(part).collect()
    }

    fn options(&self, part: &Part<'_>, first: bool) -> Options {
        let mut options = Options::default();
        for (_, event) in part.records {
            if let Event::Resumed(resumed) = event {
                options.emergency = resumed.emergency;
                options.reason.clone_from(&resumed.reason);
            } else if let Event::Asked { what: AskedWhat::Start, .. } = event {
                options.yes = Some(false);
            } else if let Event::WarningAcknowledged { id, how: AckHow::Flag } = event {
                options.ack.insert(id.clone(), self.typed(id));
            } else if let Event::PreconditionOverridden { id, how: OverrideHow::Override, .. } = event {
                options.overrides.push(id.clone());
            } else if let Event::WaitStarted { limit } = event {
                options.wait = Some(limit.to_string());
            } else if let Event::LockRefused { wait: Some(wait), .. } = event {
                options.wait_lock = Some(wait.to_string());
            } else if let Event::Chosen { reason, .. } = event
                && reason == "--retry"
                && !first
            {
                options.retry = true;
            }
        }
        options
    }

    /// What is typed for a warning; `true` where nothing is.
    fn typed(&self, id: &str) -> String {
        let planned = self.plan.warnings.iter().find(|planned| planned.id == id);
        let text = planned.and_then(|planned| match &planned.warning.acknowledgement {
            Acknowledgement::Type(text) => text.text(&self.plan.scope(planned.scope)).ok(),
            Acknowledgement::Confirm | Acknowledgement::None => None,
        });
        text.unwrap_or_else(|| "true".to_owned())
    }

    /// The state after so many records.
    fn state(&self, records: usize) -> Option<RunState> {
        let (at, first) = self.records.first()?;
        let mut state = RunState::open(*at, first).ok()?;
        for (at, event) in &self.records[1..records] {
            state.apply(*at, event).ok()?;
        }
        Some(state)
    }

    fn stretch(&self, part: &Part<'_>, state: Option<&RunState>) -> Stretch {
        let ended = part.records.iter().rev().find_map(|(_, event)| {
            let (Event::Stopped { exit, .. } | Event::Ended { exit, .. }) = event else { return None };
            Some(*exit)
        });
        let (asked, operator) = Self::persons(part);
        let exit = ended.map_or(Exit::Word("crash"), Exit::Status);
        // an action that was under way ends the program by its own answer
        let died = ended.is_none() && underway(part).is_empty();
        Stretch {
            operator,
            interrupt: played_times(part)
                .into_iter()
                .filter(|(_, event)| matches!(event, Event::Interrupted { signal, .. } if signal != "Ctrl-C"))
                .map(|(time, _)| time.to_string())
                .collect(),
            crash: died.then(|| played_times(part).last().map_or(Period::ZERO, |(time, _)| *time).to_string()),
            expect: Expect { exit, outcomes: self.outcomes(state), asked, order: order(part) },
        }
    }

    fn outcomes(&self, state: Option<&RunState>) -> BTreeMap<String, &'static str> {
        let mut outcomes = BTreeMap::new();
        for unit in &self.plan.units {
            for leaf in &unit.leaves {
                let fates: Vec<(&HostName, Fate)> = unit
                    .hosts
                    .iter()
                    .map(|host| (host, fate(state, &StepHost::new(leaf.id.clone(), host.clone())).0))
                    .collect();
                let kinds: BTreeSet<&str> = fates.iter().map(|(_, fate)| fate.word()).collect();
                match (kinds.len(), kinds.first()) {
                    (1, Some(only)) => drop(outcomes.insert(leaf.id.to_string(), *only)),
                    _ => outcomes.extend(fates.iter().map(|(host, fate)| (format!("{}@{host}", leaf.id), fate.word()))),
                }
            }
        }
        outcomes
    }

    /// The questions, and what a person said to them; none where there was no terminal.
    fn persons(part: &Part<'_>) -> (Vec<String>, Option<BTreeMap<String, Vec<Reply>>>) {
        let mut asked = Vec::new();
        let mut replies: BTreeMap<String, Vec<Reply>> = BTreeMap::new();
        let mut somebody = false;
        let mut since = None;
        for (index, (at, event)) in part.records.iter().enumerate() {
            if let Event::Asked { what, .. } = event {
                asked.push(about(what));
                since = Some(*at);
            }
            let Event::Answered { what, answer } = event else { continue };
            // a flag answers what nobody asked
            let Some(asked_at) = since.take() else { continue };
            let Some((says, reason)) = said(what, answer, &part.records[index + 1..]) else { continue };
            somebody = true;
            let took = between(asked_at, *at).get().as_secs();
            let took = (took > 0).then(|| Period::seconds(took).to_string());
            replies.entry(about(what)).or_default().push(Reply { answer: says, reason, took });
        }
        (asked, somebody.then_some(replies))
    }

    /// What was answered, the same answers of several hosts together.
    fn answers(&self, taken: &Taken<'_>) -> Vec<Answering> {
        let mut answers: Vec<Answering> = taken
            .away()
            .into_iter()
            .map(|(host, reason)| Answering {
                to: None,
                on: Some(host.to_string()),
                each: None,
                gives: Gives::One(Box::new(give_of("unreachable", Some(reason)))),
            })
            .collect();
        for (name, of_hosts) in taken.answers() {
            let mut groups: Vec<(Vec<&HostName>, &Vec<super::written::Give>)> = Vec::new();
            // a host that is away says nothing more
            let away: Vec<HostName> = taken.away().into_iter().map(|(host, _)| host).collect();
            let gone = |gives: &[super::written::Give]| gives.iter().all(|give| give.fault == Some("unreachable"));
            for (host, gives) in of_hosts.into_iter().filter(|(host, gives)| !away.contains(host) || !gone(gives)) {
                match groups.iter_mut().find(|(_, known)| *known == gives) {
                    Some((hosts, _)) => hosts.push(host),
                    None => groups.push((vec![host], gives)),
                }
            }
            let single = groups.len() == 1;
            for (hosts, gives) in groups {
                let on = hosts.iter().map(|host| host.as_str()).collect::<Vec<_>>().join(":");
                let is_look = self
                    .plan
                    .leaf(&StepId::new(name.as_str()))
                    .is_none_or(|(_, leaf)| !matches!(leaf.kind, LeafKind::Action(_)));
                let evidence = name.contains("/collect ") || name.ends_with("/undo");
                answers.push(Answering {
                    to: Some(name.clone()),
                    on: (!single).then_some(on),
                    each: (gives.len() > 1 && is_look && !evidence).then_some("verdict"),
                    gives: match gives.as_slice() {
                        [one] => Gives::One(Box::new(one.clone())),
                        several => Gives::Several(several.to_vec()),
                    },
                });
            }
        }
        answers
    }
}

/// What a question is about, as `operator:` and `asked:` name it.
fn about(what: &AskedWhat) -> String {
    match what {
        AskedWhat::Start => "start".to_owned(),
        AskedWhat::Warning { id } => id.clone(),
        AskedWhat::Manual { at } | AskedWhat::Failure { at } | AskedWhat::InDoubt { at } => at.to_string(),
    }
}

/// What a person said, and why; none where nobody could be asked.
fn said(what: &AskedWhat, answer: &Answer, after: &[(Timestamp, Event)]) -> Option<(String, String)> {
    let next = after.first().map(|(_, event)| event);
    let plain = |word: &str| Some((word.to_owned(), String::new()));
    match answer {
        Answer::Flag(_) | Answer::NoTerminal => None,
        Answer::Text(text) => plain(text),
        Answer::No if matches!(next, Some(Event::Interrupted { signal, .. }) if signal == "Ctrl-C") => plain("ctrl-c"),
        Answer::No => plain("no"),
        Answer::Yes => match (what, next) {
            (AskedWhat::Failure { .. } | AskedWhat::InDoubt { .. }, Some(Event::Chosen { choice, reason, .. })) => {
                Some((word(*choice).to_owned(), reason.clone()))
            }
            (AskedWhat::Failure { .. } | AskedWhat::InDoubt { .. }, _) => plain(word(Choice::Stop)),
            (AskedWhat::Start | AskedWhat::Warning { .. } | AskedWhat::Manual { .. }, _) => plain("yes"),
        },
    }
}

/// The actions that were under way when a part ended.
fn underway(part: &Part<'_>) -> Vec<StepHost> {
    let mut running: Vec<StepHost> = Vec::new();
    for (_, event) in part.records {
        if let Event::StepStarted { at, .. } = event {
            running.push(at.clone());
        } else if let Event::StepActed { at, .. } | Event::StepEnded { at, .. } = event {
            running.retain(|known| known != at);
        }
    }
    running
}

/// What was sent, where one was over before the next began.
fn order(part: &Part<'_>) -> Vec<String> {
    let mut running: BTreeSet<String> = BTreeSet::new();
    let mut sent = Vec::new();
    for (_, event) in part.records {
        if let Event::StepStarted { at, .. } = event {
            if !running.is_empty() {
                return Vec::new();
            }
            running.insert(at.to_string());
            sent.push(at.to_string());
        } else if let Event::StepActed { at, .. } = event {
            running.remove(&at.to_string());
        } else if let Event::StepEnded { at, .. } = event
            && running.remove(&at.to_string())
        {
            // what never came to its host was not sent
            return Vec::new();
        }
    }
    if sent.len() > 1 { sent } else { Vec::new() }
}

/// When events would be in simulated time, where looks and connections take none.
fn played_times<'a>(part: &Part<'a>) -> Vec<(Period, &'a Event)> {
    let mut played = std::time::Duration::ZERO;
    let mut before = None;
    let mut times = Vec::new();
    for (at, event) in part.records {
        let gap = before.map_or(Period::ZERO, |before| between(before, *at)).get();
        before = Some(*at);
        let counts = matches!(
            event,
            Event::StepActed { .. } | Event::Answered { .. } | Event::Interrupted { .. } | Event::UndoEnded { .. }
        );
        if counts || gap.as_secs() >= 2 {
            played += gap;
        }
        times.push((
            Period::new(std::time::Duration::from_millis(u64::try_from(played.as_millis()).unwrap_or(0))),
            event,
        ));
    }
    times
}

fn between(before: Timestamp, at: Timestamp) -> Period {
    let passed = at.duration_since(before);
    Period::new(std::time::Duration::try_from(passed).unwrap_or_default())
}
