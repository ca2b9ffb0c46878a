//! Killing the program exactly at a record of its journal, or failing its disk there: `crash.c`, loaded into it.
//!
//! A kill that a test sends comes when it comes. This one comes between two system calls of the program's own choosing,
//! so that every place between a deed and its record can be tried, one after the other.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::program::{Program, Ran};

/// Where the program is killed, or its disk fails. The number is that of a record, from 1, in that process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Crash {
    /// Nothing of the record is in the journal; what it tells of happened.
    Before(usize),
    /// The first half of the record is in the journal.
    Within(usize),
    /// The record is in the journal, and nothing was done since.
    After(usize),
    /// Not killed: the record, and every later one, is refused with this error number.
    Fail(usize, i32),
}

impl Crash {
    fn order(self) -> String {
        match self {
            Self::Before(number) => format!("before:{number}"),
            Self::Within(number) => format!("within:{number}"),
            Self::After(number) => format!("after:{number}"),
            Self::Fail(number, error) => format!("fail:{number}:{error}"),
        }
    }

    /// Loads the killer into a command that is about to be started.
    pub fn load_into(self, command: &mut Command) {
        command.env("LD_PRELOAD", killer()).env("RUNBOOK_CRASH", self.order());
    }
}

impl std::fmt::Display for Crash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.order())
    }
}

impl Program {
    /// Runs it to its end, which is this crash if it writes so many records.
    pub fn crash<S: AsRef<OsStr>>(&self, crash: Crash, args: impl IntoIterator<Item = S>) -> Ran {
        let mut command = self.command(args);
        crash.load_into(&mut command);
        Ran::of(command.output().unwrap())
    }
}

/// The shared object, compiled when it is first wanted.
fn killer() -> &'static Path {
    static KILLER: OnceLock<PathBuf> = OnceLock::new();
    KILLER.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/crash.c");
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
        // another test binary may do the same at this moment: the name is given to a whole file
        let draft = dir.join(format!("crash-{}.so", std::process::id()));
        let built =
            Command::new("cc").args(["-O1", "-shared", "-fPIC", "-o"]).arg(&draft).arg(&source).output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let object = dir.join("crash.so");
        std::fs::rename(&draft, &object).unwrap();
        object
    })
}
