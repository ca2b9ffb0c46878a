//! What the player does with each kind of answer and each fault, with time, with persons, with resumes.

use crate::book::Book;

/// Every kind of thing that is answered: commands, HTTP, TCP, a manual step, a wait, a copy of a probe in its place.
pub const KINDS: &str = r#"
title: Kinds
hosts: a
params: { rest: { type: duration, default: 1m } }
probes:
  web: { http: { url: "http://x/" } }
  port: { tcp: { port: 25, until: "220" } }
preconditions:
  - { id: up, says: It is up., run: uptime, expect: '"up" in stdout', override: allowed }
warnings:
  - { id: careful, says: Take care., confirm: true }
  - { id: gone, says: It goes., type: GONE }
steps:
  - { id: look, probe: { run: cat state }, expect: '"old" in stdout' }
  - { id: act, run: do it, timeout: 1m, checks: [{ probe: web, expect: status == 200 and body == "new", within: 30s }],
      undo: { run: undo it }, on_failure: { collect: [{ run: tail log }] } }
  - { id: post, http: { url: "http://x/flip", method: POST } }
  - { id: person, manual: Look at the page. }
  - { id: rest, wait: "${{ params.rest }}" }
checks:
  - { says: The port greets., probe: port, expect: '"220" in reply' }
"#;

pub const KINDS_SCENARIOS: &str = r#"
answers:
  - { to: up, gives: { stdout: up 3 days } }
  - { to: look, gives: { stdout: old } }
  - { to: act, gives: { stdout: done, took: 5s } }
  - { to: web, gives: { status: 503, body: "" } }
  - { to: web, after: act, gives: { status: 200, headers: { X-Served-By: web01 }, body: new } }
  - { to: post, gives: { status: 204 } }
  - { to: port, gives: { fault: refused, reason: nobody listens } }
  - { to: port, after: person, gives: { reply: "220 hello" } }
  - { run: tail log, gives: { stdout: the end of the log } }
scenarios:
  - name: all goes well, half a day passes, and a person says the rest
    args: [rest=12h]
    options: { yes: false }
    operator:
      careful: yes
      gone: GONE
      start: yes
      person: { answer: yes, took: 20m }
    expect:
      outcomes: { look: ok, act: ok, post: ok, person: ok, rest: ok }
      asked: [careful, gone, start, person@here]
      order: [act@a, post@a, person@here, rest@here]
      says: ["15:35:05 ended (exit 0)"]
  - name: the flags say the same, and no terminal declines what a person must do
    options: { ack: { careful: true, gone: GONE } }
    expect: { exit: 4, outcomes: { act: ok, post: ok, person: failed, rest: not-run }, asked: [person@here] }
  - name: a person declines
    options: { yes: false }
    operator: { careful: yes, gone: gone }
    expect: { exit: 4, outcomes: { act: not-run }, asked: [careful, gone], never: [act] }
  - name: the text that is to be typed is not acknowledged by another
    options: { ack: [careful, gone=ALL] }
    expect: { exit: 4, never: [act], says: ["--ack gone=GONE"] }
  - name: ctrl-c at a question
    options: { ack: [careful] }
    operator: { gone: ctrl-c }
    expect: { exit: 130, never: [act] }
  - name: emergency
    options: { emergency: true, reason: it burns, ack: [gone=GONE] }
    operator: { person: [no, stop] }
    answers: [{ to: up, gives: { exit: 1 } }]
    expect: { exit: 1, outcomes: { person: failed, act: ok, rest: not-run }, says: [it burns] }
  - name: a port that refuses fails the last check
    options: { ack: [careful, gone=GONE] }
    operator: { person: yes }
    answers: [{ to: port, after: person, gives: { fault: closed } }]
    expect: { exit: 1, outcomes: { rest: ok }, says: [closed without an answer] }
  - name: an action that never ends is stopped, undone, and skipped
    options: { ack: [careful, gone=GONE] }
    operator:
      act@a: [{ answer: undo, reason: it hangs }, skip]
      person: yes
    answers:
      - { to: act, gives: { fault: timeout } }
      - { to: act/undo, gives: { stdout: undone } }
    expect: { outcomes: { act: excluded, post: ok }, asked: [act@a, act@a, person@here], says: [collected tail log (1 line), undone] }
  - name: a check is looked at again and again, and then a person looks once more
    options: { ack: [careful, gone=GONE] }
    operator: { act: [recheck], person: yes }
    answers:
      - { to: web, after: act, gives: { body: old } }
      - { to: web, after: 40s, gives: { body: new } }
    expect: { outcomes: { act: ok }, order: [act@a] }
"#;

/// Faults, and how a run goes on after them.
pub const FAULTS: &str = r#"
title: Faults
hosts: ab
steps:
  - { id: one, run: do one, skip_if: { run: test -e one, exits: [0, 1], expect: exit == 0 }, repeatable: true }
  - { id: two, run: do two, retry: { attempts: 3, delay: 10s }, settle: { run: test -e two, exits: [0, 1], expect: exit == 0 } }
  - { id: three, http: { url: "http://x/" }, timeout: 10s }
  - { id: all, probe: { run: count, parse: { table: { columns: [n] } } }, expect: (rows | length) == 1, over: all }
"#;

pub const FAULTS_SCENARIOS: &str = r#"
answers:
  - { to: all, gives: { stdout: "1" } }
  - { to: one/skip_if, gives: { exit: 1 } }
  - { to: two, gives: { took: 1s } }
  - { to: one, gives: { took: 1s } }
  - { to: three, gives: {} }
scenarios:
  - name: what is so already is skipped
    answers: [{ to: one/skip_if, on: a, gives: { exit: 0 } }]
    expect: { outcomes: { one@a: skipped, one@b: ok, two: ok, three: ok }, never: [one@a] }
  - name: a try that fails is repeated
    answers: [{ to: two, on: b, gives: [{ exit: 1 }, { exit: 2 }, {}] }]
    expect: { outcomes: { two: ok }, order: [two@a, two@b, two@b, two@b], says: ["03:15:23"] }
  - name: what did not start fails and is repeated, too
    answers: [{ to: two, on: a, gives: [{ fault: not-started, reason: no room }, { took: 1s }] }]
    expect: { outcomes: { two: ok }, order: [two@a, two@b], says: [no room] }
  - name: a host goes away after its first step, and comes back
    answers:
      - { on: b, after: one, gives: { fault: unreachable, reason: the cable } }
    expect: { exit: 1, outcomes: { one: ok, two@b: failed, three: not-run }, says: [the cable] }
  - name: a lost connection is asked about in the resume
    answers: [{ to: two, on: b, gives: { fault: drop, took: 1m } }]
    expect: { exit: 5, outcomes: { two@a: ok, two@b: in-doubt } }
    then:
      - { later: 10s, expect: { outcomes: { two: ok, three: ok }, never: [two], says: [three] } }
  - name: nobody knows, and the runbook itself settles it
    answers:
      - { to: two, on: b, gives: { fault: lost } }
      - { to: two/settle, gives: {} }
    expect: { exit: 5, outcomes: { two@b: in-doubt } }
    then: [{ expect: { outcomes: { two: ok }, never: [two] } }]
  - name: what settles it says that it is to be done again
    answers:
      - { to: two, on: b, gives: [{ fault: lost }, {}] }
      - { to: two/settle, gives: { exit: 1 } }
    expect: { exit: 5 }
    then: [{ expect: { outcomes: { two: ok }, order: [two@b] } }]
  - name: the program dies with an action under way, and once more in the resume
    answers:
      - { to: one, on: a, gives: { fault: crash, took: 30s } }
      - { to: two, on: a, gives: { fault: crash, exit: 3, took: 30s } }
    expect: { exit: crash, outcomes: { one@a: in-doubt, two: not-run } }
    then:
      - { expect: { exit: crash, outcomes: { one: ok, two@a: in-doubt }, never: [one@a] } }
      - { later: 1h, resume: { retry: true }, answers: [{ to: two, on: a, gives: {} }], expect: { outcomes: { two: ok, three: ok } } }
  - name: a request without an answer is in doubt
    answers: [{ to: three, on: a, gives: { fault: timeout } }]
    expect: { exit: 5, outcomes: { three@a: in-doubt, three@b: not-run } }
    then:
      - operator: { three@a: { answer: done, reason: the page shows it } }
        expect: { outcomes: { three: ok }, order: [three@b], asked: [three@a] }
  - name: Ctrl-C twice stops what runs
    answers: [{ to: one, on: a, gives: [{ took: 1h }, { took: 1s }] }]
    interrupt: [10s, 20s]
    expect: { exit: 130, outcomes: { one@a: failed, one@b: not-run } }
    then: [{ later: 5m, expect: { outcomes: { one: ok, two: ok } } }]
  - name: another run holds a host, and its locks are waited for
    locked: [{ on: b, by: mark, for: 5m }]
    options: { wait_lock: 10m }
    expect: { outcomes: { one: ok }, says: [mark] }
"#;

#[test]
fn everything_can_be_answered() {
    Book::with(KINDS, KINDS_SCENARIOS).goes_well();
}

#[test]
fn every_fault_happens() {
    Book::with(FAULTS, FAULTS_SCENARIOS).goes_well();
}
