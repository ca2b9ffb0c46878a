//! Two programs that are started together and want the same hosts, again and again: never are both inside on a host, and
//! one of them always gets through.
//!
//! Apart from `locks`, which knows who is first: here nobody does.

use std::collections::VecDeque;
use std::process::Child;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Lab, Program, Ran, TRIOS};

const ROUNDS: usize = 50;

/// So long a round may take, on a machine that is busy with other rounds.
const PATIENCE: Duration = Duration::from_mins(1);

/// What each of the two wants, by places in its three hosts, in the order of its runbook.
const SHAPES: [[&[usize]; 2]; 3] = [
    // the same, the other way round: each is quick where the other is slow, so that they meet halfway
    [&[0, 1, 2], &[2, 1, 0]],
    // one host of each
    [&[0, 1], &[1, 2]],
    // all that the other has
    [&[0, 1, 2], &[1]],
];

/// The host that both want in every shape.
const BOTH: usize = 1;

/// One round; everything about it follows from its number.
#[derive(Clone, Copy)]
struct Round {
    number: usize,
}

impl Round {
    fn shape(self) -> [&'static [usize]; 2] {
        SHAPES[self.number % SHAPES.len()]
    }

    /// Both have time to wait for the other.
    fn waits(self) -> bool {
        self.number % 5 == 4
    }

    /// Who is started first: 0 or 1.
    fn first(self) -> usize {
        self.number / SHAPES.len() % 2
    }

    /// How much later the other is started.
    fn headstart(self) -> Duration {
        Duration::from_millis([0, 0, 10, 30, 60, 120][self.number / (2 * SHAPES.len()) % 6])
    }
}

/// Three hosts of a lab.
#[derive(Clone, Copy)]
struct Place<'a> {
    lab: &'a Lab,
    hosts: [&'static str; 3],
}

impl Place<'_> {
    /// Makes the two ends quick for one of the two, and slow for the other.
    fn slow_down(self) {
        for (host, home) in [(self.hosts[0], "/home/ops"), (self.hosts[2], "/root")] {
            // bash reads it for every command of sshd's
            self.lab.sh(host, &format!("echo 'sleep 0.15' >> {home}/.bashrc"));
        }
    }

    /// A program with a state folder of its own, which is all that another admin host comes to.
    fn program(self, operator: &str, round: Round, wanted: &[usize]) -> Program {
        let hosts: Vec<&str> = wanted.iter().map(|at| self.hosts[*at]).collect();
        // who is inside does not leave before it is known what becomes of the other
        let stays = if round.waits() {
            String::new()
        } else {
            format!(
                "\n      test \"$(hostname)\" != {} || until test -e {}; do sleep 0.05; done",
                self.hosts[BOTH],
                over(round)
            )
        };
        let text = format!(
            "title: Act\nhosts: {hosts}\nsteps:\n  - id: act\n    rollout: {{ batch: all }}\n    timeout: 50s\n    run: |\n      \
             echo enter ${{{{ run.id }}}} >> {inside}\n      sleep 0.05{stays}\n      echo leave ${{{{ run.id }}}} >> {inside}\n",
            hosts = hosts.join(":"),
            inside = inside(round),
        );
        Program::on(self.lab).with_book(&[("act.yaml", &text)]).env("RUNBOOK_OPERATOR", operator)
    }

    /// What went in and out on a host.
    fn doors(self, host: &str, round: Round) -> Vec<String> {
        let text = self.lab.sh(host, &format!("cat {} 2>/dev/null || true", inside(round)));
        text.lines().map(str::to_owned).collect()
    }

    /// Lets both want their hosts, and gives what is wrong then.
    fn hold(self, round: Round) -> Vec<String> {
        let shape = round.shape();
        let anna = self.program("anna", round, shape[0]);
        let mut bob = self.program("bob", round, shape[1]);
        let ops: Vec<String> =
            self.hosts.iter().map(|host| format!("  {host}: {{ user: ops, sudo: true }}\n")).collect();
        bob.lay("ops.yaml", &format!("hosts:\n{}", ops.concat()));
        let programs = [anna, bob];
        let mut args = vec!["run", "act", "--yes"];
        if round.waits() {
            args.extend(["--wait-lock", "30s"]);
        }
        let (first, second) = (round.first(), 1 - round.first());
        let one = programs[first].start(&args);
        thread::sleep(round.headstart());
        let other = programs[second].start(&args);
        let mut children = if first == 0 { [one, other] } else { [other, one] };
        if !round.waits() {
            let ended = first_to_end(&mut children);
            self.lab.sh(self.hosts[BOTH], &format!("touch {}", over(round)));
            if ended.is_none() {
                for child in &mut children {
                    child.kill().unwrap();
                }
                return vec!["neither came to an end".to_owned()];
            }
        }
        let ran = children.map(|child| Ran::of(child.wait_with_output().unwrap()));
        let wrong = if round.waits() { self.both(round, &programs, &ran) } else { self.one(round, &programs, &ran) };
        if wrong.is_empty() {
            return wrong;
        }
        let said = programs
            .iter()
            .zip(&ran)
            .map(|(program, ran)| format!("{} exits {}\n{}{}", program.newest_id(), ran.code, ran.stdout, ran.stderr));
        wrong.into_iter().chain(said).collect()
    }

    /// One goes on to the end and the other does nothing, and is told who was first.
    fn one(self, round: Round, programs: &[Program; 2], ran: &[Ran; 2]) -> Vec<String> {
        let won = match (ran[0].code, ran[1].code) {
            (0, 6) => 0,
            (6, 0) => 1,
            (anna, bob) => return vec![format!("they exit {anna} and {bob}")],
        };
        let (winner, loser) = (&programs[won], 1 - won);
        let mut wrong = Vec::new();
        let winner_id = winner.newest_id();
        for told in [["anna on ", "bob on "][won], "act (", &winner_id] {
            if !ran[loser].stderr.contains(told) {
                wrong.push(format!("the refusal does not say {told}"));
            }
        }
        if !programs[loser].started().is_empty() {
            wrong.push(format!("what was refused started {:?}", programs[loser].started()));
        }
        for (at, host) in self.hosts.iter().enumerate() {
            let wanted = if round.shape()[won].contains(&at) { visits(&[&winner_id]) } else { Vec::new() };
            let doors = self.doors(host, round);
            if doors != wanted {
                wrong.push(format!("{host}: {doors:?}"));
            }
        }
        wrong
    }

    /// Both go on to the end, one after the other, and on every host the same one is first.
    fn both(self, round: Round, programs: &[Program; 2], ran: &[Ran; 2]) -> Vec<String> {
        let mut wrong = Vec::new();
        if ran[0].code != 0 || ran[1].code != 0 {
            wrong.push(format!("they exit {} and {}", ran[0].code, ran[1].code));
        }
        let ids = programs.each_ref().map(Program::newest_id);
        let mut before = None;
        for (at, host) in self.hosts.iter().enumerate() {
            let doors = self.doors(host, round);
            let here: Vec<&str> =
                (0..2).filter(|who| round.shape()[*who].contains(&at)).map(|who| &*ids[who]).collect();
            let turned: Vec<&str> = here.iter().rev().copied().collect();
            if doors != visits(&here) && doors != visits(&turned) {
                wrong.push(format!("{host}: {doors:?}"));
            }
            if here.len() == 2 && *before.get_or_insert_with(|| doors.clone()) != doors {
                wrong.push(format!("{host}: another is first: {doors:?}"));
            }
        }
        wrong
    }
}

fn inside(round: Round) -> String {
    format!("/root/inside.{}", round.number)
}

fn over(round: Round) -> String {
    format!("/root/over.{}", round.number)
}

/// The lines of these runs, each alone inside, one after the other.
fn visits(runs: &[&str]) -> Vec<String> {
    runs.iter().flat_map(|run| [format!("enter {run}"), format!("leave {run}")]).collect()
}

/// Waits until one of them has ended.
fn first_to_end(children: &mut [Child; 2]) -> Option<usize> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        let ended = children.iter_mut().position(|child| child.try_wait().unwrap().is_some());
        if ended.is_some() {
            return ended;
        }
        thread::sleep(Duration::from_millis(10));
    }
    None
}

#[test]
fn of_two_that_are_started_together_one_goes_on() {
    let left: Mutex<VecDeque<Round>> = Mutex::new((0..ROUNDS).map(|number| Round { number }).collect());
    let wrong: Mutex<Vec<(usize, String)>> = Mutex::default();
    let work = &|place: Place<'_>| {
        place.slow_down();
        loop {
            let Some(round) = left.lock().unwrap().pop_front() else { return };
            let found = place.hold(round);
            if !found.is_empty() {
                wrong.lock().unwrap().push((round.number, found.join("\n    ")));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..Lab::pool() {
            scope.spawn(|| {
                let lab = Lab::acquire();
                thread::scope(|scope| {
                    for hosts in TRIOS {
                        let place = Place { lab: &lab, hosts };
                        scope.spawn(move || work(place));
                    }
                });
            });
        }
    });
    let mut wrong = wrong.into_inner().unwrap();
    wrong.sort();
    let told: Vec<String> = wrong.iter().map(|(round, told)| format!("round {round}: {told}")).collect();
    assert!(wrong.is_empty(), "{} of {ROUNDS} rounds:\n{}", wrong.len(), told.join("\n"));
}
