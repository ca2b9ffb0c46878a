//! Runs to show in tests: each a list of what is told, in order.

use std::sync::Mutex;

use jiff::{Span, Timestamp};

use crate::event::{
    AckHow, ActionEnd, ActionKind, Answer, AskedWhat, Event, FailureKind, HostEntry, HostVerdict, LockedHost, Moment,
    Observer, Opened, OperatorEntry, Outcome, Output, OverrideHow, Progress, Resumed, RunState, StepEntry, Unlocked,
};
use crate::vocab::observation::NoReply;
use crate::vocab::{
    Clock, Datum, Digest, Holder, HostName, Loss, Observation, Period, Reply, Rows, RunId, StepHost, StepId, Verdict,
};

/// One thing told.
#[derive(Clone, Debug)]
pub(crate) enum Tell {
    Event(Timestamp, Box<Event>),
    Progress(Timestamp, Progress),
}

/// A run being made up, with its own clock.
#[derive(Debug)]
pub(crate) struct Tape {
    pub(crate) now: Timestamp,
    pub(crate) told: Vec<Tell>,
}

/// A clock that stands still until it is set.
#[derive(Debug)]
pub(crate) struct Still(Mutex<Timestamp>);

impl Still {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(start()))
    }

    pub(crate) fn set(&self, at: Timestamp) {
        *self.0.lock().unwrap() = at;
    }
}

impl Clock for Still {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

pub(crate) fn start() -> Timestamp {
    "2026-11-22T03:15:00Z".parse().unwrap()
}

pub(crate) fn hosts(names: &[&str]) -> Vec<HostName> {
    names.iter().map(|name| HostName::new(*name)).collect()
}

pub(crate) fn at(step: &str, host: &str) -> StepHost {
    StepHost::new(StepId::new(step), HostName::new(host))
}

pub(crate) fn operator() -> OperatorEntry {
    OperatorEntry {
        name: "mark".to_owned(),
        identified: true,
        source: "SUDO_USER".to_owned(),
        login: "root".to_owned(),
        ssh_origin: Some("10.0.0.5 51234 10.0.0.1 22".to_owned()),
        loginuid: Some(1000),
    }
}

pub(crate) fn step(id: &str, name: &str, kind: &str, block: Option<&str>, on: &[&str]) -> StepEntry {
    StepEntry {
        id: StepId::new(id),
        name: name.to_owned(),
        says: None,
        kind: kind.to_owned(),
        block: block.map(StepId::new),
        hosts: hosts(on),
        checks: 1,
    }
}

pub(crate) fn opened(runbook: &str, title: &str, changes: bool, steps: Vec<StepEntry>) -> Opened {
    let mut names: Vec<HostName> = steps.iter().flat_map(|step| step.hosts.clone()).collect();
    names.sort();
    names.dedup();
    Opened {
        run: RunId::new(start(), [0x1a, 0x2b, 0x3c, 0x4d]),
        runbook: runbook.to_owned(),
        title: title.to_owned(),
        changes,
        operator: operator(),
        admin_host: "dfw-admin01".to_owned(),
        version: "0.1.0".to_owned(),
        book: "/srv/book/runbooks".to_owned(),
        inventories: vec!["inventory.yaml".to_owned()],
        plan: Digest::of(b"plan"),
        params: [("pause".to_owned(), "3s".to_owned())].into(),
        limit: None,
        reason: Some("new release".to_owned()),
        emergency: false,
        hosts: names
            .into_iter()
            .map(|name| HostEntry { address: name.as_str().to_owned(), name, user: None })
            .collect(),
        steps,
        texts: Vec::new(),
        link: None,
    }
}

pub(crate) fn rows(host: &str, states: &[(i64, &str)]) -> Observation {
    Observation {
        host: HostName::new(host),
        reply: Reply::Command { exit: 0, stdout: String::new(), stderr: String::new() },
        took: Period::seconds(1),
        rows: Some(Rows {
            columns: vec!["pid".to_owned(), "state".to_owned()],
            rows: states
                .iter()
                .map(|(pid, state)| vec![Datum::Integer(*pid), Datum::Text((*state).to_owned())])
                .collect(),
        }),
        value: None,
        problems: Vec::new(),
    }
}

pub(crate) fn holds(host: &str) -> HostVerdict {
    HostVerdict { host: Some(HostName::new(host)), verdict: Verdict::Holds, observation: None }
}

pub(crate) fn fails(host: &str, why: &str) -> HostVerdict {
    HostVerdict { host: Some(HostName::new(host)), verdict: Verdict::Fails { why: why.to_owned() }, observation: None }
}

pub(crate) fn unknown(host: &str, why: &str) -> HostVerdict {
    HostVerdict {
        host: Some(HostName::new(host)),
        verdict: Verdict::Unknown { why: why.to_owned() },
        observation: None,
    }
}

impl Tape {
    pub(crate) fn new() -> Self {
        Self { now: start(), told: Vec::new() }
    }

    pub(crate) fn later(&mut self, millis: i64) -> &mut Self {
        self.now = self.now.checked_add(Span::new().milliseconds(millis)).unwrap();
        self
    }

    pub(crate) fn event(&mut self, event: Event) -> &mut Self {
        self.told.push(Tell::Event(self.now, Box::new(event)));
        self
    }

    pub(crate) fn progress(&mut self, progress: Progress) -> &mut Self {
        self.told.push(Tell::Progress(self.now, progress));
        self
    }

    pub(crate) fn output(&mut self, at: &StepHost, text: &str) -> &mut Self {
        self.progress(Progress::Output { at: at.clone(), stderr: false, text: text.to_owned() })
    }

    pub(crate) fn started(&mut self, at: &StepHost, command: &str) -> &mut Self {
        self.event(Event::StepStarted {
            at: at.clone(),
            attempt: 1,
            kind: ActionKind::Run,
            command: command.to_owned(),
            user: None,
        })
    }

    pub(crate) fn acted(&mut self, at: &StepHost, end: ActionEnd, stdout: &str, stderr: &str) -> &mut Self {
        self.event(Event::StepActed {
            at: at.clone(),
            attempt: 1,
            end,
            stdout: Output::inline(stdout),
            stderr: Output::inline(stderr),
            took: Period::seconds(2),
            output_cut: false,
        })
    }

    pub(crate) fn ended(&mut self, at: &StepHost, outcome: Outcome) -> &mut Self {
        self.event(Event::StepEnded { at: at.clone(), outcome })
    }

    pub(crate) fn judged(&mut self, moment: Moment, verdicts: Vec<HostVerdict>) -> &mut Self {
        self.event(Event::PreconditionJudged {
            id: "importers-bored".to_owned(),
            says: "Every content importer is bored.".to_owned(),
            moment,
            verdicts,
            show: vec!["pid".to_owned(), "state".to_owned()],
            overridable: true,
            otherwise: Some("An import is in progress. Wait for it, or override this in an emergency.".to_owned()),
        })
    }

    pub(crate) fn records(&self) -> Vec<(Timestamp, Event)> {
        let event = |tell: &Tell| match tell {
            Tell::Event(at, event) => Some((*at, (**event).clone())),
            Tell::Progress(..) => None,
        };
        self.told.iter().filter_map(event).collect()
    }
}

/// Plays a tape to an observer as the engine would: state first. What does not fit changes no state.
pub(crate) fn play(told: &[Tell], observer: &dyn Observer, mut between: impl FnMut(Timestamp)) {
    let mut state = RunState::open(start(), &Event::Opened(Box::new(opened("none", "", true, Vec::new())))).unwrap();
    for tell in told {
        match tell {
            Tell::Event(at, event) => {
                between(*at);
                match RunState::open(*at, event) {
                    Ok(opened) => state = opened,
                    Err(_) => drop(state.apply(*at, event)),
                }
                observer.event(*at, event, &state);
            }
            Tell::Progress(at, progress) => {
                between(*at);
                observer.progress(progress);
            }
        }
    }
}

fn webs() -> [&'static str; 3] {
    ["va-web01", "va-web02", "va-web03"]
}

fn restart_webs() -> Opened {
    opened(
        "restart-webs",
        "Restart the webservers",
        true,
        vec![step("restart", "Restart Apache", "run", None, &webs())],
    )
}

fn one_host(tape: &mut Tape, host: &str) {
    let place = at("restart", host);
    tape.later(50).started(&place, "service apache2 restart");
    tape.later(600).output(&place, "Stopping apache2");
    tape.later(900).output(
        &place,
        "\nStarting apache2 with a long line that tells of every module loaded: rewrite, ssl, headers\n",
    );
    tape.later(500).acted(&place, ActionEnd::Exited(0), "Stopping apache2\nStarting apache2\n", "");
    for (after, why) in [(300, "connection refused"), (700, "connection refused"), (700, "HTTP 503")] {
        tape.later(after).progress(Progress::Polling {
            at: Some(place.clone()),
            says: "The site answers.".to_owned(),
            why: why.to_owned(),
            left: Period::seconds(30),
        });
    }
    tape.later(600).event(Event::CheckJudged {
        at: Some(place.clone()),
        check: 1,
        says: "The site answers.".to_owned(),
        verdicts: vec![holds(host)],
        polls: 4,
        took: Period::seconds(2),
    });
    tape.ended(&place, Outcome::Ok);
}

/// Three hosts one after the other, with pauses.
pub(crate) fn good_roll() -> Tape {
    let mut tape = Tape::new();
    let step = StepId::new("restart");
    tape.event(Event::Opened(Box::new(restart_webs())));
    tape.progress(Progress::Looking { says: "Every content importer is bored.".to_owned(), hosts: 2 });
    tape.later(700).progress(Progress::Looked { host: HostName::new("dfw-jobs01") });
    tape.later(500).progress(Progress::Looked { host: HostName::new("dfw-mail01") });
    tape.judged(Moment::Start, vec![holds("dfw-jobs01"), holds("dfw-mail01")]);
    tape.event(Event::WarningShown {
        id: "slow".to_owned(),
        says: "Pages are slow for a minute.\n".to_owned(),
        observed: Vec::new(),
        typed: None,
    });
    tape.event(Event::WarningAcknowledged { id: "slow".to_owned(), how: AckHow::Flag });
    tape.event(Event::Asked { what: AskedWhat::Start, question: "Start?".to_owned() });
    tape.event(Event::Answered { what: AskedWhat::Start, answer: Answer::Flag("--yes".to_owned()) });
    tape.event(Event::RollStarted { step: step.clone(), batches: webs().iter().map(|host| hosts(&[host])).collect() });
    for (index, host) in webs().iter().enumerate() {
        tape.event(Event::BatchStarted { step: step.clone(), batch: index + 1, of: 3, hosts: hosts(&[host]) });
        one_host(&mut tape, host);
        if index < 2 {
            tape.event(Event::PauseStarted { step: step.clone(), length: Period::seconds(3) });
            for left in [3, 2, 1] {
                tape.progress(Progress::Waiting {
                    says: "pause before the next batch".to_owned(),
                    left: Period::seconds(left),
                });
                tape.later(1000);
            }
        }
    }
    tape.event(Event::RollEnded { step });
    tape.event(Event::CheckJudged {
        at: None,
        check: 1,
        says: "Every webserver answers.".to_owned(),
        verdicts: webs().iter().map(|host| holds(host)).collect(),
        polls: 1,
        took: Period::seconds(1),
    });
    tape.event(Event::Ended { exit: 0, why: "done, every check held".to_owned() });
    tape
}

/// An import goes on, and one host cannot be asked.
pub(crate) fn unmet_precondition() -> Tape {
    let mut tape = Tape::new();
    let steps = vec![step("restart", "Restart the workers", "command", None, &["dfw-jobs01", "dfw-jobs02"])];
    let mut opened = opened("restart-jobs", "Restart the job workers", true, steps);
    opened.params.clear();
    tape.event(Event::Opened(Box::new(opened)));
    tape.later(800).judged(
        Moment::Start,
        vec![
            holds("dfw-jobs02"),
            fails(
                "dfw-jobs01",
                "pid 5663   state \"entries: exampleuser(42)\"\npid 25034   state \"posting comments\"",
            ),
            unknown("dfw-mail01", "unreachable: connection refused"),
        ],
    );
    tape.event(Event::Ended { exit: 3, why: "importers-bored does not hold".to_owned() });
    tape
}

/// The second host fails its check after the block's first step went well everywhere before it; evidence is collected.
pub(crate) fn failure() -> Tape {
    let mut tape = Tape::new();
    let block = StepId::new("bounce");
    let on = ["va-web01", "va-web02", "va-web03", "va-web04"];
    let steps = vec![
        step("bounce", "Bounce each webserver", "block", None, &on),
        step("bounce/stop", "Stop Apache", "run", Some("bounce"), &on),
        step("bounce/start", "Start Apache", "run", Some("bounce"), &on),
    ];
    tape.event(Event::Opened(Box::new(opened("bounce-webs", "Bounce the webservers", true, steps))));
    tape.event(Event::RollStarted { step: block.clone(), batches: on.iter().map(|host| hosts(&[host])).collect() });
    for (index, host) in on.iter().take(2).enumerate() {
        tape.event(Event::BatchStarted { step: block.clone(), batch: index + 1, of: 4, hosts: hosts(&[host]) });
        let (stop, go) = (at("bounce/stop", host), at("bounce/start", host));
        tape.later(100).started(&stop, "service apache2 stop").later(2000);
        tape.acted(&stop, ActionEnd::Exited(0), "stopped\n", "").ended(&stop, Outcome::Ok);
        tape.later(100).started(&go, "service apache2 start").later(1500);
        if index == 0 {
            tape.acted(&go, ActionEnd::Exited(0), "started\n", "").ended(&go, Outcome::Ok);
        } else {
            let long =
                (1..=12).map(|n| format!("(98)Address already in use: line {n}")).collect::<Vec<_>>().join("\n") + "\n";
            tape.output(&go, &long);
            tape.acted(&go, ActionEnd::Exited(1), &long, "unable to open logs\n");
            tape.later(800).event(Event::Collected {
                at: go.clone(),
                command: "tail -n 50 /var/log/apache2/error.log".to_owned(),
                output: Output::inline("[error] \x1b[31mcould not bind to 0.0.0.0:80\x1b[0m\n[error] no listening sockets, and this line is so long that no terminal of eighty columns can show it\n"),
            });
            tape.ended(&go, Outcome::Failed { kind: FailureKind::Action, why: "exit 1".to_owned() });
        }
    }
    tape.event(Event::RollStopped {
        step: block,
        why: "1 host failed, 0 allowed".to_owned(),
        untouched: hosts(&["va-web03", "va-web04"]),
    });
    tape.event(Event::Stopped { exit: 1, why: "bounce/start failed on va-web02".to_owned() });
    tape
}

/// The connection broke after the command was sent.
pub(crate) fn doubt() -> Tape {
    let mut tape = Tape::new();
    let place = at("restart", "va-web02");
    tape.event(Event::Opened(Box::new(restart_webs())));
    tape.event(Event::RollStarted { step: StepId::new("restart"), batches: vec![hosts(&webs())] });
    tape.event(Event::BatchStarted { step: StepId::new("restart"), batch: 1, of: 1, hosts: hosts(&webs()) });
    one_host(&mut tape, "va-web01");
    tape.started(&place, "service apache2 restart");
    tape.later(4000).ended(
        &place,
        Outcome::InDoubt { why: "the connection was lost, and the host has not answered since".to_owned() },
    );
    tape.event(Event::Stopped { exit: 5, why: "stopped with 1 step in doubt".to_owned() });
    tape
}

/// Interrupted on the second host, then resumed by somebody else against a precondition.
pub(crate) fn resumed() -> Tape {
    let mut tape = interrupted();
    let opened = restart_webs();
    let step = StepId::new("restart");
    tape.later(3_600_000).event(Event::Resumed(Box::new(Resumed {
        operator: OperatorEntry {
            name: "denise".to_owned(),
            source: "--as".to_owned(),
            ssh_origin: None,
            ..operator()
        },
        admin_host: "laptop".to_owned(),
        version: "0.1.0".to_owned(),
        plan: Digest::of(b"plan"),
        accepted_changes: false,
        reason: Some("finish what mark began".to_owned()),
        emergency: false,
        hosts: opened.hosts,
        steps: opened.steps,
        texts: Vec::new(),
    })));
    tape.judged(Moment::Resume, vec![fails("dfw-jobs01", "pid 5663 state \"posting comments\"")]);
    tape.event(Event::PreconditionOverridden {
        id: "importers-bored".to_owned(),
        how: OverrideHow::Override,
        reason: "db failover".to_owned(),
    });
    tape.event(Event::RollStarted { step: step.clone(), batches: vec![hosts(&["va-web03"])] });
    tape.event(Event::BatchStarted { step: step.clone(), batch: 1, of: 1, hosts: hosts(&["va-web03"]) });
    one_host(&mut tape, "va-web03");
    tape.event(Event::RollEnded { step });
    tape.event(Event::Ended { exit: 0, why: "done, every check held".to_owned() });
    tape
}

/// Ctrl-C while the second host is at work.
pub(crate) fn interrupted() -> Tape {
    let mut tape = Tape::new();
    let step = StepId::new("restart");
    tape.event(Event::Opened(Box::new(restart_webs())));
    tape.event(Event::RollStarted { step: step.clone(), batches: webs().iter().map(|host| hosts(&[host])).collect() });
    tape.event(Event::BatchStarted { step: step.clone(), batch: 1, of: 3, hosts: hosts(&["va-web01"]) });
    one_host(&mut tape, "va-web01");
    tape.event(Event::BatchStarted { step: step.clone(), batch: 2, of: 3, hosts: hosts(&["va-web02"]) });
    tape.event(Event::Interrupted { signal: "SIGINT".to_owned(), count: 1 });
    one_host(&mut tape, "va-web02");
    tape.event(Event::RollStopped { step, why: "interrupted".to_owned(), untouched: hosts(&["va-web03"]) });
    tape.event(Event::Stopped { exit: 130, why: "interrupted".to_owned() });
    tape
}

/// A read-only runbook: tables of what was seen.
pub(crate) fn read_only() -> Tape {
    let mut tape = Tape::new();
    let on = ["dfw-jobs01", "dfw-jobs02", "dfw-mail01"];
    let steps = vec![step("importers", "What the importers do", "probe", None, &on)];
    let mut opened = opened("importer-status", "What every content importer is doing", false, steps);
    opened.params.clear();
    opened.reason = None;
    tape.event(Event::Opened(Box::new(opened)));
    let step = StepId::new("importers");
    tape.event(Event::RollStarted { step: step.clone(), batches: vec![hosts(&on)] });
    tape.event(Event::BatchStarted { step: step.clone(), batch: 1, of: 1, hosts: hosts(&on) });
    let seen = [
        rows("dfw-jobs01", &[(5663, "bored"), (25034, "entries: exampleuser(42)")]),
        rows("dfw-jobs02", &[]),
        Observation::nothing(HostName::new("dfw-mail01"), NoReply::Unreachable, "connection refused", Period::ZERO),
    ];
    for observation in seen {
        let place = at("importers", observation.host.as_str());
        let outcome = match observation.problems.first() {
            None => Outcome::Ok,
            Some(why) => Outcome::Failed { kind: FailureKind::Unreachable, why: why.clone() },
        };
        tape.later(300).event(Event::Observed {
            at: place.clone(),
            observation,
            show: vec!["pid".to_owned(), "state".to_owned()],
        });
        tape.ended(&place, outcome);
    }
    tape.event(Event::RollEnded { step });
    tape.event(Event::Ended { exit: 1, why: "importers failed on dfw-mail01".to_owned() });
    tape
}

/// Thirty hosts at once, one hostile.
pub(crate) fn crowd() -> Tape {
    let mut tape = Tape::new();
    let names: Vec<String> = (1..=30).map(|n| format!("va-web{n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let id = StepId::new("restart");
    let steps = vec![step("restart", "Restart Apache", "run", None, &names)];
    tape.event(Event::Opened(Box::new(opened("restart-webs", "Restart the webservers", true, steps))));
    tape.event(Event::RollStarted { step: id.clone(), batches: vec![hosts(&names)] });
    tape.event(Event::BatchStarted { step: id.clone(), batch: 1, of: 1, hosts: hosts(&names) });
    for name in &names {
        tape.later(20).started(&at("restart", name), "service apache2 restart");
    }
    for round in 0..20 {
        for name in &names {
            let text = if *name == "va-web03" {
                "\x1b[2J\x1b[Hyou have been \u{202e}painted over\r日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語\n".to_owned()
            } else {
                format!("round {round}: loading module {}\n", "x".repeat(round * 8))
            };
            tape.later(3).output(&at("restart", name), &text);
        }
    }
    for name in &names {
        let place = at("restart", name);
        tape.later(60).acted(&place, ActionEnd::Exited(0), "", "").ended(&place, Outcome::Ok);
    }
    tape.event(Event::RollEnded { step: id });
    tape.event(Event::Ended { exit: 0, why: "done, every check held".to_owned() });
    tape
}

impl Tape {
    /// How it ended: the exit status and why.
    pub(crate) fn ending(&self) -> (u8, String) {
        match self.records().last() {
            Some((_, Event::Ended { exit, why } | Event::Stopped { exit, why })) => (*exit, why.clone()),
            Some(_) | None => (0, String::new()),
        }
    }
}

/// A warning that nobody could be asked about.
pub(crate) fn unasked() -> Tape {
    let mut tape = Tape::new();
    let mut opened = restart_webs();
    opened.params = [
        ("pause".to_owned(), "5s".to_owned()),
        ("note".to_owned(), "it's urgent".to_owned()),
        ("token".to_owned(), "<secret>".to_owned()),
    ]
    .into();
    opened.limit = Some("va-web[01:02]".to_owned());
    tape.event(Event::Opened(Box::new(opened)));
    tape.event(Event::WarningShown {
        id: "imports-stall".to_owned(),
        says: "Imports stall for up to 12 hours.".to_owned(),
        observed: Vec::new(),
        typed: None,
    });
    let what = AskedWhat::Warning { id: "imports-stall".to_owned() };
    tape.event(Event::Asked { what: what.clone(), question: "Go on?".to_owned() });
    tape.event(Event::Answered { what, answer: Answer::NoTerminal });
    tape.event(Event::Ended { exit: 4, why: "nobody could be asked: there is no terminal".to_owned() });
    tape
}

/// Two hosts at once, and a value captured.
pub(crate) fn side_by_side() -> Tape {
    let mut tape = Tape::new();
    let (one, two) = (at("restart", "va-web01"), at("restart", "va-web02"));
    tape.event(Event::Opened(Box::new(restart_webs())));
    tape.event(Event::RollStarted { step: StepId::new("restart"), batches: vec![hosts(&["va-web01", "va-web02"])] });
    tape.event(Event::BatchStarted {
        step: StepId::new("restart"),
        batch: 1,
        of: 1,
        hosts: hosts(&["va-web01", "va-web02"]),
    });
    tape.started(&one, "service apache2 restart").later(10).started(&two, "service apache2 restart");
    tape.later(900).acted(&two, ActionEnd::Exited(0), "well\n", "").later(100).acted(
        &one,
        ActionEnd::Exited(143),
        "",
        "terminated\n",
    );
    tape.event(Event::Captured { at: two.clone(), name: "release".to_owned(), value: serde_json::json!("r42") });
    tape.ended(&one, Outcome::Failed { kind: FailureKind::Action, why: "exit 143 (signal 15)".to_owned() })
        .ended(&two, Outcome::Ok);
    tape
}

/// Preconditions are waited for, then a roll pauses.
pub(crate) fn waiting() -> Tape {
    let mut tape = Tape::new();
    let step = StepId::new("restart");
    tape.event(Event::Opened(Box::new(restart_webs())));
    tape.judged(Moment::Start, vec![fails("dfw-jobs01", "state \"entries\"")]);
    tape.event(Event::WaitStarted { limit: Period::seconds(7200) });
    for state in ["entries", "entries", "comments", "comments"] {
        tape.later(10_000)
            .progress(Progress::Waiting { says: "the preconditions".to_owned(), left: Period::seconds(7000) });
        tape.judged(Moment::Waiting, vec![fails("dfw-jobs01", &format!("state \"{state}\""))]);
    }
    tape.later(10_000).judged(Moment::Waiting, vec![holds("dfw-jobs01")]);
    tape.progress(Progress::Waiting {
        says: "the lock of va-web01, held by denise".to_owned(),
        left: Period::seconds(60),
    });
    tape.progress(Progress::Waiting {
        says: "the lock of va-web01, held by denise".to_owned(),
        left: Period::seconds(50),
    });
    tape.judged(Moment::Again, vec![holds("dfw-jobs01")]);
    tape.event(Event::PauseStarted { step, length: Period::seconds(3) });
    for left in [3, 2, 1] {
        tape.later(1000).progress(Progress::Waiting { says: "pause".to_owned(), left: Period::seconds(left) });
    }
    tape
}

/// Another run has the lock; it is waited for, and in the end one of the locks is broken.
pub(crate) fn locks() -> Tape {
    let mut tape = Tape::new();
    let host = || HostName::new("va-web01");
    let holder = Holder {
        run: "20261122T030000Z-00000001".parse().unwrap(),
        operator: "denise".to_owned(),
        admin_host: "dfw-admin02".to_owned(),
        runbook: "restart-webs".to_owned(),
        since: Some("2026-11-22T03:00:00Z".parse().unwrap()),
        running: true,
    };
    tape.event(Event::Opened(Box::new(restart_webs())));
    tape.event(Event::LockRefused { host: host(), holder: holder.clone(), wait: Some(Period::seconds(600)) });
    tape.progress(Progress::Waiting {
        says: "the lock of va-web01, held by denise".to_owned(),
        left: Period::seconds(600),
    });
    let locked = |host: &HostName| LockedHost { host: host.clone(), boot: "-".to_owned(), login: String::new() };
    let away = Unlocked { host: HostName::new("va-web03"), why: "unreachable: timed out".to_owned() };
    let hosts = hosts(&["va-web01", "va-web02"]);
    tape.later(10_000).event(Event::HostsLocked { hosts: hosts.iter().map(locked).collect(), left_out: vec![away] });
    let loss = Loss::Broken { by: "denise on dfw-admin02".to_owned(), reason: "mark is away".to_owned() };
    tape.later(10_000).event(Event::LockLost { host: host(), loss });
    tape.event(Event::LocksReleased { hosts: vec![HostName::new("va-web02")], not_told: Vec::new() });
    tape.event(Event::Stopped { exit: 6, why: "the lock of va-web01 is lost".to_owned() });
    tape
}

/// Every sample.
pub(crate) fn all() -> Vec<Tape> {
    vec![
        good_roll(),
        unmet_precondition(),
        failure(),
        doubt(),
        resumed(),
        interrupted(),
        read_only(),
        crowd(),
        unasked(),
        side_by_side(),
        waiting(),
        locks(),
    ]
}
