//! A wrapper that was started somewhere, with its three streams, before anything was sent to it.
//!
//! What the ssh and the local transport have in common; everything above it does not know which it is.

use std::future::Future;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OwnedSemaphorePermit;

use super::capability::Fault;
use super::wrapper::Bootstrap;

/// The streams of one started wrapper.
pub(super) struct Channel {
    /// What it reads.
    pub(super) stdin: Box<dyn AsyncWrite + Send + Unpin>,
    /// What it writes.
    pub(super) stdout: Box<dyn AsyncRead + Send + Unpin>,
    /// What it writes on stderr.
    pub(super) stderr: Box<dyn AsyncRead + Send + Unpin>,
    /// Its exit status, when it has one.
    pub(super) ended: Pin<Box<dyn Future<Output = Option<i32>> + Send>>,
    /// Its place among the host's sessions, given back when the channel is dropped.
    pub(super) _place: Option<OwnedSemaphorePermit>,
}

/// How much a wrapper is needed, where a host has no place for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Priority {
    /// It waits for a place among the host's sessions.
    Normal,
    /// It takes no place: stopping something must not wait for it to end.
    Urgent,
    /// It takes a place that is free, or does without.
    Spare,
}

/// Whoever can start a wrapper on one host.
pub(super) trait Carrier: Clone + Send + Sync + 'static {
    /// Starts it. When this fails, nothing was sent.
    fn open(&self, bootstrap: &Bootstrap, priority: Priority) -> impl Future<Output = Result<Channel, Fault>> + Send;
}
