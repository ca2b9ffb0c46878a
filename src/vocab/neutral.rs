//! Making untrusted text harmless for a terminal.
//!
//! What a remote command prints may hold escape sequences (retitle the window, move the cursor, paint over what was
//! said), carriage returns that hide a line, or bidirectional controls that reorder it. Shown text passes here.

/// `text` with everything that a terminal would obey made visible: control characters as `\x1b`, bidi and other
/// invisible controls as `\u{202e}`. Newlines and tabs stay; `\r\n` becomes `\n`.
pub fn neutralise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(ch) = chars.next() {
        match ch {
            '\n' | '\t' => out.push(ch),
            '\r' if chars.peek() == Some(&'\n') => {}
            ch if ch.is_control() => push_escaped(&mut out, ch),
            ch if is_invisible(ch) => push_escaped(&mut out, ch),
            ch => out.push(ch),
        }
    }
    out
}

/// [`neutralise`], and on one line: newlines become `⏎`, tabs a blank.
pub fn one_line(text: &str) -> String {
    neutralise(text.trim_end_matches('\n')).replace('\n', "⏎").replace('\t', " ")
}

/// Zero-width and bidirectional controls, line separators, tags, variation of direction: nothing a reader can see.
fn is_invisible(ch: char) -> bool {
    matches!(ch,
        '\u{00ad}' | '\u{061c}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
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
    fn nothing_a_terminal_obeys_survives() {
        assert_eq!(neutralise("\x1b]0;owned\x07a\r\nb\tc"), "\\x1b]0;owned\\x07a\nb\tc");
        assert_eq!(neutralise("safe\rEVIL"), "safe\\x0dEVIL");
        assert_eq!(neutralise("\u{202e}txt.exe\u{9b}31m"), "\\u{202e}txt.exe\\x9b31m");
        assert_eq!(one_line("a\nb\n"), "a⏎b");
    }
}
