//! Prose of the book as blocks: a small part of CommonMark.
//!
//! Paragraphs, emphasis, code, links, lists and quotes. HTML is text like any other, an image is its description, a heading
//! inside prose is a paragraph that stands out: the page's own headings are made elsewhere.

use pulldown_cmark::{Event, Options, Parser, Tag};

use super::document::{Block, Inline, To};

/// What a text may hold beside itself: names that become links.
pub type Linked<'a> = &'a dyn Fn(&str) -> Option<To>;

/// The text as blocks. `linked` says where a piece of code leads.
pub fn blocks(text: &str, linked: Linked<'_>) -> Vec<Block> {
    let mut builder = Builder { linked, frames: vec![Frame::new(Kind::Root)] };
    for event in Parser::new_ext(text, Options::empty()) {
        builder.event(event);
    }
    // the parser closes what it opens; what is left would be its fault, and its text is kept
    while builder.frames.len() > 1 {
        builder.close();
    }
    builder.frames.pop().map(Frame::into_blocks).unwrap_or_default()
}

/// Before a line that is a line and nothing else: punctuation, beside which emphasis means what it means at the start.
const LINE: char = '\u{2020}';

/// The text on one line: the paragraphs of it, blanks between. A text of one line is no heading, list or code, whatever it
/// begins with.
pub fn inlines(text: &str, linked: Linked<'_>) -> Vec<Inline> {
    let text = text.trim();
    let mut out = Vec::new();
    if text.contains('\n') {
        flatten(&blocks(text, linked), &mut out);
        return out;
    }
    flatten(&blocks(&format!("{LINE}{text}"), linked), &mut out);
    if let Some(Inline::Text(first)) = out.first_mut() {
        *first = first.trim_start_matches(LINE).to_owned();
        if first.is_empty() {
            out.remove(0);
        }
    }
    out
}

/// A text without its markup, on one line.
pub fn plain(text: &str) -> String {
    Inline::plain(&inlines(text, &|_| None)).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn flatten(blocks: &[Block], out: &mut Vec<Inline>) {
    for block in blocks {
        if !out.is_empty() {
            out.push(Inline::text(" "));
        }
        match block {
            Block::Paragraph(inlines) | Block::Heading(_, inlines) => out.extend(inlines.iter().cloned()),
            Block::Code { text, .. } => out.push(Inline::code(text.trim_end())),
            Block::List { items, .. } => items.iter().for_each(|item| flatten(item, out)),
            Block::Notice { body, .. } => flatten(body, out),
            // prose has neither
            Block::Facts(_) | Block::Table { .. } => {}
        }
    }
}

#[derive(Debug)]
enum Kind {
    Root,
    Paragraph,
    Heading,
    Strong,
    Emphasis,
    Link(Option<To>),
    List(bool),
    Item,
    Quote,
    Code,
    /// Taken for its text.
    Plain,
}

/// What was opened and is not closed yet: the blocks and the line so far.
#[derive(Debug)]
struct Frame {
    kind: Kind,
    blocks: Vec<Block>,
    line: Vec<Inline>,
    items: Vec<Vec<Block>>,
}

impl Frame {
    fn new(kind: Kind) -> Self {
        Self { kind, blocks: Vec::new(), line: Vec::new(), items: Vec::new() }
    }

    /// A line that no paragraph held, as an item of a tight list has it.
    fn end_line(&mut self) {
        if !self.line.is_empty() {
            self.blocks.push(Block::Paragraph(std::mem::take(&mut self.line)));
        }
    }

    fn into_blocks(mut self) -> Vec<Block> {
        self.end_line();
        self.blocks
    }
}

struct Builder<'a> {
    linked: Linked<'a>,
    frames: Vec<Frame>,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.open(&tag),
            Event::End(_) => self.close(),
            Event::Text(text) => self.push(Inline::text(&*text)),
            Event::Html(text) | Event::InlineHtml(text) => self.push(Inline::text(text.replace('\n', " "))),
            Event::Code(text) => {
                let code = Inline::code(&*text);
                let linked = (self.linked)(&text);
                self.push(match linked {
                    Some(to) if !self.in_link() => Inline::Link(to, vec![code]),
                    Some(_) | None => code,
                });
            }
            Event::SoftBreak | Event::HardBreak => self.push(Inline::text(" ")),
            // none of these without their option
            Event::InlineMath(text) | Event::DisplayMath(text) | Event::FootnoteReference(text) => {
                self.push(Inline::text(&*text));
            }
            Event::Rule | Event::TaskListMarker(_) => {}
        }
    }

    fn in_link(&self) -> bool {
        self.frames.iter().any(|frame| matches!(frame.kind, Kind::Link(_)))
    }

    fn top(&mut self) -> &mut Frame {
        if self.frames.is_empty() {
            self.frames.push(Frame::new(Kind::Root));
        }
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    fn push(&mut self, inline: Inline) {
        let line = &mut self.top().line;
        match (line.last_mut(), inline) {
            (Some(Inline::Text(before)), Inline::Text(text)) => before.push_str(&text),
            (_, inline) => line.push(inline),
        }
    }

    fn open(&mut self, tag: &Tag<'_>) {
        let kind = match tag {
            Tag::Paragraph => Kind::Paragraph,
            Tag::Heading { .. } => Kind::Heading,
            Tag::Strong => Kind::Strong,
            Tag::Emphasis => Kind::Emphasis,
            Tag::Link { dest_url, .. } => Kind::Link(To::address(dest_url).filter(|_| !self.in_link())),
            Tag::List(first) => Kind::List(first.is_some()),
            Tag::Item => Kind::Item,
            Tag::BlockQuote(_) => Kind::Quote,
            Tag::CodeBlock(_) => Kind::Code,
            Tag::HtmlBlock
            | Tag::Image { .. }
            | Tag::FootnoteDefinition(_)
            | Tag::Table(_)
            | Tag::TableHead
            | Tag::TableRow
            | Tag::TableCell
            | Tag::Strikethrough
            | Tag::Superscript
            | Tag::Subscript
            | Tag::MetadataBlock(_)
            | Tag::DefinitionList
            | Tag::DefinitionListTitle
            | Tag::DefinitionListDefinition => Kind::Plain,
        };
        // a list within an item of a tight list: the item's own line comes first
        if matches!(kind, Kind::List(_) | Kind::Quote | Kind::Code | Kind::Paragraph | Kind::Heading) {
            self.top().end_line();
        }
        self.frames.push(Frame::new(kind));
    }

    fn close(&mut self) {
        let Some(mut frame) = self.frames.pop() else { return };
        match frame.kind {
            // marks around nothing would be marks
            Kind::Heading | Kind::Strong | Kind::Emphasis if frame.line.is_empty() => {}
            Kind::Root => self.frames.push(frame),
            Kind::Paragraph => self.top().blocks.push(Block::Paragraph(frame.line)),
            Kind::Heading => self.top().blocks.push(Block::Paragraph(vec![Inline::Strong(frame.line)])),
            Kind::Strong => self.push(Inline::Strong(frame.line)),
            Kind::Emphasis => self.push(Inline::Emphasis(frame.line)),
            Kind::Link(Some(to)) => self.push(Inline::Link(to, frame.line)),
            Kind::Link(None) => frame.line.into_iter().for_each(|inline| self.push(inline)),
            Kind::List(ordered) => self.top().blocks.push(Block::List { ordered, items: frame.items }),
            Kind::Item => {
                frame.end_line();
                self.top().items.push(frame.blocks);
            }
            Kind::Quote => self.top().blocks.extend(frame.into_blocks()),
            Kind::Code => {
                let text = Inline::plain(&frame.line).trim_end_matches('\n').to_owned();
                self.top().blocks.push(Block::Code { place: None, text });
            }
            Kind::Plain => {
                let blocks = std::mem::take(&mut frame.blocks);
                self.top().blocks.extend(blocks);
                frame.line.into_iter().for_each(|inline| self.push(inline));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Inline {
        Inline::text(text)
    }

    #[test]
    fn the_subset_is_read() {
        let found =
            blocks("All of them `bored` means *safe*.\n\n- one\n- **two** <https://a.example/>\n\n> quoted", &|_| None);
        assert_eq!(
            found,
            [
                Block::Paragraph(vec![
                    text("All of them "),
                    Inline::code("bored"),
                    text(" means "),
                    Inline::Emphasis(vec![text("safe")]),
                    text(".")
                ]),
                Block::List {
                    ordered: false,
                    items: vec![
                        vec![Block::Paragraph(vec![text("one")])],
                        vec![Block::Paragraph(vec![
                            Inline::Strong(vec![text("two")]),
                            text(" "),
                            Inline::Link(To::Address("https://a.example/".into()), vec![text("https://a.example/")])
                        ])],
                    ]
                },
                Block::Paragraph(vec![text("quoted")]),
            ]
        );
    }

    #[test]
    fn what_is_not_of_the_subset_is_text() {
        let found = plain("see <script>x</script> [a](javascript:b) ![pic](http://x/) # y\n\n<div>\nz\n</div>\n\n# h");
        assert_eq!(found, "see <script>x</script> a pic # y <div> z </div> h");
    }

    #[test]
    fn a_line_is_a_line_whatever_it_begins_with() {
        for text in ["# x", "- x", "1. x", "~~~~ x", "----", "<!-- x", "> x", "\u{2020} x"] {
            assert_eq!(plain(text), text.trim_start_matches('\u{2020}').trim());
        }
        assert_eq!(inlines("_a_ `b`", &|_| None)[0], Inline::Emphasis(vec![text("a")]));
        assert_eq!(inlines("*a*", &|_| None), [Inline::Emphasis(vec![text("a")])]);
    }

    #[test]
    fn names_in_code_become_links() {
        let to = To::Address("https://x.example/".into());
        let found = inlines("see `restart-jobs`", &|code| (code == "restart-jobs").then(|| to.clone()));
        assert_eq!(found[1], Inline::Link(to.clone(), vec![Inline::code("restart-jobs")]));
    }
}
