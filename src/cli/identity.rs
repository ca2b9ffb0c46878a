//! Who is at the keyboard, as far as a program can know.

use std::io::IsTerminal as _;

use super::context::variable;
use super::error::CliError;
use crate::event::OperatorEntry;

/// Finds the operator: `--as` or RUNBOOK_OPERATOR, else SUDO_USER, else the login user. Plain root on a terminal is
/// asked for a name; elsewhere it stays unidentified, and the record says so.
pub(super) fn operator(given: Option<&str>) -> Result<OperatorEntry, CliError> {
    let login = login();
    let entry = |name: String, identified: bool, source: &str| OperatorEntry {
        name,
        identified,
        source: source.to_owned(),
        login: login.clone(),
        ssh_origin: variable("SSH_CONNECTION").and_then(|text| text.split(' ').next().map(str::to_owned)),
        loginuid: loginuid(),
    };
    if let Some(name) = given {
        return Ok(entry(valid(name)?, true, "--as"));
    }
    if let Some(name) = variable("RUNBOOK_OPERATOR").filter(|name| !name.trim().is_empty()) {
        return Ok(entry(valid(&name)?, true, "RUNBOOK_OPERATOR"));
    }
    if let Some(name) = variable("SUDO_USER").filter(|name| !name.is_empty() && name != "root") {
        return Ok(entry(valid(&name)?, true, "SUDO_USER"));
    }
    if login != "root" {
        return Ok(entry(login.clone(), true, "login"));
    }
    if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        let asked = inquire::Text::new("You are root. Who is running this?")
            .with_help_message("it goes to the audit log; --as NAME or RUNBOOK_OPERATOR answer beforehand")
            .prompt_skippable();
        if let Ok(Some(name)) = asked
            && !name.trim().is_empty()
        {
            return Ok(entry(valid(&name)?, true, "asked"));
        }
    }
    Ok(entry("root (unidentified)".to_owned(), false, "login"))
}

fn valid(name: &str) -> Result<String, CliError> {
    let name = name.trim();
    if name.is_empty() || name.len() > 100 || name.chars().any(char::is_control) {
        return Err(CliError::usage("an operator's name has 1 to 100 characters and no control characters"));
    }
    Ok(name.to_owned())
}

fn login() -> String {
    if rustix::process::geteuid().is_root() {
        return "root".to_owned();
    }
    let uid = rustix::process::geteuid().as_raw();
    // the name from the user database, as far as it is a file; the environment may say anything
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let found = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid.to_string()).then(|| name.to_owned())
    });
    found.or_else(|| variable("USER")).unwrap_or_else(|| format!("uid {uid}"))
}

fn loginuid() -> Option<u32> {
    let text = std::fs::read_to_string("/proc/self/loginuid").ok()?;
    // u32::MAX: never set
    text.trim().parse().ok().filter(|uid| *uid != u32::MAX)
}

/// The name of this machine.
pub(super) fn admin_host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
