//! Hosts: whether patterns name any, and whether those have the variables that are used on them.

use std::sync::Arc;

use super::place::inside;
use super::scope::Seen;
use super::{Linter, Slot};
use crate::model::expression::NameUse;
use crate::model::inventory::InventoryError;
use crate::model::{Book, Expression, HostPattern, Inventory, ParamType, Probe};
use crate::source::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::source::text::SourceText;
use crate::vocab::HostName;

/// Systems of `book.yaml` that run on hosts which the inventory does not have.
pub(in crate::source) fn systems(book: &Book, source: &Arc<SourceText>, inventory: &Inventory) -> Diagnostics {
    let mut out = Diagnostics::new();
    if inventory.hosts.is_empty() {
        return out;
    }
    for pattern in book.systems.iter().filter_map(|system| system.hosts.as_ref()) {
        if let Err(error) = inventory.select(pattern.source())
            && let Some((code, offset, help)) = nobody(pattern, &error)
        {
            let span = inside(source, pattern.template().location(), pattern.source(), offset);
            out.push(Diagnostic::error(code, error.to_string()).at(source, span, "").maybe_help(help));
        }
    }
    out
}

/// Why a pattern names no host: the code, the place in the pattern, what helps. Nothing where that was said before.
fn nobody(pattern: &HostPattern, error: &InventoryError) -> Option<(&'static str, usize, Option<String>)> {
    let (code, name, near) = match error {
        // that they are not well formed was said when they were read
        InventoryError::BadRange(_) => return None,
        InventoryError::Unknown { name, .. } if !HostName::is_valid(name) => return None,
        InventoryError::Unknown { name, near } => ("unknown-host", name.as_str(), near.as_ref()),
        InventoryError::Empty(_) => ("no-hosts", "", None),
        InventoryError::Cycle(_) => ("cycle", "", None),
    };
    let offset = pattern.source().find(name).unwrap_or_default();
    Some((code, offset, near.map(|near| format!("did you mean `{near}`?"))))
}

impl Linter<'_> {
    /// Whether there is an inventory to look into.
    pub(super) fn has_fleet(&self) -> bool {
        !self.subject.inventory.hosts.is_empty()
    }

    /// The hosts that a pattern names, where that is known. What it does not name is reported.
    pub(super) fn pattern(&mut self, pattern: &HostPattern) -> Option<Arc<Vec<HostName>>> {
        let seen = Seen::default();
        self.template(pattern.template(), Slot::Text, &seen);
        if !self.has_fleet() || pattern.template().expressions().next().is_some() {
            return None;
        }
        match self.subject.inventory.select(pattern.source()) {
            Ok(hosts) => Some(Arc::new(hosts)),
            Err(error) => {
                let (code, offset, help) = nobody(pattern, &error)?;
                let found = self.in_template(Severity::Error, code, pattern.template(), offset, error.to_string());
                self.out.push(found.maybe_help(help));
                None
            }
        }
    }

    /// The hosts that a probe looks at when `on` are those of its surroundings.
    pub(super) fn probed(&mut self, probe: &Probe, on: Option<&Arc<Vec<HostName>>>) -> Option<Arc<Vec<HostName>>> {
        match &probe.hosts {
            Some(pattern) => self.pattern(pattern),
            None => on.cloned(),
        }
    }

    /// `host.vars.NAME` on hosts that are known.
    pub(super) fn host_var(&mut self, expression: &Expression, name: &NameUse, seen: &Seen) {
        let [root, vars, var, ..] = name.path.as_slice() else { return };
        let Some(on) = seen.on.as_ref().filter(|_| root == "host" && vars == "vars" && seen.host) else { return };
        if expression.tolerates(&name.path.join(".")) {
            return;
        }
        let lacks =
            |host: &&HostName| self.subject.inventory.target(host).is_none_or(|target| !target.vars.contains_key(var));
        let without: Vec<&str> = on.iter().filter(lacks).map(HostName::as_str).collect();
        if without.is_empty() {
            return;
        }
        let all: Vec<String> = on
            .iter()
            .filter_map(|host| self.subject.inventory.target(host))
            .flat_map(|target| target.vars.into_keys())
            .collect();
        let known: Vec<&str> = all.iter().map(String::as_str).collect();
        let shown = without.iter().take(5).copied().collect::<Vec<_>>().join(", ");
        let more = if without.len() > 5 { format!(" and {} more", without.len() - 5) } else { String::new() };
        let message = format!("the inventory gives no `{var}` to {shown}{more}");
        let found = self.in_expression(Severity::Error, "undefined-var", expression, name.offset, message);
        let help = format!("add it to the `vars:` of the host or its group, or write `host.vars.{var} | default(…)`");
        self.out.push(found.help(help).did_you_mean(var, &known));
    }

    /// Defaults of parameters that name a host.
    pub(super) fn host_params(&mut self) {
        for param in &self.subject.runbook.params {
            let Some(default) = param.default.as_ref().filter(|_| param.kind == ParamType::Host && self.has_fleet())
            else {
                continue;
            };
            if !self.subject.inventory.has_host(default) {
                let message =
                    format!("the default of `{}` names `{default}`, which is no host of the inventory", param.name);
                let found = self.at(Severity::Error, "unknown-host", &param.location, message);
                let known: Vec<&str> = self.subject.inventory.host_names().map(HostName::as_str).collect();
                self.out.push(found.did_you_mean(default, &known));
            }
        }
    }
}
