//! Time as a seam: the product asks a [`Clock`], tests give it one of their own.

use std::fmt::Debug;

use jiff::Timestamp;

/// Where the wall-clock time comes from.
///
/// Waiting is tokio's own time (which tests pause); this is for the stamps in events and for ids.
pub trait Clock: Debug + Send + Sync {
    /// The time now, in UTC.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
