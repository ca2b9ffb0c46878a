//! The chain of records with the run's state folded along: the same for the writer and for every reader.
//!
//! The writer takes each line it made exactly as a reader will, before it writes it. So nothing gets into a journal
//! that its readers refuse, and what the engine goes on with is what a resume would find.

use jiff::Timestamp;

use super::error::JournalError;
use super::integrity::Fault;
use super::record::{self, LONGEST, Reading, Record, Refusal};
use crate::event::{Event, RunState};
use crate::vocab::{Digest, RunId};

/// How far a journal has got.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    /// The run it must be of, where that is known.
    run: Option<RunId>,
    reading: Reading,
    records: u64,
    head: Digest,
    state: Option<RunState>,
}

impl Chain {
    /// Nothing yet, of this run.
    pub(super) fn new(run: Option<RunId>) -> Self {
        Self { run, reading: Reading::Whole, records: 0, head: record::origin(), state: None }
    }

    /// The same, but of the events that it takes only so much is kept.
    pub(super) fn reading(self, reading: Reading) -> Self {
        Self { reading, ..self }
    }

    /// Where an earlier reading ended.
    pub(super) fn at(run: RunId, records: u64, head: Digest, state: RunState) -> Self {
        Self { run: Some(run), reading: Reading::Whole, records, head, state: Some(state) }
    }

    /// The number of records so far.
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// The digest of the last record.
    pub(super) fn head(&self) -> &Digest {
        &self.head
    }

    /// The run's state, once there is a record.
    pub(super) fn state(&self) -> Option<&RunState> {
        self.state.as_ref()
    }

    /// The run's state, once there is a record.
    pub(super) fn into_state(self) -> Option<RunState> {
        self.state
    }

    /// Takes the next line (without its newline). A refused one changes nothing.
    pub(super) fn take(&mut self, line: &[u8]) -> Result<Record, Refusal> {
        let record = record::decode(line, self.records + 1, &self.head, self.reading)?;
        match &mut self.state {
            None => {
                let state = RunState::open(record.at, &record.event).map_err(Fault::Illegal)?;
                if let Some(run) = &self.run
                    && *run != state.opened.run
                {
                    return Err(Fault::OtherRun { opened: state.opened.run.clone() }.into());
                }
                self.state = Some(state);
            }
            Some(state) => state.apply(record.at, &record.event).map_err(Fault::Illegal)?,
        }
        self.records = record.seq;
        self.head = record.digest.clone();
        Ok(record)
    }

    /// Makes the next line, with its newline.
    pub(super) fn draft(&self, at: Timestamp, event: &Event) -> Result<Vec<u8>, JournalError> {
        let line =
            record::encode(self.records + 1, at, &self.head, event).map_err(|error| unrecordable(error.to_string()))?;
        if line.len() > LONGEST {
            return Err(unrecordable(Fault::TooLong.to_string()));
        }
        Ok(line)
    }

    /// Takes a line as it was made.
    pub(super) fn link(&mut self, line: &[u8]) -> Result<Record, JournalError> {
        match self.take(&line[..line.len() - 1]) {
            Ok(record) => Ok(record),
            Err(Refusal::Fault(Fault::Illegal(source))) => Err(JournalError::Illegal { source }),
            Err(Refusal::Fault(fault)) => Err(unrecordable(fault.to_string())),
            Err(Refusal::TooNew { format }) => Err(unrecordable(format!("format {format}"))),
            Err(Refusal::UnknownEvent { detail, .. }) => Err(unrecordable(detail)),
        }
    }
}

fn unrecordable(why: String) -> JournalError {
    JournalError::Unrecordable { why }
}
