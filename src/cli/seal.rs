//! Sealing what was recorded, with the operator's key where there is one.

use std::path::PathBuf;

use super::app::Global;
use super::context::{self, variable};
use super::error::CliError;
use super::identity;
use crate::audit::{Key, Signers};
use crate::event::RunState;
use crate::journal::{Journal, Seal, Sealing, Signature, Store};
use crate::vocab::{Clock as _, Digest, HostName, RunId, SystemClock};

/// How a failure to seal begins.
pub(super) const NOT_SEALED: &str = "note: the record is not sealed";

/// How far a journal has come.
pub(super) struct Extent {
    /// How many records there are.
    pub(super) records: u64,
    /// The digest of the last one.
    pub(super) head: Digest,
    /// The digest of the first one.
    pub(super) first: Digest,
}

/// What became of the hosts' own logs: where the head was left, and where it could not be and why.
#[derive(Default)]
pub(super) struct Stamped {
    pub(super) hosts: Vec<HostName>,
    pub(super) not: Vec<(HostName, String)>,
}

/// Seals a run as it stands, in the name of `operator`. Gives what to say of it: the run is over, and whether it is sealed
/// changes nothing of what it did.
pub(super) fn seal(
    global: &Global,
    store: &Store,
    state: &RunState,
    extent: Extent,
    operator: &str,
    stamped: Stamped,
) -> String {
    let run = &state.opened.run;
    let records = extent.records;
    let unstamped = stamped.not.clone();
    match sealed(global, store, state, extent, operator, stamped) {
        Ok(seal) => {
            let signed = signature_words(global, &seal);
            let not: Vec<String> = unstamped.iter().map(|(host, why)| format!("{host} ({why})")).collect();
            let not = if not.is_empty() { String::new() } else { format!("; not in the log of {}", not.join(", ")) };
            format!("sealed: {records} records, {signed}{not}")
        }
        Err(error) => format!(
            "{NOT_SEALED}: {}; `{} audit seal {run}` does it",
            error.messages.join("; "),
            super::conduct::program(global)
        ),
    }
}

/// What a new seal's signature is worth, in words.
pub(super) fn signature_words(global: &Global, seal: &Seal) -> String {
    match &seal.signature {
        Signature::Signed(_) => match doubted(global, seal) {
            Some(why) => format!("BUT {why}: `runbook audit verify` will call that a fault"),
            None => "signed".to_owned(),
        },
        Signature::Unsigned(why) => format!("unsigned ({why})"),
    }
}

/// The same, where it is the one thing that is to be done.
pub(super) fn sealed(
    global: &Global,
    store: &Store,
    state: &RunState,
    extent: Extent,
    operator: &str,
    stamped: Stamped,
) -> Result<Seal, CliError> {
    let what = Sealing {
        run: state.opened.run.clone(),
        stretch: state.stretches,
        records: extent.records,
        head: extent.head,
        first: extent.first,
        link: state.opened.link.clone(),
        at: SystemClock.now(),
        operator: operator.to_owned(),
        admin_host: identity::admin_host(),
        stamped: stamped.hosts,
        unstamped: stamped.not,
    };
    let key = key(global);
    Ok(store.seal(what, |message| key.sign(message))?)
}

/// Seals a run that this program has just written a word into.
pub(super) fn seal_journal(
    global: &Global,
    store: &Store,
    run: &RunId,
    journal: &Journal,
    operator: &str,
) -> Result<String, CliError> {
    let past = store.read(run)?;
    let first = past.first();
    let extent = Extent { records: journal.records(), head: journal.head().clone(), first };
    Ok(seal(global, store, &past.state, extent, operator, Stamped::default()))
}

/// Says beforehand that nothing will be signed, where a key was named that cannot sign. The run goes on: at 3 a.m. the work
/// comes first, and what is unsigned says so.
pub(super) fn warn(global: &Global) {
    if let Some(why) = key(global).trouble() {
        let text = format!("note: this run will not be signed: {why}\n");
        crate::report::Sink::stderr().write(&crate::vocab::neutral::neutralise(&text));
    }
}

/// Whether a signature counts, where it can be asked: what is said of one that does not.
fn doubted(global: &Global, seal: &Seal) -> Option<String> {
    let signer = Signers::new(Some(signers_file(global)?)).ok()?.of(seal);
    signer.is_fault().then(|| signer.to_string())
}

/// What seals are signed with: what was said, or what the agent has.
fn key(global: &Global) -> Key {
    match global.sign_key.as_deref() {
        Some("none") => Key::None("by --sign-key none".to_owned()),
        Some(path) => Key::File(PathBuf::from(path)),
        None if variable("SSH_AUTH_SOCK").is_none_or(|socket| socket.is_empty()) => {
            Key::None("no ssh agent, and no --sign-key".to_owned())
        }
        None => Key::of_agent(signers_file(global).as_deref()),
    }
}

/// Whose signatures count.
pub(super) fn signers(global: &Global) -> Result<Signers, CliError> {
    let file = signers_file(global);
    Signers::new(file.clone()).map_err(|error| {
        let file = file.map(|file| file.display().to_string()).unwrap_or_default();
        CliError::usage(format!("the allowed signers {file}: {error}"))
    })
}

/// The file of allowed signers: given, or `allowed_signers` in the book.
fn signers_file(global: &Global) -> Option<PathBuf> {
    let given = global.signers.clone();
    given.or_else(|| Some(context::book_dir(global).ok()?.join("allowed_signers")).filter(|file| file.exists()))
}
