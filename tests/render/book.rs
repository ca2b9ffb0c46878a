//! A book, read as the program reads it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use runbook::model::{Inventory, Runbook};
use runbook::render::{Document, Edition};
use runbook::source::{BookSource, InventorySource};

pub(crate) struct Book {
    source: BookSource,
    inventory: Inventory,
    pub(crate) runbooks: Vec<Arc<Runbook>>,
}

impl Book {
    /// The project's own.
    pub(crate) fn own() -> Self {
        Self::at("runbooks")
    }

    /// The one in a folder of the project.
    pub(crate) fn at(dir: &str) -> Self {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
        let source = BookSource::open(&dir).unwrap();
        let inventory = InventorySource::read(&[dir.join("inventory.yaml")]).unwrap().inventory;
        let runbooks = source.names().iter().map(|name| source.runbook(name).unwrap()).collect();
        Self { source, inventory, runbooks }
    }

    /// Every page, by its file, without last runs.
    pub(crate) fn pages(&self, render: &dyn Fn(&Document) -> String) -> BTreeMap<String, String> {
        let edition = Edition::new(self.source.book(), &self.inventory, &self.runbooks);
        let own = self.runbooks.iter().map(|runbook| edition.runbook(runbook, None));
        own.chain([edition.book()]).map(|document| (document.page.file.clone(), render(&document))).collect()
    }
}
