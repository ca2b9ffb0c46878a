//! What stands out in a run, in a few lines that lead to it.

use std::collections::BTreeMap;

use super::html::{Html, id_of};
use super::steps::Chapters;
use crate::event::{Event, Found};
use crate::report::story::{Fate, Story};
use crate::report::style::Mark;
use crate::report::tally::groups;
use crate::report::words::{choice_words, count, override_words};
use crate::report::{elapsed, verdicts};
use crate::vocab::{HostName, StepHost, fold_hosts};

/// How many lines of one kind are written.
const MOST: usize = 40;

/// One thing that stands out, and the section that tells it.
struct Item {
    mark: Mark,
    text: String,
    to: String,
}

/// Writes what stands out; what failed comes first.
pub(super) fn write(html: &mut Html, told: &Chapters) {
    let mut items = failures(told);
    items.extend(events(told));
    let fates = fates(told);
    if !fates.is_empty() {
        html.paragraph(&format!("{fates}."));
    }
    if items.is_empty() {
        html.paragraph("Nothing stood out: no failure, no override, no interruption, no second try.");
        return;
    }
    html.open("ul", &[("class", "glance")]);
    for item in items {
        html.open("li", &[]).mark(item.mark).link(&item.to, &item.text).end("li");
    }
    html.end("ul");
}

/// How many steps on how many hosts, and what became of them.
fn fates(told: &Chapters) -> String {
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut hosts: Vec<&HostName> = Vec::new();
    let steps = told.story.steps();
    for step in &steps {
        for host in &step.hosts {
            let at = StepHost::new(step.id.clone(), host.clone());
            *counts.entry(told.story.fate(&at).word()).or_default() += 1;
            hosts.push(host);
        }
    }
    hosts.sort();
    hosts.dedup();
    if counts.is_empty() {
        return String::new();
    }
    let parts: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    format!("{} on {}: {}", count(steps.len(), "step"), count(hosts.len(), "host"), parts.join(", "))
}

fn failures(told: &Chapters) -> Vec<Item> {
    let mut items = Vec::new();
    let story = told.story;
    for unmet in story.unmet() {
        let text = format!("precondition {} did not hold: {}", unmet.id, verdicts::in_short(unmet.verdicts));
        items.push(Item { mark: Mark::Failed, text, to: "before".to_owned() });
    }
    for step in story.steps() {
        for (fate, hosts) in groups(story, step) {
            if !matches!(fate, Fate::Failed(_) | Fate::InDoubt(_) | Fate::Running | Fate::Unchecked) {
                continue;
            }
            let Some(first) = hosts.first() else { continue };
            let to = id_of(&StepHost::new(step.id.clone(), (*first).clone()));
            let text = format!("{} {} on {}: {}", step.id, fate.word(), fold_hosts(hosts), fate.why());
            items.push(Item { mark: fate.mark(), text, to });
        }
    }
    for (says, verdicts) in story.failed_checks() {
        let text = format!("a check of the whole run does not hold: {} {}", says.trim(), verdicts::in_short(verdicts));
        items.push(Item { mark: Mark::Failed, text, to: "checks".to_owned() });
    }
    items.extend(overcome(story));
    items.truncate(MOST);
    items
}

/// What failed and went well later: in a resume, or because somebody chose to try again.
fn overcome(story: &Story) -> Vec<Item> {
    let mut told: Vec<(StepHost, Fate, Vec<HostName>)> = Vec::new();
    for (at, fate) in story.overcome() {
        match told.iter_mut().find(|(first, known, _)| first.step == at.step && *known == fate) {
            Some((_, _, hosts)) => hosts.push(at.host),
            None => told.push((at.clone(), fate, vec![at.host])),
        }
    }
    let step = |(first, fate, hosts): (StepHost, Fate, Vec<HostName>)| Item {
        mark: Mark::Warning,
        text: format!("{} {} on {} before it went well: {}", first.step, fate.word(), fold_hosts(&hosts), fate.why()),
        to: id_of(&first),
    };
    let mut items: Vec<Item> = told.into_iter().map(step).collect();
    let mut checks: BTreeMap<usize, &str> = BTreeMap::new();
    for (_, event) in story.records() {
        if let Event::CheckJudged { at: None, check, says, verdicts, .. } = event
            && !verdicts::hold(verdicts)
        {
            checks.insert(*check, says.trim());
        }
    }
    let still: Vec<&str> = story.failed_checks().into_iter().map(|(says, _)| says.trim()).collect();
    for says in checks.into_values().filter(|says| !still.contains(says)) {
        let text = format!("a check of the whole run did not hold at first: {says}");
        items.push(Item { mark: Mark::Warning, text, to: "checks".to_owned() });
    }
    items
}

/// What happened on the way, in its order.
fn events(told: &Chapters) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut retried: Vec<StepHost> = Vec::new();
    let mut cut: Vec<StepHost> = Vec::new();
    let mut say = |mark: Mark, to: String, text: String| items.push(Item { mark, text, to });
    let course = || "course".to_owned();
    for (_, event) in told.story.records() {
        if let Event::Opened(opened) = event
            && opened.emergency
        {
            say(Mark::Warning, "before".to_owned(), "begun as an emergency".to_owned());
        } else if let Event::Resumed(resumed) = event {
            let emergency = if resumed.emergency { " as an emergency" } else { "" };
            let plan = if resumed.accepted_changes { ", with a changed plan" } else { "" };
            let text = format!("resumed{emergency} by {}{plan}", resumed.operator.name);
            say(Mark::Warning, "end".to_owned(), text);
        } else if let Event::PreconditionOverridden { id, how, reason } = event {
            let text = format!("precondition {id} overridden by {}: {reason}", override_words(*how));
            say(Mark::Warning, "before".to_owned(), text);
        } else if let Event::RollStopped { step, why, untouched } = event {
            let left = fold_hosts(untouched);
            let left = if left.is_empty() { left } else { format!("; not run on {left}") };
            say(Mark::Failed, course(), format!("{step} stopped: {why}{left}"));
        } else if let Event::Chosen { at, choice, reason } = event {
            let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            say(Mark::Warning, id_of(at), format!("{at}: chosen by a person: {}{because}", choice_words(*choice)));
        } else if let Event::UndoStarted { at, .. } = event {
            say(Mark::Warning, id_of(at), format!("{at} was undone"));
        } else if let Event::Interrupted { signal, .. } = event {
            say(Mark::Warning, course(), format!("interrupted by {signal}"));
        } else if let Event::LockLost { host, loss } = event {
            say(Mark::Failed, course(), format!("the lock of {host} was lost: {}", loss.words()));
        } else if let Event::LockBroken { host, reason, .. } = event {
            say(Mark::Warning, course(), format!("the lock of {host} was broken: {reason}"));
        } else if let Event::LockRefused { host, holder, .. } = event {
            say(Mark::Warning, course(), format!("{host} was locked by {}", holder.words()));
        } else if let Event::ReceiptRead { at, found: Found::Gone { why } | Found::Unasked { why }, .. } = event {
            say(Mark::Warning, id_of(at), format!("{at}: {why}"));
        } else if let Event::Resolved { at, done, reason, operator } = event {
            let what = if *done { "done" } else { "not done" };
            say(Mark::Warning, id_of(at), format!("{at} settled as {what} by {}: {reason}", operator.name));
        } else if let Event::Abandoned { reason, operator } = event {
            say(Mark::Warning, "end".to_owned(), format!("abandoned by {}: {reason}", operator.name));
        } else if let Event::RetryScheduled { at, .. } = event {
            retried.push(at.clone());
        } else if let Event::ConnectionLost { at, .. } = event {
            cut.push(at.clone());
        }
    }
    let more = items.len().saturating_sub(MOST);
    if more > 0 {
        items.truncate(MOST);
        items.push(Item { mark: Mark::Warning, text: format!("and {more} more"), to: course() });
    }
    for (places, what) in [(retried, "tried again"), (cut, "connections lost and made anew")] {
        if let Some(first) = places.first() {
            let on = fold_hosts(places.iter().map(|at| &at.host));
            items.push(Item {
                mark: Mark::Warning,
                text: format!("{what}: {}, on {on}", count(places.len(), "time")),
                to: id_of(first),
            });
        }
    }
    let back =
        told.course.clock.windows(2).map(|pair| elapsed::between(pair[1].1, pair[0].1)).max().unwrap_or_default();
    if back >= super::scale::CLOCK_STEP {
        let text = format!(
            "the clock of the admin host went back by {}: times do not tell how long things took",
            elapsed::short(back)
        );
        items.push(Item { mark: Mark::Warning, text, to: "timeline".to_owned() });
    }
    if told.story.misfits() > 0 {
        let text = format!("{} in this record cannot follow what was before", count(told.story.misfits(), "event"));
        items.push(Item { mark: Mark::Failed, text, to: "proof".to_owned() });
    }
    items
}
