//! What actions have left on a host: finding it, reading it, removing it.
//!
//! Each is a text that the host's shell runs to its end, and lines that it answers, as in `lock`. Apart from `receipt`,
//! which is the format and what every action passes: here nothing is ever started, withdrawn or waited for.

use std::fmt;

use jiff::Timestamp;

use super::receipt::{self, MARKS, Marks};
use crate::vocab::{RunId, StepId};

/// What one run has left in one account of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftRun {
    /// The run.
    pub run: RunId,
    /// The account, as the host calls it.
    pub account: String,
    /// The receipts of its actions. There may be none: a folder alone is left as well.
    pub receipts: Vec<LeftReceipt>,
}

/// What one action has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftReceipt {
    /// Its step; of an undo, the step's with `/undo` behind it. `?` where the name could not be told.
    pub step: StepId,
    /// Which try it was; 0 where the name does not say.
    pub attempt: u32,
    /// What became of it.
    pub fate: Fate,
    /// How many bytes it wrote on stdout.
    pub stdout: u64,
    /// How many bytes it wrote on stderr.
    pub stderr: u64,
}

/// What an action has written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// On stdout.
    pub stdout: Vec<u8>,
    /// On stderr.
    pub stderr: Vec<u8>,
}

/// What became of an action, as far as its receipt tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Something of it lives.
    Running {
        /// When it was sent, by the sender's clock.
        since: Timestamp,
    },
    /// It ended with this exit status.
    Finished(i32),
    /// It never started and never will.
    NeverStarted,
    /// Nothing of it lives, and nobody wrote down how it ended.
    Gone,
    /// The same; its host was booted since.
    Rebooted,
    /// Its mark cannot be read: it is about to start, or was cut off there.
    Unclear,
}

impl Fate {
    /// One word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Running { .. } => "running",
            Self::Finished(_) => "finished",
            Self::NeverStarted => "never-started",
            Self::Gone => "gone",
            Self::Rebooted => "rebooted",
            Self::Unclear => "unclear",
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running { since } => write!(f, "running since {}", since.strftime("%Y-%m-%d %H:%M:%SZ")),
            Self::Finished(status) => write!(f, "finished with {status}"),
            Self::NeverStarted => f.write_str("never started (withdrawn)"),
            Self::Gone => f.write_str("gone"),
            Self::Rebooted => f.write_str("gone with a reboot"),
            Self::Unclear => f.write_str("not clear: its mark cannot be read"),
        }
    }
}

const TRAP: &str = "{ echo 'no the folder for receipts belongs to somebody else';exit 0; }";

/// What all the texts begin with: the folder of runs in `rb_d`, and `rb_lives START` for whether something lives of
/// what has this start mark. Nothing but our own lines is heard.
fn begin(otherwise: &str) -> String {
    format!(
        r#"set +e
exec 2>/dev/null
LC_ALL=C
export LC_ALL
{}
{MARKS}
rb_lives() {{
    rb_line "$1"
    rb_start=$rb_1
    case $rb_1 in *'withdrawn .') return 1;; *' .') ;; *) return 1;; esac
    set -f
    set -- $rb_1
    set +f
    [ $# = 7 ] && rb_alive "$@"
}}
rb_b=-
read -r rb_b </proc/sys/kernel/random/boot_id
"#,
        receipt::locate_all(otherwise),
    )
}

/// Shell text that tells what is left: of `run`, or of all.
///
/// Whether it lives is found out before its end is read: what ends meanwhile has ended. Whatever a name could hold, it
/// stands on its line.
pub(super) fn list(run: Option<&RunId>) -> String {
    let runs = run.map_or("[0-9]*", RunId::as_str);
    format!(
        r#"{begin}printf 'host %s %s\n' "$rb_b" "$(id -un)"
if ! cd "$rb_d"; then
    [ -e "$rb_d" ] && echo 'no the folder for receipts cannot be entered'
    echo end
    exit 0
fi
rb_size() {{ rb_z=0; [ -f "$1" ] && [ -s "$1" ] && rb_z=$(wc -c <"$1"); }}
for rb_r in {runs}; do
    [ -d "$rb_r" ] && ! [ -h "$rb_r" ] || continue
    case $rb_r in *[!0-9A-Za-z-]*) continue;; esac
    printf 'run %s\n' "$rb_r"
    for rb_s in "$rb_r"/*.start; do
        [ -f "$rb_s" ] || continue
        rb_f=${{rb_s%.start}}
        rb_n=${{rb_f#*/}}
        case $rb_n in *[!0-9A-Za-z._%-]*) rb_n='?';; esac
        rb_y=no
        rb_lives "$rb_s" && rb_y=yes
        rb_size "$rb_f.out"
        rb_o=$rb_z
        rb_size "$rb_f.err"
        printf 'receipt %s %s %s %s\n' "$rb_n" $rb_y $rb_o $rb_z
        printf 'start %s\n' "$rb_start"
        if [ -f "$rb_f.exit" ]; then
            rb_line "$rb_f.exit"
            printf 'exit %s\n' "$rb_1"
        fi
    done
done
echo end
"#,
        begin = begin(TRAP)
    )
}

/// Shell text that gives what an action wrote, on both streams.
pub(super) fn output(run: &RunId, step: &StepId, attempt: u32) -> String {
    let name = crate::vocab::quote::shell_word(&receipt::name(step, attempt));
    format!(
        r#"exec 3>&2
{begin}rb_f=$rb_d/{run}/{name}
[ -f "$rb_f.out" ] && cat "$rb_f.out"
[ -f "$rb_f.err" ] && cat "$rb_f.err" >&3
:
"#,
        begin = begin("exit 1")
    )
}

/// Shell text that removes what `run` has left, unless something of it runs.
pub(super) fn remove(run: &RunId) -> String {
    format!(
        r#"{begin}cd "$rb_d/{run}" || {{ echo removed; exit 0; }}
for rb_s in *.start; do
    [ -f "$rb_s" ] || continue
    rb_line "${{rb_s%.start}}.exit"
    rb_whole && continue
    if rb_lives "$rb_s"; then
        case $rb_s in *[!0-9A-Za-z._%-]*) rb_s=it; esac
        printf 'no a command of the run still runs there: %s\n' "${{rb_s%.start}}"
        exit 0
    fi
done
cd /
rm -rf "$rb_d/{run}"
if [ -e "$rb_d/{run}" ]; then echo 'no it cannot be removed'; exit 0; fi
echo removed
{sweep}"#,
        begin = begin(TRAP),
        sweep = super::lock::sweep(),
    )
}

/// Reads the answer to `list`.
pub fn found(answer: &[u8]) -> Result<Vec<LeftRun>, String> {
    let mut lines = answer.split(|byte| *byte == b'\n').peekable();
    let (mut boot, mut account) = (String::new(), String::new());
    let mut runs: Vec<LeftRun> = Vec::new();
    // of a run whose name is none nothing is told
    let mut counts = false;
    while let Some(line) = lines.next() {
        let (word, rest) = parted(line);
        match word {
            b"host" => {
                let (of_boot, of_account) = parted(rest);
                (boot, account) = (lossy(of_boot), lossy(of_account));
            }
            b"run" => {
                let run = lossy(rest).parse::<RunId>();
                counts = run.is_ok();
                runs.extend(run.into_iter().map(|run| LeftRun { run, account: account.clone(), receipts: Vec::new() }));
            }
            b"receipt" => {
                let start = lines.next_if(|line| line.starts_with(b"start "));
                let exit = lines.next_if(|line| line.starts_with(b"exit "));
                if let Some(run) = runs.last_mut().filter(|_| counts) {
                    let marks = receipt::read(start.map(|line| parted(line).1), exit.map(|line| parted(line).1));
                    run.receipts.push(receipt_of(&lossy(rest), marks, &boot));
                }
            }
            b"no" => return Err(lossy(rest)),
            b"end" => return Ok(runs),
            _ => {}
        }
    }
    Err("the host did not tell all that is left there".to_owned())
}

/// Reads the answer to [`remove`].
pub(super) fn removed(answer: &str) -> Result<(), String> {
    let first = answer.lines().next().unwrap_or_default();
    match first.split_once(' ') {
        Some(("no", why)) => Err(why.to_owned()),
        None if first == "removed" => Ok(()),
        Some(_) | None => Err("the host did not say whether it removed what is left there".to_owned()),
    }
}

fn receipt_of(words: &str, marks: Marks, boot: &str) -> LeftReceipt {
    let mut words = words.split(' ');
    let (step, attempt) = receipt::named(words.next().unwrap_or("?"));
    let lives = words.next() == Some("yes");
    let mut size = || words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
    let (stdout, stderr) = (size(), size());
    let fate = match marks {
        Marks::Unclear => Fate::Unclear,
        Marks::NeverStarted => Fate::NeverStarted,
        Marks::Ended(status) => Fate::Finished(status),
        Marks::Started(start) if lives => Fate::Running { since: start.sent },
        Marks::Started(start) if start.boot == boot => Fate::Gone,
        Marks::Started(_) => Fate::Rebooted,
    };
    LeftReceipt { step, attempt, fate, stdout, stderr }
}

/// The first word, and what stands behind the blank after it.
fn parted(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|byte| *byte == b' ') {
        Some(at) => (&line[..at], &line[at + 1..]),
        None => (line, &[]),
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
