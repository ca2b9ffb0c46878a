//! An action under way: what is sent, who hears its output, and what is written down of its connection meanwhile.
//!
//! Apart from `attempt` and `learn`, which send and ask, because both, and an undo, need the same.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::perform::{Flow, Stage};
use crate::event::{Event, Found, Progress};
use crate::transport::{Act, Notice, NoticeSink, OutputSink, Stream};
use crate::vocab::{Command, Period, StepHost, StepId, StreamMasker};

/// One stream on its way to those who watch: what the masker holds back, and a character's first bytes.
type Half = (StreamMasker, Vec<u8>);

impl Stage<'_> {
    /// What is sent, or asked about.
    pub(super) async fn act(
        &self,
        at: &StepHost,
        step: StepId,
        attempt: u32,
        command: Command,
        timeout: Option<Period>,
    ) -> Act {
        let boot = self.crew.recorder.state(|state| state.locked.get(&at.host).map(|locked| locked.boot.clone())).await;
        Act {
            run: self.crew.run.clone(),
            step,
            attempt,
            command,
            timeout,
            grace: self.crew.options.grace,
            cancel: self.crew.interrupt.stop(),
            output: self.sink(at),
            notices: Arc::new(|_| {}),
            locked: self.locks.holds(&at.host),
            boot,
        }
    }

    /// Waits for what the fleet was asked to do, and writes down meanwhile what becomes of the connection.
    pub(super) async fn minding<F: Future>(
        &self,
        at: &StepHost,
        attempt: u32,
        call: impl FnOnce(NoticeSink) -> F,
    ) -> Flow<F::Output> {
        let (tell, mut told) = mpsc::unbounded_channel();
        // nobody listens any more once the call is over
        let calling = call(Arc::new(move |notice| drop(tell.send(notice))));
        tokio::pin!(calling);
        loop {
            tokio::select! {
                biased;
                Some(notice) = told.recv() => self.notice(at, attempt, notice).await?,
                answer = &mut calling => {
                    while let Ok(notice) = told.try_recv() {
                        self.notice(at, attempt, notice).await?;
                    }
                    return Ok(answer);
                }
            }
        }
    }

    async fn notice(&self, at: &StepHost, attempt: u32, notice: Notice) -> Flow {
        self.record(match notice {
            Notice::Lost { reason, started } => Event::ConnectionLost { at: at.clone(), reason, started },
            Notice::Runs => Event::ReceiptRead { at: at.clone(), attempt, found: Found::Running },
            Notice::Regained { after } => Event::ConnectionRegained { at: at.clone(), after },
        })
        .await
    }

    /// Who is told of an action's output while it comes: masked here, since it does not pass the journal.
    pub(super) fn sink(&self, at: &StepHost) -> OutputSink {
        let recorder = self.crew.recorder.clone();
        let at = at.clone();
        let streams: Arc<Mutex<[Half; 2]>> = Arc::default();
        Arc::new(move |stream, chunk: &[u8]| {
            let stderr = stream == Stream::Stderr;
            let mut streams = streams.lock().unwrap_or_else(PoisonError::into_inner);
            let (masker, rest) = &mut streams[usize::from(stderr)];
            rest.extend_from_slice(chunk);
            // a character may be cut in two by the chunk's end
            let valid = match std::str::from_utf8(rest) {
                Err(error) if error.error_len().is_none() => error.valid_up_to(),
                Ok(_) | Err(_) => rest.len(),
            };
            let ready: Vec<u8> = rest.drain(..valid).collect();
            let text = masker.feed(recorder.masker(), &String::from_utf8_lossy(&ready));
            if !text.is_empty() {
                recorder.progress(&Progress::Output { at: at.clone(), stderr, text });
            }
        })
    }
}
