//! A runbook as a whole.

use std::collections::BTreeMap;

use super::Lowering;
use crate::model::Runbook;
use crate::source::raw::probe::RawProbe;
use crate::source::raw::runbook::RawRunbook;
use crate::source::raw::scalar::is_ident;
use crate::source::raw::step::RawStep;
use crate::source::raw::{Ident, Named};

/// The runbook `name`, as far as it can be lowered.
pub(in crate::source) fn runbook(name: &str, raw: &RawRunbook, mut low: Lowering<'_>, systems: &[String]) -> Runbook {
    low.own = low.probes(&raw.probes);
    let cx = low.cx;
    if let (true, Some(span)) = (raw.steps.is_empty(), raw.place.key("steps")) {
        // an empty list, not a list whose entries were all refused
        if !cx.has_errors() {
            let found = cx.error("no-value", span, "a runbook needs at least one step");
            cx.report(found.help("a checklist is a runbook too: `- { id: look, manual: Look at it. }`"));
        }
    } else if raw.steps.is_empty() && raw.place.key("steps").is_none() {
        cx.fault("missing-key", &raw.place.head(), "a runbook needs the key `steps`");
    }
    let mut all = Vec::new();
    ids(&raw.steps, &mut all);
    low.unique("steps", all.iter().map(|ident| (ident.0.text.as_str(), &ident.0.span)));
    if let Some(word) = raw.system.as_ref().filter(|word| !systems.is_empty() && !systems.contains(&word.text)) {
        let known: Vec<&str> = systems.iter().map(String::as_str).collect();
        let found = cx.error("unknown-system", &word.span, format!("book.yaml has no system `{}`", word.text));
        cx.report(found.help(format!("the systems are: {}", known.join(", "))).did_you_mean(&word.text, &known));
    }
    let prose = |prose: &Option<crate::source::raw::Prose>| prose.as_ref().map(|prose| prose.0.text.trim().to_owned());
    Runbook {
        name: name.to_owned(),
        file: cx.source().name().clone(),
        text: cx.source().text().clone(),
        aliases: raw.aliases.iter().map(|ident| ident.0.text.clone()).collect(),
        title: raw.title.0.text.trim().to_owned(),
        summary: prose(&raw.summary).unwrap_or_default(),
        system: raw.system.as_ref().map(|word| word.text.clone()),
        tags: raw.tags.iter().map(|word| word.text.clone()).collect(),
        formerly: prose(&raw.formerly),
        hosts: raw.hosts.as_ref().and_then(|words| cx.hosts(words)),
        sudo: raw.sudo.as_ref().and_then(|sudo| cx.sudo(sudo)),
        params: low.params(&raw.params),
        preconditions: low.preconditions(&raw.preconditions, ""),
        warnings: low.warnings(&raw.warnings, ""),
        steps: low.steps(&raw.steps, None),
        checks: low.checks(&raw.checks, ""),
        probes: low.own.into_iter().filter_map(|(name, probe)| Some((name, probe?))).collect(),
    }
}

fn ids<'r>(steps: &'r [RawStep], into: &mut Vec<&'r Ident>) {
    for step in steps {
        into.push(&step.id);
        ids(&step.steps, into);
    }
}

impl Lowering<'_> {
    /// Named probes; one that could not be lowered keeps its name.
    pub(super) fn probes(
        &self,
        raw: &Named<RawProbe>,
    ) -> BTreeMap<String, Option<std::sync::Arc<crate::model::Probe>>> {
        let named = raw.entries.iter().map(|entry| {
            is_ident(&entry.name, &entry.span, self.cx);
            (entry.name.clone(), entry.value.as_ref().and_then(|probe| self.probe(&entry.name, probe)))
        });
        named.collect()
    }
}
