//! What a command has written so far, from however many sources tell it.
//!
//! The same output can come twice: while a command runs by whoever follows it, at its end by the wrapper, after a lost
//! connection from where the last one stopped. Each source says from which byte on it tells; only what is new counts.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::capability::{OutputSink, Stream};

/// A command's output so far.
#[derive(Default)]
pub(super) struct Gathered {
    streams: Mutex<Streams>,
    sink: Option<OutputSink>,
}

/// What was written on both streams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Streams {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

impl Gathered {
    /// Tells `sink` what is new.
    pub(super) fn told_to(sink: OutputSink) -> Self {
        Self { streams: Mutex::default(), sink: Some(sink) }
    }

    /// A source has told `chunk`, which starts `at` bytes into `stream`.
    pub(super) fn add(&self, stream: Stream, at: usize, chunk: &[u8]) {
        let mut streams = self.lock();
        let whole = match stream {
            Stream::Stdout => &mut streams.stdout,
            Stream::Stderr => &mut streams.stderr,
        };
        // a gap cannot be: a source starts where something was heard before
        let known = whole.len().saturating_sub(at);
        if let Some(new) = chunk.get(known..).filter(|new| !new.is_empty()) {
            whole.extend_from_slice(new);
            if let Some(sink) = &self.sink {
                sink(stream, new);
            }
        }
    }

    /// How much there is of stdout and of stderr.
    pub(super) fn seen(&self) -> (usize, usize) {
        let streams = self.lock();
        (streams.stdout.len(), streams.stderr.len())
    }

    /// All that was written so far; nothing is left.
    pub(super) fn take(&self) -> Streams {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_comes_twice_counts_once() {
        let told: Arc<Mutex<Vec<u8>>> = Arc::default();
        let sink = Arc::clone(&told);
        let gathered = Gathered::told_to(Arc::new(move |_, new| sink.lock().unwrap().extend_from_slice(new)));
        gathered.add(Stream::Stdout, 0, b"one ");
        gathered.add(Stream::Stdout, 0, b"one two ");
        gathered.add(Stream::Stdout, 4, b"two th");
        gathered.add(Stream::Stdout, 10, b"ree");
        gathered.add(Stream::Stdout, 0, b"one");
        assert_eq!(gathered.seen(), (13, 0));
        assert_eq!(gathered.take().stdout, b"one two three");
        assert_eq!(*told.lock().unwrap(), b"one two three");
    }
}
