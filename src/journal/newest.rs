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

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{Doing, JournalError};
use super::folder;

/// How long the newest one is waited for: others hold it while a key signs, which may want to be touched.
const LIMIT: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(10);

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
    /// Waits for it, a minute at most, and holds it.
    pub(super) fn hold(root: &Path, name: &str) -> Result<Self, JournalError> {
        Self::hold_within(root, name, LIMIT)
    }

    fn hold_within(root: &Path, name: &str, limit: Duration) -> Result<Self, JournalError> {
        let folder = place(root);
        if !folder.exists() {
            folder::make_missing_directory(&folder).map_err(Doing::Create.on(&folder))?;
            folder::sync_directory(root)?;
        }
        let lock = folder.join(format!("{name}.lock"));
        let file = folder::make_or_open(&lock).map_err(Doing::Lock.on(&lock))?;
        let mut waited = Duration::ZERO;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if waited >= limit => return Err(JournalError::Held { path: lock }),
                Err(TryLockError::WouldBlock) => {
                    std::thread::sleep(PAUSE);
                    waited += PAUSE;
                }
                Err(TryLockError::Error(error)) => return Err(Doing::Lock.on(&lock)(error)),
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
    match folder::read(path) {
        // what was damaged is as good as gone: the runs tell
        Ok(text) => Ok(serde_json::from_slice(&text).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Doing::Read.on(path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_never_let_go_is_not_waited_for_without_end() {
        let dir = tempfile::tempdir().unwrap();
        let held = Newest::hold(dir.path(), "run").unwrap();
        let refused = Newest::hold_within(dir.path(), "run", PAUSE * 3).unwrap_err();
        assert!(
            matches!(&refused, JournalError::Held { path } if *path == place(dir.path()).join("run.lock")),
            "{refused}"
        );
        assert!(refused.is_busy() && !refused.is_state_unwritable());
        // the other chain is another's
        Newest::hold(dir.path(), "seal").unwrap();
        drop(held);
        Newest::hold(dir.path(), "run").unwrap();
    }

    #[test]
    fn what_is_no_plain_file_is_neither_read_nor_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        drop(Newest::hold(dir.path(), "run").unwrap());
        let (newest, lock) = (place(dir.path()).join("run.json"), place(dir.path()).join("run.lock"));
        rustix::fs::mknodat(rustix::fs::CWD, &newest, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
        assert!(matches!(look::<u64>(dir.path(), "run"), Err(JournalError::Io { doing: Doing::Read, .. })));
        let elsewhere = dir.path().join("elsewhere");
        std::fs::write(&elsewhere, "7").unwrap();
        for link in [&newest, &lock] {
            std::fs::remove_file(link).unwrap();
            std::os::unix::fs::symlink(&elsewhere, link).unwrap();
        }
        assert!(matches!(look::<u64>(dir.path(), "run"), Err(JournalError::Io { doing: Doing::Read, .. })));
        assert!(matches!(Newest::hold(dir.path(), "run"), Err(JournalError::Io { doing: Doing::Lock, .. })));
    }
}
