//! Events to eyes and pipes: plain lines, a live terminal, JSON, the last screen, the story of a run, tables.
//!
//! Apart from the engine on purpose: whatever is shown follows from events and the state they fold to, so a run is
//! told the same way while it goes on, after it, and years later from its journal. Everything here neutralises what
//! came from a host before it reaches a terminal, and nothing here decides anything.
//!
//! - while it runs: [`Plain`], [`Live`], [`Json`] (each an [`Observer`](crate::event::Observer)), and [`Keeper`],
//!   which remembers
//! - when it is over: [`Story`] (all that was said), [`Closing`] (the last screen), [`Telling`] (the whole story),
//!   [`Ledger`] (a list of runs)
//! - what these are made of: [`Styles`], [`Line`], [`Table`], [`Sink`] and [`Data`]

pub mod closing;
#[cfg(test)]
mod closing_tests;
pub mod elapsed;
pub mod json;
pub mod ledger;
pub mod line;
pub mod live;
pub mod narration;
pub mod observed;
pub mod outline;
pub mod plain;
pub mod rows;
#[cfg(test)]
pub(crate) mod sample;
pub mod screen;
pub mod selection;
pub mod sink;
pub mod story;
pub mod style;
#[cfg(test)]
mod survival;
pub mod table;
pub mod tally;
pub mod telling;
#[cfg(test)]
mod telling_tests;
pub mod verdicts;
pub mod way_on;
pub mod words;

pub use closing::Closing;
pub use json::Json;
pub use ledger::Ledger;
pub use line::Line;
pub use live::Live;
pub use plain::Plain;
pub use selection::Selection;
pub use sink::{Data, Sink};
pub use story::{Keeper, Story};
pub use style::{Role, Styles};
pub use table::{Fit, Table};
pub use telling::Telling;
