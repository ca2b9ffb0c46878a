//! Diagnostics for people (rustc's look) and for programs (JSON).
//!
//! Apart from `diagnostic` because it is the only place that knows annotate-snippets. What stands in a file is hostile
//! until it was neutralised: nothing of it reaches the terminal as an escape sequence.

use std::fmt::Write as _;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet, renderer::DecorStyle};
use serde_json::{Value as Json, json};

use super::diagnostic::{Diagnostic, Diagnostics, Label, Severity};
use super::text::Span;
use crate::vocab::neutral::{neutralise, one_line};

/// Complaints that are drawn of one call; the rest is counted.
const MOST: usize = 100;
/// Bytes of one line that are drawn on either side of a place; minified YAML has lines of a megabyte.
const REACH: usize = 200;

impl Diagnostic {
    /// The complaint as rustc would draw it, with a line end.
    pub fn render(&self, coloured: bool) -> String {
        let renderer = if coloured { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(120);
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Advice => Level::NOTE.with_name("advice"),
        };
        let title = level.primary_title(neutralise(&self.message)).id(self.code);
        let mut group: Group<'_> = match self.labels.split_first() {
            None => title.element(Origin::path(one_line(&self.file))),
            Some((first, rest)) => {
                let mut files: Vec<Vec<(&Label, AnnotationKind)>> = vec![vec![(first, AnnotationKind::Primary)]];
                for label in rest {
                    match files.iter_mut().find(|file| file[0].0.source == label.source) {
                        Some(file) => file.push((label, AnnotationKind::Context)),
                        None => files.push(vec![(label, AnnotationKind::Context)]),
                    }
                }
                title.elements(files.iter().map(|labels| snippet(labels)))
            }
        };
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(neutralise(help)));
        }
        let mut text = renderer.render(&[group]);
        text.push('\n');
        text
    }

    /// The complaint as data: severity, code, message, file, line, column, help and all its labels.
    pub fn to_json(&self) -> Json {
        let location = self.location();
        let labels: Vec<Json> = self
            .labels
            .iter()
            .map(|label| {
                let (start, end) = (label.source.location(label.span.start), label.source.location(label.span.end));
                json!({
                    "file": &*start.file, "line": start.line, "column": start.column,
                    "end_line": end.line, "end_column": end.column,
                    "start_byte": label.span.start, "end_byte": label.span.end, "text": label.text,
                })
            })
            .collect();
        json!({
            "severity": self.severity.word(), "code": self.code, "message": self.message,
            "file": &*self.file, "line": location.line, "column": location.column,
            "help": self.help, "labels": labels,
        })
    }
}

impl Diagnostics {
    /// All complaints as rustc would draw them, a blank line between two, and how many are left out.
    pub fn render(&self, coloured: bool) -> String {
        let mut text = self.iter().take(MOST).map(|found| found.render(coloured)).collect::<Vec<_>>().join("\n");
        if self.len() > MOST {
            let _ = writeln!(text, "\n… and {} more", self.len() - MOST);
        }
        text
    }

    /// All complaints as data.
    pub fn to_json(&self) -> Json {
        Json::Array(self.iter().map(Diagnostic::to_json).collect())
    }

    /// How many there are, in words: `2 errors, 1 warning`.
    pub fn summary(&self) -> String {
        let counts = [Severity::Error, Severity::Warning, Severity::Advice].into_iter().filter_map(|severity| {
            let count = self.count(severity);
            let word = match (severity, count) {
                (_, 0) => return None,
                (Severity::Advice, _) => "pieces of advice".to_owned(),
                (_, 1) => severity.word().to_owned(),
                _ => format!("{}s", severity.word()),
            };
            Some(if severity == Severity::Advice && count == 1 {
                "1 piece of advice".to_owned()
            } else {
                format!("{count} {word}")
            })
        });
        counts.collect::<Vec<_>>().join(", ")
    }
}

/// The lines around the labels of one file, as much of them as a reader needs.
fn snippet<'a>(labels: &[(&Label, AnnotationKind)]) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let source = &labels[0].0.source;
    let text = source.text();
    let clip = |span: &Span| {
        let start = source.floor(span.start);
        let end = source.floor(span.end.max(start));
        // of a stretch over many lines the first one says enough
        let first = source.line(source.line_of(start));
        start..end.min(first.end.max(start)).min(start + REACH * 4)
    };
    let spans: Vec<Span> = labels.iter().map(|(label, _)| clip(&label.span)).collect();
    let first = spans.iter().map(|span| source.line_of(span.start)).min().unwrap_or_default();
    let last = spans.iter().map(|span| source.line_of(span.start)).max().unwrap_or_default();

    // the lines are copied one by one, cut where they are too long, neutralised, and the spans move along
    let mut shown = String::new();
    let mut moved: Vec<Span> = vec![0..0; spans.len()];
    for index in first..=last {
        let line = source.line(index);
        let inside: Vec<usize> = (0..spans.len()).filter(|at| source.line_of(spans[*at].start) == index).collect();
        let mut from = line.start;
        let mut to = line.end;
        if line.len() > REACH * 6 {
            let left = inside.iter().map(|at| spans[*at].start).min().unwrap_or(line.start);
            let right = inside.iter().map(|at| spans[*at].end).max().unwrap_or(line.start);
            from = source.floor(left.saturating_sub(REACH).max(line.start));
            to = source.floor((right + REACH).min(line.end).min(from + REACH * 8)).max(from);
        }
        for at in inside {
            let place = |byte: usize| {
                let byte = source.floor(byte.clamp(from, to));
                shown.len() + neutralise(&text[from..byte]).len()
            };
            moved[at] = place(spans[at].start)..place(spans[at].end);
        }
        shown.push_str(neutralise(&text[from..to]).trim_end_matches('\r'));
        shown.push('\n');
    }
    let mut snippet = Snippet::source(shown).line_start(first + 1).path(one_line(source.name()));
    for ((label, kind), span) in labels.iter().zip(moved) {
        let mut annotation = kind.span(span);
        if !label.text.is_empty() {
            annotation = annotation.label(neutralise(&label.text));
        }
        snippet = snippet.annotation(annotation);
    }
    snippet
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::text::SourceText;

    #[test]
    fn a_complaint_is_drawn_with_its_line() {
        let text = SourceText::new("book/a.yaml", "title: x\nstesp: []\n");
        let found = Diagnostic::error("unknown-key", "a runbook has no key `stesp`")
            .at(&text, 9..14, "unknown key")
            .help("did you mean `steps`?");
        assert_eq!(
            found.render(false),
            "error[unknown-key]: a runbook has no key `stesp`\n --> book/a.yaml:2:1\n  |\n2 | stesp: []\n  | ^^^^^ unknown key\n  |\n  = help: did you mean `steps`?\n"
        );
        assert!(found.render(true).contains('\u{1b}'));
        assert_eq!(found.to_json()["line"], 2);
    }

    #[test]
    fn nothing_hostile_is_drawn() {
        let text = SourceText::new("\u{1b}]0;x\u{7}.yaml", "a: \u{1b}[31m \u{9b}31m \u{202e}x\n");
        let drawn = Diagnostic::error("x", "bad \u{1b}[2J").at(&text, 3..4, "\u{1b}c").help("\r").render(false);
        assert!(!drawn.chars().any(|ch| ch.is_control() && ch != '\n'), "{drawn:?}");
        assert!(!drawn.contains('\u{202e}'));
    }

    #[test]
    fn a_long_line_is_cut() {
        let text = SourceText::new("f", format!("a: {}!{}\n", "x".repeat(500_000), "y".repeat(500_000)));
        let drawn = Diagnostic::error("x", "bad").at(&text, 500_003..500_004, "here").render(false);
        assert!(drawn.len() < 3_000, "{}", drawn.len());
        assert!(drawn.contains('!'));
    }
}
