//! Rules for the scripted fleet, made of a scenario's answers; and what is said of a call that none of them is for.

use std::time::Duration;

use tokio::time::Instant;

use super::difference::Difference;
use crate::model::scenario::{Addressee, After, Answered, Answering, Give, LockHeld, Trouble};
use crate::plan::Plan;
use crate::transport::scripted::{Answer, Call, Kind, Matcher, Pace, Rule, When};
use crate::transport::{Fault, Scripted};
use crate::vocab::quote::shell_word;
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

/// What is wrong with a call that no answer is for, and the entry that would be.
pub(super) fn unanswered(call: &Call) -> Difference {
    let (name, does) = match (&call.kind, &call.name, &call.step) {
        (_, Some(name), _) => (name.clone(), "is asked by"),
        (_, None, Some(step)) => (step.to_string(), "is given the action of"),
        (_, None, None) => (call.text.clone(), "is asked"),
    };
    let gives = match call.kind {
        Kind::Send => "{ status: 200 }",
        _ if call.text.starts_with("GET ") || call.text.starts_with("POST ") => "{ status: 200, body: … }",
        _ if call.text.starts_with("tcp ") => "{ reply: … }",
        Kind::Look => "{ stdout: … }",
        Kind::Act | Kind::Ping | Kind::Tidy | Kind::Ask | Kind::Receipts | Kind::Lock | Kind::Unlock => "{ exit: 0 }",
    };
    let on = shell_word(call.host.as_str());
    let command = call.text.lines().next().unwrap_or_default();
    let more = if call.text.lines().count() > 1 { " …" } else { "" };
    Difference::new("no answer", "", format!("{} {does} `{name}`: {command}{more}", call.host))
        .hint(format!("- {{ to: {name}, on: {on}, gives: {gives} }}"))
}
