//! Checks: looked at until they hold or their deadline passes.

use std::time::Duration;

use super::interrupt::Interrupt;
use super::look::Looker;
use super::recorder::Recorder;
use crate::event::{HostVerdict, Progress};
use crate::model::{Check, Expectation, Probe, Scope, Sudo, Target};
use crate::vocab::{HostName, Observation, Period, StepHost, Verdict};

/// What a check came to.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Each host's verdict, or one with no host behind the observations for `over: all`.
    pub verdicts: Vec<HostVerdict>,
    /// What was seen and stands with no verdict.
    pub unshown: Vec<Observation>,
    /// How often it was looked at.
    pub polls: u32,
    /// Over how long.
    pub took: Period,
    /// The operator wanted to stop while it did not hold yet: it is not decided.
    pub interrupted: bool,
}

impl Judged {
    /// Whether it holds on every host.
    pub fn holds(&self) -> bool {
        !self.interrupted && all_hold(&self.verdicts)
    }

    /// Why it does not hold, each host's reason on a line.
    pub fn why(&self) -> String {
        why(&self.verdicts)
    }
}

/// Whether every verdict holds, and there is one.
pub fn all_hold(verdicts: &[HostVerdict]) -> bool {
    !verdicts.is_empty() && verdicts.iter().all(|verdict| verdict.verdict.holds())
}

/// Why verdicts do not hold, each host's reason on a line.
pub fn why(verdicts: &[HostVerdict]) -> String {
    let lines: Vec<String> = verdicts
        .iter()
        .filter_map(|verdict| {
            let why = verdict.verdict.why()?;
            Some(match &verdict.host {
                Some(host) => format!("{host}: {why}"),
                None => why.to_owned(),
            })
        })
        .collect();
    lines.join("; ")
}

/// Judges a probe's observations: per host, or once over all of them.
pub fn judge(
    expectation: &Expectation,
    observations: Vec<Observation>,
    scope: &dyn Fn(Option<&HostName>) -> Scope,
    before: &[&Observation],
) -> Vec<HostVerdict> {
    if expectation.over_all {
        let verdict = expectation.judge_all(&scope(None), &observations);
        // the observations stand in front, each as usable or not by itself
        let mut verdicts: Vec<HostVerdict> = observations
            .into_iter()
            .filter(|observation| !observation.problems.is_empty())
            .map(|observation| HostVerdict {
                host: Some(observation.host.clone()),
                verdict: Verdict::Unknown { why: observation.problems[0].clone() },
                observation: Some(observation),
            })
            .collect();
        verdicts.push(HostVerdict { host: None, verdict, observation: None });
        return verdicts;
    }
    observations
        .into_iter()
        .map(|observation| {
            let mut scope = scope(Some(&observation.host));
            if let Some(before) = before.iter().find(|before| before.host == observation.host) {
                scope = scope.with_before(before);
            }
            let verdict = expectation.judge(&scope, &observation);
            HostVerdict { host: Some(observation.host.clone()), verdict, observation: Some(observation) }
        })
        .collect()
}

/// What a check is looked at with.
pub struct Checking<'a> {
    /// Who looks.
    pub looker: &'a Looker<'a>,
    /// Who is told while it goes on; nobody in a rehearsal.
    pub recorder: Option<&'a Recorder>,
    /// The operator's wish to stop.
    pub interrupt: &'a Interrupt,
    /// The hosts it looks at.
    pub targets: Vec<&'a Target>,
    /// What expressions see on a host.
    pub scope: &'a (dyn Fn(Option<&HostName>) -> Scope + Sync),
    /// Observations of before the step.
    pub before: Vec<&'a Observation>,
    /// Through which user probes run that do not say.
    pub sudo: Option<&'a Sudo>,
    /// The step it belongs to, for those who watch.
    pub at: Option<&'a StepHost>,
}

impl Checking<'_> {
    /// Looks once. Gives the verdicts, and what was seen that stands with none of them.
    pub async fn once(&self, probe: &Probe, expectation: &Expectation) -> (Vec<HostVerdict>, Vec<Observation>) {
        let scope = |target: &Target| (self.scope)(Some(&target.name));
        let observations = self.looker.all(probe, self.sudo, &self.targets, &scope).await;
        let mut unshown = Vec::new();
        if expectation.over_all {
            unshown.extend(observations.iter().filter(|seen| seen.problems.is_empty()).cloned());
        }
        (judge(expectation, observations, self.scope, &self.before), unshown)
    }

    /// Looks until the check holds, its deadline passes or the operator wants to stop.
    ///
    /// The time between two looks grows from 0.2 s to 2 s: what comes back at once is seen at once, what takes a
    /// minute is not hammered.
    pub async fn until(&self, check: &Check) -> Judged {
        self.polled(&check.says, &check.probe, &check.expectation, check.within).await
    }

    /// [`Checking::until`] for an expectation that is not a whole check.
    pub async fn polled(&self, says: &str, probe: &Probe, expectation: &Expectation, within: Option<Period>) -> Judged {
        let started = tokio::time::Instant::now();
        let deadline = within.map_or(Duration::ZERO, Period::get);
        let mut pause = Duration::from_millis(200);
        let mut polls = 0;
        loop {
            let (verdicts, unshown) = self.once(probe, expectation).await;
            polls += 1;
            let took = started.elapsed();
            let done =
                |verdicts, interrupted| Judged { verdicts, unshown, polls, took: Period::new(took), interrupted };
            if all_hold(&verdicts) {
                return done(verdicts, false);
            }
            if self.looker.is_cancelled() || (self.interrupt.is_raised() && took < deadline) {
                return done(verdicts, true);
            }
            if took >= deadline {
                return done(verdicts, false);
            }
            if let Some(recorder) = self.recorder {
                let left = deadline.saturating_sub(took);
                recorder.progress(&Progress::Polling {
                    at: self.at.cloned(),
                    says: says.to_owned(),
                    why: why(&verdicts),
                    left: Period::new(Duration::from_secs(left.as_secs())),
                });
            }
            self.interrupt.sleep(pause.min(deadline.saturating_sub(took))).await;
            pause = (pause * 3 / 2).min(Duration::from_secs(2));
        }
    }
}
