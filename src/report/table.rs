//! A table of text: aligned for eyes, tab-separated for programs.
//!
//! Apart because observations, the list of runs and the last screen all need the same thing, and because fitting to a
//! terminal (and only to a terminal) is decided in one place.

use super::line::{self, Line};
use super::style::{Role, Styles};

/// How a table is fitted to where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// A terminal of so many columns: aligned, and cut where it does not fit.
    Width(usize),
    /// Aligned and whole, for a text that is kept.
    Whole,
    /// Tab-separated with a header line, whole.
    Tabs,
}

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    role: Role,
    text: String,
    number: bool,
}

impl Cell {
    /// A cell of text.
    pub fn new(role: Role, text: impl Into<String>) -> Self {
        Self { role, text: text.into(), number: false }
    }

    /// A number; a column of nothing else is aligned to the right.
    pub fn number(text: impl Into<String>) -> Self {
        Self { role: Role::Text, text: text.into(), number: true }
    }

    /// What it is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Its text, as it came.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn line(&self) -> Line {
        Line::new().with(self.role, &self.text)
    }
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    columns: Vec<String>,
    rows: Vec<Row>,
    note: Option<String>,
    whole: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    cells: Vec<Cell>,
    /// What is said in place of the cells that are missing.
    note: Option<Cell>,
}

impl Table {
    /// A table with these columns.
    pub fn new(columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { columns: columns.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Names the column that carries the notes of short rows where there is no room to write across: in `Fit::Tabs`.
    #[must_use]
    pub fn with_notes(mut self, column: &str) -> Self {
        self.note = Some(column.to_owned());
        self
    }

    /// Names a column that is cut only when all others are as narrow as can be: what people copy from it is of no use
    /// in part.
    #[must_use]
    pub fn with_whole(mut self, column: &str) -> Self {
        self.whole.push(column.to_owned());
        self
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(Row { cells, note: None });
    }

    /// Adds a row that ends early, in a note written across the columns it lacks.
    pub fn noted(&mut self, cells: Vec<Cell>, note: Cell) {
        self.rows.push(Row { cells, note: Some(note) });
    }

    /// The names of its columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Its rows: the cells of each, and what is said in place of those that are missing.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = (&[Cell], Option<&Cell>)> {
        self.rows.iter().map(|row| (row.cells.as_slice(), row.note.as_ref()))
    }

    /// Whether a column holds nothing but numbers: it is aligned to the right.
    pub fn is_numeric(&self, column: usize) -> bool {
        let mut cells =
            self.rows.iter().filter_map(|row| row.cells.get(column)).filter(|cell| cell.text != "-").peekable();
        cells.peek().is_some() && cells.all(|cell| cell.number)
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as lines for eyes; `Fit::Tabs` is fitted as `Fit::Whole`.
    pub fn lines(&self, fit: Fit, styles: &Styles) -> Vec<Line> {
        let most = match fit {
            Fit::Width(columns) => columns,
            Fit::Whole | Fit::Tabs => usize::MAX,
        };
        let widths = self.widths(most);
        let right: Vec<bool> = (0..self.columns.len()).map(|column| self.is_numeric(column)).collect();
        let mut lines = Vec::new();
        if self.columns.iter().any(|name| !name.is_empty()) {
            let head: Vec<Cell> = self.columns.iter().map(|name| Cell::new(Role::Dim, name)).collect();
            lines.push(aligned(&head, None, &widths, &right, styles).cut(most, styles));
        }
        for row in &self.rows {
            lines.push(aligned(&row.cells, row.note.as_ref(), &widths, &right, styles).cut(most, styles));
        }
        lines
    }

    /// The table as text, each line with its newline.
    pub fn shown(&self, fit: Fit, styles: &Styles) -> String {
        match fit {
            Fit::Width(_) | Fit::Whole => line::shown(&self.lines(fit, styles), styles),
            Fit::Tabs => self.tabs(),
        }
    }

    fn tabs(&self) -> String {
        let plain = Styles::plain();
        let text = |cell: &Cell| cell.line().shown(&plain);
        let mut out = self.columns.iter().map(|name| Line::text(name).shown(&plain)).collect::<Vec<_>>();
        out.extend(self.note.clone());
        let mut out = out.join("\t") + "\n";
        for row in &self.rows {
            let mut cells: Vec<String> = row.cells.iter().map(text).collect();
            if self.note.is_some() {
                cells.resize(self.columns.len(), String::new());
            }
            match (&row.note, &self.note) {
                (Some(note), _) => cells.push(text(note)),
                (None, Some(_)) => cells.push(String::new()),
                (None, None) => {}
            }
            out.push_str(&cells.join("\t"));
            out.push('\n');
        }
        out
    }

    /// The width of each column: that of its content, the widest ones narrowed until the whole fits into `most`.
    fn widths(&self, most: usize) -> Vec<usize> {
        let mut widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(column, name)| {
                let cells = self.rows.iter().filter_map(|row| row.cells.get(column));
                cells.map(|cell| cell.line().width()).max().unwrap_or(0).max(line::width(name))
            })
            .collect();
        let room = most.saturating_sub(GAP.len() * widths.len().saturating_sub(1));
        while widths.iter().sum::<usize>() > room {
            // the last of the widest: the host in front is what a reader needs most
            let narrows = |column: usize| !self.columns.get(column).is_some_and(|name| self.whole.contains(name));
            let columns = widths.iter().enumerate();
            let widest = columns.clone().filter(|(column, width)| narrows(*column) && **width > LEAST);
            let widest = widest.max_by_key(|(_, width)| **width).or_else(|| columns.max_by_key(|(_, width)| **width));
            let Some((widest, _)) = widest else { break };
            if widths[widest] <= 1 {
                break;
            }
            let over = widths.iter().sum::<usize>() - room;
            let next = widths.iter().copied().filter(|width| *width < widths[widest]).max().unwrap_or(1).max(1);
            let step = (widths[widest] - next).clamp(1, over.max(1));
            widths[widest] -= step;
        }
        widths
    }
}

const GAP: &str = "  ";

/// A column is not made narrower than this for one that is to be whole.
const LEAST: usize = 6;

fn aligned(cells: &[Cell], note: Option<&Cell>, widths: &[usize], right: &[bool], styles: &Styles) -> Line {
    let mut line = Line::new();
    for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
        if at > 0 {
            line.push(Role::Text, GAP);
        }
        let text = cell.line().cut(*width, styles);
        if right.get(at).copied().unwrap_or(false) {
            line = line.and(Line::text(&" ".repeat(width.saturating_sub(text.width()))).and(text));
        } else {
            line = line.and(text.padded(*width));
        }
    }
    if let Some(note) = note {
        if !cells.is_empty() {
            line.push(Role::Text, GAP);
        }
        line = line.and(note.line());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Table {
        let mut table = Table::new(["host", "pid", "state"]).with_notes("problem");
        table.row(vec![Cell::new(Role::Host, "dfw-jobs01"), Cell::number("5663"), Cell::new(Role::Text, "bored")]);
        table.row(vec![
            Cell::new(Role::Host, "dfw-jobs01"),
            Cell::number("25034"),
            Cell::new(Role::Text, "entries: exampleuser(42) and\ta long tail"),
        ]);
        table.noted(vec![Cell::new(Role::Host, "dfw-mail01")], Cell::new(Role::Failed, "unknown: unreachable"));
        table
    }

    #[test]
    fn eyes_get_it_aligned() {
        insta::assert_snapshot!(example().shown(Fit::Width(40), &Styles::plain()), @r"
        host          pid  state
        dfw-jobs01   5663  bored
        dfw-jobs01  25034  entries: exampleuser…
        dfw-mail01  unknown: unreachable
        ");
    }

    #[test]
    fn programs_get_it_whole() {
        assert_eq!(
            example().shown(Fit::Tabs, &Styles::colour()),
            "host\tpid\tstate\tproblem\n\
             dfw-jobs01\t5663\tbored\t\n\
             dfw-jobs01\t25034\tentries: exampleuser(42) and a long tail\t\n\
             dfw-mail01\t\t\tunknown: unreachable\n"
        );
    }

    #[test]
    fn no_terminal_is_too_narrow() {
        for columns in 0..60 {
            for line in example().lines(Fit::Width(columns), &Styles::plain()) {
                assert!(line.width() <= columns, "{columns}: {line:?}");
            }
        }
    }
}
