//! Pages from runbooks: what the wiki, a folder of Markdown and a site of HTML show.
//!
//! A book and its fleet are an [`Edition`]; it gives a [`Document`] for each runbook and one for the book; a renderer makes
//! that a text. All of it is pure: no file, no clock, no host, and the same book gives the same page.
//!
//! ```text
//! Book, Runbook, Inventory -Edition-> Document -mediawiki|markdown|html::render-> String
//! ```
//!
//! The last run of a runbook is the one part of a page that changes without the book. [`Document::without_last_run`] is
//! the page as a digest sees it; [`mediawiki::without_last_run`] does the same to a page's text.

mod demand;
pub mod document;
mod edition;
mod hand;
pub mod html;
mod inside;
pub mod last_run;
pub mod markdown;
pub mod mediawiki;
mod notes;
mod pace;
mod page;
mod procedure;
pub mod prose;
mod secret;
mod typed;

pub use document::{Block, Document, Inline, Page, Place, To};
pub use edition::Edition;
pub use last_run::{LastRun, Ran};
