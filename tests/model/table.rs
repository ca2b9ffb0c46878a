//! The table of transitions: every state that a few events lead to, and every event in it.

use std::collections::HashSet;

use jiff::Timestamp;
use runbook::event::{ActionEnd, ActionKind, Event, FailureKind, Outcome, RunState, StepState};
use runbook::vocab::StepHost;

use super::ledger;

fn at() -> StepHost {
    StepHost::new("step".into(), "host".into())
}

/// One of each end that the table could tell apart.
fn ends() -> Vec<ActionEnd> {
    vec![ActionEnd::Exited(0), ActionEnd::Exited(1), ActionEnd::Done, ActionEnd::TimedOut, ActionEnd::Cancelled]
}

fn outcomes() -> Vec<Outcome> {
    let why = String::new;
    let kinds = [
        FailureKind::Unreachable,
        FailureKind::Precondition,
        FailureKind::NotStarted,
        FailureKind::Action,
        FailureKind::Check,
    ];
    let failed = kinds.map(|kind| Outcome::Failed { kind, why: why() });
    let rest = [Outcome::Skipped { why: why() }, Outcome::InDoubt { why: why() }, Outcome::Excluded { why: why() }];
    [Outcome::Ok].into_iter().chain(failed).chain(rest).collect()
}

fn started(attempt: u32) -> Event {
    Event::StepStarted { at: at(), attempt, kind: ActionKind::Run, command: String::new(), user: None }
}

/// Every event of a step's life, with attempts up to four.
fn events() -> Vec<Event> {
    let mut events = Vec::new();
    for attempt in 0..=4 {
        events.push(started(attempt));
        events.extend(ends().into_iter().map(|end| ledger::acted(at(), attempt, end)));
    }
    events.extend(outcomes().into_iter().map(|outcome| Event::StepEnded { at: at(), outcome }));
    let resolved = |done| Event::Resolved { at: at(), done, reason: String::new(), operator: ledger::operator() };
    events.extend([resolved(true), resolved(false)]);
    events
}

fn after(state: &StepState, event: &Event) -> Option<StepState> {
    let mut run = RunState::open(Timestamp::UNIX_EPOCH, &Event::Opened(Box::new(ledger::opened()))).ok()?;
    if *state != StepState::NotStarted {
        run.steps.insert(at(), state.clone());
    }
    let before = run.clone();
    let applied = run.apply(Timestamp::UNIX_EPOCH, event);
    if applied.is_err() {
        assert!(run == before, "an illegal event changed something");
    }
    applied.ok().map(|()| run.step(&at()).clone())
}

/// Every way from one state to the next, from a step's beginning on, up to the third attempt.
fn ways() -> Vec<(StepState, Event, StepState)> {
    let events = events();
    let mut open = vec![StepState::NotStarted];
    let mut seen: HashSet<String> = HashSet::new();
    let mut ways = Vec::new();
    while let Some(state) = open.pop() {
        if state.attempts() > 3 || !seen.insert(format!("{state:?}")) {
            continue;
        }
        for event in &events {
            if let Some(next) = after(&state, event) {
                open.push(next.clone());
                ways.push((state.clone(), event.clone(), next));
            }
        }
    }
    println!("table: {} states, {} events, {} ways", seen.len(), events.len(), ways.len());
    ways
}

#[test]
fn a_step_that_is_settled_stays_as_it_is() {
    let settled = ways().into_iter().filter(|(state, ..)| state.is_settled()).map(|(state, event, _)| (state, event));
    assert_eq!(settled.collect::<Vec<_>>(), []);
}

#[test]
fn nothing_starts_while_something_may_be_running() {
    for (state, event, next) in ways() {
        if matches!(event, Event::StepStarted { .. }) {
            assert!(!matches!(state, StepState::Running { .. }), "{state:?} to {next:?}");
        }
        // only a start makes it running
        assert_eq!(matches!(next, StepState::Running { .. }), matches!(event, Event::StepStarted { .. }), "{event:?}");
    }
}

#[test]
fn an_attempt_is_never_numbered_twice() {
    for (state, event, next) in ways() {
        match event {
            Event::StepStarted { attempt, .. } if state != StepState::NotStarted => {
                assert_eq!((attempt, next.attempts()), (state.attempts() + 1, attempt), "{state:?}");
            }
            Event::StepActed { attempt, .. } => {
                assert_eq!((attempt, next.attempts()), (state.attempts(), attempt), "{state:?}");
            }
            _ => assert!(next.attempts() >= state.attempts(), "{state:?} to {next:?}"),
        }
    }
}

#[test]
fn what_acted_is_never_said_not_to_have_been_sent() {
    for (state, event, next) in ways() {
        let doubted = matches!(next, StepState::Ended { outcome: Outcome::InDoubt { .. }, .. });
        if matches!(state, StepState::Acted { .. }) {
            assert!(!doubted, "{event:?}");
        }
        if let (StepState::Acted { end, .. }, StepState::Ended { acted, .. }) = (&state, &next) {
            assert_eq!(acted.as_ref(), Some(end), "the end of the action is kept");
        }
    }
}
