//! One wrapper at work: sends it its errand, reads what comes, knows how far it is.
//!
//! Apart from `conduct`, which decides about time: this only ever says what happened, and every call of
//! [`Exchange::advance`] may be abandoned and made again.

use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Duration, Instant, sleep_until, timeout};

use super::capability::{Ended, Finished, Stream};
use super::channel::Channel;
use super::control::{ControlReader, Exit, Group, Line, Loss};
use super::gathered::Gathered;
use super::wrapper::Errand;
use crate::vocab::Period;

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
    /// It tells of no end, and why: what the receipt says of an action that was sent before.
    Lost(Loss),
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
pub(super) struct Exchange {
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
    /// How far into each stream this wrapper's words are.
    told: (usize, usize),
    complete: bool,
    refused: Option<String>,
    exit: Option<Exit>,
    loss: Option<Loss>,
    cut_at: Option<Instant>,
    told_start: bool,
    /// What the command wrote.
    pub(super) gathered: Arc<Gathered>,
    /// Its process group, once it runs.
    pub(super) group: Option<Group>,
    /// When it started.
    pub(super) started: Option<Instant>,
    /// The same by the host's clock.
    up: Duration,
    /// When it ended.
    pub(super) ended: Option<Instant>,
    /// Its output was cut while a child of it held it open.
    pub(super) cut: bool,
}

impl Exchange {
    /// Will send `errand` and what it reads. The wrapper tells the command's output from `seen` bytes on.
    pub(super) fn new(channel: Channel, errand: &Errand, gathered: Arc<Gathered>, seen: (usize, usize)) -> Self {
        let mut sending = errand.line();
        let length = sending.len();
        sending.extend_from_slice(&errand.input);
        Self {
            channel,
            sending,
            sent: 0,
            errand: length,
            stdin_open: true,
            stdout_open: true,
            stderr_open: true,
            out: ControlReader::new(&errand.nonce),
            err: ControlReader::new(&errand.nonce),
            told: seen,
            complete: false,
            refused: None,
            exit: None,
            loss: None,
            cut_at: None,
            told_start: false,
            gathered,
            group: None,
            started: None,
            up: Duration::ZERO,
            ended: None,
            cut: false,
        }
    }

    /// Whether the errand went out whole, so that the command may have started.
    pub(super) fn was_sent(&self) -> bool {
        self.sent >= self.errand
    }

    /// The command's end, with all that was written so far.
    pub(super) fn finished(&self, ended: Ended) -> Finished {
        let start = self.started.unwrap_or_else(Instant::now);
        let end = self.ended.unwrap_or_else(Instant::now);
        let written = self.gathered.take();
        Finished {
            ended,
            took: Period::new(end.saturating_duration_since(start)),
            output_cut: self.cut,
            stdout: written.stdout,
            stderr: written.stderr,
        }
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
        for (stream, reader) in [(Stream::Stdout, &mut self.out), (Stream::Stderr, &mut self.err)] {
            let mut own = Vec::new();
            reader.finish(&mut own);
            // without an end, what was held back may be the start of a mark that was cut
            if self.exit.is_some() {
                tell(&self.gathered, stream, &mut self.told, &own);
            }
        }
        if let Some(exit) = self.exit {
            return Progress::Exited(exit.status);
        }
        if let Some(loss) = self.loss {
            return Progress::Lost(loss);
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
        let mut own = Vec::new();
        let lines = match stream {
            Stream::Stdout => self.out.feed(chunk, &mut own),
            Stream::Stderr => self.err.feed(chunk, &mut own),
        };
        tell(&self.gathered, stream, &mut self.told, &own);
        for line in lines {
            match line {
                Line::Begin => {}
                Line::Start { group, at, now } => {
                    self.group = Some(group);
                    self.up = at;
                    self.started = Instant::now().checked_sub(now.saturating_sub(at));
                    self.started = self.started.or_else(|| Some(Instant::now()));
                }
                Line::Refused(reason) => self.refused = Some(reason),
                Line::End => self.complete = true,
                Line::Exit(exit) => {
                    self.exit = Some(exit);
                    self.cut |= exit.held;
                    self.ended = Some(self.end(exit));
                }
                Line::Lost(loss) => self.loss = Some(loss),
            }
        }
    }

    /// When it ended: by our clock, unless it is told long afterwards.
    fn end(&self, exit: Exit) -> Instant {
        let now = Instant::now();
        let by_host = exit.at.zip(self.started).map(|(at, started)| started + at.saturating_sub(self.up));
        by_host.filter(|&end| end + Duration::from_secs(1) < now).unwrap_or(now)
    }

    fn silent(&mut self, stream: Stream) {
        match stream {
            Stream::Stdout => self.stdout_open = false,
            Stream::Stderr => self.stderr_open = false,
        }
    }
}

/// Adds what came next on `stream`; `told` is how far both streams are.
fn tell(gathered: &Gathered, stream: Stream, told: &mut (usize, usize), own: &[u8]) {
    let at = match stream {
        Stream::Stdout => &mut told.0,
        Stream::Stderr => &mut told.1,
    };
    gathered.add(stream, *at, own);
    *at += own.len();
}

/// Writes some of `rest`; nothing left is `Ok(0)`, after what was written has left.
async fn write(stdin: &mut (impl AsyncWrite + Unpin + ?Sized), rest: &[u8]) -> std::io::Result<usize> {
    if rest.is_empty() {
        Pin::new(stdin).flush().await?;
        return Ok(0);
    }
    stdin.write(rest).await
}
