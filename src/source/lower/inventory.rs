//! Inventories.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::model::inventory::{Group, HostSettings, Settings};
use crate::model::{Inventory, Transport, pattern};
use crate::source::decode::Context;
use crate::source::raw::Word;
use crate::source::raw::inventory::{RawGroup, RawInventory, RawSettings, RawTransport};
use crate::source::raw::scalar::is_variable;
use crate::source::text::Span;
use crate::vocab::HostName;

/// Where an inventory names hosts and groups, to be verified once all its layers are there.
#[derive(Default)]
pub(in crate::source) struct Mentions {
    hosts: Vec<(String, HostName, Span)>,
    children: Vec<(String, String, Span)>,
}

/// The inventory `raw`, whose file stands in `dir`.
pub(in crate::source) fn inventory(raw: &RawInventory, dir: &Path, cx: &Context) -> (Inventory, Mentions) {
    let mut mentions = Mentions::default();
    let mut hosts: Vec<HostSettings> = Vec::new();
    for (text, span, host) in raw.hosts.iter().flat_map(|hosts| &hosts.0) {
        let mut own = host.as_ref().map(|host| settings(&host.settings, dir, cx)).unwrap_or_default();
        let address = host.as_ref().and_then(|host| host.address.as_ref());
        let names = names(text, span, cx);
        if let Some(word) = address {
            if names.len() > 1 {
                let found = cx.error("misplaced-key", &word.span, "several hosts cannot have one address");
                cx.report(found.help("give each its own entry"));
            } else if !is_address(&word.text) {
                cx.fault("bad-host", &word.span, format!("`{}` is no address", word.text));
            }
            own.address = Some(word.text.clone());
        }
        for name in names {
            if name.is_here() {
                let found = cx.error("bad-host", span, "`here` is the operator's own machine, and always there");
                cx.report(found.help("give the host another name"));
            } else if hosts.iter().any(|known| known.name == name) {
                cx.fault("duplicate-host", span, format!("the host `{name}` stands here twice"));
            } else {
                hosts.push(HostSettings { name, settings: own.clone() });
            }
        }
    }
    let mut groups = Vec::new();
    for entry in &raw.groups.entries {
        if !HostName::is_valid(&entry.name) || matches!(entry.name.as_str(), "all" | "here") {
            let found = cx.error("bad-name", &entry.span, format!("`{}` cannot name a group", entry.name));
            cx.report(found.help("names are letters, digits, `.`, `_` and `-`; `all` and `here` are taken"));
            continue;
        }
        if hosts.iter().any(|host| host.name.as_str() == entry.name) {
            cx.fault("bad-name", &entry.span, format!("`{}` is a host and a group", entry.name));
        }
        let group = match &entry.value {
            None => {
                Group { name: entry.name.clone(), hosts: None, children: Vec::new(), settings: Settings::default() }
            }
            Some(RawGroup::Hosts(words)) => Group {
                name: entry.name.clone(),
                hosts: Some(members(&entry.name, &words.0, cx, &mut mentions)),
                children: Vec::new(),
                settings: Settings::default(),
            },
            Some(RawGroup::Spec(spec)) => {
                for word in &spec.children {
                    mentions.children.push((entry.name.clone(), word.text.clone(), word.span.clone()));
                }
                let listed = spec.hosts.as_ref().map(|words| members(&entry.name, &words.0, cx, &mut mentions));
                Group {
                    name: entry.name.clone(),
                    hosts: listed,
                    children: spec.children.iter().map(|word| word.text.clone()).collect(),
                    settings: settings(&spec.settings, dir, cx),
                }
            }
        };
        groups.push(group);
    }
    (Inventory { hosts, groups, defaults: settings(&raw.defaults, dir, cx) }, mentions)
}

/// Reports what `mentions` names and `whole` does not have, and groups that contain themselves.
pub(in crate::source) fn verify(whole: &Inventory, mentions: &Mentions, cx: &Context) {
    let known: BTreeSet<&str> = whole.host_names().map(HostName::as_str).collect();
    let list: Vec<&str> = known.iter().copied().collect();
    for (group, host, span) in &mentions.hosts {
        if !known.contains(host.as_str()) && !host.is_here() {
            let found =
                cx.error("unknown-host", span, format!("`{host}` is in the group `{group}` and not among the hosts"));
            cx.report(found.help("add it to `hosts:`").did_you_mean(host.as_str(), &list));
        }
    }
    let groups: Vec<&str> = whole.groups.iter().map(|group| group.name.as_str()).collect();
    for (group, child, span) in &mentions.children {
        if !groups.contains(&child.as_str()) {
            let found = cx.error("unknown-group", span, format!("there is no group `{child}`"));
            cx.report(found.did_you_mean(child, &groups));
        } else if leads_to(whole, child, group, &mut BTreeSet::new()) {
            cx.fault("cycle", span, format!("the group `{group}` contains itself through `{child}`"));
        }
    }
}

fn leads_to(whole: &Inventory, from: &str, to: &str, seen: &mut BTreeSet<String>) -> bool {
    if from == to {
        return true;
    }
    if !seen.insert(from.to_owned()) {
        return false;
    }
    let group = whole.groups.iter().find(|group| group.name == from);
    group.is_some_and(|group| group.children.iter().any(|child| leads_to(whole, child, to, seen)))
}

fn members(group: &str, words: &[Word], cx: &Context, mentions: &mut Mentions) -> Vec<HostName> {
    let mut hosts = Vec::new();
    for word in words {
        for name in names(&word.text, &word.span, cx) {
            mentions.hosts.push((group.to_owned(), name.clone(), word.span.clone()));
            if !hosts.contains(&name) {
                hosts.push(name);
            }
        }
    }
    hosts
}

fn names(text: &str, span: &Span, cx: &Context) -> Vec<HostName> {
    match pattern::expand(text) {
        Err(message) => {
            cx.fault("bad-host", span, message);
            Vec::new()
        }
        Ok(names) => {
            if let Some(name) = names.iter().find(|name| !HostName::is_valid(name)) {
                let found = cx.error("bad-host", span, format!("`{name}` cannot name a host"));
                cx.report(found.help("names are letters, digits, `.`, `_` and `-`"));
                return Vec::new();
            }
            names.into_iter().map(HostName::new).collect()
        }
    }
}

/// Addresses go to ssh's command line: a name, IPv4 or IPv6.
fn is_address(text: &str) -> bool {
    HostName::is_valid(text) || text.parse::<std::net::IpAddr>().is_ok()
}

fn settings(raw: &RawSettings, dir: &Path, cx: &Context) -> Settings {
    let port = raw.port.as_ref().and_then(|whole| match u16::try_from(whole.number) {
        Ok(port) if port > 0 => Some(port),
        Ok(_) | Err(_) => {
            cx.fault("wrong-type", &whole.span, format!("`{}` is no port", whole.number));
            None
        }
    });
    let mut vars = BTreeMap::new();
    for entry in &raw.vars.entries {
        if is_variable(&entry.name, "a variable", &entry.span, cx) {
            vars.extend(entry.value.as_ref().map(|value| (entry.name.clone(), value.0.clone())));
        }
    }
    let user = raw.user.as_ref().filter(|word| {
        let fine = super::words::is_user(&word.text);
        if !fine {
            cx.fault("bad-name", &word.span, format!("`{}` is no user's name", word.text));
        }
        fine
    });
    Settings {
        address: None,
        port,
        user: user.map(|word| word.text.clone()),
        transport: raw.transport.map(|transport| match transport {
            RawTransport::Ssh => Transport::Ssh,
            RawTransport::Local => Transport::Local,
        }),
        ssh_config: raw.ssh_config.as_ref().map(|word| dir.join(&word.text)),
        sudo: raw.sudo.as_ref().and_then(|sudo| cx.sudo(sudo)),
        vars,
    }
}
