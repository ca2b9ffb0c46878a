//! The newest of a chain that goes through all runs of a state dir: what the next one names as the one before it.
//!
//! ```text
//! DIR/chain/NAME.json   the newest one
//!           NAME.lock   held while the next is made
//! ```
//!
//! Two chains go through the runs: each run names the one that started before it, each seal the one that was made before it.
//! Apart from both because how the newest is kept is the same. It is written before what it tells of gets its place; so
//! after a crash whoever comes next finds out whether that came to be.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{Doing, JournalError};
use super::folder;

/// The newest one, held: nobody else can make the next one until this is dropped.
#[derive(Debug)]
pub(super) struct Newest {
    path: PathBuf,
    _lock: File,
}

/// Where the newest ones of a state dir are kept.
pub(super) fn place(root: &Path) -> PathBuf {
    root.join("chain")
}

impl Newest {
    /// Waits for it, and holds it.
    pub(super) fn hold(root: &Path, name: &str) -> Result<Self, JournalError> {
        let folder = place(root);
        if !folder.exists() {
            folder::make_directories(&folder).map_err(Doing::Create.on(&folder))?;
            folder::sync_directory(root)?;
        }
        let lock = folder.join(format!("{name}.lock"));
        let file = folder::make_or_open(&lock).map_err(Doing::Lock.on(&lock))?;
        loop {
            match file.lock() {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Doing::Lock.on(&lock)(error)),
            }
        }
        Ok(Self { path: folder.join(format!("{name}.json")), _lock: file })
    }

    /// What it is; none where nothing that can be read is there.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<Option<T>, JournalError> {
        read_at(&self.path)
    }

    /// Puts the next one in its place, on the disk.
    pub(super) fn write(&self, newest: &impl Serialize) -> Result<(), JournalError> {
        let text = serde_json::to_vec(newest)
            .map_err(|error| JournalError::Unrecordable { why: format!("the newest of a chain: {error}") })?;
        folder::put_file(&self.path, &text)?;
        folder::sync_directory(self.path.parent().unwrap_or(&self.path))
    }

    /// There is none after all.
    pub(super) fn forget(&self) -> Result<(), JournalError> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Doing::Write.on(&self.path)(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// The newest one, only looked at.
pub(super) fn look<T: DeserializeOwned>(root: &Path, name: &str) -> Result<Option<T>, JournalError> {
    read_at(&place(root).join(format!("{name}.json")))
}

fn read_at<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, JournalError> {
    match std::fs::read(path) {
        // what was damaged is as good as gone: the runs tell
        Ok(text) => Ok(serde_json::from_slice(&text).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Doing::Read.on(path)(error)),
    }
}
