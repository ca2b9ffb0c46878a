//! A journal beside what the syslogs of the hosts say of its run: pure comparing, whoever asked the hosts.
//!
//! A stamp vouches for a journal as far as its count: the digest of that record is made of all before it. So a journal that was
//! rewritten has another digest there, and one that was cut has fewer records.
//!
//! *Not guaranteed*: that a stamp is ours. A user of a host can write any line into its log: such a line contradicts a journal
//! that is whole, and never makes one that is not agree.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;

use crate::event::{RunState, changed};
use crate::vocab::{Digest, HostName, RunId, Stamp, StampsSeen, StepId};

/// What the hosts said, or why they could not be asked.
pub type Seen = BTreeMap<HostName, Result<StampsSeen, String>>;

/// What hosts said when they were asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The record that is held against it, as stamps name it: the machine and the state dir.
    pub record: String,
    /// When they were asked: what ended later has left its stamps later.
    pub at: Timestamp,
    /// What they said.
    pub seen: Seen,
}

impl Asked {
    /// How many said something, and how many did not.
    pub fn tally(&self) -> (usize, usize) {
        let answered = self.seen.values().filter(|seen| seen.is_ok()).count();
        (answered, self.seen.len() - answered)
    }
}

/// A run as its journal has it.
pub struct Facts<'a> {
    /// The run.
    pub run: &'a RunId,
    /// How many records there are.
    pub records: u64,
    /// The digest of a record by its number, from 1; none: there is no such record.
    pub digest_of: &'a dyn Fn(u64) -> Option<Digest>,
    /// How many records there were when the last stretch came to its end: then the hosts were stamped. None: no stretch did, the
    /// program was killed, and no host has a stamp.
    pub ended_at: Option<u64>,
    /// What the run changed, as [`changed()`] tells it.
    pub changed: BTreeMap<HostName, BTreeMap<StepId, &'static str>>,
}

impl<'a> Facts<'a> {
    /// Of a journal that was read. `ended_at` is the number of the last record that ends a stretch.
    pub fn of(
        state: &'a RunState,
        records: u64,
        ended_at: Option<u64>,
        digest_of: &'a dyn Fn(u64) -> Option<Digest>,
    ) -> Self {
        Self { run: &state.opened.run, records, digest_of, ended_at, changed: changed(state) }
    }
}

/// What one host's log has to say of a run's journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostFinding {
    /// Every stamp there agrees.
    Agrees {
        /// So many of the journal's records are vouched for.
        records: u64,
        /// There is one of the last stretch's end.
        whole: bool,
    },
    /// A stamp does not; the first such one.
    Contradicts {
        /// The stamp.
        stamp: Box<Stamp>,
        /// How.
        how: Contradiction,
    },
    /// There is no stamp of the run, and there should be.
    NoStamp {
        /// The log has a stamp of an older run: it reaches back far enough, as far as one can tell.
        reaches_back: bool,
    },
    /// There is none, and none is due: no stretch of the run has come to its end.
    NoneDue,
    /// The host was not asked, did not answer, or could not tell of all its logs, and has no stamp in the others.
    NotAsked {
        /// Why.
        why: String,
    },
}

impl HostFinding {
    /// Whether it says that the record is not whole.
    pub fn is_fault(&self) -> bool {
        match self {
            Self::Contradicts { .. } | Self::NoStamp { reaches_back: true } => true,
            Self::Agrees { .. } | Self::NoStamp { reaches_back: false } | Self::NoneDue | Self::NotAsked { .. } => {
                false
            }
        }
    }

    /// The word for it, for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Agrees { .. } => "host-agrees",
            Self::Contradicts { .. } => "host-contradicts",
            Self::NoStamp { .. } => "host-has-no-stamp",
            Self::NoneDue => "host-stamp-not-due",
            Self::NotAsked { .. } => "host-not-asked",
        }
    }
}

impl fmt::Display for HostFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agrees { records, whole: true } => write!(f, "its log agrees, up to record {records}"),
            Self::Agrees { records, whole: false } => {
                write!(f, "its log agrees, up to record {records}; it has no stamp of what came later")
            }
            Self::Contradicts { stamp, how } => match how {
                Contradiction::Differs => write!(
                    f,
                    "its log contradicts the journal: record {} was another then; it, or records before it, were changed",
                    stamp.records
                ),
                Contradiction::Cut { records } => write!(
                    f,
                    "its log contradicts the journal: there were {} records then, {records} are there; the rest was cut off",
                    stamp.records
                ),
                Contradiction::Outcome { journal } => write!(
                    f,
                    "its log contradicts the journal: it says {} of {}, the journal {}",
                    stamp.outcome,
                    stamp.step,
                    journal.unwrap_or("that nothing was done there")
                ),
            },
            Self::NoStamp { reaches_back: true } => {
                f.write_str("its log has no stamp of the run, though it has older ones: it was taken out, or the journal was never there")
            }
            Self::NoStamp { reaches_back: false } => {
                f.write_str("its log has no stamp of the run, and none that is older: it may not reach back so far")
            }
            Self::NoneDue => f.write_str("no stamp is due: no stretch of the run has come to its end"),
            Self::NotAsked { why } => write!(f, "not asked: {why}"),
        }
    }
}

/// How a stamp and a journal differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// The journal's record of that number is another: it was rewritten.
    Differs,
    /// The journal has fewer records: it was cut.
    Cut {
        /// So many.
        records: u64,
    },
    /// The records agree, but what the stamp says of the step is not what they say.
    Outcome {
        /// What they say; none: that nothing was done there.
        journal: Option<&'static str>,
    },
}

/// A run of this admin host that hosts have stamps of, and that has no journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingRun {
    /// The run; its id says when it was started.
    pub run: RunId,
    /// Its runbook.
    pub runbook: String,
    /// Who ran it, of all stretches.
    pub operators: BTreeSet<String>,
    /// The hosts with stamps of it.
    pub hosts: BTreeSet<HostName>,
    /// The number of records that its journal had, as far as the stamps know.
    pub records: u64,
}

/// Compares a run's journal with what was seen, host by host: those that it changed, and those that have stamps of it.
pub fn compare(facts: &Facts<'_>, seen: &Seen) -> BTreeMap<HostName, HostFinding> {
    let mut findings = BTreeMap::new();
    let stamped = seen.iter().filter(|(_, seen)| seen.as_ref().is_ok_and(|seen| of(facts.run, seen).next().is_some()));
    for host in facts.changed.keys().chain(stamped.map(|(host, _)| host)) {
        let finding = match seen.get(host) {
            None => HostFinding::NotAsked { why: "it was not asked".to_owned() },
            Some(Err(why)) => HostFinding::NotAsked { why: why.clone() },
            Some(Ok(seen)) => on_host(facts, facts.changed.get(host), seen),
        };
        findings.insert(host.clone(), finding);
    }
    findings
}

/// The runs that `admin_host` stamped and does not know, oldest first.
///
/// Needs what hosts said of all runs, not only of one.
pub fn missing(admin_host: &str, known: impl Fn(&RunId) -> bool, seen: &Seen) -> Vec<MissingRun> {
    let mut runs: BTreeMap<&RunId, MissingRun> = BTreeMap::new();
    for (host, seen) in seen {
        for stamp in seen.iter().flat_map(|seen| &seen.stamps) {
            if !stamp.is_from(admin_host) || known(&stamp.run) {
                continue;
            }
            let run = runs.entry(&stamp.run).or_insert_with(|| MissingRun {
                run: stamp.run.clone(),
                runbook: stamp.runbook.clone(),
                operators: BTreeSet::new(),
                hosts: BTreeSet::new(),
                records: 0,
            });
            run.operators.insert(stamp.operator.clone());
            run.hosts.insert(host.clone());
            run.records = run.records.max(stamp.records);
        }
    }
    runs.into_values().collect()
}

fn of<'a>(run: &RunId, seen: &'a StampsSeen) -> impl Iterator<Item = &'a Stamp> {
    seen.stamps.iter().filter(move |stamp| stamp.run == *run)
}

fn on_host(facts: &Facts<'_>, changed: Option<&BTreeMap<StepId, &'static str>>, seen: &StampsSeen) -> HostFinding {
    let mut vouched = None;
    for stamp in of(facts.run, seen) {
        if let Some(how) = contradiction(facts, changed, stamp) {
            return HostFinding::Contradicts { stamp: Box::new(stamp.clone()), how };
        }
        vouched = vouched.max(Some(stamp.records));
    }
    match vouched {
        Some(records) => HostFinding::Agrees { records, whole: facts.ended_at.is_none_or(|ended| ended <= records) },
        None if facts.ended_at.is_none() => HostFinding::NoneDue,
        None if !seen.unread.is_empty() => {
            HostFinding::NotAsked { why: format!("not all of its logs could be read: {}", seen.unread.join("; ")) }
        }
        // among what was left out, the oldest, may be some of it
        None if seen.cut && seen.stamps.first().is_some_and(|first| *facts.run <= first.run) => {
            HostFinding::NotAsked { why: "its logs have more stamps than were brought".to_owned() }
        }
        None => HostFinding::NoStamp { reaches_back: seen.oldest.as_ref().is_some_and(|oldest| oldest < facts.run) },
    }
}

fn contradiction(
    facts: &Facts<'_>,
    changed: Option<&BTreeMap<StepId, &'static str>>,
    stamp: &Stamp,
) -> Option<Contradiction> {
    match (facts.digest_of)(stamp.records) {
        None => return Some(Contradiction::Cut { records: facts.records }),
        Some(digest) if digest != stamp.head => return Some(Contradiction::Differs),
        Some(_) => {}
    }
    // what is known of the steps is how they stand now, not after an earlier stretch
    if facts.ended_at != Some(stamp.records) || facts.records != stamp.records {
        return None;
    }
    let mut steps = changed.into_iter().flatten();
    let journal = steps.find(|(step, _)| stamp.is_of(step)).map(|(_, word)| *word);
    (journal != Some(stamp.outcome.as_str())).then_some(Contradiction::Outcome { journal })
}

#[cfg(test)]
#[path = "against_hosts_tests.rs"]
mod tests;
