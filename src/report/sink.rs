//! Where text goes: a shared writer that never fails its caller.
//!
//! Apart so that tests capture what is written, and so that a reader who went away (`| head`) ends nothing: a run on
//! a fleet must not stop because a pipe broke.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use console::Term;
use serde::Serialize;

use super::table::Fit;

/// A writer shared by everyone who reports.
///
/// Write errors are swallowed: a broken pipe silently, any other is kept for [`Sink::fault`]. After the first error
/// nothing more is written.
#[derive(Clone)]
pub struct Sink {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    writer: Box<dyn Write + Send>,
    closed: bool,
    fault: Option<String>,
}

impl Sink {
    /// Writes to `writer` from now on.
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        Self { inner: Arc::new(Mutex::new(Inner { writer: Box::new(writer), closed: false, fault: None })) }
    }

    /// Writes to stdout.
    pub fn stdout() -> Self {
        Self::new(io::stdout())
    }

    /// Writes to stderr.
    pub fn stderr() -> Self {
        Self::new(io::stderr())
    }

    /// A sink and what has been written to it so far, for tests.
    pub fn captured() -> (Self, Captured) {
        let captured = Captured::default();
        (Self::new(captured.clone()), captured)
    }

    /// Writes `text` whole and flushes.
    pub fn write(&self, text: &str) {
        let mut inner = self.lock();
        if inner.closed {
            return;
        }
        let wrote = inner.writer.write_all(text.as_bytes()).and_then(|()| inner.writer.flush());
        if let Err(error) = wrote {
            inner.closed = true;
            if error.kind() != io::ErrorKind::BrokenPipe {
                inner.fault = Some(error.to_string());
            }
        }
    }

    /// What went wrong with writing, unless it was only that nobody reads any more.
    pub fn fault(&self) -> Option<String> {
        self.lock().fault.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // whoever panicked while writing left at worst half a line
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sink")
    }
}

/// What was written to a captured sink.
#[derive(Clone, Debug, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// The text so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where data goes (tables of observations, lists): for eyes on a terminal, for programs elsewhere.
#[derive(Clone, Debug)]
pub struct Data {
    sink: Sink,
    terminal: Option<Term>,
}

impl Data {
    /// Data for a program or a file: tab-separated, whole.
    pub fn pipe(sink: Sink) -> Self {
        Self { sink, terminal: None }
    }

    /// Data for eyes: aligned, cut to the terminal's width of the moment.
    pub fn terminal(sink: Sink, terminal: Term) -> Self {
        Self { sink, terminal: Some(terminal) }
    }

    /// How tables are to be fitted now.
    pub fn fit(&self) -> Fit {
        match &self.terminal {
            None => Fit::Tabs,
            Some(terminal) => Fit::Width(usize::from(terminal.size().1)),
        }
    }

    /// Whether it goes to a terminal.
    pub fn is_terminal(&self) -> bool {
        self.terminal.is_some()
    }

    /// Writes `document` as one line of JSON in which nothing can command a terminal.
    pub fn json<T: Serialize>(&self, document: &T) {
        self.sink.write(&super::json::line(document));
    }

    /// The sink.
    pub fn sink(&self) -> &Sink {
        &self.sink
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_broken_pipe_is_no_fault_and_a_full_disk_is_one() {
        let pipe = Sink::new(Broken(io::ErrorKind::BrokenPipe));
        pipe.write("a");
        assert_eq!(pipe.fault(), None);
        let disk = Sink::new(Broken(io::ErrorKind::StorageFull));
        disk.write("a");
        disk.write("b");
        assert!(disk.fault().is_some());
    }
}
