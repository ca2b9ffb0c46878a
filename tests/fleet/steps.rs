//! Every kind of step does on the host what the runbook says, and later steps see what it left.

use crate::support::{Lab, Program, Ran, deed, deeds, signal};

const HOSTS: [&str; 2] = ["dfw-jobs01", "dfw-jobs02"];

fn steps(lab: &Lab, steps: &str) -> Program {
    Program::on(lab).with_book(&[("act.yaml", &format!("title: Act\nhosts: jobs\nsteps:\n{steps}"))])
}

#[test]
fn conditions_leave_out_what_they_say_and_the_journal_says_why() {
    let lab = Lab::acquire();
    lab.sh("dfw-jobs01", "touch /root/already");
    let text = format!(
        "  - id: never\n    if: host.name == \"nobody\"\n    run: {}\n  - id: unless\n    skip_if: {{ run: ls /root, expect: '\"already\" in stdout', says: It is there. }}\n    run: {}\n",
        deed("never"),
        deed("unless")
    );
    let program = steps(&lab, &text);
    program.run(["run", "act", "--yes"]).exits(0).says("already so: It is there.");
    assert_eq!(deeds(&lab, "dfw-jobs01"), [""; 0]);
    assert_eq!(deeds(&lab, "dfw-jobs02"), ["unless"]);
    let skipped: Vec<_> = program
        .events_named("step-ended")
        .into_iter()
        .filter(|event| event["outcome"]["skipped"].is_object())
        .collect();
    assert_eq!(skipped.len(), 3, "{skipped:?}");
}

#[test]
fn a_step_with_once_runs_once_here() {
    let lab = Lab::acquire();
    let program = steps(
        &lab,
        "  - id: act\n    once: true\n    run: echo once >> \"$MARK\"\n    env: { MARK: \"${{ params.mark }}\" }\n",
    );
    let book = std::fs::read_to_string(program.book().join("act.yaml")).unwrap();
    std::fs::write(program.book().join("act.yaml"), format!("params: {{ mark: {{}} }}\n{book}")).unwrap();
    let mark = program.dir().join("mark");
    program.run(["run", "act", "--yes", &format!("mark={}", mark.display())]).exits(0);
    assert_eq!(program.started(), ["act@here"]);
    assert_eq!(std::fs::read_to_string(mark).unwrap(), "once\n");
}

#[test]
fn an_included_runbook_keeps_its_hosts_and_its_preconditions_hold_back_all_of_it() {
    let lab = Lab::acquire();
    let inner = "title: Inner\nhosts: dfw-mail01\nparams: { word: {} }\npreconditions:\n  - id: quiet\n    says: The mail host is quiet.\n    run: ls /root\n    hosts: dfw-mail01\n    expect: not (\"loud\" in stdout)\nsteps:\n  - id: act\n    run: echo ${{ params.word }} >> /root/deeds\n".to_string();
    let inner = inner
        .replace("    run: ls /root\n    hosts: dfw-mail01\n", "    probe: { run: ls /root, hosts: dfw-mail01 }\n");
    let outer = format!(
        "title: Outer\nhosts: jobs\nsteps:\n  - id: before\n    run: {}\n  - id: mail\n    runbook: {{ name: inner, with: {{ word: \"it's\" }} }}\n",
        deed("before")
    );
    let program = Program::on(&lab).with_book(&[("inner.yaml", &inner), ("outer.yaml", &outer)]);
    lab.sh("dfw-mail01", "touch /root/loud");
    program.run(["run", "outer", "--yes"]).exits(3).says("The mail host is quiet.").says("mail/quiet");
    assert_eq!(program.started(), [""; 0], "the outer steps neither");
    lab.sh("dfw-mail01", "rm /root/loud");
    program.run(["run", "outer", "--yes"]).exits(0);
    assert_eq!(program.started(), ["before@dfw-jobs01", "before@dfw-jobs02", "mail/act@dfw-mail01"]);
    assert_eq!(deeds(&lab, "dfw-mail01"), ["it's"], "quoted by the engine");
}

#[test]
fn a_capture_is_there_for_later_steps_also_after_a_resume() {
    let lab = Lab::acquire();
    let text = "  - id: ask\n    run: echo \"of $(hostname)\"\n    capture: { word: stdout | trim }\n    rollout: { pause: 1s }\n  - id: tell\n    run: echo ${{ steps.ask.captured.word }} and ${{ steps.ask.on['dfw-jobs01'].captured.word }} >> /root/deeds\n";
    let program = steps(&lab, text);
    let child = program.start(["run", "act", "--yes"]);
    program.wait_for_journal("pause-started");
    signal(&child, "INT");
    Ran::of(child.wait_with_output().unwrap()).exits(130);
    program.run(["resume", "--yes"]).exits(0);
    assert_eq!(deeds(&lab, "dfw-jobs01"), ["of dfw-jobs01 and of dfw-jobs01"]);
    assert_eq!(deeds(&lab, "dfw-jobs02"), ["of dfw-jobs02 and of dfw-jobs01"]);
    assert_eq!(program.events_named("captured").len(), 2, "captured once on each host");
}

#[test]
fn a_check_may_compare_with_what_was_before_the_step() {
    let lab = Lab::acquire();
    let check = "    checks:\n      - says: There is one more.\n        run: wc -l < /root/deeds\n        expect: stdout | int == before.stdout | int + 1\n";
    let program = steps(&lab, &format!("  - id: act\n    run: {}\n{check}", deed("act")));
    for host in HOSTS {
        lab.sh(host, "printf 'a\\nb\\n' > /root/deeds");
    }
    program.run(["run", "act", "--yes"]).exits(0);
    let program = steps(&lab, &format!("  - id: act\n    run: 'true'\n{check}"));
    program.run(["run", "act", "--yes"]).exits(1).says("There is one more");
}

#[test]
fn copy_puts_the_file_there_whole_with_its_mode() {
    let lab = Lab::acquire();
    let program = steps(&lab, "  - id: act\n    copy: { src: files/config, dest: /etc/lab.conf, mode: '0640' }\n");
    let content = b"a line\n'quoted' $HOME\n\x00\xff\n".to_vec();
    std::fs::create_dir_all(program.book().join("files")).unwrap();
    std::fs::write(program.book().join("files/config"), &content).unwrap();
    program.run(["run", "act", "--yes"]).exits(0);
    for host in HOSTS {
        assert_eq!(lab.try_sh(host, "cat /etc/lab.conf").stdout, content, "{host}");
        assert_eq!(lab.sh(host, "stat -c %a:%U /etc/lab.conf").trim(), "640:root");
        assert_eq!(lab.sh(host, "ls /etc | grep lab.conf").trim(), "lab.conf", "no half file is left");
    }
}

#[test]
fn a_script_runs_with_its_own_interpreter_and_arguments() {
    let lab = Lab::acquire();
    let program = steps(
        &lab,
        "  - id: act\n    script: { file: bin/tell.pl, args: [\"it's\", \"${{ host.name }}\"] }\n    env: { GREETING: hello }\n",
    );
    std::fs::create_dir_all(program.book().join("bin")).unwrap();
    std::fs::write(
        program.book().join("bin/tell.pl"),
        "#!/usr/bin/perl\nopen my $f, '>>', '/root/deeds'; print $f join('|', $ENV{GREETING}, @ARGV), \"\\n\";\n",
    )
    .unwrap();
    program.run(["run", "act", "--yes"]).exits(0);
    for host in HOSTS {
        assert_eq!(deeds(&lab, host), [format!("hello|it's|{host}")]);
    }
}

#[test]
fn an_http_action_is_well_by_its_status() {
    let lab = Lab::acquire();
    let request = |path: &str, more: &str| {
        format!(
            "title: Act\nhosts: va-web01\nsteps:\n  - id: act\n    http: {{ url: \"http://${{{{ host.address }}}}{path}\", method: GET{more} }}\n"
        )
    };
    let books = [
        ("well.yaml", request("/admin/healthy", "")),
        ("bad.yaml", request("/nowhere", "")),
        ("expected.yaml", request("/nowhere", ", status: [404]")),
    ];
    let books: Vec<(&str, &str)> = books.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let program = Program::on(&lab).with_book(&books);
    program.run(["run", "well", "--yes"]).exits(0);
    program.run(["run", "bad", "--yes"]).exits(1).says("HTTP 404");
    program.run(["run", "expected", "--yes"]).exits(0);
}

/// A failed check of an action whose end was well repeats no action.
#[test]
fn an_http_action_with_a_status_of_its_own_is_not_sent_again_by_a_resume() {
    let lab = Lab::acquire();
    let text = "title: Act\nhosts: va-web01\nsteps:\n  - id: act\n    http: { url: \"http://${{ host.address }}/nowhere\", method: GET, status: [404] }\n    checks:\n      - { says: It is mended., run: ls /root, expect: '\"mended\" in stdout' }\n";
    let program = Program::on(&lab).with_book(&[("act.yaml", text)]);
    program.run(["run", "act", "--yes"]).exits(1).says("It is mended");
    lab.sh("va-web01", "touch /root/mended");
    program.run(["resume", "--yes"]).exits(0);
    assert_eq!(program.started(), ["act@va-web01"]);
}

/// The lab's hosts, reached as another user.
fn as_user(lab: &Lab, user: &str, book: &str) -> Program {
    let settings = format!("hosts:\n  dfw-jobs[01:02]: {{ user: {user}, sudo: true }}\n");
    let mut program = Program::on(lab).with_book(&[("act.yaml", book)]);
    program.lay("user.yaml", &settings);
    program
}

const WHO: &str = "title: Act\nhosts: jobs\nsteps:\n  - id: act\n    run: id -un > /root/deeds\n";

#[test]
fn an_ordinary_account_acts_through_sudo() {
    let lab = Lab::acquire();
    let program = as_user(&lab, "ops", WHO);
    program.run(["run", "act", "--yes"]).exits(0);
    for host in HOSTS {
        assert_eq!(deeds(&lab, host), ["root"]);
    }
    assert!(lab.sh("dfw-jobs01", "cat /var/log/auth.log").contains("for ops"), "the login was of ops");
}

#[test]
fn an_account_that_may_not_sudo_is_told_so_and_nothing_is_done() {
    let lab = Lab::acquire();
    let program = as_user(&lab, "nosudo", WHO);
    program.run(["run", "act", "--yes"]).exits(1).says("sudo").says("dfw-jobs01");
    for host in HOSTS {
        assert_eq!(deeds(&lab, host), [""; 0]);
    }
    assert!(!program.journal().contains("in-doubt"), "it is known not to have run");
}

#[test]
fn a_manual_step_needs_a_person_and_a_resume_asks_again() {
    let lab = Lab::acquire();
    let program = steps(
        &lab,
        &format!("  - id: look\n    manual: Look at the dashboard.\n  - id: act\n    run: {}\n", deed("act")),
    );
    program.run(["run", "act", "--yes"]).exits(4).says("look@here needs a person").says("resume");
    assert_eq!(deeds(&lab, "dfw-jobs01"), [""; 0]);
    program.run(["resume", "--yes"]).exits(4).says("look@here needs a person");
    assert_eq!(deeds(&lab, "dfw-jobs01"), [""; 0]);
}

#[test]
fn a_wait_is_waited_once() {
    let lab = Lab::acquire();
    let program = steps(&lab, &format!("  - id: rest\n    wait: 200ms\n  - id: act\n    run: {}\n", deed("act")));
    program.run(["run", "act", "--yes"]).exits(0);
    assert_eq!(program.started(), ["rest@here", "act@dfw-jobs01", "act@dfw-jobs02"]);
}
