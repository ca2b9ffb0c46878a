//! A wiki that is busy, forgetful, locked, or none.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::proxy::{Answer, Deed, Proxy, forward};
use super::site::{PASSWORD, Site};
use super::{publish, small};

#[test]
fn a_busy_wiki_is_waited_for_and_not_for_ever() {
    let site = Site::up();
    let program = small();
    // its own words for a database that lags: asked for less than no lag, the real one says them
    let (lagging, upstream) = (AtomicUsize::new(0), site.address().to_owned());
    let proxy = Proxy::before(site.address(), move |number, request| {
        if !request.is_edit() || request.get("title") != "Runbook:alpha" {
            // too many requests, told with and without a time
            return match number {
                1 => Deed::Answer(Answer::new(429, &[], "slow down")),
                2 => Deed::Answer(Answer::new(429, &[("Retry-After", "0")], "<html>slow down</html>")),
                3 => {
                    // slow is not gone
                    std::thread::sleep(std::time::Duration::from_millis(700));
                    Deed::Pass
                }
                _ => Deed::Pass,
            };
        }
        if lagging.fetch_add(1, Ordering::SeqCst) > 0 {
            return Deed::Pass;
        }
        let mut request = request.clone();
        request.form.iter_mut().filter(|(name, _)| name == "maxlag").for_each(|(_, value)| "-2".clone_into(value));
        let mut answer = forward(&upstream, &request);
        assert!(String::from_utf8_lossy(&answer.body).contains("maxlag"), "{}", String::from_utf8_lossy(&answer.body));
        answer
            .headers
            .iter_mut()
            .filter(|(name, _)| name == "Retry-After")
            .for_each(|(_, value)| "1".clone_into(value));
        Deed::Answer(answer)
    });
    let ran = publish(&program, &proxy.url(), &[]);
    ran.exits(0).says("3 created").says("lagged").says("trying again in 1s");
    assert_eq!(proxy.edits(), 4, "each page once, and one of them once more");
    assert_eq!(site.revisions("Runbook:alpha").len(), 1);

    // one that wants to be left alone for long is left alone
    let proxy = Proxy::before(site.address(), |_, _| Deed::Answer(Answer::new(429, &[("Retry-After", "3600")], "")));
    publish(&program, &proxy.url(), &[]).exits(1).says("it wants to be left alone for 1h").says("try again later");
    assert_eq!(proxy.seen().len(), 1);
    // one that never answers otherwise is given up
    let proxy = Proxy::before(site.address(), |_, _| Deed::Answer(Answer::new(429, &[("Retry-After", "0")], "")));
    publish(&program, &proxy.url(), &[]).exits(1).says("the wiki is busy: too many requests (429)");
    assert_eq!(proxy.seen().len(), 8);
}

#[test]
fn a_wiki_that_limits_edits_is_waited_for() {
    let site = Site::up_with("$wgRateLimits['edit']['user'] = [ 2, 2 ];");
    publish(&small(), &site.url(), &[]).exits(0).says("3 created");
    for title in ["Runbook:alpha", "Runbook:beta", "Notes of the test"] {
        assert_eq!(site.revisions(title).len(), 1, "{title}");
    }
}

#[test]
fn a_wrong_password_is_tried_once_and_nobody_edits() {
    let site = Site::up();
    let program = small();
    let newest = site.newest();
    let proxy = Proxy::before(site.address(), |_, _| Deed::Pass);
    let wrong = small().env("RUNBOOK_WIKI_PASSWORD", "0123-wrong-3210");
    let ran = publish(&wrong, &proxy.url(), &[]);
    ran.exits(2).says("Incorrect username or password").says("tried once").is_silent_about("0123-wrong-3210");
    assert_eq!(proxy.seen().iter().filter(|request| request.get("action") == "login").count(), 1);
    assert_eq!(proxy.edits(), 0);
    assert_eq!(site.newest(), newest);

    // none, a person's, one in a file that others can read
    let none = small().env("RUNBOOK_WIKI_PASSWORD", "");
    publish(&none, &site.url(), &[]).exits(2).says("wants a bot's name and password").says("RUNBOOK_WIKI_USER");
    let person = small().env("RUNBOOK_WIKI_USER", "Mark");
    publish(&person, &site.url(), &[]).exits(2).says("`Mark` is no bot password's name").says("Special:BotPasswords");
    let file = program.dir().join("password");
    fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let given = ["--password-file", file.to_str().unwrap()];
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    publish(&none, &site.url(), &given).exits(2).says("can be read or written by others (mode 0640)").says("chmod 600");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    publish(&none, &site.url(), &given).exits(0).says("3 created").is_silent_about(PASSWORD);

    // in the clear it goes nowhere but to this machine itself
    publish(&program, "http://wiki.example.org/", &[]).exits(2).says("the address is not https");
    publish(&program, "http://RunbookBot:x@127.0.0.1/", &[])
        .exits(2)
        .says("given apart")
        .is_silent_about("RunbookBot:x");
}

#[test]
fn an_account_that_may_not_is_told_before_anything_is_written() {
    let site = Site::up_with(
        "$wgGroupPermissions['bot']['bot'] = false; $wgGroupPermissions['*']['createpage'] = false; $wgGroupPermissions['user']['createpage'] = false;",
    );
    let newest = site.newest();
    let ran = publish(&small(), &site.url(), &[]);
    ran.exits(2).says("it lacks createpage, bot").says("must be in the group `bot`");
    assert_eq!(site.newest(), newest);
    site.set("$wgReadOnly = 'moving house';");
    publish(&small(), &site.url(), &[]).exits(1).says("moving house").says("locked it");
}

#[test]
fn a_session_that_ends_is_made_anew_and_never_an_edit_by_nobody() {
    let site = Site::up();
    let forgets = |most: usize| {
        let forgotten = AtomicUsize::new(0);
        Proxy::before(site.address(), move |_, request| {
            if request.is_edit() && forgotten.fetch_add(1, Ordering::SeqCst) < most {
                // as if the session had ended: the wiki sees nobody
                let mut nobody = request.clone();
                nobody.headers.retain(|(name, _)| name != "cookie");
                nobody
                    .form
                    .iter_mut()
                    .filter(|(name, _)| name == "token")
                    .for_each(|(_, value)| "+\\".clone_into(value));
                return Deed::Instead(nobody);
            }
            Deed::Pass
        })
    };
    let program = small();
    let proxy = forgets(1);
    publish(&program, &proxy.url(), &[]).exits(0).says("3 created");
    let logins = proxy.seen().iter().filter(|request| request.get("action") == "login").count();
    assert_eq!(logins, 2);
    for title in ["Runbook:alpha", "Runbook:beta", "Notes of the test"] {
        assert_eq!(site.revisions(title)[0]["user"], "RunbookBot", "{title}");
    }
    // a wiki that forgets always is no reason to log in for ever
    fs::write(program.book().join("gamma.yaml"), super::BETA).unwrap();
    let proxy = forgets(usize::MAX);
    publish(&program, &proxy.url(), &["gamma"]).exits(1).says("forgets that RunbookBot@runbook is logged in");
    assert_eq!(proxy.seen().iter().filter(|request| request.get("action") == "login").count(), 3);
    assert!(site.text("Runbook:gamma").is_none());
}

#[test]
fn a_wiki_that_only_members_read_is_logged_in_to() {
    let site = Site::up();
    let program = small();
    publish(&program, &site.url(), &[]).exits(0);
    site.set("$wgGroupPermissions['*']['read'] = false;");
    program.run(["docs", "drift", "--wiki", &site.url()]).exits(0).says("as the book says");
    let nobody = small().env("RUNBOOK_WIKI_PASSWORD", "");
    nobody.run(["docs", "drift", "--wiki", &site.url()]).exits(2).says("wants a bot's name and password");
}

#[test]
fn what_is_no_wiki_is_told_as_such() {
    let site = Site::up();
    let program = small();
    let says = |answer: Answer| {
        let proxy = Proxy::before(site.address(), move |_, _| Deed::Answer(answer.clone()));
        let ran = publish(&program, &proxy.url(), &[]);
        assert_eq!(proxy.seen().len(), 1, "it is asked once");
        ran
    };
    let html = "<!DOCTYPE html><title>\u{1b}[2JLog in</title>";
    says(Answer::new(200, &[("Content-Type", "text/html")], html))
        .exits(1)
        .says("text/html")
        .says("is nothing in front of it")
        .is_silent_about("\u{1b}");
    says(Answer::new(404, &[], "")).exits(1).says("status 404");
    says(Answer::new(403, &[("Content-Type", "text/html")], html)).exits(1).says("status 403");
    says(Answer::new(200, &[], "[]")).exits(1).says("not the API");
    says(Answer::new(200, &[], "{}")).exits(1).says("cannot be understood");
    let moved = Answer::new(301, &[("Location", "https://evil.example.org/api.php")], "");
    says(moved).exits(1).says("redirect (301) to https://evil.example.org/api.php").says("give that address");
    publish(&program, "http://127.0.0.1:9/", &[]).exits(1).says("cannot be reached").says("refused");
    publish(&program, "wiki.example.org", &[]).exits(2).says("begins with neither");
    // any page's address will do
    let page = format!("{}index.php?title=Main_Page&action=edit", site.url());
    publish(&program, &page, &["--dry-run"]).exits(0).says("3 would be created");
    program.run(["docs", "publish"]).exits(2).says("no wiki is named").says("--wiki URL");
    fs::write(program.book().join("book.yaml"), format!("wiki: {{ url: \"{}\" }}\n", site.url())).unwrap();
    program.run(["docs", "publish", "--dry-run"]).exits(0).says("would be created");
}
