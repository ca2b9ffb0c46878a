//! Breadth-first search over every state that a protocol can get into.
//!
//! Own, because it is a page: the crates for it (stateright) bring a web server and actors, where the protocols here
//! are files and processes. Breadth-first, so that a counterexample is a shortest one.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::{self, Debug};
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::rc::Rc;
use std::time::Instant;

/// A protocol: its beginnings, what may happen next, and what must never be.
pub(crate) trait Protocol {
    /// Everything that matters: two equal states have the same future.
    type State: Clone + Eq + Hash + Debug;

    /// Where it begins.
    fn begin(&self) -> Vec<Self::State>;

    /// Everything that may happen in `state`, each with a word for it.
    fn next(&self, state: &Self::State, steps: &mut Steps<Self::State>);

    /// What is wrong with `state`, if anything is.
    fn wrong(&self, state: &Self::State) -> Option<String>;

    /// Whether it may end here. From every state such a one must be within reach.
    fn ended(&self, state: &Self::State) -> bool;
}

/// What may happen next.
pub(crate) type Steps<S> = Vec<(&'static str, S)>;

/// Whether more is to be searched than a test run has time for.
pub(crate) fn large() -> bool {
    #[expect(clippy::disallowed_methods, reason = "a test has no cli to read the environment for it")]
    std::env::var_os("MODEL").is_some_and(|size| size == "large")
}

/// How much was looked at.
#[derive(Debug)]
pub(crate) struct Explored {
    /// Different states.
    pub(crate) states: usize,
    /// Steps from one to another.
    pub(crate) steps: usize,
}

/// How to get to a state that must not be.
pub(crate) struct Counterexample {
    /// What is wrong there.
    pub(crate) why: String,
    /// The words of the steps to it.
    pub(crate) path: Vec<&'static str>,
    /// The state.
    pub(crate) state: String,
}

impl Debug for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, after", self.why)?;
        for step in &self.path {
            writeln!(f, "  {step}")?;
        }
        write!(f, "{}", self.state)
    }
}

/// The states found so far, each with the first way to it.
struct Found<S> {
    states: Vec<Rc<S>>,
    from: Vec<(u32, &'static str)>,
    index: HashMap<Rc<S>, u32, BuildHasherDefault<Quick>>,
}

impl<S: Hash + Eq + Debug> Found<S> {
    fn add(&mut self, state: S, from: u32, word: &'static str) -> u32 {
        let number = u32::try_from(self.states.len()).expect("fewer states than that");
        match self.index.entry(Rc::new(state)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                self.states.push(new.key().clone());
                self.from.push((from, word));
                *new.insert(number)
            }
        }
    }

    fn counterexample(&self, mut number: u32, why: String) -> Counterexample {
        let state = format!("{:?}", self.states[number as usize]);
        let mut path = Vec::new();
        while let (from, word) = self.from[number as usize]
            && from != number
        {
            path.push(word);
            number = from;
        }
        path.reverse();
        Counterexample { why, path, state }
    }
}

/// Looks at every state of `protocol`, and prints how many there are as those of `name`.
pub(crate) fn explore<P: Protocol>(name: &str, protocol: &P) -> Result<Explored, Box<Counterexample>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long the search took is told to people; nothing follows from it"
    )]
    let started = Instant::now();
    let mut found = Found { states: Vec::new(), from: Vec::new(), index: HashMap::default() };
    let mut steps_to: Vec<(u32, u32)> = Vec::new();
    for state in protocol.begin() {
        let number = u32::try_from(found.states.len()).expect("few beginnings");
        found.add(state, number, "begin");
    }
    let mut at = 0;
    let mut steps = Vec::new();
    while at < found.states.len() {
        let state = found.states[at].clone();
        let number = u32::try_from(at).expect("counted above");
        if let Some(why) = protocol.wrong(&state) {
            return Err(Box::new(found.counterexample(number, why)));
        }
        protocol.next(&state, &mut steps);
        for (word, next) in steps.drain(..) {
            let to = found.add(next, number, word);
            if to != number {
                steps_to.push((to, number));
            }
        }
        at += 1;
    }
    let explored = Explored { states: at, steps: steps_to.len() };
    if let Some(stuck) = cannot_end(protocol, &found, steps_to) {
        let why = "nothing that may follow leads to an end".to_owned();
        return Err(Box::new(found.counterexample(stuck, why)));
    }
    println!("{name}: {} states, {} steps, {:.1?}", explored.states, explored.steps, started.elapsed());
    Ok(explored)
}

/// The first state from which no end is within reach.
fn cannot_end<P: Protocol>(protocol: &P, found: &Found<P::State>, mut steps_to: Vec<(u32, u32)>) -> Option<u32> {
    steps_to.sort_unstable();
    let mut can: Vec<bool> = found.states.iter().map(|state| protocol.ended(state)).collect();
    let ends = (0_u32..).zip(&can).filter(|(_, can)| **can).map(|(number, _)| number);
    let mut open: Vec<u32> = ends.collect();
    while let Some(number) = open.pop() {
        let first = steps_to.partition_point(|(to, _)| *to < number);
        for (_, from) in steps_to[first..].iter().take_while(|(to, _)| *to == number) {
            if !can[*from as usize] {
                can[*from as usize] = true;
                open.push(*from);
            }
        }
    }
    can.iter().position(|can| !can).and_then(|number| u32::try_from(number).ok())
}

/// A hash that costs little without optimisation: a multiplication a word.
#[derive(Default)]
struct Quick(u64);

impl Quick {
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for Quick {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.mix(u64::from(*byte)));
    }

    fn write_u8(&mut self, word: u8) {
        self.mix(u64::from(word));
    }

    fn write_u16(&mut self, word: u16) {
        self.mix(u64::from(word));
    }

    fn write_isize(&mut self, word: isize) {
        self.mix(word.cast_unsigned() as u64);
    }

    fn write_usize(&mut self, word: usize) {
        self.mix(word as u64);
    }
}
