//! Steps.

use super::Lowering;
use super::check::EXPECTATIONS;
use super::command::PROGRAMS;
use super::words::is_user;
use crate::model::{Action, CommandSpec, Rollout, Step, StepKind};
use crate::source::raw::scalar::is_variable;
use crate::source::raw::step::{RawCopy, RawStep};

/// The keys that say what a step does.
const KINDS: &[&str] = &["run", "command", "script", "copy", "http", "manual", "wait", "runbook", "probe", "steps"];

impl Lowering<'_> {
    /// Steps in order. `outer` is the id of the block they stand in.
    pub(super) fn steps(&self, raw: &[RawStep], outer: Option<&str>) -> Vec<Step> {
        raw.iter().filter_map(|raw| self.step(raw, outer)).collect()
    }

    fn step(&self, raw: &RawStep, outer: Option<&str>) -> Option<Step> {
        let id = raw.id.0.text.clone();
        let place = &raw.place;
        let name = format!("{id}/");
        if outer.is_some() {
            let help = "the block's hosts and rollout hold for all its steps";
            self.refuse(place, &["hosts", "rollout"], "inside a block", help);
            self.refuse(place, &["steps", "runbook"], "inside a block", "a block holds plain steps and probes");
        }
        let mut capture = Vec::new();
        for entry in &raw.capture.entries {
            let expression = entry.value.as_ref().and_then(|expr| self.cx.expression(expr));
            if is_variable(&entry.name, "a captured value", &entry.span, self.cx) {
                capture.extend(expression.map(|expression| (entry.name.clone(), expression)));
            }
        }
        let key = self.one_of(place, KINDS, "a step");
        if let Some(key) = key {
            self.misplaced(raw, key);
        }
        let kind = key.and_then(|key| self.kind(raw, key, &name));
        let step = Step {
            name: raw.name.as_ref().map_or_else(|| id.clone(), |prose| prose.0.text.trim().to_owned()),
            says: raw.says.as_ref().map(|prose| prose.0.text.trim().to_owned()),
            hosts: raw.hosts.as_ref().and_then(|words| self.cx.hosts(words)),
            once: raw.once.is_some_and(|flag| flag.0),
            condition: raw.r#if.as_ref().and_then(|expr| self.cx.expression(expr)),
            skip_if: raw.skip_if.as_ref().and_then(|check| self.check(check, "`skip_if`", &format!("{name}skip_if"))),
            preconditions: self.preconditions(&raw.preconditions, &name),
            warnings: self.warnings(&raw.warnings, &name),
            rollout: raw.rollout.as_ref().map_or_else(Rollout::default, |rollout| self.rollout(rollout, &name)),
            timeout: self.cx.maybe_template(raw.timeout.as_ref().map(|text| &text.0)),
            retry: raw.retry.as_ref().map(|retry| self.retry(retry)),
            checks: self.checks(&raw.checks, &name),
            capture,
            on_failure: raw.on_failure.as_ref().map(|failure| self.on_failure(failure)).unwrap_or_default(),
            undo: raw.undo.as_ref().and_then(|command| self.command(command)),
            repeatable: raw.repeatable.is_some_and(|flag| flag.0),
            settle: raw.settle.as_ref().and_then(|check| self.check(check, "`settle`", &format!("{name}settle"))),
            sudo: raw.program.sudo.as_ref().and_then(|sudo| self.cx.sudo(sudo)),
            location: self.cx.location(&raw.id.0.span),
            kind: kind?,
            id,
        };
        Some(step)
    }

    fn kind(&self, raw: &RawStep, key: &str, name: &str) -> Option<StepKind> {
        let action = match key {
            "copy" => self.copy(raw.copy.as_ref()?)?,
            "http" => Action::Http(self.http(raw.http.as_ref()?, "POST")?),
            "manual" => Action::Manual { says: self.cx.template(&raw.manual.as_ref()?.0)? },
            "wait" => Action::Wait { length: self.cx.template(&raw.wait.as_ref()?.0)? },
            "probe" => {
                let probe = self.probe_ref(raw.probe.as_ref()?, &raw.id.0.text);
                let gate = !raw.place.present(EXPECTATIONS).is_empty();
                let expectation = gate.then(|| self.expectation(&raw.expectation, &raw.place, "a probe step"));
                if !gate {
                    self.refuse(&raw.place, &["over", "within"], "without `expect`, `every` or `none`", "");
                }
                return Some(StepKind::Probe {
                    probe: probe?,
                    expectation: match expectation {
                        Some(read) => Some(read?),
                        None => None,
                    },
                    within: raw.within.as_ref().map(|length| length.period),
                });
            }
            "steps" => {
                if raw.steps.is_empty() {
                    if let Some(span) = raw.place.key("steps") {
                        self.cx.fault("no-value", span, "the block has no steps");
                    }
                    return None;
                }
                return Some(StepKind::Block(self.steps(&raw.steps, Some(name))));
            }
            "runbook" => return self.included(raw.runbook.as_ref()?),
            _ => {
                // sudo stands on the step, where it holds for a copy too
                let spec = self.program(&raw.program, key, &raw.place)?;
                Action::Command(CommandSpec { sudo: None, ..spec })
            }
        };
        Some(StepKind::Action(Box::new(action)))
    }

    fn copy(&self, raw: &RawCopy) -> Option<Action> {
        if let Some(word) = &raw.mode {
            let octal = (3..=4).contains(&word.text.len()) && word.text.bytes().all(|b| (b'0'..=b'7').contains(&b));
            if !octal {
                let found = self.cx.error("bad-mode", &word.span, format!("`{}` is no file mode", word.text));
                self.cx.report(found.help("write octal digits: `0644`"));
            }
        }
        if let Some(word) = &raw.owner {
            let (user, group) = word.text.split_once(':').unwrap_or((&word.text, "x"));
            if !is_user(user) || !is_user(group) {
                let found = self.cx.error("bad-name", &word.span, format!("`{}` is no owner", word.text));
                self.cx.report(found.help("write `user` or `user:group`"));
            }
        }
        if !raw.dest.text.starts_with('/') && !raw.dest.text.starts_with("${{") {
            let found = self.cx.error("bad-path", &raw.dest.span, "the path on the host must begin with `/`");
            self.cx.report(found);
        }
        let file = self.files.copy(&raw.src, self.cx);
        let dest = self.cx.template(&raw.dest);
        Some(Action::Copy {
            file: file?,
            dest: dest?,
            mode: raw.mode.as_ref().map(|word| word.text.clone()),
            owner: raw.owner.as_ref().map(|word| word.text.clone()),
        })
    }

    /// Reports keys that mean nothing for this kind of step: a key that is silently without effect misleads at 3 a.m.
    fn misplaced(&self, raw: &RawStep, key: &'static str) {
        let beside = format!("in a step with `{key}`");
        let refuse = |names: &[&'static str], help: &str| self.refuse(&raw.place, names, &beside, help);
        if !PROGRAMS.contains(&key) {
            refuse(&["stdin", "env"], "");
        }
        if key != "probe" {
            refuse(&["expect", "every", "none", "over", "within"], "write it under `checks:`, with a probe");
        }
        match key {
            "manual" | "wait" => refuse(&["sudo", "timeout", "retry", "settle"], ""),
            "probe" => {
                refuse(&["sudo", "timeout"], "it belongs to the probe: write it there");
                refuse(&["retry"], "write `within:`");
                refuse(&["undo", "settle", "repeatable"], "a probe changes nothing");
            }
            "steps" => {
                refuse(&["timeout", "retry", "capture", "undo", "settle", "repeatable"], "write it on the inner steps");
            }
            "runbook" => refuse(
                &[
                    "hosts",
                    "once",
                    "skip_if",
                    "preconditions",
                    "warnings",
                    "rollout",
                    "timeout",
                    "retry",
                    "checks",
                    "capture",
                    "on_failure",
                    "undo",
                    "repeatable",
                    "settle",
                    "sudo",
                ],
                "the runbook keeps its own",
            ),
            _ => {}
        }
    }
}
