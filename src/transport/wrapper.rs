//! The text that runs a command on a host: plain POSIX `sh`, sent along with each command.
//!
//! What the host's process list shows is a constant line (see [`Bootstrap`]) with a label; everything else travels on
//! its standard input. The first line there is shell text ([`Errand::line`]) that the bootstrap takes with
//! `IFS= read -r`, byte by byte, so that the bytes behind it are the command's own standard input, untouched. A line
//! that did not arrive whole is not executed: as long as its last byte was not written, the command did not start.
//!
//! Apart because it is another language: the shells it must work with (dash, bash, busybox) are its tests.
//!
//! What the text does for an action: write the receipt's start mark (before anything runs), make sure that the run holds the
//! host's lock, report `start` with the process group, run the command in a subshell with its output in files, write the
//! receipt's exit, tell the output and `exit`. It starts no process but the command's own and a `cat` for each stream that
//! was written to. The wrapper stays in the command's process group and survives TERM by a trap; children of the shell get
//! the default back, as POSIX has it.
//!
//! *Not guaranteed*: in a `run:` text `$$` is the wrapper's process id, so `kill $$` does not end the text.

use std::fmt::Write as _;

use super::lease;
use super::receipt::{FOLLOW, MARKS, Receipt};
use crate::vocab::command::Stdin;
use crate::vocab::quote::shell_word;
use crate::vocab::{Command, Program};

/// Takes one line from standard input and executes it. No newline, backslash, `!` or single quote may be in here: csh
/// and fish read them differently even inside single quotes.
const TAKE: &str = r#"IFS= read -r rb_p && eval "$rb_p""#;

/// Makes sure that the shell leads a process group that nothing else is in (sshd sees to that; where it does not,
/// `setsid` does), then takes the line. `$1` is [`TAKE`], `$2` the label.
const LEAD: &str =
    r#"read -r s </proc/$$/stat; set -- "$@" ${s##*) }; [ "$5" = $$ ] || exec setsid sh -c "$1" sh "$2"; eval "$1""#;

/// The same through sudo; `$3` is the user.
const LEAD_SUDO: &str = r#"read -r s </proc/$$/stat; set -- "$@" ${s##*) }; [ "$6" = $$ ] || exec setsid sudo -n -H -u "$3" sh -c "$1" sh "$2"; exec sudo -n -H -u "$3" sh -c "$1" sh "$2""#;

/// A text up to this size is read byte by byte; a longer one, where standard input is free, through `cat`.
const READ_AT_MOST: usize = 48 * 1024;

/// The constant command line that starts the wrapper.
#[derive(Clone, Debug)]
pub(super) struct Bootstrap {
    /// The user for `sudo`, if any.
    pub(super) sudo: Option<String>,
    /// What a person sees of it in `ps`: run, step, attempt; over ssh without sudo, where any command may get the session,
    /// none of them.
    pub(super) label: String,
}

impl Bootstrap {
    pub(super) fn new(sudo: Option<&str>, label: &str) -> Self {
        let harmless = |c: char| c.is_ascii_alphanumeric() || "/._-:@#".contains(c);
        let label = label.chars().map(|c| if harmless(c) { c } else { '_' }).collect();
        Self { sudo: sudo.map(str::to_owned), label }
    }

    /// The line for whatever login shell the host's user has.
    pub(super) fn login_line(&self) -> String {
        match &self.sudo {
            None => format!("exec sh -c '{LEAD}' sh '{TAKE}' runbook:{}", self.label),
            Some(user) => {
                format!("exec sh -c '{LEAD_SUDO}' sh '{TAKE}' runbook:{} {}", self.label, shell_word(user))
            }
        }
    }

    /// A first line for a wrapper that is to say `word` on its stdout and then take its errand.
    pub(super) fn saying(word: &str) -> String {
        format!("echo {word};{TAKE}\n")
    }

    /// The argument vector for a machine where the caller has made the session.
    pub(super) fn argv(&self) -> Vec<String> {
        let mut argv: Vec<String> = Vec::new();
        if let Some(user) = &self.sudo {
            argv.extend(["sudo", "-n", "-H", "-u", user].map(str::to_owned));
        }
        argv.extend(["sh", "-c", TAKE, "sh"].map(str::to_owned));
        argv.push(format!("runbook:{}", self.label));
        argv
    }
}

/// What the wrapper is to do.
#[derive(Debug)]
pub(super) struct Errand {
    /// Marks the wrapper's own lines; random, and known to nothing that runs under it.
    pub(super) nonce: String,
    body: String,
    /// What it reads behind its line.
    pub(super) input: Vec<u8>,
    /// It reads nothing but its line.
    input_free: bool,
}

/// An input up to this size stands in the errand itself; a larger one, which is never a secret, is put beside the
/// receipt first.
const INPUT_AT_MOST: usize = 16 * 1024;

/// Where it stands: `rb_g` is its process group, `rb_t` its start time in ticks.
// LEAD has read it already, unless there was a `setsid` or `sudo` since
const STANDING: &str = "if [ $# -gt 20 ];then shift 2;else read -r rb_s </proc/$$/stat;set -- ${rb_s##*) };fi;\
     rb_g=${3:-$$};rb_t=${20:-0};set --;";

/// Says that the command begins.
const BEGIN: &str =
    r#"printf '%sbegin\n' "$rb_k";printf '%sstart %s %s %s %s\n' "$rb_k" $$ "$rb_g" "$rb_u" "$rb_u" >&2;"#;

/// Whether something that the command left behind holds its output open: only what was started since can. No process is
/// started to find out. Where the numbers of processes began anew, or very many were given out, all are looked at.
const HELD: &str = r#"rb_open() { for rb_q in 1 2;do [ $1/fd/$rb_q -ef "$rb_f.out" ] || [ $1/fd/$rb_q -ef "$rb_f.err" ] || continue;return 0;done;return 1; };rb_held() { rb_l=0;read -r rb_s rb_s rb_s rb_s rb_l </proc/loadavg;rb_p=$$;if [ $rb_l -gt $rb_p ] && [ $rb_l -lt $((rb_p+999)) ];then while [ $rb_p -lt $rb_l ];do rb_p=$((rb_p+1));rb_open /proc/$rb_p && return;done;return 1;fi;for rb_p in /proc/[0-9]*;do rb_open $rb_p && return;done;return 1; };"#;

/// What it tells when the command of an action has ended: all its output, and the status. A child that holds the output
/// open is given a second.
const TELL: &str = r#"rb_h=0;while rb_held && [ $rb_h -lt 10 ];do rb_h=$((rb_h+1));sleep 0.1 || { sleep 1;rb_h=10; };done;rb_tell() { if [ -s "$1" ] || ! [ -e "$1" ];then cat;fi; };rb_tell "$rb_f.out" <&4;printf '%send\n' "$rb_k";rb_tell "$rb_f.err" <&5 >&3;rb_l=;[ $rb_h -lt 10 ] || rb_l=' held';printf '%sexit %s %s%s\n' "$rb_k" "$rb_x" "$rb_u" "$rb_l" >&3;"#;

impl Errand {
    /// Looks by `command`: its output goes straight over the connection.
    pub(super) fn look(nonce: String, command: &Command) -> Self {
        let mut body = format!("{STANDING}rb_u=0;");
        if let Program::Script { text, .. } = &command.program {
            body.push_str("rb_a=$(mktemp) || rb_no 'no room for the script';");
            body.push_str(&write_script(text));
        }
        body.push_str("trap : HUP INT QUIT PIPE TERM;");
        body.push_str(BEGIN);
        let (before, subshell) = subshell(command);
        // the shell's own remarks ("Terminated") go nowhere: they are not the command's
        let _ = write!(body, "{before}exec 3>&2 2>/dev/null;{subshell}");
        body.push_str(if command.stdin.is_some() { " 2>&3 3>&-;" } else { " 2>&3 3>&- </dev/null;" });
        body.push_str(r#"rb_x=$?;printf '%send\n' "$rb_k";printf '%sexit %s\n' "$rb_k" "$rb_x" >&3;"#);
        if matches!(command.program, Program::Script { .. }) {
            body.push_str(r#"rm -f "$rb_a";"#);
        }
        let input = command.stdin.as_ref().map(Stdin::bytes).unwrap_or_default().to_vec();
        Self { nonce, body, input, input_free: command.stdin.is_none() }
    }

    /// Acts by `command`, if nothing of `receipt` is there; otherwise it is refused.
    pub(super) fn act(nonce: String, command: &Command, receipt: &Receipt, guard: &str) -> Self {
        let (text, input) = action(command, guard);
        let body = format!("{STANDING}{}{}{text}", receipt.locate(), Receipt::MAKE_ROOM);
        Self { nonce, body, input_free: input.is_empty(), input }
    }

    /// Acts by `command` if nothing of `receipt` is there; otherwise it tells what became of it, from `seen` bytes of
    /// stdout and stderr on.
    pub(super) fn act_or_follow(
        nonce: String,
        command: &Command,
        receipt: &Receipt,
        guard: &str,
        seen: (usize, usize),
    ) -> Self {
        let (text, input) = action(command, guard);
        let (locate, follow) = (receipt.locate(), follow(seen));
        let body =
            format!("{STANDING}{locate}if [ -e \"$rb_f.start\" ];then {follow}exit 0;fi;{}{text}", Receipt::MAKE_ROOM);
        Self { nonce, body, input_free: input.is_empty(), input }
    }

    /// Tells what became of the action of `receipt`, from `seen` bytes of stdout and stderr on. Nothing of it is there:
    /// then it sees to it that it never starts.
    pub(super) fn ask(nonce: String, receipt: &Receipt, boot: Option<&str>, seen: (usize, usize)) -> Self {
        let withdraw = Receipt::withdraw(boot);
        let body = format!("{}{DEFINE_LOST}{withdraw}{}", receipt.locate(), follow(seen));
        Self { nonce, body, input: Vec::new(), input_free: true }
    }

    /// Tells what becomes of the action of `receipt`, which was heard to start, from `seen` bytes of stdout and stderr on.
    pub(super) fn follow(nonce: String, receipt: &Receipt, seen: (usize, usize)) -> Self {
        let (locate, follow) = (receipt.locate(), follow(seen));
        let body = format!("{locate}{DEFINE_LOST}[ -s \"$rb_f.start\" ] || rb_lost missing;{follow}");
        Self { nonce, body, input: Vec::new(), input_free: true }
    }

    /// Runs a text of ours, which has no business with receipts.
    pub(super) fn service(nonce: String, text: &str) -> Self {
        Self::look(nonce, &Command::shell(text))
    }

    /// The line for the bootstrap, with its newline.
    pub(super) fn line(&self) -> Vec<u8> {
        // a newline without a process: IFS starts out as blank, tab, newline
        let text = format!(
            "rb_n=${{IFS#??}};rb_k='\x1e{} ';rb_no() {{ printf '%srefused %s\\n' \"$rb_k\" \"$1\" >&2;exit 0; }};{}",
            self.nonce, self.body
        );
        debug_assert!(!text.contains('\n'), "one line");
        if text.len() > READ_AT_MOST && self.input_free {
            let mark = format!("#{}", self.nonce);
            // the mark at its end shows that it arrived whole
            return format!("rb_p=$(cat);case $rb_p in *'{mark}') eval \"$rb_p\";;esac\n{text}{mark}\n").into_bytes();
        }
        let mut line = text.into_bytes();
        line.push(b'\n');
        line
    }
}

/// What an action does from its mark to its end, and what is read behind its line.
///
/// The command writes to files beside the receipt and reads what was there before it started: neither side of the
/// connection can hold it up, and it does not notice when the connection goes.
fn action(command: &Command, guard: &str) -> (String, Vec<u8>) {
    let mut text = String::new();
    let mut behind = Vec::new();
    let mut left = Vec::new();
    let (mut feed, mut from) = ("", " </dev/null");
    match &command.stdin {
        None => {}
        Some(Stdin::File { bytes, .. }) if bytes.len() > INPUT_AT_MOST => {
            let length = bytes.len();
            let _ = write!(
                text,
                "cat >\"$rb_f.in$$\" && [ $(wc -c <\"$rb_f.in$$\") -eq {length} ] || rb_no 'its input did not arrive whole';"
            );
            behind.clone_from(bytes);
            left.push("$rb_f.in$$");
            from = " <\"$rb_f.in$$\"";
        }
        Some(stdin) => {
            let bytes = stdin.bytes();
            if !bytes.is_empty() {
                let (value, print) = word_of_bytes(bytes);
                let _ = write!(text, "rb_i={value};");
                (feed, from) = (print, "");
            }
        }
    }
    if let Program::Script { text: script, .. } = &command.program {
        text.push_str("rb_a=$rb_f.script$$;");
        text.push_str(&write_script(script));
        left.push("$rb_a");
    }
    text.push_str(&Receipt::mark_start());
    text.push_str(guard);
    text.push_str("trap : HUP INT QUIT PIPE TERM;exec 4<\"$rb_f.out\" 5<\"$rb_f.err\";");
    text.push_str(BEGIN);
    let (before, subshell) = subshell(command);
    let _ = write!(
        text,
        "{before}exec 3>&2 2>/dev/null;{feed}{subshell} >>\"$rb_f.out\" 2>>\"$rb_f.err\" 3>&- 4<&- 5<&- 6>&-{from};rb_x=$?;"
    );
    text.push_str(Receipt::MARK_EXIT);
    if !guard.is_empty() {
        text.push_str(lease::RETIRE);
    }
    text.push_str(HELD);
    text.push_str(TELL);
    if !left.is_empty() {
        text.push_str("rm -f");
        left.iter().for_each(|file| text.push_str(&format!(" \"{file}\"")));
        text.push(';');
    }
    (text, behind)
}

/// Defines `rb_lost`, which says why there is no end to tell of.
const DEFINE_LOST: &str = r#"exec 3>&2;rb_lost() { printf '%slost %s\n' "$rb_k" "$1" >&3;exit 0; };"#;

/// The host's boot, as the receipts have it.
const READ_BOOT: &str = "rb_b=-;read -r rb_b </proc/sys/kernel/random/boot_id;";

fn follow(seen: (usize, usize)) -> String {
    let text: String = MARKS.lines().chain(FOLLOW.lines()).map(str::trim).collect::<Vec<_>>().join(" ");
    format!("{DEFINE_LOST}{READ_BOOT}rb_o={};rb_e={};trap : HUP INT QUIT PIPE TERM;{text}", seen.0, seen.1)
}

fn write_script(text: &str) -> String {
    format!("printf %s {} >\"$rb_a\" || rb_no 'no room for the script';", word(text))
}

/// What stands in front of the subshell, and the subshell that becomes the program.
fn subshell(command: &Command) -> (String, String) {
    let before = match &command.program {
        Program::Shell(text) => format!("rb_c={};", word(text)),
        Program::Argv(_) | Program::Script { .. } => String::new(),
    };
    let mut text = "(".to_owned();
    for (name, value) in &command.env {
        let _ = write!(text, "export {name}={};", word(value.expose()));
    }
    text.push_str(&program(&command.program));
    text.push(')');
    (before, text)
}

/// What the subshell does last: it forgets our variables and becomes the program.
fn program(program: &Program) -> String {
    const FORGET: &str = "unset rb_ld rb_lb rb_lm rb_ln rb_lf rb_lv rb_ls rb_lr rb_lo rb_lx rb_ll rb_lw rb_lu rb_lz rb_n rb_k rb_s rb_g rb_t rb_u rb_l rb_d rb_f rb_b rb_i rb_p;unset -f rb_no rb_gone;";
    match program {
        Program::Shell(_) => format!("{FORGET}set -e;eval \"unset rb_c;$rb_c\""),
        Program::Argv(argv) => format!("set -- {};{FORGET}{}", words(argv), replace_shell(argv)),
        Program::Script { interpreter, args, .. } => {
            let (before, after) = (words(interpreter), words(args));
            format!("set -- {before} \"$rb_a\" {after};{FORGET}unset rb_a;{}", replace_shell(interpreter))
        }
    }
}

/// `exec` with the positional parameters. A program whose name starts with `-` would be read as an option of `exec`.
fn replace_shell(argv: &[String]) -> &'static str {
    if argv.first().is_some_and(|first| first.starts_with('-')) { "exec -- \"$@\"" } else { "exec \"$@\"" }
}

fn words(argv: &[String]) -> String {
    argv.iter().map(|value| word(value)).collect::<Vec<_>>().join(" ")
}

/// `value` as one word of the line: quoted, its newlines through a variable.
pub(super) fn word(value: &str) -> String {
    if !value.contains('\n') {
        return shell_word(value);
    }
    value
        .split('\n')
        .map(|line| if line.is_empty() { String::new() } else { shell_word(line) })
        .collect::<Vec<_>>()
        .join("\"$rb_n\"")
}

/// `bytes` as one word of the line, and what prints it to a pipe: text as it is, anything else in octal.
fn word_of_bytes(bytes: &[u8]) -> (String, &'static str) {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => (word(text), "printf %s \"$rb_i\"|"),
        Ok(_) | Err(_) => {
            let octal: String = bytes.iter().fold(String::new(), |mut octal, byte| {
                let _ = write!(octal, "\\0{byte:03o}");
                octal
            });
            (shell_word(&octal), "printf %b \"$rb_i\"|")
        }
    }
}
