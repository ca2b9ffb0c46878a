//! A page as HTML: whole, with its style, without a script.

use std::fmt::Write as _;

use super::document::{Block, Document, Inline, Slugs, To, slug};
use crate::vocab::html::{head, line as escape, lines as preformatted};

/// The page as HTML.
pub fn render(document: &Document) -> String {
    let about = document.above.as_ref().map(|(_, above)| format!(" – {above}")).unwrap_or_default();
    let mut out = head(&format!("{}{about}", document.title), "");
    out.reserve(16 << 10);
    let mut page = Page { out, slugs: Slugs::default() };
    let title = escape(&document.title);
    if let Some((above, name)) = &document.above {
        let _ = write!(
            page.out,
            "<header>\n<nav aria-label=\"Book\"><a href=\"{}.html\">{}</a></nav>\n</header>\n",
            escape(&above.file),
            escape(name)
        );
    }
    page.contents(document);
    let _ = writeln!(page.out, "<main id=\"content\" tabindex=\"-1\">\n<h1>{title}</h1>");
    page.lead(&document.lead);
    if let Some(last) = &document.last_run {
        let class = if last.is_stale() { "last stale" } else { "last" };
        let _ = writeln!(page.out, "<p class=\"{class}\"><strong>Last run:</strong> {}</p>", escape(&last.words()));
    }
    page.blocks(&document.blocks);
    page.out.push_str("</main>\n</body>\n</html>\n");
    page.out
}

struct Page {
    out: String,
    slugs: Slugs,
}

impl Page {
    /// The page's own headings, to jump to: the first two levels.
    fn contents(&mut self, document: &Document) {
        let mut slugs = Slugs::default();
        let headings: Vec<(u8, String, String)> =
            headings(&document.blocks).into_iter().map(|(level, text)| (level, slugs.next(&text), text)).collect();
        if headings.iter().filter(|(level, ..)| *level == 1).count() < 2 {
            return;
        }
        self.out.push_str("<nav class=\"contents\" aria-label=\"On this page\">\n<ul>\n");
        let mut inside = false;
        for (index, (level, slug, text)) in headings.iter().filter(|(level, ..)| *level < 3).enumerate() {
            let deep = *level > 1 && index > 0;
            let change = match (inside, deep) {
                (false, true) => "\n<ul>\n",
                (true, false) => "</li>\n</ul>\n</li>\n",
                (false, false) if index == 0 => "",
                (true, true) | (false, false) => "</li>\n",
            };
            let _ = write!(self.out, "{change}<li><a href=\"#{}\">{}</a>", escape(slug), escape(text));
            inside = deep;
        }
        self.out.push_str(if inside { "</li>\n</ul>\n</li>\n" } else { "</li>\n" });
        self.out.push_str("</ul>\n</nav>\n");
    }

    fn lead(&mut self, blocks: &[Block]) {
        if !blocks.is_empty() {
            self.out.push_str("<div class=\"lead\">\n");
            self.blocks(blocks);
            self.out.push_str("</div>\n");
        }
    }

    fn blocks(&mut self, blocks: &[Block]) {
        for block in blocks {
            self.block(block);
        }
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Heading(level, text) => {
                let tag = level + 1;
                let id = self.slugs.next(&Inline::plain(text));
                let _ = writeln!(self.out, "<h{tag} id=\"{}\">{}</h{tag}>", escape(&id), inlines(text));
            }
            Block::Paragraph(text) => {
                let _ = writeln!(self.out, "<p>{}</p>", inlines(text));
            }
            Block::List { ordered, items } => {
                let tag = if *ordered { "ol" } else { "ul" };
                let _ = writeln!(self.out, "<{tag}>");
                for item in items {
                    self.out.push_str("<li>");
                    match item.as_slice() {
                        [Block::Paragraph(text)] => self.out.push_str(&inlines(text)),
                        blocks => {
                            self.out.push('\n');
                            self.blocks(blocks);
                        }
                    }
                    self.out.push_str("</li>\n");
                }
                let _ = writeln!(self.out, "</{tag}>");
            }
            Block::Facts(facts) => {
                self.out.push_str("<dl>\n");
                for (name, value) in facts {
                    let _ = writeln!(self.out, "<div><dt>{}</dt><dd>{}</dd></div>", escape(name), inlines(value));
                }
                self.out.push_str("</dl>\n");
            }
            Block::Notice { label, body } => {
                let _ = writeln!(
                    self.out,
                    "<div class=\"notice\" role=\"note\">\n<p class=\"label\">{}</p>",
                    escape(label)
                );
                self.blocks(body);
                self.out.push_str("</div>\n");
            }
            Block::Code { place, text } => {
                let text = preformatted(text);
                match place {
                    Some(place) => {
                        let _ = writeln!(
                            self.out,
                            "<figure>\n<figcaption>{}</figcaption>\n<pre><code>{text}</code></pre>\n</figure>",
                            escape(&place.words())
                        );
                    }
                    None => {
                        let _ = writeln!(self.out, "<pre>{text}</pre>");
                    }
                }
            }
            Block::Table { caption, head, rows } => {
                self.out.push_str("<table>\n");
                if !caption.is_empty() {
                    let _ = writeln!(self.out, "<caption>{}</caption>", inlines(caption));
                }
                self.out.push_str("<thead>\n<tr>");
                for column in head {
                    let _ = write!(self.out, "<th scope=\"col\">{}</th>", escape(column));
                }
                self.out.push_str("</tr>\n</thead>\n<tbody>\n");
                for row in rows {
                    self.out.push_str("<tr>");
                    for cell in row {
                        let _ = write!(self.out, "<td>{}</td>", inlines(cell));
                    }
                    self.out.push_str("</tr>\n");
                }
                self.out.push_str("</tbody>\n</table>\n");
            }
        }
    }
}

/// The headings of a page in its order, also those within what stands out.
fn headings(blocks: &[Block]) -> Vec<(u8, String)> {
    let mut found = Vec::new();
    for block in blocks {
        match block {
            Block::Heading(level, text) => found.push((*level, Inline::plain(text))),
            Block::Notice { body, .. } => found.extend(headings(body)),
            Block::List { items, .. } => items.iter().for_each(|item| found.extend(headings(item))),
            Block::Paragraph(_) | Block::Facts(_) | Block::Code { .. } | Block::Table { .. } => {}
        }
    }
    found
}

fn inlines(inlines: &[Inline]) -> String {
    let mut out = String::new();
    for inline in inlines {
        let _ = match inline {
            Inline::Text(text) => write!(out, "{}", escape(text)),
            Inline::Code(text) => write!(out, "<code>{}</code>", escape(text)),
            Inline::Strong(inner) => write!(out, "<strong>{}</strong>", self::inlines(inner)),
            Inline::Emphasis(inner) => write!(out, "<em>{}</em>", self::inlines(inner)),
            Inline::Link(to, inner) => write!(out, "<a href=\"{}\">{}</a>", escape(&address(to)), self::inlines(inner)),
        };
    }
    out
}

fn address(to: &To) -> String {
    match to {
        To::Page(page, None) => format!("{}.html", page.file),
        To::Page(page, Some(section)) => format!("{}.html#{}", page.file, slug(section)),
        To::Address(address) => address.clone(),
    }
}
