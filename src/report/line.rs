//! One line of text for a terminal: pieces with roles, harmless by construction.
//!
//! Apart because three things must never be forgotten and are done here alone: text from a host is neutralised when it
//! becomes part of a line, width is counted in columns as the terminal counts them, and a cut never splits a symbol.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::style::{Mark, Role, Styles};
use crate::vocab::neutral;

/// A line: pieces of text, each with its role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    spans: Vec<(Role, String)>,
}

/// One character and what it is.
type Symbol = (Role, char);

/// The columns that `text` takes; control characters none.
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

impl Line {
    /// An empty line.
    pub fn new() -> Self {
        Self::default()
    }

    /// A line of ordinary text.
    pub fn text(text: &str) -> Self {
        Self::new().with(Role::Text, text)
    }

    /// A line that begins with a symbol and a blank.
    pub fn marked(mark: Mark, styles: &Styles) -> Self {
        Self::new().with(mark.role(), styles.symbol(mark)).with(Role::Text, " ")
    }

    /// One line for each line of `text`.
    pub fn each(role: Role, text: &str) -> Vec<Self> {
        // `\r\n` and lone `\r` are neutralised by `push`; only newlines part lines here
        text.strip_suffix('\n')
            .unwrap_or(text)
            .split('\n')
            .map(|line| Self::new().with(role, line.trim_end_matches('\r')))
            .collect()
    }

    /// Adds `text`, made harmless and put on one line.
    pub fn push(&mut self, role: Role, text: &str) {
        let text = neutral::one_line(text);
        if text.is_empty() {
            return;
        }
        match self.spans.last_mut() {
            Some((last, before)) if *last == role => before.push_str(&text),
            Some(_) | None => self.spans.push((role, text)),
        }
    }

    /// The line with `text` behind it.
    #[must_use]
    pub fn with(mut self, role: Role, text: &str) -> Self {
        self.push(role, text);
        self
    }

    /// The line with another behind it.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for (role, text) in other.spans {
            self.push(role, &text);
        }
        self
    }

    /// The line moved to the right by `columns`.
    #[must_use]
    pub fn indented(self, columns: usize) -> Self {
        Self::text(&" ".repeat(columns)).and(self)
    }

    /// The line filled with blanks to `columns`.
    #[must_use]
    pub fn padded(self, columns: usize) -> Self {
        let missing = columns.saturating_sub(self.width());
        self.with(Role::Text, &" ".repeat(missing))
    }

    /// The columns it takes.
    pub fn width(&self) -> usize {
        self.spans.iter().map(|(_, text)| width(text)).sum()
    }

    /// Its pieces with their roles, made harmless for a terminal.
    pub fn spans(&self) -> impl Iterator<Item = (Role, &str)> {
        self.spans.iter().map(|(role, text)| (*role, text.as_str()))
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The line in at most `columns`, with a sign where something is missing.
    #[must_use]
    pub fn cut(self, columns: usize, styles: &Styles) -> Self {
        // terminals disagree on symbols that join: none of them may find the line too long
        let apart = self.spans.iter().flat_map(|(_, text)| text.chars()).filter_map(UnicodeWidthChar::width).sum();
        if self.width().max(apart) <= columns {
            return self;
        }
        let mut left = columns.saturating_sub(1);
        let mut cut = Self::new();
        'spans: for (role, text) in &self.spans {
            let mut end = 0;
            for (at, ch) in text.char_indices() {
                let wide = ch.width().unwrap_or(0);
                if wide > left {
                    cut.push(*role, &text[..at]);
                    break 'spans;
                }
                left -= wide;
                end = at + ch.len_utf8();
            }
            cut.push(*role, &text[..end]);
        }
        if columns > 0 {
            cut.push(Role::Dim, styles.more());
        }
        cut
    }

    /// The line on as many lines as it takes, broken at blanks where there are some, later ones moved to the right
    /// by `hang`.
    pub fn wrap(self, columns: Option<usize>, hang: usize) -> Vec<Self> {
        let Some(columns) = columns else { return vec![self] };
        if self.width() <= columns {
            return vec![self];
        }
        // a hang that leaves no room for text would never end
        let hang = if hang + 10 > columns { 0 } else { hang };
        let columns = columns.max(2);
        let cells: Vec<Symbol> =
            self.spans.iter().flat_map(|(role, text)| text.chars().map(|ch| (*role, ch))).collect();
        let mut lines = Vec::new();
        let mut rest = &cells[..];
        while !rest.is_empty() {
            let indent = if lines.is_empty() { 0 } else { hang };
            let (taken, left) = fill(rest, columns - indent);
            lines.push(Self::text(&" ".repeat(indent)).and(Self::of_cells(taken)));
            rest = left;
        }
        lines
    }

    fn of_cells(cells: &[Symbol]) -> Self {
        let mut line = Self::new();
        for (role, ch) in cells {
            match line.spans.last_mut() {
                Some((last, text)) if last == role => text.push(*ch),
                Some(_) | None => line.spans.push((*role, ch.to_string())),
            }
        }
        line
    }

    /// The line as it is written.
    pub fn shown(&self, styles: &Styles) -> String {
        let mut shown: String = self.spans.iter().map(|(role, text)| styles.paint(*role, text)).collect();
        if shown.ends_with(' ') {
            shown.truncate(shown.trim_end_matches(' ').len());
        }
        shown
    }
}

/// Takes what fits into `columns` (at least one character), broken at the last blank; the blank itself is dropped.
fn fill(cells: &[Symbol], columns: usize) -> (&[Symbol], &[Symbol]) {
    let mut used = 0;
    let mut fits = cells.len();
    for (at, (_, ch)) in cells.iter().enumerate() {
        used += ch.width().unwrap_or(0);
        if used > columns {
            fits = at.max(1);
            break;
        }
    }
    if fits == cells.len() {
        return (cells, &[]);
    }
    if cells[fits].1 == ' ' {
        return (&cells[..fits], skip_blank(&cells[fits..]));
    }
    // a break that leaves only the indentation on the line gains nothing
    let first_word = cells.iter().position(|(_, ch)| *ch != ' ').unwrap_or(0);
    match cells[..fits].iter().rposition(|(_, ch)| *ch == ' ') {
        Some(blank) if blank > first_word => (&cells[..blank], skip_blank(&cells[blank..])),
        Some(_) | None => cells.split_at(fits),
    }
}

fn skip_blank(cells: &[Symbol]) -> &[Symbol] {
    let blanks = cells.iter().take_while(|(_, ch)| *ch == ' ').count();
    &cells[blanks..]
}

/// Writes `lines`, each with its newline.
pub fn shown(lines: &[Line], styles: &Styles) -> String {
    let mut text = String::new();
    for line in lines {
        text.push_str(&line.shown(styles));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_by_columns_and_never_through_a_symbol() {
        let styles = Styles::plain();
        let line = Line::text("日本語 text");
        for columns in 0..=12 {
            let cut = line.clone().cut(columns, &styles);
            assert!(cut.width() <= columns, "{columns}: {}", cut.shown(&styles));
        }
        assert_eq!(line.clone().cut(6, &styles).shown(&styles), "日本…");
        assert_eq!(line.cut(11, &styles).shown(&styles), "日本語 text");
        let waves = Line::text(&"\u{1f44b}\u{1f3fd}".repeat(3));
        assert_eq!(waves.cut(8, &styles).shown(&styles), "\u{1f44b}\u{1f3fd}\u{1f44b}…");
    }

    #[test]
    fn wraps_at_blanks_and_hard_where_there_are_none() {
        let styles = Styles::plain();
        let wrap = |text: &str, columns, hang| -> Vec<String> {
            Line::text(text).wrap(Some(columns), hang).iter().map(|line| line.shown(&styles)).collect()
        };
        assert_eq!(wrap("one two three four five", 13, 2), ["one two three", "  four five"]);
        assert_eq!(wrap("abcdefghij", 4, 2), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("日本語", 3, 0), ["日", "本", "語"]);
        assert_eq!(wrap("", 4, 0), [""]);
    }

    #[test]
    fn text_of_others_cannot_command_the_terminal() {
        let line = Line::text("a\x1b[2Jb\nc\td");
        assert_eq!(line.shown(&Styles::plain()), "a\\x1b[2Jb⏎c d");
        assert!(Line::new().with(Role::Failed, "x").shown(&Styles::colour()).contains("\x1b["));
    }
}
