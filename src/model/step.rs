//! Steps, and what stands around them: checks, preconditions, warnings, rollouts.

use std::sync::Arc;

use serde::Serialize;

use super::expectation::Expectation;
use super::expression::Expression;
use super::pattern::HostPattern;
use super::probe::{CommandSpec, HttpSpec, Probe, Sudo};
use super::runbook::Runbook;
use super::template::Template;
use crate::vocab::{Location, Period};

/// One entry of `steps:`.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// Its id, unique among its siblings: letters, digits, `-`, `_`.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// What it is for.
    pub says: Option<String>,
    /// What it does.
    pub kind: StepKind,
    /// Its hosts; none: the runbook's.
    pub hosts: Option<HostPattern>,
    /// Runs once on the operator's machine (or the one named host), not per host.
    pub once: bool,
    /// Whether it takes part at all.
    pub condition: Option<Expression>,
    /// Already so: then it is skipped with that reason.
    pub skip_if: Option<Check>,
    /// What must hold before it acts on a host.
    pub preconditions: Vec<Precondition>,
    /// What a person must know before it.
    pub warnings: Vec<Warning>,
    /// How it moves over its hosts.
    pub rollout: Rollout,
    /// How long its action may take: a duration when rendered.
    pub timeout: Option<Template>,
    /// How failed tries are repeated.
    pub retry: Option<Retry>,
    /// What must become true after it.
    pub checks: Vec<Check>,
    /// Values kept for later steps, evaluated over the action's `exit`, `stdout`, `stderr` (`rows`, `value` of a probe).
    pub capture: Vec<(String, Expression)>,
    /// What happens when it fails.
    pub on_failure: OnFailure,
    /// What a person may choose to run after a failure.
    pub undo: Option<CommandSpec>,
    /// Safe to run again without asking.
    pub repeatable: bool,
    /// Decides an in-doubt step: holds = it took effect, fails = it did not.
    pub settle: Option<Check>,
    /// Through which user.
    pub sudo: Option<Sudo>,
    /// Where it is declared.
    #[serde(skip)]
    pub location: Location,
}

impl Step {
    /// A step with nothing but an id and a name: an empty block.
    pub fn bare(id: &str, name: &str, location: Location) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            says: None,
            kind: StepKind::Block(Vec::new()),
            hosts: None,
            once: false,
            condition: None,
            skip_if: None,
            preconditions: Vec::new(),
            warnings: Vec::new(),
            rollout: Rollout::default(),
            timeout: None,
            retry: None,
            checks: Vec::new(),
            capture: Vec::new(),
            on_failure: OnFailure::default(),
            undo: None,
            repeatable: false,
            settle: None,
            sudo: None,
            location,
        }
    }
}

/// What a step does.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// It changes something (or asks a person to, or waits).
    Action(Box<Action>),
    /// It only looks; with an expectation it is a gate.
    Probe {
        /// What it looks at.
        probe: Arc<Probe>,
        /// What must become true, if anything.
        expectation: Option<Expectation>,
        /// How long that may take.
        within: Option<Period>,
    },
    /// Inner steps that each batch goes through before the next batch starts.
    Block(Vec<Step>),
    /// Another runbook's steps in this place.
    Runbook {
        /// Its name.
        name: String,
        /// What its parameters are bound to.
        with: Vec<(String, Template)>,
        /// The runbook itself.
        runbook: Arc<Runbook>,
    },
}

/// What an action step does.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// `run:`, `command:` or `script:`.
    Command(CommandSpec),
    /// `copy:` a file of the book to the host, written beside its place and renamed into it.
    Copy {
        /// The file.
        file: BookFile,
        /// Its path on the host.
        dest: Template,
        /// Its mode, octal, `0644`.
        mode: Option<String>,
        /// Its owner, `user` or `user:group`.
        owner: Option<String>,
    },
    /// `http:` a request that changes something.
    Http(HttpSpec),
    /// `manual:` a person does it and says so.
    Manual {
        /// What to do.
        says: Template,
    },
    /// `wait:` for a time.
    Wait {
        /// How long: a duration when rendered.
        length: Template,
    },
}

/// A file of the book.
#[derive(Clone, Debug, Serialize)]
pub struct BookFile {
    /// Its path in the book, for people.
    pub name: String,
    /// Its contents.
    #[serde(skip)]
    pub bytes: Arc<[u8]>,
}

impl Action {
    /// Whether it changes anything by itself.
    pub fn changes(&self) -> bool {
        match self {
            Self::Command(_) | Self::Copy { .. } | Self::Http(_) | Self::Manual { .. } => true,
            Self::Wait { .. } => false,
        }
    }

    /// Whether it runs once, not per host, unless it names hosts.
    pub fn is_once(&self) -> bool {
        match self {
            Self::Manual { .. } | Self::Wait { .. } => true,
            Self::Command(_) | Self::Copy { .. } | Self::Http(_) => false,
        }
    }
}

/// A probe with an expectation that must become true, with a deadline.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What it demands, for people.
    pub says: String,
    /// What it looks at.
    pub probe: Arc<Probe>,
    /// What must be true of it.
    pub expectation: Expectation,
    /// How long that may take to become true; none: it is looked at once.
    pub within: Option<Period>,
    /// Where it is declared.
    #[serde(skip)]
    pub location: Location,
}

/// A check that must hold before anything is changed.
#[derive(Clone, Debug, Serialize)]
pub struct Precondition {
    /// Its id.
    pub id: String,
    /// The check.
    pub check: Check,
    /// What a person reads when it does not hold.
    pub otherwise: Option<String>,
    /// Whether it is evaluated again.
    pub recheck: Recheck,
    /// Whether `--override` may go on against it.
    pub overridable: bool,
}

/// When a precondition is evaluated again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recheck {
    /// Only at the start (and after questions, waits, a resume).
    #[default]
    Start,
    /// Before each batch too.
    Batch,
}

/// What a person must know first.
#[derive(Clone, Debug, Serialize)]
pub struct Warning {
    /// Its id.
    pub id: String,
    /// The text; may show what its probe saw.
    pub says: Template,
    /// What it asks for.
    pub acknowledgement: Acknowledgement,
    /// When it is shown.
    pub when: WarningWhen,
    /// Where it is declared.
    #[serde(skip)]
    pub location: Location,
}

/// What a warning asks for.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Acknowledgement {
    /// Nothing.
    None,
    /// A yes.
    Confirm,
    /// This text, typed.
    Type(Template),
}

/// When a warning is shown.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WarningWhen {
    /// Always.
    Always,
    /// When an expression is true.
    If(Expression),
    /// When a probe's expectation holds, or cannot be decided.
    Probe(Box<Check>),
}

/// How a step moves over its hosts.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Rollout {
    /// The hosts that go first: a number, or a pattern.
    pub canary: Option<HostPattern>,
    /// The first so many hosts go first.
    pub canary_count: Option<Template>,
    /// How many go at once: a number when rendered, or `all`. Default: 1.
    pub batch: Option<Template>,
    /// The time between two batches: a duration when rendered. Default: none.
    pub pause: Option<Template>,
    /// How many hosts may fail before the roll stops: a number when rendered. Default: 0.
    pub max_failures: Option<Template>,
    /// The floor of healthy hosts.
    pub min_healthy: Option<MinHealthy>,
    /// Whether the author wrote a rollout at all.
    pub declared: bool,
}

/// How many hosts must be healthy outside a batch that takes a healthy one away, for it to start.
#[derive(Clone, Debug, Serialize)]
pub struct MinHealthy {
    /// How many: a number when rendered.
    pub count: Template,
    /// What says that a host is healthy.
    pub check: Check,
}

/// How failed tries are repeated.
#[derive(Clone, Debug, Serialize)]
pub struct Retry {
    /// How many tries in all.
    pub attempts: u32,
    /// The time between two.
    pub delay: Period,
}

/// What happens when a step fails on a host.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OnFailure {
    /// Commands that collect evidence on the host.
    pub collect: Vec<CommandSpec>,
    /// What then.
    pub then: Then,
}

/// What happens after a failure beyond the budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Then {
    /// Ask the operator; without a terminal, stop.
    #[default]
    Ask,
    /// Stop.
    Stop,
    /// Go on with the next hosts, whatever the budget.
    Continue,
}
