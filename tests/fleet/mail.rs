//! Incoming mail, on a real postfix that asks a real database for its aliases.

use crate::support::{Lab, Program, Ran};

const MAIL: &str = "dfw-mail01";

/// A lab with postfix, its database, and a place that takes its mail.
fn lab() -> (Lab, Program) {
    let lab = Lab::acquire();
    lab.service("mariadb", &["up"]);
    lab.service("postfix", &["up"]);
    let program = Program::on(&lab);
    (lab, program)
}

fn status(program: &Program, alias: &str) -> Ran {
    program.run(["run", "mail-status", alias])
}

/// The queue as postfix itself tells it: the names of the queues its messages are in.
fn queue(lab: &Lab) -> Vec<String> {
    let name = |line: &str| -> Option<String> {
        Some(serde_json::from_str::<serde_json::Value>(line).unwrap()["queue_name"].as_str()?.to_owned())
    };
    let mut queues: Vec<String> = lab.sh(MAIL, "postqueue -j 2>/dev/null").lines().filter_map(name).collect();
    queues.sort();
    queues
}

fn waits_for(lab: &Lab, program: &Program, queues: &[&str]) {
    program.wait_until(&format!("{queues:?} in the queue"), || queue(lab) == queues);
}

/// What postfix answers a sender who has a message for this address.
fn answer(lab: &Lab, to: &str) -> String {
    let talk = r#"$s = IO::Socket::INET->new(PeerAddr => shift, PeerPort => 25) or die;
        for ("", "HELO x", "MAIL FROM:<a\@example.org>", "RCPT TO:<" . shift . ">") { print $s "$_\r\n" if $_; $told = <$s> }
        print $told"#;
    lab.sh(MAIL, &format!("perl -MIO::Socket::INET -e '{talk}' {} {to}", lab.address(MAIL)))
}

/// How many messages were delivered to an address.
fn delivered(lab: &Lab, address: &str) -> usize {
    let log = lab.sh(MAIL, "cat /var/log/mail.log");
    log.lines().filter(|line| line.contains(&format!("to=<{address}>")) && line.contains("status=sent (250")).count()
}

#[test]
fn each_map_of_the_configuration_is_asked_and_told_apart() {
    let (lab, program) = lab();
    let (hash, mysql) = ("hash:/etc/postfix/dw/aliases", "mysql:/etc/postfix/dw/mysql.cf");
    let answers = |ran: &Ran, map: &str, answer: &str| {
        let found = ran.stdout.lines().find(|line| line.contains(map)).unwrap_or_default();
        assert!(found.contains(&format!("\t{answer}\t")), "{map}: {answer}\n{ran:?}");
    };
    let ran = status(&program, "postmaster");
    ran.exits(0).says("dfw-mail01\trunning").says("virtual\t@post.dreamwidth.org\tfound");
    answers(&ran, hash, "found");
    answers(&ran, mysql, "no such name");
    // the key is what stands before the @
    let ran = status(&program, "alice@dreamwidth.org");
    answers(ran.exits(0), hash, "no such name");
    answers(&ran, mysql, "found");
    // nobody's alias is no fault
    answers(status(&program, "nobody").exits(0), mysql, "no such name");
    // whose mail goes where is not told, nor what leads to the database
    let told = format!("{ran:?}{}", program.journal());
    assert!(!told.contains("alice@example.net") && !told.contains("lab-postfix-secret"));

    // nothing waits: nothing to try
    program.run(["run", "flush-mail", "--yes"]).exits(0).says("Nothing waits.");
    assert_eq!(program.started(), [""; 0]);

    // which maps there are is postfix's configuration
    lab.sh(
        MAIL,
        "echo 'carol x' > /etc/postfix/dw/more; postconf -e 'alias_maps = texthash:$config_directory/dw/more'",
    );
    // postfix waits before it reads what was written a moment ago
    lab.sh(MAIL, "touch -d '1 minute ago' /etc/postfix/main.cf");
    let ran = status(&program, "carol");
    answers(ran.exits(0), "texthash:/etc/postfix/dw/more", "found");
    ran.is_silent_about(mysql);
    lab.sh(MAIL, "rm /etc/postfix/dw/more");
    let ran = status(&program, "carol");
    answers(ran.exits(1), "texthash:/etc/postfix/dw/more", "cannot be asked");
    ran.says("No such file");
}

#[test]
fn a_database_that_is_down_is_no_unknown_alias_and_its_mail_goes_once_it_is_back() {
    let (lab, program) = lab();
    lab.service("mariadb", &["stop"]);
    lab.service("postfix", &["send", "2", "alice@dreamwidth.org"]);
    waits_for(&lab, &program, &["deferred", "deferred"]);
    // senders are asked to come again, also for a name that nobody has
    for to in ["alice@dreamwidth.org", "nobody-there@dreamwidth.org"] {
        assert!(answer(&lab, to).starts_with("451 4.3.0 "), "{}", answer(&lab, to));
    }
    let ran = status(&program, "alice");
    ran.exits(1).says("mysql.cf\talice\tcannot be asked\tconnect to mysql server").says("Can't connect to server");
    ran.says("\tdeferred\talias database unavailable\t2\t0\t").says("lookup of 'alice' failed");
    assert!(!format!("{ran:?}{}", program.journal()).contains("lab-postfix-secret"));

    program.run(["run", "flush-mail", "--yes"]).exits(3).says("Have the database back first.");
    assert_eq!(queue(&lab), ["deferred"; 2]);

    // postfix's own processes would not ask again for a minute
    lab.service("mariadb", &["start"]);
    program.run(["run", "flush-mail", "--yes"]).exits(0).says("alias database unavailable");
    assert_eq!(program.started(), ["reload@dfw-mail01", "flush@dfw-mail01"]);
    waits_for(&lab, &program, &[]);
    assert_eq!(delivered(&lab, "alice@example.net"), 2);
    status(&program, "alice").exits(0).is_silent_about("unavailable\t");

    // one that hangs costs its own map's answer, not the others'
    let program = Program::on(&lab).with_changes(&[("mail/alias-lookups", "patience=8", "patience=1")]);
    lab.service("mariadb", &["hang"]);
    let ran = status(&program, "postmaster");
    lab.service("mariadb", &["thaw"]);
    ran.exits(1)
        .says("mysql.cf\tpostmaster\tcannot be asked\tno answer in 1 s")
        .says("hash:/etc/postfix/dw/aliases\tpostmaster\tfound");
}

#[test]
fn a_postfix_that_runs_and_takes_no_mail_is_not_well() {
    let (lab, _) = lab();
    let program = Program::on(&lab).with_changes(&[("book.yaml", "timeout: 8s", "timeout: 1s")]);
    status(&program, "postmaster").exits(0).says("220 dfw-mail01 ESMTP");
    lab.service("postfix", &["hang"]);
    let ran = status(&program, "postmaster");
    ran.exits(1).says("dfw-mail01\trunning").says("failed: port-25@dfw-mail01").says("timed out");
    program.run(["run", "flush-mail", "--yes"]).exits(3).says("Postfix runs and takes nothing");
    lab.service("postfix", &["thaw"]);
    status(&program, "postmaster").exits(0);
}

/// The project's book, with less patience for mail that does not go.
fn impatient(lab: &Lab) -> Program {
    Program::on(lab).with_changes(&[("flush-mail.yaml", "within: 60s", "within: 1s")])
}

#[test]
fn mail_that_cannot_go_is_told_with_its_reason_and_goes_later() {
    let (lab, _) = lab();
    let program = impatient(&lab);
    lab.service("postfix", &["sink-down"]);
    lab.service("postfix", &["send", "3", "bob@dreamwidth.org"]);
    waits_for(&lab, &program, &["deferred"; 3]);
    // one is held back by a person
    lab.sh(MAIL, "postsuper -h $(postqueue -j | head -n 1 | sed 's/.*queue_id\": \"\\([^\"]*\\).*/\\1/') 2>/dev/null");
    waits_for(&lab, &program, &["deferred", "deferred", "hold"]);

    // it still has time, and what is on hold may stay
    status(&program, "bob").exits(0).says("\thold\t").says("Connection refused\t2\t0\t");
    let impatiently = || program.run(["run", "mail-status", "bob", "old=0s"]);
    program.wait_until("a second's wait", || impatiently().code == 1);
    impatiently().says("queue \"deferred\"").is_silent_about("queue \"hold\"");

    let ran = program.run(["run", "flush-mail", "--yes"]);
    ran.exits(1).says("Some of what waited has left the queue.").says("flush@dfw-mail01");
    // what waits is told once more after the flush
    ran.says("after: dfw-mail01  deferred").says("after   ✓ ok");
    waits_for(&lab, &program, &["deferred", "deferred", "hold"]);
    lab.service("postfix", &["sink-up"]);
    program.run(["run", "flush-mail", "--yes"]).exits(0);
    assert_eq!(program.started(), ["flush@dfw-mail01"], "there is no reason for a reload");
    waits_for(&lab, &program, &["hold"]);
    assert_eq!(delivered(&lab, "bob@example.org"), 2);
}

#[test]
fn a_postfix_that_stopped_is_seen_and_its_queue_is_shown_all_the_same() {
    let (lab, program) = lab();
    lab.service("postfix", &["inject-defers"]);
    lab.service("postfix", &["send", "1", "entry@post.dreamwidth.org"]);
    waits_for(&lab, &program, &["deferred"]);
    // dies between the look and the flush
    lab.fault(MAIL, &["slow", "0.7"]);
    let child = program.start(["run", "flush-mail", "--yes"]);
    program.wait_for_journal(r#""step":"before""#);
    lab.service("postfix", &["stop"]);
    Ran::of(child.wait_with_output().unwrap()).exits(1).says("mail system is down");
    lab.fault(MAIL, &["fast"]);

    let ran = status(&program, "postmaster");
    ran.exits(1).says("dfw-mail01\tstopped").says("\tdeferred\ttemporary failure\t1\t0\t");
    program.run(["run", "flush-mail", "--yes"]).exits(3).says("There is nobody to try.");
    assert_eq!(queue(&lab), ["deferred"]);

    lab.service("postfix", &["start"]);
    lab.service("postfix", &["inject-well"]);
    program.run(["resume", "--yes"]).exits(0);
    waits_for(&lab, &program, &[]);
}
