//! What a command works on: the book, the inventory, the state folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::app::Global;
use super::error::CliError;
use crate::journal::Store;
use crate::model::Inventory;
use crate::report::Sink;
use crate::source::{BookSource, InventorySource, SourceText};
use crate::vocab::neutral::neutralise;
use crate::vocab::quote::shell_word;

/// A book and the fleet it is run on.
pub(super) struct Context {
    pub(super) source: BookSource,
    pub(super) inventory: Inventory,
    /// The inventory files, as they were laid.
    pub(super) inventories: Vec<PathBuf>,
    /// Their texts; of an executable one, what it printed.
    pub(super) inventory_texts: Vec<Arc<SourceText>>,
}

/// A variable of the environment, as text.
#[expect(clippy::disallowed_methods, reason = "the cli is where the environment is read")]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Context {
    /// Finds and reads the book and its inventory.
    pub(super) fn open(global: &Global) -> Result<Self, CliError> {
        let dir = book_dir(global)?;
        let inventories = inventory_files(&dir, &global.inventory);
        Self::open_at(&dir, inventories)
    }

    /// Reads a book and inventories that are known, as a resume does.
    pub(super) fn open_at(dir: &Path, inventories: Vec<PathBuf>) -> Result<Self, CliError> {
        let source = BookSource::open(dir)?;
        let InventorySource { inventory, texts } = InventorySource::read(&inventories)?;
        Ok(Self { source, inventory, inventories, inventory_texts: texts })
    }
}

/// The book's own inventory, when it has one, and what was given over it.
///
/// `-i` lays files over the book's: a lab's addresses need no copy of the groups. A file of the book given itself is
/// not laid twice.
fn inventory_files(dir: &Path, given: &[PathBuf]) -> Vec<PathBuf> {
    let own = dir.join("inventory.yaml");
    let mut files: Vec<PathBuf> = Vec::new();
    if own.exists() && !given.iter().any(|file| same_file(file, &own)) {
        files.push(own);
    }
    files.extend(given.iter().cloned());
    files
}

fn same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

/// The book's folder: given, or the nearest `runbooks/` upward.
pub(super) fn book_dir(global: &Global) -> Result<PathBuf, CliError> {
    if let Some(dir) = &global.book {
        return if dir.is_dir() {
            Ok(dir.clone())
        } else {
            Err(CliError::usage(format!("the book {} is not a folder", dir.display())))
        };
    }
    let here = std::env::current_dir().map_err(|error| CliError::usage(format!("the current folder: {error}")))?;
    let found = here.ancestors().map(|dir| dir.join("runbooks")).find(|dir| dir.is_dir());
    found.ok_or_else(|| {
        CliError::usage("there is no folder `runbooks` here or above")
            .hint("say where the book is: `--book DIR`, or RUNBOOK_BOOK in the environment")
    })
}

/// The state folder: given, or the customary place.
pub(super) fn state_dir(global: &Global) -> Result<PathBuf, CliError> {
    if let Some(dir) = &global.state_dir {
        return Ok(dir.clone());
    }
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/runbook"));
    }
    if let Some(dir) = variable("XDG_STATE_HOME").filter(|dir| dir.starts_with('/')) {
        return Ok(Path::new(&dir).join("runbook"));
    }
    let home = variable("HOME").filter(|home| !home.is_empty());
    home.map(|home| Path::new(&home).join(".local/state/runbook")).ok_or_else(|| {
        CliError::usage("there is no HOME to keep runs below")
            .hint("say where: `--state-dir DIR`, or RUNBOOK_STATE_DIR")
    })
}

/// The store of runs, for reading: one that does not exist yet is empty.
pub(super) fn store_to_read(global: &Global) -> Result<Option<Store>, CliError> {
    let dir = state_dir(global)?;
    // one that cannot be looked into is not empty: opening it says why
    if let Ok(false) = dir.join("runs").try_exists() {
        return Ok(None);
    }
    Ok(Some(Store::open_existing(&dir)?))
}

/// The record that stamps name: this machine, and where its runs are kept.
pub(super) fn record_of(store: &Store) -> String {
    format!("{}:{}", super::identity::admin_host(), place_of(store))
}

/// Where runs are kept, the same by whichever way it is reached.
pub(super) fn place_of(store: &Store) -> String {
    store.path().canonicalize().unwrap_or_else(|_| store.path().to_owned()).display().to_string()
}

/// The store of runs, for writing.
pub(super) fn store(global: &Global) -> Result<Store, CliError> {
    let group = global.state_group.as_deref().filter(|name| !name.is_empty());
    let group = group.map(|name| Ok::<_, CliError>((name, gid(name)?))).transpose()?;
    let store = Store::open(&state_dir(global)?)?;
    if let Some((name, gid)) = group {
        give_to_group(&store, name, gid)?;
    }
    Ok(store)
}

/// Lets the members of a group read the runs.
fn give_to_group(store: &Store, name: &str, gid: u32) -> Result<(), CliError> {
    let given = store.give_to_group(gid).map_err(|error| {
        let denied = error.source.kind() == std::io::ErrorKind::PermissionDenied;
        CliError::usage(&error).maybe_hint(denied.then(|| {
            format!(
                "only root, or the owner who is in the group, can: `sudo chgrp -R {0} {1}; sudo find {1} -type d -exec chmod g+s {{}} +`",
                shell_word(name),
                shell_word(&store.path().display().to_string())
            )
        }))
    })?;
    if given > 0 {
        let text = format!("note: the group {name} can read earlier runs now: {given} files and folders\n");
        Sink::stderr().write(&neutralise(&text));
    }
    Ok(())
}

/// A group's number: given as one, or by its name in the group file.
fn gid(name: &str) -> Result<u32, CliError> {
    if let Ok(gid) = name.parse::<u32>() {
        // the last one means "leave it as it is"
        return if gid == u32::MAX { Err(CliError::usage(format!("{gid} is no group's number"))) } else { Ok(gid) };
    }
    let file = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let found = file.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
    });
    found.ok_or_else(|| {
        CliError::usage(format!("there is no group `{name}` in /etc/group"))
            .hint("make it with `groupadd`; a group of a directory service is given by its number: `getent group NAME`")
    })
}

/// The folder of shared connections: short (a socket's path may have 104 bytes), private, gone after a reboot.
pub(super) fn control_dir() -> PathBuf {
    let runtime = variable("XDG_RUNTIME_DIR").filter(|dir| dir.starts_with('/') && dir.len() < 40);
    match runtime {
        Some(dir) => Path::new(&dir).join("runbook"),
        None if rustix::process::geteuid().is_root() => PathBuf::from("/run/runbook"),
        None => PathBuf::from(format!("/tmp/runbook-{}", rustix::process::geteuid().as_raw())),
    }
}
