//! Receipts: what an action leaves on its host so that it is never started twice and its end can be learned later.
//!
//! A run has a directory on each host, `$HOME/.local/state/runbook/RUN` (mode 0700, `HOME` of the user the action runs as;
//! where that user has no writable home, `/var/tmp/runbook-USER/RUN`). An action is named after its step (slashes as
//! `%`) and attempt, and has these files:
//!
//! * `NAME.start`, created exclusively before the command starts. Its first whole line counts, for the wrapper and for
//!   every asker, now and later: `PID PGID BOOT_ID EPOCH TICKS UPTIME .` where EPOCH is the sender's clock, TICKS the start
//!   time of PID in the host's own ticks since boot (so that a process id that was given out again is recognised) and
//!   UPTIME the host's seconds since boot. Or `withdrawn .`: whoever asked what became of it found nothing, and made
//!   sure that it stays so. Lines are only ever appended; without its final ` .` one is not whole. The wrapper reads its
//!   line back before anything starts.
//! * `NAME.out` and `NAME.err`, what the command writes. It never waits for whoever reads them.
//! * `NAME.exit`, a line of blanks until it ended: `STATUS UPTIME .`. Or `refused .`: the wrapper thought better of it, nothing ran.
//!
//! What can be told from them, whenever either side died: *never started* (no start, and now there never will be one),
//! *running*, *finished with N*, *gone* (no end was written and nothing of it lives) and *gone with the host's reboot*.
//!
//! Apart from the wrapper because it is a format on disk that later versions will read.
//!
//! *Not guaranteed*: the files are not synced to disk; a host that loses power may lose the last of them. The boot id
//! that the run knows of the host then tells "nothing is there" from "nothing was there".

use jiff::Timestamp;

use crate::vocab::quote::shell_word;
use crate::vocab::{Clock, RunId, StepId, SystemClock};

/// Where the receipts of runs are, below the home directory.
const FOLDER: &str = ".local/state/runbook";

/// The name of an action's files.
pub(super) fn name(step: &StepId, attempt: u32) -> String {
    format!("{}.{attempt}", step.as_str().replace('/', "%"))
}

/// The action that has files of this name; of a name that is none, the try is 0.
pub(super) fn named(name: &str) -> (StepId, u32) {
    let parts = name.rsplit_once('.').and_then(|(step, attempt)| Some((step, attempt.parse().ok()?)));
    let (step, attempt) = parts.unwrap_or((name, 0));
    (StepId::new(step.replace('%', "/")), attempt)
}

/// What the marks of an action say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Marks {
    /// Nothing that can be read: it has only begun to write, was cut off there, or the file is no mark.
    Unclear,
    /// It never started and never will: it was withdrawn, or thought better of it.
    NeverStarted,
    /// It started. Whether anything of it lives, only the host can say.
    Started(Start),
    /// It ended with this exit status; 128 + N for signal N.
    Ended(i32),
}

/// What a start mark says, as far as it means something elsewhere than on its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The host's boot id then, `-` where it has none.
    pub boot: String,
    /// When it was sent, by the sender's clock.
    pub sent: Timestamp,
}

/// Reads the marks of an action, start and exit, as far as they are there. As on the host, the first line counts, and
/// only if it is whole.
pub fn read(start: Option<&[u8]>, exit: Option<&[u8]>) -> Marks {
    let (Some(start), exit) = (start.and_then(whole_line), exit.and_then(whole_line)) else { return Marks::Unclear };
    let refused = exit.is_some_and(|exit| exit.starts_with("refused"));
    if start.ends_with("withdrawn .") || refused {
        return Marks::NeverStarted;
    }
    let status = exit.map(|exit| exit.split(' ').next().unwrap_or_default().parse());
    match (status, start_of(start)) {
        (Some(Ok(status)), _) => Marks::Ended(status),
        (None, Some(start)) => Marks::Started(start),
        (Some(Err(_)), _) | (None, None) => Marks::Unclear,
    }
}

/// The first line, if it is whole.
fn whole_line(bytes: &[u8]) -> Option<&str> {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    std::str::from_utf8(line).ok().map(|line| line.trim_end_matches(' ')).filter(|line| line.ends_with(" ."))
}

fn start_of(line: &str) -> Option<Start> {
    let words: Vec<&str> = line.split(' ').collect();
    let [pid, group, boot, sent, ticks, uptime, "."] = words.as_slice() else { return None };
    let numbers = [pid, group, ticks].into_iter().all(|word| word.parse::<u64>().is_ok());
    if !numbers || boot.is_empty() || uptime.parse::<f64>().is_err() {
        return None;
    }
    Some(Start { boot: (*boot).to_owned(), sent: Timestamp::from_second(sent.parse().ok()?).ok()? })
}

/// One action's receipt.
#[derive(Clone, Debug)]
pub(super) struct Receipt {
    run: RunId,
    name: String,
}

impl Receipt {
    pub(super) fn new(run: &RunId, step: &StepId, attempt: u32) -> Self {
        Self { run: run.clone(), name: name(step, attempt) }
    }

    /// Shell text: `rb_d` is the run's directory, `rb_f` the start of the receipt's file names.
    pub(super) fn locate(&self) -> String {
        let otherwise = "rb_no 'the folder for receipts belongs to somebody else'";
        format!("{}rb_f=$rb_d/{};", locate_run(&self.run, otherwise), shell_word(&self.name))
    }

    /// Shell text: refuses a second start, makes the directory, and room for the end: it is written over blanks, so that
    /// a disk that the command filled cannot keep it out.
    pub(super) const MAKE_ROOM: &str = "if [ -e \"$rb_f.start\" ];then rb_no 'it was started before: its receipt is on the host';fi;\
         [ -d \"$rb_d\" ] || (umask 077;mkdir -p \"$rb_d\") || rb_no 'no receipt could be written';\
         set -C;{ printf '%64s\\n' '' >\"$rb_f.exit\"; } 2>/dev/null || [ -s \"$rb_f.exit\" ] || rb_no 'no receipt could be written';set +C;";

    /// Shell text: the mark that it starts, and the files for its output; or a refusal. Defines `rb_gone`, which
    /// refuses what has its mark already.
    ///
    /// The mark is read back: whoever asked in between may have withdrawn the action. (Each piece of this has its
    /// counterexample in `tests/model/receipts.rs`.)
    pub(super) fn mark_start() -> String {
        format!(
            "rb_b=-;read -r rb_b </proc/sys/kernel/random/boot_id;rb_u=0;read -r rb_u rb_s </proc/uptime;set -C;\
             {{ :;}} >\"$rb_f.start\" || rb_no 'no receipt could be written';set +C;\
             printf '%s %s %s %s %s %s .\\n' $$ \"$rb_g\" \"$rb_b\" {} \"$rb_t\" \"$rb_u\" >>\"$rb_f.start\" \
             || rb_no 'no receipt could be written';\
             rb_gone() {{ printf 'refused .' 1<>\"$rb_f.exit\";rb_no \"$1\"; }};\
             read -r rb_s rb_l <\"$rb_f.start\";[ \"$rb_s\" = $$ ] || rb_no 'it was withdrawn';\
             {{ :;}} >\"$rb_f.out\" && {{ :;}} >\"$rb_f.err\" || rb_gone 'no room for its output';",
            SystemClock.now().as_second()
        )
    }

    /// Shell text for whoever had to kill the wrapper: it can write no more.
    pub(super) fn mark_killed(&self) -> String {
        let otherwise = "exit 1";
        let name = shell_word(&self.name);
        format!(
            "{}rb_f=$rb_d/{name};read -r rb_u rb_s </proc/uptime;\
             rb_1=;read -r rb_1 <\"$rb_f.exit\";case $rb_1 in *' .');;*) printf '137 %s .' \"${{rb_u:-0}}\" 1<>\"$rb_f.exit\";;esac;",
            locate_run(&self.run, otherwise)
        )
    }

    /// Shell text: the end, with the status in `rb_x`. That it cannot be written is no failure of the command.
    pub(super) const MARK_EXIT: &str =
        r#"read -r rb_u rb_s </proc/uptime;printf '%s %s .' "$rb_x" "$rb_u" 1<>"$rb_f.exit";"#;

    /// Shell text: makes sure that the action, of which nothing is there, never starts. `boot`: the host's boot when it
    /// was sent; another one now may have taken the receipt with it.
    pub(super) fn withdraw(boot: Option<&str>) -> String {
        let boot = shell_word(boot.unwrap_or_default());
        format!("rb_was={boot};[ -d \"$rb_d\" ] || (umask 077;mkdir -p \"$rb_d\");")
    }
}

/// Shell text: `rb_line FILE` reads a mark's line into `rb_1`, `rb_whole` says whether it is whole, `rb_alive` with the words
/// of a start mark whether anything lives of what started then (`rb_b` is the host's boot now).
pub(super) const MARKS: &str = r#"
    rb_line() { rb_1=;[ -e "$1" ] && read -r rb_1 <"$1"; };
    rb_whole() { case $rb_1 in *' .') return 0;;esac;return 1; };
    rb_alive() {
        [ "$3" = "$rb_b" ] || return 1;
        [ -r /proc/self/stat ] || { kill -0 -"$2" 2>/dev/null;return; };
        if [ -e /proc/$1/stat ] && rb_1= && read -r rb_1 </proc/$1/stat;then
            rb_group=$2;rb_ticks=$5;set -- ${rb_1##*) };
            case $1 in Z|X);;*) [ "${20}" != "$rb_ticks" ] || return 0;;esac;
            set -- 0 "$rb_group";
        fi;
        rb_group=$2;
        for rb_p in /proc/[0-9]*/stat;do
            rb_1=;read -r rb_1 <"$rb_p" || continue;
            set -- ${rb_1##*) };
            [ "$3" = "$rb_group" ] || continue;
            case $1 in Z|X);;*) return 0;;esac;
        done 2>/dev/null;
        return 1;
    };
"#;

/// Shell text that follows an action from `rb_o` bytes of its stdout and `rb_e` of its stderr on, to its end, and tells it
/// as the wrapper would have. Where no whole line tells that it started, it is withdrawn; a wrapper that has made the file
/// and not yet its line is given two seconds.
pub(super) const FOLLOW: &str = r#"
    rb_nap() { sleep "$1" 2>/dev/null || sleep 1; };
    rb_i=0;rb_line "$rb_f.start";
    until rb_whole || [ $rb_i -ge 20 ] || ! [ -e "$rb_f.start" ];do rb_i=$((rb_i+1));rb_nap 0.1;rb_line "$rb_f.start";done;
    if ! rb_whole;then
        { printf 'withdrawn .\n' >>"$rb_f.start"; } 2>/dev/null;rb_line "$rb_f.start";
        rb_whole || rb_no 'there is no room for a mark that it is withdrawn';
    fi;
    case $rb_1 in *'withdrawn .') case ${rb_was:-$rb_b} in "$rb_b"|-) rb_lost never;;esac;rb_lost rebooted;;esac;
    set -- $rb_1;
    rb_ended() { rb_line "$rb_f.exit";rb_whole; };
    rb_ended && case $rb_1 in refused*) rb_lost never;;esac;
    exec 2>/dev/null;
    for rb_p in out err;do [ -r "$rb_f.$rb_p" ] || { :;} >>"$rb_f.$rb_p";done;
    exec 4<"$rb_f.out" 5<"$rb_f.err";
    rb_u=0;read -r rb_u rb_s </proc/uptime;
    [ "$3" = "$rb_b" ] || rb_u=$6;
    printf '%sbegin\n' "$rb_k";printf '%sstart %s %s %s %s\n' "$rb_k" "$1" "$2" "$6" "$rb_u" >&3;
    tail -c +$((rb_o+1)) <&4;tail -c +$((rb_e+1)) <&5 >&3;
    rb_i=0;
    until rb_ended;do
        if ! rb_alive "$@";then rb_ended;break;fi;
        rb_i=$((rb_i+1));
        if [ $rb_i -le 20 ];then rb_nap 0.1;elif [ $rb_i -le 120 ];then rb_nap 0.5;else sleep 1;fi;
        cat <&4;cat <&5 >&3;
    done;
    cat <&4;cat <&5 >&3;
    case $rb_1 in refused*) rb_lost never;;esac;
    if rb_whole;then printf '%send\n' "$rb_k";printf '%sexit %s\n' "$rb_k" "${rb_1% .}" >&3;
    elif [ "$3" = "$rb_b" ];then rb_lost gone;
    else rb_lost rebooted;fi;
"#;

/// Shell text that sets `rb_d` to the folder of a run: where it is there already, for a home may become writable, or not
/// writable, in the middle of a run.
fn locate_run(run: &RunId, otherwise: &str) -> String {
    let all = locate_all(otherwise);
    format!(
        "rb_d=/var/tmp/runbook-${{LOGNAME:-$USER}};\
         if [ -d \"$HOME/{FOLDER}/{run}\" ];then rb_d=$HOME/{FOLDER};\
         elif [ -d \"$rb_d/{run}\" ] && [ -O \"$rb_d\" ] && ! [ -h \"$rb_d\" ];then :;else {all}fi;\
         rb_d=$rb_d/{run};"
    )
}

/// Shell text that sets `rb_d` to the folder of all runs. In `/var/tmp` it could be somebody else's trap: then it does
/// `otherwise`.
pub(super) fn locate_all(otherwise: &str) -> String {
    format!(
        "rb_d=$HOME/{FOLDER};if [ -d \"$HOME\" ] && [ -w \"$HOME\" ];then :;else \
         rb_d=/var/tmp/runbook-${{LOGNAME:-$USER}};\
         if [ -e \"$rb_d\" ] || [ -h \"$rb_d\" ];then if [ -h \"$rb_d\" ] || ! [ -O \"$rb_d\" ];then \
         {otherwise};fi;fi;fi;"
    )
}

/// Shell text that removes a run's receipts.
pub(super) fn remove(run: &RunId) -> String {
    format!("{}rm -rf \"$rb_d\"", locate_run(run, "exit 1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = "77 77 11111111-2222 1795300000 99 3.00 .\n";

    #[test]
    fn a_name_is_its_actions() {
        for (step, attempt) in [("act", 1), ("outer/inner/undo", 12)] {
            assert_eq!(named(&name(&StepId::new(step), attempt)), (StepId::new(step), attempt));
        }
        assert_eq!(named("no-try"), (StepId::new("no-try"), 0));
    }

    #[test]
    fn only_whole_first_lines_count() {
        let marks = |start: &str, exit: &str| {
            let there = |text: &str| (!text.is_empty()).then(|| text.as_bytes().to_vec());
            read(there(start).as_deref(), there(exit).as_deref())
        };
        let started = Marks::Started(Start {
            boot: "11111111-2222".to_owned(),
            sent: Timestamp::from_second(1_795_300_000).unwrap(),
        });
        let withdrawn_late = format!("{START}withdrawn .\n");
        for (start, exit, wanted) in [
            (START, "", started.clone()),
            (&withdrawn_late, "", started.clone()),
            // the end is being written
            (START, "3 9.0", started),
            (START, "3 9.00 .\n", Marks::Ended(3)),
            (START, "refused .\n", Marks::NeverStarted),
            ("withdrawn .\n", "3 9.00 .\n", Marks::NeverStarted),
            // appended to a line that was cut
            ("77 77 1111withdrawn .\n", "", Marks::NeverStarted),
            ("77 77 1111", "", Marks::Unclear),
            ("", "3 9.00 .\n", Marks::Unclear),
            (START, "three 9.00 .\n", Marks::Unclear),
            ("1 2 .\n", "", Marks::Unclear),
        ] {
            assert_eq!(marks(start, exit), wanted, "{start:?} {exit:?}");
        }
    }
}
