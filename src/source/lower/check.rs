//! Checks, preconditions, warnings.

use std::sync::Arc;

use super::Lowering;
use super::probe::{LOOK_DETAILS, LOOKS};
use crate::model::{
    Acknowledgement, Check, Expectation, Precondition, Probe, Quantifier, Recheck, Warning, WarningWhen,
};
use crate::source::decode::Place;
use crate::source::raw::Flag;
use crate::source::raw::check::{
    RawCheck, RawExpectation, RawOver, RawOverride, RawPrecondition, RawRecheck, RawSubject, RawWarning,
};

/// The keys that say what must be true.
pub(super) const EXPECTATIONS: &[&str] = &["expect", "every", "none"];

impl Lowering<'_> {
    /// What a check looks at: a named probe, or one in place, named `name`.
    pub(super) fn subject(&self, raw: &RawSubject, place: &Place, what: &str, name: &str) -> Option<Arc<Probe>> {
        if place.key("probe").is_some() {
            self.refuse(place, LOOK_DETAILS, "beside `probe`", "it belongs to the probe: write it there");
            return raw.probe.as_ref().and_then(|probe| self.probe_ref(probe, name));
        }
        if place.present(LOOKS).is_empty() {
            let found = self.cx.error("missing-key", &place.head(), format!("{what} needs something to look at"));
            self.cx.report(found.help("write `probe: NAME`, or `run:`, `tcp:`, `http:` in its place"));
            return None;
        }
        self.look(name, String::new(), &raw.look, place)
    }

    /// What must be true.
    pub(super) fn expectation(&self, raw: &RawExpectation, place: &Place, what: &str) -> Option<Expectation> {
        let (quantifier, expression) = match self.one_of(place, EXPECTATIONS, what)? {
            "expect" => (Quantifier::Expect, raw.expect.as_ref()?),
            "every" => (Quantifier::Every, raw.every.as_ref()?),
            _ => (Quantifier::None, raw.none.as_ref()?),
        };
        let expression = self.cx.expression(expression)?;
        Some(Expectation { quantifier, expression, over_all: matches!(raw.over, Some(RawOver::All)) })
    }

    /// A check; `name` says where it stands.
    pub(super) fn check(&self, raw: &RawCheck, what: &str, name: &str) -> Option<Check> {
        let probe = self.subject(&raw.subject, &raw.place, what, name);
        let expectation = self.expectation(&raw.expectation, &raw.place, what);
        let (probe, expectation) = (probe?, expectation?);
        let says = match &raw.says {
            Some(prose) => prose.0.text.trim().to_owned(),
            None => spoken(&probe, &expectation),
        };
        Some(Check {
            says,
            probe,
            expectation,
            within: raw.within.as_ref().map(|length| length.period),
            location: self.cx.location(&raw.place.head()),
        })
    }

    /// Checks in order.
    pub(super) fn checks(&self, raw: &[RawCheck], name: &str) -> Vec<Check> {
        let named = raw.iter().enumerate();
        named.filter_map(|(index, raw)| self.check(raw, "a check", &format!("{name}check {}", index + 1))).collect()
    }

    /// Preconditions in order, their ids unique.
    pub(super) fn preconditions(&self, raw: &[RawPrecondition], name: &str) -> Vec<Precondition> {
        self.unique("preconditions", raw.iter().map(|raw| (raw.id.0.text.as_str(), &raw.id.0.span)));
        raw.iter().filter_map(|raw| self.precondition(raw, name)).collect()
    }

    fn precondition(&self, raw: &RawPrecondition, name: &str) -> Option<Precondition> {
        let id = raw.id.0.text.clone();
        let what = "a precondition";
        let probe = self.subject(&raw.subject, &raw.place, what, &format!("{name}{id}"));
        let expectation = self.expectation(&raw.expectation, &raw.place, what);
        Some(Precondition {
            check: Check {
                says: raw.says.0.text.trim().to_owned(),
                probe: probe?,
                expectation: expectation?,
                within: raw.within.as_ref().map(|length| length.period),
                location: self.cx.location(&raw.place.head()),
            },
            id,
            otherwise: raw.otherwise.as_ref().map(|prose| prose.0.text.trim().to_owned()),
            recheck: match raw.recheck {
                Some(RawRecheck::Batch) => Recheck::Batch,
                Some(RawRecheck::Start) | None => Recheck::Start,
            },
            overridable: matches!(raw.r#override, Some(RawOverride::Allowed)),
        })
    }

    /// Warnings in order, their ids unique.
    pub(super) fn warnings(&self, raw: &[RawWarning], name: &str) -> Vec<Warning> {
        self.unique("warnings", raw.iter().map(|raw| (raw.id.0.text.as_str(), &raw.id.0.span)));
        raw.iter().filter_map(|raw| self.warning(raw, name)).collect()
    }

    fn warning(&self, raw: &RawWarning, name: &str) -> Option<Warning> {
        let id = raw.id.0.text.clone();
        let place = &raw.place;
        let says = self.cx.template(&raw.says.0);
        let acknowledgement = match (&raw.confirm, &raw.r#type) {
            (_, Some(word)) => {
                if let (Some(Flag(true)), Some(span)) = (raw.confirm, place.key("confirm")) {
                    self.cx.fault("exclusive-keys", span, "a warning has both `confirm` and `type`: typing confirms");
                }
                self.cx.template(word).map(Acknowledgement::Type)
            }
            (Some(flag), None) if flag.0 => Some(Acknowledgement::Confirm),
            (Some(_) | None, None) => Some(Acknowledgement::None),
        };
        let probed = place.key("probe").is_some() || !place.present(LOOKS).is_empty();
        let expected = !place.present(EXPECTATIONS).is_empty();
        let when = match (&raw.r#if, probed) {
            (Some(_), true) => {
                if let Some(span) = place.key("if") {
                    let found = self.cx.error("exclusive-keys", span, "a warning has both `if` and a probe");
                    self.cx.report(found.help("leave one of them"));
                }
                None
            }
            (Some(expr), false) => self.cx.expression(expr).map(WarningWhen::If),
            (None, false) => {
                if expected {
                    self.refuse(place, EXPECTATIONS, "without a probe", "write `probe: NAME`, or `if:`");
                }
                self.refuse(place, LOOK_DETAILS, "without a probe", "");
                Some(WarningWhen::Always)
            }
            (None, true) => {
                let probe = self.subject(&raw.subject, place, "a warning", &format!("{name}{id}"));
                let expectation = self.expectation(&raw.expectation, place, "a warning with a probe");
                probe.zip(expectation).map(|(probe, expectation)| {
                    let says = spoken(&probe, &expectation);
                    let location = self.cx.location(&place.head());
                    WarningWhen::Probe(Box::new(Check { says, probe, expectation, within: None, location }))
                })
            }
        };
        Some(Warning {
            id,
            says: says?,
            acknowledgement: acknowledgement?,
            when: when?,
            location: self.cx.location(&place.head()),
        })
    }
}

/// What a check demands when its author does not say: `importers: every state == "bored"`.
pub(super) fn spoken(probe: &Probe, expectation: &Expectation) -> String {
    let how = match expectation.quantifier {
        Quantifier::Expect => "",
        Quantifier::Every => "every ",
        Quantifier::None => "none ",
    };
    format!("{}: {how}{}", probe.name, expectation.expression.source().trim())
}
