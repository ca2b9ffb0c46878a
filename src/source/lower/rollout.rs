//! Rollouts, retries, failures.

use super::Lowering;
use super::check::spoken;
use crate::model::{Check, HostPattern, MinHealthy, OnFailure, Retry, Rollout, Then};
use crate::source::raw::rollout::{RawMinHealthy, RawOnFailure, RawRetry, RawRollout, RawThen};
use crate::source::raw::{OneOrMany, Word};

impl Lowering<'_> {
    pub(super) fn rollout(&self, raw: &RawRollout, name: &str) -> Rollout {
        let (canary, canary_count) = match &raw.canary {
            None => (None, None),
            Some(word) => self.canary(word),
        };
        let batch = raw.batch.as_ref().filter(|word| {
            let fine = word.text == "all"
                || word.text.contains("${{")
                || word.text.parse::<u32>().is_ok_and(|count| count > 0);
            if !fine {
                let found = self.cx.error(
                    "wrong-type",
                    &word.span,
                    format!("expected a number of hosts or `all`, found `{}`", word.text),
                );
                self.cx.report(found);
            }
            fine
        });
        Rollout {
            canary,
            canary_count,
            batch: self.cx.maybe_template(batch),
            pause: self.cx.maybe_template(raw.pause.as_ref().map(|text| &text.0)),
            max_failures: self.cx.maybe_template(raw.max_failures.as_ref().map(|text| &text.0)),
            min_healthy: raw.min_healthy.as_ref().and_then(|raw| self.min_healthy(raw, name)),
            declared: true,
        }
    }

    fn canary(&self, word: &Word) -> (Option<HostPattern>, Option<crate::model::Template>) {
        // a lone interpolation may give either; a number is what it is most often
        let count = word.text.bytes().all(|b| b.is_ascii_digit()) || word.text.trim_start().starts_with("${{");
        if word.text == "0" {
            let found = self.cx.error("wrong-type", &word.span, "a canary of no hosts");
            self.cx.report(found.help("take `canary` out, or write `1`"));
            return (None, None);
        }
        if count {
            return (None, self.cx.template(word));
        }
        let words = OneOrMany { items: vec![word.clone()], listed: false, span: word.span.clone() };
        (self.cx.hosts(&words), None)
    }

    fn min_healthy(&self, raw: &RawMinHealthy, name: &str) -> Option<MinHealthy> {
        let count = self.cx.template(&raw.count.0);
        let probe = self.subject(&raw.subject, &raw.place, "`min_healthy`", &format!("{name}min_healthy"));
        let expectation = self.expectation(&raw.expectation, &raw.place, "`min_healthy`");
        let (probe, expectation) = (probe?, expectation?);
        if let (true, Some(span)) = (expectation.over_all, raw.place.key("over")) {
            let found =
                self.cx.error("misplaced-key", span, "`over: all` has no meaning here: each host is healthy or not");
            self.cx.report(found);
        }
        let says = spoken(&probe, &expectation);
        let location = self.cx.location(&raw.place.head());
        Some(MinHealthy { count: count?, check: Check { says, probe, expectation, within: None, location } })
    }

    pub(super) fn retry(&self, raw: &RawRetry) -> Retry {
        if raw.attempts.number == 0 {
            let found = self.cx.error("wrong-type", &raw.attempts.span, "no attempt at all");
            self.cx.report(found.help("`attempts` counts all tries: 2 is one repetition"));
        }
        let delay = raw.delay.as_ref().map(|length| length.period).unwrap_or_default();
        Retry { attempts: raw.attempts.number.max(1), delay }
    }

    pub(super) fn on_failure(&self, raw: &RawOnFailure) -> OnFailure {
        OnFailure {
            collect: raw.collect.iter().filter_map(|raw| self.command(raw)).collect(),
            then: match raw.then {
                Some(RawThen::Stop) => Then::Stop,
                Some(RawThen::Continue) => Then::Continue,
                Some(RawThen::Ask) | None => Then::Ask,
            },
        }
    }
}
