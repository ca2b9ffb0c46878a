//! A wrong expectation of each kind shows as the right difference, and so does what nothing answers and nobody needs.

use crate::book::Book;

const RUNBOOK: &str = r"
title: Two
hosts: ab
warnings: [{ id: careful, says: Take care., confirm: true }]
steps:
  - { id: act, run: do it }
  - { id: see, probe: { run: look at it } }
";

const SCENARIOS: &str = r"
answers:
  - { to: act, gives: {} }
  - { to: see, gives: { stdout: fine } }
  - { to: act, after: 90d, gives: { exit: 1 } }
scenarios:
  - name: another exit
    options: { ack: careful }
    expect: { exit: 3 }
  - name: a failure that was not expected
    options: { ack: careful }
    answers: [{ to: act, on: b, gives: { exit: 7, stderr: broken } }]
  - name: another outcome
    options: { ack: careful }
    answers: [{ to: act, on: b, gives: { exit: 7, stderr: broken } }]
    expect: { exit: 1, outcomes: { act: ok, see@b: ok } }
  - name: what was never to be sent
    options: { ack: careful }
    expect: { never: [act@b] }
  - name: another order
    options: { ack: careful }
    expect: { order: [act@b, act@a] }
  - name: another question
    operator: { careful: yes }
    expect: { asked: [] }
  - name: what is not told, and what is
    options: { ack: careful }
    expect: { says: [see it all fine], silent: [do it] }
  - name: nobody answers
    operator: { start: yes }
    options: { yes: false }
    expect: { exit: 4 }
  - name: a person is asked too seldom, and too often
    operator: { careful: [yes, yes] }
  - name: no answer that fits
    options: { ack: careful }
    operator: { act@a: done }
    answers: [{ to: act, on: a, gives: { exit: 1 } }]
    expect: { exit: 1 }
  - name: an answer that is not given
    options: { ack: careful }
    answers: [{ to: see, after: 2h, gives: { stdout: late } }]
  - name: a list nobody comes to the end of
    options: { ack: careful }
    answers: [{ to: see, gives: [{ stdout: one }, { stdout: two }] }]
  - name: no crash
    options: { ack: careful }
    expect: { exit: crash }
  - name: a crash
    options: { ack: careful }
    answers: [{ to: act, on: a, gives: { fault: crash } }]
    expect: { exit: 0 }
  - name: it never ends
    options: { ack: careful }
    answers: [{ to: act, on: a, gives: { fault: timeout } }]
  - name: a resume of what is over
    options: { ack: careful }
    then: [{ expect: { exit: 0 } }]
";

#[test]
fn wrong_expectations_are_told() {
    insta::assert_snapshot!(Book::with(RUNBOOK, SCENARIOS).differences().join("\n"));
}

#[test]
fn what_no_answer_is_for_is_told_with_the_entry_that_would_be() {
    let scenarios = "scenarios: [{ name: bare, options: { ack: careful } }]";
    let book = Book::with(RUNBOOK, scenarios);
    let ready = &book.ready()[0];
    let played = ready.play(&ready.suite.scenarios[0]);
    let told = |found: &runbook::scenario::Difference| format!("{found}\n  {}", found.hint.as_deref().unwrap_or("-"));
    let told: Vec<String> = played.differences.iter().map(told).collect();
    insta::assert_snapshot!(told.join("\n"));
}
