//! Records read for verification: their bulk is looked at, and not kept.
//!
//! Most of a journal's bytes are what probes saw and commands wrote, of which no state follows. A record of an event that
//! holds such is read here by the places of its parts, as the writer sets them: what the state and the files beside the
//! journal need is decoded; of the rest it is checked that it has the form it must have, down to the last text, and it is
//! forgotten. Anything else, and the least deviation, is left to the strict reading, which takes several times as long. So what
//! is skimmed can also be read whole and comes to the same state, and every refusal is the strict reading's.

use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::walker::Walker;
use crate::event::{ActionEnd, Event, Moment, Output, StoredOutput};
use crate::vocab::observation::NoReply;
use crate::vocab::{HostName, Observation, Period, Reply, StepHost, StepId};

/// What is known of a skimmed line; its texts and observations are empty in the event.
#[derive(Debug)]
pub(super) struct Skimmed<'a> {
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    pub(super) prev: &'a str,
    pub(super) event: Event,
}

/// Skims a line; none: it is not one of those that can be.
pub(super) fn skim(line: &str) -> Option<Skimmed<'_>> {
    let mut line = Line(Walker::new(line));
    line.is("{\"seq\":")?;
    let seq = line.read()?;
    line.is(",\"at\":")?;
    let at = line.0.plain()?.parse().ok()?;
    line.is(",\"prev\":")?;
    let prev = line.0.plain()?;
    line.is(",\"event\":{")?;
    let kind = line.0.plain()?;
    line.is(":{")?;
    let event = line.event(kind)?;
    line.is("}},\"digest\":")?;
    line.0.plain()?;
    line.is("}")?;
    line.0.is_over().then_some(Skimmed { seq, at, prev, event })
}

struct Line<'a>(Walker<'a>);

impl Line<'_> {
    fn event(&mut self, kind: &str) -> Option<Event> {
        Some(match kind {
            "precondition-judged" => {
                self.text("\"id\":")?;
                self.text(",\"says\":")?;
                let moment: Moment = self.field(",\"moment\":")?;
                self.verdicts(",\"verdicts\":")?;
                self.texts(",\"show\":")?;
                let overridable = self.field(",\"overridable\":")?;
                self.is(",\"otherwise\":")?;
                self.or_null(|line| line.text(""))?;
                let (id, says, verdicts, show) = (String::new(), String::new(), Vec::new(), Vec::new());
                Event::PreconditionJudged { id, says, moment, verdicts, show, overridable, otherwise: None }
            }
            "warning-shown" => {
                self.text("\"id\":")?;
                self.text(",\"says\":")?;
                self.observations(",\"observed\":")?;
                if self.0.has(",\"typed\":") {
                    self.text("")?;
                }
                Event::WarningShown { id: String::new(), says: String::new(), observed: Vec::new(), typed: None }
            }
            "floor-judged" => {
                let step: StepId = self.field("\"step\":")?;
                let batch = self.field(",\"batch\":")?;
                let needed = self.field(",\"needed\":")?;
                let healthy = self.field(",\"healthy\":")?;
                self.verdicts(",\"sick\":")?;
                let takes_none = self.0.has(",\"takes_none\":true");
                Event::FloorJudged { step, batch, needed, healthy, sick: Vec::new(), takes_none }
            }
            "looked" => {
                let at = self.field("\"at\":")?;
                self.text(",\"probe\":")?;
                self.observations(",\"observations\":")?;
                Event::Looked { at, probe: String::new(), observations: Vec::new() }
            }
            "step-acted" => {
                let at: StepHost = self.field("\"at\":")?;
                let attempt = self.field(",\"attempt\":")?;
                let end: ActionEnd = self.field(",\"end\":")?;
                let stdout = self.output(",\"stdout\":")?;
                let stderr = self.output(",\"stderr\":")?;
                let took: Period = self.field(",\"took\":")?;
                let output_cut = self.field(",\"output_cut\":")?;
                Event::StepActed { at, attempt, end, stdout, stderr, took, output_cut }
            }
            "observed" => {
                let at: StepHost = self.field("\"at\":")?;
                self.is(",\"observation\":")?;
                self.observation()?;
                self.texts(",\"show\":")?;
                Event::Observed { at, observation: unseen(), show: Vec::new() }
            }
            "check-judged" => {
                let at = self.field("\"at\":")?;
                let check = self.field(",\"check\":")?;
                self.text(",\"says\":")?;
                self.verdicts(",\"verdicts\":")?;
                let polls = self.field(",\"polls\":")?;
                let took: Period = self.field(",\"took\":")?;
                Event::CheckJudged { at, check, says: String::new(), verdicts: Vec::new(), polls, took }
            }
            "collected" => {
                let at: StepHost = self.field("\"at\":")?;
                self.text(",\"command\":")?;
                let output = self.output(",\"output\":")?;
                Event::Collected { at, command: String::new(), output }
            }
            "undo-ended" => {
                let at: StepHost = self.field("\"at\":")?;
                let end: Option<ActionEnd> = self.field(",\"end\":")?;
                let output = self.output(",\"output\":")?;
                Event::UndoEnded { at, end, output }
            }
            _ => return None,
        })
    }

    fn output(&mut self, key: &str) -> Option<Output> {
        self.is(key)?;
        self.text("{\"text\":")?;
        let stored: Option<StoredOutput> = if self.0.has(",\"stored\":") { Some(self.read()?) } else { None };
        self.is("}")?;
        Some(Output { text: String::new(), stored })
    }

    fn verdicts(&mut self, key: &str) -> Option<()> {
        self.is(key)?;
        self.list(|line| {
            line.is("{\"host\":")?;
            line.or_null(|line| line.text(""))?;
            line.is(",\"verdict\":")?;
            if !line.0.has("\"holds\"") {
                if !line.0.has("{\"fails\":") {
                    line.is("{\"unknown\":")?;
                }
                line.text("{\"why\":")?;
                line.is("}}")?;
            }
            line.is(",\"observation\":")?;
            line.or_null(Self::observation)?;
            line.is("}")
        })
    }

    fn observations(&mut self, key: &str) -> Option<()> {
        self.is(key)?;
        self.list(Self::observation)
    }

    fn observation(&mut self) -> Option<()> {
        self.text("{\"host\":")?;
        self.is(",\"reply\":")?;
        self.reply()?;
        self.field::<Period>(",\"took\":")?;
        if self.0.has(",\"rows\":") {
            self.texts("{\"columns\":")?;
            self.is(",\"rows\":")?;
            self.list(|line| line.list(|line| line.0.scalar()))?;
            self.is("}")?;
        }
        if self.0.has(",\"value\":") {
            self.0.value()?;
        }
        if self.0.has(",\"problems\":") {
            self.texts("")?;
        }
        self.is("}")
    }

    fn reply(&mut self) -> Option<()> {
        if self.0.has("{\"command\":") {
            self.field::<i32>("{\"exit\":")?;
            self.text(",\"stdout\":")?;
            self.text(",\"stderr\":")?;
        } else if self.0.has("{\"tcp\":") {
            self.text("{\"reply\":")?;
        } else if self.0.has("{\"http\":") {
            self.field::<u16>("{\"status\":")?;
            self.field::<std::collections::BTreeMap<String, String>>(",\"headers\":")?;
            self.text(",\"body\":")?;
        } else {
            self.is("{\"nothing\":")?;
            self.field::<NoReply>("{\"reason\":")?;
            self.text(",\"detail\":")?;
        }
        self.is("}}")
    }

    fn is(&mut self, literal: &str) -> Option<()> {
        self.0.has(literal).then_some(())
    }

    /// Any text, behind a key.
    fn text(&mut self, key: &str) -> Option<()> {
        self.is(key)?;
        self.0.text()
    }

    fn texts(&mut self, key: &str) -> Option<()> {
        self.is(key)?;
        self.list(|line| line.text(""))
    }

    fn or_null(&mut self, value: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        if self.0.has("null") { Some(()) } else { value(self) }
    }

    fn list(&mut self, mut entry: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.is("[")?;
        if self.0.has("]") {
            return Some(());
        }
        loop {
            entry(self)?;
            if self.0.has("]") {
                return Some(());
            }
            self.is(",")?;
        }
    }

    /// What is decoded as ever, behind a key.
    fn field<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        self.is(key)?;
        self.read()
    }

    fn read<T: DeserializeOwned>(&mut self) -> Option<T> {
        serde_json::from_str(self.0.value()?).ok()
    }
}

fn unseen() -> Observation {
    let reply = Reply::Tcp { reply: String::new() };
    Observation { host: HostName::new(""), reply, took: Period::ZERO, rows: None, value: None, problems: Vec::new() }
}
