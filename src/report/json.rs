//! Events for programs: one JSON document a line.
//!
//! Apart from the journal's own form, which carries a chain of digests and versions; this is a stream of what happens
//! while it happens, with nothing kept.

use std::io;

use jiff::Timestamp;
use serde::Serialize;

use super::sink::Sink;
use crate::event::{Event, Observer, RunState};
use crate::vocab::neutral;

/// Writes `{"at":…,"event":{…}}` for each event. Progress is not told: it is for eyes.
#[derive(Debug)]
pub struct Json {
    out: Sink,
}

#[derive(Serialize)]
struct Entry<'a> {
    at: Timestamp,
    event: &'a Event,
}

impl Json {
    /// Writes to `out` from now on, stdout as a rule.
    pub fn new(out: Sink) -> Self {
        Self { out }
    }
}

impl Observer for Json {
    fn event(&self, at: Timestamp, event: &Event, _state: &RunState) {
        self.out.write(&line(&Entry { at, event }));
    }
}

/// `value` as one line of JSON in which nothing can command a terminal.
pub fn line<T: Serialize>(value: &T) -> String {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Harmless);
    if value.serialize(&mut serializer).is_err() {
        // our own types serialise; whatever else comes is told rather than lost
        bytes = br#"{"error":"cannot be written as JSON"}"#.to_vec();
    }
    bytes.push(b'\n');
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Writes as serde_json does, and also escapes what it leaves bare: DEL, C1 and invisible controls. The text that a
/// reader gets back is the same.
struct Harmless;

impl serde_json::ser::Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if neutral::neutralise(fragment) == fragment {
            return writer.write_all(fragment.as_bytes());
        }
        let mut buffer = [0; 4];
        for ch in fragment.chars() {
            let text = &*ch.encode_utf8(&mut buffer);
            if neutral::neutralise(text) == text {
                writer.write_all(text.as_bytes())?;
            } else {
                for unit in ch.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn one_line_for_each_event_and_none_for_progress() {
        let (out, lines) = Sink::captured();
        let tape = sample::failure();
        sample::play(&tape.told, &Json::new(out), |_| {});
        let text = lines.text();
        let read: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read.len(), tape.records().len());
        assert_eq!(read[0]["at"], "2026-11-22T03:15:00Z");
        let event: Event = serde_json::from_value(read[0]["event"].clone()).unwrap();
        assert_eq!(event, tape.records()[0].1);
    }

    #[test]
    fn a_line_is_harmless_and_reads_back_the_same() {
        let text = "\x1b[2J\u{9b}31m \u{202e}\u{e0041} \"q\" \u{7f} ü\n";
        let line = line(&text);
        assert!(line.trim_end().chars().all(|ch| !ch.is_control() && ch != '\u{202e}'), "{line:?}");
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
    }
}
