//! From files to the model: YAML text, every complaint at its line, and schemas for editors.
//!
//! Each phase is a type that cannot hold the faults of the one before: text, a tree of placed nodes ([`tree`]), the
//! language as written ([`raw`]), the model. Apart from `model`, so that nothing behind it ever sees YAML.

mod ansible;
#[cfg(test)]
mod cases;
pub mod decode;
pub mod diagnostic;
pub mod inventory;
mod lint;
mod lower;
pub mod raw;
pub mod schema;
pub mod shelf;
pub mod show;
pub mod suites;
pub mod text;
mod trap;
pub mod tree;
mod yaml;

pub use diagnostic::{Diagnostic, Diagnostics, Label, Severity};
pub use inventory::InventorySource;
pub use schema::SchemaKind;
pub use shelf::{BookSource, Headline, LoadError};
pub use text::SourceText;
