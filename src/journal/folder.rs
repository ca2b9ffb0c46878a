//! The folder of one run, and how files come into it: by mode, synced, named when whole.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};

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

/// Makes a directory; its parent must be there, and it belongs to whoever that belongs to.
pub(super) fn make_directory(path: &Path) -> Result<(), JournalError> {
    make_inside(path).map_err(Doing::Create.on(path))
}

/// Makes a directory where it is missing, as [`make_directory`] does; one that is there is left as it is.
pub(super) fn make_missing_directory(path: &Path) -> io::Result<()> {
    there_or_made(path, make_inside(path))
}

/// Makes a directory and what is missing above it, for whoever makes it; one that is there is left as it is.
pub(super) fn make_directories(path: &Path) -> io::Result<()> {
    if let Some(above) = path.parent() {
        DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(above)?;
    }
    // it may have no name of its own, as `..`
    if path.is_dir() {
        return Ok(());
    }
    there_or_made(path, make_readable_directory(&Above::of(path)?).map(drop))
}

fn there_or_made(path: &Path, made: io::Result<()>) -> io::Result<()> {
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

fn make_inside(path: &Path) -> io::Result<()> {
    let above = Above::of(path)?;
    above.give(&make_readable_directory(&above)?);
    Ok(())
}

fn make_readable_directory(above: &Above) -> io::Result<File> {
    rustix::fs::mkdirat(&above.directory, &above.name, Mode::from_raw_mode(DIRECTORY_MODE))?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = match above.open(flags, Mode::empty()) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            // a umask that hides it from its own maker
            let found = rustix::fs::statat(&above.directory, &above.name, AtFlags::SYMLINK_NOFOLLOW)?;
            let mode = Mode::from_raw_mode(found.st_mode & 0o7000 | DIRECTORY_MODE);
            rustix::fs::chmodat(&above.directory, &above.name, mode, AtFlags::empty())?;
            above.open(flags, Mode::empty())
        }
        opened => opened,
    };
    readable(opened?, DIRECTORY_MODE)
}

/// The directory that something is made in: held, so that it stays the one whose owner is asked for.
struct Above {
    directory: OwnedFd,
    name: OsString,
}

impl Above {
    fn of(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // it may be one that can be searched but not read
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { directory: rustix::fs::open(above, flags, Mode::empty())?, name })
    }

    fn open(&self, flags: OFlags, mode: Mode) -> io::Result<File> {
        let open = || rustix::fs::openat(&self.directory, &self.name, flags, mode);
        Ok(rustix::io::retry_on_intr(open)?.into())
    }

    /// Gives what was just made to whom the directory belongs, as far as that may be: root may run something in somebody's
    /// state dir, and must not lock the owner out.
    fn give(&self, made: &File) {
        let (Ok(above), Ok(found)) = (rustix::fs::fstat(&self.directory), made.metadata()) else { return };
        if (above.st_uid, above.st_gid) != (found.uid(), found.gid()) {
            let _ = rustix::fs::fchown(made, Some(Uid::from_raw(above.st_uid)), Some(Gid::from_raw(above.st_gid)));
        }
    }
}

/// A umask that hides what a user's other programs write does not hide the record. A bit that a directory inherited stays.
fn readable(made: File, mode: u32) -> io::Result<File> {
    let found = made.metadata()?.mode();
    if found & 0o777 != mode {
        made.set_permissions(Permissions::from_mode(found & 0o7000 | mode))?;
    }
    Ok(made)
}

/// Makes a file that must not be there yet, to be appended to.
pub(super) fn make_file(path: &Path) -> Result<File, JournalError> {
    make(path).map_err(Doing::Create.on(path))
}

/// Opens a plain file to be appended to, and makes it where it is missing; one that is there keeps its mode and owner.
pub(super) fn make_or_open(path: &Path) -> io::Result<File> {
    match make(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open_plain_to_append(path),
        made => made,
    }
}

/// Makes a file as [`make_file`] does. It belongs to whoever its directory belongs to.
pub(super) fn make(path: &Path) -> io::Result<File> {
    let above = Above::of(path)?;
    // a link is something that is there
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let made = readable(above.open(flags, Mode::from_raw_mode(FILE_MODE))?, FILE_MODE)?;
    above.give(&made);
    Ok(made)
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
    let mut file = make_or_open(path).map_err(Doing::Open.on(path))?;
    let length = file.metadata().map_err(Doing::Read.on(path))?.len();
    let whole = whole_lines(&file, length).map_err(Doing::Read.on(path))?;
    if whole < length {
        file.set_len(whole).map_err(Doing::Cut.on(path))?;
    }
    let written = file.write_all(lines).map_err(Doing::Write.on(path));
    if written.is_err() {
        // half of them must not stay
        let _ = file.set_len(whole);
    }
    written?;
    file.sync_all().map_err(Doing::Sync.on(path))?;
    sync_directory(path.parent().unwrap_or(path))
}

/// How much is looked at at once for the end of the last whole line.
const LOOK: u64 = 64 * 1024;

/// The length of a file's whole lines, read from its end: the file may be long.
fn whole_lines(file: &File, length: u64) -> io::Result<u64> {
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(LOOK);
        let mut piece = Vec::new();
        (&*file).seek(SeekFrom::Start(start))?;
        file.take(end - start).read_to_end(&mut piece)?;
        if let Some(last) = memchr::memrchr(b'\n', &piece) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
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
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};

    use super::*;

    #[test]
    fn only_the_torn_end_of_a_long_file_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lines");
        let long = vec![b'x'; usize::try_from(LOOK).unwrap() * 2 + 7];
        let line = [long.as_slice(), b"\n"].concat();
        for before in [&b""[..], b"a\n", &line] {
            for torn in [&b""[..], b"half", &long] {
                fs::write(&path, [before, torn].concat()).unwrap();
                append(&path, b"next\n").unwrap();
                assert!(fs::read(&path).unwrap() == [before, b"next\n"].concat(), "{} {}", before.len(), torn.len());
            }
        }
    }

    #[test]
    fn no_link_is_written_through() {
        let dir = tempfile::tempdir().unwrap();
        let (elsewhere, link) = (dir.path().join("elsewhere"), dir.path().join("link"));
        fs::write(&elsewhere, "x\n").unwrap();
        symlink(&elsewhere, &link).unwrap();
        assert!(make(&link).is_err() && make_or_open(&link).is_err() && append(&link, b"y\n").is_err());
        fs::remove_file(&elsewhere).unwrap();
        assert!(make(&link).is_err() && make_or_open(&link).is_err() && make_directory(&link).is_err());
        assert!(!elsewhere.exists());
    }

    #[test]
    fn what_root_makes_in_somebodys_directory_is_theirs() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let theirs = dir.path().join("theirs");
        make_directories(&theirs).unwrap();
        assert_eq!(theirs.metadata().unwrap().uid(), 0);
        let old = theirs.join("old");
        append(&old, b"x\n").unwrap();
        chown(&theirs, Some(4711), Some(4712)).unwrap();
        append(&old, b"y\n").unwrap();
        let (new, put, below) = (theirs.join("new"), theirs.join("put.json"), theirs.join("below"));
        append(&new, b"x\n").unwrap();
        put_file(&put, b"x").unwrap();
        make_directory(&below).unwrap();
        put_file(&below.join("put"), b"x").unwrap();
        let owner = |path: &Path| path.metadata().map(|found| (found.uid(), found.gid())).unwrap();
        assert_eq!(owner(&old), (0, 0), "only what was just made");
        for path in [&new, &put, &below, &below.join("put")] {
            assert_eq!(owner(path), (4711, 4712), "{}", path.display());
        }
    }
}
