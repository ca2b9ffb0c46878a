//! A file of scenarios.

use schemars::json_schema;

use super::inventory::RawInventory;
use super::{Flag, Length, Named, OneOrMany, Prose, Whole, Word, Words};
use crate::source::decode::{Context, Decode, choice, record, schema};
use crate::source::text::Span;
use crate::source::tree::{Node, Value};

record! {
    /// Scenarios of a runbook: what hosts would answer, and what must come of it.
    RawSuite is "a file of scenarios" {
        /// The runbook. Default: the file's name.
        runbook: Option<Word>,
        /// Laid over the book's inventory, as `-i` would.
        inventory: Option<RawInventory>,
        /// What hosts answer in every scenario of the file.
        #[schemars(default)]
        answers: Vec<RawAnswering>,
        /// The scenarios.
        #[schemars(length(min = 1))]
        scenarios: Vec<RawScenario>,
    }
}

record! {
    /// One scenario: a run from its start to its end, or through several resumes.
    RawScenario is "a scenario" {
        /// Its name, in a few words.
        name: Prose,
        /// What it is about.
        says: Option<Prose>,
        /// The arguments, as on the command line: `[5s, pause=3s]`.
        #[schemars(default)]
        args: Vec<Word>,
        /// Secrets, by the name of their parameter; made up, they stand in a file.
        #[schemars(default)]
        secrets: Named<Word>,
        /// The flags of `runbook run`.
        options: Option<RawOptions>,
        /// Locks that other runs hold.
        #[schemars(default)]
        locked: Vec<RawLocked>,
        /// What hosts answer here; looked at before the file's. Of several that fit, the one written last is given.
        #[schemars(default)]
        answers: Vec<RawAnswering>,
        /// What the person answers, by the id of the warning, by step or step@host, or `start`. Without it there is no terminal.
        operator: Option<Named<RawReplies>>,
        /// When the operator presses Ctrl-C, from the start.
        #[schemars(default)]
        interrupt: Vec<Length>,
        /// When the program dies, from the start. To die while an action runs, `fault: crash` is surer.
        crash: Option<Length>,
        /// What must come of it.
        expect: Option<RawExpected>,
        /// How the same run is resumed, once or several times.
        #[schemars(default)]
        then: Vec<RawThen>,
    }
}

record! {
    /// A resume.
    RawThen is "a resume" {
        /// The flags of `runbook resume`.
        resume: Option<RawOptions>,
        /// What passes before it.
        later: Option<Length>,
        /// What hosts answer from now on.
        #[schemars(default)]
        answers: Vec<RawAnswering>,
        /// What the person answers. Without it there is no terminal.
        operator: Option<Named<RawReplies>>,
        /// When the operator presses Ctrl-C, from the start of the resume.
        #[schemars(default)]
        interrupt: Vec<Length>,
        /// When the program dies, from the start of the resume.
        crash: Option<Length>,
        /// What must come of it.
        expect: Option<RawExpected>,
    }
}

record! {
    /// Flags.
    RawOptions is "`options`" {
        /// `--yes`. Default: true.
        yes: Option<Flag>,
        /// `--limit`: a host pattern; only of a run.
        limit: Option<Word>,
        /// `--ack`: a list of ids, or a mapping from ids to the texts typed.
        ack: Option<RawAcks>,
        /// `--override`: ids of preconditions.
        #[schemars(default)]
        r#override: Vec<Word>,
        /// `--emergency`.
        emergency: Option<Flag>,
        /// `--reason`.
        reason: Option<Prose>,
        /// `--wait`: how long for preconditions that do not hold.
        wait: Option<Length>,
        /// `--wait-lock`: how long for hosts that another run has locked.
        wait_lock: Option<Length>,
        /// `--dry-run`; only of a run.
        dry_run: Option<Flag>,
        /// `--retry`: run failed actions again; only of a resume.
        retry: Option<Flag>,
    }
}

record! {
    /// Locks that another run holds.
    RawLocked is "`locked`" {
        /// The hosts: a pattern.
        on: OneOrMany<Word>,
        /// Whose run it is.
        by: Option<Word>,
        /// For how long. Default: an hour.
        r#for: Option<Length>,
    }
}

record! {
    /// What hosts answer.
    RawAnswering is "an answer" {
        /// A probe's name, or the id of a step. Without `to` and `run`: everything on the host.
        to: Option<Word>,
        /// Every look and action whose command contains this.
        run: Option<Word>,
        /// The hosts: a pattern. Default: every host.
        on: Option<OneOrMany<Word>>,
        /// From when on: once a step has ended on the host (`STEP`, `STEP@HOST`), or a simulated time since the start (`90s`).
        after: Option<Word>,
        /// How a list goes on.
        each: Option<RawEach>,
        /// The answer, or a list of them: one after the other on each host, the last repeats.
        gives: OneOrMany<RawGive>,
    }
}

choice! {
    /// How a list of answers goes on.
    RawEach {
        /// With each call on a host.
        Call = "call",
        /// With each verdict, however often was looked for it.
        Verdict = "verdict",
    }
}

record! {
    /// One answer.
    RawGive is "what is given" {
        /// A command's exit status. Default: 0.
        exit: Option<Whole>,
        /// What a command writes on stdout.
        stdout: Option<Text>,
        /// What a command writes on stderr.
        stderr: Option<Text>,
        /// The status of an HTTP answer. Default: 200.
        status: Option<Whole>,
        /// The headers of an HTTP answer.
        #[schemars(default)]
        headers: Named<Word>,
        /// The body of an HTTP answer.
        body: Option<Text>,
        /// What a TCP peer sends.
        reply: Option<Text>,
        /// What keeps the answer from coming back.
        fault: Option<RawFault>,
        /// What is known of the fault.
        reason: Option<Word>,
        /// The simulated time it takes.
        took: Option<Length>,
    }
}

choice! {
    /// What keeps an answer from coming back.
    RawFault {
        /// The connection is lost; the host knows how it ended.
        Drop = "drop",
        /// The connection is lost, and nobody knows how it ended.
        Lost = "lost",
        /// The host cannot be reached: nothing is sent.
        Unreachable = "unreachable",
        /// The same.
        Refuse = "refuse",
        /// The host is reached, and nothing starts there.
        NotStarted = "not-started",
        /// The program dies right after the command was sent.
        Crash = "crash",
        /// It never ends by itself.
        Timeout = "timeout",
        /// The port refuses the connection.
        Refused = "refused",
        /// The peer closes without an answer.
        Closed = "closed",
        /// The host's sshd forbids forwarding.
        Prohibited = "prohibited",
        /// The address does not resolve or route.
        NoRoute = "no-route",
        /// TLS or HTTP is not spoken as it should be.
        Protocol = "protocol",
    }
}

record! {
    /// What must come of it. What is not said is not looked at, but for `exit`.
    RawExpected is "`expect`" {
        /// The exit status, or `crash`. Default: 0.
        exit: Option<Word>,
        /// How steps stand at the end: `STEP` on each of its hosts, or `STEP@HOST`.
        #[schemars(default)]
        outcomes: Named<RawFate>,
        /// Exactly the questions asked, in order.
        asked: Option<Words>,
        /// Steps, or step@host, of which nothing is ever sent.
        #[schemars(default)]
        never: Vec<Word>,
        /// Exactly what is sent of the steps that it names, in order.
        #[schemars(default)]
        order: Vec<Word>,
        /// Texts that the run tells.
        #[schemars(default)]
        says: Vec<Prose>,
        /// Texts that it does not tell.
        #[schemars(default)]
        silent: Vec<Prose>,
    }
}

choice! {
    /// How a step stands.
    RawFate {
        /// It is well.
        Ok = "ok",
        /// It failed.
        Failed = "failed",
        /// There was nothing to do.
        Skipped = "skipped",
        /// It was sent, and what became of it is not known.
        InDoubt = "in-doubt",
        /// A person took the host out.
        Excluded = "excluded",
        /// Its turn never came.
        NotRun = "not-run",
        /// Its action ended, and its checks came to no verdict.
        Unchecked = "unchecked",
    }
}

record! {
    /// What a person says, in full.
    RawReply is "an answer" {
        /// `yes`, `no`, the text to type, `retry`, `recheck`, `skip`, `undo`, `stop`, `done`, `not-done`, `ctrl-c`.
        answer: Word,
        /// Why.
        reason: Option<Word>,
        /// How long the person thinks.
        took: Option<Length>,
    }
}

/// A text as a host writes it; it may be empty.
#[derive(Clone, Debug)]
pub struct Text(pub String);

/// What a person says to one question after the other.
#[derive(Clone, Debug)]
pub struct RawReplies {
    /// The answers.
    pub items: Vec<RawSaid>,
    /// Whether it is a list.
    pub listed: bool,
}

/// What a person says: a word, or more than that.
#[derive(Clone, Debug)]
pub enum RawSaid {
    /// A word.
    Word(Word),
    /// More than that.
    Full(Box<RawReply>),
}

/// Acknowledged warnings with the text typed, if any.
#[derive(Clone, Debug)]
pub struct RawAcks(pub Vec<(String, Span, Option<String>)>);

impl Decode for Text {
    fn decode(node: &Node, cx: &Context) -> Option<Self> {
        match &node.value {
            Value::Scalar(scalar) => Some(Self(scalar.text.clone())),
            Value::List(_) | Value::Map(_) => {
                cx.report(cx.expected("a text", node).help("write several lines as a block behind `|`"));
                None
            }
        }
    }
}

impl Decode for RawSaid {
    fn decode(node: &Node, cx: &Context) -> Option<Self> {
        match &node.value {
            Value::Map(_) => RawReply::decode(node, cx).map(|reply| Self::Full(Box::new(reply))),
            Value::Scalar(_) | Value::List(_) => Word::decode(node, cx).map(Self::Word),
        }
    }
}

impl Decode for RawReplies {
    fn decode(node: &Node, cx: &Context) -> Option<Self> {
        let all = OneOrMany::<RawSaid>::decode(node, cx)?;
        Some(Self { items: all.items, listed: all.listed })
    }
}

impl Decode for RawAcks {
    fn decode(node: &Node, cx: &Context) -> Option<Self> {
        match &node.value {
            Value::Map(_) => {
                let named = Named::<Word>::decode(node, cx)?;
                let acks = named.entries.into_iter().filter_map(|entry| {
                    let text = entry.value?.text;
                    Some((entry.name, entry.span, (text != "true").then_some(text)))
                });
                Some(Self(acks.collect()))
            }
            Value::List(_) | Value::Scalar(_) => {
                let words = OneOrMany::<Word>::decode(node, cx)?.items;
                let ack = |word: Word| match word.text.split_once('=') {
                    Some((id, text)) => (id.to_owned(), word.span, Some(text.to_owned())),
                    None => (word.text, word.span, None),
                };
                Some(Self(words.into_iter().map(ack).collect()))
            }
        }
    }
}

schema! {
    Text => |_generator| json_schema!({ "type": ["string", "number", "boolean"] }),
    RawSaid => |generator| {
        let (word, reply) = (generator.subschema_for::<Word>(), generator.subschema_for::<RawReply>());
        json_schema!({ "anyOf": [word, reply] })
    },
    RawReplies => |generator| {
        let said = generator.subschema_for::<RawSaid>();
        json_schema!({ "anyOf": [said, { "type": "array", "items": said, "minItems": 1 }] })
    },
    RawAcks => |generator| {
        let word = generator.subschema_for::<Word>();
        json_schema!({ "anyOf": [
            word,
            { "type": "array", "items": word, "minItems": 1 },
            { "type": "object", "additionalProperties": word },
        ] })
    },
}
