//! How commands reach hosts.
//!
//! Two capabilities: [`Inspect`] looks and has no method that changes anything; [`Operate`] adds the methods that do.
//! A dry run is given the first, a run the second: that a dry run changes nothing is a matter of types, not of care.
//! Apart from the engine so that the same plan runs over ssh, on this machine, or on a script of answers.

pub mod capability;

pub use capability::{Act, Ended, Fault, Finished, HttpReply, Inspect, Look, Operate, OutputSink, Pending, Probe, Seen, Stream};
