//! Whether the record of one run is whole: its journal, its seals, who signed them.

use std::collections::BTreeSet;

use super::against_hosts::{Asked, Facts, HostFinding, compare};
use super::finding::Finding;
use super::signature::Signers;
use crate::event::{Event, Link, RunStatus, changed};
use crate::journal::{Integrity, JournalError, Pruned, Seal, SealLink, Statement, Store, Verification};
use crate::vocab::{Digest, HostName, RunId};

/// What is known of the record of a run.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The run.
    pub run: RunId,
    /// What was found, the journal first.
    pub findings: Vec<Finding>,
    /// The number of records that verify.
    pub records: u64,
    /// How many bytes were verified, the files beside the journal not counted.
    pub bytes: u64,
    /// The digest of its first record.
    pub first: Option<Digest>,
    /// The run it names as the one before it.
    pub link: Option<Link>,
    /// The seals that verify, in order.
    pub seals: Vec<Seal>,
    /// The runs that it says it has pruned.
    pub pruned: Vec<RunId>,
}

impl Proof {
    /// Looks at a run's journal and its seals.
    pub fn of(store: &Store, run: &RunId, signers: &Signers) -> Self {
        let mut proof = Self::nothing(run.clone());
        let seals = match store.seals(run) {
            Ok(seals) => seals,
            Err(error) => return proof.with(Finding::Unreadable(error.whole())),
        };
        let sealed_before = seals.len();
        let counts: BTreeSet<u64> = seals.iter().flatten().map(|seal| seal.statement.records).chain([1]).collect();
        let mut digests = std::collections::BTreeMap::new();
        let verified = store.verify_with(run, |record| {
            if counts.contains(&record.seq) {
                digests.insert(record.seq, record.digest.clone());
            }
            if let Event::RunsPruned { runs } = &record.event {
                proof.pruned.extend(runs.iter().map(|pruned| pruned.run.clone()));
            }
        });
        let Verification { records, state, integrity, head: _, bytes } = match verified {
            Ok(verified) => verified,
            Err(error) => {
                // the seals are there all the same, and others name them
                proof.seals = seals.into_iter().flatten().collect();
                return proof.with(match error {
                    JournalError::Corrupt { integrity, .. } => Finding::Journal(*integrity),
                    error => Finding::Unreadable(error.whole()),
                });
            }
        };
        (proof.records, proof.bytes) = (records, bytes);
        proof.first = digests.get(&1).cloned();
        proof.link = state.as_ref().and_then(|state| state.opened.link.clone());
        let over = match state.as_ref().map(|state| &state.status) {
            None | Some(RunStatus::Open) => false,
            Some(RunStatus::Stopped { .. } | RunStatus::Ended { .. } | RunStatus::Abandoned { .. }) => true,
        };
        // what stands behind a broken record is not known
        let whole = !matches!(integrity, Integrity::Broken { .. });
        proof.findings.push(Finding::Journal(integrity));
        let mut agreed = 0;
        for (seal, number) in seals.into_iter().zip(1..) {
            let seal = match seal {
                Ok(seal) => seal,
                Err(why) => {
                    proof.findings.push(Finding::SealBroken { number, why });
                    continue;
                }
            };
            let sealed = seal.statement.records;
            match digests.get(&sealed) {
                Some(digest) if *digest == seal.statement.head => agreed = agreed.max(sealed),
                Some(_) => proof.findings.push(Finding::Rewritten { after: agreed, by: sealed }),
                None if whole => proof.findings.push(Finding::Cut { sealed, records }),
                None => {}
            }
            let same_first = proof.first.as_ref().is_none_or(|first| *first == seal.statement.first);
            for (same, what) in [(same_first, "first record"), (proof.link == seal.statement.link, "run before it")] {
                if !same && proof.first.is_some() {
                    proof.findings.push(Finding::SealDiffers { number, what });
                }
            }
            proof.findings.push(Finding::Signed { number, signer: signers.of(&seal) });
            proof.seals.push(seal);
        }
        let rewritten = proof.findings.iter().any(|found| matches!(found, Finding::Rewritten { .. }));
        if whole && over && agreed < records && !rewritten {
            // the last record is written before the seal, by a program that holds the journal meanwhile
            if store.is_running(run) {
                return proof;
            }
            if store.seals(run).is_ok_and(|seals| seals.len() > sealed_before) {
                return Self::of(store, run, signers);
            }
            proof.findings.push(Finding::Unsealed { sealed: agreed, records });
        }
        proof
    }

    /// Adds what the logs of hosts say of it, which is read off its journal once more.
    pub fn beside(&mut self, store: &Store, asked: &Asked) {
        let seen = &asked.seen;
        let wanted: BTreeSet<u64> = seen
            .values()
            .flatten()
            .flat_map(|seen| &seen.stamps)
            .filter(|stamp| stamp.run == self.run)
            .map(|stamp| stamp.records)
            .collect();
        let mut digests = std::collections::BTreeMap::new();
        let mut ended_at = None;
        let verified = store.verify_with(&self.run, |record| {
            if wanted.contains(&record.seq) {
                digests.insert(record.seq, record.digest.clone());
            }
            if matches!(record.event, Event::Stopped { .. } | Event::Ended { .. }) {
                ended_at = Some(record.seq);
            }
        });
        // what cannot be read is told already
        let Ok(Verification { state: Some(state), records, .. }) = verified else { return };
        let digest_of = |seq: u64| digests.get(&seq).cloned();
        let said = compare(&Facts::of(&state, records, ended_at, &digest_of), seen);
        for (host, says) in said {
            let says = match says {
                // its stamps are younger than the answer
                HostFinding::NoStamp { .. } if state.last_at > asked.at => {
                    HostFinding::NotAsked { why: "the run ended when it had been asked already".to_owned() }
                }
                HostFinding::NoStamp { reaches_back } => match self.stamped(&host) {
                    Some(Ok(())) => HostFinding::NoStamp { reaches_back },
                    Some(Err(why)) => {
                        self.findings.push(Finding::NotStamped { host, why });
                        continue;
                    }
                    // changed in a stretch that never came to its end
                    None => HostFinding::NoneDue,
                },
                says => says,
            };
            self.findings.push(Finding::Host { host, says });
        }
    }

    /// What the newest seal that names a host says: that its log has the stamp, or why not.
    fn stamped(&self, host: &HostName) -> Option<Result<(), String>> {
        self.seals.iter().rev().find_map(|seal| {
            let Statement { stamped, unstamped, .. } = &seal.statement;
            let not = unstamped.iter().find(|(name, _)| name == host).map(|(_, why)| Err(why.clone()));
            not.or_else(|| stamped.contains(host).then_some(Ok(())))
        })
    }

    /// What of it is not as it was sealed: nobody should go on from such a record, nor seal it once more.
    pub fn unlike_its_seals(&self) -> Vec<&Finding> {
        let unlike = |found: &&Finding| match found {
            Finding::Cut { .. } | Finding::Rewritten { .. } | Finding::SealDiffers { .. } => true,
            Finding::SealBroken { why, .. } => !matches!(why, crate::journal::SealFault::Torn(_)),
            _ => false,
        };
        self.findings.iter().filter(unlike).collect()
    }

    /// The hosts that the run changed, by its journal.
    pub fn changed_hosts(store: &Store, run: &RunId) -> BTreeSet<HostName> {
        let state = store.verify(run).ok().and_then(|verified| verified.state);
        state.map(|state| changed(&state).into_keys().collect()).unwrap_or_default()
    }

    /// A run that was pruned: its seals are what is left of it.
    pub fn pruned(pruned: Pruned, signers: &Signers) -> Self {
        let Pruned { run, by, at: _, seals } = pruned;
        let mut proof = Self::nothing(run).with(Finding::Pruned { by });
        for seal in &seals {
            let number = seal.statement.number;
            proof.findings.push(Finding::Signed { number, signer: signers.of(seal) });
        }
        proof.first = seals.first().map(|seal| seal.statement.first.clone());
        proof.link = seals.first().and_then(|seal| seal.statement.link.clone());
        proof.seals = seals;
        proof
    }

    /// A run of which nothing is there.
    pub fn nothing(run: RunId) -> Self {
        Self {
            run,
            findings: Vec::new(),
            records: 0,
            bytes: 0,
            first: None,
            link: None,
            seals: Vec::new(),
            pruned: Vec::new(),
        }
    }

    fn with(mut self, finding: Finding) -> Self {
        self.findings.push(finding);
        self
    }

    /// Whether nothing is wrong with it.
    pub fn is_intact(&self) -> bool {
        !self.findings.iter().any(Finding::is_fault)
    }

    /// Whether every seal of it is signed by one who may, and there is one.
    pub fn is_signed(&self) -> bool {
        let mut signers = self.findings.iter().filter_map(|found| match found {
            Finding::Signed { signer, .. } => Some(signer.is_signed()),
            _ => None,
        });
        // the last seal is over everything that the ones before it are over
        signers.next_back().unwrap_or(false)
    }

    /// Its seals as later ones name them.
    pub fn seal_links(&self) -> impl Iterator<Item = SealLink> + '_ {
        self.seals.iter().map(Seal::link)
    }
}
