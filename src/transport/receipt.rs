//! Receipts: what an action leaves on its host so that it is never started twice and its end can be learned later.
//!
//! A run has a directory on each host, `$HOME/.cache/runbook/RUN` (mode 0700, `HOME` of the user the action runs as;
//! where that user has no writable home, `/var/tmp/runbook-USER/RUN`). An action is named after its step (slashes as
//! `%`) and attempt, and has two files:
//!
//! * `NAME.start`, created exclusively before the command starts: `PID PGID BOOT_ID EPOCH TICKS .` where EPOCH is the
//!   sender's clock and TICKS the start time of PID in the host's own ticks since boot (so that a process id that was
//!   given out again is recognised). Without its final ` .` it is not whole, and the command did not start.
//! * `NAME.exit`, when it ended: `STATUS .`.
//!
//! Apart from the wrapper because it is a format on disk that later versions will read.
//!
//! *Not guaranteed*: the files are not synced to disk; a host that loses power may lose the last of them.

use crate::vocab::quote::shell_word;
use crate::vocab::{Clock, RunId, StepId, SystemClock};

/// Where the receipts of runs are, below the home directory.
const FOLDER: &str = ".cache/runbook";

/// One action's receipt.
#[derive(Clone, Debug)]
pub(super) struct Receipt {
    run: RunId,
    name: String,
}

impl Receipt {
    pub(super) fn new(run: &RunId, step: &StepId, attempt: u32) -> Self {
        Self { run: run.clone(), name: format!("{}.{attempt}", step.as_str().replace('/', "%")) }
    }

    /// Shell text: `rb_d` is the run's directory, `rb_f` the start of the receipt's file names.
    pub(super) fn locate(&self) -> String {
        let otherwise = "rb_no 'the folder for receipts belongs to somebody else'";
        format!("{}rb_f=$rb_d/{};", locate_run(&self.run, otherwise), shell_word(&self.name))
    }

    /// Shell text: refuses a second start, makes the directory.
    #[expect(clippy::unused_self, reason = "reads as one of the receipt's steps")]
    pub(super) fn make_room(&self) -> String {
        // the answer is for people; what holds is the exclusive creation below
        "if [ -e \"$rb_f.start\" ];then rb_no 'it was started before: its receipt is on the host';fi;\
         [ -d \"$rb_d\" ] || (umask 077;mkdir -p \"$rb_d\") || rb_no 'no receipt could be written';"
            .to_owned()
    }

    /// Shell text: the mark that it starts, or a refusal.
    #[expect(clippy::unused_self, reason = "reads as one of the receipt's steps")]
    pub(super) fn mark_start(&self) -> String {
        format!(
            "rb_b=-;read -r rb_b </proc/sys/kernel/random/boot_id;set -C;\
             printf '%s %s %s %s %s .\\n' $$ \"$rb_g\" \"$rb_b\" {} \"$rb_t\" >\"$rb_f.start\" \
             || rb_no 'no receipt could be written';set +C;",
            SystemClock.now().as_second()
        )
    }

    /// Shell text for whoever had to kill the wrapper: it can write no more.
    pub(super) fn mark_killed(&self) -> String {
        let otherwise = "exit 1";
        let name = shell_word(&self.name);
        format!(
            "{}rb_f=$rb_d/{name};[ -e \"$rb_f.exit\" ] || printf '137 .\\n' >\"$rb_f.exit\";",
            locate_run(&self.run, otherwise)
        )
    }

    /// Shell text: the end, with the status in `rb_x`. That it cannot be written is no failure of the command.
    pub(super) const MARK_EXIT: &str = r#"printf '%s .\n' "$rb_x" >"$rb_f.exit";"#;
}

/// Shell text that sets `rb_d`. In `/var/tmp` the folder could be somebody else's trap: then it does `otherwise`.
fn locate_run(run: &RunId, otherwise: &str) -> String {
    format!(
        "rb_d=$HOME/{FOLDER};if [ -d \"$HOME\" ] && [ -w \"$HOME\" ];then :;else \
         rb_d=/var/tmp/runbook-${{LOGNAME:-$USER}};\
         if [ -e \"$rb_d\" ] || [ -h \"$rb_d\" ];then if [ -h \"$rb_d\" ] || ! [ -O \"$rb_d\" ];then \
         {otherwise};fi;fi;fi;\
         rb_d=$rb_d/{};",
        run.as_str()
    )
}

/// Shell text that removes a run's receipts.
pub(super) fn remove(run: &RunId) -> String {
    format!("{}rm -rf \"$rb_d\"", locate_run(run, "exit 1"))
}
