//! runbook
pub mod vocab;
pub mod model;
pub mod transport;
