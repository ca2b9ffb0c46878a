//! The floors of the architecture, as `src/lib.rs` tells them, and the order of the house.

#![expect(clippy::unwrap_used, reason = "a test stops where it does not go on")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What a module may import from, itself aside. `cli` may import from all.
const FLOORS: &[(&str, &[&str])] = &[
    ("vocab", &[]),
    ("model", &["vocab"]),
    ("event", &["vocab"]),
    ("source", &["vocab", "model"]),
    // a run's first event tells its plan: the entries of hosts, steps and texts
    ("plan", &["vocab", "model", "event"]),
    ("journal", &["vocab", "event"]),
    ("transport", &["vocab", "model"]),
    ("engine", &["vocab", "model", "event", "plan", "journal", "transport"]),
    ("render", &["vocab", "model"]),
    // TLS is the same for everyone
    ("wiki", &["vocab", "render", "transport"]),
    ("report", &["vocab", "event"]),
    ("audit", &["vocab", "event", "journal", "report"]),
    // judged is also what a run tells
    ("scenario", &["vocab", "model", "event", "plan", "journal", "transport", "engine", "report"]),
];

/// Single files that may import what their floor may not, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("source/schema.rs", "event", "the journal's schema is made where the others are"),
    ("source/schema.rs", "audit", "so is that of exports"),
];

/// `mod.rs` files that hold more than docs, modules and re-exports, and why.
const WITH_CODE: &[(&str, &str)] = &[
    ("source/lint/mod.rs", "what every lint is given"),
    ("source/lower/mod.rs", "what every part of lowering is given"),
    ("transport/mod.rs", "the one random number that all transports name things by"),
    ("transport/scripted/mod.rs", "the script itself, over the parts it consists of"),
];

/// About so many lines may a file have; a little more where it would be cut in the middle of a thought.
const LINES: usize = 660;

/// Files that are longer, and why.
const LONG: &[(&str, &str)] = &[];

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every file below `dir` with this ending: its path from there, and its text.
fn files(dir: &Path, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(next) = dirs.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|known| known == ending) {
                let name = path.strip_prefix(dir).unwrap().display().to_string();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty());
    found
}

/// The modules that a text names behind `crate::`, also in braces.
fn imports(text: &str) -> BTreeSet<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let word = |text: &str| text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut begins = true;
            for (index, c) in group.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => begins = true,
                    c if c.is_whitespace() => {}
                    _ if begins && depth == 0 => {
                        found.insert(word(&group[index..]));
                        begins = false;
                    }
                    _ => {}
                }
            }
        } else {
            found.insert(word(rest));
        }
    }
    found.remove("");
    found
}

#[test]
fn imports_are_read_as_rust_writes_them() {
    let text = "use crate::vocab::Digest;\n// crate::cli\nuse crate::{event::{self, Event}, model};\nfn f() { crate::plan::x() }";
    assert_eq!(imports(text).into_iter().collect::<Vec<_>>(), ["event", "model", "plan", "vocab"]);
}

#[test]
fn a_module_imports_from_below_it_only() {
    let known: Vec<&str> = FLOORS.iter().map(|(module, _)| *module).chain(["cli"]).collect();
    let mut wrong = Vec::new();
    for (name, text) in files(&src(), "rs") {
        let Some((module, _)) = name.split_once('/') else { continue };
        assert!(known.contains(&module), "{module} has no floor: give it one");
        if module == "cli" {
            continue;
        }
        let below = FLOORS.iter().find(|(known, _)| *known == module).map_or(&[][..], |(_, below)| below);
        for import in imports(&text) {
            let excepted = EXCEPTIONS.iter().any(|(file, what, _)| *file == name && *what == import);
            // what is not among the modules is an item of the crate's root: there are none
            if import != module && !below.contains(&import.as_str()) && !excepted {
                wrong.push(format!("src/{name} imports {import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_is_left_for_later() {
    let marks = ["todo!", "unimplemented!", "dbg!", "FIXME", "TODO", "XXX"];
    let mut wrong = Vec::new();
    for (name, text) in files(&src(), "rs") {
        for (index, line) in text.lines().enumerate() {
            let code = line.trim_start();
            if marks.iter().any(|mark| line.contains(mark))
                || code.starts_with("#[allow")
                || code.starts_with("#![allow")
            {
                wrong.push(format!("src/{name}:{}: {code}", index + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_mod_file_is_a_table_of_contents() {
    let mut wrong = Vec::new();
    for (name, text) in files(&src(), "rs").iter().filter(|(name, _)| name.ends_with("mod.rs")) {
        if WITH_CODE.iter().any(|(file, _)| file == name) {
            continue;
        }
        // a `use` may go over several lines, up to its semicolon
        let mut inside = false;
        for line in text.lines().map(str::trim) {
            let plain = line.is_empty() || line.starts_with("//") || line == "#[cfg(test)]" || line == "#[macro_use]";
            let words = line
                .strip_prefix("pub ")
                .or_else(|| line.strip_prefix("pub(super) "))
                .or_else(|| line.strip_prefix("pub(crate) "));
            let item = words.unwrap_or(line);
            let declares = item.starts_with("mod ") || item.starts_with("use ");
            if inside || declares {
                inside = !line.ends_with(';');
            } else if !plain {
                wrong.push(format!("src/{name}: {line}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_short_enough_to_be_read() {
    let long: Vec<String> = files(&src(), "rs")
        .into_iter()
        .filter(|(name, text)| text.lines().count() > LINES && !LONG.iter().any(|(file, _)| file == name))
        .map(|(name, text)| format!("src/{name}: {} lines", text.lines().count()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn every_file_says_what_it_is() {
    let silent: Vec<String> =
        files(&src(), "rs").into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|(name, _)| name).collect();
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

#[test]
fn exceptions_are_still_needed() {
    let all = files(&src(), "rs");
    for name in WITH_CODE.iter().map(|(file, _)| file).chain(LONG.iter().map(|(file, _)| file)) {
        assert!(all.iter().any(|(file, _)| file == name), "{name} is gone: take it out of the list");
    }
}
