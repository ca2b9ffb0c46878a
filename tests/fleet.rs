//! The program on real sshd hosts: the lab of `tests/lab`.
//!
//! Needs root and Debian, as the lab does. Each test takes a lab of the pool for itself.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test stops where it does not go on"
)]

mod support;

#[path = "fleet/at_a_terminal.rs"]
mod at_a_terminal;
#[path = "fleet/by_hand.rs"]
mod by_hand;
#[path = "fleet/collect.rs"]
mod collect;
#[path = "fleet/contention.rs"]
mod contention;
#[path = "fleet/crash.rs"]
mod crash;
#[path = "fleet/cut_off.rs"]
mod cut_off;
#[path = "fleet/databases.rs"]
mod databases;
#[path = "fleet/ddlockd.rs"]
mod ddlockd;
#[path = "fleet/failures.rs"]
mod failures;
#[path = "fleet/gearman.rs"]
mod gearman;
#[path = "fleet/going_on.rs"]
mod going_on;
#[path = "fleet/hostile.rs"]
mod hostile;
#[path = "fleet/interruption.rs"]
mod interruption;
#[path = "fleet/locks.rs"]
mod locks;
#[path = "fleet/mail.rs"]
mod mail;
#[path = "fleet/memcached.rs"]
mod memcached;
#[path = "fleet/questions.rs"]
mod questions;
#[path = "fleet/recorded.rs"]
mod recorded;
#[path = "fleet/rehearsal.rs"]
mod rehearsal;
#[path = "fleet/restart_jobs.rs"]
mod restart_jobs;
#[path = "fleet/restart_webs.rs"]
mod restart_webs;
#[path = "fleet/schwartz.rs"]
mod schwartz;
#[path = "fleet/secrets.rs"]
mod secrets;
#[path = "fleet/ses.rs"]
mod ses;
#[path = "fleet/stamps.rs"]
mod stamps;
#[path = "fleet/state.rs"]
mod state;
#[path = "fleet/steps.rs"]
mod steps;
#[path = "fleet/traffic.rs"]
mod traffic;
#[path = "fleet/truth.rs"]
mod truth;
#[path = "fleet/webs.rs"]
mod webs;
#[path = "fleet/workers.rs"]
mod workers;
