//! Secrets, texts that contain them, and the masker that keeps them out of everything that is written.
//!
//! Two fences, because either alone has holes: *types* ([`Secret`], [`MaskedText`]) show a placeholder wherever they
//! are printed or serialised, and the [`Masker`] replaces the known values in whatever passes the one writer of
//! events, so that a secret which a remote command prints is masked too.

use std::fmt;

use base64::Engine as _;
use serde::{Serialize, Serializer};

use super::{neutral, quote};

/// A secret value. It shows itself as `<secret>` in `Display`, `Debug` and serde; only [`Secret::expose`] gives it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a value into custody.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for sending it to where it is needed.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("<secret>")
    }
}

/// A text some pieces of which are secret: shown with `<secret:NAME>` in their places, exposed whole.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct MaskedText {
    exposed: String,
    shown: String,
}

impl MaskedText {
    /// A text with nothing secret in it.
    pub fn plain(text: impl Into<String>) -> Self {
        let exposed = text.into();
        Self { shown: exposed.clone(), exposed }
    }

    /// Appends a piece that anyone may see.
    pub fn push_plain(&mut self, text: &str) {
        self.exposed.push_str(text);
        self.shown.push_str(text);
    }

    /// Appends the value of the secret parameter `name`.
    pub fn push_secret(&mut self, name: &str, value: &str) {
        self.exposed.push_str(value);
        self.shown.push_str("<secret:");
        self.shown.push_str(name);
        self.shown.push('>');
    }

    /// The text with its secrets, for sending it to where it is needed.
    pub fn expose(&self) -> &str {
        &self.exposed
    }

    /// The text with placeholders, for everyone to see.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Whether a secret is in it.
    pub fn has_secret(&self) -> bool {
        self.exposed != self.shown
    }
}

impl fmt::Display for MaskedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for MaskedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.shown, f)
    }
}

impl Serialize for MaskedText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.shown)
    }
}

/// What stands in a text where a secret was.
const MASK: &str = "••••••";

/// What stands where a text was cut short.
const CUT: &str = "…";

/// Replaces known secret values, and the forms they commonly take, in any text.
///
/// Known forms: the value, its shell-quoted, URL-encoded, base64 (also in lines) and JSON-escaped forms, as `echo`
/// and a screen show it, and each line of a value with several; and the start of any of them where a text was cut with `…`. *Not guaranteed*: forms a command makes up itself (reversed, hashed, cut in two by its own output),
/// and values shorter than four bytes, which would mask half of every text.
#[derive(Clone, Default)]
pub struct Masker {
    needles: Vec<String>,
}

impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Masker({} forms)", self.needles.len())
    }
}

impl Masker {
    /// The shortest value that is masked, in bytes.
    pub const SHORTEST: usize = 4;

    /// Knows no secret.
    pub fn none() -> Self {
        Self::default()
    }

    /// Knows `secrets`.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut needles: Vec<String> = Vec::new();
        for secret in secrets {
            let echoed = echoed(secret);
            let whole = [secret, echoed.as_str()];
            let lines = whole.iter().flat_map(|value| value.lines().map(str::trim_end));
            for value in whole.into_iter().chain(lines) {
                needles.push(value.to_owned());
                needles.push(quote::shell_word(value));
                // inside single quotes a lone ' is written '\'' or '"'"': the words around it stay recognisable
                needles.push(value.replace('\'', "'\\''"));
                needles.push(value.replace('\'', "'\"'\"'"));
                needles.push(neutral::neutralise(value));
                needles.push(neutral::one_line(value));
                needles.push(percent_encode(value));
                let encoded = base64::engine::general_purpose::STANDARD.encode(value).trim_end_matches('=').to_owned();
                // base64(1) and openssl break their lines
                needles.extend([64, 76].iter().flat_map(|width| pieces(&encoded, *width)));
                needles.push(encoded);
                needles.push(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value));
                let json = serde_json::Value::from(value).to_string();
                needles.push(json[1..json.len() - 1].to_owned());
            }
        }
        needles.retain(|n| n.len() >= Self::SHORTEST);
        // longest first, so that a value is masked before a line of it is
        needles.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        needles.dedup();
        Self { needles }
    }

    /// Whether it knows no secret, so that callers may skip their work.
    pub fn is_empty(&self) -> bool {
        self.needles.is_empty()
    }

    /// The longest form it knows, in bytes.
    pub fn longest(&self) -> usize {
        self.needles.first().map_or(0, String::len)
    }

    /// Where a known form starts that lies across `cut`, the first such.
    fn straddling(&self, text: &str, cut: usize) -> Option<usize> {
        let starts = self.needles.iter().filter_map(|needle| {
            let mut from = cut.saturating_sub(needle.len() - 1);
            // forward: what starts before that ends at the cut at the latest, and would hide what lies across it
            while !text.is_char_boundary(from) {
                from += 1;
            }
            text[from..]
                .find(needle.as_str())
                .map(|at| from + at)
                .filter(|start| *start < cut && start + needle.len() > cut)
        });
        starts.min()
    }

    /// `text` with every known form replaced.
    pub fn mask(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for needle in &self.needles {
            if masked.contains(needle.as_str()) {
                masked = masked.replace(needle.as_str(), MASK);
            }
        }
        if masked.contains(CUT) { self.mask_cut(&masked) } else { masked }
    }

    /// `text` with the starts of known forms replaced that stand where it was cut.
    fn mask_cut(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for piece in text.split_inclusive(CUT) {
            let Some(before) = piece.strip_suffix(CUT) else {
                out.push_str(piece);
                continue;
            };
            let starts = self.needles.iter().filter_map(|needle| {
                let most = needle.len().min(before.len());
                let same = |len: &usize| {
                    let at = before.len() - len;
                    before.is_char_boundary(at) && needle.starts_with(&before[at..])
                };
                (Self::SHORTEST..=most).rev().find(same)
            });
            match starts.max() {
                Some(len) => out.extend([&before[..before.len() - len], MASK, CUT]),
                None => out.push_str(piece),
            }
        }
        out
    }

    /// Masks every text in a JSON value, keys included.
    pub fn mask_json(&self, value: &mut serde_json::Value) {
        if self.is_empty() {
            return;
        }
        match value {
            serde_json::Value::String(text) => *text = self.mask(text),
            serde_json::Value::Array(items) => items.iter_mut().for_each(|item| self.mask_json(item)),
            serde_json::Value::Object(map) => {
                let entries = std::mem::take(map);
                for (key, mut inner) in entries {
                    self.mask_json(&mut inner);
                    map.insert(self.mask(&key), inner);
                }
            }
            serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
        }
    }
}

/// Masks a stream that comes in chunks, also where a secret is split across them.
#[derive(Debug, Default)]
pub struct StreamMasker {
    held: String,
}

impl StreamMasker {
    /// Takes the next chunk and gives what is safe to show by now.
    ///
    /// With secrets to mask it gives whole lines only and keeps back as much as could be the start of a secret.
    pub fn feed(&mut self, masker: &Masker, chunk: &str) -> String {
        if masker.is_empty() {
            return chunk.to_owned();
        }
        self.held.push_str(chunk);
        let mut keep = 0;
        for needle in &masker.needles {
            // the longest tail that is the start of a needle: it may go on in the next chunk
            let most = needle.len().saturating_sub(1).min(self.held.len());
            for len in (keep + 1..=most).rev() {
                let at = self.held.len() - len;
                if self.held.is_char_boundary(at) && needle.starts_with(&self.held[at..]) {
                    keep = len;
                    break;
                }
            }
        }
        // a secret whose own end looks like the start of another must not be cut in two: it is held back whole, or
        // let go whole
        let mut cut = self.held.len() - keep;
        while let Some(start) = masker.straddling(&self.held, cut) {
            cut = start;
        }
        let tail = self.held.split_off(cut);
        let ready = masker.mask(&self.held);
        self.held = tail;
        ready
    }

    /// Gives what was held back, at the end of the stream.
    pub fn finish(&mut self, masker: &Masker) -> String {
        masker.mask(&std::mem::take(&mut self.held))
    }
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

/// An ASCII text in pieces of `width`.
fn pieces(text: &str, width: usize) -> Vec<String> {
    text.as_bytes().chunks(width).map(|piece| String::from_utf8_lossy(piece).into_owned()).collect()
}

fn percent_encode(value: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_never_show_themselves() {
        let secret = Secret::new("hunter2!");
        assert_eq!(
            format!("{secret} {secret:?} {}", serde_json::to_string(&secret).unwrap()),
            "<secret> <secret> \"<secret>\""
        );
        let mut text = MaskedText::plain("pw=");
        text.push_secret("password", "hunter2!");
        assert_eq!(text.expose(), "pw=hunter2!");
        assert_eq!(format!("{text} {text:?}"), "pw=<secret:password> \"pw=<secret:password>\"");
    }

    #[test]
    fn every_common_form_is_masked() {
        let value = "it's $ecret\nsecond line \"q\"";
        let masker = Masker::new([value]);
        let forms = [
            value.to_owned(),
            quote::shell_word(value),
            percent_encode(value),
            base64::engine::general_purpose::STANDARD.encode(value),
            serde_json::to_string(value).unwrap(),
            "second line \"q\"".to_owned(),
            "it's $ecret".to_owned(),
        ];
        for form in forms {
            let masked = masker.mask(&format!("a {form} b"));
            assert!(!masked.contains("ecret"), "{masked}");
            assert!(!masked.contains("second"), "{masked}");
            assert!(masked.starts_with("a ") && masked.ends_with(" b"));
        }
    }

    #[test]
    fn what_is_left_of_a_secret_in_a_cut_text_is_masked() {
        let masker = Masker::new(["hunter2-hunter2 and a bit more than that"]);
        assert_eq!(masker.mask("`hunter2-hun…` and `hun…` and more…"), format!("`{MASK}…` and `hun…` and more…"));
    }

    #[test]
    fn base64_in_lines_is_masked() {
        let value: String = (0..40).map(|n| format!("line {n} of a key\n")).collect();
        let masker = Masker::new([value.as_str()]);
        let encoded = base64::engine::general_purpose::STANDARD.encode(&value);
        for width in [64, 76] {
            let text = pieces(&encoded, width).join("\n");
            assert_eq!(masker.mask(&text).replace(MASK, "").trim_matches(['\n', '=']), "");
        }
    }

    #[test]
    fn a_secret_split_across_chunks_is_masked() {
        let masker = Masker::new(["hunter2-hunter2"]);
        let text = "password is hunter2-hunter2, hunter, hunter2-hunter2\n";
        for size in 1..text.len() {
            let mut stream = StreamMasker::default();
            let mut out = String::new();
            for chunk in text.as_bytes().chunks(size) {
                out.push_str(&stream.feed(&masker, std::str::from_utf8(chunk).unwrap()));
            }
            out.push_str(&stream.finish(&masker));
            assert_eq!(out, format!("password is {MASK}, hunter, {MASK}\n"), "chunks of {size}");
        }
    }

    #[test]
    fn a_secret_of_one_letter_many_times_is_masked() {
        let (secret, text) = ("é".repeat(13), "é".repeat(37));
        let masker = Masker::new([secret.as_str()]);
        let mut stream = StreamMasker::default();
        let out = stream.feed(&masker, &text) + &stream.finish(&masker);
        assert!(!out.contains(&secret), "{out}");
    }
}
