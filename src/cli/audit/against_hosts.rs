//! Asking hosts for the stamps that runs have left in their logs.
//!
//! Apart from `verify`, which compares them with journals: this only brings them.

use std::collections::{BTreeMap, BTreeSet};

use super::super::conduct;
use crate::model::Inventory;
use crate::transport::Inspect as _;
use crate::vocab::neutral::one_line;
use crate::vocab::{HostName, RunId, StampsSeen};

/// How many hosts are searched at the same time.
const AT_ONCE: usize = 64;

/// Asks all hosts at once for the stamps of `run`, or of every run. A host that the inventory does not have any more is one that
/// could not be asked.
pub(super) async fn ask(
    inventory: &Inventory,
    hosts: BTreeSet<HostName>,
    run: Option<&RunId>,
) -> BTreeMap<HostName, Result<StampsSeen, String>> {
    let fleet = conduct::fleet(AT_ONCE);
    let asking = hosts.into_iter().map(|host| async {
        let seen = match inventory.target(&host) {
            Some(target) => fleet.stamps(&target, run).await.map_err(|fault| one_line(&fault.why())),
            None => Err("the inventory does not have it".to_owned()),
        };
        (host, seen)
    });
    futures_util::future::join_all(asking).await.into_iter().collect()
}
