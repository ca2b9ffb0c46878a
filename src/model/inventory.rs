//! The fleet: hosts, groups, variables, and what a host pattern means on it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value as Json;

use super::pattern::{self, TermKind};
use super::probe::Sudo;
use super::scope::nearest;
use super::target::{Target, Transport};
use crate::vocab::{HostName, glob};

/// A fleet, from one inventory file or several layered ones. Hosts and groups keep the order of the files.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// The hosts.
    pub hosts: Vec<HostSettings>,
    /// The groups. `all` needs no entry.
    pub groups: Vec<Group>,
    /// What holds for every host that says nothing else.
    pub defaults: Settings,
}

/// A host's own entry.
#[derive(Clone, Debug)]
pub struct HostSettings {
    /// Its name.
    pub name: HostName,
    /// What the inventory says of it.
    pub settings: Settings,
}

/// A group.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its hosts in order, ranges expanded; none: a later layer says nothing of them.
    pub hosts: Option<Vec<HostName>>,
    /// Groups whose hosts are its hosts too.
    pub children: Vec<String>,
    /// What holds for its hosts that say nothing else.
    pub settings: Settings,
}

/// What can be said of a host, a group or all hosts.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The address to connect to.
    pub address: Option<String>,
    /// The ssh port.
    pub port: Option<u16>,
    /// The login user.
    pub user: Option<String>,
    /// How to reach it.
    pub transport: Option<Transport>,
    /// The ssh configuration file.
    pub ssh_config: Option<PathBuf>,
    /// Through which user commands run.
    pub sudo: Option<Sudo>,
    /// Variables.
    pub vars: BTreeMap<String, Json>,
}

/// Why a pattern cannot be resolved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InventoryError {
    /// A name is neither a host nor a group.
    #[error("`{name}` is neither a host nor a group of the inventory")]
    Unknown {
        /// The name.
        name: String,
        /// The nearest name there is.
        near: Option<String>,
    },
    /// A range is not well formed.
    #[error("{0}")]
    BadRange(String),
    /// A pattern names no host.
    #[error("the pattern `{0}` names no host")]
    Empty(String),
    /// Groups contain each other.
    #[error("the group `{0}` contains itself")]
    Cycle(String),
}

impl Settings {
    /// Lays `over` over this: what it says wins, variables one by one.
    fn lay(&mut self, over: &Self) {
        fn take<T: Clone>(under: &mut Option<T>, over: Option<&T>) {
            if let Some(value) = over {
                *under = Some(value.clone());
            }
        }
        take(&mut self.address, over.address.as_ref());
        take(&mut self.port, over.port.as_ref());
        take(&mut self.user, over.user.as_ref());
        take(&mut self.transport, over.transport.as_ref());
        take(&mut self.ssh_config, over.ssh_config.as_ref());
        take(&mut self.sudo, over.sudo.as_ref());
        self.vars.extend(over.vars.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
}

impl Inventory {
    /// Lays a later inventory over this one: new hosts and groups are added, settings win one by one, a group's
    /// hosts are replaced where the later one names them.
    pub fn layer(&mut self, over: Self) {
        self.defaults.lay(&over.defaults);
        for host in over.hosts {
            match self.hosts.iter_mut().find(|known| known.name == host.name) {
                Some(known) => known.settings.lay(&host.settings),
                None => self.hosts.push(host),
            }
        }
        for group in over.groups {
            match self.groups.iter_mut().find(|known| known.name == group.name) {
                Some(known) => {
                    known.settings.lay(&group.settings);
                    known.hosts = group.hosts.or(known.hosts.take());
                    if !group.children.is_empty() {
                        known.children = group.children;
                    }
                }
                None => self.groups.push(group),
            }
        }
    }

    /// Whether the inventory has the host (`here` always is).
    pub fn has_host(&self, name: &str) -> bool {
        name == "here" || self.hosts.iter().any(|host| host.name.as_str() == name)
    }

    /// All host names in order, `here` not among them.
    pub fn host_names(&self) -> impl Iterator<Item = &HostName> {
        self.hosts.iter().map(|host| &host.name)
    }

    /// The groups that `host` is in, with the groups around them, outermost first.
    fn groups_of(&self, host: &HostName) -> Vec<&Group> {
        let mut found: Vec<(usize, &Group)> = Vec::new();
        for group in &self.groups {
            let mut seen = BTreeSet::new();
            if let Some(depth) = self.depth_in(group, host, &mut seen) {
                found.push((depth, group));
            }
        }
        // the deeper a host stands in a group, the more general the group is: it is laid first
        found.sort_by_key(|(depth, _)| std::cmp::Reverse(*depth));
        found.into_iter().map(|(_, group)| group).collect()
    }

    fn depth_in(&self, group: &Group, host: &HostName, seen: &mut BTreeSet<String>) -> Option<usize> {
        if !seen.insert(group.name.clone()) {
            return None;
        }
        if group.hosts.iter().flatten().any(|name| name == host) {
            return Some(0);
        }
        let children = group.children.iter().filter_map(|name| self.groups.iter().find(|g| g.name == *name));
        children.filter_map(|child| self.depth_in(child, host, seen)).min().map(|depth| depth + 1)
    }

    /// The host, everything about it resolved: its own settings over its groups' over everyone's.
    pub fn target(&self, name: &HostName) -> Option<Target> {
        let own = match self.hosts.iter().find(|host| host.name == *name) {
            Some(host) => host.settings.clone(),
            None if name.is_here() => Settings::default(),
            None => return None,
        };
        let groups = self.groups_of(name);
        let mut settings = Settings::default();
        if !name.is_here() {
            settings.lay(&self.defaults);
        }
        for group in &groups {
            settings.lay(&group.settings);
        }
        settings.lay(&own);
        let mut group_names: Vec<String> = groups.iter().map(|group| group.name.clone()).collect();
        group_names.sort();
        let here = Target::here();
        Some(Target {
            name: name.clone(),
            address: settings
                .address
                .unwrap_or_else(|| if name.is_here() { here.address } else { name.as_str().to_owned() }),
            port: settings.port,
            user: settings.user,
            transport: settings.transport.unwrap_or(if name.is_here() { Transport::Local } else { Transport::Ssh }),
            ssh_config: settings.ssh_config,
            sudo: match settings.sudo {
                Some(Sudo::User(user)) => Some(user),
                Some(Sudo::No) | None => None,
            },
            groups: group_names,
            vars: settings.vars,
        })
    }

    /// The hosts that a pattern names, in its order, each once.
    ///
    /// Terms are read from left to right: `jobs:!dfw-jobs02` takes one out, `jobs:&dfw*` keeps what is in both. A
    /// pattern of nothing but removals starts from all hosts. A name that is neither host nor group is an error; a
    /// glob that fits nothing is none, but a pattern that names no host at all is.
    pub fn select(&self, text: &str) -> Result<Vec<HostName>, InventoryError> {
        let terms = pattern::terms(text);
        let mut chosen: Vec<HostName> = Vec::new();
        if terms.first().is_some_and(|term| term.how != TermKind::Add) {
            chosen = self.host_names().cloned().collect();
        }
        for term in &terms {
            let hosts = self.term(&term.name)?;
            match term.how {
                TermKind::Add => {
                    for host in hosts {
                        if !chosen.contains(&host) {
                            chosen.push(host);
                        }
                    }
                }
                TermKind::Remove => chosen.retain(|host| !hosts.contains(host)),
                TermKind::Keep => chosen.retain(|host| hosts.contains(host)),
            }
        }
        if chosen.is_empty() { Err(InventoryError::Empty(text.to_owned())) } else { Ok(chosen) }
    }

    fn term(&self, name: &str) -> Result<Vec<HostName>, InventoryError> {
        if name == "all" {
            return Ok(self.host_names().cloned().collect());
        }
        if let Some(group) = self.groups.iter().find(|group| group.name == name) {
            return self.members(group, &mut Vec::new());
        }
        if self.has_host(name) {
            return Ok(vec![HostName::new(name)]);
        }
        if name.contains(['*', '?']) {
            return Ok(self.host_names().filter(|host| glob(name, host.as_str())).cloned().collect());
        }
        if name.contains(['[', '{']) {
            let mut hosts = Vec::new();
            for name in pattern::expand(name).map_err(InventoryError::BadRange)? {
                hosts.extend(self.term(&name)?);
            }
            return Ok(hosts);
        }
        let known = self.host_names().map(HostName::as_str).chain(self.groups.iter().map(|group| group.name.as_str()));
        Err(InventoryError::Unknown { name: name.to_owned(), near: nearest(name, known).map(str::to_owned) })
    }

    fn members(&self, group: &Group, path: &mut Vec<String>) -> Result<Vec<HostName>, InventoryError> {
        if path.contains(&group.name) {
            return Err(InventoryError::Cycle(group.name.clone()));
        }
        path.push(group.name.clone());
        let mut hosts = group.hosts.clone().unwrap_or_default();
        for child in &group.children {
            if let Some(inner) = self.groups.iter().find(|known| known.name == *child) {
                for host in self.members(inner, path)? {
                    if !hosts.contains(&host) {
                        hosts.push(host);
                    }
                }
            } else {
                let known = self.groups.iter().map(|group| group.name.as_str());
                return Err(InventoryError::Unknown {
                    name: child.clone(),
                    near: nearest(child, known).map(str::to_owned),
                });
            }
        }
        path.pop();
        Ok(hosts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet() -> Inventory {
        let host = |name: &str| HostSettings { name: HostName::new(name), settings: Settings::default() };
        let group = |name: &str, hosts: &[&str], children: &[&str]| Group {
            name: name.to_owned(),
            hosts: Some(hosts.iter().map(|host| HostName::new(*host)).collect()),
            children: children.iter().map(|child| (*child).to_owned()).collect(),
            settings: Settings { vars: BTreeMap::from([("from".to_owned(), Json::from(name))]), ..Settings::default() },
        };
        Inventory {
            hosts: ["a1", "a2", "b1"].map(host).to_vec(),
            groups: vec![group("a", &["a1", "a2"], &[]), group("b", &["b1"], &[]), group("both", &[], &["a", "b"])],
            defaults: Settings::default(),
        }
    }

    #[test]
    fn patterns_resolve_in_order() {
        let names = |text: &str| {
            fleet().select(text).map(|hosts| hosts.iter().map(|h| h.as_str().to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(names("b:a").unwrap(), ["b1", "a1", "a2"]);
        assert_eq!(names("both:!a2").unwrap(), ["a1", "b1"]);
        assert_eq!(names("!b").unwrap(), ["a1", "a2"]);
        assert_eq!(names("a*:&a[2:2]").unwrap(), ["a2"]);
        assert_eq!(
            names("bth").unwrap_err(),
            InventoryError::Unknown { name: "bth".into(), near: Some("both".into()) }
        );
        assert_eq!(names("a:!a").unwrap_err(), InventoryError::Empty("a:!a".into()));
    }

    #[test]
    fn the_nearer_setting_wins() {
        let target = fleet().target(&HostName::new("a1")).unwrap();
        assert_eq!(target.vars["from"], Json::from("a"));
        assert_eq!(target.groups, ["a", "both"]);
        assert_eq!(target.address, "a1");
    }

    #[test]
    fn a_layer_wins_field_by_field() {
        let mut under = fleet();
        let over = Inventory {
            hosts: vec![HostSettings {
                name: HostName::new("a1"),
                settings: Settings { address: Some("127.0.0.1".into()), ..Settings::default() },
            }],
            ..Inventory::default()
        };
        under.layer(over);
        let target = under.target(&HostName::new("a1")).unwrap();
        assert_eq!(target.address, "127.0.0.1");
        assert_eq!(target.vars["from"], Json::from("a"));
        assert_eq!(under.hosts.len(), 3);
    }
}
