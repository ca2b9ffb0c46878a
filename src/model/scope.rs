//! What expressions see.
//!
//! A scope is a tree of values whose maps remember every name that was asked for and is not there, so that a misspelt
//! name is an error wherever it stands, also where minijinja itself would say nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr};

use super::params::Params;
use super::target::Target;
use crate::vocab::{Datum, Observation, Reply, RunId, Secret};

type Misses = Arc<Mutex<Vec<String>>>;

/// What expressions see. Cheap to extend: each `with_…` gives a scope of its own.
#[derive(Clone, Debug)]
pub struct Scope {
    names: BTreeMap<String, Value>,
    root: Value,
    misses: Misses,
    printed: Misses,
}

impl Default for Scope {
    fn default() -> Self {
        Self::new()
    }
}

impl Scope {
    /// Nothing is in scope.
    pub fn new() -> Self {
        let misses = Misses::default();
        Self { names: BTreeMap::new(), root: strict("", BTreeMap::new(), &misses), misses, printed: Misses::default() }
    }

    /// The value that expressions are evaluated against.
    pub(super) fn root(&self) -> Value {
        self.root.clone()
    }

    /// Whether something is bound to `name`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// The names that were asked for and not there since the last call.
    pub(super) fn take_misses(&self) -> Vec<String> {
        std::mem::take(&mut *self.misses.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The secrets that an expression made text of since the last call.
    pub(super) fn take_printed(&self) -> Vec<String> {
        std::mem::take(&mut *self.printed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// This scope with `name` bound to `value`.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.names.insert(name.to_owned(), value);
        self.rebuilt()
    }

    /// This scope with `name` bound to a map whose unknown keys are errors.
    #[must_use]
    pub fn with_map(self, name: &str, entries: BTreeMap<String, Value>) -> Self {
        let value = strict(name, entries, &self.misses);
        self.with(name, value)
    }

    /// This scope with the parameters.
    #[must_use]
    pub fn with_params(self, params: &Params) -> Self {
        let values = params.values.iter().map(|(name, value)| (name.clone(), json_value(value)));
        let secrets = params.secrets.iter().map(|(name, secret)| {
            let object = SecretObject { name: name.clone(), secret: secret.clone(), printed: self.printed.clone() };
            (name.clone(), Value::from_object(object))
        });
        let entries = values.chain(secrets).collect();
        self.with_map("params", entries)
    }

    /// This scope with `host`.
    #[must_use]
    pub fn with_host(self, target: &Target) -> Self {
        let vars = target.vars.iter().map(|(name, value)| (name.clone(), json_value(value))).collect();
        let entries = BTreeMap::from([
            ("name".to_owned(), Value::from(target.name.as_str())),
            ("address".to_owned(), Value::from(target.address.as_str())),
            ("groups".to_owned(), Value::from(target.groups.clone())),
            ("vars".to_owned(), strict("host.vars", vars, &self.misses)),
        ]);
        self.with_map("host", entries)
    }

    /// This scope with `run`.
    #[must_use]
    pub fn with_run(self, id: &RunId, operator: &str, reason: Option<&str>, emergency: bool) -> Self {
        let entries = BTreeMap::from([
            ("id".to_owned(), Value::from(id.as_str())),
            ("operator".to_owned(), Value::from(operator)),
            ("reason".to_owned(), Value::from(reason.unwrap_or_default())),
            ("emergency".to_owned(), Value::from(emergency)),
        ]);
        self.with_map("run", entries)
    }

    /// This scope with `steps`: what each step captured and how it ended, as seen from one host.
    #[must_use]
    pub fn with_steps(self, steps: &BTreeMap<String, StepView>) -> Self {
        let misses = self.misses.clone();
        let entries = steps
            .iter()
            .map(|(id, view)| {
                let path = format!("steps.{id}");
                let on = view
                    .on
                    .iter()
                    .map(|(host, captured)| {
                        let inner = strict(&format!("{path}.on.{host}.captured"), json_map(captured), &misses);
                        (
                            host.clone(),
                            strict(
                                &format!("{path}.on.{host}"),
                                BTreeMap::from([("captured".to_owned(), inner)]),
                                &misses,
                            ),
                        )
                    })
                    .collect();
                let entry = BTreeMap::from([
                    ("outcome".to_owned(), Value::from(view.outcome.as_str())),
                    ("captured".to_owned(), strict(&format!("{path}.captured"), json_map(&view.captured), &misses)),
                    ("on".to_owned(), strict(&format!("{path}.on"), on, &misses)),
                ]);
                (id.clone(), strict(&path, entry, &misses))
            })
            .collect();
        self.with_map("steps", entries)
    }

    /// This scope with what an observation tells: `exit`, `stdout`, `rows`, `status`… as far as it has them.
    #[must_use]
    pub fn with_observation(mut self, observation: &Observation) -> Self {
        for (name, value) in observation_names(observation, &self.misses) {
            self.names.insert(name.to_owned(), value);
        }
        self.rebuilt()
    }

    /// This scope with `before`: the same host's observation before the step.
    #[must_use]
    pub fn with_before(self, observation: &Observation) -> Self {
        let entries = observation_names(observation, &self.misses)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        self.with_map("before", entries)
    }

    /// This scope with `rows` of several hosts, each row with its `host`.
    #[must_use]
    pub fn with_all_rows(self, observations: &[Observation]) -> Self {
        let mut rows = Vec::new();
        for observation in observations {
            if let Some(table) = &observation.rows {
                for row in &table.rows {
                    let mut entries = row_names(&table.columns, row);
                    entries.insert("host".to_owned(), Value::from(observation.host.as_str()));
                    rows.push(strict("row", entries, &self.misses));
                }
            }
        }
        self.with("rows", Value::from(rows))
    }

    /// This scope with a row's columns as names of their own.
    #[must_use]
    pub fn with_row(mut self, columns: &[String], row: &[Datum]) -> Self {
        self.names.extend(row_names(columns, row));
        self.rebuilt()
    }

    fn rebuilt(mut self) -> Self {
        self.root = strict("", self.names.clone(), &self.misses);
        self
    }
}

/// What later steps see of a step.
#[derive(Clone, Debug, Default)]
pub struct StepView {
    /// The outcome's word on this host; `not-run` before it ended.
    pub outcome: String,
    /// What it captured on this host.
    pub captured: BTreeMap<String, serde_json::Value>,
    /// What it captured on every host.
    pub on: BTreeMap<String, BTreeMap<String, serde_json::Value>>,
}

/// A secret in an expression: it prints as `<secret:NAME>`, and only a template that may send secrets takes it out.
/// That it was printed is remembered: `"Bearer " ~ params.token` must not send the placeholder for the secret.
#[derive(Debug)]
pub(super) struct SecretObject {
    pub(super) name: String,
    pub(super) secret: Secret,
    printed: Misses,
}

impl Object for SecretObject {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result
    where
        Self: Sized + 'static,
    {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner).push(self.name.clone());
        write!(f, "<secret:{}>", self.name)
    }
}

/// A map that remembers which unknown keys it was asked for.
#[derive(Debug)]
struct Strict {
    path: String,
    entries: BTreeMap<String, Value>,
    misses: Misses,
}

impl Object for Strict {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
        if let Some(value) = self.entries.get(&name) {
            return Some(value.clone());
        }
        let full = if self.path.is_empty() { name } else { format!("{}.{name}", self.path) };
        self.misses.lock().unwrap_or_else(PoisonError::into_inner).push(full);
        None
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.entries.keys().map(|key| Value::from(key.as_str())).collect())
    }
}

fn strict(path: &str, entries: BTreeMap<String, Value>, misses: &Misses) -> Value {
    Value::from_object(Strict { path: path.to_owned(), entries, misses: misses.clone() })
}

fn json_map(map: &BTreeMap<String, serde_json::Value>) -> BTreeMap<String, Value> {
    map.iter().map(|(name, value)| (name.clone(), json_value(value))).collect()
}

fn row_names(columns: &[String], row: &[Datum]) -> BTreeMap<String, Value> {
    columns.iter().zip(row).map(|(column, datum)| (column.clone(), datum_value(datum))).collect()
}

fn datum_value(datum: &Datum) -> Value {
    match datum {
        Datum::Nothing => Value::from(()),
        Datum::Boolean(value) => Value::from(*value),
        Datum::Integer(value) => Value::from(*value),
        Datum::Number(value) => Value::from(*value),
        Datum::Text(value) => Value::from(value.as_str()),
    }
}

fn observation_names(observation: &Observation, misses: &Misses) -> Vec<(&'static str, Value)> {
    let mut names = vec![("took", Value::from(observation.took.get().as_secs_f64()))];
    match &observation.reply {
        Reply::Command { exit, stdout, stderr } => {
            names.push(("exit", Value::from(*exit)));
            names.push(("stdout", Value::from(stdout.as_str())));
            names.push(("stderr", Value::from(stderr.as_str())));
        }
        Reply::Tcp { reply } => {
            names.push(("reply", Value::from(reply.as_str())));
            names.push(("answer", Value::from("reply")));
        }
        Reply::Http { status, headers, body } => {
            names.push(("status", Value::from(*status)));
            let headers = headers.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
            names.push(("headers", strict("headers", headers, misses)));
            names.push(("stdout", Value::from(body.as_str())));
            names.push(("body", Value::from(body.as_str())));
        }
        Reply::Nothing { reason, .. } => {
            // without a problem it is one of those that the probe takes for an answer
            if let (true, Some(word)) = (observation.problems.is_empty(), reason.answer()) {
                names.push(("reply", Value::from("")));
                names.push(("answer", Value::from(word)));
            }
        }
    }
    if let Some(table) = &observation.rows {
        let rows: Vec<Value> =
            table.rows.iter().map(|row| strict("row", row_names(&table.columns, row), misses)).collect();
        names.push(("rows", Value::from(rows)));
    }
    if let Some(value) = &observation.value {
        names.push(("value", json_value(value)));
    }
    names
}

/// The known name nearest to a misspelt one, when one is near.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (strsim::osa_distance(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A JSON value as expressions see it.
fn json_value(json: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Value::from(value),
            (None, Some(value)) => Value::from(value),
            (None, None) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::from(items.iter().map(json_value).collect::<Vec<_>>()),
        Json::Object(map) => {
            Value::from_pairs(map.iter().map(|(key, value)| (Value::from(key.as_str()), json_value(value))))
        }
    }
}
