//! Small words for things that events carry.
//!
//! Apart so that a flag, an answer or a choice is called the same wherever it is told.

use crate::event::{AckHow, Answer, AskedWhat, Choice, OverrideHow};

/// `1 line`, `2 lines`.
pub fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// A captured value as people read it: a text without its quotes.
pub fn bare(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What a question is about, in words.
pub fn asked_words(what: &AskedWhat) -> String {
    match what {
        AskedWhat::Start => "start?".to_owned(),
        AskedWhat::Warning { id } => format!("warning {id}?"),
        AskedWhat::Manual { .. } => "done?".to_owned(),
        AskedWhat::Failure { .. } => "what to do about the failure?".to_owned(),
        AskedWhat::InDoubt { .. } => "what to do about the doubt?".to_owned(),
    }
}

/// An answer in words.
pub fn answer_words(answer: &Answer) -> String {
    match answer {
        Answer::Yes => "yes".to_owned(),
        Answer::No => "no".to_owned(),
        Answer::Text(text) => format!("\"{text}\""),
        Answer::Flag(flag) => format!("yes, by {flag}"),
        Answer::NoTerminal => "no: there is no terminal to ask at".to_owned(),
    }
}

/// What acknowledged a warning, in words.
pub fn ack_words(how: AckHow) -> &'static str {
    match how {
        AckHow::NotNeeded => "asks for no acknowledgement",
        AckHow::Confirmed => "confirmed",
        AckHow::Typed => "confirmed by typing its text",
        AckHow::Flag => "acknowledged by --ack",
        AckHow::Emergency => "acknowledged by --emergency",
        AckHow::Earlier => "acknowledged before",
    }
}

/// The flag that overrode.
pub fn override_words(how: OverrideHow) -> &'static str {
    match how {
        OverrideHow::Override => "--override",
        OverrideHow::Emergency => "--emergency",
    }
}

/// A choice in words.
pub fn choice_words(choice: Choice) -> &'static str {
    match choice {
        Choice::Retry => "run it again",
        Choice::Recheck => "check again",
        Choice::Skip => "leave this host out",
        Choice::Undo => "undo",
        Choice::Stop => "stop",
        Choice::Continue => "go on with the next hosts",
        Choice::Done => "it took effect",
        Choice::NotDone => "it did not take effect",
    }
}
