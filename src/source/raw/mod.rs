//! The language as its author writes it: one type a mapping, read from the tree, and the source of the schemas.
//!
//! Nothing here is resolved or checked against anything else; that is `lower`'s. The doc comments are what an editor
//! shows while a runbook is written.

pub mod book;
pub mod check;
pub mod command;
pub mod inventory;
pub mod named;
pub mod probe;
pub mod rollout;
pub mod runbook;
pub mod scalar;
pub mod scenario;
pub mod step;

pub use named::{Named, NamedEntry};
pub use scalar::{CountText, Expr, Flag, Ident, Length, LengthText, OneOrMany, Prose, Whole, Word, Words};
