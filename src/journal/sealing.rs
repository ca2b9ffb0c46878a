//! Sealing a run, and reading its seals.

use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::{Doing, JournalError};
use super::folder::{self, Folder};
use super::newest::{self, Newest};
use super::seal::{self, Seal, SealFault, SealLink, Signature, Statement};
use super::store::Store;
use crate::event::Link;
use crate::vocab::{Digest, HostName, RunId};

/// The name of the chain of seals.
const CHAIN: &str = "seal";

/// How many of the newest runs are asked for the newest seal, where nothing else tells which it is.
const ASKED: usize = 64;

/// What is to be sealed: see [`Statement`], which the store completes.
#[derive(Clone, Debug)]
pub struct Sealing {
    /// The run.
    pub run: RunId,
    /// The stretch that is over.
    pub stretch: u32,
    /// How many records there are.
    pub records: u64,
    /// The digest of the last one.
    pub head: Digest,
    /// The digest of the first one.
    pub first: Digest,
    /// The run that started before it.
    pub link: Option<Link>,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub operator: String,
    /// On which machine.
    pub admin_host: String,
    /// The hosts in whose logs the head was left.
    pub stamped: Vec<HostName>,
    /// The changed hosts where that could not be done, each with why.
    pub unstamped: Vec<(HostName, String)>,
}

/// The newest seal: its line stands here before it stands beside its journal.
#[derive(Serialize, Deserialize)]
struct NewestSeal {
    link: SealLink,
    line: String,
}

impl Store {
    /// Seals a run: writes what its journal comes to beside it, in the chain of all seals of the state dir. `sign` is given
    /// the bytes to sign, while no other seal can be made.
    pub fn seal(&self, what: Sealing, sign: impl FnOnce(&[u8]) -> Signature) -> Result<Seal, JournalError> {
        let path = self.existing(&what.run)?.seals();
        let newest = Newest::hold(self.path(), CHAIN)?;
        let before = match newest.read::<NewestSeal>()? {
            Some(known) => {
                self.complete(&known)?;
                Some(known.link)
            }
            None => self.newest_seal()?,
        };
        let Sealing { run, stretch, records, head, first, link, at, operator, admin_host, stamped, unstamped } = what;
        let number = next_number(&path)?;
        let statement = Statement {
            run,
            number,
            stretch,
            records,
            head,
            first,
            link,
            before,
            at,
            operator,
            admin_host,
            stamped,
            unstamped,
        };
        let unrecordable = |why: String| JournalError::Unrecordable { why };
        let line = seal::encode(&statement, sign).map_err(|error| unrecordable(error.to_string()))?;
        let seal = seal::decode(&line[..line.len() - 1]).map_err(|fault| unrecordable(fault.to_string()))?;
        newest.write(&NewestSeal { link: seal.link(), line: String::from_utf8_lossy(&line).into_owned() })?;
        folder::append(&path, &line)?;
        Ok(seal)
    }

    /// The seals of a run in order, each with what is wrong with it; none where it was never sealed. The newest one counts
    /// also where a crash kept it from its place: it is whole in the chain.
    pub fn seals(&self, run: &RunId) -> Result<Vec<Result<Seal, SealFault>>, JournalError> {
        let path = self.existing(run)?.seals();
        // the chain first: what gets its place meanwhile is seen twice, and taken once
        let newest = newest::look::<NewestSeal>(self.path(), CHAIN)?.filter(|newest| newest.link.run == *run);
        let mut text = read(&path)?;
        if let Some(newest) = newest
            && whole_lines(&text) + 1 == newest.link.number as usize
        {
            text.truncate(memchr::memrchr(b'\n', &text).map_or(0, |last| last + 1));
            text.extend_from_slice(newest.line.as_bytes());
        }
        Ok(seal::decode_all(run, &text))
    }

    /// The newest seal of the state dir, as far as that is known.
    pub fn newest_sealed(&self) -> Result<Option<SealLink>, JournalError> {
        Ok(newest::look::<NewestSeal>(self.path(), CHAIN)?.map(|newest| newest.link))
    }

    /// Writes the newest seal beside its journal, where a crash kept that from being done.
    fn complete(&self, newest: &NewestSeal) -> Result<(), JournalError> {
        let folder = Folder::new(self.folder(&newest.link.run));
        // its run was removed since: the next seal tells
        if !folder.path().is_dir() {
            return Ok(());
        }
        let path = folder.seals();
        if whole_lines(&read(&path)?) + 1 == newest.link.number as usize {
            folder::append(&path, newest.line.as_bytes())?;
        }
        Ok(())
    }

    /// The newest seal beside the newest runs, for a state dir that has lost its chain.
    fn newest_seal(&self) -> Result<Option<SealLink>, JournalError> {
        let mut newest: Option<Seal> = None;
        for run in self.runs_newest_first()?.iter().take(ASKED) {
            let Some(seal) = self.seals(run)?.into_iter().flatten().next_back() else { continue };
            if newest.as_ref().is_none_or(|known| seal.statement.at > known.statement.at) {
                newest = Some(seal);
            }
        }
        Ok(newest.map(|seal| seal.link()))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, JournalError> {
    match folder::read(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Doing::Read.on(path)(error)),
    }
}

/// The number of the next seal: whatever stands there counts, also what does not verify.
fn next_number(path: &Path) -> Result<u32, JournalError> {
    Ok(u32::try_from(whole_lines(&read(path)?)).unwrap_or(u32::MAX).saturating_add(1))
}

fn whole_lines(text: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', text).count()
}
