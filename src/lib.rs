//! runbook
pub mod event;
pub mod model;
pub mod transport;
pub mod vocab;
