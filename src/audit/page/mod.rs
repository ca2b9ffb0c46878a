//! Pages of records for people who were not there: one run, or all runs of a period.
//!
//! Data in, a text out: no clock, no file. A page is whole by itself (no script, nothing loaded, nothing sent) and holds
//! nothing that its text does not say: colours and drawings only repeat it.

mod course;
mod days;
mod glance;
mod html;
mod made;
mod output;
mod period;
mod run;
mod scale;
mod steps;
#[cfg(test)]
mod tests;
mod timeline;
mod verified;

pub use made::Made;
pub use period::{Period, Seen};
pub use run::Run;
pub use verified::Verified;
