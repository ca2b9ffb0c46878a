//! Secrets, texts that contain them, and the masker that keeps them out of everything that is written.
//!
//! Two fences, because either alone has holes: *types* ([`Secret`], [`MaskedText`]) show a placeholder wherever they
//! are printed or serialised, and the [`Masker`] replaces the known values in whatever passes the one writer of
//! events, so that a secret which a remote command prints is masked too.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use serde::{Serialize, Serializer};

use super::forms;

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
const CUT: char = '…';

/// Replaces known secret values, and the forms they commonly take, in any text.
///
/// Known forms: the value and each line of one with several; both as a shell, `printf %q`, C, JSON, SQL and CSV quote
/// them; URL-encoded, in HTML, base64 (also within something longer, and in lines) and hexadecimal; as `echo` and a
/// screen show them; and the start of any of these where a text was cut with `…`. *Not guaranteed*: forms a command
/// makes up itself (reversed, hashed, encrypted, cut in two by its own output, encoded twice, base64 within something
/// longer that is broken in lines), the letter at each edge that base64 shares with what stands beside it, and values
/// and lines shorter than four bytes, which would mask half of every text.
#[derive(Clone, Default)]
pub struct Masker {
    /// Sorted, so that what a form starts with is found among them by halving.
    forms: Arc<[String]>,
    longest: usize,
    search: Search,
}

#[derive(Clone, Default)]
enum Search {
    /// Nothing is secret.
    #[default]
    Nothing,
    /// These forms are.
    Forms(AhoCorasick),
    /// There are too many forms to look for: all is.
    Everything,
}

impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Masker({} forms)", self.forms.len())
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
        let mut forms = BTreeSet::new();
        for secret in secrets {
            forms.append(&mut forms::of(secret));
        }
        forms.retain(|form| form.len() >= Self::SHORTEST);
        let forms: Arc<[String]> = forms.into_iter().collect();
        let search = if forms.is_empty() {
            Search::Nothing
        } else {
            AhoCorasick::new(forms.iter()).map_or(Search::Everything, Search::Forms)
        };
        Self { longest: forms.iter().map(String::len).max().unwrap_or_default(), forms, search }
    }

    /// Whether it knows no secret, so that callers may skip their work.
    pub fn is_empty(&self) -> bool {
        matches!(self.search, Search::Nothing)
    }

    /// `text` with every known form replaced.
    pub fn mask(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for place in self.places(text, 0) {
            out.extend([&text[from..place.start], MASK]);
            from = place.end;
        }
        out.push_str(&text[from..]);
        out
    }

    /// Where known forms are, those that overlap as one; `covered` bytes at the beginning are one already.
    fn places(&self, text: &str, covered: usize) -> Vec<Range<usize>> {
        let search = match &self.search {
            Search::Nothing => return Vec::new(),
            Search::Everything if text.is_empty() => return Vec::new(),
            Search::Everything => return std::iter::once(0..text.len()).collect(),
            Search::Forms(search) => search,
        };
        // in the order of their ends: a longer one may swallow several before it
        let mut places: Vec<Range<usize>> = Vec::new();
        if covered > 0 {
            places.push(0..covered);
        }
        let mut take = |mut place: Range<usize>| {
            while let Some(last) = places.pop_if(|last| place.start < last.end) {
                place = last.start.min(place.start)..last.end.max(place.end);
            }
            places.push(place);
        };
        let mut cuts = text.match_indices(CUT).map(|(at, _)| at).peekable();
        let mut piece = 0;
        let mut take_cut = |at: usize, take: &mut dyn FnMut(Range<usize>)| {
            let start = self.start_at_end(&text[piece..at]);
            if start >= Self::SHORTEST {
                take(at - start..at);
            }
            piece = at + CUT.len_utf8();
        };
        for found in search.find_overlapping_iter(text) {
            while let Some(at) = cuts.next_if(|at| *at <= found.end()) {
                take_cut(at, &mut take);
            }
            take(found.range());
        }
        cuts.for_each(|at| take_cut(at, &mut take));
        places
    }

    /// How many bytes at the end of `text` are the start of a form that may go on behind it; the most.
    fn start_at_end(&self, text: &str) -> usize {
        let most = self.longest.saturating_sub(1).min(text.len());
        let is_start = |length: &usize| {
            let end = &text.as_bytes()[text.len() - length..];
            let at = self.forms.partition_point(|form| form.as_bytes() < end);
            // a form that is all there goes on only where another starts with it
            self.forms[at..].iter().take(2).any(|form| form.len() > end.len() && form.as_bytes().starts_with(end))
        };
        (1..=most).rev().find(is_start).unwrap_or_default()
    }

    /// Masks every text in a JSON value, keys included; a number that is a secret becomes a text.
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
                    let mut key = self.mask(&key);
                    // two that look the same now: neither is lost
                    while map.contains_key(&key) {
                        key.push('\'');
                    }
                    map.insert(key, inner);
                }
            }
            serde_json::Value::Number(number) => {
                let plain = number.to_string();
                let masked = self.mask(&plain);
                if masked != plain {
                    *value = masked.into();
                }
            }
            serde_json::Value::Null | serde_json::Value::Bool(_) => {}
        }
    }
}

/// Masks a stream that comes in chunks, also where a secret is split across them: together what it gives is what
/// [`Masker::mask`] makes of the whole.
#[derive(Debug, Default)]
pub struct StreamMasker {
    /// What could be the start of a secret: less than the longest form.
    held: String,
    /// How much of its beginning belongs to a place whose mask was given.
    covered: usize,
}

impl StreamMasker {
    /// Takes the next chunk and gives what is safe to show by now: it keeps back what could be the start of a secret.
    pub fn feed(&mut self, masker: &Masker, chunk: &str) -> String {
        if masker.is_empty() {
            return chunk.to_owned();
        }
        self.held.push_str(chunk);
        let keep = masker.start_at_end(&self.held);
        self.give(masker, self.held.len() - keep)
    }

    /// Gives what was held back, at the end of the stream.
    pub fn finish(&mut self, masker: &Masker) -> String {
        self.give(masker, self.held.len())
    }

    /// Gives what stands before `cut`. A place that lies across it has its mask given here, and the rest of it nothing.
    fn give(&mut self, masker: &Masker, cut: usize) -> String {
        if cut == 0 {
            return String::new();
        }
        let mut out = String::new();
        let mut from = 0;
        let mut covered = 0;
        for place in masker.places(&self.held, self.covered).into_iter().take_while(|place| place.start < cut) {
            out.push_str(&self.held[from..place.start]);
            if place.start > 0 || self.covered == 0 {
                out.push_str(MASK);
            }
            from = place.end.min(cut);
            covered = place.end.saturating_sub(cut);
        }
        out.push_str(&self.held[from..cut]);
        self.held.drain(..cut);
        self.covered = covered;
        out
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use proptest::prelude::*;

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
    fn every_form_of_a_value_and_of_its_lines_is_masked() {
        let value = "it's $ecret\nsecond line \"q\"\nabc";
        let masker = Masker::new([value]);
        for form in forms::of(value).into_iter().chain(forms::of("second line \"q\"")) {
            if form.len() >= Masker::SHORTEST {
                assert_eq!(masker.mask(&format!("a  {form}  b")), format!("a  {MASK}  b"), "{form}");
            }
        }
        assert_eq!(masker.mask("abc"), "abc");
    }

    #[test]
    fn forms_that_overlap_are_one_place() {
        let masker = Masker::new(["hunter22", "22-and-more", "more"]);
        assert_eq!(masker.mask("<hunter22-and-more> hunter22more"), format!("<{MASK}> {MASK}{MASK}"));
    }

    #[test]
    fn json_is_masked_in_keys_and_numbers_and_loses_nothing() {
        let masker = Masker::new(["hunter22", "hunter23", "20260101"]);
        let mut json = serde_json::json!({"hunter22": 1, "hunter23": 2.5, "n": [20_260_101, 2026, true, null]});
        masker.mask_json(&mut json);
        let two = format!("{MASK}'");
        assert_eq!(json, serde_json::json!({MASK: 1, two: 2.5, "n": [MASK, 2026, true, null]}));
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
            let lines: Vec<&str> =
                encoded.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
            assert_eq!(masker.mask(&lines.join("\n")).replace(MASK, "").trim_matches(['\n', '=']), "");
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
        let masker = Masker::new(["é".repeat(13).as_str()]);
        let mut stream = StreamMasker::default();
        let mut out = String::new();
        for _ in 0..37 {
            out.push_str(&stream.feed(&masker, "é"));
            assert!(stream.held.len() < masker.longest);
        }
        assert_eq!(out + &stream.finish(&masker), MASK);
    }

    /// Secrets that are like one another and like what stands around them, so that places overlap and starts mislead.
    fn secrets() -> impl Strategy<Value = Vec<String>> {
        let close = "[ab]{4,9}";
        let odd = "[a'\"\\\\\n %é😀<&/]{4,12}";
        prop::collection::vec(prop_oneof![close, odd, "[a-z0-9]{4,20}"], 1..4)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn in_whatever_chunks_a_stream_comes_it_is_masked_as_the_whole_is(
            secrets in secrets(),
            parts in prop::collection::vec(
                prop_oneof![
                    (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0_usize..4)
                        .prop_map(|(form, cut, how)| Some((form, cut, how))),
                    Just(None),
                ],
                0..12,
            ),
            between in prop::collection::vec("[ab'é…=]{0,3}", 12),
            cuts in prop::collection::vec(1_usize..9, 0..60),
        ) {
            let masker = Masker::new(secrets.iter().map(String::as_str));
            let mut text = String::new();
            for (part, between) in parts.iter().zip(&between) {
                text.push_str(between);
                if let Some((form, cut, how)) = part {
                    let form = &masker.forms[form.index(masker.forms.len())];
                    let at = form.floor_char_boundary(cut.index(form.len()));
                    text.push_str(match how { 0 => &form[..at], 1 => &form[at..], _ => form });
                }
            }
            let whole = masker.mask(&text);
            for form in &*masker.forms {
                prop_assert!(!whole.contains(form.as_str()), "{form:?} is in {whole:?}, of {text:?}");
            }
            let mut stream = StreamMasker::default();
            let (mut out, mut rest) = (String::new(), text.as_str());
            for cut in cuts {
                let (chunk, behind) = rest.split_at(rest.ceil_char_boundary(cut.min(rest.len())));
                out.push_str(&stream.feed(&masker, chunk));
                prop_assert!(stream.held.len() < masker.longest);
                rest = behind;
            }
            out.push_str(&stream.feed(&masker, rest));
            out.push_str(&stream.finish(&masker));
            prop_assert_eq!(&out, &whole, "of {:?}", text);
            // what is between the masks is the text's own, in its order
            let mut behind = text.as_str();
            for kept in whole.split(MASK).filter(|kept| !kept.is_empty()) {
                let Some(at) = behind.find(kept) else {
                    return Err(TestCaseError::fail(format!("{kept:?} of {whole:?} is not in {text:?}")));
                };
                behind = &behind[at + kept.len()..];
            }
        }

        #[test]
        fn a_text_without_secrets_is_left_as_it_is(secrets in prop::collection::vec("[x-z]{4,9}", 1..4), text in "[a-w…•é \n]{0,60}") {
            let masker = Masker::new(secrets.iter().map(String::as_str));
            prop_assert_eq!(masker.mask(&text), text);
        }
    }
}
