//! Words that every floor uses: ids, places, digests, time, masked text, commands, observations, verdicts.
//!
//! Apart because everything else is written in these words; nothing here knows what a runbook is, and nothing
//! here touches the world (but for [`clock::SystemClock`], the one place that reads the time).

pub mod clock;
pub mod command;
pub mod digest;
pub mod duration;
pub mod fold;
pub mod glob;
pub mod holder;
pub mod html;
pub mod ids;
pub mod location;
pub mod masking;
pub mod neutral;
pub mod observation;
pub mod quote;
pub mod stamp;
pub mod verdict;

pub use clock::{Clock, SystemClock};
pub use command::{Command, HttpRequest, Program, TcpTalk};
pub use digest::{Digest, Digester};
pub use duration::Period;
pub use fold::fold_hosts;
pub use glob::glob;
pub use holder::{Holder, Loss};
pub use ids::{HostName, RunId, StepHost, StepId};
pub use location::Location;
pub use masking::{MaskedText, Masker, Secret, StreamMasker};
pub use observation::{Datum, Observation, Reply, Row, Rows};
pub use stamp::{Stamp, StampsSeen};
pub use verdict::Verdict;
