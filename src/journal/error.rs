//! What can go wrong with the state on disk.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

use super::integrity::Integrity;
use crate::event::IllegalEvent;
use crate::vocab::{Digest, RunId};

/// A failure of the store or of a journal.
///
/// It can be cloned, because a journal that could not be written gives the same failure to everyone who asks later.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// The operating system refused.
    #[error("could not {doing} {}", path.display())]
    Io {
        /// What was tried.
        doing: Doing,
        /// On what.
        path: PathBuf,
        /// What it said.
        #[source]
        source: Arc<io::Error>,
    },
    /// The state directory, or something in it, is not a directory.
    #[error("{} is not a directory", path.display())]
    NotADirectory {
        /// What is not.
        path: PathBuf,
    },
    /// Something else stands where a run keeps its folder or its journal.
    #[error("{} is not {wanted}", path.display())]
    NotARun {
        /// Where.
        path: PathBuf,
        /// What should stand there.
        wanted: &'static str,
    },
    /// There is no state directory to read from.
    #[error("no runs are kept in {}", path.display())]
    NoStore {
        /// The directory that was looked for.
        path: PathBuf,
    },
    /// There is no such run.
    #[error("there is no run {run}")]
    NoRun {
        /// The run.
        run: RunId,
    },
    /// A run of this id is already there.
    #[error("there is a run {run} already")]
    Exists {
        /// The run.
        run: RunId,
    },
    /// Another program writes this journal at the moment.
    #[error("run {run} is being written by another program")]
    Busy {
        /// The run.
        run: RunId,
        /// Its journal.
        path: PathBuf,
    },
    /// Another program holds what is held for an instant only.
    #[error("{} is held by another program", path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
    },
    /// The journal does not verify.
    #[error("{} does not verify: {integrity}", path.display())]
    Corrupt {
        /// The journal.
        path: PathBuf,
        /// What is wrong; [`Integrity::is_sound`] is false for it.
        integrity: Box<Integrity>,
    },
    /// The journal was written in a format this program cannot read.
    #[error("{} is in format {format}; this program reads formats up to {readable}", path.display())]
    TooNew {
        /// The journal.
        path: PathBuf,
        /// Its format.
        format: u64,
        /// The newest format this program reads.
        readable: u64,
    },
    /// A record is whole and well chained, but says something this program does not know.
    #[error("{} says `{event}` in record {record}, which this program does not know", path.display())]
    UnknownEvent {
        /// The journal.
        path: PathBuf,
        /// The record.
        record: u64,
        /// The event's name.
        event: String,
        /// Where decoding it failed.
        detail: String,
    },
    /// The journal was cut or grown by somebody else while this program held it.
    #[error("{} was changed by another program during the run", path.display())]
    Disturbed {
        /// The journal.
        path: PathBuf,
    },
    /// The journal is not in its place any more.
    #[error("{} {fate}", path.display())]
    Lost {
        /// Its place.
        path: PathBuf,
        /// What became of it.
        fate: Fate,
    },
    /// There is no room for what is to be begun and its end.
    #[error("no room in {}: {needed} bytes are needed before anything is begun, {free} are free", path.display())]
    NoRoom {
        /// The directory of all runs.
        path: PathBuf,
        /// How much would have to be free.
        needed: u64,
        /// How much was.
        free: u64,
        /// What the operating system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// The event cannot follow what is in the journal. A fault of this program; nothing was written.
    #[error("this event cannot be recorded")]
    Illegal {
        /// Why.
        #[source]
        source: IllegalEvent,
    },
    /// The event could not be read back from its record. A fault of this program; nothing was written.
    #[error("this event cannot be recorded: {why}")]
    Unrecordable {
        /// Why.
        why: String,
    },
    /// An event names a text that was not given to be kept. A fault of this program; nothing was written.
    #[error("the text {digest} was not given to be kept")]
    TextNotKept {
        /// The digest under which it should be there.
        digest: Digest,
    },
}

/// What became of a journal that is not in its place any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its file was removed.
    Removed,
    /// Nothing is in its place: it was moved, or its file system was unmounted.
    Gone,
    /// Another file is in its place.
    Replaced,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Removed => "was removed during the run: the record of what was done is lost with it",
            Self::Gone => {
                "is not in its place any more: it was moved, or its file system was unmounted; \
                 the record of what was done went with it"
            }
            Self::Replaced => {
                "is another file than the one this run writes: it was replaced, or another file system is mounted over \
                 it; the record of what was done is in the one before"
            }
        })
    }
}

/// What was tried when the operating system refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Making a file or directory.
    Create,
    /// Opening a file for writing.
    Open,
    /// Writing.
    Write,
    /// Getting what was written onto the disk.
    Sync,
    /// Giving a file or directory its name.
    Rename,
    /// Cutting a torn end off.
    Cut,
    /// Taking the writer's lock.
    Lock,
    /// Reading.
    Read,
}

impl Doing {
    /// Pairs a failure with what was tried on which path.
    pub(super) fn on(self, path: &Path) -> impl FnOnce(io::Error) -> JournalError {
        move |source| JournalError::Io { doing: self, path: path.to_owned(), source: Arc::new(source) }
    }
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Open => "open",
            Self::Write => "write to",
            Self::Sync => "sync",
            Self::Rename => "rename",
            Self::Cut => "cut the torn end off",
            Self::Lock => "lock",
            Self::Read => "read",
        })
    }
}

impl JournalError {
    /// Whether the state could not be written: the run can be resumed once it can.
    pub fn is_state_unwritable(&self) -> bool {
        match self {
            Self::Io { doing, .. } => match doing {
                Doing::Create | Doing::Open | Doing::Write | Doing::Sync | Doing::Rename | Doing::Cut | Doing::Lock => {
                    true
                }
                Doing::Read => false,
            },
            Self::NotADirectory { .. } | Self::Lost { .. } | Self::NoRoom { .. } => true,
            Self::NotARun { .. }
            | Self::NoStore { .. }
            | Self::NoRun { .. }
            | Self::Exists { .. }
            | Self::Busy { .. }
            | Self::Held { .. }
            | Self::Corrupt { .. }
            | Self::TooNew { .. }
            | Self::UnknownEvent { .. }
            | Self::Disturbed { .. }
            | Self::Illegal { .. }
            | Self::Unrecordable { .. }
            | Self::TextNotKept { .. } => false,
        }
    }

    /// Whether it is for want of room.
    pub fn is_full(&self) -> bool {
        let full =
            |source: &io::Error| matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        matches!(self, Self::NoRoom { .. }) || matches!(self, Self::Io { source, .. } if full(source))
    }

    /// Whether the journal is removed, and nobody can go on from it.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Lost { fate: Fate::Removed, .. })
    }

    /// Whether the ends of what was begun can be written all the same.
    pub(super) fn stops_only_what_is_new(&self) -> bool {
        matches!(self, Self::NoRoom { .. } | Self::Lost { fate: Fate::Gone | Fate::Replaced, .. })
    }

    /// Whether a journal is not what its writer wrote.
    pub fn is_corrupt(&self) -> bool {
        matches!(self, Self::Corrupt { .. } | Self::Disturbed { .. })
    }

    /// Whether another program writes the run, or keeps others from writing theirs.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Held { .. })
    }

    /// The message with what the operating system said.
    pub fn whole(&self) -> String {
        match std::error::Error::source(self) {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        }
    }

    /// What a person can do about it, as a sentence; none where the message says it all.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Io { doing, source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some("make room on that file system"),
                io::ErrorKind::ReadOnlyFilesystem => {
                    Some("the file system is mounted read-only; choose another with --state-dir")
                }
                io::ErrorKind::PermissionDenied if *doing == Doing::Read => {
                    Some("runs can be read by their owner and group; ask to be in the group, or use sudo")
                }
                io::ErrorKind::PermissionDenied => {
                    Some("choose a directory you can write to with --state-dir, or use sudo")
                }
                _ if *doing == Doing::Sync || source.raw_os_error() == Some(Errno::IO.raw_os_error()) => {
                    Some("the disk may be failing: what the journal says last may not be on it; check the kernel's log")
                }
                _ => None,
            },
            Self::NoRoom { .. } => Some(
                "make room on that file system, then `runbook resume` goes on: the outcomes of what was begun are recorded",
            ),
            Self::Lost { fate: Fate::Removed, .. } => Some(
                "nothing can be resumed from it: what is told above is all there is; look at the hosts before you run it again",
            ),
            Self::Lost { fate: Fate::Gone | Fate::Replaced, .. } => Some(
                "bring it back to its place, then `runbook resume` goes on: the outcomes of what was begun are in it",
            ),
            Self::NotARun { .. } => Some("no run leaves it so: find out who put it there"),
            Self::NotADirectory { .. } => Some("choose another place with --state-dir"),
            Self::NoStore { .. } => Some("name the directory of earlier runs with --state-dir"),
            Self::Busy { .. } => Some("wait until it is done; `runbook audit show` can be used meanwhile"),
            Self::Held { .. } => Some(
                "others hold it for a moment only, and it was waited for: find the one that is stopped or hangs \
                 (`fuser -v` on that file), and let it go on or end it",
            ),
            Self::Corrupt { .. } | Self::Disturbed { .. } => {
                Some("do not repair it by hand: keep the folder as it is, and find out who changed it")
            }
            Self::TooNew { .. } | Self::UnknownEvent { .. } => Some("a newer runbook wrote it: read it with that one"),
            Self::NoRun { .. } => Some("`runbook audit list` names the runs"),
            Self::Exists { .. } | Self::Illegal { .. } | Self::Unrecordable { .. } | Self::TextNotKept { .. } => None,
        }
    }
}
