//! Events on disk: one folder a run, one line an event, each line chained to the one before it.
//!
//! ```text
//! DIR/runs/RUN_ID/journal.jsonl      the records
//!                 texts/DIGEST       what the plan was made from
//!                 outputs/DIGEST     large outputs, whole
//!                 journal.torn-N     half records that crashes left
//! ```
//!
//! Apart from the engine because everything that comes after a run (resume, audit, the next program's version) lives
//! on these files alone. The writer is strict with itself: what it cannot read back it does not write, what it could
//! not sync it does not claim, and it begins nothing whose end would have no room. The reader believes nothing.
//!
//! Not guaranteed: see [`Integrity`] for what a chain cannot show, and [`Journal`] for what a disk can break.

mod attachment;
mod chain;
mod error;
mod finding;
mod folder;
mod group;
mod integrity;
mod listing;
mod log;
mod memory;
mod reader;
mod record;
mod room;
mod store;
mod writer;

#[cfg(test)]
mod tests;

pub use attachment::LARGE_OUTPUT;
pub use error::{Doing, Fate, JournalError};
pub use finding::FindError;
pub use group::GroupError;
pub use integrity::{Fault, FileFault, Integrity};
pub use listing::{RunListing, RunSummary};
pub use log::EventLog;
pub use memory::MemoryLog;
pub use reader::{Replay, Verification, verify};
pub use record::{FORMAT, Record};
pub use store::Store;
pub use writer::Journal;
