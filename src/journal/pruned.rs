//! What is left of runs whose journals were removed: their seals, so that the chains through all runs still hold.
//!
//! ```text
//! DIR/pruned.jsonl
//! {"format":1,"pruned":{"run":"…","by":"…","at":"…","seals":["<a line of seals.jsonl>",…]},"digest":"…"}
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::{Doing, JournalError};
use super::folder::{self, Folder};
use super::integrity::Fault;
use super::newest::Newest;
use super::record;
use super::seal::{self, Seal, SealFault};
use super::store::Store;
use crate::vocab::RunId;

/// The format that is written.
const FORMAT: u64 = 1;

/// The beginning of the name of a folder that is being removed, among the drafts: what is left there is tidied away.
const GONE: &str = "gone-";

/// The longest line: a run with very many seals.
const LONGEST: u64 = 64 * 1024 * 1024;

/// What is left of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// The run.
    pub run: RunId,
    /// The run that removed it.
    pub by: RunId,
    /// When.
    pub at: Timestamp,
    /// Its seals.
    pub seals: Vec<Seal>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Left {
    run: RunId,
    by: RunId,
    at: Timestamp,
    seals: Vec<String>,
}

#[derive(Serialize)]
struct Written<'a> {
    format: u64,
    pruned: &'a Left,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    format: u64,
    pruned: Left,
    #[serde(rename = "digest")]
    _digest: serde::de::IgnoredAny,
}

impl Store {
    /// Keeps the seals of runs whose journals are about to be removed by the run `by`.
    pub fn keep_seals(&self, runs: &[RunId], by: &RunId, at: Timestamp) -> Result<(), JournalError> {
        let _held = Newest::hold(self.path(), "pruned")?;
        let mut lines = Vec::new();
        for run in runs {
            let path = self.existing(run)?.seals();
            let text = fs::read_to_string(&path).map_err(Doing::Read.on(&path))?;
            let seals = text.lines().map(str::to_owned).collect();
            let left = Left { run: run.clone(), by: by.clone(), at, seals };
            let mut line = serde_json::to_vec(&Written { format: FORMAT, pruned: &left })
                .map_err(|error| JournalError::Unrecordable { why: error.to_string() })?;
            // the closing brace comes back behind the digest
            line.pop();
            lines.extend(record::closed(line));
        }
        folder::append(&self.path().join("pruned.jsonl"), &lines)
    }

    /// Removes the folder of a run. What a crash leaves of it is removed with old drafts.
    pub fn remove(&self, run: &RunId) -> Result<(), JournalError> {
        let folder = self.folder(run);
        let drafts = self.drafts();
        folder::make_directories(&drafts).map_err(Doing::Create.on(&drafts))?;
        let gone = drafts.join(format!("{GONE}{run}"));
        fs::rename(&folder, &gone).map_err(Doing::Rename.on(&folder))?;
        fs::remove_dir_all(&gone).map_err(Doing::Write.on(&gone))
    }

    /// What is left of the runs that were pruned; of one that is there again, nothing. Lines that do not verify come with
    /// what is wrong.
    pub fn pruned(&self) -> Result<Vec<Result<Pruned, SealFault>>, JournalError> {
        let path = self.path().join("pruned.jsonl");
        let file = match folder::open_plain(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Doing::Read.on(&path)(error)),
        };
        let mut reader = BufReader::new(file);
        let mut faults = Vec::new();
        // a crash may have left one twice
        let mut left = BTreeMap::new();
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = (&mut reader).take(LONGEST).read_until(b'\n', &mut line).map_err(Doing::Read.on(&path))?;
            if read == 0 {
                break;
            }
            match decode(&line) {
                Ok(pruned) => drop(left.insert(pruned.run.clone(), pruned)),
                Err(fault) => faults.push(Err(fault)),
            }
        }
        left.retain(|run, _| !Folder::new(self.folder(run)).path().exists());
        Ok(left.into_values().map(Ok).chain(faults).collect())
    }
}

fn decode(line: &[u8]) -> Result<Pruned, SealFault> {
    let Some(line) = line.strip_suffix(b"\n") else { return Err(SealFault::Torn(line.len())) };
    record::check_digest(line).map_err(SealFault::Line)?;
    let line: Line = serde_json::from_slice(line)
        .map_err(|error| SealFault::Line(Fault::NotARecord { detail: error.to_string() }))?;
    if line.format > FORMAT {
        return Err(SealFault::TooNew(line.format));
    }
    let Left { run, by, at, seals } = line.pruned;
    let text: String = seals.iter().flat_map(|seal| [seal.as_str(), "\n"]).collect();
    let seals = seal::decode_all(&run, text.as_bytes()).into_iter().collect::<Result<_, _>>()?;
    Ok(Pruned { run, by, at, seals })
}
