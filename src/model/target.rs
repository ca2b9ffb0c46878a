//! A host as the inventory resolves it: how to reach it and what is known about it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::vocab::HostName;

/// How commands reach a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// Over ssh.
    #[default]
    Ssh,
    /// On this machine, by this user.
    Local,
}

/// A host, everything about it resolved.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Target {
    /// Its name in the inventory.
    pub name: HostName,
    /// The address to connect to; the name when the inventory gives none.
    pub address: String,
    /// The port, when not ssh's own choice.
    pub port: Option<u16>,
    /// The user to log in as, when not ssh's own choice.
    pub user: Option<String>,
    /// How to reach it.
    pub transport: Transport,
    /// The ssh configuration file, when not the user's own.
    pub ssh_config: Option<PathBuf>,
    /// The user for `sudo -n` by default; none: no sudo.
    pub sudo: Option<String>,
    /// The groups it is in, sorted, `all` not named.
    pub groups: Vec<String>,
    /// Its variables: the host's own over its groups' over everyone's.
    pub vars: BTreeMap<String, serde_json::Value>,
}

impl Target {
    /// The operator's machine.
    pub fn here() -> Self {
        Self {
            name: HostName::here(),
            address: "127.0.0.1".to_owned(),
            port: None,
            user: None,
            transport: Transport::Local,
            ssh_config: None,
            sudo: None,
            groups: Vec::new(),
            vars: BTreeMap::new(),
        }
    }
}
