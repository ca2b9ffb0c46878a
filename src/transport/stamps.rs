//! Stamps in the syslog of a host: leaving them, and finding them again in all that its logs have kept.
//!
//! Each is a text that the host's shell runs to its end, and lines that it answers, as in `left`. The logs are searched on the
//! host: what comes back are stamps only, however large the logs are.
//!
//! *Not guaranteed*: that a line said to `logger` is kept. A daemon that drops lines, and a log whose lines are cut below the
//! length of a stamp, leave nothing that can be found.

use std::collections::BTreeSet;

use crate::vocab::neutral::one_line;
use crate::vocab::{RunId, Stamp, StampsSeen};

/// Where hosts keep their logs.
pub(super) const LOGS: &str = "/var/log";
/// No more stamps are brought, the newest first of all.
const MOST: usize = 20_000;

/// Shell text that says each line of its input to the host's syslog.
///
/// The `logger` of util-linux keeps quiet about a socket that nobody listens to, unless it is told not to.
pub(super) fn leave() -> &'static str {
    r#"set +e
no() { printf 'no %s\n' "$1"; exit 0; }
command -v logger >/dev/null 2>&1 || no 'there is no program `logger` there'
[ -S /dev/log ] || [ -S /var/run/log ] || no 'nothing there takes lines for a log: there is no /dev/log'
strict=
logger --socket-errors=on --version >/dev/null 2>&1 </dev/null && strict=--socket-errors=on
said=$(logger $strict -t runbook 2>&1 >/dev/null)
left=$?
if [ "$left" = 0 ] && [ -z "$said" ]; then echo left; else no "${said:-logger: exit status $left}"; fi
"#
}

/// Reads the answer to [`leave`].
pub(super) fn left(answer: &str) -> Result<(), String> {
    match answer.trim_end().split_once(' ') {
        Some(("no", why)) => Err(one_line(why)),
        None if answer.trim_end() == "left" => Ok(()),
        Some(_) | None => Err("the host did not say whether it took the lines".to_owned()),
    }
}

/// Shell text that finds the stamps of `run`, or of all, in the journal of systemd and in the files of `logs`.
///
/// Sorted, a stamp's line begins with its run, and so with its time. A NUL, which a crash may leave in a file, would make some
/// `grep` believe that it is no text.
pub(super) fn find(logs: &str, run: Option<&RunId>) -> String {
    let run = run.map_or("", RunId::as_str);
    format!(
        r#"set +e
exec 3>&1 2>/dev/null
LC_ALL=C
export LC_ALL
stamp='run=[0-9]\{{8\}}T[0-9]\{{6\}}Z-[0-9a-fA-F]\{{8\}} runbook=[^ ]* by=[^ ]* from=[^ ]* step=[^ ]* outcome=[^ ]* records=[0-9]* head=[0-9a-f]\{{64\}}'
pick() {{ tr -d '\000' | grep -F ' head=' | sed -n "s/.*\($stamp\).*/\1/p"; }}
tell() {{ printf '%s %s\n' "$1" "$2" >&3; }}
tell user "$(id -un)"
gather() {{
    if command -v journalctl >/dev/null; then
        if [ -n "$(journalctl -q --no-pager -n 1 -o cat)" ]; then
            tell read journalctl
            journalctl -q --no-pager -t runbook -o cat | pick
        fi
        case $(journalctl --no-pager -n 0 2>&1) in *'not seeing messages'*) tell denied 'the journal of systemd' ;; esac
    fi
    for f in {logs}/syslog* {logs}/messages*; do
        [ -f "$f" ] || continue
        case $f in *[!0-9A-Za-z._/-]*) continue ;; esac
        [ -r "$f" ] || {{ tell denied "$f"; continue; }}
        case $f in
            *.gz) how=zcat ;;
            *.xz) how=xzcat ;;
            *.bz2) how=bzcat ;;
            *.zst) how=zstdcat ;;
            *) how=cat ;;
        esac
        command -v $how >/dev/null || {{ tell odd "$f: there is no $how there"; continue; }}
        tell read "$f"
        {{ $how <"$f" || tell odd "$f: $how cannot read it to its end"; }} | pick
    done
}}
gather | sort -u | {{
    read -r first || exit 0
    printf 'oldest %s\n' "${{first%% *}}"
    {{ printf '%s\n' "$first"; cat; }} | grep -F 'run={run}' | tail -n {most}
}}
echo end
"#,
        most = MOST + 1
    )
}

/// Reads the answer to `find`.
///
/// Nothing that could be read is an error, and so is a log that could not be where no other has a stamp: it may be there.
pub fn found(answer: &[u8]) -> Result<StampsSeen, String> {
    let mut seen = StampsSeen::default();
    let (mut stamps, mut denied) = (BTreeSet::new(), Vec::new());
    let (mut user, mut whole) = ("its user".to_owned(), false);
    for line in String::from_utf8_lossy(answer).lines() {
        if let Some(stamp) = line.starts_with("run=").then(|| Stamp::parse(line)).flatten() {
            stamps.insert(stamp);
            continue;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "user" => user = one_line(rest),
            "read" => seen.read.push(one_line(rest)),
            "odd" => seen.unread.push(one_line(rest)),
            "denied" => denied.push(one_line(rest)),
            "oldest" => seen.oldest = rest.strip_prefix("run=").and_then(|run| run.parse().ok()),
            "end" => whole = true,
            _ => {}
        }
    }
    if !whole {
        return Err("the host did not tell all that its logs have".to_owned());
    }
    if stamps.is_empty() && !denied.is_empty() {
        return Err(format!(
            "{user} may not read {} there: put {user} into the group that may (adm, as a rule), or give the host a `sudo:` in \
             the inventory",
            denied.join(", ")
        ));
    }
    if seen.read.is_empty() && seen.unread.is_empty() {
        return Err(
            "it has no log to look into: no journal of systemd, no /var/log/syslog, no /var/log/messages".to_owned()
        );
    }
    seen.unread.extend(denied.into_iter().map(|log| format!("{log}: {user} may not read it")));
    seen.cut = stamps.len() > MOST;
    seen.stamps = stamps.into_iter().collect();
    if seen.cut {
        seen.stamps.drain(..seen.stamps.len() - MOST);
    }
    Ok(seen)
}
