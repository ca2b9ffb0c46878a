//! What a journal says that hosts answered: each look's and action's answers, in order.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::watch::shown;
use super::written::{Give, Locked};
use crate::event::{ActionEnd, ActionKind, Event, FailureKind, Found, Outcome, Output};
use crate::plan::Plan;
use crate::vocab::observation::NoReply;
use crate::vocab::{HostName, Observation, Period, Reply, StepHost};

/// By the name of what was asked: each host's answers in order.
type Answers = BTreeMap<String, BTreeMap<HostName, Vec<Give>>>;

/// What hosts answered.
pub(super) struct Taken<'a> {
    plan: &'a Plan,
    whole: &'a dyn Fn(&Output) -> String,
    answers: Answers,
    /// Actions whose end is not known yet: where their answer stands in the list.
    open: BTreeMap<StepHost, usize>,
    collected: BTreeMap<StepHost, usize>,
    locked: BTreeMap<HostName, (String, Timestamp, Option<Timestamp>)>,
    /// Hosts that could not be locked, and why.
    left_out: BTreeMap<HostName, String>,
    /// Hosts that answered something.
    there: Vec<HostName>,
    /// Whether anything of the runbook reads headers.
    headers: bool,
}

/// An answer that is nothing but a fault.
pub(super) fn give_of(fault: &'static str, reason: Option<String>) -> Give {
    Give { fault: Some(fault), reason: reason.filter(|reason| !reason.is_empty()), ..Give::default() }
}

impl<'a> Taken<'a> {
    pub(super) fn new(plan: &'a Plan, whole: &'a dyn Fn(&Output) -> String) -> Self {
        let headers = plan.texts.iter().any(|text| String::from_utf8_lossy(&text.bytes).contains("headers"));
        Self {
            plan,
            whole,
            answers: Answers::new(),
            open: BTreeMap::new(),
            collected: BTreeMap::new(),
            locked: BTreeMap::new(),
            left_out: BTreeMap::new(),
            there: Vec::new(),
            headers,
        }
    }

    /// The answers.
    pub(super) fn answers(&self) -> BTreeMap<String, BTreeMap<&HostName, &Vec<Give>>> {
        self.answers.iter().map(|(name, hosts)| (name.clone(), hosts.iter().collect())).collect()
    }

    /// The locks that others held.
    pub(super) fn locked(&self) -> Vec<Locked> {
        let forever = Period::seconds(24 * 3600);
        let held = |(host, (by, since, until)): (&HostName, &(String, Timestamp, Option<Timestamp>))| Locked {
            on: host.to_string(),
            by: by.clone(),
            r#for: until
                .map_or(forever, |until| {
                    let passed = std::time::Duration::try_from(until.duration_since(*since)).unwrap_or_default();
                    Period::seconds(passed.as_secs())
                })
                .to_string(),
        };
        self.locked.iter().map(held).collect()
    }

    /// Hosts that never answered anything, and why.
    pub(super) fn away(&self) -> Vec<(HostName, String)> {
        let away = self.left_out.iter().filter(|(host, _)| !self.there.contains(host));
        away.map(|(host, why)| (host.clone(), why.clone())).collect()
    }

    /// Takes the next event.
    pub(super) fn take(&mut self, at: Timestamp, event: &Event) {
        for shown in shown(self.plan, event) {
            for seen in shown.seen {
                if let Some(give) = self.observed(seen) {
                    self.push(&shown.name, &seen.host, give);
                }
            }
        }
        match event {
            Event::StepStarted { at, kind, .. } if !matches!(kind, ActionKind::Manual | ActionKind::Wait) => {
                let index = self.push(at.step.as_str(), &at.host, Give::default());
                self.open.insert(at.clone(), index);
            }
            Event::Resumed(_) => self.died(),
            Event::StepActed { at, end, stdout, stderr, took, .. } => {
                let (stdout, stderr) = ((self.whole)(stdout), (self.whole)(stderr));
                if let (Some(index), Some(give)) = (self.open.remove(at), acted(end, stdout, stderr, *took)) {
                    self.put(at, index, give);
                    self.there.push(at.host.clone());
                }
            }
            Event::StepEnded { at, outcome } => self.ended(at, outcome),
            Event::ReceiptRead { at, found: Found::Gone { why }, .. } => {
                if let Some(index) = self.open.remove(at) {
                    self.put(at, index, give_of("lost", Some(why.clone())));
                }
            }
            Event::Collected { at, output, .. } => {
                let of = self.plan.leaf(&at.step).map_or(1, |(_, leaf)| leaf.collect.len().max(1));
                let count = self.collected.entry(at.clone()).or_default();
                *count += 1;
                let name = format!("{}/collect {}", at.step, (*count - 1) % of + 1);
                let stdout = (self.whole)(output);
                self.push(&name, &at.host, Give { stdout, ..Give::default() });
            }
            Event::UndoEnded { at, end, output } => {
                let stdout = (self.whole)(output);
                let give = match end {
                    Some(end) => acted(end, stdout, String::new(), Period::ZERO),
                    None => Some(give_of("lost", Some(stdout))),
                };
                if let Some(give) = give {
                    self.push(&format!("{}/undo", at.step), &at.host, give);
                }
            }
            Event::LockRefused { host, holder, .. } => {
                self.locked.entry(host.clone()).or_insert_with(|| (holder.operator.clone(), at, None));
            }
            Event::HostsLocked { hosts, left_out } => {
                for host in hosts {
                    if let Some((_, _, until)) = self.locked.get_mut(&host.host) {
                        *until = Some(at);
                    }
                    self.there.push(host.host.clone());
                }
                let why = |why: &str| why.trim_start_matches("unreachable: ").to_owned();
                let why = left_out.iter().map(|left| (left.host.clone(), why(&left.why)));
                self.left_out.extend(why);
            }
            // what was seen of looks was taken above; the rest is none of the hosts' doing, or tells what others tell again
            Event::Opened(_)
            | Event::StepStarted { .. }
            | Event::ReceiptRead { .. }
            | Event::LockLost { .. }
            | Event::LocksReleased { .. }
            | Event::LockBroken { .. }
            | Event::RunsPruned { .. }
            | Event::PreconditionJudged { .. }
            | Event::PreconditionOverridden { .. }
            | Event::WaitStarted { .. }
            | Event::WarningShown { .. }
            | Event::WarningAcknowledged { .. }
            | Event::Asked { .. }
            | Event::Answered { .. }
            | Event::RollStarted { .. }
            | Event::FloorJudged { .. }
            | Event::BatchStarted { .. }
            | Event::PauseStarted { .. }
            | Event::RollStopped { .. }
            | Event::RollEnded { .. }
            | Event::ObservedBefore { .. }
            | Event::Looked { .. }
            | Event::ConnectionLost { .. }
            | Event::ConnectionRegained { .. }
            | Event::RetryScheduled { .. }
            | Event::Observed { .. }
            | Event::CheckJudged { .. }
            | Event::Captured { .. }
            | Event::Chosen { .. }
            | Event::UndoStarted { .. }
            | Event::Interrupted { .. }
            | Event::Noted { .. }
            | Event::Stopped { .. }
            | Event::Ended { .. }
            | Event::Resolved { .. }
            | Event::Abandoned { .. } => {}
        }
    }

    /// The program died with actions under way, unless their end was given up before.
    fn died(&mut self) {
        let open: Vec<(StepHost, usize)> = self.open.iter().map(|(at, index)| (at.clone(), *index)).collect();
        for (at, index) in open {
            if let Some(give) = self.place(&at, index).filter(|give| give.fault.is_none()) {
                give.fault = Some("crash");
            }
        }
    }

    /// All was taken: what the last answer of a list repeats anyway is left out.
    pub(super) fn finish(&mut self) {
        self.died();
        for list in self.answers.values_mut().flat_map(BTreeMap::values_mut) {
            while let [.., before, last] = list.as_slice()
                && before == last
            {
                list.pop();
            }
        }
    }

    /// A step that ended before its action's end was heard of.
    fn ended(&mut self, at: &StepHost, outcome: &Outcome) {
        let Some(index) = self.open.get(at).copied() else { return };
        let give = match outcome {
            Outcome::Failed { kind: FailureKind::Unreachable, why } => {
                give_of("unreachable", Some(why.trim_start_matches("unreachable: ").to_owned()))
            }
            Outcome::Failed { why, .. } => give_of("not-started", Some(why.clone())),
            // its host may tell more when it is asked
            Outcome::InDoubt { .. } => return self.put(at, index, give_of("drop", None)),
            Outcome::Ok | Outcome::Skipped { .. } | Outcome::Excluded { .. } => return,
        };
        self.open.remove(at);
        self.put(at, index, give);
    }

    /// Writes the answer of an action down; what kept it from being heard stays.
    fn put(&mut self, at: &StepHost, index: usize, give: Give) {
        if let Some(place) = self.place(at, index) {
            *place = Give { fault: give.fault.or(place.fault), ..give };
        }
    }

    fn place(&mut self, at: &StepHost, index: usize) -> Option<&mut Give> {
        self.answers.get_mut(at.step.as_str())?.get_mut(&at.host)?.get_mut(index)
    }

    fn push(&mut self, name: &str, host: &HostName, give: Give) -> usize {
        let list = self.answers.entry(name.to_owned()).or_default().entry(host.clone()).or_default();
        list.push(give);
        list.len() - 1
    }

    fn observed(&mut self, seen: &Observation) -> Option<Give> {
        let give = match &seen.reply {
            Reply::Command { exit, stdout, stderr } => Give {
                exit: (*exit != 0).then_some(*exit),
                stdout: stdout.clone(),
                stderr: stderr.clone(),
                ..Give::default()
            },
            Reply::Tcp { reply } => Give { reply: Some(reply.clone()), ..Give::default() },
            Reply::Http { status, headers, body } => Give {
                status: Some(*status),
                headers: if self.headers { headers.clone() } else { BTreeMap::new() },
                body: Some(body.clone()),
                ..Give::default()
            },
            Reply::Nothing { reason, detail } => {
                let detail = Some(detail.clone());
                return Some(match reason {
                    NoReply::Unreachable => give_of("unreachable", detail),
                    NoReply::TimedOut => give_of("timeout", None),
                    NoReply::Lost => give_of("lost", detail),
                    NoReply::Refused => give_of("refused", detail),
                    NoReply::Closed => give_of("closed", detail),
                    NoReply::Prohibited => give_of("prohibited", detail),
                    NoReply::NoRoute => give_of("no-route", detail),
                    NoReply::Protocol => {
                        match detail.as_deref().and_then(|said| said.strip_prefix("did not start: ")) {
                            Some(why) => give_of("not-started", Some(why.to_owned())),
                            None => give_of("protocol", detail),
                        }
                    }
                    NoReply::Interrupted => return None,
                });
            }
        };
        self.there.push(seen.host.clone());
        let long = seen.took.get().as_secs() > 0;
        Some(Give { took: long.then(|| seen.took.to_string()), ..give })
    }
}

/// How an action ended, as an answer; none for what no host did.
fn acted(end: &ActionEnd, stdout: String, stderr: String, took: Period) -> Option<Give> {
    let took = Some(took).filter(|took| took.get().as_millis() > 0).map(|took| took.to_string());
    let give = Give { stdout, stderr, took, ..Give::default() };
    Some(match end {
        ActionEnd::Exited(status) => Give { exit: Some(*status), ..give },
        ActionEnd::Answered(status) => {
            Give { status: Some(*status), body: Some(give.stdout.clone()), stdout: String::new(), ..give }
        }
        // it would have gone on
        ActionEnd::TimedOut | ActionEnd::Cancelled => Give { fault: Some("timeout"), took: None, ..give },
        ActionEnd::Done | ActionEnd::Declined => return None,
    })
}
