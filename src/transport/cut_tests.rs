//! Connections that are cut at every byte: what was sent takes effect once, and all that it wrote is heard.
//!
//! The hosts are the shells of `wrapper_tests`; the connection is a pump between them and us that stops after so many
//! bytes, as a cable does: what was delivered is there, the rest never comes, and the command lives on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, duplex};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::action::Action;
use super::capability::{Act, Became, Ended, Fault, Notice};
use super::channel::{Carrier, Channel, Priority};
use super::wrapper::Bootstrap;
use super::wrapper_tests::{InShell, order, shells, text};
use crate::vocab::command::Stdin;
use crate::vocab::{Command, MaskedText, Period};

/// Where a connection ends.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// After so many bytes to the host.
    Sent(usize),
    /// After so many bytes from the host.
    Heard(usize),
    /// At once: the host takes no login.
    Declined,
    /// Nowhere.
    Never,
}

/// A shell whose first connections are cut, one after the other; those behind are whole.
#[derive(Clone)]
struct Cutting {
    shell: InShell,
    cuts: Arc<Mutex<Vec<Cut>>>,
    /// The bytes that went over the first connection.
    sent: Arc<AtomicUsize>,
    heard: Arc<AtomicUsize>,
}

impl Cutting {
    fn new(shell: &InShell, cuts: &[Cut]) -> Self {
        let cuts = Arc::new(Mutex::new(cuts.iter().rev().copied().collect()));
        Self { shell: shell.clone(), cuts, sent: Arc::default(), heard: Arc::default() }
    }
}

impl Carrier for Cutting {
    async fn open(&self, bootstrap: &Bootstrap, priority: Priority) -> Result<Channel, Fault> {
        if priority == Priority::Spare {
            return Err(Fault::NotStarted { reason: "no session to spare".to_owned() });
        }
        let cut = self.cuts.lock().unwrap().pop().unwrap_or(Cut::Never);
        let (to_host, from_host) = match cut {
            Cut::Sent(bytes) => (bytes, usize::MAX),
            Cut::Heard(bytes) => (usize::MAX, bytes),
            Cut::Never => (usize::MAX, usize::MAX),
            Cut::Declined => {
                return Ok(Channel {
                    stdin: Box::new(tokio::io::sink()),
                    stdout: Box::new(tokio::io::empty()),
                    stderr: Box::new(&b"the system is booting up\n"[..]),
                    ended: Box::pin(std::future::ready(Some(254))),
                    _place: None,
                });
            }
        };
        let inner = self.shell.open(bootstrap, priority).await?;
        let broken = CancellationToken::new();
        let (stdin, feed) = duplex(64);
        let (tell_out, stdout) = duplex(64);
        let (tell_err, stderr) = duplex(64);
        let room = Arc::new(AtomicUsize::new(from_host));
        tokio::spawn(pump(
            feed,
            inner.stdin,
            broken.clone(),
            Arc::new(AtomicUsize::new(to_host)),
            Arc::clone(&self.sent),
        ));
        tokio::spawn(pump(inner.stdout, tell_out, broken.clone(), Arc::clone(&room), Arc::clone(&self.heard)));
        tokio::spawn(pump(inner.stderr, tell_err, broken.clone(), room, Arc::clone(&self.heard)));
        let ended = inner.ended;
        Ok(Channel {
            stdin: Box::new(stdin),
            stdout: Box::new(stdout),
            stderr: Box::new(stderr),
            ended: Box::pin(async move {
                tokio::select! {
                    biased;
                    () = broken.cancelled() => None,
                    status = ended => status,
                }
            }),
            _place: None,
        })
    }
}

/// Carries bytes until there is no room for more; then the whole connection is broken.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    broken: CancellationToken,
    room: Arc<AtomicUsize>,
    carried: Arc<AtomicUsize>,
) {
    let mut byte = [0];
    loop {
        if room.load(Ordering::SeqCst) == 0 {
            broken.cancel();
        }
        let read = tokio::select! {
            biased;
            () = broken.cancelled() => return,
            read = from.read(&mut byte) => read,
        };
        let Ok(1) = read else { return };
        if room.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |room| room.checked_sub(1)).is_err() {
            continue;
        }
        carried.fetch_add(1, Ordering::SeqCst);
        if to.write_all(&byte).await.is_err() {
            return;
        }
    }
}

/// An action that leaves a line wherever it takes effect, reads what it is given, and says something on both streams.
fn deed(step: &str) -> Act {
    let mut command =
        Command::shell("read -r line; echo \"$line\" >>\"$HOME/effects\"; echo out; echo err >&2; exit 3");
    command.stdin = Some(Stdin::Text(MaskedText::plain(format!("{step}\n"))));
    order(step, command)
}

fn effects(shell: &InShell, step: &str) -> usize {
    let all = std::fs::read_to_string(shell.home().join("effects")).unwrap_or_default();
    all.lines().filter(|line| *line == step).count()
}

async fn run(carrier: &Cutting, act: &Act) -> Result<super::Finished, Fault> {
    timeout(Duration::from_mins(1), Action::new(carrier, act).run()).await.expect("no test takes that long")
}

async fn ask(carrier: &Cutting, act: &Act) -> Became {
    timeout(Duration::from_mins(1), Action::new(carrier, act).ask()).await.expect("no test takes that long").unwrap()
}

#[tokio::test]
async fn a_connection_cut_at_any_byte_changes_nothing() {
    let mut count = 0;
    for shell in shells() {
        let whole = Cutting::new(&shell, &[]);
        run(&whole, &deed("whole")).await.unwrap();
        let (sent, heard) = (whole.sent.load(Ordering::SeqCst), whole.heard.load(Ordering::SeqCst));
        assert!(sent > 500 && heard > 100, "{sent} {heard}");
        let all_sent = (0..sent).step_by(150).chain(sent - 3..=sent).map(Cut::Sent);
        let all_heard = (0..=heard).step_by(7).map(Cut::Heard);
        for (index, cut) in all_sent.chain(all_heard).enumerate() {
            let step = format!("cut{index}");
            let act = deed(&step);
            let done = run(&Cutting::new(&shell, &[cut]), &act).await;
            let done = done.unwrap_or_else(|fault| panic!("{cut:?}: {fault}"));
            assert_eq!(done.ended, Ended::Exited(3), "{cut:?}");
            assert_eq!((text(&done.stdout), text(&done.stderr)), ("out\n".to_owned(), "err\n".to_owned()), "{cut:?}");
            assert_eq!(effects(&shell, &step), 1, "{cut:?}");
            count += 1;
        }
    }
    println!("{count} cuts, none shows");
}

#[tokio::test]
async fn whoever_asks_after_a_cut_learns_the_truth_and_nothing_starts_behind_it() {
    let mut count = 0;
    for shell in shells() {
        let whole = Cutting::new(&shell, &[]);
        run(&whole, &deed("whole")).await.unwrap();
        let sent = whole.sent.load(Ordering::SeqCst);
        for (index, bytes) in (0..sent).step_by(300).chain(sent - 2..=sent).enumerate() {
            // the program dies when its connection does: nobody goes on with the action, and somebody asks later
            let step = format!("asked{index}");
            let act = deed(&step);
            let cut = Cutting::new(&shell, &[Cut::Sent(bytes)]);
            let _ = timeout(Duration::from_millis(60), Action::new(&cut, &act).run()).await;
            match ask(&Cutting::new(&shell, &[]), &act).await {
                Became::Finished(done) => {
                    assert_eq!((done.ended, text(&done.stdout)), (Ended::Exited(3), "out\n".to_owned()), "{bytes}");
                    assert_eq!(effects(&shell, &step), 1, "{bytes}");
                }
                Became::NeverStarted => {
                    assert_eq!(effects(&shell, &step), 0, "{bytes}");
                    // what comes late finds itself withdrawn
                    let late = run(&Cutting::new(&shell, &[]), &act).await;
                    assert!(matches!(late, Err(Fault::NotStarted { .. })), "{late:?}");
                    assert_eq!(effects(&shell, &step), 0, "{bytes}");
                }
                gone @ Became::Gone { .. } => panic!("{bytes}: {gone:?}"),
            }
            count += 1;
        }
    }
    println!("{count} questions behind a cut");
}

#[tokio::test]
async fn a_running_command_is_found_again_with_all_its_output() {
    for shell in shells() {
        let mut act =
            order("found", Command::shell("for i in 1 2 3 4 5 6 7 8; do echo $i; echo e$i >&2; sleep 0.1; done"));
        let told: Arc<Mutex<Vec<Notice>>> = Arc::default();
        let sink = Arc::clone(&told);
        act.notices = Arc::new(move |notice| sink.lock().unwrap().push(notice));
        // the start is told in some 60 bytes; then every connection breaks after some more of the output
        let cuts = [Cut::Heard(75), Cut::Heard(80), Cut::Heard(85)];
        let done = run(&Cutting::new(&shell, &cuts), &act).await.unwrap();
        let lines = |prefix: &str| (1..=8).map(|i| format!("{prefix}{i}\n")).collect::<String>();
        assert_eq!((text(&done.stdout), text(&done.stderr)), (lines(""), lines("e")));
        assert_eq!(done.ended, Ended::Exited(0));
        assert!(done.took.get() >= Duration::from_millis(800), "{done:?}");
        let told = told.lock().unwrap();
        assert!(told.iter().any(|notice| matches!(notice, Notice::Lost { .. })), "{told:?}");
        assert!(matches!(told.last(), Some(Notice::Regained { .. })), "{told:?}");
    }
}

#[tokio::test]
async fn a_host_that_takes_no_login_for_a_moment_says_nothing_of_what_was_sent() {
    for shell in shells() {
        let step = |cut: &str| format!("booting-{cut}");
        for (name, cut) in [("running", Cut::Heard(75)), ("unheard", Cut::Heard(10))] {
            let act = deed(&step(name));
            let done = run(&Cutting::new(&shell, &[cut, Cut::Declined, Cut::Declined]), &act).await;
            assert_eq!(done.map(|done| done.ended), Ok(Ended::Exited(3)), "{name}");
            assert_eq!(effects(&shell, &step(name)), 1, "{name}");
        }
    }
}

#[tokio::test]
async fn a_timeout_stops_what_is_only_known_by_its_receipt() {
    for shell in shells() {
        let mut act = order("late", Command::shell("echo begun; sleep 30; echo not reached"));
        act.timeout = Some(Period::new(Duration::from_millis(700)));
        let done = run(&Cutting::new(&shell, &[Cut::Heard(75)]), &act).await.unwrap();
        assert_eq!((done.ended, text(&done.stdout)), (Ended::TimedOut, "begun\n".to_owned()));
        assert_eq!(shell.status("late.1"), "143");
    }
}

#[tokio::test]
async fn what_was_killed_with_its_wrapper_is_gone_and_what_lives_without_it_is_waited_for() {
    for shell in shells() {
        let act = order("killed", Command::shell("echo begun; kill -KILL 0"));
        let done = timeout(Duration::from_secs(30), Action::new(&Cutting::new(&shell, &[]), &act).run()).await.unwrap();
        assert!(matches!(&done, Err(Fault::Lost { stdout, .. }) if stdout == b"begun\n"), "{done:?}");
        assert!(matches!(ask(&Cutting::new(&shell, &[]), &act).await, Became::Gone { .. }));

        // $$ is the wrapper
        let act = order("orphan", Command::shell("kill -KILL $$; sleep 0.5; echo done >>\"$HOME/effects\""));
        let done = run(&Cutting::new(&shell, &[]), &act).await;
        assert!(matches!(&done, Err(Fault::Lost { .. })), "{done:?}");
        assert_eq!(effects(&shell, "done"), 1, "it was waited for");
        std::fs::remove_file(shell.home().join("effects")).unwrap();
    }
}

#[tokio::test]
async fn another_boot_is_no_proof_that_nothing_started() {
    let shell = &shells()[0];
    let other = Act { boot: Some("11111111-2222-3333-4444-555555555555".to_owned()), ..deed("boot") };
    for _ in 0..2 {
        assert!(matches!(ask(&Cutting::new(shell, &[]), &other).await, Became::Gone { .. }));
    }
    let this = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned();
    let same = Act { boot: Some(this), ..deed("same") };
    assert_eq!(ask(&Cutting::new(shell, &[]), &same).await, Became::NeverStarted);
    // a receipt of another boot: whatever ran died with it
    let start = "77 77 11111111-2222-3333-4444-555555555555 1 2 3.00 .\n";
    std::fs::write(shell.receipts().join("old.1.start"), start).unwrap();
    let old = order("old", Command::shell("true"));
    assert!(matches!(ask(&Cutting::new(shell, &[]), &old).await, Became::Gone { why, .. } if why.contains("booted")));
    std::fs::write(shell.receipts().join("old.1.exit"), "4 9.00 .\n").unwrap();
    match ask(&Cutting::new(shell, &[]), &old).await {
        Became::Finished(done) => assert_eq!(done.ended, Ended::Exited(4)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_mark_that_is_not_whole_is_taken_out_of_the_way() {
    for shell in shells() {
        std::fs::create_dir_all(shell.receipts()).unwrap();
        std::fs::write(shell.receipts().join("torn.1.start"), "1234 12").unwrap();
        let act = deed("torn");
        assert_eq!(ask(&Cutting::new(&shell, &[]), &act).await, Became::NeverStarted);
        assert!(shell.receipt("torn.1.start").ends_with("withdrawn .\n"));
        assert!(matches!(run(&Cutting::new(&shell, &[]), &act).await, Err(Fault::NotStarted { .. })));
        assert_eq!(effects(&shell, "torn"), 0);
    }
}
