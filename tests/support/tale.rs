//! What a run came to, told so that two runs can be compared: one that nothing disturbed, and one that was.
//!
//! How often something was tried, asked or looked at is left out: a disturbed run may look again. What was done, what is
//! known of it and in which order are the same, or the disturbance showed.

use std::collections::BTreeMap;

use super::lab::Lab;
use super::program::Program;

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tale {
    /// What its actions left on each host, line by line: each took effect so often, in this order.
    deeds: BTreeMap<String, Vec<String>>,
    /// Each step's last outcome.
    outcomes: BTreeMap<String, String>,
    /// Each captured value.
    captures: BTreeMap<String, String>,
    /// The order in which the steps ended on each host.
    order: BTreeMap<String, Vec<String>>,
}

/// The file on a host that an action of the run leaves its lines in: one a run, so that runs need no clean host.
pub const DEEDS: &str = "/root/deeds.${{ run.id }}";

impl Tale {
    /// Reads it from the newest run's journal and from these hosts, which are told by their places: the same may be done
    /// elsewhere.
    pub fn of(program: &Program, lab: &Lab, hosts: &[&str]) -> Self {
        let run = program.newest_id();
        let plain = |text: &str| {
            let numbered = hosts.iter().enumerate();
            numbered.fold(text.replace(&run, "RUN"), |text, (index, host)| text.replace(host, &format!("host{index}")))
        };
        let mut tale = Self::default();
        for host in hosts {
            let text = lab.sh(host, &format!("cat /root/*.{run} 2>/dev/null || true"));
            tale.deeds.insert(plain(host), text.lines().map(plain).collect());
        }
        let mut ends: Vec<(String, String)> = Vec::new();
        for (name, body) in program.events() {
            let (step, host) = (body["at"]["step"].as_str(), body["at"]["host"].as_str());
            let (Some(step), Some(host)) = (step, host) else { continue };
            let (step, host) = (step.to_owned(), plain(host));
            match name.as_str() {
                "step-ended" => {
                    tale.outcomes.insert(format!("{step}@{host}"), plain(&body["outcome"].to_string()));
                    ends.retain(|end| *end != (host.clone(), step.clone()));
                    ends.push((host, step));
                }
                "captured" => {
                    let name = body["name"].as_str().unwrap();
                    tale.captures.insert(format!("{step}@{host} {name}"), plain(&body["value"].to_string()));
                }
                _ => {}
            }
        }
        for (host, step) in ends {
            tale.order.entry(host).or_default().push(step);
        }
        tale
    }

    /// Where the other tells something else, one line each; empty when they are the same.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        compare("deeds", &self.deeds, &other.deeds, &mut found);
        compare("outcome", &self.outcomes, &other.outcomes, &mut found);
        compare("captured", &self.captures, &other.captures, &mut found);
        compare("order", &self.order, &other.order, &mut found);
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
