//! Complaints about source files: what is wrong, where, and what to do about it.
//!
//! Every phase adds to one [`Diagnostics`], so that all faults of a file are told at once. Apart from `show`, which
//! draws them.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use super::text::{SourceText, Span};
use crate::vocab::Location;

/// The longest message, in characters.
const LONGEST: usize = 600;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It cannot be run.
    Error,
    /// It can be run, and is likely not what was meant.
    Warning,
    /// It could be better.
    Advice,
}

impl Severity {
    /// `error`, `warning` or `advice`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Advice => "advice",
        }
    }
}

/// A stretch of a file with a word about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The file.
    pub source: Arc<SourceText>,
    /// The stretch, in bytes.
    pub span: Span,
    /// What is said of it; may be empty.
    pub text: String,
}

/// One complaint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable name for this kind of complaint.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// Where; the first label is the place itself, the others explain it. None: only the file is known.
    pub labels: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
    /// The file as it is shown.
    pub file: Arc<str>,
}

impl Diagnostic {
    /// A complaint with no place yet.
    pub fn new(severity: Severity, code: &'static str, message: impl Into<String>) -> Self {
        let mut message = message.into();
        // a name may be as long as its file
        if let Some((end, _)) = message.char_indices().nth(LONGEST) {
            message.truncate(end);
            message.push('…');
        }
        Self { severity, code, message, labels: Vec::new(), help: None, file: Arc::from("") }
    }

    /// An error with no place yet.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// With a place: the first one is the complaint's own.
    #[must_use]
    pub fn at(mut self, source: &Arc<SourceText>, span: Span, text: impl Into<String>) -> Self {
        if self.labels.is_empty() {
            self.file = source.name().clone();
        }
        self.labels.push(Label { source: source.clone(), span, text: text.into() });
        self
    }

    /// About a file as a whole.
    #[must_use]
    pub fn in_file(mut self, name: &str) -> Self {
        self.file = name.into();
        self
    }

    /// With what to do about it.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// With what to do about it, where that is known.
    #[must_use]
    pub fn maybe_help(mut self, text: Option<String>) -> Self {
        self.help = text.or(self.help);
        self
    }

    /// With `did you mean` when a known name is near.
    #[must_use]
    pub fn did_you_mean(self, name: &str, known: &[&str]) -> Self {
        if name.len() > LONGEST {
            return self;
        }
        let near =
            crate::model::scope::nearest(name, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        self.maybe_help(near)
    }

    /// Its place; line 0 where only the file is known.
    pub fn location(&self) -> Location {
        match self.labels.first() {
            Some(label) => label.source.location(label.span.start),
            None => Location { file: self.file.clone(), line: 0, column: 0 },
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        let start = |found: &Self| found.labels.first().map_or(0, |label| label.span.start);
        (&self.file, start(self), self.severity).cmp(&(&other.file, start(other), other.severity))
    }
}

/// Complaints, as they were found.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    found: Vec<Diagnostic>,
    known: HashSet<(Arc<str>, usize, &'static str, String)>,
}

impl Diagnostics {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one; the same complaint at the same place is kept once.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let start = diagnostic.labels.first().map_or(0, |label| label.span.start);
        if self.known.insert((diagnostic.file.clone(), start, diagnostic.code, diagnostic.message.clone())) {
            self.found.push(diagnostic);
        }
    }

    /// Adds all of another.
    pub fn extend(&mut self, other: impl IntoIterator<Item = Diagnostic>) {
        other.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }

    /// How many there are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.found.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }

    /// Whether anything cannot be run.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Those there are, by file and place.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.found.iter()
    }

    /// Sorted by file and place, errors first at the same place.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.found.sort_by(Diagnostic::order);
        self
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        let mut all = Self::new();
        all.push(diagnostic);
        all
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.found.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.found.iter()
    }
}
