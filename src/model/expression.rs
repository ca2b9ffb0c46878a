//! Expressions: minijinja's, made to fail closed.
//!
//! minijinja alone is lenient where an operator must not be surprised: `selectattr("misspelt")` finds nothing without
//! a word, `'9' < '1000'` compares text, `'5' > 1000` is quietly false. So an [`Expression`] knows from its syntax tree
//! every name it uses and every comparison it makes; unknown names are recorded while it runs and fail it, and `guard`
//! looks at the two sides of each comparison. Apart from `template` because conditions and expectations
//! are expressions with no text around them.

use std::fmt;
use std::sync::{Arc, LazyLock};

use minijinja::machinery::ast::{self, BinOpKind, CallArg, CompareOpKind, Expr};
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, Value};
use serde::{Serialize, Serializer};

use super::scope::{Scope, SecretObject};
use crate::vocab::{Location, Period};

/// An expression that parsed, with every filter, test and function it uses known to exist.
#[derive(Clone)]
pub struct Expression {
    inner: Arc<Inner>,
    location: Location,
}

struct Inner {
    source: String,
    compiled: minijinja::Expression<'static, 'static>,
    names: Vec<NameUse>,
    columns: Vec<NameUse>,
    comparisons: Vec<Comparison>,
    tolerated: Vec<String>,
    patterns: Vec<(String, usize)>,
}

/// A name that an expression uses: `host.vars.port` is `["host", "vars", "port"]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameUse {
    /// Its parts.
    pub path: Vec<String>,
    /// Where it stands in the expression, in bytes.
    pub offset: usize,
}

/// A comparison that an expression makes.
pub struct Comparison {
    /// What is known of the left side.
    pub left: Operand,
    /// What is known of the right side.
    pub right: Operand,
    /// Where it stands in the expression, in bytes.
    pub offset: usize,
}

/// What is known of one side of a comparison before it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A name.
    Name(Vec<String>),
    /// A text.
    Text,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// Anything else.
    Other,
}

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpressionFault {
    /// What is wrong.
    pub message: String,
    /// Where in the text, in bytes.
    pub offset: usize,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
}

/// Why an expression has no usable result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// A name has no value.
    #[error("{location}: `{name}` is not defined")]
    Undefined {
        /// The expression's place.
        location: Location,
        /// The name.
        name: String,
    },
    /// The result is not of the kind that is needed here.
    #[error("{location}: `{source_text}` gives {got}, where {needed} is needed")]
    WrongKind {
        /// The expression's place.
        location: Location,
        /// The expression.
        source_text: String,
        /// What it gives.
        got: String,
        /// What is needed.
        needed: &'static str,
    },
    /// It failed while running.
    #[error("{location}: `{source_text}`: {message}")]
    Failed {
        /// The expression's place.
        location: Location,
        /// The expression.
        source_text: String,
        /// What minijinja says.
        message: String,
    },
    /// A secret stands where secrets are not allowed.
    #[error(
        "{location}: the secret `{name}` may only be used in `env:`, `stdin:`, HTTP headers and bodies, and there as it is"
    )]
    Secret {
        /// The expression's place.
        location: Location,
        /// The parameter.
        name: String,
    },
}

/// Filters, tests and functions that expressions may use. Built once; nothing in it reaches outside.
static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    // a loop over a captured megabyte ends; a fault of the author's does not hang a run
    env.set_fuel(Some(5_000_000));
    super::guard::install(&mut env);
    env.add_filter("raw", |value: &Value| Value::from_safe_string(value.to_string()));
    env.add_filter("seconds", seconds);
    env.add_test("matching", |text: &str, pattern: &str| -> Result<bool, Error> {
        regex::Regex::new(pattern)
            .map(|regex| regex.is_match(text))
            .map_err(|error| Error::new(ErrorKind::InvalidOperation, format!("bad regular expression: {error}")))
    });
    // a command's output ends with a newline, and is a number all the same
    env.add_filter(
        "int",
        |state: &State<'_, '_>, value: &Value, default: Option<Value>, base: Option<u32>, named: Kwargs| {
            minijinja::filters::int(state, &trimmed(value), default, base, named)
        },
    );
    env.add_filter("float", |state: &State<'_, '_>, value: &Value, default: Option<Value>, named: Kwargs| {
        minijinja::filters::float(state, &trimmed(value), default, named)
    });
    env.add_test("containing", |text: &str, part: &str| text.contains(part));
    env
});

/// The functions that expressions may call.
const FUNCTIONS: &[&str] = &["range", "dict"];

/// A text without the white space around it; any other value as it is.
fn trimmed(value: &Value) -> Value {
    value.as_str().map_or_else(|| value.clone(), |text| Value::from(text.trim()))
}

fn seconds(value: &Value) -> Result<Value, Error> {
    if matches!(value.kind(), ValueKind::Number) {
        return Ok(value.clone());
    }
    let text = value.as_str().unwrap_or_default();
    text.parse::<Period>()
        .map(|period| Value::from(period.get().as_secs_f64()))
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))
}

/// Names of all filters, for `did you mean`.
pub const FILTERS: &[&str] = &[
    "abs",
    "attr",
    "batch",
    "bool",
    "capitalize",
    "chain",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "first",
    "float",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "pprint",
    "raw",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "seconds",
    "select",
    "selectattr",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
    "zip",
];

/// Names of all tests, for `did you mean`.
pub const TESTS: &[&str] = &[
    "boolean",
    "containing",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "even",
    "false",
    "filter",
    "float",
    "ge",
    "gt",
    "in",
    "integer",
    "iterable",
    "le",
    "lower",
    "lt",
    "mapping",
    "matching",
    "ne",
    "none",
    "number",
    "odd",
    "sameas",
    "sequence",
    "startingwith",
    "string",
    "test",
    "true",
    "undefined",
    "upper",
    "equalto",
    "greaterthan",
    "lessthan",
];

impl Expression {
    /// Parses `source`, which stands at `location`.
    pub fn parse(source: &str, location: Location) -> Result<Self, ExpressionFault> {
        if source.trim().is_empty() {
            return Err(fault("the expression is empty", 0));
        }
        let tree = minijinja::machinery::parse_expr(source).map_err(|error| syntax_fault(&error, source))?;
        let mut walk = Walk::default();
        walk.visit(&tree, false);
        if let Some(fault) = walk.faults.into_iter().next() {
            return Err(fault);
        }
        let compiled = compile(source, &super::guard::guarded(&tree))?;
        Ok(Self {
            inner: Arc::new(Inner {
                source: source.to_owned(),
                compiled,
                names: walk.names,
                columns: walk.columns,
                comparisons: walk.comparisons,
                tolerated: walk.tolerated,
                patterns: walk.patterns,
            }),
            location,
        })
    }

    /// Its text.
    pub fn source(&self) -> &str {
        &self.inner.source
    }

    /// Where it stands.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Every name it uses.
    pub fn names(&self) -> &[NameUse] {
        &self.inner.names
    }

    /// Attribute names given as text to filters (`selectattr("state")`): columns, where rows are filtered.
    pub fn columns(&self) -> &[NameUse] {
        &self.inner.columns
    }

    /// Every comparison it makes.
    pub fn comparisons(&self) -> &[Comparison] {
        &self.inner.comparisons
    }

    /// Regular expressions given as text (`is matching("…")`), with their offsets.
    pub fn patterns(&self) -> &[(String, usize)] {
        &self.inner.patterns
    }

    /// Names that may be missing: they stand under `| default(…)` or `is defined`.
    pub fn tolerates(&self, name: &str) -> bool {
        self.inner.tolerated.iter().any(|tolerated| tolerated == name)
    }

    /// Evaluates it in `scope`.
    pub fn value(&self, scope: &Scope) -> Result<Value, EvalError> {
        // a name that nothing has is an error also in a branch that is not taken
        let unknown = self.inner.names.iter().filter_map(|used| used.path.first());
        if let Some(name) = unknown.into_iter().find(|name| !scope.has(name) && !self.tolerates(name)) {
            return Err(EvalError::Undefined { location: self.location.clone(), name: name.clone() });
        }
        scope.take_misses();
        scope.take_printed();
        let result = self.inner.compiled.eval(scope.root());
        // functions are looked for among the names first
        let function = |name: &str| name == super::guard::COMPARE || FUNCTIONS.contains(&name);
        let missing = scope.take_misses().into_iter().find(|name| !self.tolerates(name) && !function(name));
        if let Some(name) = missing {
            return Err(EvalError::Undefined { location: self.location.clone(), name });
        }
        if let Some(name) = scope.take_printed().into_iter().next() {
            return Err(EvalError::Secret { location: self.location.clone(), name });
        }
        let value = result.map_err(|error| EvalError::Failed {
            location: self.location.clone(),
            source_text: self.inner.source.clone(),
            message: error_text(&error),
        })?;
        if value.is_undefined() {
            return Err(EvalError::Undefined {
                location: self.location.clone(),
                name: self.inner.source.trim().to_owned(),
            });
        }
        Ok(value)
    }

    /// Evaluates it to `true` or `false`; any other result is an error.
    pub fn truth(&self, scope: &Scope) -> Result<bool, EvalError> {
        let value = self.value(scope)?;
        match value.kind() {
            ValueKind::Bool => Ok(value.is_true()),
            _ => Err(EvalError::WrongKind {
                location: self.location.clone(),
                source_text: self.inner.source.clone(),
                got: describe(&value),
                needed: "true or false",
            }),
        }
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner.source, f)
    }
}

impl Serialize for Expression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.inner.source)
    }
}

/// Compiles `guarded`, which is `source` with its comparisons guarded.
fn compile(source: &str, guarded: &str) -> Result<minijinja::Expression<'static, 'static>, ExpressionFault> {
    ENVIRONMENT
        .compile_expression_owned(guarded.to_owned())
        .map_err(|error| fault(&error_text(&error), source.len() - source.trim_start().len()))
}

fn syntax_fault(error: &Error, source: &str) -> ExpressionFault {
    let offset = error.range().map_or(0, |range| range.start.min(source.len()));
    let mut found = fault(&error_text(error), offset);
    if source.trim_start().starts_with('!') {
        found.hint = Some("write `not …`".to_owned());
    } else if source.contains("&&") || source.contains("||") {
        found.hint = Some("write `and`, `or`".to_owned());
    } else if source.contains('=')
        && !source.contains("==")
        && !source.contains("!=")
        && !source.contains(">=")
        && !source.contains("<=")
    {
        found.hint = Some("write `==` to compare".to_owned());
    }
    found
}

fn fault(message: &str, offset: usize) -> ExpressionFault {
    ExpressionFault { message: message.to_owned(), offset, hint: None }
}

/// What minijinja says, without the position of a template that the reader has never seen.
fn error_text(error: &Error) -> String {
    match error.detail() {
        Some(detail) => detail.to_owned(),
        None => error.kind().to_string(),
    }
}

/// A value and its kind, for people: ``text `5` ``.
pub(super) fn describe(value: &Value) -> String {
    let kind = match value.kind() {
        ValueKind::Number => "the number",
        ValueKind::String => "the text",
        ValueKind::Bool => "the boolean",
        ValueKind::None => return "nothing (null)".to_owned(),
        ValueKind::Undefined => return "an undefined value".to_owned(),
        ValueKind::Seq | ValueKind::Iterable => "a list",
        ValueKind::Map => "a map",
        _ => "a value",
    };
    let mut text = value.to_string();
    if text.chars().count() > 60 {
        text = text.chars().take(60).chain(['…']).collect();
    }
    format!("{kind} `{}`", crate::vocab::neutral::one_line(&text))
}

/// One walk over the syntax tree, collecting what is to be known of it.
#[derive(Default)]
struct Walk {
    names: Vec<NameUse>,
    columns: Vec<NameUse>,
    comparisons: Vec<Comparison>,
    tolerated: Vec<String>,
    patterns: Vec<(String, usize)>,
    faults: Vec<ExpressionFault>,
}

impl Walk {
    fn visit(&mut self, expr: &Expr<'_>, tolerated: bool) {
        if let Some(path) = path_of(expr) {
            if tolerated {
                self.tolerated.push(path.join("."));
            }
            self.names.push(NameUse { path, offset: expr.span().start_offset as usize });
            return;
        }
        match expr {
            Expr::Var(_) | Expr::Const(_) => {}
            Expr::Slice(node) => {
                self.visit(&node.expr, tolerated);
                for part in [&node.start, &node.stop, &node.step].into_iter().flatten() {
                    self.visit(part, false);
                }
            }
            Expr::UnaryOp(node) => self.visit(&node.expr, tolerated),
            Expr::BinOp(node) => {
                self.visit(&node.left, tolerated);
                self.visit(&node.right, tolerated);
                // a single comparison is a binary operator; only a chain is a node of its own
                let compares = matches!(
                    node.op,
                    BinOpKind::Eq | BinOpKind::Ne | BinOpKind::Lt | BinOpKind::Lte | BinOpKind::Gt | BinOpKind::Gte
                );
                if compares {
                    self.comparison(&node.left, &node.right);
                }
            }
            Expr::Compare(node) => self.compare(node),
            Expr::IfExpr(node) => {
                self.visit(&node.test_expr, tolerated);
                self.visit(&node.true_expr, tolerated);
                if let Some(other) = &node.false_expr {
                    self.visit(other, tolerated);
                }
            }
            Expr::Filter(node) => self.filter(node, expr.span().start_offset as usize, tolerated),
            Expr::Test(node) => {
                let offset = expr.span().start_offset as usize;
                if !TESTS.contains(&node.name) {
                    self.unknown("test", node.name, offset, TESTS);
                }
                if node.name == "matching"
                    && let Some(pattern) = text_arg(&node.args)
                {
                    self.patterns.push((pattern, offset));
                }
                self.visit(&node.expr, matches!(node.name, "defined" | "undefined"));
                self.args(&node.args);
            }
            Expr::GetAttr(node) => self.visit(&node.expr, tolerated),
            Expr::GetItem(node) => {
                self.visit(&node.expr, tolerated);
                self.visit(&node.subscript_expr, false);
            }
            Expr::Call(node) => {
                match &node.expr {
                    Expr::Var(var) if FUNCTIONS.contains(&var.id) => {}
                    Expr::Var(var) => self.unknown("function", var.id, node.span().start_offset as usize, FUNCTIONS),
                    other => self.visit(other, false),
                }
                self.args(&node.args);
            }
            Expr::List(node) => node.items.iter().for_each(|item| self.visit(item, false)),
            Expr::Tuple(node) => node.items.iter().for_each(|item| self.visit(item, false)),
            Expr::Map(node) => node.keys.iter().chain(&node.values).for_each(|item| self.visit(item, false)),
        }
    }

    fn compare(&mut self, node: &ast::Spanned<ast::Compare<'_>>) {
        let mut left = &node.expr;
        self.visit(left, false);
        for op in &node.ops {
            self.visit(&op.expr, false);
            let membership = matches!(op.op, CompareOpKind::In | CompareOpKind::NotIn);
            if !membership {
                self.comparison(left, &op.expr);
            }
            left = &op.expr;
        }
    }

    fn comparison(&mut self, left: &Expr<'_>, right: &Expr<'_>) {
        let offset = left.span().start_offset as usize;
        self.comparisons.push(Comparison { left: operand(left), right: operand(right), offset });
    }

    fn filter(&mut self, node: &ast::Spanned<ast::Filter<'_>>, offset: usize, tolerated: bool) {
        if !FILTERS.contains(&node.name) {
            self.unknown("filter", node.name, offset, FILTERS);
        }
        if matches!(node.name, "selectattr" | "rejectattr")
            && let Some(column) = text_arg(&node.args)
        {
            self.columns.push(NameUse { path: vec![column], offset });
        }
        if matches!(node.name, "map" | "sum" | "sort" | "unique" | "groupby" | "min" | "max") {
            for arg in &node.args {
                if let CallArg::Kwarg("attribute", Expr::Const(value)) = arg
                    && let Some(column) = value.value.as_str()
                {
                    self.columns.push(NameUse { path: vec![column.to_owned()], offset });
                }
            }
        }
        if let Some(expr) = &node.expr {
            self.visit(expr, tolerated || matches!(node.name, "default" | "d"));
        }
        self.args(&node.args);
    }

    fn args(&mut self, args: &[CallArg<'_>]) {
        for arg in args {
            match arg {
                CallArg::Pos(expr) | CallArg::Kwarg(_, expr) | CallArg::PosSplat(expr) | CallArg::KwargSplat(expr) => {
                    self.visit(expr, false);
                }
            }
        }
    }

    fn unknown(&mut self, what: &str, name: &str, offset: usize, known: &[&str]) {
        let mut found = fault(&format!("there is no {what} `{name}`"), offset);
        found.hint = super::scope::nearest(name, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        self.faults.push(found);
    }
}

fn text_arg(args: &[CallArg<'_>]) -> Option<String> {
    match args.first() {
        Some(CallArg::Pos(Expr::Const(value))) => value.value.as_str().map(str::to_owned),
        _ => None,
    }
}

/// `a.b["c"]` as its parts; none when it is not a plain path.
fn path_of(expr: &Expr<'_>) -> Option<Vec<String>> {
    match expr {
        Expr::Var(var) => Some(vec![var.id.to_owned()]),
        Expr::GetAttr(node) => {
            let mut path = path_of(&node.expr)?;
            path.push(node.name.to_owned());
            Some(path)
        }
        Expr::GetItem(node) => match &node.subscript_expr {
            Expr::Const(key) => {
                let mut path = path_of(&node.expr)?;
                path.push(key.value.as_str()?.to_owned());
                Some(path)
            }
            _ => None,
        },
        _ => None,
    }
}

fn operand(expr: &Expr<'_>) -> Operand {
    match expr {
        Expr::Const(node) => match node.value.kind() {
            ValueKind::String => Operand::Text,
            ValueKind::Number => Operand::Number,
            ValueKind::Bool => Operand::Boolean,
            _ => Operand::Other,
        },
        Expr::UnaryOp(node) if matches!(node.expr, Expr::Const(_)) => operand(&node.expr),
        Expr::Filter(node) if matches!(node.name, "length" | "count" | "int" | "float" | "seconds" | "sum") => {
            Operand::Number
        }
        Expr::Filter(node) if matches!(node.name, "trim" | "lower" | "upper" | "join" | "string" | "replace") => {
            Operand::Text
        }
        other => path_of(other).map_or(Operand::Other, Operand::Name),
    }
}

/// The secret that a value is, if it is one.
pub(super) fn as_secret(value: &Value) -> Option<Arc<SecretObject>> {
    value.downcast_object::<SecretObject>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What minijinja says of an expression's names when it is evaluated.
    fn unknown(source: &str) -> bool {
        let compiled = ENVIRONMENT.compile_expression(source).map_err(|error| error.kind());
        let kind = compiled.and_then(|expression| expression.eval(()).map_err(|error| error.kind())).err();
        matches!(kind, Some(ErrorKind::UnknownFilter | ErrorKind::UnknownTest))
    }

    #[test]
    fn every_listed_filter_and_test_exists() {
        let filters: Vec<&&str> = FILTERS.iter().filter(|name| unknown(&format!("1 | {name}"))).collect();
        let tests: Vec<&&str> = TESTS.iter().filter(|name| unknown(&format!("1 is {name}"))).collect();
        assert!(filters.is_empty() && tests.is_empty(), "filters {filters:?}, tests {tests:?}");
        assert!(unknown("1 | nonsense") && unknown("1 is nonsense"));
    }
}
