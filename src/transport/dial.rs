//! Byte streams to a name and a port, from the target host or from here.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::capability::Fault;
use super::channel::Carrier;
use super::connection::{Connection, conversation};
use super::local::Here;
use crate::vocab::command::From as Origin;
use crate::vocab::observation::NoReply;

/// A byte stream, wherever it starts.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Whoever can connect from a host to elsewhere.
pub(super) trait Dial: Carrier {
    /// Connects the host to `to`:`port`.
    fn dial(&self, to: &str, port: u16) -> impl Future<Output = Result<Box<dyn Stream>, Fault>> + Send;
}

impl Dial for Connection {
    async fn dial(&self, to: &str, port: u16) -> Result<Box<dyn Stream>, Fault> {
        Ok(Box::new(self.forward(to, port).await?))
    }
}

impl Dial for Here {
    async fn dial(&self, to: &str, port: u16) -> Result<Box<dyn Stream>, Fault> {
        match TcpStream::connect((to, port)).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(conversation(reason(&error), &error.to_string())),
        }
    }
}

/// Connects to `to`:`port` from where it should.
pub(super) async fn dial<D: Dial>(host: &D, from: Origin, to: &str, port: u16) -> Result<Box<dyn Stream>, Fault> {
    match from {
        Origin::Host => host.dial(to, port).await,
        Origin::Here => Here.dial(to, port).await,
    }
}

/// The kind of failure behind an error of a stream.
pub(super) fn reason(error: &io::Error) -> NoReply {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => NoReply::Refused,
        io::ErrorKind::TimedOut => NoReply::TimedOut,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => NoReply::Closed,
        // unreachable networks, and names that do not resolve, which have no kind of their own
        _ => NoReply::NoRoute,
    }
}
