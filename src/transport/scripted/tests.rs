//! The script does as it is told.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::super::capability::{Act, Ended, Fault, Finished, Inspect as _, Look, Operate as _, Probe, Seen};
use super::super::left::{Fate, LeftReceipt};
use super::{Answer, Kind, Matcher, Scripted};
use crate::model::Target;
use crate::vocab::{Command, HostName, Period, StepId};

fn target(name: &str) -> Target {
    Target { name: HostName::new(name), ..Target::here() }
}

fn look(text: &str) -> Look {
    Look {
        name: "look".to_owned(),
        probe: Probe::Run(Command::shell(text)),
        timeout: Period::seconds(60),
        cancel: CancellationToken::new(),
    }
}

fn act(step: &str, text: &str) -> Act {
    Act {
        run: "20261122T031500Z-1a2b3c4d".parse().unwrap(),
        step: StepId::new(step),
        attempt: 1,
        command: Command::shell(text),
        timeout: Some(Period::seconds(60)),
        grace: Period::ZERO,
        cancel: CancellationToken::new(),
        output: Arc::new(|_, _| {}),
        notices: Arc::new(|_| {}),
        locked: false,
        boot: None,
    }
}

async fn exit(fleet: &Scripted, host: &str, text: &str) -> Result<i32, Fault> {
    match fleet.look(&target(host), look(text)).await? {
        Seen::Command(Finished { ended: Ended::Exited(status), .. }) => Ok(status),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn answers_follow_each_other_and_the_last_repeats() {
    let fleet = Scripted::new().everywhere("status", Answer::exit(9)).on(
        "a",
        "status",
        [Answer::exit(1), Answer::exit(0).after(Duration::from_secs(30))],
    );
    for expected in [1, 0, 0] {
        assert_eq!(exit(&fleet, "a", "show status").await, Ok(expected));
    }
    assert_eq!(exit(&fleet, "b", "status").await, Ok(9));
    assert!(matches!(exit(&fleet, "b", "other").await, Err(Fault::NotStarted { .. })));
    assert_eq!(fleet.told(Kind::Look)[3..], ["b: status", "b: other"]);
}

#[tokio::test(start_paused = true)]
async fn an_action_changes_what_is_seen_even_when_it_is_lost() {
    let fleet = Scripted::new()
        .everywhere("status", Answer::exit(1))
        .everywhere("restart", [Answer::unreachable("down"), Answer::lost("cable")])
        .on_after("a", Matcher::Step(StepId::new("restart")), "status", Answer::exit(0));
    assert!(matches!(fleet.act(&target("a"), act("restart", "sv restart")).await, Err(Fault::Unreachable { .. })));
    assert_eq!(exit(&fleet, "a", "status").await, Ok(1));
    assert!(matches!(fleet.act(&target("a"), act("restart", "sv restart")).await, Err(Fault::Lost { .. })));
    assert_eq!(exit(&fleet, "a", "status").await, Ok(0));
}

#[tokio::test(start_paused = true)]
async fn time_and_cancelling_are_kept() {
    let fleet = Scripted::new().everywhere(Matcher::Any, Answer::exit(0).after(Duration::from_hours(1)));
    assert_eq!(exit(&fleet, "a", "x").await, Err(Fault::TimedOut { after: Period::seconds(60) }));
    assert_eq!(fleet.act(&target("a"), act("s", "x")).await.unwrap().ended, Ended::TimedOut);
    let act = Act { attempt: 2, ..act("s", "x") };
    let cancel = act.cancel.clone();
    let host = target("a");
    let (done, ()) = tokio::join!(fleet.act(&host, act), async { cancel.cancel() });
    assert_eq!(done.unwrap().ended, Ended::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn what_actions_left_is_there_until_it_is_collected() {
    let fleet = Scripted::new()
        .everywhere("ends", Answer::exit(3).stdout("word\n"))
        .everywhere("runs", Answer::exit(0).after(Duration::from_secs(30)));
    let (a, run) = (target("a"), act("ends", "ends").run);
    fleet.act(&a, act("ends", "ends")).await.unwrap();
    let acting = tokio::spawn({
        let fleet = fleet.clone();
        async move { fleet.act(&target("a"), act("runs", "runs")).await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let left = fleet.receipts(&a, None, None).await.unwrap();
    let fates: Vec<(&str, &str)> = left[0].receipts.iter().map(|left| (left.step.as_str(), left.fate.word())).collect();
    assert_eq!(fates, [("ends", "finished"), ("runs", "running")]);
    assert!(matches!(left[0].receipts[0], LeftReceipt { fate: Fate::Finished(3), stdout: 5, .. }));
    assert_eq!(fleet.receipts(&target("b"), None, None).await.unwrap(), []);
    let written = fleet.written(&a, None, &run, &StepId::new("ends"), 1).await.unwrap();
    assert_eq!(written.stdout, b"word\n");
    assert!(matches!(fleet.collect(&a, None, &run).await, Err(Fault::NotStarted { .. })));
    acting.await.unwrap().unwrap();
    fleet.collect(&a, None, &run).await.unwrap();
    assert_eq!(fleet.receipts(&a, None, Some(&run)).await.unwrap(), []);
    fleet.goes_down("a", "no power");
    assert!(matches!(fleet.receipts(&a, None, None).await, Err(Fault::Unreachable { .. })));
}
