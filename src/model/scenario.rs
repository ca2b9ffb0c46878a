//! Scenarios: what hosts answer, what a person says, and what must come of it.
//!
//! What a file of `tests/` means once every name in it was found in its runbook. Apart from the player, which needs an
//! engine; here are only values.

use std::collections::BTreeMap;
use std::fmt;

use super::inventory::Inventory;
use crate::vocab::observation::NoReply;
use crate::vocab::{HostName, Location, Period, Secret, StepId};

/// The scenarios of one file.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The file's name without `.yaml`.
    pub name: String,
    /// The runbook they are of.
    pub runbook: String,
    /// The fleet they are played on: the book's, and what the file lays over it.
    pub inventory: Inventory,
    /// What hosts answer in every one of them.
    pub answers: Vec<Answering>,
    /// The scenarios in order.
    pub scenarios: Vec<Scenario>,
}

/// One scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub says: Option<String>,
    /// The arguments, as on the command line.
    pub args: Vec<String>,
    /// Secrets by their parameter.
    pub secrets: BTreeMap<String, Secret>,
    /// `--limit`.
    pub limit: Option<String>,
    /// `--dry-run`.
    pub dry_run: bool,
    /// Locks that other runs hold.
    pub locked: Vec<LockHeld>,
    /// The run, and how it is resumed.
    pub stretches: Vec<Stretch>,
    /// Where it stands.
    pub location: Location,
}

/// A run, or the resume of one, up to where it ends or stops.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// What passes before it.
    pub later: Period,
    /// The operator's word.
    pub options: Options,
    /// What hosts answer from now on.
    pub answers: Vec<Answering>,
    /// Who is asked; none: there is no terminal.
    pub operator: Option<Vec<Reply>>,
    /// When the operator presses Ctrl-C, from the start of the stretch.
    pub interrupts: Vec<Period>,
    /// When the program dies, from the start of the stretch.
    pub crash: Option<Period>,
    /// What must come of it.
    pub expected: Expected,
    /// Where it stands.
    pub location: Location,
}

/// The flags of a stretch.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--yes`; given unless it is taken back.
    pub yes: bool,
    /// `--ack ID[=TEXT]`.
    pub acks: Vec<(String, Option<String>)>,
    /// `--override ID`.
    pub overrides: Vec<String>,
    /// `--emergency`.
    pub emergency: bool,
    /// `--reason`.
    pub reason: Option<String>,
    /// `--wait`.
    pub wait: Option<Period>,
    /// `--wait-lock`.
    pub wait_lock: Option<Period>,
    /// `resume --retry`.
    pub retry: bool,
}

/// A lock that another run holds from the start.
#[derive(Clone, Debug)]
pub struct LockHeld {
    /// Of these hosts.
    pub hosts: Vec<HostName>,
    /// Whose run it is.
    pub by: String,
    /// For how long.
    pub length: Period,
}

/// What hosts answer to which calls.
#[derive(Clone, Debug)]
pub struct Answering {
    /// Which calls.
    pub to: Addressee,
    /// On which hosts; none: on every one.
    pub on: Option<Vec<HostName>>,
    /// From when on.
    pub after: Option<After>,
    /// Whether a list goes on with each verdict, and not with each call.
    pub each_verdict: bool,
    /// The answers, one after the other on each host; the last repeats.
    pub gives: Vec<Give>,
    /// Where it stands.
    pub location: Location,
}

/// Which calls an answer is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addressee {
    /// Looks of this name.
    Look(String),
    /// The action of this step.
    Step(StepId),
    /// Every look and action whose command contains this.
    Command(String),
    /// Everything on the host, its locks too.
    Host,
}

/// From when on an answer is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// Once this step has ended on the host that is asked.
    Here(StepId),
    /// Once it has ended on one of these hosts; any when there are none.
    There(StepId, Vec<HostName>),
    /// From this simulated time on, since the scenario's start.
    Time(Period),
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Give {
    /// What comes back, or would have.
    pub answer: Answered,
    /// What is in its way.
    pub fault: Option<Trouble>,
    /// What is known of the trouble.
    pub reason: Option<String>,
    /// The simulated time it takes.
    pub took: Period,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// A command ends.
    Command {
        /// Its exit status.
        exit: i32,
        /// What it writes on stdout.
        stdout: String,
        /// What it writes on stderr.
        stderr: String,
    },
    /// A request is answered.
    Http {
        /// The status.
        status: u16,
        /// The headers.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// A conversation is answered.
    Tcp {
        /// What the peer sends.
        reply: String,
    },
}

/// What keeps an answer from coming back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The connection is lost; the host knows how it ended.
    Drop,
    /// The connection is lost, and nobody knows.
    Lost,
    /// The host cannot be reached: nothing is sent.
    Unreachable,
    /// It does not start on the host.
    NotStarted,
    /// Our program dies once it is sent.
    Crash,
    /// It never ends by itself.
    Timeout,
    /// The conversation fails so.
    Conversation(NoReply),
}

/// What the person says to a question.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Which one.
    pub to: Asked,
    /// The answers in order.
    pub answers: Vec<Word>,
    /// Whether each is given once: a list is used up. A single one is given each time.
    pub once: bool,
    /// Where it stands.
    pub location: Location,
}

/// A question, by what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Whether to start.
    Start,
    /// A warning.
    Warning(String),
    /// A step; on this host, or on any.
    Step(Place),
}

/// One answer of the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// What they say.
    pub says: Says,
    /// Why, in their words.
    pub reason: String,
    /// How long they think.
    pub took: Period,
}

/// What a person says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// Yes.
    Yes,
    /// No.
    No,
    /// A text.
    Text(String),
    /// Ctrl-C.
    Interrupt,
    /// Run the action again.
    Retry,
    /// Only evaluate the checks again.
    Recheck,
    /// Take this host out.
    Skip,
    /// Run the step's `undo`.
    Undo,
    /// Stop.
    Stop,
    /// It took effect.
    Done,
    /// It did not.
    NotDone,
}

impl Says {
    /// The words with a meaning of their own.
    pub const WORDS: [(&'static str, Self); 10] = [
        ("yes", Self::Yes),
        ("no", Self::No),
        ("ctrl-c", Self::Interrupt),
        ("retry", Self::Retry),
        ("recheck", Self::Recheck),
        ("skip", Self::Skip),
        ("undo", Self::Undo),
        ("stop", Self::Stop),
        ("done", Self::Done),
        ("not-done", Self::NotDone),
    ];

    /// The word.
    pub fn word(&self) -> &str {
        match self {
            Self::Text(text) => text,
            known => Self::WORDS.iter().find(|(_, says)| says == known).map_or("", |(word, _)| word),
        }
    }
}

/// A step, on one host or on every one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The step.
    pub step: StepId,
    /// The host; none: every one.
    pub host: Option<HostName>,
}

impl Place {
    /// Whether it is this step on this host.
    pub fn is(&self, step: &StepId, host: &HostName) -> bool {
        self.step == *step && self.host.as_ref().is_none_or(|own| own == host)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) => write!(f, "{}@{host}", self.step),
            None => write!(f, "{}", self.step),
        }
    }
}

/// What must come of a stretch. What is not said is not looked at, but for the exit status.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// How it ends; none: well.
    pub exit: Option<Exit>,
    /// How things stand at its end.
    pub outcomes: Vec<(Place, Fate)>,
    /// The questions asked, in order.
    pub asked: Option<Vec<Asked>>,
    /// What is never sent.
    pub never: Vec<Place>,
    /// What is sent of the steps that it names, in order.
    pub order: Vec<Place>,
    /// What is told.
    pub says: Vec<String>,
    /// What is not told.
    pub silent: Vec<String>,
}

/// How a stretch ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this exit status.
    Status(u8),
    /// The program dies.
    Crash,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Crash => f.write_str("crash"),
        }
    }
}

/// How a step stands on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is well.
    Ok,
    /// It failed.
    Failed,
    /// There was nothing to do.
    Skipped,
    /// It was sent, and what became of it is not known.
    InDoubt,
    /// A person took the host out.
    Excluded,
    /// Its turn never came.
    NotRun,
    /// Its action ended; its checks have come to no verdict.
    Unchecked,
}

impl Fate {
    /// All, with their words.
    pub const WORDS: [(&'static str, Self); 7] = [
        ("ok", Self::Ok),
        ("failed", Self::Failed),
        ("skipped", Self::Skipped),
        ("in-doubt", Self::InDoubt),
        ("excluded", Self::Excluded),
        ("not-run", Self::NotRun),
        ("unchecked", Self::Unchecked),
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, fate)| *fate == self).map_or("", |(word, _)| word)
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("start"),
            Self::Warning(id) => f.write_str(id),
            Self::Step(place) => place.fmt(f),
        }
    }
}

impl fmt::Display for Addressee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Look(name) => write!(f, "to: {name}"),
            Self::Step(step) => write!(f, "to: {step}"),
            Self::Command(text) => write!(f, "run: {text}"),
            Self::Host => f.write_str("everything"),
        }
    }
}
