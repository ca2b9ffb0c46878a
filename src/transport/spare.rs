//! A session that was opened ahead of its command: what a login shell and `sh` take to start passes while something
//! else is done.
//!
//! It waits for its errand like any other and does nothing before: one that is never used ends when its standard input
//! closes. Apart from `connection`, which opens sessions, because this is only about which of them may still be used.
//!
//! *Not guaranteed*: it is logged in before the command ahead of it has ended. What that command changes about logging
//! in (a start-up file that the shell reads for every command, the groups of the user) is there for the command after the
//! next.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::channel::Channel;
use super::nonce;
use super::wrapper::Bootstrap;

/// From which command on: most runs that look at many hosts have one for each.
const FROM: u32 = 2;
/// One that is older is not used.
const FRESH: Duration = Duration::from_secs(30);
/// One that answered so short a time ago need not be asked again: to lose the connection in this time is to lose it in
/// the middle of a command.
const SURE: Duration = Duration::from_millis(200);
/// What the answer may take that shows that it is still there.
const ANSWER: Duration = Duration::from_secs(1);

/// The place for one spare session.
#[derive(Default)]
pub(super) struct Spare(Mutex<State>);

#[derive(Default)]
struct State {
    commands: u32,
    opening: bool,
    ready: Option<(Channel, Instant)>,
}

impl Spare {
    /// One more command is to run: the session for it, if one waits and its host answers.
    pub(super) async fn take(&self) -> Option<Channel> {
        let ready = {
            let mut state = self.lock();
            state.commands = state.commands.saturating_add(1);
            state.ready.take()
        };
        let (mut channel, since) = ready?;
        let age = since.elapsed();
        let usable = age < SURE || (age < FRESH && heard(&mut channel).await);
        usable.then_some(channel)
    }

    /// Whether one should be opened now; whoever is told so does it and calls [`Spare::keep`].
    pub(super) fn wanted(&self) -> bool {
        let mut state = self.lock();
        let wanted = state.commands >= FROM && state.ready.is_none() && !state.opening;
        state.opening |= wanted;
        wanted
    }

    /// Keeps what was opened, once it has answered, unless a command waits for its place or nobody wants it any more.
    pub(super) async fn keep(&self, opened: Option<Channel>, sessions: &Arc<Semaphore>) {
        let mut opened = opened;
        if let Some(channel) = &mut opened
            && !heard(channel).await
        {
            opened = None;
        }
        let mut state = self.lock();
        state.opening = false;
        if state.commands >= FROM
            && let Some(channel) = opened
            && let Ok(place) = Arc::clone(sessions).try_acquire_owned()
        {
            state.ready = Some((Channel { _place: Some(place), ..channel }, Instant::now()));
        }
    }

    /// Ends it; the next command counts as the first.
    pub(super) fn give_up(&self) {
        *self.lock() = State::default();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Spare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spare").finish_non_exhaustive()
    }
}

/// Whether it says a word back in time.
async fn heard(channel: &mut Channel) -> bool {
    timeout(ANSWER, answers(channel)).await == Ok(Some(()))
}

/// Has the wrapper say a word before its errand: what is sent over a connection that is gone would count as sent.
async fn answers(channel: &mut Channel) -> Option<()> {
    let word = format!("{}\n", nonce().ok()?);
    channel.stdin.write_all(Bootstrap::saying(word.trim_end()).as_bytes()).await.ok()?;
    channel.stdin.flush().await.ok()?;
    // a login shell may have said something first
    let (mut heard, mut chunk) = (Vec::new(), [0; 1024]);
    while !heard.ends_with(word.as_bytes()) {
        match channel.stdout.read(&mut chunk).await {
            Ok(length @ 1..) => heard.extend_from_slice(&chunk[..length]),
            Ok(0) | Err(_) => return None,
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::channel::{Carrier as _, Priority};
    use super::super::exchange::{Exchange, Progress};
    use super::super::gathered::Gathered;
    use super::super::local::Here;
    use super::super::wrapper::Errand;
    use super::*;

    async fn opened() -> Option<Channel> {
        Here.open(&Bootstrap::new(None, "test"), Priority::Normal).await.ok()
    }

    async fn says(channel: Channel, text: &str) -> String {
        let errand = Errand::service("abc".to_owned(), text);
        let gathered = Arc::<Gathered>::default();
        let mut exchange = Exchange::new(channel, &errand, Arc::clone(&gathered), (0, 0));
        while exchange.advance().await == Progress::Started {}
        String::from_utf8_lossy(&gathered.take().stdout).into_owned()
    }

    #[tokio::test]
    async fn from_the_second_command_on_the_next_one_gets_it() {
        let (spare, sessions) = (Spare::default(), Arc::new(Semaphore::new(1)));
        assert!(spare.take().await.is_none());
        assert!(!spare.wanted(), "after one command");
        assert!(spare.take().await.is_none());
        assert!(spare.wanted());
        assert!(!spare.wanted(), "it is being opened");
        spare.keep(opened().await, &sessions).await;
        assert!(!spare.wanted(), "it is there");
        assert_eq!(sessions.available_permits(), 0, "it has a place");
        let channel = spare.take().await.unwrap();
        assert_eq!(says(channel, "echo one; printf two").await, "one\ntwo");
        assert_eq!(sessions.available_permits(), 1);
        assert!(spare.wanted());
    }

    #[tokio::test]
    async fn a_long_line_reaches_it_whole() {
        let (spare, sessions) = (Spare::default(), Arc::new(Semaphore::new(1)));
        spare.lock().commands = FROM;
        spare.keep(opened().await, &sessions).await;
        let text = format!("printf %s '{}'", "x".repeat(60_000));
        assert_eq!(says(spare.take().await.unwrap(), &text).await.len(), 60_000);
    }

    #[tokio::test]
    async fn one_that_is_dead_old_unwanted_or_in_the_way_is_not_used() {
        let (spare, sessions) = (Spare::default(), Arc::new(Semaphore::new(1)));
        spare.lock().commands = FROM;
        let mut dead = opened().await.unwrap();
        dead.stdin = Box::new(tokio::io::sink());
        spare.keep(Some(dead), &sessions).await;
        assert!(spare.take().await.is_none(), "dead");
        spare.keep(opened().await, &sessions).await;
        if let Some((_, since)) = &mut spare.lock().ready {
            *since = since.checked_sub(FRESH).unwrap();
        }
        assert!(spare.take().await.is_none(), "old");
        let place = Arc::clone(&sessions).try_acquire_owned().unwrap();
        spare.keep(opened().await, &sessions).await;
        assert!(spare.take().await.is_none(), "in the way");
        drop(place);
        spare.give_up();
        spare.keep(opened().await, &sessions).await;
        assert!(spare.take().await.is_none(), "given up");
        assert_eq!(sessions.available_permits(), 1);
    }
}
