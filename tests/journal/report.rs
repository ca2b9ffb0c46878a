//! `audit report`: the page of a run of this machine, and of many.

use std::fs;

use crate::support::Program;

const BOOK: &str = "title: A <b>& title\nhosts: here\nsteps:\n  - { id: a, run: \"echo '<script>a</script>'; seq 5000\" }\n  \
                    - { id: b, run: \"echo why >&2; exit 3\" }\n";

fn failed() -> Program {
    let program = Program::new().with_book(&[("a.yaml", BOOK)]);
    program.run(["run", "a", "--yes", "--reason", "to <see>"]).exits(1);
    program
}

#[test]
fn a_run_is_a_page() {
    let program = failed();
    let page = program.run(["audit", "report"]).exits(0).stdout.clone();
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    for text in
        ["A &lt;b&gt;&amp; title", "to &lt;see&gt;", "&lt;script&gt;a&lt;/script&gt;", "b@here", "intact", ">failed<"]
    {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("<script"));
    // the same by its id, and into a file
    let file = program.dir().join("run.html");
    fs::write(&file, "what was there before").unwrap();
    let id = program.newest_id();
    program.run(["audit", "report", &id, "--out", file.to_str().unwrap()]).exits(0).says("wrote").says("run.html");
    let written = fs::read_to_string(&file).unwrap();
    let stable = |page: &str| page[..page.find("<footer>").unwrap()].to_owned();
    assert_eq!(stable(&written), stable(&page));
}

#[test]
fn a_page_is_written_whole_or_not_at_all() {
    let program = failed();
    let folder = program.dir().join("folder");
    fs::create_dir(&folder).unwrap();
    program.run(["audit", "report", "--out", folder.to_str().unwrap()]).exits(1).says("folder");
    let missing = program.dir().join("missing/run.html");
    program.run(["audit", "report", "--out", missing.to_str().unwrap()]).exits(1).says("missing/run.html");
    let left: Vec<_> = fs::read_dir(program.dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".new")), "{left:?}");
}

#[test]
fn a_filter_makes_a_page_of_many_runs() {
    let program = failed();
    program.run(["run", "a", "--yes"]).exits(1);
    let page = program.run(["audit", "report", "--runbook", "a"]).exits(0).stdout.clone();
    assert!(page.contains("2 runs of") && page.contains("--runbook a") && page.contains(&program.newest_id()));
    let none = program.run(["audit", "report", "--runbook", "none-such"]).exits(0).stdout.clone();
    assert!(none.contains("0 runs of"));
    program.run(["audit", "report", "latest", "--runbook", "a"]).exits(2).says("leave out the run");
    program.run(["--format", "json", "audit", "report"]).exits(2).says("has no JSON");
}

#[test]
fn a_changed_record_is_told_on_the_page_and_by_the_exit_status() {
    let program = failed();
    let journal = program.newest_run().join("journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, text.replacen("\"exit 3\"", "\"exit 0\"", 1).replacen("why\\n", "who\\n", 1)).unwrap();
    let page = program.run(["audit", "report"]).exits(7).stdout.clone();
    assert!(page.contains("class=\"proof broken\"") && page.contains("broken at record"), "{page}");
    let page = program.run(["audit", "report", "--since", "1h"]).exits(7).stdout.clone();
    assert!(page.contains("not proven whole"));
}
