//! Where the wiki and the book differ, as any admin host can tell.

use serde_json::Value;

use super::site::Site;
use super::support::Program;
use super::{book, publish, small};

#[test]
fn every_kind_of_drift_is_told() {
    let site = Site::up();
    let program = book(&[
        ("alpha.yaml", super::ALPHA),
        ("beta.yaml", super::BETA),
        ("gone.yaml", super::BETA),
        ("moved.yaml", super::BETA),
        ("mine.yaml", super::BETA),
        ("lost.yaml", super::BETA),
    ]);
    site.write("Runbook:mine", "I was here first.");
    publish(&program, &site.url(), &[]).exits(8);
    // a page of the category that is nobody's runbook is nobody's business
    site.write("About runbooks", "What they are. [[Category:Runbooks]]");

    // another admin host: the same book, and nothing else
    let host = Program::new().with_book(&[
        ("book.yaml", super::BOOK),
        ("alpha.yaml", super::ALPHA),
        ("beta.yaml", &super::BETA.replace("Does the second", "Now does the second")),
        ("moved-here.yaml", super::BETA),
        ("mine.yaml", super::BETA),
        ("lost.yaml", super::BETA),
    ]);
    site.change("Runbook:alpha", "It is one.", "It is 1.");
    site.maintain(&["deleteBatch.php"], "Runbook:lost\n");
    let newest = site.newest();
    let ran = host.run(["docs", "drift", "--wiki", &site.url(), "--format", "json"]);
    let document: Value = serde_json::from_str(&ran.exits(8).stdout).unwrap();
    assert_eq!(document["pages"], 6);
    let drift: Vec<(&str, &str)> = document["drift"]
        .as_array()
        .unwrap()
        .iter()
        .map(|drift| (drift["name"].as_str().unwrap(), drift["kind"].as_str().unwrap()))
        .collect();
    let expected = [
        ("alpha", "edited"),
        ("beta", "behind"),
        ("lost", "missing"),
        ("mine", "not-ours"),
        ("moved-here", "missing"),
        ("book", "behind"),
        ("gone", "orphaned"),
        ("moved", "orphaned"),
    ];
    assert_eq!(drift, expected, "{document}");
    let alpha = &document["drift"][0];
    assert_eq!(alpha["edits"][0]["by"], "127.0.0.1");
    assert!(alpha["diff"].as_str().unwrap().contains("+It is 1."), "{alpha}");
    assert!(alpha["url"].as_str().unwrap().ends_with("?title=Runbook:alpha"));
    let ran = host.run(["docs", "drift", "--wiki", &site.url()]);
    ran.exits(8)
        .says("6 pages: 8 differ")
        .says("the book has no such runbook")
        .says("+It is 1.")
        .says("+Now does the second");
    assert_eq!(site.newest(), newest, "looking changes nothing");

    // a page under a new title: the old one is told with where it went
    let settings = format!("{}wiki: {{ title: \"Procedure:${{{{ name }}}}\" }}\n", super::BOOK);
    std::fs::write(program.book().join("book.yaml"), settings).unwrap();
    let ran = program.run(["docs", "drift", "--wiki", &site.url()]);
    ran.exits(8).says("its page is `Procedure:beta` now");
}

#[test]
fn a_book_that_is_as_published_does_not_drift() {
    let site = Site::up();
    let program = small();
    program.run(["docs", "drift", "--wiki", &site.url()]).exits(8).says("3 pages: 3 differ").says("publish it");
    publish(&program, &site.url(), &[]).exits(0);
    let ran = program.run(["docs", "drift", "--wiki", &site.url(), "--format", "json"]);
    let document: Value = serde_json::from_str(&ran.exits(0).stdout).unwrap();
    assert_eq!(document["drift"], Value::Array(Vec::new()));
}
