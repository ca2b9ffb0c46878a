//! What a runbook means, with no YAML and no I/O.

pub mod target;

pub use target::{Target, Transport};
