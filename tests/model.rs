//! Protocols, taken apart into every order in which their steps may happen.
//!
//! `receipts`: that an action never takes effect twice. `locks`: that two runs never act on one host at once. `table`:
//! what the one table of transitions lets follow what. Each protocol is also searched with one of its parts left out,
//! and the search must find what that part is for. A larger search than a test run has time for: `MODEL=large`.

#![expect(clippy::print_stdout, reason = "how much was searched is worth knowing")]

#[path = "model/ledger.rs"]
mod ledger;
#[path = "model/locks.rs"]
mod locks;
#[path = "model/receipts.rs"]
mod receipts;
#[path = "model/search.rs"]
mod search;
#[path = "model/table.rs"]
mod table;
