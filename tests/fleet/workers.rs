//! The workers: what they are doing, whether all are there, and replacing them without cutting an import.

use crate::support::{Lab, Program, Ran};

const IMPORTERS: [&str; 3] = ["dfw-jobs01", "dfw-jobs02", "dfw-mail01"];

fn status(program: &Program) -> Ran {
    program.run(["run", "importer-status"])
}

/// The project's book, with less patience for workers that do not come.
fn impatient(lab: &Lab) -> Program {
    Program::on(lab).with_changes(&[("importer-status.yaml", "within: 30s", "within: 1s")])
}

#[test]
fn every_title_of_an_importer_is_understood() {
    let lab = Lab::acquire();
    lab.service("mariadb", &["up"]);
    let program = Program::on(&lab);
    let titles = [
        "verify: u(42)",
        "bio: u(42)",
        "tags: u(42)",
        "friends: u(42)",
        "friendgroups: u(42)",
        "userpics: u(42)",
        "entries: u(42)",
        "entries: u(42) post-prune",
        "entries: u(42) syncitems - 12 left",
        "entries: u(42) getevents - lastsync 2021-01-01 00:00:00",
        "entries: u(42) getevents - 2021-01-01 to 2021-02-01",
        "comments: u(42)",
        "comments: u(42) meta-fetch from id 7",
        "comments: u(42) body-fetch from id 7",
        "comments: u(42) posting 12 comments",
        "comments: u(42) posting 3/12 comments [4]",
    ];
    for five in titles.chunks(5) {
        let places = ["dfw-jobs01", "dfw-jobs01", "dfw-jobs02", "dfw-jobs02", "dfw-mail01"];
        for (host, title) in places.iter().zip(five) {
            lab.fault(host, &["busy", title]);
        }
        let ran = status(&program);
        ran.exits(0);
        for (host, title) in places.iter().zip(five) {
            let (state, rest) = title.split_once(": u(42)").unwrap();
            let progress = if rest.is_empty() { "-" } else { rest.trim_start() };
            let row = format!("\t{state}\tu\t{progress}\t");
            assert!(ran.stdout.lines().any(|line| line.starts_with(host) && line.contains(&row)), "{title}:\n{ran:?}");
        }
        IMPORTERS.iter().for_each(|host| lab.fault(host, &["bored"]));
    }
    // one that nobody has heard of is not taken for anything
    lab.fault("dfw-jobs02", &["busy", "out to lunch"]);
    status(&program).exits(1).says("a line does not parse").says("out to lunch");
}

#[test]
fn a_narrow_terminal_and_the_dead_change_nothing() {
    let lab = Lab::acquire();
    let program = Program::on(&lab);
    lab.service("mariadb", &["up"]);
    lab.sh("dfw-jobs01", "echo export COLUMNS=40 > /root/.bashrc");
    lab.fault("dfw-jobs01", &["busy", "entries: exampleuser(42) getevents - 2021-01-01 to 2021-02-01"]);
    let cut = lab.sh("dfw-jobs01", ". /root/.bashrc; ps ax -o pid=,stat=,args= | cat");
    assert!(!cut.contains("2021-02-01"), "ps would cut the title there:\n{cut}");
    // one that nobody has buried: ps shows its name cut to 15 letters
    let dead = "perl -e '$p = fork; if (!$p) { open F, q(>), q(/proc/self/comm); print F q(content-) . q(importer); close F; exit } \
                sleep 60' > /dev/null 2>&1 &";
    lab.sh("dfw-jobs02", dead);
    program.wait_until("a dead importer", || lab.sh("dfw-jobs02", "ps ax -o args=").contains("[content-importe]"));

    let ran = status(&program);
    ran.exits(0).says("exampleuser\tgetevents - 2021-01-01 to 2021-02-01");
    let importers = |host: &str| {
        let mine = |line: &&str| line.starts_with(host) && (line.contains("\tbored\t") || line.contains("\tentries\t"));
        ran.stdout.lines().filter(mine).count()
    };
    assert_eq!(IMPORTERS.map(importers), [2, 2, 1]);
}

#[test]
fn workers_are_held_against_workers_conf() {
    let lab = Lab::acquire();
    lab.service("mariadb", &["up"]);
    let program = impatient(&lab);
    // an importer of entries ends after each import: the manager starts the next within its pass
    lab.sh("dfw-jobs02", "pkill -TERM -o -f '^content-importer'");
    // importers of all kinds show the same title; a job may be named by its path; a host's 0 overrides nothing
    let conf = "all:\n  bin/worker/send-email: 2\ndfw-mail01:\n  content-importer-verify: 1\n  send-email: 0\n";
    lab.sh("dfw-mail01", &format!("printf '{conf}' > /dreamwidth/etc/workers.conf"));
    let patient = Program::on(&lab);
    status(&patient)
        .exits(0)
        .says("dfw-mail01\tcontent-importer\t1\t1")
        .says("dfw-mail01\tsend-email\t2\t2")
        .says("dfw-jobs02\tcontent-importer\t2\t2");

    // a worker that stays away, as synsuck did after a failover: its manager died, and nothing else shows it
    lab.sh("dfw-jobs01", "kill -9 $(cat /dreamwidth/var/worker-manager.pid); pkill -TERM -f /worker/synsuck");
    let ran = status(&program);
    ran.exits(1).says("dfw-jobs01\tsynsuck\t1\t0").says(r#"job "synsuck", configured 1, running 0"#);
    // the other steps are shown all the same
    ran.says("claims  ");
}

#[test]
fn claims_are_told_after_a_restart_and_a_missing_database_fails_no_restart() {
    let lab = Lab::acquire();
    lab.service("mariadb", &["up"]);
    let program = Program::on(&lab);
    let claim = "INSERT INTO job (jobid, funcid, uniqkey, insert_time, run_after, grabbed_until) VALUES \
                 (500, 1, 'lj_entries-42', 0, 0, UNIX_TIMESTAMP() + 43190), (501, 1, NULL, 0, 0, UNIX_TIMESTAMP() + 3590), \
                 (502, 1, 'a\\tb\\nc', 0, 0, UNIX_TIMESTAMP() + 7190), (503, 20, 'userpics-44', 0, 0, UNIX_TIMESTAMP() + 7190)";
    lab.service("mariadb", &["sql", claim]);
    let pictures = "INSERT INTO funcmap VALUES (20, 'DW::Worker::ContentImporter::UserPictures')";
    lab.service("mariadb", &["sql", pictures]);
    let ran = program.run(["run", "restart-jobs", "--yes"]);
    ran.exits(0).says("500  Entries       lj_entries-42  as the titles say").says("501  Entries       -  ");
    // a key that no line holds is no reason to leave its claim out; whose importer shows no title is not called dead
    ran.says(r"502  Entries       a\tb\nc").says("503  UserPictures  userpics-44    cannot be told");
    assert!(!program.journal().contains("lab-dw-secret"));

    lab.service("mariadb", &["stop"]);
    // in the way of a restart it is not, but a status that does not know is not well
    status(&program).exits(1).says("failed: claims@dfw-admin01").says("Can't connect to server");
    let ran = program.run(["run", "restart-jobs", "--yes", "--limit", "dfw-jobs02"]);
    ran.exits(0).says("Can't connect to server");
    assert_eq!(lab.manager_restarts("dfw-jobs02"), 2);
}

/// Process number and title of what a host's worker-manager has started.
fn managed(lab: &Lab, host: &str) -> Vec<(String, String)> {
    let text =
        lab.sh(host, "ps -ww -o pid=,stat=,args= --ppid $(cat /dreamwidth/var/worker-manager.pid) | awk '$2 !~ /Z/'");
    let words = |line: &str| {
        let mut words = line.split_whitespace();
        let pid = words.next().unwrap().to_owned();
        (pid, words.skip(1).collect::<Vec<_>>().join(" "))
    };
    text.lines().map(words).collect()
}

#[test]
fn a_drain_replaces_every_worker_and_cuts_no_import() {
    let lab = Lab::acquire();
    let program = Program::on(&lab);
    lab.fault("dfw-jobs02", &["busy", "entries: exampleuser(42) post-prune"]);
    let hosts = ["dfw-jobs01", "dfw-jobs02"];
    let manager = |host: &&str| lab.sh(host, "cat /dreamwidth/var/worker-manager.pid");
    let (before, managers) = (hosts.map(|host| managed(&lab, host)), hosts.each_ref().map(manager));
    let mail = managed(&lab, "dfw-mail01");

    let ran = program.run(["run", "drain-jobs", "--yes"]);
    ran.exits(0)
        .says("from the source, not from the notes")
        .says("content-importer [entries: exampleuser(42) post-prune]");
    let busy = |worker: &&(String, String)| worker.1.contains("exampleuser");
    let after = hosts.map(|host| managed(&lab, host));
    for (old, new) in before.iter().zip(&after) {
        assert_eq!(old.len(), new.len());
        let stayed: Vec<_> = new.iter().filter(|worker| old.iter().any(|before| before.0 == worker.0)).collect();
        assert_eq!(stayed, old.iter().filter(busy).collect::<Vec<_>>(), "only the import goes on");
    }
    assert_eq!(after[1].iter().filter(busy).count(), 1);
    assert_eq!(hosts.each_ref().map(manager), managers, "the managers were left alone");
    assert_eq!(managed(&lab, "dfw-mail01"), mail, "the mail host is none of the jobs hosts");
    assert!(!lab.sh("dfw-jobs02", "cat /var/log/dw-workers.log").contains("signal"), "nobody was killed");

    // once the import is over its worker ends by itself
    let importer = after[1].iter().find(busy).unwrap().0.clone();
    lab.fault("dfw-jobs02", &["bored"]);
    let told = format!("stop content-importer {importer} exit 0");
    program.wait_until("its end", || lab.sh("dfw-jobs02", "cat /var/log/dw-workers.log").contains(&told));
}

#[test]
fn without_a_manager_nothing_is_drained() {
    let lab = Lab::acquire();
    let program = Program::on(&lab);
    let child = program.start(["run", "drain-jobs", "3s", "--yes"]);
    program.wait_for_journal("pause-started");
    // dies, and leaves its workers
    lab.sh("dfw-jobs02", "kill -9 $(cat /dreamwidth/var/worker-manager.pid)");
    let ran = Ran::of(child.wait_with_output().unwrap());
    ran.exits(1).says("managed no longer holds").says("untouched: dfw-jobs02");
    assert_eq!(program.started(), ["drain@dfw-jobs01"]);
    let left = lab.sh("dfw-jobs02", r"ps axww -o args= | grep -c '[/]worker/\|[c]ontent-importer \['");
    assert_eq!(left.trim(), "6", "they live on: nobody would start them again");
    program.run(["run", "drain-jobs", "--yes"]).exits(3).says("Nobody would start again what ends.");
}
