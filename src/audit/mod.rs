//! What is asked of records: which runs, whether they are whole, what they come to together.
//!
//! Apart from the journal, which keeps one run at a time and believes nothing: here many runs are looked at together,
//! beside what their hosts and their operators' keys say. Apart from `report`, which shows what it is given and knows no
//! journal.

pub mod against_hosts;
mod chain;
pub mod export;
mod filter;
mod finding;
mod kind;
pub mod page;
mod proof;
mod selection;
mod signature;
mod survey;

pub use against_hosts::{Asked, HostFinding, Seen};
pub use chain::{Chain, Newest};
pub use filter::Filter;
pub use finding::{Finding, NamedBy};
pub use kind::{Kind, standing};
pub use proof::Proof;
pub use selection::{Page, Selection, last_runs};
pub use signature::{Key, Signer, Signers};
pub use survey::{Sight, before, survey};
