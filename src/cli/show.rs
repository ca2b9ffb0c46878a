//! `runbook show`

use std::fmt::Write as _;

use super::app::{Format, Global};
use super::context::Context;
use super::error::CliError;
use super::run::load;
use super::{exit, view};
use crate::model::{
    Acknowledgement, Action, Check, HostPattern, LookSpec, Probe, ProgramSpec, Quantifier, Recheck, Runbook, Step,
    StepKind, WarningWhen,
};
use crate::report::{Role, Styles};
use crate::vocab::neutral::one_line;

/// Show a runbook as a procedure to read
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  runbook show restart-jobs")]
pub(super) struct Args {
    /// The runbook's name
    name: String,
}

pub(super) fn show(global: &Global, args: &Args) -> Result<u8, CliError> {
    let context = Context::open(global)?;
    let runbook = load(&context, &args.name)?;
    let data = view::data();
    if global.format == Format::Json {
        data.json(&*runbook);
        return Ok(exit::OK);
    }
    let page = Page { styles: view::stdout_styles(global), facts: facts(&context, &runbook) };
    data.sink().write(&page.page(&runbook));
    Ok(exit::OK)
}

/// What stands beneath the title: where it belongs and runs, what it was before.
fn facts(context: &Context, runbook: &Runbook) -> Vec<(&'static str, String)> {
    // a pattern that depends on a parameter stays as it is written
    let folded = |pattern: &HostPattern| {
        let selected = context.inventory.select(pattern.source());
        selected.map_or_else(|_| pattern.source().to_owned(), |hosts| crate::vocab::fold_hosts(hosts.iter()))
    };
    let mut facts = Vec::new();
    let mut fact = |name, value: Option<String>| facts.extend(value.map(|value| (name, value)));
    if let Some(name) = &runbook.system {
        let system = context.source.book().systems.iter().find(|system| system.name == *name);
        fact("System", Some(system.map_or(name, |system| &system.title).clone()));
        let runs_on = system.and_then(|system| system.hosts.as_ref()).map(&folded);
        let port = system.and_then(|system| system.port).map(|port| format!("port {port}"));
        fact(
            "Runs on",
            Some([runs_on, port].into_iter().flatten().collect::<Vec<_>>().join(", ")).filter(|on| !on.is_empty()),
        );
    }
    fact("Acts on", runbook.hosts.as_ref().map(&folded));
    fact("Formerly", runbook.formerly.clone());
    fact("Also called", Some(runbook.aliases.join(", ")).filter(|aliases| !aliases.is_empty()));
    facts
}

struct Page {
    styles: Styles,
    facts: Vec<(&'static str, String)>,
}

impl Page {
    fn head(&self, text: &str) -> String {
        self.styles.paint(Role::Heading, text)
    }

    fn command(&self, text: &str) -> String {
        self.styles.paint(Role::Command, text)
    }

    fn page(&self, runbook: &Runbook) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "{}", self.head(&runbook.title));
        paragraph(&mut out, &runbook.summary, "");
        for (name, value) in &self.facts {
            let _ = writeln!(out, "  {name}: {}", one_line(value));
        }
        let _ = writeln!(out, "  Type: {}", self.command(&usage(runbook)));
        if !runbook.params.is_empty() {
            let _ = writeln!(out, "\n{}", self.head("Parameters"));
        }
        for param in &runbook.params {
            let default =
                param.default.as_ref().map_or("required".to_owned(), |text| format!("default {}", one_line(text)));
            let _ = writeln!(out, "  {} ({}, {default}): {}", param.name, param.kind.word(), one_line(&param.help));
        }
        if !runbook.preconditions.is_empty() {
            let _ = writeln!(out, "\n{}", self.head("Before anything is changed"));
        }
        for precondition in &runbook.preconditions {
            let each = if precondition.recheck == Recheck::Batch { ", looked at again before each batch" } else { "" };
            let may = if precondition.overridable { "; may be overridden" } else { "" };
            let _ = writeln!(out, "  {}: {}", precondition.id, one_line(&precondition.check.says));
            let _ = writeln!(out, "    {}{each}{may}", self.demand(&precondition.check));
            if let Some(otherwise) = &precondition.otherwise {
                let _ = writeln!(out, "    If not: {}", one_line(otherwise));
            }
        }
        if !runbook.warnings.is_empty() {
            let _ = writeln!(out, "\n{}", self.head("Know this first"));
        }
        for warning in &runbook.warnings {
            let when = match &warning.when {
                WarningWhen::Always => String::new(),
                WarningWhen::If(expression) => format!(" (if {})", one_line(expression.source().trim())),
                WarningWhen::Probe(check) => format!(" (if {})", one_line(&check.says)),
            };
            let asks = match &warning.acknowledgement {
                Acknowledgement::None => String::new(),
                Acknowledgement::Confirm => " (to be confirmed)".to_owned(),
                Acknowledgement::Type(text) => format!(" (type `{}`)", one_line(text.source())),
            };
            let _ = writeln!(out, "  {} {}{when}{asks}", self.styles.paint(Role::Warning, "!"), warning.id);
            paragraph(&mut out, warning.says.source(), "    ");
        }
        let _ = writeln!(out, "\n{}", self.head("Steps"));
        self.steps(&mut out, &runbook.steps, "  ");
        if !runbook.checks.is_empty() {
            let _ = writeln!(out, "\n{}", self.head("At the end"));
        }
        for check in &runbook.checks {
            let _ = writeln!(out, "  {} {}", one_line(&check.says), self.demand(check));
        }
        out
    }

    fn steps(&self, out: &mut String, steps: &[Step], indent: &str) {
        for (index, step) in steps.iter().enumerate() {
            let _ = write!(out, "{indent}{}. {}", index + 1, one_line(&step.name));
            if let Some(hosts) = &step.hosts {
                let _ = write!(out, " (on {})", one_line(hosts.source()));
            }
            out.push('\n');
            let inner = format!("{indent}   ");
            if let Some(says) = &step.says {
                paragraph(out, says, &inner);
            }
            if let Some(condition) = &step.condition {
                let _ = writeln!(out, "{inner}only if {}", one_line(condition.source().trim()));
            }
            if let Some(check) = &step.skip_if {
                let _ = writeln!(out, "{inner}skipped if {}", one_line(&check.says));
            }
            self.doing(out, &step.kind, &inner);
            let rollout = &step.rollout;
            if rollout.declared {
                let part = |name: &str, text: Option<&str>| text.map(|text| format!("{name} {text}"));
                let parts = [
                    part(
                        "canary",
                        rollout
                            .canary_count
                            .as_ref()
                            .map(super::super::model::template::Template::source)
                            .or(rollout.canary.as_ref().map(super::super::model::pattern::HostPattern::source)),
                    ),
                    part("batches of", rollout.batch.as_ref().map(super::super::model::template::Template::source)),
                    part("pause", rollout.pause.as_ref().map(super::super::model::template::Template::source)),
                    part(
                        "failures allowed",
                        rollout.max_failures.as_ref().map(super::super::model::template::Template::source),
                    ),
                    part("healthy at least", rollout.min_healthy.as_ref().map(|f| f.count.source())),
                ];
                let _ =
                    writeln!(out, "{inner}{}", one_line(&parts.into_iter().flatten().collect::<Vec<_>>().join(", ")));
            }
            for check in &step.checks {
                let _ = writeln!(out, "{inner}then: {} {}", one_line(&check.says), self.demand(check));
            }
        }
    }

    fn doing(&self, out: &mut String, kind: &StepKind, indent: &str) {
        match kind {
            StepKind::Action(action) => match &**action {
                Action::Command(spec) => self.code(out, &program(&spec.program), indent),
                Action::Copy { file, dest, .. } => {
                    let _ = writeln!(out, "{indent}copy {} to {}", one_line(&file.name), one_line(dest.source()));
                }
                Action::Http(spec) => {
                    let _ = writeln!(out, "{indent}{} {}", one_line(&spec.method), one_line(spec.url.source()));
                }
                Action::Manual { says } => {
                    let _ = writeln!(out, "{indent}by hand:");
                    paragraph(out, says.source(), &format!("{indent}  "));
                }
                Action::Wait { length } => {
                    let _ = writeln!(out, "{indent}wait {}", one_line(length.source()));
                }
            },
            StepKind::Probe { probe, expectation, .. } => {
                self.code(out, &look(probe), indent);
                if let Some(expectation) = expectation {
                    let _ = writeln!(out, "{indent}must be: {}", one_line(expectation.expression.source().trim()));
                }
            }
            StepKind::Block(inner) => self.steps(out, inner, indent),
            StepKind::Runbook { name, with, .. } => {
                let with: Vec<String> =
                    with.iter().map(|(name, value)| format!(" {name}={}", one_line(value.source()))).collect();
                let _ = writeln!(out, "{indent}runbook {name}{}", with.concat());
            }
        }
    }

    fn code(&self, out: &mut String, text: &str, indent: &str) {
        for line in crate::vocab::neutral::neutralise(text.trim_end()).lines() {
            let _ = writeln!(out, "{indent}  {}", self.command(line));
        }
    }

    fn demand(&self, check: &Check) -> String {
        let word = match check.expectation.quantifier {
            Quantifier::Expect => "",
            Quantifier::Every => "every row: ",
            Quantifier::None => "no row: ",
        };
        let within = check.within.map(|within| format!(", within {within}")).unwrap_or_default();
        let name = self.command(&check.probe.name);
        format!("({name}: {word}{}{within})", one_line(check.expectation.expression.source().trim()))
    }
}

fn usage(runbook: &Runbook) -> String {
    let mut words = format!("runbook run {}", runbook.name);
    let mut positional: Vec<_> = runbook.params.iter().filter(|param| param.position.is_some()).collect();
    positional.sort_by_key(|param| param.position);
    for param in positional {
        let _ = match param.default {
            Some(_) => write!(words, " [{}]", param.name.to_uppercase()),
            None => write!(words, " {}", param.name.to_uppercase()),
        };
    }
    for param in runbook.params.iter().filter(|param| param.position.is_none()) {
        let _ = match param.default {
            Some(_) => write!(words, " [{}=…]", param.name),
            None => write!(words, " {}=…", param.name),
        };
    }
    words
}

fn program(spec: &ProgramSpec) -> String {
    match spec {
        ProgramSpec::Shell(text) | ProgramSpec::Command(text) => text.source().to_owned(),
        ProgramSpec::Argv(words) => {
            words.iter().map(super::super::model::template::Template::source).collect::<Vec<_>>().join(" ")
        }
        ProgramSpec::Script { file, args } => {
            let args: Vec<String> = args.iter().map(|arg| format!(" {}", arg.source())).collect();
            format!("{}{}", file.name, args.concat())
        }
    }
}

fn look(probe: &Probe) -> String {
    match &probe.look {
        LookSpec::Run(spec) => program(&spec.program),
        LookSpec::Tcp(spec) => {
            format!("tcp {}:{}", spec.to.as_ref().map_or("(the host)", |to| to.source()), spec.port.source())
        }
        LookSpec::Http(spec) => format!("{} {}", spec.method, spec.url.source()),
    }
}

fn paragraph(out: &mut String, text: &str, indent: &str) {
    for line in crate::vocab::neutral::neutralise(text.trim()).lines() {
        let _ = writeln!(out, "{indent}{line}");
    }
}
