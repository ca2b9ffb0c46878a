//! What a run leaves in the syslogs of its hosts. That every stamp agrees with the log, whatever disturbed the run, is looked at
//! after each stretch of all these tests.

use runbook::engine::{Ending, Performed, Question, RecordError, Response};
use runbook::event::Choice;
use runbook::journal::MemoryLog;
use runbook::transport::Scripted;
use runbook::transport::scripted::Answer;
use runbook::vocab::{HostName, Stamp};

use crate::case::Case;
use crate::dying::Crash;
use crate::person::{Person, agreeing, nobody};
use crate::world::{World, in_a_world};

const TWO: &str = "title: T\nhosts: ab\nsteps:\n  - { id: one, run: do one }\n  - { id: two, run: do two }\n";

fn fleet() -> Scripted {
    Scripted::new().everywhere("do", Answer::exit(0))
}

/// `STEP OUTCOME RECORDS` of each stamp.
fn told(stamps: &[Stamp]) -> Vec<String> {
    stamps.iter().map(|stamp| format!("{} {} {}", stamp.step, stamp.outcome, stamp.records)).collect()
}

async fn performed(world: &World<'_>) -> Result<Performed, RecordError> {
    let person = Person { fleet: world.fleet.clone(), mind: world.case.mind, patient: false };
    world.performed(&person, None, &[]).await.unwrap()
}

#[test]
fn each_step_of_a_host_has_its_line() {
    in_a_world(&Case::new(TWO, fleet), async |world: World<'_>| {
        assert_eq!(world.stretch(None).await.unwrap(), Ending::Done);
        let last = world.log.records().len();
        let wanted = [format!("one ok {last}"), format!("two ok {last}")];
        assert_eq!(told(&world.fleet.stamps_on("a")), wanted);
        assert_eq!(told(&world.fleet.stamps_on("b")), wanted);
        let stamp = &world.fleet.stamps_on("a")[0];
        let who = (stamp.runbook.as_str(), stamp.operator.as_str(), stamp.admin_host.as_str());
        assert_eq!(who, ("t", "anna", "admin01"));
    });
}

#[test]
fn a_host_that_nothing_reached_has_none_until_a_resume_reaches_it() {
    in_a_world(&Case::new(TWO, fleet), async |world: World<'_>| {
        world.fleet.goes_down("b", "the cable");
        assert_eq!(world.stretch(None).await.unwrap(), Ending::Failed);
        let first = told(&world.fleet.stamps_on("a"));
        assert!(!first.is_empty(), "{}", world.told());
        assert_eq!(world.fleet.stamps_on("b"), []);

        world.fleet.comes_back("b");
        assert_eq!(world.goes_on().await, 0, "{}", world.told());
        let last = world.log.records().len();
        let again = [format!("one ok {last}"), format!("two ok {last}")];
        assert_eq!(told(&world.fleet.stamps_on("b")), again);
        assert_eq!(told(&world.fleet.stamps_on("a")), [first, again.to_vec()].concat(), "the whole run once more");
    });
}

#[test]
fn what_is_in_doubt_is_stamped_as_that() {
    let lost = || fleet().everywhere("do one", Answer::lost("the wrapper was killed"));
    in_a_world(&Case::new(TWO, lost).asking(nobody), async |world: World<'_>| {
        assert_eq!(world.stretch(None).await.unwrap(), Ending::InDoubt, "{}", world.told());
        let last = world.log.records().len();
        assert_eq!(told(&world.fleet.stamps_on("a")), [format!("one in-doubt {last}")]);
    });
}

/// Stops at a failure; the host goes down meanwhile.
fn stopping_too_late(question: &Question, fleet: &Scripted) -> Response {
    match question {
        Question::Failure { at, .. } => {
            fleet.goes_down(at.host.as_str(), "the cable");
            Response::Chose(Choice::Stop, String::new())
        }
        _ => agreeing(question, fleet),
    }
}

#[test]
fn a_host_that_is_down_at_the_end_is_not_waited_for_again() {
    let fails = || fleet().everywhere("do one", Answer::exit(1));
    in_a_world(&Case::new(TWO, fails).asking(stopping_too_late), async |world: World<'_>| {
        let performed = performed(&world).await.unwrap();
        assert_eq!(performed.ending, Ending::Failed, "{}", world.told());
        let [(host, why)] = performed.unstamped.as_slice() else { panic!("{performed:?}\n{}", world.told()) };
        assert_eq!(host.as_str(), "a");
        assert!(why.contains("did not answer"), "{why}");
    });
}

#[test]
fn a_syslog_that_takes_nothing_changes_nothing_else() {
    let undisturbed = in_a_world(&Case::new(TWO, fleet), async |world: World<'_>| {
        world.stretch(None).await.unwrap();
        world.log.events()
    });
    let broken = || fleet().without_syslog("a", "there is no /dev/log").with_silent_syslog("b");
    in_a_world(&Case::new(TWO, broken), async |world: World<'_>| {
        let performed = performed(&world).await.unwrap();
        assert_eq!((performed.ending, performed.stamped), (Ending::Done, Vec::new()));
        let unstamped = [("a", "there is no /dev/log"), ("b", "it did not answer in time")];
        assert_eq!(performed.unstamped, unstamped.map(|(host, why)| (HostName::new(host), why.to_owned())));
        assert_eq!(world.log.events(), undisturbed);
        assert_eq!(world.fleet.receipts_kept(), [""; 0], "it is tidied all the same");
    });
}

#[test]
fn nothing_is_stamped_of_what_changes_nothing_is_not_written_or_died() {
    let looks = "title: T\nhosts: ab\nsteps: [{ id: look, probe: { run: do look } }]\n";
    let by_hand = "title: T\nhosts: a\nsteps:\n  - { id: hand, manual: do it }\n  - { id: wait, wait: 5s }\n";
    for text in [looks, by_hand] {
        in_a_world(&Case::new(text, fleet), async |world: World<'_>| {
            let performed = performed(&world).await.unwrap();
            let (stamped, unstamped) = (performed.stamped, performed.unstamped);
            assert_eq!((performed.ending, stamped, unstamped), (Ending::Done, Vec::new(), Vec::new()));
        });
    }
    let case = Case::new(TWO, fleet);
    let last = in_a_world(&case, async |world: World<'_>| {
        world.stretch(None).await.unwrap();
        world.log.records().len()
    });
    in_a_world(&case, async |mut world: World<'_>| {
        world.log = MemoryLog::full_at(last);
        assert!(performed(&world).await.is_err());
        assert_eq!(world.fleet.stamps_on("a"), []);
    });
    in_a_world(&case, async |world: World<'_>| {
        assert!(world.stretch(Some(Crash::Before(last))).await.is_err());
        assert_eq!(world.fleet.stamps_on("a"), []);
        assert_eq!(world.stretch(None).await.unwrap(), Ending::Done);
        assert_eq!(world.fleet.stamps_on("a").len(), 2);
    });
}
