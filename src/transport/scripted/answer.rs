//! What the script answers.

use std::time::Duration;

use super::super::capability::{Ended, Fault, Finished, HttpReply, Seen};
use crate::vocab::Period;
use crate::vocab::observation::NoReply;

/// One answer of the script.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) result: Result<Seen, Fault>,
    pub(super) delay: Duration,
    pub(super) after: After,
}

/// What becomes known of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Its end is heard of.
    Heard,
    /// It is not, and the host tells it when it is asked.
    Kept,
    /// It is not, and the host does not know either.
    Gone,
    /// The program that sent it dies with that; the host tells it when it is asked.
    Died,
}

impl Answer {
    /// The command exits with `status`.
    pub fn exit(status: i32) -> Self {
        Self::new(Ok(Seen::Command(Finished {
            ended: Ended::Exited(status),
            stdout: Vec::new(),
            stderr: Vec::new(),
            took: Period::ZERO,
            output_cut: false,
        })))
    }

    /// The conversation gives `reply`.
    pub fn tcp(reply: impl Into<Vec<u8>>) -> Self {
        Self::new(Ok(Seen::Tcp(reply.into())))
    }

    /// The request is answered.
    pub fn http(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(Ok(Seen::Http(HttpReply { status, headers: Vec::new(), body: body.into() })))
    }

    /// Any fault.
    pub fn fault(fault: Fault) -> Self {
        Self::new(Err(fault))
    }

    /// The host cannot be reached; nothing was sent.
    pub fn unreachable(reason: &str) -> Self {
        Self::fault(Fault::Unreachable { reason: reason.to_owned(), hint: None })
    }

    /// The command did not start.
    pub fn not_started(reason: &str) -> Self {
        Self::fault(Fault::NotStarted { reason: reason.to_owned() })
    }

    /// The command was sent, had its effect (rules of [`on_after`](super::Scripted::on_after) see it), and how it ended
    /// cannot be learned: its host does not know it either.
    pub fn lost(reason: &str) -> Self {
        let fault = Fault::Lost { reason: reason.to_owned(), stdout: Vec::new(), stderr: Vec::new() };
        Self { after: After::Gone, ..Self::fault(fault) }
    }

    /// The command ends as it would, and the connection is lost before that is heard of: the host tells it when it is
    /// asked.
    #[must_use]
    pub fn unheard(mut self) -> Self {
        self.after = After::Kept;
        self
    }

    /// The program that asks dies once it was sent: see [`crashed`](super::Scripted::crashed). What was sent goes on.
    #[must_use]
    pub fn fatal(mut self) -> Self {
        self.after = After::Died;
        self
    }

    /// The conversation fails.
    pub fn no_reply(reason: NoReply) -> Self {
        Self::fault(Fault::Conversation { reason, detail: String::new() })
    }

    fn new(result: Result<Seen, Fault>) -> Self {
        Self { result, delay: Duration::ZERO, after: After::Heard }
    }

    /// With this on stdout.
    #[must_use]
    pub fn stdout(mut self, text: impl Into<Vec<u8>>) -> Self {
        match &mut self.result {
            Ok(Seen::Command(Finished { stdout, .. }))
            | Err(Fault::Lost { stdout, .. } | Fault::NotStopped { stdout, .. }) => *stdout = text.into(),
            Ok(Seen::Tcp(_) | Seen::Http(_)) | Err(_) => {}
        }
        self
    }

    /// With this on stderr.
    #[must_use]
    pub fn stderr(mut self, text: impl Into<Vec<u8>>) -> Self {
        match &mut self.result {
            Ok(Seen::Command(Finished { stderr, .. }))
            | Err(Fault::Lost { stderr, .. } | Fault::NotStopped { stderr, .. }) => *stderr = text.into(),
            Ok(Seen::Tcp(_) | Seen::Http(_)) | Err(_) => {}
        }
        self
    }

    /// With this header, for an answer to a request.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Ok(Seen::Http(reply)) = &mut self.result {
            reply.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        self
    }

    /// How a command ends, if it starts at all and does so.
    pub(super) fn finished(&self) -> Option<Finished> {
        match &self.result {
            Ok(Seen::Command(finished)) => Some(finished.clone()),
            Err(Fault::Lost { stdout, stderr, .. }) => Some(Finished {
                ended: Ended::Exited(0),
                stdout: stdout.clone(),
                stderr: stderr.clone(),
                took: Period::ZERO,
                output_cut: false,
            }),
            Ok(Seen::Tcp(_) | Seen::Http(_)) | Err(_) => None,
        }
    }

    /// Only after this time.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

/// Answers in the order of the calls on a host; the last one repeats.
#[derive(Clone, Debug)]
pub struct Answers(pub(super) Vec<Answer>);

impl From<Answer> for Answers {
    fn from(answer: Answer) -> Self {
        Self(vec![answer])
    }
}

impl From<Vec<Answer>> for Answers {
    fn from(answers: Vec<Answer>) -> Self {
        Self(answers)
    }
}

impl<const N: usize> From<[Answer; N]> for Answers {
    fn from(answers: [Answer; N]) -> Self {
        Self(answers.into())
    }
}
