//! What people do to pages, and how it is kept.

use std::sync::Mutex;

use super::proxy::{Deed, Proxy, Request, forward};
use super::shown::Shown;
use super::site::{self, Site};
use super::{outcomes, pairs, publish, small};

#[test]
fn a_persons_edit_is_shown_and_kept_until_it_is_accepted() {
    let site = Site::up();
    let program = small();
    publish(&program, &site.url(), &[]).exits(0);
    site.change("Runbook:alpha", "It is one.", "It is one, mind the \u{1b}[31mgap.");
    site.change("Runbook:alpha", "It is two.", "It is 2.");
    // the book goes on meanwhile
    for (name, text) in [("alpha.yaml", super::ALPHA), ("beta.yaml", super::BETA)] {
        std::fs::write(program.book().join(name), text.replace("Does the", "Always does the")).unwrap();
    }
    let edited = site.text("Runbook:alpha").unwrap();
    let ran = publish(&program, &site.url(), &[]);
    // both edits, by whom, and only what they changed; the other pages are published
    ran.exits(8)
        .says("-It is one.")
        .says("+It is one, mind the")
        .says("+It is 2.")
        .says("I know better")
        .says("by 127.0.0.1");
    ran.is_silent_about("+Always").is_silent_about("\u{1b}[31mgap").says("Nothing was overwritten");
    ran.says("3 pages: 1 edited, 2 updated");
    assert_eq!(site.text("Runbook:alpha").unwrap(), edited);
    assert!(site.text("Runbook:beta").unwrap().contains("Always"));

    // the way out is the command that is shown, for the revision that was shown
    let command = ran.stdout.lines().find(|line| line.contains("--accept")).unwrap().trim().to_owned();
    let revision = command.rsplit('@').next().unwrap().to_owned();
    let arguments: Vec<&str> = command.split(' ').skip(1).collect();
    site.change("Runbook:alpha", "It is 2.", "It is 2!");
    let ran = program.run(&arguments);
    ran.exits(8).says(&format!("Revision {revision} was accepted; by now it is revision")).says("+It is 2!");
    assert!(site.text("Runbook:alpha").unwrap().contains("It is 2!"));
    publish(&program, &site.url(), &["alpha", "--accept", "alpha", "--dry-run"]).exits(0).says("-It is 2!");
    assert!(site.text("Runbook:alpha").unwrap().contains("It is 2!"));
    let command = ran.stdout.lines().find(|line| line.contains("--accept")).unwrap().trim().to_owned();
    let arguments: Vec<&str> = command.split(' ').skip(1).collect();
    program.run(&arguments).exits(0).says("1 updated");
    let text = site.text("Runbook:alpha").unwrap();
    assert!(text.contains("Always does") && text.contains("It is two."), "{text}");
    publish(&program, &site.url(), &[]).exits(0).says("3 unchanged");

    // an edit that is merged into the book word for word needs no acceptance
    site.change("Runbook:alpha", "It is two.", "It is two, really.");
    let merged =
        super::ALPHA.replace("Does the", "Always does the").replace("says: It is two.", "says: \"It is two, really.\"");
    std::fs::write(program.book().join("alpha.yaml"), merged).unwrap();
    publish(&program, &site.url(), &[]).exits(0).says("1 updated");
    program.run(["docs", "drift", "--wiki", &site.url()]).exits(0);
}

#[test]
fn pages_that_were_never_ours_are_left_alone() {
    let site = Site::up();
    let program = small();
    site.write("Notes of the test", "All of this was written by hand.");
    site.write("Runbook:beta", "#REDIRECT [[Notes of the test]]");
    let all = pairs(&[("alpha", "created"), ("beta", "not-ours"), ("book", "not-ours")]);
    assert_eq!(outcomes(&program, &site.url(), &[], 8), all);
    assert_eq!(site.text("Notes of the test").unwrap(), "All of this was written by hand.");
    let ran = publish(&program, &site.url(), &["book"]);
    ran.exits(8).says("was not published from here").says("--accept book@");
    publish(&program, &site.url(), &["book", "--accept", "book"]).exits(0).says("1 updated");
    assert!(site.text("Notes of the test").unwrap().contains("runbook: book"));

    // somebody who takes the mark out has edited the page; what they did is told
    let text = site.text("Runbook:alpha").unwrap();
    site.write(
        "Runbook:alpha",
        &text.lines().skip(1).collect::<Vec<_>>().join("\n").replace("It is two.", "It is II."),
    );
    let ran = publish(&program, &site.url(), &["alpha"]);
    ran.exits(8).says("somebody edited the page").says("+It is II.");
    assert_eq!(site.revisions("Runbook:alpha").len(), 2);

    // another runbook's page under this one's title
    site.write(
        "Runbook:alpha",
        &site.revisions("Runbook:alpha")[1]["slots"]["main"]["content"]
            .as_str()
            .unwrap()
            .replace("runbook: alpha", "runbook: omega"),
    );
    publish(&program, &site.url(), &["alpha"]).exits(8).says("is that of omega");
}

#[test]
fn a_page_that_was_deleted_is_made_again_and_a_protected_one_is_told() {
    let site = Site::up();
    let program = small();
    publish(&program, &site.url(), &[]).exits(0);
    site.maintain(&["deleteBatch.php"], "Runbook:beta\n");
    site.maintain(&["protect.php", "Runbook:alpha"], "");
    for (name, text) in [("alpha.yaml", super::ALPHA), ("beta.yaml", super::BETA)] {
        std::fs::write(program.book().join(name), text.replace("Does the", "Always does the")).unwrap();
    }
    let ran = publish(&program, &site.url(), &[]);
    ran.exits(1).says("protectedpage").says("ask an administrator of the wiki").says("1 failed").says("1 created");
    assert!(site.text("Runbook:beta").unwrap().contains("Always"));
    assert!(!site.text("Runbook:alpha").unwrap().contains("Always"));
}

/// A proxy that lets somebody act once, right before the first edit of alpha reaches the wiki.
fn meanwhile(site: &Site, act: impl Fn(&Request) + Send + Sync + 'static) -> Proxy {
    let done = Mutex::new(false);
    Proxy::before(site.address(), move |_, request| {
        let mut done = done.lock().unwrap();
        if !*done && request.is_edit() && request.get("title") == "Runbook:alpha" {
            *done = true;
            act(request);
        }
        Deed::Pass
    })
}

#[test]
fn edits_between_reading_and_writing_are_never_lost() {
    let site = Site::up();
    let program = small();
    publish(&program, &site.url(), &[]).exits(0);
    let next = |word: &str| {
        let text = super::ALPHA
            .replace("It is one.", &format!("It is {word} one."))
            .replace("echo one", &format!("echo {word}"));
        std::fs::write(program.book().join("alpha.yaml"), text).unwrap();
    };
    let somebody = |site: &Site, old: &'static str, new: &'static str| {
        let address = site.address().to_owned();
        let text = site.text("Runbook:alpha").unwrap();
        assert!(text.contains(old), "{text}");
        let text = text.replacen(old, new, 1);
        meanwhile(site, move |_| site::edit(&address, "Runbook:alpha", &text))
    };

    // where both changed the same line, the wiki refuses ours
    next("still");
    let proxy = somebody(&site, "It is one.", "It is 1.");
    let ran = publish(&program, &proxy.url(), &["alpha"]);
    ran.exits(8).says("somebody edited the page").says("+It is 1.");
    assert_eq!(proxy.edits(), 1);
    // with a time beside the revision the wiki would let ours pass when both are of the same second
    assert!(proxy.seen().iter().all(|request| request.get("basetimestamp").is_empty()));
    assert!(site.text("Runbook:alpha").unwrap().contains("It is 1."));
    publish(&program, &site.url(), &["alpha", "--accept", "alpha"]).exits(0);
}

#[test]
fn a_wiki_too_old_to_keep_edits_is_not_published_to() {
    let site = Site::up();
    let upstream = site.address().to_owned();
    let proxy = Proxy::before(site.address(), move |_, request| {
        let mut answer = forward(&upstream, request);
        let text = String::from_utf8(answer.body).unwrap().replace("MediaWiki 1.39.", "MediaWiki 1.31.");
        answer.body = text.into_bytes();
        Deed::Answer(answer)
    });
    publish(&small(), &proxy.url(), &[]).exits(1).says("the wiki is MediaWiki 1.31.").says("needs MediaWiki 1.35");
    assert_eq!(proxy.edits(), 0);
    small().run(["docs", "drift", "--wiki", &proxy.url()]).exits(8);
}

#[test]
fn edits_that_the_wiki_merges_are_noticed() {
    let site = Site::up();
    let program = small();
    publish(&program, &site.url(), &[]).exits(0);
    let text = super::ALPHA.replace("It is two.", "It is still two.");
    std::fs::write(program.book().join("alpha.yaml"), text).unwrap();
    let (address, text) = (site.address().to_owned(), site.text("Runbook:alpha").unwrap());
    let theirs = text.replacen("Does the first thing.", "Does the first thing, mostly.", 1);
    assert_ne!(text, theirs);
    let proxy = meanwhile(&site, move |_| site::edit(&address, "Runbook:alpha", &theirs));
    let ran = publish(&program, &proxy.url(), &["alpha"]);
    ran.exits(8)
        .says("in the same moment, and the wiki merged both")
        .says("+Does the first thing, mostly.")
        .says("--accept alpha@");
    ran.is_silent_about("still two");
    let merged = site.text("Runbook:alpha").unwrap();
    assert!(merged.contains("mostly") && merged.contains("still two"), "{merged}");
    // the next one knows it for an edit
    publish(&program, &site.url(), &["alpha"]).exits(8).says("+Does the first thing, mostly.");
    assert_eq!(site.text("Runbook:alpha").unwrap(), merged);

    // a page that appears in between is not overwritten, one that vanishes is made again
    let address = site.address().to_owned();
    std::fs::write(program.book().join("gamma.yaml"), super::BETA).unwrap();
    let first = Mutex::new(true);
    let proxy = Proxy::before(site.address(), move |_, request| {
        if request.is_edit() && request.get("title") == "Runbook:gamma" && std::mem::take(&mut *first.lock().unwrap()) {
            site::edit(&address, "Runbook:gamma", "Mine.");
        }
        Deed::Pass
    });
    publish(&program, &proxy.url(), &["gamma"]).exits(8).says("was not published from here");
    assert_eq!(site.text("Runbook:gamma").unwrap(), "Mine.");
}

#[test]
fn two_admin_hosts_at_once_take_each_other_for_no_person() {
    let site = Site::up();
    let program = small();
    publish(&program, &site.url(), &[]).exits(0);
    let changed = super::ALPHA.replace("It is one.", "It is still one.");
    std::fs::write(program.book().join("alpha.yaml"), changed).unwrap();
    let other = small();
    std::fs::write(other.book().join("alpha.yaml"), super::ALPHA.replace("It is two.", "It is still two.")).unwrap();
    let url = site.url();
    let proxy = meanwhile(&site, move |_| {
        publish(&other, &url, &["alpha"]).exits(0).says("1 updated");
    });
    publish(&program, &proxy.url(), &["alpha"]).exits(0).says("1 updated");
    let shown = Shown::of(&site.html("Runbook:alpha"));
    assert!(shown.text.contains("It is still one."), "{}", shown.text);
    // the last one to publish has its page there, whole
    publish(&program, &site.url(), &["alpha"]).exits(0).says("1 unchanged");
}
