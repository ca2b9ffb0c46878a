//! The chains through all runs of a state dir: what one run shows of another.
//!
//! Each run names the first record of the run that started before it; each seal names the seal that was made before it, of
//! whichever run. So a run that was removed is missed by the next one, one that was made anew by its successor or by every
//! later seal, signed or not. The newest of both is kept by the state dir itself.
//!
//! *Not shown*: the newest runs removed together with what the state dir says is the newest; that shows on the hosts that
//! they changed.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::{Finding, NamedBy};
use super::proof::Proof;
use crate::event::Link;
use crate::journal::{JournalError, SealLink, Store};
use crate::vocab::{Digest, RunId};

/// What the state dir says is the newest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Newest {
    /// The run that started last.
    pub run: Option<Link>,
    /// The seal that was made last.
    pub seal: Option<SealLink>,
}

impl Newest {
    /// What the state dir of `store` says.
    pub fn of(store: &Store) -> Result<Self, JournalError> {
        Ok(Self { run: store.newest_started()?, seal: store.newest_sealed()? })
    }
}

/// A run as the chains know it; all else of a proof may be forgotten meanwhile.
#[derive(Clone, Debug)]
struct Member {
    first: Option<Digest>,
    link: Option<Link>,
    /// The digests of its seals, by number.
    seals: BTreeMap<u32, Digest>,
}

/// All runs of a state dir, as far as they name each other.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    members: BTreeMap<RunId, Member>,
    /// For each seal that names one before it: that one, and whose seal it is.
    named: Vec<(SealLink, RunId)>,
    pruned: BTreeSet<RunId>,
    pruners: BTreeSet<RunId>,
}

impl Chain {
    /// Adds a run.
    pub fn add(&mut self, proof: &Proof) {
        let seals = proof.seal_links().map(|seal| (seal.number, seal.digest)).collect();
        let member = Member { first: proof.first.clone(), link: proof.link.clone(), seals };
        for seal in &proof.seals {
            self.named.extend(seal.statement.before.clone().map(|before| (before, proof.run.clone())));
        }
        let is_pruned = proof.findings.iter().any(|found| matches!(found, Finding::Pruned { .. }));
        if is_pruned {
            self.pruned.insert(proof.run.clone());
        }
        self.pruners.extend(proof.pruned.iter().cloned());
        self.members.insert(proof.run.clone(), member);
    }

    /// Whether a run was added.
    pub fn knows(&self, run: &RunId) -> bool {
        self.members.contains_key(run)
    }

    /// What the end of the chains shows: what the state dir says is the newest, once all runs have been read.
    pub fn at_its_end(&self, newest: &Newest) -> BTreeMap<RunId, Vec<Finding>> {
        let mut found: BTreeMap<RunId, Vec<Finding>> = BTreeMap::new();
        // pruned runs alone need no newest one; and records that never had seals or links have none
        let mut linked = self.members.iter().filter(|(run, _)| !self.pruned.contains(run));
        let Some((last, _)) = linked.rfind(|(_, member)| member.first.is_some() && !member.seals.is_empty()) else {
            return found;
        };
        match &newest.run {
            None => found.entry(last.clone()).or_default().push(Finding::NoEnd { what: "run" }),
            Some(link) => {
                let later = self.members.iter().find(|(_, member)| member.link.as_ref() == Some(link));
                if let Some((by, _)) = later {
                    found.entry(link.run.clone()).or_default().push(Finding::EndBehind { by: by.clone() });
                }
            }
        }
        match &newest.seal {
            None => found.entry(last.clone()).or_default().push(Finding::NoEnd { what: "seal" }),
            Some(seal) => {
                if let Some((_, by)) = self.named.iter().find(|(named, _)| named == seal) {
                    found.entry(seal.run.clone()).or_default().push(Finding::EndBehind { by: by.clone() });
                }
            }
        }
        found
    }

    /// What the chains show, by the run that it is about.
    pub fn findings(&self, newest: &Newest) -> BTreeMap<RunId, Vec<Finding>> {
        let mut found: BTreeMap<RunId, Vec<Finding>> = BTreeMap::new();
        let mut say = |run: &RunId, finding: Finding| {
            let said = found.entry(run.clone()).or_default();
            // a run that is gone is missed by its successor and by many a seal: once is enough
            let missing = |known: &Finding| matches!(known, Finding::Missing { .. });
            let told = said.contains(&finding) || (missing(&finding) && said.iter().any(missing));
            if !told {
                said.push(finding);
            }
        };
        let mut named: BTreeMap<&RunId, &RunId> = BTreeMap::new();
        let mut beginnings = Vec::new();
        for (run, member) in &self.members {
            let Some(link) = &member.link else {
                // of a run that cannot be read nobody knows whom it named
                if member.first.is_some() {
                    beginnings.push(run);
                }
                continue;
            };
            if let Some(with) = named.insert(&link.run, run) {
                say(run, Finding::Fork { with: with.clone() });
            }
            self.holds(link, &NamedBy::Run(run.clone()), &mut say);
        }
        for run in beginnings.into_iter().skip(1) {
            say(run, Finding::Beginning);
        }
        if let Some(link) = &newest.run {
            self.holds(link, &NamedBy::StateDir, &mut say);
        }
        let newest_seal = newest.seal.iter().map(|seal| (seal, NamedBy::StateDir));
        let seals = self.named.iter().map(|(seal, by)| (seal, NamedBy::Run(by.clone()))).chain(newest_seal);
        for (seal, by) in seals {
            match self.members.get(&seal.run) {
                None => say(&seal.run, Finding::Missing { by }),
                Some(member) if member.seals.get(&seal.number) == Some(&seal.digest) => {}
                Some(_) => say(&seal.run, Finding::SealGone { number: seal.number, by }),
            }
        }
        for run in self.pruned.difference(&self.pruners) {
            say(run, Finding::PrunedByNobody);
        }
        found
    }

    fn holds(&self, link: &Link, by: &NamedBy, say: &mut impl FnMut(&RunId, Finding)) {
        match self.members.get(&link.run) {
            None => say(&link.run, Finding::Missing { by: by.clone() }),
            Some(member) if member.first.as_ref().is_none_or(|first| *first == link.first) => {}
            Some(_) => say(&link.run, Finding::FirstDiffers { by: by.clone() }),
        }
    }
}
