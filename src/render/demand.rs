//! What to look for: an expectation in words, beside the expression itself.

use super::document::Inline;
use super::inside::Inside;
use crate::model::expression::NameUse;
use crate::model::{Expectation, Expression, Parse, Probe, Quantifier, Shape};
use crate::vocab::Period;

/// What must be seen, how the output is read (unless that was said: `again`), and for how long it may take to become so.
pub(super) fn demand(
    inside: &Inside<'_>,
    probe: &Probe,
    expectation: &Expectation,
    within: Option<Period>,
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
    for (name, meaning) in NAMES {
        if !again && uses(expression, name) {
            out.extend([Inline::text(" "), Inline::code(*name), Inline::text(format!(" is {meaning}."))]);
        }
    }
    out.extend(values(inside, expression));
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
    out.extend(values(inside, expression));
    out
}

const NAMES: &[(&str, &str)] = &[
    ("exit", "the exit status"),
    ("status", "the HTTP status"),
    ("body", "what follows the headers"),
    ("reply", "what comes back"),
    ("took", "how many seconds it takes"),
    ("before", "what the same look told before the step"),
];

fn uses(expression: &Expression, root: &str) -> bool {
    expression.names().iter().any(|used| used.path.first().is_some_and(|part| part == root))
}

/// What the parameters and variables in an expression are.
fn values(inside: &Inside<'_>, expression: &Expression) -> Vec<Inline> {
    let mut seen = Vec::new();
    let mut out = Vec::new();
    let used = expression.names().iter().map(|NameUse { path, .. }| path.as_slice());
    for path in used {
        let [root, name, ..] = path else { continue };
        if root != "params" || seen.contains(name) {
            continue;
        }
        seen.push(name.clone());
        if let Some(value) = inside.param(name) {
            out.extend([
                Inline::text(" "),
                Inline::code(format!("params.{name}")),
                Inline::text(" is "),
                Inline::code(value),
                Inline::text("."),
            ]);
        }
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
            let cut = separator.as_ref().map(|by| format!(", cut at {by:?},")).unwrap_or_default();
            let mut out = vec![Inline::text(format!("Each line{header}{cut} is a row of "))];
            listed(&mut out, columns);
            out.push(Inline::text("."));
            out
        }
    };
    if let Some(like) = like {
        out.extend([
            Inline::text(" If a line with "),
            Inline::code(like),
            Inline::text(" cannot be read so, take the answer for a no."),
        ]);
    }
    out
}

fn listed(out: &mut Vec<Inline>, words: &[String]) {
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            out.push(Inline::text(if index + 1 == words.len() { " and " } else { ", " }));
        }
        out.push(Inline::code(word));
    }
}
