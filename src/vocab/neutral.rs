//! Making untrusted text harmless for a terminal.
//!
//! What a remote command prints may hold escape sequences (retitle the window, move the cursor, paint over what was
//! said), carriage returns that hide a line, or bidirectional controls that reorder it. Shown text passes here.

use unicode_normalization::char::is_combining_mark;

/// How many combining marks may stand on one letter. Languages need four at most; a flood of them paints over the lines
/// above and below.
const MARKS: usize = 6;

/// `text` with everything that a terminal would obey made visible: control characters as `\x1b`, bidi and other
/// invisible controls as `\u{202e}`, so too a flood of combining marks from the seventh on. Newlines and tabs stay;
/// `\r\n` becomes `\n`.
///
/// Not guaranteed: that what is seen is what it seems; letters that look alike, blanks of other widths and characters for
/// private use stay.
pub fn neutralise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut marks = 0;
    while let Some(ch) = chars.next() {
        marks = if ch > '\u{2ff}' && is_combining_mark(ch) { marks + 1 } else { 0 };
        match ch {
            '\n' | '\t' => out.push(ch),
            '\r' if chars.peek() == Some(&'\n') => {}
            ch if ch.is_control() || is_invisible(ch) || marks > MARKS => push_escaped(&mut out, ch),
            ch => out.push(ch),
        }
    }
    out
}

/// [`neutralise`], and on one line: newlines become `⏎`, tabs a blank.
pub fn one_line(text: &str) -> String {
    neutralise(text.trim_end_matches('\n')).replace('\n', "⏎").replace('\t', " ")
}

/// Nothing a reader can see: zero-width and bidirectional controls, line separators, tags, fillers, and the selectors of
/// variants that text can be hidden in.
///
/// The two selectors that choose between an emoji and a sign (U+FE0E, U+FE0F) stay, since ordinary text has them.
fn is_invisible(ch: char) -> bool {
    matches!(ch,
        // soft hyphen, grapheme joiner, Arabic letter mark, fillers of Hangul, vowels of Khmer without a shape
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        // Mongolian selectors and separator
        | '\u{180b}'..='\u{180f}'
        // zero width; line and paragraph separators, bidi; invisible operators, isolates
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{ffa0}'
        | '\u{fe00}'..='\u{fe0d}'
        | '\u{feff}'
        // for no characters yet, and interlinear annotation
        | '\u{fff0}'..='\u{fffb}'
        // controls of hieroglyphs, shorthand and music
        | '\u{13430}'..='\u{13440}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        // tags, more selectors, and what Unicode keeps for more of the kind
        | '\u{e0000}'..='\u{e0fff}')
}

fn push_escaped(out: &mut String, ch: char) {
    use std::fmt::Write as _;
    let code = u32::from(ch);
    let _ = if code < 0x100 { write!(out, "\\x{code:02x}") } else { write!(out, "\\u{{{code:x}}}") };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_shown_and_what_people_write_is_left() {
        for ch in "\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{17b4}\u{180b}\u{180e}\u{200b}\u{200e}\u{2028}\u{2029}\u{202a}\u{2066}\u{2069}\u{206f}\u{3164}\u{fe00}\u{feff}\u{ffa0}\u{fff9}\u{13430}\u{1bca0}\u{1d173}\u{e0041}\u{e0100}".chars() {
            assert_eq!(neutralise(&format!("a{ch}b")), format!("a\\{}b", if ch == '\u{ad}' { "xad".to_owned() } else { format!("u{{{:x}}}", u32::from(ch)) }));
        }
        let text = "Grüße, Việt Nam, e\u{302}\u{301}, שָׁלוֹם, ไม่, नमस्ते, 한국, ⚠\u{fe0f} 👍🏽 ✓ → • … ₤\u{a0}5\u{3000}⠋";
        assert_eq!(neutralise(text), text);
        let flood = format!("z{}!", "\u{334}".repeat(8));
        assert_eq!(neutralise(&flood), format!("z{}\\u{{334}}\\u{{334}}!", "\u{334}".repeat(6)));
    }

    #[test]
    fn nothing_a_terminal_obeys_survives() {
        assert_eq!(neutralise("\x1b]0;owned\x07a\r\nb\tc"), "\\x1b]0;owned\\x07a\nb\tc");
        assert_eq!(neutralise("safe\rEVIL"), "safe\\x0dEVIL");
        assert_eq!(neutralise("\u{202e}txt.exe\u{9b}31m"), "\\u{202e}txt.exe\\x9b31m");
        assert_eq!(one_line("a\nb\n"), "a⏎b");
    }
}
