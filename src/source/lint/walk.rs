//! One walk over a runbook, with what is in scope at every place.

use std::sync::Arc;

use super::scope::{Earlier, Observed, Seen};
use super::{Linter, Slot};
use crate::model::{
    Acknowledgement, Action, Check, CommandSpec, Expectation, HttpSpec, LookSpec, ParamType, Probe, ProgramSpec,
    Quantifier, Rollout, Step, StepKind, Template, Warning, WarningWhen,
};
use crate::source::diagnostic::Severity;
use crate::vocab::HostName;

type Hosts = Option<Arc<Vec<HostName>>>;

impl Linter<'_> {
    /// The whole runbook.
    pub(super) fn runbook(&mut self) {
        let runbook = self.subject.runbook;
        let hosts = runbook.hosts.as_ref().and_then(|pattern| self.pattern(pattern));
        self.host_params();
        for precondition in &runbook.preconditions {
            self.homeless(&precondition.check, "the precondition");
            self.check(&precondition.check, &hosts, &[], false);
        }
        self.warnings(&runbook.warnings, &hosts, &[]);
        let mut earlier = Vec::new();
        for step in &runbook.steps {
            self.step(step, &hosts, &mut earlier, false);
        }
        for check in &runbook.checks {
            self.homeless(check, "the check");
            self.check(check, &hosts, &earlier, false);
        }
    }

    fn step(&mut self, step: &Step, around: &Hosts, earlier: &mut Vec<Earlier>, inner: bool) {
        let runbook = self.subject.runbook;
        let once = step.once || matches!(&step.kind, StepKind::Action(action) if action.is_once());
        let own = step.hosts.as_ref().map(|pattern| self.pattern(pattern));
        let on = match own {
            Some(own) => own,
            None if once => Some(Arc::new(vec![HostName::here()])),
            None => around.clone(),
        };
        let needs_hosts = match &step.kind {
            StepKind::Action(_) | StepKind::Block(_) => !once,
            StepKind::Probe { probe, .. } => !once && probe.hosts.is_none(),
            StepKind::Runbook { .. } => false,
        };
        if needs_hosts && !inner && step.hosts.is_none() && runbook.hosts.is_none() {
            let message = format!("the step `{}` has no hosts to run on", step.id);
            let found = self.at(Severity::Error, "no-hosts", &step.location, message);
            self.out.push(
                found.help("write `hosts:` on the step or on the runbook, or `once: true` for the operator's machine"),
            );
        }
        if once && step.hosts.is_none() && step.rollout.declared {
            let found = self.at(
                Severity::Warning,
                "no-effect",
                &step.location,
                "a rollout has no effect on a step that runs once",
            );
            self.out.push(found.help("name `hosts:`, or take `rollout:` out"));
        }
        let here = Seen { host: true, on: on.clone(), steps: Some(earlier.clone()), observed: None };
        let once_seen = Seen { host: false, on: None, ..here.clone() };
        if let Some(condition) = &step.condition {
            self.expression(condition, &here);
        }
        self.rollout(&step.rollout, &on, earlier, &once_seen);
        self.maybe(step.timeout.as_ref(), Slot::Text, &here);
        for check in step.preconditions.iter().map(|precondition| &precondition.check).chain(&step.skip_if) {
            self.check(check, &on, earlier, false);
        }
        self.warnings(&step.warnings, &on, earlier);
        let mut captures = None;
        match &step.kind {
            StepKind::Action(action) => {
                self.action(action, &here);
                captures = Some(Observed::of_action(action));
            }
            StepKind::Probe { probe, expectation, .. } => {
                self.probe(probe, &on, earlier);
                if let Some(expectation) = expectation {
                    self.expectation(expectation, probe, &on, earlier, false);
                }
                captures = Some(Observed::of(probe));
            }
            StepKind::Block(steps) => {
                for inner in steps {
                    self.step(inner, &on, earlier, true);
                }
            }
            StepKind::Runbook { name, with, runbook: included } => {
                let seen = Seen::default();
                for (param, template) in with {
                    let secret =
                        included.params.iter().any(|known| known.name == *param && known.kind == ParamType::Secret);
                    self.template(template, if secret { Slot::Secret } else { Slot::Text }, &seen);
                }
                let _ = name;
                for inner in &included.steps {
                    earlier.push(left_by(inner, Some(&step.id)));
                }
            }
        }
        let seen = Seen { observed: captures, ..here.clone() };
        for (_, expression) in &step.capture {
            self.expression(expression, &seen);
        }
        let before = matches!(step.kind, StepKind::Action(_) | StepKind::Block(_));
        earlier.push(left_by(step, None));
        for check in &step.checks {
            self.check(check, &on, earlier, before);
        }
        if let Some(settle) = &step.settle {
            self.check(settle, &on, earlier, false);
            if step.repeatable {
                let message = "`settle` is never asked: a repeatable step is run again when it is in doubt";
                let found = self.at(Severity::Warning, "no-effect", &settle.location, message);
                self.out.push(found.help("take out `settle` or `repeatable`"));
            }
        }
        for command in step.on_failure.collect.iter().chain(&step.undo) {
            self.command(command, &here);
        }
    }

    fn rollout(&mut self, rollout: &Rollout, on: &Hosts, earlier: &[Earlier], seen: &Seen) {
        if let Some(canary) = &rollout.canary {
            self.pattern(canary);
        }
        let texts = [&rollout.canary_count, &rollout.batch, &rollout.pause, &rollout.max_failures];
        for text in texts.into_iter().flatten() {
            self.template(text, Slot::Text, seen);
        }
        if let Some(floor) = &rollout.min_healthy {
            self.template(&floor.count, Slot::Text, seen);
            self.check(&floor.check, on, earlier, false);
            let count = floor.count.source().trim().parse::<usize>().ok();
            if let (Some(count), Some(on)) = (count, on)
                && count >= on.len()
            {
                let message =
                    format!("{count} healthy hosts outside a batch are never there: the step has {}", on.len());
                let found = self.at(Severity::Error, "min-healthy", floor.count.location(), message);
                self.out.push(found.help("lower `count`"));
            }
        }
    }

    fn action(&mut self, action: &Action, seen: &Seen) {
        match action {
            Action::Command(command) => self.command(command, seen),
            Action::Copy { dest, .. } => self.template(dest, Slot::Text, seen),
            Action::Http(http) => self.http(http, seen),
            Action::Manual { says } => self.template(says, Slot::Text, seen),
            Action::Wait { length } => self.template(length, Slot::Text, seen),
        }
    }

    fn command(&mut self, command: &CommandSpec, seen: &Seen) {
        match &command.program {
            ProgramSpec::Shell(text) => self.template(text, Slot::Shell, seen),
            ProgramSpec::Command(text) => self.template(text, Slot::Command, seen),
            ProgramSpec::Argv(words) | ProgramSpec::Script { args: words, .. } => self.texts(words, seen),
        }
        self.maybe(command.stdin.as_ref(), Slot::Secret, seen);
        for (_, value) in &command.env {
            self.template(value, Slot::Secret, seen);
        }
    }

    fn texts(&mut self, words: &[Template], seen: &Seen) {
        for word in words {
            self.template(word, Slot::Text, seen);
        }
    }

    fn http(&mut self, http: &HttpSpec, seen: &Seen) {
        self.template(&http.url, Slot::Text, seen);
        for value in http.headers.iter().map(|(_, value)| value).chain(&http.body) {
            self.template(value, Slot::Secret, seen);
        }
    }

    /// A probe in its surroundings; gives the hosts it looks at.
    fn probe(&mut self, probe: &Probe, on: &Hosts, earlier: &[Earlier]) -> Hosts {
        self.used.insert(probe.location.clone());
        let on = self.probed(probe, on.as_ref());
        let seen = Seen { host: true, on: on.clone(), steps: Some(earlier.to_vec()), observed: None };
        match &probe.look {
            LookSpec::Run(command) => self.command(command, &seen),
            LookSpec::Http(http) => self.http(http, &seen),
            LookSpec::Tcp(tcp) => {
                self.template(&tcp.port, Slot::Text, &seen);
                for text in [&tcp.to, &tcp.send, &tcp.until] {
                    self.maybe(text.as_ref(), Slot::Text, &seen);
                }
            }
        }
        on
    }

    fn expectation(&mut self, expectation: &Expectation, probe: &Probe, on: &Hosts, earlier: &[Earlier], before: bool) {
        let mut observed = Observed::of(probe).expected(expectation.quantifier, expectation.over_all);
        observed.before = before && !expectation.over_all;
        if !observed.has_rows() && (observed.in_row || expectation.over_all) {
            let what = match (expectation.over_all, expectation.quantifier) {
                (true, _) => "`over: all`",
                (false, Quantifier::Every) => "`every`",
                (false, Quantifier::Expect | Quantifier::None) => "`none`",
            };
            let message = format!("{what} needs rows, and the probe `{}` gives none", probe.name);
            let found = self.at(Severity::Error, "no-rows", expectation.expression.location(), message);
            self.out.push(found.help("give the probe `parse:`, or write `expect:`"));
            return;
        }
        let host = !expectation.over_all;
        let seen =
            Seen { host, on: on.clone().filter(|_| host), steps: Some(earlier.to_vec()), observed: Some(observed) };
        self.expression(&expectation.expression, &seen);
    }

    fn check(&mut self, check: &Check, on: &Hosts, earlier: &[Earlier], before: bool) {
        let on = self.probe(&check.probe, on, earlier);
        self.expectation(&check.expectation, &check.probe, &on, earlier, before);
    }

    fn warnings(&mut self, warnings: &[Warning], on: &Hosts, earlier: &[Earlier]) {
        for warning in warnings {
            let mut seen = Seen { host: false, on: None, steps: Some(earlier.to_vec()), observed: None };
            match &warning.when {
                WarningWhen::Always => {}
                WarningWhen::If(expression) => self.expression(expression, &seen),
                WarningWhen::Probe(check) => {
                    self.check(check, on, earlier, false);
                    seen.observed = Some(Observed::of(&check.probe));
                }
            }
            self.template(&warning.says, Slot::Text, &seen);
            if let Acknowledgement::Type(text) = &warning.acknowledgement {
                self.template(text, Slot::Text, &seen);
            }
        }
    }

    /// A check of the whole runbook that looks at no host.
    fn homeless(&mut self, check: &Check, what: &str) {
        let remote = matches!(check.probe.look, LookSpec::Run(_));
        if remote && check.probe.hosts.is_none() && self.subject.runbook.hosts.is_none() {
            let message = format!("{what} looks at no host");
            let found = self.at(Severity::Error, "no-hosts", &check.location, message);
            self.out.push(
                found.help("write `hosts:` on the probe or on the runbook; `hosts: here` is the operator's machine"),
            );
        }
    }
}

fn left_by(step: &Step, outer: Option<&str>) -> Earlier {
    Earlier {
        id: outer.map_or_else(|| step.id.clone(), |outer| format!("{outer}/{}", step.id)),
        captured: step.capture.iter().map(|(name, _)| name.clone()).collect(),
    }
}
