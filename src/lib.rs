//! runbook
pub mod vocab;
pub mod model;
pub mod transport;
pub mod event;
pub mod report;
