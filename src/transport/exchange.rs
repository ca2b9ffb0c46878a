//! One wrapper at work: sends it its errand, reads what comes, knows how far it is.
//!
//! Apart from `conduct`, which decides about time: this only ever says what happened, and every call of
//! [`Exchange::advance`] may be abandoned and made again.

use std::pin::Pin;

use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Duration, Instant, sleep_until, timeout};

use super::capability::{OutputSink, Stream};
use super::channel::Channel;
use super::control::{ControlReader, Group, Line};

/// How long output is read on after the command has ended, while a child of it holds the output open.
pub(super) const DRAIN: Duration = Duration::from_secs(1);
/// How long the exit status may take once both outputs are closed.
const STATUS: Duration = Duration::from_secs(5);

/// What has become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The command has started.
    Started,
    /// The command has ended with this status and all its output is there.
    Exited(i32),
    /// The wrapper refused to start it.
    Refused(String),
    /// The host's answer was an end without a start: no `sh`, sudo refused, no login. What was said instead.
    Declined(String),
    /// The connection broke before the errand was sent whole: nothing has started.
    Unsent,
    /// The connection broke after that.
    Broken,
}

/// One wrapper at work.
pub(super) struct Exchange<'a> {
    channel: Channel,
    sending: Vec<u8>,
    sent: usize,
    /// Where the errand ends and the command's own input begins.
    errand: usize,
    stdin_open: bool,
    stdout_open: bool,
    stderr_open: bool,
    out: ControlReader,
    err: ControlReader,
    sink: Option<&'a OutputSink>,
    complete: bool,
    refused: Option<String>,
    exit: Option<i32>,
    cut_at: Option<Instant>,
    told_start: bool,
    /// What the command wrote on stdout.
    pub(super) stdout: Vec<u8>,
    /// What it wrote on stderr.
    pub(super) stderr: Vec<u8>,
    /// Its process group, once it runs.
    pub(super) group: Option<Group>,
    /// When it was heard to start.
    pub(super) started: Option<Instant>,
    /// When it was heard to end.
    pub(super) ended: Option<Instant>,
    /// Its output was cut while a child of it held it open.
    pub(super) cut: bool,
}

impl<'a> Exchange<'a> {
    /// Will send `errand` and then `stdin`.
    pub(super) fn new(
        channel: Channel,
        nonce: &str,
        errand: Vec<u8>,
        stdin: &[u8],
        sink: Option<&'a OutputSink>,
    ) -> Self {
        let length = errand.len();
        let mut sending = errand;
        sending.extend_from_slice(stdin);
        Self {
            channel,
            sending,
            sent: 0,
            errand: length,
            stdin_open: true,
            stdout_open: true,
            stderr_open: true,
            out: ControlReader::new(nonce),
            err: ControlReader::new(nonce),
            sink,
            complete: false,
            refused: None,
            exit: None,
            cut_at: None,
            told_start: false,
            stdout: Vec::new(),
            stderr: Vec::new(),
            group: None,
            started: None,
            ended: None,
            cut: false,
        }
    }

    /// Whether the errand went out whole, so that the command may have started.
    pub(super) fn was_sent(&self) -> bool {
        self.sent >= self.errand
    }

    /// Goes on until there is something to tell. May be abandoned at any time and called again, but not after the end.
    pub(super) async fn advance(&mut self) -> Progress {
        let mut out_chunk = [0_u8; 16 * 1024];
        let mut err_chunk = [0_u8; 4 * 1024];
        loop {
            if self.group.is_some() && !self.told_start {
                self.told_start = true;
                return Progress::Started;
            }
            if !self.stdout_open && !self.stderr_open {
                return self.closed().await;
            }
            if let (Some(_), true, None) = (self.exit, self.complete, self.cut_at) {
                self.cut_at = Some(Instant::now() + DRAIN);
            }
            let cut_at = self.cut_at.unwrap_or_else(Instant::now);
            tokio::select! {
                read = self.channel.stdout.read(&mut out_chunk), if self.stdout_open => match read {
                    Ok(length @ 1..) => self.heard(Stream::Stdout, &out_chunk[..length]),
                    Ok(0) | Err(_) => self.silent(Stream::Stdout),
                },
                read = self.channel.stderr.read(&mut err_chunk), if self.stderr_open => match read {
                    Ok(length @ 1..) => self.heard(Stream::Stderr, &err_chunk[..length]),
                    Ok(0) | Err(_) => self.silent(Stream::Stderr),
                },
                written = write(&mut self.channel.stdin, self.sending.get(self.sent..).unwrap_or_default()), if self.stdin_open => match written {
                    Ok(length @ 1..) => self.sent += length,
                    Ok(0) | Err(_) => self.close_stdin(),
                },
                () = sleep_until(cut_at), if self.cut_at.is_some() => {
                    self.cut = true;
                    self.silent(Stream::Stdout);
                    self.silent(Stream::Stderr);
                }
            }
        }
    }

    /// Both outputs are closed: the end, of whatever kind.
    async fn closed(&mut self) -> Progress {
        if let Some(status) = self.exit {
            return Progress::Exited(status);
        }
        if let Some(reason) = &self.refused {
            let said = self.err.noise();
            let said = said.trim();
            return Progress::Refused(if said.is_empty() { reason.clone() } else { format!("{reason}: {said}") });
        }
        let status = timeout(STATUS, &mut self.channel.ended).await.unwrap_or(None);
        match (status, self.group.is_some()) {
            (Some(status), false) => {
                let mut said = self.err.noise();
                if said.trim().is_empty() {
                    said = self.out.noise();
                }
                Progress::Declined(match said.trim() {
                    "" => format!("the host ended the session with status {status} before anything ran"),
                    said => said.to_owned(),
                })
            }
            (None, false) if !self.was_sent() => Progress::Unsent,
            (_, _) => Progress::Broken,
        }
    }

    /// All is sent, or nobody reads: closing is what tells the other side.
    fn close_stdin(&mut self) {
        self.stdin_open = false;
        self.channel.stdin = Box::new(tokio::io::sink());
        self.sending = Vec::new();
    }

    fn heard(&mut self, stream: Stream, chunk: &[u8]) {
        let (reader, own) = match stream {
            Stream::Stdout => (&mut self.out, &mut self.stdout),
            Stream::Stderr => (&mut self.err, &mut self.stderr),
        };
        let before = own.len();
        let lines = reader.feed(chunk, own);
        if let (Some(sink), true) = (self.sink, own.len() > before) {
            sink(stream, &own[before..]);
        }
        for line in lines {
            match line {
                Line::Begin => {}
                Line::Start(group) => {
                    self.group = Some(group);
                    self.started = Some(Instant::now());
                }
                Line::Refused(reason) => self.refused = Some(reason),
                Line::End => self.complete = true,
                Line::Exit(status) => {
                    self.exit = Some(status);
                    self.ended = Some(Instant::now());
                }
            }
        }
    }

    fn silent(&mut self, stream: Stream) {
        let (reader, own, open) = match stream {
            Stream::Stdout => (&mut self.out, &mut self.stdout, &mut self.stdout_open),
            Stream::Stderr => (&mut self.err, &mut self.stderr, &mut self.stderr_open),
        };
        *open = false;
        let before = own.len();
        reader.finish(own);
        if let (Some(sink), true) = (self.sink, own.len() > before) {
            sink(stream, &own[before..]);
        }
    }
}

/// Writes some of `rest`; nothing left is `Ok(0)`, after what was written has left.
async fn write(stdin: &mut (impl AsyncWrite + Unpin + ?Sized), rest: &[u8]) -> std::io::Result<usize> {
    if rest.is_empty() {
        Pin::new(stdin).flush().await?;
        return Ok(0);
    }
    stdin.write(rest).await
}
