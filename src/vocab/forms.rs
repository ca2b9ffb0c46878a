//! The forms that a secret takes on its way through shells, encoders and printers.
//!
//! Apart from the masker, which looks for whatever it is given: here is what it is given. A form belongs here when a
//! common program makes it of a value without being asked to hide anything.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::{neutral, quote};

/// Every form of `secret` that is looked for, sorted; each once, none empty.
pub(super) fn of(secret: &str) -> BTreeSet<String> {
    let echoed = echoed(secret);
    let wholes = [secret, &echoed].map(|value| [value.to_owned(), value.trim().to_owned(), crlf(value)]);
    let lines = [secret, &echoed].into_iter().flat_map(str::lines).flat_map(|line| [line.trim_end(), line.trim()]);
    let values: BTreeSet<String> = lines.map(str::to_owned).chain(wholes.into_iter().flatten()).collect();
    let mut forms = BTreeSet::new();
    for value in values {
        quoted(&value, &mut forms);
        escaped(&value, &mut forms);
        percent_encoded(&value, &mut forms);
        entities(&value, &mut forms);
        base64(&value, &mut forms);
        hex(&value, &mut forms);
        forms.insert(neutral::neutralise(&value));
        forms.insert(neutral::one_line(&value));
        forms.insert(value);
    }
    forms.remove("");
    forms
}

/// As a terminal's driver writes it, and as it comes from a file of another system.
fn crlf(value: &str) -> String {
    value.replace("\r\n", "\n").replace('\n', "\r\n")
}

/// What the `echo` of a POSIX shell makes of a value with backslashes.
fn echoed(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(ch) = chars.next() {
        if ch != '\\' {
            out.push(ch);
            continue;
        }
        match chars.next() {
            Some('\\') | None => out.push('\\'),
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some(other) => out.extend(['\\', other]),
        }
    }
    out
}

/// As a word of a shell, of SQL, YAML or CSV.
fn quoted(value: &str, forms: &mut BTreeSet<String>) {
    forms.insert(quote::shell_word(value));
    // a lone ' inside single quotes: a shell's two ways, and that of SQL and YAML
    forms.extend(["'\\''", "'\"'\"'", "''"].map(|way| value.replace('\'', way)));
    forms.insert(value.replace('"', "\"\""));
    let with_backslashes = |special: &str| -> String {
        value.chars().flat_map(|ch| special.contains(ch).then_some('\\').into_iter().chain([ch])).collect()
    };
    // between double quotes; then what `printf %q` makes of it, in shells that leave commas and those that do not
    forms.extend(["\\\"$`", " \t'\"\\|&;()<>!{}*[]?^$`", " \t'\"\\|&;()<>!{}*[]?^$`,"].map(with_backslashes));
}

/// How a character that is not ASCII is written between quotes.
#[derive(Clone, Copy)]
enum Beyond {
    /// As it is.
    Kept,
    /// Its bytes as `\303\274`: `ls -Q`, git, `$'…'`.
    Octal,
    /// Its bytes as `\xc3\xbc`: Python, systemd.
    Hex,
    /// Its bytes, taken for letters, as `\u00c3\u00bc`: Perl, where nobody decoded them.
    Letters,
    /// Its UTF-16 units as `\u00fc`: JSON.
    Units,
}

/// With backslashes, as C, JSON, Python, `$'…'` and `ls -Q` write it.
fn escaped(value: &str, forms: &mut BTreeSet<String>) {
    for beyond in [Beyond::Kept, Beyond::Octal, Beyond::Hex, Beyond::Letters, Beyond::Units] {
        forms.extend(["\"", "'", ""].map(|quote| escape(value, quote, beyond)));
        // PHP escapes slashes
        forms.insert(escape(value, "\"", beyond).replace('/', "\\/"));
    }
    for beyond in [Beyond::Kept, Beyond::Units] {
        // what HTML would read: Go; Rails and Jinja; PHP where it is told to; .NET
        for special in ["<>&", "<>&'", "<>&'\"", "<>&'\"+`"] {
            let lower = unread_by_html(value, special, beyond, |unit| format!("\\u{unit:04x}"));
            let upper = unread_by_html(value, special, beyond, |unit| format!("\\u{unit:04X}"));
            forms.extend([lower.replace('/', "\\/"), upper.replace('/', "\\/"), lower, upper]);
        }
    }
}

/// As JSON, with these characters, and what is not ASCII where that is not kept, as their UTF-16 units.
fn unread_by_html(value: &str, special: &str, beyond: Beyond, unit: impl Fn(u16) -> String) -> String {
    let mut out = String::with_capacity(value.len());
    for ch in value.chars() {
        let mut room = [0; 4];
        if special.contains(ch) || !ch.is_ascii() && matches!(beyond, Beyond::Units) {
            out.extend(ch.encode_utf16(&mut [0; 2]).iter().map(|code| unit(*code)));
        } else {
            out.push_str(&escape(ch.encode_utf8(&mut room), "\"", beyond));
        }
    }
    out
}

fn escape(value: &str, quote: &str, beyond: Beyond) -> String {
    let mut out = String::with_capacity(value.len());
    for ch in value.chars() {
        match ch {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ch if quote.contains(ch) => out.extend(['\\', ch]),
            ch if ch.is_ascii() && !ch.is_ascii_control() => out.push(ch),
            ch => beyond.push(&mut out, ch),
        }
    }
    out
}

impl Beyond {
    fn push(self, out: &mut String, ch: char) {
        let mut room = [0; 4];
        let bytes = ch.encode_utf8(&mut room).as_bytes();
        match self {
            Self::Kept if ch == '\u{8}' => out.push_str("\\b"),
            Self::Kept if ch == '\u{c}' => out.push_str("\\f"),
            Self::Kept if !ch.is_ascii() => out.push(ch),
            Self::Octal => out.extend(bytes.iter().map(|byte| format!("\\{byte:03o}"))),
            Self::Hex => out.extend(bytes.iter().map(|byte| format!("\\x{byte:02x}"))),
            Self::Letters => out.extend(bytes.iter().map(|byte| format!("\\u{byte:04x}"))),
            Self::Kept | Self::Units => {
                out.extend(ch.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
            }
        }
    }
}

/// In a URL or a form, by encoders that leave more or fewer characters as they are.
fn percent_encoded(value: &str, forms: &mut BTreeSet<String>) {
    // everything; RFC 3986; a path; encodeURIComponent; encodeURI; forms
    for kept in ["", "-_.", "-_.~", "-_.~/", "-_.~!*'()", "-_.~!*'();/?:@&=+$,#", "-_.*"] {
        let mut upper = String::with_capacity(value.len());
        let mut lower = String::with_capacity(value.len());
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) {
                upper.push(char::from(byte));
                lower.push(char::from(byte));
            } else {
                let _ = write!(upper, "%{byte:02X}");
                let _ = write!(lower, "%{byte:02x}");
            }
        }
        forms.extend([upper.replace("%20", "+"), lower.replace("%20", "+"), upper, lower]);
    }
}

/// In HTML or XML, by encoders that take more or fewer characters, and by name, number or both.
fn entities(value: &str, forms: &mut BTreeSet<String>) {
    for encode in [
        |ch| format!("&#{};", u32::from(ch)),
        |ch| format!("&#x{:x};", u32::from(ch)),
        |ch| format!("&#x{:X};", u32::from(ch)),
    ] {
        for special in ["&<>\"'", "&<>\"'+", "&<>\"'/", "&<>\"'/`="] {
            let each = value.chars().map(|ch| if special.contains(ch) { encode(ch) } else { ch.to_string() });
            forms.insert(each.collect());
        }
    }
    let angles = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    for double in ["\"", "&quot;", "&#34;", "&#034;", "&#x22;"] {
        for single in ["'", "&#39;", "&#039;", "&#x27;", "&apos;"] {
            let text = angles.replace('"', double).replace('\'', single);
            // Go's templates; OWASP's encoders; Handlebars; mustache.js
            let marks = text.replace('`', "&#x60;").replace('=', "&#x3D;");
            forms.insert(text.replace('+', "&#43;"));
            forms.insert(text.replace('/', "&#x2F;"));
            forms.extend([marks.replace('/', "&#x2F;"), marks, text]);
        }
    }
}

/// In base64, alone or as a part of something longer, as in the `user:password` of HTTP's basic authentication.
///
/// The edges of a part share a letter with what stands beside it; these letters are not masked.
fn base64(value: &str, forms: &mut BTreeSet<String>) {
    for engine in [STANDARD, URL_SAFE] {
        let alone = engine.encode(value).trim_end_matches('=').to_owned();
        for (before, shared) in [(0, 0), (1, 2), (2, 3)] {
            let longer = engine.encode([&[0; 2][..before], value.as_bytes()].concat());
            let certain = (before + value.len()) * 8 / 6;
            let Some(part) = longer.get(shared..certain) else { continue };
            if before == 0 {
                // base64(1) and openssl break their lines
                forms.extend([64, 76].iter().flat_map(|width| pieces(part, *width)));
                forms.extend([64, 76].iter().flat_map(|width| pieces(&alone, *width)));
            }
            forms.insert(part.to_owned());
        }
        forms.insert(alone);
    }
}

/// In hexadecimal, whole or in the lines of `xxd -p`.
fn hex(value: &str, forms: &mut BTreeSet<String>) {
    let lower: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    forms.extend(pieces(&lower, 60));
    forms.extend([lower.to_ascii_uppercase(), lower]);
}

/// An ASCII text in pieces of `width`.
fn pieces(text: &str, width: usize) -> impl Iterator<Item = String> {
    text.as_bytes().chunks(width).map(|piece| String::from_utf8_lossy(piece).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn takes(secret: &str, forms: &[&str]) {
        let known = of(secret);
        for form in forms {
            assert!(known.contains(*form), "{form}");
        }
    }

    // each as the named program printed it
    #[test]
    fn what_programs_make_of_a_value_is_known() {
        let secret = "pa'ss \"w$rd\"/<ü>&`\\,!";
        takes(
            secret,
            &[
                r#"'pa'\''ss "w$rd"/<ü>&`\,!'"#,                        // sh
                r#"pa\'ss\ \"w\$rd\"/\<ü\>\&\`\\\,\!"#,                 // printf %q of bash
                r#"pa'ss \"w\$rd\"/<ü>&\`\\,!"#,                        // between double quotes
                r#"pa'ss \"w$rd\"/<\303\274>&`\\,!"#,                   // LC_ALL=C ls -Q, git
                r#"pa\'ss "w$rd"/<\xc3\xbc>&`\\,!"#,                    // Python, bytes
                r#"pa'ss \"w$rd\"/<\u00fc>&`\\,!"#,                     // Python, json.dumps
                r#"pa'ss \"w$rd\"\/<\u00fc>&`\\,!"#,                    // PHP, json_encode
                r#"pa'ss \"w$rd\"/\u003cü\u003e\u0026`\\,!"#,           // Go, json.Marshal
                "pa%27ss%20%22w%24rd%22%2F%3C%C3%BC%3E%26%60%5C%2C%21", // curl --data-urlencode
                "pa%27ss%20%22w%24rd%22/%3C%C3%BC%3E%26%60%5C%2C%21",   // Python, quote
                "pa'ss%20%22w%24rd%22%2F%3C%C3%BC%3E%26%60%5C%2C!",     // encodeURIComponent
                "pa'ss%20%22w$rd%22/%3C%C3%BC%3E&%60%5C,!",             // encodeURI
                "pa%27ss+%22w%24rd%22%2f%3c%c3%bc%3e%26%60%5c%2c%21",   // .NET, UrlEncode
                "pa'ss &quot;w$rd&quot;/&lt;ü&gt;&amp;`\\,!",           // XML
                "pa&#x27;ss &quot;w$rd&quot;/&lt;ü&gt;&amp;`\\,!",      // Python, html.escape
                "pa&#39;ss &#34;w$rd&#34;/&lt;ü&gt;&amp;`\\,!",         // Go
                r#"pa''ss "w$rd"/<ü>&`\,!"#,                            // SQL
            ],
        );
        takes("hunter22", &["68756e7465723232", "68756E7465723232", "aHVudGVyMjI"]);
        takes(" first line\nsecond \n", &["first line", "second", " first line\r\nsecond \r\n", "first line\nsecond"]);
    }

    // each as the named program writes it
    #[test]
    fn what_keeps_a_value_from_being_read_as_html_is_known() {
        takes(
            "S3cr3t/Pass+w0rd&<mo>re x'y\"q",
            &[
                r#"S3cr3t/Pass+w0rd\u0026\u003cmo\u003ere x'y\"q"#, // Go, json.Marshal
                r#"S3cr3t/Pass+w0rd\u0026\u003cmo\u003ere x\u0027y\"q"#, // Jinja, tojson
                r"S3cr3t\/Pass+w0rd\u0026\u003Cmo\u003Ere x\u0027y\u0022q", // PHP, JSON_HEX_…
                r"S3cr3t/Pass\u002Bw0rd\u0026\u003Cmo\u003Ere x\u0027y\u0022q", // .NET, JsonSerializer
                r"S3cr3t/Pass\u002bw0rd\u0026\u003cmo\u003ere x\u0027y\u0022q", // the same by others
                "S3cr3t/Pass&#43;w0rd&amp;&lt;mo&gt;re x&#39;y&#34;q", // Go, html/template
                "S3cr3t/Pass+w0rd&amp;&lt;mo&gt;re x&#39;y&#34;q",  // Jinja
                "S3cr3t&#x2F;Pass+w0rd&amp;&lt;mo&gt;re x&#39;y&quot;q", // mustache.js
                "S3cr3t/Pass+w0rd&amp;&lt;mo&gt;re x&#x27;y&#x22;q",
                "S3cr3t/Pass&#43;w0rd&#38;&#60;mo&#62;re x&#39;y&#34;q",
                "S3cr3t/Pass+w0rd&#x26;&#x3C;mo&#x3E;re x&#x27;y&#x22;q",
            ],
        );
    }

    #[test]
    fn base64_is_known_at_each_of_its_three_places() {
        let secret = "hunter22-and-more";
        let known = of(secret);
        for engine in [STANDARD, URL_SAFE] {
            for before in ["", "a", "ab", "abc", "user:", "\u{ff}\u{ff}"] {
                for behind in ["", "\n", "xy", "\u{ff}"] {
                    let whole = engine.encode(format!("{before}{secret}{behind}"));
                    let form = known.iter().filter(|form| whole.contains(form.as_str())).map(String::len).max();
                    // all but a letter shared at either end
                    assert!(form >= Some(secret.len() * 8 / 6 - 2), "{whole}: {form:?}");
                }
            }
        }
    }
}
