//! Where the engine's events go.

use jiff::Timestamp;

use super::error::JournalError;
use crate::event::Event;
use crate::vocab::Digest;

/// A log of one run's events that outlives the program: a [`Journal`](super::Journal), or a
/// [`MemoryLog`](super::MemoryLog) in tests.
pub trait EventLog: Send {
    /// Writes the next event, and gives it back as it was written: exactly what a reader of the log will find.
    ///
    /// Large outputs are moved beside the journal, with their beginning and end left in the event. When this returns,
    /// an event that a resume depends on is on the disk. After a failure to write, every later call gives the same
    /// failure; but for want of room, or when the log is not in its place any more, the ends of what was begun are still
    /// taken.
    fn append(&mut self, at: Timestamp, event: Event) -> Result<Event, JournalError>;

    /// Keeps texts by their digests, for a resume with accepted changes: before the event that names them.
    fn keep_texts(&mut self, texts: &[(Digest, Vec<u8>)]) -> Result<(), JournalError>;

    /// The number of records so far, and the digest of the last: what vouches for all before it.
    fn head(&self) -> (u64, Digest);
}

/// When an event must be on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// Before anything else is done: something is sent after it, or a resume could not find it out again.
    Now,
    /// With the next one that must be: losing it in a crash of the machine loses a part of the story, nothing else.
    WithNext,
}

impl Durability {
    /// When `event` must be on the disk.
    pub(super) fn of(event: &Event) -> Self {
        match event {
            Event::Opened(_)
            | Event::Resumed(_)
            // a person's word
            | Event::PreconditionOverridden { .. }
            | Event::WarningAcknowledged { .. }
            | Event::Answered { .. }
            | Event::Chosen { .. }
            | Event::Resolved { .. }
            | Event::Abandoned { .. }
            // before an action
            | Event::StepStarted { .. }
            | Event::UndoStarted { .. }
            // what the host said, once and for all
            | Event::ReceiptRead { .. }
            // after an outcome
            | Event::StepActed { .. }
            | Event::Captured { .. }
            | Event::StepEnded { .. }
            | Event::UndoEnded { .. }
            // the ends of a stretch
            | Event::Interrupted { .. }
            | Event::LockLost { .. }
            | Event::LockBroken { .. }
            | Event::RunsPruned { .. }
            | Event::Stopped { .. }
            | Event::Ended { .. } => Self::Now,
            // `observed-before` is here because it is of use only once `step-started` is written behind it
            Event::ObservedBefore { .. }
            | Event::Looked { .. }
            | Event::HostsLocked { .. }
            | Event::LockRefused { .. }
            | Event::LocksReleased { .. }
            | Event::PreconditionJudged { .. }
            | Event::WaitStarted { .. }
            | Event::WarningShown { .. }
            | Event::Asked { .. }
            | Event::RollStarted { .. }
            | Event::FloorJudged { .. }
            | Event::BatchStarted { .. }
            | Event::PauseStarted { .. }
            | Event::RollStopped { .. }
            | Event::RollEnded { .. }
            | Event::RetryScheduled { .. }
            | Event::ConnectionLost { .. }
            | Event::ConnectionRegained { .. }
            | Event::Observed { .. }
            | Event::CheckJudged { .. }
            | Event::Collected { .. }
            | Event::Noted { .. } => Self::WithNext,
        }
    }
}
