//! `runbook docs render`: what goes where.

use std::fs;

use crate::support::Program;

const LOCAL: &str = "title: Local *things*\nsummary: Two steps here, not of `other`.\nsystem: Workers\nhosts: here\nsteps:\n  - id: a\n    run: echo a\n";
const OTHER: &str = "title: Other\nhosts: here\nsteps:\n  - { id: a, run: echo b }\n";

fn local() -> Program {
    Program::new().with_book(&[("local.yaml", LOCAL), ("other.yaml", OTHER)])
}

#[test]
fn a_page_goes_to_stdout_and_a_book_to_a_folder() {
    let program = local();
    let page = program.run(["docs", "render", "local"]);
    page.exits(0);
    assert!(page.stdout.starts_with("# Local things\n") && page.stderr.is_empty(), "{page:?}");
    let wiki = program.run(["docs", "render", "local", "--to", "mediawiki"]);
    wiki.exits(0).says("'''Local things'''").says("[[:Production Notes#Workers|Workers]]");
    program.run(["docs", "render", "local", "--to", "html"]).exits(0).says("<h1>Local things</h1>");
    program.run(["docs", "render"]).exits(0).says("# Production Notes").says("[Local things](<local.md>)");

    let out = program.dir().join("pages");
    let to = out.to_str().unwrap();
    program.run(["docs", "render", "--all", "--to", "mediawiki", "--out", to]).exits(0);
    let mut names: Vec<String> =
        fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["index.wiki", "local.wiki", "other.wiki"], "no file is left half written");
    assert_eq!(fs::read_to_string(out.join("local.wiki")).unwrap(), wiki.stdout);

    let site = program.dir().join("site");
    program.run(["docs", "render", "--to", "html", "--site", site.to_str().unwrap()]).exits(0);
    let index = fs::read_to_string(site.join("index.html")).unwrap();
    assert!(index.contains("href=\"local.html\"") && !index.contains("<script"), "{index}");
    assert!(site.join("other.html").exists());
}

#[test]
fn what_cannot_be_done_is_refused() {
    let program = local();
    program.run(["docs", "render", "--all"]).exits(2).says("several pages need a folder").says("--out DIR");
    program.run(["docs", "render", "local", "other"]).exits(2).says("--out DIR");
    program.run(["docs", "render", "locl"]).exits(2).says("did you mean `local`?");
    program.run(["docs", "render", "local", "--all"]).exits(2);
    program.run(["docs", "render", "--site", "x", "--to", "markdown"]).exits(2).says("a site is made of HTML");
    let file = program.dir().join("file");
    fs::write(&file, "").unwrap();
    program.run(["docs", "render", "local", "--out", file.to_str().unwrap()]).exits(1).says("file");
}

#[test]
fn a_faulty_runbook_is_in_the_way_of_the_book_and_not_of_the_others() {
    let program = Program::new().with_book(&[("local.yaml", LOCAL), ("bad.yaml", "title: Bad\nsteps: 3\n")]);
    program.run(["docs", "render", "local"]).exits(0).says("# Local things");
    program.run(["docs", "render", "bad"]).exits(2).says("bad.yaml:2");
    program.run(["docs", "render"]).exits(2).says("bad.yaml:2");
    let out = program.dir().join("pages");
    program.run(["docs", "render", "--all", "--out", out.to_str().unwrap()]).exits(2);
    assert!(!out.exists());
}

#[test]
fn the_box_of_the_last_run_says_when_by_whom_and_how() {
    let program = local();
    let before = program.run(["docs", "render", "local"]);
    before.exits(0).says("> **Last run:** no run is on record. STALE");
    program.run(["run", "local", "--yes"]).exits(0);
    let after = program.run(["docs", "render", "local"]);
    after.exits(0).says(" UTC by tester: ok, in ").is_silent_about("STALE");
    program.run(["docs", "render", "other"]).exits(0).says("no run is on record");
    // nothing else of the page has changed, and without the box it is always the same
    let rest = |page: &str| -> Vec<String> {
        page.lines().filter(|line| !line.starts_with("> **Last run:**")).map(str::to_owned).collect()
    };
    assert_eq!(rest(&before.stdout), rest(&after.stdout));
    let without = program.run(["docs", "render", "local", "--without-last-run"]);
    without.exits(0).is_silent_about("Last run");
}
