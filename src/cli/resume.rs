//! `runbook resume`

use std::path::PathBuf;

use super::app::Global;
use super::conduct::Conduct;
use super::context::{self, Context};
use super::error::CliError;
use super::run::{INVENTORY, Word, load};
use super::{custody, exit, identity, params, seal, terminal};
use crate::audit::{Proof, Signers};
use crate::event::{Event, Opened, Resumed};
use crate::journal::{EventLog as _, FindError, Indexed, Integrity, Replay, Store};
use crate::plan::make::{Making, RunFacts};
use crate::plan::{Given, Plan, bind};
use crate::vocab::neutral::{neutralise, one_line};
use crate::vocab::{Clock as _, Digest, RunId, SystemClock};

/// Go on with a run that was interrupted, failed, or whose program was killed
///
/// Without RUN it goes on with your latest unfinished run. What was done is not done again: a step whose action had
/// ended repeats only its checks; a step whose outcome is unknown is settled first.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  runbook resume                      your latest unfinished run
  runbook resume latest --yes         the latest run of anyone
  runbook resume 20261122T0315        by the beginning of its id
  runbook resume --retry              run failed actions again without asking")]
pub(super) struct Args {
    /// The run: its id, a unique beginning of it, or `latest`
    run: Option<String>,
    /// Go on although the runbook, its files or its hosts changed; the difference is shown
    #[arg(long)]
    accept_changes: bool,
    /// Run actions that had failed again, without asking
    #[arg(long)]
    retry: bool,
    /// Secrets: `name=@FILE`, `name=env:VARIABLE`; other parameters are the run's
    #[arg(long = "secret", value_name = "NAME=SOURCE")]
    secrets: Vec<String>,
    #[command(flatten)]
    word: Word,
}

pub(super) fn resume(global: &Global, args: &Args) -> Result<u8, CliError> {
    let operator = identity::operator(args.word.operator.as_deref())?;
    let store = context::store(global)?;
    let id = match &args.run {
        Some(text) => find(&store, text)?,
        None => latest(&store, &operator.name)?,
    };
    let (past, mut journal) = store.reopen(&id)?;
    sound(&store, &past, &id)?;
    resumable(&past, &id)?;
    let opened = (*past.state.opened).clone();
    if !opened.has_runbook() {
        let what = one_line(&opened.runbook);
        return Err(CliError::usage(format!("{id} {what} cannot go on: it is no run of a runbook"))
            .hint(format!("`runbook abandon {id} --reason TEXT` ends it")));
    }
    let mut options = args.word.options(&operator.name)?;
    options.retry = args.retry;
    options.record = Some(context::place_of(&store));
    seal::warn(global);
    let options = options.going_on(&opened);

    let plan = plan_again(global, &opened, &args.secrets, &options)?;
    args.word.check(&plan)?;
    custody::keep(plan.masker());
    custody::refuse_told(&plan, &operator.name, options.reason.as_deref())?;
    let changed = plan.digest != opened.plan;
    if changed {
        let difference = difference(&store, &opened, &plan);
        if !args.accept_changes {
            return Err(CliError::new(exit::DRIFT, format!("the plan changed since the run began:\n{difference}"))
                .hint("`--accept-changes` goes on with what it is now; `runbook abandon` ends the run"));
        }
        crate::report::Sink::stderr()
            .write(&format!("The plan changed since the run began, and that is accepted:\n{difference}\n"));
        let texts: Vec<(Digest, Vec<u8>)> =
            plan.texts.iter().map(|text| (text.digest.clone(), text.bytes.clone())).collect();
        journal.keep_texts(&texts)?;
    }
    let resumed = Event::Resumed(Box::new(Resumed {
        operator,
        admin_host: identity::admin_host(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        plan: plan.digest.clone(),
        accepted_changes: changed,
        reason: args.word.reason.clone(),
        emergency: args.word.emergency,
        hosts: plan.host_entries(),
        steps: plan.step_entries(),
        texts: plan.text_entries(),
    }));
    Conduct { global, store: &store, plan: &plan, options: &options, journal, past, resumed: Some(resumed) }.run()
}

/// A run by what was typed.
pub(super) fn find(store: &Store, text: &str) -> Result<RunId, CliError> {
    store.find(text).map_err(|error| match error {
        FindError::NoSuch { .. } if pruned(store, text).is_some() => {
            CliError::usage(pruned(store, text).unwrap_or_default())
                .hint("what is left of it are its seals: `audit verify --all`")
        }
        FindError::Journal(error) => error.into(),
        other => CliError::usage(other).hint("`runbook audit list` shows the runs"),
    })
}

/// What became of a run that was pruned, by what was typed.
fn pruned(store: &Store, text: &str) -> Option<String> {
    let mut pruned = store.pruned().ok()?.into_iter().flatten().filter(|pruned| pruned.run.as_str().starts_with(text));
    let found = pruned.next().filter(|_| !text.is_empty())?;
    let at = crate::report::elapsed::stamp(found.at, &jiff::tz::TimeZone::system());
    Some(format!("the run {} was pruned at {at}, by {}", found.run, found.by))
}

/// The operator's latest unfinished run, when it is clear which one that is.
fn latest(store: &Store, operator: &str) -> Result<RunId, CliError> {
    let (unfinished, unreadable): (Vec<_>, Vec<_>) = store.unfinished()?.into_iter().partition(Indexed::is_unfinished);
    mention_unreadable(&unreadable);
    let describe = |indexed: &Indexed| {
        one_line(&match &indexed.entry {
            Ok(entry) => format!(
                "{}  {}  {}  by {}",
                indexed.run,
                entry.started.strftime("%Y-%m-%d %H:%M UTC"),
                entry.runbook,
                entry.operator
            ),
            Err(error) => format!("{}  {}", indexed.run, error.whole()),
        })
    };
    let [only] = unfinished.as_slice() else {
        if unfinished.is_empty() && !unreadable.is_empty() {
            return Err(CliError::new(exit::JOURNAL, "no unfinished run can be read")
                .hint("`runbook audit verify RUN` says what is wrong with one"));
        }
        if unfinished.is_empty() {
            return Err(CliError::usage("there is no unfinished run").hint("`runbook audit list` shows the runs"));
        }
        return choose(&unfinished, &describe);
    };
    let Ok(entry) = &only.entry else { return choose(&unfinished, &describe) };
    // a run of tomorrow is no fresher than one of yesterday: the clock was wrong then, or is now
    let age = SystemClock.now().duration_since(entry.started);
    let theirs = entry.operator != operator;
    if theirs || age.abs() > jiff::SignedDuration::from_hours(12) {
        return choose(&unfinished, &describe);
    }
    Ok(only.run.clone())
}

/// Up to so many unreadable runs are named one by one.
const MENTIONED: usize = 3;

/// Says which runs cannot be read: one of them may be unfinished, and it is not looked for in vain.
pub(super) fn mention_unreadable(runs: &[Indexed]) {
    let out = crate::report::Sink::stderr();
    if runs.len() > MENTIONED {
        out.write(&format!("note: {} runs cannot be read: `runbook audit list` says why\n", runs.len()));
        return;
    }
    for indexed in runs {
        if let Err(error) = &indexed.entry {
            let text = format!("note: the run {} cannot be read: {}\n", indexed.run, error.whole());
            out.write(&neutralise(&text));
        }
    }
}

/// Asks which run is meant, or names the candidates where nobody can be asked.
fn choose(unfinished: &[Indexed], describe: &dyn Fn(&Indexed) -> String) -> Result<RunId, CliError> {
    let names: Vec<String> = unfinished.iter().map(describe).collect();
    if terminal::is_there() {
        let chosen = inquire::Select::new("Which run?", names.clone()).prompt();
        if let Ok(chosen) = chosen
            && let Some(at) = names.iter().position(|name| *name == chosen)
        {
            return Ok(unfinished[at].run.clone());
        }
        return Err(CliError::new(exit::DECLINED, "no run was chosen"));
    }
    let why = match unfinished.len() {
        1 => "the unfinished run is another operator's, or not of the last 12 hours",
        _ => "several runs are unfinished",
    };
    Err(CliError::new(exit::DECLINED, format!("{why}:\n  {}", names.join("\n  ")))
        .hint("name it: `runbook resume RUN`"))
}

/// Refuses a journal that does not verify, or is not the one that was sealed: what was cut off would be done again.
pub(super) fn sound(store: &Store, past: &Replay, id: &RunId) -> Result<(), CliError> {
    let hint = format!("`runbook audit verify {id}` says more; keep the folder as it is, and find out who changed it");
    match &past.integrity {
        Integrity::Intact | Integrity::Unfinished { .. } | Integrity::Torn { .. } => {}
        Integrity::Broken { .. } | Integrity::BrokenFile { .. } => {
            let text = format!("the journal of {id} does not verify: {}", past.integrity);
            return Err(CliError::new(exit::JOURNAL, text).hint(hint));
        }
    }
    let proof = Proof::of(store, id, &Signers::unasked());
    match proof.unlike_its_seals().first() {
        Some(unlike) => {
            Err(CliError::new(exit::JOURNAL, format!("the journal of {id} is not as it was sealed: {unlike}"))
                .hint(hint)
                .hint("to do the work, look at its hosts, and begin a run of its own: `runbook run`"))
        }
        None => Ok(()),
    }
}

/// Refuses a run that is over.
pub(super) fn resumable(past: &Replay, id: &RunId) -> Result<(), CliError> {
    use crate::event::RunStatus;
    match &past.state.status {
        RunStatus::Open | RunStatus::Stopped { .. } => Ok(()),
        RunStatus::Ended { exit, .. } => {
            Err(CliError::usage(format!("the run {id} is over: it ended with exit status {exit}"))
                .hint(format!("`runbook audit show {id}` tells its story")))
        }
        RunStatus::Abandoned { reason } => {
            Err(CliError::usage(format!("the run {id} was abandoned: {}", one_line(reason))))
        }
    }
}

/// The book and the fleet of a run, as they are now.
pub(super) fn context_of(global: &Global, opened: &Opened) -> Result<Context, CliError> {
    let book = global.book.clone().unwrap_or_else(|| PathBuf::from(&opened.book));
    if global.inventory.is_empty() {
        Context::open_at(&book, opened.inventories.iter().map(PathBuf::from).collect())
    } else {
        Context::open(&Global { book: Some(book), ..global.clone() })
    }
}

/// Makes the plan of a run anew from its book as it is now.
fn plan_again(
    global: &Global,
    opened: &Opened,
    secrets: &[String],
    options: &crate::engine::Options,
) -> Result<Plan, CliError> {
    let context = context_of(global, opened)?;
    let runbook = load(&context, &opened.runbook)?;
    let mut given: Given = params::read(&runbook.params, secrets)?;
    given.positional.clear();
    for (name, value) in &opened.params {
        let secret =
            runbook.params.iter().any(|param| param.name == *name && param.kind == crate::model::ParamType::Secret);
        if !secret {
            given.named.push((name.clone(), value.clone()));
        }
    }
    params::ask_for_secrets(&runbook.params, &mut given)?;
    let bound = bind::bind(&runbook.params, &given, &context.inventory).map_err(|faults| {
        let mut error = CliError::from(faults);
        error.hints = vec!["give secrets again with `--secret NAME=@FILE` or `--secret NAME=env:VARIABLE`".to_owned()];
        error
    })?;
    let facts =
        RunFacts { operator: options.operator.clone(), reason: options.reason.clone(), emergency: options.emergency };
    let making = Making { inventory: &context.inventory, params: bound, limit: opened.limit.clone(), run: facts };
    Ok(Plan::make(&runbook, making)?)
}

/// What is another now than when the run began, for people.
fn difference(store: &Store, opened: &Opened, plan: &Plan) -> String {
    let mut lines = Vec::new();
    for text in &plan.texts {
        match opened.texts.iter().find(|before| before.name == text.name) {
            Some(before) if before.digest == text.digest => {}
            Some(before) => {
                let old = store.text(&opened.run, &before.digest).unwrap_or_default();
                lines.push(format!("  {}:", text.name));
                lines.extend(changed_lines(&String::from_utf8_lossy(&old), &String::from_utf8_lossy(&text.bytes)));
            }
            None => lines.push(format!("  {} is new", text.name)),
        }
    }
    for before in &opened.texts {
        let known = before.name.starts_with(INVENTORY) || plan.texts.iter().any(|text| text.name == before.name);
        if !known {
            lines.push(format!("  {} is gone", before.name));
        }
    }
    let hosts = plan.host_entries();
    if hosts != opened.hosts {
        lines.push("  the hosts, their addresses or users are others".to_owned());
    }
    if plan.step_entries() != opened.steps {
        lines.push("  the steps, or the hosts they go to, are others".to_owned());
    }
    if lines.is_empty() {
        lines.push("  a variable, port or sudo setting of a host, or a parameter of an included runbook".to_owned());
    }
    neutralise(&lines.join("\n"))
}

/// The lines that two texts do not share at their place: enough to see what was changed.
fn changed_lines(old: &str, new: &str) -> Vec<String> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let same_start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let most = old.len().min(new.len()) - same_start;
    let same_end = old.iter().rev().zip(new.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    let removed = old[same_start..old.len() - same_end].iter().map(|line| format!("    - {line}"));
    let added = new[same_start..new.len() - same_end].iter().map(|line| format!("    + {line}"));
    std::iter::once(format!("    line {}:", same_start + 1)).chain(removed).chain(added).collect()
}
