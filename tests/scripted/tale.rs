//! What a run came to, told so that two runs can be compared: one that nothing disturbed, and one that was.
//!
//! How often something was asked or looked at is left out: a disturbed run may look again. What was done, what is known
//! of it and in which order are the same, or the disturbance showed.

use std::collections::BTreeMap;

use runbook::event::Event;
use runbook::journal::MemoryLog;
use runbook::transport::Scripted;
use runbook::transport::scripted::Kind;

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tale {
    /// What took effect on each host, in order.
    pub effects: BTreeMap<String, Vec<String>>,
    /// Each step's last outcome.
    pub outcomes: BTreeMap<String, String>,
    /// Each captured value.
    pub captures: BTreeMap<String, String>,
    /// Locks that are still held, and by whom.
    pub locks: BTreeMap<String, String>,
    /// Receipts that are still there.
    pub receipts: Vec<String>,
}

impl Tale {
    /// Reads it from what was written, and from the hosts.
    pub fn of(log: &MemoryLog, fleet: &Scripted, hosts: &[&str]) -> Self {
        let mut tale = Self::default();
        for effect in fleet.effects() {
            let what = match &effect.step {
                Some(step) if effect.kind == Kind::Act => format!("{step}: {}", effect.text),
                _ => effect.text,
            };
            tale.effects.entry(effect.host.to_string()).or_default().push(what);
        }
        for event in log.events() {
            match event {
                Event::StepEnded { at, outcome } => drop(tale.outcomes.insert(at.to_string(), format!("{outcome:?}"))),
                Event::Captured { at, name, value } => {
                    tale.captures.insert(format!("{at} {name}"), value.to_string());
                }
                _ => {}
            }
        }
        let holders = hosts.iter().filter_map(|host| Some(((*host).to_owned(), fleet.lock_of(host)?.words())));
        tale.locks.extend(holders);
        tale.receipts = fleet.receipts_kept();
        tale
    }

    /// Where the other tells something else, one line each; empty when they are the same.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        compare("effects", &self.effects, &other.effects, &mut found);
        compare("outcome", &self.outcomes, &other.outcomes, &mut found);
        compare("captured", &self.captures, &other.captures, &mut found);
        compare("lock of", &self.locks, &other.locks, &mut found);
        if self.receipts != other.receipts {
            found.push(format!("receipts: {:?} instead of {:?}", other.receipts, self.receipts));
        }
        found
    }
}

fn compare<T: std::fmt::Debug + PartialEq>(
    what: &str,
    wanted: &BTreeMap<String, T>,
    found: &BTreeMap<String, T>,
    out: &mut Vec<String>,
) {
    let mut names: Vec<&String> = wanted.keys().chain(found.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let (wanted, found) = (wanted.get(name), found.get(name));
        if wanted != found {
            let show = |value: Option<&T>| value.map_or("nothing".to_owned(), |value| format!("{value:?}"));
            out.push(format!("{what} {name}: {} instead of {}", show(found), show(wanted)));
        }
    }
}
