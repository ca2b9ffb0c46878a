//! How a stretch of a run ends.

use crate::vocab::HostName;

/// How a stretch of a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// Everything was done and every check holds.
    Done,
    /// A step or a check failed.
    Failed,
    /// A precondition did not hold; nothing was changed.
    Precondition,
    /// Declined, or a question could not be asked; nothing further was done.
    Declined,
    /// Stopped with steps in doubt.
    InDoubt,
    /// Another run holds the lock of a host, or took it.
    Locked,
    /// The state could not be written.
    Unwritable,
    /// Interrupted.
    Interrupted,
}

impl Ending {
    /// The program's exit status, as the manual tells it.
    pub fn exit(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Precondition => 3,
            Self::Declined => 4,
            Self::InDoubt => 5,
            Self::Locked => 6,
            Self::Unwritable => 9,
            Self::Interrupted => 130,
        }
    }
}

/// What a stretch of a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Performed {
    /// How it ended.
    pub ending: Ending,
    /// The hosts that the run has changed and whose syslog has its stamps, as far as they said so.
    pub stamped: Vec<HostName>,
    /// Those that it has changed and whose syslog has not, and why.
    pub unstamped: Vec<(HostName, String)>,
}
