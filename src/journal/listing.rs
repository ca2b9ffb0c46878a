//! The runs of a store at a glance: from the first and the last records only, so that hundreds cost milliseconds.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use jiff::Timestamp;

use super::error::{Doing, JournalError};
use super::folder::{self, Folder};
use super::integrity::{Fault, Integrity};
use super::reader;
use super::record::{self, LONGEST, Reading, Record, Refusal};
use super::store::Store;
use crate::event::{Event, Opened, RunStatus};
use crate::vocab::RunId;

/// How much of a journal's end is looked at first; doubled until a whole record is in it.
const FIRST_LOOK: u64 = 8 * 1024;

/// A run at a glance.
#[derive(Clone, Debug)]
pub struct RunListing {
    /// The run.
    pub run: RunId,
    /// Whether a program holds its journal at the moment.
    pub running: bool,
    /// What its journal says, or why it could not be read. Not verified: only [`Store::verify`] is.
    pub summary: Result<RunSummary, JournalError>,
}

/// What the ends of a journal say.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSummary {
    /// The first event. Changes that a resume accepted are not in it.
    pub opened: Box<Opened>,
    /// When the run was opened.
    pub opened_at: Timestamp,
    /// Where the run is.
    pub status: RunStatus,
    /// When the last event happened.
    pub last_at: Timestamp,
}

impl Store {
    /// Every run, newest first; one that cannot be read is listed with its failure.
    pub fn list(&self) -> Result<Vec<RunListing>, JournalError> {
        Ok(self.runs_newest_first()?.into_iter().map(|run| self.glance(run)).collect())
    }

    /// A run's first record, as far as it can be read.
    pub(super) fn first_record(&self, run: &RunId) -> Option<Record> {
        let folder = Folder::new(self.folder(run));
        let file = reader::open(&folder).ok()?;
        first_record(&folder.journal(), &file).ok()
    }

    /// One run at a glance.
    pub fn glance(&self, run: RunId) -> RunListing {
        let opened = self.existing(&run).and_then(|folder| Ok((folder.journal(), reader::open(&folder)?)));
        match opened {
            Ok((path, file)) => {
                RunListing { running: folder::is_locked(&file), summary: summarise(&path, &run, &file), run }
            }
            Err(error) => RunListing { run, running: false, summary: Err(error) },
        }
    }
}

fn summarise(path: &Path, run: &RunId, file: &File) -> Result<RunSummary, JournalError> {
    let first = first_record(path, file)?;
    let Event::Opened(opened) = first.event else { return Err(broken(path, 1, Fault::Format)) };
    if opened.run != *run {
        return Err(broken(path, 1, Fault::OtherRun { opened: opened.run }));
    }
    let (last_at, status) = last_status(path, file)?;
    Ok(RunSummary { opened, opened_at: first.at, status, last_at })
}

fn broken(path: &Path, record: u64, why: Fault) -> JournalError {
    JournalError::Corrupt { path: path.to_owned(), integrity: Box::new(Integrity::Broken { record, why }) }
}

fn first_record(path: &Path, mut file: &File) -> Result<Record, JournalError> {
    let mut line = Vec::new();
    file.rewind().map_err(Doing::Read.on(path))?;
    BufReader::new(file).take(LONGEST as u64 + 1).read_until(b'\n', &mut line).map_err(Doing::Read.on(path))?;
    let Some(line) = line.strip_suffix(b"\n") else { return Err(broken(path, 1, Fault::NoOpening)) };
    record::decode(line, 1, &record::origin(), Reading::Whole).map_err(|refusal| reader::refused(path, 1, refusal))
}

/// The time of the last whole record, and the status that follows from the last record that tells it.
fn last_status(path: &Path, mut file: &File) -> Result<(Timestamp, RunStatus), JournalError> {
    let length = file.metadata().map_err(Doing::Read.on(path))?.len();
    let mut look = FIRST_LOOK;
    loop {
        let start = length.saturating_sub(look);
        let mut tail = Vec::new();
        file.seek(SeekFrom::Start(start))
            .and_then(|_| file.take(length - start).read_to_end(&mut tail))
            .map_err(Doing::Read.on(path))?;
        match status_in(&tail, start == 0) {
            Ok(Some(found)) => return Ok(found),
            Ok(None) if start == 0 => return Err(broken(path, 1, Fault::NoOpening)),
            Ok(None) => look *= 4,
            Err((before, refusal)) => {
                let record = newlines(path, file, start + before)? + 1;
                return Err(reader::refused(path, record, refusal));
            }
        }
    }
}

/// Looks for the status from the end of `tail` backwards; none when it reaches back before `tail`. A refused line comes
/// with its place in `tail`.
fn status_in(tail: &[u8], is_whole: bool) -> Result<Option<(Timestamp, RunStatus)>, (u64, Refusal)> {
    let mut last_at = None;
    // what stands behind the last newline is nothing, or a record being written, or a torn one
    let mut end = tail.iter().rposition(|byte| *byte == b'\n');
    while let Some(line_end) = end {
        let before = tail[..line_end].iter().rposition(|byte| *byte == b'\n');
        let start = match before {
            Some(newline) => newline + 1,
            None if is_whole => 0,
            None => return Ok(None),
        };
        let record = record::decode_alone(&tail[start..line_end]).map_err(|refusal| (start as u64, refusal))?;
        let last_at = *last_at.get_or_insert(record.at);
        if let Some(status) = status_after(&record.event) {
            return Ok(Some((last_at, status)));
        }
        end = before;
    }
    Ok(None)
}

/// The number of newlines in the first `length` bytes.
fn newlines(path: &Path, mut file: &File, length: u64) -> Result<u64, JournalError> {
    file.rewind().map_err(Doing::Read.on(path))?;
    let mut reader = BufReader::new(file.take(length));
    let mut count = 0;
    loop {
        let piece = reader.fill_buf().map_err(Doing::Read.on(path))?;
        if piece.is_empty() {
            return Ok(count);
        }
        count += piece.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
        let read = piece.len();
        reader.consume(read);
    }
}

/// The run's status behind `event`; none where `event` leaves it as it was.
fn status_after(event: &Event) -> Option<RunStatus> {
    match event {
        Event::Stopped { exit, why } => Some(RunStatus::Stopped { exit: *exit, why: why.clone() }),
        Event::Ended { exit, why } => Some(RunStatus::Ended { exit: *exit, why: why.clone() }),
        Event::Abandoned { reason, .. } => Some(RunStatus::Abandoned { reason: reason.clone() }),
        // comes from outside, between two stretches as well as into an open one
        Event::Resolved { .. } => None,
        // these can only stand in an open stretch
        Event::Opened(_)
        | Event::Resumed(_)
        | Event::HostsLocked { .. }
        | Event::LockRefused { .. }
        | Event::LockLost { .. }
        | Event::LocksReleased { .. }
        | Event::LockBroken { .. }
        | Event::RunsPruned { .. }
        | Event::PreconditionJudged { .. }
        | Event::PreconditionOverridden { .. }
        | Event::WaitStarted { .. }
        | Event::WarningShown { .. }
        | Event::WarningAcknowledged { .. }
        | Event::Asked { .. }
        | Event::Answered { .. }
        | Event::RollStarted { .. }
        | Event::FloorJudged { .. }
        | Event::BatchStarted { .. }
        | Event::PauseStarted { .. }
        | Event::RollStopped { .. }
        | Event::RollEnded { .. }
        | Event::ObservedBefore { .. }
        | Event::Looked { .. }
        | Event::StepStarted { .. }
        | Event::StepActed { .. }
        | Event::RetryScheduled { .. }
        | Event::Observed { .. }
        | Event::CheckJudged { .. }
        | Event::ConnectionLost { .. }
        | Event::ConnectionRegained { .. }
        | Event::ReceiptRead { .. }
        | Event::Captured { .. }
        | Event::Collected { .. }
        | Event::StepEnded { .. }
        | Event::Chosen { .. }
        | Event::UndoStarted { .. }
        | Event::UndoEnded { .. }
        | Event::Interrupted { .. }
        | Event::Noted { .. } => Some(RunStatus::Open),
    }
}
