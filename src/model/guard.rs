//! Comparisons that refuse to guess.
//!
//! minijinja compares text with a number and quietly says no, which `not`, `none:` and `!=` turn into a yes. So an
//! expression is compiled from its syntax tree written out again, each comparison as a call of [`COMPARE`], and the
//! tests that compare (`selectattr("pid", "gt", 5)`) are replaced by ones that call the same [`compare`]. What is
//! guarded is what runs: no comparison can be missed for where it stands.

use std::fmt::Write as _;

use minijinja::machinery::ast::{BinOp, BinOpKind, CallArg, CompareOpKind, Expr, Filter, UnaryOpKind};
use minijinja::value::{Rest, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Value};

use super::expression::{as_secret, describe};

/// The name of the function that compares. Expressions cannot name it: it is none of theirs.
pub(super) const COMPARE: &str = "__compare";

/// Teaches `env` to compare.
pub(super) fn install(env: &mut Environment<'static>) {
    env.add_function(COMPARE, chain);
    let tests: [(&'static str, &[&'static str]); 7] = [
        ("==", &["eq", "equalto", "=="]),
        ("!=", &["ne", "!="]),
        ("<", &["lt", "lessthan", "<"]),
        ("<=", &["le", "<="]),
        (">", &["gt", "greaterthan", ">"]),
        (">=", &["ge", ">="]),
        ("in", &["in"]),
    ];
    for (op, names) in tests {
        for name in names {
            env.add_test(*name, move |left: &Value, right: &Value| compare(op, left, right));
        }
    }
}

/// `a < b <= c` as `(a, "<", b, "<=", c)`: every side is evaluated once, and every pair compared whatever the others give.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over")]
fn chain(parts: Rest<Value>) -> Result<bool, Error> {
    let mut holds = true;
    for part in parts.windows(3).step_by(2) {
        if let [left, op, right] = part {
            holds &= compare(op.as_str().unwrap_or_default(), left, right)?;
        }
    }
    Ok(holds)
}

fn compare(op: &str, left: &Value, right: &Value) -> Result<bool, Error> {
    let refused = |message: String| Err(Error::new(ErrorKind::InvalidOperation, message));
    for side in [left, right] {
        if let Some(secret) = as_secret(side) {
            return refused(format!("the secret `{}` is compared", secret.name));
        }
        if side.is_undefined() {
            return refused("an undefined value is compared".to_owned());
        }
    }
    let mixed = || refused(format!("{} is compared with {}", describe(left), describe(right)));
    let (a, b) = (class(left), class(right));
    match op {
        "in" | "not in" => {
            let found = match right.kind() {
                ValueKind::String | ValueKind::Map if left.kind() != ValueKind::String => return mixed(),
                ValueKind::String => right.as_str().unwrap_or_default().contains(left.as_str().unwrap_or_default()),
                ValueKind::Map => right.get_item(left).is_ok_and(|value| !value.is_undefined()),
                ValueKind::Seq | ValueKind::Iterable => {
                    let items: Vec<Value> = right.try_iter()?.collect();
                    // a list of other kinds alone can never hold it: somebody forgot a type
                    if a.is_some()
                        && !items.is_empty()
                        && items.iter().all(|item| class(item).is_some_and(|c| Some(c) != a))
                    {
                        return mixed();
                    }
                    items.contains(left)
                }
                _ => return refused(format!("`in` looks into a list, a text or a map, not into {}", describe(right))),
            };
            Ok(found == (op == "in"))
        }
        "==" | "!=" => {
            if a.is_some() && b.is_some() && a != b {
                return mixed();
            }
            Ok((left == right) == (op == "=="))
        }
        _ => {
            // an order of nulls, booleans or maps is nothing a person means
            if a != b || !matches!(a, Some(Class::Number | Class::Text | Class::List)) {
                return mixed();
            }
            Ok(match op {
                "<" => left < right,
                "<=" => left <= right,
                ">" => left > right,
                _ => left >= right,
            })
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Number,
    Text,
    Boolean,
    List,
    Map,
}

/// What a value may be compared with; null, which is equal to nothing else, may be held against anything.
fn class(value: &Value) -> Option<Class> {
    match value.kind() {
        ValueKind::Number => Some(Class::Number),
        ValueKind::String => Some(Class::Text),
        ValueKind::Bool => Some(Class::Boolean),
        ValueKind::Seq | ValueKind::Iterable => Some(Class::List),
        ValueKind::Map => Some(Class::Map),
        _ => None,
    }
}

/// `expr` as a source text of its own, every comparison a call of [`COMPARE`].
pub(super) fn guarded(expr: &Expr<'_>) -> String {
    let mut out = String::new();
    write(&mut out, expr);
    out
}

fn write(out: &mut String, expr: &Expr<'_>) {
    match expr {
        Expr::Var(node) => out.push_str(node.id),
        Expr::Const(node) => constant(out, &node.value),
        Expr::Slice(node) => {
            write(out, &node.expr);
            out.push('[');
            for (index, part) in [&node.start, &node.stop, &node.step].into_iter().enumerate() {
                if index > 0 {
                    out.push(':');
                }
                if let Some(part) = part {
                    write(out, part);
                }
            }
            out.push(']');
        }
        Expr::UnaryOp(node) => {
            out.push_str(match node.op {
                UnaryOpKind::Not => "(not ",
                UnaryOpKind::Neg => "(-",
            });
            write(out, &node.expr);
            out.push(')');
        }
        Expr::BinOp(node) => {
            if let Some(op) = comparison(node.op) {
                call(out, &node.left, std::iter::once((op, &node.right)));
            } else {
                out.push('(');
                binary(out, node);
                out.push(')');
            }
        }
        Expr::Compare(node) => {
            let sides = node.ops.iter().map(|next| {
                let op = match next.op {
                    CompareOpKind::Eq => "==",
                    CompareOpKind::Ne => "!=",
                    CompareOpKind::Lt => "<",
                    CompareOpKind::Lte => "<=",
                    CompareOpKind::Gt => ">",
                    CompareOpKind::Gte => ">=",
                    CompareOpKind::In => "in",
                    CompareOpKind::NotIn => "not in",
                };
                (op, &next.expr)
            });
            call(out, &node.expr, sides);
        }
        Expr::IfExpr(node) => {
            out.push('(');
            write(out, &node.true_expr);
            out.push_str(" if ");
            write(out, &node.test_expr);
            if let Some(other) = &node.false_expr {
                out.push_str(" else ");
                write(out, other);
            }
            out.push(')');
        }
        Expr::Filter(node) => {
            out.push('(');
            filter(out, node);
            out.push(')');
        }
        Expr::Test(node) => {
            out.push('(');
            write(out, &node.expr);
            let _ = write!(out, " is {}", node.name);
            if !node.args.is_empty() {
                args(out, &node.args);
            }
            out.push(')');
        }
        Expr::GetAttr(node) => {
            write(out, &node.expr);
            let _ = write!(out, ".{}", node.name);
        }
        Expr::GetItem(node) => {
            write(out, &node.expr);
            out.push('[');
            write(out, &node.subscript_expr);
            out.push(']');
        }
        Expr::Call(node) => {
            write(out, &node.expr);
            args(out, &node.args);
        }
        Expr::List(node) => {
            out.push('[');
            list(out, &node.items);
            out.push(']');
        }
        Expr::Tuple(node) => {
            out.push('(');
            list(out, &node.items);
            // `(a)` would be `a`
            out.push_str(if node.items.len() == 1 { ",)" } else { ")" });
        }
        Expr::Map(node) => {
            out.push('{');
            for (index, (key, value)) in node.keys.iter().zip(&node.values).enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write(out, key);
                out.push_str(": ");
                write(out, value);
            }
            out.push('}');
        }
    }
}

fn call<'a>(out: &mut String, left: &Expr<'_>, sides: impl Iterator<Item = (&'static str, &'a Expr<'a>)>) {
    let _ = write!(out, "{COMPARE}(");
    write(out, left);
    for (op, right) in sides {
        let _ = write!(out, ", \"{op}\", ");
        write(out, right);
    }
    out.push(')');
}

/// `a and b and c` without parentheses inside: the parser bounds how deep they go, and the author wrote none.
fn binary(out: &mut String, node: &BinOp<'_>) {
    match &node.left {
        // `**` is not read from the left
        Expr::BinOp(left) if left_to_right(left.op) && operator(left.op) == operator(node.op) => binary(out, left),
        left => write(out, left),
    }
    let _ = write!(out, " {} ", operator(node.op));
    write(out, &node.right);
}

/// `x|a|b`, for the same reason.
fn filter(out: &mut String, node: &Filter<'_>) {
    match &node.expr {
        Some(Expr::Filter(inner)) => filter(out, inner),
        Some(inner) => write(out, inner),
        None => {}
    }
    let _ = write!(out, "|{}", node.name);
    args(out, &node.args);
}

fn args(out: &mut String, args: &[CallArg<'_>]) {
    out.push('(');
    for (index, arg) in args.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        let expr = match arg {
            CallArg::Pos(expr) => expr,
            CallArg::Kwarg(name, expr) => {
                let _ = write!(out, "{name}=");
                expr
            }
            CallArg::PosSplat(expr) => {
                out.push('*');
                expr
            }
            CallArg::KwargSplat(expr) => {
                out.push_str("**");
                expr
            }
        };
        write(out, expr);
    }
    out.push(')');
}

fn list(out: &mut String, items: &[Expr<'_>]) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        write(out, item);
    }
}

fn constant(out: &mut String, value: &Value) {
    match value.kind() {
        // JSON's escapes are among minijinja's
        ValueKind::String => out.push_str(&serde_json::Value::from(value.as_str().unwrap_or_default()).to_string()),
        ValueKind::Number => {
            let _ = write!(out, "{value}");
        }
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        _ => out.push_str("none"),
    }
}

fn comparison(op: BinOpKind) -> Option<&'static str> {
    Some(match op {
        BinOpKind::Eq => "==",
        BinOpKind::Ne => "!=",
        BinOpKind::Lt => "<",
        BinOpKind::Lte => "<=",
        BinOpKind::Gt => ">",
        BinOpKind::Gte => ">=",
        BinOpKind::In => "in",
        _ => return None,
    })
}

fn left_to_right(op: BinOpKind) -> bool {
    comparison(op).is_none() && !matches!(op, BinOpKind::Pow)
}

fn operator(op: BinOpKind) -> &'static str {
    match op {
        BinOpKind::ScOr => "or",
        BinOpKind::Add => "+",
        BinOpKind::Sub => "-",
        BinOpKind::Mul => "*",
        BinOpKind::Div => "/",
        BinOpKind::FloorDiv => "//",
        BinOpKind::Rem => "%",
        BinOpKind::Pow => "**",
        BinOpKind::Concat => "~",
        // the comparisons are calls
        _ => "and",
    }
}
