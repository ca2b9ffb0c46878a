//! From YAML text to a tree, and no further than is good for us.
//!
//! Built from the parser's events by hand, because a typed deserialiser stops at the first fault and loses places;
//! bounded, because aliases multiply and nesting recurses.

use std::collections::HashMap;
use std::sync::Arc;

use granit_parser::{Event, Options, Parser, ScalarStyle, Span as Stretch, StrInput};

use super::diagnostic::{Diagnostic, Diagnostics};
use super::text::{SourceText, Span};
use super::trap;
use super::tree::{Entry, Node, Scalar, Style, Value};

/// The most nodes a file may stand for, aliases expanded.
const MOST_NODES: usize = 100_000;
/// The deepest nesting. The language itself needs nine levels.
const DEEPEST: usize = 64;

/// Reads `source` to a tree. What is wrong with it goes to `out`; with none, the tree is whole.
///
/// None when the YAML cannot be read at all (the parser cannot go on behind its first error) or says nothing.
pub(super) fn read(source: &Arc<SourceText>, out: &mut Diagnostics) -> Option<Node> {
    let mut options = Options::default();
    options.block_nesting_limit = DEEPEST;
    options.flow_nesting_limit = DEEPEST;
    options.set_emit_comments(false);
    let mut builder = Builder {
        source,
        events: Parser::new_from_str_with_options(source.text(), options),
        anchors: HashMap::new(),
        nodes: 0,
        depth: 0,
        out,
    };
    builder.document().unwrap_or_default()
}

/// The first plain or quoted scalars of the top-level mapping named by `wanted`, read no further than needed.
///
/// For lists of runbooks: no tree, no complaints, nothing when the file is broken before they were all found.
pub(super) fn headline<const N: usize>(text: &str, wanted: [&str; N], enough: &str) -> [Option<String>; N] {
    let mut found = std::array::from_fn(|_| None);
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut depth = 0_usize;
    let mut key: Option<String> = None;
    for event in Parser::new_from_str_with_options(text, options) {
        let Ok((event, _)) = event else { break };
        match event {
            Event::MappingStart(..) | Event::SequenceStart(..) => depth += 1,
            Event::MappingEnd | Event::SequenceEnd => {
                depth = depth.saturating_sub(1);
                if depth == 1 {
                    key = None;
                }
            }
            Event::Scalar(value, ..) if depth == 1 => match key.take() {
                None if value == enough => break,
                None => key = Some(value.into_owned()),
                Some(name) => {
                    if let Some(at) = wanted.iter().position(|wanted| *wanted == name) {
                        found[at] = Some(value.into_owned());
                    }
                }
            },
            // a flow or block list of scalars (`tags`) is kept as words
            Event::Scalar(value, ..) if depth == 2 => {
                if let Some(at) = key.as_deref().and_then(|name| wanted.iter().position(|wanted| *wanted == name)) {
                    let words: &mut Option<String> = &mut found[at];
                    let text = words.get_or_insert_default();
                    if !text.is_empty() {
                        text.push('\n');
                    }
                    text.push_str(&value);
                }
            }
            _ => {}
        }
    }
    found
}

/// The YAML cannot be read further; the reason was reported.
struct Broken;

struct Builder<'s> {
    source: &'s Arc<SourceText>,
    events: Parser<'s, StrInput<'s>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    depth: usize,
    out: &'s mut Diagnostics,
}

impl<'s> Builder<'s> {
    fn document(&mut self) -> Result<Option<Node>, Broken> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => {
                    let end = self.source.text().len();
                    let found = Diagnostic::error("empty", "the file says nothing").at(self.source, end..end, "");
                    self.out.push(found);
                    return Ok(None);
                }
                (Event::DocumentStart(..), _) => break,
                _ => {}
            }
        }
        let first = self.next()?;
        let node = self.node(first)?;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => break,
                (Event::DocumentStart(..), span) => {
                    let found = Diagnostic::error("several-documents", "the file holds more than one document")
                        .at(self.source, bytes(span), "a second one begins here")
                        .help("a file is one document: put it into a file of its own, or take out the `---`");
                    self.out.push(found);
                    return Err(Broken);
                }
                _ => {}
            }
        }
        if node.is_null() {
            self.out.push(Diagnostic::error("empty", "the file says nothing").at(self.source, node.span, ""));
            return Ok(None);
        }
        Ok(Some(node))
    }

    fn next(&mut self) -> Result<(Event<'s>, Stretch), Broken> {
        match self.events.next() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                self.out.push(trap::syntax(self.source, &error));
                Err(Broken)
            }
            None => Ok((Event::StreamEnd, Stretch::default())),
        }
    }

    fn node(&mut self, (event, place): (Event<'s>, Stretch)) -> Result<Node, Broken> {
        let span = bytes(place);
        self.spend(1, &span)?;
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted => Style::Single,
                    ScalarStyle::DoubleQuoted => Style::Double,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                };
                let mut span = span;
                if tag.is_some() {
                    let tag = place.tag_span().map_or(span.clone(), bytes);
                    self.out.push(trap::tag(self.source, tag.clone(), &text));
                    span = span.start.min(tag.start)..span.end.max(tag.end);
                }
                // what the parser puts in for a missing value is no text of the file; a tag stands for what was meant,
                // so that it is told once
                let (text, style) = match tag {
                    None if span.is_empty() => (String::new(), style),
                    None => (text.into_owned(), style),
                    Some(_) => {
                        let written = self.source.text().get(span.clone()).unwrap_or_default();
                        (written.trim_start_matches('!').to_owned(), Style::Single)
                    }
                };
                (Node { span, value: Value::Scalar(Scalar { text, style }) }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_tag(tag.is_some(), place);
                let mut items = Vec::new();
                let end = self.nested(&span, |builder, event| {
                    if matches!(event.0, Event::SequenceEnd) {
                        return Ok(false);
                    }
                    items.push(builder.node(event)?);
                    Ok(true)
                })?;
                let last = items.last().map_or(span.end, |node: &Node| node.span.end);
                (Node { span: span.start..end.max(last), value: Value::List(items) }, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_tag(tag.is_some(), place);
                let mut entries: Vec<Entry> = Vec::new();
                let mut keys: HashMap<String, Span> = HashMap::new();
                let mut last = span.end;
                let end = self.nested(&span, |builder, event| {
                    if matches!(event.0, Event::MappingEnd) {
                        return Ok(false);
                    }
                    let key = builder.node(event)?;
                    let event = builder.next()?;
                    let value = builder.node(event)?;
                    last = value.span.end.max(key.span.end);
                    builder.entry(&mut entries, &mut keys, key, value);
                    Ok(true)
                })?;
                (Node { span: span.start..end.max(last), value: Value::Map(entries) }, anchor)
            }
            Event::Alias(id) => {
                let Some(target) = self.anchors.get(&id).cloned() else {
                    let found = Diagnostic::error("alias", "an alias stands inside the node it names").at(
                        self.source,
                        span,
                        "it would go on for ever",
                    );
                    self.out.push(found);
                    return Err(Broken);
                };
                self.spend(size(&target), &span)?;
                (target, 0)
            }
            // the parser gives nothing else where a node is due
            _ => (Node { span, value: Value::Scalar(Scalar { text: String::new(), style: Style::Plain }) }, 0),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    /// Takes events up to the end of a collection; gives the end's place when it is written (`]`, `}`).
    fn nested(
        &mut self,
        span: &Span,
        mut take: impl FnMut(&mut Self, (Event<'s>, Stretch)) -> Result<bool, Broken>,
    ) -> Result<usize, Broken> {
        self.depth += 1;
        if self.depth > DEEPEST {
            let found = Diagnostic::error("too-deep", format!("the file nests more than {DEEPEST} levels deep")).at(
                self.source,
                span.clone(),
                "here",
            );
            self.out.push(found);
            return Err(Broken);
        }
        loop {
            let event = self.next()?;
            let place = bytes(event.1);
            if matches!(event.0, Event::StreamEnd | Event::DocumentEnd) || !take(self, event)? {
                self.depth -= 1;
                return Ok(if place.is_empty() { 0 } else { place.end });
            }
        }
    }

    fn entry(&mut self, entries: &mut Vec<Entry>, keys: &mut HashMap<String, Span>, key: Node, value: Node) {
        let name = match key.value {
            Value::Scalar(scalar) => scalar.text,
            Value::List(_) | Value::Map(_) => {
                let found = Diagnostic::error("key", "a key must be a text")
                    .at(self.source, key.span, "this is none")
                    .help("write `\"…\"` around a text that begins with `{` or `[`");
                self.out.push(found);
                return;
            }
        };
        if name == "<<" {
            let found = Diagnostic::error("merge-key", "merge keys (`<<`) are not part of the language")
                .at(self.source, key.span, "")
                .help("write the keys out; a probe that is used twice goes to `probes:`");
            self.out.push(found);
            return;
        }
        if let Some(first) = keys.get(&name) {
            let found = Diagnostic::error("duplicate-key", format!("the key `{name}` stands here twice"))
                .at(self.source, key.span, "again")
                .at(self.source, first.clone(), "first");
            self.out.push(found);
            return;
        }
        keys.insert(name.clone(), key.span.clone());
        entries.push(Entry { key: name, key_span: key.span, value });
    }

    fn refuse_tag(&mut self, tagged: bool, place: Stretch) {
        if tagged {
            self.out.push(trap::tag(self.source, place.tag_span().map_or(bytes(place), bytes), ""));
        }
    }

    fn spend(&mut self, nodes: usize, span: &Span) -> Result<(), Broken> {
        self.nodes += nodes;
        if self.nodes <= MOST_NODES {
            return Ok(());
        }
        let found = Diagnostic::error("too-many-nodes", format!("the file stands for more than {MOST_NODES} values"))
            .at(self.source, span.clone(), "the limit is reached here")
            .help("aliases that name aliases multiply");
        self.out.push(found);
        Err(Broken)
    }
}

fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::Scalar(_) => 0,
        Value::List(items) => items.iter().map(size).sum(),
        Value::Map(entries) => entries.iter().map(|entry| 1 + size(&entry.value)).sum(),
    }
}

fn bytes(place: Stretch) -> Span {
    let start = place.start.byte_offset().unwrap_or_default();
    start..place.end.byte_offset().unwrap_or(start).max(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::tree::Kind;

    fn tree(text: &str) -> (Option<Node>, Diagnostics) {
        let mut out = Diagnostics::new();
        let node = read(&SourceText::new("f.yaml", text), &mut out);
        (node, out)
    }

    fn fault(text: &str) -> String {
        let (_, out) = tree(text);
        out.iter().map(|found| format!("{}@{}", found.code, found.location())).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn scalars_stay_source_text() {
        let (node, out) = tree("a: 1.10\nb: 0644\nc: '7'\nd: yes\ne:\nf: 7\ng: 1.5\nh: ~\n");
        assert!(out.is_empty());
        let Some(Node { value: Value::Map(entries), .. }) = node else { panic!("a mapping") };
        let shown: Vec<_> = entries
            .iter()
            .map(|entry| match &entry.value.value {
                Value::Scalar(scalar) => (scalar.text.as_str(), scalar.kind()),
                _ => panic!("a scalar"),
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("1.10", Kind::Number),
                ("0644", Kind::Text),
                ("7", Kind::Text),
                ("yes", Kind::Text),
                ("", Kind::Null),
                ("7", Kind::Integer),
                ("1.5", Kind::Number),
                ("~", Kind::Null)
            ]
        );
    }

    #[test]
    fn what_is_no_tree_is_told_with_its_place() {
        assert_eq!(fault(""), "empty@f.yaml:1:1");
        assert_eq!(fault("# only a comment\n"), "empty@f.yaml:2:1");
        assert_eq!(fault("a: 1\na: 2\n"), "duplicate-key@f.yaml:2:1");
        assert_eq!(fault("a: 1\n---\nb: 1\n"), "several-documents@f.yaml:2:1");
        assert_eq!(fault("a: &x [*x]\n"), "alias@f.yaml:1:8");
        assert_eq!(fault("a: !x\n"), "tag@f.yaml:1:4");
        assert_eq!(fault("a: x\0\n"), "yaml@f.yaml:1:5");
        assert_eq!(fault("? [a]\n: b\n"), "key@f.yaml:1:3");
    }

    #[test]
    fn bombs_are_defused() {
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..30 {
            let row = vec![format!("*a{}", level - 1); 10].join(",");
            bomb += &["a", &level.to_string(), ": &a", &level.to_string(), " [", &row, "]\n"].concat();
        }
        assert!(fault(&bomb).starts_with("too-many-nodes@"));
        assert!(fault(&"[".repeat(100_000)).starts_with("yaml@"));
        assert!(!fault(&format!("a: {}{}", "[".repeat(40), "]".repeat(40))).contains('@'));
        let mut deep = String::new();
        for level in 0..200 {
            deep += &(" ".repeat(level) + "a:\n");
        }
        assert!(fault(&deep).contains('@'));
    }

    #[test]
    fn a_headline_needs_no_tree() {
        let text =
            "title: A\ntags: [x, y]\nparams: {title: {default: no}}\nsummary: >\n  two\n  words\nsteps:\n  - title: [";
        let [title, summary, tags] = headline(text, ["title", "summary", "tags"], "steps");
        assert_eq!(title.as_deref(), Some("A"));
        assert_eq!(summary.as_deref(), Some("two words\n"));
        assert_eq!(tags.as_deref(), Some("x\ny"));
    }
}
