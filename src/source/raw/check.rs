//! Checks, preconditions, warnings: a probe and what must be true of it.

use super::probe::{RawLook, RawProbeRef};
use super::{Expr, Flag, Ident, Length, Prose, Word};
use crate::source::decode::{choice, flat, record};

record! {
    /// A probe: by its name, or written in place.
    RawSubject is "a check" {
        /// The name of a probe of this runbook or of the book; or a probe.
        probe: Option<RawProbeRef>,
        /// A probe written in place.
        #[schemars(flatten)]
        look: RawLook,
    }
}

record! {
    /// What must be true: one of `expect`, `every`, `none`.
    RawExpectation is "an expectation" {
        /// An expression that must be true: `exit == 0`, `rows | length >= 1`.
        expect: Option<Expr>,
        /// Must be true of every row, and there must be at least one.
        every: Option<Expr>,
        /// Must be true of no row.
        none: Option<Expr>,
        /// `all`: evaluated once over all hosts' rows, each with its `host`. Default: on each host.
        over: Option<RawOver>,
    }
}

choice! {
    /// Over what an expectation is evaluated.
    RawOver {
        /// Once over all hosts' rows.
        All = "all",
        /// On each host.
        Each = "each",
    }
}

record! {
    /// What must become true.
    RawCheck is "a check" {
        /// What it demands, in a sentence.
        says: Option<Prose>,
        /// What it looks at.
        #[schemars(flatten)]
        subject: RawSubject,
        /// What must be true of it.
        #[schemars(flatten)]
        expectation: RawExpectation,
        /// How long that may take to become true. Without it, it is looked at once.
        within: Option<Length>,
    }
}

record! {
    /// A check that must hold before anything is changed.
    RawPrecondition is "a precondition" {
        /// Its id, which `--override` names.
        id: Ident,
        /// What it demands, in a sentence.
        says: Prose,
        /// What it looks at.
        #[schemars(flatten)]
        subject: RawSubject,
        /// What must be true of it.
        #[schemars(flatten)]
        expectation: RawExpectation,
        /// How long that may take to become true.
        within: Option<Length>,
        /// What a person reads when it does not hold.
        otherwise: Option<Prose>,
        /// `batch`: again before each batch, not only at the start.
        recheck: Option<RawRecheck>,
        /// Whether `--override` may go on against it. Default: never.
        r#override: Option<RawOverride>,
    }
}

choice! {
    /// When a precondition is evaluated again.
    RawRecheck {
        /// Only at the start.
        Start = "start",
        /// Before each batch too.
        Batch = "batch",
    }
}

choice! {
    /// Whether a precondition may be overridden.
    RawOverride {
        /// With `--override ID --reason TEXT`.
        Allowed = "allowed",
        /// Not at all.
        Never = "never",
    }
}

record! {
    /// What a person must know first.
    RawWarning is "a warning" {
        /// Its id, which `--ack` names.
        id: Ident,
        /// The text.
        says: Prose,
        /// `true`: it must be confirmed.
        confirm: Option<Flag>,
        /// The text that must be typed to acknowledge it.
        r#type: Option<Word>,
        /// Shown only when this is true.
        r#if: Option<Expr>,
        /// Shown only when an expectation on this holds, or cannot be decided.
        #[schemars(flatten)]
        subject: RawSubject,
        /// The expectation.
        #[schemars(flatten)]
        expectation: RawExpectation,
    }
}

flat!(RawSubject, RawExpectation);
