//! An inventory file.

use schemars::{Schema, json_schema};
use serde_json::Value as Json;

use super::command::RawSudo;
use super::{Named, Word, Words};
use crate::source::decode::{Context, Decode, choice, flat, record, schema};
use crate::source::text::Span;
use crate::source::tree::{Kind, Node, Value};

record! {
    /// An inventory: hosts, groups, and how to reach them.
    RawInventory is "an inventory" {
        /// What holds for every host that says nothing else.
        #[schemars(flatten)]
        defaults: RawSettings,
        /// The hosts: a list of names, or a mapping from names to settings. Names may be ranges: `va-web[01:06]`.
        hosts: Option<RawHosts>,
        /// The groups: a list of hosts each, or `{hosts, children, vars, …}`.
        #[schemars(default)]
        groups: Named<RawGroup>,
    }
}

record! {
    /// What can be said of a host, a group or all hosts.
    RawSettings is "an inventory" {
        /// The login user.
        user: Option<Word>,
        /// The ssh port.
        port: Option<super::Whole>,
        /// How to reach it. Default: ssh.
        transport: Option<RawTransport>,
        /// The ssh configuration file, relative to this file.
        ssh_config: Option<Word>,
        /// Through which user commands run.
        sudo: Option<RawSudo>,
        /// Variables: `host.vars.NAME`.
        #[schemars(default)]
        vars: Named<Free>,
    }
}

record! {
    /// A host's own settings.
    RawHost is "a host" {
        /// The address to connect to. Default: its name.
        address: Option<Word>,
        /// What else is said of it.
        #[schemars(flatten)]
        settings: RawSettings,
    }
}

record! {
    /// A group.
    RawGroupSpec is "a group" {
        /// Its hosts; names may be ranges.
        hosts: Option<Words>,
        /// Groups whose hosts are its hosts too.
        #[schemars(default)]
        children: Vec<Word>,
        /// What holds for its hosts that say nothing else.
        #[schemars(flatten)]
        settings: RawSettings,
    }
}

choice! {
    /// How commands reach a host.
    RawTransport {
        /// Over ssh.
        Ssh = "ssh",
        /// On this machine.
        Local = "local",
    }
}

flat!(RawSettings);

/// The hosts: names, each perhaps with settings.
#[derive(Clone, Debug)]
pub struct RawHosts(pub Vec<(String, Span, Option<RawHost>)>);

/// A group: its hosts, or more than that.
#[derive(Clone, Debug)]
pub enum RawGroup {
    /// Its hosts.
    Hosts(Words),
    /// More than that.
    Spec(Box<RawGroupSpec>),
}

/// Any value. What looks like a number and can be written back as it stands is one; `1.10` and `0644` stay text.
#[derive(Clone, Debug)]
pub struct Free(pub Json);

impl Decode for RawHosts {
    fn decode(node: &Node, cx: &Context) -> Option<Self> {
        match &node.value {
            Value::Map(entries) => {
                let hosts = entries.iter().map(|entry| {
                    let host = (!entry.value.is_null()).then(|| RawHost::decode(&entry.value, cx)).flatten();
                    (entry.key.clone(), entry.key_span.clone(), host)
                });
                Some(Self(hosts.collect()))
            }
            Value::List(_) => {
                let Words(words) = Words::decode(node, cx)?;
                Some(Self(words.into_iter().map(|word| (word.text, word.span, None)).collect()))
            }
            Value::Scalar(_) => {
                cx.report(cx.expected("a list or a mapping of hosts", node));
                None
            }
        }
    }
}

impl Decode for RawGroup {
    fn decode(node: &Node, cx: &Context) -> Option<Self> {
        match &node.value {
            Value::Map(_) => RawGroupSpec::decode(node, cx).map(|spec| Self::Spec(Box::new(spec))),
            Value::Scalar(_) | Value::List(_) => Words::decode(node, cx).map(Self::Hosts),
        }
    }
}

impl Decode for Free {
    fn decode(node: &Node, _: &Context) -> Option<Self> {
        Some(Self(free(node)))
    }
}

fn free(node: &Node) -> Json {
    match &node.value {
        Value::List(items) => Json::Array(items.iter().map(free).collect()),
        Value::Map(entries) => {
            Json::Object(entries.iter().map(|entry| (entry.key.clone(), free(&entry.value))).collect())
        }
        Value::Scalar(scalar) => {
            let text = || Json::from(scalar.text.as_str());
            match scalar.kind() {
                Kind::Null => Json::Null,
                Kind::Boolean => Json::from(scalar.text.eq_ignore_ascii_case("true")),
                Kind::Integer => scalar.text.parse::<i64>().map_or_else(|_| text(), Json::from),
                Kind::Number => match scalar.text.parse::<f64>() {
                    Ok(number) if number.to_string() == scalar.text => Json::from(number),
                    Ok(_) | Err(_) => text(),
                },
                Kind::Text => text(),
            }
        }
    }
}

schema! {
    RawHosts => |generator| {
        let (word, host) = (generator.subschema_for::<Word>(), generator.subschema_for::<RawHost>());
        json_schema!({ "anyOf": [
            { "type": "array", "items": word },
            { "type": "object", "additionalProperties": { "anyOf": [{ "const": null }, host] } },
        ] })
    },
    RawGroup => |generator| {
        let (words, spec) = (generator.subschema_for::<Words>(), generator.subschema_for::<RawGroupSpec>());
        json_schema!({ "anyOf": [words, spec] })
    },
    Free => |_generator| Schema::from(true),
}
