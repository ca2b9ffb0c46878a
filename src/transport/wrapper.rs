//! The text that runs a command on a host: plain POSIX `sh`, sent along with each command.
//!
//! What the host's process list shows is a constant line (see [`Bootstrap`]) with a label; everything else travels on
//! its standard input. The first line there is shell text ([`Errand::line`]) that the bootstrap takes with
//! `IFS= read -r`, byte by byte, so that the bytes behind it are the command's own standard input, untouched. A line
//! that did not arrive whole is not executed: as long as its last byte was not written, the command did not start.
//!
//! Apart because it is another language: the shells it must work with (dash, bash, busybox) are its tests.
//!
//! What the text does for an action: write the receipt's `start` mark (created exclusively, before anything runs),
//! report `start` with the process group, run the command in a subshell, write the receipt's `exit`, report `exit`.
//! It starts no process but the command's own. The wrapper stays in the command's process group and survives TERM by
//! a trap; children of the shell get the default back, as POSIX has it.
//!
//! *Not guaranteed*: in a `run:` text `$$` is the wrapper's process id, so `kill $$` does not end the text.

use std::fmt::Write as _;

use super::receipt::Receipt;
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
}

impl Errand {
    /// Runs `command`; an action leaves `receipt`, a probe nothing.
    pub(super) fn command(nonce: String, command: &Command, receipt: Option<&Receipt>) -> Self {
        // LEAD has read it already, unless there was a `setsid` or `sudo` since
        let mut body = String::from(
            "if [ $# -gt 20 ];then shift 2;else read -r rb_s </proc/$$/stat;set -- ${rb_s##*) };fi;\
             rb_g=${3:-$$};rb_t=${20:-0};set --;",
        );
        let script = matches!(command.program, Program::Script { .. });
        if let Some(receipt) = receipt {
            body.push_str(&receipt.locate());
            body.push_str(&receipt.make_room());
            if script {
                body.push_str("rb_a=$rb_f.script;");
            }
        } else if script {
            body.push_str("rb_a=$(mktemp) || rb_no 'no room for the script';");
        }
        if let Program::Script { text, .. } = &command.program {
            let _ = write!(body, "printf %s {} >\"$rb_a\" || rb_no 'no room for the script';", word(text));
        }
        if let Some(receipt) = receipt {
            body.push_str(&receipt.mark_start());
        }
        body.push_str("trap : HUP INT QUIT PIPE TERM;");
        body.push_str(r#"printf '%sbegin\n' "$rb_k";printf '%sstart %s %s %s\n' "$rb_k" $$ "$rb_g" "$rb_t" >&2;"#);
        if let Program::Shell(text) = &command.program {
            let _ = write!(body, "rb_c={};", word(text));
        }
        // the shell's own remarks ("Terminated") go nowhere: they are not the command's
        body.push_str("exec 3>&2 2>/dev/null;(");
        for (name, value) in &command.env {
            let _ = write!(body, "export {name}={};", word(value.expose()));
        }
        body.push_str(&program(&command.program));
        body.push_str(if command.stdin.is_some() { ") 2>&3 3>&-;" } else { ") 2>&3 3>&- </dev/null;" });
        body.push_str("rb_x=$?;");
        if receipt.is_some() {
            body.push_str(Receipt::MARK_EXIT);
        }
        body.push_str(r#"printf '%send\n' "$rb_k";printf '%sexit %s\n' "$rb_k" "$rb_x" >&3;"#);
        if script {
            body.push_str(r#"rm -f "$rb_a";"#);
        }
        Self { nonce, body }
    }

    /// Runs a text of ours, which has no business with receipts.
    pub(super) fn service(nonce: String, text: &str) -> Self {
        Self::command(nonce, &Command::shell(text), None)
    }

    /// The line for the bootstrap, with its newline. `stdin_free`: the command has no input of its own.
    pub(super) fn line(&self, stdin_free: bool) -> Vec<u8> {
        // a newline without a process: IFS starts out as blank, tab, newline
        let text = format!(
            "rb_n=${{IFS#??}};rb_k='\x1e{} ';rb_no() {{ printf '%srefused %s\\n' \"$rb_k\" \"$1\" >&2;exit 0; }};{}",
            self.nonce, self.body
        );
        debug_assert!(!text.contains('\n'), "one line");
        if text.len() > READ_AT_MOST && stdin_free {
            let mark = format!("#{}", self.nonce);
            // the mark at its end shows that it arrived whole
            return format!("rb_p=$(cat);case $rb_p in *'{mark}') eval \"$rb_p\";;esac\n{text}{mark}\n").into_bytes();
        }
        let mut line = text.into_bytes();
        line.push(b'\n');
        line
    }
}

/// What the subshell does last: it forgets our variables and becomes the program.
fn program(program: &Program) -> String {
    const FORGET: &str = "unset rb_n rb_k rb_s rb_g rb_t rb_d rb_f rb_b rb_p;unset -f rb_no;";
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
