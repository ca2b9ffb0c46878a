//! The program on real sshd hosts: the lab of `tests/lab`.
//!
//! Needs root and Debian, as the lab does. Each test takes a lab of the pool for itself.

mod support;

#[path = "fleet/restart_jobs.rs"]
mod restart_jobs;
#[path = "fleet/restart_webs.rs"]
mod restart_webs;
#[path = "fleet/interruption.rs"]
mod interruption;
#[path = "fleet/failures.rs"]
mod failures;
#[path = "fleet/steps.rs"]
mod steps;
#[path = "fleet/going_on.rs"]
mod going_on;
#[path = "fleet/questions.rs"]
mod questions;
#[path = "fleet/rehearsal.rs"]
mod rehearsal;
#[path = "fleet/state.rs"]
mod state;
#[path = "fleet/secrets.rs"]
mod secrets;
#[path = "fleet/hostile.rs"]
mod hostile;
#[path = "fleet/at_a_terminal.rs"]
mod at_a_terminal;
