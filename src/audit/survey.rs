//! All runs of a state dir, looked at one after the other, and then what they show of each other.

use super::chain::{Chain, Newest};
use super::finding::Finding;
use super::proof::Proof;
use super::signature::Signers;
use crate::event::Link;
use crate::journal::{JournalError, SealFault, Store};
use crate::vocab::RunId;

/// One thing that a survey comes upon.
#[derive(Clone, Debug)]
pub enum Seen {
    /// A run, and what it shows of itself.
    Run(Box<Proof>),
    /// What others show of a run, which may not be there.
    Shown(RunId, Vec<Finding>),
    /// A line of what is left of pruned runs does not verify.
    PrunedLine(SealFault),
}

/// Looks at every run, newest first, then at those that were pruned, then at the chains through all. Memory grows with the
/// number of runs only by what the chains need of each: a few hundred bytes.
pub fn survey(store: &Store, signers: &Signers, mut tell: impl FnMut(Seen)) -> Result<(), JournalError> {
    let mut chain = Chain::default();
    for run in store.runs_newest_first()? {
        let proof = Proof::of(store, &run, signers);
        chain.add(&proof);
        tell(Seen::Run(Box::new(proof)));
    }
    for pruned in store.pruned()? {
        match pruned {
            Ok(pruned) => {
                let proof = Proof::pruned(pruned, signers);
                chain.add(&proof);
                tell(Seen::Run(Box::new(proof)));
            }
            Err(why) => tell(Seen::PrunedLine(why)),
        }
    }
    for (run, findings) in chain.findings(&Newest::of(store)?) {
        tell(Seen::Shown(run, findings));
    }
    Ok(())
}

/// Looks for the run that `by` names as the one before it: what is wrong with that, if anything is.
pub fn before(store: &Store, by: &RunId, link: &Link) -> Result<Vec<Finding>, JournalError> {
    let mut chain = Chain::default();
    chain.add(&Proof { link: Some(link.clone()), ..Proof::nothing(by.clone()) });
    let signers = Signers::unasked();
    if store.folder(&link.run).is_dir() {
        chain.add(&Proof::of(store, &link.run, &signers));
    } else if let Some(pruned) = store.pruned()?.into_iter().flatten().find(|pruned| pruned.run == link.run) {
        chain.add(&Proof::pruned(pruned, &signers));
    }
    let mut found = chain.findings(&Newest::default()).remove(&link.run).unwrap_or_default();
    found.retain(|finding| matches!(finding, Finding::Missing { .. } | Finding::FirstDiffers { .. }));
    Ok(found)
}
