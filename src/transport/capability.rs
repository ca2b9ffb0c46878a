//! The two capabilities and the words of their answers.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::left::{LeftRun, Written};
use crate::model::Target;
use crate::vocab::{Command, Holder, HttpRequest, Loss, Period, RunId, Stamp, StampsSeen, StepId, TcpTalk};

/// A future of a capability's method: boxed, so that the engine can hold `&dyn Inspect`.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One of a command's two output streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Who is told of output while it comes, in raw chunks as they arrive; never blocks.
pub type OutputSink = Arc<dyn Fn(Stream, &[u8]) + Send + Sync>;

/// What is to be looked at.
#[derive(Clone, Debug)]
pub enum Probe {
    /// A command; read-only by being in a probe.
    Run(Command),
    /// A TCP conversation.
    Tcp(TcpTalk),
    /// An HTTP request.
    Http(HttpRequest),
}

/// A look at one host.
#[derive(Clone, Debug)]
pub struct Look {
    /// What the runbook calls it: a probe's name, or where it is written. For those who tell of it; no host sees it.
    pub name: String,
    /// What is looked at.
    pub probe: Probe,
    /// How long it may take, connecting included; then whatever runs on the host is stopped.
    pub timeout: Period,
    /// Ends the look early.
    pub cancel: CancellationToken,
}

/// An action on one host.
#[derive(Clone)]
pub struct Act {
    /// The run it belongs to.
    pub run: RunId,
    /// The step it belongs to.
    pub step: StepId,
    /// The how-manieth try on this host this is, from 1, over the whole run and its resumes.
    pub attempt: u32,
    /// What is done.
    pub command: Command,
    /// How long it may take once it has started; then its process group is stopped: TERM, `grace`, KILL.
    pub timeout: Option<Period>,
    /// What TERM is given before KILL.
    pub grace: Period,
    /// Stops it the same way.
    pub cancel: CancellationToken,
    /// Who is told of output while it comes.
    pub output: OutputSink,
    /// Who is told of the connection's fate.
    pub notices: NoticeSink,
    /// The host refuses the action unless the run holds its lock.
    pub locked: bool,
    /// The host's boot id when the run locked it: after another boot nothing follows from a receipt that is not there.
    pub boot: Option<String>,
}

/// A request that changes something, through one host.
#[derive(Clone, Debug)]
pub struct Sending {
    /// The step it belongs to. For those who tell of it; no host sees it.
    pub step: StepId,
    /// What is asked.
    pub request: HttpRequest,
    /// How long it may take.
    pub timeout: Period,
    /// Ends the waiting for the answer.
    pub cancel: CancellationToken,
}

/// What an action's watcher is told while the action goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The connection broke after the command was sent; it is being made anew.
    Lost {
        /// What is known.
        reason: String,
        /// Whether it was heard to start.
        started: bool,
    },
    /// What was asked about still runs, and is waited for.
    Runs,
    /// The host answers again, and what became of the command is known.
    Regained {
        /// After how long.
        after: Period,
    },
}

/// Who is told of the connection's fate; never blocks.
pub type NoticeSink = Arc<dyn Fn(Notice) + Send + Sync>;

/// What became of an action that was sent before, as its host knows it.
#[derive(Clone, Debug, PartialEq)]
pub enum Became {
    /// It ended, then or while it was waited for.
    Finished(Finished),
    /// It never started, and the host has been told that it never shall.
    NeverStarted,
    /// Nothing of it lives any more, and nobody wrote down how it ended. In doubt.
    Gone {
        /// What is known.
        why: String,
        /// What it had written on stdout.
        stdout: Vec<u8>,
        /// What it had written on stderr.
        stderr: Vec<u8>,
    },
}

impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Act")
            .field("step", &self.step)
            .field("attempt", &self.attempt)
            .field("command", &self.command)
            .finish_non_exhaustive()
    }
}

/// A command that came to an end we know of.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// How it ended.
    pub ended: Ended,
    /// All that it wrote on stdout.
    pub stdout: Vec<u8>,
    /// All that it wrote on stderr.
    pub stderr: Vec<u8>,
    /// From its start on the host to its end.
    pub took: Period,
    /// A background child held the output open; it was read for a second more and then cut.
    pub output_cut: bool,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// By itself, with this exit status; 128 + N for signal N.
    Exited(i32),
    /// Stopped because its time was up; its process group is gone.
    TimedOut,
    /// Stopped because the operator asked; its process group is gone.
    Cancelled,
}

/// An answer to an HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpReply {
    /// The status code.
    pub status: u16,
    /// Headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no end to tell of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The host cannot be reached or logged into: the command was never sent.
    #[error("unreachable: {reason}")]
    Unreachable {
        /// What ssh said, on one line, neutralised.
        reason: String,
        /// What the operator can do about it, when it is known: for example the command that adds a host key.
        hint: Option<String>,
    },
    /// The host was reached but the command did not start there (no room for its receipt, sudo refused, no `sh`).
    #[error("did not start: {reason}")]
    NotStarted {
        /// What the host said.
        reason: String,
    },
    /// The command was sent and its end could not be learned: it may have run, it may be running. In doubt.
    #[error("it was sent, and its end is not known: {reason}")]
    Lost {
        /// What is known.
        reason: String,
        /// What had arrived on stdout before.
        stdout: Vec<u8>,
        /// What had arrived on stderr before.
        stderr: Vec<u8>,
    },
    /// It could not be stopped, or whether it stopped could not be learned. In doubt.
    #[error("it could not be stopped: {reason}")]
    NotStopped {
        /// What is known.
        reason: String,
        /// What had arrived on stdout before.
        stdout: Vec<u8>,
        /// What had arrived on stderr before.
        stderr: Vec<u8>,
    },
    /// A TCP or HTTP conversation failed for a reason of its own.
    #[error("{}: {detail}", .reason.words())]
    Conversation {
        /// The kind of failure.
        reason: crate::vocab::observation::NoReply,
        /// What is known about it.
        detail: String,
    },
    /// A look took longer than allowed; what ran on the host for it was stopped as far as could be.
    #[error("timed out after {after}")]
    TimedOut {
        /// How long it was given.
        after: Period,
    },
    /// A look was cancelled.
    #[error("interrupted")]
    Cancelled,
}

impl Fault {
    /// Why the host did not do what was asked of it, where that was no command of a runbook.
    pub fn why(&self) -> String {
        match self {
            Self::NotStarted { reason } => reason.clone(),
            fault => fault.to_string(),
        }
    }
}

/// What a look brought back.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// A command ended.
    Command(Finished),
    /// A conversation answered: the bytes of the reply.
    Tcp(Vec<u8>),
    /// A request was answered.
    Http(HttpReply),
}

/// What a run says when it takes a host's lock, for those who find it held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The run.
    pub run: RunId,
    /// Its operator.
    pub operator: String,
    /// The machine it runs from.
    pub admin_host: String,
    /// Its runbook.
    pub runbook: String,
    /// Since when it wants the lock.
    pub since: Timestamp,
    /// After how long without a renewal the lock ends, by the host's own clock; in whole seconds.
    pub length: Period,
    /// Whether it is to hold the lock already: then a lock that was lost is not taken anew.
    pub renewal: bool,
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lock {
    /// The run holds the lock.
    Taken {
        /// The host's boot id, `-` where it has none.
        boot: String,
        /// The login's user and home there, `USER:HOME`.
        login: String,
    },
    /// Another run holds it.
    Refused(Holder),
    /// The run does not hold it any more, which it was to renew.
    Lost(Loss),
}

/// The capability to look. Nothing here changes a host; probes are read-only by their author's word, and that word is
/// what a dry run relies on.
pub trait Inspect: Send + Sync {
    /// Looks at `target`.
    fn look<'a>(&'a self, target: &'a Target, look: Look) -> Pending<'a, Result<Seen, Fault>>;

    /// Connects to `target` without running anything, and says how long that took.
    fn ping<'a>(&'a self, target: &'a Target, timeout: Period) -> Pending<'a, Result<Period, Fault>>;

    /// Says which run holds the lock of `target`.
    fn locked<'a>(&'a self, target: &'a Target) -> Pending<'a, Result<Option<Holder>, Fault>>;

    /// Says what `run`, or every run, has left on `target`: in the home of the login user, or of the one that `sudo`
    /// names. Nothing is withdrawn by it.
    fn receipts<'a>(
        &'a self,
        target: &'a Target,
        sudo: Option<&'a str>,
        run: Option<&'a RunId>,
    ) -> Pending<'a, Result<Vec<LeftRun>, Fault>>;

    /// Gives what an action has written so far on stdout and stderr, from its receipt.
    fn written<'a>(
        &'a self,
        target: &'a Target,
        sudo: Option<&'a str>,
        run: &'a RunId,
        step: &'a StepId,
        attempt: u32,
    ) -> Pending<'a, Result<Written, Fault>>;

    /// Says which stamps of `run`, or of every run, the logs of `target` have, rotated ones too; read as the user that the
    /// inventory names for sudo there, or as the login user. Logs that may not be read are an error, unless others have some.
    fn stamps<'a>(&'a self, target: &'a Target, run: Option<&'a RunId>) -> Pending<'a, Result<StampsSeen, Fault>>;
}

/// The capability to change.
pub trait Operate: Inspect {
    /// Runs an action on `target` to its end. A connection that breaks meanwhile is made anew, until the action's time is
    /// up (without a timeout: five minutes), and the action found again by its receipt.
    fn act<'a>(&'a self, target: &'a Target, act: Act) -> Pending<'a, Result<Finished, Fault>>;

    /// Asks the host what became of `act`, which was sent before; waits for its end if it runs. When nothing of it is
    /// there, it is withdrawn first: even what is still under way to the host does not start any more.
    fn ask<'a>(&'a self, target: &'a Target, act: Act) -> Pending<'a, Result<Became, Fault>>;

    /// Sends a request that changes something. Once sent without an answer it is [`Fault::Lost`], not a failure.
    fn send<'a>(&'a self, target: &'a Target, sending: Sending) -> Pending<'a, Result<HttpReply, Fault>>;

    /// Takes the lock of `target` for a run, or renews it.
    fn lock<'a>(&'a self, target: &'a Target, claim: &'a Claim) -> Pending<'a, Result<Lock, Fault>>;

    /// Gives the lock of `target` back, if `run` holds it.
    fn unlock<'a>(&'a self, target: &'a Target, run: &'a RunId) -> Pending<'a, Result<(), Fault>>;

    /// Breaks the lock of `target`, whoever holds it, and says who did. The host keeps who broke it and why.
    fn break_lock<'a>(
        &'a self,
        target: &'a Target,
        by: &'a str,
        reason: &'a str,
    ) -> Pending<'a, Result<Option<Holder>, Fault>>;

    /// Removes what `run` left in an account of `target` (see [`Inspect::receipts`]). The host refuses while something of
    /// it runs.
    fn collect<'a>(
        &'a self,
        target: &'a Target,
        sudo: Option<&'a str>,
        run: &'a RunId,
    ) -> Pending<'a, Result<(), Fault>>;

    /// Leaves stamps in the syslog of `target`: a line each. An error says why it took none, as far as that can be known there.
    fn stamp<'a>(&'a self, target: &'a Target, stamps: &'a [Stamp]) -> Pending<'a, Result<(), Fault>>;

    /// Removes what the run left on `target` (receipts), at its good end. Best effort: a host that does not answer
    /// keeps a few hundred bytes.
    fn tidy<'a>(&'a self, target: &'a Target, run: &'a RunId) -> Pending<'a, ()>;
}
