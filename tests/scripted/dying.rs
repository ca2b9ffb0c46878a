//! The program's death at a record of its journal: a log that ends it there, and the catching of that end.

use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Poll;

use jiff::Timestamp;
use runbook::event::Event;
use runbook::journal::{EventLog, JournalError, MemoryLog};
use runbook::vocab::Digest;

/// Where the program dies, by the number of a record from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Crash {
    /// It was about to write it.
    Before(usize),
    /// It had just written it.
    After(usize),
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before(number) => write!(f, "before record {number}"),
            Self::After(number) => write!(f, "after record {number}"),
        }
    }
}

/// A log that the program does not outlive.
pub struct Dying {
    log: MemoryLog,
    written: usize,
    crash: Option<Crash>,
}

impl Dying {
    /// Goes on with `log`, which holds so many records, up to the crash.
    pub fn new(log: &MemoryLog, written: usize, crash: Option<Crash>) -> Self {
        Self { log: log.clone(), written, crash }
    }
}

impl EventLog for Dying {
    fn append(&mut self, at: Timestamp, event: Event) -> Result<Event, JournalError> {
        if self.crash == Some(Crash::Before(self.written + 1)) {
            die();
        }
        let written = self.log.append(at, event)?;
        self.written += 1;
        if self.crash == Some(Crash::After(self.written)) {
            die();
        }
        Ok(written)
    }

    fn keep_texts(&mut self, texts: &[(Digest, Vec<u8>)]) -> Result<(), JournalError> {
        self.log.keep_texts(texts)
    }

    fn head(&self) -> (u64, Digest) {
        self.log.head()
    }
}

/// The program died.
#[derive(Debug)]
pub struct Died;

/// Ends everything above at once, as a kill does: nothing behind this is done any more.
fn die() -> ! {
    resume_unwind(Box::new(Died))
}

/// The program: what it came to, unless it died. All that it had in flight is gone then; what runs on hosts is not.
pub async fn mortal<T>(program: impl Future<Output = T>) -> Result<T, Died> {
    let mut program = Box::pin(program);
    poll_fn(move |cx| match catch_unwind(AssertUnwindSafe(|| program.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(end) if end.is::<Died>() => Poll::Ready(Err(Died)),
        Err(panic) => resume_unwind(panic),
    })
    .await
}
