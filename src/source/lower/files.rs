//! Files of the book: scripts and what `copy` sends. Paths start at the book's folder and never lead out of it.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::model::{BookFile, ScriptFile};
use crate::source::decode::Context;
use crate::source::raw::Word;
use crate::source::raw::command::RawScriptSpec;
use crate::source::text::read_bytes;

/// The largest script, in bytes: scripts travel on stdin.
const LARGEST_SCRIPT: u64 = 1024 * 1024;
/// The largest file that `copy` sends, in bytes: it is kept in memory and in the plan.
const LARGEST_COPY: u64 = 64 * 1024 * 1024;

/// The folder that the files of a book are in.
#[derive(Clone, Debug)]
pub(in crate::source) struct BookFiles {
    dir: PathBuf,
}

impl BookFiles {
    /// Those in `dir`.
    pub(in crate::source) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// A file that `copy` sends.
    pub(super) fn copy(&self, word: &Word, cx: &Context) -> Option<BookFile> {
        let bytes = self.read(word, LARGEST_COPY, cx)?;
        Some(BookFile { name: word.text.clone(), bytes: Arc::from(bytes) })
    }

    /// A script with its interpreter.
    pub(super) fn script(&self, spec: &RawScriptSpec, cx: &Context) -> Option<ScriptFile> {
        let interpreter = spec.interpreter.as_ref().map(|words| {
            let texts = words.items.iter().map(|word| word.text.as_str());
            if words.listed { texts.map(str::to_owned).collect() } else { texts.flat_map(split).collect::<Vec<_>>() }
        });
        if interpreter.as_ref().is_some_and(Vec::is_empty) {
            cx.fault("no-value", &spec.file.span, "the interpreter is empty");
        }
        let bytes = self.read(&spec.file, LARGEST_SCRIPT, cx)?;
        let Ok(text) = String::from_utf8(bytes) else {
            cx.fault("not-utf8", &spec.file.span, format!("the script `{}` is not UTF-8 text", spec.file.text));
            return None;
        };
        Some(ScriptFile {
            name: spec.file.text.clone(),
            interpreter: interpreter.unwrap_or_else(|| shebang(&text)),
            text: text.into(),
        })
    }

    fn read(&self, word: &Word, largest: u64, cx: &Context) -> Option<Vec<u8>> {
        let refuse = |message: String, help: &str| {
            cx.report(cx.error("book-file", &word.span, message).help(help));
            None
        };
        let path = Path::new(&word.text);
        if word.text.contains("${{") {
            return refuse("the path of a file must be known when the runbook is read".to_owned(), "write it out");
        }
        if word.text.contains('\0')
            || path.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir))
        {
            return refuse(
                format!("`{}` leads out of the book", word.text),
                "write a path that starts at the book's folder",
            );
        }
        let full = self.dir.join(path);
        let (Ok(real), Ok(dir)) = (full.canonicalize(), self.dir.canonicalize()) else {
            return refuse(format!("there is no file `{}` in the book", word.text), "paths start at the book's folder");
        };
        if !real.starts_with(&dir) {
            return refuse(
                format!("`{}` leads out of the book through a link", word.text),
                "copy the file into the book",
            );
        }
        match read_bytes(&real, &word.text, largest) {
            Ok(bytes) => Some(bytes),
            Err(fault) => refuse(format!("`{}`: {}", word.text, fault.message), "paths start at the book's folder"),
        }
    }
}

fn split(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// The interpreter of a script's first line as the kernel reads it: a path and at most one argument. `sh` without one.
fn shebang(text: &str) -> Vec<String> {
    let line = text.lines().next().and_then(|line| line.strip_prefix("#!")).unwrap_or_default().trim();
    match line.split_once(char::is_whitespace) {
        Some((path, argument)) => vec![path.to_owned(), argument.trim().to_owned()],
        None if line.is_empty() => vec!["sh".to_owned()],
        None => vec![line.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_names_the_interpreter() {
        assert_eq!(shebang("#!/usr/bin/perl -w -T\n"), ["/usr/bin/perl", "-w -T"]);
        assert_eq!(shebang("#! /bin/sh\n"), ["/bin/sh"]);
        assert_eq!(shebang("echo\n"), ["sh"]);
        assert_eq!(shebang(""), ["sh"]);
    }
}
