//! Runs on a scripted fleet, on simulated time, disturbed wherever they can be: the program dies at every record of its
//! journal, an action's end is not heard, a host goes down. Whatever it was, the resumes come to the same end as a run
//! that nothing disturbed, and nothing is done twice.
//!
//! `tests/fleet/crash.rs` does the same to a few runs on real hosts with the real program; here are many, in seconds.

#![expect(clippy::unwrap_used, reason = "a test stops where it does not go on")]
#![expect(unreachable_pub, reason = "one test of several files")]

#[path = "scripted/case.rs"]
mod case;
#[path = "scripted/crashes.rs"]
mod crashes;
#[path = "scripted/dying.rs"]
mod dying;
#[path = "scripted/found.rs"]
mod found;
#[path = "scripted/mischief.rs"]
mod mischief;
#[path = "scripted/person.rs"]
mod person;
#[path = "scripted/random.rs"]
mod random;
#[path = "scripted/runs.rs"]
mod runs;
#[path = "scripted/stamps.rs"]
mod stamps;
#[path = "scripted/tale.rs"]
mod tale;
#[path = "scripted/world.rs"]
mod world;
