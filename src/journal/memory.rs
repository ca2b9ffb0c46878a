//! A log in memory: for scenarios, which leave nothing behind, and for tests of what follows when a disk is full.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::attachment::{self, Kept};
use super::chain::Chain;
use super::error::{Doing, JournalError};
use super::log::{Durability, EventLog};
use super::record::Record;
use crate::event::Event;
use crate::vocab::Digest;

/// A log in memory that behaves as a [`Journal`](super::Journal) does, but for the texts an event names: they need not
/// have been kept. Its clones are the same log, so that one can
/// be kept to look at what was written into the other.
#[derive(Clone, Debug)]
pub struct MemoryLog {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    chain: Chain,
    records: Vec<Record>,
    kept: BTreeMap<Digest, Vec<u8>>,
    appends_until_full: Option<usize>,
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryLog {
    /// An empty log; its first event must be `opened`.
    pub fn new() -> Self {
        let inner =
            Inner { chain: Chain::new(None), records: Vec::new(), kept: BTreeMap::new(), appends_until_full: None };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    /// An empty log whose `number`th append from 1 and every later one fails: the disk is full, and had no room to take
    /// beforehand.
    pub fn full_at(number: usize) -> Self {
        let log = Self::new();
        log.lock().appends_until_full = Some(number.saturating_sub(1));
        log
    }

    /// Takes the fault away: there is room again.
    pub fn make_room(&self) {
        self.lock().appends_until_full = None;
    }

    /// Loses what a crash of the machine may lose: what stands behind the last record that had to be on the disk.
    pub fn lose_unsynced(&self) -> Result<(), JournalError> {
        let mut inner = self.lock();
        let synced = |record: &Record| Durability::of(&record.event) == Durability::Now;
        let left = inner.records.iter().rposition(synced).map_or(0, |last| last + 1);
        let (mut chain, mut records) = (Chain::new(None), Vec::with_capacity(left));
        for record in &inner.records[..left] {
            let line = chain.draft(record.at, &record.event)?;
            records.push(chain.link(&line)?);
        }
        (inner.chain, inner.records) = (chain, records);
        Ok(())
    }

    /// What was written so far.
    pub fn records(&self) -> Vec<Record> {
        self.lock().records.clone()
    }

    /// The events written so far.
    pub fn events(&self) -> Vec<Event> {
        self.lock().records.iter().map(|record| record.event.clone()).collect()
    }

    /// A text or a large output that was kept.
    pub fn kept(&self, digest: &Digest) -> Option<Vec<u8>> {
        self.lock().kept.get(digest).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // every change of `Inner` is whole or not at all
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventLog for MemoryLog {
    fn append(&mut self, at: Timestamp, mut event: Event) -> Result<Event, JournalError> {
        let mut inner = self.lock();
        match &mut inner.appends_until_full {
            Some(0) => return Err(full()),
            Some(left) => *left -= 1,
            None => {}
        }
        attachment::spill(&mut event, |digest, text| {
            inner.kept.insert(digest.clone(), text.as_bytes().to_vec());
            Ok::<_, JournalError>(Kept::Whole)
        })?;
        let line = inner.chain.draft(at, &event)?;
        let record = inner.chain.link(&line)?;
        let written = record.event.clone();
        inner.records.push(record);
        Ok(written)
    }

    fn keep_texts(&mut self, texts: &[(Digest, Vec<u8>)]) -> Result<(), JournalError> {
        let mut inner = self.lock();
        if inner.appends_until_full == Some(0) {
            return Err(full());
        }
        inner.kept.extend(texts.iter().cloned());
        Ok(())
    }

    fn head(&self) -> (u64, Digest) {
        let inner = self.lock();
        (inner.chain.records(), inner.chain.head().clone())
    }
}

fn full() -> JournalError {
    Doing::Write.on(&PathBuf::from("(memory)"))(io::Error::from(io::ErrorKind::StorageFull))
}
