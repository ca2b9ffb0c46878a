//! `ses-status`: the account at SES, its door, and the mail that waits for it in TheSchwartz.

use crate::support::{Lab, Program, Ran};

fn lab() -> (Lab, Program) {
    let lab = Lab::acquire();
    lab.service("aws", &["up"]);
    lab.service("mariadb", &["up"]);
    let program = Program::on(&lab).with_service(&lab, "aws");
    (lab, program)
}

fn set(lab: &Lab, name: &str, value: &str) {
    lab.service("aws", &["set", name, value]);
}

fn status(program: &Program) -> Ran {
    program.run(["run", "ses-status"])
}

#[test]
fn the_account_is_judged_by_what_ses_says_of_it() {
    let (lab, program) = lab();
    status(&program)
        .exits(0)
        .says("true\tHEALTHY\ttrue\t1200\t50000")
        .says("40000\t300\t8\t0")
        .says("dfw-jobs02\t220 email-smtp")
        .says("dfw-admin01\t2\t0\t0");

    // -1 is SES's word for no limit
    set(&lab, "quota", "-1");
    status(&program).exits(0).says("true\tHEALTHY\ttrue\t1200\t-1");
    set(&lab, "quota", "50000");

    set(&lab, "sending", "false");
    set(&lab, "complaints", "41");
    let ran = status(&program);
    ran.exits(1).says("failed: account@va-admin01, deliveries@va-admin01").says("sending false").says("complaints 40");

    set(&lab, "sending", "true");
    set(&lab, "enforcement", "SHUTDOWN");
    set(&lab, "complaints", "8");
    set(&lab, "bounces", "2000");
    let ran = status(&program);
    ran.exits(1).says("enforcement \"SHUTDOWN\"").says("only AWS support can open it").says("bounces 2000");
}

#[test]
fn a_closed_door_and_the_mail_that_waits_behind_it_are_told_together() {
    let (lab, program) = lab();
    set(&lab, "smtp", "421 Service not available");
    set(&lab, "sent", "40000");
    // 148 more than the two that are there: as many as are still nothing to complain of
    let waiting = |count: u32| {
        let jobs = format!(
            "INSERT INTO job (funcid, insert_time, run_after, grabbed_until) \
             SELECT 5, UNIX_TIMESTAMP() - 900, UNIX_TIMESTAMP() + 60, 0 FROM seq_1_to_{count}; \
             INSERT INTO error VALUES (UNIX_TIMESTAMP(), 101, 'Temporary failure connecting to email-smtp', 5)"
        );
        lab.service("mariadb", &["sql", &jobs]);
    };
    waiting(148);
    status(&program)
        .exits(1)
        .says("failed: account@va-admin01, smtp@dfw-jobs01, smtp@dfw-jobs02")
        .says("sent 40000, quota 50000")
        .says("the answer was `421 Service not available`")
        .says("2\t0\t148")
        .says("Temporary failure connecting to email-smtp");
    waiting(1);
    status(&program).exits(1).says("backlog@dfw-admin01").says("later 149");
}

#[test]
fn what_cannot_be_asked_is_not_taken_for_well_and_the_rest_is_still_told() {
    let (lab, program) = lab();
    set(&lab, "smtp", "");
    set(&lab, "throttle", r#"{"GetSendStatistics": -1}"#);
    lab.service("mariadb", &["stop"]);
    status(&program)
        .exits(1)
        .says("account     ✓ ok")
        .says("Rate exceeded")
        .says("closed without an answer")
        .says("Can't connect to server")
        .says("backlog@dfw-admin01, deliveries@va-admin01, errors@dfw-admin01, smtp@dfw-jobs01, smtp@dfw-jobs02");
}
