//! What became of each step on each host, as small as it can be said.
//!
//! Apart because it has two forms: a table when several steps went differently on several hosts and it fits, a list
//! grouped by outcome otherwise; both fold hosts.

use super::line::{self, Line};
use super::story::{Fate, Story};
use super::style::{Mark, Role, Styles};
use super::table::{Cell, Fit, Table};
use crate::event::StepEntry;
use crate::vocab::fold_hosts;
use crate::vocab::{HostName, StepHost};

impl Fate {
    /// Its symbol.
    pub fn mark(&self) -> Mark {
        match self {
            Self::Ok => Mark::Ok,
            Self::Running | Self::InDoubt(_) => Mark::Doubt,
            Self::Unchecked => Mark::Warning,
            Self::Failed(_) => Mark::Failed,
            Self::Skipped(_) | Self::Excluded(_) | Self::NotRun => Mark::Left,
        }
    }

    /// Its word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Running | Self::InDoubt(_) => "in doubt",
            Self::Unchecked => "not checked",
            Self::Failed(_) => "failed",
            Self::Skipped(_) => "skipped",
            Self::Excluded(_) => "excluded",
            Self::NotRun => "not run",
        }
    }

    /// Why, where there is more to say here: a doubt is explained in a part of its own.
    fn in_short(&self) -> &str {
        match self {
            Self::Running | Self::InDoubt(_) => "",
            Self::Ok | Self::NotRun | Self::Unchecked | Self::Failed(_) | Self::Skipped(_) | Self::Excluded(_) => {
                self.why()
            }
        }
    }

    /// Why, where there is more to say.
    pub fn why(&self) -> &str {
        match self {
            Self::Ok | Self::NotRun => "",
            Self::Running => "it was sent, and its end was not learned",
            Self::Unchecked => "it ended, and its checks were not finished",
            Self::Failed(why) | Self::InDoubt(why) | Self::Skipped(why) | Self::Excluded(why) => why,
        }
    }
}

/// The tally of a run; nothing when no step ever began.
pub fn tally(story: &Story, columns: Option<usize>, styles: &Styles) -> Vec<Line> {
    let steps = story.steps();
    let begun = story.state().is_some_and(|state| !state.steps.is_empty());
    if !begun {
        return Vec::new();
    }
    let mut hosts: Vec<&HostName> = Vec::new();
    for host in steps.iter().flat_map(|step| &step.hosts) {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    // where each step went the same way everywhere the list is shorter and says more
    let mixed = steps.iter().any(|step| groups(story, step).len() > 1);
    if mixed && steps.len() > 1 && hosts.len() > 1 {
        let table = table(story, &steps, &hosts, styles);
        let fits = columns.is_none_or(|most| table.iter().all(|line| line.width() <= most));
        if fits {
            return [table, reasons(story, &steps, columns, styles)].concat();
        }
    }
    list(story, &steps, columns, styles)
}

fn table(story: &Story, steps: &[&StepEntry], hosts: &[&HostName], styles: &Styles) -> Vec<Line> {
    let mut names = vec![String::new()];
    names.extend(hosts.iter().map(ToString::to_string));
    let mut table = Table::new(names);
    for step in steps {
        let mut cells = vec![Cell::new(Role::Heading, step.id.as_str())];
        for host in hosts {
            cells.push(if step.hosts.contains(host) {
                let fate = story.fate(&StepHost::new(step.id.clone(), (*host).clone()));
                Cell::new(fate.mark().role(), format!("{} {}", styles.symbol(fate.mark()), fate.word()))
            } else {
                Cell::new(Role::Dim, "")
            });
        }
        table.row(cells);
    }
    table.lines(Fit::Whole, styles).into_iter().map(|line| line.indented(2)).collect()
}

/// Why, for all that is not simply well or never run.
fn reasons(story: &Story, steps: &[&StepEntry], columns: Option<usize>, styles: &Styles) -> Vec<Line> {
    let mut lines = Vec::new();
    for step in steps {
        for (fate, hosts) in groups(story, step) {
            if fate.in_short().is_empty() {
                continue;
            }
            let line = Line::text("  ")
                .and(Line::marked(fate.mark(), styles))
                .with(Role::Heading, step.id.as_str())
                .with(Role::Text, " on ")
                .with(Role::Host, &fold_hosts(hosts))
                .with(Role::Text, &format!(" {}: {}", fate.word(), fate.in_short()));
            lines.extend(line.wrap(columns, 6));
        }
    }
    lines
}

fn list(story: &Story, steps: &[&StepEntry], columns: Option<usize>, styles: &Styles) -> Vec<Line> {
    let front = steps.iter().map(|step| line::width(step.id.as_str())).max().unwrap_or(0).min(24);
    let words = steps.iter().flat_map(|step| groups(story, step)).map(|(fate, _)| fate.word().len()).max().unwrap_or(0);
    let before_hosts = front + words + 8;
    let mut lines = Vec::new();
    for step in steps {
        for (at, (fate, hosts)) in groups(story, step).into_iter().enumerate() {
            let name = if at == 0 { step.id.as_str() } else { "" };
            let mut line = Line::text("  ")
                .and(Line::new().with(Role::Heading, name).padded(front))
                .with(Role::Text, "  ")
                .and(Line::marked(fate.mark(), styles))
                .with(fate.mark().role(), fate.word())
                .padded(before_hosts)
                .with(Role::Host, &fold_hosts(hosts));
            if !fate.in_short().is_empty() {
                line.push(Role::Text, "  ");
                line.push(Role::Text, fate.in_short());
            }
            lines.extend(line.wrap(columns, before_hosts));
        }
    }
    lines
}

/// The hosts of a step by what became of them, in the order of the plan.
pub fn groups<'a>(story: &Story, step: &'a StepEntry) -> Vec<(Fate, Vec<&'a HostName>)> {
    let mut groups: Vec<(Fate, Vec<&HostName>)> = Vec::new();
    for host in &step.hosts {
        let fate = story.fate(&StepHost::new(step.id.clone(), host.clone()));
        match groups.iter_mut().find(|(before, _)| *before == fate) {
            Some((_, hosts)) => hosts.push(host),
            None => groups.push((fate, vec![host])),
        }
    }
    groups
}
