//! Steps.

use schemars::json_schema;

use super::check::{RawCheck, RawExpectation, RawPrecondition, RawWarning};
use super::command::{RawCommand, RawProgram};
use super::probe::{RawHttp, RawProbeRef};
use super::rollout::{RawOnFailure, RawRetry, RawRollout};
use super::{Expr, Flag, Ident, Length, LengthText, Named, OneOrMany, Prose, Word};
use crate::source::decode::{Context, Decode, record, schema};
use crate::source::tree::{Node, Value};

record! {
    /// One step: what it does (one of `run`, `command`, `script`, `copy`, `http`, `manual`, `wait`, `runbook`, `probe`,
    /// `steps`) and everything around it.
    RawStep is "a step" {
        /// Its id, unique in the runbook.
        id: Ident,
        /// Its name for people. Default: the id.
        name: Option<Prose>,
        /// What it is for.
        says: Option<Prose>,
        /// The command it runs.
        #[schemars(flatten)]
        program: RawProgram,
        /// A file of the book that is put on the host.
        copy: Option<RawCopy>,
        /// An HTTP request that changes something.
        http: Option<RawHttp>,
        /// What a person does, and then says that it is done.
        manual: Option<Prose>,
        /// A time to wait.
        wait: Option<LengthText>,
        /// Another runbook's steps in this place: its name, or `{name, with}`.
        runbook: Option<RawInclude>,
        /// A probe: by name or in place. With an expectation it is a gate.
        probe: Option<RawProbeRef>,
        /// What must be true of the probe.
        #[schemars(flatten)]
        expectation: RawExpectation,
        /// How long that may take to become true.
        within: Option<Length>,
        /// Inner steps: each batch goes through all of them before the next batch starts.
        #[schemars(default, length(min = 1))]
        steps: Vec<RawStep>,
        /// Its hosts: a group, a host, a pattern. Default: the runbook's.
        hosts: Option<OneOrMany<Word>>,
        /// `true`: runs once on the operator's machine (or the one named host), not per host.
        once: Option<Flag>,
        /// Takes part only when this is true.
        r#if: Option<Expr>,
        /// Already so: then the step is skipped on that host.
        skip_if: Option<RawCheck>,
        /// What must hold before it acts on a host.
        #[schemars(default)]
        preconditions: Vec<RawPrecondition>,
        /// What a person must know before it.
        #[schemars(default)]
        warnings: Vec<RawWarning>,
        /// How it moves over its hosts. Default: one at a time, and the first failure stops it.
        rollout: Option<RawRollout>,
        /// How long its action may take.
        timeout: Option<LengthText>,
        /// How failed tries are repeated.
        retry: Option<RawRetry>,
        /// What must become true after it; the gate between batches.
        #[schemars(default)]
        checks: Vec<RawCheck>,
        /// Values kept for later steps: `NAME: expression` over `exit`, `stdout`, `rows`, …
        #[schemars(default)]
        capture: Named<Expr>,
        /// What happens when it fails.
        on_failure: Option<RawOnFailure>,
        /// What a person may choose to run after a failure; never automatic.
        undo: Option<RawCommand>,
        /// Safe to run again without asking.
        repeatable: Option<Flag>,
        /// Decides an in-doubt step: true = it took effect, false = it did not.
        settle: Option<RawCheck>,
    }
}

record! {
    /// A file of the book that is put on the host.
    RawCopy is "`copy`" {
        /// Its path in the book.
        src: Word,
        /// Its path on the host, absolute.
        dest: Word,
        /// Its mode, octal: `0644`.
        mode: Option<Word>,
        /// Its owner: `user` or `user:group`.
        owner: Option<Word>,
    }
}

record! {
    /// Another runbook, and what its parameters are bound to.
    RawIncludeSpec is "`runbook`" {
        /// Its name.
        name: Word,
        /// Its parameters.
        #[schemars(default)]
        with: Named<Word>,
    }
}

/// Another runbook: its name, or `{name, with}`.
#[derive(Clone, Debug)]
pub struct RawInclude {
    /// Its name and its parameters.
    pub spec: RawIncludeSpec,
}

impl Decode for RawInclude {
    fn decode(node: &Node, cx: &Context) -> Option<Self> {
        let spec = match &node.value {
            Value::Scalar(_) => RawIncludeSpec {
                place: super::super::decode::Place { span: node.span.clone(), ..Default::default() },
                name: Word::decode(node, cx)?,
                with: Named::default(),
            },
            Value::Map(_) | Value::List(_) => RawIncludeSpec::decode(node, cx)?,
        };
        Some(Self { spec })
    }
}

schema! {
    RawInclude => |generator| {
        let spec = generator.subschema_for::<RawIncludeSpec>();
        json_schema!({ "anyOf": [{ "type": "string" }, spec] })
    },
}
