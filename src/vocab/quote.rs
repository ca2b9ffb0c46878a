//! Quoting for a POSIX shell.

/// Quotes `value` as one word of a POSIX shell.
///
/// Words of harmless characters are left as they are, so that commands stay readable; everything else goes into
/// single quotes. NUL cannot be carried by any command line; callers refuse it before (see `model::template`).
pub fn shell_word(value: &str) -> String {
    let plain = !value.is_empty()
        && value.bytes().all(|b| {
            b.is_ascii_alphanumeric()
                || matches!(b, b'_' | b'-' | b'.' | b'/' | b':' | b'@' | b'%' | b'+' | b',' | b'=')
        });
    // `NAME=value` as the first word would be an assignment, and a leading `-` is left to the author's `--`
    if plain && !value.contains('=') {
        return value.to_owned();
    }
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('\'');
    for ch in value.chars() {
        if ch == '\'' {
            quoted.push_str("'\\''");
        } else {
            quoted.push(ch);
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_what_a_shell_would_read() {
        assert_eq!(shell_word("dfw-jobs01"), "dfw-jobs01");
        assert_eq!(shell_word(""), "''");
        assert_eq!(shell_word("; rm -rf"), "'; rm -rf'");
        assert_eq!(shell_word("it's"), "'it'\\''s'");
        assert_eq!(shell_word("A=b"), "'A=b'");
        assert_eq!(shell_word("~root"), "'~root'");
        assert_eq!(shell_word("a\nb"), "'a\nb'");
    }
}
