//! Runs an operator's procedures on a fleet over ssh: look, then touch; written before done; never twice.
//!
//! A run, told in the order of the code:
//!
//! 1. [`source`] reads a runbook's YAML and says every fault at its line, or gives a [`model`] of what it means.
//! 2. [`plan`] binds parameters and hosts to it: exactly what would be done, with a digest.
//! 3. [`engine`] rehearses the plan (a dry run, able only to look) or performs it.
//! 4. What happens is an [`event`]; the [`journal`] has it on disk before anyone is told.
//! 5. Hosts are reached through [`transport`]: over ssh, on this machine, or by a script of answers.
//! 6. [`report`] shows events to eyes and pipes; [`render`] makes pages of runbooks, for the wiki and for browsers;
//!    [`wiki`] publishes them.
//! 7. What runs have left is asked by [`audit`]: which runs, whether their records are whole, what they come to.
//! 8. [`cli`] is the only place with a terminal and exit codes.
//!
//! Floors, lowest first; a module may import from below it only: [`vocab`]; [`model`] and [`event`] (which do not
//! know each other's meaning: an old journal outlives the language); [`source`], [`plan`], [`journal`],
//! [`transport`]; [`engine`], [`render`], [`report`]; [`audit`], [`scenario`], [`wiki`]; [`cli`]. A test holds the imports to it.
//!
//! The words: a *runbook* is a procedure in a *book*; a *run* is one execution of it; a *probe* looks, an *action*
//! changes; a *check* is a probe with an expectation; `step@host` is one step on one host; *in doubt* is what was sent
//! and whose outcome could not be learned.

pub mod audit;
pub mod cli;
pub mod engine;
pub mod event;
pub mod journal;
pub mod model;
pub mod plan;
pub mod render;
pub mod report;
pub mod scenario;
pub mod source;
pub mod transport;
pub mod vocab;
pub mod wiki;
