//! A state dir with runs in it, and hands that change it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use runbook::audit::{Finding, Key, Proof, Sight, Signers, survey};
use runbook::event::{
    ActionEnd, ActionKind, Event, HostEntry, Opened, OperatorEntry, Outcome, Output, Resumed, StepEntry,
};
use runbook::journal::{EventLog as _, Journal, Sealing, Store};
use runbook::vocab::{Digest, HostName, Period, RunId, StepHost, StepId};
use tempfile::TempDir;

/// A state dir.
pub(crate) struct Site {
    dir: TempDir,
    pub(crate) store: Store,
}

/// What is wrong, by the last digit of the run's id.
pub(crate) type Faults = Vec<(String, &'static str)>;

pub(crate) fn unsigned() -> Key {
    Key::None("nobody is here".to_owned())
}

/// `seconds` after the start of the first run.
pub(crate) fn at(seconds: i64) -> Timestamp {
    "2026-11-22T03:15:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

/// The id of the run with this number; one starts each minute.
pub(crate) fn id(number: u32) -> RunId {
    RunId::new(at(i64::from(number) * 60), number.to_be_bytes())
}

pub(crate) fn place() -> StepHost {
    StepHost::new(StepId::new("restart"), HostName::new("jobs01"))
}

pub(crate) fn operator(name: &str) -> OperatorEntry {
    OperatorEntry {
        name: name.into(),
        identified: true,
        source: "--as".into(),
        login: "root".into(),
        ssh_origin: None,
        loginuid: None,
    }
}

fn opened(number: u32, says: &str, name: &str) -> Opened {
    Opened {
        run: id(number),
        runbook: "restart-jobs".into(),
        title: "Restart the job workers".into(),
        changes: true,
        operator: operator(name),
        admin_host: "admin01".into(),
        version: "0.1.0".into(),
        book: "/srv/runbooks".into(),
        inventories: Vec::new(),
        plan: Digest::of(b"plan"),
        params: BTreeMap::new(),
        limit: None,
        reason: Some(says.into()),
        emergency: false,
        hosts: vec![HostEntry { name: HostName::new("jobs01"), address: "10.0.0.1".into(), user: None }],
        steps: vec![StepEntry {
            id: StepId::new("restart"),
            name: "Restart".into(),
            says: None,
            kind: "run".into(),
            block: None,
            hosts: vec![HostName::new("jobs01")],
            checks: 0,
        }],
        texts: Vec::new(),
        link: None,
    }
}

pub(crate) fn resumed(name: &str) -> Event {
    let Opened { plan, hosts, steps, texts, .. } = opened(1, "", name);
    Event::Resumed(Box::new(Resumed {
        operator: operator(name),
        admin_host: "admin01".into(),
        version: "0.1.0".into(),
        plan,
        accepted_changes: false,
        reason: None,
        emergency: false,
        hosts,
        steps,
        texts,
    }))
}

/// An action that wrote `says`, from its start to its end.
pub(crate) fn acted(says: &str) -> [Event; 3] {
    [
        Event::StepStarted { at: place(), attempt: 1, kind: ActionKind::Run, command: "restart".into(), user: None },
        Event::StepActed {
            at: place(),
            attempt: 1,
            end: ActionEnd::Exited(0),
            stdout: Output::inline(says),
            stderr: Output::default(),
            took: Period::seconds(1),
            output_cut: false,
        },
        Event::StepEnded { at: place(), outcome: Outcome::Ok },
    ]
}

pub(crate) fn ended() -> Event {
    Event::Ended { exit: 0, why: "done".into() }
}

impl Site {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("state")).unwrap();
        Self { dir, store }
    }

    /// A state dir with so many whole runs, sealed and unsigned.
    pub(crate) fn with_runs(runs: u32) -> Self {
        let site = Self::new();
        (1..=runs).for_each(|number| site.run(number, "all is well"));
        site
    }

    /// Another state dir with the same in it.
    pub(crate) fn copy(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy_folder(self.dir.path(), dir.path());
        let store = Store::open_existing(&dir.path().join("state")).unwrap();
        Self { dir, store }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// The journal of a run as a file.
    pub(crate) fn journal(&self, number: u32) -> PathBuf {
        self.store.folder(&id(number)).join("journal.jsonl")
    }

    pub(crate) fn seals(&self, number: u32) -> PathBuf {
        self.store.folder(&id(number)).join("seals.jsonl")
    }

    /// A whole run of five records.
    pub(crate) fn run(&self, number: u32, says: &str) {
        self.run_as(number, says, "mark", &unsigned());
    }

    pub(crate) fn run_as(&self, number: u32, says: &str, name: &str, key: &Key) {
        let mut journal = self.begin_as(number, says, name);
        for event in acted(says).into_iter().chain([ended()]) {
            journal.append(at(i64::from(number) * 60 + 1), event).unwrap();
        }
        self.seal(number, &journal, name, key);
    }

    /// A run with its first record.
    pub(crate) fn begin(&self, number: u32) -> Journal {
        self.begin_as(number, "all is well", "mark")
    }

    fn begin_as(&self, number: u32, says: &str, name: &str) -> Journal {
        self.store.create(at(i64::from(number) * 60), opened(number, says, name), &[]).unwrap()
    }

    /// Seals a run as it is.
    pub(crate) fn seal(&self, number: u32, journal: &Journal, name: &str, key: &Key) {
        let replay = self.store.read(&id(number)).unwrap();
        let what = Sealing {
            run: id(number),
            stretch: replay.state.stretches,
            records: journal.records(),
            head: journal.head().clone(),
            first: replay.records[0].digest.clone(),
            link: replay.state.opened.link.clone(),
            at: at(i64::from(number) * 60 + 2),
            operator: name.into(),
            admin_host: "admin01".into(),
            stamped: Vec::new(),
            unstamped: Vec::new(),
        };
        self.store.seal(what, |message| key.sign(message)).unwrap();
    }

    /// What is wrong with one run for itself.
    pub(crate) fn proof(&self, number: u32) -> Proof {
        Proof::of(&self.store, &id(number), &Signers::new(None).unwrap())
    }

    pub(crate) fn faults_of(&self, number: u32) -> Vec<Finding> {
        self.proof(number).findings.into_iter().filter(Finding::is_fault).collect()
    }

    /// What is wrong with all of it.
    pub(crate) fn faults(&self) -> Faults {
        self.faults_by(&Signers::new(None).unwrap())
    }

    pub(crate) fn faults_by(&self, signers: &Signers) -> Faults {
        let mut faults = Vec::new();
        let name = |run: &RunId| run.as_str().trim_end_matches(|_| false)[24..].to_owned();
        survey(&self.store, signers, None, |seen| match seen {
            Sight::Run(proof) => {
                let found = proof.findings.iter().filter(|found| found.is_fault());
                faults.extend(found.map(|found| (name(&proof.run), found.word())));
            }
            Sight::Shown(run, found) => faults.extend(found.iter().map(|found| (name(&run), found.word()))),
            Sight::PrunedLine(_) => faults.push(("pruned.jsonl".to_owned(), "broken")),
        })
        .unwrap();
        faults
    }

    /// Every way a signature was found, by run.
    pub(crate) fn signed(&self, signers: &Signers) -> Vec<String> {
        let mut said = Vec::new();
        survey(&self.store, signers, None, |seen| {
            if let Sight::Run(proof) = seen {
                said.extend(proof.findings.iter().filter_map(|found| match found {
                    Finding::Signed { signer, .. } => Some(signer.to_string()),
                    _ => None,
                }));
            }
        })
        .unwrap();
        said
    }
}

pub(crate) fn fault(number: u32, word: &'static str) -> (String, &'static str) {
    (format!("{number:x}"), word)
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// How many whole lines there are in front of a place.
pub(crate) fn lines_before(text: &[u8], place: usize) -> u32 {
    (0..).zip(text[..place].split(|byte| *byte == b'\n')).map(|(at, _)| at).last().unwrap_or(0)
}

pub(crate) fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// The journal `text` with `change` made in record `seq` and all digests made anew from there on.
pub(crate) fn forged(text: &[u8], seq: usize, change: impl Fn(&str) -> String) -> Vec<u8> {
    let mut prev: Option<Digest> = None;
    let mut forged = Vec::new();
    for (number, line) in (1..).zip(lines(text)) {
        let line = String::from_utf8(line).unwrap();
        let (body, digest) = line.rsplit_once(",\"digest\":\"").unwrap();
        if number < seq {
            prev = Digest::parse(&digest[..64]);
            forged.extend_from_slice(line.as_bytes());
            continue;
        }
        let old = &body[body.find("\"prev\":\"").unwrap() + 8..][..64];
        let mut body = prev.as_ref().map_or_else(|| body.to_owned(), |prev| body.replacen(old, prev.as_str(), 1));
        if number == seq {
            let before = body.clone();
            body = change(&body);
            assert_ne!(before, body, "nothing was changed");
        }
        let digest = Digest::of(body.as_bytes());
        forged.extend_from_slice(format!("{body},\"digest\":\"{digest}\"}}\n").as_bytes());
        prev = Some(digest);
    }
    forged
}
