//! One host's way through a unit: conditions, preconditions, action, captures, checks, evidence.

use std::collections::BTreeMap;

use super::attempt::wanted_status;
use super::check::{Checking, Judged};
use super::perform::{Flow, Stage};
use super::scope::step_views;
use crate::event::{ActionEnd, Event, FailureKind, HostVerdict, Moment, Outcome, Output, StepState};
use crate::model::deed::ready_command;
use crate::model::scope::StepView;
use crate::model::{Action, Check, CommandSpec, Probe, Scope, Target};
use crate::plan::{Leaf, LeafKind, Unit};
use crate::vocab::{HostName, Observation, Period, Reply, StepHost};

/// Where a leaf's life goes on.
enum From {
    /// From its start.
    Start,
    /// Its action ended well: its checks are left.
    Checks,
}

impl Stage<'_> {
    /// Takes `host` through what is left of `unit`.
    pub(super) async fn host(&self, unit: &Unit, host: &HostName) -> Flow {
        for leaf in &unit.leaves {
            if self.crew.interrupt.is_raised() {
                return Ok(());
            }
            let at = StepHost::new(leaf.id.clone(), host.clone());
            let state = self.crew.recorder.state(|state| state.step(&at).clone()).await;
            let outcome = match state {
                StepState::Ended { outcome: Outcome::Excluded { .. }, .. } => return Ok(()),
                StepState::Ended { ref outcome, .. } if outcome.is_settled() => continue,
                // the action had ended: only its checks are repeated. A bad end was decided about before the roll
                StepState::Acted { end, .. } if well(leaf, &end) => self.leaf(unit, leaf, &at, From::Checks).await?,
                StepState::Acted { .. } if self.tries_left(leaf, &at).await.is_some() => {
                    self.leaf(unit, leaf, &at, From::Start).await?
                }
                StepState::Acted { end, .. } => self.end(&at, failed(FailureKind::Action, end.to_string())).await?,
                StepState::Ended {
                    acted: Some(end),
                    outcome: Outcome::Failed { kind: FailureKind::Check, .. },
                    ..
                } if well(leaf, &end) => self.leaf(unit, leaf, &at, From::Checks).await?,
                // still failed or in doubt: it was not decided to be run again. Checks that a person had evaluated behind an
                // action that ended badly do not make it one that never ran
                StepState::Ended {
                    outcome: Outcome::Failed { kind: FailureKind::Action, .. } | Outcome::InDoubt { .. },
                    ..
                }
                | StepState::Ended {
                    acted: Some(_), outcome: Outcome::Failed { kind: FailureKind::Check, .. }, ..
                }
                | StepState::Running { .. } => return Ok(()),
                StepState::NotStarted | StepState::Due { .. } | StepState::Ended { .. } => {
                    self.leaf(unit, leaf, &at, From::Start).await?
                }
            };
            match outcome {
                Some(outcome) if outcome.is_settled() => {}
                // failed, or left undecided by an interrupt: the inner steps behind it are not for this host
                Some(_) | None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Runs a leaf's action again whatever its outcome was: the operator's or the runbook's explicit choice. Once it is
    /// well, the host goes on behind it.
    pub(super) async fn again(&self, unit: &Unit, leaf: &Leaf, at: &StepHost) -> Flow {
        let outcome = self.leaf(unit, leaf, at, From::Start).await?;
        self.behind(unit, at, outcome).await
    }

    /// Repeats only a leaf's checks. Once they hold, the host goes on behind it.
    pub(super) async fn recheck(&self, unit: &Unit, leaf: &Leaf, at: &StepHost) -> Flow {
        let outcome = self.leaf(unit, leaf, at, From::Checks).await?;
        self.behind(unit, at, outcome).await
    }

    /// Goes on behind a leaf that is well now; one that failed again is decided about again, not tried by itself.
    async fn behind(&self, unit: &Unit, at: &StepHost, outcome: Option<Outcome>) -> Flow {
        if outcome.is_some_and(|outcome| outcome.is_settled()) { self.host(unit, &at.host).await } else { Ok(()) }
    }

    /// The scope of `unit` on `at`'s host.
    pub(super) async fn scope_of(&self, unit: &Unit, at: &StepHost) -> Scope {
        let views = self.views(unit, &at.host).await;
        self.scope.on(self.plan(), unit.scope, Some(&at.host), &views)
    }

    async fn views(&self, unit: &Unit, host: &HostName) -> BTreeMap<String, StepView> {
        self.crew.recorder.state(|state| step_views(self.plan(), state, &unit.id, host)).await
    }

    /// A leaf on a host, to its outcome; none when an interrupt left it undecided.
    async fn leaf(&self, unit: &Unit, leaf: &Leaf, at: &StepHost, from: From) -> Flow<Option<Outcome>> {
        let scope = self.scope_of(unit, at).await;
        let ready = match from {
            From::Checks => Ok(()),
            From::Start => self.before_action(unit, leaf, at, &scope).await?,
        };
        let outcome = match ready {
            Err(outcome) => Some(outcome),
            Ok(()) => match (&leaf.kind, from) {
                (LeafKind::Action(action), From::Start) => self.action(unit, leaf, action, at, &scope).await?,
                (LeafKind::Look { .. }, _) => self.look(unit, leaf, at).await?,
                (LeafKind::Action(_), From::Checks) => match self.uncaptured(leaf, at).await {
                    Some(outcome) => Some(outcome),
                    None => self.checks(unit, leaf, at).await?,
                },
                (LeafKind::Checks, _) => self.checks(unit, leaf, at).await?,
            },
        };
        let Some(outcome) = outcome else { return Ok(None) };
        let ended = self.end(at, outcome).await?;
        if ended.as_ref().is_some_and(Outcome::failed) {
            self.collect(unit, leaf, at).await?;
        }
        Ok(ended)
    }

    pub(super) async fn end(&self, at: &StepHost, outcome: Outcome) -> Flow<Option<Outcome>> {
        self.record(Event::StepEnded { at: at.clone(), outcome: outcome.clone() }).await?;
        Ok(Some(outcome))
    }

    /// What comes before an action: conditions, `skip_if`, preconditions, the look for `before`. `Err`: the outcome
    /// is already known.
    async fn before_action(&self, unit: &Unit, leaf: &Leaf, at: &StepHost, scope: &Scope) -> Flow<Result<(), Outcome>> {
        for condition in unit.conditions.iter().chain(&leaf.conditions) {
            match condition.truth(scope) {
                Ok(true) => {}
                Ok(false) => {
                    return Ok(Err(Outcome::Skipped { why: format!("`{}` is false", condition.source().trim()) }));
                }
                Err(error) => return Ok(Err(failed(FailureKind::NotStarted, error.to_string()))),
            }
        }
        if let Some(check) = &leaf.step.skip_if {
            let checking = self.checking(unit, leaf, at, &check.probe, &[]).await;
            let (verdicts, mut seen) = checking.once(&check.probe, &check.expectation).await;
            let holds = super::check::all_hold(&verdicts);
            seen.extend(verdicts.into_iter().filter_map(|verdict| verdict.observation));
            self.record_looked(Some(at), &check.probe, seen).await?;
            if holds {
                return Ok(Err(Outcome::Skipped { why: format!("already so: {}", check.says) }));
            }
        }
        for precondition in &leaf.step.preconditions {
            let id = format!("{}:{}", leaf.id, precondition.id);
            let judged = self.judge(unit, leaf, at, &precondition.check, &[]).await;
            if judged.interrupted {
                return Ok(Err(failed(FailureKind::Precondition, "interrupted".to_owned())));
            }
            let (holds, why) = (judged.holds(), judged.why());
            self.record_looked(Some(at), &precondition.check.probe, judged.unshown).await?;
            self.record(Event::PreconditionJudged {
                id: id.clone(),
                says: precondition.check.says.clone(),
                moment: Moment::Step { at: at.clone() },
                verdicts: judged.verdicts,
                show: precondition.check.probe.show.clone(),
                overridable: precondition.overridable,
                otherwise: precondition.otherwise.clone(),
            })
            .await?;
            if holds {
                continue;
            }
            let options = self.crew.options;
            let flagged = options.overrides.contains(&precondition.id) || options.overrides.contains(&id);
            if precondition.overridable && (options.emergency || flagged) {
                let how =
                    if flagged { crate::event::OverrideHow::Override } else { crate::event::OverrideHow::Emergency };
                let reason = options.reason.clone().unwrap_or_default();
                self.record(Event::PreconditionOverridden { id, how, reason }).await?;
            } else {
                return Ok(Err(failed(FailureKind::Precondition, format!("{}: {why}", precondition.check.says))));
            }
        }
        self.observe_before(unit, leaf, at).await?;
        Ok(Ok(()))
    }

    /// Looks for those checks that compare with `before`, and keeps what was seen.
    async fn observe_before(&self, unit: &Unit, leaf: &Leaf, at: &StepHost) -> Flow {
        let compares = |check: &Check| {
            check
                .expectation
                .expression
                .names()
                .iter()
                .any(|name| name.path.first().is_some_and(|part| part == "before"))
        };
        let mut observations = Vec::new();
        for (index, check) in leaf.step.checks.iter().enumerate().filter(|(_, check)| compares(check)) {
            let checking = self.checking(unit, leaf, at, &check.probe, &[]).await;
            let (verdicts, unshown) = checking.once(&check.probe, &check.expectation).await;
            let seen = verdicts.into_iter().filter_map(|verdict| verdict.observation).chain(unshown);
            observations.extend(seen.map(|observation| (index + 1, observation)));
        }
        if observations.is_empty() {
            return Ok(());
        }
        self.record(Event::ObservedBefore { at: at.clone(), observations }).await
    }

    /// Keeps what later steps want of an action's result. Gives why, when it cannot be had.
    pub(super) async fn capture(&self, leaf: &Leaf, at: &StepHost, reply: &Reply) -> Flow<Option<String>> {
        if leaf.step.capture.is_empty() {
            return Ok(None);
        }
        let Some((unit, _)) = self.plan().leaf(&leaf.id) else { return Ok(None) };
        let observation = Observation {
            host: at.host.clone(),
            reply: reply.clone(),
            took: Period::ZERO,
            rows: None,
            value: None,
            problems: Vec::new(),
        };
        self.capture_from(unit, leaf, at, &observation).await
    }

    /// The failure of an action that ended well and whose captures failed, when the program died before it said so.
    async fn uncaptured(&self, leaf: &Leaf, at: &StepHost) -> Option<Outcome> {
        let captured = self.crew.recorder.state(|state| state.captured.get(at).cloned().unwrap_or_default()).await;
        let missing = leaf.step.capture.iter().find(|(name, _)| !captured.contains_key(name))?;
        Some(failed(FailureKind::Check, format!("capture {}: there is no value for it in what it wrote", missing.0)))
    }

    async fn capture_from(
        &self,
        unit: &Unit,
        leaf: &Leaf,
        at: &StepHost,
        observation: &Observation,
    ) -> Flow<Option<String>> {
        for (name, expression) in &leaf.step.capture {
            let scope = self.scope_of(unit, at).await.with_observation(observation);
            let value = match expression.value(&scope).map(|value| serde_json::to_value(&value)) {
                Ok(Ok(value)) => value,
                Ok(Err(error)) => return Ok(Some(format!("capture {name}: {error}"))),
                Err(error) => return Ok(Some(format!("capture {name}: {error}"))),
            };
            self.record(Event::Captured { at: at.clone(), name: name.clone(), value }).await?;
        }
        Ok(None)
    }

    /// A step that only looks.
    async fn look(&self, unit: &Unit, leaf: &Leaf, at: &StepHost) -> Flow<Option<Outcome>> {
        let LeafKind::Look { probe, expectation, within } = &leaf.kind else { return Ok(None) };
        // a step is on this host: the probe's own hosts chose the step's, and are not looked at from each of them
        let scope = self.scope_of(unit, at).await;
        let scope_at = |_: Option<&HostName>| scope.clone();
        let checking = Checking {
            looker: self.looker,
            recorder: Some(self.crew.recorder),
            interrupt: &self.crew.interrupt,
            targets: vec![self.target(&at.host)],
            scope: &scope_at,
            before: Vec::new(),
            sudo: leaf.sudo.as_ref(),
            at: Some(at),
        };
        let (observation, outcome) = if let Some(expectation) = expectation {
            let judged = checking.polled(&leaf.step.name, probe, expectation, *within).await;
            if judged.interrupted {
                return Ok(None);
            }
            let holds = judged.holds();
            let why = judged.verdicts.iter().find_map(|verdict| verdict.verdict.why()).unwrap_or_default().to_owned();
            let seen = judged.verdicts.into_iter().filter_map(|verdict| verdict.observation);
            let observation = seen.chain(judged.unshown).next();
            (observation, if holds { None } else { Some(why) })
        } else {
            let observation = self.looker.one(probe, leaf.sudo.as_ref(), self.target(&at.host), &scope).await;
            let problem = observation.problems.first().cloned();
            (Some(observation), problem)
        };
        if self.looker.is_cancelled() {
            return Ok(None);
        }
        if let Some(observation) = observation {
            self.record(Event::Observed { at: at.clone(), observation: observation.clone(), show: probe.show.clone() })
                .await?;
            if outcome.is_none()
                && let Some(broken) = self.capture_from(unit, leaf, at, &observation).await?
            {
                return Ok(Some(failed(FailureKind::Check, broken)));
            }
            if let (Some(why), Reply::Nothing { reason: crate::vocab::observation::NoReply::Unreachable, .. }) =
                (&outcome, &observation.reply)
            {
                return Ok(Some(failed(FailureKind::Unreachable, why.clone())));
            }
        }
        match outcome {
            Some(why) => Ok(Some(failed(FailureKind::Check, why))),
            None => self.checks(unit, leaf, at).await,
        }
    }

    /// A leaf's checks, one after the other. None: an interrupt left them undecided.
    pub(super) async fn checks(&self, unit: &Unit, leaf: &Leaf, at: &StepHost) -> Flow<Option<Outcome>> {
        for (index, check) in leaf.step.checks.iter().enumerate() {
            let number = index + 1;
            let before: Vec<Observation> = self
                .crew
                .recorder
                .state(|state| {
                    let known = state.before.get(at).into_iter().flatten();
                    known.filter(|(check, _)| *check == number).map(|(_, observation)| observation.clone()).collect()
                })
                .await;
            let judged = self.judge(unit, leaf, at, check, &before).await;
            if judged.interrupted {
                return Ok(None);
            }
            let (holds, why) = (judged.holds(), own_why(&judged.verdicts, &at.host));
            self.record_looked(Some(at), &check.probe, judged.unshown).await?;
            self.record(Event::CheckJudged {
                at: Some(at.clone()),
                check: number,
                says: check.says.clone(),
                verdicts: judged.verdicts,
                polls: judged.polls,
                took: judged.took,
            })
            .await?;
            if !holds {
                let within = check.within.map(|within| format!(" within {within}")).unwrap_or_default();
                return Ok(Some(failed(FailureKind::Check, format!("{}{within}: {why}", says(&check.says)))));
            }
        }
        Ok(Some(Outcome::Ok))
    }

    async fn judge(&self, unit: &Unit, leaf: &Leaf, at: &StepHost, check: &Check, before: &[Observation]) -> Judged {
        self.checking(unit, leaf, at, &check.probe, before).await.until(check).await
    }

    /// What a check of a leaf is looked at with.
    async fn checking<'c>(
        &'c self,
        unit: &'c Unit,
        leaf: &'c Leaf,
        at: &'c StepHost,
        probe: &Probe,
        before: &'c [Observation],
    ) -> CheckingOwned<'c> {
        let hosts = self.plan().probe_hosts(probe, unit.scope, &at.host);
        let views = self.views(unit, &at.host).await;
        CheckingOwned { stage: self, unit, leaf, at, hosts, views, before }
    }

    /// Runs what collects evidence after a failure. Best effort: its own failure is evidence too.
    async fn collect(&self, unit: &Unit, leaf: &Leaf, at: &StepHost) -> Flow {
        let target = self.target(&at.host);
        for (index, spec) in leaf.collect.iter().enumerate() {
            let name = format!("{}/collect {}", leaf.id, index + 1);
            let scope = self.scope_of(unit, at).await;
            let (command, output) = self.evidence(name, spec, leaf, target, &scope).await;
            self.record(Event::Collected { at: at.clone(), command, output: Output::inline(output) }).await?;
        }
        Ok(())
    }

    async fn evidence(
        &self,
        name: String,
        spec: &CommandSpec,
        leaf: &Leaf,
        target: &Target,
        scope: &Scope,
    ) -> (String, String) {
        let command = match ready_command(spec, leaf.sudo.as_ref(), scope, target) {
            Ok(command) => command,
            Err(error) => return (String::new(), error.to_string()),
        };
        let shown = command.shown();
        let look = crate::transport::Look {
            name,
            probe: crate::transport::Probe::Run(command),
            timeout: Period::seconds(30),
            cancel: self.crew.interrupt.stop(),
        };
        let output = match self.crew.fleet.look(target, look).await {
            Ok(crate::transport::Seen::Command(finished)) => {
                let mut text = String::from_utf8_lossy(&finished.stdout).into_owned();
                text.push_str(&String::from_utf8_lossy(&finished.stderr));
                text
            }
            Ok(_) => String::new(),
            Err(fault) => format!("({fault})"),
        };
        (shown, output)
    }
}

/// A [`Checking`] with the parts it borrows.
struct CheckingOwned<'c> {
    stage: &'c Stage<'c>,
    unit: &'c Unit,
    leaf: &'c Leaf,
    at: &'c StepHost,
    hosts: Vec<HostName>,
    views: BTreeMap<String, StepView>,
    before: &'c [Observation],
}

impl CheckingOwned<'_> {
    async fn with<T>(&self, run: impl AsyncFnOnce(Checking<'_>) -> T) -> T {
        let stage = self.stage;
        let scope = |host: Option<&HostName>| {
            stage.scope.on(stage.plan(), self.unit.scope, Some(host.unwrap_or(&self.at.host)), &self.views)
        };
        run(Checking {
            looker: stage.looker,
            recorder: Some(stage.crew.recorder),
            interrupt: &stage.crew.interrupt,
            targets: self.hosts.iter().map(|host| stage.target(host)).collect(),
            scope: &scope,
            before: self.before.iter().collect(),
            sudo: self.leaf.sudo.as_ref(),
            at: Some(self.at),
        })
        .await
    }

    async fn until(&self, check: &Check) -> Judged {
        self.with(async |checking: Checking<'_>| checking.until(check).await).await
    }

    async fn once(
        &self,
        probe: &Probe,
        expectation: &crate::model::Expectation,
    ) -> (Vec<HostVerdict>, Vec<Observation>) {
        self.with(async |checking: Checking<'_>| checking.once(probe, expectation).await).await
    }
}

/// Whether an action's end is a good one by itself, as the step tells good from bad.
pub(super) fn well(leaf: &Leaf, end: &ActionEnd) -> bool {
    match end {
        ActionEnd::Exited(code) => *code == 0,
        ActionEnd::Answered(status) => match &leaf.kind {
            LeafKind::Action(Action::Http(spec)) => wanted_status(*status, &spec.statuses),
            LeafKind::Action(_) | LeafKind::Look { .. } | LeafKind::Checks => false,
        },
        ActionEnd::Done => true,
        ActionEnd::TimedOut | ActionEnd::Cancelled | ActionEnd::Declined => false,
    }
}

pub(super) fn failed(kind: FailureKind, why: String) -> Outcome {
    Outcome::Failed { kind, why }
}

/// Why verdicts do not hold; the step's own host needs no naming.
fn own_why(verdicts: &[HostVerdict], host: &HostName) -> String {
    match verdicts {
        [only] if only.host.as_ref() == Some(host) => only.verdict.why().unwrap_or_default().to_owned(),
        several => super::check::why(several),
    }
}

/// A sentence as a fragment in front of a colon.
fn says(text: &str) -> &str {
    text.trim().trim_end_matches('.')
}
