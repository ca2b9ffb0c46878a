//! Whole files through the whole of `source`: what is right loads, what is wrong is told as it should be.

use std::path::{Path, PathBuf};

use super::{BookSource, InventorySource, LoadError, SchemaKind};
use crate::model::Inventory;

fn dir(name: &str) -> PathBuf {
    // relative, so that the files are shown the same on every machine; tests run in the package's folder
    Path::new("tests/cases").join(name)
}

fn fleet(name: &str) -> Inventory {
    match InventorySource::read(&[dir(name).join("inventory.yaml")]) {
        Ok(source) => source.inventory,
        Err(LoadError::Faults(faults)) => panic!("{}", faults.render(false)),
        Err(error) => panic!("{error}"),
    }
}

/// Whether generated files are to be written anew.
#[expect(clippy::disallowed_methods, reason = "tests have no cli to read the environment for them")]
pub(super) fn updating() -> bool {
    std::env::var_os("UPDATE").is_some()
}

#[test]
fn valid_runbooks_load_without_a_complaint() {
    let book = BookSource::open(&dir("valid")).unwrap();
    let found = book.check::<&str>(&[], &fleet("valid"));
    assert!(found.is_empty(), "{}", found.render(false));
    for name in book.names() {
        let runbook = book.runbook(name).unwrap();
        assert!(!runbook.steps.is_empty());
    }
    assert_eq!(book.book().systems.len(), 2);
    assert_eq!(book.names(), ["checklist", "everything", "restart-jobs"]);
    assert!(matches!(book.runbook("restart-job"), Err(LoadError::Unknown { near: Some(near), .. }) if near == "restart-jobs"));
}

/// Compares `shown` with the text committed at `path`.
fn snapshot(path: &Path, shown: &str, stale: &mut Vec<String>) {
    if updating() {
        std::fs::write(path, shown).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    if committed != shown {
        stale.push(format!("{}:\n{shown}\nand not\n{committed}", path.display()));
    }
}

fn settled(stale: &[String]) {
    assert!(stale.is_empty(), "run with UPDATE=1 when this is right:\n\n{}", stale.join("\n\n"));
}

#[test]
fn every_fault_of_a_runbook_is_told_as_committed() {
    let (book, fleet) = (BookSource::open(&dir("invalid")).unwrap(), fleet("invalid"));
    let mut stale = Vec::new();
    for name in book.names() {
        let found = book.check(&[name], &fleet);
        assert!(!found.is_empty() || name == "included", "{name} has no fault");
        let path = dir("invalid").join(format!("{name}.txt"));
        if name != "included" {
            snapshot(&path, &found.render(false), &mut stale);
        }
        // each has its place, but for files that have no lines
        for fault in &found {
            let placed = fault.location().line > 0 || name == "directory";
            assert!(placed, "{name}: {fault:?}");
        }
    }
    settled(&stale);
}

#[test]
fn every_fault_of_an_inventory_is_told_as_committed() {
    let mut stale = Vec::new();
    for entry in std::fs::read_dir(dir("invalid-inventory")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "yaml") {
            let Err(LoadError::Faults(found)) = InventorySource::read(&[path.clone()]) else {
                panic!("{} has no fault", path.display());
            };
            snapshot(&path.with_extension("txt"), &found.render(false), &mut stale);
        }
    }
    settled(&stale);
}

#[test]
fn every_fault_of_a_book_is_told_as_committed() {
    let mut stale = Vec::new();
    for entry in std::fs::read_dir(dir("invalid-book")).unwrap() {
        let path = entry.unwrap().path();
        let book = BookSource::open(&path).unwrap();
        let Err(LoadError::Faults(found)) = book.runbook("ok") else { panic!("{} has no fault", path.display()) };
        snapshot(&path.join("book.txt"), &found.render(false), &mut stale);
    }
    settled(&stale);
}

/// The file as another YAML reader sees it.
fn foreign(path: &Path) -> Option<serde_json::Value> {
    serde_yaml::from_str(&std::fs::read_to_string(path).ok()?).ok()
}

#[test]
fn schemas_and_reader_agree() {
    let validator = |kind: SchemaKind| jsonschema::validator_for(&kind.schema()).unwrap();
    let (runbooks, inventories, books) =
        (validator(SchemaKind::Runbook), validator(SchemaKind::Inventory), validator(SchemaKind::Book));
    for name in ["checklist", "everything", "restart-jobs"] {
        let file = foreign(&dir("valid").join(format!("{name}.yaml"))).unwrap();
        let errors: Vec<String> = runbooks.iter_errors(&file).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
    assert!(inventories.is_valid(&foreign(&dir("valid/inventory.yaml")).unwrap()));
    assert!(books.is_valid(&foreign(&dir("valid/book.yaml")).unwrap()));

    // what the schema cannot say: one key of several, ranges of numbers, other files
    let beyond = |found: &super::Diagnostics| {
        found.iter().all(|fault| match fault.code {
            "unknown-key" | "wrong-type" | "no-value" | "bad-duration" => fault.message.contains("is no "),
            "missing-key" => !fault.message.contains("needs the key"),
            _ => true,
        })
    };
    let book = BookSource::open(&dir("invalid")).unwrap();
    let mut refused = 0;
    for name in book.names() {
        let found = book.check(&[name], &Inventory::default());
        let here = found.clone().into_iter().filter(|fault| fault.file.ends_with(&format!("/{name}.yaml")));
        let mut own = super::Diagnostics::new();
        own.extend(here);
        let Some(file) = foreign(&book.path(name)).filter(|_| !beyond(&own)) else { continue };
        assert!(!runbooks.is_valid(&file), "the schema lets {name} pass");
        refused += 1;
    }
    assert!(refused >= 15, "{refused}");
    assert!(!inventories.is_valid(&foreign(&dir("invalid-inventory/unknown-key.yaml")).unwrap()));
    assert!(!inventories.is_valid(&foreign(&dir("invalid-inventory/port-type.yaml")).unwrap()));
    assert!(!books.is_valid(&foreign(&dir("invalid-book/unknown-key/book.yaml")).unwrap()));
    assert!(!books.is_valid(&foreign(&dir("invalid-book/duration/book.yaml")).unwrap()));
}
