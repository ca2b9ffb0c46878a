//! What can be said of a journal without trusting it.

use std::fmt;

use crate::event::IllegalEvent;
use crate::vocab::RunId;

/// Whether a journal is what its writer wrote, as far as a chain of digests can tell.
///
/// Not told by the chain alone: a journal cut exactly behind a record (it reads as unfinished), and one rewritten
/// whole by somebody who computes the digests anew. Against those stand seals and the hosts' own logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// Every record verifies, and the last stretch has an end.
    Intact,
    /// Every record verifies, and the last stretch has no end: the program runs, or died, or the journal was cut
    /// behind a record.
    Unfinished {
        /// Whether a program holds the journal at the moment.
        running: bool,
    },
    /// The end is half a record: the program or the machine died while writing it. Nobody was told of that record.
    Torn {
        /// The length of the half record.
        bytes: u64,
        /// The record it would have been.
        at_record: u64,
    },
    /// Every record verifies, but a file kept beside the journal is not what its record says.
    BrokenFile {
        /// The first record that names such a file.
        record: u64,
        /// The file's name in the run's folder.
        file: String,
        /// What is wrong with it.
        why: FileFault,
    },
    /// A record is not what was written. The ones before it verify.
    Broken {
        /// The record's number, which is its line.
        record: u64,
        /// What is wrong with it.
        why: Fault,
    },
}

/// What is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is not even one whole record. No crash leaves such a journal: it gets its name after its first record.
    #[error("there is no whole first record")]
    NoOpening,
    /// It does not end as a record does.
    #[error("it does not end in its digest")]
    NoDigest,
    /// Its bytes were changed.
    #[error("its digest does not match its bytes")]
    Digest,
    /// It is no record.
    #[error("it is not a record: {detail}")]
    NotARecord {
        /// Where decoding failed.
        detail: String,
    },
    /// Records are missing, doubled or in another order.
    #[error("record {found} stands in its place")]
    Sequence {
        /// The number it has.
        found: u64,
    },
    /// It was written behind another record than the one before it.
    #[error("it does not follow the record before it")]
    Previous,
    /// The format's version is not where it belongs: in the first record and only there.
    #[error("the first record must state the format, and only the first")]
    Format,
    /// The journal is of another run than its folder.
    #[error("it opens run {opened}, but the folder is of another run")]
    OtherRun {
        /// The run it opens.
        opened: RunId,
    },
    /// The event cannot follow what happened before.
    #[error("{0}")]
    Illegal(IllegalEvent),
    /// It is longer than anything this program writes.
    #[error("it is too long for a record")]
    TooLong,
}

/// What is wrong with a file kept beside the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileFault {
    /// It is not there, or is no plain file.
    #[error("is missing")]
    Missing,
    /// Its contents are not those of its digest.
    #[error("was changed")]
    Changed,
    /// It is there and could not be read.
    #[error("could not be read")]
    Unreadable,
    /// The record names it by something that is no digest.
    #[error("is not named by a digest")]
    BadName,
}

impl Integrity {
    /// Whether everything there verifies: a run that is sound can be resumed.
    ///
    /// A torn end counts as sound, because it is what a crash leaves.
    pub fn is_sound(&self) -> bool {
        match self {
            Self::Intact | Self::Unfinished { .. } | Self::Torn { .. } => true,
            Self::BrokenFile { .. } | Self::Broken { .. } => false,
        }
    }

    /// The word for it: `intact`, `running`, `unfinished`, `torn`, `broken`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Intact => "intact",
            Self::Unfinished { running: true } => "running",
            Self::Unfinished { running: false } => "unfinished",
            Self::Torn { .. } => "torn",
            Self::BrokenFile { .. } | Self::Broken { .. } => "broken",
        }
    }
}

impl fmt::Display for Integrity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Intact | Self::Unfinished { .. } => f.write_str(self.word()),
            Self::Torn { bytes, at_record } => write!(f, "torn: record {at_record} ends after {bytes} bytes"),
            Self::BrokenFile { record, file, why } => write!(f, "broken at record {record}: {file} {why}"),
            Self::Broken { record, why } => write!(f, "broken at record {record}: {why}"),
        }
    }
}
