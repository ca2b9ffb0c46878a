//! Locks: two runs never act on one host at once, and no lock outlives its owner.
//!
//! Two runs and one host, with everything that may be slow, lost, killed or restarted:
//!
//! * A host's *records* are numbered; the highest is what holds. To add one is to make the next number (that fails when
//!   it is there) and to look again: where there is a higher one by then, it is taken back and all begins anew. Only the
//!   few highest are kept.
//! * A *program* takes the lock, sends actions, renews, gives it back; it may be killed, and resumed. What it has the host
//!   do (*services*) may be slow, also slower than the program itself.
//! * An action's *wrapper* makes its mark (empty, then written), then finds the highest record, reads it, and finds
//!   that it is still the highest; if it is its run's and not expired, its command runs; then it empties the mark. A killed wrapper's command may go on.
//! * A taker adds its record, then reads the marks of others: where one is alive it puts back what was before.
//!
//! Time is the host's: a tick ends every lease that was not renewed since the tick before.

use super::search::{Protocol, Steps};

/// The number of runs.
const RUNS: usize = 2;
/// The number of records that may ever be made.
const RECORDS: usize = 7;
/// How many are kept.
const KEPT: usize = 2;
/// A lease's length in ticks.
const LENGTH: u8 = 1;

/// A part of the protocol left out, or done otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// There are no marks: a lease is all.
    NoMarks,
    /// The wrapper reads the lease and then makes its mark.
    LeaseBeforeMark,
    /// The taker reads the marks, and then the highest record.
    MarksBeforeRecord,
    /// The taker does not look for marks behind its record. (It is no flaw: they were looked for behind the record before
    /// it, and a wrapper that starts later finds that one expired, given back, or no longer the highest.)
    NoMarksBehind,
    /// Whoever has added a record removes all others, the highest among them.
    HighestRemoved,
    /// Whoever has made the next record does not look again.
    NoSecondLook,
    /// The wrapper does not look again whether the record that it read is still the highest.
    NoConfirmation,
    /// A renewal adds its record behind whatever is highest.
    RenewalWithoutLooking,
    /// A renewal takes the lock where it finds it free.
    RenewalTakes,
}

/// What stands in a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Record {
    /// Not made yet, or removed.
    #[default]
    Absent,
    Free,
    /// Held by a run for so many ticks.
    Held(u8, u8),
    Broken,
}

/// What a program believes, and does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Program {
    Begins,
    Takes,
    /// It holds the lock, rightly for so many ticks.
    Holds(u8),
    GivesBack,
    Killed,
    Over,
}

/// What a program has the host do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Errand {
    Take,
    Renew,
    Free,
    Break,
}

/// Where a service is. Numbers are those of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Phase {
    #[default]
    None,
    /// It looks for marks before anything else (where that is the flaw).
    MarksFirst,
    Looks,
    /// It saw that the highest is this.
    Adds(u8),
    /// It made this one.
    LooksAgain(u8),
    /// Its record is this; are there marks?
    Marks(u8),
    PutsBack(u8),
    /// It is about to remove every record but this.
    Clears(u8),
    Answers(Answer),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Answer {
    Done,
    Refused,
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Service {
    errand: Errand,
    phase: Phase,
    /// How long the lease will last that it is about to write, or has written.
    left: u8,
    /// What it found.
    was: Record,
}

const NO_SERVICE: Service = Service { errand: Errand::Take, phase: Phase::None, left: 0, was: Record::Absent };

/// Where a wrapper is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Wrapper {
    #[default]
    None,
    InFlight,
    /// Its mark is there, empty.
    Marks,
    /// Its mark is written.
    Looks,
    /// It found that the highest record is this.
    Reads(u8),
    /// It read that this is its own; is it still the highest?
    Confirms(u8),
    /// It may start, and makes its mark only now (where that is the flaw).
    MarksLate,
    Runs,
    /// It was killed, and its command goes on.
    Headless,
    /// Its command has ended, or was refused; its mark is still there.
    Retires,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Run {
    program: Program,
    /// Taking and giving back; renewing, which may lag behind.
    services: [Service; 2],
    wrapper: Wrapper,
    takes: u8,
    renewals: u8,
    actions: u8,
}

/// How much may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Left {
    crashes: u8,
    kills: u8,
    reboots: u8,
    breaks: u8,
}

/// How often each run takes, renews and acts.
#[derive(Clone, Copy, Debug)]
struct Often {
    takes: u8,
    renewals: u8,
    actions: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    records: [Record; RECORDS],
    runs: [Run; RUNS],
    breaker: Service,
    /// A taker gave way and put a record back: one that its owner may not know of any more.
    put_back: bool,
    left: Left,
}

impl World {
    fn highest(&self) -> Option<usize> {
        self.records.iter().rposition(|record| *record != Record::Absent)
    }

    /// Whether a mark of another run than `run` is there and alive.
    fn busy(&self, run: usize) -> bool {
        let others = self.runs.iter().enumerate().filter(|(other, _)| *other != run);
        others.map(|(_, other)| other).any(|other| other.wrapper.is_marked())
    }

    /// The lock was broken: what a program believes to hold it holds no longer rightly.
    fn nobody_holds(&mut self) {
        for run in &mut self.runs {
            if let Program::Holds(left) = &mut run.program {
                *left = 0;
            }
            for service in &mut run.services {
                if matches!(service.phase, Phase::LooksAgain(_) | Phase::Marks(_)) {
                    service.left = 0;
                }
            }
        }
    }

    fn tick(&mut self) {
        let end = |record: &mut Record| {
            if let Record::Held(_, left) = record {
                *left = left.saturating_sub(1);
            }
        };
        self.records.iter_mut().for_each(end);
        for run in &mut self.runs {
            if let Program::Holds(left) = &mut run.program {
                *left = left.saturating_sub(1);
            }
            for service in &mut run.services {
                service.left = service.left.saturating_sub(1);
                end(&mut service.was);
            }
        }
    }
}

impl Wrapper {
    /// Whether a taker counts its mark.
    fn is_marked(self) -> bool {
        match self {
            Self::Looks | Self::Reads(_) | Self::Confirms(_) | Self::Runs | Self::Headless | Self::Retires => true,
            Self::None | Self::InFlight | Self::Marks | Self::MarksLate => false,
        }
    }

    fn acts(self) -> bool {
        matches!(self, Self::Runs | Self::Headless)
    }
}

struct Locks {
    flaw: Flaw,
    left: Left,
    often: [Often; RUNS],
}

impl Locks {
    /// Whether a taker looks for marks behind the record that it found.
    fn looks_for_marks(&self) -> bool {
        !matches!(self.flaw, Flaw::NoMarks | Flaw::MarksBeforeRecord)
    }

    /// The next step of a service of `run`; false where it has none.
    fn serve(&self, world: &mut World, run: usize, service: &mut Service) -> Option<&'static str> {
        let me = u8::try_from(run).expect("few runs");
        let highest = world.highest();
        let found = highest.map_or(Record::Free, |number| world.records[number]);
        let number = |number: usize| u8::try_from(number).expect("few records");
        let (word, phase) = match service.phase {
            Phase::None | Phase::Answers(_) => return None,
            Phase::MarksFirst if world.busy(run) => {
                ("a taker finds a command of another", Phase::Answers(Answer::Refused))
            }
            Phase::MarksFirst => ("a taker finds no command of another", Phase::Looks),
            Phase::Looks => {
                // what does not matter later is not remembered: fewer states
                service.was = if service.errand == Errand::Take { found } else { Record::Absent };
                service.left = if service.errand == Errand::Free { 0 } else { LENGTH };
                let adds = Phase::Adds(highest.map_or(0, |highest| number(highest + 1)));
                match (service.errand, found) {
                    (Errand::Take, Record::Held(holder, left)) if holder != me && left > 0 => {
                        ("a taker finds it held", Phase::Answers(Answer::Refused))
                    }
                    (Errand::Take, _) if world.busy(run) && self.looks_for_marks() => {
                        ("a taker finds a command of another", Phase::Answers(Answer::Refused))
                    }
                    (Errand::Take, _) => ("a taker finds that it may", adds),
                    (Errand::Renew | Errand::Free, Record::Held(holder, _)) if holder == me => {
                        ("a service finds its own", adds)
                    }
                    (Errand::Renew, Record::Free) if self.flaw == Flaw::RenewalTakes => {
                        ("a renewal finds it free", adds)
                    }
                    (Errand::Renew, _) => ("a renewal finds it lost", Phase::Answers(Answer::Lost)),
                    (Errand::Free, _) => ("it is given back already", Phase::Answers(Answer::Done)),
                    (Errand::Break, Record::Held(..)) => ("a breaker finds it held", adds),
                    (Errand::Break, _) => ("a breaker finds nobody", Phase::Answers(Answer::Done)),
                }
            }
            Phase::Adds(next) => {
                let blind = self.flaw == Flaw::RenewalWithoutLooking && service.errand == Errand::Renew;
                let next = if blind { highest.map_or(0, |highest| highest + 1) } else { usize::from(next) };
                if next >= RECORDS {
                    return None;
                }
                if world.records[next] == Record::Absent {
                    world.records[next] = match service.errand {
                        Errand::Take | Errand::Renew => Record::Held(me, service.left),
                        Errand::Free => Record::Free,
                        Errand::Break => Record::Broken,
                    };
                    if service.errand == Errand::Break {
                        world.nobody_holds();
                    }
                    ("a service adds its record", Phase::LooksAgain(number(next)))
                } else {
                    ("a service is too late", Phase::Looks)
                }
            }
            Phase::LooksAgain(own) => {
                if highest > Some(usize::from(own)) && self.flaw != Flaw::NoSecondLook {
                    world.records[usize::from(own)] = Record::Absent;
                    ("a service sees a higher record than its own", Phase::Looks)
                } else {
                    self.added(world, *service, own)
                }
            }
            Phase::Marks(own) => {
                if world.busy(run) && self.looks_for_marks() && self.flaw != Flaw::NoMarksBehind {
                    ("a taker finds a command of another behind its record", Phase::PutsBack(own))
                } else {
                    ("a taker finds no command of another", Phase::Answers(Answer::Done))
                }
            }
            Phase::PutsBack(own) => {
                let next = usize::from(own) + 1;
                if next >= RECORDS {
                    return None;
                }
                if world.records[next] == Record::Absent {
                    world.put_back = true;
                    world.records[next] = if service.was == Record::Absent { Record::Free } else { service.was };
                }
                ("a taker puts back what was before", Phase::Answers(Answer::Refused))
            }
            Phase::Clears(own) => {
                for (number, record) in world.records.iter_mut().enumerate() {
                    if number != usize::from(own) {
                        *record = Record::Absent;
                    }
                }
                ("a service removes all records but its own", Phase::Marks(own))
            }
        };
        service.phase = phase;
        Some(word)
    }

    /// A service's record is the highest: what follows.
    fn added(&self, world: &mut World, service: Service, own: u8) -> (&'static str, Phase) {
        let phase = match service.errand {
            Errand::Take if self.flaw == Flaw::HighestRemoved => Phase::Clears(own),
            Errand::Take => Phase::Marks(own),
            Errand::Renew | Errand::Free | Errand::Break => Phase::Answers(Answer::Done),
        };
        let old = usize::from(own).saturating_sub(KEPT - 1);
        world.records[..old].fill(Record::Absent);
        ("a service's record is the highest", phase)
    }

    fn services(&self, world: &World, run: usize, steps: &mut Steps<World>) {
        for index in 0..2 {
            let mut next = world.clone();
            let mut service = next.runs[run].services[index];
            if let Some(word) = self.serve(&mut next, run, &mut service) {
                next.runs[run].services[index] = service;
                if let Phase::Answers(answer) = service.phase {
                    next.runs[run].services[index] = NO_SERVICE;
                    answered(&mut next.runs[run], service, answer);
                }
                steps.push((word, next));
            }
        }
    }

    fn program(&self, world: &World, number: usize, steps: &mut Steps<World>) {
        let run = world.runs[number];
        let mut step = |word, change: &dyn Fn(&mut Run)| {
            let mut next = world.clone();
            change(&mut next.runs[number]);
            steps.push((word, next));
        };
        let [main, renewing] = run.services.map(|service| service.phase == Phase::None);
        let send = |service: &mut Service, errand| *service = Service { errand, phase: Phase::Looks, ..NO_SERVICE };
        match run.program {
            Program::Begins if main => step("a program takes the lock", &|run| {
                run.program = Program::Takes;
                run.takes -= 1;
                send(&mut run.services[0], Errand::Take);
                if self.flaw == Flaw::MarksBeforeRecord {
                    run.services[0].phase = Phase::MarksFirst;
                }
            }),
            Program::Begins | Program::Takes | Program::GivesBack => {}
            Program::Holds(_) => {
                if run.wrapper == Wrapper::None && run.actions > 0 {
                    step("a program sends an action", &|run| {
                        run.actions -= 1;
                        run.wrapper = Wrapper::InFlight;
                    });
                }
                if renewing && run.renewals > 0 {
                    step("a program renews its lock", &|run| {
                        run.renewals -= 1;
                        send(&mut run.services[1], Errand::Renew);
                    });
                }
                if main {
                    step("a program gives its lock back", &|run| {
                        run.program = Program::GivesBack;
                        send(&mut run.services[0], Errand::Free);
                    });
                }
            }
            Program::Killed if run.takes > 0 => step("a run is resumed", &|run| run.program = Program::Begins),
            Program::Killed | Program::Over => return,
        }
        if world.left.crashes > 0 && !matches!(run.program, Program::Killed) {
            let mut next = world.clone();
            next.left.crashes -= 1;
            next.runs[number].program = Program::Killed;
            steps.push(("a program is killed", next));
        }
    }

    fn wrapper(&self, world: &World, number: usize, steps: &mut Steps<World>) {
        let run = world.runs[number];
        let mut step = |word, wrapper| {
            let mut next = world.clone();
            next.runs[number].wrapper = wrapper;
            steps.push((word, next));
        };
        let late = self.flaw == Flaw::LeaseBeforeMark;
        match run.wrapper {
            Wrapper::None => return,
            Wrapper::InFlight if late => step("a wrapper begins", Wrapper::Looks),
            Wrapper::InFlight => step("a wrapper makes its mark", Wrapper::Marks),
            Wrapper::Marks => step("a wrapper writes its mark", Wrapper::Looks),
            Wrapper::Looks => {
                let highest = world.highest().map(|highest| u8::try_from(highest).expect("few records"));
                match highest {
                    Some(highest) => step("a wrapper finds the highest record", Wrapper::Reads(highest)),
                    None => step("a wrapper finds no record", Wrapper::Retires),
                }
            }
            Wrapper::Reads(record) => match world.records[usize::from(record)] {
                Record::Held(holder, left) if usize::from(holder) == number && left > 0 => {
                    step("a wrapper reads that the lock is its own", Wrapper::Confirms(record));
                }
                _ => {
                    step("a wrapper does not find its lock, and looks again", Wrapper::Looks);
                    step("a wrapper does not find its lock, and refuses", Wrapper::Retires);
                }
            },
            Wrapper::Confirms(record) => {
                if world.highest() == Some(usize::from(record)) || self.flaw == Flaw::NoConfirmation {
                    step("a wrapper has its lock", if late { Wrapper::MarksLate } else { Wrapper::Runs });
                } else {
                    step("a wrapper sees a higher record, and looks again", Wrapper::Looks);
                }
            }
            Wrapper::MarksLate => step("a wrapper makes its mark", Wrapper::Runs),
            Wrapper::Runs => step("a command ends", Wrapper::Retires),
            Wrapper::Headless => step("a command without its wrapper ends", Wrapper::None),
            Wrapper::Retires => step("a wrapper retires its mark", Wrapper::None),
        }
        if world.left.kills > 0 && run.wrapper != Wrapper::Headless {
            let mut next = world.clone();
            next.left.kills -= 1;
            let headless = run.wrapper == Wrapper::Runs;
            next.runs[number].wrapper = if headless { Wrapper::Headless } else { Wrapper::None };
            steps.push(("a wrapper is killed", next));
        }
    }

    /// A person breaks the lock, having seen that no command runs.
    fn breaker(&self, world: &World, steps: &mut Steps<World>) {
        let nobody = RUNS;
        if world.breaker.phase == Phase::None && world.left.breaks > 0 && !world.busy(nobody) {
            let mut next = world.clone();
            next.left.breaks -= 1;
            next.breaker = Service { errand: Errand::Break, phase: Phase::Looks, ..NO_SERVICE };
            steps.push(("a person breaks the lock", next));
        }
        let mut next = world.clone();
        let mut service = next.breaker;
        if let Some(word) = self.serve(&mut next, nobody, &mut service) {
            next.breaker = if matches!(service.phase, Phase::Answers(_)) { NO_SERVICE } else { service };
            steps.push((word, next));
        }
    }

    /// Whether a stranger gets the lock when every program and service is gone, every command ended and time passed.
    fn stays_held(&self, world: &World) -> bool {
        let mut after = world.clone();
        let full = after.highest().is_some_and(|highest| highest + 2 >= RECORDS);
        for run in &mut after.runs {
            run.wrapper = Wrapper::None;
        }
        for _ in 0..=LENGTH {
            after.tick();
        }
        let stranger = RUNS;
        let mut service = Service { errand: Errand::Take, phase: Phase::Looks, ..NO_SERVICE };
        while self.serve(&mut after, stranger, &mut service).is_some() {}
        !full && service.phase != Phase::Answers(Answer::Done)
    }
}

/// A service of `run` has ended with this answer; its program hears it, if it still listens.
fn answered(run: &mut Run, service: Service, answer: Answer) {
    run.program = match (run.program, service.errand, answer) {
        (Program::Takes, Errand::Take, Answer::Done) | (Program::Holds(_), Errand::Renew, Answer::Done) => {
            Program::Holds(service.left)
        }
        (Program::Takes, Errand::Take, Answer::Refused) if run.takes > 0 => Program::Begins,
        (Program::Takes, Errand::Take, Answer::Refused)
        | (Program::Holds(_), Errand::Renew, Answer::Lost | Answer::Refused)
        | (Program::GivesBack, Errand::Free, _) => Program::Over,
        (program, ..) => program,
    };
    if run.program == Program::Over {
        (run.takes, run.renewals, run.actions) = (0, 0, 0);
    }
}

impl Protocol for Locks {
    type State = World;

    fn begin(&self) -> Vec<World> {
        let runs = self.often.map(|Often { takes, renewals, actions }| Run {
            program: Program::Begins,
            services: [NO_SERVICE; 2],
            wrapper: Wrapper::None,
            takes,
            renewals,
            actions,
        });
        let records = [Record::Absent; RECORDS];
        vec![World { records, runs, breaker: NO_SERVICE, put_back: false, left: self.left }]
    }

    fn next(&self, world: &World, steps: &mut Steps<World>) {
        for run in 0..RUNS {
            self.program(world, run, steps);
            self.services(world, run, steps);
            self.wrapper(world, run, steps);
        }
        self.breaker(world, steps);
        let mut next = world.clone();
        next.tick();
        steps.push(("time passes", next));
        if world.left.reboots > 0 {
            let mut next = world.clone();
            next.left.reboots -= 1;
            for record in &mut next.records {
                if let Record::Held(_, left) = record {
                    *left = LENGTH;
                }
            }
            for run in &mut next.runs {
                run.wrapper = Wrapper::None;
                // a service that is gone does not answer: its program gives up
                if run.services[0].phase != Phase::None && matches!(run.program, Program::Takes | Program::GivesBack) {
                    run.program = Program::Over;
                }
                run.services = [NO_SERVICE; 2];
            }
            next.breaker = NO_SERVICE;
            steps.push(("the host is rebooted", next));
        }
    }

    fn wrong(&self, world: &World) -> Option<String> {
        if world.runs.iter().filter(|run| run.wrapper.acts()).count() > 1 {
            return Some("two runs act at once".to_owned());
        }
        let holds = |run: &&Run| matches!(run.program, Program::Holds(left) if left > 0);
        if world.runs.iter().filter(holds).count() > 1 {
            return Some("two programs hold the lock".to_owned());
        }
        if self.stays_held(world) {
            return Some("the lock stays held without its owner".to_owned());
        }
        let over =
            |run: &Run| run.program == Program::Over && run.services == [NO_SERVICE; 2] && run.wrapper == Wrapper::None;
        let found = world.highest().map_or(Record::Free, |highest| world.records[highest]);
        let gave_back = world.left.reboots == self.left.reboots && world.left.crashes == self.left.crashes;
        let held = world.runs.iter().all(over) && matches!(found, Record::Held(_, left) if left > 0);
        (held && gave_back && !world.put_back).then(|| "the lock is held when all is over".to_owned())
    }

    fn ended(&self, world: &World) -> bool {
        let full = world.highest().is_some_and(|highest| highest + 1 >= RECORDS);
        full || world.runs.iter().all(|run| matches!(run.program, Program::Over | Program::Killed))
    }
}

#[path = "locks_searches.rs"]
mod searches;
