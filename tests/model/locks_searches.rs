//! What is searched of the locks: the protocol as it is, and with each of its parts left out.

use super::super::search::{explore, large};
use super::{Flaw, Left, Locks, Often, RUNS};

const CALM: Left = Left { crashes: 0, kills: 0, reboots: 0, breaks: 0 };
const ONCE: Often = Often { takes: 1, renewals: 0, actions: 1 };
const RENEWING: Often = Often { takes: 1, renewals: 1, actions: 1 };
const IDLE: Often = Often { takes: 1, renewals: 1, actions: 0 };
const TWICE: Often = Often { takes: 2, renewals: 0, actions: 1 };

fn search(flaw: Flaw, left: Left, often: [Often; RUNS]) -> Locks {
    Locks { flaw, left, often }
}

fn caught(flaw: Flaw, often: [Often; RUNS], why: &str) {
    let found = explore("", &search(flaw, CALM, often)).expect_err("the search must find what is wrong");
    assert!(found.why.contains(why), "{found:?}");
    println!("{flaw:?}: {found:?}");
}

#[test]
fn two_runs_never_act_at_once() {
    let often = if large() { [RENEWING; 2] } else { [RENEWING, ONCE] };
    explore("locks", &search(Flaw::None, CALM, often)).expect("the protocol is sound");
}

#[test]
fn nor_when_they_try_again() {
    let often = if large() { [RENEWING, TWICE] } else { [ONCE, TWICE] };
    explore("locks, taken twice", &search(Flaw::None, CALM, often)).expect("the protocol is sound");
}

#[test]
fn nor_when_a_program_is_killed_and_resumed() {
    let left = Left { crashes: 1, ..CALM };
    explore("locks, killed", &search(Flaw::None, left, [TWICE, ONCE])).expect("the protocol is sound");
}

#[test]
fn nor_when_wrappers_are_killed_and_hosts_rebooted() {
    let left = Left { kills: 1, reboots: 1, ..CALM };
    explore("locks, rebooted", &search(Flaw::None, left, [ONCE; 2])).expect("the protocol is sound");
}

#[test]
fn nor_when_locks_are_broken() {
    let left = Left { breaks: 1, ..CALM };
    let often = if large() { [RENEWING, ONCE] } else { [ONCE, Often { actions: 0, ..ONCE }] };
    explore("locks, broken", &search(Flaw::None, left, often)).expect("the protocol is sound");
}

#[test]
fn marks_are_looked_for_once() {
    explore("locks, marks looked for once", &search(Flaw::NoMarksBehind, CALM, [TWICE, ONCE])).expect("it is sound");
}

#[test]
fn without_marks_a_command_outlives_its_lease() {
    caught(Flaw::NoMarks, [ONCE; 2], "two runs act at once");
}

#[test]
fn a_mark_made_behind_the_lease_is_seen_too_late() {
    caught(Flaw::LeaseBeforeMark, [ONCE; 2], "two runs act at once");
}

#[test]
fn marks_read_before_the_record_are_seen_too_early() {
    caught(Flaw::MarksBeforeRecord, [ONCE; 2], "two runs act at once");
}

#[test]
fn the_highest_record_is_never_removed() {
    caught(Flaw::HighestRemoved, [IDLE; 2], "two programs hold the lock");
}

#[test]
fn a_record_made_where_one_was_removed_holds_nothing() {
    caught(Flaw::NoSecondLook, [IDLE, Often { renewals: 2, ..IDLE }], "two programs hold the lock");
}

#[test]
fn a_number_may_be_made_again_while_it_is_read() {
    caught(Flaw::NoConfirmation, [RENEWING; 2], "two runs act at once");
}

#[test]
fn a_renewal_must_follow_what_it_saw() {
    caught(Flaw::RenewalWithoutLooking, [IDLE; 2], "held when all is over");
}

#[test]
fn a_late_renewal_takes_nothing() {
    caught(Flaw::RenewalTakes, [IDLE; 2], "held when all is over");
}
