//! Painting a moving frame below lines that stay, on a terminal that may be resized at any time.
//!
//! Apart from what is painted. Each line ends with a newline and is no longer than its text, so that the terminal
//! may reflow it and a person may copy it; a frame is painted over the one before in a single write, so that nothing
//! flickers. (indicatif fills each line with blanks up to the edge instead: after a resize what was said before runs
//! together, and a copied line carries the blanks.)
//!
//! Not guaranteed: that nothing of an old frame stays after a terminal was made narrower. Where the terminal reflows
//! (most do) it is painted over whole.

use super::line::{Line, wrapped_height};
use super::style::Styles;

/// What was painted last, and where the cursor is: on the line below it.
#[derive(Debug, Default)]
pub struct Painter {
    frame: Vec<Line>,
    columns: usize,
}

impl Painter {
    /// The text that puts `above` where the last frame began and `frame` under it, on a terminal of so many columns.
    /// Nothing when nothing would change.
    pub fn paint(&mut self, above: &[Line], frame: Vec<Line>, columns: usize, styles: &Styles) -> Option<String> {
        let as_before = frame == self.frame && (columns == self.columns || frame.is_empty());
        if above.is_empty() && as_before {
            return None;
        }
        let height: usize = self.frame.iter().map(|line| wrapped_height(line, columns)).sum();
        // `0A` would move up by one
        let mut out = if height > 0 { format!("\r\x1b[{height}A") } else { "\r".to_owned() };
        for line in above.iter().chain(&frame) {
            out.push_str(&line.shown(styles));
            out.push_str("\x1b[K\n");
        }
        // what is left of a higher frame, and what was typed meanwhile
        out.push_str("\x1b[J");
        self.frame = frame;
        self.columns = columns;
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[&str]) -> Vec<Line> {
        texts.iter().map(|text| Line::text(text)).collect()
    }

    #[test]
    fn a_frame_is_painted_over_the_one_before() {
        let styles = Styles::plain();
        let mut painter = Painter::default();
        assert_eq!(
            painter.paint(&[], Vec::new(), 80, &styles),
            None,
            "an empty frame writes nothing: a prompt may have the terminal"
        );
        assert_eq!(painter.paint(&[], lines(&["a", "b"]), 80, &styles).unwrap(), "\ra\x1b[K\nb\x1b[K\n\x1b[J");
        assert_eq!(painter.paint(&[], lines(&["a", "b"]), 80, &styles), None);
        assert_eq!(
            painter.paint(&lines(&["done"]), lines(&["c"]), 80, &styles).unwrap(),
            "\r\x1b[2Adone\x1b[K\nc\x1b[K\n\x1b[J"
        );
        assert_eq!(painter.paint(&[], Vec::new(), 80, &styles).unwrap(), "\r\x1b[1A\x1b[J");
    }

    #[test]
    fn a_narrower_terminal_has_reflowed_the_frame() {
        let styles = Styles::plain();
        let mut painter = Painter::default();
        painter.paint(&[], lines(&["0123456789", "short"]), 80, &styles);
        assert!(painter.paint(&[], lines(&["x"]), 4, &styles).unwrap().starts_with("\r\x1b[5A"));
    }
}
