//! runbook
pub mod event;
pub mod model;
pub mod source;
pub mod transport;
pub mod vocab;
