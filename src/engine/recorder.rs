//! The one writer: what it is not told did not happen; what it could not write is shown as just that.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::event::{Event, IllegalEvent, Observer, Progress, RunState};
use crate::journal::{EventLog, JournalError};
use crate::vocab::{Clock, Digest, Masker, StepHost};

/// Why an event could not be recorded. Either way the run must not go on.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The journal cannot be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The event cannot follow what was before it: a fault of the program.
    #[error("a fault of the program, please report it: {0}")]
    Illegal(#[from] IllegalEvent),
}

/// Owns the state of a run. Every change goes through [`Recorder::record`]: first the table of legal events, then the
/// journal, then the observers. Clones share it; events are linearised here.
#[derive(Clone)]
pub struct Recorder {
    inner: Arc<Mutex<Inner>>,
    observers: Arc<[Arc<dyn Observer>]>,
    masker: Arc<Masker>,
}

struct Inner {
    state: RunState,
    log: Box<dyn EventLog>,
    clock: Arc<dyn Clock>,
    /// What ended and could not be written down.
    unrecorded: Vec<(StepHost, String)>,
}

impl Recorder {
    /// Goes on from `state`, whose events are in `log`.
    pub fn new(
        state: RunState,
        log: Box<dyn EventLog>,
        clock: Arc<dyn Clock>,
        observers: Vec<Arc<dyn Observer>>,
        masker: Masker,
    ) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner { state, log, clock, unrecorded: Vec::new() })),
            observers: observers.into(),
            masker: Arc::new(masker),
        }
    }

    /// What hides secrets.
    pub fn masker(&self) -> &Arc<Masker> {
        &self.masker
    }

    /// Records an event: when this returns, it is on disk as far as its kind must be, and everyone has been told.
    pub async fn record(&self, event: Event) -> Result<(), RecordError> {
        let event = self.masked(event);
        let mut inner = self.inner.lock().await;
        let at = inner.clock.now();
        let end = event.end().map(|(at, end)| (at.clone(), end));
        // the log refuses what its own fold of the table refuses; what it gives back is what a resume will read
        let written = match inner.log.append(at, event) {
            Ok(written) => written,
            Err(error) => {
                if let Some((at, end)) = end {
                    self.progress(&Progress::Unrecorded { at: at.clone(), end: end.clone() });
                    inner.unrecorded.push((at, end));
                }
                return Err(error.into());
            }
        };
        inner.state.apply(at, &written)?;
        for observer in self.observers.iter() {
            observer.event(at, &written, &inner.state);
        }
        Ok(())
    }

    /// Tells observers what goes on; nothing is written.
    pub fn progress(&self, progress: &Progress) {
        for observer in self.observers.iter() {
            observer.progress(progress);
        }
    }

    /// What ended and could not be written down: people must be told, for the journal cannot tell them.
    pub async fn unrecorded(&self) -> Vec<(StepHost, String)> {
        self.inner.lock().await.unrecorded.clone()
    }

    /// The number of records so far, and the digest of the last.
    pub async fn head(&self) -> (u64, Digest) {
        self.inner.lock().await.log.head()
    }

    /// Reads the state.
    pub async fn state<T>(&self, read: impl FnOnce(&RunState) -> T) -> T {
        read(&self.inner.lock().await.state)
    }

    /// Replaces known secrets in every text of an event.
    fn masked(&self, event: Event) -> Event {
        if self.masker.is_empty() {
            return event;
        }
        let Ok(mut json) = serde_json::to_value(&event) else { return event };
        self.masker.mask_json(&mut json);
        if let Ok(masked) = serde_json::from_value(json) {
            return masked;
        }
        // a secret that is a piece of a host's name, a digest or the format's own words broke the event: mask every
        // other text
        let Ok(mut json) = serde_json::to_value(&event) else { return event };
        let mut pointers = Vec::new();
        texts(&json, &mut String::new(), &mut pointers);
        for pointer in pointers {
            let Some(text) = json.pointer_mut(&pointer) else { continue };
            let plain = text.clone();
            self.masker.mask_json(text);
            if *text == plain || serde_json::from_value::<Event>(json.clone()).is_ok() {
                continue;
            }
            if let Some(text) = json.pointer_mut(&pointer) {
                *text = plain;
            }
        }
        serde_json::from_value(json).unwrap_or(event)
    }
}

/// The JSON pointers of every text in `value`.
fn texts(value: &serde_json::Value, at: &mut String, out: &mut Vec<String>) {
    let mut inside = |key: &str, inner: &serde_json::Value| {
        let length = at.len();
        at.push('/');
        at.push_str(&key.replace('~', "~0").replace('/', "~1"));
        texts(inner, at, out);
        at.truncate(length);
    };
    match value {
        serde_json::Value::String(_) => out.push(at.clone()),
        serde_json::Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| inside(&index.to_string(), item));
        }
        serde_json::Value::Object(map) => map.iter().for_each(|(key, item)| inside(key, item)),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}
