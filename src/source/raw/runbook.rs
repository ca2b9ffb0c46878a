//! A runbook file.

use super::check::{RawCheck, RawPrecondition, RawWarning};
use super::command::RawSudo;
use super::probe::RawProbe;
use super::step::RawStep;
use super::{Ident, Named, OneOrMany, Prose, Whole, Word};
use crate::source::decode::{choice, record};

record! {
    /// A runbook: a procedure that staff can read, check and run.
    RawRunbook is "a runbook" {
        /// The title.
        title: Prose,
        /// What it is for, in a sentence or two.
        summary: Option<Prose>,
        /// The system it belongs to: a key of `systems:` in book.yaml.
        system: Option<Word>,
        /// Other names that `runbook run` and the like know it by.
        #[schemars(default)]
        aliases: Vec<Ident>,
        /// Words to find it by.
        #[schemars(default)]
        tags: Vec<Word>,
        /// The old way, so that a reader recognises it.
        formerly: Option<Prose>,
        /// The hosts of every step that names none: a group, a host, a pattern.
        hosts: Option<OneOrMany<Word>>,
        /// Through which user every step runs that does not say.
        sudo: Option<RawSudo>,
        /// What the operator may say.
        #[schemars(default)]
        params: Named<RawParam>,
        /// Named, read-only observations, usable anywhere below.
        #[schemars(default)]
        probes: Named<RawProbe>,
        /// What must hold before anything is changed.
        #[schemars(default)]
        preconditions: Vec<RawPrecondition>,
        /// What a person must know first.
        #[schemars(default)]
        warnings: Vec<RawWarning>,
        /// The steps in order.
        #[schemars(length(min = 1))]
        steps: Vec<RawStep>,
        /// What must hold at the end.
        #[schemars(default)]
        checks: Vec<RawCheck>,
    }
}

record! {
    /// A parameter.
    RawParam is "a parameter" {
        /// Its type. Default: string.
        r#type: Option<RawParamType>,
        /// The value when none is given. Without it, one must be given. Of a secret: `env:VARIABLE`, the variable of the
        /// operator's environment that it is then read from.
        default: Option<Word>,
        /// Its place among the positional arguments, from 1.
        position: Option<Whole>,
        /// What it is.
        help: Option<Prose>,
        /// The values of an enum.
        #[schemars(default)]
        values: Vec<Word>,
    }
}

choice! {
    /// A parameter's type.
    RawParamType {
        /// Any text.
        String = "string",
        /// A whole number.
        Integer = "integer",
        /// A number.
        Number = "number",
        /// `true` or `false`.
        Boolean = "boolean",
        /// A length of time: `5s`.
        Duration = "duration",
        /// One of `values`.
        Enum = "enum",
        /// A host of the inventory.
        Host = "host",
        /// A text that is shown nowhere.
        Secret = "secret",
    }
}
