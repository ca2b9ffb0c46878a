//! Shared connections, one for each host, user, port and configuration; sessions and forwarded streams over them.
//!
//! Nothing here has a state that could be wrong: the control socket on disk is asked each time, and when nobody
//! answers there, a new master is started.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::unix::pipe;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::capability::Fault;
use super::channel::{Carrier, Channel};
use super::fleet::Settings;
use super::master::{self, Files};
use super::mux::{Mux, MuxError, Opened};
use super::refusal::{self, Place, own_fault};
use super::wrapper::Bootstrap;
use crate::model::Target;
use crate::vocab::observation::NoReply;

/// How often a session that the host refuses is asked for again.
const REFUSALS: u32 = 12;
/// The pause before the second try; it doubles.
const PAUSE: Duration = Duration::from_millis(10);

/// All shared connections.
#[derive(Debug)]
pub(super) struct Connections {
    settings: Arc<Settings>,
    connecting: Arc<Semaphore>,
    prepared: OnceLock<Result<(), Fault>>,
    known: Mutex<HashMap<Place, Connection>>,
}

impl Connections {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            connecting: Arc::new(Semaphore::new(settings.parallel.max(1))),
            settings: Arc::new(settings),
            prepared: OnceLock::new(),
            known: Mutex::default(),
        }
    }

    /// The connection to `target`; nothing is connected yet.
    pub(super) fn to(&self, target: &Target) -> Result<Connection, Fault> {
        self.prepared.get_or_init(|| master::prepare(&self.settings.control_dir)).clone()?;
        let place = Place {
            address: target.address.clone(),
            port: target.port,
            user: target.user.clone(),
            config: target.ssh_config.clone(),
        };
        if place.address.is_empty() || place.address.starts_with('-') {
            return Err(own_fault(format!("`{}` is not an address", place.address), None));
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = known.entry(place).or_insert_with_key(|place| Connection {
            files: Files::of(place, &self.settings.control_dir),
            place: Arc::new(place.clone()),
            settings: Arc::clone(&self.settings),
            sessions: Arc::new(Semaphore::new(self.settings.sessions_per_host.max(1))),
            connecting: Arc::clone(&self.connecting),
            establishing: Arc::default(),
        });
        Ok(connection.clone())
    }

    /// Ends the masters of all connections used so far.
    pub(super) async fn close(&self) {
        let all: Vec<Connection> = self.known.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for connection in all {
            connection.close().await;
        }
    }
}

/// One shared connection.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    place: Arc<Place>,
    files: Files,
    settings: Arc<Settings>,
    sessions: Arc<Semaphore>,
    connecting: Arc<Semaphore>,
    establishing: Arc<tokio::sync::Mutex<()>>,
}

impl Connection {
    /// A client of the master, which is started when there is none.
    async fn reach(&self) -> Result<Mux, Fault> {
        if let Ok(Ok(mux)) = timeout(self.settings.connect_timeout.get(), Mux::connect(&self.files.socket)).await {
            return Ok(mux);
        }
        let _one = self.establishing.lock().await;
        if let Some(mux) = master::attach(&self.files.socket, &self.settings).await {
            return Ok(mux);
        }
        let _some = self.connecting.acquire().await;
        master::establish(&self.place, &self.files, &self.settings).await
    }

    /// Makes sure that there is a connection.
    pub(super) async fn ensure(&self) -> Result<(), Fault> {
        let mux = self.reach().await?;
        match timeout(self.settings.connect_timeout.get(), mux.alive()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => self.reach().await.map(drop),
        }
    }

    /// Has the next use start a new master: this one does not open sessions any more.
    async fn forget(&self) {
        if let Ok(Ok(mux)) = timeout(Duration::from_secs(1), Mux::connect(&self.files.socket)).await {
            let _ = timeout(Duration::from_secs(1), mux.retire()).await;
        }
        let _ = std::fs::remove_file(&self.files.socket);
    }

    /// Ends the master, if there is one.
    async fn close(&self) {
        if let Ok(Ok(mux)) = timeout(Duration::from_secs(1), Mux::connect(&self.files.socket)).await {
            let _ = timeout(Duration::from_secs(1), mux.terminate()).await;
        }
    }

    /// Opens something over the connection: once more when the connection turns out to be dead, a few times more when
    /// the host has too many sessions. Nothing that was opened has done anything yet.
    async fn open<T, F>(&self, ask: impl Fn(Mux) -> F) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, MuxError>>,
    {
        let (mut reconnected, mut refusals, mut pause) = (false, 0, PAUSE);
        loop {
            let mux = self.reach().await?;
            match timeout(self.settings.connect_timeout.get(), ask(mux)).await {
                Ok(Ok(opened)) => return Ok(opened),
                Ok(Err(MuxError::Refused(reason))) => {
                    refusals += 1;
                    if refusals > REFUSALS {
                        return Err(Trouble::Refused(reason));
                    }
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
                Ok(Err(error @ MuxError::Unexpected(_))) => return Err(own_fault(error.to_string(), None).into()),
                Ok(Err(MuxError::Gone(error))) if reconnected => {
                    return Err(own_fault(format!("the connection broke again: {error}"), None).into());
                }
                Err(_) if reconnected => return Err(own_fault("the host does not open a session", None).into()),
                Ok(Err(MuxError::Gone(_))) => reconnected = true,
                Err(_) => {
                    // the master lives and the host does not answer it: the way there is broken
                    reconnected = true;
                    self.forget().await;
                }
            }
        }
    }

    /// A stream from the host to `to`:`port`.
    pub(super) async fn forward(&self, to: &str, port: u16) -> Result<Forwarded, Fault> {
        let mux = self.reach().await?;
        let said_before = refusal::log_text(&self.files.log).len();
        let (writer, theirs_in) = inward().map_err(no_pipes)?;
        let (reader, theirs_out) = outward().map_err(no_pipes)?;
        match mux.forward(to, port, [theirs_in, theirs_out]).await {
            Ok(opened) => Ok(Forwarded { stream: tokio::io::join(reader, writer), _opened: opened }),
            Err(MuxError::Refused(_)) => Err(self.forward_fault(said_before)),
            Err(MuxError::Gone(_)) => Err(conversation(NoReply::Lost, "the connection to the host broke")),
            Err(error @ MuxError::Unexpected(_)) => Err(conversation(NoReply::Protocol, &error.to_string())),
        }
    }

    /// Why the host did not connect: only the master's log knows. With several failures at the same moment it may be
    /// another's reason.
    fn forward_fault(&self, said_before: usize) -> Fault {
        let log = refusal::log_text(&self.files.log);
        let said = log.get(said_before..).unwrap_or(&log);
        let line = said.lines().rev().find_map(|line| line.split_once("open failed: ")).map_or("", |(_, why)| why.trim());
        let reason = match line {
            line if line.contains("prohibited") => NoReply::Prohibited,
            line if line.contains("refused") => NoReply::Refused,
            line if line.contains("timed out") => NoReply::TimedOut,
            _ => NoReply::NoRoute,
        };
        conversation(reason, line)
    }
}

impl Carrier for Connection {
    async fn open(&self, bootstrap: &Bootstrap, urgent: bool) -> Result<Channel, Fault> {
        let place = if urgent { None } else { Arc::clone(&self.sessions).acquire_owned().await.ok() };
        let line = bootstrap.login_line();
        let opening = Self::open(self, |mux| {
            let line = &line;
            async move {
                let (stdin, theirs_in) = inward()?;
                let (stdout, theirs_out) = outward()?;
                let (stderr, theirs_err) = outward()?;
                let opened = mux.session(line, [theirs_in, theirs_out, theirs_err]).await?;
                Ok((stdin, stdout, stderr, opened))
            }
        });
        match opening.await {
            Ok((stdin, stdout, stderr, opened)) => Ok(Channel {
                stdin: Box::new(stdin),
                stdout: Box::new(stdout),
                stderr: Box::new(stderr),
                ended: Box::pin(opened.ended()),
                _place: place,
            }),
            Err(Trouble::Refused(reason)) => {
                Err(Fault::NotStarted { reason: format!("the host opens no more sessions: {reason}") })
            }
            Err(Trouble::Fault(fault)) => Err(fault),
        }
    }
}

/// Why nothing was opened.
enum Trouble {
    Refused(String),
    Fault(Fault),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// A stream that starts on a host.
pub(super) struct Forwarded {
    stream: tokio::io::Join<pipe::Receiver, pipe::Sender>,
    _opened: Opened,
}

impl AsyncRead for Forwarded {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Forwarded {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        std::pin::Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A pipe that we write, and its other end for the master.
fn inward() -> io::Result<(pipe::Sender, OwnedFd)> {
    let (ours, theirs) = pipe::pipe()?;
    Ok((ours, theirs.into_blocking_fd()?))
}

/// A pipe that we read, and its other end for the master.
fn outward() -> io::Result<(pipe::Receiver, OwnedFd)> {
    let (theirs, ours) = pipe::pipe()?;
    Ok((ours, theirs.into_blocking_fd()?))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn no_pipes(error: io::Error) -> Fault {
    own_fault(format!("no pipes: {error}"), None)
}

pub(super) fn conversation(reason: NoReply, detail: &str) -> Fault {
    Fault::Conversation { reason, detail: crate::vocab::neutral::one_line(detail) }
}
