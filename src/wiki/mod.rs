//! The book in a MediaWiki: published, never over a person's edit; compared with the book by any admin host.
//!
//! What was published is remembered in the page itself, as a comment with a digest (`mark`), so that no admin host needs
//! to know what another has done. `judge` compares a page with what stands in the wiki, without any I/O; `publish` and
//! `drift` act on it. Below them `session` is who is logged in and what may be asked, `api` what is asked, `retry` how
//! patiently, `http` the connection, `address` where.

mod address;
mod api;
mod diff;
mod drift;
mod error;
mod http;
mod judge;
mod mark;
mod publish;
mod retry;
mod session;

pub use address::Address;
pub use drift::{Drift, DriftKind, Drifts, drifts};
pub use error::WikiError;
pub use judge::{Accepted, Change, Judged};
pub use mark::{Mark, Page};
pub use publish::{Mode, Outcome, Published, publish};
pub use session::{Account, Wiki};
