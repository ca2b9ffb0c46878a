//! The one writer of a run's journal.

use std::fs::{File, Metadata, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::attachment;
use super::chain::Chain;
use super::error::{Doing, Fate, JournalError};
use super::folder::{self, Folder};
use super::index;
use super::integrity::Integrity;
use super::log::{Durability, EventLog};
use super::reader::{self, Holder, Replay};
use super::record::LONGEST;
use super::room::{self, Part, Room};
use super::store::Store;
use crate::event::{Event, Opened};
use crate::vocab::{Digest, RunId};

/// How often the lock is tried: somebody who only looks whether it is taken holds it for an instant.
const LOCK_TRIES: u32 = 6;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The journal of a run, open for appending; no other program can write it while this is alive.
///
/// Not guaranteed: that a disk which failed a sync keeps what it took before; that locks hold across machines on a
/// network file system; that nobody with the right to write the file changes it (that shows when it is verified).
#[derive(Debug)]
pub struct Journal {
    folder: Folder,
    run: RunId,
    file: File,
    chain: Chain,
    /// The length of the records together.
    length: u64,
    /// The device and number of the file, to know it by in its place.
    identity: (u64, u64),
    /// The room that is taken behind the end.
    room: Room,
    /// The failure after which nothing new is begun any more; the ends of what was begun are still written.
    closing: Option<JournalError>,
    /// The failure after which nothing is written any more.
    poison: Option<JournalError>,
    /// What a torn end was and where it is kept.
    torn: Option<String>,
}

impl Journal {
    /// The run.
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The number of records so far.
    pub fn records(&self) -> u64 {
        self.chain.records()
    }

    /// The digest of the last record.
    pub fn head(&self) -> &Digest {
        self.chain.head()
    }

    /// A note about the torn end that was cut off when the journal was opened again, for whoever goes on to append.
    ///
    /// It is not written by itself, because nothing but a resume may follow the end of a stretch.
    pub fn torn_note(&self) -> Option<Event> {
        self.torn.clone().map(|text| Event::Noted { at: None, text })
    }

    /// Writes a new journal with its first record into a folder that has another name for the time being.
    ///
    /// When this returns, everything in the folder is on the disk.
    pub(super) fn begin(
        folder: &Folder,
        at: Timestamp,
        opened: Opened,
        texts: &[(Digest, Vec<u8>)],
    ) -> Result<Self, JournalError> {
        let path = folder.journal();
        let run = opened.run.clone();
        folder::make_directory(&folder.texts())?;
        folder::make_directory(&folder.outputs())?;
        attachment::put_texts(folder, texts)?;
        let file = folder::make_file(&path)?;
        lock(&file, &run, &path)?;
        let chain = Chain::new(Some(run.clone()));
        let mut journal = Self::over(folder.clone(), run, file, chain, 0)?;
        journal.append(at, Event::Opened(Box::new(opened)))?;
        folder::sync_directory(folder.path())?;
        Ok(journal)
    }

    fn over(folder: Folder, run: RunId, file: File, chain: Chain, length: u64) -> Result<Self, JournalError> {
        let found = file.metadata().map_err(Doing::Open.on(&folder.journal()))?;
        let room = Room::new(chain.state());
        let identity = identity(&found);
        Ok(Self { folder, run, file, chain, length, identity, room, closing: None, poison: None, torn: None })
    }

    /// Says that the folder has got its own name.
    pub(super) fn moved_to(&mut self, folder: Folder) {
        self.folder = folder;
    }

    /// Opens the journal of an earlier run to go on with it.
    ///
    /// The lock comes first, so that nobody writes between the reading and the first record. A torn end is kept in a
    /// file of its own and then cut off.
    pub(super) fn resume(folder: Folder, run: &RunId) -> Result<(Replay, Self), JournalError> {
        let path = folder.journal();
        let file =
            folder::open_plain_to_append(&path).map_err(|error| reader::not_opened(&folder, Doing::Open, error))?;
        lock(&file, run, &path)?;
        let replay = reader::read_from(&folder, run, &file, Holder::Reader)?;
        if !replay.integrity.is_sound() {
            return Err(JournalError::Corrupt { path, integrity: Box::new(replay.integrity) });
        }
        let chain = Chain::at(run.clone(), replay.records.len() as u64, replay.head.clone(), replay.state.clone());
        let length = replay.bytes;
        let mut journal = Self::over(folder, run.clone(), file, chain, length)?;
        if let Integrity::Torn { bytes, at_record } = replay.integrity {
            let kept = journal.cut_torn_end()?;
            journal.torn = Some(format!(
                "record {at_record} was cut off after {bytes} bytes when the program or the machine stopped; \
                 what there is of it is kept in {kept}"
            ));
        }
        // the program before may have died with records on the way to the disk
        journal.file.sync_all().map_err(Doing::Sync.on(&path))?;
        folder::sync_directory(journal.folder.path())?;
        Ok((replay, journal))
    }

    /// Keeps what stands behind the last record in a file, cuts it off, and gives the file's name.
    fn cut_torn_end(&mut self) -> Result<String, JournalError> {
        let path = self.path();
        let mut torn = Vec::new();
        self.file
            .seek(SeekFrom::Start(self.length))
            .and_then(|_| (&mut self.file).take(LONGEST as u64).read_to_end(&mut torn))
            .map_err(Doing::Read.on(&path))?;
        let mut number = 1;
        while self.folder.torn(number).exists() {
            number += 1;
        }
        folder::put_file(&self.folder.torn(number), &torn)?;
        folder::sync_directory(self.folder.path())?;
        self.file.set_len(self.length).map_err(Doing::Cut.on(&path))?;
        Ok(Folder::torn_name(number))
    }

    /// Puts another file in the place of the journal's, and back: a disk that fails, for tests.
    #[cfg(test)]
    pub(super) fn swap(&mut self, file: File, length: u64) -> (File, u64) {
        (std::mem::replace(&mut self.file, file), std::mem::replace(&mut self.length, length))
    }

    fn path(&self) -> PathBuf {
        self.folder.journal()
    }

    /// Refuses what can no longer be written: everything when an earlier write failed or the file is not as the last
    /// write left it, what is new when there is no room, or when the file is not where a resume would look for it.
    fn check(&mut self, part: Part) -> Result<(), JournalError> {
        if let Some(failure) = &self.poison {
            return Err(failure.clone());
        }
        self.look_at_file()?;
        if self.closing.is_none()
            && let Err(failure) = self.look_at_place()
        {
            self.closing = Some(failure);
        }
        match &self.closing {
            Some(failure) if part == Part::New => Err(failure.clone()),
            Some(_) | None => Ok(()),
        }
    }

    fn look_at_file(&self) -> Result<(), JournalError> {
        let path = self.path();
        let found = self.file.metadata().map_err(Doing::Write.on(&path))?;
        if found.nlink() == 0 {
            return Err(JournalError::Lost { path, fate: Fate::Removed });
        }
        if found.len() != self.length {
            return Err(JournalError::Disturbed { path });
        }
        Ok(())
    }

    /// Writing into a file goes on working when nobody will find it any more.
    fn look_at_place(&self) -> Result<(), JournalError> {
        let path = self.path();
        match std::fs::symlink_metadata(&path) {
            Ok(found) if identity(&found) == self.identity => Ok(()),
            Ok(_) => Err(JournalError::Lost { path, fate: Fate::Replaced }),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Err(JournalError::Lost { path, fate: Fate::Gone })
            }
            Err(error) => Err(Doing::Open.on(&path)(error)),
        }
    }

    fn write(&mut self, at: Timestamp, mut event: Event) -> Result<Event, JournalError> {
        let path = self.path();
        for text in attachment::texts(&event) {
            if !self.folder.texts().join(text.digest.as_str()).is_file() {
                return Err(JournalError::TextNotKept { digest: text.digest.clone() });
            }
        }
        attachment::spill(&mut event, |digest, text| attachment::put_output(&self.folder, digest, text))?;
        let mut line = self.chain.draft(at, &event)?;
        if let Err(error) = self.room.take(&self.file, self.length, line.len() as u64, &event) {
            if Part::of(&event) == Part::New {
                return Err(self.no_room(line.len() as u64, &event, error));
            }
            attachment::cramp(&mut event);
            line = self.chain.draft(at, &event)?;
        }
        let record = self.chain.link(&line)?;
        if let Err(error) = self.file.write_all(&line) {
            // half a record must not stay: with it gone, the journal ends as it did before
            let _ = self.file.set_len(self.length);
            return Err(Doing::Write.on(&path)(error));
        }
        self.length += line.len() as u64;
        match Durability::of(&record.event) {
            Durability::Now => self.file.sync_data().map_err(Doing::Sync.on(&path))?,
            Durability::WithNext => {}
        }
        self.room.written(&record.event);
        if matches!(record.event, Event::Stopped { .. } | Event::Ended { .. } | Event::Abandoned { .. }) {
            // not left to the drop: a program on its way out need not come to that
            self.room.give_back(&self.file, self.length);
            // nothing more is written after this for now: what the index is told of the file will stay so
            if let (Some(store), Some(state)) = (Store::around(&self.folder), self.chain.state()) {
                index::tell(&store, &self.run, state, &self.file);
            }
        }
        Ok(record.event)
    }

    fn no_room(&self, bytes: u64, event: &Event, error: io::Error) -> JournalError {
        let folder = self.folder.path();
        let path = folder.parent().unwrap_or(folder).to_owned();
        let free = room::free(&path);
        JournalError::NoRoom { path, needed: bytes + self.room.behind(event), free, source: Arc::new(error) }
    }

    /// Remembers a failure after which it is not known what is on the disk, or that nothing more can get there, or
    /// nothing new.
    fn remembering<T>(&mut self, result: Result<T, JournalError>) -> Result<T, JournalError> {
        if let Err(failure) = &result {
            if failure.stops_only_what_is_new() {
                self.closing = Some(failure.clone());
            } else if failure.is_state_unwritable() || failure.is_corrupt() {
                self.poison = Some(failure.clone());
            }
        }
        result
    }
}

impl EventLog for Journal {
    fn append(&mut self, at: Timestamp, event: Event) -> Result<Event, JournalError> {
        let result = self.check(Part::of(&event)).and_then(|()| self.write(at, event));
        self.remembering(result)
    }

    fn keep_texts(&mut self, texts: &[(Digest, Vec<u8>)]) -> Result<(), JournalError> {
        let result = self.check(Part::New).and_then(|()| attachment::put_texts(&self.folder, texts));
        self.remembering(result)
    }

    fn head(&self) -> (u64, Digest) {
        (self.chain.records(), self.chain.head().clone())
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // what somebody else wrote behind the end is evidence, and not cut off
        if self.look_at_file().is_ok() {
            self.room.give_back(&self.file, self.length);
        }
    }
}

fn identity(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

/// Takes the writer's lock, which lasts as long as the file is open.
fn lock(file: &File, run: &RunId, path: &Path) -> Result<(), JournalError> {
    let mut tries = 1;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if tries < LOCK_TRIES => {
                tries += 1;
                std::thread::sleep(LOCK_PAUSE);
            }
            Err(TryLockError::WouldBlock) => {
                return Err(JournalError::Busy { run: run.clone(), path: path.to_owned() });
            }
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(TryLockError::Error(error)) => return Err(Doing::Lock.on(path)(error)),
        }
    }
}
