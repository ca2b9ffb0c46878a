//! A book in a folder, and its scenarios played by the library.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use runbook::engine::Rehearsal;
use runbook::event::{Event, Output};
use runbook::model::scenario::{Scenario, Suite};
use runbook::model::{Inventory, ParamType, Runbook};
use runbook::plan::make::{Making, RunFacts};
use runbook::plan::{Given, Plan, bind};
use runbook::scenario::record::made_up;
use runbook::scenario::{Played, Recording, Stage, play};
use runbook::source::{BookSource, InventorySource, LoadError};
use runbook::vocab::Secret;
use tempfile::TempDir;

/// A book in a folder.
pub struct Book {
    dir: PathBuf,
    _own: Option<TempDir>,
}

/// A scenario file that can be played.
pub struct Ready {
    pub runbook: Arc<Runbook>,
    pub suite: Suite,
}

fn outline(_: &Plan, seen: &Rehearsal) -> String {
    let deeds = seen.units.iter().flat_map(|unit| &unit.deeds);
    deeds.map(|deed| format!("{}@{}: {:?}\n", deed.step, deed.host, deed.what)).collect()
}

impl Book {
    /// The project's own.
    pub fn own() -> Self {
        Self { dir: Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks"), _own: None }
    }

    /// One of these files, with three hosts where none of them is an inventory.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let hosts = ("inventory.yaml", "hosts: { a: {}, b: {}, c: {} }\ngroups: { ab: [a, b] }\n");
        for (name, text) in std::iter::once(&hosts).chain(files) {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self { dir: dir.path().to_owned(), _own: Some(dir) }
    }

    /// One of a runbook `t` and its scenarios.
    pub fn with(runbook: &str, scenarios: &str) -> Self {
        Self::of(&[("t.yaml", runbook), ("tests/t.yaml", scenarios)])
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn inventory(&self) -> Inventory {
        InventorySource::read(&[self.dir.join("inventory.yaml")]).unwrap().inventory
    }

    /// All its scenario files.
    #[track_caller]
    pub fn ready(&self) -> Vec<Ready> {
        let (source, inventory) = (BookSource::open(&self.dir).unwrap(), self.inventory());
        let ready = |name: &String| match source.suite(name, &inventory) {
            Ok(suite) => Ready { runbook: source.runbook(&suite.runbook).unwrap(), suite },
            Err(LoadError::Faults(faults)) => panic!("{}", faults.render(false)),
            Err(error) => panic!("{error}"),
        };
        source.suites().iter().map(ready).collect()
    }

    /// The differences of all scenarios, a line each, with the scenario's name where there are several.
    #[track_caller]
    pub fn differences(&self) -> Vec<String> {
        let mut all = Vec::new();
        for ready in self.ready() {
            for scenario in &ready.suite.scenarios {
                let played = ready.play(scenario);
                all.extend(played.differences.iter().map(|found| format!("{}: {found}", scenario.name)));
            }
        }
        all
    }

    /// Every scenario goes as it must.
    #[track_caller]
    pub fn goes_well(&self) {
        let mut wrong = Vec::new();
        for ready in self.ready() {
            for scenario in &ready.suite.scenarios {
                let played = ready.play(scenario);
                if !played.differences.is_empty() {
                    let differences: Vec<String> = played.differences.iter().map(ToString::to_string).collect();
                    wrong.push(format!("{}: {differences:#?}\n{}", scenario.name, played.told.join("\n---\n")));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    }
}

impl Ready {
    pub fn play(&self, scenario: &Scenario) -> Played {
        play(Stage { runbook: &self.runbook, suite: &self.suite, outline: &outline }, scenario)
    }

    #[track_caller]
    pub fn goes_well(&self, scenario: &Scenario) -> Played {
        let played = self.play(scenario);
        let differences: Vec<String> = played.differences.iter().map(ToString::to_string).collect();
        assert!(differences.is_empty(), "{}: {differences:#?}\n{}", scenario.name, played.told.join("\n---\n"));
        played
    }

    /// What is recorded of a run of `scenario`.
    pub fn recorded(&self, scenario: &Scenario, played: &Played) -> String {
        let records: Vec<_> = played.log.records().into_iter().map(|record| (record.at, record.event)).collect();
        let Event::Opened(opened) = &records[0].1 else { panic!("it begins with its opening") };
        let mut given = Given::default();
        for param in &self.runbook.params {
            if param.kind == ParamType::Secret {
                given.secrets.insert(param.name.clone(), Secret::new(made_up(&param.name)));
            } else {
                given.named.push((param.name.clone(), opened.params[&param.name].clone()));
            }
        }
        let params = bind::bind(&self.runbook.params, &given, &self.suite.inventory).unwrap();
        let run = RunFacts { operator: String::new(), reason: opened.reason.clone(), emergency: opened.emergency };
        let limit = scenario.limit.clone();
        let plan = Plan::make(&self.runbook, Making { inventory: &self.suite.inventory, params, limit, run }).unwrap();
        let whole = |output: &Output| match &output.stored {
            Some(stored) => String::from_utf8(played.log.kept(&stored.digest).unwrap()).unwrap(),
            None => output.text.clone(),
        };
        Recording { records: &records, plan: &plan, whole: &whole }.yaml().unwrap()
    }
}

#[test]
fn every_runbook_has_scenarios() {
    let book = Book::own();
    let with: Vec<String> = book.ready().into_iter().map(|ready| ready.suite.runbook).collect();
    let source = BookSource::open(book.dir()).unwrap();
    let without: Vec<&String> = source.names().iter().filter(|name| !with.contains(name)).collect();
    assert!(without.is_empty(), "write runbooks/tests/NAME.yaml for {without:?}");
}
