//! Stamps, left and found by the shells of `wrapper_tests`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::wrapper_tests::{InShell, shells};
use super::{conduct, stamps};
use crate::vocab::{Command, Digest, Period, RunId, Stamp, StampsSeen};

fn stamp(run: &str, step: &str, records: u64) -> Stamp {
    Stamp {
        run: run.parse().unwrap(),
        records,
        head: Digest::of(step.as_bytes()),
        runbook: "restart-jobs".to_owned(),
        operator: "anna maria".to_owned(),
        admin_host: "dfw-admin01".to_owned(),
        step: step.to_owned(),
        outcome: "ok".to_owned(),
    }
}

const OLD: &str = "20251122T031500Z-11111111";
const NEW: &str = "20261122T031500Z-22222222";

fn line(stamp: &Stamp) -> String {
    format!("Nov 22 03:15:00 dfw-jobs01 runbook: {stamp}\n")
}

fn logs(shell: &InShell) -> PathBuf {
    let logs = shell.home().join("log");
    fs::create_dir_all(&logs).unwrap();
    logs
}

#[expect(clippy::disallowed_methods, reason = "a test lays a file down")]
fn compress(path: &Path, text: &str) {
    let file = fs::File::create(path).unwrap();
    let mut gzip = Process::new("gzip").arg("-c").stdin(Stdio::piped()).stdout(file).spawn().unwrap();
    gzip.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(gzip.wait().unwrap().success());
}

async fn said(shell: &InShell, text: &str) -> Vec<u8> {
    let until = Instant::now() + Duration::from_mins(1);
    let cancel = CancellationToken::new();
    conduct::look(shell, &Command::shell(text), until, Period::seconds(60), &cancel).await.unwrap().stdout
}

/// As on a host that has no journal of systemd, whatever this machine has.
async fn find(shell: &InShell, run: Option<&str>) -> Result<StampsSeen, String> {
    let run: Option<RunId> = run.map(|run| run.parse().unwrap());
    let text = stamps::find(&logs(shell).display().to_string(), run.as_ref());
    stamps::found(&said(shell, &text.replace("command -v journalctl", "false")).await)
}

fn sorted(seen: &StampsSeen) -> Vec<&str> {
    let mut steps: Vec<&str> = seen.stamps.iter().map(|stamp| stamp.step.as_str()).collect();
    steps.sort_unstable();
    steps
}

#[tokio::test]
async fn they_are_found_in_every_file_that_a_log_was_turned_into() {
    for shell in shells() {
        let logs = logs(&shell);
        let (old, first, second) = (stamp(OLD, "old", 9), stamp(NEW, "first/step", 10), stamp(NEW, "second", 10));
        // a crash leaves NULs, a restored log the same line again; others write about runs, too
        let noise = "Nov 22 03:15:00 dfw-jobs01 sudo: run=yes head=no\n\0\0\0\u{fffd}\n";
        let torn = line(&stamp(NEW, "torn", 10));
        let torn = torn.trim_end();
        fs::write(logs.join("syslog"), format!("{noise}{}{}\n", line(&second), &torn[..torn.len() - 1])).unwrap();
        fs::write(logs.join("messages-20261122"), line(&second)).unwrap();
        fs::write(logs.join("syslog.1"), line(&first)).unwrap();
        compress(&logs.join("syslog.2.gz"), &line(&old));
        fs::write(logs.join("syslog.3.gz"), "no gzip").unwrap();
        fs::write(logs.join("mail.log"), line(&stamp(OLD, "elsewhere", 1))).unwrap();

        let all = find(&shell, None).await.unwrap();
        assert_eq!(sorted(&all), ["first/step", "old", "second"]);
        assert_eq!(all.stamps[0], old, "by run");
        let names = |paths: &[String]| -> Vec<String> {
            paths.iter().map(|path| path.strip_prefix(&format!("{}/", logs.display())).unwrap().to_owned()).collect()
        };
        assert_eq!(names(&all.read), ["syslog", "syslog.1", "syslog.2.gz", "syslog.3.gz", "messages-20261122"]);
        assert_eq!(names(&all.unread), ["syslog.3.gz: zcat cannot read it to its end"]);
        assert!(!all.cut);

        let some = find(&shell, Some(NEW)).await.unwrap();
        assert_eq!(sorted(&some), ["first/step", "second"]);
        assert_eq!(some.oldest, Some(old.run), "so far back the logs tell");
        let none = find(&shell, Some("20261122T031500Z-33333333")).await.unwrap();
        assert_eq!((none.stamps, none.oldest), (Vec::new(), some.oldest));
    }
}

#[tokio::test]
async fn a_host_without_any_says_so() {
    for shell in shells() {
        let why = find(&shell, None).await.unwrap_err();
        assert!(why.contains("no log to look into"), "{why}");
        fs::write(logs(&shell).join("syslog"), "nothing of ours\n").unwrap();
        let seen = find(&shell, Some(NEW)).await.unwrap();
        assert_eq!((seen.stamps, seen.oldest, seen.read.len()), (Vec::new(), None, 1));
    }
}

#[tokio::test]
async fn without_a_program_for_it_nothing_is_left_and_that_is_said() {
    for shell in shells() {
        let text = format!("command() {{ return 1; }}\n{}", stamps::leave());
        let answer = said(&shell, &text).await;
        assert_eq!(
            stamps::left(&String::from_utf8(answer).unwrap()),
            Err("there is no program `logger` there".to_owned())
        );
    }
}

#[test]
fn a_log_that_may_not_be_read_is_an_error_unless_another_has_some() {
    let denied = "user ops\nread /var/log/messages\ndenied /var/log/syslog\n";
    let why = stamps::found(format!("{denied}end\n").as_bytes()).unwrap_err();
    assert!(why.starts_with("ops may not read /var/log/syslog there: ") && why.contains("`sudo:`"), "{why}");
    let seen = stamps::found(format!("{denied}{}\nend\n", stamp(NEW, "step", 3)).as_bytes()).unwrap();
    assert_eq!(seen.stamps, [stamp(NEW, "step", 3)]);
    assert_eq!(seen.unread, ["/var/log/syslog: ops may not read it"]);
}

#[test]
fn an_answer_that_is_none_is_an_error() {
    assert!(stamps::found(b"user ops\nread /var/log/syslog\n").is_err(), "cut off");
    assert!(stamps::left("").is_err());
    assert_eq!(stamps::left("left\n"), Ok(()));
    assert_eq!(stamps::left("no logger: \x1b[2J\n"), Err("logger: \\x1b[2J".to_owned()));
}
