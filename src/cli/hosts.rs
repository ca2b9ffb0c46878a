//! `runbook hosts`

use super::app::{Format, Global};
use super::context::Context;
use super::error::CliError;
use super::{conduct, exit, view};
use crate::model::{InventoryError, Target, Transport};
use crate::report::table::Cell;
use crate::report::{Role, Table};
use crate::transport::Inspect as _;
use crate::vocab::Period;

/// Show what the inventory resolves a pattern to
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  runbook hosts                       every host
  runbook hosts 'jobs:!dfw-jobs02'    a group without one of its hosts
  runbook hosts 'va-web[01:03]' --ping")]
pub(super) struct Args {
    /// A host, a group, a pattern; without it, all
    #[arg(default_value = "all")]
    pattern: String,
    /// Connect to each and say whether that works, without running anything
    #[arg(long)]
    ping: bool,
}

pub(super) fn hosts(global: &Global, args: &Args) -> Result<u8, CliError> {
    let context = Context::open(global)?;
    let names = context.inventory.select(&args.pattern).map_err(|error| {
        let near = match &error {
            InventoryError::Unknown { near, .. } => near.clone(),
            InventoryError::BadRange(_) | InventoryError::Empty(_) | InventoryError::Cycle(_) => None,
        };
        CliError::usage(error).maybe_hint(near.map(|near| format!("did you mean `{near}`?")))
    })?;
    let targets: Vec<Target> = names.iter().filter_map(|name| context.inventory.target(name)).collect();
    let pings = if args.ping { Some(ping(&targets)?) } else { None };
    let reached = pings.as_ref().is_none_or(|pings| pings.iter().all(Result::is_ok));
    let data = view::data();
    if global.format == Format::Json {
        let documents: Vec<_> = targets
            .iter()
            .enumerate()
            .map(|(index, target)| {
                let mut document = serde_json::json!(target);
                if let Some(pings) = &pings {
                    document["ping"] = match &pings[index] {
                        Ok(took) => serde_json::json!({"ok": true, "took": took}),
                        Err(why) => serde_json::json!({"ok": false, "why": why}),
                    };
                }
                document
            })
            .collect();
        data.json(&documents);
    } else {
        let mut columns = vec!["host", "address", "user", "groups"];
        if args.ping {
            columns.push("ping");
        }
        let mut table = Table::new(columns);
        for (index, target) in targets.iter().enumerate() {
            let address = match target.port {
                Some(port) => format!("{}:{port}", target.address),
                None => target.address.clone(),
            };
            let address = if target.transport == Transport::Local { "(this machine)".to_owned() } else { address };
            let mut row = vec![
                Cell::new(Role::Host, target.name.as_str()),
                Cell::new(Role::Text, address),
                Cell::new(Role::Text, target.user.clone().unwrap_or_default()),
                Cell::new(Role::Dim, target.groups.join(" ")),
            ];
            if let Some(pings) = &pings {
                row.push(match &pings[index] {
                    Ok(took) => Cell::new(Role::Ok, format!("ok, {took}")),
                    Err(why) => Cell::new(Role::Failed, why.as_str()),
                });
            }
            table.row(row);
        }
        data.sink().write(&table.shown(data.fit(), &view::stdout_styles(global)));
    }
    Ok(if reached { exit::OK } else { exit::FAILED })
}

fn ping(targets: &[Target]) -> Result<Vec<Result<Period, String>>, CliError> {
    let fleet = conduct::fleet(64);
    let runtime = conduct::runtime()?;
    Ok(runtime.block_on(async {
        let pings = targets.iter().map(|target| fleet.ping(target, Period::seconds(15)));
        let results = futures_util::future::join_all(pings).await;
        results
            .into_iter()
            .map(|result| {
                result.map_err(|fault| match fault {
                    crate::transport::Fault::Unreachable { reason, hint: Some(hint) } => {
                        format!("{reason} (hint: {hint})")
                    }
                    other => other.to_string(),
                })
            })
            .collect()
    }))
}
