//! Receipts: an action never takes effect twice, and what is known of it is true.
//!
//! One step on one host, with everything that may be slow, lost, killed or restarted:
//!
//! * The *engine* writes its intent, sends the errand, hears its end or loses the connection; then, or when it was
//!   killed and somebody resumes the run, it asks the host. What it writes goes through the real table.
//! * The *wrapper* takes the errand, creates `NAME.start` exclusively, appends its line, reads the first line back (it
//!   must be its own), checks the lease, runs the command (the *effect*), writes `NAME.exit`, tells.
//! * An *asker* looks at the start mark. Where there is no whole one, it appends a tombstone: whichever line is first in
//!   the file counts, for the wrapper and for every asker, now and later. Then it looks whether the process is alive,
//!   and only then for the exit.
//!
//! An errand may be in flight for any time (a frozen host, bytes in a buffer), so may an asker, also one whose engine is
//! gone. A reboot ends every process and may take from each receipt what was not on the disk.
//!
//! In doubt, a person looks at the host and says the truth: not even then may anything happen twice.

use runbook::event::{FailureKind, Outcome, StepState};

use super::ledger::{Ledger, Number, Record};
use super::search::{Protocol, Steps};

/// The number of attempts.
const ATTEMPTS: usize = 2;

/// A part of the protocol left out, or done otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// An asker that finds no start mark says so, and leaves nothing.
    NoTombstone,
    /// Where the boot is another, an asker answers "in doubt" and leaves nothing.
    DoubtWithoutTombstone,
    /// The wrapper believes in its mark without looking at it again.
    NoReadBack,
    /// The tombstone is renamed over a torn mark; when the old file has become whole meanwhile, it is put back.
    TombstoneByRename,
    /// The exit is looked for first, the process second.
    ExitBeforeProcess,
    /// Nobody compares the host's boot with that of the lock under which the errand was sent.
    NoBoot,
    /// The boot is compared with that of the newest lock: the one that the resume itself took.
    NewestBoot,
}

/// A line of a start mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Line {
    Wrapper { boot: u8 },
    Tombstone,
}

/// What stands under the name `NAME.start`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Name {
    #[default]
    Absent,
    /// The file that the wrapper, or an asker in its place, created.
    File,
    /// Another one, renamed over it.
    Renamed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Exit {
    #[default]
    Absent,
    Torn,
    Whole,
    /// The wrapper did not run the command: its lease was lost.
    Withdrawn,
}

/// Where an attempt's wrapper is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Wrapper {
    #[default]
    None,
    InFlight,
    Created,
    Marked,
    ReadBack,
    Withdrawing,
    Running,
    /// It was killed; its command goes on.
    Headless,
    Ran,
    Exiting,
    Exited,
    Gone,
}

/// What the wrapper said to its engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Told {
    #[default]
    Nothing,
    Refused,
    Exit,
    /// The connection ended without a word.
    Closed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Attempt {
    name: Name,
    /// The first line of the file that was created.
    line: Option<Line>,
    exit: Exit,
    wrapper: Wrapper,
    told: Told,
    took_effect: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Answer {
    Finished,
    Never,
    Doubt,
}

/// Where an asker is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Asker {
    #[default]
    None,
    Sent,
    /// It found no whole start mark.
    Burying,
    /// It appended its tombstone (or renamed it over the mark).
    Buried,
    /// It found a whole start mark.
    Looking,
    /// The process is not there.
    Exit,
    /// It found no exit (only where that is looked for first).
    NoExit,
    Answered(Answer),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Engine {
    /// Killed, or ended without an end of the run.
    Off,
    /// About to decide by its journal.
    Ready,
    Sending,
    Waiting,
    Asking,
    /// The run is over.
    Over,
}

/// How much may still go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Left {
    crashes: u8,
    losses: u8,
    reboots: u8,
    kills: u8,
    leases: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    journal: Number,
    engine: Engine,
    attempts: [Attempt; ATTEMPTS],
    asker: Asker,
    /// Askers whose engine is gone or has lost them, each with its attempt.
    orphans: [(Asker, u8); 2],
    boot: u8,
    effects: u8,
    wrong: Option<&'static str>,
    left: Left,
}

struct Receipts {
    flaw: Flaw,
    left: Left,
    ledger: Ledger,
}

impl Receipts {
    fn new(flaw: Flaw, left: Left) -> Self {
        Self { flaw, left, ledger: Ledger::new() }
    }

    /// The try that the journal is at, from 0.
    fn current(&self, world: &World) -> usize {
        self.ledger.step(world.journal).attempts().max(1) as usize - 1
    }

    /// The boot of the lock that an attempt was sent under.
    fn boot_known(&self, world: &World, attempt: usize) -> u8 {
        let records = self.ledger.records(world.journal);
        let until = records.iter().position(|record| {
            self.flaw != Flaw::NewestBoot
                && matches!(record, Record::Started(number) if *number as usize == attempt + 1)
        });
        let stretches = records[..until.unwrap_or(records.len())].iter().rev();
        let mut boots = stretches.filter_map(|record| match record {
            Record::Stretch { boot } => Some(*boot),
            _ => None,
        });
        boots.next().unwrap_or_default()
    }

    fn write(&self, world: &mut World, record: Record) {
        match self.ledger.append(world.journal, record) {
            Some(journal) => world.journal = journal,
            None => world.wrong = Some("the table forbids what the engine writes"),
        }
    }

    /// `world` after the engine wrote `record` and went on as `engine`.
    fn written(&self, world: &World, record: Record, engine: Engine) -> World {
        let mut next = world.clone();
        self.write(&mut next, record);
        next.engine = engine;
        next
    }

    fn engine(&self, world: &World, steps: &mut Steps<World>) {
        let current = self.current(world);
        let number = u32::try_from(current + 1).expect("few attempts");
        match world.engine {
            Engine::Over => return,
            Engine::Off => {
                let next = self.written(world, Record::Stretch { boot: world.boot }, Engine::Ready);
                steps.push(("the run is resumed", next));
                return;
            }
            Engine::Ready => self.decide(world, current, steps),
            Engine::Sending => {
                let mut next = world.clone();
                next.attempts[current].wrapper = Wrapper::InFlight;
                next.engine = Engine::Waiting;
                steps.push(("the errand is sent", next));
                if world.left.losses > 0 {
                    let mut next = self.written(world, Record::Unreachable, Engine::Ready);
                    next.left.losses -= 1;
                    steps.push(("the host cannot be reached", next));
                    let mut next = world.clone();
                    next.left.losses -= 1;
                    self.ask(&mut next);
                    steps.push(("the connection is lost in the middle of the errand", next));
                }
            }
            Engine::Waiting => {
                match world.attempts[current].told {
                    Told::Nothing => {}
                    Told::Exit => {
                        let next = self.written(world, Record::Acted(number), Engine::Ready);
                        steps.push(("the engine hears of the end", next));
                    }
                    Told::Refused => {
                        let next = self.written(world, Record::Never, Engine::Ready);
                        steps.push(("the engine hears of the refusal", next));
                    }
                    Told::Closed => {
                        let mut next = world.clone();
                        self.ask(&mut next);
                        steps.push(("the engine sees the connection closed, and asks", next));
                    }
                }
                if world.left.losses > 0 {
                    let mut next = world.clone();
                    next.left.losses -= 1;
                    self.ask(&mut next);
                    steps.push(("the connection is lost, and the engine asks", next));
                }
            }
            Engine::Asking => self.hear(world, current, steps),
        }
        if world.left.crashes > 0 {
            let mut next = world.clone();
            next.left.crashes -= 1;
            next.engine = Engine::Off;
            if orphan(&mut next, current) {
                steps.push(("the program is killed", next));
            }
        }
    }

    /// What the engine does by its journal alone.
    fn decide(&self, world: &World, current: usize, steps: &mut Steps<World>) {
        match self.ledger.step(world.journal) {
            StepState::NotStarted => {
                steps.push(("the intent is written", self.written(world, Record::Started(1), Engine::Sending)));
            }
            StepState::Running { .. } => {
                let mut next = world.clone();
                self.ask(&mut next);
                steps.push(("the engine asks", next));
            }
            StepState::Acted { .. } => steps.push(("all is well", self.written(world, Record::Ok, Engine::Over))),
            StepState::Ended { outcome: Outcome::InDoubt { .. }, .. } => {
                let next = self.written(world, Record::Resolved(world.effects > 0), Engine::Ready);
                steps.push(("a person looks, and says what became of it", next));
            }
            StepState::Due { .. } | StepState::Ended { outcome: Outcome::Failed { .. }, .. }
                if current + 1 < ATTEMPTS =>
            {
                let attempt = u32::try_from(current + 2).expect("few attempts");
                let next = self.written(world, Record::Started(attempt), Engine::Sending);
                steps.push(("the intent to try again is written", next));
            }
            StepState::Due { .. } | StepState::Ended { .. } => {
                steps.push(("the run is over", World { engine: Engine::Over, ..world.clone() }));
            }
        }
    }

    fn ask(&self, world: &mut World) {
        if orphan(world, self.current(world)) {
            world.asker = Asker::Sent;
            world.engine = Engine::Asking;
        }
    }

    /// What the engine does while it asks.
    fn hear(&self, world: &World, current: usize, steps: &mut Steps<World>) {
        let heard = |record, word, steps: &mut Steps<World>| {
            let mut next = self.written(world, record, Engine::Ready);
            next.asker = Asker::None;
            if record == Record::Doubt && world.attempts[current].exit == Exit::Whole {
                next.wrong = Some("an outcome that is on the host was lost");
            }
            steps.push((word, next));
        };
        match world.asker {
            Asker::Answered(Answer::Finished) => {
                let number = u32::try_from(current + 1).expect("few attempts");
                heard(Record::Acted(number), "the engine is answered: finished", steps);
            }
            Asker::Answered(Answer::Never) => {
                let number = u32::try_from(current + 1).expect("few attempts");
                heard(Record::Withdrawn(number), "the engine is answered: never started", steps);
            }
            Asker::Answered(Answer::Doubt) => heard(Record::Doubt, "the engine is answered: died", steps),
            Asker::None => {
                let mut next = world.clone();
                self.ask(&mut next);
                steps.push(("the engine asks again", next));
            }
            _ => {}
        }
        if world.left.losses > 0 {
            let mut next = world.clone();
            next.left.losses -= 1;
            if orphan(&mut next, current) {
                self.ask(&mut next);
                steps.push(("the connection is lost while asking, and the engine asks anew", next));
            }
        }
    }

    fn wrapper(&self, world: &World, number: usize, steps: &mut Steps<World>) {
        let before = world.attempts[number];
        let mut step = |word, change: &dyn Fn(&mut Attempt)| {
            let mut next = world.clone();
            change(&mut next.attempts[number]);
            next.effects += u8::from(next.attempts[number].took_effect && !before.took_effect);
            steps.push((word, next));
        };
        let refuse = |attempt: &mut Attempt| {
            attempt.wrapper = Wrapper::Gone;
            attempt.told = Told::Refused;
        };
        match before.wrapper {
            Wrapper::None | Wrapper::Gone => return,
            Wrapper::InFlight if before.name == Name::Absent => {
                step("the wrapper creates its start mark", &|attempt| {
                    attempt.name = Name::File;
                    attempt.line = None;
                    attempt.wrapper = Wrapper::Created;
                });
            }
            Wrapper::InFlight => step("the wrapper finds a start mark and refuses", &refuse),
            Wrapper::Created => step("the wrapper writes its line", &|attempt| {
                attempt.line.get_or_insert(Line::Wrapper { boot: world.boot });
                attempt.wrapper = Wrapper::Marked;
            }),
            Wrapper::Marked => {
                let own = before.name == Name::File && matches!(before.line, Some(Line::Wrapper { .. }));
                if own || self.flaw == Flaw::NoReadBack {
                    step("the wrapper reads its line back", &|attempt| attempt.wrapper = Wrapper::ReadBack);
                } else {
                    step("the wrapper reads a tombstone and refuses", &refuse);
                }
            }
            Wrapper::ReadBack => {
                step("the wrapper finds its lease, and starts", &|attempt| attempt.wrapper = Wrapper::Running);
            }
            Wrapper::Withdrawing => step("the wrapper withdraws", &|attempt| {
                attempt.exit = Exit::Withdrawn;
                refuse(attempt);
            }),
            Wrapper::Running => step("the command takes effect", &|attempt| {
                attempt.took_effect = true;
                attempt.wrapper = Wrapper::Ran;
            }),
            Wrapper::Headless => {
                if !before.took_effect {
                    step("the command takes effect, without its wrapper", &|attempt| attempt.took_effect = true);
                }
                step("the command ends, without its wrapper", &|attempt| attempt.wrapper = Wrapper::Gone);
            }
            Wrapper::Ran => step("the wrapper creates its exit mark", &|attempt| {
                attempt.exit = Exit::Torn;
                attempt.wrapper = Wrapper::Exiting;
            }),
            Wrapper::Exiting => step("the wrapper writes its exit mark", &|attempt| {
                attempt.exit = Exit::Whole;
                attempt.wrapper = Wrapper::Exited;
            }),
            Wrapper::Exited => step("the wrapper tells of the end", &|attempt| {
                attempt.told = Told::Exit;
                attempt.wrapper = Wrapper::Gone;
            }),
        }
        if before.wrapper == Wrapper::ReadBack && world.left.leases > 0 {
            let mut next = world.clone();
            next.left.leases -= 1;
            next.attempts[number].wrapper = Wrapper::Withdrawing;
            steps.push(("the wrapper finds its lease lost", next));
        }
        if world.left.kills > 0 && before.wrapper != Wrapper::Headless {
            let mut killed = |word, wrapper| {
                let mut next = world.clone();
                next.left.kills -= 1;
                next.attempts[number].wrapper = wrapper;
                next.attempts[number].told = Told::Closed;
                steps.push((word, next));
            };
            killed("the wrapper is killed", Wrapper::Gone);
            if before.wrapper == Wrapper::Running {
                killed("the wrapper is killed, its command goes on", Wrapper::Headless);
            }
        }
    }

    /// The asker's next step, for `attempt`.
    fn asked(&self, world: &World, asker: Asker, number: usize) -> Option<(&'static str, Asker, World)> {
        let mut next = world.clone();
        let attempt = &mut next.attempts[number];
        let rebooted = self.flaw != Flaw::NoBoot && self.boot_known(world, number) != world.boot;
        let rename = self.flaw == Flaw::TombstoneByRename;
        // where the mark may have been lost in a reboot, a tombstone only says that nothing starts from now on
        let buried = if rebooted { Asker::Exit } else { Asker::Answered(Answer::Never) };
        let (word, asker) = match asker {
            Asker::None | Asker::Answered(_) => return None,
            Asker::Sent => match (attempt.name, attempt.line) {
                (Name::File, Some(Line::Wrapper { .. })) if self.flaw == Flaw::ExitBeforeProcess => {
                    let found = attempt.exit == Exit::Whole;
                    ("an asker looks for the exit first", if found { Asker::Exit } else { Asker::NoExit })
                }
                (Name::File, Some(Line::Wrapper { .. })) => ("an asker finds the start mark", Asker::Looking),
                (Name::File, Some(Line::Tombstone)) | (Name::Renamed, _) => ("an asker finds a tombstone", buried),
                (Name::Absent, _) | (Name::File, None) if rebooted && self.flaw == Flaw::DoubtWithoutTombstone => {
                    ("an asker finds no start mark, but another boot", Asker::Exit)
                }
                (Name::Absent, _) if self.flaw == Flaw::NoTombstone => {
                    ("an asker finds no start mark", Asker::Answered(Answer::Never))
                }
                (Name::Absent, _) | (Name::File, None) => ("an asker finds no whole start mark", Asker::Burying),
            },
            Asker::Burying if rename && attempt.name == Name::Absent => {
                attempt.name = Name::Renamed;
                ("an asker creates a tombstone", buried)
            }
            Asker::Burying if rename => {
                attempt.name = Name::Renamed;
                ("an asker renames a tombstone over the mark", Asker::Buried)
            }
            Asker::Burying => {
                attempt.name = Name::File;
                attempt.line.get_or_insert(Line::Tombstone);
                ("an asker appends a tombstone", Asker::Buried)
            }
            Asker::Buried if matches!(attempt.line, Some(Line::Wrapper { .. })) => {
                attempt.name = Name::File;
                ("an asker finds that the mark is whole by now", Asker::Looking)
            }
            Asker::Buried => ("an asker finds its tombstone first", buried),
            Asker::Looking | Asker::NoExit => {
                let alive = !matches!(attempt.wrapper, Wrapper::None | Wrapper::InFlight | Wrapper::Gone);
                let this_boot = attempt.line == Some(Line::Wrapper { boot: world.boot });
                if alive && this_boot {
                    ("an asker finds it running, and will ask again", Asker::Sent)
                } else if asker == Asker::NoExit {
                    ("an asker finds no process, too", Asker::Answered(Answer::Doubt))
                } else {
                    ("an asker finds no process", Asker::Exit)
                }
            }
            Asker::Exit => match attempt.exit {
                Exit::Whole => ("an asker finds the exit", Asker::Answered(Answer::Finished)),
                Exit::Withdrawn => ("an asker finds it withdrawn", Asker::Answered(Answer::Never)),
                Exit::Absent | Exit::Torn => ("an asker finds no exit", Asker::Answered(Answer::Doubt)),
            },
        };
        Some((word, asker, next))
    }

    fn askers(&self, world: &World, steps: &mut Steps<World>) {
        if let Some((word, asker, mut next)) = self.asked(world, world.asker, self.current(world)) {
            next.asker = asker;
            steps.push((word, next));
        }
        for (index, (asker, number)) in world.orphans.into_iter().enumerate() {
            if let Some((word, asker, mut next)) = self.asked(world, asker, usize::from(number)) {
                let done = matches!(asker, Asker::Answered(_));
                next.orphans[index] = if done { Default::default() } else { (asker, number) };
                next.orphans.sort_unstable();
                steps.push((word, next));
                // its connection is gone: it may be ended at any time
                let mut next = world.clone();
                next.orphans[index] = Default::default();
                next.orphans.sort_unstable();
                steps.push(("an asker that nobody hears is killed", next));
            }
        }
    }

    fn reboot(world: &World, steps: &mut Steps<World>) {
        if world.left.reboots == 0 || world.engine == Engine::Over {
            return;
        }
        let mut rebooted = world.clone();
        rebooted.left.reboots -= 1;
        rebooted.boot += 1;
        rebooted.asker = Asker::None;
        rebooted.orphans = Default::default();
        for attempt in &mut rebooted.attempts {
            if !matches!(attempt.wrapper, Wrapper::None | Wrapper::Gone) {
                attempt.wrapper = Wrapper::Gone;
                attempt.told = Told::Closed;
            }
        }
        // of each file may be there: all, its name, nothing
        let mut after = vec![rebooted];
        for number in 0..ATTEMPTS {
            after = after.iter().flat_map(|world| lost(world, number)).collect();
        }
        steps.extend(after.into_iter().map(|world| ("the host is rebooted", world)));
    }
}

/// What may be left of an attempt's receipt.
fn lost(world: &World, number: usize) -> Vec<World> {
    let attempt = world.attempts[number];
    let with = |change: &dyn Fn(&mut Attempt)| {
        let mut next = world.clone();
        change(&mut next.attempts[number]);
        next
    };
    let mut after = vec![world.clone()];
    if attempt.name != Name::Absent {
        after.push(with(&|attempt| attempt.line = None));
        after.push(with(&|attempt| (attempt.name, attempt.line) = (Name::Absent, None)));
    }
    if attempt.exit != Exit::Absent {
        let exits = |world: &World| {
            [Exit::Absent, Exit::Torn].map(|exit| {
                let mut next = world.clone();
                next.attempts[number].exit = exit;
                next
            })
        };
        let more: Vec<World> = after.iter().flat_map(exits).collect();
        after.extend(more);
    }
    after
}

/// Leaves the engine's asker to itself; false where there would be more of them than are looked at.
fn orphan(world: &mut World, current: usize) -> bool {
    let asker = std::mem::take(&mut world.asker);
    if matches!(asker, Asker::None | Asker::Answered(_)) {
        return true;
    }
    let Some(free) = world.orphans.iter_mut().find(|(asker, _)| *asker == Asker::None) else { return false };
    *free = (asker, u8::try_from(current).expect("few attempts"));
    world.orphans.sort_unstable();
    true
}

impl Protocol for Receipts {
    type State = World;

    fn begin(&self) -> Vec<World> {
        vec![World {
            journal: 0,
            engine: Engine::Ready,
            attempts: Default::default(),
            asker: Asker::None,
            orphans: Default::default(),
            boot: 0,
            effects: 0,
            wrong: None,
            left: self.left,
        }]
    }

    fn next(&self, world: &World, steps: &mut Steps<World>) {
        self.engine(world, steps);
        for number in 0..ATTEMPTS {
            self.wrapper(world, number, steps);
        }
        self.askers(world, steps);
        Self::reboot(world, steps);
    }

    fn wrong(&self, world: &World) -> Option<String> {
        if let Some(wrong) = world.wrong {
            return Some(wrong.to_owned());
        }
        if world.effects > 1 {
            return Some("the action took effect twice".to_owned());
        }
        let state = self.ledger.step(world.journal);
        let never = matches!(
            state,
            StepState::Due { .. }
                | StepState::Ended {
                    outcome: Outcome::Failed { kind: FailureKind::NotStarted | FailureKind::Unreachable, .. },
                    ..
                }
        );
        let current = world.attempts[self.current(world)];
        if never && current.took_effect {
            return Some("the engine believes that it did not start, and it did".to_owned());
        }
        let well = matches!(state, StepState::Ended { outcome: Outcome::Ok, .. });
        (well && world.effects == 0).then(|| "the engine believes that it is done, and it is not".to_owned())
    }

    fn ended(&self, world: &World) -> bool {
        world.engine == Engine::Over
    }
}

#[path = "receipts_searches.rs"]
mod searches;
