//! What each event says to a person, in words.
//!
//! Apart from where it is said: plain lines and the live screen tell the same things, so that a log and a memory of the
//! screen agree. What the live screen shows in its rows anyway is marked `fine` and only plain lines say it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::elapsed;
use super::line::Line;
use super::observed;
use super::outline;
use super::style::{Mark, Role, Styles};
use super::table::Fit;
use super::verdicts;
use super::words::{ack_words, answer_words, asked_words, bare, choice_words, count, override_words};
use crate::event::{
    AckHow, ActionEnd, Answer, AskedWhat, Event, Found, HostVerdict, Moment, Outcome, Output, PrunedRun, StepEntry,
    Unlocked,
};
use crate::vocab::fold_hosts;
use crate::vocab::{HostName, StepHost, StepId};

/// One thing said.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Whether a live screen shows it in its rows already.
    pub fine: bool,
    /// The host it is about.
    pub host: Option<HostName>,
    /// The step it is about.
    pub step: Option<StepId>,
    /// The symbol in front.
    pub mark: Option<Mark>,
    /// What is said.
    pub text: Line,
    /// More about it, below.
    pub detail: Vec<Line>,
}

impl Told {
    fn new(text: impl AsRef<str>) -> Self {
        Self { text: Line::text(text.as_ref()), ..Self::default() }
    }

    fn line(text: Line) -> Self {
        Self { text, ..Self::default() }
    }

    fn at(mut self, at: &StepHost) -> Self {
        self.host = Some(at.host.clone());
        self.step = Some(at.step.clone());
        self
    }

    fn of(mut self, step: &StepId) -> Self {
        self.step = Some(step.clone());
        self
    }

    fn mark(mut self, mark: Mark) -> Self {
        self.mark = Some(mark);
        self
    }

    fn fine(mut self) -> Self {
        self.fine = true;
        self
    }

    fn fine_if(mut self, fine: bool) -> Self {
        self.fine = fine;
        self
    }

    fn detail(mut self, lines: impl IntoIterator<Item = Line>) -> Self {
        self.detail.extend(lines);
        self
    }
}

/// Says that something ended of which there is no record.
pub(super) fn unrecorded(at: &StepHost, end: &str) -> Told {
    let text = Line::new().with(Role::Failed, "not recorded").with(Role::Text, &format!(": {end}"));
    Told::line(text).at(at).mark(Mark::Failed)
}

/// Puts events into words. Keeps what a later event refers to: what was false when it is overridden, what was
/// written when a step fails, when a step began.
#[derive(Debug)]
pub struct Narrator {
    styles: Styles,
    judged: BTreeMap<String, Vec<HostVerdict>>,
    looked: BTreeSet<StepHost>,
    full: bool,
    /// Who runs this stretch.
    who: String,
    /// The preconditions that the run goes on against.
    overridden: BTreeSet<String>,
    began: BTreeMap<StepHost, Timestamp>,
    wrote: BTreeMap<StepHost, String>,
    /// Where a check was told not to hold: the outcome need not say why again.
    unmet: BTreeSet<StepHost>,
}

/// How many lines of a failed command's output are told with its failure.
const TAIL: usize = 8;

impl Narrator {
    /// Speaks with these symbols.
    pub fn new(styles: Styles) -> Self {
        Self {
            styles,
            judged: BTreeMap::new(),
            looked: BTreeSet::new(),
            full: false,
            who: String::new(),
            overridden: BTreeSet::new(),
            began: BTreeMap::new(),
            wrote: BTreeMap::new(),
            unmet: BTreeSet::new(),
        }
    }

    /// Tells in full what did not hold, where no last screen follows that would.
    #[must_use]
    pub fn in_full(self) -> Self {
        Self { full: true, ..self }
    }

    /// What `event` says; `steps` are those of the plan, for their names.
    pub fn tell(&mut self, at: Timestamp, event: &Event, steps: &[StepEntry]) -> Vec<Told> {
        match event {
            Event::Opened(_) | Event::Resumed(_) => {
                if let Some(operator) = outline::operator_of(event) {
                    self.who.clone_from(&operator.name);
                }
                outline::head(event).into_iter().map(Told::line).collect()
            }
            Event::HostsLocked { hosts, left_out } => {
                let locked = fold_hosts(hosts.iter().map(|locked| &locked.host));
                let locked = (self.full && !hosts.is_empty()).then(|| Told::new(format!("locked {locked}")));
                locked.into_iter().chain(unlocked("not locked yet", left_out)).collect()
            }
            Event::LockRefused { host, holder, wait } => {
                let held = format!("the lock of {host} is held by {}", holder.words());
                vec![match wait {
                    Some(wait) => Told::new(format!("{held}; waiting for it, {wait} at most")).mark(Mark::Warning),
                    None => Told::new(held).mark(Mark::Failed),
                }]
            }
            Event::LockLost { host, loss } => {
                vec![Told::new(format!("the lock of {host} is lost: {}", loss.words())).mark(Mark::Failed)]
            }
            Event::LocksReleased { hosts, not_told } if self.full => {
                let released = (!hosts.is_empty()).then(|| Told::new(format!("unlocked {}", fold_hosts(hosts))));
                released.into_iter().chain(unlocked("not unlocked, the lock ends by itself", not_told)).collect()
            }
            Event::LockBroken { host, holder, reason } => {
                let text = format!("the lock of {host} was broken, held by {}: {reason}", holder.words());
                vec![Told::new(text).mark(Mark::Warning)]
            }
            Event::RunsPruned { runs } => {
                let line = |pruned: &PrunedRun| {
                    Line::new()
                        .with(Role::Dim, &format!("{}  {} records, head {}", pruned.run, pruned.records, pruned.head))
                };
                let removed = format!("the journals of {} were removed", count(runs.len(), "run"));
                vec![Told::new(removed).mark(Mark::Warning).detail(runs.iter().map(line).collect::<Vec<_>>())]
            }
            Event::PreconditionJudged { id, says, moment, verdicts, .. } => self.judged(id, says, moment, verdicts),
            Event::PreconditionOverridden { id, how, reason } => {
                self.overridden.insert(id.clone());
                let was = self.judged.get(id).map(|verdicts| verdicts::reasons(verdicts)).unwrap_or_default();
                let how = override_words(*how);
                let by = if self.full { format!("{} with {how}", self.who) } else { how.to_owned() };
                vec![
                    Told::new(format!("{id} does not hold; overridden by {by}: {reason}"))
                        .mark(Mark::Warning)
                        .detail(was),
                ]
            }
            Event::WaitStarted { limit } => {
                vec![Told::new(format!("waiting for the preconditions, {limit} at most"))]
            }
            Event::WarningShown { id, says, observed, .. } => {
                let mut detail = Line::each(Role::Text, says.trim());
                if !observed.is_empty() {
                    detail.extend(observed::table(observed, &[]).lines(Fit::Whole, &self.styles));
                }
                let title = Line::new().with(Role::Warning, &format!("warning {id}"));
                vec![Told::line(title).mark(Mark::Warning).detail(detail)]
            }
            Event::WarningAcknowledged { id, how } => match how {
                AckHow::NotNeeded => Vec::new(),
                AckHow::Confirmed | AckHow::Typed | AckHow::Flag | AckHow::Emergency if self.full => {
                    vec![Told::new(format!("warning {id} {} ({})", ack_words(*how), self.who))]
                }
                AckHow::Confirmed | AckHow::Typed => {
                    vec![Told::new(format!("warning {id} {}", ack_words(*how))).fine()]
                }
                AckHow::Flag | AckHow::Emergency | AckHow::Earlier => {
                    vec![Told::new(format!("warning {id} {}", ack_words(*how)))]
                }
            },
            Event::Asked { what, question } => vec![asked(what, Told::new(format!("asked: {question}"))).fine()],
            Event::Answered { what, answer } => {
                let told = answered(what, answer);
                vec![match answer {
                    Answer::Yes | Answer::No | Answer::Text(_) if self.full => {
                        Told { text: told.text.with(Role::Text, &format!(" ({})", self.who)), ..told }
                    }
                    Answer::Yes | Answer::No | Answer::Text(_) | Answer::Flag(_) | Answer::NoTerminal => told,
                }]
            }
            Event::RollStarted { step, batches } => vec![roll(step, batches, steps)],
            Event::FloorJudged { step, batch, needed, healthy, sick, takes_none } => {
                let told = floor(step, *batch, *needed, healthy, sick);
                let why = "who is acted on is not healthy, and no loss to the others";
                vec![if *takes_none && healthy.len() < *needed {
                    told.mark(Mark::Warning).detail([Line::text(why)])
                } else {
                    told
                }]
            }
            Event::BatchStarted { step, batch, of, hosts } => {
                // a roll of one batch has named its hosts
                let told = Told::new(format!("batch {batch} of {of}: {}", fold_hosts(hosts))).of(step).fine();
                if *of > 1 { vec![told] } else { Vec::new() }
            }
            Event::PauseStarted { step, length } => vec![Told::new(format!("pause {length}")).of(step).fine()],
            Event::RollStopped { step, why, untouched } => {
                let left = fold_hosts(untouched);
                let left = (!left.is_empty()).then(|| Line::text(&format!("not run on {left}")));
                vec![Told::new(format!("stopped: {why}")).of(step).mark(Mark::Failed).detail(left)]
            }
            Event::Looked { at: place, probe, observations } if self.full => {
                let hosts = fold_hosts(observations.iter().map(|one| &one.host));
                let problems = observations.iter().flat_map(|one| {
                    one.problems.iter().map(|problem| {
                        Line::new()
                            .with(Role::Host, one.host.as_str())
                            .with(Role::Text, &format!("   unknown: {problem}"))
                    })
                });
                let told = Told::line(Line::new().with(Role::Dim, &format!("looked: probe {probe} on {hosts}")))
                    .detail(problems);
                vec![match place {
                    Some(place) => told.at(place),
                    None => told,
                }]
            }
            Event::ObservedBefore { at: place, .. } if self.full => {
                let text = "looked before it, for its checks";
                vec![Told::line(Line::new().with(Role::Dim, text)).at(place)]
            }
            Event::LocksReleased { .. }
            | Event::RollEnded { .. }
            | Event::ObservedBefore { .. }
            | Event::Looked { .. } => Vec::new(),
            Event::StepStarted { at: place, attempt, command, .. } => {
                self.began.entry(place.clone()).or_insert(at);
                let again = if *attempt > 1 { format!("try {attempt}: ") } else { String::new() };
                let text = Line::text(&again).with(Role::Dim, "$ ");
                let told = if self.full {
                    let mut lines = Line::each(Role::Command, command.trim_end()).into_iter();
                    let first = lines.next().unwrap_or_default();
                    Told::line(text.and(first)).detail(lines)
                } else {
                    Told::line(text.with(Role::Command, command.trim_end()))
                };
                vec![told.at(place).fine()]
            }
            Event::StepActed { at: place, end, stdout, stderr, took, output_cut, .. } => {
                self.wrote.insert(place.clone(), joined(stdout, stderr));
                let mut told = vec![Told::new(format!("{end} after {}", elapsed::short(took.get()))).at(place).fine()];
                if *output_cut {
                    told.push(
                        Told::new("something it left running held its output open; that was cut")
                            .at(place)
                            .mark(Mark::Warning),
                    );
                }
                told
            }
            Event::ConnectionLost { at: place, reason, .. } => {
                vec![
                    Told::new(format!("the connection was lost ({reason}); connecting again"))
                        .at(place)
                        .mark(Mark::Warning),
                ]
            }
            Event::ConnectionRegained { at: place, after } => {
                let after = elapsed::short(after.get());
                vec![
                    Told::new(format!("connected again after {after}; the command was found by its receipt")).at(place),
                ]
            }
            Event::ReceiptRead { at: place, found, .. } => {
                let (text, mark) = match found {
                    Found::Running => ("the host was asked: it still runs, and is waited for".to_owned(), None),
                    Found::Finished => ("the host was asked: it ended".to_owned(), None),
                    Found::NeverStarted => ("the host was asked: it never started".to_owned(), None),
                    Found::Gone { why } => (format!("the host was asked: {why}"), Some(Mark::Warning)),
                    Found::Unasked { why } => (format!("the host could not be asked: {why}"), Some(Mark::Warning)),
                };
                let told = Told::new(text).at(place);
                vec![match mark {
                    Some(mark) => told.mark(mark),
                    None => told,
                }]
            }
            Event::RetryScheduled { at: place, why, delay } => {
                vec![Told::new(format!("again in {delay}: {why}")).at(place).mark(Mark::Warning)]
            }
            Event::Observed { at: place, .. } => {
                self.looked.insert(place.clone());
                if self.full { vec![Told::new("looked").at(place).fine()] } else { Vec::new() }
            }
            Event::CheckJudged { at: place, says, verdicts, polls, took, .. } => {
                if let Some(place) = place.as_ref().filter(|_| !super::verdicts::hold(verdicts)) {
                    self.unmet.insert(place.clone());
                }
                vec![check(place.as_ref(), says, verdicts, *polls, &elapsed::short(took.get()))]
            }
            Event::Captured { at: place, name, value } => {
                vec![Told::new(format!("captured {name} = {}", bare(value))).at(place).fine()]
            }
            Event::Collected { at: place, command, output } => {
                let lines = output.text.lines().count();
                let text = Line::text("collected ")
                    .with(Role::Command, command)
                    .with(Role::Dim, &format!(" ({})", count(lines, "line")));
                vec![Told::line(text).at(place)]
            }
            Event::StepEnded { at: place, outcome } => vec![self.ended(at, place, outcome)],
            Event::Chosen { at: place, choice, reason } => {
                let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
                vec![Told::new(format!("chosen: {}{because}", choice_words(*choice))).at(place)]
            }
            Event::UndoStarted { at: place, command } => {
                vec![Told::line(Line::text("undo: ").with(Role::Command, command)).at(place)]
            }
            Event::UndoEnded { at: place, end, output } => vec![undone(place, end.as_ref(), output)],
            Event::Interrupted { signal, count } => vec![interrupted(signal, *count)],
            Event::Noted { at: place, text } => {
                let told = Told::new(text).mark(Mark::Warning);
                vec![match place {
                    Some(place) => told.at(place),
                    None => told,
                }]
            }
            // the last screen says these with all that belongs to them
            Event::Stopped { exit, why } => vec![Told::new(format!("stopped (exit {exit}): {why}")).fine()],
            Event::Ended { exit, why } => vec![Told::new(format!("ended (exit {exit}): {why}")).fine()],
            Event::Resolved { at: place, done, reason, operator } => {
                let what = if *done { "done" } else { "not done" };
                let text = format!("settled as {what} by {}: {reason}", operator.name);
                vec![Told::new(text).at(place).mark(Mark::Warning)]
            }
            Event::Abandoned { reason, operator } => {
                vec![Told::new(format!("abandoned by {}: {reason}", operator.name)).mark(Mark::Warning)]
            }
        }
    }

    fn judged(&mut self, id: &str, says: &str, moment: &Moment, verdicts: &[HostVerdict]) -> Vec<Told> {
        let before = self.judged.insert(id.to_owned(), verdicts.to_vec());
        let short = verdicts::in_short(verdicts);
        // while waiting only a change is worth a word
        if *moment == Moment::Waiting && before.is_some_and(|before| verdicts::in_short(&before) == short) {
            return Vec::new();
        }
        let (place, again) = match moment {
            Moment::Start | Moment::Waiting => (None, false),
            Moment::Again | Moment::Resume | Moment::Batch { .. } => (None, true),
            Moment::Step { at } => (Some(at), true),
        };
        let told = if verdicts::hold(verdicts) {
            Told::new(format!("{id}: {says}")).mark(Mark::Ok).fine_if(again)
        } else if self.full {
            let (still, mark) =
                if self.overridden.contains(id) { (" (overridden before)", Mark::Warning) } else { ("", Mark::Failed) };
            Told::new(format!("{id} does not hold{still}: {says}")).mark(mark).detail(verdicts::reasons(verdicts))
        } else {
            Told::new(format!("{id} does not hold: {short}")).mark(Mark::Failed)
        };
        vec![match place {
            Some(place) => told.at(place),
            None => told,
        }]
    }

    fn ended(&mut self, at: Timestamp, place: &StepHost, outcome: &Outcome) -> Told {
        let took = self.began.remove(place).map(|began| elapsed::short(elapsed::between(began, at)));
        let wrote = self.wrote.remove(place).unwrap_or_default();
        let after = took.map(|took| format!(" ({took})")).unwrap_or_default();
        match outcome {
            Outcome::Ok => {
                // what was seen is shown as a table
                let looked = self.looked.remove(place);
                Told::line(Line::text("ok").with(Role::Dim, &after)).at(place).mark(Mark::Ok).fine_if(looked)
            }
            Outcome::Failed { .. } if self.unmet.remove(place) => {
                let text = Line::new().with(Role::Failed, "failed").with(Role::Dim, &after);
                Told::line(text).at(place).mark(Mark::Failed)
            }
            Outcome::Failed { why, .. } => {
                let text = Line::new()
                    .with(Role::Failed, "failed")
                    .with(Role::Text, &format!(": {why}"))
                    .with(Role::Dim, &after);
                Told::line(text).at(place).mark(Mark::Failed).detail(tail(&wrote, TAIL, &self.styles))
            }
            Outcome::Skipped { why } => Told::new(format!("skipped: {why}")).at(place).mark(Mark::Left),
            Outcome::Excluded { why } => Told::new(format!("excluded: {why}")).at(place).mark(Mark::Left),
            Outcome::InDoubt { why } => {
                let text = Line::new().with(Role::Doubt, "in doubt").with(Role::Text, &format!(": {why}"));
                Told::line(text).at(place).mark(Mark::Doubt)
            }
        }
    }
}

fn asked(what: &AskedWhat, told: Told) -> Told {
    match what {
        AskedWhat::Start | AskedWhat::Warning { .. } => told,
        AskedWhat::Manual { at } | AskedWhat::Failure { at } | AskedWhat::InDoubt { at } => told.at(at),
    }
}

/// The hosts that a lock could not be taken on or given back on.
fn unlocked(what: &str, hosts: &[Unlocked]) -> Option<Told> {
    let names: Vec<String> = hosts.iter().map(|left| format!("{} ({})", left.host, left.why)).collect();
    (!names.is_empty()).then(|| Told::new(format!("{what}: {}", names.join(", "))).mark(Mark::Warning))
}

fn answered(what: &AskedWhat, answer: &Answer) -> Told {
    let told = Told::new(format!("{} {}", asked_words(what), answer_words(answer)));
    let told = match answer {
        // a person's answer stands on the screen already, where they typed it
        Answer::Yes | Answer::No | Answer::Text(_) => told.fine(),
        Answer::Flag(_) => told,
        Answer::NoTerminal => told.mark(Mark::Left),
    };
    asked(what, told)
}

fn roll(step: &StepId, batches: &[Vec<HostName>], steps: &[StepEntry]) -> Told {
    let name = steps.iter().find(|entry| entry.id == *step).map_or("", |entry| entry.name.as_str());
    let hosts: Vec<&HostName> = batches.iter().flatten().collect();
    let mut text = Line::new();
    if !name.is_empty() && name != step.as_str() {
        text.push(Role::Heading, name);
        text.push(Role::Text, ": ");
    }
    text.push(Role::Host, &fold_hosts(hosts.iter().copied()));
    if batches.len() > 1 {
        text.push(Role::Dim, &format!(", {} in {} batches", count(hosts.len(), "host"), batches.len()));
    }
    Told::line(text).of(step)
}

fn floor(step: &StepId, batch: usize, needed: usize, healthy: &[HostName], sick: &[HostVerdict]) -> Told {
    let when = if batch == 0 { String::new() } else { format!(" outside batch {batch}") };
    let text = format!("{} healthy{when}, {needed} needed", count(healthy.len(), "host"));
    if healthy.len() < needed {
        return Told::new(text).of(step).mark(Mark::Failed).detail(verdicts::reasons(sick));
    }
    Told::new(text).of(step).fine()
}

fn check(place: Option<&StepHost>, says: &str, verdicts: &[HostVerdict], polls: u32, took: &str) -> Told {
    let looks = if polls > 1 { format!(" ({polls} looks, {took})") } else { String::new() };
    let told = if verdicts::hold(verdicts) {
        Told::line(Line::text(says).with(Role::Dim, &looks)).mark(Mark::Ok).fine_if(place.is_some())
    } else {
        Told::line(Line::text("does not hold: ").with(Role::Text, says).with(Role::Dim, &looks))
            .mark(Mark::Failed)
            .detail(verdicts::reasons(verdicts))
    };
    match place {
        Some(place) => told.at(place),
        None => told,
    }
}

fn undone(place: &StepHost, end: Option<&ActionEnd>, output: &Output) -> Told {
    match end {
        Some(ActionEnd::Exited(0) | ActionEnd::Done) => Told::new("undone").at(place).mark(Mark::Ok),
        Some(end) => Told::new(format!("undo: {end}")).at(place).mark(Mark::Failed).detail(tail(
            &output.text,
            TAIL,
            &Styles::plain(),
        )),
        None => Told::new("undo: its end could not be learned").at(place).mark(Mark::Doubt),
    }
}

fn interrupted(signal: &str, nth: u32) -> Told {
    let what = if nth <= 1 {
        "nothing new starts; what runs may finish (once more stops it)"
    } else {
        "stopping what still runs"
    };
    Told::new(format!("{signal}: {what}")).mark(Mark::Warning)
}

/// The last `most` lines of a text, a line that says how many are missing in front.
pub fn tail(text: &str, most: usize, styles: &Styles) -> Vec<Line> {
    let lines: Vec<&str> = text.trim_end_matches('\n').lines().collect();
    let missing = lines.len().saturating_sub(most);
    let mut tail = Vec::new();
    if missing > 0 {
        tail.push(Line::new().with(Role::Dim, &format!("{} {} before", styles.more(), count(missing, "line"))));
    }
    tail.extend(lines[missing..].iter().map(|line| Line::new().with(Role::Dim, "| ").with(Role::Text, line)));
    tail
}

/// stdout and stderr behind each other; their order in time is not known.
pub fn joined(stdout: &Output, stderr: &Output) -> String {
    let mut text = stdout.text.clone();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&stderr.text);
    text
}
