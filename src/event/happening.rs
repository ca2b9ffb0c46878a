//! The events of a run.
//!
//! Owned data only; externally tagged, so that a reader of another age can tell an event it does not know by its name.
//! Texts in events have passed the masker; output is raw otherwise, and whoever shows it neutralises it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::opening::{Opened, OperatorEntry, Resumed};
use super::outcome::{ActionEnd, Outcome};
use crate::vocab::{Digest, Holder, HostName, Loss, Observation, Period, RunId, StepHost, StepId, Verdict};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The run began. Always the first event, once.
    Opened(Box<Opened>),
    /// Somebody resumed the run: a new stretch began.
    Resumed(Box<Resumed>),

    /// The run locked hosts: all that it could reach, or one whose turn came later.
    HostsLocked {
        /// The hosts.
        hosts: Vec<LockedHost>,
        /// The hosts that could not be locked yet; that is tried again before anything is sent to one of them.
        left_out: Vec<Unlocked>,
    },
    /// Another run holds the lock of a host.
    LockRefused {
        /// The host.
        host: HostName,
        /// Who holds it.
        holder: Holder,
        /// How long the run waits for it at most (`--wait-lock`); none when it does not.
        wait: Option<Period>,
    },
    /// The run does not hold the lock of a host any more. Nothing is started after this.
    LockLost {
        /// The host.
        host: HostName,
        /// Where it went.
        loss: Loss,
    },
    /// The run gave its locks back.
    LocksReleased {
        /// The hosts.
        hosts: Vec<HostName>,
        /// Those that could not be told; there the lock ends by itself.
        not_told: Vec<Unlocked>,
    },
    /// A person broke the lock of a host (`runbook locks break`).
    LockBroken {
        /// The host.
        host: HostName,
        /// Who held it.
        holder: Holder,
        /// Why it was broken.
        reason: String,
    },

    /// The journals of runs were removed (`runbook audit prune`); their seals are kept.
    RunsPruned {
        /// The runs, each as it was when it was removed.
        runs: Vec<PrunedRun>,
    },

    /// A precondition was evaluated.
    PreconditionJudged {
        /// Its id; that of an included runbook's as `step/id`, of a step's own as `step:id`.
        id: String,
        /// What it demands, for people.
        says: String,
        /// When it was evaluated.
        moment: Moment,
        /// Each host's verdict, or one with no host for an expectation over all.
        verdicts: Vec<HostVerdict>,
        /// The columns people are shown of the observations.
        show: Vec<String>,
        /// Whether it may be overridden.
        overridable: bool,
        /// What the author says when it does not hold.
        otherwise: Option<String>,
    },
    /// The run went on against a precondition that did not hold.
    PreconditionOverridden {
        /// Its id.
        id: String,
        /// By which flag.
        how: OverrideHow,
        /// Why.
        reason: String,
    },
    /// Preconditions do not hold and are polled until they do or the time is up (`--wait`).
    WaitStarted {
        /// How long at most.
        limit: Period,
    },
    /// A warning was shown.
    WarningShown {
        /// Its id, as a precondition's.
        id: String,
        /// The text.
        says: String,
        /// The observation it depends on, if any.
        observed: Vec<Observation>,
        /// The text that has to be typed, if one has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        typed: Option<String>,
    },
    /// A warning was acknowledged.
    WarningAcknowledged {
        /// Its id.
        id: String,
        /// By what.
        how: AckHow,
    },
    /// A question was put to the operator.
    Asked {
        /// What it was about.
        what: AskedWhat,
        /// Its words.
        question: String,
    },
    /// The operator (or the lack of a terminal, or a flag) answered.
    Answered {
        /// What the question was about.
        what: AskedWhat,
        /// The answer.
        answer: Answer,
    },

    /// A step's roll over its hosts began (or went on).
    RollStarted {
        /// The step.
        step: StepId,
        /// The batches still to do, in order; the first one is the canary's where there is one.
        batches: Vec<Vec<HostName>>,
    },
    /// The hosts that count as healthy were counted before a batch.
    FloorJudged {
        /// The step.
        step: StepId,
        /// The batch's number from 1; 0 for the look before anything is changed.
        batch: usize,
        /// How many must be healthy outside the batch.
        needed: usize,
        /// Who is healthy outside the batch.
        healthy: Vec<HostName>,
        /// Who is not, and why.
        sick: Vec<HostVerdict>,
        /// Whether it takes no healthy host away, and so may start however few they are.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        takes_none: bool,
    },
    /// A batch began.
    BatchStarted {
        /// The step.
        step: StepId,
        /// Its number from 1 in this stretch.
        batch: usize,
        /// Of how many.
        of: usize,
        /// Its hosts.
        hosts: Vec<HostName>,
    },
    /// The roll pauses between two batches.
    PauseStarted {
        /// The step.
        step: StepId,
        /// How long.
        length: Period,
    },
    /// The roll stopped before all its hosts were done.
    RollStopped {
        /// The step.
        step: StepId,
        /// Why, for people.
        why: String,
        /// The hosts whose turn never came.
        untouched: Vec<HostName>,
    },
    /// A step's roll is over.
    RollEnded {
        /// The step.
        step: StepId,
    },

    /// The same host's observations before the step, for `before` in its checks.
    ObservedBefore {
        /// Where.
        at: StepHost,
        /// The observations, each with the number of the check that needs it.
        observations: Vec<(usize, Observation)>,
    },
    /// Hosts were looked at, and no other event shows what was seen: healthy ones, a `skip_if`, a `settle`, a warning that
    /// does not apply, an expectation over all hosts.
    Looked {
        /// The step and host it was for; none where it was for more than one.
        at: Option<StepHost>,
        /// What the runbook calls the look.
        probe: String,
        /// What was seen.
        observations: Vec<Observation>,
    },
    /// An action is about to be sent. Written and synced before it is.
    StepStarted {
        /// Where.
        at: StepHost,
        /// The how-manieth try, from 1, over the whole run.
        attempt: u32,
        /// What kind of action.
        kind: ActionKind,
        /// The exact command, secrets as placeholders.
        command: String,
        /// The user it runs as through sudo; none: the login user. Its receipt is in that user's home.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
    },
    /// The connection broke after an action was sent; it is being made anew. The action goes on meanwhile.
    ConnectionLost {
        /// Where.
        at: StepHost,
        /// What is known of the action.
        reason: String,
        /// Whether it was heard to start: then a receipt that is not there does not mean that it never did.
        #[serde(default)]
        started: bool,
    },
    /// The host answered again, and what became of the action is known.
    ConnectionRegained {
        /// Where.
        at: StepHost,
        /// After how long.
        after: Period,
    },
    /// The host was asked what became of an action that was sent before.
    ReceiptRead {
        /// Where.
        at: StepHost,
        /// The try.
        attempt: u32,
        /// What its receipt says.
        found: Found,
    },
    /// An action ended. Written and synced before anyone is told.
    StepActed {
        /// Where.
        at: StepHost,
        /// The try.
        attempt: u32,
        /// How it ended.
        end: ActionEnd,
        /// What it wrote on stdout (or the body of an HTTP answer).
        stdout: Output,
        /// What it wrote on stderr.
        stderr: Output,
        /// How long it took.
        took: Period,
        /// A background child held the output open; it was cut a second after the end.
        output_cut: bool,
    },
    /// A failed try is repeated, as the runbook's `retry` says.
    RetryScheduled {
        /// Where.
        at: StepHost,
        /// What was wrong with the try before.
        why: String,
        /// After how long.
        delay: Period,
    },
    /// A `probe` step observed a host.
    Observed {
        /// Where.
        at: StepHost,
        /// What was seen.
        observation: Observation,
        /// The columns people are shown; empty for all.
        show: Vec<String>,
    },
    /// A check came to its last verdict: it holds, or its deadline passed.
    CheckJudged {
        /// The step and host; none for a check of the whole run.
        at: Option<StepHost>,
        /// Its number in the step (or run), from 1.
        check: usize,
        /// What it demands, for people.
        says: String,
        /// Each host's verdict, or one with no host for an expectation over all.
        verdicts: Vec<HostVerdict>,
        /// How often it was evaluated.
        polls: u32,
        /// Over how long.
        took: Period,
    },
    /// A value was captured for later steps.
    Captured {
        /// Where.
        at: StepHost,
        /// Its name.
        name: String,
        /// The value.
        value: serde_json::Value,
    },
    /// Evidence was collected after a failure.
    Collected {
        /// Where.
        at: StepHost,
        /// The command that collected it.
        command: String,
        /// What it wrote, or why it could not.
        output: Output,
    },
    /// A step ended on a host.
    StepEnded {
        /// Where.
        at: StepHost,
        /// How.
        outcome: Outcome,
    },
    /// A person chose what to do about a failed or in-doubt step.
    Chosen {
        /// Where.
        at: StepHost,
        /// What was chosen.
        choice: Choice,
        /// Why, in the operator's words; empty when none was given.
        reason: String,
    },
    /// The step's `undo` command is about to be sent.
    UndoStarted {
        /// Where.
        at: StepHost,
        /// The exact command.
        command: String,
    },
    /// The step's `undo` command ended.
    UndoEnded {
        /// Where.
        at: StepHost,
        /// How; none when that could not be learned.
        end: Option<ActionEnd>,
        /// What it wrote on both streams.
        output: Output,
    },

    /// A signal asked the run to stop: the first lets commands finish, the second stops them.
    Interrupted {
        /// The signal's name, `SIGINT`.
        signal: String,
        /// Which one this is, from 1.
        count: u32,
    },
    /// Anything a reader should know that has no event of its own.
    Noted {
        /// Where, if it is about one step on one host.
        at: Option<StepHost>,
        /// The note.
        text: String,
    },
    /// This stretch of the run is over and the run can be resumed.
    Stopped {
        /// The program's exit status.
        exit: u8,
        /// Why, for people.
        why: String,
    },
    /// The run is over.
    Ended {
        /// The program's exit status.
        exit: u8,
        /// Why, for people.
        why: String,
    },
    /// A person settled an in-doubt step from outside the run (`runbook resolve`).
    Resolved {
        /// Where.
        at: StepHost,
        /// Whether it took effect.
        done: bool,
        /// Why they say so.
        reason: String,
        /// Who.
        operator: OperatorEntry,
    },
    /// A person ended the run for good (`runbook abandon`).
    Abandoned {
        /// Why.
        reason: String,
        /// Who.
        operator: OperatorEntry,
    },
}

impl Event {
    /// What became of an action or a step, where that is what the event tells.
    pub fn end(&self) -> Option<(&StepHost, String)> {
        if let Self::StepActed { at, end, .. } = self {
            return Some((at, end.to_string()));
        }
        if let Self::StepEnded { at, outcome } = self {
            let why = outcome.why().map(|why| format!(": {why}")).unwrap_or_default();
            return Some((at, format!("{}{why}", outcome.word())));
        }
        if let Self::UndoEnded { at, end: Some(end), .. } = self {
            return Some((at, format!("undo: {end}")));
        }
        None
    }
}

/// What an action's receipt on its host says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// It still runs, and is waited for.
    Running,
    /// It ended, then or while it was waited for.
    Finished,
    /// It never started; the host has been told that it never shall.
    NeverStarted,
    /// Nothing of it lives, and nobody wrote down how it ended.
    Gone {
        /// What is known.
        why: String,
    },
    /// The host could not be asked.
    Unasked {
        /// Why.
        why: String,
    },
}

/// A run whose journal was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PrunedRun {
    /// The run.
    pub run: RunId,
    /// How many records its journal had.
    pub records: u64,
    /// The digest of the last of them.
    pub head: Digest,
}

/// A host that was locked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LockedHost {
    /// The host.
    pub host: HostName,
    /// Its boot id at that time, which tells whether it was restarted since; `-` where it has none.
    pub boot: String,
    /// The login's user and home there, `USER:HOME`: receipts are in that home.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub login: String,
}

/// A host that was not locked, or not unlocked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unlocked {
    /// The host.
    pub host: HostName,
    /// Why.
    pub why: String,
}

/// When a precondition was evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// Before anything was changed.
    Start,
    /// While waiting for it (`--wait`).
    Waiting,
    /// After a question or a wait, once more before anything was changed.
    Again,
    /// When the run was resumed.
    Resume,
    /// Before a batch (`recheck: batch`).
    Batch {
        /// The step.
        step: StepId,
        /// The batch's number from 1.
        batch: usize,
    },
    /// Before a step on a host (the step's own precondition).
    Step {
        /// Where.
        at: StepHost,
    },
}

/// One host's part in a verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HostVerdict {
    /// The host; none for an expectation over all hosts.
    pub host: Option<HostName>,
    /// The verdict.
    pub verdict: Verdict,
    /// What it was made from. For a verdict over all hosts each host's is a `HostVerdict` of its own in front.
    pub observation: Option<Observation>,
}

/// What allowed going on against a precondition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OverrideHow {
    /// `--override ID`.
    Override,
    /// `--emergency`.
    Emergency,
}

/// What acknowledged a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AckHow {
    /// It asks for no acknowledgement.
    NotNeeded,
    /// The operator confirmed at the terminal.
    Confirmed,
    /// The operator typed the text at the terminal.
    Typed,
    /// `--ack ID` or `--ack ID=TEXT`.
    Flag,
    /// `--emergency`.
    Emergency,
    /// It was acknowledged in an earlier stretch.
    Earlier,
}

/// What a question was about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AskedWhat {
    /// Whether to start.
    Start,
    /// A warning.
    Warning {
        /// Its id.
        id: String,
    },
    /// Whether a manual step is done.
    Manual {
        /// Where.
        at: StepHost,
    },
    /// What to do about a failure.
    Failure {
        /// Where.
        at: StepHost,
    },
    /// What to do about a step in doubt.
    InDoubt {
        /// Where.
        at: StepHost,
    },
}

impl AskedWhat {
    /// The step and host, where it was about one.
    pub fn at(&self) -> Option<&StepHost> {
        match self {
            Self::Start | Self::Warning { .. } => None,
            Self::Manual { at } | Self::Failure { at } | Self::InDoubt { at } => Some(at),
        }
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Yes, by a person at the terminal.
    Yes,
    /// No, by a person at the terminal.
    No,
    /// A text, by a person at the terminal.
    Text(String),
    /// Yes, by a flag.
    Flag(String),
    /// Nobody could be asked: no terminal. It counts as no.
    NoTerminal,
}

/// What a person chose about a failed or in-doubt step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// Run the action again.
    Retry,
    /// Only evaluate the checks again.
    Recheck,
    /// Take this host out of the roll.
    Skip,
    /// Run the step's `undo`.
    Undo,
    /// Stop the run.
    Stop,
    /// Go on with the next hosts (`on_failure: then: continue`).
    Continue,
    /// Say that an in-doubt step took effect.
    Done,
    /// Say that an in-doubt step did not take effect.
    NotDone,
}

/// What kind of action a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ActionKind {
    /// `run:`
    Run,
    /// `command:`
    Command,
    /// `script:`
    Script,
    /// `copy:`
    Copy,
    /// `http:`
    Http,
    /// `manual:`
    Manual,
    /// `wait:`
    Wait,
}

/// What a command wrote: whole here, or whole in a file beside the journal with its beginning and end here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// The text, invalid UTF-8 replaced; when `stored`, its beginning, a line that says what is left out, its end.
    pub text: String,
    /// Where the whole is kept, when it is large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<StoredOutput>,
}

/// An output kept beside the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StoredOutput {
    /// Its digest, which is its file's name.
    pub digest: Digest,
    /// Its length.
    pub bytes: u64,
}

impl Output {
    /// An output that is kept in the event itself.
    pub fn inline(text: impl Into<String>) -> Self {
        Self { text: text.into(), stored: None }
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}
