//! `restart-webs`: canary, gate, floor, and going on after a webserver that did not come back.

use crate::support::{Lab, Program};

const WEBS: [&str; 6] = ["va-web01", "va-web02", "va-web03", "va-web04", "va-web05", "va-web06"];

fn restarts(lab: &Lab) -> Vec<usize> {
    WEBS.iter().map(|host| lab.web_restarts(host)).collect()
}

#[test]
fn all_six_are_restarted_once_in_order_the_canary_first() {
    let lab = Lab::acquire();
    let program = Program::on(&lab);
    program.run(["run", "restart-webs", "0", "--yes"]).exits(0);
    assert_eq!(restarts(&lab), [1; 6]);
    assert_eq!(program.started(), WEBS.map(|host| format!("restart@{host}")));
    let batches = program.events_named("batch-started");
    assert_eq!(batches.len(), 6);
    assert_eq!(batches[0]["hosts"], serde_json::json!(["va-web01"]));
    assert_eq!(program.events_named("pause-started").len(), 0, "0 means no pause");
}

#[test]
fn a_webserver_that_stays_sick_stops_the_roll_and_resume_finishes_it() {
    let lab = Lab::acquire();
    let program = Program::on(&lab).with_book(&[("restart-webs.yaml", &quick())]);
    lab.fault("va-web03", &["sick-after-restart"]);
    let ran = program.run(["run", "restart-webs", "0", "--yes"]);
    ran.exits(1).says("untouched: ").says("restart failed on va-web03, and no failure is allowed");
    let stopped = program.events_named("roll-stopped");
    assert_eq!(stopped[0]["untouched"], serde_json::json!(["va-web04", "va-web05", "va-web06"]));
    assert_eq!(restarts(&lab), [1, 1, 1, 0, 0, 0]);
    // the evidence is there: the error log's last line, on the screen and in the journal
    let log = lab.sh("va-web03", "tail -n 1 /var/log/apache2/error.log");
    let last = log.trim();
    assert!(!last.is_empty());
    ran.says(last);
    let collected = program.events_named("collected");
    assert_eq!(collected.len(), 1);
    assert!(collected[0]["output"]["text"].as_str().unwrap().contains(last));

    lab.fault("va-web03", &["well"]);
    program.run(["resume", "--yes"]).exits(0);
    assert_eq!(restarts(&lab), [1; 6], "none was restarted twice");
    assert_eq!(program.started(), WEBS.map(|host| format!("restart@{host}")));
    // the checks of 03 were repeated; those of 01 and 02 were not
    let checked = |host: &str| {
        let of_host = |event: &serde_json::Value| event["at"]["host"] == host;
        program.events_named("check-judged").iter().filter(|event| of_host(event)).count()
    };
    assert_eq!(WEBS.map(checked), [1, 1, 2, 1, 1, 1]);
}

/// The project's runbook, with less patience for what stays sick.
fn quick() -> String {
    let text = std::fs::read_to_string(Program::new().book().join("restart-webs.yaml")).unwrap();
    let changed = text.replace("within: 60s", "within: 1s");
    assert_ne!(changed, text);
    changed
}

#[test]
fn too_few_healthy_webservers_refuse_the_roll_before_any_change() {
    let lab = Lab::acquire();
    let program = Program::on(&lab);
    for host in ["va-web05", "va-web06"] {
        lab.fault(host, &["sick"]);
    }
    program
        .run(["run", "restart-webs", "0", "--yes"])
        .exits(3)
        .says("va-web05")
        .says("va-web06")
        .says("4 are needed")
        .says("Nothing was changed.");
    assert_eq!(restarts(&lab), [0; 6]);
    assert_eq!(program.started(), [""; 0]);
}

#[test]
fn limit_narrows_what_is_acted_on_and_never_what_is_looked_at() {
    let lab = Lab::acquire();
    let program = Program::on(&lab);
    for host in ["va-web05", "va-web06"] {
        lab.fault(host, &["sick"]);
    }
    program.run(["run", "restart-webs", "0", "--yes", "--limit", "va-web01"]).exits(3).says("va-web05");
    assert_eq!(restarts(&lab), [0; 6]);
    for host in ["va-web05", "va-web06"] {
        lab.heal(host);
    }
    program.run(["run", "restart-webs", "0", "--yes", "--limit", "va-web0{2,3}"]).exits(0);
    assert_eq!(restarts(&lab), [0, 1, 1, 0, 0, 0]);
}
