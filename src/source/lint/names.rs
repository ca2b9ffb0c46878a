//! Names, comparisons, secrets: what is looked at in every expression.

use super::scope::{Kind, Seen};
use super::{Linter, Slot};
use crate::model::expression::Operand;
use crate::model::template::Piece;
use crate::model::{Expression, ParamType, Template};
use crate::source::diagnostic::Severity;

impl Linter<'_> {
    /// Looks at a template that stands in `slot`.
    pub(super) fn template(&mut self, template: &Template, slot: Slot, seen: &Seen) {
        for expression in template.expressions() {
            self.expression_in(expression, slot, seen);
        }
        for piece in template.pieces() {
            let Piece::Expression { expression, offset, raw, .. } = piece else { continue };
            if *raw && slot == Slot::Shell {
                let found = self.in_template(
                    Severity::Warning,
                    "raw",
                    template,
                    *offset,
                    "`| raw` puts the value into the command unquoted",
                );
                self.out.push(found.help("be sure that nobody but the inventory can choose this value"));
            }
            if slot == Slot::Command {
                self.unquoted(expression);
            }
        }
        if slot == Slot::Shell {
            self.shell(template);
        }
    }

    /// A template that may be missing.
    pub(super) fn maybe(&mut self, template: Option<&Template>, slot: Slot, seen: &Seen) {
        if let Some(template) = template {
            self.template(template, slot, seen);
        }
    }

    /// Looks at an expression that stands for itself.
    pub(super) fn expression(&mut self, expression: &Expression, seen: &Seen) {
        self.expression_in(expression, Slot::Text, seen);
    }

    fn expression_in(&mut self, expression: &Expression, slot: Slot, seen: &Seen) {
        let runbook = self.subject.runbook;
        for name in expression.names() {
            match seen.look_up(&name.path, self.subject) {
                Ok(_) => self.host_var(expression, name, seen),
                Err(fault) => {
                    let known: Vec<&str> = fault.near.1.iter().map(String::as_str).collect();
                    let mut found =
                        self.in_expression(Severity::Error, "undefined", expression, name.offset, fault.message);
                    if let Some(help) = fault.help {
                        found = found.help(help);
                    }
                    if !fault.near.0.is_empty() {
                        found = found.did_you_mean(&fault.near.0, &known);
                    }
                    self.out.push(found);
                }
            }
            if let [root, param, ..] = name.path.as_slice() {
                let secret = root == "params"
                    && runbook.params.iter().any(|known| known.name == *param && known.kind == ParamType::Secret);
                if secret && slot != Slot::Secret {
                    let message = format!("the secret `{param}` would be seen here");
                    let found = self.in_expression(Severity::Error, "secret", expression, name.offset, message);
                    self.out.push(found.help("secrets may be used in `env:`, `stdin:`, HTTP headers and bodies"));
                }
            }
        }
        self.columns(expression, seen);
        self.comparisons(expression, seen);
    }

    /// `selectattr("state")` over rows whose columns are known.
    fn columns(&mut self, expression: &Expression, seen: &Seen) {
        let Some(columns) = seen.observed.as_ref().and_then(|observed| observed.columns.as_ref()) else { return };
        // the rows of another value have columns of their own
        let only_rows = expression.names().iter().all(|name| {
            name.path[0] == "rows"
                || !matches!(name.path[0].as_str(), "value" | "steps" | "before" | "host" | "headers")
        });
        if !only_rows || !expression.names().iter().any(|name| name.path[0] == "rows") {
            return;
        }
        let known: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        for used in expression.columns() {
            let name = used.path[0].as_str();
            if !known.contains(&name) {
                let message = format!("the rows have no column `{name}`");
                let found = self.in_expression(Severity::Error, "unknown-column", expression, used.offset, message);
                self.out.push(found.help(format!("the columns are: {}", known.join(", "))).did_you_mean(name, &known));
            }
        }
    }

    fn comparisons(&mut self, expression: &Expression, seen: &Seen) {
        for comparison in expression.comparisons() {
            let (left, right) = (self.kind(&comparison.left, seen), self.kind(&comparison.right, seen));
            if left == right || left == Kind::Any || right == Kind::Any {
                continue;
            }
            let message = format!("{} is compared with {}", left.word(), right.word());
            let mut found = self.in_expression(Severity::Error, "mixed-types", expression, comparison.offset, message);
            let (text, other) = if left == Kind::Text { (&comparison.left, right) } else { (&comparison.right, left) };
            if other == Kind::Number {
                found = match text {
                    Operand::Name(path) if path[0] == "params" && path.len() == 2 => {
                        found.help(format!("give the parameter `{}` the type `integer`", path[1]))
                    }
                    Operand::Name(path) if Self::is_column(path, seen) => {
                        found.help(format!("say what the column is: `types: {{ {}: integer }}`", path[0]))
                    }
                    Operand::Name(path) => found.help(format!("write `{} | int`", path.join("."))),
                    Operand::Text => found.help("write the number without quotes"),
                    Operand::Number | Operand::Boolean | Operand::Other => found,
                };
            }
            self.out.push(found);
        }
    }

    fn is_column(path: &[String], seen: &Seen) -> bool {
        let columns = seen.observed.as_ref().and_then(|observed| observed.columns.as_ref());
        columns.is_some_and(|columns| columns.iter().any(|(name, _)| *name == path[0]))
    }

    fn kind(&self, operand: &Operand, seen: &Seen) -> Kind {
        match operand {
            Operand::Name(path) => seen.look_up(path, self.subject).unwrap_or(Kind::Any),
            Operand::Text => Kind::Text,
            Operand::Number => Kind::Number,
            Operand::Boolean => Kind::Boolean,
            Operand::Other => Kind::Any,
        }
    }

    /// A value that an operator or a host chose, in a command that is not quoted.
    fn unquoted(&mut self, expression: &Expression) {
        for name in expression.names() {
            let free = match name.path[0].as_str() {
                "params" => name.path.get(1).is_none_or(|param| {
                    self.subject
                        .runbook
                        .params
                        .iter()
                        .any(|known| known.name == *param && known.kind == ParamType::String)
                }),
                "steps" | "run" => true,
                _ => false,
            };
            if free {
                let message = format!("`{}` is not quoted in `command:`", name.path.join("."));
                let found = self.in_expression(Severity::Warning, "unquoted", expression, name.offset, message);
                self.out.push(found.help(
                    "`command:` is for whole commands of the inventory; use `run:` where others choose the words",
                ));
            }
        }
    }

    fn shell(&mut self, template: &Template) {
        use super::shell::{Shell, Spot};
        let mut shell = Shell::default();
        for piece in template.pieces() {
            match piece {
                Piece::Text(text) => shell.read(text),
                Piece::Expression { offset, raw, .. } => {
                    let spot = shell.spot();
                    shell.value();
                    let found = match spot {
                        _ if *raw => continue,
                        Spot::Open | Spot::Comment => continue,
                        Spot::Quoted(quote) => {
                            let message = format!("an interpolation inside the quotes `{quote}` would be quoted twice");
                            self.in_template(Severity::Error, "quoted-twice", template, *offset, message).help(
                                "every value is quoted where it stands: end the quotes before it, or take them out",
                            )
                        }
                        Spot::Unsure(what) => {
                            let message =
                                format!("an interpolation in {what} is quoted there too, and the quotes may show");
                            self.in_template(Severity::Warning, "quoted-twice", template, *offset, message)
                                .help("set a variable before (`x=${{ … }}`) and use that")
                        }
                    };
                    self.out.push(found);
                }
            }
        }
    }
}
