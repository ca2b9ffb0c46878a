//! The stamps of a run, left in the syslogs of the hosts that it changed once a stretch has come to its end.
//!
//! Apart from `perform` because nothing depends on it: the run is over and recorded. Whoever rewrites the journal later does
//! not reach these lines.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::timeout;

use super::ending::{Ending, Performed};
use super::perform::Crew;
use crate::event::changed;
use crate::vocab::neutral::one_line;
use crate::vocab::{HostName, Masker, Stamp, StepId};

/// What leaving the stamps of one host may take.
const STAMP: Duration = Duration::from_secs(10);

/// How many characters a seal has of why a host has no stamp.
const LONGEST_WHY: usize = 200;

/// Leaves the stamps of the run, of all its stretches, on all hosts at once; and takes its receipts away where it ended well.
///
/// A host that did not answer when it was to give its lock back (`silent`) is not waited for again.
pub(super) async fn leave(crew: &Crew<'_>, ending: Ending, silent: &BTreeSet<HostName>) -> Performed {
    let stamps = stamps(crew).await;
    let tidied = if ending == Ending::Done { crew.plan.changed_hosts() } else { Vec::new() };
    let hosts: BTreeSet<&HostName> = stamps.keys().chain(&tidied).collect();
    let leaving = hosts.into_iter().map(|host| {
        let (stamps, tidied) = (stamps.get(host), tidied.contains(host));
        async move {
            let left = match stamps {
                Some(_) if silent.contains(host) => {
                    Some(Err("it did not answer when its lock was to be given back".to_owned()))
                }
                Some(stamps) => Some(leave_on(crew, host, stamps).await),
                None => None,
            };
            if tidied {
                crew.fleet.tidy(crew.plan.host(host), &crew.run).await;
            }
            (host.clone(), left)
        }
    });
    let mut performed = Performed { ending, stamped: Vec::new(), unstamped: Vec::new() };
    for (host, left) in futures_util::future::join_all(leaving).await {
        match left {
            Some(Ok(())) => performed.stamped.push(host),
            Some(Err(why)) => {
                let why = told(crew.recorder.masker(), &why);
                tracing::info!(%host, why, "its syslog has no stamp of this run");
                performed.unstamped.push((host, why));
            }
            None => {}
        }
    }
    performed
}

/// What a host said, as it gets into the seal: without secrets, on one line, and not longer than a line.
fn told(masker: &Masker, why: &str) -> String {
    let why = one_line(&masker.mask(why));
    let mut rest = why.char_indices().skip(LONGEST_WHY - 1);
    match (rest.next(), rest.next()) {
        (Some((cut, _)), Some(_)) => format!("{}…", &why[..cut]),
        (Some(_) | None, _) => why,
    }
}

async fn leave_on(crew: &Crew<'_>, host: &HostName, stamps: &[Stamp]) -> Result<(), String> {
    // a resume with accepted changes may have no such host any more
    let target = crew.plan.hosts.get(host).ok_or("the plan does not have it any more")?;
    match timeout(STAMP, crew.fleet.stamp(target, stamps)).await {
        Ok(left) => left.map_err(|fault| fault.why()),
        Err(_) => Err("it did not answer in time".to_owned()),
    }
}

/// What is to be left where.
async fn stamps(crew: &Crew<'_>) -> BTreeMap<HostName, Vec<Stamp>> {
    let (changed, runbook, admin_host) = crew
        .recorder
        .state(|state| (changed(state), state.opened.runbook.clone(), state.opened.admin_host.clone()))
        .await;
    // users of one machine keep records of their own
    let admin_host = crew.options.record.iter().fold(admin_host, |host, record| format!("{host}:{record}"));
    let (records, head) = crew.recorder.head().await;
    // the journal's own words are masked already
    let operator = crew.recorder.masker().mask(&crew.options.operator);
    let stamp = |(step, outcome): (&StepId, &&str)| Stamp {
        run: crew.run.clone(),
        records,
        head: head.clone(),
        runbook: runbook.clone(),
        operator: operator.clone(),
        admin_host: admin_host.clone(),
        step: step.to_string(),
        outcome: (*outcome).to_owned(),
    };
    changed.iter().map(|(host, steps)| (host.clone(), steps.iter().map(stamp).collect())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_said_is_masked_and_fits_a_line() {
        let masker = Masker::new(["hunter2-hunter2"]);
        let said = told(&masker, "no /dev/log\nhunter2-hunter2\u{1b}[2J\n");
        assert!(said.starts_with("no /dev/log⏎") && !said.contains("hunter2") && !said.contains(char::is_control));
        // the mask comes before the cut: half a secret is one
        let long = told(&masker, &format!("{}hunter2-hunter2, and so on", "é".repeat(LONGEST_WHY - 4)));
        assert!(long.ends_with('…') && !long.contains("hun"), "{long}");
        assert_eq!(long.chars().count(), LONGEST_WHY);
        let fits = "é".repeat(LONGEST_WHY);
        assert_eq!(told(&masker, &fits), fits);
    }
}
