//! Scenarios: runs without hosts, judged.
//!
//! The real plan, engine, recorder and resume play on a fleet that answers from a script, in simulated time, with a person
//! who answers as they were told to; what comes of it is held against what must. Apart from the engine, which does not
//! know that it is played with.
//!
//! - `fleet` makes rules of answers; `person` is asked; `watch` sees what happens beside the hosts
//! - [`play`](play::play) plays a scenario, stretch after stretch; `judge` says how it differs from what must be
//! - [`troupe`] plays many at once
//! - [`record`] makes a scenario of a past run, from what its journal has (`taken`), in the file's shape (`written`)

pub mod difference;
mod fleet;
mod judge;
mod person;
pub mod play;
pub mod record;
mod taken;
pub mod troupe;
mod watch;
mod written;

pub use difference::Difference;
pub use play::{Played, Stage, play};
pub use record::Recording;
pub use troupe::{Outcome, SuitePlayed, play_all};
