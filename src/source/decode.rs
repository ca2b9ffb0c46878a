//! Reading a tree of nodes into the raw types, collecting every fault on the way.
//!
//! A value that cannot be read is reported and left out, and its neighbours are read on. By hand rather than through
//! serde's derive, which stops at the first fault and points a wrong type at the start of the file.

use std::cell::RefCell;
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::text::{SourceText, Span};
use super::tree::{Entry, Node, Value};

/// The file that is read and what was found wrong with it.
pub struct Context {
    source: Arc<SourceText>,
    out: RefCell<Diagnostics>,
}

impl Context {
    /// For reading `source`.
    pub fn new(source: Arc<SourceText>) -> Self {
        Self { source, out: RefCell::default() }
    }

    /// The file.
    pub fn source(&self) -> &Arc<SourceText> {
        &self.source
    }

    /// Reads the file's tree.
    pub fn tree(&self) -> Option<Node> {
        super::yaml::read(&self.source, &mut self.out.borrow_mut())
    }

    /// Takes a complaint.
    pub fn report(&self, diagnostic: Diagnostic) {
        self.out.borrow_mut().push(diagnostic);
    }

    /// Takes an error at `span`.
    pub fn fault(&self, code: &'static str, span: &Span, message: impl Into<String>) {
        self.report(self.error(code, span, message));
    }

    /// An error at `span`, to be completed and reported.
    pub fn error(&self, code: &'static str, span: &Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, message).at(&self.source, span.clone(), "")
    }

    /// Says that something else was expected than is there.
    pub fn expected(&self, what: &str, node: &Node) -> Diagnostic {
        self.error("wrong-type", &node.span, format!("expected {what}, found {}", node.describe()))
    }

    /// Whether anything was found that cannot be run.
    pub fn has_errors(&self) -> bool {
        self.out.borrow().has_errors()
    }

    /// What was found.
    pub fn finish(self) -> Diagnostics {
        self.out.into_inner()
    }
}

/// What can be read from a node. None: it was reported why not.
pub trait Decode: Sized {
    /// Reads `node`.
    fn decode(node: &Node, cx: &Context) -> Option<Self>;
}

/// What can be read from a key of a mapping, which may be missing.
pub trait Take: Sized {
    /// Reads the value of `key`. None: it was reported why not.
    fn take(fields: &Fields<'_>, key: &'static str) -> Option<Self>;
}

/// Where a mapping and its keys stand.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The mapping.
    pub span: Span,
    /// Its keys that the language knows, also those whose value could not be read.
    pub keys: Vec<(&'static str, Span)>,
    /// Its keys that the language does not know; they were reported.
    pub strange: Vec<String>,
}

impl Place {
    /// Where a key stands, if it is there.
    pub fn key(&self, name: &str) -> Option<&Span> {
        self.keys.iter().find(|(key, _)| *key == name).map(|(_, span)| span)
    }

    /// Those of `names` that are there.
    pub fn present(&self, names: &[&'static str]) -> Vec<(&'static str, &Span)> {
        names.iter().filter_map(|name| self.key(name).map(|span| (*name, span))).collect()
    }

    /// Where to point at the mapping as a whole: its first line.
    pub fn head(&self) -> Span {
        self.keys.iter().map(|(_, span)| span).min_by_key(|span| span.start).cloned().unwrap_or(self.span.clone())
    }
}

/// The keys of a mapping while it is read. Known keys are those that were asked for.
pub struct Fields<'a> {
    what: &'static str,
    node: &'a Node,
    entries: &'a [Entry],
    asked: RefCell<Vec<&'static str>>,
    cx: &'a Context,
}

impl<'a> Fields<'a> {
    /// The keys of `node`, which should be the mapping of `what` ("a step").
    pub fn of(node: &'a Node, what: &'static str, cx: &'a Context) -> Option<Self> {
        match &node.value {
            Value::Map(entries) => Some(Self { what, node, entries, asked: RefCell::default(), cx }),
            Value::Scalar(_) | Value::List(_) => {
                cx.report(cx.expected(&format!("{what} (a mapping)"), node));
                None
            }
        }
    }

    fn get(&self, key: &'static str) -> Option<&'a Entry> {
        self.asked.borrow_mut().push(key);
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// Reads an entry's value; no value at all is a fault of its own.
    fn value<T: Decode>(&self, entry: &Entry) -> Option<T> {
        if entry.value.is_null() {
            let found = self.cx.error("no-value", &entry.key_span, format!("`{}` has no value", entry.key));
            self.cx.report(found.help("write one, or take the key out"));
            return None;
        }
        T::decode(&entry.value, self.cx)
    }

    /// A key that may be missing: `Some(None)` when it is, or when its value was reported.
    pub fn optional<T: Decode>(&self, key: &'static str) -> Option<T> {
        self.get(key).and_then(|entry| self.value(entry))
    }

    /// A key that must be there.
    pub fn required<T: Decode>(&self, key: &'static str) -> Option<T> {
        let Some(entry) = self.get(key) else {
            let head = self.entries.first().map_or(self.node.span.clone(), |entry| entry.key_span.clone());
            self.cx.fault("missing-key", &head, format!("{} needs the key `{key}`", self.what));
            return None;
        };
        self.value(entry)
    }

    /// Reports the keys that nobody asked for, and says where the others stand.
    pub fn finish(self) -> Place {
        let asked = self.asked.into_inner();
        let mut sorted = asked.clone();
        sorted.sort_unstable();
        sorted.dedup();
        let list = format!("it has: {}", sorted.join(", "));
        let (mut keys, mut strange) = (Vec::new(), Vec::new());
        for entry in self.entries {
            if let Some(key) = asked.iter().find(|key| **key == entry.key) {
                keys.push((*key, entry.key_span.clone()));
                continue;
            }
            if entry.key.len() < 100 {
                strange.push(entry.key.clone());
            }
            let message = format!("{} has no key `{}`", self.what, entry.key);
            let found = self.cx.error("unknown-key", &entry.key_span, message);
            self.cx.report(match hint_for(&entry.key) {
                Some((ours, hint)) if asked.contains(&ours) => found.help(hint),
                Some(_) => found.help(list.clone()),
                None => found.help(list.clone()).did_you_mean(&entry.key, &asked),
            });
        }
        Place { span: self.node.span.clone(), keys, strange }
    }
}

/// Keys that people bring along from other tools, each with the key of ours that it stands for.
fn hint_for(key: &str) -> Option<(&'static str, &'static str)> {
    Some(match key {
        "shell" | "cmd" | "bash" | "exec" => ("run", "a shell command is written `run:`"),
        "description" | "desc" => ("summary", "write `summary:`"),
        "when" => ("if", "write `if:`"),
        "vars" | "variables" | "parameters" | "inputs" => ("params", "write `params:`"),
        "tasks" => ("steps", "write `steps:`"),
        "become" => ("sudo", "write `sudo: true`"),
        "serial" => ("rollout", "write `rollout: { batch: 1 }`"),
        "batch" | "canary" | "max_failures" | "min_healthy" => ("rollout", "it belongs under `rollout:`"),
        "host" => ("hosts", "write `hosts:`"),
        "regex" => ("rows", "write `rows:`"),
        "deadline" => ("within", "write `within:`"),
        "retries" => ("retry", "write `retry: { attempts: 3, delay: 5s }`"),
        "assert" | "until" => ("expect", "write `expect:`"),
        "register" => ("capture", "write `capture: { NAME: stdout | trim }`"),
        _ => return None,
    })
}

impl<T: Decode> Take for Option<T> {
    fn take(fields: &Fields<'_>, key: &'static str) -> Option<Self> {
        Some(fields.optional(key))
    }
}

impl<T: Decode> Take for Vec<T> {
    fn take(fields: &Fields<'_>, key: &'static str) -> Option<Self> {
        Some(fields.optional::<List<T>>(key).map(|list| list.0).unwrap_or_default())
    }
}

struct List<T>(Vec<T>);

impl<T: Decode> Decode for List<T> {
    fn decode(node: &Node, cx: &Context) -> Option<Self> {
        match &node.value {
            Value::List(items) => Some(Self(items.iter().filter_map(|item| decode_item(item, cx)).collect())),
            Value::Scalar(_) | Value::Map(_) => {
                cx.report(cx.expected("a list", node).help("each entry begins with `- `"));
                None
            }
        }
    }
}

fn decode_item<T: Decode>(item: &Node, cx: &Context) -> Option<T> {
    if item.is_null() {
        cx.fault("no-value", &item.span, "the entry is empty");
        return None;
    }
    T::decode(item, cx)
}

impl<T: Decode> Decode for Box<T> {
    fn decode(node: &Node, cx: &Context) -> Option<Self> {
        T::decode(node, cx).map(Self::new)
    }
}

/// A struct that is read key by key. Its schema and its reader come from one list of fields.
///
/// The field `place` is added; a field whose type is another record with `flat` stands for all keys of that record.
macro_rules! record {
    (
        $(#[$meta:meta])*
        $name:ident is $what:literal {
            $( $(#[$field_meta:meta])* $field:ident: $type:ty, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        pub struct $name {
            /// Where it stands.
            #[schemars(skip)]
            pub place: $crate::source::decode::Place,
            $( $(#[$field_meta])* pub $field: $type, )*
        }

        impl $name {
            /// Reads its keys; the keys of a record that it is part of may stand beside them.
            pub fn take_fields(fields: &$crate::source::decode::Fields<'_>) -> Option<Self> {
                $(
                    let $field = <$type as $crate::source::decode::Take>::take(
                        fields,
                        stringify!($field).trim_start_matches("r#"),
                    );
                )*
                Some(Self { place: $crate::source::decode::Place::default(), $( $field: $field?, )* })
            }
        }

        impl $crate::source::decode::Decode for $name {
            fn decode(node: &$crate::source::tree::Node, cx: &$crate::source::decode::Context) -> Option<Self> {
                let fields = $crate::source::decode::Fields::of(node, $what, cx)?;
                let found = Self::take_fields(&fields);
                let place = fields.finish();
                found.map(|found| Self { place, ..found })
            }
        }
    };
}

/// Lets a type stand as a key that must be there.
macro_rules! required {
    ($($type:ty),* $(,)?) => { $(
        impl $crate::source::decode::Take for $type {
            fn take(fields: &$crate::source::decode::Fields<'_>, key: &'static str) -> Option<Self> {
                fields.required(key)
            }
        }
    )* };
}

/// Lets a record stand for all of its keys within another.
macro_rules! flat {
    ($($type:ty),* $(,)?) => { $(
        impl $crate::source::decode::Take for $type {
            fn take(fields: &$crate::source::decode::Fields<'_>, _: &'static str) -> Option<Self> {
                Self::take_fields(fields)
            }
        }
    )* };
}

/// A word out of a few.
macro_rules! choice {
    (
        $(#[$meta:meta])*
        $name:ident { $( $(#[$variant_meta:meta])* $variant:ident = $word:literal, )* }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, schemars::JsonSchema)]
        pub enum $name { $( $(#[$variant_meta])* #[schemars(rename = $word)] $variant, )* }

        impl $crate::source::decode::Decode for $name {
            fn decode(node: &$crate::source::tree::Node, cx: &$crate::source::decode::Context) -> Option<Self> {
                const WORDS: &[&str] = &[$($word),*];
                let what = format!("one of `{}`", WORDS.join("`, `"));
                let $crate::source::tree::Value::Scalar(scalar) = &node.value else {
                    cx.report(cx.expected(&what, node));
                    return None;
                };
                match scalar.text.as_str() {
                    $( $word => Some(Self::$variant), )*
                    other => {
                        cx.report(cx.expected(&what, node).did_you_mean(other, WORDS));
                        None
                    }
                }
            }
        }
    };
}

/// The schema, for editors, of a type whose reader is written by hand; it stands where the type is used.
macro_rules! schema {
    ($($type:ty => |$generator:ident| $schema:expr),* $(,)?) => { $(
        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema($generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $schema
            }
        }
    )* };
}

pub(super) use {choice, flat, record, required, schema};
