//! The command line: the only place with a terminal, an environment and exit codes.
//!
//! One file a subcommand, each an `Args` (its doc comment is the help) and one function; around them what they share:
//! the book that is found, the state folder, who is at the keyboard, what an error costs.

mod abandon;
mod app;
mod audit;
mod check;
mod collect;
mod completions;
mod conduct;
mod context;
mod docs;
mod drift;
mod error;
mod exit;
mod hosts;
mod identity;
mod list;
mod locks;
mod man;
mod outline;
mod params;
mod publish;
mod receipts;
mod resolve;
mod resume;
mod run;
mod schema;
mod seal;
mod show;
mod signals;
mod terminal;
mod test;
mod view;
mod wiki;
mod without_runbook;

pub use app::{App, main};
