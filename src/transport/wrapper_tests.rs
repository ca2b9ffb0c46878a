//! The wrapper in the shells it must work with, conducted as it is on a host.
//!
//! Debian's `dash` must be there; `bash` and `busybox` are used where they exist.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::process::Command as Process;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::action::Action;
use super::capability::{Act, Ended, Fault, Finished, OutputSink, Stream};
use super::channel::{Carrier, Channel, Priority};
use super::conduct;
use super::wrapper::Bootstrap;
use crate::vocab::command::Stdin;
use crate::vocab::{Command, MaskedText, Period, Program, RunId, StepId};

/// Runs wrappers by a shell of choice, with a home of its own.
#[derive(Clone)]
pub(super) struct InShell {
    shell: Arc<Vec<String>>,
    home: Arc<tempfile::TempDir>,
}

impl Carrier for InShell {
    async fn open(&self, bootstrap: &Bootstrap, _priority: Priority) -> Result<Channel, Fault> {
        // setsid, then the shell in the place of the bootstrap's `sh`
        #[expect(clippy::disallowed_methods, reason = "the test is a transport of its own")]
        let mut process = Process::new("setsid");
        process.args(&*self.shell).args(&bootstrap.argv()[1..]).env("HOME", self.home.path());
        process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        super::local::channel(process.spawn().unwrap())
    }
}

impl InShell {
    pub(super) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(super) fn receipts(&self) -> PathBuf {
        self.home.path().join(".local/state/runbook").join(run_id().as_str())
    }

    pub(super) fn receipt(&self, name: &str) -> String {
        std::fs::read_to_string(self.receipts().join(name)).unwrap_or_default()
    }

    /// The status that a receipt tells.
    pub(super) fn status(&self, name: &str) -> String {
        let exit = self.receipt(&format!("{name}.exit"));
        let fields: Vec<&str> = exit.trim_end().split(' ').collect();
        assert!(fields.len() == 3 && fields[1].parse::<f64>().is_ok() && fields[2] == ".", "{exit}");
        fields[0].to_owned()
    }

    async fn act(&self, act: Act) -> Result<Finished, Fault> {
        timeout(Duration::from_mins(1), Action::new(self, &act).run()).await.expect("no test takes that long")
    }

    async fn look(&self, command: &Command) -> Finished {
        let until = Instant::now() + Duration::from_mins(1);
        conduct::look(self, command, until, Period::seconds(60), &CancellationToken::new()).await.unwrap()
    }
}

/// The shells that are here.
pub(super) fn shells() -> Vec<InShell> {
    let there = |path: &str| Path::new(path).exists();
    assert!(there("/bin/dash") || there("/usr/bin/dash"), "dash is not installed");
    let all: [&[&str]; 3] = [&["dash"], &["bash"], &["busybox", "sh"]];
    let found =
        all.into_iter().filter(|shell| ["/bin", "/usr/bin"].iter().any(|dir| there(&format!("{dir}/{}", shell[0]))));
    found
        .map(|shell| InShell {
            shell: Arc::new(shell.iter().map(|&word| word.to_owned()).collect()),
            home: Arc::new(tempfile::tempdir().unwrap()),
        })
        .collect()
}

fn run_id() -> RunId {
    "20261122T031500Z-1a2b3c4d".parse().unwrap()
}

pub(super) fn order(step: &str, command: Command) -> Act {
    Act {
        run: run_id(),
        step: StepId::new(step),
        attempt: 1,
        command,
        timeout: None,
        grace: Period::seconds(5),
        cancel: CancellationToken::new(),
        output: Arc::new(|_, _| {}),
        notices: Arc::new(|_| {}),
        locked: false,
        boot: None,
    }
}

fn argv(words: &[&str]) -> Command {
    Command { program: Program::Argv(words.iter().map(|&word| word.to_owned()).collect()), ..Command::shell("") }
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Processes that carry `mark` in their environment or arguments.
fn living(mark: &str) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let read = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
        let has = |bytes: Vec<u8>| text(&bytes).contains(mark);
        // a zombie has neither
        if entry.file_name().to_string_lossy().parse::<u32>().is_ok() && (has(read("environ")) || has(read("cmdline")))
        {
            count += 1;
        }
    }
    count
}

#[tokio::test]
async fn exit_statuses_are_plain_numbers() {
    for shell in shells() {
        for (command, exit) in [
            ("true", 0),
            ("false", 1),
            ("exit 127", 127),
            ("exit 255", 255),
            ("no-such-program-here", 127),
            ("sh -c 'kill -9 $$'", 137),
            ("exec sh -c 'kill -TERM $$'", 143),
            ("false; echo not reached", 1),
            ("x=$(false) || true; echo reached >&2; exit 3", 3),
            ("exit 3 |", 2),
        ] {
            let seen = shell.look(&Command::shell(command)).await;
            let Ended::Exited(status) = seen.ended else { panic!("{seen:?}") };
            // what a syntax error gives is the shell's own
            assert!(status == exit || (exit == 2 && status != 0), "{:?} {command}: {seen:?}", shell.shell);
            assert_eq!(text(&seen.stdout), "", "{command}");
        }
        let seen = shell.look(&argv(&["no-such-program-here"])).await;
        assert_eq!(seen.ended, Ended::Exited(127));
        assert!(text(&seen.stderr).contains("not found"), "{seen:?}");
    }
}

#[tokio::test]
async fn values_stay_data() {
    let all: String = (1..=0x2fff_u32).filter_map(char::from_u32).collect();
    let hostile = [
        "it's",
        "a\nb\n",
        "\n",
        "\n\n",
        "'\n'",
        "$(id)`id`",
        "-rf",
        "--",
        "",
        " ",
        "\\",
        "\\n",
        "a\\\nb",
        "\"$rb_n\"",
        "A=b",
        "~root",
        "*",
        "!x",
        "\t\r",
        "\u{1e}",
        "\u{7f}\u{80}\u{81}\u{88}",
        "é\u{c1}\u{c9}",
        &all,
        &"x'\n".repeat(35_000),
    ];
    for shell in shells() {
        let mut words = vec!["printf", "<%s>\\n"];
        words.extend(hostile.iter().filter(|value| value.len() < 60_000));
        let expected = format!("<{}>\n", words[2..].join(">\n<"));
        let seen = shell.look(&argv(&words)).await;
        assert!(
            text(&seen.stdout) == expected,
            "{:?} argv: {} {}",
            shell.shell,
            text(&seen.stderr),
            text(&seen.stdout)
        );

        for value in hostile {
            let mut command = Command::shell("printf '%s' \"$VALUE\"");
            command.env = vec![("VALUE".to_owned(), MaskedText::plain(value))];
            let seen = shell.look(&command).await;
            assert!(text(&seen.stdout) == value, "{:?} env {:.40?}: {}", shell.shell, value, text(&seen.stderr));
            command.stdin = Some(Stdin::Text(MaskedText::plain("behind")));
            let seen = shell.look(&command).await;
            assert!(text(&seen.stdout) == value, "{:?} env, with input {:.40?}", shell.shell, value);
        }
    }
}

#[tokio::test]
async fn a_text_of_400_kb_runs() {
    use std::fmt::Write as _;
    let mut long = String::from("total=0\n");
    while long.len() < 400_000 {
        let _ = writeln!(long, "total=$((total + 1)) # it's line {}", long.len());
    }
    let lines = long.lines().count() - 1;
    long.push_str("cat; echo $total");
    for shell in shells() {
        let mut command = Command::shell(long.as_str());
        assert_eq!(text(&shell.look(&command).await.stdout), format!("{lines}\n"));
        command.stdin = Some(Stdin::Text(MaskedText::plain("in ")));
        assert_eq!(text(&shell.look(&command).await.stdout), format!("in {lines}\n"));
    }
}

#[tokio::test]
async fn a_text_sees_a_shell_of_its_own() {
    for shell in shells() {
        let seen = shell
            .look(&Command::shell("set; echo \"[$#] [$*] [${n-unset}]\"; trap 'echo bye' EXIT; ls -l /proc/self/fd"))
            .await;
        let stdout = text(&seen.stdout);
        assert!(stdout.contains("[0] [] [unset]"), "{stdout}");
        assert!(stdout.ends_with("bye\n"), "{stdout}");
        assert!(!stdout.lines().any(|line| line.starts_with("rb_")), "{stdout}");
        assert!(!stdout.contains(" 3 -> pipe"), "{stdout}");
    }
}

#[tokio::test]
async fn standard_input_is_exact() {
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for shell in shells() {
        let mut command = argv(&["cat"]);
        command.stdin = Some(Stdin::File { name: "file".to_owned(), bytes: bytes.clone() });
        assert!(shell.look(&command).await.stdout == bytes, "{:?}", shell.shell);
        // without any it reads the end at once
        assert_eq!(shell.look(&argv(&["cat"])).await.ended, Ended::Exited(0));
        // a command that does not read it ends all the same
        command.program = Program::Argv(vec!["true".to_owned()]);
        assert_eq!(shell.look(&command).await.ended, Ended::Exited(0));
    }
}

#[tokio::test]
async fn streams_are_told_apart_and_heard_as_they_come() {
    for shell in shells() {
        let heard: Arc<Mutex<Vec<(Stream, String)>>> = Arc::default();
        let sink: OutputSink = {
            let heard = Arc::clone(&heard);
            Arc::new(move |stream, bytes| heard.lock().unwrap().push((stream, text(bytes))))
        };
        let mut order =
            order("streams", Command::shell("echo one; sleep 0.3; printf two >&2; sleep 0.3; printf three"));
        order.output = sink;
        let done = shell.act(order).await.unwrap();
        assert_eq!((text(&done.stdout), text(&done.stderr)), ("one\nthree".to_owned(), "two".to_owned()));
        let heard: Vec<_> = heard.lock().unwrap().iter().filter(|(_, said)| !said.is_empty()).cloned().collect();
        let expected = [(Stream::Stdout, "one\n"), (Stream::Stderr, "two"), (Stream::Stdout, "three")];
        assert_eq!(heard, expected.map(|(stream, said)| (stream, said.to_owned())));
        assert!(done.took.get() >= Duration::from_millis(600) && !done.output_cut);
    }
}

#[tokio::test]
async fn a_background_child_holds_nobody_up() {
    for shell in shells() {
        let start = Instant::now();
        let done = shell
            .act(order("background", Command::shell("(sleep 0.4; echo late; sleep 20) & echo done")))
            .await
            .unwrap();
        assert_eq!(done.ended, Ended::Exited(0));
        assert_eq!(text(&done.stdout), "done\nlate\n");
        assert!(done.output_cut && done.took.get() < Duration::from_millis(500), "{done:?}");
        assert!(start.elapsed() < Duration::from_secs(3));
    }
}

#[tokio::test]
async fn receipts_are_written_once() {
    for shell in shells() {
        let act = order("block/inner", Command::shell("cat \"$HOME\"/.local/state/runbook/*/*.start; exit 7"));
        let done = shell.act(act.clone()).await.unwrap();
        assert_eq!(done.ended, Ended::Exited(7));
        let start = shell.receipt("block%inner.1.start");
        assert_eq!(text(&done.stdout), start, "it was there before the command");
        let fields: Vec<&str> = start.trim_end().split(' ').collect();
        assert_eq!((fields.len(), fields[0] == fields[1], fields[6]), (7, true, "."), "{start}");
        assert_eq!(fields[2], std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim());
        assert_eq!(shell.status("block%inner.1"), "7");
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(shell.receipts()).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o700);

        match shell.act(act.clone()).await {
            Err(Fault::NotStarted { reason }) => assert!(reason.contains("started before"), "{reason}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(shell.act(Act { attempt: 2, ..act }).await.unwrap().ended, Ended::Exited(7));
    }
}

#[tokio::test]
async fn nothing_starts_without_a_receipt() {
    for shell in shells() {
        let mark = shell.home.path().join("mark");
        let command = Command::shell(format!("touch {}", mark.display()));
        std::fs::create_dir_all(shell.receipts()).unwrap();
        // the disk is full
        std::os::unix::fs::symlink("/dev/full", shell.receipts().join("full.1.start")).unwrap();
        let full = shell.act(order("full", command.clone())).await;
        // the directory cannot be made
        std::fs::remove_dir_all(shell.home.path().join(".local")).unwrap();
        std::fs::write(shell.home.path().join(".local"), "").unwrap();
        let blocked = shell.act(order("blocked", command)).await;
        for result in [full, blocked] {
            assert!(matches!(&result, Err(Fault::NotStarted { reason }) if !reason.contains('\n')), "{result:?}");
        }
        assert!(!mark.exists());
    }
}

#[tokio::test]
async fn secrets_are_in_no_process_list() {
    for shell in shells() {
        let secret = format!("s3cret-{}", super::nonce().unwrap());
        let mut value = MaskedText::plain("");
        value.push_secret("password", &secret);
        let mut command = Command::shell("line=$(cat); sleep 0.5; echo \"$PASSWORD $line\"");
        command.env = vec![("PASSWORD".to_owned(), value.clone())];
        command.stdin = Some(Stdin::Text(value));
        let running = tokio::spawn({
            let (shell, command) = (shell.clone(), command.clone());
            async move { shell.act(order("secret", command)).await.unwrap() }
        });
        sleep(Duration::from_millis(250)).await;
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let line = text(&std::fs::read(entry.path().join("cmdline")).unwrap_or_default());
            assert!(!line.contains(&secret), "{line}");
        }
        assert_eq!(text(&running.await.unwrap().stdout), format!("{secret} {secret}\n"));
        // but for what the command itself said
        let left = std::fs::read_dir(shell.receipts()).unwrap().flatten();
        for file in left.filter(|file| !file.file_name().to_string_lossy().ends_with(".out")) {
            assert!(!std::fs::read_to_string(file.path()).unwrap().contains(&secret), "{file:?}");
        }
    }
}

#[tokio::test]
async fn a_timeout_ends_the_whole_group() {
    for shell in shells() {
        let mark = format!("mark-{}", super::nonce().unwrap());
        let mut act = order("slow", Command::shell("echo begun; (sh -c 'sleep 31; :') & sleep 30; echo not reached"));
        act.command.env = vec![("MARK".to_owned(), MaskedText::plain(mark.as_str()))];
        act.timeout = Some(Period::new(Duration::from_millis(300)));
        let start = Instant::now();
        let done = shell.act(act).await.unwrap();
        assert_eq!(
            (done.ended, text(&done.stdout)),
            (Ended::TimedOut, "begun\n".to_owned()),
            "{:?}",
            text(&done.stderr)
        );
        assert!(start.elapsed() < Duration::from_secs(3), "TERM was enough");
        assert_eq!(living(&mark), 0);
        assert_eq!(shell.status("slow.1"), "143");
    }
}

#[tokio::test]
async fn what_ignores_term_gets_kill() {
    for shell in shells() {
        let mark = format!("mark-{}", super::nonce().unwrap());
        let mut act = order("deaf", Command::shell("trap '' TERM; echo begun; sleep 30 & wait; sleep 30"));
        act.command.env = vec![("MARK".to_owned(), MaskedText::plain(mark.as_str()))];
        act.grace = Period::new(Duration::from_millis(300));
        let cancel = act.cancel.clone();
        let running = tokio::spawn({
            let shell = shell.clone();
            async move { shell.act(act).await.unwrap() }
        });
        sleep(Duration::from_millis(300)).await;
        assert!(living(&mark) > 0);
        cancel.cancel();
        let done = running.await.unwrap();
        assert_eq!((done.ended, text(&done.stdout)), (Ended::Cancelled, "begun\n".to_owned()));
        assert_eq!(living(&mark), 0);
        assert_eq!(shell.status("deaf.1"), "137");
    }
}

#[tokio::test]
async fn a_daemon_outlives_the_timeout() {
    for shell in shells() {
        let mark = format!("mark-{}", super::nonce().unwrap());
        let mut act = order("daemon", Command::shell("setsid sleep 4 >/dev/null 2>&1 & sleep 30"));
        act.command.env = vec![("MARK".to_owned(), MaskedText::plain(mark.as_str()))];
        act.timeout = Some(Period::new(Duration::from_millis(400)));
        assert_eq!(shell.act(act).await.unwrap().ended, Ended::TimedOut);
        assert_eq!(living(&mark), 1);
    }
}

#[tokio::test]
async fn a_look_that_takes_too_long_is_stopped() {
    for shell in shells() {
        let mark = format!("mark-{}", super::nonce().unwrap());
        let mut command = Command::shell("sleep 30");
        command.env = vec![("MARK".to_owned(), MaskedText::plain(mark.as_str()))];
        let time = Period::new(Duration::from_millis(300));
        let seen = conduct::look(&shell, &command, Instant::now() + time.get(), time, &CancellationToken::new()).await;
        assert_eq!(seen, Err(Fault::TimedOut { after: time }));
        assert_eq!(living(&mark), 0);
    }
}

#[tokio::test]
async fn a_cancelled_act_is_not_sent() {
    let shell = &shells()[0];
    let act = order("never", Command::shell("true"));
    act.cancel.cancel();
    assert!(matches!(shell.act(act).await, Err(Fault::NotStarted { .. })));
    assert!(!shell.receipts().exists());
}

#[tokio::test]
async fn scripts_run_with_their_interpreter_and_leave_nothing() {
    for shell in shells() {
        let command = Command {
            program: Program::Script {
                name: "count.sh".to_owned(),
                interpreter: vec!["bash".to_owned(), "-u".to_owned()],
                text: "printf '%s|' \"$@\"\ncat\nexit 5\n".to_owned(),
                args: vec!["a b".to_owned(), "-x".to_owned(), "c\nd".to_owned()],
            },
            stdin: Some(Stdin::Text(MaskedText::plain("in"))),
            ..Command::shell("")
        };
        let done = shell.act(order("script", command.clone())).await.unwrap();
        assert_eq!(
            (done.ended, text(&done.stdout)),
            (Ended::Exited(5), "a b|-x|c\nd|in".to_owned()),
            "{:?}",
            text(&done.stderr)
        );
        assert!(!shell.receipts().join("script.1.script").exists());
        assert_eq!(shell.look(&command).await.ended, Ended::Exited(5));
    }
}
