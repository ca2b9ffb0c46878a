//! The page of one runbook.

use std::collections::BTreeSet;

use super::document::{Block, Document, Inline, To};
use super::edition::Edition;
use super::inside::{Inside, placeholder, plain_placeholder};
use super::notes::{self, runs_on};
use super::procedure::{Procedure, where_words};
use crate::model::{
    Acknowledgement, HostPattern, Param, ParamType, Runbook, Step, StepKind, System, Warning, WarningWhen,
};
use crate::vocab::HostName;

/// The page of `runbook`, without its last run.
pub(super) fn outline(edition: &Edition<'_>, runbook: &Runbook) -> Document {
    let inside = Inside::top(edition, runbook);
    let procedure = Procedure::new(&runbook.name);
    let mut blocks = Vec::new();
    warnings(&inside, &runbook.name, &mut blocks);
    about(&inside, &mut blocks);
    tool(&inside, &mut blocks);
    by_hand(&inside, &procedure, &mut blocks);
    failing(runbook, &mut blocks);
    related(edition, runbook, &mut blocks);
    Document {
        page: edition.page(runbook),
        above: Some((edition.home(), edition.book_name())),
        title: edition.title(runbook),
        lead: edition.blocks(&runbook.summary, &runbook.name),
        last_run: None,
        blocks,
        category: edition.category(),
    }
}

fn heading(level: u8, text: &str) -> Block {
    Block::Heading(level, vec![Inline::text(text)])
}

fn paragraph(text: &str) -> Block {
    Block::Paragraph(vec![Inline::text(text)])
}

/// What a person must know first: the runbook's warnings, its steps' and those of what it includes.
pub(super) fn warnings(inside: &Inside<'_>, on: &str, out: &mut Vec<Block>) {
    fn of_steps<'a>(steps: &'a [Step], found: &mut Vec<&'a Warning>) {
        for step in steps {
            found.extend(&step.warnings);
            if let StepKind::Block(inner) = &step.kind {
                of_steps(inner, found);
            }
        }
    }
    let mut found: Vec<&Warning> = inside.runbook.warnings.iter().collect();
    of_steps(&inside.runbook.steps, &mut found);
    for warning in found {
        let text = inside.text(&warning.says);
        let (label, text) = label_of(&text);
        out.push(Block::Notice { label: label.to_owned(), body: warning_words(inside, warning, text, on) });
    }
    for step in &inside.runbook.steps {
        if let StepKind::Runbook { runbook, with, .. } = &step.kind {
            warnings(&inside.included(runbook, with), on, out);
        }
    }
}

/// What stands above a warning: its author's own words, where it begins with such, and the rest of it.
fn label_of(text: &str) -> (&str, &str) {
    let labels = ["KEEP IN MIND", "CAVEAT LECTOR"];
    let own = |label: &&'static str| Some((*label, text.trim_start().strip_prefix(label)?.strip_prefix(':')?));
    labels.iter().find_map(own).unwrap_or((labels[0], text))
}

fn warning_words(inside: &Inside<'_>, warning: &Warning, text: &str, on: &str) -> Vec<Block> {
    let mut body = inside.edition.blocks(text.trim_start(), on);
    let mut more = Vec::new();
    match &warning.when {
        WarningWhen::Always => {}
        WarningWhen::If(expression) => {
            more.push(Inline::text("This holds if "));
            more.extend(super::demand::condition(inside, expression));
            more.push(Inline::text(" "));
        }
        WarningWhen::Probe(check) => {
            more.push(Inline::text("This holds if: "));
            more.extend(inside.edition.line(&check.says, on));
            more.push(Inline::text(" "));
        }
    }
    match &warning.acknowledgement {
        Acknowledgement::None => {}
        Acknowledgement::Confirm => more.push(Inline::text("Be sure before you go on.")),
        Acknowledgement::Type(text) => {
            more.push(Inline::text("Be sure before you go on: the tool wants "));
            more.push(Inline::code(inside.text(text)));
            more.push(Inline::text(" typed."));
        }
    }
    if !more.is_empty() {
        body.push(Block::Paragraph(more));
    }
    body
}

/// What the system is, and the facts.
fn about(inside: &Inside<'_>, out: &mut Vec<Block>) {
    let (edition, runbook) = (inside.edition, inside.runbook);
    let system = runbook.system.as_deref().and_then(|name| edition.system(name));
    let mut facts: Vec<(String, Vec<Inline>)> = Vec::new();
    let mut fact = |name: &str, value: Vec<Inline>| facts.push((name.to_owned(), value));
    if let Some(system) = system {
        out.push(heading(1, "What it is"));
        out.extend(edition.blocks(&system.prose, &runbook.name));
        let to = To::Page(edition.home(), Some(system.title.clone()));
        fact("System", vec![Inline::Link(to, vec![Inline::text(system.title.clone())])]);
        if let Some(hosts) = runs_on(edition, system) {
            fact("Runs on", vec![Inline::text(hosts)]);
        }
        if let Some(port) = system.port {
            fact("Port", vec![Inline::text(port.to_string())]);
        }
    }
    if let Some(hosts) = acts_on(inside, system) {
        fact("Acts on", vec![Inline::text(hosts)]);
    }
    if let Some(formerly) = &runbook.formerly {
        fact("Formerly", formerly_words(formerly));
    }
    if !runbook.aliases.is_empty() {
        fact("Also called", vec![Inline::text(runbook.aliases.join(", "))]);
    }
    if !facts.is_empty() {
        out.push(Block::Facts(facts));
    }
}

/// The hosts that a runbook's steps go to, where they are not those of its system.
fn acts_on(inside: &Inside<'_>, system: Option<&System>) -> Option<String> {
    let pattern: &HostPattern = inside.runbook.hosts.as_ref()?;
    let words = where_words(inside, pattern);
    let known = system.and_then(|system| runs_on(inside.edition, system));
    (known.as_ref() != Some(&words)).then_some(words)
}

/// `bin/restart-jobs, as root on dfw-admin01`: the command itself in code.
pub(super) fn formerly_words(formerly: &str) -> Vec<Inline> {
    match formerly.split_once(", as ") {
        Some((command, whom)) if !command.contains('`') => {
            vec![Inline::code(command.trim()), Inline::text(format!(", as {whom}"))]
        }
        Some(_) | None => super::prose::inlines(formerly, &|_| None),
    }
}

/// The command line, and what it takes.
fn tool(inside: &Inside<'_>, out: &mut Vec<Block>) {
    let runbook = inside.runbook;
    out.push(heading(1, notes::kind(runbook).heading()));
    let (run, try_out) = (usage(runbook), format!("runbook run {}{} --dry-run", runbook.name, required(runbook)));
    out.push(admin(&run));
    if runbook.changes() {
        out.push(paragraph("To see what it would do, with every probe live and nothing changed:"));
        out.push(admin(&try_out));
    }
    if runbook.params.is_empty() {
        return;
    }
    let rows = runbook.params.iter().map(|param| {
        let default = match (&param.default, param.variable()) {
            (_, Some(variable)) => vec![Inline::text("from "), Inline::code(format!("${variable}"))],
            (Some(default), None) if default.is_empty() => vec![Inline::text("empty")],
            (Some(default), None) => vec![Inline::code(default.clone())],
            (None, None) => vec![Inline::text("must be given")],
        };
        let kind = match &param.kind {
            ParamType::Enum(values) => {
                let mut words = Vec::new();
                for (index, value) in values.iter().enumerate() {
                    words.extend((index > 0).then(|| Inline::text(" or ")));
                    words.push(Inline::code(value.clone()));
                }
                words
            }
            kind => vec![Inline::text(kind.word())],
        };
        vec![vec![Inline::code(param.name.clone())], kind, default, inside.edition.line(&param.help, &runbook.name)]
    });
    let head = ["Parameter", "Type", "Default", "What it is"].map(str::to_owned).to_vec();
    out.push(Block::Table { caption: Vec::new(), head, rows: rows.collect() });
    if let Some(secret) = runbook.params.iter().find(|param| param.kind == ParamType::Secret) {
        out.push(Block::Paragraph(vec![
            Inline::text("A secret is never typed on the command line: "),
            Inline::code(format!("{}=@FILE", secret.name)),
            Inline::text(", "),
            Inline::code(format!("{}=env:VARIABLE", secret.name)),
            Inline::text(", or at the prompt."),
        ]));
    }
}

/// A command of the tool's own.
pub(super) fn admin(command: &str) -> Block {
    let place = super::document::Place { hosts: vec![HostName::here()], user: None, in_book: false };
    Block::Code { place: Some(place), text: command.to_owned() }
}

/// The command line with its parameters.
pub(super) fn usage(runbook: &Runbook) -> String {
    let mut words = format!("runbook run {}", runbook.name);
    let optional = |param: &Param| param.default.is_some() || param.kind == ParamType::Secret;
    for param in positional(runbook) {
        let name = param.name.to_uppercase();
        words.push_str(&if optional(param) { format!(" [{name}]") } else { format!(" {name}") });
    }
    for param in runbook.params.iter().filter(|param| param.position.is_none()) {
        let name = &param.name;
        words.push_str(&if optional(param) { format!(" [{name}=…]") } else { format!(" {name}=…") });
    }
    words
}

fn positional(runbook: &Runbook) -> Vec<&Param> {
    let mut found: Vec<&Param> = runbook.params.iter().filter(|param| param.position.is_some()).collect();
    found.sort_by_key(|param| param.position);
    found
}

/// The parameters that must be given.
fn required(runbook: &Runbook) -> String {
    let must = |param: &&Param| param.default.is_none() && param.kind != ParamType::Secret;
    runbook.params.iter().filter(must).map(|param| format!(" {}=…", param.name)).collect()
}

fn by_hand<'a>(inside: &Inside<'a>, procedure: &Procedure<'a>, out: &mut Vec<Block>) {
    let runbook = inside.runbook;
    out.push(heading(1, "By hand"));
    let mut intro = vec![Inline::text(
        "If the tool is not there, this is the whole of it. Paste each command into bash where it says, in this order.",
    )];
    if runbook.changes() {
        intro.push(Inline::text(" A command that changes something is well when its exit status is 0 ("));
        intro.push(Inline::code("echo $?"));
        intro.push(Inline::text("). A look that leaves you in doubt counts as a no."));
    }
    out.push(Block::Paragraph(intro));
    let open: Vec<Vec<Block>> = runbook
        .params
        .iter()
        .filter(|param| param.default.is_none() && param.kind != ParamType::Secret)
        .map(|param| {
            let mut words = vec![
                Inline::code(placeholder(&param.name)),
                Inline::text(" or "),
                Inline::code(plain_placeholder(&param.name)),
                Inline::text(": "),
            ];
            words.extend(inside.edition.line(&param.help, &runbook.name));
            vec![Block::Paragraph(words)]
        })
        .collect();
    if !open.is_empty() {
        out.push(paragraph("Put in your own, wherever it stands:"));
        out.push(Block::List { ordered: false, items: open });
    }
    let mut before = Vec::new();
    procedure.preconditions(inside, &mut before);
    if !before.is_empty() {
        out.push(heading(2, "Before anything is changed"));
        out.extend(before);
    }
    procedure.steps(inside, "", 2, out);
    if !runbook.checks.is_empty() {
        out.push(heading(2, "At the end"));
        procedure.checks(inside, out);
    }
}

fn failing(runbook: &Runbook, out: &mut Vec<Block>) {
    if !runbook.changes() {
        return;
    }
    out.push(heading(1, "If something fails"));
    out.push(paragraph(
        "The tool stops, says what was done and what was not, and touches nothing else. Mend what it names, then go on from \
         there: what was done is not done again.",
    ));
    out.push(admin("runbook resume"));
    out.push(paragraph("What happened, with the output of every command:"));
    out.push(admin("runbook audit show latest"));
}

fn related(edition: &Edition<'_>, runbook: &Runbook, out: &mut Vec<Block>) {
    let parts = edition.parts(runbook);
    let named = named_in(edition, runbook);
    let mut items: Vec<Vec<Block>> = Vec::new();
    for other in edition.runbooks.iter().filter(|other| other.name != runbook.name) {
        let why = if parts.contains(&&*other.name) {
            "runs as part of this one"
        } else if edition.runs(other, &runbook.name) {
            "runs this one as a part"
        } else if other.system.is_some() && other.system == runbook.system {
            "of the same system"
        } else if named.contains(&*other.name) {
            "named here"
        } else {
            continue;
        };
        items.push(vec![Block::Paragraph(vec![edition.link(other), Inline::text(format!(" ({why})"))])]);
    }
    let system = runbook.system.as_deref().and_then(|name| edition.system(name));
    for (title, address) in system.iter().flat_map(|system| &system.links) {
        items.push(vec![Block::Paragraph(vec![notes::outside(title, address)])]);
    }
    if !items.is_empty() {
        out.push(heading(1, "See also"));
        out.push(Block::List { ordered: false, items });
    }
}

/// The runbooks that a runbook's text names: as whole words, outside of comments.
fn named_in<'a>(edition: &Edition<'a>, runbook: &Runbook) -> BTreeSet<&'a str> {
    let lines = runbook.text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let words = lines.flat_map(|line| line.split(|c: char| !(c.is_alphanumeric() || "-_/.".contains(c))));
    // a full stop ends a sentence
    words.filter_map(|word| edition.named(word.trim_end_matches('.'))).map(|other| other.name.as_str()).collect()
}
