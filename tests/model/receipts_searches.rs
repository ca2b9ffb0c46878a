//! What is searched of the receipts: the protocol as it is, and with each of its parts left out.

use super::super::search::{explore, large};
use super::{Flaw, Left, Receipts};

/// What a test run looks at.
const USUAL: Left = Left { crashes: 2, losses: 1, reboots: 1, kills: 0, leases: 1 };
/// What takes longer than a test run may.
const LARGE: Left = Left { crashes: 2, losses: 2, reboots: 1, kills: 1, leases: 1 };

fn caught(flaw: Flaw, why: &str) {
    let found = explore("", &Receipts::new(flaw, USUAL)).expect_err("the search must find what is wrong");
    assert!(found.why.contains(why), "{found:?}");
    println!("{flaw:?}: {found:?}");
}

#[test]
fn an_action_never_takes_effect_twice() {
    explore("receipts", &Receipts::new(Flaw::None, if large() { LARGE } else { USUAL }))
        .expect("the protocol is sound");
}

#[test]
fn nor_when_its_wrapper_is_killed() {
    let left = Left { crashes: 1, losses: 1, reboots: 0, kills: 1, leases: 0 };
    explore("receipts, killed", &Receipts::new(Flaw::None, left)).expect("the protocol is sound");
}

#[test]
fn without_a_tombstone_an_errand_still_in_flight_starts_later() {
    caught(Flaw::NoTombstone, "did not start, and it did");
}

#[test]
fn without_a_tombstone_a_step_in_doubt_starts_later() {
    caught(Flaw::DoubtWithoutTombstone, "did not start, and it did");
}

#[test]
fn without_reading_back_a_wrapper_starts_behind_a_tombstone() {
    caught(Flaw::NoReadBack, "did not start, and it did");
}

#[test]
fn a_tombstone_renamed_over_a_torn_mark_misleads_the_next_asker() {
    caught(Flaw::TombstoneByRename, "did not start, and it did");
}

#[test]
fn the_exit_is_looked_for_behind_the_process() {
    caught(Flaw::ExitBeforeProcess, "was lost");
}

#[test]
fn without_the_boot_a_receipt_lost_in_a_reboot_reads_as_never_started() {
    caught(Flaw::NoBoot, "did not start, and it did");
}

#[test]
fn the_boot_is_that_of_the_lock_the_errand_was_sent_under() {
    caught(Flaw::NewestBoot, "did not start, and it did");
}
