//! `runbook test`

use std::sync::Arc;

use super::app::{Format, Global};
use super::context::{self, Context};
use super::error::CliError;
use super::resume::{find, sound};
use super::{exit, outline, view};
use crate::engine::Rehearsal;
use crate::event::Output;
use crate::model::scenario::Suite;
use crate::model::scope::nearest;
use crate::model::{ParamType, Runbook};
use crate::plan::make::{Making, RunFacts};
use crate::plan::{Given, Plan, bind};
use crate::report::{Data, Role, Sink, Styles};
use crate::scenario::record::made_up;
use crate::scenario::{Difference, Outcome, Recording, Stage, SuitePlayed, play_all};
use crate::source::{Diagnostics, LoadError};
use crate::vocab::Secret;
use crate::vocab::neutral::neutralise;

/// Test runbooks without hosts: play their scenarios and compare
///
/// The scenarios of a runbook stand in `tests/NAME.yaml` of the book: what hosts would answer, and what must come of it.
/// The real plan and engine play them, in simulated time. What differs is told, with what the run said at that place.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  runbook test                                   all scenarios of the book
  runbook test restart-jobs                      those of a runbook
  runbook test 'restart-jobs/an import is in progress' -v
                                                 one, with what the run told
  runbook test --all                             fail where a runbook has none
  runbook test --record latest > runbooks/tests/restart-jobs.yaml
                                                 begin with what hosts said in a run")]
pub(super) struct Args {
    /// Runbooks, or single scenarios as NAME/SCENARIO; without any, all
    #[arg(value_name = "NAME[/SCENARIO]")]
    names: Vec<String>,
    /// A runbook without scenarios is a difference too
    #[arg(long)]
    all: bool,
    /// Print scenarios made of what a past run's journal says
    #[arg(long, value_name = "RUN", conflicts_with_all = ["names", "all"])]
    record: Option<String>,
}

/// A scenario file that can be played.
struct Ready {
    runbook: Arc<Runbook>,
    suite: Suite,
}

pub(super) fn test(global: &Global, args: &Args) -> Result<u8, CliError> {
    if let Some(run) = &args.record {
        return record(global, run);
    }
    let context = Context::open(global)?;
    let ready = read(&context, &args.names)?;
    let wanted = chosen(&context, &ready, &args.names)?;
    let shown = |plan: &Plan, seen: &Rehearsal| {
        outline::rehearsal(plan, seen, &Styles::plain(), &Data::pipe(Sink::captured().0))
    };
    let stages: Vec<Stage<'_>> =
        ready.iter().map(|ready| Stage { runbook: &ready.runbook, suite: &ready.suite, outline: &shown }).collect();
    let played = play_all(&stages, &|stage, scenario| {
        wanted
            .iter()
            .any(|(suite, name)| *suite == stage.suite.name && name.as_ref().is_none_or(|one| *one == scenario.name))
    });
    let without: Vec<&str> = context.source.names().iter().map(String::as_str).collect();
    let without: Vec<&str> = without
        .into_iter()
        .filter(|name| args.names.is_empty() && !ready.iter().any(|ready| ready.suite.runbook == *name))
        .collect();
    let told = Told { global, context: &context, ready: &ready, played: &played, without: &without, all: args.all };
    let text = if global.format == Format::Json { format!("{}\n", told.json()) } else { told.text() };
    view::data().sink().write(&text);
    Ok(if told.is_well() { exit::OK } else { exit::FAILED })
}

/// Prints scenarios of a past run.
fn record(global: &Global, run: &str) -> Result<u8, CliError> {
    let store = context::store_to_read(global)?
        .ok_or_else(|| CliError::usage("there are no runs").hint("`--state-dir DIR` says where they are kept"))?;
    let id = find(&store, run)?;
    let replay = store.read(&id)?;
    sound(&store, &replay, &id)?;
    let opened = replay.state.opened.clone();
    let context = Context::open(global)?;
    let runbook = context.source.runbook(&opened.runbook)?;
    let mut given = Given::default();
    for param in &runbook.params {
        if param.kind == ParamType::Secret {
            given.secrets.insert(param.name.clone(), Secret::new(made_up(&param.name)));
        } else if let Some(value) = opened.params.get(&param.name) {
            given.named.push((param.name.clone(), value.clone()));
        }
    }
    let params = bind::bind(&runbook.params, &given, &context.inventory)?;
    let run =
        RunFacts { operator: opened.operator.name.clone(), reason: opened.reason.clone(), emergency: opened.emergency };
    let making = Making { inventory: &context.inventory, params, limit: opened.limit.clone(), run };
    let plan = Plan::make(&runbook, making)?;
    let records: Vec<_> = replay.records.into_iter().map(|record| (record.at, record.event)).collect();
    let whole = |output: &Output| match &output.stored {
        Some(stored) => store
            .output(&id, &stored.digest)
            .map_or_else(|_| output.text.clone(), |bytes| String::from_utf8_lossy(&bytes).into_owned()),
        None => output.text.clone(),
    };
    let text = Recording { records: &records, plan: &plan, whole: &whole }
        .yaml()
        .map_err(|error| CliError::new(exit::FAILED, error))?;
    view::data().sink().write(&text);
    Ok(exit::OK)
}

/// The scenario files of the runbooks named, or all: every fault of every one at once.
fn read(context: &Context, names: &[String]) -> Result<Vec<Ready>, CliError> {
    let source = &context.source;
    let mut faults = Diagnostics::new();
    let mut ready = Vec::new();
    let runbooks: Vec<&str> = names.iter().map(|name| name.split('/').next().unwrap_or(name)).collect();
    for name in source.suites() {
        let suite = match source.suite(&name, &context.inventory) {
            Ok(suite) => suite,
            Err(LoadError::Faults(found)) => {
                if runbooks.is_empty() || runbooks.contains(&name.as_str()) {
                    faults.extend(found);
                }
                continue;
            }
            Err(error @ (LoadError::Unknown { .. } | LoadError::Ambiguous { .. } | LoadError::NoBook { .. })) => {
                return Err(error.into());
            }
        };
        if runbooks.is_empty() || runbooks.contains(&suite.runbook.as_str()) || runbooks.contains(&name.as_str()) {
            ready.push(Ready { runbook: source.runbook(&suite.runbook)?, suite });
        }
    }
    // what `check` finds in a runbook would make a run refuse it
    let played: Vec<&str> = ready.iter().map(|ready| ready.suite.runbook.as_str()).collect();
    if !played.is_empty() {
        let found = source.check(&played, &context.inventory);
        faults.extend(found.iter().filter(|fault| fault.severity == crate::source::Severity::Error).cloned());
    }
    if faults.has_errors() { Err(CliError::faults(faults.sorted())) } else { Ok(ready) }
}

/// What is to be played: scenario files, each whole or one scenario of it.
fn chosen(context: &Context, ready: &[Ready], names: &[String]) -> Result<Vec<(String, Option<String>)>, CliError> {
    if names.is_empty() {
        return Ok(ready.iter().map(|ready| (ready.suite.name.clone(), None)).collect());
    }
    let mut all = Vec::new();
    for given in names {
        let (name, one) = match given.split_once('/') {
            Some((name, one)) => (name, Some(one)),
            None => (given.as_str(), None),
        };
        let suites: Vec<&Suite> = ready
            .iter()
            .map(|ready| &ready.suite)
            .filter(|suite| suite.runbook == name || suite.name == name)
            .collect();
        if suites.is_empty() {
            let known = context.source.names();
            if known.iter().any(|known| known == name) {
                return Err(CliError::usage(format!("{name} has no scenarios"))
                    .hint(format!("they stand in {}", context.source.suite_path(name).display())));
            }
            let near = nearest(name, known.iter().map(String::as_str));
            return Err(CliError::usage(format!("there is no runbook `{name}`"))
                .maybe_hint(near.map(|near| format!("did you mean `{near}`?"))));
        }
        let Some(one) = one else {
            all.extend(suites.into_iter().map(|suite| (suite.name.clone(), None)));
            continue;
        };
        let known: Vec<(&str, &str)> = suites
            .iter()
            .flat_map(|suite| suite.scenarios.iter().map(|scenario| (suite.name.as_str(), scenario.name.as_str())))
            .collect();
        let found: Vec<_> = known.iter().filter(|(_, scenario)| *scenario == one).collect();
        if found.is_empty() {
            let near = nearest(one, known.iter().map(|(_, scenario)| *scenario));
            let names: Vec<&str> = known.iter().map(|(_, scenario)| *scenario).collect();
            return Err(CliError::usage(format!("{name} has no scenario `{one}`")).hint(match near {
                Some(near) => format!("did you mean `{name}/{near}`?"),
                None => format!("there are: {}", names.join("; ")),
            }));
        }
        all.extend(found.into_iter().map(|(suite, scenario)| ((*suite).to_owned(), Some((*scenario).to_owned()))));
    }
    Ok(all)
}

/// What came of it, to be told.
struct Told<'a> {
    global: &'a Global,
    context: &'a Context,
    ready: &'a [Ready],
    played: &'a [SuitePlayed],
    without: &'a [&'a str],
    all: bool,
}

impl Told<'_> {
    fn is_well(&self) -> bool {
        self.played.iter().all(SuitePlayed::is_well) && (self.without.is_empty() || !self.all)
    }

    fn files(&self) -> impl Iterator<Item = (&Ready, &SuitePlayed)> {
        self.ready.iter().zip(self.played).filter(|(_, played)| !played.outcomes.is_empty())
    }

    fn text(&self) -> String {
        let styles = view::stdout_styles(self.global);
        let mut out = String::new();
        let width = self.files().map(|(ready, _)| ready.suite.name.len()).max().unwrap_or(0);
        for (ready, played) in self.files() {
            let name = &ready.suite.name;
            if played.is_well() {
                let good = styles.paint(Role::Ok, "ok");
                out.push_str(&format!("{good}    {name:width$}  {}\n", count(played.outcomes.len(), "scenario")));
            }
            for outcome in &played.outcomes {
                self.outcome(&mut out, &styles, ready, outcome);
            }
            if !played.differences.is_empty() {
                let bad = styles.paint(Role::Failed, "FAIL");
                out.push_str(&format!("{bad}  {name}: the file's own answers\n"));
                played.differences.iter().for_each(|found| difference(&mut out, &styles, found, false));
            }
        }
        if !self.without.is_empty() {
            out.push_str(&format!("no scenarios: {}\n", self.without.join(", ")));
        }
        out.push_str(&self.summary());
        out
    }

    fn outcome(&self, out: &mut String, styles: &Styles, ready: &Ready, outcome: &Outcome) {
        let differences = &outcome.played.differences;
        if !differences.is_empty() {
            let scenario = ready.suite.scenarios.iter().find(|scenario| scenario.name == outcome.name);
            let place = scenario.map(|scenario| format!("  {}", scenario.location)).unwrap_or_default();
            let bad = styles.paint(Role::Failed, "FAIL");
            let place = styles.paint(Role::Dim, &place);
            out.push_str(&format!("{bad}  {}/{}{place}\n", ready.suite.name, outcome.name));
            let several = outcome.played.told.len() > 1;
            differences.iter().for_each(|found| difference(out, styles, found, several));
        }
        if self.global.verbose > 0 {
            if differences.is_empty() {
                out.push_str(&format!("{}/{}\n", ready.suite.name, outcome.name));
            }
            for (index, told) in outcome.played.told.iter().enumerate() {
                if index > 0 {
                    out.push_str(&format!("      resumed ({})\n", index + 1));
                }
                for line in told.lines() {
                    out.push_str(&format!("      {} {}\n", styles.paint(Role::Dim, "|"), neutralise(line)));
                }
            }
        }
    }

    fn summary(&self) -> String {
        let files: Vec<(&Ready, &SuitePlayed)> = self.files().collect();
        let scenarios: usize = files.iter().map(|(_, played)| played.outcomes.len()).sum();
        let mut runbooks: Vec<&str> = files.iter().map(|(ready, _)| ready.suite.runbook.as_str()).collect();
        runbooks.dedup();
        let differ = |outcome: &&Outcome| !outcome.played.differences.is_empty();
        let failed = files.iter().flat_map(|(_, played)| &played.outcomes).filter(differ).count();
        let head = format!("{}, {}", count(runbooks.len(), "runbook"), count(scenarios, "scenario"));
        let mut faults = Vec::new();
        if failed > 0 {
            faults.push(format!("{failed} not as expected"));
        }
        let unused = files.iter().filter(|(_, played)| !played.differences.is_empty()).count();
        if unused > 0 {
            faults.push(format!("{} with answers that nobody needs", count(unused, "file")));
        }
        if self.all && !self.without.is_empty() {
            faults.push(format!("{} without scenarios", count(self.without.len(), "runbook")));
        }
        if faults.is_empty() {
            format!("{head}, all as expected\n")
        } else {
            format!("{head}: {}\n", faults.join(", "))
        }
    }

    fn json(&self) -> serde_json::Value {
        let scenarios: Vec<_> = self
            .files()
            .flat_map(|(ready, played)| {
                let file = self.context.source.suite_path(&ready.suite.name).display().to_string();
                played.outcomes.iter().map(move |outcome| {
                    let mut document = serde_json::json!({
                        "runbook": ready.suite.runbook, "file": file, "scenario": outcome.name,
                        "as_expected": outcome.played.differences.is_empty(),
                        "differences": outcome.played.differences.iter().map(placed).collect::<Vec<_>>(),
                    });
                    if self.global.verbose > 0 {
                        document["told"] = serde_json::json!(outcome.played.told);
                    }
                    document
                })
            })
            .collect();
        let unneeded: Vec<_> = self.files().flat_map(|(_, played)| played.differences.iter().map(placed)).collect();
        serde_json::json!({
            "as_expected": self.is_well(), "scenarios": scenarios, "unneeded": unneeded, "without": self.without,
        })
    }
}

/// A difference as data, with its place.
fn placed(found: &Difference) -> serde_json::Value {
    let mut document = serde_json::to_value(found).unwrap_or_default();
    if let Some(location) = &found.location {
        document["location"] = serde_json::json!(location.to_string());
    }
    document
}

fn difference(out: &mut String, styles: &Styles, found: &Difference, several: bool) {
    let stretch = if several && found.stretch > 1 { format!("resume {}: ", found.stretch - 1) } else { String::new() };
    let place = found.location.as_ref().map(|location| format!("  {location}")).unwrap_or_default();
    out.push_str(&format!("      {stretch}{}{}\n", neutralise(&found.to_string()), styles.paint(Role::Dim, &place)));
    for line in &found.told {
        out.push_str(&format!("        {} {}\n", styles.paint(Role::Dim, "|"), neutralise(line)));
    }
    if let Some(hint) = &found.hint {
        out.push_str(&format!("        hint: {}\n", neutralise(hint)));
    }
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
