//! What to look for: an expectation in words, beside the expression itself.

use super::document::Inline;
use super::inside::Inside;
use crate::model::expression::NameUse;
use crate::model::{Expectation, Expression, Parse, Probe, Quantifier, Shape};
use crate::vocab::Period;

/// What must be seen, how the output is read, and for how long it may take to become so.
pub(super) fn demand(
    inside: &Inside<'_>,
    probe: &Probe,
    expectation: &Expectation,
    within: Option<Period>,
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
        && (by_rows || uses(expression, "value"))
    {
        out.push(Inline::text(" "));
        out.extend(reading(parse));
    }
    for (name, meaning) in NAMES {
        if uses(expression, name) {
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
    let mut out = vec![Inline::code(expression.source().trim())];
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
    let mut out = match &parse.shape {
        Shape::Json => vec![Inline::text("The output is JSON.")],
        Shape::JsonLines => vec![Inline::text("Each line is a row, as JSON.")],
        Shape::Rows(pattern) => {
            let mut out = vec![Inline::text("A row is a line that fits ")];
            out.push(Inline::code(pattern.0.as_str()));
            out.push(Inline::text("."));
            return named(out, parse);
        }
        Shape::Table { separator, header, .. } => {
            let header = if *header { " below the heading" } else { "" };
            let cut = separator.as_ref().map(|by| format!(", cut at {by:?}")).unwrap_or_default();
            vec![Inline::text(format!("Each line{header} is a row{cut}."))]
        }
        Shape::Pairs { .. } => vec![Inline::text("Each line is a name and its value.")],
    };
    if let Some(columns) = parse.known_columns() {
        out.push(Inline::text(" Its columns are "));
        listed(&mut out, &columns);
        out.push(Inline::text("."));
    }
    named(out, parse)
}

fn named(mut out: Vec<Inline>, parse: &Parse) -> Vec<Inline> {
    if let Some(like) = &parse.like {
        out.extend([
            Inline::text(" A line with "),
            Inline::code(like.0.as_str()),
            Inline::text(" that cannot be read so counts as unknown, and unknown is never well."),
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
