//! Finding a run by what a person types.

use super::error::JournalError;
use super::store::Store;
use crate::vocab::RunId;

/// No run was found, or more than one.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FindError {
    /// There is none.
    #[error("no run is called `{text}`")]
    NoSuch {
        /// What was looked for.
        text: String,
    },
    /// There are several.
    #[error("`{text}` fits {} runs", candidates.len())]
    Ambiguous {
        /// What was looked for.
        text: String,
        /// The runs it fits, newest first.
        candidates: Vec<RunId>,
    },
    /// The store could not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Store {
    /// Finds a run by its id, by a beginning of its id or of the part behind the dash that no other run has, or the
    /// newest one as `latest`.
    pub fn find(&self, text: &str) -> Result<RunId, FindError> {
        // a whole id needs no other; which runs there are, and in what order, the index knows
        if let Ok(run) = text.parse()
            && self.folder(&run).is_dir()
        {
            return Ok(run);
        }
        let runs = self.ids_newest_first()?;
        let no_such = || FindError::NoSuch { text: text.to_owned() };
        if text == "latest" {
            return runs.into_iter().next().ok_or_else(no_such);
        }
        let mut candidates: Vec<RunId> = runs.into_iter().filter(|run| fits(run, text)).collect();
        match candidates.len() {
            0 => Err(no_such()),
            1 => Ok(candidates.remove(0)),
            _ => Err(FindError::Ambiguous { text: text.to_owned(), candidates }),
        }
    }
}

fn fits(run: &RunId, text: &str) -> bool {
    let id = run.as_str();
    let tail = id.rsplit_once('-').map_or(id, |(_, tail)| tail);
    !text.is_empty() && (id.starts_with(text) || tail.starts_with(text))
}
