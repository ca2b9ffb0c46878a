//! What is published, and how little is asked for it.

use serde_json::Value;

use super::proxy::{Deed, Proxy};
use super::shown::Shown;
use super::site::Site;
use super::support::Program;
use super::{book, outcomes, pairs, publish, small};

#[test]
fn pages_are_published_once_and_read_as_the_book_says() {
    let site = Site::up();
    let program = small();
    let ran = publish(&program, &site.url(), &[]);
    ran.exits(0).says("3 pages: 3 created").says(&format!("http://{}/index.php?title=Runbook:alpha", site.address()));

    let alpha = site.revisions("Runbook:alpha");
    assert_eq!(alpha.len(), 1);
    assert_eq!(alpha[0]["user"], "RunbookBot");
    let summary = alpha[0]["comment"].as_str().unwrap();
    assert!(
        summary.contains("runbook 0.") && summary.contains("alpha.yaml") && summary.contains("digest "),
        "{summary}"
    );
    let text = site.text("Runbook:alpha").unwrap();
    let digest = text.split("sha256:").nth(1).unwrap();
    assert!(digest.starts_with(summary.rsplit(' ').next().unwrap()), "the summary's digest is the page's: {summary}");

    // as a reader sees it
    let page = Shown::of(&site.html("Runbook:alpha"));
    assert!(page.text.contains("Does the first thing.") && page.text.contains("no run is on record"), "{}", page.text);
    assert!(page.blocks.iter().any(|block| block == "echo one"), "{:?}", page.blocks);
    page.has_no_markup();
    let parsed = site.parsed("Runbook:alpha");
    assert_eq!(parsed["categories"][0]["category"], "Runbooks");
    let home = Shown::of(&site.html("Notes of the test"));
    assert!(home.links.contains(&"Runbook:alpha".to_owned()), "{:?}", home.links);
    home.has_no_markup();

    // nothing has changed: nothing is edited
    let newest = site.newest();
    publish(&program, &site.url(), &[]).exits(0).says("3 pages: 3 unchanged");
    assert_eq!(site.newest(), newest);

    // one has: one is edited
    let changed = super::ALPHA.replace("It is one.", "It is still one.");
    std::fs::write(program.book().join("alpha.yaml"), changed).unwrap();
    let ran = publish(&program, &site.url(), &["--dry-run"]);
    ran.exits(0).says("+It is still one.").says("-It is one.").says("nothing was written");
    assert_eq!(site.newest(), newest, "a dry run writes nothing");
    let all = pairs(&[("alpha", "updated"), ("beta", "unchanged"), ("book", "unchanged")]);
    assert_eq!(outcomes(&program, &site.url(), &[], 0), all);
    assert_eq!(site.revisions("Runbook:alpha").len(), 2);
    assert!(Shown::of(&site.html("Runbook:alpha")).text.contains("It is still one."));
}

#[test]
fn an_unchanged_book_of_25_pages_makes_three_requests() {
    let files: Vec<(String, String)> =
        (1..25).map(|n| (format!("r{n:02}.yaml"), super::BETA.replace("Second", &format!("Thing {n},")))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let program = book(&files);
    let site = Site::up();
    publish(&program, &site.url(), &[]).exits(0).says("25 pages: 25 created");
    let proxy = Proxy::before(site.address(), |_, _| Deed::Pass);
    publish(&program, &proxy.url(), &[]).exits(0).says("25 pages: 25 unchanged");
    let asked: Vec<String> = proxy.seen().iter().map(|request| request.get("action").to_owned()).collect();
    assert_eq!(asked, ["query", "login", "query"]);

    // to compare them takes no login, and one request: two with what is in the category
    let proxy = Proxy::before(site.address(), |_, _| Deed::Pass);
    program.run(["docs", "drift", "--wiki", &proxy.url()]).exits(0).says("25 pages: the wiki is as the book says");
    let asked: Vec<String> = proxy.seen().iter().map(|request| request.get("action").to_owned()).collect();
    assert_eq!(asked, ["query"]);
}

#[test]
fn more_pages_than_one_request_may_ask_for_are_published() {
    let files: Vec<(String, String)> =
        (0..60).map(|n| (format!("r{n:02}.yaml"), super::BETA.replace("Second", &format!("Thing {n},")))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let program = book(&files);
    let site = Site::up();
    let proxy = Proxy::before(site.address(), |_, _| Deed::Pass);
    // nothing is there: what would be created is told of all of them
    publish(&program, &proxy.url(), &["--dry-run"]).exits(0).says("61 pages: 61 would be created");
    assert_eq!(proxy.seen().len(), 2);
}

#[test]
fn titles_come_from_a_template_in_any_script() {
    let site = Site::up();
    let settings = "name: Notes\nwiki: { title: \"Procédure/${{ title }}\", category: Procédures d'exploitation, page: 運用ノート }\n";
    // decomposed: the wiki composes it
    let odd = super::ALPHA.replace("First things", "rede\u{301}marrer été ✓ 再起動_x");
    let program = book(&[("book.yaml", settings), ("odd.yaml", &odd), ("beta.yaml", super::BETA)]);
    publish(&program, &site.url(), &[]).exits(0).says("3 pages: 3 created");
    let title = "Procédure/redémarrer été ✓ 再起動 x";
    assert!(site.text(title).unwrap().contains("runbook: odd"));
    assert_eq!(site.parsed(title)["categories"][0]["category"], "Procédures_d'exploitation");
    assert!(Shown::of(&site.html("運用ノート")).links.contains(&title.to_owned()));
    publish(&program, &site.url(), &[]).exits(0).says("3 pages: 3 unchanged");
    program.run(["docs", "drift", "--wiki", &site.url()]).exits(0);
}

#[test]
fn titles_that_cannot_be_are_told_before_anything_is_asked() {
    let nowhere = "http://127.0.0.1:9/";
    let same = "wiki: { title: \"Of ${{ title }}\" }\n";
    let program = book(&[("book.yaml", same), ("alpha.yaml", super::ALPHA), ("twin.yaml", super::ALPHA)]);
    publish(&program, nowhere, &[]).exits(2).says("alpha and twin would both be the page `Of First things`");
    let program = book(&[("book.yaml", "wiki: { title: \"${{ nme }}\" }\n"), ("alpha.yaml", super::ALPHA)]);
    publish(&program, nowhere, &[]).exits(2).says("`nme` is not defined").says("book.yaml:1:");
    let long = super::ALPHA.replace("First things", &"x".repeat(300));
    let program = book(&[("book.yaml", same), ("alpha.yaml", &long)]);
    publish(&program, nowhere, &[]).exits(2).says("longer than 255 bytes");
}

#[test]
fn titles_that_only_the_wiki_knows_to_be_one_or_none_are_told_of_their_page() {
    let site = Site::up();
    // the wiki's titles begin with a capital letter, and it has names for other wikis and special pages
    let settings = "name: Notes\nwiki: { title: \"${{ title }}\" }\n";
    let named = |title: &str| super::BETA.replace("Second things", title);
    let program = book(&[
        ("book.yaml", settings),
        ("a.yaml", &named("things")),
        ("b.yaml", &named("Things")),
        ("c.yaml", &named("wikipedia:Things")),
        ("d.yaml", &named("Special:Things")),
        ("e.yaml", &named("Other things")),
    ]);
    let ran = publish(&program, &site.url(), &[]);
    ran.exits(1).says("is that of a").says("another wiki").says("special pages").says("3 created");
    assert!(site.text("Other things").is_some(), "what can be published is");
}

#[test]
fn a_very_long_page_is_published_and_one_too_long_is_refused() {
    let site = Site::up_with("$wgMaxArticleSize = 400; // KiB");
    let step = |n: usize| format!("  - {{ id: s{n}, says: \"{}\", run: echo {n} }}\n", "Words and words. ".repeat(120));
    let long: String = super::ALPHA.to_owned() + &(0..150).map(step).collect::<String>();
    let program = book(&[("long.yaml", &long), ("beta.yaml", super::BETA)]);
    publish(&program, &site.url(), &[]).exits(0).says("3 pages: 3 created");
    assert!(site.text("Runbook:long").unwrap().len() > 250_000);
    publish(&program, &site.url(), &[]).exits(0).says("3 pages: 3 unchanged");

    let longer: String = super::ALPHA.to_owned() + &(0..300).map(step).collect::<String>();
    std::fs::write(program.book().join("long.yaml"), longer).unwrap();
    std::fs::write(program.book().join("other.yaml"), super::BETA).unwrap();
    publish(&program, &site.url(), &[]).exits(1).says("contenttoobig").says("cut the runbook in two").says("other");
    assert!(site.text("Runbook:other").is_some(), "the others are published");
}

#[test]
fn the_last_run_is_refreshed_alone_and_never_by_an_older_one() {
    let site = Site::up();
    let program = small();
    publish(&program, &site.url(), &[]).exits(0);
    program.run(["run", "alpha", "--yes", "--as", "denise"]).exits(0);

    // the box is no part of what is published
    publish(&program, &site.url(), &[]).exits(0).says("3 pages: 3 unchanged");
    program.run(["docs", "drift", "--wiki", &site.url()]).exits(0);
    publish(&program, &site.url(), &["alpha", "--last-run", "--dry-run"]).exits(0).says("by denise: ok");
    let before = site.text("Runbook:alpha").unwrap();
    assert!(before.contains("no run is on record"));
    publish(&program, &site.url(), &["--last-run"]).exits(0).says("2 pages: 1 updated, 1 unchanged");
    let after = site.text("Runbook:alpha").unwrap();
    assert!(Shown::of(&site.html("Runbook:alpha")).text.contains("by denise: ok"), "{after}");
    let rest = |text: &str| text.split("<!-- last run: end -->").nth(1).unwrap().to_owned();
    assert_eq!(rest(&before), rest(&after));
    publish(&program, &site.url(), &["--last-run"]).exits(0).says("2 unchanged");

    // an admin host that knows of no run leaves the box as it is, also when it publishes the page anew
    let other = Program::new().with_book(&[
        ("book.yaml", super::BOOK),
        ("alpha.yaml", &super::ALPHA.replace("It is one.", "It is one even so.")),
        ("beta.yaml", super::BETA),
    ]);
    let other = other.env("RUNBOOK_WIKI_USER", super::site::BOT).env("RUNBOOK_WIKI_PASSWORD", super::site::PASSWORD);
    publish(&other, &site.url(), &["--last-run"]).exits(0).says("2 unchanged");
    publish(&other, &site.url(), &[]).exits(0).says("1 updated");
    let shown = Shown::of(&site.html("Runbook:alpha"));
    assert!(shown.text.contains("by denise: ok") && shown.text.contains("It is one even so."), "{}", shown.text);

    // somebody's edit does not keep the box from being true, and the box does not hide the edit
    site.change("Runbook:alpha", "It is two.", "It is three.");
    program.run(["run", "alpha", "--yes", "--as", "mark"]).exits(0);
    publish(&program, &site.url(), &["alpha", "--last-run"]).exits(0).says("1 updated");
    let text = site.text("Runbook:alpha").unwrap();
    assert!(text.contains("by mark: ok") && text.contains("It is three."), "{text}");
    let ran = program.run(["docs", "drift", "--wiki", &site.url(), "--format", "json"]);
    let drift: Value = serde_json::from_str(&ran.exits(8).stdout).unwrap();
    assert_eq!(drift["drift"][0]["kind"], "edited");

    // a page that is not there has no box
    std::fs::write(program.book().join("gamma.yaml"), super::BETA).unwrap();
    publish(&program, &site.url(), &["gamma", "--last-run"]).exits(8).says("Publish it first");
}
