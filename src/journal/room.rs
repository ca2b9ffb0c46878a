//! Room on the disk for the end of what was begun, taken before it is begun.
//!
//! A disk may fill up while an action runs. Its outcome, the end of the stretch and a closing note must be written all
//! the same, or a needless doubt is left. So the journal's file is given blocks behind its end without becoming longer
//! (`fallocate` with `KEEP_SIZE`): no reader can see them, and what is appended goes into them.
//!
//! Apart from the writer because it knows of events and blocks, and nothing of records and their chain.
//!
//! *Not guaranteed* on file systems that cannot give room beforehand (some network file systems): there it shows only
//! when a record is written whether there is room for it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use crate::event::{Event, RunState, StepState};
use crate::vocab::StepHost;

/// Room for the end of one action: its outcome with outputs cut to their ends, what is captured of it, how the step
/// ended.
pub(super) const ACTION: u64 = 64 * 1024;

/// Room for the end of a stretch: rolls that stop with the hosts they did not touch, signals, the last event.
pub(super) const STRETCH: u64 = 64 * 1024;

/// What is taken beyond that, so that not each record asks for more.
const SLACK: u64 = 16 * 1024;

/// What an event is to a disk that is full, or to a journal that is not in its place any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// It begins something or looks at something: it must leave the room of what was begun.
    New,
    /// It tells the end of something that was begun, or a person's word: it may use that room.
    End,
}

impl Part {
    pub(super) fn of(event: &Event) -> Self {
        match event {
            Event::StepActed { .. }
            | Event::Captured { .. }
            | Event::StepEnded { .. }
            | Event::UndoEnded { .. }
            | Event::ConnectionLost { .. }
            | Event::ConnectionRegained { .. }
            | Event::ReceiptRead { .. }
            | Event::LockLost { .. }
            | Event::LocksReleased { .. }
            | Event::RollStopped { .. }
            | Event::RollEnded { .. }
            | Event::Interrupted { .. }
            | Event::Stopped { .. }
            | Event::Ended { .. }
            | Event::Answered { .. }
            | Event::Chosen { .. }
            | Event::Resolved { .. }
            | Event::Abandoned { .. } => Self::End,
            Event::Opened(_)
            | Event::Resumed(_)
            | Event::HostsLocked { .. }
            | Event::LockRefused { .. }
            | Event::LockBroken { .. }
            | Event::RunsPruned { .. }
            | Event::PreconditionJudged { .. }
            | Event::PreconditionOverridden { .. }
            | Event::WaitStarted { .. }
            | Event::WarningShown { .. }
            | Event::WarningAcknowledged { .. }
            | Event::Asked { .. }
            | Event::RollStarted { .. }
            | Event::FloorJudged { .. }
            | Event::BatchStarted { .. }
            | Event::PauseStarted { .. }
            | Event::ObservedBefore { .. }
            | Event::Looked { .. }
            | Event::StepStarted { .. }
            | Event::RetryScheduled { .. }
            | Event::Observed { .. }
            | Event::CheckJudged { .. }
            | Event::Collected { .. }
            | Event::UndoStarted { .. }
            | Event::Noted { .. } => Self::New,
        }
    }
}

/// The room behind a journal's end.
#[derive(Debug)]
pub(super) struct Room {
    /// Up to where the file has blocks, as far as is known.
    until: u64,
    /// Whether the file system can give room beforehand; until it says otherwise it can.
    can: bool,
    /// What was begun and has not ended.
    begun: BTreeSet<StepHost>,
}

impl Room {
    /// None yet; `state` tells what an earlier stretch began.
    pub(super) fn new(state: Option<&RunState>) -> Self {
        let open = |state: &StepState| matches!(state, StepState::Running { .. } | StepState::Acted { .. });
        let steps = state.map(|state| &state.steps).into_iter().flatten();
        let begun = steps.filter(|(_, state)| open(state)).map(|(at, _)| at.clone()).collect();
        Self { until: 0, can: true, begun }
    }

    /// Takes room for a record of `bytes` behind `length`, and behind that for the end of all else that was begun.
    /// `Err` only where there is not so much.
    pub(super) fn take(&mut self, file: &File, length: u64, bytes: u64, event: &Event) -> io::Result<()> {
        let needed = bytes + self.behind(event);
        if !self.can || length + needed <= self.until {
            return Ok(());
        }
        for bytes in [needed + SLACK, needed] {
            match give(file, length, bytes) {
                Ok(()) => {
                    self.until = length + bytes;
                    return Ok(());
                }
                Err(Errno::NOSPC | Errno::DQUOT) => {}
                // whatever else it is shows when something is written
                Err(_) => {
                    self.can = false;
                    return Ok(());
                }
            }
        }
        Err(Errno::NOSPC.into())
    }

    /// The room that must be left behind `event`.
    pub(super) fn behind(&self, event: &Event) -> u64 {
        let own = place(event);
        let others = self.begun.iter().filter(|at| Some(*at) != own).count() as u64;
        let begins = matches!(event, Event::StepStarted { .. } | Event::UndoStarted { .. });
        STRETCH + ACTION * (others + u64::from(begins))
    }

    /// Takes note of an event that was written.
    pub(super) fn written(&mut self, event: &Event) {
        if let Event::StepStarted { at, .. } | Event::UndoStarted { at, .. } = event {
            self.begun.insert(at.clone());
        }
        if let Event::StepEnded { at, .. } | Event::UndoEnded { at, .. } = event {
            self.begun.remove(at);
        }
    }

    /// Gives the room back; the file is `length` long.
    pub(super) fn give_back(&mut self, file: &File, length: u64) {
        if self.until > length {
            // cutting a file where it ends frees what is behind; left as it is, it is only some blocks too many
            let _ = file.set_len(length);
            self.until = 0;
        }
    }
}

/// The action whose room an event may use, or that begins with it.
fn place(event: &Event) -> Option<&StepHost> {
    if let Event::StepStarted { at, .. }
    | Event::StepActed { at, .. }
    | Event::Captured { at, .. }
    | Event::StepEnded { at, .. }
    | Event::UndoStarted { at, .. }
    | Event::UndoEnded { at, .. } = event
    {
        return Some(at);
    }
    None
}

fn give(file: &File, from: u64, bytes: u64) -> Result<(), Errno> {
    loop {
        match fallocate(file, FallocateFlags::KEEP_SIZE, from, bytes) {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}

/// How much is free for this user on the file system of `path`; 0 where it does not say.
pub(super) fn free(path: &Path) -> u64 {
    rustix::fs::statvfs(path).map_or(0, |found| found.f_bavail.saturating_mul(found.f_frsize))
}
