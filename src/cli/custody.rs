//! The secrets this process was given, for whatever it says outside of a run's own writer: errors, its log, a panic.
//!
//! Apart from the recorder's masker, which sees all that a run says, because a fault can come before there is a run, or
//! from a library that knows of none.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use super::error::CliError;
use crate::plan::Plan;
use crate::vocab::neutral::neutralise;
use crate::vocab::{Masker, Secret};

static KNOWN: Mutex<Vec<Masker>> = Mutex::new(Vec::new());

/// A secret of this length is nowhere by accident; the word of a sentence may be a shorter one.
const TELLING: usize = 8;

/// Takes note of what must not be told from now on.
pub(super) fn keep(masker: Masker) {
    if !masker.is_empty() {
        KNOWN.lock().unwrap_or_else(PoisonError::into_inner).push(masker);
    }
}

/// Takes note of one secret.
pub(super) fn keep_secret(secret: &Secret) {
    keep(Masker::new([secret.expose()]));
}

/// `text` without secrets, and harmless for a terminal.
pub(super) fn shown(text: &str) -> String {
    neutralise(&masked(text))
}

/// `text` without secrets.
pub(super) fn masked(text: &str) -> String {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.iter().fold(text.to_owned(), |text, masker| masker.mask(&text))
}

/// Stderr for the program's own log. Each write is one line of it.
pub(super) struct Log;

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        io::stderr().lock().write_all(shown(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Has a panic say no secret: what it quotes may be any text.
pub(super) fn guard_panics() {
    std::panic::set_hook(Box::new(|info| {
        let text = shown(&format!("a fault of the program, please report it: {info}"));
        let _ = writeln!(io::stderr().lock(), "{text}");
    }));
}

/// Refuses a run that was told a secret where it would be kept or sent in the open: in the reason, the operator's name,
/// or a parameter that is no secret.
pub(super) fn refuse_told(plan: &Plan, operator: &str, reason: Option<&str>) -> Result<(), CliError> {
    let tells = |text: &str| {
        plan.params().secrets.iter().find_map(|(name, secret)| {
            let secret = secret.expose();
            let told = text == secret || secret.len() >= TELLING && text.contains(secret);
            told.then_some(name.as_str())
        })
    };
    let refused = |what: &str, name: &str, hint: String| {
        let text = format!("{what} has the value of the secret `{name}` in it, and goes into the record as it is");
        Err(CliError::usage(text).hint(hint))
    };
    if let Some(name) = reason.and_then(tells) {
        return refused("the reason", name, "say why in other words".to_owned());
    }
    if let Some(name) = tells(operator) {
        return refused("the operator's name", name, "say who you are with `--as NAME`".to_owned());
    }
    for (param, text) in plan.params().shown() {
        if !plan.params().secrets.contains_key(&param)
            && let Some(name) = tells(&text)
        {
            let hint = format!("if `{param}` is to be secret, the runbook says so: `type: secret`");
            return refused(&format!("the parameter `{param}`"), name, hint);
        }
    }
    Ok(())
}
