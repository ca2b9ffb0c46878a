//! Why an expectation does not hold, host by host.
//!
//! Apart because a precondition, a check, a floor and the last screen say the same thing in the same way, and because
//! twenty hosts that fail alike are one line, not twenty.

use super::line::{self, Line};
use super::style::Role;
use crate::event::HostVerdict;
use crate::vocab::fold_hosts;
use crate::vocab::{HostName, Verdict};

/// Whether the expectation holds: all of it, and at least something was judged.
pub fn hold(verdicts: &[HostVerdict]) -> bool {
    !verdicts.is_empty() && verdicts.iter().all(|one| one.verdict.holds())
}

/// Whether nothing was found against the expectation, and yet it does not hold: it could not be told.
pub fn undecided(verdicts: &[HostVerdict]) -> bool {
    let fails = |one: &HostVerdict| matches!(one.verdict, Verdict::Fails { .. });
    !hold(verdicts) && !verdicts.iter().any(fails)
}

/// The hosts on which it does not hold, folded; empty when that is said of no host in particular.
pub fn where_not(verdicts: &[HostVerdict]) -> String {
    fold_hosts(verdicts.iter().filter(|one| !one.verdict.holds()).filter_map(|one| one.host.as_ref()))
}

/// A line for each reason why it does not hold, its hosts in front.
pub fn reasons(verdicts: &[HostVerdict]) -> Vec<Line> {
    let mut groups: Vec<(Vec<&HostName>, String)> = Vec::new();
    for one in verdicts {
        let Some(why) = why(&one.verdict) else { continue };
        match groups.iter_mut().find(|(_, before)| *before == why) {
            Some((hosts, _)) => hosts.extend(one.host.as_ref()),
            None => groups.push((one.host.iter().collect(), why)),
        }
    }
    let groups: Vec<(String, String)> =
        groups.into_iter().map(|(hosts, why)| (fold_hosts(hosts.iter().copied()), why)).collect();
    let column = groups.iter().map(|(hosts, _)| line::width(hosts)).max().unwrap_or(0).min(32);
    let mut lines = Vec::new();
    for (hosts, why) in groups {
        for (at, text) in Line::each(Role::Text, &why).into_iter().enumerate() {
            let front = if at == 0 { hosts.as_str() } else { "" };
            let front = Line::new().with(Role::Host, front).padded(column);
            let gap = if column == 0 { "" } else { "   " };
            lines.push(front.with(Role::Text, gap).and(text));
        }
    }
    lines
}

/// The first reason on one line, for where there is room for no more.
pub fn in_short(verdicts: &[HostVerdict]) -> String {
    let mut reasons: Vec<String> = Vec::new();
    for one in verdicts {
        for line in why(&one.verdict).unwrap_or_default().lines() {
            reasons.push(match &one.host {
                Some(host) => format!("{host}: {line}"),
                None => line.to_owned(),
            });
        }
    }
    match reasons.as_slice() {
        [] if hold(verdicts) => String::new(),
        [] => "nothing was judged".to_owned(),
        [only] => only.clone(),
        [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
    }
}

fn why(verdict: &Verdict) -> Option<String> {
    match verdict {
        Verdict::Holds => None,
        Verdict::Fails { why } => Some(why.clone()),
        Verdict::Unknown { why } if why.starts_with("unknown") => Some(why.clone()),
        Verdict::Unknown { why } => Some(format!("unknown: {why}")),
    }
}
