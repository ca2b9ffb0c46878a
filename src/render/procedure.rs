//! The whole procedure by hand: what a run would do, in its order, as prose and commands.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::demand;
use super::document::{Block, Inline, hosts_in_words};
use super::inside::{Inside, placeholder};
use super::pace::pace;
use super::typed;
use crate::model::{
    Action, Check, Expectation, HostPattern, Precondition, Probe, Recheck, Runbook, Step, StepKind, Sudo, Template,
    Then,
};
use crate::vocab::{HostName, Period};

/// A procedure on its page.
pub(super) struct Procedure<'a> {
    /// The page's own runbook: its name in prose is no link.
    on: &'a str,
    /// Probes whose output was explained.
    explained: RefCell<BTreeSet<String>>,
    /// The look above, as long as nothing was done since: what is demanded of the same is not looked at again.
    above: RefCell<Vec<Block>>,
}

/// A step where it stands: its number, and what the blocks around it hand down.
struct Standing {
    number: String,
    hosts: Option<Vec<HostName>>,
    sudo: Option<Sudo>,
    level: u8,
}

impl<'a> Procedure<'a> {
    pub(super) fn new(on: &'a str) -> Self {
        Self { on, explained: RefCell::default(), above: RefCell::default() }
    }

    fn line(&self, inside: &Inside<'_>, text: &str) -> Vec<Inline> {
        inside.edition.line(text, self.on)
    }

    fn says(&self, inside: &Inside<'_>, text: &str) -> Vec<Block> {
        inside.edition.blocks(text, self.on)
    }

    /// Preconditions, those of included runbooks with them.
    pub(super) fn preconditions(&self, inside: &Inside<'a>, out: &mut Vec<Block>) {
        for precondition in &inside.runbook.preconditions {
            let hosts = probe_hosts(inside, &precondition.check.probe, None);
            self.precondition(inside, precondition, inside.sudo.as_ref(), &hosts, out);
        }
        for step in &inside.runbook.steps {
            if let StepKind::Runbook { with, runbook, .. } = &step.kind {
                self.preconditions(&inside.included(runbook, with), out);
            }
        }
    }

    fn precondition(
        &self,
        inside: &Inside<'_>,
        precondition: &Precondition,
        sudo: Option<&Sudo>,
        hosts: &[HostName],
        out: &mut Vec<Block>,
    ) {
        self.check(inside, &precondition.check, sudo, hosts, out);
        let mut otherwise = vec![Inline::Strong(vec![Inline::text("If not:")]), Inline::text(" ")];
        match &precondition.otherwise {
            Some(text) => otherwise.extend(self.line(inside, text)),
            None => otherwise.push(Inline::text("Stop here.")),
        }
        if precondition.overridable {
            otherwise.push(Inline::text(" In an emergency you may go on against it; write down why. The tool takes "));
            otherwise.push(Inline::code(format!("--override {} --reason \"…\"", precondition.id)));
            otherwise.push(Inline::text("."));
        }
        if precondition.recheck == Recheck::Batch {
            otherwise.push(Inline::text(" Look again before each batch of hosts, and stop when it is no longer so."));
        }
        out.push(Block::Paragraph(otherwise));
    }

    fn check(&self, inside: &Inside<'_>, check: &Check, sudo: Option<&Sudo>, hosts: &[HostName], out: &mut Vec<Block>) {
        if let Some(says) = own_words(check) {
            out.push(Block::Paragraph(vec![Inline::Strong(self.line(inside, says))]));
        }
        self.look(inside, &check.probe, Some((&check.expectation, check.within)), sudo, hosts, out);
    }

    /// A look, and what is to be seen.
    fn look(
        &self,
        inside: &Inside<'_>,
        probe: &Probe,
        wanted: Option<(&Expectation, Option<Period>)>,
        sudo: Option<&Sudo>,
        hosts: &[HostName],
        out: &mut Vec<Block>,
    ) {
        let exit = wanted.is_some_and(|(expectation, _)| demand::asks_exit(expectation));
        let look = typed::look(inside, probe, sudo, hosts, exit);
        if *self.above.borrow() != look {
            out.extend(look.iter().cloned());
            *self.above.borrow_mut() = look;
        }
        if let Some((expectation, within)) = wanted {
            let again = !self.explained.borrow_mut().insert(probe.name.clone());
            out.push(Block::Paragraph(demand::demand(inside, probe, expectation, within, hosts, again)));
        }
    }

    /// Checks of the whole procedure.
    pub(super) fn checks(&self, inside: &Inside<'_>, out: &mut Vec<Block>) {
        self.above.borrow_mut().clear();
        for check in &inside.runbook.checks {
            let hosts = probe_hosts(inside, &check.probe, None);
            self.check(inside, check, inside.sudo.as_ref(), &hosts, out);
        }
    }

    /// The steps in order, each with a heading of its own.
    pub(super) fn steps(&self, inside: &Inside<'a>, prefix: &str, level: u8, out: &mut Vec<Block>) {
        for (index, step) in inside.runbook.steps.iter().enumerate() {
            let number = format!("{prefix}{}", index + 1);
            let standing = Standing { number, hosts: None, sudo: inside.sudo.clone(), level };
            self.step(inside, step, &standing, out);
        }
    }

    fn step(&self, inside: &Inside<'a>, step: &Step, standing: &Standing, out: &mut Vec<Block>) {
        let mut heading = vec![Inline::text(format!("{}. ", standing.number))];
        heading.extend(self.line(inside, &step.name));
        out.push(Block::Heading(standing.level, heading));
        self.above.borrow_mut().clear();
        if let Some(says) = &step.says {
            out.extend(self.says(inside, says));
        }
        if let Some(condition) = &step.condition {
            let mut words = vec![Inline::text("Only if ")];
            words.extend(demand::condition(inside, condition));
            out.push(Block::Paragraph(words));
        }
        if let StepKind::Runbook { name, with, runbook } = &step.kind {
            self.included(inside, step, name, with, runbook, standing, out);
            return;
        }
        let hosts = standing.hosts.clone().unwrap_or_else(|| hosts_of(inside, step));
        let sudo = step.sudo.clone().or_else(|| standing.sudo.clone());
        let block = matches!(step.kind, StepKind::Block(_));
        let changes = changes(step);
        // a single host stands above each command
        if standing.hosts.is_none() && hosts.len() > 1 && !is_said(step) {
            out.push(Block::Paragraph(vec![Inline::text(pace(inside, step, &hosts, changes, block))]));
        }
        self.around(inside, step, sudo.as_ref(), &hosts, out);
        match &step.kind {
            StepKind::Action(action) => self.action(inside, step, action, sudo.as_ref(), &hosts, out),
            StepKind::Probe { probe, expectation, within } => {
                let own = probe_hosts(inside, probe, Some(&hosts));
                if !probe.summary.is_empty() {
                    out.push(Block::Paragraph(self.line(inside, &probe.summary)));
                }
                let wanted = expectation.as_ref().map(|expectation| (expectation, *within));
                self.look(inside, probe, wanted, sudo.as_ref(), &own, out);
            }
            StepKind::Block(inner) => {
                if hosts.len() > 1 {
                    let text = "On each host go through all that follows, then begin with the next.";
                    out.push(Block::Paragraph(vec![Inline::text(text)]));
                }
                for (index, step) in inner.iter().enumerate() {
                    let number = format!("{}.{}", standing.number, index + 1);
                    let level = (standing.level + 1).min(3);
                    let inner = Standing { number, hosts: Some(hosts.clone()), sudo: sudo.clone(), level };
                    self.step(inside, step, &inner, out);
                }
            }
            StepKind::Runbook { .. } => {}
        }
        self.behind(inside, step, sudo.as_ref(), &hosts, out);
    }

    /// What stands before a step's action.
    fn around(&self, inside: &Inside<'_>, step: &Step, sudo: Option<&Sudo>, hosts: &[HostName], out: &mut Vec<Block>) {
        if let Some(floor) = &step.rollout.min_healthy {
            let mut words = vec![Inline::text(format!(
                "Begin with a host that is well only while at least {} of the others are. ",
                inside.text(&floor.count)
            ))];
            let check = &floor.check;
            words.extend(self.line(inside, own_words(check).unwrap_or(&check.probe.summary)));
            out.push(Block::Paragraph(words));
            let on = probe_hosts(inside, &check.probe, Some(hosts));
            self.look(inside, &check.probe, Some((&check.expectation, check.within)), sudo, &on, out);
        }
        if let Some(check) = &step.skip_if {
            out.push(Block::Paragraph(vec![Inline::text("Leave the step out on a host where this is so already:")]));
            self.check(inside, check, sudo, &probe_hosts(inside, &check.probe, Some(hosts)), out);
        }
        for precondition in &step.preconditions {
            let on = probe_hosts(inside, &precondition.check.probe, Some(hosts));
            self.precondition(inside, precondition, sudo, &on, out);
        }
        let mut noted: Vec<&str> = Vec::new();
        for check in step.checks.iter().filter(|check| demand::asks_before(&check.expectation)) {
            if !noted.contains(&&*check.probe.name) {
                noted.push(&check.probe.name);
                out.push(Block::Paragraph(vec![Inline::text("Look first, and keep what you see to compare with:")]));
                let on = probe_hosts(inside, &check.probe, Some(hosts));
                self.look(inside, &check.probe, None, sudo, &on, out);
            }
        }
    }

    fn action(
        &self,
        inside: &Inside<'_>,
        step: &Step,
        action: &Action,
        sudo: Option<&Sudo>,
        hosts: &[HostName],
        out: &mut Vec<Block>,
    ) {
        self.above.borrow_mut().clear();
        match action {
            Action::Manual { says } => out.extend(self.says(inside, &inside.text(says))),
            Action::Wait { length } => {
                out.push(Block::Paragraph(vec![Inline::text(format!("Wait {}.", inside.text(length)))]));
            }
            Action::Command(_) | Action::Copy { .. } => out.extend(typed::act(inside, action, sudo, hosts)),
            Action::Http(spec) => {
                out.extend(typed::act(inside, action, sudo, hosts));
                let well = match spec.statuses.as_slice() {
                    [] => "200 to 299".to_owned(),
                    statuses => statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(" or "),
                };
                out.push(Block::Paragraph(vec![Inline::text(format!("The HTTP status must be {well}."))]));
            }
        }
        let timeout = step.timeout.as_ref().map(|timeout| format!("It may take up to {}.", inside.text(timeout)));
        let retry = step
            .retry
            .as_ref()
            .filter(|retry| retry.attempts > 1)
            .map(|retry| format!("If it fails, try again after {}, {} times in all.", retry.delay, retry.attempts));
        let words: Vec<String> = [timeout, retry].into_iter().flatten().collect();
        if !words.is_empty() {
            out.push(Block::Paragraph(vec![Inline::text(words.join(" "))]));
        }
    }

    /// What stands behind a step's action: what becomes true, what is noted, what to do when it fails.
    fn behind(&self, inside: &Inside<'_>, step: &Step, sudo: Option<&Sudo>, hosts: &[HostName], out: &mut Vec<Block>) {
        if !step.checks.is_empty() {
            let looks = matches!(step.kind, StepKind::Probe { .. });
            let then = match (hosts.len() > 1 && changes(step), looks) {
                (true, _) => Some("Then, before the next host:"),
                (false, false) => Some("Then:"),
                (false, true) => None,
            };
            out.extend(then.map(|then| Block::Paragraph(vec![Inline::text(then)])));
        }
        for check in &step.checks {
            let on = probe_hosts(inside, &check.probe, Some(hosts));
            self.check(inside, check, sudo, &on, out);
        }
        for (name, expression) in &step.capture {
            out.push(Block::Paragraph(vec![
                Inline::text("Note for later: "),
                Inline::code(placeholder(name)),
                Inline::text(" is "),
                Inline::code(expression.source().trim()),
                Inline::text(" of what it told."),
            ]));
        }
        self.failure(inside, step, sudo, hosts, out);
        self.above.borrow_mut().clear();
    }

    fn failure(&self, inside: &Inside<'_>, step: &Step, sudo: Option<&Sudo>, hosts: &[HostName], out: &mut Vec<Block>) {
        let failure = &step.on_failure;
        if let Some(check) = &step.settle {
            out.push(Block::Paragraph(vec![Inline::text("If you do not know whether it took effect, this tells:")]));
            self.above.borrow_mut().clear();
            self.check(inside, check, sudo, &probe_hosts(inside, &check.probe, Some(hosts)), out);
        }
        let many = hosts.len() > 1;
        let then = match failure.then {
            Then::Ask if changes(step) && many => "touch no other host before you know why.",
            Then::Ask => "",
            Then::Stop => "stop.",
            Then::Continue if many => "go on with the next hosts, and come back to this one.",
            Then::Continue => "go on, and come back to it.",
        };
        let more = match (failure.collect.is_empty(), many) {
            (true, _) => "",
            (false, true) => "This tells more, on the host that failed:",
            (false, false) => "This tells more:",
        };
        let words = [then, more].into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" ");
        let says = vec![Inline::Strong(vec![Inline::text("If it fails:")]), Inline::text(format!(" {words}"))];
        if !failure.collect.is_empty() || failure.then != Then::Ask {
            out.push(Block::Paragraph(says));
        }
        for spec in &failure.collect {
            out.extend(typed::command(inside, spec, sudo, hosts));
        }
        if let Some(undo) = &step.undo {
            out.push(Block::Paragraph(vec![Inline::text("To undo it, on a host where you decide so:")]));
            out.extend(typed::command(inside, undo, sudo, hosts));
        }
    }

    #[expect(clippy::too_many_arguments, reason = "an include has as many parts")]
    fn included(
        &self,
        inside: &Inside<'a>,
        step: &Step,
        name: &str,
        with: &[(String, Template)],
        runbook: &'a Runbook,
        standing: &Standing,
        out: &mut Vec<Block>,
    ) {
        let link = inside.edition.named(name).map_or_else(|| Inline::code(name), |known| inside.edition.link(known));
        let mut words = vec![Inline::text("All of "), link];
        for (index, (name, value)) in with.iter().enumerate() {
            words.push(Inline::text(if index == 0 { ", with " } else { ", " }));
            words.push(Inline::code(format!("{name}={}", inside.text(value))));
        }
        words.push(Inline::text(":"));
        out.push(Block::Paragraph(words));
        let inner = inside.included(runbook, with);
        self.steps(&inner, &format!("{}.", standing.number), (standing.level + 1).min(3), out);
        if !runbook.checks.is_empty() || !step.checks.is_empty() {
            out.push(Block::Paragraph(vec![Inline::text("Before you go on:")]));
        }
        self.above.borrow_mut().clear();
        self.checks(&inner, out);
        for check in &step.checks {
            let hosts = probe_hosts(inside, &check.probe, None);
            self.check(inside, check, inside.sudo.as_ref(), &hosts, out);
        }
    }
}

/// The hosts that a probe looks at: its own, those of the step that uses it, the runbook's.
fn probe_hosts(inside: &Inside<'_>, probe: &Probe, step: Option<&[HostName]>) -> Vec<HostName> {
    match (&probe.hosts, step, &inside.runbook.hosts) {
        (Some(pattern), _, _) | (None, None, Some(pattern)) => inside.hosts(pattern),
        (None, Some(hosts), _) => hosts.to_vec(),
        (None, None, None) => vec![HostName::here()],
    }
}

/// The hosts that a step goes to.
fn hosts_of(inside: &Inside<'_>, step: &Step) -> Vec<HostName> {
    let once = step.once || matches!(&step.kind, StepKind::Action(action) if action.is_once());
    let here = || vec![HostName::here()];
    let hosts = |pattern: &HostPattern| inside.hosts(pattern);
    match (&step.hosts, &step.kind, &inside.runbook.hosts) {
        (Some(pattern), ..) => {
            let mut found = hosts(pattern);
            if step.once {
                found.truncate(1);
            }
            found
        }
        (None, ..) if once => here(),
        (None, StepKind::Probe { probe, .. }, _) if probe.hosts.is_some() => probe_hosts(inside, probe, None),
        (None, _, Some(pattern)) => hosts(pattern),
        (None, _, None) => here(),
    }
}

/// What a check's author says it demands; without a word of theirs it goes by its probe and its expression.
fn own_words(check: &Check) -> Option<&str> {
    let expression = check.expectation.expression.source().trim();
    let made = check.says.starts_with(&format!("{}: ", check.probe.name)) && check.says.ends_with(expression);
    (!made).then_some(&*check.says)
}

/// Whether a step changes anything.
fn changes(step: &Step) -> bool {
    match &step.kind {
        StepKind::Action(action) => action.changes(),
        StepKind::Probe { .. } => false,
        StepKind::Block(inner) => inner.iter().any(changes),
        StepKind::Runbook { runbook, .. } => runbook.changes(),
    }
}

/// Whether a step is nothing but words for a person, so that it is on no host.
fn is_said(step: &Step) -> bool {
    step.hosts.is_none() && matches!(&step.kind, StepKind::Action(action) if action.is_once())
}

/// Where a pattern leads, in words.
pub(super) fn where_words(inside: &Inside<'_>, pattern: &HostPattern) -> String {
    hosts_in_words(&inside.hosts(pattern))
}
