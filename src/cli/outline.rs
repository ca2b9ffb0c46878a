//! A plan and its rehearsal as text: what would be done.

use std::fmt::Write as _;

use crate::engine::Rehearsal;
use crate::engine::rehearse::{DeedSeen, Planned, UnitSeen};
use crate::plan::{LeafKind, Plan};
use crate::report::{Data, Role, Styles, observed};
use crate::vocab::neutral::{neutralise, one_line};
use crate::vocab::{HostName, Observation, Period, StepId, fold_hosts};

/// The plan in a few lines, in front of the question whether to start; the run's own title stands above it.
pub(super) fn short(plan: &Plan) -> String {
    let mut out = String::new();
    out.push('\n');
    for unit in &plan.units {
        let kind = if unit.block { "block" } else { unit.leaves.first().map_or("block", |leaf| leaf.kind.word()) };
        let _ = writeln!(
            out,
            "  {} ({kind}) on {}{}",
            one_line(&unit.name),
            fold_hosts(unit.hosts.iter()),
            pace(&unit.batches, unit.pause)
        );
        if unit.block {
            for leaf in unit.leaves.iter().filter(|leaf| !matches!(leaf.kind, LeafKind::Checks)) {
                let _ = writeln!(out, "    {} ({})", one_line(&leaf.step.name), leaf.kind.word());
            }
        }
    }
    out.push('\n');
    out
}

/// `, one at a time, 5s between`; nothing where all go at once.
fn pace(batches: &[Vec<HostName>], pause: Period) -> String {
    let largest = batches.iter().map(Vec::len).max().unwrap_or(0);
    if batches.len() < 2 {
        return String::new();
    }
    let mut text = if largest == 1 { ", one at a time".to_owned() } else { format!(", {largest} at a time") };
    if pause > Period::ZERO {
        let _ = write!(text, ", {pause} between");
    }
    text
}

/// A dry run's findings.
pub(super) fn rehearsal(plan: &Plan, seen: &Rehearsal, styles: &Styles, data: &Data) -> String {
    let mut out = String::new();
    let head = |text: &str| styles.paint(Role::Heading, text);
    let _ = writeln!(out, "{}", head(&format!("Dry run of {}: {}", plan.runbook.name, plan.runbook.title)));
    let params = plan.params().shown();
    if !params.is_empty() {
        let shown: Vec<String> = params.iter().map(|(name, value)| format!("{name}={}", one_line(value))).collect();
        let _ = writeln!(out, "  with {}", shown.join(" "));
    }
    if !seen.preconditions.is_empty() {
        let _ = writeln!(out, "\n{}", head("Preconditions, as they are now"));
    }
    for precondition in &seen.preconditions {
        let (mark, role) = if precondition.holds { ("✓", Role::Ok) } else { ("✗", Role::Failed) };
        let _ = writeln!(out, "  {} {}: {}", styles.paint(role, mark), precondition.id, one_line(&precondition.says));
        for verdict in precondition.verdicts.iter().filter(|verdict| !verdict.verdict.holds()) {
            let host = verdict.host.as_ref().map_or("all hosts", HostName::as_str);
            for line in verdict.verdict.why().unwrap_or_default().lines() {
                let _ = writeln!(out, "      {host}: {} {}", verdict.verdict.word(), one_line(line));
            }
        }
        if !precondition.holds {
            if let Some(otherwise) = &precondition.otherwise {
                let _ = writeln!(out, "    {}", one_line(otherwise));
            }
            let word = match (precondition.overridden, precondition.overridable) {
                (true, _) => "overridden by the flags given",
                (false, true) => "may be overridden: --override with --reason",
                (false, false) => "may not be overridden",
            };
            let _ = writeln!(out, "    ({word})");
        }
        if precondition.each_batch {
            let _ = writeln!(out, "    (looked at again before each batch)");
        }
    }
    if !seen.warnings.is_empty() {
        let _ = writeln!(out, "\n{}", head("Warnings that would be shown"));
    }
    for warning in &seen.warnings {
        let asks = match (&warning.typed, warning.asks) {
            (Some(text), _) => format!(" (type `{}`, or --ack {}={})", one_line(text), warning.id, one_line(text)),
            (None, true) => format!(" (confirm, or --ack {})", warning.id),
            (None, false) => String::new(),
        };
        let _ = writeln!(out, "  {} {}{asks}", styles.paint(Role::Warning, "!"), warning.id);
        for line in neutralise(&warning.says).lines() {
            let _ = writeln!(out, "    {line}");
        }
    }
    for (index, unit) in seen.units.iter().enumerate() {
        let _ = writeln!(out, "\n{}", head(&format!("{}. {}", index + 1, unit.name)));
        self::unit(&mut out, plan, unit, styles, data);
    }
    if !plan.checks.is_empty() {
        let _ = writeln!(out, "\n{}", head("At the end"));
        for planned in &plan.checks {
            let _ = writeln!(out, "  {} ({})", one_line(&planned.check.says), fold_hosts(planned.hosts.iter()));
        }
    }
    let ending = if seen.would_start {
        "Nothing was changed. As things are now, the run would start."
    } else {
        "Nothing was changed. As things are now, the run would be refused."
    };
    let _ = writeln!(out, "\n{ending}\nplan {}", plan.digest.short());
    out
}

fn unit(out: &mut String, plan: &Plan, unit: &UnitSeen, styles: &Styles, data: &Data) {
    if unit.batches.len() > 1 || unit.max_failures > 0 {
        let batches: Vec<String> = unit.batches.iter().map(|batch| fold_hosts(batch.iter())).collect();
        let pause = if unit.pause > Period::ZERO { format!(", {} between", unit.pause) } else { String::new() };
        let _ = writeln!(
            out,
            "  in {}{pause}, {} allowed: {}",
            if unit.batches.len() == 1 { "1 batch".to_owned() } else { format!("{} batches", unit.batches.len()) },
            if unit.max_failures == 1 { "1 failure".to_owned() } else { format!("{} failures", unit.max_failures) },
            batches.join(" | ")
        );
    }
    if let Some((needed, healthy, sick)) = &unit.floor {
        let _ =
            writeln!(out, "  {needed} must stay healthy where a healthy one is acted on; now {} are", healthy.len());
        for verdict in sick {
            let host = verdict.host.as_ref().map_or("?", HostName::as_str);
            let why = one_line(verdict.verdict.why().unwrap_or_default());
            let _ = writeln!(out, "    {} {host}: {why}", styles.paint(Role::Failed, "✗"));
        }
    }
    for deed in &unit.deeds {
        self::deed(out, deed, styles);
    }
    // what each step saw is a table of its own: two probes of a block have little in common
    let mut looks: Vec<(&StepId, Vec<&Observation>)> = Vec::new();
    for deed in &unit.deeds {
        let Planned::Look(_, Some(observation)) = &deed.what else { continue };
        match looks.iter_mut().find(|(step, _)| **step == deed.step) {
            Some((_, seen)) => seen.push(observation),
            None => looks.push((&deed.step, vec![observation])),
        }
    }
    for (step, seen) in &looks {
        if looks.len() > 1 {
            let _ = writeln!(out, "    {step}:");
        }
        let show = plan.leaf(step).and_then(|(_, leaf)| match &leaf.kind {
            LeafKind::Look { probe, .. } => Some(probe.show.as_slice()),
            LeafKind::Action(_) | LeafKind::Checks => None,
        });
        let table = observed::table(seen.iter().copied(), show.unwrap_or_default());
        for line in table.shown(data.fit(), styles).lines() {
            let _ = writeln!(out, "    {line}");
        }
    }
}

fn deed(out: &mut String, deed: &DeedSeen, styles: &Styles) {
    let host = styles.paint(Role::Host, deed.host.as_str());
    match &deed.what {
        Planned::Act(kind, command) => {
            let _ = writeln!(out, "  {host}  {kind}");
            for line in neutralise(command).lines() {
                let _ = writeln!(out, "      {}", styles.paint(Role::Command, line));
            }
        }
        Planned::Look(command, _) if !command.is_empty() => {
            let first = one_line(command);
            let _ = writeln!(out, "  {host}  look: {}", styles.paint(Role::Command, &first));
        }
        Planned::Look(..) => {}
        Planned::Skip(why) => {
            let _ = writeln!(out, "  {host}  {} would be skipped: {}", deed.step, one_line(why));
        }
        Planned::Unready(why) => {
            let _ =
                writeln!(out, "  {host}  {} {}", styles.paint(Role::Failed, "✗ cannot be made ready:"), one_line(why));
        }
    }
    for check in &deed.checks {
        let _ = writeln!(out, "      then: {}", one_line(check));
    }
}

/// One line a step and host, for a plan file.
pub(super) fn planned_lines(seen: &Rehearsal) -> Vec<crate::plan::file::PlannedLine> {
    let lines = seen.units.iter().flat_map(|unit| &unit.deeds).filter_map(|deed| {
        let what = match &deed.what {
            Planned::Act(_, command) | Planned::Look(command, _) if !command.is_empty() => command.clone(),
            Planned::Act(..) | Planned::Look(..) => return None,
            Planned::Skip(why) => format!("(skipped: {why})"),
            Planned::Unready(why) => format!("(cannot be made ready: {why})"),
        };
        Some(crate::plan::file::PlannedLine { step: deed.step.clone(), host: deed.host.clone(), what })
    });
    lines.collect()
}
