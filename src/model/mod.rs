//! What a runbook means, with no YAML and no I/O.
//!
//! The types of the language after every name in it was resolved, and the pure parts of its meaning: expressions,
//! templates, parsers of output, expectations, host patterns. Apart from `source`, which reads files, so that a plan,
//! a test or a renderer can be made from values.

pub mod book;
pub mod deed;
pub mod expectation;
pub mod expression;
mod guard;
pub mod inventory;
pub mod params;
pub mod parse;
pub mod pattern;
pub mod probe;
pub mod runbook;
pub mod scenario;
pub mod scope;
pub mod step;
pub mod target;
pub mod template;

pub use book::{Book, System};
pub use deed::{Deed, Glance, ready_probe};
pub use expectation::{Expectation, Quantifier};
pub use expression::{EvalError, Expression};
pub use inventory::{Inventory, InventoryError};
pub use params::{Param, ParamType, Params};
pub use parse::{ColumnType, Parse, Shape};
pub use pattern::HostPattern;
pub use probe::{CommandSpec, HttpSpec, LookSpec, Origin, Probe, ProgramSpec, ScriptFile, Sudo, TcpSpec};
pub use runbook::Runbook;
pub use scope::Scope;
pub use step::{
    Acknowledgement, Action, BookFile, Check, MinHealthy, OnFailure, Precondition, Recheck, Retry, Rollout, Step,
    StepKind, Then, Warning, WarningWhen,
};
pub use target::{Target, Transport};
pub use template::Template;

#[cfg(test)]
mod tests;
