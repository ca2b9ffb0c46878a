//! A fleet where some actions and requests come to harm: their end is not heard, their host goes down, its lock is lost.
//!
//! Apart from the script, which says how actions go when nothing disturbs them.

use std::future::Future;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use runbook::model::Target;
use runbook::transport::{
    Act, Became, Claim, Fault, Finished, HttpReply, Inspect, LeftRun, Lock, Look, Operate, Pending, Scripted, Seen,
    Sending, Written,
};
use runbook::vocab::{Holder, Period, RunId, Stamp, StampsSeen, StepId};
use tokio::time::sleep;

/// What happens to a deed: an action or a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// It ends, and nobody hears of it.
    Unheard,
    /// It is lost on its way, and its host knows nothing of it.
    LostOnTheWay,
    /// Its host is down when it comes.
    DownBefore,
    /// Its host goes down while it runs; it runs on.
    DownDuring,
    /// Its host goes down once it has ended.
    DownAfter,
    /// The lock of its host is broken before it.
    LockBroken,
    /// The lock of its host is broken while it runs.
    LockBrokenDuring,
    /// The lock of its host is somebody else's while it runs, and for a while.
    LockTaken,
}

impl Harm {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Unheard,
        Self::LostOnTheWay,
        Self::DownBefore,
        Self::DownDuring,
        Self::DownAfter,
        Self::LockBroken,
        Self::LockBrokenDuring,
        Self::LockTaken,
    ];
}

/// How long a host stays down, and its lock somebody else's.
const AWAY: Duration = Duration::from_secs(400);

/// A fleet that is done mischief to.
pub struct Mischief {
    fleet: Scripted,
    deeds: AtomicUsize,
    /// Which deeds, from 0, and what happens to them.
    harms: Mutex<Vec<(usize, Harm)>>,
}

impl Mischief {
    /// None so far.
    pub fn new(fleet: Scripted) -> Self {
        Self { fleet, deeds: AtomicUsize::new(0), harms: Mutex::default() }
    }

    /// Something will happen to the deed of this number from now, from 0.
    pub fn plan(&self, deed: usize, harm: Harm) {
        self.harms.lock().unwrap().push((self.deeds.load(Ordering::Relaxed) + deed, harm));
    }

    /// Whether something happens now.
    pub fn is_done(&self) -> bool {
        !self.harms.lock().unwrap().is_empty()
    }

    /// Nothing happens any more.
    pub fn stops(&self) {
        self.harms.lock().unwrap().clear();
    }

    /// Nothing happens any more, and every host is back.
    pub async fn over(&self) {
        self.stops();
        sleep(AWAY * 2).await;
    }

    fn next(&self) -> Option<Harm> {
        let number = self.deeds.fetch_add(1, Ordering::Relaxed);
        self.harms.lock().unwrap().iter().find(|(deed, _)| *deed == number).map(|(_, harm)| *harm)
    }

    /// A deed on `target`, and what happens to it.
    async fn harmed<T>(&self, target: &Target, deed: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let Some(harm) = self.next() else { return deed.await };
        let halfway = || sleep(Duration::from_millis(500));
        match harm {
            Harm::Unheard => deed.await.and_then(|_| Err(lost())),
            Harm::LostOnTheWay => Err(lost()),
            Harm::DownBefore => {
                self.goes_down(target);
                deed.await
            }
            Harm::DownDuring => {
                let (ended, ()) = tokio::join!(deed, async {
                    halfway().await;
                    self.goes_down(target);
                });
                ended.and_then(|_| Err(lost()))
            }
            Harm::DownAfter => {
                let ended = deed.await;
                self.goes_down(target);
                ended
            }
            Harm::LockBroken => {
                self.fleet.break_lock(target, "bob", "in the way").await?;
                deed.await
            }
            Harm::LockBrokenDuring => {
                let (ended, broken) = tokio::join!(deed, async {
                    halfway().await;
                    self.fleet.break_lock(target, "bob", "in the way").await
                });
                broken?;
                ended
            }
            Harm::LockTaken => {
                let (ended, ()) = tokio::join!(deed, async {
                    halfway().await;
                    drop(self.fleet.clone().locked_for(target.name.as_str(), bob(), AWAY));
                });
                ended
            }
        }
    }

    fn goes_down(&self, target: &Target) {
        let (fleet, host) = (self.fleet.clone(), target.name.to_string());
        fleet.goes_down(&host, crate::person::DOWN);
        tokio::spawn(async move {
            sleep(AWAY).await;
            fleet.comes_back(&host);
        });
    }
}

fn bob() -> Holder {
    Holder {
        run: "20261122T041500Z-22222222".parse().unwrap(),
        operator: "bob".to_owned(),
        admin_host: "admin02".to_owned(),
        runbook: "other".to_owned(),
        since: None,
        running: false,
    }
}

fn lost() -> Fault {
    Fault::Lost { reason: "it was not heard".to_owned(), stdout: Vec::new(), stderr: Vec::new() }
}

impl Inspect for Mischief {
    fn look<'a>(&'a self, target: &'a Target, look: Look) -> Pending<'a, Result<Seen, Fault>> {
        self.fleet.look(target, look)
    }

    fn ping<'a>(&'a self, target: &'a Target, timeout: Period) -> Pending<'a, Result<Period, Fault>> {
        self.fleet.ping(target, timeout)
    }

    fn locked<'a>(&'a self, target: &'a Target) -> Pending<'a, Result<Option<Holder>, Fault>> {
        self.fleet.locked(target)
    }

    fn receipts<'a>(
        &'a self,
        target: &'a Target,
        sudo: Option<&'a str>,
        run: Option<&'a RunId>,
    ) -> Pending<'a, Result<Vec<LeftRun>, Fault>> {
        self.fleet.receipts(target, sudo, run)
    }

    fn written<'a>(
        &'a self,
        target: &'a Target,
        sudo: Option<&'a str>,
        run: &'a RunId,
        step: &'a StepId,
        attempt: u32,
    ) -> Pending<'a, Result<Written, Fault>> {
        self.fleet.written(target, sudo, run, step, attempt)
    }

    fn stamps<'a>(&'a self, target: &'a Target, run: Option<&'a RunId>) -> Pending<'a, Result<StampsSeen, Fault>> {
        self.fleet.stamps(target, run)
    }
}

impl Operate for Mischief {
    fn act<'a>(&'a self, target: &'a Target, act: Act) -> Pending<'a, Result<Finished, Fault>> {
        Box::pin(self.harmed(target, self.fleet.act(target, act)))
    }

    fn ask<'a>(&'a self, target: &'a Target, act: Act) -> Pending<'a, Result<Became, Fault>> {
        self.fleet.ask(target, act)
    }

    fn send<'a>(&'a self, target: &'a Target, sending: Sending) -> Pending<'a, Result<HttpReply, Fault>> {
        Box::pin(self.harmed(target, self.fleet.send(target, sending)))
    }

    fn lock<'a>(&'a self, target: &'a Target, claim: &'a Claim) -> Pending<'a, Result<Lock, Fault>> {
        self.fleet.lock(target, claim)
    }

    fn unlock<'a>(&'a self, target: &'a Target, run: &'a RunId) -> Pending<'a, Result<(), Fault>> {
        self.fleet.unlock(target, run)
    }

    fn break_lock<'a>(
        &'a self,
        target: &'a Target,
        by: &'a str,
        reason: &'a str,
    ) -> Pending<'a, Result<Option<Holder>, Fault>> {
        self.fleet.break_lock(target, by, reason)
    }

    fn collect<'a>(
        &'a self,
        target: &'a Target,
        sudo: Option<&'a str>,
        run: &'a RunId,
    ) -> Pending<'a, Result<(), Fault>> {
        self.fleet.collect(target, sudo, run)
    }

    fn stamp<'a>(&'a self, target: &'a Target, stamps: &'a [Stamp]) -> Pending<'a, Result<(), Fault>> {
        self.fleet.stamp(target, stamps)
    }

    fn tidy<'a>(&'a self, target: &'a Target, run: &'a RunId) -> Pending<'a, ()> {
        self.fleet.tidy(target, run)
    }
}
