//! What commands wrote, on a page: folded where it is long, and bounded.

use super::html::Html;
use crate::event::Output;
use crate::journal::FileFault;
use crate::report::words::count;
use crate::vocab::quote::shell_word;
use crate::vocab::{Digest, RunId, StepHost};

/// Reads an output that is kept beside the journal.
pub(super) type Whole<'a> = &'a dyn Fn(&Digest) -> Result<Vec<u8>, FileFault>;

/// How much of one output is on the page; of a longer one its beginning and its end.
const MOST: usize = 256 * 1024;
/// How much of all outputs of what went well.
const ALL: usize = 4 * 1024 * 1024;
/// What is left of an output when that is spent.
const LITTLE: usize = 1024;
/// Up to so many lines an output is not folded.
const SHORT: usize = 6;

/// Writes outputs, and keeps count of them.
pub(super) struct Outputs<'a> {
    whole: Whole<'a>,
    run: Option<RunId>,
    room: usize,
}

impl<'a> Outputs<'a> {
    pub(super) fn new(whole: Whole<'a>, run: Option<&RunId>) -> Self {
        Self { whole, run: run.cloned(), room: ALL }
    }

    /// Writes one; `failed` is what a reader looks for: it is shown open, and always.
    pub(super) fn write(&mut self, html: &mut Html, name: &str, output: &Output, at: &StepHost, failed: bool) {
        let mut notes = Vec::new();
        let text = match &output.stored {
            None => output.text.clone(),
            Some(stored) => match (self.whole)(&stored.digest) {
                Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                Err(fault) => {
                    notes.push(format!(
                        "The whole ({} bytes) was kept beside the journal as outputs/{}, which {fault}.",
                        stored.bytes, stored.digest
                    ));
                    output.text.clone()
                }
            },
        };
        if text.trim().is_empty() && notes.is_empty() {
            return;
        }
        let most = if failed { MOST } else { MOST.min(self.room.max(LITTLE)) };
        let shown = ends_of(&text, most);
        if !failed {
            self.room = self.room.saturating_sub(shown.len());
        }
        if shown.len() < text.len() {
            let how = self.run.as_ref().map_or(String::new(), |run| {
                let (step, host) = (shell_word(at.step.as_str()), shell_word(at.host.as_str()));
                format!(" The whole: runbook audit show {run} --step {step} --host {host} --output")
            });
            notes.push(format!("It has {} bytes; not all of them are on this page.{how}", text.len()));
        }
        let lines = text.lines().count();
        let summary = format!("{name}: {}", count(lines, "line"));
        if lines <= SHORT {
            html.open("figure", &[]).leaf("figcaption", &[], name).preformatted("output", &shown).end("figure");
        } else {
            let attributes: &[(&'static str, &str)] = if failed { &[("open", "")] } else { &[] };
            html.open("details", attributes).leaf("summary", &[], &summary);
            html.preformatted("output", &shown).end("details");
        }
        for note in notes {
            html.leaf("p", &[("class", "note")], &note).text("\n");
        }
    }
}

/// The text, or its beginning and its end with a line between that says what is missing.
fn ends_of(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let each = most / 2;
    let head = &text[..text.floor_char_boundary(each)];
    let tail = &text[text.ceil_char_boundary(text.len() - each)..];
    let left = text.len() - head.len() - tail.len();
    format!("{head}\n… {left} bytes are not on this page …\n{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_keeps_its_ends() {
        assert_eq!(ends_of("short", 5), "short");
        let long = "é".repeat(100);
        let cut = ends_of(&long, 21);
        assert!(
            cut.starts_with("éééé") && cut.ends_with("éééé") && cut.contains("bytes are not on this page"),
            "{cut}"
        );
        assert!(cut.len() < 80, "{cut}");
    }
}
