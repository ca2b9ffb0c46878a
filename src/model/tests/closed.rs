//! Expressions and expectations fail closed: what is misspelt, mixed or missing is never quietly true or false.

use std::collections::BTreeMap;

use crate::model::expectation::{Expectation, Quantifier};
use crate::model::expression::{EvalError, Expression};
use crate::model::probe::Origin;
use crate::model::{LookSpec, Params, Probe, Scope, TcpSpec, Template};
use crate::vocab::observation::NoReply;
use crate::vocab::{Datum, HostName, Location, Observation, Period, Reply, Rows, Secret, Verdict};

fn at(line: u32, column: u32) -> Location {
    Location { file: "t.yaml".into(), line, column }
}

fn parsed(source: &str) -> Expression {
    Expression::parse(source, at(3, 7)).unwrap_or_else(|fault| panic!("{source}: {fault}"))
}

fn observation(columns: &[&str], rows: Vec<Vec<Datum>>) -> Observation {
    let reply = Reply::Command { exit: 0, stdout: "9\n".to_owned(), stderr: String::new() };
    let mut observation = Observation::nothing(HostName::new("a"), NoReply::Lost, "", Period::ZERO);
    observation.reply = reply;
    observation.problems.clear();
    observation.rows = Some(Rows { columns: columns.iter().map(|c| (*c).to_owned()).collect(), rows });
    observation
}

fn table() -> Observation {
    let row = |pid, state: &str| vec![Datum::Integer(pid), Datum::Text(state.to_owned()), Datum::Nothing];
    observation(&["pid", "state", "user"], vec![row(7, "bored"), row(9, "bored")])
}

fn scope() -> Scope {
    let mut params = Params::default();
    params.values.insert("count".to_owned(), serde_json::json!(5));
    params.values.insert("text".to_owned(), serde_json::json!("5"));
    params.values.insert("yes".to_owned(), serde_json::json!(true));
    params.values.insert("list".to_owned(), serde_json::json!([1, 2]));
    params.secrets.insert("token".to_owned(), Secret::new("hunter22"));
    Scope::new().with_params(&params).with_observation(&table())
}

fn truth(source: &str) -> Result<bool, EvalError> {
    parsed(source).truth(&scope())
}

#[track_caller]
fn fails(source: &str) -> String {
    match truth(source) {
        Ok(truth) => panic!("`{source}` is quietly {truth}"),
        Err(error) => {
            let text = error.to_string();
            assert!(text.starts_with("t.yaml:3:7: "), "{text}");
            assert!(!text.contains("hunter22") && !text.contains("__compare"), "{text}");
            text
        }
    }
}

#[test]
fn an_undefined_name_is_an_error_wherever_it_stands() {
    for source in [
        "misspelt",
        "misspelt == 5",
        "5 != misspelt",
        "not misspelt",
        "misspelt or true",
        "true or misspelt",
        "false and misspelt",
        "true if params.yes else misspelt",
        "misspelt if false else true",
        "params.misspelt == 5",
        "params.misspelt != 5",
        "not params.misspelt",
        "params['misspelt'] == 1",
        "params.text.misspelt == 1",
        "rows | selectattr('misspelt') | list | length == 0",
        "rows | rejectattr('misspelt') | list | length == 2",
        "rows | selectattr('misspelt', 'eq', 'bored') | list | length == 0",
        "rows | map(attribute='misspelt') | list | length == 2",
        "rows[0].misspelt == 7",
        "rows[5].pid == 7",
        "misspelt is even",
        "(rows | first).misspelt is none",
        "before.exit == 0",
        "exit == 0 and before.exit == 0",
    ] {
        fails(source);
    }
}

#[test]
fn a_name_that_may_be_missing_says_so() {
    assert_eq!(truth("misspelt | default(true)"), Ok(true));
    assert_eq!(truth("misspelt is not defined"), Ok(true));
    assert_eq!(truth("params.absent | d(3) == 3"), Ok(true));
    assert_eq!(truth("params.absent is defined and params.absent == 3"), Ok(false));
    // where it is used without that, it is missing all the same
    fails("params.absent != 3 and params.absent | default(1) == 1");
    fails("parms.count | default(1) == params.cuont");
}

#[test]
fn kinds_are_not_compared_with_each_other() {
    for source in [
        "params.text == 5",
        "5 == params.text",
        "params.text != 5",
        "params.count == '5'",
        "params.count > '4'",
        "'4' < params.count",
        "params.yes == 'true'",
        "params.yes == 1",
        "params.list == '1'",
        "not (params.count == '5')",
        "(params.count) == '5'",
        "(params.count + 1) == '6'",
        "params.count + 1 != '6'",
        "scope_free | default(5) == '5'",
        "rows[0].pid == '7'",
        "(rows | first).pid != '7'",
        "rows | map(attribute='pid') | first != '7'",
        "-params.count != '-5'",
        "params.list[0] != '1'",
        "4 < params.count < '6'",
        "'4' < params.text < 6",
        "params.count in ['5', '6']",
        "params.count not in ['5']",
        "params.text not in [5, 6]",
        "5 in '15'",
        "params.text in 5",
        "params.count is eq('5')",
        "params.count is ne('5')",
        "params.text is ge(5)",
        "params.count is in(['5'])",
        "rows | selectattr('pid', 'eq', '7') | list | length == 0",
        "rows | selectattr('pid', 'gt', '7') | list | length == 0",
        "rows | rejectattr('pid', '==', '7') | list | length == 2",
        "params.list | select('in', ['1']) | list | length == 0",
        "none < 5",
        "params.yes > false",
        "rows[0].user > 5",
    ] {
        let text = fails(source);
        assert!(text.contains("compared") || text.contains("looks into"), "{source}: {text}");
    }
}

#[test]
fn what_is_of_one_kind_is_compared() {
    for source in [
        "params.count == 5",
        "params.count == 5.0",
        "4 < params.count < 6",
        "4 < params.count <= 5 != 6",
        "not 6 < params.count",
        "'5' == params.text",
        "params.text in ['4', '5']",
        "params.text in '456'",
        "params.count not in [1, 2]",
        "params.count in [1, 'x', 5]",
        "params.count not in []",
        "'count' in {'count': 1}",
        "rows[0].user == none",
        "rows[0].user != 5",
        "rows[0].pid == 7",
        "rows[-1].pid == 9",
        "rows[1:] | length == 1",
        "rows | selectattr('state', 'eq', 'bored') | list | length == 2",
        "rows | selectattr('pid', 'gt', 7) | map(attribute='pid') | list == [9]",
        "rows | map(attribute='state') | unique | list == ['bored']",
        "params.text ~ '\\n\"{{' == '5\\n\"{{'",
        "params.text | int == 5",
        "stdout | trim | int >= 9",
        "2 + 3 * 4 - 6 / 2 == 11 and 7 // 2 == 3 and 7 % 4 == 3 and 2 ** 3 == 8",
        "(1 if params.yes else 2) == 1",
        "params.yes and not (false or false)",
        "stdout is matching('^9')",
        "stdout is startingwith '9'",
        "params.count is even or params.count is odd",
        "range(3) | list | length == 3",
        "[1, (2, 3)] | length == 2 and (1,) | length == 1",
        "stdout.strip is undefined",
        "took == 0",
    ] {
        assert_eq!(truth(source), Ok(true), "{source}");
    }
}

#[test]
fn only_true_is_true() {
    for source in
        ["rows", "1", "'true'", "none", "rows | length", "params.list", "params.text", "''", "{}", "stdout and 1"]
    {
        let text = fails(source);
        assert!(text.contains("true or false is needed") || text.contains("is needed"), "{source}: {text}");
    }
}

#[test]
fn a_secret_is_neither_compared_nor_made_a_part_of_a_text() {
    for source in [
        "params.token == 'abc'",
        "params.token != 'x'",
        "params.token in ['x']",
        "(params.token ~ 'x') == 'x'",
        "params.token | upper != 'x'",
        "params.token | string | length == 8",
        "[params.token] | join(' ') is startingwith('h')",
    ] {
        let text = fails(source);
        assert!(text.contains("secret"), "{source}: {text}");
    }
    assert_eq!(truth("params.token is defined"), Ok(true));
}

fn judged(quantifier: Quantifier, source: &str, observation: &Observation) -> Verdict {
    let expectation = Expectation { quantifier, expression: parsed(source), over_all: false };
    expectation.judge(&Scope::new(), observation)
}

#[test]
fn without_rows_that_would_name_its_columns_a_table_is_said_to_have_no_row() {
    let empty = observation(&[], Vec::new());
    for (quantifier, source) in [
        (Quantifier::None, "stat == 'busy'"),
        (Quantifier::Every, "stat == 'busy'"),
        (Quantifier::Expect, "rows | selectattr('stat', 'eq', 'busy') | list | length == 0"),
    ] {
        let verdict = judged(quantifier, source, &empty);
        let why = verdict.why().unwrap_or_default();
        assert!(why.starts_with("there is no row") && !verdict.holds(), "{source}: {verdict:?}");
    }
}

#[test]
fn a_column_that_no_table_has_is_unknown_also_without_rows() {
    let empty = observation(&["pid", "state"], Vec::new());
    for (quantifier, source) in [
        (Quantifier::None, "stat == 'busy'"),
        (Quantifier::Every, "stat == 'busy'"),
        (Quantifier::Expect, "rows | selectattr('stat', 'eq', 'busy') | list | length == 0"),
        (Quantifier::Expect, "rows | map(attribute='stat') | list | length == 0"),
    ] {
        let verdict = judged(quantifier, source, &empty);
        assert!(matches!(&verdict, Verdict::Unknown { why } if why.contains("stat")), "{source}: {verdict:?}");
    }
    assert_eq!(judged(Quantifier::None, "state == 'busy' and exit == 0", &empty), Verdict::Holds);
    assert!(matches!(judged(Quantifier::Every, "state == 'busy'", &empty), Verdict::Fails { .. }));
    let none = Expectation {
        quantifier: Quantifier::None,
        expression: parsed("host == 'a' and state == 'x'"),
        over_all: true,
    };
    assert_eq!(none.judge_all(&Scope::new(), &[empty]), Verdict::Holds);
}

#[test]
fn an_unknown_name_in_a_row_is_unknown() {
    for (quantifier, source) in [
        (Quantifier::None, "pid == '7'"),
        (Quantifier::Every, "pid != 'x'"),
        (Quantifier::None, "state == 'busy' and misspelt"),
        (Quantifier::Every, "state"),
        (Quantifier::None, "user"),
    ] {
        let verdict = judged(quantifier, source, &table());
        assert!(matches!(verdict, Verdict::Unknown { .. }), "{source}: {verdict:?}");
    }
    assert_eq!(judged(Quantifier::Every, "state == 'bored' and pid > 5", &table()), Verdict::Holds);
}

#[test]
fn what_is_no_expression_says_where() {
    for (source, offset) in [
        ("", 0),
        ("a ==", 4),
        ("a | uper", 0),
        ("a is evn", 0),
        ("rm()", 0),
        ("a b", 2),
        ("(a", 2),
        ("!a", 0),
        ("a && b", 2),
    ] {
        let fault = Expression::parse(source, at(1, 1)).unwrap_err();
        assert!(!fault.message.is_empty() && fault.offset <= source.len(), "{source}: {fault:?}");
        if offset > 0 {
            assert!(fault.offset > 0, "{source}: {fault:?}");
        }
    }
    let near = Expression::parse("a | uper", at(1, 1)).unwrap_err();
    assert_eq!(near.hint.as_deref(), Some("did you mean `upper`?"));
    assert!(Expression::parse("__compare('==', 1, 2)", at(1, 1)).is_err());
}

#[test]
fn a_loop_without_end_ends() {
    let params =
        Params { values: BTreeMap::from([("n".to_owned(), serde_json::json!(100_000_000))]), ..Params::default() };
    let scope = Scope::new().with_params(&params);
    assert!(parsed("range(params.n) | list | length == 1").truth(&scope).is_err());
}

#[test]
fn a_long_expression_is_as_good_as_a_short_one() {
    let any: Vec<String> = (0..300).map(|n| format!("params.count == {n}")).collect();
    assert_eq!(truth(&any.join(" or ")), Ok(true));
    assert_eq!(truth(&format!("{} == 300", vec!["1"; 300].join(" + "))), Ok(true));
    assert_eq!(truth(&format!("params.text{} == '5'", " | trim".repeat(100))), Ok(true));
    assert_eq!(truth("2 ** 3 ** 2 == 2 ** (3 ** 2) or 2 ** 3 ** 2 == (2 ** 3) ** 2"), Ok(true));
    assert_eq!(truth("10 - 3 - 2 == 5 and 10 - (3 - 2) == 9 and 'a' ~ ('b' ~ 'c') == 'abc'"), Ok(true));
    assert_eq!(truth(&(0..60).map(|n| n.to_string()).collect::<Vec<_>>().join(" < ")), Ok(true));
    // each side once, however deep comparisons nest in one another
    let mut nested = "true".to_owned();
    for _ in 0..20 {
        nested = format!("true == ({nested}) == true");
    }
    assert_eq!(truth(&nested), Ok(true));
}

/// What a TCP probe that takes only a refusal for an answer makes of getting no reply.
fn unanswered(reason: NoReply) -> Observation {
    let tcp = TcpSpec {
        from: Origin::Host,
        to: None,
        port: Template::parse("7003", at(1, 1), &|_| at(1, 1)).unwrap(),
        send: None,
        until: None,
    };
    let probe = Probe {
        name: "port".to_owned(),
        shared: false,
        summary: String::new(),
        hosts: None,
        look: LookSpec::Tcp(tcp),
        parse: None,
        exits: vec![0],
        answers: vec![NoReply::Refused],
        timeout: Period::seconds(2),
        show: Vec::new(),
        location: at(1, 1),
    };
    probe.observe(HostName::new("a"), Reply::Nothing { reason, detail: String::new() }, Period::ZERO)
}

#[test]
fn only_what_a_probe_lists_is_an_answer_without_a_reply() {
    let judged = |reason, source: &str| {
        let expectation = Expectation { quantifier: Quantifier::Expect, expression: parsed(source), over_all: false };
        expectation.judge(&Scope::new(), &unanswered(reason))
    };
    assert_eq!(judged(NoReply::Refused, "answer == 'refused' and reply == ''"), Verdict::Holds);
    assert!(matches!(judged(NoReply::Refused, "answer == 'reply'"), Verdict::Fails { .. }));
    for reason in [NoReply::TimedOut, NoReply::Closed, NoReply::Unreachable, NoReply::Lost, NoReply::Prohibited] {
        let verdict = judged(reason, "answer != 'reply'");
        assert!(matches!(verdict, Verdict::Unknown { .. }), "{reason:?}: {verdict:?}");
    }
}
