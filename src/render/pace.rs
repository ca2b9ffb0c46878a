//! How a step moves over its hosts, in words.

use super::document::hosts_in_words;
use super::inside::Inside;
use crate::model::{Rollout, Step};
use crate::vocab::HostName;

/// `On va-web{01..06}, one host at a time, va-web01 first. Wait 5s before the next.`
pub(super) fn pace(inside: &Inside<'_>, step: &Step, hosts: &[HostName], changes: bool, block: bool) -> String {
    let rollout = &step.rollout;
    let on = hosts_in_words(hosts);
    if hosts.len() < 2 {
        return format!("On {on}.");
    }
    let batch = rollout.batch.as_ref().map(|batch| inside.text(batch).trim().to_owned());
    let all = batch.as_deref() == Some("all") || (batch.is_none() && !changes && !block);
    let size: Option<usize> = batch.as_deref().map_or(Some(1), |batch| batch.parse().ok());
    let mut words = match (all, size) {
        (true, _) => format!("On all of {on}, in any order"),
        (false, Some(1)) => format!("On {on}, one host at a time"),
        (false, Some(size)) if size >= hosts.len() => format!("On all of {on}, in any order"),
        (false, Some(size)) => format!("On {on}, {size} hosts at a time"),
        (false, None) => format!("On {on}, {} hosts at a time", batch.unwrap_or_default()),
    };
    words.push_str(&canary(inside, rollout, hosts));
    words.push('.');
    if let Some(pause) = &rollout.pause {
        let (calm, urgent) = inside.setting(pause);
        let between = if size == Some(1) { "one host and the next" } else { "one batch and the next" };
        let in_words = |length: &str| match length {
            "0s" => "no wait".to_owned(),
            length => format!("wait {length}"),
        };
        match urgent {
            Some(urgent) => words.push_str(&format!(
                " Between {between} {}; in an emergency, {}.",
                in_words(&calm),
                in_words(&urgent)
            )),
            None if calm == "0s" => {}
            None => words.push_str(&format!(" Between {between} {}.", in_words(&calm))),
        }
    }
    if changes {
        let failures = rollout.max_failures.as_ref().map(|count| inside.text(count).trim().to_owned());
        words.push_str(&match failures.as_deref() {
            None | Some("0") => " Stop at the first host that fails.".to_owned(),
            Some(count) => format!(" {count} may fail; stop when it is more."),
        });
    }
    words
}

fn canary(inside: &Inside<'_>, rollout: &Rollout, hosts: &[HostName]) -> String {
    let first: Vec<HostName> = match (&rollout.canary_count, &rollout.canary) {
        (Some(count), _) => {
            let count = inside.text(count).trim().parse().unwrap_or(1);
            hosts.iter().take(count).cloned().collect()
        }
        (None, Some(pattern)) => {
            let named = inside.hosts(pattern);
            hosts.iter().filter(|host| named.contains(host)).cloned().collect()
        }
        (None, None) => return String::new(),
    };
    if first.is_empty() { String::new() } else { format!(", {} first", hosts_in_words(&first)) }
}
