//! All runs of a state dir, looked at one after the other, and then what they show of each other.

use super::against_hosts::{Asked, missing};
use super::chain::{Chain, Newest};
use super::finding::Finding;
use super::proof::Proof;
use super::signature::Signers;
use crate::event::Link;
use crate::journal::{JournalError, SealFault, Store};
use crate::vocab::RunId;

/// One thing that a survey comes upon.
#[derive(Clone, Debug)]
pub enum Sight {
    /// A run, and what it shows of itself.
    Run(Box<Proof>),
    /// What others show of a run, which may not be there.
    Shown(RunId, Vec<Finding>),
    /// A line of what is left of pruned runs does not verify.
    PrunedLine(SealFault),
}

/// Looks at every run, newest first, then at those that were pruned, then at the chains through all; beside what `hosts`
/// said, where they were asked, of the runs of this record. Memory grows with the number of runs only by what the chains
/// need of each: a few hundred bytes.
pub fn survey(
    store: &Store,
    signers: &Signers,
    hosts: Option<&Asked>,
    mut tell: impl FnMut(Sight),
) -> Result<(), JournalError> {
    let mut chain = Chain::default();
    // before the runs are read: those that begin meanwhile are not missed
    let newest = Newest::of(store)?;
    for run in store.runs_newest_first()? {
        let mut proof = Proof::of(store, &run, signers);
        // pruned meanwhile: it is told with those
        if store.folder(&run).symlink_metadata().is_err() {
            continue;
        }
        chain.add(&proof);
        if let Some(asked) = hosts {
            proof.beside(store, asked);
        }
        tell(Sight::Run(Box::new(proof)));
    }
    for pruned in store.pruned()? {
        match pruned {
            Ok(pruned) => {
                if !chain.knows(&pruned.by) && store.folder(&pruned.by).is_dir() {
                    chain.add(&Proof::of(store, &pruned.by, signers));
                }
                let proof = Proof::pruned(pruned, signers);
                chain.add(&proof);
                tell(Sight::Run(Box::new(proof)));
            }
            Err(why) => tell(Sight::PrunedLine(why)),
        }
    }
    // a run that was read before another one ended may have been sealed in between
    let doubtful: Vec<RunId> = chain.findings(&newest).into_keys().filter(|run| store.folder(run).is_dir()).collect();
    for run in doubtful {
        chain.add(&Proof::of(store, &run, &Signers::unasked()));
    }
    for (run, findings) in chain.findings(&newest).into_iter().chain(chain.at_its_end(&Newest::of(store)?)) {
        tell(Sight::Shown(run, findings));
    }
    if let Some(Asked { record, seen, .. }) = hosts {
        for run in missing(record, |run| chain.knows(run) || store.folder(run).is_dir(), seen) {
            tell(Sight::Shown(run.run.clone(), vec![Finding::MissingByHosts(run)]));
        }
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
