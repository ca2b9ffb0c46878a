//! What is asked of records: which runs, whether they are whole, what they come to together.
//!
//! Apart from the journal, which keeps one run at a time and believes nothing: here many runs are looked at together,
//! beside what their hosts and their operators' keys say. Apart from `report`, which shows what it is given and knows no
//! journal.

mod filter;
mod kind;
mod selection;
mod signature;

pub use filter::Filter;
pub use kind::{Kind, standing};
pub use selection::{Page, Selection, last_runs};
pub use signature::{Key, Signer, Signers};
