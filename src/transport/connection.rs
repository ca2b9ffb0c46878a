//! Shared connections, one for each host, user, port and configuration; sessions and forwarded streams over them.
//!
//! Sessions are opened by `openssh`, straight through the control socket: a process for each would take three times the
//! time. Forwarded streams, which it does not know, are those of a client `ssh -W`. Nothing here has a state that could
//! be wrong: the control socket on disk is asked each time, and when nobody answers there, a new master is started.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use openssh::{Error, Session, Stdio};
use openssh_mux_client::Error as Refusal;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, BufReader, Join, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{error::Elapsed, sleep, timeout};

use super::capability::Fault;
use super::channel::{Carrier, Channel, Priority};
use super::fleet::Settings;
use super::master::{self, Files};
use super::refusal::{self, Place, own_fault};
use super::spare::Spare;
use super::wrapper::Bootstrap;
use crate::model::Target;
use crate::vocab::observation::NoReply;

/// How often a session that the host refuses is asked for again.
const REFUSALS: u32 = 12;
/// How often a connection that is found dead is made anew for one session.
const BREAKS: u32 = 2;
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
        let connection = known.entry(place).or_insert_with_key(|place| {
            let files = Files::of(place, &self.settings.control_dir);
            let session = Session::resume_mux(files.socket.clone().into(), Some(files.log.clone().into()));
            Connection {
                session: Arc::new(session),
                files,
                place: Arc::new(place.clone()),
                settings: Arc::clone(&self.settings),
                sessions: Arc::new(Semaphore::new(self.settings.sessions_per_host.max(1))),
                connecting: Arc::clone(&self.connecting),
                establishing: Arc::default(),
                spare: Arc::default(),
            }
        });
        Ok(connection.clone())
    }

    /// Ends the masters of all connections used so far.
    pub(super) async fn close(&self) {
        let all: Vec<Connection> =
            self.known.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        stream::iter(all)
            .for_each_concurrent(self.settings.parallel.max(1), |connection| async move { connection.close().await })
            .await;
    }
}

/// One shared connection.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    session: Arc<Session>,
    place: Arc<Place>,
    files: Files,
    settings: Arc<Settings>,
    sessions: Arc<Semaphore>,
    connecting: Arc<Semaphore>,
    establishing: Arc<tokio::sync::Mutex<()>>,
    spare: Arc<Spare>,
}

impl Connection {
    /// Makes sure that there is a connection: a master is started when none answers.
    pub(super) async fn ensure(&self) -> Result<(), Fault> {
        if master::answers(&self.session, &self.settings).await {
            return Ok(());
        }
        let _one = self.establishing.lock().await;
        if master::answers(&self.session, &self.settings).await {
            return Ok(());
        }
        let _some = self.connecting.acquire().await;
        master::establish(&self.place, &self.files, &self.session, &self.settings).await
    }

    /// Has the next use start a new master. This one takes no more requests; what runs over it runs on.
    async fn forget(&self) {
        let retiring = Session::resume_mux(self.files.socket.clone().into(), None);
        let _ = timeout(Duration::from_secs(1), retiring.close()).await;
        let _ = std::fs::remove_file(&self.files.socket);
    }

    /// Ends the master, if there is one, and everything over it.
    async fn close(&self) {
        self.give_up_spare();
        if self.files.socket.exists() {
            master::end(&self.place, &self.files).await;
        }
    }

    /// Ends the session that was opened ahead, if there is one.
    pub(super) fn give_up_spare(&self) {
        self.spare.give_up();
    }

    /// A place among the host's sessions; a spare session stands back for a command.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        let waiting = Arc::clone(&self.sessions).acquire_owned();
        tokio::pin!(waiting);
        tokio::select! {
            biased;
            place = &mut waiting => return place.ok(),
            // in this order: who waits already gets the place of a spare, and that of one that is being opened
            () = std::future::ready(()) => self.give_up_spare(),
        }
        waiting.await.ok()
    }

    /// Opens a session for the command after this one, if there may be one, while this one runs.
    fn open_ahead(&self, bootstrap: &Bootstrap) {
        if !self.spare.wanted() {
            return;
        }
        let (connection, line) = (self.clone(), bootstrap.login_line());
        tokio::spawn(async move {
            let opened = match Arc::clone(&connection.sessions).try_acquire_owned() {
                Ok(_place) => connection.spawn(&line).await.ok(),
                Err(_) => None,
            };
            let opened = opened.and_then(Result::ok).and_then(|child| channel(child, None).ok());
            connection.spare.keep(opened, &connection.sessions).await;
        });
    }

    /// Starts `line` in a session, once.
    async fn spawn(&self, line: &str) -> Result<Result<openssh::Child<Arc<Session>>, Error>, Elapsed> {
        let mut command = Arc::clone(&self.session).arc_raw_command(line);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        timeout(self.settings.connect_timeout.get(), command.spawn()).await
    }

    /// Starts `line` in a session: again when the connection turns out to be dead, a few times more when the host has
    /// too many sessions. Nothing that was opened has done anything yet: a wrapper waits for its errand.
    async fn session(&self, line: &str) -> Result<openssh::Child<Arc<Session>>, Fault> {
        let (mut breaks, mut hung, mut refusals, mut pause) = (0, false, 0, PAUSE);
        loop {
            match self.spawn(line).await {
                Ok(Ok(child)) => return Ok(child),
                Ok(Err(Error::SshMux(Refusal::RequestFailure(reason) | Refusal::PermissionDenied(reason)))) => {
                    refusals += 1;
                    if refusals > REFUSALS {
                        return Err(Fault::NotStarted { reason: format!("the host opens no more sessions: {reason}") });
                    }
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
                Ok(Err(error @ (Error::Disconnected | Error::SshMux(Refusal::IOError(_))))) => {
                    breaks += 1;
                    if breaks > BREAKS {
                        return Err(own_fault(format!("the connection broke again: {}", words(&error)), None));
                    }
                    self.ensure().await?;
                }
                Ok(Err(error)) => return Err(own_fault(words(&error), None)),
                Err(_) if hung => return Err(own_fault("the host does not open a session", None)),
                Err(_) => {
                    // the master lives and the host does not answer it: the way there is broken
                    hung = true;
                    self.forget().await;
                }
            }
        }
    }

    /// A stream from the host to `to`:`port`.
    pub(super) async fn forward(&self, to: &str, port: u16) -> Result<Forwarded, Fault> {
        self.ensure().await?;
        let said_before = refusal::log_text(&self.files.log).len();
        let lost = |error: io::Error| conversation(NoReply::Lost, &format!("ssh cannot be started: {error}"));
        let mut child = master::forward(&self.place, &self.files, &self.settings, to, port).map_err(lost)?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(conversation(NoReply::Lost, "no pipes to ssh"));
        };
        let (mut stderr, mut line, mut last) = (BufReader::new(stderr), Vec::new(), String::new());
        while let Ok(1..) = stderr.read_until(b'\n', &mut line).await {
            last = String::from_utf8_lossy(&line).trim().to_owned();
            line.clear();
            if refusal::is_forwarding(&last) {
                return Ok(Forwarded { stream: tokio::io::join(stdout, stdin), _stderr: stderr, _child: child });
            }
        }
        let log = refusal::log_text(&self.files.log);
        let (reason, detail) = refusal::forward_reason(&last, log.get(said_before..).unwrap_or(&log));
        Err(conversation(reason, detail))
    }
}

impl Carrier for Connection {
    async fn open(&self, bootstrap: &Bootstrap, priority: Priority) -> Result<Channel, Fault> {
        match priority {
            Priority::Normal => {}
            Priority::Urgent => return channel(self.session(&bootstrap.login_line()).await?, None),
            Priority::Spare => {
                let place = Arc::clone(&self.sessions).try_acquire_owned();
                let place = place.map_err(|_| own_fault("the host has no session to spare", None))?;
                return channel(self.session(&bootstrap.login_line()).await?, Some(place));
            }
        }
        if bootstrap.sudo.is_some() {
            let place = self.place().await;
            return channel(self.session(&bootstrap.login_line()).await?, place);
        }
        // the same line for every command, so that any of them can have the spare session
        let bootstrap = Bootstrap::new(None, "command");
        let opened = if let Some(spare) = self.spare.take().await {
            spare
        } else {
            let place = self.place().await;
            channel(self.session(&bootstrap.login_line()).await?, place)?
        };
        self.open_ahead(&bootstrap);
        Ok(opened)
    }
}

/// The streams of a session.
fn channel(mut child: openssh::Child<Arc<Session>>, place: Option<OwnedSemaphorePermit>) -> Result<Channel, Fault> {
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (child.stdin().take(), child.stdout().take(), child.stderr().take())
    else {
        return Err(own_fault("no pipes to the session", None));
    };
    Ok(Channel {
        stdin: Box::new(stdin),
        stdout: Box::new(stdout),
        stderr: Box::new(stderr),
        ended: Box::pin(status(child)),
        _place: place,
    })
}

/// The exit status; none when the connection broke or a signal ended the session.
async fn status(child: openssh::Child<Arc<Session>>) -> Option<i32> {
    match child.wait().await {
        Ok(status) => status.code(),
        // what `openssh` makes of this status
        Err(Error::Remote(_)) => Some(127),
        Err(_) => None,
    }
}

/// An error with its cause.
fn words(error: &Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

/// A stream that starts on a host. Dropping it ends the process it goes through, and so the stream.
pub(super) struct Forwarded {
    stream: Join<ChildStdout, ChildStdin>,
    // a last remark must not meet a closed pipe
    _stderr: BufReader<ChildStderr>,
    _child: Child,
}

impl AsyncRead for Forwarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Forwarded {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

pub(super) fn conversation(reason: NoReply, detail: &str) -> Fault {
    Fault::Conversation { reason, detail: crate::vocab::neutral::one_line(detail) }
}
