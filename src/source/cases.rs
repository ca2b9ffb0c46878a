//! Whole files through the whole of `source`: what is right loads, what is wrong is told as it should be.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use super::{BookSource, Diagnostics, InventorySource, LoadError, SchemaKind};
use crate::model::Inventory;

fn dir(name: &str) -> PathBuf {
    // relative, so that the files are shown the same on every machine; tests run in the package's folder
    Path::new("tests/cases").join(name)
}

fn fleet(name: &str) -> Inventory {
    match InventorySource::read(&[dir(name).join("inventory.yaml")]) {
        Ok(source) => source.inventory,
        Err(LoadError::Faults(faults)) => panic!("{}", faults.render(false)),
        Err(error) => panic!("{error}"),
    }
}

/// Whether generated files are to be written anew.
#[expect(clippy::disallowed_methods, reason = "tests have no cli to read the environment for them")]
pub(super) fn updating() -> bool {
    std::env::var_os("UPDATE").is_some()
}

#[test]
fn valid_runbooks_load_without_a_complaint() {
    let book = BookSource::open(&dir("valid")).unwrap();
    let found = book.check::<&str>(&[], &fleet("valid"));
    assert!(found.is_empty(), "{}", found.render(false));
    for name in book.names() {
        let runbook = book.runbook(name).unwrap();
        assert!(!runbook.steps.is_empty());
    }
    assert_eq!(book.book().systems.len(), 2);
    assert_eq!(book.names(), ["checklist", "everything", "restart-jobs"]);
    assert!(
        matches!(book.runbook("restart-job"), Err(LoadError::Unknown { near: Some(near), .. }) if near == "restart-jobs")
    );
}

#[test]
fn a_runbook_goes_by_its_aliases_too() {
    let book = BookSource::open(&dir("valid")).unwrap();
    assert_eq!(book.named("all-of-it").unwrap(), "everything");
    assert_eq!(book.runbook("all-of-it").unwrap().name, "everything");
    assert_eq!(book.headline("everything").aliases, ["all-of-it"]);
    let fault = book.named("all-of-its").unwrap_err();
    assert_eq!(fault.hint().as_deref(), Some("did you mean `all-of-it`?"));

    let book = BookSource::open(&dir("invalid")).unwrap();
    let fault = book.named("shared").unwrap_err();
    assert_eq!(fault.to_string(), "`shared` is an alias of several runbooks: alias-shared, alias-taken");
}

#[test]
fn a_system_runs_on_hosts_that_there_are() {
    let scratch = tempfile::tempdir().unwrap();
    std::fs::write(scratch.path().join("book.yaml"), "systems:\n  Gearman:\n    hosts: [jobs, jbos]\n").unwrap();
    let book = BookSource::open(scratch.path()).unwrap();
    let shown = book.check::<&str>(&[], &fleet("valid")).render(false);
    assert!(shown.contains("book.yaml:3:19") && shown.contains("did you mean `jobs`?"), "{shown}");
    assert!(book.check::<&str>(&[], &Inventory::default()).is_empty(), "without a fleet nobody can tell");
}

/// Compares `shown` with the text committed at `path`.
fn snapshot(path: &Path, shown: &str, stale: &mut Vec<String>) {
    if updating() {
        std::fs::write(path, shown).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    if committed != shown {
        stale.push(format!("{}:\n{shown}\nand not\n{committed}", path.display()));
    }
}

fn settled(stale: &[String]) {
    assert!(stale.is_empty(), "run with UPDATE=1 when this is right:\n\n{}", stale.join("\n\n"));
}

#[test]
fn every_fault_of_a_runbook_is_told_as_committed() {
    let (book, fleet) = (BookSource::open(&dir("invalid")).unwrap(), fleet("invalid"));
    let mut stale = Vec::new();
    for name in book.names() {
        let found = book.check(&[name], &fleet);
        assert!(!found.is_empty() || name == "included", "{name} has no fault");
        let path = dir("invalid").join(format!("{name}.txt"));
        if name != "included" {
            snapshot(&path, &found.render(false), &mut stale);
        }
        // each has its place, but for files that have no lines
        for fault in &found {
            let placed = fault.location().line > 0 || name == "directory";
            assert!(placed, "{name}: {fault:?}");
        }
    }
    settled(&stale);
}

#[test]
fn every_fault_of_an_inventory_is_told_as_committed() {
    let mut stale = Vec::new();
    for entry in std::fs::read_dir(dir("invalid-inventory")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "yaml") {
            let Err(LoadError::Faults(found)) = InventorySource::read(std::slice::from_ref(&path)) else {
                panic!("{} has no fault", path.display());
            };
            snapshot(&path.with_extension("txt"), &found.render(false), &mut stale);
        }
    }
    settled(&stale);
}

#[test]
fn every_fault_of_a_book_is_told_as_committed() {
    let mut stale = Vec::new();
    for entry in std::fs::read_dir(dir("invalid-book")).unwrap() {
        let path = entry.unwrap().path();
        let book = BookSource::open(&path).unwrap();
        let Err(LoadError::Faults(found)) = book.runbook("ok") else { panic!("{} has no fault", path.display()) };
        snapshot(&path.join("book.txt"), &found.render(false), &mut stale);
    }
    settled(&stale);
}

#[test]
fn every_fault_of_scenarios_is_told_as_committed() {
    let (book, fleet) = (BookSource::open(&dir("invalid-scenarios")).unwrap(), fleet("invalid-scenarios"));
    let mut stale = Vec::new();
    for name in book.suites() {
        let Err(LoadError::Faults(found)) = book.suite(&name, &fleet) else { panic!("{name} has no fault") };
        assert!(found.iter().all(|fault| fault.location().line > 0), "{name}: each has its place");
        snapshot(&dir("invalid-scenarios").join("tests").join(format!("{name}.txt")), &found.render(false), &mut stale);
    }
    settled(&stale);
    let all = book.check::<&str>(&[], &fleet);
    let told = |code: &str| all.iter().any(|fault| fault.code == code);
    assert!(told("unknown-runbook") && told("unknown-step"), "{}", all.render(false));
}

/// The file as another YAML reader sees it.
fn foreign(path: &Path) -> Option<serde_json::Value> {
    serde_yaml::from_str(&std::fs::read_to_string(path).ok()?).ok()
}

#[test]
fn the_scenarios_of_the_book_fit_their_schema() {
    let validator = jsonschema::validator_for(&SchemaKind::Scenario.schema()).unwrap();
    let book = BookSource::open(Path::new("runbooks")).unwrap();
    assert!(!book.suites().is_empty());
    for name in book.suites() {
        let file = foreign(&book.suite_path(&name)).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&file).map(|error| format!("{name}: {}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{}", errors.join("\n"));
    }
    let wrong = serde_json::json!({ "scenarios": [{ "name": "x", "expect": { "outcomes": { "a": "fine" } } }] });
    assert!(!validator.is_valid(&wrong));
}

#[test]
fn schemas_and_reader_agree() {
    let validator = |kind: SchemaKind| jsonschema::validator_for(&kind.schema()).unwrap();
    let (runbooks, inventories, books) =
        (validator(SchemaKind::Runbook), validator(SchemaKind::Inventory), validator(SchemaKind::Book));
    for name in ["checklist", "everything", "restart-jobs"] {
        let file = foreign(&dir("valid").join(format!("{name}.yaml"))).unwrap();
        let errors: Vec<String> =
            runbooks.iter_errors(&file).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
    assert!(inventories.is_valid(&foreign(&dir("valid/inventory.yaml")).unwrap()));
    assert!(books.is_valid(&foreign(&dir("valid/book.yaml")).unwrap()));

    // what the schema cannot say: one key of several, ranges of numbers, other files
    let beyond = |found: &Diagnostics| {
        found.iter().all(|fault| match fault.code {
            "unknown-key" | "wrong-type" | "no-value" | "bad-duration" => fault.message.contains("is no "),
            "missing-key" => !fault.message.contains("needs the key"),
            _ => true,
        })
    };
    let book = BookSource::open(&dir("invalid")).unwrap();
    let mut refused = 0;
    for name in book.names() {
        let found = book.check(&[name], &Inventory::default());
        let here = found.clone().into_iter().filter(|fault| fault.file.ends_with(&format!("/{name}.yaml")));
        let mut own = Diagnostics::new();
        own.extend(here);
        let Some(file) = foreign(&book.path(name)).filter(|_| !beyond(&own)) else { continue };
        assert!(!runbooks.is_valid(&file), "the schema lets {name} pass");
        refused += 1;
    }
    assert!(refused >= 15, "{refused}");
    assert!(!inventories.is_valid(&foreign(&dir("invalid-inventory/unknown-key.yaml")).unwrap()));
    assert!(!inventories.is_valid(&foreign(&dir("invalid-inventory/port-type.yaml")).unwrap()));
    assert!(!books.is_valid(&foreign(&dir("invalid-book/unknown-key/book.yaml")).unwrap()));
    assert!(!books.is_valid(&foreign(&dir("invalid-book/duration/book.yaml")).unwrap()));
}

/// How many mutated files are tried: `MUTATIONS`, or enough for a test run.
#[expect(clippy::disallowed_methods, reason = "tests have no cli to read the environment for them")]
fn mutations() -> u32 {
    std::env::var("MUTATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(10_000)
}

/// What happens to a file: lines deleted, doubled, swapped, moved to another indentation; bytes replaced; cut short.
#[derive(Clone, Debug)]
enum Mutation {
    Delete(usize),
    Double(usize),
    Swap(usize, usize),
    Indent(usize, usize),
    Byte(usize, u8),
    Insert(usize, &'static str),
    Cut(usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let pieces = proptest::sample::select(vec![
        "${{",
        "}}",
        "'",
        "\"",
        "{",
        "}",
        "[",
        "]",
        ":",
        ": ",
        "&a ",
        "*a",
        "!x ",
        "|",
        ">-\n",
        "\n",
        "\t",
        "\u{0}",
        "\u{1b}[2J",
        "\u{feff}",
        "\r\n",
        "ü",
        "null",
        "~",
        "-",
        "- ",
        "#",
        "<<: ",
        "---\n",
        "steps: ",
        "every: ",
        "(?<",
        "\\",
        " | raw ",
    ]);
    prop_oneof![
        any::<usize>().prop_map(Mutation::Delete),
        any::<usize>().prop_map(Mutation::Double),
        (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Mutation::Swap(a, b)),
        (any::<usize>(), 0_usize..12).prop_map(|(line, by)| Mutation::Indent(line, by)),
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Byte(at, byte)),
        (any::<usize>(), pieces).prop_map(|(at, piece)| Mutation::Insert(at, piece)),
        any::<usize>().prop_map(Mutation::Cut),
    ]
}

fn mutate(bytes: &mut Vec<u8>, mutation: &Mutation) {
    if bytes.is_empty() {
        return;
    }
    let lines = |bytes: &[u8]| bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
    match mutation {
        Mutation::Byte(at, byte) => {
            let at = at % bytes.len();
            bytes[at] = *byte;
        }
        Mutation::Insert(at, piece) => {
            let at = at % bytes.len();
            bytes.splice(at..at, piece.bytes());
        }
        Mutation::Cut(at) => bytes.truncate(at % bytes.len()),
        Mutation::Delete(at) | Mutation::Double(at) | Mutation::Swap(at, _) | Mutation::Indent(at, _) => {
            let mut lines = lines(bytes);
            let at = at % lines.len();
            match mutation {
                Mutation::Delete(_) => {
                    lines.remove(at);
                }
                Mutation::Swap(_, other) => {
                    let other = other % lines.len();
                    lines.swap(at, other);
                }
                Mutation::Indent(_, by) => {
                    let text = lines[at].trim_ascii_start().to_vec();
                    lines[at] = [vec![b' '; *by], text].concat();
                }
                _ => lines.insert(at, lines[at].clone()),
            }
            *bytes = lines.concat();
        }
    }
}

/// Reads `bytes` as a runbook and draws what is found. It must not panic; every place must be in the file.
fn survive(scratch: &Path, bytes: &[u8], fleet: &Inventory) {
    std::fs::write(scratch.join("mutant.yaml"), bytes).unwrap();
    let book = BookSource::open(scratch).unwrap();
    let found = book.check(&["mutant"], fleet);
    assert_eq!(
        book.runbook("mutant").is_err(),
        loaded_with_errors(&book),
        "a runbook loads exactly when nothing is wrong with it"
    );
    well_formed(&found);
    let _ = book.headline("mutant");
}

/// Reads `bytes` as an inventory.
fn survive_inventory(scratch: &Path, bytes: &[u8]) {
    let path = scratch.join("inventory.yaml");
    std::fs::write(&path, bytes).unwrap();
    if let Err(LoadError::Faults(found)) = InventorySource::read(&[path]) {
        well_formed(&found);
    }
}

fn well_formed(found: &Diagnostics) {
    for fault in found {
        for label in &fault.labels {
            assert!(label.span.start <= label.span.end && label.span.end <= label.source.text().len(), "{fault:?}");
        }
    }
    let drawn = found.render(false);
    assert!(!drawn.chars().any(|ch| ch.is_control() && ch != '\n'), "{drawn:?}");
    let _ = found.to_json();
}

fn loaded_with_errors(book: &BookSource) -> bool {
    matches!(book.runbook("mutant"), Err(LoadError::Faults(faults)) if faults.has_errors())
}

#[test]
fn mutated_files_are_survived() {
    let half = mutations() / 2;
    std::thread::scope(|scope| {
        for seed in [1, 2] {
            scope.spawn(move || mutate_files(half, seed));
        }
    });
}

fn mutate_files(count: u32, seed: u8) {
    let scratch = tempfile::tempdir().unwrap();
    std::fs::create_dir(scratch.path().join("bin")).unwrap();
    for file in ["bin/look.sh", "bin/start.sh", "checklist.yaml"] {
        std::fs::copy(dir("valid").join(file), scratch.path().join(file)).unwrap();
    }
    let seeds = ["inventory.yaml", "restart-jobs.yaml", "everything.yaml"]
        .map(|name| std::fs::read(dir("valid").join(name)).unwrap());
    let fleet = fleet("valid");
    let config =
        ProptestConfig { cases: count, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() };
    let strategy = (0..seeds.len(), proptest::collection::vec(mutation(), 1..5));
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]))
        .run(&strategy, |(file, mutations)| {
            let mut bytes = seeds[file].clone();
            for mutation in &mutations {
                mutate(&mut bytes, mutation);
            }
            if file == 0 {
                survive_inventory(scratch.path(), &bytes);
            } else {
                survive(scratch.path(), &bytes, &fleet);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn exotic_files_are_survived() {
    let scratch = tempfile::tempdir().unwrap();
    let fleet = Inventory::default();
    let deep: String = (0..300).map(|level| " ".repeat(level) + "a:\n").collect();
    let crlf = std::fs::read_to_string(dir("valid/checklist.yaml")).unwrap().replace('\n', "\r\n");
    let expression =
        format!("title: T\nsteps: [{{ id: a, manual: M, if: \"{}1{}\" }}]\n", "(".repeat(5_000), ")".repeat(5_000));
    for text in [
        format!("title: {}\n", "x".repeat(900_000)),
        format!("{}: x\n", "k".repeat(900_000)),
        (0..20_000).fold(String::new(), |text, index| text + &format!("k{index}: 1\n")),
        "- ".repeat(10_000),
        "[".repeat(10_000),
        "{a: ".repeat(10_000),
        deep,
        crlf.clone(),
        format!("\u{feff}{crlf}"),
        "\0\0\0\0".to_owned(),
        "\u{feff}".to_owned(),
        "%YAML 1.2\n---\ntitle: x\n".to_owned(),
        "title: \"\u{202e}evil\u{1b}\"\nsteps: []\n\u{9b}: x\n".to_owned(),
        expression,
        format!("title: T\nsteps: [{{ id: a, run: '{}' }}]\n", "${{ x }}".repeat(20_000)),
    ] {
        survive(scratch.path(), text.as_bytes(), &fleet);
    }
    std::fs::write(scratch.path().join("mutant.yaml"), &crlf).unwrap();
    let book = BookSource::open(scratch.path()).unwrap();
    assert_eq!(book.runbook("mutant").unwrap().title, "A checklist");
}

#[test]
fn a_huge_file_is_refused_unread() {
    let scratch = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(scratch.path().join("huge.yaml")).unwrap();
    // sparse: reading it whole would still take its length in memory
    file.set_len(50 * 1024 * 1024 * 1024).unwrap();
    let book = BookSource::open(scratch.path()).unwrap();
    let Err(LoadError::Faults(found)) = book.runbook("huge") else { panic!("it was read") };
    assert_eq!(found.iter().map(|fault| fault.code).collect::<Vec<_>>(), ["too-large"]);
    assert_eq!(book.headline("huge").title, "huge");
}

#[test]
fn a_headline_is_what_the_runbook_says() {
    let book = BookSource::open(&dir("valid")).unwrap();
    for name in book.names() {
        let (headline, runbook) = (book.headline(name), book.runbook(name).unwrap());
        assert_eq!((&headline.title, &headline.summary), (&runbook.title, &runbook.summary));
        assert_eq!((&headline.system, &headline.tags), (&runbook.system, &runbook.tags));
    }
}

#[test]
fn inventories_are_layered() {
    let scratch = tempfile::tempdir().unwrap();
    let over = scratch.path().join("over.yaml");
    // a later layer may name hosts of an earlier one, and add its own
    std::fs::write(&over, "hosts: { lab1: { address: 127.0.0.1 } }\ngroups: { jobs: [dfw-jobs01, lab1] }\n").unwrap();
    let whole = InventorySource::read(&[dir("valid/inventory.yaml"), over.clone()]).unwrap().inventory;
    let jobs: Vec<String> = whole.select("jobs").unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(jobs, ["dfw-jobs01", "lab1"]);
    assert!(InventorySource::read(&[over]).is_err());

    let target = |name: &str| whole.target(&crate::vocab::HostName::new(name)).unwrap();
    assert_eq!(target("dfw-imp02").address, "10.0.0.12");
    assert_eq!(target("dfw-imp02").ssh_config.unwrap(), dir("valid/ssh.conf"));
    assert_eq!(
        (&target("va-web02").vars["version"], &target("va-web02").vars["mode"]),
        (&"1.10".into(), &"0644".into())
    );
    assert_eq!(target("va-web02").vars["weight"], 3);
    assert_eq!(target("va-web01").user.as_deref(), Some("www"));
}

#[test]
fn an_executable_inventory_is_run() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = scratch.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    let good = write("good", "#!/bin/sh\ntest \"$1\" = --list && echo '{\"web\": {\"hosts\": [\"a\"]}}'\n");
    let source = InventorySource::read(&[good]).unwrap();
    assert_eq!(source.inventory.select("web").unwrap().len(), 1);
    let bad = write("bad", "#!/bin/sh\necho 'no \u{1b}[2Jcredentials' >&2; exit 3\n");
    let Err(LoadError::Faults(found)) = InventorySource::read(&[bad]) else { panic!("it failed") };
    assert!(found.render(false).contains("no \\x1b[2Jcredentials"), "{}", found.render(false));
}
