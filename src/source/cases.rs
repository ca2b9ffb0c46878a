//! Whole files through the whole of `source`: what is right loads, what is wrong is told as it should be.

use std::path::{Path, PathBuf};

use super::{BookSource, InventorySource, LoadError};
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
