//! Stopping a process group on a host, and making sure that it is gone.
//!
//! Goes over a session of its own, so that it works while the command floods or hangs. The wrapper, which is in the
//! group, survives TERM and tells how the command ended; KILL takes it too, and its receipt is completed here.
//!
//! *Not guaranteed*: processes that made a session or a group of their own (daemons) are not in the group and live on;
//! that is meant so.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::channel::{Carrier, Priority};
use super::control::Group;
use super::exchange::{Exchange, Progress};
use super::gathered::Gathered;
use super::nonce;
use super::receipt::Receipt;
use super::wrapper::{Bootstrap, Errand};
use crate::vocab::neutral::one_line;

/// Between two looks whether the group is gone.
const STEP: Duration = Duration::from_millis(50);
/// What KILL is given to take effect.
const KILLED: Duration = Duration::from_secs(5);
/// What the way to the host and back may take on top of it all.
const WAY: Duration = Duration::from_secs(15);

/// What became of a group that was to be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// Nothing of it is left.
    Gone,
    /// Something of it lives even after KILL: another user's, as a rule.
    Alive,
}

/// Sends TERM, waits for `grace`, sends KILL, and says what is left; an error says why that could not be learned.
pub(super) async fn stop<C: Carrier>(
    carrier: &C,
    sudo: Option<&str>,
    group: &Group,
    grace: Duration,
    receipt: Option<&Receipt>,
) -> Result<Stopped, String> {
    let errand = Errand::service(nonce()?, &text(group, grace, receipt));
    let (stdout, stderr) = run(carrier, &Bootstrap::new(sudo, "stop"), &errand, grace + KILLED + WAY).await?;
    match stdout.trim_ascii() {
        b"gone" => Ok(Stopped::Gone),
        b"alive" => Ok(Stopped::Alive),
        _ => Err(format!("stopping it failed: {}", one_line(String::from_utf8_lossy(&stderr).trim()))),
    }
}

/// Runs a short text of ours to its end.
pub(super) async fn run<C: Carrier>(
    carrier: &C,
    bootstrap: &Bootstrap,
    errand: &Errand,
    most: Duration,
) -> Result<(Vec<u8>, Vec<u8>), String> {
    let until = Instant::now() + most;
    let work = async {
        let channel = carrier.open(bootstrap, Priority::Urgent).await.map_err(|fault| fault.to_string())?;
        let gathered = Arc::<Gathered>::default();
        let mut exchange = Exchange::new(channel, errand, Arc::clone(&gathered), (0, 0));
        loop {
            match exchange.advance().await {
                Progress::Started => {}
                Progress::Exited(_) => {
                    let written = gathered.take();
                    return Ok((written.stdout, written.stderr));
                }
                Progress::Refused(reason) | Progress::Declined(reason) => return Err(one_line(&reason)),
                Progress::Unsent | Progress::Broken | Progress::Lost(_) => {
                    return Err("the connection was lost".to_owned());
                }
            }
        }
    };
    match timeout(until.saturating_duration_since(Instant::now()), work).await {
        Ok(done) => done,
        Err(_) => Err("the host did not answer in time".to_owned()),
    }
}

fn text(group: &Group, grace: Duration, receipt: Option<&Receipt>) -> String {
    let rounds = |time: Duration| time.as_millis() / STEP.as_millis();
    // the process table, for `kill -0` finds zombies, which some containers never bury, and does not tell a group that is
    // gone from one of another user (a command that called sudo itself)
    format!(
        r#"set +e
alive() {{
    [ -r /proc/self/stat ] || {{ kill -0 -{id} 2>/dev/null; return; }}
    for f in /proc/[0-9]*/stat; do
        {{ read -r s <"$f"; }} 2>/dev/null || continue
        set -- ${{s##*) }}
        [ "$3" = {id} ] || continue
        case $1 in Z|X) ;; *) return 0 ;; esac
    done
    return 1
}}
gone_within() {{
    i=0
    while alive; do
        [ "$i" -lt "$1" ] || return 1
        if sleep 0.05 2>/dev/null; then i=$((i + 1)); else sleep 1; i=$((i + 20)); fi
    done
}}
kill -TERM -{id} 2>/dev/null
if ! gone_within {patience}; then
    kill -KILL -{id} 2>/dev/null
    gone_within {killed} && {mark}
fi
if alive; then echo alive; else echo gone; fi
"#,
        id = group.id,
        patience = rounds(grace),
        killed = rounds(KILLED),
        mark = receipt.map_or_else(|| ":".to_owned(), |receipt| format!("({})", receipt.mark_killed())),
    )
}
