//! `runbook run`

use std::path::PathBuf;
use std::sync::Arc;

use super::app::{Format, Global};
use super::conduct::{self, Conduct};
use super::context::{self, Context};
use super::error::CliError;
use super::{custody, exit, identity, outline, params, seal, view};
use crate::engine::{Interrupt, Options, rehearse};
use crate::event::Opened;
use crate::model::Runbook;
use crate::plan::make::{Making, RunFacts};
use crate::plan::{Plan, PlanFile, bind};
use crate::source::{Diagnostics, Severity};
use crate::vocab::neutral::one_line;
use crate::vocab::{Clock as _, Digest, Period, RunId, SystemClock};

/// Run a runbook, or show with --dry-run what it would do
///
/// Arguments are `name=value`, or values alone for parameters with a position: `runbook run restart-webs 5s` is
/// `runbook run restart-webs pause=5s`. A secret is given as `name=@FILE`, `name=env:VARIABLE`, or at a prompt.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  runbook run restart-jobs --dry-run          every probe live, every command shown, nothing done
  runbook run restart-webs 5s --yes           without the question whether to start
  runbook run restart-jobs --wait 2h          wait until the preconditions hold
  runbook run restart-jobs --wait-lock 1h     wait until another run on these hosts is over
  runbook run restart-jobs --override importers-bored --reason \"db failover\"
  runbook run restart-webs --limit 'va-web[01:03]'")]
pub(super) struct Args {
    /// The runbook's name
    name: String,
    /// Parameters: `name=value`, or values by position
    #[arg(value_name = "ARG")]
    args: Vec<String>,
    /// Show what would be done: probes run live, actions cannot
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: save the plan here
    #[arg(long, value_name = "FILE", requires = "dry_run")]
    out: Option<PathBuf>,
    /// Run exactly the plan saved in this file, or refuse
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    plan: Option<PathBuf>,
    /// Act only on these hosts; probes look at all of theirs
    #[arg(long, value_name = "PATTERN")]
    limit: Option<String>,
    #[command(flatten)]
    word: Word,
}

/// The operator's word on a run, also on its resume.
#[derive(Debug, clap::Args)]
pub(super) struct Word {
    /// Agree to the start beforehand
    #[arg(short, long)]
    pub(super) yes: bool,
    /// Acknowledge a warning beforehand; one that wants a text typed takes it behind `=`
    #[arg(long, value_name = "ID[=TEXT]")]
    pub(super) ack: Vec<String>,
    /// Go on against a precondition that allows it; needs --reason
    #[arg(long = "override", value_name = "ID")]
    pub(super) overrides: Vec<String>,
    /// Go on against every precondition that allows it, and acknowledge every warning that is not typed; needs --reason
    #[arg(long)]
    pub(super) emergency: bool,
    /// Why; it goes to the audit log
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// Wait so long for preconditions that do not hold
    #[arg(long, value_name = "DURATION")]
    pub(super) wait: Option<Period>,
    /// Wait so long for hosts that another run has locked
    #[arg(long, value_name = "DURATION")]
    pub(super) wait_lock: Option<Period>,
    /// Look at or act on so many hosts at once
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(super) parallel: u16,
    /// Who is running this; without it RUNBOOK_OPERATOR, SUDO_USER, or the login user
    #[arg(long = "as", value_name = "NAME")]
    pub(super) operator: Option<String>,
}

impl Word {
    /// The engine's options, once the flags are known to fit together.
    pub(super) fn options(&self, operator: &str) -> Result<Options, CliError> {
        let reason = self.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
        if reason.is_none() && (self.emergency || !self.overrides.is_empty()) {
            let flag = if self.emergency { "--emergency" } else { "--override" };
            return Err(CliError::usage(format!("{flag} needs a reason"))
                .hint("say why, for the audit log: `--reason \"db failover\"`"));
        }
        let acks = self.ack.iter().map(|ack| match ack.split_once('=') {
            Some((id, text)) => (id.to_owned(), Some(text.to_owned())),
            None => (ack.clone(), None),
        });
        Ok(Options {
            operator: operator.to_owned(),
            yes: self.yes,
            acks: acks.collect(),
            overrides: self.overrides.clone(),
            emergency: self.emergency,
            reason: reason.map(str::to_owned),
            wait: self.wait,
            wait_lock: self.wait_lock,
            parallel: usize::from(self.parallel),
            ..Options::default()
        })
    }

    /// Whether every name in the flags is one of the plan's: a misspelt override must not look like one.
    pub(super) fn check(&self, plan: &Plan) -> Result<(), CliError> {
        let mut preconditions: Vec<String> = plan.preconditions.iter().map(|planned| planned.id.clone()).collect();
        for leaf in plan.units.iter().flat_map(|unit| &unit.leaves) {
            for precondition in &leaf.step.preconditions {
                preconditions.push(precondition.id.clone());
                preconditions.push(format!("{}:{}", leaf.id, precondition.id));
            }
        }
        let warnings: Vec<String> = plan.warnings.iter().map(|planned| planned.id.clone()).collect();
        let acks: Vec<&str> = self.ack.iter().map(|ack| ack.split('=').next().unwrap_or(ack)).collect();
        let overrides: Vec<&str> = self.overrides.iter().map(String::as_str).collect();
        for (flag, given, known) in [("--override", overrides, &preconditions), ("--ack", acks, &warnings)] {
            for id in given {
                if !known.iter().any(|one| one == id) {
                    let what = if flag == "--ack" { "warning" } else { "precondition" };
                    let near = crate::model::scope::nearest(id, known.iter().map(String::as_str));
                    return Err(CliError::usage(format!("{flag}: {} has no {what} `{id}`", plan.runbook.name))
                        .maybe_hint(near.map(|near| format!("did you mean `{near}`?"))));
                }
            }
        }
        Ok(())
    }
}

pub(super) fn run(global: &Global, args: &Args) -> Result<u8, CliError> {
    let context = Context::open(global)?;
    let runbook = load(&context, &args.name)?;
    let mut given = params::read(&runbook.params, &args.args)?;
    params::ask_for_secrets(&runbook.params, &mut given)?;
    let bound = bind::bind(&runbook.params, &given, &context.inventory)?;
    let operator = identity::operator(args.word.operator.as_deref())?;
    let mut options = args.word.options(&operator.name)?;
    let facts =
        RunFacts { operator: operator.name.clone(), reason: options.reason.clone(), emergency: options.emergency };
    let making = Making { inventory: &context.inventory, params: bound, limit: args.limit.clone(), run: facts };
    let plan = Plan::make(&runbook, making)?;
    args.word.check(&plan)?;
    custody::keep(plan.masker());
    custody::refuse_told(&plan, &operator.name, options.reason.as_deref())?;
    if let Some(file) = &args.plan {
        held_to(&plan, &PlanFile::read(file)?)?;
    }
    let now = SystemClock.now();
    let id = RunId::new(now, random()?);
    if args.dry_run {
        return rehearsed(global, args, &plan, &options, id, &operator.name);
    }

    let store = context::store(global)?;
    options.record = Some(context::place_of(&store));
    seal::warn(global);
    mention_unfinished(global, &store, &plan);
    let inventories = inventory_entries(&context);
    let opened = Opened {
        run: id,
        runbook: runbook.name.clone(),
        title: runbook.title.clone(),
        changes: plan.changes,
        operator,
        admin_host: identity::admin_host(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        book: absolute(&context.source.book().dir),
        inventories: context.inventories.iter().map(|file| absolute(file)).collect(),
        plan: plan.digest.clone(),
        params: plan.params().shown(),
        limit: plan.limit.clone(),
        // a short secret may be a word of it
        reason: options.reason.as_deref().map(|reason| plan.masker().mask(reason)),
        emergency: options.emergency,
        hosts: plan.host_entries(),
        steps: plan.step_entries(),
        texts: plan.text_entries().into_iter().chain(inventories.iter().map(|(entry, _)| entry.clone())).collect(),
        link: None,
    };
    let mut texts: Vec<(Digest, Vec<u8>)> =
        plan.texts.iter().map(|text| (text.digest.clone(), text.bytes.clone())).collect();
    texts.extend(inventories.into_iter().map(|(entry, bytes)| (entry.digest, bytes)));
    let journal = store.create(now, opened, &texts)?;
    let past = store.read(journal.run())?;
    Conduct { global, store: &store, plan: &plan, options: &options, journal, past, resumed: None }.run()
}

/// Loads a runbook by its name, or says what is wrong with it: all that `check` calls an error, so that a misspelt
/// name is told before anything is begun, not when its step comes.
pub(super) fn load(context: &Context, name: &str) -> Result<Arc<Runbook>, CliError> {
    let runbook = context.source.runbook(name)?;
    let mut errors = Diagnostics::new();
    let found = context.source.check(&[name], &context.inventory);
    errors.extend(found.iter().filter(|fault| fault.severity == Severity::Error).cloned());
    if errors.is_empty() { Ok(runbook) } else { Err(CliError::faults(errors)) }
}

fn rehearsed(
    global: &Global,
    args: &Args,
    plan: &Plan,
    options: &Options,
    id: RunId,
    operator: &str,
) -> Result<u8, CliError> {
    let runtime = conduct::runtime()?;
    let fleet = conduct::fleet(options.parallel);
    let interrupt = Interrupt::new();
    let seen = runtime.block_on(async {
        let listening = super::signals::listen(interrupt.clone(), None);
        let stop = interrupt.clone();
        let seen = tokio::select! {
            seen = rehearse(plan, &fleet, options, id, &interrupt) => Some(seen),
            () = stop.raised() => None,
        };
        if let Ok(listening) = listening {
            listening.abort();
        }
        seen
    });
    let Some(seen) = seen else {
        return Err(CliError::new(130, "interrupted; nothing was changed"));
    };
    let seen = seen.map_err(CliError::usage)?;
    // a dry run has no recorder that what was seen would pass through
    let masker = plan.masker();
    let mut lines = outline::planned_lines(&seen);
    for line in &mut lines {
        line.what = masker.mask(&line.what);
    }
    if let Some(out) = &args.out {
        let file = PlanFile {
            format: PlanFile::FORMAT,
            runbook: plan.runbook.name.clone(),
            digest: plan.digest.clone(),
            made: SystemClock.now().to_string(),
            operator: operator.to_owned(),
            params: plan.params().shown(),
            limit: plan.limit.clone(),
            steps: lines.clone(),
        };
        file.write(out)?;
    }
    let data = view::data();
    if global.format == Format::Json {
        let preconditions: Vec<_> = seen
            .preconditions
            .iter()
            .map(|seen| serde_json::json!({"id": seen.id, "holds": seen.holds, "verdicts": seen.verdicts}))
            .collect();
        let warnings: Vec<_> =
            seen.warnings.iter().map(|raised| serde_json::json!({"id": raised.id, "says": raised.says})).collect();
        let mut document = serde_json::json!({
            "runbook": plan.runbook.name, "plan": plan.digest, "would_start": seen.would_start,
            "preconditions": preconditions, "warnings": warnings, "steps": lines,
        });
        for part in ["preconditions", "warnings"] {
            masker.mask_json(&mut document[part]);
        }
        data.json(&document);
    } else {
        data.sink().write(&masker.mask(&outline::rehearsal(plan, &seen, &view::stdout_styles(global), &data)));
        if let Some(out) = &args.out {
            let out = one_line(&out.display().to_string());
            data.sink().write(&format!("saved in {out}; `runbook run --plan` holds a run to it\n"));
        }
    }
    Ok(if seen.would_start { exit::OK } else { exit::PRECONDITION })
}

/// Refuses a plan that is not the saved one.
fn held_to(plan: &Plan, file: &PlanFile) -> Result<(), CliError> {
    if plan.digest == file.digest {
        return Ok(());
    }
    let mut error = CliError::new(
        exit::DRIFT,
        format!("the plan is not the saved one: {} now, {} then", plan.digest.short(), file.digest.short()),
    );
    if plan.runbook.name != file.runbook {
        error = error.hint(format!("the file is a plan of `{}`", file.runbook));
    }
    if plan.params().shown() != file.params {
        let shown: Vec<String> = file.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
        error = error.hint(format!("it was made with {}", shown.join(" ")));
    }
    if plan.limit != file.limit {
        error = error.hint(format!("it was made with --limit {}", file.limit.as_deref().unwrap_or("(none)")));
    }
    Err(error.hint("the runbook, a file of it, or its hosts changed since: look with `--dry-run`, and save it anew"))
}

/// The inventories' texts, kept with the run for whoever reads it later. The plan's digest does not cover them: it
/// covers the hosts that the run uses, however the files come to say so.
pub(super) fn inventory_entries(context: &Context) -> Vec<(crate::event::TextEntry, Vec<u8>)> {
    let entry = |text: &Arc<crate::source::SourceText>| {
        let bytes = text.text().as_bytes().to_vec();
        let name = format!("{INVENTORY}{}", text.name());
        (crate::event::TextEntry { name, digest: Digest::of(&bytes) }, bytes)
    };
    context.inventory_texts.iter().map(entry).collect()
}

/// What stands in front of an inventory's name among a run's texts.
pub(super) const INVENTORY: &str = "inventory ";

/// Says which unfinished runs that have begun to act are on the same hosts, one a line.
fn mention_unfinished(global: &Global, store: &crate::journal::Store, plan: &Plan) {
    if !plan.changes || global.format == Format::Json {
        return;
    }
    let Ok(all) = store.unfinished() else { return };
    let (readable, unreadable): (Vec<_>, Vec<_>) = all.into_iter().partition(|indexed| indexed.entry.is_ok());
    super::resume::mention_unreadable(&unreadable);
    let mut told = String::new();
    let hosts = plan.changed_hosts();
    let shares = |indexed: &crate::journal::Indexed| {
        indexed.entry.as_ref().is_ok_and(|entry| entry.changes && entry.hosts.iter().any(|host| hosts.contains(host)))
    };
    for indexed in readable.into_iter().filter(shares) {
        let Ok(replay) = store.read(&indexed.run) else { continue };
        if conduct::touches(&replay.state, plan) {
            let opened = &replay.state.opened;
            let what = format!("{} by {}", opened.runbook, opened.operator.name);
            told.push_str(&format!("  {}  {}\n", indexed.run, one_line(&what)));
        }
    }
    if !told.is_empty() {
        let program = one_line(&conduct::program(global));
        crate::report::Sink::stderr()
            .write(&format!("note: unfinished on the same hosts; `{program} resume RUN` goes on with one:\n{told}"));
    }
}

pub(super) fn random<const N: usize>() -> Result<[u8; N], CliError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| CliError::new(exit::FAILED, format!("no random numbers: {error}")))?;
    Ok(bytes)
}

pub(super) fn absolute(path: &std::path::Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}
