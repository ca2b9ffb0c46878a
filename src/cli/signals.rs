//! Signals as the operator's wish to stop.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use crate::engine::{Interrupt, Recorder};
use crate::event::Event;

/// How long a signal waits for its record.
const PATIENCE: Duration = Duration::from_secs(1);

/// Listens until the task is aborted: SIGINT and SIGTERM count, SIGHUP only asks to start nothing new, since a
/// terminal that vanishes must never stop a running command.
pub(super) fn listen(interrupt: Interrupt, recorder: Option<Recorder>) -> std::io::Result<JoinHandle<()>> {
    let mut int = signal(SignalKind::interrupt())?;
    let mut term = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(tokio::spawn(async move {
        loop {
            let name = tokio::select! {
                _ = int.recv() => "SIGINT",
                _ = term.recv() => "SIGTERM",
                _ = hangup.recv() => "SIGHUP",
            };
            if name == "SIGHUP" && interrupt.is_raised() {
                continue;
            }
            if let Some(recorder) = &recorder {
                // written before it is obeyed: behind the run's last event there is no place for it. A journal that
                // cannot be written, or not soon, delays nobody; the run itself meets it and says so
                let event = Event::Interrupted { signal: name.to_owned(), count: interrupt.level() + 1 };
                let _ = tokio::time::timeout(PATIENCE, recorder.record(event)).await;
            }
            interrupt.raise();
        }
    }))
}
