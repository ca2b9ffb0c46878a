//! What is known of every run of a store without reading its journal: for lists, filters and periods.
//!
//! ```text
//! DIR/index         a line a run; the last one of a run counts
//!     index.lock    held while it is written
//! ```
//!
//! Never the truth: it says what the journals say and can be made from them at any time. Whoever wants proof verifies,
//! and [`Store::verify`](super::Store::verify) does not know it.
//!
//! Three things keep it from saying what is not so. Its first line has the time at which the folder of runs was last
//! changed by a run that began; another time there means other hands, and the folder is read and compared. A line about a
//! run that can go on has the length and time of its journal, and is believed only as long as that has them; so a crash
//! shows, and a writer that could not write here. And each line ends in a checksum: one that was cut or changed counts as
//! none. What is left: the contents of a run that was over and whose journal was changed by other hands count as they
//! were when many runs are searched; whenever such a run is shown, its journal's length and time are looked at.
//!
//! Apart from the journal's writer, which goes on whatever becomes of this.

mod catalogue;
mod entry;
mod file;
mod line;

pub use catalogue::{Catalogue, Known};
pub use entry::{Entry, Facts, Indexed};

pub(super) use file::{Arrival, tell};
