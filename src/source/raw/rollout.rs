//! Rollouts, retries, failures: how a step moves and what happens when it does not.

use super::check::{RawExpectation, RawSubject};
use super::command::RawCommand;
use super::{CountText, Length, LengthText, Whole, Word};
use crate::source::decode::{choice, record};

record! {
    /// How a step moves over its hosts.
    RawRollout is "a rollout" {
        /// The hosts that go first: a number, or a host pattern.
        canary: Option<Word>,
        /// How many hosts go at once: a number, or `all`. Default: 1.
        batch: Option<Word>,
        /// The time between two batches.
        pause: Option<LengthText>,
        /// How many hosts may fail before the roll stops. Default: 0.
        max_failures: Option<CountText>,
        /// How many hosts must be healthy outside a batch that takes a healthy one away, for it to start.
        min_healthy: Option<RawMinHealthy>,
    }
}

record! {
    /// How many hosts must be healthy outside a batch, and what healthy means.
    RawMinHealthy is "`min_healthy`" {
        /// How many.
        count: CountText,
        /// What tells whether a host is healthy.
        #[schemars(flatten)]
        subject: RawSubject,
        /// What must be true of a healthy host.
        #[schemars(flatten)]
        expectation: RawExpectation,
    }
}

record! {
    /// How failed tries are repeated.
    RawRetry is "`retry`" {
        /// How many tries in all.
        attempts: Whole,
        /// The time between two. Default: none.
        delay: Option<Length>,
    }
}

record! {
    /// What happens when a step fails on a host.
    RawOnFailure is "`on_failure`" {
        /// Commands that collect evidence on the host.
        #[schemars(default)]
        collect: Vec<RawCommand>,
        /// What then. Default: ask; without a terminal, stop.
        then: Option<RawThen>,
    }
}

choice! {
    /// What happens after a failure beyond the budget.
    RawThen {
        /// Stop.
        Stop = "stop",
        /// Ask the operator; without a terminal, stop.
        Ask = "ask",
        /// Go on with the next hosts.
        Continue = "continue",
    }
}
