//! Inventory files: YAML ones and executable ones, layered in order.
//!
//! Apart from `shelf` because inventories have nothing to do with a book: they are given by flags, several at once, and
//! what one names another may define.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ansible;
use super::decode::{Context, Decode};
use super::diagnostic::Diagnostics;
use super::lower::{inventory, verify_inventory};
use super::raw::inventory::RawInventory;
use super::shelf::LoadError;
use super::text::SourceText;
use crate::model::Inventory;

/// Inventories that were read.
#[derive(Clone, Debug, Default)]
pub struct InventorySource {
    /// What they say together.
    pub inventory: Inventory,
    /// Their texts in order; of an executable one, what it printed.
    pub texts: Vec<Arc<SourceText>>,
}

impl InventorySource {
    /// Reads `paths` in order, each laid over those before.
    pub fn read(paths: &[PathBuf]) -> Result<Self, LoadError> {
        let mut whole = Inventory::default();
        let mut layers = Vec::new();
        let mut faults = Diagnostics::new();
        let mut texts = Vec::new();
        for path in paths {
            let shown = path.display().to_string();
            if ansible::is_executable(path) {
                match ansible::run(path) {
                    Ok((layer, text)) => {
                        texts.push(text);
                        whole.layer(layer);
                    }
                    Err(fault) => faults.push(*fault),
                }
                continue;
            }
            let text = match SourceText::read(path, &shown) {
                Ok(text) => text,
                Err(fault) => {
                    faults.push(*fault);
                    continue;
                }
            };
            let cx = Context::new(text.clone());
            if let Some(raw) = cx.tree().and_then(|tree| RawInventory::decode(&tree, &cx)) {
                let (layer, mentions) = inventory(&raw, path.parent().unwrap_or(Path::new("")), &cx);
                whole.layer(layer);
                layers.push((mentions, text.clone()));
            }
            texts.push(text);
            faults.extend(cx.finish());
        }
        // a host that could not be read is not missing
        if !faults.has_errors() {
            for (mentions, text) in layers {
                let cx = Context::new(text);
                verify_inventory(&whole, &mentions, &cx);
                faults.extend(cx.finish());
            }
        }
        if faults.has_errors() { Err(LoadError::Faults(faults.sorted())) } else { Ok(Self { inventory: whole, texts }) }
    }
}
