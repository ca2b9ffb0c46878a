//! The output neutraliser: whatever a host prints, nothing that a terminal obeys is left.

#![no_main]

use libfuzzer_sys::fuzz_target;
use runbook::vocab::neutral::{neutralise, one_line};

/// What must not be left. Told anew here, by ranges of Unicode, so that a slip in the program's own list shows.
fn obeyed(ch: char) -> bool {
    let code = u32::from(ch);
    let control = code < 0x20 || (0x7f..0xa0).contains(&code);
    let bidi = matches!(code, 0x061c | 0x200e | 0x200f | 0x202a..=0x202e | 0x2066..=0x2069);
    let separator = matches!(code, 0x2028 | 0x2029);
    let invisible = matches!(code, 0x200b..=0x200d | 0x2060 | 0xfeff | 0xe0000..=0xe007f);
    control || bidi || separator || invisible
}

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let harmless = neutralise(&text);
    if let Some(ch) = harmless.chars().find(|ch| obeyed(*ch) && !matches!(ch, '\n' | '\t')) {
        panic!("{ch:?} is left in {harmless:?}");
    }
    assert_eq!(neutralise(&harmless), harmless, "twice is not the same as once");
    let line = one_line(&text);
    assert!(!line.chars().any(obeyed), "more than a line: {line:?}");
    assert_eq!(one_line(&line), line, "twice is not the same as once");
    // what is plain stays what it is
    let plain: String = text.chars().filter(|ch| ch.is_ascii_graphic() || *ch == ' ').collect();
    assert_eq!(neutralise(&plain), plain);
});
