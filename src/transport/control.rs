//! Reading the wrapper's own lines out of a command's output.
//!
//! The wrapper marks its lines with `\x1e`, the errand's random nonce and a blank. They are taken out exactly, also
//! when they are split over chunks and when the command's last line had no newline. What came before the first of
//! them is noise of the login shell, not the command's.
//!
//! Public because a host that is not what it seems could send anything here: `fuzz/targets/control.rs` does.

use std::time::Duration;

/// A line of the wrapper. Times are the host's own, since its boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// On stdout: the command's output begins.
    Begin,
    /// On stderr: the command starts, or has started before.
    Start {
        /// Its process group.
        group: Group,
        /// When it started.
        at: Duration,
        /// When this was said.
        now: Duration,
    },
    /// On stderr: it was not started, and why.
    Refused(String),
    /// On stdout: the command has ended, nothing of its own follows.
    End,
    /// On stderr: the command has ended, nothing of its own follows.
    Exit(Exit),
    /// On stderr: there is no end to tell of.
    Lost(Loss),
}

/// The end of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its status.
    pub status: i32,
    /// When it ended; for a look nobody wrote that down.
    pub at: Option<Duration>,
    /// A process that it left behind holds its output open.
    pub held: bool,
}

/// Why a receipt tells of no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It never started, and never will.
    Never,
    /// Nothing of it lives, and nobody wrote down how it ended.
    Gone,
    /// Its host was booted since.
    Rebooted,
    /// It had started, and its receipt is not there any more.
    Missing,
}

/// The process group of a running command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The group.
    pub id: u32,
}

/// Noise beyond this is dropped.
const NOISE: usize = 16 * 1024;
/// No line of the wrapper is longer, its mark and its newline included.
const LONGEST: usize = 4096;

/// One stream's reader.
#[derive(Debug)]
pub struct ControlReader {
    mark: Vec<u8>,
    held: Vec<u8>,
    begun: bool,
    noise: Vec<u8>,
}

impl ControlReader {
    /// Reads the output of the errand with this nonce.
    pub fn new(nonce: &str) -> Self {
        Self { mark: format!("\x1e{nonce} ").into_bytes(), held: Vec::new(), begun: false, noise: Vec::new() }
    }

    /// Takes the next chunk: the command's own bytes are appended to `own`, the wrapper's lines given back.
    pub fn feed(&mut self, chunk: &[u8], own: &mut Vec<u8>) -> Vec<Line> {
        self.held.extend_from_slice(chunk);
        let mut lines = Vec::new();
        loop {
            let (at, whole) = self.find_mark();
            let before: Vec<u8> = self.held.drain(..at).collect();
            self.keep(&before, own);
            if !whole {
                return lines;
            }
            let Some(end) = self.held.iter().take(LONGEST).position(|&b| b == b'\n') else {
                if self.held.len() < LONGEST {
                    return lines;
                }
                // no line of the wrapper, whatever comes: only its first byte is given, as behind it one may begin
                let first = self.held.remove(0);
                self.keep(&[first], own);
                continue;
            };
            let text: Vec<u8> = self.held.drain(..=end).collect();
            match parse(&text[self.mark.len()..end]) {
                Some(line) => {
                    self.begun = true;
                    lines.push(line);
                }
                None => self.keep(&text, own),
            }
        }
    }

    /// Gives what was held back, at the end of the stream.
    pub fn finish(&mut self, own: &mut Vec<u8>) {
        let rest = std::mem::take(&mut self.held);
        self.keep(&rest, own);
    }

    /// What came before the wrapper's first line.
    pub fn noise(&self) -> String {
        String::from_utf8_lossy(&self.noise).into_owned()
    }

    /// Where a mark is, or where the start of one at the very end is, or the end.
    fn find_mark(&self) -> (usize, bool) {
        let mut from = 0;
        while let Some(found) = self.held[from..].iter().position(|&b| b == self.mark[0]) {
            let at = from + found;
            let rest = &self.held[at..];
            if rest.starts_with(&self.mark) {
                return (at, true);
            }
            if self.mark.starts_with(rest) {
                return (at, false);
            }
            from = at + 1;
        }
        (self.held.len(), false)
    }

    fn keep(&mut self, bytes: &[u8], own: &mut Vec<u8>) {
        if self.begun {
            own.extend_from_slice(bytes);
        } else {
            let room = NOISE.saturating_sub(self.noise.len()).min(bytes.len());
            self.noise.extend_from_slice(&bytes[..room]);
        }
    }
}

fn parse(text: &[u8]) -> Option<Line> {
    let text = std::str::from_utf8(text).ok()?;
    let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
    match kind {
        "begin" => Some(Line::Begin),
        "end" => Some(Line::End),
        "exit" => {
            let mut words = rest.split(' ');
            let status = words.next()?.parse().ok()?;
            let at = words.next().and_then(uptime);
            Some(Line::Exit(Exit { status, at, held: words.next() == Some("held") }))
        }
        "refused" => Some(Line::Refused(rest.to_owned())),
        "lost" => match rest {
            "never" => Some(Line::Lost(Loss::Never)),
            "gone" => Some(Line::Lost(Loss::Gone)),
            "rebooted" => Some(Line::Lost(Loss::Rebooted)),
            "missing" => Some(Line::Lost(Loss::Missing)),
            _ => None,
        },
        "start" => {
            let mut words = rest.split(' ');
            let _pid: u32 = words.next()?.parse().ok()?;
            // a group of 0 or 1 would be ours or everyone's when it is signalled
            let id: u32 = words.next()?.parse().ok().filter(|&id| id > 1)?;
            let (at, now) = (uptime(words.next()?)?, uptime(words.next()?)?);
            Some(Line::Start { group: Group { id }, at, now })
        }
        _ => None,
    }
}

/// Seconds since boot, as `/proc/uptime` has them.
fn uptime(text: &str) -> Option<Duration> {
    let (seconds, hundredths) = text.split_once('.').unwrap_or((text, "0"));
    let hundredths: u64 = if hundredths.len() <= 2 { hundredths.parse().ok()? } else { return None };
    Some(Duration::from_secs(seconds.parse().ok()?) + Duration::from_millis(hundredths * 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_out_wherever_chunks_split() {
        let text = b"noise\n\x1eabc start 12 12 9.50 9.55\nplain\x1e\x1eabX \x1eabc what\nlast\x1eabc exit 255 11.05 held\nlate";
        for size in 1..text.len() {
            let mut reader = ControlReader::new("abc");
            let (mut own, mut lines) = (Vec::new(), Vec::new());
            for chunk in text.chunks(size) {
                lines.extend(reader.feed(chunk, &mut own));
            }
            reader.finish(&mut own);
            let (at, now, end) =
                (Duration::from_millis(9500), Duration::from_millis(9550), Duration::from_millis(11_050));
            let start = Line::Start { group: Group { id: 12 }, at, now };
            let exit = Line::Exit(Exit { status: 255, at: Some(end), held: true });
            assert_eq!(lines, [start, exit], "chunks of {size}");
            assert_eq!(String::from_utf8_lossy(&own), "plain\x1e\x1eabX \x1eabc what\nlastlate", "chunks of {size}");
            assert_eq!(reader.noise(), "noise\n");
        }
    }

    #[test]
    fn a_line_too_long_is_none_wherever_chunks_split() {
        let long =
            [b"\x1eabc begin\n\x1eabc refused ".as_slice(), &b"x".repeat(2 * LONGEST), b"\n\x1eabc end\n"].concat();
        for size in [1, 100, LONGEST, long.len()] {
            let mut reader = ControlReader::new("abc");
            let (mut own, mut lines) = (Vec::new(), Vec::new());
            for chunk in long.chunks(size) {
                lines.extend(reader.feed(chunk, &mut own));
            }
            reader.finish(&mut own);
            assert_eq!(lines, [Line::Begin, Line::End], "chunks of {size}");
            assert_eq!(own.len(), long.len() - b"\x1eabc begin\n\x1eabc end\n".len(), "chunks of {size}");
        }
    }

    #[test]
    fn a_group_that_would_be_everyone_is_not_believed() {
        assert_eq!(parse(b"start 5 1 7.00 7.00"), None);
        assert_eq!(parse(b"start 5 0 7.00 7.00"), None);
        assert_eq!(parse(b"start 5 2 x 7.00"), None);
        assert_eq!(parse(b"exit 143"), Some(Line::Exit(Exit { status: 143, at: None, held: false })));
        assert_eq!(parse(b"lost never"), Some(Line::Lost(Loss::Never)));
        assert_eq!(parse(b"lost"), None);
    }
}
