//! `web-status`: what each webserver says, and whose fault it is.

use crate::support::{Lab, Program};

const WEBS: [&str; 6] = ["va-web01", "va-web02", "va-web03", "va-web04", "va-web05", "va-web06"];

#[test]
fn a_sick_webserver_is_told_from_a_sick_backend_and_none_is_touched() {
    let lab = Lab::acquire();
    let program = Program::on(&lab);
    let status = || program.run(["run", "web-status"]);
    let shared = "✗ does not hold: Not all that answer say `status=fail`";
    status().exits(0).says("va-web06\tokay:").is_silent_about(shared);

    // the HTTP status is 200 all the same
    lab.fault("va-web03", &["sick"]);
    status()
        .exits(1)
        .says("failed: health@va-web03")
        .says("HTTP 200, `status=fail")
        .says("va-web03\t  cluster 1 writer unreachable")
        .is_silent_about(shared);

    // all that answer: the one that does not is no proof against it
    for host in WEBS {
        lab.fault(host, &["sick"]);
    }
    lab.fault("va-web06", &["web-down"]);
    status()
        .exits(1)
        .says("va-web{01..05}")
        .says("connection refused")
        .says(shared)
        .says("do not restart the webservers");

    // two are down and the others well: no backend is blamed
    for host in &WEBS[..5] {
        lab.fault(host, &["well"]);
    }
    lab.fault("va-web05", &["web-down"]);
    status().exits(1).says("failed: health@va-web05, health@va-web06").is_silent_about(shared);
    assert_eq!(WEBS.map(|host| lab.web_restarts(host)), [0; 6]);
}
