//! Rolling a unit over its hosts: the floor, the batches, the pauses, the budget.

use tokio::sync::Semaphore;

use super::check::Checking;
use super::ending::Ending;
use super::perform::{Flow, Halt, Stage};
use crate::event::{Event, FailureKind, HostVerdict, Moment, Outcome, Progress, StepState};
use crate::model::Then;
use crate::plan::{Floor, Leaf, Unit};
use crate::vocab::{HostName, Period, StepHost, Verdict};

impl Stage<'_> {
    /// Looks at the floors of all rolls before anything is changed: a roll that could not finish is not begun.
    pub(super) async fn floors(&self) -> Flow {
        for unit in &self.plan().units {
            let Some(floor) = &unit.floor else { continue };
            let waiting = self.waiting(unit).await;
            if waiting.is_empty() {
                continue;
            }
            self.go_on()?;
            let (healthy, sick) = self.health(unit, floor).await?;
            // every batch must leave enough healthy hosts outside it, if nothing else changes
            let worst = unit
                .batches
                .iter()
                .filter(|batch| takes_away(batch.iter().filter(|host| waiting.contains(host)), &sick))
                .map(|batch| healthy.iter().filter(|host| !batch.contains(host)).count())
                .min();
            self.record(Event::FloorJudged {
                step: unit.id.clone(),
                batch: 0,
                needed: floor.count,
                healthy: healthy.clone(),
                sick: sick.clone(),
                takes_none: worst.is_none(),
            })
            .await?;
            if let Some(worst) = worst.filter(|worst| *worst < floor.count) {
                return Err(Halt::End(
                    Ending::Precondition,
                    format!(
                        "{}: {worst} healthy hosts would be left outside a batch, and {} are needed{}{}",
                        unit.id,
                        floor.count,
                        not_healthy(&sick),
                        mend_first(unit, &sick, &waiting)
                    ),
                ));
            }
        }
        Ok(())
    }

    async fn health(&self, unit: &Unit, floor: &Floor) -> Flow<(Vec<HostName>, Vec<HostVerdict>)> {
        let scope = |host: Option<&HostName>| self.scope_at(unit.scope, host);
        let checking = Checking {
            looker: self.looker,
            recorder: Some(self.crew.recorder),
            interrupt: &self.crew.interrupt,
            targets: unit.all_hosts.iter().map(|host| self.target(host)).collect(),
            scope: &scope,
            before: Vec::new(),
            sudo: self.plan().runbook.sudo.as_ref(),
            at: None,
        };
        let (verdicts, mut seen) = checking.once(&floor.check.probe, &floor.check.expectation).await;
        let (well, sick): (Vec<_>, Vec<_>) = verdicts.into_iter().partition(|verdict| verdict.verdict.holds());
        seen.extend(well.iter().filter_map(|verdict| verdict.observation.clone()));
        self.record_looked(None, &floor.check.probe, seen).await?;
        Ok((well.into_iter().filter_map(|verdict| verdict.host).collect(), sick))
    }

    /// The hosts of a unit that still have something to do.
    async fn waiting(&self, unit: &Unit) -> Vec<HostName> {
        self.crew
            .recorder
            .state(|state| {
                let settled = |host: &HostName| {
                    // a host that was taken out of the roll has nothing left to do in any of its steps
                    let excluded = unit.leaves.iter().any(|leaf| {
                        let at = StepHost::new(leaf.id.clone(), host.clone());
                        matches!(state.step(&at).outcome(), Some(Outcome::Excluded { .. }))
                    });
                    excluded
                        || unit
                            .leaves
                            .iter()
                            .all(|leaf| state.step(&StepHost::new(leaf.id.clone(), host.clone())).is_settled())
                };
                unit.hosts.iter().filter(|host| !settled(host)).cloned().collect()
            })
            .await
    }

    /// The hosts of a unit whose latest outcome is a failure.
    pub(super) async fn failures(&self, unit: &Unit) -> Vec<HostName> {
        self.crew.recorder.state(|state| state.failed_hosts(unit.leaves.iter().map(|leaf| &leaf.id))).await
    }

    /// Those of `hosts` that were reached and where an action did not start.
    async fn refusing(&self, unit: &Unit, hosts: &[HostName]) -> Vec<HostName> {
        let refused = |outcome: &Outcome| matches!(outcome, Outcome::Failed { kind: FailureKind::NotStarted, .. });
        self.crew
            .recorder
            .state(|state| {
                let refuses = |host: &&HostName| {
                    let at = |leaf: &Leaf| StepHost::new(leaf.id.clone(), (*host).clone());
                    unit.leaves.iter().any(|leaf| state.step(&at(leaf)).outcome().is_some_and(refused))
                };
                hosts.iter().filter(refuses).cloned().collect()
            })
            .await
    }

    /// Takes a unit over its hosts. `fresh`: the preconditions were judged just now.
    pub(super) async fn roll(&self, unit: &Unit, fresh: bool) -> Flow {
        let waiting = self.waiting(unit).await;
        if waiting.is_empty() {
            return Ok(());
        }
        self.go_on()?;
        let batches: Vec<Vec<HostName>> = unit
            .batches
            .iter()
            .map(|batch| batch.iter().filter(|host| waiting.contains(host)).cloned().collect::<Vec<_>>())
            .filter(|batch: &Vec<HostName>| !batch.is_empty())
            .collect();
        self.record(Event::RollStarted { step: unit.id.clone(), batches: batches.clone() }).await?;
        let result = self.batches(unit, &batches, fresh).await;
        if let Err(Halt::End(_, why)) = &result {
            let untouched = self
                .crew
                .recorder
                .state(|state| {
                    let touched = |host: &HostName| {
                        unit.leaves.iter().any(|leaf| {
                            *state.step(&StepHost::new(leaf.id.clone(), host.clone())) != StepState::NotStarted
                        })
                    };
                    waiting.iter().filter(|host| !touched(host)).cloned().collect::<Vec<_>>()
                })
                .await;
            self.record(Event::RollStopped { step: unit.id.clone(), why: why.clone(), untouched }).await?;
        }
        self.record(Event::RollEnded { step: unit.id.clone() }).await?;
        result
    }

    async fn batches(&self, unit: &Unit, batches: &[Vec<HostName>], fresh: bool) -> Flow {
        for (index, batch) in batches.iter().enumerate() {
            let number = index + 1;
            self.go_on()?;
            if unit.changes {
                if !(fresh && index == 0) {
                    let moment = Moment::Batch { step: unit.id.clone(), batch: number };
                    if let Some(why) = self.preconditions_before_batch(moment).await? {
                        return Err(Halt::End(Ending::Failed, why));
                    }
                }
                self.floor_before(unit, number, batch).await?;
            }
            if batches.len() > 1 || batch.len() > 1 {
                self.record(Event::BatchStarted {
                    step: unit.id.clone(),
                    batch: number,
                    of: batches.len(),
                    hosts: batch.clone(),
                })
                .await?;
            }
            self.batch(unit, batch).await?;
            self.budget(unit, batch).await?;
            if number < batches.len() && unit.pause > Period::ZERO {
                self.go_on()?;
                self.record(Event::PauseStarted { step: unit.id.clone(), length: unit.pause }).await?;
                self.pause(&format!("pause before batch {}", number + 1), unit.pause).await?;
            }
        }
        // an interrupt may have left the last batch undecided: that is no end of a roll
        match self.go_on() {
            Err(halt) if !self.waiting(unit).await.is_empty() => Err(halt),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Waits, telling those who watch every second how long still.
    pub(super) async fn pause(&self, says: &str, length: Period) -> Flow {
        let until = tokio::time::Instant::now() + length.get();
        loop {
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            let shown = Period::seconds(left.as_secs() + u64::from(left.subsec_millis() > 0));
            self.crew.recorder.progress(&Progress::Waiting { says: says.to_owned(), left: shown });
            if !self.crew.interrupt.sleep(left.min(std::time::Duration::from_secs(1))).await {
                return self.go_on();
            }
        }
    }

    async fn floor_before(&self, unit: &Unit, number: usize, batch: &[HostName]) -> Flow {
        let Some(floor) = &unit.floor else { return Ok(()) };
        let (healthy, sick) = self.health(unit, floor).await?;
        let outside: Vec<HostName> = healthy.into_iter().filter(|host| !batch.contains(host)).collect();
        let left = outside.len();
        let takes_none = !takes_away(batch, &sick);
        self.record(Event::FloorJudged {
            step: unit.id.clone(),
            batch: number,
            needed: floor.count,
            healthy: outside,
            sick: sick.clone(),
            takes_none,
        })
        .await?;
        if left < floor.count && !takes_none {
            return Err(Halt::End(
                Ending::Failed,
                format!(
                    "{left} healthy hosts are left outside the next batch, and {} are needed{}",
                    floor.count,
                    not_healthy(&sick)
                ),
            ));
        }
        Ok(())
    }

    async fn batch(&self, unit: &Unit, batch: &[HostName]) -> Flow {
        let turns = Semaphore::new(self.crew.options.parallel.max(1));
        let hosts = batch.iter().map(|host| async {
            // the semaphore is never closed
            let _turn = turns.acquire().await;
            self.host(unit, host).await
        });
        let mut halted = None;
        for result in futures_util::future::join_all(hosts).await {
            match result {
                Ok(()) => {}
                // what could not be written outranks everything
                Err(Halt::Record(error)) => return Err(Halt::Record(error)),
                Err(halt) => halted = halted.or(Some(halt)),
            }
        }
        halted.map_or(Ok(()), Err)
    }

    /// After a batch: whether the failures are within the budget, and what a person wants to do about them if not.
    async fn budget(&self, unit: &Unit, batch: &[HostName]) -> Flow {
        loop {
            let failed = self.failures(unit).await;
            if failed.len() <= unit.max_failures {
                return Ok(());
            }
            // a lock that was lost, or an interrupt, explains failures better than the budget does
            self.locks.verify(&self.refusing(unit, &failed).await).await?;
            self.go_on()?;
            let mut standing = None;
            // this batch's failures are decided about first
            let (here, elsewhere): (Vec<_>, Vec<_>) = failed.iter().partition(|host| batch.contains(host));
            for host in here.into_iter().chain(elsewhere) {
                let decided = self.to_decide(unit, std::slice::from_ref(host), &failed).await;
                standing = standing.or(decided.filter(|(_, leaf)| !matches!(leaf.then, Then::Continue)));
            }
            let Some((host, leaf)) = standing else {
                return self.note_continue(unit, batch, &failed).await;
            };
            // a failure of an earlier batch or stretch was decided there
            let asks = matches!(leaf.then, Then::Ask) && batch.contains(&host);
            if !asks || !self.decide(unit, leaf, &host, &beyond(unit, &failed)).await? {
                return Err(Halt::End(Ending::Failed, beyond(unit, &failed)));
            }
        }
    }
}

/// Which hosts are not healthy, behind a sentence that counts the others.
fn not_healthy(sick: &[HostVerdict]) -> String {
    let names: Vec<&str> = sick.iter().filter_map(|verdict| Some(verdict.host.as_ref()?.as_str())).collect();
    if names.is_empty() { String::new() } else { format!("; not healthy: {}", names.join(", ")) }
}

/// Whether acting on `hosts` may take a healthy one away. One that is known not to be healthy is no loss; one of which
/// nothing is known may be.
pub(super) fn takes_away<'a>(hosts: impl IntoIterator<Item = &'a HostName>, sick: &[HostVerdict]) -> bool {
    hosts.into_iter().any(|host| !known_sick(host, sick))
}

fn known_sick(host: &HostName, sick: &[HostVerdict]) -> bool {
    sick.iter().any(|seen| seen.host.as_ref() == Some(host) && matches!(seen.verdict, Verdict::Fails { .. }))
}

/// The way on when some that are not healthy could be acted on.
fn mend_first(unit: &Unit, sick: &[HostVerdict], waiting: &[HostName]) -> String {
    let sick: Vec<&str> = unit
        .hosts
        .iter()
        .filter(|host| waiting.contains(host) && known_sick(host, sick))
        .map(HostName::as_str)
        .collect();
    if sick.is_empty() { String::new() } else { format!(" (`--limit {}` begins with what is not)", sick.join(":")) }
}

fn beyond(unit: &Unit, failed: &[HostName]) -> String {
    let names: Vec<&str> = failed.iter().map(HostName::as_str).collect();
    let allowed = match unit.max_failures {
        0 => "no failure is allowed".to_owned(),
        1 => "1 failure is allowed".to_owned(),
        count => format!("{count} failures are allowed"),
    };
    format!("{} failed on {}, and {allowed}", unit.id, names.join(", "))
}
