//! Commands as a person pastes them into bash on the host named.
//!
//! What the engine does around a command (a shell of its own that stops at the first error, an environment, an input,
//! another user) is written out, as far as the command needs it: `uptime` stays `uptime`.

use std::fmt::Write as _;

use super::secret;
use crate::model::{Target, Transport};
use crate::vocab::command::Stdin;
use crate::vocab::quote::shell_word;
use crate::vocab::{Command, HttpRequest, MaskedText, Period, Program, TcpTalk};

/// A command on the host it is meant for; a script of the book is no such command: see [`script`].
pub(super) fn command(command: &Command) -> Option<String> {
    let text = match &command.program {
        Program::Shell(text) => text.trim_end().to_owned(),
        Program::Argv(words) => words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" "),
        Program::Script { .. } => return None,
    };
    Some(run(&text, command, command.sudo.as_deref()))
}

/// A script of the book, from the admin host: sent to its interpreter on the target.
pub(super) fn script(command: &Command, target: &Target) -> Option<String> {
    let Program::Script { name, interpreter, args, .. } = &command.program else { return None };
    let local = target.transport == Transport::Local;
    let mut words: Vec<String> = interpreter.iter().map(|word| shell_word(word)).collect();
    if local {
        words.push(shell_word(name));
        words.extend(args.iter().map(|arg| shell_word(arg)));
        return Some(run(&words.join(" "), command, command.sudo.as_deref()));
    }
    words.push(if is_shell(interpreter) { "-s".to_owned() } else { "-".to_owned() });
    words.extend(args.iter().map(|arg| shell_word(arg)));
    let mut secrets = Vec::new();
    let mut remote = String::new();
    for (variable, value) in &command.env {
        if value.has_secret() {
            let _ = write!(remote, "IFS= read -r {variable}; export {variable}; ");
            secrets.push(value);
        } else {
            let _ = write!(remote, "export {variable}={}; ", shell_word(value.shown()));
        }
    }
    let exec = if remote.is_empty() { "" } else { "exec " };
    let _ = write!(remote, "{exec}{}", words.join(" "));
    let remote = match (&command.sudo, remote.contains(';')) {
        (Some(user), true) => format!("{}sh -c {}", sudo(user), shell_word(&remote)),
        (Some(user), false) => format!("{}{remote}", sudo(user)),
        (None, _) => remote,
    };
    let ssh = format!("{} {}", ssh(target), shell_word(&remote));
    let file = shell_word(name);
    if secrets.is_empty() {
        return Some(format!("{ssh} < {file}"));
    }
    let mut lines = asked(secrets.iter().copied());
    let given: Vec<String> = secrets.iter().map(|value| format!("printf '%s\\n' {}", secret::words(value))).collect();
    let _ = write!(lines, "{{ {}; cat {file}; }} | {ssh}", given.join("; "));
    Some(lines)
}

/// A file of the book, from the admin host: beside its place, then renamed into it.
pub(super) fn copy(
    file: &str,
    dest: &str,
    mode: &str,
    owner: Option<&str>,
    user: Option<&str>,
    target: &Target,
) -> String {
    let new = format!("{dest}.new");
    let mut then = String::new();
    if let Some(owner) = owner {
        let _ = write!(then, "chown {} {} && ", shell_word(owner), shell_word(&new));
    }
    let _ = write!(then, "chmod {mode} {new} && mv -f {new} {}", shell_word(dest), new = shell_word(&new));
    let file = shell_word(file);
    match (user, target.transport) {
        (user, Transport::Local) => {
            let sudo = user.map(sudo).unwrap_or_default();
            let then = if sudo.is_empty() { then } else { format!("{sudo}sh -c {}", shell_word(&then)) };
            format!("{sudo}cp {file} {} &&\n{then}", shell_word(&new))
        }
        // the login user may not write there: the file goes through the other user's hands
        (Some(user), Transport::Ssh) => {
            let all = format!("cat > {} && {then}", shell_word(&new));
            let remote = format!("{}sh -c {}", sudo(user), shell_word(&all));
            format!("{} {} < {file}", ssh(target), shell_word(&remote))
        }
        (None, Transport::Ssh) => {
            let to = format!("{}:{new}", login(target));
            format!("scp{} {file} {} &&\n{} {}", options(target, "-P"), shell_word(&to), ssh(target), shell_word(&then))
        }
    }
}

/// A TCP conversation, in bash: what is sent, then all that comes back.
pub(super) fn talk(talk: &TcpTalk, timeout: Period) -> String {
    let port = format!("/dev/tcp/{}/{}", talk.to, talk.port);
    if talk.send.is_none() && talk.until.is_none() {
        let inner = format!("exec 3<>{port}");
        return format!("timeout {} bash -c {} && echo open", seconds(timeout), shell_word(&inner));
    }
    let send = talk.send.as_ref().map(|text| format!("printf \"{}\" >&3; ", printed(text))).unwrap_or_default();
    let (read, most) = match talk.until.as_deref().map(last_line) {
        None => ("cat".to_owned(), timeout),
        Some(Some(line)) if line.is_empty() => ("sed -u q".to_owned(), timeout),
        Some(Some(line)) => (format!("sed -u \"/{line}/q\""), timeout),
        // what keeps the connection open behind its answer is left when the time is up
        Some(None) => ("cat".to_owned(), Period::seconds(3).min(timeout)),
    };
    let inner = format!("exec 3<>{port} && {send}{read} <&3");
    format!("timeout {} bash -c {}", seconds(most), shell_word(&inner))
}

/// The pattern of the line that ends an answer, where it is a line, and of characters that mean themselves to sed and the
/// shells; empty where any line does.
fn last_line(until: &str) -> Option<String> {
    let line = until.trim_matches(['\r', '\n']);
    let plain = |c: char| c.is_ascii_alphanumeric() || " _:,;-.".contains(c);
    if line.is_empty() && until.matches('\n').count() == 1 {
        return Some(String::new());
    }
    let begins = if line.is_empty() || until.starts_with('\n') { "^" } else { "" };
    let ends = if line.is_empty() || until.ends_with('\n') { "\\r\\?$" } else { "" };
    line.chars().all(plain).then(|| format!("{begins}{}{ends}", line.replace('.', "[.]")))
}

/// An HTTP request, by curl: the status line, the headers, the body.
pub(super) fn request(request: &HttpRequest, timeout: Period) -> String {
    let texts = request.headers.iter().map(|(_, value)| value).chain(&request.body);
    let mut out = asked(texts.filter(|text| text.has_secret()));
    let _ = write!(out, "curl -sS -i --max-time {}", seconds(timeout));
    if request.url.contains(['[', ']', '{', '}']) {
        out.push_str(" --globoff");
    }
    match (request.method.as_str(), &request.body) {
        ("GET", None) | ("POST", Some(_)) => {}
        ("HEAD", None) => out.push_str(" --head"),
        (method, _) => {
            let _ = write!(out, " -X {}", shell_word(method));
        }
    }
    for (name, value) in &request.headers {
        // from a file that only this shell has: an argument can be read by every user of the machine
        if value.has_secret() {
            let _ = write!(out, " -H @<(printf '%s\\n' {})", secret::words_behind(&format!("{name}: "), value));
        } else {
            let _ = write!(out, " -H {}", shell_word(&format!("{name}: {}", value.shown())));
        }
    }
    if let Some(body) = &request.body {
        if body.has_secret() {
            let _ = write!(out, " --data-binary @<(printf %s {})", secret::words(body));
        } else {
            // a text that begins with @ would be taken for a file's name
            let _ = write!(out, " --data-raw {}", shell_word(body.shown()));
        }
    }
    let _ = write!(out, " {}", shell_word(&request.url));
    out
}

/// A shell text with its environment, its input and its user.
fn run(text: &str, command: &Command, user: Option<&str>) -> String {
    let hidden: Vec<&(String, MaskedText)> = command.env.iter().filter(|(_, value)| value.has_secret()).collect();
    let input = match &command.stdin {
        Some(Stdin::Text(text)) => Some(text),
        Some(Stdin::File { .. }) | None => None,
    };
    let mut out = asked(hidden.iter().map(|(_, value)| value).chain(input.filter(|text| text.has_secret())));
    let mut before = String::new();
    // through sudo an environment stands in its arguments, so what is secret goes ahead of the input
    let mut ahead = Vec::new();
    for (name, value) in &command.env {
        match (value.has_secret(), user.is_some()) {
            (true, true) => {
                let _ = writeln!(before, "IFS= read -r {name}; export {name}");
                ahead.push(format!("printf '%s\\n' {}", secret::words(value)));
            }
            (true, false) => {
                let _ = writeln!(before, "export {name}={}", secret::words(value));
            }
            (false, _) => {
                let _ = writeln!(before, "export {name}={}", shell_word(value.shown()));
            }
        }
    }
    if needs_care(text) || input.is_some_and(|input| needs_care(input.shown())) {
        out.insert_str(0, "set +H\n");
    }
    let simple = before.is_empty() && is_simple(text);
    let alone = match (user, simple) {
        (None, true) => text.to_owned(),
        (None, false) => format!("(set -e\n{before}{text}\n)"),
        (Some(user), true) if is_bare(text) => format!("{}{text}", sudo(user)),
        (Some(user), _) => {
            let end = delimiter(&format!("{before}{text}"));
            format!("{}sh -ec \"$(cat <<'{end}'\n{before}{text}\n{end}\n)\"", sudo(user))
        }
    };
    if let Some(input) = input {
        // lines are easier to read as they are than in quotes
        let lines =
            Some(input.shown()).filter(|lines| ahead.is_empty() && !input.has_secret() && lines.ends_with('\n'));
        if let Some(lines) = lines {
            let end = delimiter(&format!("{alone}\n{lines}"));
            let _ = write!(out, "{alone} <<'{end}'\n{lines}{end}");
            return out;
        }
        ahead.push(format!("printf %s {}", secret::words(input)));
    }
    match ahead.as_slice() {
        [] => out.push_str(&alone),
        [one] => {
            let _ = write!(out, "{one} | {alone}");
        }
        several => {
            let _ = write!(out, "{{ {}; }} | {alone}", several.join("; "));
        }
    }
    out
}

/// Asks for the secrets in these texts, each once, on lines of their own.
fn asked<'a>(texts: impl Iterator<Item = &'a MaskedText>) -> String {
    let mut names: Vec<String> = texts.flat_map(secret::names).collect();
    names.sort();
    names.dedup();
    let mut out = String::new();
    for name in names {
        let _ = writeln!(out, "read -rsp '{name}: ' {name}; echo");
    }
    out
}

fn sudo(user: &str) -> String {
    if user == "root" { "sudo ".to_owned() } else { format!("sudo -u {} ", shell_word(user)) }
}

fn login(target: &Target) -> String {
    match &target.user {
        Some(user) => format!("{user}@{}", target.address),
        None => target.address.clone(),
    }
}

fn options(target: &Target, port: &str) -> String {
    let mut out = String::new();
    if let Some(config) = &target.ssh_config {
        let _ = write!(out, " -F {}", shell_word(&config.display().to_string()));
    }
    if let Some(number) = target.port {
        let _ = write!(out, " {port} {number}");
    }
    out
}

fn ssh(target: &Target) -> String {
    format!("ssh{} {}", options(target, "-p"), shell_word(&login(target)))
}

fn is_shell(interpreter: &[String]) -> bool {
    let name = interpreter.first().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    matches!(name, "sh" | "bash" | "dash" | "ksh" | "zsh")
}

/// Whether a text may be pasted as it is: a line whose end would not end the person's own shell, and whose first failure
/// is its last.
fn is_simple(text: &str) -> bool {
    let words = ["exit", "exec", "cd", "set", "trap", "export", "umask", "return", "unset", "logout", "alias", "."];
    let assigns = |word: &str| {
        word.split_once('=')
            .is_some_and(|(name, _)| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
    };
    let open = unquoted(text);
    let mut found = open.split(|c: char| c.is_whitespace() || ";&|(){}".contains(c)).filter(|word| !word.is_empty());
    let first = text.split_whitespace().next().unwrap_or_default();
    !text.contains('\n') && !open.contains([';', '#']) && !assigns(first) && !found.any(|word| words.contains(&word))
}

/// A shell text without what stands in its quotes.
fn unquoted(text: &str) -> String {
    let mut out = String::new();
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None | Some('"'), '\\') => drop(chars.next()),
            (None, '\'' | '"') => quote = Some(c),
            (None, c) => out.push(c),
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
        }
    }
    out
}

/// Whether a text is a program with plain arguments, so that `sudo` before it means all of it.
fn is_bare(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || " _-./:=@%+,'".contains(c))
}

/// Whether bash would take a `!` in it for something that was typed earlier.
fn needs_care(text: &str) -> bool {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '!' && chars.peek().is_some_and(|next| !next.is_whitespace() && *next != '=') {
            return true;
        }
    }
    false
}

/// A line that ends a text and is none of its own.
fn delimiter(text: &str) -> String {
    let mut end = "END".to_owned();
    while text.lines().any(|line| line == end) {
        end.push_str("_OF_TEXT");
    }
    end
}

fn seconds(period: Period) -> u64 {
    let length = period.get();
    (length.as_secs() + u64::from(length.subsec_nanos() > 0)).max(1)
}

/// A text as `printf` prints it, within double quotes within single quotes: what any of them reads is octal.
fn printed(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '%' => out.push_str("%%"),
            '\'' | '"' | '$' | '`' | '\\' | '!' => {
                let _ = write!(out, "\\{:03o}", u32::from(c));
            }
            c if c.is_ascii_control() => {
                let _ = write!(out, "\\{:03o}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_pasted_as_it_is_where_nothing_is_lost() {
        for text in ["uptime", "ps ax | grep 'x; y' > /tmp/x", "echo \"it's; #1\" && true", "a --b=c 'exit'"] {
            assert_eq!(run(text, &Command::shell(text), None), text);
        }
        for text in ["a; b", "X=1 y", "test -e x || exit 3", "cd /tmp && rm x", "a\nb", "a # b"] {
            assert_eq!(run(text, &Command::shell(text), None), format!("(set -e\n{text}\n)"));
        }
        assert_eq!(run("echo \"!x\"", &Command::shell(""), None), "set +H\necho \"!x\"");
    }

    #[test]
    fn another_user_is_given_all_of_it() {
        assert_eq!(run("id -un", &Command::shell(""), Some("root")), "sudo id -un");
        let piped = "sudo -u ops sh -ec \"$(cat <<'END'\nid | wc\nEND\n)\"";
        assert_eq!(run("id | wc", &Command::shell(""), Some("ops")), piped);
        let end = "sudo sh -ec \"$(cat <<'END_OF_TEXT'\na\nEND\nb\nEND_OF_TEXT\n)\"";
        assert_eq!(run("a\nEND\nb", &Command::shell(""), Some("root")), end);
    }

    #[test]
    fn an_answer_ends_where_it_should() {
        let ends = ["END\r\n", "\n\n", "a.b", "a/b", "\n.\n", "\r\n"].map(last_line);
        let line = |text: &str| Some(text.to_owned());
        assert_eq!(ends, [line("END\\r\\?$"), line("^\\r\\?$"), line("a[.]b"), None, line("^[.]\\r\\?$"), line("")]);
    }

    #[test]
    fn what_is_sent_survives_three_quotings() {
        assert_eq!(printed("a'b\"c$d\\e%f\r\n"), "a\\047b\\042c\\044d\\134e%%f\\r\\n");
    }
}
