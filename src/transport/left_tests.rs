//! What actions have left, found by the shells of `wrapper_tests`.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use tokio::time::timeout;

use super::action::Action;
use super::capability::Fault;
use super::left::{Fate, LeftReceipt, LeftRun, found};
use super::wrapper_tests::{InShell, order, shells, text};
use super::{conduct, left};
use crate::vocab::{Command, Period, RunId, StepId};

fn run_id() -> RunId {
    order("any", Command::shell("true")).run
}

async fn told(shell: &InShell, text: &str) -> super::Finished {
    let until = tokio::time::Instant::now() + Duration::from_mins(1);
    let cancel = tokio_util::sync::CancellationToken::new();
    conduct::look(shell, &Command::shell(text), until, Period::seconds(60), &cancel).await.unwrap()
}

async fn list(shell: &InShell, run: Option<&RunId>) -> Vec<LeftRun> {
    found(&told(shell, &left::list(run)).await.stdout).unwrap()
}

/// The one run that is left.
async fn receipts(shell: &InShell) -> Vec<LeftReceipt> {
    let runs = list(shell, None).await;
    assert_eq!(list(shell, Some(&run_id())).await, runs);
    let [only] = runs.as_slice() else { panic!("{runs:?}") };
    assert_eq!(only.run, run_id());
    only.receipts.clone()
}

async fn remove(shell: &InShell) -> Result<(), String> {
    left::removed(&text(&told(shell, &left::remove(&run_id())).await.stdout))
}

async fn act(shell: &InShell, step: &str, command: &str) -> Result<super::Finished, Fault> {
    let act = order(step, Command::shell(command));
    timeout(Duration::from_mins(1), Action::new(shell, &act).run()).await.expect("no test takes that long")
}

fn lay(shell: &InShell, name: &str, bytes: &[u8]) {
    fs::create_dir_all(shell.receipts()).unwrap();
    fs::write(shell.receipts().join(name), bytes).unwrap();
}

fn this_boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned()
}

#[tokio::test]
async fn every_fate_is_told_apart() {
    for shell in shells() {
        assert_eq!(list(&shell, None).await, []);
        assert_eq!(list(&shell, Some(&run_id())).await, []);
        act(&shell, "outer/ends", "echo out; echo erring >&2; exit 3").await.unwrap();
        act(&shell, "killed", "kill -KILL 0").await.unwrap_err();
        let other = "11111111-2222-3333-4444-555555555555";
        lay(&shell, "booted.2.start", format!("77 77 {other} 1 2 3.00 .\n").as_bytes());
        lay(&shell, "booted.2.out", b"half");
        // another process has the number now
        lay(&shell, "reused.1.start", format!("1 999999999 {} 1 99 3.00 .\n", this_boot()).as_bytes());
        lay(&shell, "withdrawn.1.start", b"withdrawn .\n77 77 - 1 2 3.00 .\n");
        lay(&shell, "refused.1.start", format!("77 77 {other} 1 2 3.00 .\n").as_bytes());
        lay(&shell, "refused.1.exit", b"refused .\n");
        lay(&shell, "torn.1.start", b"77 77 1111");
        let left = receipts(&shell).await;
        let fates: Vec<(String, &Fate)> =
            left.iter().map(|left| (format!("{}#{}", left.step, left.attempt), &left.fate)).collect();
        let fates: Vec<(&str, &Fate)> = fates.iter().map(|(name, fate)| (name.as_str(), *fate)).collect();
        let wanted = [
            ("booted#2", &Fate::Rebooted),
            ("killed#1", &Fate::Gone),
            ("outer/ends#1", &Fate::Finished(3)),
            ("refused#1", &Fate::NeverStarted),
            ("reused#1", &Fate::Gone),
            ("torn#1", &Fate::Unclear),
            ("withdrawn#1", &Fate::NeverStarted),
        ];
        assert_eq!(fates, wanted);
        assert_eq!((left[0].stdout, left[0].stderr, left[2].stdout, left[2].stderr), (4, 0, 4, 7));
        let written = told(&shell, &left::output(&run_id(), &StepId::new("outer/ends"), 1)).await;
        assert_eq!((text(&written.stdout), text(&written.stderr)), ("out\n".to_owned(), "erring\n".to_owned()));
        remove(&shell).await.unwrap();
        assert!(!shell.receipts().exists());
        assert_eq!(list(&shell, None).await, []);
    }
}

#[tokio::test]
async fn what_runs_is_told_and_not_removed() {
    for shell in shells() {
        let go = shell.home().join("go");
        let command = format!("until test -e {}; do sleep 0.05; done", go.display());
        let (acting, looking) = (act(&shell, "runs", &command), async {
            loop {
                if shell.receipt("runs.1.start").ends_with(" .\n") {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let left = receipts(&shell).await;
            assert!(matches!(left[0].fate, Fate::Running { since } if since.as_second() > 1_700_000_000), "{left:?}");
            let refused = remove(&shell).await;
            fs::write(&go, "").unwrap();
            assert_eq!(refused, Err("a command of the run still runs there: runs.1".to_owned()));
        });
        let (acted, ()) = tokio::join!(acting, looking);
        acted.unwrap();
        assert_eq!(receipts(&shell).await[0].fate, Fate::Finished(0));
        remove(&shell).await.unwrap();
        assert!(!shell.receipts().exists());
        remove(&shell).await.unwrap();
    }
}

#[tokio::test]
async fn whatever_lies_there_a_line_is_a_line() {
    for shell in shells() {
        lay(&shell, "forged.1.start", b"1 1 - 1\nend\nrun 20261122T031500Z-00000000\nreceipt x.1 yes 1 1\n");
        lay(&shell, "new\nline.1.start", b"withdrawn .\n");
        lay(&shell, "a b $(id).1.start", b"withdrawn .\n");
        lay(&shell, "\x1b[31m.1.start", b"\xff\xfe\0 .\n");
        lay(&shell, "glob.1.start", b"* * * * * * .\n");
        lay(&shell, "long.1.start", &vec![b'9'; 100_000]);
        fs::create_dir(shell.receipts().join("folder.1.start")).unwrap();
        fs::create_dir(shell.receipts().with_file_name("20261122T031500Z-zzzzzzzz")).unwrap();
        fs::create_dir(shell.receipts().with_file_name("2\nrun 3")).unwrap();
        symlink("/etc", shell.receipts().with_file_name("20261122T031500Z-11111111")).unwrap();
        let mut left = receipts(&shell).await;
        left.sort_by(|a, b| a.step.cmp(&b.step));
        let told: Vec<(&str, &str)> = left.iter().map(|left| (left.step.as_str(), left.fate.word())).collect();
        let named = &told[told.len() - 3..];
        assert_eq!(named, [("forged", "unclear"), ("glob", "unclear"), ("long", "unclear")], "{told:?}");
        assert!(told[..told.len() - 3].iter().all(|(step, _)| *step == "?"), "{told:?}");
        assert_eq!(told.len(), 6, "none is left out");
    }
}

#[test]
fn an_answer_that_is_cut_is_none() {
    let whole = b"host b root\nrun 20261122T031500Z-1a2b3c4d\nreceipt a.1 no 1 2\nstart withdrawn .\nend\n";
    assert_eq!(found(whole).unwrap()[0].receipts.len(), 1);
    for length in 0..whole.len() - "end\n".len() {
        found(&whole[..length]).unwrap_err();
    }
    assert_eq!(found(b"no it is a trap\n"), Err("it is a trap".to_owned()));
}
