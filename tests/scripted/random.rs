//! Random runbooks under random disturbances, one after the other: crashes, actions that come to harm, Ctrl-C, a person
//! who says anything. Whatever comes of such a run, nothing is done twice unless somebody said so, every stretch ends,
//! and once there is peace the run comes to its end and leaves nothing behind.
//!
//! The same runs each time; `SCRIPTED_CASES` makes more of them than a test run has time for.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use runbook::engine::{Ending, Operator, Question, Response};
use runbook::event::{Choice, Event, Outcome, RunStatus};
use runbook::transport::Scripted;
use runbook::transport::scripted::Answer;
use runbook::vocab::{StepHost, StepId};
use serde_json::{Value, json};

use crate::case::Case;
use crate::dying::Crash;
use crate::mischief::Harm;
use crate::person::skipping;
use crate::world::{World, in_a_world};

/// A step with an action of its own.
#[derive(Clone, Debug)]
struct Deed {
    hosts: &'static str,
    rollout: Value,
    retry: Option<(u32, &'static str)>,
    /// `repeatable`, `settle` or nothing.
    doubt: &'static str,
    then: &'static str,
    checked: bool,
    captures: bool,
    undo: bool,
    skipped: bool,
    kind: &'static str,
    replies: Vec<Reply>,
}

/// How an action goes by itself.
#[derive(Clone, Copy, Debug)]
enum Reply {
    Well,
    Fails,
    Lost,
    NeverStarts,
    Unreachable,
}

/// A runbook, in the order of its steps: one of them alone, or several in a block.
type Runbook = Vec<Vec<Deed>>;

/// What happens to one stretch of a run.
#[derive(Clone, Debug)]
struct Stretch {
    /// The program dies before or behind the record of this number in the stretch.
    crash: Option<(usize, bool)>,
    /// The machine dies with it.
    machine: bool,
    harms: Vec<(usize, Harm)>,
    /// Ctrl-C, each so many seconds after the one before.
    interrupts: Vec<u64>,
    /// What the person chooses, of what there is; nothing when there is no terminal.
    choices: Option<Vec<usize>>,
    /// The time to the next stretch, in seconds.
    rest: u64,
}

fn deed() -> impl Strategy<Value = Deed> {
    let rollouts =
        vec![json!({}), json!({"batch": 2}), json!({"batch": "all"}), json!({"canary": 1, "batch": 2, "pause": "30s"})];
    let rollout = (select(rollouts), 0..3u8).prop_map(|(mut rollout, failures)| {
        rollout["max_failures"] = json!(failures / 2);
        rollout
    });
    let retry = prop_oneof![3 => Just(None), 1 => Just(Some((2, "0s"))), 1 => Just(Some((3, "40s")))];
    let reply = prop_oneof![
        6 => Just(Reply::Well),
        3 => Just(Reply::Fails),
        1 => Just(Reply::Lost),
        1 => Just(Reply::NeverStarts),
        1 => Just(Reply::Unreachable),
    ];
    let replies = (prop::collection::vec(reply, 0..3), prop_oneof![8 => Just(Reply::Well), 1 => Just(Reply::Fails)])
        .prop_map(|(mut replies, last)| {
            replies.push(last);
            replies
        });
    let words = (
        select(vec!["all", "ab", "a", "b:c", "here:a"]),
        select(vec!["", "", "repeatable", "settle"]),
        select(vec!["ask", "ask", "stop", "continue"]),
        select(vec!["run", "run", "run", "run", "run", "wait", "manual", "http"]),
    );
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), prop::bool::weighted(0.2));
    (words, flags, rollout, retry, replies).prop_map(
        |((hosts, doubt, then, kind), (checked, captures, undo, skipped), rollout, retry, replies)| Deed {
            hosts,
            rollout,
            retry,
            doubt,
            then,
            checked,
            captures,
            undo,
            skipped,
            kind,
            replies,
        },
    )
}

fn runbook() -> impl Strategy<Value = Runbook> {
    prop::collection::vec(
        prop_oneof![3 => prop::collection::vec(deed(), 1), 1 => prop::collection::vec(deed(), 2..4)],
        1..4,
    )
}

fn stretches() -> impl Strategy<Value = Vec<Stretch>> {
    let stretch = (
        prop::option::weighted(0.7, (0..40usize, any::<bool>())),
        any::<bool>(),
        prop::collection::vec((0..6usize, select(Harm::ALL.to_vec())), 0..2),
        prop_oneof![4 => Just(Vec::new()), 1 => prop::collection::vec(0..30u64, 1..3)],
        prop::option::weighted(0.7, prop::collection::vec(0..6usize, 0..6)),
        prop_oneof![Just(0), Just(1), Just(50), Just(1000)],
    );
    let stretch = stretch.prop_map(|(crash, machine, harms, interrupts, choices, rest)| Stretch {
        crash,
        machine,
        harms,
        interrupts,
        choices,
        rest,
    });
    prop::collection::vec(stretch, 1..5)
}

/// The steps' numbers run through the runbook.
fn numbered(runbook: &Runbook) -> impl Iterator<Item = Vec<(usize, &Deed)>> {
    let mut number = 0;
    runbook.iter().map(move |deeds| {
        let first = number;
        number += deeds.len();
        deeds.iter().enumerate().map(|(index, deed)| (first + index, deed)).collect()
    })
}

/// JSON is YAML.
fn text(runbook: &Runbook) -> String {
    let step = |number: usize, deed: &Deed, inner: bool| {
        let mut step = json!({"id": format!("s{number}")});
        match deed.kind {
            "wait" => step["wait"] = json!("5s"),
            "manual" => step["manual"] = json!("Look."),
            "http" => step["http"] = json!({"url": format!("http://${{{{ host.address }}}}/s{number}")}),
            _ => {
                step["run"] = json!(format!("do s{number}."));
                if let Some((attempts, delay)) = deed.retry {
                    step["retry"] = json!({"attempts": attempts, "delay": delay});
                }
                if deed.undo {
                    step["undo"] = json!({"run": format!("do u{number}.")});
                }
                if deed.checked {
                    step["checks"] =
                        json!([{"run": format!("look s{number}."), "expect": "exit == 0", "within": "20s"}]);
                }
                if deed.captures {
                    step["capture"] = json!({"word": "stdout | trim"});
                }
                match deed.doubt {
                    "repeatable" => step["repeatable"] = json!(true),
                    "settle" => {
                        let settle = format!("settle s{number}.");
                        step["settle"] = json!({"run": settle, "exits": [0, 1], "expect": "exit == 0"});
                    }
                    _ => {}
                }
            }
        }
        if deed.skipped {
            let already = format!("already s{number}.");
            step["skip_if"] = json!({"run": already, "exits": [0, 1], "expect": "exit == 0"});
        }
        step["on_failure"] = json!({"then": deed.then, "collect": [{"run": "collect"}]});
        if !inner {
            step["hosts"] = json!(deed.hosts);
            step["rollout"] = deed.rollout.clone();
        }
        step
    };
    let steps = numbered(runbook).map(|deeds| match deeds.as_slice() {
        [(number, deed)] => step(*number, deed, false),
        several => {
            let (number, first) = several[0];
            let inner: Vec<Value> = several.iter().map(|(number, deed)| step(*number, deed, true)).collect();
            json!({"id": format!("b{number}"), "hosts": first.hosts, "rollout": first.rollout, "steps": inner})
        }
    });
    json!({"title": "T", "hosts": "all", "steps": steps.collect::<Vec<_>>()}).to_string()
}

fn script(runbook: &Runbook) -> Scripted {
    let seconds = Duration::from_secs;
    let mut fleet = Scripted::new()
        .everywhere("do u", Answer::exit(0).after(seconds(2)))
        .everywhere("collect", Answer::exit(0).stdout("evidence"))
        .everywhere("already", Answer::exit(1))
        .on("b", "already", Answer::exit(0));
    for (number, deed) in numbered(runbook).flatten() {
        let answer = |reply: &Reply| match reply {
            Reply::Well => Answer::exit(0).stdout("word").after(seconds(3)),
            Reply::Fails => Answer::exit(1).after(seconds(2)),
            Reply::Lost => Answer::lost("the cable").after(seconds(1)),
            Reply::NeverStarts => Answer::not_started("no room").after(seconds(1)),
            Reply::Unreachable => Answer::unreachable("no route"),
        };
        let answers: Vec<Answer> = deed.replies.iter().map(answer).collect();
        let (deed, look, settle) = (format!("do s{number}."), format!("look s{number}."), format!("settle s{number}."));
        fleet = fleet
            .everywhere(deed.as_str(), answers)
            .everywhere(format!("/s{number}").as_str(), Answer::http(200, "").after(seconds(2)))
            .everywhere(look.as_str(), Answer::exit(1))
            .everywhere(settle.as_str(), Answer::exit(1));
        for host in ["a", "b", "c", "here"] {
            fleet = fleet.on_after(host, deed.as_str(), look.as_str(), [Answer::exit(1), Answer::exit(0)]).on_after(
                host,
                deed.as_str(),
                settle.as_str(),
                Answer::exit(0),
            );
        }
    }
    fleet
}

/// A person who says anything, as long as there is something to say; then stops.
struct Fickle {
    choices: Mutex<Option<VecDeque<usize>>>,
}

impl Operator for Fickle {
    fn ask<'a>(&'a self, question: &'a Question) -> Pin<Box<dyn Future<Output = Response> + Send + 'a>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(20)).await;
            let next = match self.choices.lock().unwrap().as_mut() {
                None => return Response::NoTerminal,
                Some(choices) => choices.pop_front().unwrap_or(5),
            };
            match question {
                Question::InDoubt { choices, .. } | Question::Failure { choices, .. } => {
                    Response::Chose(choices[next.min(choices.len() - 1)], "said".to_owned())
                }
                Question::Start { .. } | Question::Manual { .. } | Question::Warning { .. } => {
                    if next == 0 {
                        Response::No
                    } else {
                        Response::Yes
                    }
                }
            }
        })
    }
}

/// A disturbed run, and then peace.
async fn play(world: &World<'_>, stretches: &[Stretch]) -> Result<(), String> {
    for stretch in stretches {
        let written = world.log.events().len().max(1);
        let crash = stretch.crash.map(|(number, before)| {
            let number = written + 1 + number;
            if before { Crash::Before(number) } else { Crash::After(number) }
        });
        for (deed, harm) in &stretch.harms {
            world.mischief().plan(*deed, *harm);
        }
        let person = Fickle { choices: Mutex::new(stretch.choices.clone().map(VecDeque::from)) };
        let interrupts: Vec<Duration> = stretch.interrupts.iter().copied().map(Duration::from_secs).collect();
        let died = world.stretch_with(&person, crash, &interrupts).await.is_err();
        if died && stretch.machine {
            world.log.lose_unsynced().unwrap();
        }
        world.mischief().stops();
        if matches!(world.state().status, RunStatus::Ended { .. }) {
            break;
        }
        tokio::time::sleep(Duration::from_secs(stretch.rest)).await;
    }
    world.mischief().over().await;
    comes_to_rest(world).await?;
    once_each(world)
}

/// So many resumes without any change are rest: as many as a script may have answers for one step, and one more.
const REST: usize = 4;
/// More resumes than any run here needs.
const RESUMES: usize = 60;

/// Resumes the run until it is over, or nothing changes any more.
async fn comes_to_rest(world: &World<'_>) -> Result<(), String> {
    let mut unchanged = 0;
    for _ in 0..RESUMES {
        if matches!(world.state().status, RunStatus::Ended { .. }) {
            return all_done(world);
        }
        let before = outcomes(world);
        let ending = world.stretch(None).await.unwrap();
        if ending == Ending::Done {
            return all_done(world).and_then(|()| left_behind(world));
        }
        // what may be run again and fails each time is run once more by each resume
        unchanged = if outcomes(world) == before { unchanged + 1 } else { 0 };
        if unchanged == REST {
            let failed = before.values().any(Outcome::failed);
            return if ending == Ending::Failed && failed { Ok(()) } else { Err(format!("it rests at {ending:?}")) };
        }
    }
    Err("it does not come to rest".to_owned())
}

fn outcomes(world: &World<'_>) -> BTreeMap<StepHost, Outcome> {
    let steps = world.state().steps.into_iter();
    steps.filter_map(|(at, step)| Some((at, step.outcome()?.clone()))).collect()
}

/// At a good end every step is settled on each of its hosts that was not taken out.
fn all_done(world: &World<'_>) -> Result<(), String> {
    let state = world.state();
    for unit in &world.case.plan.units {
        for host in &unit.hosts {
            let steps: Vec<_> = unit.leaves.iter().map(|leaf| StepHost::new(leaf.id.clone(), host.clone())).collect();
            let excluded = |at: &StepHost| matches!(state.step(at).outcome(), Some(Outcome::Excluded { .. }));
            if let Some(open) = steps.iter().find(|at| !state.step(at).is_settled())
                && !steps.iter().any(excluded)
            {
                return Err(format!("it is over, and {open} is {:?}", state.step(open)));
            }
        }
    }
    Ok(())
}

/// What a good end leaves behind: nothing.
fn left_behind(world: &World<'_>) -> Result<(), String> {
    let locks: Vec<_> = world.case.hosts().into_iter().filter_map(|host| world.fleet.lock_of(host)).collect();
    let receipts = world.fleet.receipts_kept();
    if locks.is_empty() && receipts.is_empty() { Ok(()) } else { Err(format!("left behind: {locks:?} {receipts:?}")) }
}

/// Every try took effect at most once; and where one did, the next was sent because somebody said so.
fn once_each(world: &World<'_>) -> Result<(), String> {
    let mut effects: BTreeMap<StepHost, Vec<u32>> = BTreeMap::new();
    let mut undos: BTreeMap<StepHost, usize> = BTreeMap::new();
    for effect in world.fleet.effects() {
        let (Some(step), Some(attempt)) = (&effect.step, effect.attempt) else { continue };
        if let Some(undone) = step.as_str().strip_suffix("/undo") {
            *undos.entry(StepHost::new(StepId::new(undone), effect.host.clone())).or_default() += 1;
            continue;
        }
        let tries = effects.entry(StepHost::new(step.clone(), effect.host.clone())).or_default();
        if tries.contains(&attempt) {
            return Err(format!("try {attempt} of {step}@{} took effect twice", effect.host));
        }
        tries.push(attempt);
    }
    let mut last: BTreeMap<StepHost, u32> = BTreeMap::new();
    let mut said: BTreeMap<StepHost, bool> = BTreeMap::new();
    for event in world.log.events() {
        match event {
            Event::StepStarted { at, attempt, .. } => {
                let effect = |before: &u32| effects.get(&at).is_some_and(|tries| tries.contains(before));
                let allowed = said.insert(at.clone(), false).unwrap_or(false);
                if last.insert(at.clone(), attempt).as_ref().is_some_and(effect) && !allowed {
                    return Err(format!("{at}: try {attempt} was sent although the one before took effect"));
                }
            }
            Event::RetryScheduled { at, .. }
            | Event::Chosen { at, choice: Choice::Retry, .. }
            | Event::Resolved { at, done: false, .. } => drop(said.insert(at, true)),
            Event::Chosen { at, choice: Choice::Undo, .. } => {
                if let Some(undos) = undos.get_mut(&at) {
                    *undos = undos.saturating_sub(1);
                }
            }
            _ => {}
        }
    }
    match undos.iter().find(|(_, more)| **more > 0) {
        Some((at, more)) => Err(format!("{at}: {more} undos more than were chosen")),
        None => Ok(()),
    }
}

/// Runs so many of what `strategy` gives through `test`.
fn tried<S: Strategy>(strategy: &S, test: impl Fn(S::Value) -> Result<(), String>) {
    #[expect(clippy::disallowed_methods, reason = "a test's own setting")]
    let cases = std::env::var("SCRIPTED_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(200);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 2000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let outcome = runner.run(strategy, |value| test(value).map_err(TestCaseError::fail));
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

fn case(runbook: &Runbook) -> Case {
    let play = runbook.clone();
    Case::new(&text(runbook), move || script(&play)).asking(skipping)
}

#[test]
fn whatever_happens_nothing_is_done_twice_and_the_run_comes_to_rest() {
    tried(&(runbook(), stretches()), |(runbook, stretches)| {
        let case = case(&runbook);
        in_a_world(&case, async |world: World<'_>| {
            play(&world, &stretches).await.map_err(|wrong| format!("{wrong}\n{}\n{}", text(&runbook), world.told()))
        })
    });
}

#[test]
fn crashes_alone_do_not_show() {
    let crash = (0..50usize, any::<bool>(), any::<bool>(), select(vec![0, 1, 50, 1000]));
    tried(&(runbook(), prop::collection::vec(crash, 1..4)), |(mut runbook, crashes)| {
        for deed in runbook.iter_mut().flatten() {
            // a resume runs again, and settles, by the runbook's word what a person was asked about in the run; and a try
            // that did not start is one of `retry` unless the program died before it said so
            deed.doubt = "";
            deed.replies.retain(|reply| matches!(reply, Reply::Well | Reply::Fails));
        }
        let case = case(&runbook);
        let wanted = in_a_world(&case, async |world: World<'_>| {
            let ending = world.stretch(None).await.unwrap();
            if ending == Ending::Done { Some((world.tale().await, world.told())) } else { None }
        });
        let Some((wanted, undisturbed)) = wanted else { return Ok(()) };
        in_a_world(&case, async |world: World<'_>| {
            for (number, before, machine, rest) in &crashes {
                let number = world.log.events().len().max(1) + 1 + number;
                let crash = if *before { Crash::Before(number) } else { Crash::After(number) };
                if world.stretch(Some(crash)).await.is_ok() {
                    break;
                }
                if *machine {
                    world.log.lose_unsynced().unwrap();
                }
                if matches!(world.state().status, RunStatus::Ended { .. }) {
                    break;
                }
                tokio::time::sleep(Duration::from_secs(*rest)).await;
            }
            let exit = world.goes_on().await;
            let mut found = world.tale().await;
            found.receipts.clear();
            let mut wrong = wanted.differences(&found);
            if exit != 0 {
                wrong.push(format!("exit {exit}"));
            }
            let told = || format!("{}\n{}\n{undisturbed}\n{}", wrong.join("\n"), text(&runbook), world.told());
            if wrong.is_empty() { Ok(()) } else { Err(told()) }
        })
    });
}
