//! The masker of streams: a secret never comes through, wherever the chunks are cut.

#![no_main]

use libfuzzer_sys::fuzz_target;
use runbook::vocab::{Masker, StreamMasker};

fuzz_target!(|bytes: &[u8]| {
    // two secrets, each up to a NUL; how long the chunks are, up to the next; the stream
    let mut parts = bytes.splitn(4, |byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let (first, second, cuts) = (part(), part(), part());
    let stream = String::from_utf8_lossy(part());
    let secrets = [first, second].map(|secret| String::from_utf8_lossy(secret));
    let secrets: Vec<&str> = secrets.iter().map(|secret| secret.as_ref()).filter(|secret| secret.len() >= 4).collect();
    // a secret made of what stands in a secret's place is beyond help
    if secrets.iter().any(|secret| secret.len() > 200 || secret.contains(['•', '…'])) {
        return;
    }
    let masker = Masker::new(secrets.iter().copied());
    let mut chunks = StreamMasker::default();
    let mut shown = String::new();
    let mut rest = stream.as_ref();
    for cut in cuts {
        let mut at = usize::from(*cut).min(rest.len());
        while !rest.is_char_boundary(at) {
            at += 1;
        }
        let (chunk, behind) = rest.split_at(at);
        shown.push_str(&chunks.feed(&masker, chunk));
        rest = behind;
    }
    shown.push_str(&chunks.feed(&masker, rest));
    shown.push_str(&chunks.finish(&masker));
    for secret in &secrets {
        assert!(!shown.contains(secret), "{secret:?} is in {shown:?}, of {stream:?} cut by {cuts:?}");
    }
    if secrets.is_empty() {
        assert_eq!(shown, stream);
    }
});
