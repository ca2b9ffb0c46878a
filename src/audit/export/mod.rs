//! Runs as rows for spreadsheets and other programs: `audit export`.
//!
//! One run after the other goes in and is written before the next: memory does not grow with their number. JSON Lines
//! are exact; CSV says the same in cells that neither a terminal nor a spreadsheet obeys.

mod rows;
mod writer;

pub use rows::{Override, RunRow, StepOutcome, StepRow};
pub use writer::{Export, ExportedRecord, Form, Row, What};
