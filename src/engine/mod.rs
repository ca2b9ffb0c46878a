//! Running a plan.
//!
//! Two ways in, by capability: [`rehearse()`](rehearse::rehearse) is given something that can only look,
//! [`perform()`](perform::perform) something that can act. Both read the same plan; only the second writes events.
//! The engine never sees YAML, a terminal or the environment: it is handed a plan, a fleet, a log, someone to ask.

pub mod ask;
mod attempt;
pub mod check;
pub mod ending;
pub mod host;
pub mod interrupt;
mod learn;
mod locks;
pub mod look;
pub mod options;
pub mod perform;
pub mod precondition;
pub mod recorder;
pub mod rehearse;
pub mod resume;
pub mod roll;
pub mod scope;
mod stamp;
pub mod trouble;
mod underway;
pub mod warning;

pub use ask::{Operator, Question, Response};
pub use ending::{Ending, Performed};
pub use interrupt::Interrupt;
pub use options::Options;
pub use perform::{Crew, perform};
pub use recorder::{RecordError, Recorder};
pub use rehearse::{Rehearsal, rehearse};
