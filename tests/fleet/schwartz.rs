//! TheSchwartz's tables, on a real MariaDB: what waits, what is claimed, and giving back what a killed worker left.

use crate::support::{Lab, Program, Ran};

/// A lab with the site's database in its first state.
fn lab() -> (Lab, Program) {
    let lab = Lab::acquire();
    lab.service("mariadb", &["up"]);
    let program = Program::on(&lab);
    (lab, program)
}

fn sql(lab: &Lab, text: &str) -> String {
    lab.service("mariadb", &["sql", text]).trim().to_owned()
}

/// Ready jobs of a class, by its number.
fn wait(lab: &Lab, class: u32, count: u32) {
    sql(
        lab,
        &format!(
            "INSERT INTO job (funcid, insert_time, run_after, grabbed_until) \
             SELECT {class}, UNIX_TIMESTAMP() - 90, UNIX_TIMESTAMP() - 90, 0 FROM seq_1_to_{count}"
        ),
    );
}

/// A claimed job of class 1, the importer of entries: it runs for twelve hours.
fn claim(lab: &Lab, job: u32, key: &str) {
    sql(
        lab,
        &format!(
            "INSERT INTO job (jobid, funcid, uniqkey, insert_time, run_after, grabbed_until) VALUES \
             ({job}, 1, '{key}', UNIX_TIMESTAMP() - 90, UNIX_TIMESTAMP() - 90, UNIX_TIMESTAMP() + 43190)"
        ),
    );
}

/// Whether a job is claimed, as a worker would see it.
fn claimed(lab: &Lab, job: u32) -> bool {
    sql(lab, &format!("SELECT grabbed_until > UNIX_TIMESTAMP() FROM job WHERE jobid = {job}")) == "1"
}

fn status(program: &Program) -> Ran {
    program.run(["run", "schwartz-status"])
}

fn release(program: &Program, userid: &str) -> Ran {
    program.run(["run", "schwartz-release-import", userid, "--yes", "--ack", "not-in-the-notes"])
}

#[test]
fn waiting_jobs_are_counted_as_the_monitoring_does() {
    let (lab, program) = lab();
    // held back for an hour, never grabbed: run_after lies ahead, which unsigned numbers would choke on
    status(&program).exits(0).says("LJ::Worker::IncomingEmail\t0\t0\t1\t0\t0").says("SendEmail\t2\t0\t0");

    claim(&lab, 500, "lj_entries-42");
    sql(&lab, r"INSERT INTO error VALUES (UNIX_TIMESTAMP(), 101, 'Temporary failure\tconnecting\nto it', 5)");
    // the two classes that are left out, and enough others for exactly 150 with the two that were there
    wait(&lab, 10, 400);
    wait(&lab, 11, 400);
    wait(&lab, 5, 148);
    let ran = status(&program);
    // a tab or a line's end in a message stays in its column
    ran.exits(0).says("\t150\t").says(r"101	Temporary failure\tconnecting\nto it").says("500\tDW::Worker");
    ran.says("lj_entries-42\t12");
    ran.says("ContentImporter::LiveJournal::Entries\t0\t1\t0\t0\t431");

    wait(&lab, 5, 1);
    let ran = status(&program);
    ran.exits(1).says("does not hold: No more jobs wait than are a warning there (150).").says("waiting 151");
    ran.is_silent_about("does not hold: No more jobs wait than are critical");
    wait(&lab, 5, 149);
    status(&program).exits(1).is_silent_about("does not hold: No more jobs wait than are critical");
    wait(&lab, 5, 1);
    status(&program).exits(1).says("does not hold: No more jobs wait than are critical in the monitoring (300).");
}

#[test]
fn a_database_that_does_not_answer_is_no_empty_queue() {
    let (lab, program) = lab();
    lab.service("mariadb", &["stop"]);
    let ran = status(&program);
    ran.exits(1).says("Can't connect to server");
    assert!(!ran.stdout.contains("no rows"), "{}", ran.stdout);
    // each step tells for itself: none is left out for the one before it
    status(&program).says("claims@dfw-admin01, depth@dfw-admin01, errors@dfw-admin01, waiting@dfw-admin01");
    release(&program, "42")
        .exits(1)
        .says("before failed on dfw-admin01")
        .says("unknown: exit status 1: ERROR 2002")
        .says("Nothing was changed.");

    lab.service("mariadb", &["start"]);
    sql(&lab, "DELETE FROM job");
    status(&program).exits(0).says("no rows").says("\t0\t");
    let told = format!("{:?}{}", status(&program), program.journal());
    assert!(!told.contains("lab-dw-secret"));
}

#[test]
fn a_claim_is_released_for_that_user_alone() {
    let (lab, program) = lab();
    claim(&lab, 500, "lj_entries-42");
    claim(&lab, 501, "lj_entries-142");
    claim(&lab, 502, "lj_entries-4");
    // shows no title, so nobody knows whether it is at work
    claim(&lab, 503, "userpics-42");
    sql(&lab, "INSERT INTO funcmap VALUES (20, 'DW::Worker::ContentImporter::UserPictures')");
    sql(&lab, "UPDATE job SET funcid = 20 WHERE jobid = 503");
    // another user's import goes on beside it
    lab.fault("dfw-jobs01", &["busy", "entries: other(142) getevents - 2021-01-01 to 2021-02-01"]);

    program.run(["run", "schwartz-release-import", "42", "--yes"]).exits(4).says("--ack not-in-the-notes");
    assert!(claimed(&lab, 500), "nothing is done unacknowledged");

    let ran = release(&program, "42");
    ran.exits(0).says("released 1");
    ran.says("500  Entries       lj_entries-42  grabbed ").says("500  Entries       lj_entries-42  ready ");
    ran.says("503  UserPictures  userpics-42    cannot be told, left alone");
    assert!(!claimed(&lab, 500));
    assert_eq!(sql(&lab, "SELECT COUNT(*) FROM job WHERE jobid = 500 AND run_after <= UNIX_TIMESTAMP()"), "1");
    for other in [501, 502, 503] {
        assert!(claimed(&lab, other), "{other} is none of this user's that can be judged");
    }
    assert!(!program.journal().contains("lab-dw-secret"));

    release(&program, "42")
        .exits(0)
        .says("there is nothing to release")
        .says("cannot be told, left alone")
        .is_silent_about("not-in-the-notes");
    assert_eq!(program.started(), [""; 0]);
    release(&program, "42 OR 1=1").exits(2);
}

#[test]
fn nothing_is_released_while_the_import_may_be_alive() {
    let (lab, program) = lab();
    claim(&lab, 500, "lj_comments-42");
    let kept = |why: &str| {
        let ran = release(&program, "42");
        ran.exits(3).says("Wait until no importer's title").says("Nothing was changed.");
        assert!(claimed(&lab, 500), "{why}");
        assert_eq!(program.started(), [""; 0], "{why}");
        ran
    };
    // the mail host has an importer too
    lab.fault("dfw-mail01", &["busy", "comments: exampleuser(42) posting 3/40 comments [7]"]);
    kept("an importer names the user").says("dfw-mail01").says("posting 3/40 comments [7]");
    lab.fault("dfw-mail01", &["bored"]);

    lab.fault("dfw-jobs02", &["starting"]);
    kept("an importer has no title yet").says("dfw-jobs02");
    lab.fault("dfw-jobs02", &["bored"]);

    lab.fault("dfw-jobs01", &["kill"]);
    kept("a host does not answer").says("dfw-jobs01").says("unreachable");
}

/// Starts a release on hosts where every command takes its time to begin, and returns when the claim has been seen.
fn seen(lab: &Lab, program: &Program) -> std::process::Child {
    lab.fault("dfw-admin01", &["slow", "0.7"]);
    let child = program.start(["run", "schwartz-release-import", "42", "--yes", "--ack", "not-in-the-notes"]);
    program.wait_for_journal("captured");
    child
}

#[test]
fn a_claim_that_a_worker_renews_meanwhile_is_not_released() {
    let (lab, program) = lab();
    claim(&lab, 500, "lj_entries-42");
    let child = seen(&lab, &program);
    sql(&lab, "UPDATE job SET grabbed_until = grabbed_until - 40000 WHERE jobid = 500");
    Ran::of(child.wait_with_output().unwrap()).exits(0).says("released 0").says("500  Entries  lj_entries-42  grabbed");
    assert!(claimed(&lab, 500));
}

#[test]
fn a_database_that_dies_before_the_release_leaves_the_claim_and_resume_finishes() {
    let (lab, program) = lab();
    claim(&lab, 500, "lj_entries-42");
    let child = seen(&lab, &program);
    lab.service("mariadb", &["stop"]);
    Ran::of(child.wait_with_output().unwrap()).exits(1).says("Can't connect to server").says("resume");
    lab.service("mariadb", &["start"]);
    assert!(claimed(&lab, 500));
    lab.fault("dfw-admin01", &["fast"]);
    program.run(["resume", "--yes"]).exits(0).says("released 1");
    assert!(!claimed(&lab, 500));
}
