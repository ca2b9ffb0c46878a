//! The state directory: a folder for each run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::attachment;
use super::error::{Doing, JournalError};
use super::folder::{self, Folder};
use super::index::Arrival;
use super::integrity::FileFault;
use super::newest::{self, Newest};
use super::reader::{self, Replay, Verification};
use super::record::Record;
use super::writer::Journal;
use crate::event::{Event, Link, Opened};
use crate::vocab::{Digest, RunId};

/// Where a run's folder is before its first record is on the disk: below the folder of runs, which may be on a file
/// system of its own, and not in it, so that nothing changes that folder but runs.
const DRAFTS: &str = ".drafts";

/// The name of the chain of runs.
const CHAIN: &str = "run";

/// The newest run: written before the run gets its place.
#[derive(Serialize, Deserialize)]
struct NewestRun {
    run: Link,
    before: Option<Link>,
}

/// After this long a draft is certain to be left over.
const DRAFT_LIFE: SignedDuration = SignedDuration::from_hours(24);

/// The state directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Opens the state directory to run something, and makes it where it is missing.
    ///
    /// Fails early where nothing could be written; that there is room shows only when something is.
    pub fn open(root: &Path) -> Result<Self, JournalError> {
        let store = Self { root: root.to_owned() };
        let runs = store.runs();
        let is_new = !runs.exists();
        folder::make_directories(root).and_then(|()| folder::make_missing_directory(&runs)).map_err(
            |error| match error.kind() {
                io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                    JournalError::NotADirectory { path: not_a_directory(&runs) }
                }
                _ => Doing::Create.on(&runs)(error),
            },
        )?;
        let rights = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        rustix::fs::access(&runs, rights).map_err(|error| Doing::Write.on(&runs)(error.into()))?;
        if is_new {
            folder::sync_directory(root)?;
            if let Some(above) = root.parent().filter(|above| !above.as_os_str().is_empty()) {
                // it may be a directory that can be searched but not read; the next sync would not help either
                let _ = folder::sync_directory(above);
            }
        }
        Ok(store)
    }

    /// Opens the state directory to read only; makes nothing.
    pub fn open_existing(root: &Path) -> Result<Self, JournalError> {
        let store = Self { root: root.to_owned() };
        let runs = store.runs();
        match fs::metadata(&runs) {
            Ok(found) if found.is_dir() => Ok(store),
            Ok(_) => Err(JournalError::NotADirectory { path: runs }),
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound => Err(JournalError::NoStore { path: root.to_owned() }),
                io::ErrorKind::NotADirectory => Err(JournalError::NotADirectory { path: not_a_directory(&runs) }),
                _ => Err(Doing::Read.on(&runs)(error)),
            },
        }
    }

    /// The state directory's path.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// The folder of a run, there or not.
    pub fn folder(&self, run: &RunId) -> PathBuf {
        self.runs().join(run.as_str())
    }

    /// Begins a run: its folder with the texts it was made from and its first record.
    ///
    /// It names the run that started before it in this state dir: runs begin one after the other, under a lock. A crash
    /// leaves either no run or a run with its first record. Drafts that crashes left are removed once they are a day old.
    pub fn create(
        &self,
        at: Timestamp,
        mut opened: Opened,
        texts: &[(Digest, Vec<u8>)],
    ) -> Result<Journal, JournalError> {
        let run = opened.run.clone();
        let folder = Folder::new(self.folder(&run));
        let draft = Folder::new(self.draft(&run));
        if folder.path().exists() {
            return Err(JournalError::Exists { run });
        }
        let newest = Newest::hold(self.path(), CHAIN)?;
        let before = self.started_before(&newest)?;
        opened.link.clone_from(&before);
        if !self.drafts().exists() {
            folder::make_missing_directory(&self.drafts()).map_err(Doing::Create.on(&self.drafts()))?;
            folder::sync_directory(&self.runs())?;
        }
        folder::make_directory(draft.path())?;
        let mut named = false;
        let result = Journal::begin(&draft, at, opened, texts).and_then(|journal| {
            // the newest names a draft that is on the disk, or nobody could tell that it never was a run
            folder::sync_directory(&self.drafts())?;
            let link = Link { run: run.clone(), first: journal.head().clone() };
            named = true;
            newest.write(&NewestRun { run: link, before: before.clone() })?;
            // not earlier: the one before may be a draft that only its being there tells from a run
            self.remove_old_drafts(at, draft.path());
            let arrival = Arrival::expect(self);
            // the new name is refused where a folder with anything in it has it
            fs::rename(draft.path(), folder.path()).map_err(|error| match error.kind() {
                io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => {
                    JournalError::Exists { run: run.clone() }
                }
                _ => Doing::Rename.on(folder.path())(error),
            })?;
            arrival.came(&run);
            Ok(journal)
        });
        match result {
            Ok(mut journal) => {
                folder::sync_directory(&self.runs())?;
                journal.moved_to(folder);
                Ok(journal)
            }
            Err(error) => {
                let unnamed = match before {
                    _ if !named => Ok(()),
                    Some(before) => newest.write(&NewestRun { run: before, before: None }),
                    None => newest.forget(),
                };
                // as long as it is named it stays: a later run removes it
                if unnamed.is_ok() {
                    let _ = fs::remove_dir_all(draft.path());
                }
                Err(error)
            }
        }
    }

    /// The newest run of the state dir, as far as that is known.
    pub fn newest_started(&self) -> Result<Option<Link>, JournalError> {
        let Some(NewestRun { run, before }) = newest::look(self.path(), CHAIN)? else { return Ok(None) };
        Ok(if self.never_was(&run.run) { before } else { Some(run) })
    }

    /// The run that the next one names.
    fn started_before(&self, newest: &Newest) -> Result<Option<Link>, JournalError> {
        if let Some(NewestRun { run, before }) = newest.read()? {
            // a crash kept it from getting its place; removed by other hands it is named all the same
            return Ok(if self.never_was(&run.run) { before } else { Some(run) });
        }
        let mut runs = self.runs_newest_first()?.into_iter();
        Ok(runs.find_map(|run| self.first_record(&run).map(|record| Link { run, first: record.digest })))
    }

    /// Whether the run is a draft still: its program died before it was one.
    fn never_was(&self, run: &RunId) -> bool {
        !self.folder(run).exists() && self.draft(run).exists()
    }

    fn draft(&self, run: &RunId) -> PathBuf {
        self.drafts().join(run.as_str())
    }

    /// Goes on with an earlier run: locks and verifies its journal, cuts a torn end off, and continues the chain.
    ///
    /// A journal that is not sound is refused. Where the replay's integrity is torn, the cut bytes are kept in
    /// `journal.torn-N`, and whoever goes on should tell.
    pub fn reopen(&self, run: &RunId) -> Result<(Replay, Journal), JournalError> {
        let folder = self.existing(run)?;
        Journal::resume(folder, run)
    }

    /// Reads a run's journal whole; also while it is being written.
    ///
    /// A journal that breaks in the middle gives what verifies and says where it breaks; one without a first record is
    /// a failure.
    pub fn read(&self, run: &RunId) -> Result<Replay, JournalError> {
        reader::read(&self.existing(run)?, run)
    }

    /// Verifies a run's journal without keeping its records.
    pub fn verify(&self, run: &RunId) -> Result<Verification, JournalError> {
        reader::verify(self.existing(run)?.path())
    }

    /// Verifies a run's journal as [`verify`](Self::verify) does, and shows each record that verifies.
    ///
    /// What probes saw and commands wrote is left out of the events that are shown.
    pub fn verify_with(&self, run: &RunId, visit: impl FnMut(&Record)) -> Result<Verification, JournalError> {
        reader::verify_seen(self.existing(run)?.path(), visit)
    }

    /// Reads a text that was kept for a run.
    pub fn text(&self, run: &RunId, digest: &Digest) -> Result<Vec<u8>, FileFault> {
        attachment::read(&Folder::new(self.folder(run)).texts(), digest)
    }

    /// Reads a large output of a run whole.
    pub fn output(&self, run: &RunId, digest: &Digest) -> Result<Vec<u8>, FileFault> {
        attachment::read(&Folder::new(self.folder(run)).outputs(), digest)
    }

    /// Puts the large outputs of an event of a run back whole. Gives those that could not be, each by its file's name in
    /// the run's folder; of them the event keeps the ends.
    pub fn put_back(&self, run: &RunId, event: &mut Event) -> Vec<(String, FileFault)> {
        attachment::put_back(&Folder::new(self.folder(run)), event)
    }

    /// The ids of all runs, newest first by the clock at their start.
    pub fn runs_newest_first(&self) -> Result<Vec<RunId>, JournalError> {
        let mut runs = self.ids()?;
        runs.sort_by(|a, b| b.cmp(a));
        // an id tells the second only
        for same in runs.chunk_by_mut(|a, b| a.second() == b.second()).filter(|same| same.len() > 1) {
            same.sort_by_cached_key(|run| std::cmp::Reverse(self.first_record(run).map(|record| record.at)));
        }
        Ok(runs)
    }

    /// Whether a program holds the run's journal at the moment. What cannot be looked at is not running.
    pub fn is_running(&self, run: &RunId) -> bool {
        let file = self.existing(run).and_then(|folder| reader::open(&folder));
        file.is_ok_and(|file| folder::is_locked(&file))
    }

    /// A run's first record, as far as it can be read.
    pub(super) fn first_record(&self, run: &RunId) -> Option<Record> {
        reader::first_record(&Folder::new(self.folder(run))).ok()
    }

    /// The store that a run's folder is in.
    pub(super) fn around(folder: &Folder) -> Option<Self> {
        Some(Self { root: folder.path().parent()?.parent()?.to_owned() })
    }

    /// Whether it has no run.
    pub(super) fn is_empty(&self) -> bool {
        fs::read_dir(self.runs()).is_ok_and(|mut entries| {
            entries.all(|entry| entry.is_ok_and(|entry| entry.file_name().to_string_lossy() == DRAFTS))
        })
    }

    pub(super) fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// The ids of all runs, in no order.
    pub(super) fn ids(&self) -> Result<Vec<RunId>, JournalError> {
        let path = self.runs();
        let entries = fs::read_dir(&path).map_err(Doing::Read.on(&path))?;
        let mut runs = Vec::new();
        for entry in entries {
            let name = entry.map_err(Doing::Read.on(&path))?.file_name();
            // the drafts and whatever else somebody put there
            if let Some(run) = name.to_str().and_then(|name| name.parse::<RunId>().ok()) {
                runs.push(run);
            }
        }
        Ok(runs)
    }

    pub(super) fn drafts(&self) -> PathBuf {
        self.runs().join(DRAFTS)
    }

    pub(super) fn existing(&self, run: &RunId) -> Result<Folder, JournalError> {
        let path = self.folder(run);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => Ok(Folder::new(path)),
            Ok(_) => Err(JournalError::NotARun { path, wanted: "the folder of a run" }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(JournalError::NoRun { run: run.clone() }),
            Err(error) => Err(Doing::Read.on(&path)(error)),
        }
    }

    /// Tidying only: what cannot be removed stays.
    fn remove_old_drafts(&self, now: Timestamp, own: &Path) {
        let Ok(entries) = fs::read_dir(self.drafts()) else { return };
        for entry in entries.flatten() {
            let changed = entry.metadata().and_then(|found| found.modified()).ok();
            if entry.path() != own && changed.is_some_and(|changed| is_old(changed, now)) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

fn is_old(changed: SystemTime, now: Timestamp) -> bool {
    Timestamp::try_from(changed).is_ok_and(|changed| now.duration_since(changed) > DRAFT_LIFE)
}

/// The part of `path` that is there and is no directory.
fn not_a_directory(path: &Path) -> PathBuf {
    path.ancestors().find(|part| part.symlink_metadata().is_ok()).unwrap_or(path).to_owned()
}
