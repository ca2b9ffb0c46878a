//! How commands reach hosts.
//!
//! Two capabilities: [`Inspect`] looks and has no method that changes anything; [`Operate`] adds the methods that do.
//! A dry run is given the first, a run the second: that a dry run changes nothing is a matter of types, not of care.
//! Apart from the engine so that the same plan runs over ssh, on this machine, or on a script of answers.
//!
//! From the bottom up: `refusal`, `master` and `connection` bring a session to a host, `local` a process on this
//! machine, each a `channel`; `spare` is a session opened ahead; `wrapper`, `receipt` and `control` are what is said over
//! it; `exchange` says it and `gathered` keeps what is heard; `conduct` looks, `action` acts, `stop` stops; `lease` and
//! `lock` are how a host is locked; `left` finds what actions have left there, `stamps` what runs have left in its syslog; `dial`, `tls`, `tcp` and `http` are the conversations; `host` puts it together.

mod action;
pub mod capability;
mod channel;
mod conduct;
mod connection;
pub mod control;
#[cfg(test)]
mod cut_tests;
mod dial;
mod exchange;
mod fleet;
mod gathered;
mod host;
mod http;
mod lease;
#[cfg(test)]
mod lease_tests;
pub mod left;
#[cfg(test)]
mod left_tests;
mod local;
#[cfg(test)]
mod local_tests;
mod lock;
mod master;
pub mod receipt;
mod refusal;
pub mod scripted;
mod spare;
mod ssh;
pub mod stamps;
#[cfg(test)]
mod stamps_tests;
mod stop;
mod tcp;
mod tls;
mod wrapper;
#[cfg(test)]
mod wrapper_tests;

pub use capability::{
    Act, Became, Claim, Ended, Fault, Finished, HttpReply, Inspect, Lock, Look, Notice, NoticeSink, Operate,
    OutputSink, Pending, Probe, Seen, Sending, Stream,
};
pub use fleet::{Fleet, Settings};
pub use left::{Fate, LeftReceipt, LeftRun, Written};
pub use local::Local;
pub use scripted::Scripted;
pub use ssh::Ssh;
pub use tls::secure;

/// A random mark for one command, that nothing on the host can know beforehand.
fn nonce() -> Result<String, String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| format!("no random numbers: {error}"))?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}
