//! What happened in a run, as data, and the state that follows from it.
//!
//! Apart from the model on purpose: an event knows ids and texts, never a runbook's types, so that an old journal can
//! be read when the language has changed. The journal, the screen, resume and the audit all live on these types.

pub mod changed;
pub mod happening;
pub mod observer;
pub mod opening;
pub mod outcome;
pub mod state;

pub use changed::changed;
pub use happening::{
    AckHow, ActionKind, Answer, AskedWhat, Choice, Event, Found, HostVerdict, LockedHost, Moment, Output, OverrideHow,
    PrunedRun, StoredOutput, Unlocked,
};
pub use observer::{Observer, Progress};
pub use opening::{HostEntry, Link, Opened, OperatorEntry, Resumed, StepEntry, TextEntry};
pub use outcome::{ActionEnd, FailureKind, Outcome};
pub use state::{IllegalEvent, RunState, RunStatus, Sent, StepState, Undos};
