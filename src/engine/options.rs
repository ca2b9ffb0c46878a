//! What the operator said on the command line, as far as the engine is concerned.

use crate::event::Opened;
use crate::vocab::Period;

/// The operator's word for one stretch of a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The operator's name.
    pub operator: String,
    /// `--yes`: the start is agreed to.
    pub yes: bool,
    /// `--ack ID[=TEXT]`.
    pub acks: Vec<(String, Option<String>)>,
    /// `--override ID`.
    pub overrides: Vec<String>,
    /// `--emergency`.
    pub emergency: bool,
    /// `--reason`.
    pub reason: Option<String>,
    /// `--wait`: poll preconditions that do not hold.
    pub wait: Option<Period>,
    /// `--wait-lock`: wait for locks that another run holds.
    pub wait_lock: Option<Period>,
    /// How long a host's lock outlives its last renewal; it is renewed three times in that time.
    pub lease: Period,
    /// How many hosts are looked at or acted on at once.
    pub parallel: usize,
    /// Where the record is kept: said in the stamps beside the admin host, which may have several such places.
    pub record: Option<String>,
    /// `resume --retry`: failed actions are run again without asking.
    pub retry: bool,
    /// The time between two looks of `--wait` and `--wait-lock`.
    pub wait_interval: Period,
    /// What a stopped command is given between TERM and KILL.
    pub grace: Period,
}

impl Options {
    /// The word of whoever goes on with a run that `opened` began: an emergency is one still, and its reason holds until
    /// another is given.
    #[must_use]
    pub fn going_on(mut self, opened: &Opened) -> Self {
        self.emergency |= opened.emergency;
        self.reason = self.reason.or_else(|| opened.reason.clone());
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            operator: String::new(),
            yes: false,
            acks: Vec::new(),
            overrides: Vec::new(),
            emergency: false,
            reason: None,
            wait: None,
            wait_lock: None,
            lease: Period::seconds(60),
            parallel: 64,
            record: None,
            retry: false,
            wait_interval: Period::seconds(2),
            grace: Period::seconds(10),
        }
    }
}
