//! Scenarios: every name in them is found in their runbook, every host in its fleet.

use std::path::Path;

use super::inventory::{inventory, verify};
use super::known::{Acts, Known, Manner};
use crate::model::scenario::{
    Addressee, After, Answering, Asked, Exit, Expected, Fate, LockHeld, Options, Place, Reply, Says, Scenario, Stretch,
    Suite, Word as Said,
};
use crate::model::scope::nearest;
use crate::model::{Inventory, InventoryError, ParamType, Runbook};
use crate::source::decode::Context;
use crate::source::raw::scenario::{
    RawAnswering, RawEach, RawExpected, RawFate, RawOptions, RawReplies, RawSaid, RawScenario, RawSuite, RawThen,
};
use crate::source::raw::{Length, Named, OneOrMany, Word};
use crate::source::text::Span;
use crate::vocab::{HostName, Masker, Period, Secret, StepId};

/// One file of scenarios while it is lowered.
pub(super) struct Naming<'a> {
    pub(super) cx: &'a Context,
    pub(super) known: Known,
    runbook: &'a Runbook,
    fleet: Inventory,
}

/// The scenarios of the file `name` in `dir`, played on `fleet`, as far as they can be lowered.
pub(in crate::source) fn suite(
    name: &str,
    raw: &RawSuite,
    runbook: &Runbook,
    fleet: &Inventory,
    dir: &Path,
    cx: &Context,
) -> Suite {
    let mut fleet = fleet.clone();
    if let Some(raw) = &raw.inventory {
        let (layer, mentions) = inventory(raw, dir, cx);
        fleet.layer(layer);
        verify(&fleet, &mentions, cx);
    }
    let naming = Naming { cx, known: Known::of(runbook), runbook, fleet };
    if let (true, Some(span)) = (raw.scenarios.is_empty(), raw.place.key("scenarios")) {
        cx.fault("no-value", span, "a file of scenarios needs at least one");
    } else if raw.scenarios.is_empty() && raw.place.key("scenarios").is_none() {
        cx.fault("missing-key", &raw.place.head(), "a file of scenarios needs the key `scenarios`");
    }
    for (index, scenario) in raw.scenarios.iter().enumerate() {
        let name = &scenario.name.0;
        if raw.scenarios[..index].iter().any(|other| other.name.0.text == name.text) {
            cx.fault("duplicate-id", &name.span, format!("two scenarios are called `{}`", name.text));
        }
    }
    Suite {
        name: name.to_owned(),
        runbook: runbook.name.clone(),
        answers: naming.answers(&raw.answers),
        scenarios: raw.scenarios.iter().map(|raw| naming.scenario(raw)).collect(),
        inventory: naming.fleet,
    }
}

impl Naming<'_> {
    fn scenario(&self, raw: &RawScenario) -> Scenario {
        let first = Stretch {
            later: Period::ZERO,
            options: self.options(raw.options.as_ref()),
            answers: self.answers(&raw.answers),
            operator: raw.operator.as_ref().map(|replies| self.replies(replies)),
            interrupts: periods(&raw.interrupt),
            crash: raw.crash.as_ref().map(|length| length.period),
            expected: raw.expect.as_ref().map(|expect| self.expected(expect)).unwrap_or_default(),
            location: self.cx.location(&raw.name.0.span),
        };
        if let Some(RawOptions { place, .. }) = &raw.options {
            self.refuse_key(place, "retry", "in a run: it belongs to `resume`");
        }
        for (place, name) in raw
            .then
            .iter()
            .filter_map(|then| then.resume.as_ref())
            .flat_map(|raw| ["limit", "dry_run"].into_iter().map(move |name| (&raw.place, name)))
        {
            self.refuse_key(place, name, "in a resume: it is the run's");
        }
        let dry_run = raw.options.as_ref().and_then(|options| options.dry_run).is_some_and(|flag| flag.0);
        if let (true, Some(span)) = (dry_run, raw.place.key("then")) {
            self.cx.fault("misplaced-key", span, "a dry run leaves nothing to resume");
        }
        let limit = raw.options.as_ref().and_then(|options| options.limit.as_ref());
        Scenario {
            name: raw.name.0.text.trim().to_owned(),
            says: raw.says.as_ref().map(|says| says.0.text.trim().to_owned()),
            args: raw.args.iter().map(|word| word.text.clone()).collect(),
            secrets: self.secrets(&raw.secrets),
            limit: limit.map(|word| word.text.clone()),
            dry_run,
            locked: self.locked(raw),
            stretches: std::iter::once(first).chain(raw.then.iter().map(|then| self.resume(then))).collect(),
            location: self.cx.location(&raw.name.0.span),
        }
    }

    fn resume(&self, raw: &RawThen) -> Stretch {
        Stretch {
            later: raw.later.as_ref().map_or(Period::ZERO, |length| length.period),
            options: self.options(raw.resume.as_ref()),
            answers: self.answers(&raw.answers),
            operator: raw.operator.as_ref().map(|replies| self.replies(replies)),
            interrupts: periods(&raw.interrupt),
            crash: raw.crash.as_ref().map(|length| length.period),
            expected: raw.expect.as_ref().map(|expect| self.expected(expect)).unwrap_or_default(),
            location: self.cx.location(&raw.place.head()),
        }
    }

    fn refuse_key(&self, place: &crate::source::decode::Place, name: &str, why: &str) {
        if let Some(span) = place.key(name) {
            self.cx.fault("misplaced-key", span, format!("`{name}` has no meaning {why}"));
        }
    }

    fn secrets(&self, raw: &Named<Word>) -> std::collections::BTreeMap<String, Secret> {
        let mut secrets = std::collections::BTreeMap::new();
        for entry in &raw.entries {
            let params = || self.runbook.params.iter().filter(|param| param.kind == ParamType::Secret);
            if !params().any(|param| param.name == entry.name) {
                let names: Vec<&str> = params().map(|param| param.name.as_str()).collect();
                self.unknown("unknown-param", &entry.span, "the runbook has no secret", &entry.name, &names);
            }
            let Some(word) = &entry.value else { continue };
            if word.text.len() < Masker::SHORTEST {
                let message = format!("a secret has at least {} bytes", Masker::SHORTEST);
                self.cx.fault("bad-secret", &word.span, message);
            }
            secrets.insert(entry.name.clone(), Secret::new(word.text.clone()));
        }
        secrets
    }

    fn locked(&self, raw: &RawScenario) -> Vec<LockHeld> {
        let held = raw.locked.iter().map(|raw| LockHeld {
            hosts: self.hosts(&raw.on),
            by: raw.by.as_ref().map_or_else(|| "somebody".to_owned(), |word| word.text.clone()),
            length: raw.r#for.as_ref().map_or(Period::seconds(3600), |length| length.period),
        });
        held.collect()
    }

    fn options(&self, raw: Option<&RawOptions>) -> Options {
        let Some(raw) = raw else { return Options { yes: true, ..Options::default() } };
        let names = |set: &std::collections::BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
        let (warnings, preconditions) = (names(&self.known.warnings), names(&self.known.preconditions));
        let acks = raw.ack.iter().flat_map(|acks| &acks.0);
        for (id, span, _) in acks.clone().filter(|(id, _, _)| !warnings.contains(id)) {
            self.unknown("unknown-warning", span, "the runbook has no warning", id, &words(&warnings));
        }
        for word in raw.r#override.iter().filter(|word| !preconditions.contains(&word.text)) {
            let what = "the runbook has no precondition";
            self.unknown("unknown-precondition", &word.span, what, &word.text, &words(&preconditions));
        }
        let reason = raw.reason.as_ref().map(|prose| prose.0.text.trim().to_owned());
        if reason.is_none() {
            for (name, span) in raw.place.present(&["emergency", "override"]) {
                let found =
                    self.cx.error("missing-key", span, format!("`{name}` needs a `reason`, as on the command line"));
                self.cx.report(found);
            }
        }
        if let Some(limit) = &raw.limit {
            self.select(&limit.text, &limit.span);
        }
        Options {
            yes: raw.yes.is_none_or(|flag| flag.0),
            acks: acks.map(|(id, _, text)| (id.clone(), text.clone())).collect(),
            overrides: raw.r#override.iter().map(|word| word.text.clone()).collect(),
            emergency: raw.emergency.is_some_and(|flag| flag.0),
            reason,
            wait: raw.wait.as_ref().map(|length| length.period),
            wait_lock: raw.wait_lock.as_ref().map(|length| length.period),
            retry: raw.retry.is_some_and(|flag| flag.0),
        }
    }

    fn answers(&self, raw: &[RawAnswering]) -> Vec<Answering> {
        raw.iter().filter_map(|raw| self.answering(raw)).collect()
    }

    fn answering(&self, raw: &RawAnswering) -> Option<Answering> {
        let (to, manner) = match (&raw.to, &raw.run) {
            (Some(to), Some(run)) => {
                let found = self.cx.error("exclusive-keys", &run.span, "an answer has both `to` and `run`");
                self.cx.report(found.help(format!("leave one of them; `{}` names the calls already", to.text)));
                return None;
            }
            (None, Some(run)) => (Addressee::Command(run.text.clone()), None),
            (None, None) => (Addressee::Host, None),
            (Some(word), None) => {
                let (to, manner) = self.addressee(word)?;
                (to, Some(manner))
            }
        };
        let gives = raw.gives.items.iter().filter_map(|give| self.give(give, &to, manner)).collect();
        Some(Answering {
            on: raw.on.as_ref().map(|words| self.hosts(words)),
            after: match &raw.after {
                Some(word) => Some(self.after(word)?),
                None => None,
            },
            each_verdict: matches!(raw.each, Some(RawEach::Verdict)),
            gives,
            location: self.cx.location(&raw.place.head()),
            to,
        })
    }

    fn addressee(&self, word: &Word) -> Option<(Addressee, Manner)> {
        let name = word.text.as_str();
        let step = self.known.steps.get(name);
        if let Some(Acts::On(manner)) = step {
            return Some((Addressee::Step(StepId::new(name)), *manner));
        }
        if let Some(manner) = self.known.looks.get(name) {
            return Some((Addressee::Look(name.to_owned()), *manner));
        }
        let (message, help) = match step {
            Some(Acts::Looks(probe)) => {
                (format!("the step `{name}` looks with the probe `{probe}`"), format!("write `to: {probe}`"))
            }
            Some(Acts::Nowhere) => (
                format!("no host answers the step `{name}`: a person does it, or it waits"),
                "a person's answer stands under `operator:`".to_owned(),
            ),
            Some(Acts::Block) => {
                let inner = format!("{name}/");
                let names = self.known.answerable();
                let inside: Vec<&str> = names.into_iter().filter(|known| known.starts_with(&inner)).collect();
                (format!("`{name}` is made of other steps"), format!("name what is answered: {}", inside.join(", ")))
            }
            Some(Acts::On(_)) | None => {
                let names = self.known.answerable();
                self.unknown("unknown-name", &word.span, "the runbook has no probe or acting step", name, &names);
                return None;
            }
        };
        self.cx.report(self.cx.error("unknown-name", &word.span, message).help(help));
        None
    }

    fn after(&self, word: &Word) -> Option<After> {
        if let Ok(period) = word.text.parse::<Period>() {
            return Some(After::Time(period));
        }
        let place = self.place(&word.text, &word.span)?;
        Some(match place.host {
            Some(host) => After::There(place.step, vec![host]),
            None => After::Here(place.step),
        })
    }

    /// `STEP` or `STEP@HOST`.
    fn place(&self, text: &str, span: &Span) -> Option<Place> {
        let (step, host) = match text.split_once('@') {
            Some((step, host)) => (step, Some(host)),
            None => (text, None),
        };
        if !self.known.steps.contains_key(step) {
            let names: Vec<&str> = self.known.steps.keys().map(String::as_str).collect();
            self.unknown("unknown-step", span, "the runbook has no step", step, &names);
            return None;
        }
        let host = match host {
            Some(host) if !self.fleet.hosts.is_empty() && !self.fleet.has_host(host) => {
                let names: Vec<&str> = self.fleet.host_names().map(HostName::as_str).collect();
                self.unknown("unknown-host", span, "the inventory has no host", host, &names);
                return None;
            }
            host => host.map(HostName::new),
        };
        Some(Place { step: StepId::new(step), host })
    }

    fn replies(&self, raw: &Named<RawReplies>) -> Vec<Reply> {
        let replies = raw.entries.iter().filter_map(|entry| {
            let to = self.asked(&entry.name, &entry.span)?;
            let raw = entry.value.as_ref()?;
            let answers: Vec<Said> = raw.items.iter().filter_map(|said| self.said(said, &to)).collect();
            Some(Reply { to, answers, once: raw.listed, location: self.cx.location(&entry.span) })
        });
        replies.collect()
    }

    /// A question, by what it is about.
    fn asked(&self, name: &str, span: &Span) -> Option<Asked> {
        if name == "start" {
            return Some(Asked::Start);
        }
        if self.known.warnings.contains(name) {
            return Some(Asked::Warning(name.to_owned()));
        }
        let step = name.split('@').next().unwrap_or(name);
        if self.known.steps.contains_key(step) {
            return self.place(name, span).map(Asked::Step);
        }
        if self.known.preconditions.contains(name) {
            let found = self.cx.error("unknown-name", span, format!("nobody is asked about the precondition `{name}`"));
            self.cx.report(found.help(format!("write `options: {{ override: [{name}], reason: … }}`")));
            return None;
        }
        let names: Vec<&str> = std::iter::once("start")
            .chain(self.known.warnings.iter().chain(self.known.steps.keys()).map(String::as_str))
            .collect();
        self.unknown("unknown-name", span, "no question is about", name, &names);
        None
    }

    fn said(&self, raw: &RawSaid, to: &Asked) -> Option<Said> {
        let (word, reason, took) = match raw {
            RawSaid::Word(word) => (word, None, None),
            RawSaid::Full(full) => (&full.answer, full.reason.as_ref(), full.took.as_ref()),
        };
        let says = Says::WORDS.iter().find(|(known, _)| *known == word.text).map(|(_, says)| says.clone());
        // `true` is what other readers of YAML make of yes
        let says = match word.text.as_str() {
            "true" => Some(Says::Yes),
            "false" => Some(Says::No),
            _ => says,
        };
        let fits = |says: &Says| match to {
            Asked::Step(_) => true,
            Asked::Start | Asked::Warning(_) => matches!(says, Says::Yes | Says::No | Says::Interrupt),
        };
        let says = match (to, says.filter(fits)) {
            (_, Some(says)) => says,
            (Asked::Warning(_), None) => Says::Text(word.text.clone()),
            (Asked::Start | Asked::Step(_), None) => {
                let known = Says::WORDS.iter().filter(|(_, says)| fits(says)).map(|(word, _)| *word);
                let known: Vec<&str> = known.collect();
                self.unknown("bad-answer", &word.span, "nobody can answer", &word.text, &known);
                return None;
            }
        };
        Some(Said {
            says,
            reason: reason.map(|word| word.text.clone()).unwrap_or_default(),
            took: took.map_or(Period::ZERO, |length| length.period),
        })
    }

    fn expected(&self, raw: &RawExpected) -> Expected {
        let places = |words: &[Word]| words.iter().filter_map(|word| self.place(&word.text, &word.span)).collect();
        let outcomes = raw.outcomes.entries.iter().filter_map(|entry| {
            let place = self.place(&entry.name, &entry.span)?;
            let fate = match entry.value? {
                RawFate::Ok => Fate::Ok,
                RawFate::Failed => Fate::Failed,
                RawFate::Skipped => Fate::Skipped,
                RawFate::InDoubt => Fate::InDoubt,
                RawFate::Excluded => Fate::Excluded,
                RawFate::NotRun => Fate::NotRun,
                RawFate::Unchecked => Fate::Unchecked,
            };
            Some((place, fate))
        });
        Expected {
            exit: raw.exit.as_ref().and_then(|word| self.exit(word)),
            outcomes: outcomes.collect(),
            asked: raw
                .asked
                .as_ref()
                .map(|words| words.0.iter().filter_map(|word| self.asked(&word.text, &word.span)).collect()),
            never: places(&raw.never),
            order: places(&raw.order),
            says: raw.says.iter().map(|prose| prose.0.text.clone()).collect(),
            silent: raw.silent.iter().map(|prose| prose.0.text.clone()).collect(),
        }
    }

    fn exit(&self, word: &Word) -> Option<Exit> {
        if word.text == "crash" {
            return Some(Exit::Crash);
        }
        if let Ok(status) = word.text.parse() {
            return Some(Exit::Status(status));
        }
        let found = self.cx.error("wrong-type", &word.span, format!("`{}` is no exit status", word.text));
        self.cx.report(found.help("write a number from 0 to 255, or `crash`"));
        None
    }

    /// The hosts of a pattern.
    fn hosts(&self, words: &OneOrMany<Word>) -> Vec<HostName> {
        let joined = words.items.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(":");
        self.select(&joined, &words.span)
    }

    fn select(&self, pattern: &str, span: &Span) -> Vec<HostName> {
        match self.fleet.select(pattern) {
            Ok(hosts) => hosts,
            Err(error) => {
                let near = match &error {
                    InventoryError::Unknown { near, .. } => near.clone(),
                    InventoryError::BadRange(_) | InventoryError::Empty(_) | InventoryError::Cycle(_) => None,
                };
                let found = self.cx.error("unknown-host", span, error.to_string());
                self.cx.report(found.maybe_help(near.map(|near| format!("did you mean `{near}`?"))));
                Vec::new()
            }
        }
    }

    /// Reports a name that is not there, with those that are.
    pub(super) fn unknown(&self, code: &'static str, span: &Span, what: &str, name: &str, known: &[&str]) {
        let found = self.cx.error(code, span, format!("{what} `{name}`"));
        // an inner step by its own id alone
        let inner = known.iter().find(|known| known.rsplit_once('/').is_some_and(|(_, own)| own == name)).copied();
        let help = match (inner.or_else(|| nearest(name, known.iter().copied())), known) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, []) => "there is none".to_owned(),
            (None, known) => format!("there are: {}", known.join(", ")),
        };
        self.cx.report(found.help(help));
    }
}

fn periods(lengths: &[Length]) -> Vec<Period> {
    lengths.iter().map(|length| length.period).collect()
}

fn words(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}
