//! Events read for verification: their bulk is looked at, and not kept.
//!
//! Most of a journal's bytes are what probes saw and commands wrote, of which no state follows. Of the events that hold
//! them, only what the state and the files beside the journal need is decoded; of the rest it is checked that it has the
//! form it must have, down to the last text, and it is forgotten. All other events are decoded as ever. So what can be
//! skimmed can also be read whole, and comes to the same state; what cannot be skimmed is for the strict reading to judge.

use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, EnumAccessDeserializer};
use serde::de::{DeserializeSeed, EnumAccess, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::shape::{Any, Many, Maybe, Pairs, Scalar, Text};
use crate::event::{self, ActionEnd, Event, Moment, StoredOutput};
use crate::vocab::observation::NoReply;
use crate::vocab::{self, HostName, Period, StepHost, StepId};

/// An event without its bulk: in the kinds below, texts and observations are empty whatever they were.
pub(super) struct Skimmed(pub(super) Event);

impl<'de> Deserialize<'de> for Skimmed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_enum("Event", &[], AnEvent)
    }
}

struct AnEvent;

impl<'de> Visitor<'de> for AnEvent {
    type Value = Skimmed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, event: A) -> Result<Skimmed, A::Error> {
        let (kind, rest) = event.variant()?;
        skim(kind, rest).map(Skimmed)
    }
}

/// An event whose kind is read already.
struct Known<'de, A> {
    kind: &'de str,
    rest: A,
}

impl<'de, A: VariantAccess<'de>> EnumAccess<'de> for Known<'de, A> {
    type Error = A::Error;
    type Variant = A;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, A), A::Error> {
        Ok((seed.deserialize(BorrowedStrDeserializer::new(self.kind))?, self.rest))
    }
}

/// Says of the kinds with bulk how each field is skimmed: fields as in the event, in their order there.
macro_rules! skimmed {
    ($($name:literal $kind:ident { $($(#[$how:meta])* $field:ident: $shape:ty,)* })*) => {
        fn skim<'de, A: VariantAccess<'de>>(kind: &'de str, rest: A) -> Result<Event, A::Error> {
            match kind {
                $($name => {
                    #[derive(Deserialize)]
                    struct $kind {
                        $($(#[$how])* $field: $shape,)*
                    }
                    let $kind { $($field,)* } = rest.newtype_variant()?;
                    Ok(Event::$kind { $($field: $field.into(),)* })
                })*
                _ => Event::deserialize(EnumAccessDeserializer::new(Known { kind, rest })),
            }
        }
    };
}

skimmed! {
    "precondition-judged" PreconditionJudged {
        id: Text,
        says: Text,
        moment: Moment,
        verdicts: Many<HostVerdict>,
        show: Many<Text>,
        overridable: bool,
        otherwise: Maybe<Text>,
    }
    "warning-shown" WarningShown {
        id: Text,
        says: Text,
        observed: Many<Observation>,
        #[serde(default)]
        typed: Maybe<Text>,
    }
    "floor-judged" FloorJudged {
        step: StepId,
        batch: usize,
        needed: usize,
        healthy: Many<Text>,
        sick: Many<HostVerdict>,
        #[serde(default)]
        takes_none: bool,
    }
    "looked" Looked {
        at: Option<StepHost>,
        probe: Text,
        observations: Many<Observation>,
    }
    "step-acted" StepActed {
        at: StepHost,
        attempt: u32,
        end: ActionEnd,
        stdout: Output,
        stderr: Output,
        took: Period,
        output_cut: bool,
    }
    "observed" Observed {
        at: StepHost,
        observation: Observation,
        show: Many<Text>,
    }
    "check-judged" CheckJudged {
        at: Option<StepHost>,
        check: usize,
        says: Text,
        verdicts: Many<HostVerdict>,
        polls: u32,
        took: Period,
    }
    "collected" Collected {
        at: StepHost,
        command: Text,
        output: Output,
    }
    "undo-ended" UndoEnded {
        at: StepHost,
        end: Option<ActionEnd>,
        output: Output,
    }
}

#[derive(Deserialize)]
struct Output {
    #[expect(dead_code, reason = "read for its form")]
    text: Text,
    #[serde(default)]
    stored: Option<StoredOutput>,
}

impl From<Output> for event::Output {
    fn from(output: Output) -> Self {
        Self { text: String::new(), stored: output.stored }
    }
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "read for its form")]
struct HostVerdict {
    host: Maybe<Text>,
    verdict: Verdict,
    observation: Option<Observation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "read for its form")]
enum Verdict {
    Holds,
    Fails { why: Text },
    Unknown { why: Text },
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "read for its form")]
struct Observation {
    host: Text,
    reply: Reply,
    took: Period,
    #[serde(default)]
    rows: Option<Rows>,
    #[serde(default)]
    value: Maybe<Any>,
    #[serde(default)]
    problems: Many<Text>,
}

impl From<Observation> for vocab::Observation {
    fn from(_: Observation) -> Self {
        let reply = vocab::Reply::Tcp { reply: String::new() };
        let host = HostName::new(String::new());
        Self { host, reply, took: Period::ZERO, rows: None, value: None, problems: Vec::new() }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "read for its form")]
enum Reply {
    Command { exit: i32, stdout: Text, stderr: Text },
    Tcp { reply: Text },
    Http { status: u16, headers: Pairs, body: Text },
    Nothing { reason: NoReply, detail: Text },
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "read for its form")]
struct Rows {
    columns: Many<Text>,
    rows: Many<Many<Scalar>>,
}
