//! The locks of a run: taken on its hosts before anything else, renewed while it goes on, given back when it stops.
//!
//! Apart from `perform` because it has a life of its own: [`Locks::keep`] runs beside the run. What makes a lock hold is on
//! the hosts; here it is only decided whose turn it is and what becomes of a run without its locks.
//!
//! *Not guaranteed*: a host that cannot be told when its lock is given back is free only once the lease ends.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::ending::Ending;
use super::perform::{Crew, Flow, Halt};
use super::recorder::RecordError;
use crate::event::{Event, FailureKind, LockedHost, Progress, Unlocked};
use crate::model::Action;
use crate::plan::{LeafKind, Plan};
use crate::transport::{Claim, Fault, Lock};
use crate::vocab::{Holder, HostName, Loss, Period};

/// What connecting to a host may take before it is left out.
const CONNECT: Period = Period::seconds(15);
/// What giving a lock back may take.
const RELEASE: Duration = Duration::from_secs(10);

/// How often, in order, a lock in the way is asked for again, and after how long: what stepping back from it may take.
const STEPS_BACK: u32 = 5;
const STEP_BACK: Duration = Duration::from_millis(200);

/// The locks of one stretch of a run.
pub(super) struct Locks<'a> {
    crew: &'a Crew<'a>,
    claim: Claim,
    hosts: BTreeSet<HostName>,
    held: Mutex<BTreeMap<HostName, Held>>,
    lost: Mutex<Option<String>>,
}

/// A lock that is held, as far as is known here.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Held {
    /// When it was taken.
    since: Instant,
    /// When the last renewal that succeeded was sent.
    renewed: Instant,
}

impl<'a> Locks<'a> {
    /// Holds none yet.
    pub(super) async fn new(crew: &'a Crew<'a>) -> Self {
        let claim = crew
            .recorder
            .state(|state| Claim {
                run: crew.run.clone(),
                operator: crew.options.operator.clone(),
                admin_host: state.opened.admin_host.clone(),
                runbook: state.opened.runbook.clone(),
                since: state.last_at,
                length: crew.options.lease,
                renewal: false,
            })
            .await;
        Self { crew, claim, hosts: locked_hosts(crew.plan), held: Mutex::default(), lost: Mutex::default() }
    }

    /// Takes the locks of all hosts that can be reached, or none; waits for those of others as `--wait-lock` says.
    pub(super) async fn take(&self) -> Flow {
        if self.hosts.is_empty() {
            return Ok(());
        }
        let started = Instant::now();
        let mut told = false;
        loop {
            let Some((host, holder)) = self.take_all().await? else { return Ok(()) };
            let wait = self.crew.options.wait_lock.filter(|wait| started.elapsed() < wait.get());
            if !told || wait.is_none() {
                let (host, holder) = (host.clone(), holder.clone());
                self.crew.recorder.record(Event::LockRefused { host, holder, wait }).await?;
                told = true;
            }
            let Some(wait) = wait else { return Err(refused(&host, &holder)) };
            let left = wait.get().saturating_sub(started.elapsed());
            self.crew.recorder.progress(&Progress::Waiting {
                says: format!("the lock of {host}, held by {}", holder.name()),
                left: Period::seconds(left.as_secs()),
            });
            if !self.crew.interrupt.sleep(self.crew.options.wait_interval.get().min(left)).await {
                return Err(Halt::End(Ending::Interrupted, "interrupted by the operator".to_owned()));
            }
        }
    }

    /// One try. Gives who is in the way.
    ///
    /// All at once, for as a rule nobody is in the way. Of two runs that meet halfway both step back and go in the order
    /// of the hosts' names, which is the same for everyone: there one of them gets through.
    async fn take_all(&self) -> Flow<Option<(HostName, Holder)>> {
        let pings = self.hosts.iter().map(|host| self.crew.fleet.ping(self.crew.plan.host(host), CONNECT));
        let reached = futures_util::future::join_all(pings).await;
        let (mut there, mut left_out) = (Vec::new(), Vec::new());
        for (host, reached) in self.hosts.iter().zip(reached) {
            match reached {
                Ok(_) => there.push(host),
                Err(fault) => left_out.push(Unlocked { host: host.clone(), why: why(&fault).1 }),
            }
        }
        let in_the_way = |answer: &Result<Lock, Fault>| matches!(answer, Ok(Lock::Refused(_)));
        let mut answers = futures_util::future::join_all(there.iter().map(|host| self.lock(host, false))).await;
        if answers.iter().any(in_the_way) {
            self.give_back().await;
            answers.clear();
            for host in &there {
                let mut answer = self.lock(host, false).await;
                // whoever tried all at once as well is stepping back from it
                for _ in 0..STEPS_BACK {
                    if !in_the_way(&answer) {
                        break;
                    }
                    sleep(STEP_BACK).await;
                    answer = self.lock(host, false).await;
                }
                answers.push(answer);
                if answers.last().is_some_and(in_the_way) {
                    break;
                }
            }
        }
        let mut hosts = Vec::new();
        for (host, answer) in there.into_iter().zip(answers) {
            match answer {
                Ok(Lock::Taken { boot, login }) => hosts.push(LockedHost { host: host.clone(), boot, login }),
                Ok(Lock::Refused(holder)) => {
                    self.give_back().await;
                    return Ok(Some((host.clone(), holder)));
                }
                // only a renewal is told so
                Ok(Lock::Lost(_)) => {}
                Err(fault) => left_out.push(Unlocked { host: host.clone(), why: why(&fault).1 }),
            }
        }
        tracing::info!(hosts = hosts.len(), left_out = left_out.len(), "locked");
        self.crew.recorder.record(Event::HostsLocked { hosts, left_out }).await?;
        Ok(None)
    }

    /// Makes sure that the run holds the lock of `host` before something is sent there; `Err` says why that cannot be
    /// known. A host that was left out is locked now, a lock whose renewals fail is renewed.
    pub(super) async fn ensure(&self, host: &HostName) -> Flow<Result<(), (FailureKind, String)>> {
        self.go_on()?;
        let held = self.held().get(host).copied();
        let fresh = held.is_some_and(|held| held.renewed.elapsed() < self.every() * 2);
        if fresh || !self.hosts.contains(host) {
            return Ok(Ok(()));
        }
        match self.lock(host, held.is_some()).await {
            Ok(Lock::Taken { boot, login }) => {
                if held.is_none() {
                    let hosts = vec![LockedHost { host: host.clone(), boot, login }];
                    self.crew.recorder.record(Event::HostsLocked { hosts, left_out: Vec::new() }).await?;
                }
                Ok(Ok(()))
            }
            Ok(Lock::Refused(holder)) => {
                let refused = refused(host, &holder);
                let event = Event::LockRefused { host: host.clone(), holder, wait: None };
                self.crew.recorder.record(event).await?;
                Err(refused)
            }
            Ok(Lock::Lost(loss)) => {
                self.lose(host, held, loss).await?;
                self.go_on().map(Ok)
            }
            Err(fault) => Ok(Err(why(&fault))),
        }
    }

    /// Whether the run holds the lock of `host`, as far as is known here.
    pub(super) fn holds(&self, host: &HostName) -> bool {
        self.held().contains_key(host)
    }

    /// Asks these hosts whether their locks are still the run's: one that was lost explains what they refused.
    pub(super) async fn verify(&self, hosts: &[HostName]) -> Flow {
        for host in hosts {
            let Some(held) = self.held().get(host).copied() else { continue };
            if let Ok(Lock::Lost(loss)) = self.lock(host, true).await {
                self.lose(host, Some(held), loss).await?;
            }
        }
        self.go_on()
    }

    /// Halts once a lock was lost.
    pub(super) fn go_on(&self) -> Flow {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.as_ref().map_or(Ok(()), |why| Err(Halt::End(Ending::Locked, why.clone())))
    }

    /// Renews what is held, for as long as it is polled.
    pub(super) async fn keep(&self) -> Infallible {
        loop {
            sleep(self.every()).await;
            let held = self.held().clone();
            let renewals = held.iter().map(|(host, held)| async move {
                // a host that is slow now is asked again in the next round
                let Ok(renewed) = timeout(self.every(), self.lock(host, true)).await else { return };
                match renewed {
                    Ok(Lock::Taken { .. }) => {}
                    // what cannot be written stops the run where it writes next
                    Ok(Lock::Lost(loss)) => drop(self.lose(host, Some(*held), loss).await),
                    Ok(Lock::Refused(holder)) => drop(self.lose(host, Some(*held), Loss::Taken(holder)).await),
                    Err(fault) => tracing::debug!(%host, %fault, "its lock could not be renewed"),
                }
            });
            futures_util::future::join_all(renewals).await;
        }
    }

    /// Gives all locks back, and writes that down. Gives the hosts that did not answer.
    pub(super) async fn release(&self) -> Result<BTreeSet<HostName>, RecordError> {
        let (hosts, failed) = self.give_back().await;
        if hosts.is_empty() && failed.is_empty() {
            return Ok(BTreeSet::new());
        }
        let silent = failed.iter().filter(|(_, (kind, _))| *kind == FailureKind::Unreachable);
        let silent = silent.map(|(host, _)| host.clone()).collect();
        let not_told = failed.into_iter().map(|(host, (_, why))| Unlocked { host, why }).collect();
        self.crew.recorder.record(Event::LocksReleased { hosts, not_told }).await?;
        Ok(silent)
    }

    async fn give_back(&self) -> (Vec<HostName>, Vec<(HostName, (FailureKind, String))>) {
        let held = std::mem::take(&mut *self.held());
        let releases = held.into_keys().map(|host| async {
            let told = timeout(RELEASE, self.crew.fleet.unlock(self.crew.plan.host(&host), &self.claim.run)).await;
            let failed = match told {
                Ok(Ok(())) => None,
                Ok(Err(fault)) => Some(why(&fault)),
                Err(_) => Some((FailureKind::Unreachable, "it did not answer in time".to_owned())),
            };
            (host, failed)
        });
        let (mut hosts, mut not_told) = (Vec::new(), Vec::new());
        for (host, failed) in futures_util::future::join_all(releases).await {
            match failed {
                None => hosts.push(host),
                Some(why) => not_told.push((host, why)),
            }
        }
        (hosts, not_told)
    }

    /// Takes or renews one lock.
    async fn lock(&self, host: &HostName, renewal: bool) -> Result<Lock, Fault> {
        let claim = Claim { renewal, ..self.claim.clone() };
        let sent = Instant::now();
        let taken = self.crew.fleet.lock(self.crew.plan.host(host), &claim).await?;
        if matches!(taken, Lock::Taken { .. }) {
            let mut held = self.held();
            match held.get_mut(host) {
                Some(held) => held.renewed = sent,
                // given back meanwhile
                None if renewal => {}
                None => drop(held.insert(host.clone(), Held { since: sent, renewed: sent })),
            }
        }
        Ok(taken)
    }

    /// A lock is not ours any more; unless it was given back, or taken anew, while that was found out.
    async fn lose(&self, host: &HostName, held: Option<Held>, loss: Loss) -> Result<(), RecordError> {
        {
            let mut all = self.held();
            if all.get(host).map(|now| now.since) != held.map(|held| held.since) {
                return Ok(());
            }
            all.remove(host);
        }
        let why = format!("the lock of {host} is lost: {}", loss.words());
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        self.crew.recorder.record(Event::LockLost { host: host.clone(), loss }).await
    }

    /// The time between two renewals.
    fn every(&self) -> Duration {
        self.claim.length.get() / 3
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<HostName, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The hosts that something is done on, sorted. What a person does by hand locks nothing, nor does a request that only
/// starts here.
fn locked_hosts(plan: &Plan) -> BTreeSet<HostName> {
    let mut hosts = BTreeSet::new();
    for unit in &plan.units {
        for leaf in &unit.leaves {
            let (acts, asks) = match &leaf.kind {
                LeafKind::Action(Action::Command(_) | Action::Copy { .. }) => (true, false),
                LeafKind::Action(Action::Http(_)) => (false, true),
                LeafKind::Action(Action::Manual { .. } | Action::Wait { .. })
                | LeafKind::Look { .. }
                | LeafKind::Checks => (false, false),
            };
            let acts = acts || leaf.step.undo.is_some();
            hosts.extend(unit.hosts.iter().filter(|host| acts || (asks && !host.is_here())).cloned());
        }
    }
    hosts
}

fn refused(host: &HostName, holder: &Holder) -> Halt {
    Halt::End(Ending::Locked, format!("the lock of {host} is held by {}", holder.words()))
}

/// Why a host could not be locked; nothing was sent to it that could be in doubt.
fn why(fault: &Fault) -> (FailureKind, String) {
    match fault {
        Fault::Unreachable { reason, hint } => {
            let hint = hint.as_ref().map(|hint| format!(" (hint: {hint})")).unwrap_or_default();
            (FailureKind::Unreachable, format!("unreachable: {reason}{hint}"))
        }
        Fault::TimedOut { .. } | Fault::Lost { .. } | Fault::NotStopped { .. } => {
            (FailureKind::Unreachable, "unreachable: it did not answer when it was to be locked".to_owned())
        }
        Fault::NotStarted { reason } => (FailureKind::NotStarted, format!("it could not be locked: {reason}")),
        Fault::Conversation { .. } | Fault::Cancelled => (FailureKind::NotStarted, fault.to_string()),
    }
}
