//! The script does as it is told.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::super::capability::{Act, Ended, Fault, Finished, Inspect as _, Look, Operate as _, Probe, Seen};
use super::{Answer, Kind, Matcher, Scripted};
use crate::model::Target;
use crate::vocab::{Command, HostName, Period, StepId};

fn target(name: &str) -> Target {
    Target { name: HostName::new(name), ..Target::here() }
}

fn look(text: &str) -> Look {
    Look { probe: Probe::Run(Command::shell(text)), timeout: Period::seconds(60), cancel: CancellationToken::new() }
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
