//! What is found on hosts of what actions left there: whom to ask, asking, and what of it the journal knows.
//!
//! Apart from `collect`, which shows and removes it.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{Event, RunState};
use crate::journal::Replay;
use crate::model::{Inventory, Target};
use crate::transport::{Fate, Fault, Fleet, Inspect as _, LeftReceipt, LeftRun};
use crate::vocab::neutral::one_line;
use crate::vocab::{HostName, RunId, StepHost};

/// One account of one host, and what was found there.
pub(super) struct Found {
    pub(super) target: Target,
    /// Whoever is asked through sudo; none: the login user.
    pub(super) sudo: Option<String>,
    pub(super) left: Result<Vec<LeftRun>, Fault>,
}

/// Accounts by host: those that are asked through sudo, and the login user as none.
pub(super) type Accounts = BTreeMap<HostName, BTreeSet<Option<String>>>;

/// The accounts that the run's actions went to, as far as its journal names them.
pub(super) fn accounts(past: &Replay) -> Accounts {
    let mut accounts = Accounts::new();
    for record in &past.records {
        // an undo runs as its step does
        if let Event::StepStarted { at, user, .. } = &record.event {
            accounts.entry(at.host.clone()).or_default().insert(user.clone());
        }
    }
    accounts
}

/// Asks all accounts at once. A host that the inventory does not have any more is one that could not be asked.
pub(super) async fn ask(
    fleet: &Fleet,
    inventory: &Inventory,
    accounts: Accounts,
    sudo: &[String],
    run: Option<&RunId>,
) -> Vec<Found> {
    let asking = accounts.into_iter().flat_map(|(host, mut users)| {
        let target = inventory.target(&host);
        users.extend([None, target.as_ref().and_then(|target| target.sudo.clone())]);
        users.extend(sudo.iter().cloned().map(Some));
        users.into_iter().map(move |sudo| (host.clone(), target.clone(), sudo)).collect::<Vec<_>>()
    });
    let found = futures_util::future::join_all(asking.map(|(host, target, sudo)| async move {
        let Some(target) = target else {
            let reason = "the inventory does not have it".to_owned();
            let unknown = Target { name: host, ..Target::here() };
            return Found { target: unknown, sudo, left: Err(Fault::Unreachable { reason, hint: None }) };
        };
        let left = fleet.receipts(&target, sudo.as_deref(), run).await;
        Found { target, sudo, left }
    }))
    .await;
    each_account_once(found)
}

/// The login user of a host may be one that is asked through sudo as well.
fn each_account_once(found: Vec<Found>) -> Vec<Found> {
    let mut seen = BTreeSet::new();
    let mut all = found;
    for Found { target, left, .. } in &mut all {
        if let Ok(left) = left {
            left.retain(|left| seen.insert((target.name.clone(), left.account.clone(), left.run.clone())));
        }
    }
    all
}

/// Whether the journal has what became of this try.
pub(super) fn is_known(state: &RunState, at: &StepHost, attempt: u32) -> bool {
    if let Some(sent) = state.sent.get(at) {
        return attempt < sent.attempt || (attempt == sent.attempt && sent.learned);
    }
    let undone = at.step.as_str().strip_suffix("/undo").map(|step| StepHost::new(step.into(), at.host.clone()));
    undone
        .and_then(|of| state.undos.get(&of))
        .is_some_and(|undo| attempt < undo.started || (attempt == undo.started && !undo.running))
}

/// Every run that was found, with where.
pub(super) fn lines(found: &[Found]) -> impl Iterator<Item = (&Found, &LeftRun)> {
    found.iter().flat_map(|found| found.left.iter().flatten().map(move |left| (found, left)))
}

pub(super) fn running(receipts: &[LeftReceipt]) -> usize {
    receipts.iter().filter(|receipt| matches!(receipt.fate, Fate::Running { .. })).count()
}

pub(super) fn unasked(found: &[Found]) -> impl Iterator<Item = (&Found, &Fault)> {
    found.iter().filter_map(|found| Some((found, found.left.as_ref().err()?)))
}

pub(super) fn unasked_json(found: &[Found]) -> Vec<serde_json::Value> {
    let document = |(found, fault): (&Found, &Fault)| serde_json::json!({"host": found.target.name, "sudo": found.sudo, "why": one_line(&fault.to_string())});
    unasked(found).map(document).collect()
}

/// A host, and as whom it was asked.
pub(super) fn place(found: &Found) -> String {
    let sudo = found.sudo.as_ref().map(|user| format!(" (sudo {user})")).unwrap_or_default();
    format!("{}{sudo}", found.target.name)
}
