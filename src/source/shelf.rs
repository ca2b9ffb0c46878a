//! The shelf: a book's folder, and the runbooks in it, read when they are asked for.
//!
//! Apart from `lower`, which turns one file into the model: here is which files there are, what they are called, which
//! of them name each other, and that each is read once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::decode::{Context, Decode};
use super::diagnostic::{Diagnostic, Diagnostics};
use super::lint::{self, Subject};
use super::lower::{self, BookFiles, Include, Lowering};
use super::raw::book::RawBook;
use super::raw::runbook::RawRunbook;
use super::raw::scalar::is_ident;
use super::text::{LARGEST, SourceText, read_bytes};
use super::yaml;
use crate::model::scope::nearest;
use crate::model::{Book, Inventory, Probe, Runbook};

/// The file that says what the runbooks of a book share.
pub const BOOK_FILE: &str = "book.yaml";
/// The inventory of a book.
pub const INVENTORY_FILE: &str = "inventory.yaml";

/// Why a book or a runbook cannot be had.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LoadError {
    /// The folder is not there, or is none.
    #[error("there is no book at `{}`: {why}", path.display())]
    NoBook {
        /// The folder.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// There is no such runbook.
    #[error("there is no runbook `{name}`")]
    Unknown {
        /// The name.
        name: String,
        /// The nearest name there is.
        near: Option<String>,
    },
    /// Several runbooks have this alias.
    #[error("`{name}` is an alias of several runbooks: {}", .several.join(", "))]
    Ambiguous {
        /// The alias.
        name: String,
        /// The runbooks that claim it.
        several: Vec<String>,
    },
    /// Files have faults.
    #[error("{}", .0.summary())]
    Faults(Diagnostics),
}

impl LoadError {
    /// The way out, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { near, .. } => near.as_ref().map(|near| format!("did you mean `{near}`?")),
            Self::Ambiguous { .. } => Some("say which one you mean by its own name".to_owned()),
            Self::NoBook { .. } | Self::Faults(_) => None,
        }
    }
}

/// What a list shows of a runbook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headline {
    /// Its name.
    pub name: String,
    /// Its title; the name when it has none that can be read.
    pub title: String,
    /// What it is for.
    pub summary: String,
    /// Other names it is known by.
    pub aliases: Vec<String>,
    /// The system it belongs to.
    pub system: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
}

/// A book's folder.
#[derive(Debug)]
pub struct BookSource {
    dir: PathBuf,
    names: Vec<String>,
    aliases: OnceLock<BTreeMap<String, Vec<String>>>,
    book: Book,
    text: Option<Arc<SourceText>>,
    faults: Diagnostics,
    shared: BTreeMap<String, Option<Arc<Probe>>>,
    loaded: Mutex<BTreeMap<String, Arc<Loaded>>>,
}

/// A runbook's file as far as it could be read.
#[derive(Debug)]
struct Loaded {
    runbook: Option<Arc<Runbook>>,
    source: Option<Arc<SourceText>>,
    /// Names that the file declares, also those that could not be lowered.
    declared: lint::Declared,
    faults: Diagnostics,
}

impl BookSource {
    /// Opens the book in `dir`. Faults of `book.yaml` are told with the first runbook, or by [`BookSource::check`].
    pub fn open(dir: &Path) -> Result<Self, LoadError> {
        let no_book = |why: String| LoadError::NoBook { path: dir.to_owned(), why };
        if dir.is_file() {
            return Err(no_book("it is a file; a book is a folder of runbooks".to_owned()));
        }
        let mut names = Vec::new();
        let mut faults = Diagnostics::new();
        for entry in fs::read_dir(dir).map_err(|error| no_book(error.to_string()))? {
            let file = entry.map_err(|error| no_book(error.to_string()))?.file_name();
            let Some(file) = file.to_str() else { continue };
            let Some(name) = file.strip_suffix(".yaml") else { continue };
            if file != BOOK_FILE && file != INVENTORY_FILE && !name.starts_with('.') {
                names.push(name.to_owned());
            }
        }
        names.sort();
        let mut source = Self {
            dir: dir.to_owned(),
            names,
            aliases: OnceLock::new(),
            book: Book { dir: dir.to_owned(), ..Book::default() },
            text: None,
            faults: Diagnostics::new(),
            shared: BTreeMap::new(),
            loaded: Mutex::default(),
        };
        let path = dir.join(BOOK_FILE);
        if path.symlink_metadata().is_ok() {
            match SourceText::read(&path, &path.display().to_string()) {
                Ok(text) => source.read_book(text, &mut faults),
                Err(fault) => faults.push(*fault),
            }
        }
        source.faults = faults;
        Ok(source)
    }

    fn read_book(&mut self, text: Arc<SourceText>, faults: &mut Diagnostics) {
        let cx = Context::new(text.clone());
        if let Some(raw) = cx.tree().and_then(|tree| RawBook::decode(&tree, &cx)) {
            let files = BookFiles::new(&self.dir);
            let none = BTreeMap::new();
            let include = |_: &str| Include::Unknown { why: "book.yaml runs no runbooks".to_owned(), help: None };
            let low = Lowering {
                cx: &cx,
                files: &files,
                shared: &none,
                own: BTreeMap::new(),
                include: &include,
                is_book: true,
            };
            (self.book, self.shared) = lower::book(&self.dir, &raw, &low);
        }
        self.text = Some(text);
        faults.extend(cx.finish());
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What `book.yaml` says.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// The text of `book.yaml`, where there is one.
    pub fn book_text(&self) -> Option<&Arc<SourceText>> {
        self.text.as_ref()
    }

    /// What is wrong with `book.yaml`.
    pub fn book_faults(&self) -> &Diagnostics {
        &self.faults
    }

    /// The names of the runbooks, sorted.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The file of a runbook.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.yaml"))
    }

    /// What a list shows of a runbook. Reads no more of the file than it needs, and complains of nothing.
    pub fn headline(&self, name: &str) -> Headline {
        let [title, summary, system, tags, aliases] =
            self.top(name, ["title", "summary", "system", "tags", "aliases"], "steps");
        let words = |text: Option<String>| text.iter().flat_map(|text| text.lines()).map(str::to_owned).collect();
        let trimmed = |text: String| text.trim().to_owned();
        Headline {
            name: name.to_owned(),
            title: title.map(trimmed).filter(|title| !title.is_empty()).unwrap_or_else(|| name.to_owned()),
            summary: summary.map(trimmed).unwrap_or_default(),
            aliases: words(aliases),
            system: system.map(trimmed),
            tags: words(tags),
        }
    }

    fn top<const N: usize>(&self, name: &str, wanted: [&str; N], enough: &str) -> [Option<String>; N] {
        let bytes = read_bytes(&self.path(name), name, LARGEST).unwrap_or_default();
        yaml::headline(&String::from_utf8(bytes).unwrap_or_default(), wanted, enough)
    }

    /// The name of the runbook that goes by `name`: its own name, or one of its aliases.
    pub fn named(&self, name: &str) -> Result<&str, LoadError> {
        if let Some(known) = self.names.iter().find(|known| *known == name) {
            return Ok(known);
        }
        let aliases = self.aliases();
        match aliases.get(name).map(Vec::as_slice) {
            Some([only]) => Ok(only),
            Some(several) => Err(LoadError::Ambiguous { name: name.to_owned(), several: several.to_vec() }),
            None => {
                let all = self.names.iter().chain(aliases.keys()).map(String::as_str);
                Err(LoadError::Unknown { name: name.to_owned(), near: nearest(name, all).map(str::to_owned) })
            }
        }
    }

    /// Each alias with the runbooks that claim it. Reads every file, so it is asked for only when a name needs it.
    fn aliases(&self) -> &BTreeMap<String, Vec<String>> {
        self.aliases.get_or_init(|| {
            let mut aliases: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for name in &self.names {
                let [found] = self.top(name, ["aliases"], "");
                for alias in found.iter().flat_map(|found| found.lines()) {
                    aliases.entry(alias.to_owned()).or_default().push(name.clone());
                }
            }
            aliases
        })
    }

    /// The runbook `name`, with all that it runs.
    pub fn runbook(&self, name: &str) -> Result<Arc<Runbook>, LoadError> {
        let loaded = self.load(self.named(name)?, &RefCell::default());
        let mut faults = self.faults.clone();
        faults.extend(loaded.faults.clone());
        match &loaded.runbook {
            Some(runbook) if !faults.has_errors() => Ok(runbook.clone()),
            _ => Err(LoadError::Faults(faults.sorted())),
        }
    }

    /// Everything that is wrong, or could be better, with the runbooks `names` (all when empty) and with `book.yaml`.
    /// Hosts and their variables are looked at where `inventory` has hosts.
    pub fn check<N: AsRef<str>>(&self, names: &[N], inventory: &Inventory) -> Diagnostics {
        let mut out = self.faults.clone();
        if let Some(text) = &self.text {
            out.extend(lint::systems(&self.book, text, inventory));
        }
        let all: Vec<&str> = match names {
            [] => self.names.iter().map(String::as_str).collect(),
            some => some.iter().map(AsRef::as_ref).collect(),
        };
        for name in all {
            let name = match self.named(name) {
                Ok(name) => name,
                Err(error) => {
                    let found = Diagnostic::error("unknown-runbook", error.to_string());
                    out.push(found.in_file(&self.dir.display().to_string()).maybe_help(error.hint()));
                    continue;
                }
            };
            let loaded = self.load(name, &RefCell::default());
            out.extend(loaded.faults.clone());
            if let (Some(runbook), Some(source)) = (&loaded.runbook, &loaded.source) {
                let sources: Vec<Arc<SourceText>> = std::iter::once(source).chain(&self.text).cloned().collect();
                let subject = Subject {
                    runbook,
                    sources: &sources,
                    declared: &loaded.declared,
                    incomplete: loaded.faults.has_errors(),
                    inventory,
                };
                out.extend(lint::lint(&subject));
            }
        }
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        out.extend(self.check_suites(&names, inventory));
        out.sorted()
    }

    fn load(&self, name: &str, path: &RefCell<Vec<String>>) -> Arc<Loaded> {
        if let Some(loaded) = self.loaded.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            return loaded.clone();
        }
        path.borrow_mut().push(name.to_owned());
        let loaded = Arc::new(self.read(name, path));
        path.borrow_mut().pop();
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), loaded.clone());
        loaded
    }

    fn read(&self, name: &str, path: &RefCell<Vec<String>>) -> Loaded {
        let file = self.path(name);
        let source = match SourceText::read(&file, &file.display().to_string()) {
            Ok(source) => source,
            Err(fault) => {
                let declared = lint::Declared::default();
                return Loaded { runbook: None, source: None, declared, faults: (*fault).into() };
            }
        };
        let cx = Context::new(source.clone());
        if let Some(why) = bad_name(name) {
            cx.report(Diagnostic::error("bad-name", why).in_file(source.name()).help("rename the file"));
        }
        let raw = cx.tree().and_then(|tree| RawRunbook::decode(&tree, &cx));
        let mut declared = lint::Declared::default();
        let runbook = raw.map(|raw| {
            self.unique_aliases(name, &raw, &cx);
            declared = lint::Declared::of(&raw);
            let files = BookFiles::new(&self.dir);
            let include = |name: &str| self.include(name, path);
            let own = BTreeMap::new();
            let low = Lowering { cx: &cx, files: &files, shared: &self.shared, own, include: &include, is_book: false };
            let systems: Vec<String> = self.book.systems.iter().map(|system| system.name.clone()).collect();
            Arc::new(lower::runbook(name, &raw, low, &systems))
        });
        Loaded { runbook, source: Some(source), declared, faults: cx.finish() }
    }

    /// An alias leads to one runbook.
    fn unique_aliases(&self, name: &str, raw: &RawRunbook, cx: &Context) {
        for (index, alias) in raw.aliases.iter().enumerate() {
            let (text, span) = (alias.0.text.as_str(), &alias.0.span);
            let taken = if raw.aliases[..index].iter().any(|earlier| earlier.0.text == text) {
                "it stands here twice".to_owned()
            } else if self.names.iter().any(|known| known == text) {
                format!("there is a runbook `{text}`")
            } else if let Some(other) = self.aliases().get(text).and_then(|all| all.iter().find(|other| *other != name))
            {
                format!("`{other}` has it too")
            } else {
                continue;
            };
            cx.fault("alias-taken", span, format!("the alias `{text}` is taken: {taken}"));
        }
    }

    fn include(&self, name: &str, path: &RefCell<Vec<String>>) -> Include {
        let name = match self.named(name) {
            Ok(name) => name,
            Err(error) => return Include::Unknown { why: error.to_string(), help: error.hint() },
        };
        let start = path.borrow().iter().position(|open| open == name);
        if let Some(start) = start {
            let mut names = path.borrow()[start..].to_vec();
            names.push(name.to_owned());
            return Include::Cycle(names);
        }
        let loaded = self.load(name, path);
        match &loaded.runbook {
            Some(runbook) if !loaded.faults.has_errors() => Include::Found(runbook.clone()),
            _ => Include::Broken(loaded.faults.clone()),
        }
    }
}

/// Why `name` cannot name a runbook, if it cannot: names travel into command lines, file names and the wiki.
fn bad_name(name: &str) -> Option<String> {
    let cx = Context::new(SourceText::new("", ""));
    (!is_ident(name, &(0..0), &cx))
        .then(|| format!("`{name}` cannot name a runbook: names are letters, digits, `-` and `_`"))
}
