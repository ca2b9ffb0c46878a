//! Signals as the operator's wish to stop.

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use crate::engine::{Interrupt, Recorder};
use crate::event::Event;

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
            let count = interrupt.raise();
            if let Some(recorder) = &recorder {
                // the run itself meets a journal that cannot be written, and says so
                let _ = recorder.record(Event::Interrupted { signal: name.to_owned(), count }).await;
            }
        }
    }))
}
