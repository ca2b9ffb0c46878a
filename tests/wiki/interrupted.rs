//! Publishing that is cut off at any point, and published again.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::proxy::{Deed, Proxy};
use super::site::Site;
use super::{publish, small};

const TITLES: [&str; 3] = ["Notes of the test", "Runbook:alpha", "Runbook:beta"];

#[test]
fn killed_at_any_request_a_second_publish_completes_it_and_edits_nothing_twice() {
    let site = Site::up();
    // what one whole publish asks: two for the login, a look, three edits, one to read back
    for at in 1..=7 {
        // titles of their own, so that each time begins with nothing
        let settings = format!("name: Notes\nwiki: {{ title: \"K{at}:${{{{ name }}}}\", page: \"K{at}\" }}\n");
        let program = small();
        std::fs::write(program.book().join("book.yaml"), settings).unwrap();
        let (tell, told) = mpsc::channel();
        let (release, held) = mpsc::channel::<()>();
        let (tell, held) = (Mutex::new(tell), Mutex::new(held));
        let proxy = Proxy::before(site.address(), move |number, _| {
            if number == at {
                tell.lock().unwrap().send(()).unwrap();
                // the program is dead before the wiki's answer could reach it
                let _ = held.lock().unwrap().recv();
                return Deed::CutAfter;
            }
            Deed::Pass
        });
        let mut child = program.start(["docs", "publish", "--wiki", &proxy.url()]);
        told.recv_timeout(Duration::from_secs(30)).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        // what was under way is done by the wiki all the same
        let under_way = proxy.edits();
        drop(release);
        let title = |index: usize| [format!("K{at}:alpha"), format!("K{at}:beta"), format!("K{at}")][index].clone();
        if under_way > 0 {
            program.wait_until("the wiki has done it", || site.text(&title(under_way - 1)).is_some());
        }
        let again = Proxy::before(site.address(), |_, _| Deed::Pass);
        publish(&program, &again.url(), &[]).exits(0);
        assert_eq!(again.edits(), 3 - under_way, "killed at request {at}");
        for index in 0..3 {
            assert_eq!(site.revisions(&title(index)).len(), 1, "killed at request {at}: {}", title(index));
        }
        publish(&program, &site.url(), &[]).exits(0).says("3 unchanged");
    }
}

#[test]
fn connections_that_break_before_or_behind_an_edit_make_no_second_one() {
    for behind in [false, true] {
        let site = Site::up();
        let program = small();
        let cut = Arc::new(Mutex::new(Vec::new()));
        let seen = cut.clone();
        let proxy = Proxy::before(site.address(), move |_, request| {
            // every request is cut once
            let mut seen = seen.lock().unwrap();
            let what =
                (request.get("action").to_owned(), request.get("titles").to_owned(), request.get("title").to_owned());
            if seen.contains(&what) {
                return Deed::Pass;
            }
            seen.push(what);
            if behind { Deed::CutAfter } else { Deed::CutBefore }
        });
        publish(&program, &proxy.url(), &[]).exits(0).says("3 created");
        assert_eq!(proxy.edits(), if behind { 3 } else { 6 }, "behind: {behind}");
        for title in TITLES {
            assert_eq!(site.revisions(title).len(), 1, "{title}, behind: {behind}");
        }
        // the same with pages that are there
        std::fs::write(program.book().join("alpha.yaml"), super::ALPHA.replace("It is one.", "It is still one."))
            .unwrap();
        cut.lock().unwrap().clear();
        publish(&program, &proxy.url(), &[]).exits(0).says("1 updated").says("2 unchanged");
        assert_eq!(site.revisions("Runbook:alpha").len(), 2, "behind: {behind}");
        publish(&program, &site.url(), &[]).exits(0).says("3 unchanged");
    }
}

#[test]
fn a_wiki_that_goes_away_leaves_the_rest_untried() {
    let site = Site::up();
    let program = small();
    let gone = Mutex::new(false);
    let proxy = Proxy::before(site.address(), move |_, request| {
        let mut gone = gone.lock().unwrap();
        *gone |= request.get("title") == "Runbook:beta";
        if *gone {
            // an error page of a proxy in front, that asks to be left alone
            let headers = [("Retry-After", "600")];
            Deed::Answer(super::proxy::Answer::new(503, &headers, "<html>down</html>"))
        } else {
            Deed::Pass
        }
    });
    let ran = publish(&program, &proxy.url(), &[]);
    ran.exits(1)
        .says("created          alpha")
        .says("status 503")
        .says("1 not tried")
        .says("what was published is not published again");
    publish(&program, &site.url(), &[]).exits(0).says("2 created").says("1 unchanged");
}
