//! What actions leave on a scripted host: as on a real one, an action goes on when nobody waits for it any more, and its
//! receipt tells later what became of it.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::sleep;

use super::super::capability::{Act, Ended, Fault, Finished};
use super::super::left::{Fate, LeftReceipt, LeftRun, Written};
use super::answer::After;
use super::{Answer, Call, Scripted};
use crate::model::Target;
use crate::vocab::{HostName, Period, RunId, StepId};

/// One action on one host.
type Name = (HostName, RunId, StepId, u32);

/// What is known on the hosts of all actions.
pub(super) type Receipts = HashMap<Name, Receipt>;

/// What a host knows of an action.
#[derive(Clone, Debug)]
pub(super) enum Receipt {
    /// It runs, or has ended.
    Started(watch::Receiver<Option<Finished>>, watch::Sender<Option<Ended>>),
    /// It never shall.
    Withdrawn,
    /// Nothing tells how it ended.
    Gone,
}

impl Scripted {
    /// The receipts that are on the hosts now, each as `step@host#attempt`, sorted.
    pub fn receipts_kept(&self) -> Vec<String> {
        let script = self.script();
        let mut names: Vec<String> =
            script.receipts.keys().map(|(host, _, step, attempt)| format!("{step}@{host}#{attempt}")).collect();
        names.sort();
        names
    }

    /// Starts `act` on its host, unless it was started or withdrawn before. It ends after the answer's time by itself.
    pub(super) fn start(
        &self,
        target: &Target,
        act: &Act,
        call: Call,
        answer: &Answer,
    ) -> Result<(Receipt, watch::Receiver<Option<Finished>>), Fault> {
        let name = name(target, act);
        let mut script = self.script();
        if script.receipts.contains_key(&name) {
            return Err(Fault::NotStarted { reason: "it was started before: its receipt is on the host".to_owned() });
        }
        let (tell, told) = watch::channel(None);
        let (stop, stopped) = watch::channel(None);
        let receipt = if answer.after == After::Gone { Receipt::Gone } else { Receipt::Started(told.clone(), stop) };
        script.receipts.insert(name, receipt.clone());
        script.sent.push(call.clone());
        drop(script);
        tokio::spawn(self.clone().at_work(call, answer.clone(), tell, stopped));
        Ok((receipt, told))
    }

    /// The host's part: the command takes its time, has its effect, and ends; or it is stopped before.
    async fn at_work(
        self,
        call: Call,
        answer: Answer,
        tell: watch::Sender<Option<Finished>>,
        mut stopped: watch::Receiver<Option<Ended>>,
    ) {
        let ended = tokio::select! {
            biased;
            stop = stop(&mut stopped) => stop,
            () = sleep(answer.delay) => None,
        };
        let took = Period::new(call.at.elapsed());
        let finished = match (ended, answer.finished()) {
            (Some(ended), _) => Finished { ended, stdout: Vec::new(), stderr: Vec::new(), took, output_cut: false },
            (None, Some(done)) => {
                self.effect(call);
                Finished { took: Period::new(answer.delay), ..done }
            }
            (None, None) => return,
        };
        tell.send_replace(Some(finished));
    }

    /// What the host knows of `act`; when it knows nothing, it withdraws it.
    pub(super) fn receipt(&self, target: &Target, act: &Act) -> Receipt {
        self.script().receipts.entry(name(target, act)).or_insert(Receipt::Withdrawn).clone()
    }

    /// What `run`, or every run, has left on `target`: all of it in the login user's home, whoever the actions ran as.
    pub(super) fn left(&self, target: &Target, sudo: Option<&str>, run: Option<&RunId>) -> Vec<LeftRun> {
        let mut runs: BTreeMap<RunId, Vec<LeftReceipt>> = BTreeMap::new();
        let script = self.script();
        let here = script.receipts.iter().filter(|((host, ..), _)| *host == target.name && sudo.is_none());
        for ((_, of, step, attempt), receipt) in here.filter(|((_, of, ..), _)| run.is_none_or(|run| run == of)) {
            let written = receipt.finished();
            let size = |stream: fn(&Finished) -> &Vec<u8>| written.as_ref().map_or(0, |done| stream(done).len() as u64);
            runs.entry(of.clone()).or_default().push(LeftReceipt {
                step: step.clone(),
                attempt: *attempt,
                fate: receipt.fate(),
                stdout: size(|done| &done.stdout),
                stderr: size(|done| &done.stderr),
            });
        }
        let account = target.user.clone().unwrap_or_else(|| "login".to_owned());
        runs.into_iter()
            .map(|(run, mut receipts)| {
                receipts.sort_by(|a, b| (&a.step, a.attempt).cmp(&(&b.step, b.attempt)));
                LeftRun { run, account: account.clone(), receipts }
            })
            .collect()
    }

    /// What an action has written.
    pub(super) fn written_by(&self, target: &Target, run: &RunId, step: &StepId, attempt: u32) -> Written {
        let name = (target.name.clone(), run.clone(), step.clone(), attempt);
        let finished = self.script().receipts.get(&name).and_then(Receipt::finished);
        finished.map(|done| Written { stdout: done.stdout, stderr: done.stderr }).unwrap_or_default()
    }

    /// Forgets the receipts of `run` on `target`.
    pub(super) fn forget(&self, target: &Target, run: &RunId) {
        self.script().receipts.retain(|(host, of, _, _), _| *host != target.name || of != run);
    }
}

impl Receipt {
    fn finished(&self) -> Option<Finished> {
        match self {
            Self::Started(told, _) => told.borrow().clone(),
            Self::Withdrawn | Self::Gone => None,
        }
    }

    fn fate(&self) -> Fate {
        match (self, self.finished().map(|done| done.ended)) {
            (Self::Started(..), None) => Fate::Running { since: Timestamp::UNIX_EPOCH },
            (Self::Started(..), Some(Ended::Exited(status))) => Fate::Finished(status),
            // the wrapper writes down what stopped it
            (Self::Started(..), Some(Ended::TimedOut | Ended::Cancelled)) => Fate::Finished(143),
            (Self::Withdrawn, _) => Fate::NeverStarted,
            (Self::Gone, _) => Fate::Gone,
        }
    }
}

fn name(target: &Target, act: &Act) -> Name {
    (target.name.clone(), act.run.clone(), act.step.clone(), act.attempt)
}

/// Waits until it shall be stopped. Once nobody can say so any more, it goes on.
async fn stop(stopped: &mut watch::Receiver<Option<Ended>>) -> Option<Ended> {
    if stopped.wait_for(Option::is_some).await.is_err() {
        std::future::pending::<()>().await;
    }
    *stopped.borrow()
}

/// Waits for the end of a started action.
pub(super) async fn ended(told: &mut watch::Receiver<Option<Finished>>) -> Option<Finished> {
    told.wait_for(Option::is_some).await.ok().and_then(|finished| finished.clone())
}
