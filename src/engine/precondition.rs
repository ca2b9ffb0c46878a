//! Preconditions: judged on live hosts, waited for, overridden, judged again.

use super::check::{Checking, Judged, all_hold};
use super::ending::Ending;
use super::perform::{Flow, Halt, Stage};
use crate::event::{Event, Moment, OverrideHow, Progress};
use crate::model::Recheck;
use crate::plan::PlannedPrecondition;
use crate::vocab::{HostName, Period};

impl Stage<'_> {
    /// Judges all preconditions; waits for them (`--wait`) or goes on against them (`--override`, `--emergency`) as
    /// the operator said. Gives whether it waited.
    pub(super) async fn preconditions(&self, moment: Moment) -> Flow<bool> {
        let mut broken = self.judge_all(moment, &|_| true).await?;
        let Some(limit) = self.crew.options.wait.filter(|_| !self.allowed(&broken)) else {
            self.override_or_halt(&broken).await?;
            return Ok(false);
        };
        self.record(Event::WaitStarted { limit }).await?;
        // whoever else is to run on these hosts meanwhile, may
        self.locks.release().await?;
        let started = tokio::time::Instant::now();
        while !self.allowed(&broken) {
            let left = limit.get().saturating_sub(started.elapsed());
            if left.is_zero() {
                break;
            }
            self.crew.recorder.progress(&Progress::Waiting {
                says: broken
                    .iter()
                    .map(|(planned, why)| format!("{}: {why}", planned.id))
                    .collect::<Vec<_>>()
                    .join("; "),
                left: Period::seconds(left.as_secs()),
            });
            self.crew.interrupt.sleep(self.crew.options.wait_interval.get().min(left)).await;
            self.go_on()?;
            broken = self.look_at_all(&|_| true).await.into_iter().filter_map(broken_one).collect();
        }
        self.locks.take().await?;
        // once more, for the record and with the hosts locked; what it says counts
        let broken = self.judge_all(Moment::Waiting, &|_| true).await?;
        self.override_or_halt(&broken).await?;
        Ok(false)
    }

    /// Judges them once more after a person was asked.
    pub(super) async fn preconditions_again(&self) -> Flow {
        let broken = self.judge_all(Moment::Again, &|_| true).await?;
        self.override_or_halt(&broken).await
    }

    /// Judges those that are to hold before each batch. An override given at the start holds here too.
    pub(super) async fn preconditions_before_batch(&self, moment: Moment) -> Flow<Option<String>> {
        let again = |planned: &PlannedPrecondition| planned.precondition.recheck == Recheck::Batch;
        if !self.plan().preconditions.iter().any(again) {
            return Ok(None);
        }
        let broken = self.judge_all(moment, &again).await?;
        let overridden = self.crew.recorder.state(|state| state.overrides.clone()).await;
        let standing: Vec<String> = broken
            .iter()
            .filter(|(planned, _)| !overridden.contains_key(&planned.id) && !self.may_override(planned))
            .map(|(planned, why)| format!("{} no longer holds: {why}", planned.id))
            .collect();
        if standing.is_empty() {
            self.note_overrides(&broken).await?;
            return Ok(None);
        }
        Ok(Some(standing.join("; ")))
    }

    /// Whether nothing stands in the way of those that do not hold.
    fn allowed(&self, broken: &[(&PlannedPrecondition, String)]) -> bool {
        broken.iter().all(|(planned, _)| self.may_override(planned))
    }

    fn may_override(&self, planned: &PlannedPrecondition) -> bool {
        let options = self.crew.options;
        planned.precondition.overridable && (options.emergency || options.overrides.contains(&planned.id))
    }

    async fn override_or_halt(&self, broken: &[(&PlannedPrecondition, String)]) -> Flow {
        let earlier = self.crew.recorder.state(|state| state.overrides.clone()).await;
        let standing: Vec<&(&PlannedPrecondition, String)> = broken
            .iter()
            .filter(|(planned, _)| !self.may_override(planned) && !earlier.contains_key(&planned.id))
            .collect();
        if let Some((planned, _)) = standing.first() {
            let options = self.crew.options;
            let forbidden = options.overrides.contains(&planned.id) || options.emergency;
            let more = if forbidden && !planned.precondition.overridable { " (it may not be overridden)" } else { "" };
            let names: Vec<&str> = standing.iter().map(|(planned, _)| planned.id.as_str()).collect();
            let verb = if names.len() == 1 { "does" } else { "do" };
            return Err(Halt::End(Ending::Precondition, format!("{} {verb} not hold{more}", names.join(", "))));
        }
        self.note_overrides(broken).await
    }

    async fn note_overrides(&self, broken: &[(&PlannedPrecondition, String)]) -> Flow {
        let options = self.crew.options;
        for (planned, _) in broken {
            let known = self.crew.recorder.state(|state| state.overrides.contains_key(&planned.id)).await;
            if known {
                continue;
            }
            let how =
                if options.overrides.contains(&planned.id) { OverrideHow::Override } else { OverrideHow::Emergency };
            let reason = options.reason.clone().unwrap_or_default();
            self.record(Event::PreconditionOverridden { id: planned.id.clone(), how, reason }).await?;
        }
        Ok(())
    }

    /// Judges and records; gives those that do not hold, with why.
    async fn judge_all(
        &self,
        moment: Moment,
        which: &(dyn Fn(&PlannedPrecondition) -> bool + Sync),
    ) -> Flow<Vec<(&PlannedPrecondition, String)>> {
        let judged = self.look_at_all(which).await;
        for (planned, judged) in &judged {
            self.record_looked(None, &planned.precondition.check.probe, judged.unshown.clone()).await?;
            self.record(Event::PreconditionJudged {
                id: planned.id.clone(),
                says: planned.precondition.check.says.clone(),
                moment: moment.clone(),
                verdicts: judged.verdicts.clone(),
                show: planned.precondition.check.probe.show.clone(),
                overridable: planned.precondition.overridable,
                otherwise: planned.precondition.otherwise.clone(),
            })
            .await?;
        }
        self.go_on()?;
        Ok(judged.into_iter().filter_map(broken_one).collect())
    }

    async fn look_at_all(
        &self,
        which: &(dyn Fn(&PlannedPrecondition) -> bool + Sync),
    ) -> Vec<(&PlannedPrecondition, Judged)> {
        let looks = self.plan().preconditions.iter().filter(|planned| which(planned)).map(|planned| async move {
            let scope = |host: Option<&HostName>| self.scope_at(planned.scope, host);
            let checking = Checking {
                looker: self.looker,
                recorder: Some(self.crew.recorder),
                interrupt: &self.crew.interrupt,
                targets: planned.hosts.iter().map(|host| self.target(host)).collect(),
                scope: &scope,
                before: Vec::new(),
                sudo: self.plan().runbook.sudo.as_ref(),
                at: None,
            };
            (planned, checking.until(&planned.precondition.check).await)
        });
        futures_util::future::join_all(looks).await
    }
}

fn broken_one((planned, judged): (&PlannedPrecondition, Judged)) -> Option<(&PlannedPrecondition, String)> {
    (!all_hold(&judged.verdicts)).then(|| (planned, judged.why()))
}
