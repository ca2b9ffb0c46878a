//! Every run of a store, newest first, with what the index says of it or, where that is not sure, its journal.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fs;
use std::io::{self, Read as _};
use std::num::NonZero;
use std::ops::Range;

use super::entry::{Facts, Indexed};
use super::file::{self, HEADER, Header, Held, Stamp};
use super::line::{self, ID, Line, Raw, Says, Seen};
use crate::journal::error::JournalError;
use crate::journal::folder::{self, Folder};
use crate::journal::reader;
use crate::journal::store::Store;
use crate::vocab::RunId;

/// So many lines may be superseded before the file is written anew, however few count.
const FEW: usize = 64;

/// From so many journals on they are read by several threads.
const MANY: usize = 64;

/// A larger file than this is no index: a line has a few hundred bytes, and superseded ones are thrown away.
const LARGEST: u64 = 512 << 20;

/// Every run of a store, newest first.
///
/// What it says is that of the moment it was made. See the module for what it can be wrong about.
#[derive(Debug)]
pub struct Catalogue {
    store: Store,
    bytes: Vec<u8>,
    /// The folder's time that the index is known to be right for.
    stamp: Option<Stamp>,
    slots: Vec<Slot>,
}

#[derive(Debug)]
struct Slot {
    run: [u8; ID],
    known: Stored,
}

#[derive(Debug)]
enum Stored {
    Line { at: Range<usize>, says: Says },
    Looked(Box<Indexed>),
}

/// A run of the catalogue.
#[derive(Debug)]
pub struct Known<'a> {
    catalogue: &'a Catalogue,
    slot: &'a Slot,
    line: Option<Line<'a>>,
}

impl Store {
    /// Every run, newest first; what the index does not surely know is looked at.
    pub fn catalogue(&self) -> Result<Catalogue, JournalError> {
        let mut catalogue = Catalogue::current(self)?;
        catalogue.settle(|_| true);
        Ok(catalogue)
    }

    /// Every run, newest first; one that cannot be read has its failure.
    pub fn index(&self) -> Result<Vec<Indexed>, JournalError> {
        Ok(self.catalogue()?.known().filter_map(|known| known.look()).collect())
    }

    /// The runs that can go on and that nobody is at, and those that cannot be read, newest first.
    pub fn unfinished(&self) -> Result<Vec<Indexed>, JournalError> {
        let mut catalogue = Catalogue::current(self)?;
        catalogue.slots.retain(|slot| !matches!(slot.known, Stored::Line { says: Says::Over, .. }));
        catalogue.settle(|running| !running);
        let looked = catalogue.known().filter_map(|known| known.look());
        Ok(looked.filter(|indexed| indexed.is_unfinished() || indexed.entry.is_err()).collect())
    }

    /// The ids of all runs, newest first by the clock at their start: from the index where that is right, else from the
    /// folder.
    pub(in crate::journal) fn ids_newest_first(&self) -> Result<Vec<RunId>, JournalError> {
        let read = Read::of(self);
        if !read.is_current(self) {
            return self.runs_newest_first();
        }
        let mut catalogue = Catalogue { store: self.clone(), bytes: read.bytes, stamp: None, slots: read.slots };
        catalogue.order();
        Ok(catalogue.slots.iter().filter_map(Slot::id).collect())
    }
}

impl Catalogue {
    /// The number of runs.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no run.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Each run, newest first.
    pub fn known(&self) -> impl Iterator<Item = Known<'_>> {
        self.slots.iter().map(|slot| self.told(slot))
    }

    /// The run in this place, the newest one in the first.
    pub fn at(&self, place: usize) -> Option<Known<'_>> {
        Some(self.told(self.slots.get(place)?))
    }

    fn told<'a>(&'a self, slot: &'a Slot) -> Known<'a> {
        let line = match &slot.known {
            Stored::Line { at, .. } => Raw::of(&self.bytes[at.clone()]).line(),
            Stored::Looked(_) => None,
        };
        Known { catalogue: self, slot, line }
    }

    /// The index, made to fit the folder of runs.
    fn current(store: &Store) -> Result<Self, JournalError> {
        let mut read = Read::of(store);
        let mut stamp = read.header.and_then(|header| header.stamp);
        let is_current = read.is_current(store);
        if !is_current || read.is_wasteful() {
            // other hands were at it, or a run began just now: whoever may write compares for all that come after
            if let Some(held) = Held::take(store) {
                read = Read::of(store);
                stamp = if read.is_current(store) { read.header.and_then(|header| header.stamp) } else { None };
                if stamp.is_none() {
                    stamp = Stamp::set(&store.runs());
                    let lines = read.compare(store)?;
                    stamp = stamp.filter(|set| Stamp::of(&store.runs()) == Some(*set));
                    read.write(&held, &lines, stamp);
                } else if read.is_wasteful() {
                    read.write(&held, &[], stamp);
                }
            } else if !is_current {
                stamp = None;
                read.compare(store)?;
            }
        }
        let mut catalogue = Self { store: store.clone(), bytes: read.bytes, stamp, slots: read.slots };
        catalogue.order();
        Ok(catalogue)
    }

    /// Newest first; an id tells the second only.
    fn order(&mut self) {
        self.slots.reverse();
        let (store, bytes) = (&self.store, &self.bytes);
        for same in self.slots.chunk_by_mut(|a, b| a.second() == b.second()).filter(|same| same.len() > 1) {
            same.sort_by_cached_key(|slot| {
                let started = match &slot.known {
                    Stored::Line { at, .. } => Raw::of(&bytes[at.clone()]).line().map(|line| line.started()),
                    Stored::Looked(looked) => looked.entry.as_ref().ok().map(|entry| entry.started),
                };
                Reverse(started.or_else(|| Some(store.first_record(&slot.id()?)?.at)))
            });
        }
    }

    /// Looks at every run that can go on. Those that `keep` does not want, by whether a program is at them, are left out.
    fn settle(&mut self, keep: impl Fn(bool) -> bool) {
        let mut lines = Vec::new();
        let (store, bytes) = (&self.store, &self.bytes);
        self.slots.retain_mut(|slot| {
            let Stored::Line { at, says } = &slot.known else { return true };
            if *says == Says::Over {
                return true;
            }
            let Some(run) = slot.id() else { return false };
            let line = Raw::of(&bytes[at.clone()]).line();
            let journal = reader::open(&Folder::new(store.folder(&run))).ok();
            let running = journal.as_ref().is_some_and(folder::is_locked);
            if !keep(running) {
                return false;
            }
            let seen = journal.and_then(|file| Some(Seen::of(&file.metadata().ok()?)));
            if let Some(entry) = line.filter(|line| seen.is_some() && line.seen() == seen).and_then(|line| line.entry())
            {
                slot.known = Stored::Looked(Box::new(Indexed { run, running, entry: Ok(entry) }));
                return true;
            }
            let Some((indexed, told)) = look(store, &run) else { return false };
            if !told.is_look() {
                lines.extend(told.0);
            }
            slot.known = Stored::Looked(Box::new(indexed));
            true
        });
        // others need not look again; a run that was removed meanwhile must not come back
        if !lines.is_empty()
            && self.stamp.is_some()
            && let Some(held) = Held::take(&self.store)
            && Stamp::of(&self.store.runs()) == self.stamp
        {
            let _ = held.append(&lines, None);
        }
    }
}

impl Known<'_> {
    /// The run.
    pub fn run(&self) -> Option<RunId> {
        self.slot.id()
    }

    /// What is known of it and whether a program is at it; none where it could not be read.
    pub fn facts(&self) -> Option<(&dyn Facts, bool)> {
        match (&self.slot.known, &self.line) {
            (Stored::Looked(looked), _) => {
                let facts: &dyn Facts = looked.entry.as_ref().ok()?;
                Some((facts, looked.running))
            }
            (Stored::Line { .. }, line) => {
                let facts: &dyn Facts = line.as_ref()?;
                Some((facts, false))
            }
        }
    }

    /// The run as it is shown: where its journal is not as the index knows it, it is read. None where it is gone.
    pub fn look(&self) -> Option<Indexed> {
        if let Stored::Looked(looked) = &self.slot.known {
            return Some((**looked).clone());
        }
        let run = self.slot.id()?;
        let store = &self.catalogue.store;
        let seen = seen(store, &run);
        if let Some(entry) =
            self.line.filter(|line| seen.is_some() && line.seen() == seen).and_then(|line| line.entry())
        {
            return Some(Indexed { run, running: false, entry: Ok(entry) });
        }
        Some(look(store, &run)?.0)
    }
}

impl Slot {
    fn id(&self) -> Option<RunId> {
        std::str::from_utf8(&self.run).ok()?.parse().ok()
    }

    /// The part that tells when it started, as [`RunId::second`].
    fn second(&self) -> &[u8] {
        &self.run[..16]
    }
}

/// The file of the index as it was read.
struct Read {
    bytes: Vec<u8>,
    header: Option<Header>,
    /// The runs, by their ids upwards.
    slots: Vec<Slot>,
    /// Lines that are not what was written.
    bad: usize,
    lines: usize,
}

impl Read {
    fn of(store: &Store) -> Self {
        let bytes = read_file(store).unwrap_or_default();
        let header = Header::read(&bytes);
        let mut read = Self { bytes, header, slots: Vec::new(), bad: 0, lines: 0 };
        if header.is_none() {
            return read;
        }
        let mut slots = Vec::with_capacity(read.bytes.len() / 128);
        let mut from = HEADER;
        for length in memchr::memchr_iter(b'\n', &read.bytes[HEADER..]) {
            let at = from..HEADER + length;
            from = at.end + 1;
            let raw = Raw::read(&read.bytes[at.clone()]);
            if let Some((run, says)) = raw.and_then(|raw| Some((raw.run.try_into().ok()?, raw.says()?))) {
                slots.push(Slot { run, known: Stored::Line { at, says } });
            } else {
                read.bad += 1;
            }
        }
        // the last one has no newline
        read.bad += usize::from(from < read.bytes.len());
        read.lines = slots.len();
        // stable: of a run's lines the last one counts
        slots.sort_by_key(|slot| slot.run);
        slots.reverse();
        slots.dedup_by(|earlier, later| earlier.run == later.run);
        slots.reverse();
        slots.retain(|slot| !matches!(slot.known, Stored::Line { says: Says::Gone, .. }));
        read.slots = slots;
        read
    }

    /// Whether it knows every run of the folder as that is now.
    fn is_current(&self, store: &Store) -> bool {
        self.header.is_some_and(|header| {
            let whole = self.bad == 0 && self.bytes.len() as u64 >= header.length;
            whole && header.stamp.is_some() && header.stamp == Stamp::of(&store.runs())
        })
    }

    fn is_wasteful(&self) -> bool {
        self.lines > 2 * self.slots.len() + FEW
    }

    /// Makes it fit the folder of runs, and gives the lines that say so.
    fn compare(&mut self, store: &Store) -> Result<Vec<u8>, JournalError> {
        let mut there: HashMap<[u8; ID], RunId> = HashMap::new();
        for run in store.ids()? {
            if let Ok(key) = run.as_str().as_bytes().try_into() {
                there.insert(key, run);
            }
        }
        let mut lines = Vec::new();
        let bytes = &self.bytes;
        self.slots.retain(|slot| {
            let Some(run) = there.get(&slot.run) else {
                slot.id().iter().for_each(|run| lines.extend(line::gone(run)));
                return false;
            };
            let Stored::Line { at, says } = &slot.known else { return true };
            let is_same = match says {
                // it is looked at in any case
                Says::Look => true,
                Says::Gone => false,
                Says::Unfinished | Says::Over => {
                    let line = Raw::of(&bytes[at.clone()]).line();
                    line.is_some_and(|line| line.seen().is_some() && line.seen() == seen(store, run))
                }
            };
            if is_same {
                there.remove(&slot.run);
            }
            is_same
        });
        let mut missing: Vec<RunId> = there.into_values().collect();
        missing.sort();
        for (indexed, told) in look_at_all(store, &missing) {
            let Ok(run) = indexed.run.as_str().as_bytes().try_into() else { continue };
            lines.extend(told.0);
            self.slots.push(Slot { run, known: Stored::Looked(Box::new(indexed)) });
        }
        self.slots.sort_by_key(|slot| slot.run);
        Ok(lines)
    }

    /// Writes what was found; who comes next finds it, or not.
    fn write(&self, held: &Held, lines: &[u8], stamp: Option<Stamp>) {
        let whole = self.header.is_some_and(|header| self.bytes.len() as u64 >= header.length) && self.bad == 0;
        let few = lines.len() < self.bytes.len() / 2;
        if whole && few && !self.is_wasteful() && held.append(lines, stamp).is_ok() {
            return;
        }
        let mut all = Vec::with_capacity(self.bytes.len() + lines.len());
        for slot in &self.slots {
            if let Stored::Line { at, .. } = &slot.known {
                all.extend_from_slice(&self.bytes[at.clone()]);
                all.push(b'\n');
            }
        }
        // of those that were looked at
        let gone = |line: &[u8]| Raw::read(line).is_some_and(|raw| raw.says() == Some(Says::Gone));
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !gone(line)) {
            all.extend_from_slice(line);
            all.push(b'\n');
        }
        let _ = held.put(&all, stamp);
    }
}

/// A line about a run that was looked at.
struct Told(Vec<u8>, bool);

impl Told {
    fn is_look(&self) -> bool {
        self.1
    }
}

/// Reads a run's journal, and makes its line; none where the run is gone.
fn look(store: &Store, run: &RunId) -> Option<(Indexed, Told)> {
    // looked at before it is read: what is written meanwhile makes the line count for nothing
    let seen = seen(store, run);
    let indexed = store.by_journal(run);
    let told = match (&indexed.entry, seen) {
        (Err(JournalError::NoRun { .. }), _) => return None,
        (Ok(entry), Some(seen)) if !indexed.running => Told(line::told(run, entry, seen), false),
        (Ok(_) | Err(_), _) => Told(line::look(run), true),
    };
    Some((indexed, told))
}

fn look_at_all(store: &Store, runs: &[RunId]) -> Vec<(Indexed, Told)> {
    let look = |runs: &[RunId]| runs.iter().filter_map(|run| look(store, run)).collect::<Vec<_>>();
    if runs.len() < MANY {
        return look(runs);
    }
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        let parts = runs.chunks(runs.len().div_ceil(threads)).map(|part| scope.spawn(move || look(part)));
        let parts: Vec<_> = parts.collect();
        parts.into_iter().flat_map(|part| part.join().unwrap_or_default()).collect()
    })
}

fn seen(store: &Store, run: &RunId) -> Option<Seen> {
    let found = fs::symlink_metadata(Folder::new(store.folder(run)).journal()).ok()?;
    found.is_file().then(|| Seen::of(&found))
}

fn read_file(store: &Store) -> io::Result<Vec<u8>> {
    let mut file = folder::open_plain(&file::place(store.path()))?;
    if file.metadata()?.len() > LARGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = Vec::new();
    file.by_ref().take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}
