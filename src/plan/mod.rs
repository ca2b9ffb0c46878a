//! Exactly what would be done: a runbook on an inventory, its parameters bound.
//!
//! A plan is data. It holds every host, every step in order, every batch; what only a run can know (captured values,
//! observations) stays a template in it. Its digest tells two plans apart, so that a saved plan, a run and its resume
//! are held to the same one. Apart from the engine because a dry run, a plan file and a page need it without one.

pub mod bind;
pub mod digest;
pub mod file;
pub mod make;
pub mod outline;

pub use bind::{BindError, Given};

pub use file::{PlanFile, PlanFileError};
pub use make::{Making, PlanError, RunFacts};
pub use outline::{
    Floor, Leaf, LeafKind, Plan, PlannedCheck, PlannedPrecondition, PlannedWarning, ScopeId, TextKept, Unit,
};
