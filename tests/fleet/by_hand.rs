//! A page is a whole procedure: a person who pastes its commands, in its order, gets what a run gets.

use std::collections::BTreeMap;
use std::sync::Arc;

use runbook::model::{Check, Expectation, Inventory, LookSpec, Probe, Runbook, Scope, Step, StepKind};
use runbook::source::{BookSource, InventorySource};
use runbook::vocab::observation::NoReply;
use runbook::vocab::{HostName, Period, Reply, Verdict};

use crate::support::hand::{Person, Section, sections};
use crate::support::{Lab, Program, Ran};

/// What the page demands in bold, as the book has it.
struct Demands {
    known: BTreeMap<String, (Arc<Probe>, Expectation)>,
    inventory: Inventory,
}

impl Demands {
    fn of(runbook: &Runbook, inventory: Inventory) -> Self {
        let own = runbook.checks.iter().chain(runbook.preconditions.iter().map(|p| &p.check));
        let mut found: Vec<Demand> = own.map(demand).collect();
        of_steps(&runbook.steps, &mut found);
        Self { known: found.into_iter().collect(), inventory }
    }

    /// Judges what a pasted command showed by the book's own probe: what is pasted sees what the tool would see.
    fn judge(&self, says: &str, host: &str, ran: &Ran) -> Verdict {
        // on the page a runbook's name leads to its page
        let link = regex::Regex::new(r"\[([^\]]*)\]\(<[^>]*>\)").unwrap();
        let says = &*link.replace_all(says, "$1");
        let (probe, expectation) =
            self.known.get(says).unwrap_or_else(|| panic!("the book demands no such thing: {says}"));
        let reply = match ran.stdout.strip_prefix("HTTP/1.1 ") {
            None if ran.stderr.contains("Connection refused") => {
                Reply::Nothing { reason: NoReply::Refused, detail: String::new() }
            }
            None if matches!(probe.look, LookSpec::Tcp(_)) => Reply::Tcp { reply: ran.stdout.clone() },
            Some(answer) => {
                let (head, body) = answer.split_once("\r\n\r\n").expect("headers and a body");
                let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
                Reply::Http {
                    status: answer[..3].parse().unwrap(),
                    headers: headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect(),
                    body: body.to_owned(),
                }
            }
            None => Reply::Command { exit: ran.code, stdout: ran.stdout.clone(), stderr: ran.stderr.clone() },
        };
        let host = HostName::new(host);
        let scope = Scope::new().with_host(&self.inventory.target(&host).expect("a host of the inventory"));
        expectation.judge(&scope, &probe.observe(host, reply, Period::ZERO))
    }
}

/// What is demanded, and of what.
type Demand = (String, (Arc<Probe>, Expectation));

fn demand(check: &Check) -> Demand {
    (check.says.clone(), (check.probe.clone(), check.expectation.clone()))
}

fn of_steps(steps: &[Step], found: &mut Vec<Demand>) {
    for step in steps {
        let own = step.checks.iter().chain(&step.skip_if).chain(step.preconditions.iter().map(|p| &p.check));
        found.extend(own.map(demand));
        if let Some(floor) = &step.rollout.min_healthy {
            let says = format!(
                "Begin with a host that is well only while at least {} of the others are",
                floor.count.source()
            );
            found.push((says, demand(&floor.check).1));
        }
        match &step.kind {
            StepKind::Block(inner) => of_steps(inner, found),
            StepKind::Runbook { runbook, .. } => {
                found.extend(runbook.checks.iter().map(demand));
                of_steps(&runbook.steps, found);
            }
            StepKind::Probe { probe, expectation: Some(expectation), .. } => {
                found.push((step.name.clone(), (probe.clone(), expectation.clone())));
            }
            StepKind::Action(_) | StepKind::Probe { expectation: None, .. } => {}
        }
    }
}

fn demands(lab: &Lab, program: &Program, name: &str) -> Demands {
    let files = [program.book().join("inventory.yaml"), lab.inventory().to_owned()];
    let inventory = InventorySource::read(&files).unwrap().inventory;
    Demands::of(&BookSource::open(program.book()).unwrap().runbook(name).unwrap(), inventory)
}

fn page(program: &Program, name: &str) -> Vec<Section> {
    let ran = program.run(["docs", "render", name, "--without-last-run"]);
    ran.exits(0);
    sections(&ran.stdout)
}

fn person<'a>(lab: &'a Lab, program: &Program) -> Person<'a> {
    Person {
        lab,
        book: program.book().to_owned(),
        secret: "op3n s3same".to_owned(),
        sockets: tempfile::tempdir().unwrap(),
    }
}

/// What became of the workers: restarts of the manager, starts of each job, and what runs now.
fn workers(lab: &Lab) -> Vec<String> {
    let jobs = ["content-importer", "send-email", "birthday-notify", "directory-search", "synsuck"];
    let host = |host: &str| {
        let starts: Vec<String> = jobs.iter().map(|job| format!("{job} {}", lab.worker_starts(host, job))).collect();
        let running =
            lab.sh(host, "ps axww -o args= | grep -E '^(content|worker|send|birthday|directory|synsuck)' | sort");
        format!("{host}: {} restarts, {starts:?}, {running}", lab.manager_restarts(host))
    };
    ["dfw-jobs01", "dfw-jobs02", "dfw-mail01"].map(host).to_vec()
}

#[test]
fn restart_jobs_by_hand_is_what_a_run_does() {
    let lab = Lab::acquire();
    let program = Program::on(&lab);
    let (page, demands) = (page(&program, "restart-jobs"), demands(&lab, &program, "restart-jobs"));
    let headings: Vec<&str> = page.iter().map(|section| &*section.heading).collect();
    let wanted = ["Before anything is changed", "1. Restart the workers", "2. Imports that hold a claim", "At the end"];
    assert_eq!(headings, wanted);
    let person = person(&lab, &program);

    // while an import runs, what is pasted says so, and of whose import
    lab.fault("dfw-jobs02", &["busy", "entries: exampleuser(42) getevents - 2021-01-01 to 2021-02-01"]);
    let look = &page[0].commands[0];
    assert_eq!(look.says, ["Every content importer is bored."]);
    let seen = |host: &str| demands.judge(&look.says[0], host, &person.paste(look, host));
    assert!(matches!(seen("dfw-jobs02"), Verdict::Fails { why } if why.contains("exampleuser")));
    assert_eq!(["dfw-jobs01", "dfw-mail01"].map(seen), [Verdict::Holds, Verdict::Holds]);
    lab.fault("dfw-jobs02", &["bored"]);

    let well = |says: &str, host: &str, ran: &Ran| demands.judge(says, host, ran) == Verdict::Holds;
    page.iter().for_each(|section| person.follow(section, &well));
    let by_hand = workers(&lab);
    assert!(by_hand[0].contains("dfw-jobs01: 1 restarts") && by_hand[2].contains("dfw-mail01: 0 restarts"));
    lab.reset();
    program.run(["run", "restart-jobs", "--yes"]).exits(0);
    assert_eq!(workers(&lab), by_hand);
}

#[test]
fn restart_webs_by_hand_is_what_a_run_does() {
    let lab = Lab::acquire();
    let program = Program::on(&lab);
    let webs: Vec<String> = (1..=6).map(|n| format!("va-web{n:02}")).collect();
    let (page, demands) = (page(&program, "restart-webs"), demands(&lab, &program, "restart-webs"));
    assert_eq!(page[0].one_by_one, webs, "one after the other");
    let well = |says: &str, host: &str, ran: &Ran| demands.judge(says, host, ran) == Verdict::Holds;
    page.iter().for_each(|section| person(&lab, &program).follow(section, &well));
    let restarts = || webs.iter().map(|host| lab.web_restarts(host)).collect::<Vec<_>>();
    assert_eq!(restarts(), [1; 6]);
    // what is not well does not look well by hand either
    lab.fault("va-web03", &["sick"]);
    let check = &page[1].commands[0];
    let seen = |host: &str| demands.judge(&check.says[0], host, &person(&lab, &program).paste(check, host));
    assert!(matches!(seen("va-web03"), Verdict::Fails { .. }));
    assert_eq!(seen("va-web04"), Verdict::Holds);
}

#[test]
fn start_gearman_by_hand_starts_what_is_down_and_leaves_the_other() {
    let lab = Lab::acquire();
    let program = Program::on(&lab);
    lab.service("gearman", &["lay", "dfw-jobs01"]);
    lab.service("gearman", &["up", "dfw-jobs02"]);
    let pid = |host: &str| lab.service("gearman", &["pid", host]).trim().to_owned();
    let up = pid("dfw-jobs02");
    let (page, demands) = (page(&program, "start-gearman"), demands(&lab, &program, "start-gearman"));
    let well = |says: &str, host: &str, ran: &Ran| demands.judge(says, host, ran) == Verdict::Holds;
    page.iter().for_each(|section| person(&lab, &program).follow(section, &well));
    assert_eq!(pid("dfw-jobs02"), up, "what answers is not touched");
    assert!(lab.service("gearman", &["version", "dfw-jobs01"]).starts_with('v'));
    program.run(["run", "start-gearman", "--yes"]).exits(0);
    assert_eq!(program.started(), [""; 0], "there is nothing left for a run to do");
}

/// Every way in which a command can be given, each leaving a line behind on its hosts.
const SHAPES: &str = r#"title: Every shape of a command
hosts: jobs
params:
  word: { type: string, default: "it's $HOME; `id` {{x}} | </pre> ''' [[y]]" }
  open: { type: string, help: Anything at all. }
  password: { type: secret, help: The password. }
steps:
  - id: plain
    run: echo plain ${{ params.word }} on ${{ host.name }} >> /root/shapes
  - id: lines
    run: |
      x=one
      for i in 1 2; do
        echo "lines $x $i !x" >> /root/shapes
      done
      if [ "$x" = one ]; then exit 0; fi
      echo never >> /root/shapes
  - id: argv
    run: [sh, -c, 'echo "argv $1 $2" >> /root/shapes', "-", "${{ params.word }}", "${{ params.open }}"]
  - id: input
    run: (read -r a; echo "$a"; cat) >> /root/shapes
    stdin: |
      first ${{ params.word }}
      second
    env: { UNUSED: "a b" }
  - id: hidden
    run: printf 'hidden %s ' "$PW" >> /root/shapes; sed 's/^/in /' >> /root/shapes
    env: { PW: "${{ params.password }}", PLAIN: "${{ params.word }}" }
    stdin: "${{ params.password }}\n"
  - id: other-user
    sudo: ops
    run: |
      umask 022
      { id -un; echo "$PW $PLAIN"; cat; } > /tmp/shapes-ops
    env: { PW: "${{ params.password }}", PLAIN: "${{ params.word }}" }
    stdin: "more ${{ params.password }}\n"
  - id: other-user-in-a-word
    sudo: ops
    run: touch /tmp/shapes-touched
  - id: script
    script: { file: bin/shape.pl, args: ["${{ params.word }}"] }
  - id: script-as-ops
    sudo: ops
    script: { file: bin/shape.sh, args: [a b], interpreter: sh -u }
    env: { PW: "${{ params.password }}", PLAIN: "${{ params.word }}" }
  - id: copy
    copy: { src: bin/shape.sh, dest: /root/shape copied, mode: 0640, owner: "root:ops" }
  - id: copy-as-ops
    sudo: ops
    copy: { src: bin/shape.sh, dest: /tmp/shape-ops }
  - id: gate
    name: Its sshd answers
    probe: { tcp: { port: 2222, until: "OpenSSH" } }
    expect: '"SSH-2.0" in reply'
  - id: rolling
    hosts: jobs
    rollout: { batch: 1 }
    steps:
      - id: stop
        run: echo stop >> /root/shapes
      - id: start
        run: echo start >> /root/shapes
        checks:
          - says: It has started.
            run: tail -n 1 /root/shapes
            expect: '"start" in stdout and exit == 0'
  - id: part
    runbook: { name: part, with: { what: "${{ params.word }}" } }
"#;

const PART: &str = r#"title: A part
hosts: mail
params: { what: { type: string } }
steps:
  - id: one
    run: echo part ${{ params.what }} >> /root/shapes
    checks:
      - { says: It is written., run: cat /root/shapes, expect: '"part it" in stdout' }
"#;

const SHAPE_PL: &str = "#!/usr/bin/perl\nopen(my $out, '>>', '/root/shapes'); print $out \"perl @ARGV\\n\";\n";
const SHAPE_SH: &str = "echo \"sh $1 $PW $PLAIN $(id -un)\" > /tmp/shapes-script\n";

#[test]
fn every_shape_of_a_command_does_by_hand_what_it_does_in_a_run() {
    let lab = Lab::acquire();
    let program = Program::on(&lab).env("PASSWORD", "op3n s3same").with_book(&[
        ("shapes.yaml", SHAPES),
        ("part.yaml", PART),
        ("bin/shape.pl", SHAPE_PL),
        ("bin/shape.sh", SHAPE_SH),
    ]);
    let hosts = ["dfw-jobs01", "dfw-jobs02", "dfw-mail01"];
    let left = "cd /root; grep -H '' shapes /tmp/shapes-ops /tmp/shapes-script; stat -c '%n %a %U %G %s' /root/shape* /tmp/shape*";
    let state = || hosts.map(|host| String::from_utf8(lab.try_sh(host, left).stdout).unwrap());

    let rendered = program.run(["docs", "render", "shapes", "--without-last-run"]);
    rendered.exits(0).is_silent_about("op3n");
    let mut page = sections(&rendered.stdout);
    // as the page asks: what has no default is put in
    for text in page.iter_mut().flat_map(|section| &mut section.commands).flat_map(|command| command.texts.values_mut())
    {
        *text = text.replace("<open>", "any thing");
    }
    let demands = demands(&lab, &program, "shapes");
    let well = |says: &str, host: &str, ran: &Ran| demands.judge(says, host, ran) == Verdict::Holds;
    page.iter().for_each(|section| person(&lab, &program).follow(section, &well));
    let by_hand = state();
    assert!(by_hand[0].contains("plain it's $HOME; `id` {{x}} | </pre> ''' [[y]] on dfw-jobs01"), "{}", by_hand[0]);

    lab.reset();
    assert_eq!(state(), [""; 3], "nothing is left of it");
    program.run(["run", "shapes", "open=any thing", "password=env:PASSWORD", "--yes"]).exits(0);
    let run = state();
    for (by_hand, run) in by_hand.iter().zip(run) {
        assert_eq!(*by_hand, run);
    }
}
