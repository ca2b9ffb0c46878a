//! Many scenarios at once, each in its own time, on as many threads as the machine has.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::difference::Difference;
use super::play::{Played, Stage, play};
use crate::model::scenario::Scenario;

/// What one scenario came to.
#[derive(Debug)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// How it was played.
    pub played: Played,
}

/// What the scenarios of a file came to.
#[derive(Debug)]
pub struct SuitePlayed {
    /// The scenarios that were played, in the file's order.
    pub outcomes: Vec<Outcome>,
    /// What is wrong with the file as a whole: answers that no scenario needs.
    pub differences: Vec<Difference>,
}

impl SuitePlayed {
    /// Whether all is as expected.
    pub fn is_well(&self) -> bool {
        self.differences.is_empty() && self.outcomes.iter().all(|outcome| outcome.played.differences.is_empty())
    }
}

/// Plays those scenarios of each file that are `wanted`.
pub fn play_all(stages: &[Stage<'_>], wanted: &(dyn Fn(&Stage<'_>, &Scenario) -> bool + Sync)) -> Vec<SuitePlayed> {
    let of = |(index, stage): (usize, &Stage<'_>)| {
        let scenarios = stage.suite.scenarios.iter().enumerate();
        scenarios.filter(|(_, one)| wanted(stage, one)).map(|(number, _)| (index, number)).collect::<Vec<_>>()
    };
    let work: Vec<(usize, usize)> = stages.iter().enumerate().flat_map(of).collect();
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(work.len()));
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(work.len().max(1));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(&(file, number)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let scenario = &stages[file].suite.scenarios[number];
                    let played = play(stages[file], scenario);
                    let outcome = Outcome { name: scenario.name.clone(), played };
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((file, number, outcome));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(file, number, _)| (*file, *number));
    let mut all: Vec<SuitePlayed> =
        stages.iter().map(|_| SuitePlayed { outcomes: Vec::new(), differences: Vec::new() }).collect();
    for (file, _, outcome) in done {
        all[file].outcomes.push(outcome);
    }
    for (stage, played) in stages.iter().zip(&mut all) {
        // a file that was played in part, or went another way, says nothing of answers that are for the rest
        if played.outcomes.len() == stage.suite.scenarios.len() && played.is_well() {
            played.differences = unused(stage, &played.outcomes);
        }
    }
    all
}

fn unused(stage: &Stage<'_>, outcomes: &[Outcome]) -> Vec<Difference> {
    let answers = stage.suite.answers.iter().enumerate();
    let unused = answers.filter(|(index, _)| !outcomes.iter().any(|outcome| outcome.played.used[*index]));
    unused
        .map(|(_, answering)| {
            let about = format!("answer ({})", answering.to);
            Difference::new(about, "", "no scenario is given it").at(&answering.location)
        })
        .collect()
}
