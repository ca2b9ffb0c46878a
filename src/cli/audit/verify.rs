//! `runbook audit verify`

use std::collections::BTreeMap;

use super::super::app::{Format, Global};
use super::super::context::Context;
use super::super::error::CliError;
use super::super::resume::find;
use super::super::{conduct, exit, identity, seal, view};
use super::against_hosts;
use super::filter::FilterArgs;
use crate::audit::{Finding, Proof, Seen, Sight, Signer, Signers, survey};
use crate::journal::Store;
use crate::report::words::count;
use crate::report::{Role, Styles};
use crate::vocab::neutral::one_line;
use crate::vocab::{HostName, RunId};

/// Verify that records are whole: every byte, the seals, who signed them, that no run is missing
///
/// A run is intact when each record and each file beside its journal is as it was written, when its seals say the same, and
/// when those who signed them may. Exit status 7 unless all that was looked at is intact. A run that is unsigned is said to
/// be so, and is no fault without --require-signatures. What this cannot show is in docs/audit.md.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  runbook audit verify                         the latest run
  runbook audit verify 20261122T0315
  runbook audit verify --all                   every run, and the chains through them
  runbook audit verify --all --against-hosts   also beside the hosts' own logs
  runbook audit verify --all --quiet           only what is wrong, for cron
  runbook audit verify --all --signers /etc/runbook/allowed_signers --require-signatures")]
pub(super) struct Args {
    /// The run: its id, a unique beginning of it, or `latest`
    #[arg(conflicts_with = "all")]
    run: Option<String>,
    /// Every run, and whether one is missing
    #[arg(long)]
    all: bool,
    /// Compare with the stamps that runs left in the logs of the hosts they changed: asks the hosts
    #[arg(long)]
    against_hosts: bool,
    /// An unsigned run is a fault
    #[arg(long)]
    require_signatures: bool,
    /// Say only what is wrong
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    filter: FilterArgs,
}

/// What was found, as it is told.
struct Teller<'a> {
    global: &'a Global,
    args: &'a Args,
    styles: Styles,
    documents: Vec<serde_json::Value>,
    tally: BTreeMap<&'static str, usize>,
    runs: usize,
    faults: usize,
}

pub(super) fn verify(global: &Global, store: &Store, args: &Args) -> Result<u8, CliError> {
    let signers = seal::signers(global)?;
    let styles = view::stdout_styles(global);
    let mut teller = Teller { global, args, styles, documents: Vec::new(), tally: BTreeMap::new(), runs: 0, faults: 0 };
    if args.all {
        let seen = args.against_hosts.then(|| ask(global, None, store)).transpose()?;
        let admin_host = identity::admin_host();
        survey(store, &signers, seen.as_ref().map(|seen| (admin_host.as_str(), seen)), |sight| match sight {
            Sight::Run(proof) => teller.tell(&proof),
            Sight::Shown(run, findings) => teller.tell_of(&run, &findings),
            Sight::PrunedLine(why) => teller.fault(None, "broken", &format!("pruned.jsonl: a line is broken: {why}")),
        })?;
    } else if args.run.is_none() && !args.filter.is_empty() {
        let filter = args.filter.filter(global)?;
        // by the journals: what proves believes no index
        for indexed in store.by_journals()?.iter().filter(|indexed| filter.takes(indexed)) {
            one(global, store, &indexed.run, &signers, &mut teller)?;
        }
    } else {
        let run = find(store, args.run.as_deref().unwrap_or("latest"))?;
        one(global, store, &run, &signers, &mut teller)?;
    }
    teller.end(store, &signers)
}

/// One run, and whether the one that it names is there.
fn one(
    global: &Global,
    store: &Store,
    run: &RunId,
    signers: &Signers,
    teller: &mut Teller<'_>,
) -> Result<(), CliError> {
    let mut proof = Proof::of(store, run, signers);
    if teller.args.against_hosts {
        proof.beside(store, &ask(global, Some(run), store)?);
    }
    teller.tell(&proof);
    if let Some(link) = &proof.link {
        teller.tell_of(&link.run, &crate::audit::before(store, run, link)?);
    }
    Ok(())
}

/// Asks hosts for their stamps: those that a run changed, or all of the inventory.
fn ask(global: &Global, run: Option<&RunId>, store: &Store) -> Result<Seen, CliError> {
    let inventory = Context::open(global)?.inventory;
    let hosts = if let Some(run) = run {
        Proof::changed_hosts(store, run)
    } else {
        let all = inventory.select("all").map_err(CliError::usage)?;
        all.into_iter().chain([HostName::here()]).collect()
    };
    Ok(conduct::runtime()?.block_on(against_hosts::ask(&inventory, hosts, run)))
}

impl Teller<'_> {
    /// Tells what a run shows of itself.
    fn tell(&mut self, proof: &Proof) {
        let findings = &proof.findings;
        let unsigned = self.args.require_signatures && !proof.is_signed();
        let faults: Vec<&Finding> = findings.iter().filter(|found| found.is_fault()).collect();
        let ok = faults.is_empty() && !unsigned;
        let word = match faults.first() {
            Some(fault) => fault.word(),
            None if unsigned => "unsigned",
            None => findings.first().map_or("intact", Finding::word),
        };
        *self.tally.entry(word).or_default() += 1;
        self.runs += 1;
        self.faults += usize::from(!ok);
        if self.global.format == Format::Json {
            let found: Vec<_> = findings
                .iter()
                .map(|found| serde_json::json!({"finding": found.word(), "says": found.to_string(), "fault": found.is_fault()}))
                .collect();
            self.documents.push(serde_json::json!({
                "run": proof.run, "ok": ok, "verdict": word, "signed": proof.is_signed(), "records": proof.records,
                "findings": found,
            }));
            return;
        }
        if ok && self.args.quiet {
            return;
        }
        let mut lines: Vec<String> = Vec::new();
        if faults.is_empty() {
            lines.push(in_order(findings));
        } else {
            lines.extend(faults.iter().map(ToString::to_string));
        }
        if unsigned && faults.is_empty() {
            lines.push("it must be signed: --require-signatures".to_owned());
        }
        let role = if ok { Role::Ok } else { Role::Failed };
        let data = view::data();
        for (index, line) in lines.iter().enumerate() {
            let run = if index == 0 { proof.run.to_string() } else { " ".repeat(proof.run.as_str().len()) };
            let painted = self.styles.paint(if index == 0 { role } else { Role::Text }, &one_line(line));
            data.sink().write(&format!("{run}  {painted}\n"));
        }
    }

    /// Tells what others show of a run.
    fn tell_of(&mut self, run: &RunId, findings: &[Finding]) {
        for finding in findings {
            *self.tally.entry(finding.word()).or_default() += 1;
            self.fault(Some(run), finding.word(), &finding.to_string());
        }
    }

    /// Tells a fault.
    fn fault(&mut self, run: Option<&RunId>, word: &str, text: &str) {
        self.faults += 1;
        if self.global.format == Format::Json {
            let found = serde_json::json!([{"finding": word, "says": text, "fault": true}]);
            self.documents.push(serde_json::json!({"run": run, "ok": false, "verdict": word, "findings": found}));
            return;
        }
        let run = run.map(|run| format!("{run}  ")).unwrap_or_default();
        view::data().sink().write(&format!("{run}{}\n", self.styles.paint(Role::Failed, &one_line(text))));
    }

    fn end(self, store: &Store, signers: &Signers) -> Result<u8, CliError> {
        let data = view::data();
        if self.global.format == Format::Json {
            data.json(&self.documents);
        } else if self.args.all && !(self.args.quiet && self.faults == 0) {
            let parts: Vec<String> = self.tally.iter().map(|(word, number)| format!("{number} {word}")).collect();
            let parts = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
            data.sink().write(&format!(
                "{} of {}, in {}{parts}\n",
                count(self.runs, "run"),
                identity::admin_host(),
                one_line(&store.path().display().to_string())
            ));
            if !signers.are_known() {
                data.sink().write(
                    "no file of allowed signers: whose the signatures are is not known (--signers, or allowed_signers in the book)\n",
                );
            }
        }
        Ok(if self.faults == 0 { exit::OK } else { exit::JOURNAL })
    }
}

/// What is said of a run without a fault: its state, and who signed the last seal, which is over all before it.
fn in_order(findings: &[Finding]) -> String {
    let mut parts = Vec::new();
    for found in findings {
        match found {
            Finding::Signed { .. } => {}
            other => parts.push(other.to_string()),
        }
    }
    let signer = findings.iter().rev().find_map(|found| match found {
        Finding::Signed { signer, .. } => Some(signer),
        _ => None,
    });
    let unsealed = Signer::Nobody("no seal yet".to_owned());
    parts.push(signer.unwrap_or(&unsealed).to_string());
    parts.join(", ")
}
