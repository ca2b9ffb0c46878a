//! Rules for the scripted fleet, made of a scenario's answers; and what is said of a call that none of them is for.

use std::time::Duration;

use tokio::time::Instant;

use super::difference::Difference;
use crate::model::scenario::{Addressee, After, Answered, Answering, Give, LockHeld, Trouble};
use crate::plan::Plan;
use crate::transport::scripted::{Answer, Call, Kind, Matcher, Pace, Rule, When};
use crate::transport::{Fault, Scripted};
use crate::vocab::{Holder, RunId};

/// Longer than any scenario: what never ends by itself.
const FOREVER: Duration = Duration::from_hours(24 * 365);

/// The rule that an answer is.
pub(super) fn rule(answering: &Answering, plan: &Plan, start: Instant) -> Rule {
    let matcher = match &answering.to {
        Addressee::Look(name) => Matcher::Look(name.clone()),
        Addressee::Step(step) => Matcher::Step(step.clone()),
        Addressee::Command(text) => Matcher::Command(text.clone()),
        Addressee::Host => Matcher::Host,
    };
    let when = match &answering.after {
        None => When::Always,
        Some(After::Time(period)) => When::From(start + period.get()),
        Some(After::There(step, hosts)) => When::There(Matcher::Step(step.clone()), hosts.clone()),
        Some(After::Here(step)) => {
            // a step that does not go to the host that is asked has its effect on it from where it goes to
            let goes = plan.units.iter().find(|unit| unit.leaves.iter().any(|leaf| leaf.id == *step));
            When::Reaching(Matcher::Step(step.clone()), goes.map(|unit| unit.hosts.clone()).unwrap_or_default())
        }
    };
    Rule {
        hosts: answering.on.clone(),
        when,
        matcher,
        pace: if answering.each_verdict { Pace::Verdict } else { Pace::Call },
        answers: answering.gives.iter().map(answer).collect::<Vec<_>>().into(),
    }
}

fn answer(give: &Give) -> Answer {
    let reason = |default: &str| give.reason.clone().unwrap_or_else(|| default.to_owned());
    let answered = || match &give.answer {
        Answered::Command { exit, stdout, stderr } => {
            Answer::exit(*exit).stdout(stdout.as_str()).stderr(stderr.as_str())
        }
        Answered::Http { status, headers, body } => headers
            .iter()
            .fold(Answer::http(*status, body.as_str()), |answer, (name, value)| answer.header(name, value)),
        Answered::Tcp { reply } => Answer::tcp(reply.as_str()),
    };
    let is_command = matches!(give.answer, Answered::Command { .. });
    let answer = match give.fault {
        None => answered(),
        Some(Trouble::Drop) if is_command => answered().unheard(),
        Some(Trouble::Drop | Trouble::Lost) => match &give.answer {
            Answered::Command { stdout, stderr, .. } => {
                Answer::lost(&reason("the connection was lost")).stdout(stdout.as_str()).stderr(stderr.as_str())
            }
            Answered::Http { .. } | Answered::Tcp { .. } => Answer::lost(&reason("the connection was lost")),
        },
        Some(Trouble::Unreachable) => Answer::unreachable(&reason("connection refused")),
        Some(Trouble::NotStarted) => Answer::not_started(&reason("it could not be started")),
        Some(Trouble::Crash) => answered().fatal(),
        Some(Trouble::Timeout) => return answered().after(FOREVER),
        Some(Trouble::Conversation(kind)) => Answer::fault(Fault::Conversation { reason: kind, detail: reason("") }),
    };
    answer.after(give.took.get())
}

/// The fleet, with the locks that others hold.
pub(super) fn fleet(locked: &[LockHeld], run: &RunId) -> Scripted {
    let holds = |fleet: Scripted, held: &LockHeld| {
        held.hosts.iter().fold(fleet, |fleet, host| {
            let holder = Holder {
                run: run.clone(),
                operator: held.by.clone(),
                admin_host: "elsewhere".to_owned(),
                runbook: "another".to_owned(),
                since: None,
                running: false,
            };
            fleet.locked_for(host.as_str(), holder, held.length.get())
        })
    };
    locked.iter().fold(Scripted::new(), holds)
}

/// What is wrong with calls that no answer is for, and the entries that would be: one for all hosts of the same call.
pub(super) fn unanswered(calls: &[Call]) -> Vec<Difference> {
    let mut kinds: Vec<(&Call, Vec<&str>)> = Vec::new();
    let same = |one: &Call, other: &Call| {
        (one.kind, &one.name, &one.step) == (other.kind, &other.name, &other.step)
            && (one.name.is_some() || one.step.is_some() || one.text == other.text)
    };
    for call in calls {
        match kinds.iter_mut().find(|(known, _)| same(known, call)) {
            Some((_, hosts)) if hosts.contains(&call.host.as_str()) => {}
            Some((_, hosts)) => hosts.push(call.host.as_str()),
            None => kinds.push((call, vec![call.host.as_str()])),
        }
    }
    kinds.iter().map(|(call, hosts)| no_answer(call, hosts)).collect()
}

fn no_answer(call: &Call, hosts: &[&str]) -> Difference {
    let name = match (&call.name, &call.step) {
        (Some(name), _) => name.clone(),
        (None, Some(step)) => step.to_string(),
        (None, None) => call.text.clone(),
    };
    let gives = match call.kind {
        Kind::Send => "{ status: 200 }",
        _ if call.text.starts_with("GET ") || call.text.starts_with("POST ") => "{ status: 200, body: … }",
        _ if call.text.starts_with("tcp ") => "{ reply: … }",
        Kind::Look => "{ stdout: … }",
        Kind::Act | Kind::Ping | Kind::Tidy | Kind::Ask | Kind::Receipts | Kind::Lock | Kind::Unlock => "{ exit: 0 }",
    };
    let command = call.text.lines().next().unwrap_or_default();
    let more = if call.text.lines().count() > 1 { " …" } else { "" };
    let was = format!("`{name}` on {} is for no entry: {command}{more}", hosts.join(", "));
    Difference::new("no answer", "", was)
        .hint(format!("- {{ to: {name}, on: \"{}\", gives: {gives} }}", hosts.join(":")))
}
