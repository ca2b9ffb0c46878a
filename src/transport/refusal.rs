//! What `ssh` says when it cannot connect, and what the operator can do about it.
//!
//! Apart because it is knowledge of another program's words, and because the way out is worth more than the words.

use std::fmt::Write as _;
use std::path::Path;

use super::capability::Fault;
use crate::vocab::neutral::one_line;
use crate::vocab::observation::NoReply;
use crate::vocab::quote::shell_word;

/// Where a connection was to go, as the operator would type it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// The name or address.
    pub(super) address: String,
    /// The port, when not ssh's own choice.
    pub(super) port: Option<u16>,
    /// The user, when not ssh's own choice.
    pub(super) user: Option<String>,
    /// The configuration file, when not the user's own.
    pub(super) config: Option<std::path::PathBuf>,
}

impl Place {
    /// The options that lead there, before the destination.
    fn options(&self) -> String {
        let mut options = String::new();
        if let Some(config) = &self.config {
            let _ = write!(options, "-F {} ", shell_word(&config.display().to_string()));
        }
        if let Some(port) = self.port {
            let _ = write!(options, "-p {port} ");
        }
        if let Some(user) = &self.user {
            let _ = write!(options, "-l {} ", shell_word(user));
        }
        options
    }

    /// The `ssh` command that connects by hand.
    pub(super) fn by_hand(&self) -> String {
        format!("ssh {}{}", self.options(), shell_word(&self.address))
    }
}

/// What `ssh -G` knows of a place: where it leads and where its keys are kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Resolved {
    /// The name or address that is connected to.
    pub(super) address: Option<String>,
    /// The port.
    pub(super) port: Option<u16>,
    /// The first file of known host keys.
    pub(super) known_hosts: Option<String>,
}

impl Resolved {
    /// Reads the output of `ssh -G`.
    pub(super) fn read(output: &str) -> Self {
        let mut resolved = Self::default();
        for line in output.lines() {
            match line.split_once(' ') {
                Some(("hostname", value)) => resolved.address = Some(value.to_owned()),
                Some(("port", value)) => resolved.port = value.parse().ok(),
                Some(("userknownhostsfile", value)) => {
                    resolved.known_hosts = value.split(' ').next().map(str::to_owned);
                }
                _ => {}
            }
        }
        resolved
    }
}

/// Whether the words speak of a host key that is not known, so that [`Resolved`] is worth asking for.
pub(super) fn wants_resolving(said: &str) -> bool {
    said.contains("host key is known for") || said.contains("REMOTE HOST IDENTIFICATION HAS CHANGED")
}

/// Whether the other side closed before it said who it is: it has too many who knock at once (`MaxStartups`), and it
/// is worth trying again.
pub(super) fn is_crowded(said: &str) -> bool {
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
    lines.peek().is_some()
        && lines.all(|line| {
            line.starts_with("kex_exchange_identification:")
                || (line.starts_with("Connection closed by ") || line.starts_with("Connection reset by "))
                || line.starts_with("ssh_exchange_identification:")
                || line.starts_with("banner exchange:")
        })
        && !said.contains("timed out")
}

/// Whether it was a jump host or proxy that closed: its own words are not among these.
pub(super) fn is_behind_proxy(said: &str) -> bool {
    said.contains("UNKNOWN port 65535")
}

/// Whether a client with `-W` says that its stream is open: the master told it the stream's number.
pub(super) fn is_forwarding(line: &str) -> bool {
    line.contains("master session id:")
}

/// Why a client with `-W` got no stream, from its last line and from what the master logged meanwhile. The client
/// knows only that the host declined; why, sshd tells the master alone. With several failures at the same moment it
/// may be another's reason.
pub(super) fn forward_reason<'a>(last: &'a str, log: &'a str) -> (NoReply, &'a str) {
    if last.contains("Bad stdio forwarding specification") {
        return (NoReply::NoRoute, last);
    }
    if !last.contains("forwarding request failed") {
        return (NoReply::Lost, "the connection to the host broke");
    }
    let line = log.lines().rev().find_map(|line| line.split_once("open failed: ")).map_or("", |(_, why)| why.trim());
    let reason = match line {
        line if line.contains("prohibited") => NoReply::Prohibited,
        line if line.contains("refused") => NoReply::Refused,
        line if line.contains("timed out") => NoReply::TimedOut,
        _ => NoReply::NoRoute,
    };
    (reason, line)
}

/// The fault for what ssh said.
pub(super) fn fault(place: &Place, said: &str, resolved: &Resolved) -> Fault {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines.last().copied().unwrap_or("ssh ended without a word");
    let (reason, hint) = explain(place, said, &lines, resolved).unwrap_or_else(|| (last.to_owned(), None));
    Fault::Unreachable { reason: one_line(&reason), hint: hint.map(|hint| one_line(&hint)) }
}

fn explain(place: &Place, said: &str, lines: &[&str], resolved: &Resolved) -> Option<(String, Option<String>)> {
    let find = |needle: &str| lines.iter().copied().find(|line| line.contains(needle));
    let file = resolved.known_hosts.clone().unwrap_or_else(|| "~/.ssh/known_hosts".to_owned());
    let address = resolved.address.clone().unwrap_or_else(|| place.address.clone());
    let port = resolved.port.or(place.port).unwrap_or(22);
    if said.contains("REMOTE HOST IDENTIFICATION HAS CHANGED") {
        let offending = find("Offending").map(|line| format!(" ({line})")).unwrap_or_default();
        let name = if port == 22 { address } else { format!("[{address}]:{port}") };
        let remove = find("ssh-keygen -f")
            .map_or_else(|| format!("ssh-keygen -f {} -R {}", shell_word(&file), shell_word(&name)), str::to_owned);
        let hint = format!("find out why it changed; if it was set up anew: `{remove}`, then add the new key");
        return Some((format!("the host key has changed{offending}"), Some(hint)));
    }
    if let Some(line) = find("host key is known for") {
        let hint = format!(
            "compare its fingerprint, then add it: `ssh-keyscan -p {port} {} >> {file}`, or connect once by hand: `{}`",
            shell_word(&address),
            place.by_hand()
        );
        return Some((line.trim_end_matches('.').to_owned(), Some(hint)));
    }
    if said.contains("Host key verification failed") {
        let hint = format!("a host on the way is not known yet; connect once by hand: `{}`", place.by_hand());
        return Some(("host key verification failed".to_owned(), Some(hint)));
    }
    if let Some(line) = find("Permission denied") {
        let hint = format!("see that your key is loaded (`ssh-add -l`) and allowed there: `{}`", place.by_hand());
        return Some((line.to_owned(), Some(hint)));
    }
    if let Some(line) = find("Could not resolve hostname") {
        return Some((line.to_owned(), Some("see the address in the inventory, or DNS".to_owned())));
    }
    if let Some(line) = find("Connection refused") {
        return Some((line.to_owned(), Some("nothing listens there: is sshd up, and is the port right?".to_owned())));
    }
    let timed_out = ["timed out", "No route to host", "Network is unreachable"].into_iter().find_map(find);
    if let Some(line) = timed_out {
        return Some((line.to_owned(), Some("the host or the way to it is down".to_owned())));
    }
    if let Some(line) = find("Bad configuration option").or_else(|| find("Bad owner or permissions")) {
        return Some((line.to_owned(), Some("see the ssh configuration file".to_owned())));
    }
    None
}

/// A place that cannot be connected to for a reason of our own.
pub(super) fn own_fault(reason: impl Into<String>, hint: Option<String>) -> Fault {
    Fault::Unreachable { reason: one_line(&reason.into()), hint }
}

/// The text of a file of `ssh`'s log; nothing when there is none.
pub(super) fn log_text(path: &Path) -> String {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place { address: "web01".to_owned(), port: Some(2233), user: None, config: Some("/etc/fleet.conf".into()) }
    }

    fn told(said: &str) -> (String, String) {
        let resolved =
            Resolved::read("user root\nhostname 127.66.0.1\nport 2233\nuserknownhostsfile /k/hosts /k/hosts2\n");
        match fault(&place(), said, &resolved) {
            Fault::Unreachable { reason, hint } => (reason, hint.unwrap_or_default()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_unknown_key_names_the_command_that_adds_it() {
        let (reason, hint) = told(
            "No ED25519 host key is known for [127.66.0.1]:2233 and you have requested strict checking.\r\nHost key verification failed.\r\n",
        );
        assert!(reason.starts_with("No ED25519 host key is known for [127.66.0.1]:2233"), "{reason}");
        assert!(hint.contains("`ssh-keyscan -p 2233 127.66.0.1 >> /k/hosts`"), "{hint}");
        assert!(hint.contains("`ssh -F /etc/fleet.conf -p 2233 web01`"), "{hint}");
    }

    #[test]
    fn a_changed_key_names_the_command_that_removes_it() {
        let (reason, hint) = told(
            "@@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nOffending ED25519 key in /k/hosts:3\nHost key verification failed.\n",
        );
        assert!(reason.contains("has changed (Offending ED25519 key in /k/hosts:3)"), "{reason}");
        assert!(hint.contains("`ssh-keygen -f /k/hosts -R '[127.66.0.1]:2233'`"), "{hint}");
    }

    #[test]
    fn the_reason_is_one_harmless_line() {
        let (reason, _) = told("Permission denied (\x1b[31mpublickey).\nConnection closed\n");
        assert_eq!(reason, "Permission denied (\\x1b[31mpublickey).");
        assert_eq!(told("").0, "ssh ended without a word");
    }

    #[test]
    fn only_a_crowd_is_worth_another_try() {
        assert!(is_crowded(
            "kex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535\n"
        ));
        assert!(!is_crowded("jump: Permission denied (publickey).\nConnection closed by UNKNOWN port 65535\n"));
        assert!(!is_crowded(""));
    }

    #[test]
    fn why_there_is_no_stream_is_told_apart() {
        let declined = "Stdio forwarding request failed: Session open refused by peer";
        let why = |log: &str| forward_reason(declined, log).0;
        assert_eq!(why("channel 2: open failed: connect failed: Connection refused\r\n"), NoReply::Refused);
        assert_eq!(why("channel 2: open failed: administratively prohibited: open failed\n"), NoReply::Prohibited);
        assert_eq!(why("channel 2: open failed: connect failed: Connection timed out\n"), NoReply::TimedOut);
        assert_eq!(why("channel 2: open failed: connect failed: Name or service not known\n"), NoReply::NoRoute);
        assert_eq!(forward_reason("Connection closed by UNKNOWN port 65535", "").0, NoReply::Lost);
        assert!(is_forwarding("debug1: mux_client_request_stdio_fwd: master session id: 2"));
    }
}
