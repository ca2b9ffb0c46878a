//! What can be said of a run's record, each thing with whether it is a fault.

use std::fmt;

use super::against_hosts::{HostFinding, MissingRun};
use super::signature::Signer;
use crate::journal::{Integrity, SealFault};
use crate::vocab::{HostName, RunId, fold_hosts};

/// One thing found about the record of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// What its journal shows for itself.
    Journal(Integrity),
    /// Its journal cannot be read.
    Unreadable(String),
    /// It was removed by `runbook audit prune`; its seals are there.
    Pruned {
        /// The run that removed it.
        by: RunId,
    },
    /// Its last records are under no seal, though nobody writes them any more.
    Unsealed {
        /// The number of records under a seal.
        sealed: u64,
        /// The number of records.
        records: u64,
    },
    /// A seal is not as it was written.
    SealBroken {
        /// Its number.
        number: u32,
        /// What is wrong with it.
        why: SealFault,
    },
    /// The journal has fewer records than were sealed.
    Cut {
        /// The number of records then.
        sealed: u64,
        /// The number of records now.
        records: u64,
    },
    /// The journal verifies, and is not the one that was sealed: it was written anew.
    Rewritten {
        /// The last record that is still the sealed one, as far as seals tell; 0 for none.
        after: u64,
        /// The record that is not.
        by: u64,
    },
    /// A seal says another first record, or another run before it, than the journal does.
    SealDiffers {
        /// Its number.
        number: u32,
        /// What differs.
        what: &'static str,
    },
    /// Who signed a seal.
    Signed {
        /// Its number.
        number: u32,
        /// Who.
        signer: Signer,
    },
    /// The run is missing: another one names it.
    Missing {
        /// The run whose record names it.
        by: NamedBy,
    },
    /// Its first record is not the one that another run names.
    FirstDiffers {
        /// The run that names it.
        by: NamedBy,
    },
    /// It names no run before it, though there are such.
    Beginning,
    /// Another run names the same run before it: one of them did not start here, or runs between them are gone.
    Fork {
        /// The other run.
        with: RunId,
    },
    /// One of its seals is missing or another than the one that a later seal names.
    SealGone {
        /// The seal's number.
        number: u32,
        /// The run whose seal names it.
        by: NamedBy,
    },
    /// What the log of a host that it changed says.
    Host {
        /// The host.
        host: HostName,
        /// What it says.
        says: HostFinding,
    },
    /// Its stamp could not be left in the log of a host, as its seal says.
    NotStamped {
        /// The host.
        host: HostName,
        /// Why.
        why: String,
    },
    /// It is missing: hosts have stamps of it.
    MissingByHosts(MissingRun),
    /// The state dir does not say which run, or which seal, is the newest: what says so was removed or damaged. Told of
    /// the newest run that is there.
    NoEnd {
        /// What it does not say: `run` or `seal`.
        what: &'static str,
    },
    /// The state dir says that this run, or a seal of it, is the newest, and a later one names it: an older state was put in
    /// the place of what says so.
    EndBehind {
        /// The run that names it.
        by: RunId,
    },
    /// It is said to be pruned, and no run says that it removed it.
    PrunedByNobody,
}

/// Who names a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// A later run, as the one that started before it or whose seal was made before its own.
    Run(RunId),
    /// The state dir itself, as its newest.
    StateDir,
}

impl fmt::Display for NamedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(run) => write!(f, "{run}"),
            Self::StateDir => f.write_str("the state dir, as its newest,"),
        }
    }
}

impl Finding {
    /// Whether the record is not whole, or not known to be.
    pub fn is_fault(&self) -> bool {
        match self {
            Self::Journal(Integrity::Intact | Integrity::Unfinished { running: true })
            | Self::Pruned { .. }
            | Self::NotStamped { .. } => false,
            Self::Host { says, .. } => says.is_fault(),
            Self::Journal(
                Integrity::Unfinished { running: false }
                | Integrity::Torn { .. }
                | Integrity::Broken { .. }
                | Integrity::BrokenFile { .. },
            )
            | Self::Unreadable(_)
            | Self::Unsealed { .. }
            | Self::SealBroken { .. }
            | Self::Cut { .. }
            | Self::Rewritten { .. }
            | Self::SealDiffers { .. }
            | Self::Missing { .. }
            | Self::FirstDiffers { .. }
            | Self::Beginning
            | Self::Fork { .. }
            | Self::SealGone { .. }
            | Self::MissingByHosts(_)
            | Self::NoEnd { .. }
            | Self::EndBehind { .. }
            | Self::PrunedByNobody => true,
            Self::Signed { signer, .. } => signer.is_fault(),
        }
    }

    /// The word for it, for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Journal(integrity) => integrity.word(),
            Self::Unreadable(_) => "unreadable",
            Self::Pruned { .. } => "pruned",
            Self::Unsealed { .. } => "unsealed",
            Self::SealBroken { .. } => "seal-broken",
            Self::Cut { .. } => "cut",
            Self::Rewritten { .. } => "rewritten",
            Self::SealDiffers { .. } => "seal-differs",
            Self::Signed { signer, .. } => signer.word(),
            Self::Missing { .. } | Self::MissingByHosts(_) => "missing",
            Self::FirstDiffers { .. } => "first-differs",
            Self::Beginning => "beginning",
            Self::Fork { .. } => "fork",
            Self::SealGone { .. } => "seal-gone",
            Self::Host { says, .. } => says.word(),
            Self::NotStamped { .. } => "not-stamped",
            Self::NoEnd { .. } => "no-end",
            Self::EndBehind { .. } => "end-behind",
            Self::PrunedByNobody => "pruned-by-nobody",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Journal(Integrity::Unfinished { running: false }) => {
                f.write_str("unfinished: its last stretch has no end; its program died, or its end was cut off")
            }
            Self::Journal(Integrity::Torn { bytes, at_record }) => write!(
                f,
                "torn: record {at_record} ends after {bytes} bytes, as a crash leaves it; `runbook resume` or \
                 `runbook abandon` puts it in order"
            ),
            Self::Journal(integrity) => write!(f, "{integrity}"),
            Self::Unreadable(why) => write!(f, "unreadable: {why}"),
            Self::Pruned { by } => write!(f, "pruned by {by}; its seals are kept"),
            Self::Unsealed { sealed: 0, .. } => f.write_str(
                "unsealed: its program died before it was sealed, or its seals were removed; `runbook audit seal` seals what \
                 is there now",
            ),
            Self::Unsealed { sealed, records } => write!(
                f,
                "unsealed: {records} records, of which {sealed} are under a seal: its program died before it was sealed \
                 again, or a seal was removed; `runbook audit seal` seals what is there now"
            ),
            Self::SealBroken { number, why } => write!(f, "seal {number} is broken: {why}"),
            Self::Cut { sealed, records } => {
                write!(f, "records missing: {sealed} were sealed, {records} are there; the rest was cut off")
            }
            Self::Rewritten { after: 0, by } => {
                write!(
                    f,
                    "rewritten: record {by} is not the one that was sealed; it, or records before it, were changed"
                )
            }
            Self::Rewritten { after, by } => {
                write!(f, "rewritten: record {by} is not the one that was sealed; up to record {after} it is as sealed")
            }
            Self::SealDiffers { number, what } => write!(f, "seal {number} names another {what} than the journal"),
            Self::Signed { signer, .. } => write!(f, "{signer}"),
            Self::Missing { by } => write!(f, "missing: {by} names it, and there is no such run here"),
            Self::FirstDiffers { by } => {
                write!(f, "rewritten: its first record is not the one that {by} names")
            }
            Self::Beginning => f.write_str("it names no run before it, though there are earlier ones"),
            Self::Fork { with } => write!(
                f,
                "it names the same run before it as {with}: one of them was brought here, or runs between them are gone"
            ),
            Self::SealGone { number, by } => {
                write!(f, "seal {number} is not there as {by} names it: it was removed, or made anew")
            }
            Self::Host { host, says } => write!(f, "{host}: {says}"),
            Self::NotStamped { host, why } => write!(f, "{host}: its log has no stamp, as the seal says: {why}"),
            Self::MissingByHosts(run) => {
                let hosts: Vec<HostName> = run.hosts.iter().cloned().collect();
                let operators: Vec<&str> = run.operators.iter().map(String::as_str).collect();
                write!(
                    f,
                    "missing: the log of {} has stamps of it ({}, {} records, by {}), and there is no such run here",
                    fold_hosts(&hosts),
                    run.runbook,
                    run.records,
                    operators.join(", ")
                )
            }
            Self::NoEnd { what } => write!(
                f,
                "the state dir does not say which {what} is the newest (chain/{what}.json): that was removed or damaged, and runs \
                 that were newer than this one may have been removed with it"
            ),
            Self::EndBehind { by } => write!(
                f,
                "the state dir says that it is the newest, and {by} names it: an older state was put in the place of chain/"
            ),
            Self::PrunedByNobody => f.write_str("missing: it is said to be pruned, and no run says that it did that"),
        }
    }
}
