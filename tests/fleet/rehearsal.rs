//! A dry run changes nothing: no process, no file, on any host.

use std::collections::BTreeMap;

use crate::support::{Lab, Program, Ran};

const HOSTS: [&str; 11] = [
    "dfw-admin01",
    "dfw-jobs01",
    "dfw-jobs02",
    "dfw-mail01",
    "va-admin01",
    "va-web01",
    "va-web02",
    "va-web03",
    "va-web04",
    "va-web05",
    "va-web06",
];

/// The parameters of runbooks that have no default for them.
const GIVEN: [(&str, &[&str]); 5] = [
    ("block-address", &["203.0.113.7"]),
    ("db-failover", &["dreamwidth"]),
    ("purge-cache", &["/img/logo.png"]),
    ("schwartz-release-import", &["42"]),
    ("unblock-address", &["203.0.113.7"]),
];

/// Everything that a host shows of itself.
fn all(lab: &Lab) -> BTreeMap<&'static str, (Vec<String>, String)> {
    // postfix logs that it was asked how it is
    let counts = |line: &&str| !line.starts_with("/var/log/syslog ");
    let files = |host| match host {
        "dfw-mail01" => lab.files(host).lines().filter(counts).collect::<Vec<_>>().join("\n"),
        _ => lab.files(host),
    };
    HOSTS.into_iter().map(|host| (host, (lab.processes(host), files(host)))).collect()
}

#[track_caller]
fn same(before: &BTreeMap<&str, (Vec<String>, String)>, after: &BTreeMap<&str, (Vec<String>, String)>) {
    for (host, seen) in before {
        assert_eq!(seen.0, after[host].0, "processes of {host}");
        assert_eq!(seen.1, after[host].1, "files of {host}");
    }
}

#[test]
fn a_dry_run_of_every_runbook_of_the_book_changes_nothing() {
    let lab = Lab::acquire();
    // what stands outside the fleet is a stand-in: no look may leave the machine
    lab.service("aws", &["up"]);
    lab.service("edge", &["up"]);
    let program =
        Program::on(&lab).with_service(&lab, "aws").with_service(&lab, "edge").env("CLOUDFLARE_API_TOKEN", "made-up");
    let before = all(&lab);
    let mut names: Vec<String> = std::fs::read_dir(program.book())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter_map(|name| name.strip_suffix(".yaml").map(str::to_owned))
        .filter(|name| name != "book" && name != "inventory")
        .collect();
    names.sort();
    assert!(names.len() >= 3, "{names:?}");
    let start = |name: &String| {
        let given = GIVEN.iter().find(|(known, _)| known == name).map_or(&[][..], |(_, given)| given);
        (name.clone(), program.start([&["run", name, "--dry-run"][..], given].concat()))
    };
    for some in names.chunks(4) {
        for (name, child) in some.iter().map(start).collect::<Vec<_>>() {
            let ran = Ran::of(child.wait_with_output().unwrap());
            // what some of them are about is not there: they are refused, which changes nothing either
            assert!([0, 3].contains(&ran.code), "{name}: {ran:?}");
        }
    }
    same(&before, &all(&lab));
    assert!(!program.state().exists(), "and leaves no run");
}

/// A runbook with every kind of action, each of which would leave a mark.
const EVERY: &str = r#"title: Everything
hosts: jobs
probes:
  files: { run: ls /root }
  site: { http: { url: "http://${{ host.address }}/admin/healthy" } , hosts: webs }
  port: { tcp: { port: 80 }, hosts: webs }
preconditions:
  - { id: up, says: It answers., probe: files, expect: exit == 0, recheck: batch }
warnings:
  - { id: care, says: Take care., type: yes I do }
steps:
  - id: text
    run: touch /root/text
    capture: { name: stdout }
    checks: [{ probe: files, expect: '"text" in stdout' }]
    undo: { run: touch /root/undone }
    on_failure: { collect: [{ run: touch /root/collected }] }
  - id: vector
    run: [touch, /root/vector]
    skip_if: { probe: files, expect: '"no such" in stdout' }
  - id: whole
    command: ${{ host.vars.restart_workers }}
  - id: file
    copy: { src: data, dest: /root/copied }
  - id: program
    script: bin/touch.sh
  - id: request
    hosts: webs
    http: { url: "http://${{ host.address }}/admin/healthy", method: POST }
  - id: person
    manual: Look.
  - id: rest
    wait: 1h
  - id: block
    steps:
      - { id: inner, run: "touch /root/inner ${{ steps.text.captured.name }}" }
      - { id: gate, probe: files, expect: '"inner" in stdout', within: 1h }
  - id: other
    runbook: inner
  - id: once
    once: true
    run: touch ${{ params.mark }}
  - id: look
    probe: site
  - id: ports
    probe: port
checks:
  - { says: It is there., probe: files, expect: '"text" in stdout', within: 1h }
"#;

#[test]
fn a_dry_run_of_every_kind_of_action_changes_nothing_and_shows_each() {
    let lab = Lab::acquire();
    let book = format!("params: {{ mark: {{}} }}\n{EVERY}");
    let program = Program::on(&lab).with_book(&[
        ("every.yaml", &book),
        ("inner.yaml", "title: Inner\nhosts: dfw-mail01\nsteps:\n  - { id: act, run: touch /root/included }\n"),
        ("data", "data"),
        ("bin/touch.sh", "#!/bin/sh\ntouch /root/script\n"),
    ]);
    let mark = program.dir().join("mark");
    let before = all(&lab);
    let ran = program.run(["run", "every", "--dry-run", &format!("mark={}", mark.display())]);
    ran.exits(0);
    same(&before, &all(&lab));
    assert!(!mark.exists(), "nor anything here");
    for shown in [
        "touch /root/text",
        "/root/vector",
        "/root/bin/restart-workers",
        "/root/copied",
        "touch.sh",
        "POST",
        "Look.",
        "1h",
        "touch /root/inner '<steps.text.name>'",
        "touch /root/included",
        "Take care.",
    ] {
        ran.says(shown);
    }
}
