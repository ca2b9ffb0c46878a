//! Executable inventories: programs that print the JSON of Ansible's `--list` convention.
//!
//! Apart because it is the one place in `source` that starts a process, and the one that knows another tool's format.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::diagnostic::Diagnostic;
use super::text::SourceText;
use crate::model::inventory::{Group, HostSettings, Settings};
use crate::model::{Inventory, Sudo, Transport};
use crate::vocab::{HostName, neutral};

/// Whether `path` is an inventory to be run: a file with an execute bit that is not called `.yaml`.
pub(super) fn is_executable(path: &Path) -> bool {
    let yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    !yaml && path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Runs `path --list` and reads what it prints.
pub(super) fn run(path: &Path) -> Result<(Inventory, Arc<SourceText>), Box<Diagnostic>> {
    let name = path.display().to_string();
    let fault = |message: String| Box::new(Diagnostic::error("executable-inventory", message).in_file(&name));
    // a path without a slash would be looked for in PATH
    let program = if path.components().count() == 1 { Path::new(".").join(path) } else { path.to_owned() };
    #[expect(
        clippy::disallowed_methods,
        reason = "an inventory is asked before there is a host to have a transport to"
    )]
    let output = std::process::Command::new(program)
        .arg("--list")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| fault(format!("the inventory cannot be run: {error}")))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let last = stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing on stderr");
        return Err(fault(format!("the inventory failed ({}): {}", output.status, neutral::one_line(last))));
    }
    let text = String::from_utf8(output.stdout).map_err(|_| fault("the inventory does not print UTF-8".to_owned()))?;
    let json: Json =
        serde_json::from_str(&text).map_err(|error| fault(format!("the inventory does not print JSON: {error}")))?;
    let inventory = read(&json).map_err(fault)?;
    Ok((inventory, SourceText::new(name, text)))
}

/// Reads the JSON of `--list`. `Err` says what is wrong.
fn read(json: &Json) -> Result<Inventory, String> {
    let Json::Object(groups) = json else { return Err("the inventory prints no JSON object".to_owned()) };
    let mut inventory = Inventory::default();
    let none = Map::new();
    let hostvars = groups.get("_meta").and_then(|meta| meta.get("hostvars")).and_then(Json::as_object).unwrap_or(&none);
    for (name, value) in groups.iter().filter(|(name, _)| *name != "_meta") {
        let (hosts, children, vars) = match value {
            // the old convention: a bare list of hosts
            Json::Array(_) => (names(name, value)?, Vec::new(), &none),
            Json::Object(group) => (
                group.get("hosts").map_or(Ok(Vec::new()), |hosts| names(name, hosts))?,
                group.get("children").map_or(Ok(Vec::new()), |children| names(name, children))?,
                group.get("vars").and_then(Json::as_object).unwrap_or(&none),
            ),
            _ => return Err(format!("the group `{name}` is neither a list nor an object")),
        };
        for host in &hosts {
            add_host(&mut inventory, host, hostvars)?;
        }
        if name == "all" {
            inventory.defaults = settings(vars);
            continue;
        }
        if !HostName::is_valid(name) {
            return Err(format!("`{name}` cannot name a group"));
        }
        inventory.groups.push(Group {
            name: name.clone(),
            hosts: Some(hosts.into_iter().map(HostName::new).collect()),
            children,
            settings: settings(vars),
        });
    }
    for host in hostvars.keys() {
        add_host(&mut inventory, host, hostvars)?;
    }
    // `ungrouped` and its like may be named as children without being listed
    let known: Vec<String> = inventory.groups.iter().map(|group| group.name.clone()).collect();
    for group in &mut inventory.groups {
        group.children.retain(|child| known.contains(child));
    }
    Ok(inventory)
}

fn names(group: &str, value: &Json) -> Result<Vec<String>, String> {
    let bad = || format!("the group `{group}` does not list names");
    value.as_array().ok_or_else(bad)?.iter().map(|name| name.as_str().map(str::to_owned).ok_or_else(bad)).collect()
}

fn add_host(inventory: &mut Inventory, name: &str, hostvars: &Map<String, Json>) -> Result<(), String> {
    if !HostName::is_valid(name) {
        return Err(format!("`{}` cannot name a host", neutral::one_line(name)));
    }
    if !inventory.has_host(name) {
        let own = hostvars.get(name).and_then(Json::as_object);
        let settings = own.map(settings).unwrap_or_default();
        inventory.hosts.push(HostSettings { name: HostName::new(name), settings });
    }
    Ok(())
}

/// Ansible's connection variables as settings, the others as variables.
fn settings(vars: &Map<String, Json>) -> Settings {
    let text =
        |names: [&str; 2]| names.iter().find_map(|name| vars.get(*name)).and_then(Json::as_str).map(str::to_owned);
    let port = vars.get("ansible_port").or_else(|| vars.get("ansible_ssh_port")).and_then(|port| match port {
        Json::Number(number) => number.as_u64().and_then(|port| u16::try_from(port).ok()),
        Json::String(text) => text.parse().ok(),
        _ => None,
    });
    let sudo = match vars.get("ansible_become") {
        Some(Json::Bool(true)) => {
            Some(Sudo::User(text(["ansible_become_user", "ansible_sudo_user"]).unwrap_or("root".into())))
        }
        Some(Json::Bool(false)) => Some(Sudo::No),
        _ => None,
    };
    Settings {
        address: text(["ansible_host", "ansible_ssh_host"]),
        port,
        user: text(["ansible_user", "ansible_ssh_user"]),
        transport: text(["ansible_connection", "ansible_connection"]).and_then(|how| match how.as_str() {
            "local" => Some(Transport::Local),
            "ssh" | "smart" | "paramiko" => Some(Transport::Ssh),
            _ => None,
        }),
        ssh_config: None,
        sudo,
        vars: vars.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ansibles_list_is_read() {
        let json = serde_json::json!({
            "_meta": { "hostvars": { "a1": { "ansible_host": "10.0.0.1", "ansible_port": 2222, "color": "red" } } },
            "all": { "children": ["ungrouped", "web"], "vars": { "ansible_user": "ops" } },
            "web": { "hosts": ["a1", "a2"], "vars": { "restart": "x" } },
            "old": ["b1"],
        });
        let inventory = read(&json).unwrap();
        let target = inventory.target(&HostName::new("a1")).unwrap();
        assert_eq!(
            (target.address.as_str(), target.port, target.user.as_deref()),
            ("10.0.0.1", Some(2222), Some("ops"))
        );
        assert_eq!(target.groups, ["web"]);
        assert_eq!(target.vars["color"], "red");
        assert_eq!(target.vars["restart"], "x");
        assert_eq!(inventory.select("old:web").unwrap().len(), 3);
        assert!(read(&serde_json::json!({ "web": ["-oProxyCommand=x"] })).is_err());
        assert!(read(&serde_json::json!([])).is_err());
    }
}
