//! The program dies at every record of a run; and every deed of a run comes to harm.

use std::time::Duration;

use runbook::engine::Ending;
use runbook::event::RunStatus;
use runbook::transport::scripted::Kind;

use crate::case::Case;
use crate::dying::Crash;
use crate::mischief::Harm;
use crate::tale::Tale;
use crate::world::{World, in_a_world};

/// What becomes of records that were written and not yet synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unsynced {
    /// They are there: the program died, the machine did not.
    Kept,
    /// They are lost with the machine.
    Lost,
}

/// A run that nothing disturbed.
pub struct Undisturbed {
    tale: Tale,
    records: usize,
    deeds: usize,
}

impl Case {
    /// Runs it once, undisturbed.
    pub fn undisturbed(&self) -> Undisturbed {
        in_a_world(self, async |world: World<'_>| {
            let ending = world.stretch(None).await.unwrap();
            assert_eq!(ending, self.ending, "\n{}", world.told());
            let deeds = world.fleet.calls().iter().filter(|call| matches!(call.kind, Kind::Act | Kind::Send)).count();
            Undisturbed { tale: world.tale().await, records: world.log.events().len(), deeds }
        })
    }

    /// The program dies at every record of the run. Gives how many deaths that was.
    pub fn survives_crashes(&self) -> usize {
        let wanted = self.undisturbed();
        let mut deaths = 0;
        let mut wrong = Vec::new();
        for number in 2..=wanted.records {
            for crash in [Crash::Before(number), Crash::After(number)] {
                for unsynced in [Unsynced::Kept, Unsynced::Lost] {
                    // a resume comes at once, or when all is long over
                    let later = if deaths % 2 == 0 { Duration::ZERO } else { Duration::from_hours(1) };
                    deaths += 1;
                    let story = async |world: World<'_>| self.dies(&world, &wanted.tale, crash, unsynced, later).await;
                    wrong.extend(in_a_world(self, story));
                }
            }
        }
        assert!(wrong.is_empty(), "{} of {deaths} crashes show:\n{}", wrong.len(), wrong.join("\n"));
        deaths
    }

    async fn dies(
        &self,
        world: &World<'_>,
        wanted: &Tale,
        crash: Crash,
        unsynced: Unsynced,
        later: Duration,
    ) -> Option<String> {
        if let Ok(ending) = world.stretch(Some(crash)).await {
            return Some(format!("no crash {crash}: the run ended {ending:?}"));
        }
        if unsynced == Unsynced::Lost {
            world.log.lose_unsynced().unwrap();
        }
        let written = world.log.events().len();
        tokio::time::sleep(later).await;
        let exit = world.goes_on().await;
        let resumed = world.log.events().len() > written;
        let mut wrong = self.differences(world, wanted, exit, resumed).await;
        if !wrong.is_empty() {
            wrong.push(world.told());
        }
        let place = format!("{crash}, unsynced records {unsynced:?}, resumed after {later:?}, {written} written");
        (!wrong.is_empty()).then(|| format!("{place}:\n    {}", wrong.join("\n    ")))
    }

    /// The program dies at every record of the run, and then at every record of its resume. Gives how many pairs that was.
    pub fn survives_crashes_of_the_resume(&self) -> usize {
        let wanted = self.undisturbed();
        let mut pairs = 0;
        let mut wrong = Vec::new();
        for first in (2..=wanted.records).flat_map(|number| [Crash::Before(number), Crash::After(number)]) {
            for second in 1.. {
                let story = async |world: World<'_>| {
                    assert!(world.stretch(Some(first)).await.is_err(), "no crash {first}");
                    let again = Crash::After(world.log.events().len() + second);
                    let over = matches!(world.state().status, RunStatus::Ended { .. });
                    if over || world.stretch(Some(again)).await.is_ok() {
                        return None;
                    }
                    let written = world.log.events().len();
                    let exit = world.goes_on().await;
                    let resumed = world.log.events().len() > written;
                    let wrong = self.differences(&world, &wanted.tale, exit, resumed).await;
                    let place = format!("{first}, then {again}:\n    {}\n{}", wrong.join("\n    "), world.told());
                    Some((!wrong.is_empty()).then_some(place))
                };
                let Some(found) = in_a_world(self, story) else { break };
                pairs += 1;
                wrong.extend(found);
            }
        }
        assert!(wrong.is_empty(), "{} of {pairs} pairs of crashes show:\n{}", wrong.len(), wrong.join("\n"));
        pairs
    }

    /// Each action and request in turn comes to each harm. Gives how many that were.
    pub fn survives_harm(&self) -> usize {
        let wanted = self.undisturbed();
        let mut harms = 0;
        let mut wrong = Vec::new();
        for deed in 0..wanted.deeds {
            for harm in Harm::ALL {
                harms += 1;
                let story = async |world: World<'_>| {
                    world.mischief().plan(deed, harm);
                    world.stretch(None).await.unwrap();
                    world.mischief().over().await;
                    let exit = world.goes_on().await;
                    let mut wrong = self.differences(&world, &wanted.tale, exit, true).await;
                    if !wrong.is_empty() {
                        wrong.push(world.told());
                    }
                    (!wrong.is_empty()).then(|| format!("{harm:?} of deed {deed}:\n    {}", wrong.join("\n    ")))
                };
                wrong.extend(in_a_world(self, story));
            }
        }
        assert!(wrong.is_empty(), "{} of {harms} harms show:\n{}", wrong.len(), wrong.join("\n"));
        harms
    }

    /// What is otherwise than undisturbed. Only a good end tidies, unless the program dies once its run is over.
    async fn differences(&self, world: &World<'_>, wanted: &Tale, exit: u8, tidied: bool) -> Vec<String> {
        let mut tale = world.tale().await;
        if !tidied || self.ending != Ending::Done {
            tale.receipts.clone_from(&wanted.receipts);
        }
        let mut wrong = wanted.differences(&tale);
        if !self.ends_with(exit) {
            wrong.insert(0, format!("exit {exit} instead of {}", self.ending.exit()));
        }
        wrong
    }
}
