//! What expressions see on a page: parameters by their defaults, or by placeholders where they have none.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::Value;

use super::edition::Edition;
use super::secret;
use crate::model::scope::StepView;
use crate::model::{HostPattern, Param, ParamType, Params, Runbook, Scope, Step, StepKind, Sudo, Target, Template};
use crate::vocab::HostName;

/// A runbook as it is looked at from a page: with its parameters, and the runbook around it where it is included.
pub(super) struct Inside<'a> {
    pub(super) edition: &'a Edition<'a>,
    pub(super) runbook: &'a Runbook,
    /// The user of its commands, when neither they nor their step say.
    pub(super) sudo: Option<Sudo>,
    params: Params,
    /// The same, for what no shell will quote: there a placeholder must be one plain word.
    unquoted: Params,
    steps: BTreeMap<String, StepView>,
    /// Scopes that were made before: a page asks for the same ones again and again.
    scopes: RefCell<BTreeMap<(bool, bool), Scope>>,
    on_hosts: RefCell<BTreeMap<(HostName, bool), Scope>>,
}

/// What a person puts in: a parameter without a default, or what an earlier step told.
pub(super) fn placeholder(name: &str) -> String {
    format!("<{name}>")
}

/// The same where nothing is quoted: `<` would be a shell's.
pub(super) fn plain_placeholder(name: &str) -> String {
    name.to_uppercase()
}

impl<'a> Inside<'a> {
    /// A runbook by itself.
    pub(super) fn top(edition: &'a Edition<'a>, runbook: &'a Runbook) -> Self {
        let bound = |placeholder: &dyn Fn(&str) -> String| {
            let mut params = Params::default();
            for param in &runbook.params {
                bind(&mut params, param, param.default.as_deref(), placeholder);
            }
            params
        };
        Self {
            edition,
            runbook,
            sudo: runbook.sudo.clone(),
            params: bound(&placeholder),
            unquoted: bound(&plain_placeholder),
            steps: views(edition, &runbook.steps),
            scopes: RefCell::default(),
            on_hosts: RefCell::default(),
        }
    }

    /// A runbook that this one includes.
    pub(super) fn included(&self, runbook: &'a Runbook, with: &[(String, Template)]) -> Inside<'a> {
        let bound = |scope: &Scope, placeholder: &dyn Fn(&str) -> String| {
            let mut params = Params::default();
            for param in &runbook.params {
                let given = with.iter().find(|(name, _)| *name == param.name).map(|(_, value)| value);
                match given.map(|value| value.masked(scope)) {
                    // a secret is handed on as a secret
                    Some(Ok(value)) if value.has_secret() => {
                        params.secrets.insert(param.name.clone(), crate::vocab::Secret::new(value.expose()));
                    }
                    Some(Ok(value)) => bind(&mut params, param, Some(value.shown()), placeholder),
                    Some(Err(_)) => bind(&mut params, param, None, placeholder),
                    None => bind(&mut params, param, param.default.as_deref(), placeholder),
                }
            }
            params
        };
        Inside {
            edition: self.edition,
            runbook,
            sudo: runbook.sudo.clone().or_else(|| self.sudo.clone()),
            params: bound(&self.scope(false), &placeholder),
            unquoted: bound(&self.made(true, false), &plain_placeholder),
            steps: views(self.edition, &runbook.steps),
            scopes: RefCell::default(),
            on_hosts: RefCell::default(),
        }
    }

    /// What expressions see that look at no host.
    pub(super) fn scope(&self, emergency: bool) -> Scope {
        self.made(false, emergency)
    }

    fn made(&self, unquoted: bool, emergency: bool) -> Scope {
        let mut scopes = self.scopes.borrow_mut();
        scopes.entry((unquoted, emergency)).or_insert_with(|| self.make(unquoted, emergency)).clone()
    }

    fn make(&self, unquoted: bool, emergency: bool) -> Scope {
        let params = if unquoted { &self.unquoted } else { &self.params };
        let text = |name: &str| Value::from(placeholder(name));
        let run = BTreeMap::from([
            ("id".to_owned(), text("run")),
            ("operator".to_owned(), text("you")),
            ("reason".to_owned(), text("reason")),
            ("emergency".to_owned(), Value::from(emergency)),
        ]);
        Scope::new().with_params(params).with_map("run", run).with_steps(&self.steps)
    }

    /// What they see on a host.
    pub(super) fn on(&self, target: &Target) -> Scope {
        self.made_on(target, false)
    }

    fn made_on(&self, target: &Target, unquoted: bool) -> Scope {
        let mut scopes = self.on_hosts.borrow_mut();
        let key = (target.name.clone(), unquoted);
        scopes.entry(key).or_insert_with(|| self.made(unquoted, false).with_host(target)).clone()
    }

    /// What they see on a host in a text that no shell will quote.
    pub(super) fn unquoted_on(&self, target: &Target) -> Scope {
        self.made_on(target, true)
    }

    /// A text rendered without a host; as it was written where it depends on more than that.
    pub(super) fn text(&self, template: &Template) -> String {
        template.text(&self.scope(false)).unwrap_or_else(|_| template.source().to_owned())
    }

    /// A setting, and what it would be in an emergency where that is something else.
    pub(super) fn setting(&self, template: &Template) -> (String, Option<String>) {
        let calm = self.text(template);
        let urgent = template.text(&self.scope(true)).ok().filter(|urgent| *urgent != calm);
        (calm, urgent)
    }

    /// The hosts that a pattern names. One that the inventory does not have (a parameter without a default) is named by its
    /// placeholder.
    pub(super) fn hosts(&self, pattern: &HostPattern) -> Vec<HostName> {
        let text = self.text(pattern.template());
        self.edition.select(&text).unwrap_or_else(|| vec![HostName::new(text)])
    }

    /// A host of this page; one that the inventory does not have is what holds for all hosts.
    pub(super) fn target(&self, name: &HostName) -> Arc<Target> {
        self.edition.target(name).unwrap_or_else(|| {
            let defaults = &self.edition.inventory.defaults;
            Arc::new(Target {
                name: name.clone(),
                address: name.as_str().to_owned(),
                port: defaults.port,
                user: defaults.user.clone(),
                transport: crate::model::Transport::Ssh,
                ssh_config: defaults.ssh_config.clone(),
                sudo: None,
                groups: Vec::new(),
                vars: defaults.vars.clone(),
            })
        })
    }

    /// What a variable is on these hosts, where it is the same on all.
    pub(super) fn var(&self, name: &str, hosts: &[HostName]) -> Option<String> {
        let mut found = hosts.iter().map(|host| self.target(host).vars.get(name).map(shown));
        let first = found.next()??;
        found.all(|other| other.as_ref() == Some(&first)).then_some(first)
    }

    /// What a parameter is on this page, as a person reads it; none for a secret or one that is not there.
    pub(super) fn param(&self, name: &str) -> Option<String> {
        self.params.values.get(name).map(shown)
    }
}

/// A value as a person reads it: a text without its quotes.
fn shown(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn bind(params: &mut Params, param: &Param, text: Option<&str>, placeholder: &dyn Fn(&str) -> String) {
    if param.kind == ParamType::Secret {
        params.secrets.insert(param.name.clone(), secret::mark(&param.name));
        return;
    }
    let value = text.map(|text| param.kind.read(text).unwrap_or_else(|_| text.into()));
    params.values.insert(param.name.clone(), value.unwrap_or_else(|| placeholder(&param.name).into()));
}

/// What later steps see of each step: `<NAME>` for what it captures.
fn views(edition: &Edition<'_>, steps: &[Step]) -> BTreeMap<String, StepView> {
    let mut found = BTreeMap::new();
    collect(edition, steps, "", true, &mut found);
    found
}

fn collect(edition: &Edition<'_>, steps: &[Step], prefix: &str, own: bool, found: &mut BTreeMap<String, StepView>) {
    for step in steps {
        // a block's inner steps go by their own ids and by their paths, those of an included runbook by their paths alone
        let captured: BTreeMap<_, _> =
            step.capture.iter().map(|(name, _)| (name.clone(), placeholder(name).into())).collect();
        let hosts = edition.inventory.host_names().filter(|_| !captured.is_empty());
        let on = hosts.map(|host| (host.as_str().to_owned(), captured.clone())).collect();
        let view = StepView { outcome: "ok".to_owned(), captured, on };
        if own {
            found.insert(step.id.clone(), view.clone());
        }
        found.insert(format!("{prefix}{}", step.id), view);
        let inner = format!("{prefix}{}/", step.id);
        match &step.kind {
            StepKind::Block(steps) => collect(edition, steps, &inner, own, found),
            StepKind::Runbook { runbook, .. } => collect(edition, &runbook.steps, &inner, false, found),
            StepKind::Action(_) | StepKind::Probe { .. } => {}
        }
    }
}
