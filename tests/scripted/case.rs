//! A runbook that is run under disturbances: its text, its hosts' script, who is asked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use runbook::engine::{Ending, Options};
use runbook::model::Inventory;
use runbook::plan::make::{Making, RunFacts};
use runbook::plan::{Given, Plan, bind};
use runbook::source::{BookSource, InventorySource};
use runbook::transport::Scripted;

use crate::person::{Mind, agreeing};

/// A runbook that is run under disturbances.
pub struct Case {
    pub plan: Plan,
    pub script: Arc<dyn Fn() -> Scripted + Send + Sync>,
    pub mind: Mind,
    pub options: Options,
    /// What its run ends with, disturbed or not.
    pub ending: Ending,
    /// What a stretch that was disturbed may end with besides.
    pub or: Option<Ending>,
}

/// The hosts of runbooks that bring none of their own.
pub const HOSTS: &str = "hosts: { a: {}, b: {}, c: {} }\ngroups: { ab: [a, b] }\n";

impl Case {
    /// A runbook by its text.
    pub fn new(text: &str, script: impl Fn() -> Scripted + Send + Sync + 'static) -> Self {
        Self::of_files(&[("t.yaml", text)], script)
    }

    /// The runbook `t.yaml` among files of its book.
    pub fn of_files(files: &[(&str, &str)], script: impl Fn() -> Scripted + Send + Sync + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [("inventory.yaml", HOSTS)].iter().chain(files) {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        Self::of_plan(plan(dir.path(), "t"), script)
    }

    /// A runbook of the book of the project.
    pub fn of_the_book(name: &str, script: impl Fn() -> Scripted + Send + Sync + 'static) -> Self {
        Self::of_plan(plan(&Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks"), name), script)
    }

    fn of_plan(plan: Plan, script: impl Fn() -> Scripted + Send + Sync + 'static) -> Self {
        let options = Options { operator: "anna".to_owned(), yes: true, ..Options::default() };
        Self { plan, script: Arc::new(script), mind: agreeing, options, ending: Ending::Done, or: None }
    }

    /// Somebody else is asked.
    #[must_use]
    pub fn asking(mut self, mind: Mind) -> Self {
        self.mind = mind;
        self
    }

    /// With other options.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    /// Its run does not end well. A resume of one that was disturbed may end otherwise.
    #[must_use]
    pub fn ends(mut self, ending: Ending, or: Option<Ending>) -> Self {
        (self.ending, self.or) = (ending, or);
        self
    }

    /// Whether this exit status is one that its run ends with.
    pub fn ends_with(&self, exit: u8) -> bool {
        exit == self.ending.exit() || self.or.is_some_and(|or| exit == or.exit())
    }

    /// The names of its hosts.
    pub fn hosts(&self) -> Vec<&str> {
        self.plan.hosts.keys().map(runbook::vocab::HostName::as_str).collect()
    }
}

/// The plan of a runbook of the book in `dir`.
fn plan(dir: &Path, name: &str) -> Plan {
    let inventory = dir.join("inventory.yaml");
    let inventory: Inventory = InventorySource::read(&[PathBuf::from(&inventory)]).unwrap().inventory;
    let runbook = BookSource::open(dir).unwrap().runbook(name).unwrap_or_else(|error| panic!("{error:#?}"));
    let params = bind::bind(&runbook.params, &Given::default(), &inventory).unwrap();
    let run = RunFacts { operator: "anna".to_owned(), reason: None, emergency: false };
    Plan::make(&runbook, Making { inventory: &inventory, params, limit: None, run }).unwrap()
}
