//! What expressions see at a place, as far as it is known before a run: names and their types.

use std::sync::Arc;

use super::Subject;
use crate::model::{Action, ColumnType, LookSpec, ParamType, Probe, Quantifier, Runbook, Shape};
use crate::source::lower::columns;
use crate::vocab::HostName;

/// What a value is known to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Boolean,
    /// Anything: it shows only in a run.
    Any,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::Any => "anything",
        }
    }
}

/// What a step leaves for later ones.
#[derive(Clone, Debug)]
pub(super) struct Earlier {
    pub(super) id: String,
    pub(super) captured: Vec<String>,
}

/// What expressions see at a place.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Whether there is a host.
    pub(super) host: bool,
    /// The hosts it may be, where they are known.
    pub(super) on: Option<Arc<Vec<HostName>>>,
    /// The steps before; none where steps are not seen at all.
    pub(super) steps: Option<Vec<Earlier>>,
    /// What an observation gives.
    pub(super) observed: Option<Observed>,
}

/// What an observation gives.
#[derive(Clone, Debug, Default)]
pub(super) struct Observed {
    /// Names and what they are.
    pub(super) names: Vec<(&'static str, Kind)>,
    /// The columns, where they are known.
    pub(super) columns: Option<Vec<(String, Kind)>>,
    /// Whether columns are names of their own.
    pub(super) in_row: bool,
    /// Whether there is `before`.
    pub(super) before: bool,
}

impl Observed {
    /// What an observation of `probe` gives.
    pub(super) fn of(probe: &Probe) -> Self {
        let mut names = vec![("took", Kind::Number)];
        match probe.look {
            LookSpec::Run(_) => names.extend([("exit", Kind::Number), ("stdout", Kind::Text), ("stderr", Kind::Text)]),
            LookSpec::Tcp(_) => names.extend([("reply", Kind::Text), ("answer", Kind::Text)]),
            LookSpec::Http(_) => {
                names.extend([
                    ("status", Kind::Number),
                    ("headers", Kind::Any),
                    ("body", Kind::Text),
                    ("stdout", Kind::Text),
                ]);
            }
        }
        let mut known = None;
        if let Some(parse) = &probe.parse {
            names.push(("rows", Kind::Any));
            if matches!(parse.shape, Shape::Json | Shape::Pairs { .. }) {
                names.push(("value", Kind::Any));
            }
            known = columns(&parse.shape).map(|columns| {
                let kind = |name: &String| parse.types.get(name).copied().map_or(Kind::Text, column_kind);
                columns.iter().map(|name| (name.clone(), kind(name))).collect()
            });
        }
        Self { names, columns: known, in_row: false, before: false }
    }

    /// What the end of `action` gives to `capture`.
    pub(super) fn of_action(action: &Action) -> Self {
        let names = match action {
            Action::Command(_) | Action::Copy { .. } => {
                vec![("took", Kind::Number), ("exit", Kind::Number), ("stdout", Kind::Text), ("stderr", Kind::Text)]
            }
            Action::Http(_) => vec![
                ("took", Kind::Number),
                ("status", Kind::Number),
                ("headers", Kind::Any),
                ("body", Kind::Text),
                ("stdout", Kind::Text),
            ],
            Action::Manual { .. } | Action::Wait { .. } => vec![("took", Kind::Number)],
        };
        Self { names, ..Self::default() }
    }

    /// For an expectation with `quantifier`, over all hosts or each.
    pub(super) fn expected(mut self, quantifier: Quantifier, over_all: bool) -> Self {
        self.in_row = matches!(quantifier, Quantifier::Every | Quantifier::None);
        if over_all {
            self.names.retain(|(name, _)| *name == "rows");
            if let Some(columns) = &mut self.columns {
                columns.push(("host".to_owned(), Kind::Text));
            }
        }
        self
    }

    /// Whether there are rows.
    pub(super) fn has_rows(&self) -> bool {
        self.names.iter().any(|(name, _)| *name == "rows")
    }

    fn name(&self, name: &str) -> Option<Kind> {
        self.names.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    fn column(&self, name: &str) -> Option<Kind> {
        self.columns.as_ref()?.iter().find(|(known, _)| known == name).map(|(_, kind)| *kind)
    }
}

fn column_kind(kind: ColumnType) -> Kind {
    match kind {
        ColumnType::Text => Kind::Text,
        ColumnType::Integer | ColumnType::Number | ColumnType::Duration => Kind::Number,
        ColumnType::Boolean => Kind::Boolean,
    }
}

/// What is wrong with a name.
pub(super) struct NameFault {
    pub(super) message: String,
    /// The part that is wrong, and what could stand in its place.
    pub(super) near: (String, Vec<String>),
    pub(super) help: Option<String>,
}

impl Seen {
    /// What the name `path` is in the runbook of `subject`.
    pub(super) fn look_up(&self, path: &[String], subject: &Subject<'_>) -> Result<Kind, NameFault> {
        let runbook = subject.runbook;
        let root = path[0].as_str();
        let part = |at: usize| path.get(at).map(String::as_str);
        if let Some(observed) = &self.observed {
            if let Some(kind) = observed.column(root).filter(|_| observed.in_row) {
                return Ok(kind);
            }
            if let Some(kind) = observed.name(root) {
                return Ok(if path.len() == 1 { kind } else { Kind::Any });
            }
            if root == "before" && observed.before {
                return match part(1) {
                    None => Ok(Kind::Any),
                    Some(name) => observed.name(name).ok_or_else(|| {
                        unknown(
                            format!("`before` has no `{name}`"),
                            name,
                            observed.names.iter().map(|(name, _)| (*name).to_owned()),
                        )
                    }),
                };
            }
        }
        match root {
            "params" => match part(1) {
                None => Ok(Kind::Any),
                Some(name) => match runbook.params.iter().find(|param| param.name == name) {
                    Some(param) => Ok(match param.kind {
                        ParamType::Integer | ParamType::Number => Kind::Number,
                        ParamType::Boolean => Kind::Boolean,
                        ParamType::Secret => Kind::Any,
                        ParamType::String | ParamType::Duration | ParamType::Enum(_) | ParamType::Host => Kind::Text,
                    }),
                    None => Err(unknown(
                        format!("there is no parameter `{name}`"),
                        name,
                        runbook.params.iter().map(|param| param.name.clone()),
                    )),
                },
            },
            "run" => match part(1) {
                None => Ok(Kind::Any),
                Some("emergency") => Ok(Kind::Boolean),
                Some("id" | "operator" | "reason") => Ok(Kind::Text),
                Some(name) => Err(unknown(
                    format!("`run` has no `{name}`"),
                    name,
                    ["id", "operator", "reason", "emergency"].map(str::to_owned),
                )),
            },
            "host" if self.host => match part(1) {
                None | Some("groups" | "vars") => Ok(Kind::Any),
                Some("name" | "address") => Ok(Kind::Text),
                Some(name) => {
                    let mut fault = unknown(
                        format!("`host` has no `{name}`"),
                        name,
                        ["name", "address", "groups", "vars"].map(str::to_owned),
                    );
                    fault.help = Some(format!("a variable of the inventory is `host.vars.{name}`"));
                    Err(fault)
                }
            },
            "host" => Err(plain(
                "there is no `host` here: this is evaluated once, not on each host",
                Some("name a host's value by a parameter"),
            )),
            "steps" => self.step(path, subject),
            "before" => Err(plain("there is no `before` here", Some("it is in scope in the `checks:` of an action"))),
            _ => {
                // the columns of JSON show only in a run
                if self
                    .observed
                    .as_ref()
                    .is_some_and(|observed| observed.in_row && observed.has_rows() && observed.columns.is_none())
                {
                    return Ok(Kind::Any);
                }
                Err(self.unknown_root(root, runbook))
            }
        }
    }

    fn unknown_root(&self, root: &str, runbook: &Runbook) -> NameFault {
        let mut known: Vec<String> = ["params", "run"].map(str::to_owned).to_vec();
        if self.host {
            known.push("host".to_owned());
        }
        if self.steps.is_some() {
            known.push("steps".to_owned());
        }
        let mut row = false;
        if let Some(observed) = &self.observed {
            known.extend(observed.names.iter().map(|(name, _)| (*name).to_owned()));
            if observed.in_row {
                known.extend(observed.columns.iter().flatten().map(|(name, _)| name.clone()));
                row = true;
            }
        }
        let what = if row { "name or column" } else { "name" };
        let help = if runbook.params.iter().any(|param| param.name == root) {
            format!("the parameter is `params.{root}`")
        } else if self.observed.as_ref().is_some_and(|observed| observed.column(root).is_some()) {
            "a column is in scope in `every:` and `none:`; here write `rows | selectattr(…)`".to_owned()
        } else if matches!(root, "rows" | "value") && self.observed.is_some() {
            "the probe has none: give it `parse:`".to_owned()
        } else {
            format!("in scope are: {}", known.join(", "))
        };
        let mut fault = unknown(format!("there is no {what} `{root}` here"), root, known);
        fault.help = Some(help);
        fault
    }

    fn step(&self, path: &[String], subject: &Subject<'_>) -> Result<Kind, NameFault> {
        let Some(steps) = &self.steps else {
            return Err(plain("no step has run when this is evaluated", None));
        };
        let Some(id) = path.get(1) else { return Ok(Kind::Any) };
        let Some(step) = steps.iter().find(|step| step.id == *id) else {
            let declared = &subject.declared.steps;
            if declared.contains(id) && subject.incomplete {
                return Ok(Kind::Any);
            }
            if declared.contains(id) {
                return Err(plain(&format!("the step `{id}` has not run yet when this is evaluated"), None));
            }
            let mut fault = unknown(format!("there is no step `{id}`"), id, steps.iter().map(|step| step.id.clone()));
            // `steps.a-b` is a subtraction
            if let Some(whole) = declared.iter().find(|whole| whole.starts_with(&format!("{id}-"))) {
                fault.help = Some(format!("write `steps[\"{whole}\"]`"));
            }
            return Err(fault);
        };
        let captured = |name: Option<&String>| match name {
            Some(name) if !step.captured.contains(name) && !subject.incomplete => {
                Err(unknown(format!("the step `{id}` captures no `{name}`"), name, step.captured.iter().cloned()))
            }
            Some(_) | None => Ok(Kind::Any),
        };
        match path.get(2).map(String::as_str) {
            None => Ok(Kind::Any),
            Some("outcome") => Ok(Kind::Text),
            Some("captured") => captured(path.get(3)),
            Some("on") => match path.get(4).map(String::as_str) {
                None => Ok(Kind::Any),
                Some("captured") => captured(path.get(5)),
                Some(other) => {
                    Err(unknown(format!("there is no `{other}` of a step on a host"), other, ["captured".to_owned()]))
                }
            },
            Some(name) => {
                let mut fault =
                    unknown(format!("a step has no `{name}`"), name, ["outcome", "captured", "on"].map(str::to_owned));
                if step.captured.iter().any(|captured| captured == name) {
                    fault.help = Some(format!("write `steps.{id}.captured.{name}`"));
                }
                Err(fault)
            }
        }
    }
}

fn unknown(message: String, name: &str, known: impl IntoIterator<Item = String>) -> NameFault {
    NameFault { message, near: (name.to_owned(), known.into_iter().collect()), help: None }
}

fn plain(message: &str, help: Option<&str>) -> NameFault {
    NameFault { message: message.to_owned(), near: (String::new(), Vec::new()), help: help.map(str::to_owned) }
}
