//! Pages: that no text can be anything but text on them, that they hang together, and what the book's own look like.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops where it does not go on")]

mod support;

#[path = "render/book.rs"]
mod book;
#[path = "render/command.rs"]
mod command;
#[path = "render/harmless.rs"]
mod harmless;
#[path = "render/pages.rs"]
mod pages;
