//! The operator's wish to stop: the first signal starts nothing new, the second stops what runs.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Whether, and how urgently, the run shall stop. Clones share it.
#[derive(Clone, Debug)]
pub struct Interrupt {
    level: Arc<watch::Sender<u32>>,
    stop: CancellationToken,
}

impl Default for Interrupt {
    fn default() -> Self {
        Self { level: Arc::new(watch::channel(0).0), stop: CancellationToken::new() }
    }
}

impl Interrupt {
    /// Nobody wants to stop.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another signal came; gives which one it was, from 1.
    pub fn raise(&self) -> u32 {
        let mut count = 0;
        self.level.send_modify(|level| {
            *level += 1;
            count = *level;
        });
        if count >= 2 {
            self.stop.cancel();
        }
        count
    }

    /// How many signals came so far.
    pub fn level(&self) -> u32 {
        *self.level.borrow()
    }

    /// Whether nothing new shall start.
    pub fn is_raised(&self) -> bool {
        self.level() > 0
    }

    /// Ends once nothing new shall start.
    pub async fn raised(&self) {
        let mut level = self.level.subscribe();
        // the sender lives in self, so waiting cannot fail
        let _ = level.wait_for(|level| *level > 0).await;
    }

    /// Cancelled once running commands shall be stopped.
    pub fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Sleeps, unless interrupted before; says whether it slept to the end.
    pub async fn sleep(&self, length: std::time::Duration) -> bool {
        tokio::select! {
            biased;
            () = self.raised() => false,
            () = tokio::time::sleep(length) => true,
        }
    }
}
