//! `runbook locks`

use jiff::tz::TimeZone;

use super::app::{Format, Global};
use super::context::{self, Context};
use super::error::CliError;
use super::{conduct, exit, identity, seal, view, without_runbook};
use crate::event::{Event, HostEntry};
use crate::journal::EventLog as _;
use crate::model::Target;
use crate::report::table::Cell;
use crate::report::{Role, Table};
use crate::transport::{Fault, Inspect as _, Operate as _};
use crate::vocab::neutral::one_line;
use crate::vocab::{Clock as _, Holder, HostName, SystemClock};

/// Show which run holds the lock of which host; or break one
///
/// A run locks the hosts it changes, on the hosts. A lock ends a minute after its run stopped renewing it, unless a
/// command of the run still runs there.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  runbook locks                     every host
  runbook locks 'va-web[01:03]'
  runbook locks break va-web01 --reason \"denise's laptop is gone\""
)]
pub(super) struct Args {
    /// A host, a group, a pattern; without it, all
    #[arg(default_value = "all")]
    pattern: String,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Break the lock of a host, whoever holds it; the run that held it does nothing more there
    ///
    /// A command of that run which still runs is not stopped. Who broke the lock, and why, is recorded on the host and
    /// here.
    #[command(after_help = "Example:\n  runbook locks break va-web01 --reason \"denise's laptop is gone\"")]
    Break(BreakArgs),
}

#[derive(Debug, clap::Args)]
struct BreakArgs {
    /// The host
    host: String,
    /// Why; it goes to the audit log, and the run that held the lock is told
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Who breaks it; without it RUNBOOK_OPERATOR, SUDO_USER, or the login user
    #[arg(long = "as", value_name = "NAME")]
    operator: Option<String>,
}

/// What stands in the audit where a run has the name of its runbook.
const BREAKING: &str = "(locks break)";

pub(super) fn locks(global: &Global, args: &Args) -> Result<u8, CliError> {
    match &args.command {
        None => show(global, &args.pattern),
        Some(Command::Break(args)) => break_lock(global, args),
    }
}

fn show(global: &Global, pattern: &str) -> Result<u8, CliError> {
    let context = Context::open(global)?;
    let names = context.inventory.select(pattern).map_err(CliError::usage)?;
    let targets: Vec<Target> = names.iter().filter_map(|name| context.inventory.target(name)).collect();
    let fleet = conduct::fleet(64);
    let found = conduct::runtime()?
        .block_on(async { futures_util::future::join_all(targets.iter().map(|target| fleet.locked(target))).await });
    let data = view::data();
    if global.format == Format::Json {
        let document = |(target, found): (&Target, &Result<Option<Holder>, Fault>)| match found {
            Ok(holder) => serde_json::json!({"host": target.name, "holder": holder}),
            Err(fault) => serde_json::json!({"host": target.name, "unknown": one_line(&fault.to_string())}),
        };
        let documents: Vec<_> = targets.iter().zip(&found).map(document).collect();
        data.sink().write(&format!("{}\n", serde_json::Value::from(documents)));
        return Ok(exit::OK);
    }
    let mut table = Table::new(["host", "runbook", "run", "operator", "from", "since", "command"]);
    let mut rows = 0;
    let mut unknown = Vec::new();
    for (target, found) in targets.iter().zip(found) {
        match found {
            Ok(None) => {}
            Ok(Some(holder)) => {
                table.row(row(&target.name, &holder));
                rows += 1;
            }
            Err(fault) => unknown.push(format!("{}: {}", target.name, one_line(&fault.to_string()))),
        }
    }
    if rows > 0 {
        data.sink().write(&table.shown(data.fit(), &view::stdout_styles(global)));
    } else {
        let known = targets.len() - unknown.len();
        data.sink().write(&format!("no lock is held on {known} of {} hosts\n", targets.len()));
    }
    for line in unknown {
        crate::report::Sink::stderr().write(&format!("not known: {line}\n"));
    }
    Ok(exit::OK)
}

fn row(host: &HostName, holder: &Holder) -> Vec<Cell> {
    let since = holder.since.map(|since| since.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string());
    let text = |text: &str| Cell::new(Role::Text, one_line(text));
    vec![
        Cell::new(Role::Host, host.as_str()),
        text(&holder.runbook),
        text(holder.run.as_str()),
        text(&holder.operator),
        text(&holder.admin_host),
        text(&since.unwrap_or_default()),
        if holder.running { Cell::new(Role::Warning, "runs") } else { Cell::new(Role::Dim, "-") },
    ]
}

fn break_lock(global: &Global, args: &BreakArgs) -> Result<u8, CliError> {
    let operator = identity::operator(args.operator.as_deref())?;
    let reason = args.reason.trim();
    if reason.is_empty() {
        return Err(CliError::usage("--reason may not be empty: say why"));
    }
    let context = Context::open(global)?;
    let target = context
        .inventory
        .target(&HostName::new(args.host.as_str()))
        .ok_or_else(|| CliError::usage(format!("the inventory has no host `{}`", args.host)))?;
    let fleet = conduct::fleet(1);
    let runtime = conduct::runtime()?;
    let out = crate::report::Sink::stderr();
    let unreachable = |fault: Fault| CliError::new(exit::FAILED, format!("{}: {fault}", target.name));
    let Some(holder) = runtime.block_on(fleet.locked(&target)).map_err(unreachable)? else {
        out.write(&format!("nobody holds the lock of {}\n", target.name));
        return Ok(exit::OK);
    };
    out.write(&format!("the lock of {} is held by {}\n", target.name, holder.words()));
    let help = "y breaks it; the run that holds it does nothing more there";
    without_runbook::agreed(args.yes, "Break it?", help, "the lock stands")?;

    let admin_host = identity::admin_host();
    let by = format!("{} on {admin_host}", operator.name);
    let host = HostEntry { name: target.name.clone(), address: target.address.clone(), user: target.user.clone() };
    let title = format!("Break the lock of {}", target.name);
    let book = &context.source.book().dir;
    let opened = without_runbook::opened(BREAKING, title, operator, reason, Some(book), vec![host])?;
    let store = context::store(global)?;
    let (run, name) = (opened.run.clone(), opened.operator.name.clone());
    let mut journal = store.create(SystemClock.now(), opened, &[])?;
    let broken = runtime.block_on(fleet.break_lock(&target, &by, reason));
    let (exit, why) = match &broken {
        Ok(Some(holder)) => {
            let event =
                Event::LockBroken { host: target.name.clone(), holder: holder.clone(), reason: reason.to_owned() };
            journal.append(SystemClock.now(), event)?;
            (exit::OK, format!("the lock of {} is broken", target.name))
        }
        Ok(None) => (exit::OK, format!("nobody held the lock of {} any more", target.name)),
        Err(fault) => (exit::FAILED, format!("the lock of {} may not be broken: {fault}", target.name)),
    };
    journal.append(SystemClock.now(), Event::Ended { exit, why: why.clone() })?;
    let sealed = seal::seal_journal(global, &store, &run, &journal, &name)?;
    out.write(&format!("{}\n{sealed}\n", one_line(&why)));
    Ok(exit)
}
