//! Templates: what is cut out of a text, and that a value arrives in a command as the value it is.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::model::expression::EvalError;
use crate::model::template::Piece;
use crate::model::{Params, Scope, Template};
use crate::vocab::{Location, Secret};

fn here() -> Location {
    Location { file: "t.yaml".into(), line: 1, column: 1 }
}

fn template(source: &str) -> Template {
    Template::parse(source, here(), &|_| here()).unwrap_or_else(|fault| panic!("{source}: {fault}"))
}

fn scope(values: &[(&str, Json)]) -> Scope {
    let values: BTreeMap<String, Json> =
        values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let secrets = BTreeMap::from([("token".to_owned(), Secret::new("hunter22"))]);
    Scope::new().with_params(&Params { values, secrets })
}

#[test]
fn only_dollar_and_two_braces_are_special() {
    for plain in
        ["${#x}", "{% if x %}", "{{ x }}", "{# x #}", "${x}", "$(x)", "$ {{ x }}", "}}", "echo ${x:-{}}", "%}", ""]
    {
        assert_eq!(template(plain).shell(&scope(&[])).unwrap(), plain);
        assert_eq!(template(plain).text(&scope(&[])).unwrap(), plain);
    }
}

#[test]
fn an_interpolation_ends_at_its_own_braces() {
    for (source, text) in [
        (r#"a${{ "}}" }}b"#, "a}}b"),
        (r#"${{ '}}' }}${{ "\"}}" }}"#, "}}\"}}"),
        (r"${{ {'a': {'b': 'c'}}['a']['b'] }}", "c"),
        (r"${{ {'a': 1}.a }}}}", "1}}"),
        ("${{ 'a' }}${{ 'b' }}", "ab"),
        ("$${{ 'a' }}$", "$a$"),
        ("${{'a'}}", "a"),
        ("${{\n 'a'\n}}", "a"),
        ("${{ 'é😀' }}é", "é😀é"),
    ] {
        assert_eq!(template(source).text(&scope(&[])).unwrap(), text, "{source}");
    }
}

#[test]
fn what_is_not_closed_or_empty_is_refused_at_its_place() {
    for (source, offset) in
        [("ab ${{ x", 3), ("${{ 'x }}", 0), ("${{ {'a': 1} }", 0), ("é${{ }}", 5), ("${{}}", 3), ("x ${{ a b }}", 8)]
    {
        let fault = Template::parse(source, here(), &|_| here()).unwrap_err();
        assert!(fault.offset >= offset.min(source.len()) && fault.offset <= source.len(), "{source}: {fault:?}");
        assert!(source.is_char_boundary(fault.offset));
    }
}

#[test]
fn values_are_one_word_and_lists_are_words() {
    let scope = scope(&[("a", json!("it's; $(x)")), ("n", json!(5)), ("l", json!(["a b", "", "c"])), ("e", json!(""))]);
    assert_eq!(template("x ${{ params.a }}").shell(&scope).unwrap(), "x 'it'\\''s; $(x)'");
    assert_eq!(template("${{ params.n }} ${{ params.l }} ${{ params.e }}").shell(&scope).unwrap(), "5 'a b' '' c ''");
    assert_eq!(template("${{ params.a | raw }}").shell(&scope).unwrap(), "it's; $(x)");
}

#[test]
fn only_raw_is_raw() {
    // for HTML these give a text that is safe; for a shell nothing is
    let scope = scope(&[("a", json!("$(touch x)"))]);
    for (source, shell) in [
        ("${{ params.a | safe }}", "'$(touch x)'"),
        ("${{ params.a | e }}", "'$(touch x)'"),
        ("${{ params.a | escape }}", "'$(touch x)'"),
        ("${{ params.a | tojson }}", "'\"$(touch x)\"'"),
        ("${{ (params.a | raw) ~ 'b' }}", "'$(touch x)b'"),
        ("${{ [params.a | raw] }}", "'$(touch x)'"),
        ("${{ '| raw' ~ params.a }}", "'| raw$(touch x)'"),
    ] {
        assert_eq!(template(source).shell(&scope).unwrap(), shell, "{source}");
        let raw = template(source).pieces().iter().any(|piece| matches!(piece, Piece::Expression { raw: true, .. }));
        assert!(!raw, "{source}");
    }
}

#[test]
fn what_has_no_text_is_refused() {
    let scope = scope(&[("m", json!({"a": 1})), ("z", json!(null)), ("nul", json!("a\0b"))]);
    for source in
        ["${{ params.m }}", "${{ params.z }}", "${{ params.nul }}", "${{ [params.z] }}", "${{ params.absent }}"]
    {
        assert!(template(source).shell(&scope).is_err(), "{source}");
        assert!(template(source).text(&scope).is_err(), "{source}");
        assert!(template(source).masked(&scope).is_err(), "{source}");
    }
}

#[test]
fn a_secret_goes_whole_or_not_at_all() {
    let scope = scope(&[("a", json!("x"))]);
    let masked = template("Bearer ${{ params.token }}.").masked(&scope).unwrap();
    assert_eq!((masked.expose(), masked.shown()), ("Bearer hunter22.", "Bearer <secret:token>."));
    for source in [
        "${{ 'Bearer ' ~ params.token }}",
        "${{ params.token | upper }}",
        "${{ [params.token] | join }}",
        "${{ params.token | raw }}",
    ] {
        let error = template(source).masked(&scope).unwrap_err();
        assert!(matches!(&error, EvalError::Secret { name, .. } if name == "token"), "{source}: {error}");
    }
    for source in ["${{ params.token }}", "${{ params.token | raw }}", "x ${{ params.token | default('a') }}"] {
        assert!(matches!(template(source).shell(&scope), Err(EvalError::Secret { .. })), "{source}");
        assert!(matches!(template(source).text(&scope), Err(EvalError::Secret { .. })), "{source}");
    }
}

/// What `sh` prints that was given `text`.
fn sh(text: &str) -> Vec<u8> {
    #[expect(clippy::disallowed_methods, reason = "a shell is what it is about")]
    let output = Command::new("sh").arg("-e").arg("-c").arg(text).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{text}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        // what a shell reads more into than others
        r#"[ \t\n\r'"\\$`!*?~#&;|<>(){}\[\]=%@^a-]{0,12}"#,
        r"[^\x00]{0,20}",
        Just("-n".to_owned()),
        Just("A=b".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_shell_prints_exactly_the_values(one in word(), list in prop::collection::vec(word(), 1..4), number in any::<i64>()) {
        let scope = scope(&[("one", json!(one)), ("list", json!(list)), ("number", json!(number))]);
        let text = template("printf '%s\\0' ${{ params.one }} ${{ params.list }} x${{ params.one }} ${{ params.number }}");
        let printed = sh(&text.shell(&scope).unwrap());
        let mut expected = vec![one.clone()];
        expected.extend(list);
        expected.extend([format!("x{one}"), number.to_string()]);
        prop_assert_eq!(String::from_utf8(printed).unwrap(), expected.join("\0") + "\0");
    }

    #[test]
    fn cutting_a_text_never_panics(text in r"[${}'a|\\ é]{0,24}") {
        if let Ok(template) = Template::parse(&text, here(), &|_| here()) {
            prop_assert_eq!(template.source(), text);
        }
    }
}
