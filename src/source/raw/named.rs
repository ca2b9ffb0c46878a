//! Mappings whose keys are names: parameters, probes, environment variables.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::source::decode::{Context, Decode, Fields, Take};
use crate::source::text::Span;
use crate::source::tree::{Node, Value};

/// A mapping from names to values, in the file's order. A value that could not be read is none: the name is known all
/// the same, so that its uses are not reported too.
#[derive(Clone, Debug)]
pub struct Named<T> {
    /// The entries.
    pub entries: Vec<NamedEntry<T>>,
}

/// One name and its value.
#[derive(Clone, Debug)]
pub struct NamedEntry<T> {
    /// The name.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// The value.
    pub value: Option<T>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<T: Decode> Decode for Named<T> {
    fn decode(node: &Node, cx: &Context) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            cx.report(cx.expected("a mapping of names", node).help("each entry is written `NAME: …`"));
            return None;
        };
        let entries = entries
            .iter()
            .map(|entry| {
                let value = if entry.value.is_null() {
                    cx.fault("no-value", &entry.key_span, format!("`{}` has no value", entry.key));
                    None
                } else {
                    T::decode(&entry.value, cx)
                };
                NamedEntry { name: entry.key.clone(), span: entry.key_span.clone(), value }
            })
            .collect();
        Some(Self { entries })
    }
}

impl<T: Decode> Take for Named<T> {
    fn take(fields: &Fields<'_>, key: &'static str) -> Option<Self> {
        Some(fields.optional(key).unwrap_or_default())
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Named_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        json_schema!({ "type": "object", "additionalProperties": value })
    }
}
