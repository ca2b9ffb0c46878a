//! The way of a request: tracing it through its layers, purging what they keep, and shutting an address out.

use crate::support::{Lab, Program, Ran, Terminal};

const TOKEN: &str = "lab-cloudflare-token";

fn lab() -> (Lab, Program) {
    let lab = Lab::acquire();
    lab.service("aws", &["up"]);
    lab.service("edge", &["up"]);
    let program =
        Program::on(&lab).with_service(&lab, "aws").with_service(&lab, "edge").env("CLOUDFLARE_API_TOKEN", TOKEN);
    (lab, program)
}

fn aws(lab: &Lab, args: &[&str]) -> String {
    lab.service("aws", args).trim().to_owned()
}

fn edge(lab: &Lab, args: &[&str]) -> String {
    lab.service("edge", args).trim().to_owned()
}

fn trace(program: &Program) -> Ran {
    program.run(["run", "trace-traffic"])
}

#[test]
fn a_request_is_followed_through_all_layers_and_nothing_is_changed() {
    let (lab, program) = lab();
    aws(&lab, &["set", "sampled", r#"[["BLOCK","203.0.113.9","/wp-login.php"],["ALLOW","203.0.113.8","/"]]"#]);
    trace(&program)
        .exits(0)
        .says("captured answered_by = Cloudflare, then CloudFront")
        .says("captured cache = Miss from cloudfront")
        .says("captured place = IAD89-C1")
        .says("203.0.113.9\tNL\tGET\t/wp-login.php")
        .is_silent_about("203.0.113.8");
    let calls = aws(&lab, &["calls"]);
    for change in ["Create", "Update", "Delete", "Register", "Failover"] {
        assert!(!calls.contains(change), "{calls}");
    }
    assert!(calls.contains("wafv2.GetSampledRequests"), "{calls}");
}

#[test]
fn the_layer_that_is_sick_is_told_from_those_that_only_pass_it_on() {
    let (lab, program) = lab();
    // CloudFront is gone: Cloudflare says so with 521, and all behind it is well
    edge(&lab, &["set", "cloudfront", "down"]);
    trace(&program)
        .exits(1)
        .says("captured answered_by = Cloudflare\n")
        .says("HTTP 521")
        .says("failed: cloudfront@va-admin01, site@va-admin01\n");
    // the WAF refuses all, and its distribution has just been changed; of the targets some are out
    edge(&lab, &["set", "cloudfront", "ok"]);
    edge(&lab, &["set", "waf", "block"]);
    aws(&lab, &["distribution", "InProgress"]);
    aws(
        &lab,
        &[
            "set",
            "health",
            r#"{"va-web02":["unhealthy","Target.Timeout"],"va-web03":["draining","Target.DeregistrationInProgress"],"va-web05":["unused","Target.InvalidState"]}"#,
        ],
    );
    aws(&lab, &["deregister", "va-web04"]);
    trace(&program)
        .exits(1)
        .says("captured answered_by = Cloudflare, then CloudFront")
        .says("HTTP 403")
        .says("failed: cloudfront@va-admin01, distribution@va-admin01, site@va-admin01, targets@va-admin01\n")
        .says("va-web02\t")
        .says("running\tunhealthy\tTarget.Timeout")
        .says("running\tdraining\tTarget.DeregistrationInProgress")
        .says("running\tunused\tTarget.InvalidState")
        .says("running\tunregistered\t-");
}

#[test]
fn what_all_layers_pass_on_is_found_at_the_bottom() {
    let (lab, program) = lab();
    for host in ["va-web01", "va-web02", "va-web03", "va-web04", "va-web05", "va-web06"] {
        lab.fault(host, &["web-down"]);
    }
    aws(&lab, &["distribution", "bare"]);
    let sick =
        ["1", "2", "3", "4", "5", "6"].map(|n| format!(r#""va-web0{n}":["unhealthy","Target.FailedHealthChecks"]"#));
    aws(&lab, &["set", "health", &format!("{{{}}}", sick.join(","))]);
    trace(&program)
        .exits(1)
        .says("captured cache = Error from cloudfront")
        .says("503 Service Temporarily Unavailable")
        .says("running\tunhealthy\tTarget.FailedHealthChecks")
        .says("failed: balancer@va-admin01, cloudfront@va-admin01, distribution@va-admin01, site@va-admin01, targets@va-admin01, webs@")
        .says("cloudflare    ✓ ok");

    // all webservers answer, and none is at fault
    for host in ["va-web01", "va-web02", "va-web03", "va-web04", "va-web05", "va-web06"] {
        lab.fault(host, &["well"]);
        lab.fault(host, &["sick"]);
    }
    trace(&program).exits(1).says("cluster 1 writer unreachable").says("a backend that they share");
}

fn purge(program: &Program, paths: &str) -> Ran {
    program.run(["run", "purge-cache", paths, "--yes"])
}

#[test]
fn caches_are_purged_the_inner_one_first_and_the_token_is_nowhere() {
    let (lab, program) = lab();
    aws(&lab, &["set", "invalidation", "2"]);
    edge(&lab, &["set", "purge", "1"]);
    purge(&program, "/img/logo.png /stc/a.css?v=2").exits(0).is_silent_about(TOKEN);
    let judged = program.events_named("check-judged");
    assert_eq!(judged[0]["at"]["step"], "cloudfront");
    assert!(judged[0]["polls"].as_u64().unwrap() >= 2, "it was InProgress at first: {judged:?}");
    assert_eq!(program.started(), ["cloudfront@va-admin01", "cloudflare@va-admin01", "cloudflare@va-admin01"]);
    assert_eq!(aws(&lab, &["get", "invalidations"]), "1");
    let site = lab.address("va-admin01").replace(".21", ".42");
    assert_eq!(edge(&lab, &["purged"]), format!(r#"["http://{site}/img/logo.png", "http://{site}/stc/a.css?v=2"]"#));
    assert!(!program.journal().contains(TOKEN));

    // moto's own word for the end is in capitals
    aws(&lab, &["set", "invalidation", "0"]);
    purge(&program, "/again").exits(0);
}

#[test]
fn what_may_not_or_cannot_be_purged_is_refused_before_anything_is() {
    let (lab, program) = lab();
    purge(&program, "/*").exits(3).says("path \"/*\"").says("Wildcards are not taken");
    purge(&program, "/a\",\"/b").exits(3).says("plain paths");
    let many: Vec<String> = (1..=31).map(|n| format!("/f{n}")).collect();
    purge(&program, &many.join(" ")).exits(3).says("30 at most");
    edge(&lab, &["set", "token", "expired"]);
    purge(&program, "/a").exits(3).says("The token is wrong, has run out or was withdrawn");
    edge(&lab, &["set", "token", "active"]);
    let stranger = Program::on(&lab)
        .with_service(&lab, "aws")
        .with_service(&lab, "edge")
        .env("CLOUDFLARE_API_TOKEN", "made-up-token");
    purge(&stranger, "/a").exits(3).says("HTTP 401").is_silent_about("made-up-token");
    assert_eq!((aws(&lab, &["get", "invalidations"]), edge(&lab, &["purged"])), ("0".to_owned(), "[]".to_owned()));

    // refused with status 200, in the middle: it is told, and a person has it done again without another invalidation
    edge(&lab, &["set", "quiet", "true"]);
    let mut terminal = Terminal::start(&program, &["run", "purge-cache", "/a", "--yes"]);
    terminal.answer("rate limit reached", "");
    edge(&lab, &["set", "quiet", "false"]);
    terminal.answer("cloudflare@va-admin01 failed", "retry\r");
    terminal.answer("Why?", "\r");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert_eq!(aws(&lab, &["get", "invalidations"]), "1");
    assert!(edge(&lab, &["purged"]).ends_with("/a\"]"));
}

fn block(program: &Program, address: &str) -> Ran {
    program.run(["run", "block-address", address, "--yes", "--ack", &format!("shut-out={address}")])
}

fn blocked(lab: &Lab) -> String {
    aws(lab, &["get", "ip_set"])
}

const FIRST: &str = r#"["198.51.100.7/32"]"#;

#[test]
fn an_address_is_blocked_with_a_fresh_token_and_nobodys_change_is_lost() {
    let (lab, program) = lab();
    program.run(["run", "block-address", "203.0.113.9", "--yes"]).exits(4).says("the WAF sees Cloudflare there");
    assert_eq!(blocked(&lab), FIRST);
    // someone else is faster: the token is stale
    aws(&lab, &["set", "meddle", "1"]);
    block(&program, "203.0.113.9").exits(0).says("someone else changed the set meanwhile").says("done at attempt 2");
    let all = r#"["198.51.100.7/32", "192.0.2.101/32", "203.0.113.9/32"]"#;
    assert_eq!(blocked(&lab), all);
    block(&program, "203.0.113.9/32").exits(0).says("already so: It is there already");
    program.run(["run", "unblock-address", "203.0.113.9", "--yes"]).exits(0);
    assert_eq!(blocked(&lab), all.replace(r#", "203.0.113.9/32""#, ""));
    program.run(["run", "unblock-address", "203.0.113.9", "--yes"]).exits(0).says("203.0.113.9/32 is not there");

    // what a network holds stays blocked, and the network is named
    block(&program, "203.0.113.0/24").exits(0);
    let ran = program.run(["run", "unblock-address", "203.0.113.5", "--yes"]);
    ran.exits(1).says("203.0.113.5/32 is not there").says("network \"203.0.113.0/24\"").says("unblock-address NETWORK");
    program.run(["run", "unblock-address", "203.0.113.O", "--yes"]).exits(3).says("nobody was unblocked");
    assert!(blocked(&lab).contains("203.0.113.0/24"), "{}", blocked(&lab));
    program.run(["run", "unblock-address", "203.0.113.0/24", "--yes"]).exits(0);
    assert_eq!(blocked(&lab), all.replace(r#", "203.0.113.9/32""#, ""));
}

#[test]
fn what_would_shut_out_too_many_is_refused() {
    let (lab, program) = lab();
    for address in
        ["0.0.0.0/0", "203.0.0.0/15", "256.1.1.1", "203.0.113", "2001:db8::1", "1.2.3.4; reboot", "203.0.113.9/"]
    {
        block(&program, address).exits(3).says("It is an IPv4 address, or a network no wider than /16");
    }
    block(&program, "203.0.113.77/24").exits(3).says("first \"203.0.113.0\"").says("written with its first address");
    let ran = program.run(["run", "block-address", "203.0.113.0/24", "--yes"]);
    ran.exits(4).says("203.0.113.0  203.0.113.255        256");
    for (address, network) in [
        ("10.1.2.3", "10.0.0.0/8"),
        ("104.16.5.5", "104.16.0.0/13"),
        ("172.64.0.0/16", "172.64.0.0/13"),
        // wider than what it holds
        ("131.0.0.0/16", "131.0.72.0/22"),
    ] {
        block(&program, address).exits(3).says(&format!("network \"{network}\"")).says("find the visitor's own");
    }
    assert_eq!((blocked(&lab), program.started()), (FIRST.to_owned(), Vec::new()));
    // one beside them is nobody's. A CLI that is at home elsewhere finds the set all the same: CloudFront's are in us-east-1
    let mut program = program;
    let elsewhere = std::fs::read_to_string(lab.dir().join("aws.yaml")).unwrap().replace("us-east-1", "eu-west-1");
    program.lay("elsewhere.yaml", &elsewhere);
    program.run(["run", "block-address", "104.15.255.0/24", "--dry-run"]).exits(0).says("add 104.15.255.0/24");
}

#[test]
fn a_set_that_is_never_ours_is_left_alone_and_a_half_done_change_is_undone_by_choice() {
    let (lab, program) = lab();
    aws(&lab, &["set", "meddle", "3"]);
    block(&program, "203.0.113.9").exits(1).says("nothing was changed");
    assert!(!blocked(&lab).contains("203.0.113.9"), "{}", blocked(&lab));

    // done, and answered with an error
    aws(&lab, &["set", "lost", "1"]);
    let mut terminal =
        Terminal::start(&program, &["run", "block-address", "203.0.113.9", "--yes", "--ack", "shut-out=203.0.113.9"]);
    terminal.answer("block@va-admin01 failed", "undo\r");
    terminal.answer("Why?", "the wrong one\r");
    terminal.answer("block@va-admin01 failed", "stop\r");
    let (code, screen) = terminal.end();
    assert_eq!(code, 1, "{screen}");
    assert!(!blocked(&lab).contains("203.0.113.9"), "{}", blocked(&lab));
    assert!(blocked(&lab).contains("198.51.100.7"), "{}", blocked(&lab));
}
