//! What to look for: an expectation in words, beside the expression itself.

use super::document::Inline;
use super::inside::{Inside, placeholder};
use crate::model::expression::NameUse;
use crate::model::{Expectation, Expression, LookSpec, Parse, Probe, Quantifier, Shape};
use crate::vocab::{HostName, Period};

/// What must be seen, how the output is read (unless that was said: `again`), and for how long it may take to become so.
pub(super) fn demand(
    inside: &Inside<'_>,
    probe: &Probe,
    expectation: &Expectation,
    within: Option<Period>,
    hosts: &[HostName],
    again: bool,
) -> Vec<Inline> {
    let expression = &expectation.expression;
    let mut out = vec![Inline::text("It is so when ")];
    out.push(Inline::code(expression.source().trim()));
    out.push(Inline::text(match expectation.quantifier {
        Quantifier::Expect => " is true",
        Quantifier::Every => " is true of every row, and there is at least one",
        Quantifier::None => " is true of no row",
    }));
    if expectation.over_all {
        out.push(Inline::text(", all hosts taken together"));
    }
    out.push(Inline::text("."));
    let by_rows = expectation.quantifier != Quantifier::Expect || uses(expression, "rows");
    if let Some(parse) = &probe.parse
        && !again
        && (by_rows || uses(expression, "value"))
    {
        out.push(Inline::text(" "));
        out.extend(reading(parse));
    }
    let columns = probe.parse.as_ref().and_then(Parse::known_columns).unwrap_or_default();
    for (name, meaning) in names(&probe.look) {
        let is_column = by_rows && columns.iter().any(|column| column == name);
        if !again && !is_column && uses(expression, name) {
            out.extend([Inline::text(" "), Inline::code(*name), Inline::text(" is ")]);
            out.extend(inside.edition.line(meaning, ""));
            out.push(Inline::text("."));
        }
    }
    out.extend(values(inside, expression, hosts));
    if let Some(within) = within {
        out.push(Inline::text(format!(" Look again until it is so, for up to {within}.")));
    }
    out
}

/// Whether what a command ends with is asked for.
pub(super) fn asks_exit(expectation: &Expectation) -> bool {
    uses(&expectation.expression, "exit")
}

/// Whether an earlier look is asked for.
pub(super) fn asks_before(expectation: &Expectation) -> bool {
    uses(&expectation.expression, "before")
}

/// A condition with what its parameters are here.
pub(super) fn condition(inside: &Inside<'_>, expression: &Expression) -> Vec<Inline> {
    let mut out = vec![Inline::code(expression.source().trim()), Inline::text(".")];
    out.extend(values(inside, expression, &[]));
    out
}

/// The names that a look gives, and what they are for a person.
fn names(look: &LookSpec) -> &'static [(&'static str, &'static str)] {
    match look {
        LookSpec::Run(_) => &[
            ("exit", "the exit status"),
            ("took", "how many seconds it takes"),
            ("before", "what the same look told before the step"),
        ],
        LookSpec::Tcp(_) => &[
            ("reply", "what comes back"),
            ("answer", "`reply` when something comes back, else how it goes: `refused`, `timed-out` or `closed`"),
            ("took", "how many seconds it takes"),
            ("before", "what the same look told before the step"),
        ],
        LookSpec::Http(_) => &[
            ("status", "the HTTP status"),
            ("body", "what follows the headers"),
            ("took", "how many seconds it takes"),
            ("before", "what the same look told before the step"),
        ],
    }
}

fn uses(expression: &Expression, root: &str) -> bool {
    expression.names().iter().any(|used| used.path.first().is_some_and(|part| part == root))
}

/// What the parameters, variables and notes in an expression are.
fn values(inside: &Inside<'_>, expression: &Expression, hosts: &[HostName]) -> Vec<Inline> {
    let mut seen: Vec<String> = Vec::new();
    let mut out = Vec::new();
    for NameUse { path, .. } in expression.names() {
        let name = path.join(".");
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        let known = match parts.as_slice() {
            ["params", param, ..] => inside.param(param).map(|value| (format!("params.{param}"), "is ", value)),
            ["host", "vars", var, ..] => inside.var(var, hosts).map(|value| (format!("host.vars.{var}"), "is ", value)),
            ["steps", _, "captured", captured, ..] => Some((name, "was noted as ", placeholder(captured))),
            _ => None,
        };
        let Some((name, is, value)) = known.filter(|(name, ..)| !seen.contains(name)) else { continue };
        out.extend([Inline::text(" "), Inline::code(name.clone()), Inline::text(format!(" {is}"))]);
        out.push(if value.is_empty() { Inline::text("empty") } else { Inline::code(value) });
        out.push(Inline::text("."));
        seen.push(name);
    }
    out
}

/// How an output becomes rows.
fn reading(parse: &Parse) -> Vec<Inline> {
    let like = parse.like.as_ref().map(|like| like.0.as_str());
    let mut out = match (&parse.shape, like) {
        (Shape::Json, _) => vec![Inline::text("The output is JSON.")],
        (Shape::JsonLines, _) => vec![Inline::text("Each line is a row, as JSON.")],
        (Shape::Pairs { .. }, _) => vec![Inline::text("Each line is a name and its value.")],
        (Shape::Rows(pattern), Some(like)) if is_any(like) => {
            return vec![
                Inline::text("Each line is a row, read by "),
                Inline::code(pattern.0.as_str()),
                Inline::text("; if one of them does not fit, take the answer for a no."),
            ];
        }
        (Shape::Rows(pattern), Some(like)) => {
            return vec![
                Inline::text("The rows are the lines with "),
                Inline::code(like),
                Inline::text(", read by "),
                Inline::code(pattern.0.as_str()),
                Inline::text("; if one of them does not fit, take the answer for a no."),
            ];
        }
        (Shape::Rows(pattern), None) => {
            vec![Inline::text("The rows are the lines that fit "), Inline::code(pattern.0.as_str()), Inline::text(".")]
        }
        (Shape::Table { separator, header, columns }, _) => {
            let header = if *header { " below the heading" } else { "" };
            let mut out = vec![Inline::text(format!("Each line{header}"))];
            match separator.as_deref() {
                None | Some(" ") => {}
                Some("\t") => out.push(Inline::text(", cut at its tabs,")),
                Some(by) => out.extend([Inline::text(", cut at "), Inline::code(by), Inline::text(",")]),
            }
            out.push(Inline::text(" is a row of "));
            listed(&mut out, columns);
            out.push(Inline::text("."));
            out
        }
    };
    if like.is_some_and(is_any) {
        out.push(Inline::text(" If one cannot be read so, take the answer for a no."));
    } else if let Some(like) = like {
        out.extend([
            Inline::text(" If a line with "),
            Inline::code(like),
            Inline::text(" cannot be read so, take the answer for a no."),
        ]);
    }
    out
}

/// Whether a pattern is met by whatever has a character or two.
fn is_any(like: &str) -> bool {
    !like.is_empty() && like.chars().all(|c| c == '.')
}

fn listed(out: &mut Vec<Inline>, words: &[String]) {
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            out.push(Inline::text(if index + 1 == words.len() { " and " } else { ", " }));
        }
        out.push(Inline::code(word));
    }
}
