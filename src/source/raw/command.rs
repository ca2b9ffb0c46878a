//! Commands: what runs, what it reads, as whom.

use schemars::json_schema;

use super::{Named, OneOrMany, Word};
use crate::source::decode::{Context, Decode, flat, record, schema};
use crate::source::tree::{Node, Value};

record! {
    /// A command of its own: for `undo` and `collect`.
    RawCommand is "a command" {
        /// What runs.
        #[schemars(flatten)]
        program: RawProgram,
    }
}

record! {
    /// What runs: one of `run`, `command`, `script`.
    RawProgram is "a command" {
        /// A text for `sh -e` on the host; every `${{ … }}` in it is quoted. A list is an argument vector without a shell.
        run: Option<OneOrMany<Word>>,
        /// A whole command from the inventory, not quoted: `${{ host.vars.restart_workers }}`.
        command: Option<Word>,
        /// A file of the book, run by its own interpreter.
        script: Option<RawScript>,
        /// What the command reads. Secrets may be used here.
        stdin: Option<Word>,
        /// Its environment. Secrets may be used here.
        #[schemars(default)]
        env: Named<Word>,
        /// `true` for root, a user's name, or `false` for the login user.
        sudo: Option<RawSudo>,
    }
}

/// Through which user: `true` for root, a user's name, or `false` for the login user.
#[derive(Clone, Debug)]
pub struct RawSudo {
    /// The value.
    pub word: Word,
}

/// A script of the book: its path, or `{file, args, interpreter}`.
#[derive(Clone, Debug)]
pub struct RawScript {
    /// The script.
    pub spec: RawScriptSpec,
}

record! {
    /// A script of the book with its arguments.
    RawScriptSpec is "a script" {
        /// Its path in the book.
        file: Word,
        /// Its arguments, each one word.
        #[schemars(default)]
        args: Vec<Word>,
        /// What runs it: `perl -w`, or a list. Without it, its `#!` line, or `sh`.
        interpreter: Option<OneOrMany<Word>>,
    }
}

flat!(RawProgram);

impl Decode for RawSudo {
    fn decode(node: &Node, cx: &Context) -> Option<Self> {
        Word::decode(node, cx).map(|word| Self { word })
    }
}

schema! {
    RawSudo => |_generator| json_schema!({ "type": ["boolean", "string"] }),
}

impl Decode for RawScript {
    fn decode(node: &Node, cx: &Context) -> Option<Self> {
        let spec = match &node.value {
            Value::Scalar(_) => {
                let file = Word::decode(node, cx)?;
                RawScriptSpec {
                    place: super::super::decode::Place::default(),
                    file,
                    args: Vec::new(),
                    interpreter: None,
                }
            }
            Value::Map(_) => RawScriptSpec::decode(node, cx)?,
            Value::List(_) => {
                cx.report(cx.expected("a path or `{ file, args }`", node));
                return None;
            }
        };
        Some(Self { spec })
    }
}

schema! {
    RawScript => |generator| {
        let spec = generator.subschema_for::<RawScriptSpec>();
        json_schema!({ "anyOf": [{ "type": "string" }, spec] })
    },
}
