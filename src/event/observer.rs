//! Who is told what happens.

use std::fmt::Debug;

use jiff::Timestamp;

use super::happening::Event;
use super::state::RunState;
use crate::vocab::{HostName, Period, StepHost};

/// Someone who watches a run: the terminal, plain lines, JSON.
///
/// Called with an event only after the journal has it on disk and `state` has it folded in. Must be quick and must
/// not fail: a broken pipe is the observer's own affair.
pub trait Observer: Debug + Send + Sync {
    /// Something happened.
    fn event(&self, at: Timestamp, event: &Event, state: &RunState);

    /// Something is going on. Not in the journal; may be dropped, but for what could not be recorded.
    fn progress(&self, progress: &Progress) {
        let _ = progress;
    }
}

/// What goes on between two events.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// Text came from a running action; masked, not neutralised, in pieces as it comes.
    Output {
        /// Where.
        at: StepHost,
        /// Whether it came on stderr.
        stderr: bool,
        /// The piece.
        text: String,
    },
    /// A probe is looking at hosts.
    Looking {
        /// What for, in people's words.
        says: String,
        /// How many hosts.
        hosts: usize,
    },
    /// One host of the probe answered (or did not).
    Looked {
        /// The host.
        host: HostName,
    },
    /// A check does not hold yet and is evaluated again until its deadline.
    Polling {
        /// Where; none for a check of the whole run.
        at: Option<StepHost>,
        /// What it demands.
        says: String,
        /// Why it does not hold yet.
        why: String,
        /// How long it may still take.
        left: Period,
    },
    /// Something ended, and it could not be written down: what is told here is nowhere else.
    Unrecorded {
        /// Where.
        at: StepHost,
        /// How it ended.
        end: String,
    },
    /// Something waits: a pause, a `wait` step, `--wait`, a retry's delay.
    Waiting {
        /// For what.
        says: String,
        /// How long still.
        left: Period,
    },
}
