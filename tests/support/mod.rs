//! What the integration tests share: a lab to run on, and the program as its user runs it.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    clippy::needless_pass_by_value,
    clippy::unused_self,
    reason = "each test binary uses its own part of it, and tests read better so"
)]

pub mod crash;
pub mod deeds;
pub mod hand;
pub mod lab;
pub mod program;
pub mod small;
pub mod tale;
pub mod terminal;

pub use crash::Crash;
pub use deeds::{deed, deeds};
pub use lab::{Lab, TRIOS};
pub use program::{Program, Ran, signal};
pub use small::Small;
pub use tale::Tale;
pub use terminal::Terminal;
