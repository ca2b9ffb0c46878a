//! Files kept beside a journal under the digest of their contents: the texts a plan was made from, and large outputs.
//!
//! Apart from the records because a reader of the story needs them seldom, and because a digest in a record binds
//! them as firmly as if they stood in it.

use std::io::{self, Read};
use std::path::Path;

use super::error::JournalError;
use super::folder::{self, Folder};
use super::integrity::FileFault;
use super::record::Record;
use crate::event::{Event, Output, StoredOutput, TextEntry};
use crate::vocab::{Digest, Digester};

/// An output longer than this is kept beside the journal.
pub const LARGE_OUTPUT: usize = 32 * 1024;

/// How much of a large output's beginning, and of its end, stays in the event.
const KEPT_AT_EACH_END: usize = 4 * 1024;

/// How much of an output's beginning, and of its end, stays when the disk is full. A byte may take six in JSON, and an
/// outcome has two outputs.
const CRAMPED_AT_EACH_END: usize = 2 * 1024;

/// What is said of the rest of an output that there was no room for.
const NOT_KEPT: &str = "not kept: there was no room for it";

/// What became of a large output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// It is whole in a file.
    Whole,
    /// There was no room for it: its ends are all that is left.
    Ends,
}

/// Replaces each large output in `event` by its ends; `keep` gets the whole before.
pub(super) fn spill<E>(event: &mut Event, mut keep: impl FnMut(&Digest, &str) -> Result<Kept, E>) -> Result<(), E> {
    for output in outputs(event) {
        if output.stored.is_some() || output.text.len() <= LARGE_OUTPUT {
            continue;
        }
        let digest = Digest::of(output.text.as_bytes());
        match keep(&digest, &output.text)? {
            Kept::Whole => {
                let shortened = ends_of(&output.text, KEPT_AT_EACH_END, &format!("whole in outputs/{digest}"));
                let bytes = output.text.len() as u64;
                *output = Output { text: shortened, stored: Some(StoredOutput { digest, bytes }) };
            }
            Kept::Ends => output.text = ends_of(&output.text, KEPT_AT_EACH_END, NOT_KEPT),
        }
    }
    Ok(())
}

/// Puts the large outputs of `event` back whole, from the files beside the journal. Gives those that could not be, each by
/// its file's name in the folder; their ends stay.
pub(super) fn put_back(folder: &Folder, event: &mut Event) -> Vec<(String, FileFault)> {
    let mut faults = Vec::new();
    for output in outputs(event) {
        let Some(stored) = &output.stored else { continue };
        match read(&folder.outputs(), &stored.digest) {
            Ok(bytes) => output.text = String::from_utf8_lossy(&bytes).into_owned(),
            Err(fault) => faults.push((format!("outputs/{}", stored.digest), fault)),
        }
    }
    faults
}

/// Cuts the outputs in `event` to what fits into the room that was taken for them, however they are written as JSON.
pub(super) fn cramp(event: &mut Event) {
    for output in outputs(event) {
        if output.text.len() > 2 * CRAMPED_AT_EACH_END {
            let what = output.stored.as_ref().map(|stored| format!("whole in outputs/{}", stored.digest));
            output.text = ends_of(&output.text, CRAMPED_AT_EACH_END, what.as_deref().unwrap_or(NOT_KEPT));
        }
    }
}

/// The outputs in an event.
fn outputs(event: &mut Event) -> Vec<&mut Output> {
    match event {
        Event::StepActed { stdout, stderr, .. } => vec![stdout, stderr],
        Event::Collected { output, .. } | Event::UndoEnded { output, .. } => vec![output],
        Event::Opened(_)
        | Event::Resumed(_)
        | Event::HostsLocked { .. }
        | Event::LockRefused { .. }
        | Event::LockLost { .. }
        | Event::LocksReleased { .. }
        | Event::LockBroken { .. }
        | Event::RunsPruned { .. }
        | Event::PreconditionJudged { .. }
        | Event::PreconditionOverridden { .. }
        | Event::WaitStarted { .. }
        | Event::WarningShown { .. }
        | Event::WarningAcknowledged { .. }
        | Event::Asked { .. }
        | Event::Answered { .. }
        | Event::RollStarted { .. }
        | Event::FloorJudged { .. }
        | Event::BatchStarted { .. }
        | Event::PauseStarted { .. }
        | Event::RollStopped { .. }
        | Event::RollEnded { .. }
        | Event::ObservedBefore { .. }
        | Event::Looked { .. }
        | Event::StepStarted { .. }
        | Event::RetryScheduled { .. }
        | Event::Observed { .. }
        | Event::CheckJudged { .. }
        | Event::ConnectionLost { .. }
        | Event::ConnectionRegained { .. }
        | Event::ReceiptRead { .. }
        | Event::Captured { .. }
        | Event::StepEnded { .. }
        | Event::Chosen { .. }
        | Event::UndoStarted { .. }
        | Event::Interrupted { .. }
        | Event::Noted { .. }
        | Event::Stopped { .. }
        | Event::Ended { .. }
        | Event::Resolved { .. }
        | Event::Abandoned { .. } => Vec::new(),
    }
}

fn ends_of(text: &str, each: usize, rest: &str) -> String {
    let head = &text[..text.floor_char_boundary(each)];
    let tail = &text[text.ceil_char_boundary(text.len() - each)..];
    let left_out = text.len() - head.len() - tail.len();
    let newline = if head.ends_with('\n') { "" } else { "\n" };
    format!("{head}{newline}… {left_out} bytes left out, {rest} …\n{tail}")
}

/// The texts that an event says are kept.
pub(super) fn texts(event: &Event) -> &[TextEntry] {
    if let Event::Opened(opened) = event {
        return &opened.texts;
    }
    // without accepted changes the earlier texts stay those of the run, and these need not be kept
    if let Event::Resumed(resumed) = event
        && resumed.accepted_changes
    {
        return &resumed.texts;
    }
    &[]
}

/// Writes texts into the folder and gets them onto the disk, names and all.
pub(super) fn put_texts(folder: &Folder, texts: &[(Digest, Vec<u8>)]) -> Result<(), JournalError> {
    if texts.is_empty() {
        return Ok(());
    }
    for (digest, contents) in texts {
        if Digest::of(contents) != *digest {
            return Err(JournalError::TextNotKept { digest: digest.clone() });
        }
        folder::put_file(&folder.texts().join(digest.as_str()), contents)?;
    }
    folder::sync_directory(&folder.texts())
}

/// Writes an output into the folder and gets it onto the disk, name and all; unless there is no room for it.
pub(super) fn put_output(folder: &Folder, digest: &Digest, text: &str) -> Result<Kept, JournalError> {
    let put = folder::put_file(&folder.outputs().join(digest.as_str()), text.as_bytes())
        .and_then(|()| folder::sync_directory(&folder.outputs()));
    match put {
        Ok(()) => Ok(Kept::Whole),
        Err(failure) if failure.is_full() => Ok(Kept::Ends),
        Err(failure) => Err(failure),
    }
}

/// The first file that `record` names and that is not as it says, with its name in the folder.
///
/// Takes the record to change only because outputs are found that way; it is left as it was.
pub(super) fn fault_of(folder: &Folder, record: &mut Record) -> Option<(String, FileFault)> {
    for text in texts(&record.event) {
        if let Err(fault) = check(&folder.texts(), &text.digest, None) {
            return Some((format!("texts/{}", text.digest), fault));
        }
    }
    for output in outputs(&mut record.event) {
        if let Some(stored) = &output.stored
            && let Err(fault) = check(&folder.outputs(), &stored.digest, Some(stored.bytes))
        {
            return Some((format!("outputs/{}", stored.digest), fault));
        }
    }
    None
}

/// Whether a file is what its name says; read in pieces.
fn check(directory: &Path, digest: &Digest, bytes: Option<u64>) -> Result<(), FileFault> {
    let mut file = open(directory, digest)?;
    let mut digester = Digester::default();
    let mut piece = vec![0; 64 * 1024];
    let mut length = 0;
    loop {
        let read = match file.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return Err(FileFault::Unreadable),
        };
        digester.update(&piece[..read]);
        length += read as u64;
    }
    if digester.finish() == *digest && bytes.is_none_or(|bytes| bytes == length) {
        Ok(())
    } else {
        Err(FileFault::Changed)
    }
}

/// Reads a kept file whole and checks it.
pub(super) fn read(directory: &Path, digest: &Digest) -> Result<Vec<u8>, FileFault> {
    let mut contents = Vec::new();
    open(directory, digest)?.read_to_end(&mut contents).map_err(|_| FileFault::Unreadable)?;
    if Digest::of(&contents) == *digest { Ok(contents) } else { Err(FileFault::Changed) }
}

fn open(directory: &Path, digest: &Digest) -> Result<std::fs::File, FileFault> {
    // the digest comes from a file: nothing else may become a path
    if Digest::parse(digest.as_str()).is_none() {
        return Err(FileFault::BadName);
    }
    folder::open_plain(&directory.join(digest.as_str())).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => FileFault::Unreadable,
        _ => FileFault::Missing,
    })
}
