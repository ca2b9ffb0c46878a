//! The folder of one run, and how files come into it: by mode, synced, named when whole.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::error::{Doing, JournalError};

const DIRECTORY_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;

/// The folder of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.path.join("journal.jsonl")
    }

    pub(super) fn seals(&self) -> PathBuf {
        self.path.join("seals.jsonl")
    }

    /// Where a torn end is kept; `number` from 1.
    pub(super) fn torn(&self, number: u32) -> PathBuf {
        self.path.join(Self::torn_name(number))
    }

    pub(super) fn torn_name(number: u32) -> String {
        format!("journal.torn-{number}")
    }

    pub(super) fn texts(&self) -> PathBuf {
        self.path.join("texts")
    }

    pub(super) fn outputs(&self) -> PathBuf {
        self.path.join("outputs")
    }
}

/// Makes a directory; its parent must be there.
pub(super) fn make_directory(path: &Path) -> Result<(), JournalError> {
    make_readable_directory(path).map_err(Doing::Create.on(path))
}

/// Makes a directory and what is missing above it; one that is there is left as it is.
pub(super) fn make_directories(path: &Path) -> io::Result<()> {
    if let Some(above) = path.parent() {
        DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(above)?;
    }
    match make_readable_directory(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

fn make_readable_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(DIRECTORY_MODE).create(path)?;
    match in_spite_of_the_umask(fs::symlink_metadata(path)?.mode(), DIRECTORY_MODE) {
        Some(mode) => fs::set_permissions(path, mode),
        None => Ok(()),
    }
}

fn make_readable(file: File) -> io::Result<File> {
    if let Some(mode) = in_spite_of_the_umask(file.metadata()?.mode(), FILE_MODE) {
        file.set_permissions(mode)?;
    }
    Ok(file)
}

/// The mode that something new is still to be given: a umask that hides what a user's other programs write does not
/// hide the record. A bit that a directory inherited stays.
fn in_spite_of_the_umask(made: u32, mode: u32) -> Option<Permissions> {
    (made & 0o777 != mode).then(|| Permissions::from_mode(made & 0o7000 | mode))
}

/// Makes a file that must not be there yet, to be appended to.
pub(super) fn make_file(path: &Path) -> Result<File, JournalError> {
    make(path).map_err(Doing::Create.on(path))
}

/// Opens a file to be appended to, and makes it where it is missing; one that is there keeps its mode.
pub(super) fn make_or_open(path: &Path) -> io::Result<File> {
    match make(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => OpenOptions::new().append(true).open(path),
        made => made,
    }
}

pub(super) fn make(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create_new(true).mode(FILE_MODE).open(path).and_then(make_readable)
}

/// Writes a whole file under a name for the time being, syncs it, and gives it its name, over an older one.
///
/// The name itself is on the disk only after [`sync_directory`].
pub(super) fn put_file(path: &Path, contents: &[u8]) -> Result<(), JournalError> {
    let draft = path.with_extension("new");
    // one that a crash left behind
    if let Err(error) = fs::remove_file(&draft)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(Doing::Create.on(&draft)(error));
    }
    let written = make_file(&draft).and_then(|mut file| {
        file.write_all(contents).map_err(Doing::Write.on(path))?;
        file.sync_all().map_err(Doing::Sync.on(path))?;
        fs::rename(&draft, path).map_err(Doing::Rename.on(path))
    });
    if written.is_err() {
        // it may hold the last free blocks
        let _ = fs::remove_file(&draft);
    }
    written
}

/// Appends whole lines to a file, makes it where it is missing, and syncs it. Half a line that a crash left is cut off.
pub(super) fn append(path: &Path, lines: &[u8]) -> Result<(), JournalError> {
    let there = match read(path) {
        Ok(there) => there,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(Doing::Read.on(path)(error)),
    };
    let whole = there.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let mut file = make_or_open(path).map_err(Doing::Open.on(path))?;
    if whole < there.len() {
        file.set_len(whole as u64).map_err(Doing::Cut.on(path))?;
    }
    let written = file.write_all(lines).map_err(Doing::Write.on(path));
    if written.is_err() {
        // half of them must not stay
        let _ = file.set_len(whole as u64);
    }
    written?;
    file.sync_all().map_err(Doing::Sync.on(path))?;
    sync_directory(path.parent().unwrap_or(path))
}

/// The longest file that is read whole: a hundred thousand seals.
const LONGEST_READ: u64 = 256 * 1024 * 1024;

/// Reads a plain file whole, unless it is longer than anything this program leaves.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    if open_plain(path)?.take(LONGEST_READ + 1).read_to_end(&mut text)? as u64 > LONGEST_READ {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is longer than anything that is kept there"));
    }
    Ok(text)
}

/// Gets the names in a directory onto the disk.
pub(super) fn sync_directory(path: &Path) -> Result<(), JournalError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(Doing::Sync.on(path))
}

/// Opens a plain file for reading: never a link, and never something that blocks or does not end.
pub(super) fn open_plain(path: &Path) -> io::Result<File> {
    open_if_plain(OpenOptions::new().read(true), path)
}

/// Opens a plain file for reading from its beginning and writing at its end.
pub(super) fn open_plain_to_append(path: &Path) -> io::Result<File> {
    open_if_plain(OpenOptions::new().read(true).append(true), path)
}

/// Opens a plain file for reading and writing anywhere.
pub(super) fn open_plain_to_change(path: &Path) -> io::Result<File> {
    open_if_plain(OpenOptions::new().read(true).write(true), path)
}

fn open_if_plain(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    let file = options.custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a plain file"))
    }
}

/// Whether a writer holds the file.
///
/// Looking takes the lock itself for an instant, shared; so a writer tries more than once. Where locks are not to be
/// had the answer is no.
pub(super) fn is_locked(file: &File) -> bool {
    match file.try_lock_shared() {
        Ok(()) => {
            let _ = file.unlock();
            false
        }
        Err(TryLockError::WouldBlock) => true,
        Err(TryLockError::Error(_)) => false,
    }
}
