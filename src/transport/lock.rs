//! Taking a host's lock, giving it back, breaking it, and seeing who holds it: what is done in the folder that
//! [`lease`](super::lease) describes.
//!
//! Each is a text that the host's shell runs to its end, and a few words that it answers. Apart from `lease`, which is
//! what every action passes: here processes are started (`ln`, `rm`), and a round trip is what it costs.

use super::capability::{Claim, Lock};
use super::lease::{FOLDER, RECORDS, Record, encode};
use crate::vocab::quote::shell_word;
use crate::vocab::{Holder, Loss, RunId};

/// How many records are kept, the highest among them.
const KEPT: u32 = 8;

/// The functions of all the texts. `last` reads the highest record, `clock` the host's time, `add` adds a record behind
/// the one that was read (false: somebody else did), `busy RUN` finds a living command of any other run.
///
/// A record that is not whole was cut by a loss of power; it counts as held through the first minute after the restart.
fn functions(folder: &str, remove: &str) -> String {
    format!(
        r#"set +e
umask 022
d={FOLDER}
free='1 free - - 0 0 0 - - - - - .'
no() {{ printf 'no %s\n' "$1"; exit 0; }}
clock() {{
    b=-
    {{ read -r b </proc/sys/kernel/random/boot_id; }} 2>/dev/null
    {{ read -r up x </proc/uptime; }} 2>/dev/null || up=$(date +%s)
    up=${{up%%.*}}
}}
last() {{
    for f in {RECORDS}; do :; done
    was=
    if [ -f "$f" ]; then n=${{f#lease.}}; {{ read -r was <"$f"; }} 2>/dev/null
    elif [ -e "$f" ]; then no "$d/$f is not a file"
    elif [ "${{f#*\[}}" != "$f" ]; then n=000000000; was=$free
    fi
    [ -n "$was" ] || [ -e "$f" ] || {{ last; return; }}
    case $was in
        '1 '*' .') ;;
        [2-9]*) no 'the locks there are those of a newer runbook' ;;
        *) was='1 held - - 0 60 0 - - - - - .' ;;
    esac
    set -- $was
    state=$2 run=$3 boot=$4 expiry=$5 length=$6
}}
over() {{
    if [ "$boot" = "$b" ]; then [ "$up" -gt "$expiry" ]; else [ "$up" -gt "$length" ]; fi
}}
add() {{
    m=$((1$n + 1)) t=new.$$.$up
    m=lease.${{m#1}}
    set -C
    {{ printf '%s\n' "$1" >"$t"; }} 2>/dev/null || {{ rm -f "$t"; no "there is no room for a lock in $d"; }}
    set +C
    ln "$t" "$m" 2>/dev/null
    x=$?
    rm -f "$t"
    [ "$x" = 0 ] || return 1
    for f in {RECORDS}; do :; done
    [ "$f" = "$m" ] && n=${{m#lease.}} && return 0
    rm -f "$m"
    return 1
}}
prune() {{
    set -- {RECORDS}
    while [ $# -gt {KEPT} ]; do rm -f "$1" 2>/dev/null; shift; done
    for x in new.*; do
        p=${{x#new.}}
        [ -r /proc/1/stat ] && [ -f "$x" ] && ! [ -d "/proc/${{p%%.*}}" ] && rm -f "$x" 2>/dev/null
    done
}}
lives() {{
    [ "$1" = "$b" ] || return 1
    [ -r /proc/1/stat ] || return 0
    if {{ read -r s <"/proc/$2/stat"; }} 2>/dev/null; then
        set -- "$@" ${{s##*) }}
        if [ "${{24}}" = "$3" ]; then
            case $5 in Z|X) ;; *) return 0 ;; esac
        elif [ "$2" = "$4" ]; then
            return 1
        fi
    fi
    [ "$4" -gt 1 ] || return 1
    for f in /proc/[0-9]*/stat; do
        {{ read -r s <"$f"; }} 2>/dev/null || continue
        set -- "$1" "$2" "$3" "$4" ${{s##*) }}
        [ "$7" = "$4" ] || continue
        case $5 in Z|X) ;; *) return 0 ;; esac
    done
    return 1
}}
busy() {{
    who=
    for x in busy.*; do
        [ -f "$x" ] || continue
        case $x in *[!0-9A-Za-z.-]*) continue ;; esac
        IFS=.
        set -- "$1" $x
        unset IFS
        if [ -s "$x" ] && lives "$4" "$5" "$6" "$7"; then
            [ "$3" = "$1" ] || who=$3
        elif [ -s "$x" ] || [ "$4" != "$b" ] || ! [ -e "/proc/$5" ]; then
            {remove}
        fi
    done
    [ -n "$who" ]
}}
tell() {{
    l=$was
    if [ "$run" != "$who" ]; then
        l=
        for f in {RECORDS}; do
            s=
            {{ read -r s <"$f"; }} 2>/dev/null
            case $s in '1 '*" $who "*' .') l=$s ;; esac
        done
    fi
    printf 'busy %s %s\n' "$who" "$l"
}}
{folder}
clock
"#
    )
}

/// Makes the folder where it is missing, and goes there. Whoever is first may not have given it its mode yet.
const ENTER: &str = r#"i=0
until [ -d "$d" ] && ! [ -h "$d" ] && cd "$d" 2>/dev/null && [ -w . ]; do
    if [ -h "$d" ] || { [ -e "$d" ] && ! [ -d "$d" ]; }; then no "$d is not a folder"; fi
    [ "$i" -lt 10 ] || no "the folder $d cannot be written"
    [ -e "$d" ] || mkdir -m 1777 "$d" 2>/dev/null
    i=$((i + 1))
    [ "$i" -lt 2 ] || sleep 0.1 2>/dev/null || sleep 1
done"#;

/// Goes there if it is there.
const VISIT: &str = r#"if [ -h "$d" ] || ! cd "$d" 2>/dev/null; then echo nobody; exit 0; fi"#;

const REMOVE: &str = r#"rm -f "$x" 2>/dev/null"#;

/// Nobody contends so long.
const ROUNDS: &str = "k=0
while [ $k -lt 200 ]; do
    k=$((k + 1))
    clock
    last";

const TOO_MANY: &str = "done\nno \"no lock could be written in $d\"\n";

/// Shell text that takes the lock, or renews it. What a renewal finds is its own or lost: it never takes anew.
pub(super) fn take(claim: &Claim) -> String {
    let Claim { run, operator, admin_host, runbook, since, length, renewal } = claim;
    let (operator, admin_host, runbook) = (encode(operator), encode(admin_host), encode(runbook));
    let since = since.as_second();
    let seconds = length.get().as_millis().div_ceil(1000).max(1);
    let may = if *renewal {
        r#"[ "$state $run" = "held $me" ] || { printf 'lost %s\n' "$was"; exit 0; }"#
    } else {
        r#"if [ "$state" = held ] && [ "$run" != "$me" ] && ! over; then printf 'held %s\n' "$was"; exit 0; fi
    if busy "$me"; then tell; exit 0; fi"#
    };
    format!(
        r#"{functions}me={run}
{ROUNDS}
    {may}
    add "1 held $me $b $((up + {seconds})) {seconds} {since} {operator} {admin_host} {runbook} - - ." || continue
    prune
    printf 'taken %s %s\n' "$b" "${{LOGNAME:-${{USER:-?}}}}:$HOME"
    exit 0
{TOO_MANY}"#,
        functions = functions(ENTER, REMOVE),
    )
}

/// Shell text that gives the lock back, if `run` holds it.
pub(super) fn free(run: &RunId) -> String {
    format!(
        r#"{functions}me={run}
{ROUNDS}
    busy "$me"
    if [ "$state $run" != "held $me" ]; then echo free; exit 0; fi
    add "1 free ${{was#1 held }}" || continue
    prune
    echo free
    exit 0
{TOO_MANY}"#,
        functions = functions(VISIT, REMOVE),
    )
}

/// Shell text that breaks whatever lock there is, and forgets the commands of its run.
pub(super) fn smash(by: &str, why: &str) -> String {
    let note = format!("lock broken by {by}: {why}");
    format!(
        r#"{functions}{ROUNDS}
    if busy -; then l=$(tell); r=${{l#busy * }}
    elif [ "$state" = held ] && ! over; then l="held $was" r=$was who=$run
    else echo nobody; exit 0
    fi
    rest=${{r#* * * * * * }}
    [ -n "$rest" ] || rest='0 - - - - - .'
    add "1 broken $who $boot $expiry $length ${{rest% * * .}} {by} {why} ." || continue
    rm -f busy."$who".* 2>/dev/null
    prune
    if command -v logger >/dev/null 2>&1; then logger -t runbook -- "$who:" {note}; fi
    printf '%s\n' "$l"
    exit 0
{TOO_MANY}"#,
        functions = functions(VISIT, REMOVE),
        by = encode(by),
        why = encode(why),
        note = shell_word(&crate::vocab::neutral::one_line(&note)),
    )
}

/// Shell text that removes the marks that `run` left as another user.
pub(super) fn forget(run: &RunId) -> String {
    format!("cd {FOLDER} 2>/dev/null || exit 0\nrm -f busy.{run}.*\n")
}

/// Shell text that removes the marks of what has ended.
pub(super) fn sweep() -> String {
    format!("{}busy -\n:\n", functions(VISIT, REMOVE))
}

/// Shell text that says who holds the lock, and changes nothing.
pub(super) fn see() -> String {
    format!(
        r#"{functions}last
if busy -; then tell
elif [ "$state" = held ] && ! over; then printf 'held %s\n' "$was"
else echo nobody
fi
"#,
        functions = functions(VISIT, ":"),
    )
}

/// Reads the answer to [`take`].
pub(super) fn taken(answer: &str) -> Result<Lock, String> {
    let answer = answer.trim_end();
    let (word, rest) = answer.split_once(' ').unwrap_or((answer, ""));
    match word {
        "taken" => {
            let (boot, login) = rest.split_once(' ').unwrap_or((rest, ""));
            Ok(Lock::Taken { boot: boot.to_owned(), login: crate::vocab::neutral::one_line(login) })
        }
        "lost" => Ok(Lock::Lost(Record::parse(rest).map_or(Loss::Gone, Record::loss))),
        _ => match holder(answer)? {
            Some(holder) => Ok(Lock::Refused(holder)),
            None => Err("the host did not say what became of its lock".to_owned()),
        },
    }
}

/// Reads the answer to [`see`] and [`smash`].
pub(super) fn holder(answer: &str) -> Result<Option<Holder>, String> {
    let answer = answer.trim_end();
    let (word, rest) = answer.split_once(' ').unwrap_or((answer, ""));
    match word {
        "nobody" | "free" => Ok(None),
        "held" => match Record::parse(rest) {
            Some(record) => Ok(Some(record.holder())),
            None => {
                Err("its lock is held by a record that cannot be read; it ends a minute after a restart".to_owned())
            }
        },
        "busy" => {
            let (run, record) = rest.split_once(' ').unwrap_or((rest, ""));
            let run: RunId = run.parse().map_err(|_| format!("a command of `{run}` runs there"))?;
            let holder = Record::parse(record).map(Record::holder).filter(|holder| holder.run == run);
            let unknown = || Holder {
                run: run.clone(),
                operator: String::new(),
                admin_host: String::new(),
                runbook: String::new(),
                since: None,
                running: true,
            };
            Ok(Some(Holder { running: true, ..holder.unwrap_or_else(unknown) }))
        }
        "no" => Err(rest.to_owned()),
        _ => Err(format!("an answer about its lock that is none: {answer}")),
    }
}
