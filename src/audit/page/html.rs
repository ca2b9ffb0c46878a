//! The one writer of pages: markup is what the source holds, everything else is escaped.
//!
//! Names of elements and attributes are `'static`, texts are not: so nothing from a record can become markup without
//! this file being changed.

use crate::report::style::{Mark, Role, Styles};
use crate::report::{Line, Table};
use crate::vocab::{StepHost, StepId, html};

const STYLE: &str = include_str!("style.css");

/// How many rows of a table are written; the rest is counted.
const MOST_ROWS: usize = 500;

/// A page being written.
#[derive(Debug)]
pub(super) struct Html {
    out: String,
}

impl Html {
    /// A page up to its body.
    pub(super) fn page(title: &str) -> Self {
        Self { out: html::head(title, STYLE) }
    }

    /// Ends the page.
    pub(super) fn finish(mut self) -> String {
        self.out.push_str("</body>\n</html>\n");
        self.out
    }

    /// Begins an element.
    pub(super) fn open(&mut self, tag: &'static str, attributes: &[(&'static str, &str)]) -> &mut Self {
        self.tag(tag, attributes);
        self.out.push('>');
        self
    }

    /// Ends an element.
    pub(super) fn close(&mut self, tag: &'static str) -> &mut Self {
        self.out.push_str("</");
        self.out.push_str(tag);
        self.out.push('>');
        self
    }

    /// Ends an element that stands on lines of its own.
    pub(super) fn end(&mut self, tag: &'static str) -> &mut Self {
        self.close(tag);
        self.out.push('\n');
        self
    }

    /// An element of SVG with nothing in it.
    pub(super) fn empty(&mut self, tag: &'static str, attributes: &[(&'static str, &str)]) -> &mut Self {
        self.tag(tag, attributes);
        self.out.push_str("/>");
        self
    }

    fn tag(&mut self, tag: &'static str, attributes: &[(&'static str, &str)]) {
        self.out.push('<');
        self.out.push_str(tag);
        for (name, value) in attributes {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            self.out.push_str(&html::line(value));
            self.out.push('"');
        }
    }

    /// A text, on one line.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.out.push_str(&html::line(text));
        self
    }

    /// An element with nothing but a text.
    pub(super) fn leaf(&mut self, tag: &'static str, attributes: &[(&'static str, &str)], text: &str) -> &mut Self {
        self.open(tag, attributes).text(text).close(tag)
    }

    /// A heading that can be linked to.
    pub(super) fn heading(&mut self, tag: &'static str, id: &str, text: &str) -> &mut Self {
        self.leaf(tag, &[("id", id)], text);
        self.out.push('\n');
        self
    }

    /// A paragraph.
    pub(super) fn paragraph(&mut self, text: &str) -> &mut Self {
        self.leaf("p", &[], text);
        self.out.push('\n');
        self
    }

    /// A text that keeps its lines.
    pub(super) fn preformatted(&mut self, class: &'static str, text: &str) -> &mut Self {
        // it can be wider than its box, and a keyboard must reach what is there
        self.open("pre", &[("class", class), ("tabindex", "0")]);
        self.out.push_str(&html::lines(text));
        self.close("pre");
        self.out.push('\n');
        self
    }

    /// The symbol of `mark`; a word for it always stands beside it.
    pub(super) fn mark(&mut self, mark: Mark) -> &mut Self {
        self.leaf("b", &[("class", class(mark.role())), ("aria-hidden", "true")], Styles::plain().symbol(mark));
        self.text(" ")
    }

    /// A line with the roles of its pieces.
    pub(super) fn line(&mut self, line: &Line) -> &mut Self {
        for (role, text) in line.spans() {
            match role {
                Role::Text => self.text(text),
                Role::Command => self.leaf("code", &[], text),
                Role::Ok | Role::Failed | Role::Doubt | Role::Warning | Role::Heading | Role::Host | Role::Dim => {
                    self.leaf("span", &[("class", class(role))], text)
                }
            };
        }
        self
    }

    /// Lines that belong together, as they would stand on a terminal.
    pub(super) fn lines(&mut self, lines: &[Line]) -> &mut Self {
        if lines.is_empty() {
            return self;
        }
        let text: String =
            lines.iter().map(|line| line.spans().map(|(_, text)| text).collect::<String>() + "\n").collect();
        self.preformatted("told", &text)
    }

    /// Facts, each with its name; those without a text are left out.
    pub(super) fn facts(&mut self, facts: &[(&str, String)]) -> &mut Self {
        self.open("dl", &[]);
        for (name, text) in facts.iter().filter(|(_, text)| !text.is_empty()) {
            self.open("div", &[]).leaf("dt", &[], name).leaf("dd", &[], text).end("div");
        }
        self.end("dl")
    }

    /// A table; its caption names it.
    pub(super) fn table(&mut self, caption: &str, table: &Table) -> &mut Self {
        self.table_head(caption, table.columns().iter().map(String::as_str));
        let width = table.columns().len();
        let numeric: Vec<bool> = (0..width).map(|column| table.is_numeric(column)).collect();
        for (cells, note) in table.rows().take(MOST_ROWS) {
            self.open("tr", &[]);
            for (column, cell) in cells.iter().enumerate() {
                let class = if numeric.get(column) == Some(&true) { "number" } else { class(cell.role()) };
                let attributes = [("class", class)];
                let attributes = if class.is_empty() { &[][..] } else { &attributes[..] };
                self.leaf("td", attributes, cell.text());
            }
            if let Some(note) = note {
                let across = (width - cells.len().min(width)).max(1).to_string();
                self.leaf("td", &[("class", class(note.role())), ("colspan", &across)], note.text());
            }
            self.end("tr");
        }
        self.table_end();
        let more = table.rows().len().saturating_sub(MOST_ROWS);
        if more > 0 {
            self.paragraph(&format!("… and {more} more rows."));
        }
        self
    }

    /// Begins a table of our own: its rows are written by the caller.
    pub(super) fn table_head<'a>(&mut self, caption: &str, columns: impl IntoIterator<Item = &'a str>) -> &mut Self {
        self.open("div", &[("class", "wide"), ("tabindex", "0"), ("role", "group"), ("aria-label", caption)]);
        self.open("table", &[]).leaf("caption", &[], caption).open("thead", &[]).open("tr", &[]);
        for column in columns {
            self.leaf("th", &[("scope", "col")], column);
        }
        self.close("tr").end("thead").open("tbody", &[])
    }

    /// Ends it.
    pub(super) fn table_end(&mut self) -> &mut Self {
        self.close("tbody").close("table").end("div")
    }

    /// A link within the page.
    pub(super) fn link(&mut self, to: &str, text: &str) -> &mut Self {
        self.leaf("a", &[("href", &format!("#{to}"))], text)
    }

    /// Where one can jump to on this page.
    pub(super) fn contents(&mut self, sections: &[(&str, &str)]) -> &mut Self {
        self.open("nav", &[("class", "contents"), ("aria-label", "On this page")]).open("ul", &[]);
        for (id, name) in sections {
            self.open("li", &[]).link(id, name).close("li");
        }
        self.close("ul").end("nav")
    }
}

/// The class of a role; empty for ordinary text.
pub(super) fn class(role: Role) -> &'static str {
    match role {
        Role::Text => "",
        Role::Ok => "ok",
        Role::Failed => "failed",
        Role::Doubt => "doubt",
        Role::Warning => "warning",
        Role::Heading => "heading",
        Role::Host => "host",
        Role::Dim => "dim",
        Role::Command => "command",
    }
}

/// What the section of a step is called in links.
pub(super) fn id_of_step(step: &StepId) -> String {
    format!("step:{}", safe(step.as_str()))
}

/// What the section of a step on a host is called in links: `restart@va-web01`.
pub(super) fn id_of(at: &StepHost) -> String {
    format!("{}@{}", safe(at.step.as_str()), safe(at.host.as_str()))
}

/// A name for a fragment: letters, digits and `-./` stand for themselves, all else by its number; so two names never
/// become one.
fn safe(name: &str) -> String {
    let mut out = String::new();
    for ch in name.chars() {
        if ch.is_ascii_alphanumeric() || matches!(ch, '-' | '.' | '/') {
            out.push(ch);
        } else {
            out.push_str(&format!("_{:x}_", u32::from(ch)));
        }
    }
    out
}
