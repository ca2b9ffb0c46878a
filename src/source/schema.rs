//! JSON Schemas of the files that people write, and of the events and exports that programs read.
//!
//! Made from the very types that files are read into, so that an editor completes and refuses what `check` would. They
//! are committed under `schemas/`; a test says when those are stale.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::Value as Json;

use super::raw::book::RawBook;
use super::raw::inventory::RawInventory;
use super::raw::runbook::RawRunbook;
use super::raw::scenario::RawSuite;
use crate::audit::export::Row;
use crate::event::Event;

/// A file that there is a schema for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaKind {
    /// A runbook.
    Runbook,
    /// An inventory.
    Inventory,
    /// `book.yaml`.
    Book,
    /// A file of scenarios.
    Scenario,
    /// An event of a run, as `--format json` prints them and as the journal keeps them.
    Event,
    /// A line of an export of runs, as `audit export --format jsonl` writes them.
    Export,
}

impl SchemaKind {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Runbook, Self::Inventory, Self::Book, Self::Scenario, Self::Event, Self::Export];

    /// `runbook`, `inventory`, `book`, `scenario`, `event` or `export`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Runbook => "runbook",
            Self::Inventory => "inventory",
            Self::Book => "book",
            Self::Scenario => "scenario",
            Self::Event => "event",
            Self::Export => "export",
        }
    }

    /// The schema.
    pub fn schema(self) -> Json {
        match self {
            Self::Runbook => language::<RawRunbook>("A runbook"),
            Self::Inventory => language::<RawInventory>("An inventory"),
            Self::Book => language::<RawBook>("A book"),
            Self::Scenario => language::<RawSuite>("Scenarios"),
            Self::Event => generate::<Event>("An event of a run"),
            Self::Export => generate::<Row>("A line of an export of runs"),
        }
    }

    /// The schema as text, as it is committed.
    pub fn text(self) -> String {
        let mut text = serde_json::to_string_pretty(&self.schema()).unwrap_or_default();
        text.push('\n');
        text
    }
}

fn generate<T: JsonSchema>(title: &str) -> Json {
    let mut schema: Schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema.to_value()
}

/// The schema of a file that people write: without Rust's view of it.
fn language<T: JsonSchema>(title: &str) -> Json {
    let mut json = generate::<T>(title);
    tidy(&mut json);
    if let Some(Json::Object(definitions)) = json.get_mut("$defs") {
        *definitions = std::mem::take(definitions)
            .into_iter()
            .map(|(name, schema)| (name.trim_start_matches("Raw").to_owned(), schema))
            .collect();
    }
    json
}

/// Takes out what is true of Rust's types and not of the files: an optional key may be left out, but not be null; a
/// definition is not called `Raw…`; and a choice between one thing is none.
fn tidy(json: &mut Json) {
    match json {
        Json::Object(map) => {
            map.values_mut().for_each(tidy);
            if let Some(Json::String(target)) = map.get_mut("$ref") {
                *target = target.replace("#/$defs/Raw", "#/$defs/");
            }
            if let Some(Json::Array(kinds)) = map.get_mut("type") {
                kinds.retain(|kind| kind != "null");
                if let [kind] = kinds.as_slice() {
                    let kind = kind.clone();
                    map.insert("type".to_owned(), kind);
                }
            }
            if let Some(Json::Array(choices)) = map.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
                if let [Json::Object(only)] = choices.as_mut_slice() {
                    let only = std::mem::take(only);
                    map.shift_remove("anyOf");
                    for (key, value) in only {
                        map.entry(key).or_insert(value);
                    }
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(tidy),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn committed_schemas_are_fresh() {
        for kind in SchemaKind::ALL {
            let path = format!("{}/schemas/{}.schema.json", env!("CARGO_MANIFEST_DIR"), kind.word());
            if crate::source::cases::updating() {
                std::fs::write(&path, kind.text()).unwrap();
            }
            let committed = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(committed == kind.text(), "{path} is stale: run the tests with UPDATE=1");
        }
    }

    #[test]
    fn every_key_is_described() {
        fn walk(json: &Json, path: &str, missing: &mut Vec<String>) {
            if let Some(properties) = json.get("properties").and_then(Json::as_object) {
                for (key, schema) in properties {
                    if schema.get("description").is_none() {
                        missing.push(format!("{path}.{key}"));
                    }
                }
            }
            if let Some(definitions) = json.get("$defs").and_then(Json::as_object) {
                definitions.iter().for_each(|(name, schema)| walk(schema, name, missing));
            }
        }
        for kind in
            [SchemaKind::Runbook, SchemaKind::Inventory, SchemaKind::Book, SchemaKind::Scenario, SchemaKind::Export]
        {
            let mut missing = Vec::new();
            walk(&kind.schema(), kind.word(), &mut missing);
            assert!(missing.is_empty(), "{missing:?}");
        }
    }
}
