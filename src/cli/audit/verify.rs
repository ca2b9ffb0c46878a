//! `runbook audit verify`

use std::collections::BTreeMap;
use std::path::Path;

use super::super::app::{Format, Global};
use super::super::context::{self, Context};
use super::super::error::CliError;
use super::super::resume::find;
use super::super::{conduct, exit, identity, seal, view};
use super::against_hosts;
use super::filter::FilterArgs;
use crate::audit::{Asked, Finding, Proof, Sight, Signer, Signers, survey};
use crate::journal::{Integrity, Store};
use crate::model::Inventory;
use crate::report::words::count;
use crate::report::{Role, Styles};
use crate::vocab::neutral::one_line;
use crate::vocab::{Clock as _, HostName, RunId, SystemClock, fold_hosts};

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
    /// Faults that others show.
    beyond: usize,
    asked: Option<Asked>,
}

pub(super) fn verify(global: &Global, store: &Store, args: &Args) -> Result<u8, CliError> {
    if args.all && !args.filter.is_empty() {
        return Err(CliError::usage("--all is every run, and the chains through them")
            .hint("leave out --all to verify the runs that fit"));
    }
    if args.run.is_some() && !args.filter.is_empty() {
        return Err(CliError::usage("verify one run, or all that fit").hint("leave out the run, or what chooses runs"));
    }
    let signers = seal::signers(global)?;
    if args.require_signatures && !signers.are_known() {
        return Err(CliError::usage("--require-signatures needs to know whose signatures count")
            .hint("name the file of allowed signers: --signers FILE, or `allowed_signers` in the book"));
    }
    let mut teller = Teller::new(global, args);
    if args.all {
        teller.asked = args.against_hosts.then(|| ask(global, None, store)).transpose()?;
        let asked = teller.asked.clone();
        survey(store, &signers, asked.as_ref(), |sight| match sight {
            Sight::Run(proof) => teller.tell(&proof),
            Sight::Shown(run, findings) => teller.tell_of(&run, &findings),
            Sight::PrunedLine(why) => teller.fault(None, "broken", &format!("pruned.jsonl: a line is broken: {why}")),
        })?;
    } else if args.run.is_none() && !args.filter.is_empty() {
        let filter = args.filter.filter(global)?;
        for indexed in store.by_journals()?.iter().filter(|indexed| filter.takes(indexed)) {
            one(global, store, &indexed.run, &signers, &mut teller)?;
        }
    } else {
        let run = find(store, args.run.as_deref().unwrap_or("latest"))?;
        one(global, store, &run, &signers, &mut teller)?;
    }
    teller.end(store, &signers)
}

/// There is no record at all: what hosts have stamps of is missing.
pub(super) fn nothing(global: &Global, dir: &Path, args: &Args) -> Result<Option<u8>, CliError> {
    if !args.against_hosts {
        return Ok(None);
    }
    let record = format!("{}:{}", identity::admin_host(), super::super::run::absolute(dir));
    let inventory = Context::open(global)?.inventory;
    let asked = ask_all(global, &inventory, record)?;
    let mut teller = Teller::new(global, args);
    for run in crate::audit::against_hosts::missing(&asked.record, |_| false, &asked.seen) {
        teller.tell_of(&run.run.clone(), &[Finding::MissingByHosts(run)]);
    }
    teller.asked = Some(asked);
    Ok((teller.faults > 0).then_some(exit::JOURNAL))
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
        let asked = ask(global, Some(run), store)?;
        proof.beside(store, &asked);
        teller.asked = Some(asked);
    }
    teller.tell(&proof);
    if let Some(link) = &proof.link {
        teller.tell_of(&link.run, &crate::audit::before(store, run, link)?);
    }
    Ok(())
}

/// Asks hosts for their stamps: those that a run changed, or all of the inventory.
fn ask(global: &Global, run: Option<&RunId>, store: &Store) -> Result<Asked, CliError> {
    let record = context::record_of(store);
    let inventory = Context::open(global)?.inventory;
    let Some(run) = run else { return ask_all(global, &inventory, record) };
    let hosts = Proof::changed_hosts(store, run);
    let at = SystemClock.now();
    let seen = conduct::runtime()?.block_on(against_hosts::ask(&inventory, hosts, Some(run)));
    Ok(Asked { record, at, seen })
}

fn ask_all(global: &Global, inventory: &Inventory, record: String) -> Result<Asked, CliError> {
    let all = inventory.select("all").map_err(CliError::usage)?;
    let hosts = all.into_iter().chain([HostName::here()]).collect();
    let at = SystemClock.now();
    let seen = conduct::runtime()?.block_on(against_hosts::ask(inventory, hosts, None));
    let asked = Asked { record, at, seen };
    let beyond = asked.seen.iter().any(|(host, seen)| !host.is_here() && seen.is_ok());
    if !beyond && asked.seen.len() > 1 {
        let why = asked.seen.values().find_map(|seen| seen.as_ref().err()).cloned().unwrap_or_default();
        return Err(CliError::new(exit::FAILED, format!("no host could be asked for its stamps: {why}"))
            .hint(format!("`{} hosts --ping` says which can be reached", conduct::program(global))));
    }
    Ok(asked)
}

impl<'a> Teller<'a> {
    fn new(global: &'a Global, args: &'a Args) -> Self {
        Self {
            global,
            args,
            styles: view::stdout_styles(global),
            documents: Vec::new(),
            tally: BTreeMap::new(),
            runs: 0,
            faults: 0,
            beyond: 0,
            asked: None,
        }
    }

    /// Tells what a run shows of itself.
    fn tell(&mut self, proof: &Proof) {
        let findings = &proof.findings;
        let running = matches!(findings.first(), Some(Finding::Journal(Integrity::Unfinished { running: true })));
        let unsigned = self.args.require_signatures && !running && !proof.is_signed();
        let faults: Vec<&Finding> = findings.iter().filter(|found| found.is_fault()).collect();
        let ok = faults.is_empty() && !unsigned;
        // what a seal shows says more than a missing end
        let without_end =
            |fault: &Finding| matches!(fault, Finding::Journal(Integrity::Unfinished { .. } | Integrity::Torn { .. }));
        let gravest = faults.iter().find(|fault| !without_end(fault)).or(faults.first());
        let word = match gravest {
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
            lines.push(in_order(findings, self.args.all));
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
            self.beyond += 1;
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
            let parts: Vec<String> =
                self.tally.iter().map(|(word, number)| format!("{number} {}", word.replace('-', " "))).collect();
            let parts = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
            let beyond = match self.beyond {
                0 => String::new(),
                faults => format!("; others show {}", count(faults, "fault")),
            };
            data.sink().write(&format!(
                "{} of {}, in {}{parts}{beyond}\n",
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
        if let Some(asked) = &self.asked
            && self.args.all
            && self.global.format == Format::Text
        {
            let (answered, silent) = asked.tally();
            if !self.args.quiet || silent > 0 {
                let out = crate::report::Sink::stderr();
                out.write(&format!(
                    "{} asked for their stamps, {silent} could not be\n",
                    count(answered + silent, "host")
                ));
                let silent = asked.seen.iter().filter_map(|(host, seen)| Some((host, seen.as_ref().err()?)));
                for (host, why) in silent {
                    out.write(&format!("not asked: {host}: {}\n", one_line(why)));
                }
            }
        }
        Ok(if self.faults == 0 { exit::OK } else { exit::JOURNAL })
    }
}

/// What is said of a run without a fault: its state, what hosts say of it, and who signed the last seal, which is over all
/// before it; of `many` runs without the key.
fn in_order(findings: &[Finding], many: bool) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut hosts: Vec<(String, Vec<HostName>)> = Vec::new();
    for found in findings {
        match found {
            Finding::Signed { .. } => {}
            // hosts that say the same are told as one
            Finding::Host { host, says } => match hosts.iter_mut().find(|(said, _)| *said == says.to_string()) {
                Some((_, alike)) => alike.push(host.clone()),
                None => hosts.push((says.to_string(), vec![host.clone()])),
            },
            other => parts.push(other.to_string()),
        }
    }
    let signer = findings.iter().rev().find_map(|found| match found {
        Finding::Signed { signer, .. } => Some(signer),
        _ => None,
    });
    let unsealed = Signer::Nobody("no seal yet".to_owned());
    parts.push(match signer.unwrap_or(&unsealed) {
        Signer::Allowed { principal, .. } if many => format!("signed by {principal}"),
        signer => signer.to_string(),
    });
    parts.extend(hosts.into_iter().map(|(said, hosts)| format!("{}: {said}", fold_hosts(&hosts))));
    parts.join(", ")
}
