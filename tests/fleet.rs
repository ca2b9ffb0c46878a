//! The program on real sshd hosts: the lab of `tests/lab`.
//!
//! Needs root and Debian, as the lab does. Each test takes a lab of the pool for itself.

mod support;

#[path = "fleet/restart_jobs.rs"]
mod restart_jobs;
#[path = "fleet/secrets.rs"]
mod secrets;
#[path = "fleet/hostile.rs"]
mod hostile;
