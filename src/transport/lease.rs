//! How a host is locked: the folder on it, its records, and what an action's wrapper asks of them.
//!
//! A host has one folder for all its users, [`FOLDER`] (mode 1777), made by whoever comes first; it survives a restart
//! of the host on purpose. In it:
//!
//! * `lease.N` (nine digits), the records: the highest is what holds. A record is written whole under another name and
//!   gets its own by a hard link, which one of several contenders can make: taking, renewing, giving back and breaking
//!   are all such a compare-and-swap. The highest is never removed, and the few before it neither, so that whoever saw
//!   an older one while the folder was changing fails to follow it up.
//! * `busy.RUN.BOOT.PID.TICKS.PGID`, the mark of an action, made by its wrapper and emptied when its command has ended.
//!   All that others need is in its name and in whether it is empty: it may be another user's, unreadable.
//!
//! A record is one line, `1 STATE RUN BOOT EXPIRY LENGTH SINCE OPERATOR ADMIN-HOST RUNBOOK BY WHY .`, its texts
//! percent-encoded and `-` when empty; without its final ` .` it is not whole. STATE is `held`, `free` or `broken`. EXPIRY
//! and LENGTH are seconds of the host's own uptime, so that no clock that is wrong or set anew matters; after a restart
//! of the host a lease ends LENGTH after it. A later version of the format begins with another digit.
//!
//! *Why two are never inside*: a wrapper makes its mark, then reads the highest record, then the clock. A taker reads the
//! clock, then the highest record, then the marks, then adds its own behind the record it has read. If the wrapper found
//! its run's lease good: was the taker's record older, it cannot add behind it any more; was it the same, the wrapper's
//! clock was earlier, so its mark was there before the taker looked for marks.
//!
//! Apart from `lock`, which takes and gives back, because this is what every action passes: it starts no process.
//!
//! *Not guaranteed*: any user of the host may add a record; a lock binds those who use this program, nobody else.

use jiff::Timestamp;

use crate::vocab::quote::shell_word;
use crate::vocab::{Holder, Loss, RunId};

/// The folder, for a shell.
pub(super) const FOLDER: &str = "${RUNBOOK_LOCKS:-/var/tmp/runbook-locks}";

/// The names of records, for a shell: in their order.
pub(super) const RECORDS: &str = "lease.[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]";

/// Shell text for an action's wrapper, one line that starts no process: makes the action's mark and refuses unless
/// `run` holds the lock.
///
/// It wants `rb_g` and `rb_t` (the wrapper's process group, and the start of `$$` in ticks since boot), takes the boot id
/// from `rb_b` where that is set already, and calls a function `rb_gone REASON` that does not return. [`told`] turns the
/// reason into words.
pub(super) fn guard(run: &RunId, step: &str) -> String {
    let step = shell_word(&encode(step));
    // a record that is being replaced may be missed by one look, and one that was removed may be made again for a moment by
    // whoever was slow: only the highest is good, also behind its reading, and only what three looks say is believed
    format!(
        r#"rb_ld={FOLDER};rb_lb=${{rb_b:--}};[ "$rb_lb" != - ] || {{ read -r rb_lb </proc/sys/kernel/random/boot_id; }} 2>/dev/null;rb_lm=$rb_ld/busy.{run}.$rb_lb.$$.${{rb_t:-0}}.${{rb_g:-$$}};if ! [ -d "$rb_ld" ] || [ -h "$rb_ld" ];then rb_gone lease:free;fi;set -C;{{ true >"$rb_lm"; }} 2>/dev/null || rb_gone lease:full;exec 6>>"$rb_lm";set +C;{{ printf '%s .\n' {step} >&6; }} 2>/dev/null || rb_gone lease:full;rb_ln=0;while :;do for rb_lf in "$rb_ld"/{RECORDS};do :;done;rb_lv=;rb_ls=free;rb_lr=;rb_lw=;[ -f "$rb_lf" ] && {{ read -r rb_lv rb_ls rb_lr rb_lo rb_lx rb_ll rb_lw <"$rb_lf"; }} 2>/dev/null;{{ read -r rb_lu rb_lz </proc/uptime; }} 2>/dev/null || rb_lu=$(date +%s);[ "$rb_lo" = "$rb_lb" ] || rb_lx=$rb_ll;case "$rb_lv $rb_ls $rb_lr $rb_lw" in "1 held {run} "*" .") if [ "${{rb_lu%%.*}}" -gt "$rb_lx" ];then rb_ls=expired;else for rb_lz in "$rb_ld"/{RECORDS};do :;done;[ "$rb_lz" != "$rb_lf" ] || break;fi;esac;rb_ln=$((rb_ln+1));[ "$rb_ln" -lt 3 ] || {{ {RETIRE}rb_gone "lease:$rb_ls $rb_lr $rb_lw"; }};done;"#
    )
}

/// Shell text for when the action's command has ended: the mark is emptied. Through the descriptor it was made with, never
/// by its name: in a folder of somebody hostile another file could have that by now. (`:` would end the shell where it
/// cannot be written.)
pub(super) const RETIRE: &str = "{ true >/proc/$$/fd/6; } 2>/dev/null;exec 6>&-;";

/// Whether a reason is one of [`guard`]'s: then the wrapper that gave it had made its receipt's mark, and withdrew it.
pub(super) fn is_refusal(reason: &str) -> bool {
    reason.starts_with("lease:")
}

/// The reason of [`guard`]'s refusal in words; any other reason as it is.
pub(super) fn told(reason: &str) -> String {
    let Some(said) = reason.strip_prefix("lease:") else { return reason.to_owned() };
    let (state, rest) = said.split_once(' ').unwrap_or((said, ""));
    if state == "full" {
        return "no mark could be made in the host's folder of locks".to_owned();
    }
    let why = match (state, Record::new(state, rest)) {
        ("expired", _) => "its lease ended while it was not renewed".to_owned(),
        (_, Some(record)) => record.loss().words(),
        (_, None) => "nobody holds it".to_owned(),
    };
    format!("this run does not hold the lock of the host: {why}")
}

/// A record, as far as people are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    held: bool,
    broken: bool,
    holder: Holder,
    by: String,
    why: String,
}

impl Record {
    /// Reads a whole line; none when it is not one, or nobody's.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let mut fields = line.splitn(7, ' ');
        if fields.next()? != "1" {
            return None;
        }
        let (state, run) = (fields.next()?, fields.next()?);
        Self::new(state, &format!("{run} {}", fields.nth(3)?))
    }

    /// Reads what follows LENGTH, with the run in front.
    fn new(state: &str, rest: &str) -> Option<Self> {
        let fields: Vec<&str> = rest.split(' ').collect();
        let [run, since, operator, admin_host, runbook, by, why, "."] = fields[..] else { return None };
        let since = since.parse().ok().filter(|&since: &i64| since > 0);
        Some(Self {
            held: state == "held",
            broken: state == "broken",
            holder: Holder {
                run: run.parse().ok()?,
                operator: decode(operator),
                admin_host: decode(admin_host),
                runbook: decode(runbook),
                since: since.and_then(|since| Timestamp::from_second(since).ok()),
                running: false,
            },
            by: decode(by),
            why: decode(why),
        })
    }

    /// The run that wrote it, or whose lock was given back or broken.
    pub(super) fn holder(self) -> Holder {
        self.holder
    }

    /// What it means for a run that thought it held the lock.
    pub(super) fn loss(self) -> Loss {
        if self.held {
            Loss::Taken(self.holder)
        } else if self.broken {
            Loss::Broken { by: self.by, reason: self.why }
        } else {
            Loss::Gone
        }
    }
}

/// `text` as a record's field: without blanks, and short.
pub(super) fn encode(text: &str) -> String {
    let mut out = String::new();
    let text = text.trim();
    for ch in text.chars().take(200) {
        if ch.is_ascii_alphanumeric() || "._:@+,/=".contains(ch) || (ch == '-' && text != "-") {
            out.push(ch);
        } else {
            let mut bytes = [0; 4];
            for byte in ch.encode_utf8(&mut bytes).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    if out.is_empty() { "-".to_owned() } else { out }
}

/// A record's field as text. What is no code stays as it is: anybody may have written it.
fn decode(field: &str) -> String {
    if field == "-" {
        return String::new();
    }
    let mut bytes = Vec::new();
    let mut rest = field.as_bytes();
    while let [first, behind @ ..] = rest {
        let code = behind.get(..2).filter(|_| *first == b'%').and_then(|code| std::str::from_utf8(code).ok());
        if let Some(byte) = code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            bytes.push(byte);
            rest = &behind[2..];
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_carry_any_text() {
        for text in ["", "-", "anna", "a b", "ü%20", "100%", "x'y\"$(id)\n*", "--"] {
            let field = encode(text);
            assert!(!field.is_empty() && !field.contains([' ', '\n', '\'', '*', '$']), "{field}");
            assert_eq!(decode(&field), text.trim());
        }
        assert_eq!(decode("%zz%4"), "%zz%4");
    }

    #[test]
    fn a_reason_becomes_words() {
        let run = "20261122T031500Z-1a2b3c4d";
        let held = told(&format!("lease:held {run} 1795000000 anna%20b admin01 restart-jobs - - ."));
        assert!(
            held.contains("anna b on admin01, restart-jobs (20261122T031500Z-1a2b3c4d), since 2026-11-18"),
            "{held}"
        );
        let broken = told(&format!("lease:broken {run} 0 - - - boss db%20failover ."));
        assert!(broken.ends_with("boss broke it: db failover"), "{broken}");
        assert!(told("lease:free  ").ends_with("nobody holds it"));
        assert_eq!(told("no receipt could be written"), "no receipt could be written");
    }
}
