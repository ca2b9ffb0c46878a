//! Reading a journal from its beginning, record by record, believing nothing.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use rustix::io::Errno;

use super::attachment;
use super::chain::Chain;
use super::error::{Doing, JournalError};
use super::folder::{self, Folder};
use super::integrity::{Fault, FileFault, Integrity};
use super::record::{self, FORMAT, LONGEST, Reading, Record, Refusal};
use crate::event::{RunState, RunStatus};
use crate::vocab::{Digest, RunId};

/// A journal read whole.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The records that verify, in order.
    pub records: Vec<Record>,
    /// The state that follows from them.
    pub state: RunState,
    /// Whether that is all there was.
    pub integrity: Integrity,
    /// The digest of the last record.
    pub head: Digest,
    /// The length of the records together; what follows it in the file is torn or broken.
    pub bytes: u64,
}

impl Replay {
    /// The digest of the first record, which the run that started next names.
    pub fn first(&self) -> Digest {
        self.records.first().map_or_else(|| self.head.clone(), |record| record.digest.clone())
    }
}

/// What [`verify`] found: a [`Replay`] without the records, so that any length of journal can be verified.
#[derive(Clone, Debug)]
pub struct Verification {
    /// The number of records that verify.
    pub records: u64,
    /// The state that follows from them; none when not even the first does.
    pub state: Option<RunState>,
    /// Whether that is all there was.
    pub integrity: Integrity,
    /// The digest of the last record that verifies.
    pub head: Digest,
    /// The length of the records together.
    pub bytes: u64,
}

/// Verifies the journal in a run's folder, and the files kept beside it.
///
/// Memory does not grow with the journal's length, only with the number of steps and hosts in it. Where the folder is
/// named by a run id, the journal must be of that run.
pub fn verify(folder: &Path) -> Result<Verification, JournalError> {
    verify_seen(folder, |_| {})
}

/// The same, and each record that verifies is shown, its event without its bulk: see [`skim`](super::skim).
pub(super) fn verify_seen(folder: &Path, mut visit: impl FnMut(&Record)) -> Result<Verification, JournalError> {
    let run = folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
    let folder = Folder::new(folder.to_owned());
    let file = open(&folder)?;
    verify_with(&folder, Chain::new(run).reading(Reading::Skimmed), &file, Holder::Unknown, |record| visit(&record))
}

/// Reads the journal of `run` whole.
pub(super) fn read(folder: &Folder, run: &RunId) -> Result<Replay, JournalError> {
    read_from(folder, run, &open(folder)?, Holder::Unknown)
}

/// Reads the journal of `run` whole from its file, just opened.
pub(super) fn read_from(folder: &Folder, run: &RunId, file: &File, holder: Holder) -> Result<Replay, JournalError> {
    let mut records = Vec::new();
    let found = verify_with(folder, Chain::new(Some(run.clone())), file, holder, |record| records.push(record))?;
    let Verification { records: _, state, integrity, head, bytes } = found;
    match state {
        Some(state) => Ok(Replay { records, state, integrity, head, bytes }),
        None => Err(JournalError::Corrupt { path: folder.journal(), integrity: Box::new(integrity) }),
    }
}

pub(super) fn open(folder: &Folder) -> Result<File, JournalError> {
    folder::open_plain(&folder.journal()).map_err(|error| not_opened(folder, Doing::Read, error))
}

/// The failure for a journal that cannot be opened. A folder without one is no accident: it gets its name after it.
pub(super) fn not_opened(folder: &Folder, doing: Doing, error: io::Error) -> JournalError {
    let path = folder.journal();
    if error.kind() == io::ErrorKind::NotFound && folder.path().is_dir() {
        let why = Fault::NoOpening;
        return JournalError::Corrupt { path, integrity: Box::new(Integrity::Broken { record: 1, why }) };
    }
    // a link, a directory, a pipe: it was not opened because of what it is
    let errors = [Errno::LOOP, Errno::ISDIR, Errno::NXIO].map(Errno::raw_os_error);
    if error.kind() == io::ErrorKind::InvalidInput || error.raw_os_error().is_some_and(|code| errors.contains(&code)) {
        return JournalError::NotARun { path, wanted: "a plain file" };
    }
    doing.on(&path)(error)
}

/// Who may hold the writer's lock while the journal is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// It must be found out.
    Unknown,
    /// This very descriptor does: asking would give the lock away.
    Reader,
}

impl Holder {
    fn is_another(self, file: &File) -> bool {
        match self {
            Self::Unknown => folder::is_locked(file),
            Self::Reader => false,
        }
    }
}

fn verify_with(
    folder: &Folder,
    chain: Chain,
    file: &File,
    holder: Holder,
    mut visit: impl FnMut(Record),
) -> Result<Verification, JournalError> {
    // asked before and after: a writer may come or go meanwhile, and either way its half record is no tear
    let running_before = holder.is_another(file);
    let mut broken_file: Option<(u64, String, FileFault)> = None;
    let walked = walk(&folder.journal(), file, chain, |mut record| {
        if broken_file.is_none() {
            broken_file = attachment::fault_of(folder, &mut record).map(|(name, why)| (record.seq, name, why));
        }
        visit(record);
    })?;
    let running = running_before || holder.is_another(file);
    let Walked { chain, bytes, end } = walked;
    let at_record = chain.records() + 1;
    let integrity = match (end, broken_file) {
        (End::Broken(why), _) => Integrity::Broken { record: at_record, why },
        (End::Clean | End::Torn(_), Some((record, file, why))) => Integrity::BrokenFile { record, file, why },
        (End::Torn(bytes), None) if !running => Integrity::Torn { bytes, at_record },
        (End::Torn(_), None) => Integrity::Unfinished { running },
        (End::Clean, None) => match chain.state().map(|state| &state.status) {
            None | Some(RunStatus::Open) => Integrity::Unfinished { running },
            Some(RunStatus::Stopped { .. } | RunStatus::Ended { .. } | RunStatus::Abandoned { .. }) => {
                Integrity::Intact
            }
        },
    };
    Ok(Verification {
        records: chain.records(),
        head: chain.head().clone(),
        bytes,
        integrity,
        state: chain.into_state(),
    })
}

/// How far a walk came.
#[derive(Debug)]
pub(super) struct Walked {
    /// The records that verify.
    pub(super) chain: Chain,
    /// Their length together.
    pub(super) bytes: u64,
    /// What came behind them.
    pub(super) end: End,
}

/// What comes behind the last record that verifies.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum End {
    /// Nothing.
    Clean,
    /// So many bytes with no newline in them: what a write that was cut off leaves, and nothing else is called so.
    Torn(u64),
    /// Something else.
    Broken(Fault),
}

/// Takes line after line until the end, or until one is refused.
pub(super) fn walk(
    path: &Path,
    source: impl Read,
    mut chain: Chain,
    mut visit: impl FnMut(Record),
) -> Result<Walked, JournalError> {
    let mut reader = BufReader::with_capacity(64 * 1024, source);
    let mut line = Vec::new();
    let mut bytes = 0;
    let end = loop {
        line.clear();
        let read = (&mut reader).take(LONGEST as u64 + 1).read_until(b'\n', &mut line).map_err(Doing::Read.on(path))?;
        if line.last() != Some(&b'\n') {
            break match read {
                // a journal gets its name after its first record is on the disk
                _ if chain.records() == 0 => End::Broken(Fault::NoOpening),
                0 => End::Clean,
                read if read > LONGEST => End::Broken(Fault::TooLong),
                read => End::Torn(read as u64),
            };
        }
        match chain.take(&line[..line.len() - 1]) {
            Ok(record) => {
                bytes += read as u64;
                visit(record);
            }
            Err(Refusal::Fault(why)) => break End::Broken(why),
            Err(refusal) => return Err(refused(path, chain.records() + 1, refusal)),
        }
    };
    Ok(Walked { chain, bytes, end })
}

/// The failure for a refused record: corrupt, or written by a newer program.
fn refused(path: &Path, record: u64, refusal: Refusal) -> JournalError {
    let path = path.to_owned();
    match refusal {
        Refusal::Fault(why) => JournalError::Corrupt { path, integrity: Box::new(Integrity::Broken { record, why }) },
        Refusal::TooNew { format } => JournalError::TooNew { path, format, readable: FORMAT },
        Refusal::UnknownEvent { event, detail } => JournalError::UnknownEvent { path, record, event, detail },
    }
}

/// A journal's first record. It proves nothing of the others.
pub(super) fn first_record(folder: &Folder) -> Result<Record, JournalError> {
    let path = folder.journal();
    let mut line = Vec::new();
    let mut start = BufReader::new(open(folder)?).take(LONGEST as u64 + 1);
    start.read_until(b'\n', &mut line).map_err(Doing::Read.on(&path))?;
    let refusal = match line.strip_suffix(b"\n") {
        Some(line) => match record::decode(line, 1, &record::origin(), Reading::Whole) {
            Ok(record) => return Ok(record),
            Err(refusal) => refusal,
        },
        None => Fault::NoOpening.into(),
    };
    Err(refused(&path, 1, refusal))
}
