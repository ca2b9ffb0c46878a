//! Tests of journals as files: what is written is read, and what was not written is found out.

mod finding;
mod fixture;
mod index;
mod room;
mod round_trip;
mod skimming;
mod tampering;
mod writing;
