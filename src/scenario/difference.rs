//! Differences between what must come of a scenario and what came.

use std::fmt;

use serde::Serialize;

use crate::vocab::Location;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// About what: `exit`, `restart@dfw-jobs02`, `asked`.
    pub about: String,
    /// What must be.
    pub expected: String,
    /// What was.
    pub was: String,
    /// What the run told about it.
    pub told: Vec<String>,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
    /// Which stretch, from 1.
    pub stretch: usize,
    /// Where that is written.
    #[serde(skip)]
    pub location: Option<Location>,
}

impl Difference {
    /// One that is told in two halves.
    pub fn new(about: impl Into<String>, expected: impl Into<String>, was: impl Into<String>) -> Self {
        Self {
            about: about.into(),
            expected: expected.into(),
            was: was.into(),
            told: Vec::new(),
            hint: None,
            stretch: 0,
            location: None,
        }
    }

    /// With what was told.
    #[must_use]
    pub fn told(mut self, told: Vec<String>) -> Self {
        self.told = told;
        self
    }

    /// With what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// At its place.
    #[must_use]
    pub fn at(mut self, location: &Location) -> Self {
        self.location = Some(location.clone());
        self
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.about)?;
        match (self.expected.as_str(), self.was.as_str()) {
            ("", was) => f.write_str(was),
            (expected, "") => f.write_str(expected),
            (expected, was) => write!(f, "expected {expected}, was {was}"),
        }
    }
}
