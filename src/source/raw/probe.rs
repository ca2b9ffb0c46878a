//! Probes: how they look, and how what they see is read.

use schemars::json_schema;

use super::command::RawProgram;
use super::{CountText, Ident, Length, Named, OneOrMany, Prose, Whole, Word};
use crate::source::decode::{Context, Decode, choice, flat, record, required, schema};
use crate::source::tree::{Node, Value};

record! {
    /// A named probe: a read-only observation that checks, preconditions, warnings and steps use by its name.
    RawProbe is "a probe" {
        /// What it tells, for people.
        summary: Option<Prose>,
        /// How it looks and how its output is read.
        #[schemars(flatten)]
        look: RawLook,
    }
}

record! {
    /// How a probe looks (one of `run`, `command`, `script`, `tcp`, `http`) and how its output is read.
    RawLook is "a probe" {
        /// The hosts it looks at, when not those of the step that uses it.
        hosts: Option<OneOrMany<Word>>,
        /// The command, which must not change anything.
        #[schemars(flatten)]
        program: RawProgram,
        /// A TCP conversation.
        tcp: Option<RawTcp>,
        /// An HTTP request.
        http: Option<RawHttp>,
        /// How the output becomes rows or a value.
        parse: Option<RawParse>,
        /// The columns people see; all when not given.
        #[schemars(default)]
        show: Vec<Word>,
        /// The exit statuses that are an answer; any other makes the observation unknown. Default: 0.
        exits: Option<OneOrMany<Whole>>,
        /// What a TCP probe may meet instead of a reply and still be an answer: `refused`, `timed-out`, `closed`.
        answers: Option<OneOrMany<RawNoAnswer>>,
        /// How long a look may take, connecting included. Default: 10s.
        timeout: Option<Length>,
    }
}

record! {
    /// A TCP conversation: connect, send, read until a text or the end.
    RawTcp is "a TCP probe" {
        /// Where it starts: the target host (`host`, the default) or the operator's machine (`here`).
        from: Option<RawOrigin>,
        /// The name or address to connect to. Default: the host's address.
        to: Option<Word>,
        /// The port.
        port: CountText,
        /// What is sent once connected: `"status\n"`.
        send: Option<Word>,
        /// The text that ends the reply. Without it the peer's close does.
        until: Option<Word>,
    }
}

record! {
    /// An HTTP request.
    RawHttp is "an HTTP request" {
        /// Its address, `http://` or `https://`.
        url: Word,
        /// Its method. Default: GET for a probe, POST for a step.
        method: Option<Word>,
        /// Its headers. Secrets may be used here.
        #[schemars(default)]
        headers: Named<Word>,
        /// Its body. Secrets may be used here.
        body: Option<Word>,
        /// Where it starts: the target host (`host`, the default) or the operator's machine (`here`).
        from: Option<RawOrigin>,
        /// The statuses that are well, for a step. Default: 200 to 299.
        status: Option<OneOrMany<Whole>>,
    }
}

choice! {
    /// How a TCP conversation can end without the reply it waits for.
    RawNoAnswer {
        /// Nothing listens on the port.
        Refused = "refused",
        /// Nothing came within the probe's `timeout`.
        TimedOut = "timed-out",
        /// The peer closed the connection before the reply was whole.
        Closed = "closed",
    }
}

choice! {
    /// Where a TCP or HTTP look starts.
    RawOrigin {
        /// At the target host, through the shared connection.
        Host = "host",
        /// At the operator's machine.
        Here = "here",
    }
}

/// How an output is read: `json`, `json_lines`, `pairs`, or a mapping with one of `rows`, `table`, `pairs`, `json`,
/// `json_lines`.
#[derive(Clone, Debug)]
pub struct RawParse {
    /// The reader.
    pub spec: RawParseSpec,
    /// The form, when it was given as one word.
    pub word: Option<(RawShape, Word)>,
}

record! {
    /// How an output is read: one of `rows`, `table`, `pairs`, `json`, `json_lines`, and the types of its columns.
    RawParseSpec is "`parse`" {
        /// A regular expression with named groups, matched against each line: `^(?<pid>\d+) (?<state>\w+)$`.
        rows: Option<Word>,
        /// Lines cut into columns.
        table: Option<RawTable>,
        /// `key value` lines: `true`, or the separator.
        pairs: Option<RawPairs>,
        /// `true`: one JSON document.
        json: Option<super::Flag>,
        /// `true`: a JSON object a line.
        json_lines: Option<super::Flag>,
        /// Lines that must parse: one that matches this regular expression and does not parse makes the observation
        /// unknown.
        like: Option<Word>,
        /// Column types; a column not named here is text.
        #[schemars(default)]
        types: Named<RawColumnType>,
    }
}

record! {
    /// Lines cut into columns.
    RawTable is "`table`" {
        /// What stands between two columns. Default: blanks, the last column taking the rest of the line.
        separator: Option<Word>,
        /// The columns in order.
        columns: Vec<Word>,
        /// Whether the first line is a header and left out.
        header: Option<super::Flag>,
    }
}

choice! {
    /// A column's type.
    RawColumnType {
        /// Text.
        Text = "text",
        /// A whole number.
        Integer = "integer",
        /// A number.
        Number = "number",
        /// A length of time, as seconds.
        Duration = "duration",
        /// `true`, `yes`, `on`, `1` or `false`, `no`, `off`, `0`.
        Boolean = "boolean",
    }
}

choice! {
    /// A form that needs nothing more.
    RawShape {
        /// One JSON document.
        Json = "json",
        /// A JSON object a line.
        JsonLines = "json_lines",
        /// `key value` lines.
        Pairs = "pairs",
    }
}

/// `true`, or the separator between key and value.
#[derive(Clone, Debug)]
pub struct RawPairs(pub Word);

/// A probe's name, or a probe written in place.
#[derive(Clone, Debug)]
pub enum RawProbeRef {
    /// The name of a probe of this runbook or of the book.
    Name(Ident),
    /// A probe of its own.
    Inline(Box<RawProbe>),
}

flat!(RawLook);
required!(RawProbeRef);

impl Decode for RawPairs {
    fn decode(node: &Node, cx: &Context) -> Option<Self> {
        Word::decode(node, cx).map(Self)
    }
}

impl Decode for RawParse {
    fn decode(node: &Node, cx: &Context) -> Option<Self> {
        if let Value::Scalar(_) = node.value {
            let shape = RawShape::decode(node, cx)?;
            let word = Word::decode(node, cx)?;
            let spec = RawParseSpec {
                place: super::super::decode::Place { span: node.span.clone(), ..Default::default() },
                rows: None,
                table: None,
                pairs: None,
                json: None,
                json_lines: None,
                like: None,
                types: Named::default(),
            };
            return Some(Self { spec, word: Some((shape, word)) });
        }
        RawParseSpec::decode(node, cx).map(|spec| Self { spec, word: None })
    }
}

impl Decode for RawProbeRef {
    fn decode(node: &Node, cx: &Context) -> Option<Self> {
        match &node.value {
            Value::Map(_) => RawProbe::decode(node, cx).map(|probe| Self::Inline(Box::new(probe))),
            Value::Scalar(_) | Value::List(_) => Ident::decode(node, cx).map(Self::Name),
        }
    }
}

schema! {
    RawPairs => |_generator| json_schema!({ "anyOf": [{ "const": true }, { "type": "string" }] }),
    RawParse => |generator| {
        let (shape, spec) = (generator.subschema_for::<RawShape>(), generator.subschema_for::<RawParseSpec>());
        json_schema!({ "anyOf": [shape, spec] })
    },
    RawProbeRef => |generator| {
        let (name, probe) = (generator.subschema_for::<Ident>(), generator.subschema_for::<RawProbe>());
        json_schema!({ "anyOf": [name, probe] })
    },
}
