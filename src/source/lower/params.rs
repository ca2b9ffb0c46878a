//! Parameters, and what an included runbook's are bound to.

use std::sync::Arc;

use super::{Include, Lowering};
use crate::model::{Param, ParamType, Runbook, StepKind};
use crate::source::diagnostic::Diagnostic;
use crate::source::raw::runbook::{RawParam, RawParamType};
use crate::source::raw::scalar::is_variable;
use crate::source::raw::step::RawInclude;
use crate::source::raw::{Named, NamedEntry};
use crate::source::text::Span;

impl Lowering<'_> {
    /// Parameters in order. One that could not be read is a text, so that its uses are not reported too.
    pub(super) fn params(&self, raw: &Named<RawParam>) -> Vec<Param> {
        let mut positions: Vec<(u32, Span)> = Vec::new();
        let params = raw.entries.iter().map(|entry| {
            is_variable(&entry.name, "a parameter", &entry.span, self.cx);
            if let Some(position) = entry.value.as_ref().and_then(|param| param.position.as_ref()) {
                positions.push((position.number, position.span.clone()));
            }
            self.param(entry)
        });
        let params = params.collect();
        self.positions(positions);
        params
    }

    fn param(&self, entry: &NamedEntry<RawParam>) -> Param {
        let location = self.cx.location(&entry.span);
        let name = entry.name.clone();
        let Some(raw) = &entry.value else {
            return Param {
                name,
                kind: ParamType::String,
                default: None,
                position: None,
                help: String::new(),
                location,
            };
        };
        let kind = match raw.r#type {
            None | Some(RawParamType::String) => ParamType::String,
            Some(RawParamType::Integer) => ParamType::Integer,
            Some(RawParamType::Number) => ParamType::Number,
            Some(RawParamType::Boolean) => ParamType::Boolean,
            Some(RawParamType::Duration) => ParamType::Duration,
            Some(RawParamType::Host) => ParamType::Host,
            Some(RawParamType::Secret) => ParamType::Secret,
            Some(RawParamType::Enum) => {
                if raw.values.is_empty() && raw.place.key("values").is_none() {
                    self.cx.fault("missing-key", &entry.span, "an enum needs its `values`");
                }
                ParamType::Enum(raw.values.iter().map(|word| word.text.clone()).collect())
            }
        };
        if !matches!(kind, ParamType::Enum(_)) {
            self.refuse(&raw.place, &["values"], "here", "write `type: enum`");
        }
        self.unique("values", raw.values.iter().map(|word| (word.text.as_str(), &word.span)));
        if let Some(word) = &raw.default {
            if kind == ParamType::Secret {
                if Param::variable_in(&word.text).is_none() {
                    let found = self.cx.error("secret-default", &word.span, "a secret cannot stand in a file");
                    self.cx.report(found.help(
                        "name a variable of the operator's environment, `default: env:VARIABLE`, or take `default` out: then it \
                         is asked for",
                    ));
                }
            } else if let Err(why) = kind.read(&word.text)
                && (raw.place.key("type").is_none() || raw.r#type.is_some())
            {
                let message = format!("the default does not fit the type `{}`: {why}", kind.word());
                self.cx.fault("bad-default", &word.span, message);
            }
        }
        let default = raw.default.as_ref().map(|word| word.text.clone());
        let position = raw.position.as_ref().map(|position| position.number);
        let help = raw.help.as_ref().map(|prose| prose.0.text.trim().to_owned()).unwrap_or_default();
        Param { name, kind, default, position, help, location }
    }

    fn positions(&self, mut positions: Vec<(u32, Span)>) {
        positions.sort_by_key(|(number, span)| (*number, span.start));
        for (index, (number, span)) in positions.iter().enumerate() {
            let due = index + 1;
            if *number as usize != due {
                let found =
                    self.cx.error("bad-position", span, format!("the position {number} leaves a gap or stands twice"));
                self.cx.report(found.help(format!("positions count 1, 2, 3 …: this one would be {due}")));
                return;
            }
        }
    }

    /// Another runbook in a step's place.
    pub(super) fn included(&self, raw: &RawInclude) -> Option<StepKind> {
        let word = &raw.spec.name;
        let name = word.text.clone();
        let with: Vec<_> = raw
            .spec
            .with
            .entries
            .iter()
            .filter_map(|entry| Some((entry.name.clone(), self.cx.template(entry.value.as_ref()?)?)))
            .collect();
        let runbook = match (self.include)(&name) {
            Include::Found(runbook) => runbook,
            Include::Cycle(path) => {
                let found = self.cx.error(
                    "cycle",
                    &word.span,
                    format!("runbooks run each other in a circle: {}", path.join(" -> ")),
                );
                self.cx.report(found.help("take one of them out, or move what both need into a third"));
                return None;
            }
            Include::Unknown { why, help } => {
                self.cx.report(self.cx.error("unknown-runbook", &word.span, why).maybe_help(help));
                return None;
            }
            Include::Broken(faults) => {
                self.cx.fault("broken-runbook", &word.span, format!("the runbook `{name}` has faults of its own"));
                faults.into_iter().for_each(|fault| self.cx.report(fault));
                return None;
            }
        };
        self.bound(raw, &runbook);
        Some(StepKind::Runbook { name, with, runbook })
    }

    fn bound(&self, raw: &RawInclude, runbook: &Arc<Runbook>) {
        let known: Vec<&str> = runbook.params.iter().map(|param| param.name.as_str()).collect();
        for entry in &raw.spec.with.entries {
            let Some(param) = runbook.params.iter().find(|param| param.name == entry.name) else {
                let message = format!("the runbook `{}` has no parameter `{}`", runbook.name, entry.name);
                let mut found = self.cx.error("unknown-param", &entry.span, message);
                if !known.is_empty() {
                    found = found.help(format!("it has: {}", known.join(", ")));
                }
                self.cx.report(found.did_you_mean(&entry.name, &known));
                continue;
            };
            let Some(word) = entry.value.as_ref().filter(|word| !word.text.contains("${{")) else { continue };
            if param.kind == ParamType::Secret {
                let found = self.cx.error("secret-default", &word.span, "a secret cannot stand in a file");
                self.cx.report(found.help("pass on a secret of your own: `\"${{ params.NAME }}\"`"));
            } else if let Err(why) = param.kind.read(&word.text) {
                let message =
                    format!("the value does not fit the type `{}` of `{}`: {why}", param.kind.word(), param.name);
                self.cx.fault("bad-value", &word.span, message);
            }
        }
        // what stands in the environment is the operator's to give, not another runbook's
        for param in runbook.params.iter().filter(|param| param.default.is_none() || param.kind == ParamType::Secret) {
            if !raw.spec.with.entries.iter().any(|entry| entry.name == param.name) {
                let message = format!("the runbook `{}` needs the parameter `{}`", runbook.name, param.name);
                let found = Diagnostic::error("missing-param", message)
                    .at(self.cx.source(), raw.spec.name.span.clone(), "")
                    .help(format!("write `runbook: {{ name: {}, with: {{ {}: … }} }}`", runbook.name, param.name));
                self.cx.report(found);
            }
        }
    }
}
