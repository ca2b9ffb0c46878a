//! A source file's text, and where in it things stand.
//!
//! Apart because every later phase speaks in byte ranges of this text, and only what is shown to people (or kept in the
//! model) needs lines and columns. Reading is bounded: a file is refused by its size before it is read.

use std::fs;
use std::io::Read as _;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::diagnostic::Diagnostic;
use crate::vocab::Location;

/// A byte range of a [`SourceText`].
pub type Span = Range<usize>;

/// The largest YAML file that is read, in bytes. The longest runbook a person can maintain is a hundredth of it.
pub const LARGEST: u64 = 1024 * 1024;

/// How many bytes stand between two places whose number of characters is kept, so that a column in a line of a megabyte
/// is found without counting it from its start.
const STRIDE: usize = 256;

/// A file's text with its name and its lines.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceText {
    name: Arc<str>,
    text: Arc<str>,
    line_starts: Vec<usize>,
    /// How many characters begin before each `STRIDE`th byte.
    counts: Vec<usize>,
}

impl SourceText {
    /// Takes `text`, which is shown as the file `name`.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Arc<Self> {
        let text = text.into();
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let mut counts = vec![0];
        for chunk in text.as_bytes().chunks(STRIDE) {
            let begun = chunk.iter().filter(|byte| begins_char(**byte)).count();
            counts.push(counts.last().copied().unwrap_or_default() + begun);
        }
        Arc::new(Self { name: name.into(), text, line_starts, counts })
    }

    /// Reads the file at `path`, which is shown as `name`.
    ///
    /// Refuses what is not a regular file, is over [`LARGEST`] or not UTF-8.
    pub fn read(path: &Path, name: &str) -> Result<Arc<Self>, Box<Diagnostic>> {
        let bytes = read_bytes(path, name, LARGEST)?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self::new(name, text)),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let lossy = Self::new(name, String::from_utf8_lossy(error.as_bytes()).into_owned());
                let end = lossy.text[at..].chars().next().map_or(at, |ch| at + ch.len_utf8());
                let found = Diagnostic::error("not-utf8", "the file is not UTF-8 text")
                    .at(&lossy, at..end, "this byte is no part of a character")
                    .help("save the file as UTF-8");
                Err(Box::new(found))
            }
        }
    }

    /// The file as it is shown.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The whole text.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The place of a byte; columns count characters.
    pub fn location(&self, offset: usize) -> Location {
        let offset = self.floor(offset);
        let line = self.line_of(offset);
        let column = self.chars_before(offset) - self.chars_before(self.line_starts[line]) + 1;
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Location { file: self.name.clone(), line: number(line + 1), column: number(column) }
    }

    /// The byte at a place; the nearest one when the place is outside the text.
    pub fn offset(&self, location: &Location) -> usize {
        let line = (location.line.max(1) as usize - 1).min(self.line_starts.len() - 1);
        let range = self.line(line);
        let before: usize =
            self.text[range.clone()].chars().take(location.column.max(1) as usize - 1).map(char::len_utf8).sum();
        (range.start + before).min(range.end)
    }

    /// How many characters begin before a byte.
    fn chars_before(&self, offset: usize) -> usize {
        let stride = offset / STRIDE;
        let rest = &self.text.as_bytes()[stride * STRIDE..offset];
        self.counts[stride] + rest.iter().filter(|byte| begins_char(**byte)).count()
    }

    /// The index of the line that holds a byte, from 0.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// The bytes of a line without its end, counted from 0.
    pub(super) fn line(&self, index: usize) -> Span {
        let start = self.line_starts[index];
        let end = self.line_starts.get(index + 1).map_or(self.text.len(), |next| next - 1);
        start..end
    }

    /// The nearest character's start at or before a byte.
    pub(super) fn floor(&self, offset: usize) -> usize {
        let mut at = offset.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

fn begins_char(byte: u8) -> bool {
    byte & 0b1100_0000 != 0b1000_0000
}

/// Reads a regular file of at most `largest` bytes; never more is read, whatever the file's size says.
pub(super) fn read_bytes(path: &Path, name: &str, largest: u64) -> Result<Vec<u8>, Box<Diagnostic>> {
    let refuse = |code, message: String| Box::new(Diagnostic::error(code, message).in_file(name));
    let cannot = |error: &std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => refuse("no-file", "there is no such file".to_owned()),
        _ => refuse("unreadable", format!("the file cannot be read: {error}")),
    };
    let meta = fs::metadata(path).map_err(|error| cannot(&error))?;
    if meta.is_dir() {
        return Err(refuse("directory", "this is a directory, where a file is needed".to_owned()));
    }
    if !meta.is_file() {
        return Err(refuse("not-a-file", "this is no regular file".to_owned()));
    }
    let too_large = || {
        let limit =
            if largest >= 1024 * 1024 { format!("{} MB", largest / 1024 / 1024) } else { format!("{largest} bytes") };
        refuse("too-large", format!("the file is larger than {limit}"))
    };
    if meta.len() > largest {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| cannot(&error))?;
    file.take(largest + 1).read_to_end(&mut bytes).map_err(|error| cannot(&error))?;
    if bytes.len() as u64 > largest { Err(too_large()) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_places_agree() {
        let long = SourceText::new("f", format!("x\n{}!", "ü".repeat(1_000)));
        assert_eq!(long.location(2_002).to_string(), "f:2:1001");
        let text = SourceText::new("f", "a: ü\nbé: c");
        assert_eq!(text.location(0).to_string(), "f:1:1");
        assert_eq!(text.location(5).to_string(), "f:1:5");
        assert_eq!(text.location(11).to_string(), "f:2:5");
        for at in [0, 3, 6, 7, 10, 11] {
            assert_eq!(text.offset(&text.location(at)), at);
        }
        assert_eq!(text.location(4), text.location(3), "inside a character");
        assert_eq!(text.location(999).to_string(), "f:2:6");
    }
}
