//! The rows that move, on an indicatif screen, below the lines that stay.
//!
//! Apart from what the rows say, and from who may write when. Each row is a bar of one `MultiProgress`, which keeps
//! account of what it drew and takes it away again. Lines that stay go around it: indicatif fills each line it writes
//! with blanks up to the terminal's edge and ends none, so that a resize runs them together and a copied line carries
//! the blanks. They are written while the bars are suspended, each as long as its text and ended by a newline.
//!
//! Between two paintings the cursor rests on the first row, the one place that stays where it is when a terminal is
//! resized, whether or not it breaks the rows below anew. So nothing above is lost, and nothing of the old rows is left
//! but what, broken anew, no longer fitted on the screen and scrolled off.

use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use super::line::Line;
use super::style::Styles;

/// The bars, and what they say.
#[derive(Debug)]
pub struct Rows {
    multi: MultiProgress,
    bars: Vec<(ProgressBar, String)>,
    paper: Paper,
    size: (u16, u16),
}

impl Default for Rows {
    fn default() -> Self {
        let paper = Paper::default();
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(paper.clone()), UNASKED);
        Self { multi: MultiProgress::with_draw_target(target), bars: Vec::new(), paper, size: (0, 0) }
    }
}

/// How often in a second a single bar that changes may have everything drawn: the least there is, since the whole is
/// drawn when all of them are up to date.
const UNASKED: u8 = 1;

impl Rows {
    /// The text that puts `above` where the rows began, and `rows` under it, on a terminal of `size`; each row must
    /// fit its width. Nothing when nothing would change.
    pub fn paint(&mut self, above: &[Line], rows: &[Line], size: (u16, u16), styles: &Styles) -> Option<String> {
        // a bar without text has no line on the screen
        let rows: Vec<String> = rows.iter().map(|row| row.shown(styles)).filter(|row| !row.is_empty()).collect();
        let same = self.bars.iter().map(|(_, text)| text).eq(&rows) && (size == self.size || rows.is_empty());
        if above.is_empty() && same {
            return None;
        }
        self.size = size;
        self.paper.unroll(self.bars.len());
        self.say(rows);
        // the lock that indicatif holds meanwhile keeps nobody waiting: here is its only user
        self.multi.suspend(|| {
            for line in above {
                self.paper.put(&line.shown(styles));
                self.paper.put(END);
            }
        });
        Some(self.paper.roll_up(self.bars.len()))
    }

    fn say(&mut self, rows: Vec<String>) {
        for (bar, _) in self.bars.drain(rows.len().min(self.bars.len())..) {
            self.multi.remove(&bar);
        }
        for (index, row) in rows.into_iter().enumerate() {
            match self.bars.get(index) {
                Some((_, text)) if *text == row => continue,
                Some(_) => {}
                None => {
                    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
                    let style = ProgressStyle::with_template("{msg}");
                    let bar =
                        self.multi.add(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner())));
                    self.bars.push((bar, String::new()));
                }
            }
            let (bar, text) = &mut self.bars[index];
            bar.set_message(row.clone());
            *text = row;
        }
    }
}

/// What indicatif draws on: text that goes to the terminal whole, so that nothing flickers and a terminal that went
/// away ends nothing (indicatif panics when it cannot write while it suspends).
#[derive(Clone, Debug, Default)]
struct Paper(Arc<Mutex<Ink>>);

#[derive(Debug, Default)]
struct Ink {
    text: String,
    /// The row is full; what comes next begins another.
    ended: bool,
}

/// Wider than any row, so that indicatif, which counts symbols a little differently, takes each for one line.
const WIDTH: u16 = 8192;

/// Ends a line, and takes away what stood behind it.
const END: &str = "\x1b[K\n";

impl Paper {
    fn ink(&self) -> MutexGuard<'_, Ink> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, text: &str) {
        self.ink().text.push_str(text);
    }

    /// Goes from the first to the last of so many rows, where indicatif left the cursor.
    fn unroll(&self, rows: usize) {
        self.put("\r");
        self.put(&"\n".repeat(rows.saturating_sub(1)));
    }

    /// Everything drawn, with the cursor on the first of so many rows.
    fn roll_up(&self, rows: usize) -> String {
        // what is left of longer or more rows, and what was typed meanwhile; not from the first row, since tmux keeps
        // a screen that is cleared from its very beginning
        self.put("\x1b[J\r");
        self.up(rows.saturating_sub(1));
        std::mem::take(&mut self.ink().text)
    }

    fn up(&self, rows: usize) {
        self.turn(rows, 'A');
    }

    fn turn(&self, by: usize, way: char) {
        // `0A` would move up by one
        if by > 0 {
            let _ = write!(self.ink().text, "\x1b[{by}{way}");
        }
    }
}

impl TermLike for Paper {
    fn width(&self) -> u16 {
        WIDTH
    }

    fn height(&self) -> u16 {
        // the rows are capped already
        u16::MAX
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.up(n);
        Ok(())
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.turn(n, 'B');
        Ok(())
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.turn(n, 'C');
        Ok(())
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.turn(n, 'D');
        Ok(())
    }

    fn write_line(&self, s: &str) -> io::Result<()> {
        self.write_str(s)?;
        self.put("\n");
        Ok(())
    }

    fn write_str(&self, s: &str) -> io::Result<()> {
        let mut ink = self.ink();
        // what would fill the row up to the edge ends it instead; a row itself is never blank
        if s.bytes().all(|byte| byte == b' ') {
            ink.ended |= !s.is_empty();
            return Ok(());
        }
        if std::mem::take(&mut ink.ended) {
            ink.text.push_str(END);
        }
        ink.text.push_str(s);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.put("\r\x1b[2K");
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        // under the last row there is nothing
        self.ink().ended = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::InMemoryTerm;

    /// Rows and the terminal they are painted on.
    struct Stage {
        rows: Rows,
        term: InMemoryTerm,
        styles: Styles,
        size: (u16, u16),
    }

    impl Stage {
        fn new(height: u16, columns: u16) -> Self {
            let term = InMemoryTerm::new(height, columns);
            Self { rows: Rows::default(), term, styles: Styles::plain(), size: (height, columns) }
        }

        fn paint(&mut self, above: &[&str], rows: &[&str]) -> Option<String> {
            let lines = |texts: &[&str]| texts.iter().map(|text| Line::text(text)).collect::<Vec<_>>();
            let text = self.rows.paint(&lines(above), &lines(rows), self.size, &self.styles)?;
            self.term.write_str(&text.replace('\n', "\r\n")).unwrap();
            Some(text)
        }

        fn shows(&self) -> String {
            self.term.contents()
        }
    }

    #[test]
    fn rows_come_and_go_below_what_stays() {
        let mut stage = Stage::new(10, 20);
        assert_eq!(stage.paint(&[], &[]), None, "a prompt may have the terminal");
        stage.paint(&[], &["a", "b"]).unwrap();
        assert_eq!(stage.shows(), "a\nb");
        assert_eq!(stage.paint(&[], &["a", "b"]), None);
        stage.paint(&["done"], &["c", "d", "e"]).unwrap();
        assert_eq!(stage.shows(), "done\nc\nd\ne");
        stage.paint(&["more"], &["e"]).unwrap();
        assert_eq!(stage.shows(), "done\nmore\ne");
        stage.paint(&[], &[]).unwrap();
        assert_eq!(stage.shows(), "done\nmore");
        stage.paint(&["last"], &[]).unwrap();
        assert_eq!(stage.shows(), "done\nmore\nlast");
    }

    #[test]
    fn what_stays_scrolls_up_whole() {
        let mut stage = Stage::new(6, 20);
        for number in 0..20 {
            stage.paint(&[&format!("line {number}")], &["x", "y", "z"]).unwrap();
        }
        assert_eq!(stage.shows(), "line 17\nline 18\nline 19\nx\ny\nz");
    }

    #[test]
    fn no_line_is_longer_than_its_text() {
        let mut stage = Stage::new(10, 40);
        for round in 0..100 {
            let row = format!("row {round}");
            let text = stage.paint(&["stays"], &[&row, "other"]).unwrap();
            assert!(text.contains("stays\x1b[K\n"), "{text:?}");
            assert!(!text.contains("  "), "{text:?}");
        }
    }

    #[test]
    fn a_resize_paints_anew_from_the_first_row() {
        let mut stage = Stage::new(10, 40);
        stage.paint(&["stays"], &["a", "b", "c"]).unwrap();
        // as if each row had been broken in two
        stage.term.write_str("\r\na\r\na\r\nb\r\nb\r\nc\r\nc\x1b[6A").unwrap();
        stage.size = (10, 30);
        stage.paint(&["more"], &["a", "b"]).unwrap();
        assert_eq!(stage.shows(), "stays\nmore\na\nb");
    }
}
