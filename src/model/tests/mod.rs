//! The pure parts of the language's meaning: above all, that they fail closed.

mod closed;
mod rendering;
