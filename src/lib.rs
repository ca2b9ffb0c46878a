//! runbook
pub mod event;
pub mod model;
pub mod plan;
pub mod transport;
pub mod vocab;
