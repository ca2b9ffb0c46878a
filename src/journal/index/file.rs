//! The file of the index, and how lines come into it.
//!
//! The first line has the time at which the folder of runs was last changed by a run that began (or by whoever
//! compared it with the index), and how long the file was then. A shorter one has lost lines, and nothing is added to it.
//! That time is set, not only read: what others do to the folder a moment later gives it another, however coarse the
//! clock of the file system is.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::entry::Entry;
use super::line::{self, Seen};
use crate::event::RunState;
use crate::journal::folder;
use crate::journal::store::Store;
use crate::vocab::{Clock as _, RunId, SystemClock};

const MAGIC: &str = "runbook index 2";

/// The length of the first line: its words, two numbers, the checksum, a newline.
pub(super) const HEADER: usize = MAGIC.len() + 1 + 20 + 1 + 20 + 9 + 1;

/// Others hold the lock for as long as a line takes. Whoever makes the index anew holds it longer, and is not waited for.
const LOCK_TRIES: u32 = 6;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The time of the folder of runs, as it was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp(i64);

impl Stamp {
    /// The folder's time as it is.
    pub(super) fn of(runs: &Path) -> Option<Self> {
        Self::from(&fs::metadata(runs).ok()?)
    }

    fn from(found: &fs::Metadata) -> Option<Self> {
        found.mtime().checked_mul(1_000_000_000)?.checked_add(found.mtime_nsec()).filter(|time| *time > 0).map(Self)
    }

    /// Sets the folder's time to now. None where it cannot be told from that of a change a moment later.
    pub(super) fn set(runs: &Path) -> Option<Self> {
        let now = SystemClock.now();
        let folder = File::open(runs).ok()?;
        folder.set_modified(now.into()).ok()?;
        let set = Self::from(&folder.metadata().ok()?)?;
        (i128::from(set.0) == now.as_nanosecond()).then_some(set)
    }
}

/// The first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) stamp: Option<Stamp>,
    pub(super) length: u64,
}

impl Header {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let line = bytes.get(..HEADER)?.strip_suffix(b"\n")?;
        let (said, sum) = line.split_at(line.len() - 9);
        if sum != line::sum(said).as_slice() {
            return None;
        }
        let mut words = std::str::from_utf8(said).ok()?.strip_prefix(MAGIC)?.split_ascii_whitespace();
        let stamp: i64 = words.next()?.parse().ok()?;
        Some(Self { stamp: (stamp > 0).then_some(Stamp(stamp)), length: words.next()?.parse().ok()? })
    }

    fn written(self) -> Vec<u8> {
        let stamp = self.stamp.map_or(0, |stamp| stamp.0);
        let mut line = format!("{MAGIC} {stamp:020} {:020}", self.length).into_bytes();
        line.extend(line::sum(&line));
        line.push(b'\n');
        line
    }
}

/// The index, held: nobody else writes it until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    path: PathBuf,
    runs: PathBuf,
    _lock: File,
}

pub(super) fn place(root: &Path) -> PathBuf {
    root.join("index")
}

impl Held {
    /// Holds it, unless it may not be written or somebody else holds it for long.
    pub(super) fn take(store: &Store) -> Option<Self> {
        let root = store.path();
        let path = root.join("index.lock");
        let lock = folder::make_or_open(&path).ok()?;
        for _ in 0..LOCK_TRIES {
            if lock.try_lock().is_ok() {
                return Some(Self { path: place(root), runs: store.runs(), _lock: lock });
            }
            std::thread::sleep(LOCK_PAUSE);
        }
        None
    }

    /// The file and its first line, where it is one that can be added to.
    fn open(&self) -> io::Result<(File, Header)> {
        let mut file = folder::open_plain_to_change(&self.path)?;
        let mut first = [0; HEADER];
        file.read_exact(&mut first)?;
        let header = Header::read(&first).filter(|header| file.metadata().is_ok_and(|it| it.len() >= header.length));
        Ok((file, header.ok_or(io::ErrorKind::InvalidData)?))
    }

    /// Whether it knows every run of the folder as that is now.
    fn is_current(&self) -> bool {
        self.open().is_ok_and(|(_, header)| header.stamp.is_some() && header.stamp == Stamp::of(&self.runs))
    }

    /// Adds lines; with a stamp it says that the folder is known as it was then.
    pub(super) fn append(&self, lines: &[u8], stamp: Option<Stamp>) -> io::Result<()> {
        let (mut file, header) = self.open()?;
        let end = file.seek(SeekFrom::End(-1))? + 1;
        let mut last = [0];
        file.read_exact(&mut last)?;
        let mut whole = Vec::with_capacity(lines.len() + 1);
        // half a line that somebody left stays one
        if last != *b"\n" {
            whole.push(b'\n');
        }
        whole.extend_from_slice(lines);
        if let Err(error) = file.write_all(&whole) {
            let _ = file.set_len(end);
            return Err(error);
        }
        if let Some(stamp) = stamp {
            debug_assert!(header.length <= end, "looked at when it was opened");
            let header = Header { stamp: Some(stamp), length: end + whole.len() as u64 };
            file.rewind()?;
            file.write_all(&header.written())?;
        }
        Ok(())
    }

    /// Writes it anew.
    pub(super) fn put(&self, lines: &[u8], stamp: Option<Stamp>) -> io::Result<()> {
        let length = (HEADER + lines.len()) as u64;
        let mut whole = Header { stamp, length }.written();
        whole.extend_from_slice(lines);
        let draft = self.path.with_extension("new");
        if let Err(error) = fs::remove_file(&draft)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let mut file = folder::make(&draft)?;
        // not synced: what a loss of power takes of it is seen, and made again
        let written = file.write_all(&whole).and_then(|()| fs::rename(&draft, &self.path));
        if written.is_err() {
            let _ = fs::remove_file(&draft);
        }
        written
    }
}

/// A run that is about to get its place among the others: what the index knew before it.
#[derive(Debug)]
pub(in crate::journal) struct Arrival {
    held: Option<Held>,
    current: bool,
}

impl Arrival {
    /// Before the run's folder has its name.
    pub(in crate::journal) fn expect(store: &Store) -> Self {
        let held = Held::take(store);
        if let Some(held) = &held
            && !held.is_current()
            && store.is_empty()
        {
            // the first run of all: there is nothing to compare with. The time is set before the last look.
            let stamp = Stamp::set(&held.runs);
            if store.is_empty() {
                let _ = held.put(b"", stamp);
            }
        }
        let current = held.as_ref().is_some_and(Held::is_current);
        Self { held, current }
    }

    /// After it. Where the index did not know all the others, it is left to the next reader to compare.
    pub(in crate::journal) fn came(self, run: &RunId) {
        if let Some(held) = self.held {
            let stamp = if self.current { Stamp::set(&held.runs) } else { None };
            let _ = held.append(&line::look(run), stamp);
        }
    }
}

/// Tells the index what a run has come to. It need not get there: see the module.
pub(in crate::journal) fn tell(store: &Store, run: &RunId, state: &RunState, journal: &File) {
    if let Ok(found) = journal.metadata()
        && let Some(held) = Held::take(store)
        // whoever saw that it is gone has said so, or will: it must not come back
        && store.folder(run).is_dir()
    {
        let _ = held.append(&line::told(run, &Entry::of(state), Seen::of(&found)), None);
    }
}
