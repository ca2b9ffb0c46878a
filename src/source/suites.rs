//! The scenarios of a book: the files of its folder `tests`.
//!
//! Apart from `shelf`, since a scenario file needs a runbook and a fleet to be read against.

use std::fs;
use std::path::PathBuf;

use super::decode::{Context, Decode};
use super::diagnostic::{Diagnostic, Diagnostics};
use super::lower;
use super::raw::scenario::RawSuite;
use super::shelf::{BookSource, LoadError};
use super::text::SourceText;
use crate::model::scenario::Suite;
use crate::model::scope::nearest;
use crate::model::{Inventory, Runbook};

/// The folder of a book's scenarios.
pub const TESTS: &str = "tests";

/// What one file came to.
struct Read {
    /// The runbook it is of, as it says.
    runbook: String,
    suite: Option<Suite>,
    faults: Diagnostics,
}

impl BookSource {
    /// The names of the book's scenario files, sorted.
    pub fn suites(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.dir().join(TESTS)) else { return Vec::new() };
        let names = entries.filter_map(|entry| {
            let name = entry.ok()?.file_name().to_str()?.strip_suffix(".yaml")?.to_owned();
            (!name.starts_with('.')).then_some(name)
        });
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// The file of a scenario file's name.
    pub fn suite_path(&self, name: &str) -> PathBuf {
        self.dir().join(TESTS).join(format!("{name}.yaml"))
    }

    /// The scenarios of the file `name`, on this fleet.
    pub fn suite(&self, name: &str, inventory: &Inventory) -> Result<Suite, LoadError> {
        let read = self.read_suite(name, inventory);
        match read.suite {
            Some(suite) if !read.faults.has_errors() => Ok(suite),
            Some(_) | None => Err(LoadError::Faults(read.faults.sorted())),
        }
    }

    /// What is wrong with the scenarios of these runbooks; of all, also of those that have no runbook, when there are none.
    pub(super) fn check_suites(&self, runbooks: &[&str], inventory: &Inventory) -> Diagnostics {
        let mut out = Diagnostics::new();
        for name in self.suites() {
            let read = self.read_suite(&name, inventory);
            if runbooks.is_empty() || runbooks.contains(&read.runbook.as_str()) {
                out.extend(read.faults);
            }
        }
        out
    }

    fn read_suite(&self, name: &str, inventory: &Inventory) -> Read {
        let path = self.suite_path(name);
        let mut read = Read { runbook: name.to_owned(), suite: None, faults: Diagnostics::new() };
        let source = match SourceText::read(&path, &path.display().to_string()) {
            Ok(source) => source,
            Err(fault) => {
                read.faults.push(*fault);
                return read;
            }
        };
        let cx = Context::new(source);
        if let Some(raw) = cx.tree().and_then(|tree| RawSuite::decode(&tree, &cx)) {
            if let Some(word) = &raw.runbook {
                read.runbook.clone_from(&word.text);
            }
            let known = self.names();
            if known.contains(&read.runbook) {
                match self.runbook(&read.runbook) {
                    Ok(runbook) => read.suite = Some(self.lower_suite(name, &raw, &runbook, inventory, &cx)),
                    Err(LoadError::Faults(faults)) => read.faults.extend(faults),
                    Err(LoadError::NoBook { .. } | LoadError::Unknown { .. } | LoadError::Ambiguous { .. }) => {}
                }
            } else {
                let near = nearest(&read.runbook, known.iter().map(String::as_str));
                let found = Diagnostic::error("unknown-runbook", format!("there is no runbook `{}`", read.runbook));
                let found = match &raw.runbook {
                    Some(word) => found.at(cx.source(), word.span.clone(), ""),
                    None => found.at(cx.source(), raw.place.head(), "the file's name says which runbook it is of"),
                };
                cx.report(found.maybe_help(near.map(|near| format!("did you mean `{near}`?"))));
            }
        }
        read.faults.extend(cx.finish());
        read
    }

    fn lower_suite(&self, name: &str, raw: &RawSuite, runbook: &Runbook, fleet: &Inventory, cx: &Context) -> Suite {
        lower::suite(name, raw, runbook, fleet, &self.dir().join(TESTS), cx)
    }
}
