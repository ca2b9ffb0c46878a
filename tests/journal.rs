//! The journal through the program, on this machine alone: what crashes and other people leave of it.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops where it does not go on")]

mod support;

#[path = "journal/export.rs"]
mod export;
#[path = "journal/kill.rs"]
mod kill;
#[path = "journal/report.rs"]
mod report;
#[path = "journal/room.rs"]
mod room;
#[path = "journal/telling.rs"]
mod telling;
#[path = "journal/unreadable.rs"]
mod unreadable;
