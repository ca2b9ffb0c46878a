//! Who runs what, from where and why: the head of a run.
//!
//! Apart because plain lines, the live screen and the story begin with it.

use super::line::Line;
use super::style::Role;
use crate::event::{Event, Opened, OperatorEntry, Resumed};

/// The head of a stretch; nothing for any other event.
pub fn head(event: &Event) -> Vec<Line> {
    if let Event::Opened(opened) = event {
        return opening(opened);
    }
    if let Event::Resumed(resumed) = event {
        return resuming(resumed);
    }
    Vec::new()
}

/// Who began a stretch; nobody for any other event.
pub fn operator_of(event: &Event) -> Option<&OperatorEntry> {
    if let Event::Opened(opened) = event {
        return Some(&opened.operator);
    }
    if let Event::Resumed(resumed) = event {
        return Some(&resumed.operator);
    }
    None
}

fn opening(opened: &Opened) -> Vec<Line> {
    let mut title = Line::new().with(Role::Heading, &opened.runbook);
    if !opened.title.is_empty() {
        title.push(Role::Text, ": ");
        title.push(Role::Text, &opened.title);
    }
    if opened.emergency {
        title.push(Role::Warning, "  EMERGENCY");
    }
    let by = format!("run {} by {}", opened.run, operator(&opened.operator, &opened.admin_host));
    let mut lines = vec![title, Line::new().with(Role::Dim, &by)];
    if let Some(reason) = &opened.reason {
        lines.push(Line::new().with(Role::Dim, "reason: ").with(Role::Text, reason));
    }
    let params = params(opened);
    if !params.is_empty() {
        lines.push(Line::new().with(Role::Dim, &format!("with {params}")));
    }
    lines
}

fn resuming(resumed: &Resumed) -> Vec<Line> {
    let mut line = Line::new()
        .with(Role::Heading, "resumed")
        .with(Role::Text, &format!(" by {}", operator(&resumed.operator, &resumed.admin_host)));
    if resumed.emergency {
        line.push(Role::Warning, "  EMERGENCY");
    }
    if let Some(reason) = &resumed.reason {
        line.push(Role::Text, &format!(": {reason}"));
    }
    let mut lines = vec![line];
    if resumed.accepted_changes {
        lines.push(
            Line::new().with(Role::Warning, &format!("with a changed plan, accepted (now {})", resumed.plan.short())),
        );
    }
    lines
}

/// The operator's name, as sure as one can be of it.
pub fn person(operator: &OperatorEntry) -> String {
    let name = &operator.name;
    let unsure = if operator.identified || name.contains("unidentified") { "" } else { " (unidentified)" };
    format!("{name}{unsure}")
}

/// The operator, as sure as one can be of them, and where they were.
pub fn operator(operator: &OperatorEntry, admin_host: &str) -> String {
    // SSH_CONNECTION: the first word is the address it came from
    let origin = operator.ssh_origin.as_deref().and_then(|origin| origin.split_whitespace().next());
    let from = origin.map(|origin| format!(", from {origin}")).unwrap_or_default();
    format!("{} on {admin_host}{from}", person(operator))
}

/// Parameters and limit on one line.
pub fn params(opened: &Opened) -> String {
    let mut parts: Vec<String> = opened.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
    parts.extend(opened.limit.as_ref().map(|limit| format!("--limit {limit}")));
    parts.join("  ")
}
