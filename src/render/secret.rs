//! Secrets on a page: never a value, always a shell's variable that a person is asked for.
//!
//! A page has no secrets to show. In their place stand marks of characters that no text of a book has, so that after
//! rendering it is known where in a text the variable goes.

use crate::vocab::quote::shell_word;
use crate::vocab::{MaskedText, Secret};

const OPENS: char = '\u{f8f0}';
const CLOSES: char = '\u{f8f1}';

/// What stands for the secret parameter `name`.
pub(super) fn mark(name: &str) -> Secret {
    Secret::new(format!("{OPENS}{name}{CLOSES}"))
}

/// The names of the secrets in a text.
pub(super) fn names(text: &MaskedText) -> Vec<String> {
    pieces(text.expose()).into_iter().filter(|(_, is_name)| *is_name).map(|(name, _)| name.to_owned()).collect()
}

/// The text as one word of a shell, each secret as its variable.
pub(super) fn words(text: &MaskedText) -> String {
    words_behind("", text)
}

/// A text that anyone may see with a text behind it, as one word of a shell.
pub(super) fn words_behind(before: &str, text: &MaskedText) -> String {
    let mut out = String::new();
    for (piece, is_name) in pieces(&format!("{before}{}", text.expose())) {
        if is_name {
            out.push_str(&format!("\"${piece}\""));
        } else {
            out.push_str(&shell_word(piece));
        }
    }
    if out.is_empty() { "''".to_owned() } else { out }
}

/// The text in its pieces, and which of them are names of secrets.
fn pieces(text: &str) -> Vec<(&str, bool)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once(OPENS) {
        let Some((name, after)) = behind.split_once(CLOSES) else { break };
        if !before.is_empty() {
            found.push((before, false));
        }
        found.push((name, true));
        rest = after;
    }
    if !rest.is_empty() {
        found.push((rest, false));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_a_variable() {
        let mut text = MaskedText::plain("Bearer ");
        text.push_secret("token", mark("token").expose());
        text.push_plain("'s");
        assert_eq!(words(&text), "'Bearer '\"$token\"''\\''s'");
        assert_eq!(names(&text), ["token"]);
        assert_eq!(words(&MaskedText::default()), "''");
    }
}
