//! A plan on disk: what `--dry-run --out` saves and `run --plan` holds a run to.
//!
//! The file does not carry the plan's meaning: it names the runbook, its arguments and the digest, with the steps and
//! commands for people to read. A run makes the plan anew from the book and goes on only when the digest is the same,
//! so that a file changed by hand can make nothing run that the book does not say.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::vocab::{Digest, HostName, StepId};

/// The format this program writes and reads.
const FORMAT: u32 = 1;

/// A saved plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFile {
    /// The file's format.
    pub format: u32,
    /// The runbook's name.
    pub runbook: String,
    /// The plan's digest.
    pub digest: Digest,
    /// When it was made, RFC 3339.
    pub made: String,
    /// By whom.
    pub operator: String,
    /// Parameters as given, without secrets.
    pub params: BTreeMap<String, String>,
    /// `--limit`.
    pub limit: Option<String>,
    /// What would be done, in order, for people.
    pub steps: Vec<PlannedLine>,
}

/// One step on one host, for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedLine {
    /// The step.
    pub step: StepId,
    /// The host.
    pub host: HostName,
    /// What would be sent, or why nothing.
    pub what: String,
}

/// Why a plan file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// It cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// The system's word.
        source: std::io::Error,
    },
    /// It is not a plan.
    #[error("{path} is not a plan file: {source}")]
    NotAPlan {
        /// The file.
        path: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// Another version of the program wrote it.
    #[error("{path} has format {found}; this program reads format {FORMAT}")]
    Format {
        /// The file.
        path: String,
        /// Its format.
        found: u32,
    },
}

impl PlanFile {
    /// The format of new files.
    pub const FORMAT: u32 = FORMAT;

    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, PlanFileError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| PlanFileError::Io { path: shown.clone(), source })?;
        let file: Self =
            serde_json::from_str(&text).map_err(|source| PlanFileError::NotAPlan { path: shown.clone(), source })?;
        if file.format != FORMAT {
            return Err(PlanFileError::Format { path: shown, found: file.format });
        }
        Ok(file)
    }

    /// Writes a file, whole or not at all. It names hosts and commands: nobody beside its owner and group reads it.
    pub fn write(&self, path: &Path) -> Result<(), PlanFileError> {
        let io = |source| PlanFileError::Io { path: path.display().to_string(), source };
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        let beside = path.with_extension("tmp");
        // one that a crash left behind, or a link that somebody laid
        let _ = std::fs::remove_file(&beside);
        let made = OpenOptions::new().write(true).create_new(true).mode(0o640).open(&beside);
        made.and_then(|mut file| file.write_all(text.as_bytes())).map_err(io)?;
        std::fs::rename(&beside, path).map_err(io)
    }
}
