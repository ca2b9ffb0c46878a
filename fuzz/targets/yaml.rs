//! The readers of YAML: whatever stands in a runbook, a book, an inventory or a file of scenarios, what is wrong with it is told
//! at its place.

#![no_main]

use std::cell::RefCell;
use std::fs;

use libfuzzer_sys::fuzz_target;
use runbook::source::{BookSource, Diagnostics, InventorySource, LoadError};
use tempfile::TempDir;

thread_local! {
    /// A book to lay the file into.
    static BOOK: RefCell<TempDir> = RefCell::new(book());
}

const INVENTORY: &str = r#"hosts: { a: { vars: { unit: x } }, "b[1:3]": {} }
groups: { jobs: [a, b1], webs: { children: [jobs] } }
"#;
const OTHER: &str =
    "title: T\nparams: { n: { type: integer, default: 1 } }\nsteps: [{ id: s, hosts: a, run: 'true' }]\n";

fn book() -> TempDir {
    let dir = TempDir::new().expect("a folder");
    for (name, text) in [("inventory.yaml", INVENTORY), ("other.yaml", OTHER), ("look.sh", "true\n")] {
        fs::write(dir.path().join(name), text).expect("a file");
    }
    dir
}

fuzz_target!(|bytes: &[u8]| {
    // the first byte says what the rest is
    let Some((kind, text)) = bytes.split_first() else { return };
    BOOK.with_borrow(|dir| match kind {
        b'i' => {
            let path = dir.path().join("mutant-inventory");
            fs::write(&path, text).expect("a file");
            if let Err(LoadError::Faults(found)) = InventorySource::read(&[path]) {
                told(&found);
            }
        }
        b'b' => {
            let path = dir.path().join("book.yaml");
            fs::write(&path, text).expect("a file");
            let source = BookSource::open(dir.path()).expect("a book");
            fs::remove_file(path).expect("it is there");
            told(&source.check(&["other"], &Default::default()));
        }
        b's' => {
            let path = dir.path().join("tests/other.yaml");
            fs::create_dir_all(dir.path().join("tests")).expect("a folder");
            fs::write(&path, text).expect("a file");
            let fleet = InventorySource::read(&[dir.path().join("inventory.yaml")]).expect("it is sound").inventory;
            let found = BookSource::open(dir.path()).expect("a book").suite("other", &fleet);
            fs::remove_file(path).expect("it is there");
            if let Err(LoadError::Faults(faults)) = found {
                assert!(faults.has_errors(), "refused without an error");
                told(&faults);
            }
        }
        _ => {
            let path = dir.path().join("mutant.yaml");
            fs::write(&path, text).expect("a file");
            let fleet = InventorySource::read(&[dir.path().join("inventory.yaml")]).expect("it is sound").inventory;
            let source = BookSource::open(dir.path()).expect("a book");
            told(&source.check(&["mutant"], &fleet));
            source.headline("mutant");
            if let Err(LoadError::Faults(faults)) = source.runbook("mutant") {
                assert!(faults.has_errors(), "refused without an error");
            }
        }
    });
});

/// Every place lies in its text, and all can be drawn for a terminal.
fn told(found: &Diagnostics) {
    for fault in found {
        for label in &fault.labels {
            let text = label.source.text();
            assert!(label.span.start <= label.span.end && label.span.end <= text.len(), "{fault:?}");
            assert!(text.is_char_boundary(label.span.start) && text.is_char_boundary(label.span.end), "{fault:?}");
        }
        let _ = fault.location();
    }
    let drawn = found.render(false);
    assert!(!drawn.chars().any(|ch| ch.is_control() && !matches!(ch, '\n' | '\t')), "{drawn:?}");
    let _ = found.render(true);
    let _ = found.to_json();
}
