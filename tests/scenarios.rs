//! Scenarios: what the player does with each kind of answer, how differences are told, and that what is recorded of a run
//! plays as the run did.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops where it does not go on")]
#![expect(unreachable_pub, reason = "one test of several files")]

mod support;

#[path = "scenarios/book.rs"]
mod book;
#[path = "scenarios/cli.rs"]
mod cli;
#[path = "scenarios/differences.rs"]
mod differences;
#[path = "scenarios/player.rs"]
mod player;
#[path = "scenarios/recorded.rs"]
mod recorded;
