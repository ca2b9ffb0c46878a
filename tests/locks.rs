//! The engine and its locks, on a scripted fleet and paused time.

#![expect(clippy::unwrap_used, reason = "a test stops where it does not go on")]

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use runbook::engine::{Crew, Ending, Interrupt, Operator, Options, Question, Recorder, Response, perform};
use runbook::event::{Event, FailureKind, Opened, OperatorEntry, Outcome, Resumed, RunState};
use runbook::journal::{EventLog as _, MemoryLog};
use runbook::model::{Inventory, Params};
use runbook::plan::Plan;
use runbook::plan::make::{Making, RunFacts};
use runbook::source::{BookSource, InventorySource};
use runbook::transport::Scripted;
use runbook::transport::scripted::{Answer, Kind};
use runbook::vocab::{Clock as _, Holder, Masker, Period, RunId, SystemClock};

const ROLL: &str = "title: T\nhosts: all\nsteps:\n  - id: act\n    run: work\n    rollout: { pause: 100s }\n";

struct Nobody;

impl Operator for Nobody {
    fn ask<'a>(&'a self, _: &'a Question) -> Pin<Box<dyn Future<Output = Response> + Send + 'a>> {
        Box::pin(std::future::ready(Response::NoTerminal))
    }
}

fn plan(text: &str) -> Plan {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("t.yaml"), text).unwrap();
    let inventory = dir.path().join("inventory.yaml");
    std::fs::write(&inventory, "hosts: { a: {}, b: {}, c: {} }\n").unwrap();
    let inventory: Inventory = InventorySource::read(&[inventory]).unwrap().inventory;
    let runbook = BookSource::open(dir.path()).unwrap().runbook("t").unwrap();
    let run = RunFacts { operator: "anna".to_owned(), reason: None, emergency: false };
    Plan::make(&runbook, Making { inventory: &inventory, params: Params::default(), limit: None, run }).unwrap()
}

fn run_id() -> RunId {
    "20261122T031500Z-11111111".parse().unwrap()
}

fn bob() -> Holder {
    Holder {
        run: "20261122T041500Z-22222222".parse().unwrap(),
        operator: "bob".to_owned(),
        admin_host: "admin02".to_owned(),
        runbook: "other".to_owned(),
        since: None,
        running: false,
    }
}

fn operator() -> OperatorEntry {
    OperatorEntry {
        name: "anna".to_owned(),
        identified: true,
        source: "--as".to_owned(),
        login: "anna".to_owned(),
        ssh_origin: None,
        loginuid: None,
    }
}

fn opened(plan: &Plan) -> Event {
    Event::Opened(Box::new(Opened {
        run: run_id(),
        runbook: "t".to_owned(),
        title: "T".to_owned(),
        changes: plan.changes,
        operator: operator(),
        admin_host: "admin01".to_owned(),
        version: String::new(),
        book: String::new(),
        inventories: Vec::new(),
        plan: plan.digest.clone(),
        params: BTreeMap::new(),
        limit: None,
        reason: None,
        emergency: false,
        hosts: plan.host_entries(),
        steps: plan.step_entries(),
        texts: Vec::new(),
        link: None,
    }))
}

fn resumed(plan: &Plan) -> Event {
    Event::Resumed(Box::new(Resumed {
        operator: operator(),
        admin_host: "admin01".to_owned(),
        version: String::new(),
        plan: plan.digest.clone(),
        accepted_changes: false,
        reason: None,
        emergency: false,
        hosts: Vec::new(),
        steps: Vec::new(),
        texts: Vec::new(),
    }))
}

/// A stretch of the run whose events are in `log`: its first, or the next one.
async fn stretch(plan: &Plan, fleet: &Scripted, log: &MemoryLog, options: Options, interrupt: Interrupt) -> Ending {
    stretch_of(run_id(), plan, fleet, log, options, interrupt).await
}

async fn stretch_of(
    run: RunId,
    plan: &Plan,
    fleet: &Scripted,
    log: &MemoryLog,
    options: Options,
    interrupt: Interrupt,
) -> Ending {
    let now = SystemClock.now();
    let mut writer = log.clone();
    writer.append(now, if log.events().is_empty() { opened(plan) } else { resumed(plan) }).unwrap();
    let mut events = log.events().into_iter();
    let mut state = RunState::open(now, &events.next().unwrap()).unwrap();
    events.for_each(|event| state.apply(now, &event).unwrap());
    let recorder =
        Recorder::new(state, Box::new(writer), Arc::new(SystemClock), Vec::new(), Masker::new(std::iter::empty()));
    let options = Options { operator: "anna".to_owned(), yes: true, ..options };
    let crew = Crew { plan, fleet, operator: &Nobody, recorder: &recorder, interrupt, options: &options, run };
    perform(crew).await.unwrap().ending
}

async fn once(text: &str, fleet: &Scripted, options: Options) -> (Ending, MemoryLog) {
    let log = MemoryLog::new();
    let ending = stretch(&plan(text), fleet, &log, options, Interrupt::new()).await;
    (ending, log)
}

/// The names of the events about locks, with their hosts.
fn about_locks(log: &MemoryLog) -> Vec<String> {
    let names = |hosts: Vec<String>| hosts.join(" ");
    let told = |event: Event| match event {
        Event::HostsLocked { hosts, left_out } => {
            let hosts = hosts
                .iter()
                .map(|locked| locked.host.to_string())
                .chain(left_out.iter().map(|left| format!("-{}", left.host)));
            Some(format!("locked {}", names(hosts.collect())))
        }
        Event::LockRefused { host, holder, wait } => {
            Some(format!("refused {host} by {}{}", holder.operator, if wait.is_some() { ", waits" } else { "" }))
        }
        Event::LockLost { host, .. } => Some(format!("lost {host}")),
        Event::LocksReleased { hosts, .. } => {
            Some(format!("released {}", names(hosts.iter().map(ToString::to_string).collect())))
        }
        _ => None,
    };
    log.events().into_iter().filter_map(told).collect()
}

fn acts(fleet: &Scripted) -> Vec<String> {
    fleet.told(Kind::Act)
}

#[tokio::test(start_paused = true)]
async fn a_run_locks_its_hosts_renews_and_gives_back() {
    let fleet = Scripted::new().everywhere("work", Answer::exit(0).after(Duration::from_secs(203)));
    let (ending, log) = once(ROLL, &fleet, Options::default()).await;
    assert_eq!(ending, Ending::Done);
    assert_eq!(about_locks(&log), ["locked a b c", "released a b c"]);
    assert_eq!(acts(&fleet).len(), 3);
    // 809 seconds, a renewal each 20
    let renewals = fleet.told(Kind::Lock).iter().filter(|told| *told == "c: renew").count();
    assert_eq!(renewals, 40);
    assert!(["a", "b", "c"].iter().all(|host| fleet.lock_of(host).is_none()));
    assert!(matches!(log.events().last(), Some(Event::Ended { exit: 0, .. })));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_refused_takes_nothing_and_is_over() {
    let fleet = Scripted::new().everywhere("work", Answer::exit(0)).locked_for("b", bob(), Duration::from_hours(1));
    let (ending, log) = once(ROLL, &fleet, Options::default()).await;
    assert_eq!((ending, ending.exit()), (Ending::Locked, 6));
    assert_eq!(about_locks(&log), ["refused b by bob"]);
    assert_eq!(acts(&fleet), [""; 0]);
    assert_eq!(fleet.lock_of("a"), None, "what was taken first was given back");
    assert_eq!(fleet.lock_of("b"), Some(bob()));
    assert!(matches!(log.events().last(), Some(Event::Ended { exit: 6, .. })));
}

#[tokio::test(start_paused = true)]
async fn of_two_runs_that_meet_halfway_exactly_one_goes_on() {
    let later = |seconds| Answer::exit(0).after(Duration::from_secs(seconds));
    // the first to come to `a` is the last to come to `c`
    let fleet = Scripted::new().everywhere("work", Answer::exit(0)).on("a", "lock", [later(1), later(3)]).on(
        "c",
        "lock",
        [later(3), later(1)],
    );
    let plan = plan(ROLL);
    let logs = [MemoryLog::new(), MemoryLog::new()];
    let go = |run, log| stretch_of(run, &plan, &fleet, log, Options::default(), Interrupt::new());
    let endings = tokio::join!(go(run_id(), &logs[0]), go(bob().run, &logs[1]));
    let told = logs.each_ref().map(about_locks);
    let through = ["locked a b c", "released a b c"];
    match endings {
        (Ending::Done, Ending::Locked) => assert_eq!(told[0], through),
        (Ending::Locked, Ending::Done) => assert_eq!(told[1], through),
        other => panic!("{other:?}: {told:?}"),
    }
    assert_eq!(acts(&fleet).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_lock_gets_it_or_gives_up() {
    let wait = |seconds| Options { wait_lock: Some(Period::seconds(seconds)), ..Options::default() };
    let fleet = Scripted::new().everywhere("work", Answer::exit(0)).locked_for("b", bob(), Duration::from_mins(5));
    let (ending, log) = once(ROLL, &fleet, wait(100)).await;
    assert_eq!(ending, Ending::Locked);
    assert_eq!(about_locks(&log), ["refused b by bob, waits", "refused b by bob"]);
    let (ending, log) = once(ROLL, &fleet, wait(600)).await;
    assert_eq!(ending, Ending::Done);
    assert_eq!(about_locks(&log), ["refused b by bob, waits", "locked a b c", "released a b c"]);
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_is_lost_stops_the_run_and_a_resume_takes_it_anew() {
    let fleet = Scripted::new().everywhere("work", Answer::exit(0)).robbed_after("a", "act", bob());
    let plan = plan(ROLL);
    let log = MemoryLog::new();
    let ending = stretch(&plan, &fleet, &log, Options::default(), Interrupt::new()).await;
    assert_eq!(ending, Ending::Locked);
    assert_eq!(about_locks(&log), ["locked a b c", "lost a", "released b c"]);
    assert_eq!(acts(&fleet), ["a: work"], "nothing was started after the loss");
    assert!(matches!(log.events().last(), Some(Event::Stopped { exit: 6, .. })));
    // it can be resumed once the other has let go; the run is the same, its locks are new
    let ending = stretch(&plan, &fleet, &log, Options::default(), Interrupt::new()).await;
    assert_eq!(ending, Ending::Locked);
    assert!(matches!(log.events().last(), Some(Event::Stopped { exit: 6, .. })));
    let free = Scripted::new().everywhere("work", Answer::exit(0));
    let ending = stretch(&plan, &free, &log, Options::default(), Interrupt::new()).await;
    assert_eq!(ending, Ending::Done);
    assert_eq!(acts(&free), ["b: work", "c: work"]);
    assert_eq!(about_locks(&log)[3..], ["refused a by bob", "locked a b c", "released a b c"]);
}

#[tokio::test(start_paused = true)]
async fn an_action_that_is_refused_for_its_lock_stops_the_run_as_locked() {
    let fleet = Scripted::new().everywhere("work", Answer::exit(0)).robbed_after("a", "one", bob());
    let text = "title: T\nhosts: a\nsteps:\n  - { id: one, run: work }\n  - { id: two, run: work }\n";
    let (ending, log) = once(text, &fleet, Options::default()).await;
    assert_eq!(ending, Ending::Locked);
    assert_eq!(about_locks(&log), ["locked a", "lost a"]);
    assert_eq!(fleet.lock_of("a"), Some(bob()));
    let event = log
        .events()
        .into_iter()
        .find(|event| matches!(event, Event::StepEnded { at, .. } if at.step.as_str() == "two"));
    assert!(matches!(
        event,
        Some(Event::StepEnded { outcome: Outcome::Failed { kind: FailureKind::NotStarted, .. }, .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn a_lock_whose_renewals_fail_is_renewed_before_an_action_or_the_action_is_not_sent() {
    let fleet = Scripted::new()
        .everywhere("work", Answer::exit(0))
        .on("b", "renew", Answer::unreachable("cut"))
        .everywhere("lock", Answer::exit(0));
    let (ending, log) = once(ROLL, &fleet, Options::default()).await;
    assert_eq!(ending, Ending::Failed);
    assert_eq!(acts(&fleet), ["a: work"]);
    assert_eq!(about_locks(&log), ["locked a b c", "released a b c"]);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_away_is_left_out_and_locked_when_its_turn_comes() {
    let fleet = Scripted::new()
        .everywhere("work", Answer::exit(0))
        .on("b", "ping", Answer::unreachable("down"))
        .on("c", "ping", Answer::unreachable("down"))
        .on("c", "lock", Answer::unreachable("down"));
    let (ending, log) = once(ROLL, &fleet, Options::default()).await;
    assert_eq!(ending, Ending::Failed);
    assert_eq!(about_locks(&log), ["locked a -b -c", "locked b", "released a b"]);
    assert_eq!(acts(&fleet), ["a: work", "b: work"]);
    // and if somebody else has it by then
    let fleet = Scripted::new()
        .everywhere("work", Answer::exit(0))
        .on("b", "ping", Answer::unreachable("down"))
        .locked_for("b", bob(), Duration::from_hours(1));
    let (ending, log) = once(ROLL, &fleet, Options::default()).await;
    assert_eq!(ending, Ending::Locked);
    assert_eq!(about_locks(&log), ["locked a c -b", "refused b by bob", "released a c"]);
    assert_eq!(acts(&fleet), ["a: work"]);
}

#[tokio::test(start_paused = true)]
async fn what_only_looks_or_is_done_by_hand_locks_nothing() {
    let fleet = Scripted::new().everywhere("look", Answer::exit(0)).locked_for("a", bob(), Duration::from_hours(1));
    let looks = "title: T\nhosts: all\nsteps:\n  - id: look\n    probe: { run: look }\n";
    let (ending, log) = once(looks, &fleet, Options::default()).await;
    assert_eq!(ending, Ending::Done);
    assert_eq!(about_locks(&log), [""; 0]);
    let waits = "title: T\nhosts: all\nsteps:\n  - id: rest\n    wait: 1s\n";
    assert_eq!(once(waits, &fleet, Options::default()).await.0, Ending::Done);
    assert_eq!(fleet.told(Kind::Lock), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_preconditions_holds_no_lock() {
    let text = format!(
        "{ROLL}preconditions:\n  - id: idle\n    says: Idle.\n    probe: {{ run: look, hosts: a }}\n    expect: stdout == \"idle\"\n"
    );
    let busy = Answer::exit(0).stdout("busy").after(Duration::from_secs(5));
    let idle = Answer::exit(0).stdout("idle");
    let fleet = Scripted::new()
        .everywhere("work", Answer::exit(0))
        .everywhere("look", [busy.clone(), busy.clone(), busy.clone(), busy, idle]);
    let log = MemoryLog::new();
    let plan = plan(&text);
    let options = Options { wait: Some(Period::seconds(600)), ..Options::default() };
    let seen = async {
        tokio::time::sleep(Duration::from_secs(12)).await;
        fleet.lock_of("a")
    };
    let (ending, seen) = tokio::join!(stretch(&plan, &fleet, &log, options, Interrupt::new()), seen);
    assert_eq!(seen, None, "while it waits");
    assert_eq!(ending, Ending::Done);
    assert_eq!(about_locks(&log), ["locked a b c", "released a b c", "locked a b c", "released a b c"]);
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_gives_the_locks_back() {
    let fleet = Scripted::new().everywhere("work", Answer::exit(0).after(Duration::from_secs(30)));
    let (log, interrupt, plan) = (MemoryLog::new(), Interrupt::new(), plan(ROLL));
    let raise = async {
        tokio::time::sleep(Duration::from_secs(40)).await;
        assert_eq!(fleet.lock_of("c").map(|holder| holder.operator), Some("anna".to_owned()));
        interrupt.raise();
    };
    let (ending, ()) = tokio::join!(stretch(&plan, &fleet, &log, Options::default(), interrupt.clone()), raise);
    assert_eq!(ending, Ending::Interrupted);
    assert_eq!(about_locks(&log), ["locked a b c", "released a b c"]);
    assert_eq!(fleet.lock_of("c"), None);
}
