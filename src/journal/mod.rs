//! Events on disk: one folder a run, one line an event, each line chained to the one before it.
//!
//! ```text
//! DIR/runs/RUN_ID/journal.jsonl      the records
//!                 texts/DIGEST       what the plan was made from
//!                 outputs/DIGEST     large outputs, whole
//!                 journal.torn-N     half records that crashes left
//!                 seals.jsonl        what each stretch came to, signed
//! DIR/index                          what is known of each run, made from the journals
//! DIR/chain/                         the newest run and the newest seal, which the next ones name
//!     pruned.jsonl                   the seals of runs whose journals were removed
//! ```
//!
//! Apart from the engine because everything that comes after a run (resume, audit, the next program's version) lives
//! on these files alone. The writer is strict with itself: what it cannot read back it does not write, what it could
//! not sync it does not claim, and it begins nothing whose end would have no room. The reader believes nothing.
//!
//! Two chains go through all runs of a state dir: each run names the first record of the run that started before it,
//! each seal the one that was made before it. What they show is told by whoever looks at all runs (`audit`).
//!
//! Not guaranteed: see [`Integrity`] for what a chain cannot show, and [`Journal`] for what a disk can break.

mod attachment;
mod chain;
mod error;
mod finding;
mod folder;
mod group;
mod index;
mod integrity;
mod log;
mod memory;
mod newest;
mod pruned;
mod reader;
mod record;
mod room;
mod seal;
mod sealing;
mod skim;
mod store;
mod walker;
mod writer;

#[cfg(test)]
mod tests;

pub use attachment::LARGE_OUTPUT;
pub use error::{Doing, Fate, JournalError};
pub use finding::FindError;
pub use group::GroupError;
pub use index::{Catalogue, Entry, Facts, Indexed, Known};
pub use integrity::{Fault, FileFault, Integrity};
pub use log::EventLog;
pub use memory::MemoryLog;
pub use pruned::Pruned;
pub use reader::{Replay, Verification, verify};
pub use record::{FORMAT, Record};
pub use seal::{NAMESPACE, Seal, SealFault, SealLink, Signature, Statement};
pub use sealing::Sealing;
pub use store::Store;
pub use writer::Journal;
