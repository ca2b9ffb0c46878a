//! What random runs found once, each as short as it can be told.

use std::time::Duration;

use runbook::engine::{Ending, Question, Response};
use runbook::event::Choice;
use runbook::transport::Scripted;
use runbook::transport::scripted::Answer;

use crate::case::Case;
use crate::mischief::Harm;
use crate::person::{Person, agreeing, nobody};
use crate::world::{World, in_a_world};

/// Has the checks of a failed action evaluated, and then stops.
fn rechecking(question: &Question, fleet: &Scripted) -> Response {
    match question {
        Question::Failure { why, .. } if why.starts_with("exit 1") => {
            Response::Chose(Choice::Recheck, "finished by hand".to_owned())
        }
        _ => agreeing(question, fleet),
    }
}

#[test]
fn an_action_that_ended_badly_is_not_run_again_because_its_checks_were_evaluated() {
    let text = "title: T\nhosts: a\nsteps:\n  - { id: act, run: do act, checks: [{ run: look, expect: exit == 0 }] }\n";
    let script = || Scripted::new().everywhere("do act", Answer::exit(1)).everywhere("look", Answer::exit(1));
    let case = Case::new(text, script).asking(rechecking);
    in_a_world(&case, async |world: World<'_>| {
        assert_eq!(world.stretch(None).await.unwrap(), Ending::Failed);
        let person = Person { fleet: world.fleet.clone(), mind: nobody, patient: false };
        let ending = world.stretch_with(&person, None, &[]).await.unwrap();
        assert_eq!(ending, Ending::Declined, "it waits for a person");
        assert_eq!(world.fleet.effects().len(), 1, "{}", world.told());
    });
}

/// Settles doubt about a host that goes down meanwhile.
fn settling_too_early(question: &Question, fleet: &Scripted) -> Response {
    match question {
        Question::InDoubt { at, .. } => {
            fleet.goes_down(at.host.as_str(), "the cable");
            Response::Chose(Choice::NotDone, "looked".to_owned())
        }
        _ => agreeing(question, fleet),
    }
}

#[test]
fn a_host_that_comes_back_may_say_what_a_person_said_before() {
    let text = "title: T\nhosts: a\nsteps:\n  - { id: act, run: do act }\n";
    let case = Case::new(text, || Scripted::new().everywhere("do act", Answer::exit(0))).asking(settling_too_early);
    in_a_world(&case, async |world: World<'_>| {
        world.mischief().plan(0, Harm::LostOnTheWay);
        let person = Person { fleet: world.fleet.clone(), mind: settling_too_early, patient: false };
        assert_eq!(world.stretch_with(&person, None, &[]).await.unwrap(), Ending::Failed, "{}", world.told());
        world.fleet.comes_back("a");
        assert_eq!(world.stretch(None).await.unwrap(), Ending::Done, "{}", world.told());
        assert_eq!(world.fleet.effects().len(), 1, "{}", world.told());
    });
}

#[test]
fn an_interrupt_between_two_tries_leaves_a_try_that_never_started_due() {
    let text = "title: T\nhosts: a\nsteps:\n  - { id: act, run: do act, retry: { attempts: 3, delay: 40s } }\n";
    let script = || Scripted::new().everywhere("do act", [Answer::exit(1), Answer::exit(0)]);
    in_a_world(&Case::new(text, script), async |world: World<'_>| {
        world.mischief().plan(1, Harm::LostOnTheWay);
        assert_eq!(world.stretch(None).await.unwrap(), Ending::InDoubt, "{}", world.told());
        world.mischief().stops();
        let person = Person { fleet: world.fleet.clone(), mind: agreeing, patient: false };
        let interrupts = [Duration::from_secs(10)];
        let ending = world.stretch_with(&person, None, &interrupts).await.unwrap();
        assert_eq!(ending, Ending::Interrupted, "{}", world.told());
        assert_eq!(world.stretch(None).await.unwrap(), Ending::Done, "{}", world.told());
        assert_eq!(world.fleet.effects().len(), 2, "{}", world.told());
    });
}

#[test]
fn an_interrupt_while_the_last_checks_are_looked_at_is_no_good_end() {
    let check = "{ run: look, expect: exit == 0, within: 1m }";
    let text = format!("title: T\nhosts: a\nsteps:\n  - {{ id: act, run: do act, checks: [{check}] }}\n");
    let script = || {
        let looks: Vec<Answer> = [1; 20].into_iter().chain([0]).map(Answer::exit).collect();
        Scripted::new().everywhere("do act", Answer::exit(0)).everywhere("look", looks)
    };
    in_a_world(&Case::new(&text, script), async |world: World<'_>| {
        let person = Person { fleet: world.fleet.clone(), mind: agreeing, patient: false };
        let ending = world.stretch_with(&person, None, &[Duration::from_secs(10)]).await.unwrap();
        assert_eq!(ending, Ending::Interrupted, "{}", world.told());
        assert_eq!(world.stretch(None).await.unwrap(), Ending::Done, "{}", world.told());
        assert_eq!(world.fleet.effects().len(), 1, "{}", world.told());
    });
}
