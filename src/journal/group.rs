//! The group that may read the state: its members see every run and change none.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, Gid};

use super::store::Store;

/// What a directory needs: the group may read and search it, and what is made in it gets its group, a directory also
/// this bit.
const DIRECTORY: u32 = 0o2050;

/// What a file needs.
const FILE: u32 = 0o040;

/// Why the state could not be given to a group.
#[derive(Clone, Debug, thiserror::Error)]
#[error("could not give {} to the group {gid}: {source}", path.display())]
pub struct GroupError {
    /// What stays with its group.
    pub path: PathBuf,
    /// The group.
    pub gid: u32,
    /// What the operating system said.
    pub source: Arc<io::Error>,
}

impl Store {
    /// Gives the state directory and all that is in it to a group, and lets what comes later inherit it. Gives the number
    /// of files and directories of earlier runs that had another group.
    ///
    /// Where the directory is the group's already nothing is looked at. It becomes so last of all: when this fails on the
    /// way, or the program dies, the next call goes on.
    pub fn give_to_group(&self, gid: u32) -> Result<usize, GroupError> {
        let root = self.path();
        let failed = |path: &Path, source| GroupError { path: path.to_owned(), gid, source: Arc::new(source) };
        let found = fs::metadata(root).map_err(|error| failed(root, error))?;
        if found.gid() == gid && found.mode() & DIRECTORY == DIRECTORY {
            return Ok(0);
        }
        let mut given = 0;
        // a directory before what is in it: what another program makes meanwhile inherits
        let mut rest = entries(root).map_err(|error| failed(root, error))?;
        while let Some(path) = rest.pop() {
            match give(&path, gid) {
                Ok(changed) => given += usize::from(changed && !path.ends_with("runs")),
                // another program has just put it in its place, or taken it away
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(&path, error)),
            }
            if fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) {
                rest.extend(entries(&path).map_err(|error| failed(&path, error))?);
            }
        }
        give(root, gid).map_err(|error| failed(root, error))?;
        Ok(given)
    }
}

/// Whether it had another group. A link is given itself, not what it leads to.
fn give(path: &Path, gid: u32) -> io::Result<bool> {
    let found = fs::symlink_metadata(path)?;
    let changed = found.gid() != gid;
    if changed {
        rustix::fs::chownat(CWD, path, None, Some(Gid::from_raw(gid)), AtFlags::SYMLINK_NOFOLLOW)?;
    }
    let needed = match found.file_type() {
        kind if kind.is_dir() => DIRECTORY,
        kind if kind.is_file() => FILE,
        _ => return Ok(changed),
    };
    // a change of the group may take the bit away
    if changed || found.mode() & needed != needed {
        fs::set_permissions(path, Permissions::from_mode(found.mode() & 0o7777 | needed))?;
    }
    Ok(changed)
}

fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect()
}
