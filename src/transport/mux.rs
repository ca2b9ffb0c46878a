//! The protocol of OpenSSH's shared connections (PROTOCOL.mux, version 4), as far as it is needed.
//!
//! A master process of `ssh` holds the connection; whoever may open its control socket asks it for sessions and
//! forwarded streams, and hands over the descriptors these shall use. Spoken here rather than through a child process
//! per command (three times the time), and rather than through a crate: those that exist hide exit status 127, cannot
//! open a forwarded stream (`ssh -W`), which alone tells a closed port from an open one, and cannot end a master.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::UnixStream;

const VERSION: u32 = 4;
const HELLO: u32 = 0x0000_0001;
const NEW_SESSION: u32 = 0x1000_0002;
const ALIVE_CHECK: u32 = 0x1000_0004;
const TERMINATE: u32 = 0x1000_0005;
const NEW_STDIO_FORWARD: u32 = 0x1000_0008;
const STOP_LISTENING: u32 = 0x1000_0009;
const PERMISSION_DENIED: u32 = 0x8000_0002;
const FAILURE: u32 = 0x8000_0003;
const EXIT_MESSAGE: u32 = 0x8000_0004;
const SESSION_OPENED: u32 = 0x8000_0006;

/// The longest message that is believed.
const LONGEST: u32 = 256 * 1024;
/// No escape character.
const NO_ESCAPE: u32 = 0xffff_ffff;

/// Why the master did not do as asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum MuxError {
    /// There is no master, or it went away.
    #[error("no shared connection")]
    Gone(#[source] io::Error),
    /// The host refused to open the session or the stream; it was not opened.
    #[error("refused: {0}")]
    Refused(String),
    /// The master does not speak as it should.
    #[error("the shared connection answered {0:#x}")]
    Unexpected(u32),
}

impl From<io::Error> for MuxError {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

/// A client of a master: good for one request.
#[derive(Debug)]
pub(super) struct Mux {
    stream: UnixStream,
}

/// A session or stream that was opened. The master closes it when this is dropped.
#[derive(Debug)]
pub(super) struct Opened {
    stream: UnixStream,
}

impl Mux {
    /// Opens the control socket and greets. A socket whose master is dead refuses.
    pub(super) async fn connect(socket: &Path) -> Result<Self, MuxError> {
        let mut mux = Self { stream: UnixStream::connect(socket).await? };
        mux.stream.write_all(&Message::new(HELLO).number(VERSION).packed()).await?;
        let (kind, body) = mux.read().await?;
        if kind != HELLO || number(&body, 0) != Some(VERSION) {
            return Err(MuxError::Unexpected(kind));
        }
        Ok(mux)
    }

    /// Starts `command` with these as its standard input, output and error (in blocking mode).
    pub(super) async fn session(self, command: &str, descriptors: [OwnedFd; 3]) -> Result<Opened, MuxError> {
        // request id, reserved, then: terminal, X11, agent, subsystem: none of them
        let message = Message::new(NEW_SESSION).number(0).text("");
        let message = message.number(0).number(0).number(0).number(0).number(NO_ESCAPE).text("").text(command);
        self.open(message, &descriptors).await
    }

    /// Connects the host to `to`:`port`, with these as the stream's two directions.
    pub(super) async fn forward(self, to: &str, port: u16, descriptors: [OwnedFd; 2]) -> Result<Opened, MuxError> {
        let message = Message::new(NEW_STDIO_FORWARD).number(0).text("").text(to).number(u32::from(port));
        self.open(message, &descriptors).await
    }

    /// Whether the master lives.
    pub(super) async fn alive(mut self) -> Result<(), MuxError> {
        self.stream.write_all(&Message::new(ALIVE_CHECK).number(0).packed()).await?;
        self.read().await.map(drop)
    }

    /// Makes the master take no more requests, so that a new one can take its place; what runs over it runs on.
    pub(super) async fn retire(mut self) -> Result<(), MuxError> {
        self.stream.write_all(&Message::new(STOP_LISTENING).number(0).packed()).await?;
        self.read().await.map(drop)
    }

    /// Ends the master and everything over it.
    pub(super) async fn terminate(mut self) -> Result<(), MuxError> {
        self.stream.write_all(&Message::new(TERMINATE).number(0).packed()).await?;
        self.read().await.map(drop)
    }

    async fn open(mut self, message: Message, descriptors: &[OwnedFd]) -> Result<Opened, MuxError> {
        self.stream.write_all(&message.packed()).await?;
        for descriptor in descriptors {
            self.hand_over(descriptor).await?;
        }
        match self.read().await? {
            (SESSION_OPENED, _) => Ok(Opened { stream: self.stream }),
            (PERMISSION_DENIED | FAILURE, body) => Err(MuxError::Refused(text(&body, 4))),
            (kind, _) => Err(MuxError::Unexpected(kind)),
        }
    }

    /// Passes one descriptor along with one byte, as the master expects it.
    async fn hand_over(&self, descriptor: &OwnedFd) -> io::Result<()> {
        self.stream
            .async_io(Interest::WRITABLE, || {
                let descriptors = [descriptor.as_fd()];
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
                let mut ancillary = SendAncillaryBuffer::new(&mut space);
                ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
                let sent = rustix::net::sendmsg(&self.stream, &[IoSlice::new(&[0])], &mut ancillary, SendFlags::NOSIGNAL)?;
                if sent == 1 { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
            })
            .await
    }

    async fn read(&mut self) -> Result<(u32, Vec<u8>), MuxError> {
        Ok(read(&mut self.stream).await?)
    }
}

impl Opened {
    /// Waits for the end: the exit status, or none when the connection broke or a signal ended the session.
    pub(super) async fn ended(mut self) -> Option<i32> {
        loop {
            match read(&mut self.stream).await {
                // session id, exit status
                Ok((EXIT_MESSAGE, body)) => return number(&body, 4).and_then(|status| i32::try_from(status).ok()),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }
}

/// Reads one message: its kind, and what follows the kind.
async fn read(stream: &mut UnixStream) -> io::Result<(u32, Vec<u8>)> {
    let length = stream.read_u32().await?;
    if !(4..=LONGEST).contains(&length) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let kind = stream.read_u32().await?;
    let mut body = vec![0; length as usize - 4];
    stream.read_exact(&mut body).await?;
    Ok((kind, body))
}

fn number(body: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(body.get(at..at + 4)?.try_into().ok()?))
}

fn text(body: &[u8], at: usize) -> String {
    let length = number(body, at).unwrap_or(0) as usize;
    String::from_utf8_lossy(body.get(at + 4..at + 4 + length).unwrap_or_default()).into_owned()
}

/// A message being written.
struct Message(Vec<u8>);

impl Message {
    fn new(kind: u32) -> Self {
        Self(vec![0; 4]).number(kind)
    }

    fn number(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    fn text(self, value: &str) -> Self {
        let mut message = self.number(u32::try_from(value.len()).unwrap_or(u32::MAX));
        message.0.extend_from_slice(value.as_bytes());
        message
    }

    fn packed(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - 4).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_packed_as_the_protocol_has_it() {
        let packed = Message::new(FAILURE).number(7).text("no").packed();
        assert_eq!(packed, [0, 0, 0, 14, 0x80, 0, 0, 3, 0, 0, 0, 7, 0, 0, 0, 2, b'n', b'o']);
        assert_eq!(text(&packed[8..], 4), "no");
        assert_eq!(text(&packed[8..12], 4), "", "a message cut short");
    }
}
