//! Expectations: what must be true of observations. They fail closed.

use serde::Serialize;

use super::expression::Expression;

/// What must be true of what a probe saw.
#[derive(Clone, Debug, Serialize)]
pub struct Expectation {
    /// Of what the expression must be true.
    pub quantifier: Quantifier,
    /// The expression.
    pub expression: Expression,
    /// `over: all`: evaluated once over all hosts' rows, each with its `host`, not per host.
    pub over_all: bool,
}

/// Of what an expectation's expression must be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantifier {
    /// `expect:` of the observation.
    Expect,
    /// `every:` of each row, and there is at least one.
    Every,
    /// `none:` of no row.
    None,
}
