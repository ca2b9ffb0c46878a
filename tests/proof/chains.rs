//! All runs: what one shows of another.

use std::fs;

use runbook::audit::Signers;
use runbook::event::{Event, PrunedRun};
use runbook::journal::EventLog as _;

use super::site::{Site, at, copy_folder, ended, fault, forged, id, unsigned};

#[test]
fn every_run_that_is_removed_is_missed() {
    let whole = Site::with_runs(5);
    assert_eq!(whole.faults(), []);
    for number in 1..=5 {
        let site = whole.copy();
        fs::remove_dir_all(site.store.folder(&id(number))).unwrap();
        let faults = site.faults();
        assert!(faults.contains(&fault(number, "missing")), "{number}: {faults:?}");
        assert!(faults.iter().all(|(run, _)| *run == number.to_string()), "only that one: {faults:?}");
        // and is still missed when others have begun since
        site.run(6, "later");
        assert!(site.faults().contains(&fault(number, "missing")), "{number}: later");
    }
}

#[test]
fn several_runs_that_are_removed_together_are_missed() {
    let site = Site::with_runs(5);
    for number in [2, 3, 5] {
        fs::remove_dir_all(site.store.folder(&id(number))).unwrap();
    }
    let faults = site.faults();
    // nobody is left who names the second
    assert!(faults.contains(&fault(3, "missing")) && faults.contains(&fault(5, "missing")), "{faults:?}");
    // the newest ones together with what says that there were some: that is missed
    let site = Site::with_runs(5);
    fs::remove_dir_all(site.store.folder(&id(5))).unwrap();
    fs::remove_dir_all(site.path().join("chain")).unwrap();
    assert_eq!(site.faults(), [fault(4, "no-end"), fault(4, "no-end")]);
    // but not any more when the next run has made it anew: the hosts' own logs tell
    site.run(6, "later");
    assert_eq!(site.faults(), []);
}

#[test]
fn an_older_end_of_the_chains_in_the_place_of_the_newest_is_found() {
    let site = Site::with_runs(3);
    let kept = site.copy();
    site.run(4, "later");
    for name in ["run.json", "seal.json"] {
        let again = site.copy();
        fs::copy(kept.path().join("chain").join(name), again.path().join("chain").join(name)).unwrap();
        assert_eq!(again.faults(), [fault(3, "end-behind")], "{name}");
        fs::write(again.path().join("chain").join(name), "{}").unwrap();
        assert_eq!(again.faults(), [fault(4, "no-end")], "{name}");
    }
}

#[test]
fn a_run_made_anew_with_its_seals_is_found_by_its_neighbours() {
    let site = Site::with_runs(3);
    // somebody who computes every digest anew, the seal's too, tells another story from record 3 on
    let other = Site::new();
    other.run(1, "all is well");
    other.run(2, "nothing happened");
    for file in ["journal.jsonl", "seals.jsonl"] {
        fs::copy(other.store.folder(&id(2)).join(file), site.store.folder(&id(2)).join(file)).unwrap();
    }
    // its first record is another, and the seal of run 3 names a seal that is not there any more
    assert_eq!(site.faults(), [fault(2, "first-differs"), fault(2, "seal-gone")]);
    assert_eq!(site.faults_of(2), [], "for itself it is in order");
    // the first record as it was: the seals alone tell
    let site = Site::with_runs(3);
    let journal = fs::read(site.journal(2)).unwrap();
    let anew = forged(&journal, 3, |body| body.replacen("all is well", "nothing happened", 1));
    fs::write(site.journal(2), anew).unwrap();
    fs::remove_file(site.seals(2)).unwrap();
    let (_, journal) = site.store.reopen(&id(2)).unwrap();
    let elsewhere = site.copy();
    elsewhere.seal(2, &journal, "mark", &unsigned());
    fs::copy(elsewhere.seals(2), site.seals(2)).unwrap();
    drop(journal);
    assert_eq!(site.faults_of(2), []);
    // the new seal names the newest one before it, as any does
    assert_eq!(site.faults(), [fault(2, "seal-gone"), fault(3, "end-behind")]);
}

#[test]
fn a_run_brought_from_elsewhere_is_found() {
    let site = Site::with_runs(3);
    let other = Site::new();
    other.run(7, "elsewhere");
    copy_folder(&other.store.folder(&id(7)), &site.store.folder(&id(7)));
    assert_eq!(site.faults(), [fault(7, "beginning")]);
    let site = Site::with_runs(3);
    let other = site.copy();
    site.run(4, "here");
    other.run(5, "there");
    copy_folder(&other.store.folder(&id(5)), &site.store.folder(&id(5)));
    assert_eq!(site.faults(), [fault(5, "fork")]);
}

#[test]
fn a_run_under_the_name_of_another_is_found() {
    let site = Site::with_runs(3);
    let (one, two) = (site.store.folder(&id(1)), site.store.folder(&id(2)));
    let aside = site.path().join("aside");
    fs::rename(&one, &aside).unwrap();
    fs::rename(&two, &one).unwrap();
    fs::rename(&aside, &two).unwrap();
    let faults = site.faults();
    assert!(faults.contains(&fault(1, "broken")) && faults.contains(&fault(2, "broken")), "{faults:?}");
}

#[test]
fn a_crash_at_the_start_leaves_the_chain_whole() {
    let site = Site::with_runs(2);
    // the run is named as the newest before its folder gets its place: there it crashed
    drop(site.begin(3));
    let draft = site.store.path().join("runs/.drafts").join(id(3).as_str());
    fs::rename(site.store.folder(&id(3)), draft).unwrap();
    assert_eq!(site.faults(), []);
    site.run(4, "later");
    assert_eq!(site.faults(), []);
    let before = site.store.read(&id(4)).unwrap().state.opened.link.clone().unwrap();
    assert_eq!(before.run, id(2));
}

#[test]
fn a_crash_at_a_seal_is_mended_by_the_next() {
    let site = Site::with_runs(2);
    let seal = fs::read(site.seals(2)).unwrap();
    // the seal is in the chain before it is beside its journal: there it crashed, with none or half of it written
    for length in [0, 70] {
        fs::write(site.seals(2), &seal[..length]).unwrap();
        assert_eq!(site.faults(), [], "it is whole in the chain");
        let later = site.copy();
        later.run(3, "later");
        assert_eq!(later.faults(), [], "cut at {length}");
    }
}

#[test]
fn a_lost_end_of_the_chains_is_found_again() {
    for damage in [None, Some("garbage"), Some("{}"), Some("")] {
        let site = Site::with_runs(3);
        for name in ["run.json", "seal.json"] {
            let path = site.path().join("chain").join(name);
            match damage {
                None => fs::remove_file(path).unwrap(),
                Some(text) => fs::write(path, text).unwrap(),
            }
        }
        site.run(4, "later");
        assert_eq!(site.faults(), [], "{damage:?}");
        assert_eq!(site.store.read(&id(4)).unwrap().state.opened.link.clone().unwrap().run, id(3));
    }
}

#[test]
fn runs_that_start_and_end_at_once_are_one_chain() {
    let site = Site::with_runs(1);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let site = &site;
            scope.spawn(move || (0..4).for_each(|number| site.run(2 + thread * 4 + number, "at once")));
        }
    });
    let faults: Vec<_> = site.faults();
    assert_eq!(faults, []);
    assert_eq!(site.store.runs_newest_first().unwrap().len(), 17);
}

/// Removes runs as `audit prune` does.
fn prune(site: &Site, runs: &[u32], by: u32) {
    let ids: Vec<_> = runs.iter().map(|number| id(*number)).collect();
    let mut journal = site.begin(by);
    site.store.keep_seals(&ids, &id(by), at(600)).unwrap();
    let runs = ids.iter().map(|run| {
        let seal = site.store.seals(run).unwrap().pop().unwrap().unwrap();
        PrunedRun { run: run.clone(), records: seal.statement.records, head: seal.statement.head }
    });
    journal.append(at(600), Event::RunsPruned { runs: runs.collect() }).unwrap();
    ids.iter().for_each(|run| site.store.remove(run).unwrap());
    journal.append(at(601), ended()).unwrap();
    site.seal(by, &journal, "mark", &unsigned());
}

#[test]
fn pruned_runs_keep_the_chains_whole() {
    let site = Site::with_runs(5);
    prune(&site, &[1, 2, 4], 6);
    assert_eq!(site.faults(), []);
    assert!(!site.store.folder(&id(4)).exists());
    site.run(7, "later");
    prune(&site, &[3, 5], 8);
    assert_eq!(site.faults(), []);
    // what is left of them is held as firmly as they were
    let path = site.path().join("pruned.jsonl");
    let left = fs::read_to_string(&path).unwrap();
    for place in (0..left.len()).step_by(41) {
        let mut bytes = left.clone().into_bytes();
        bytes[place] ^= 0x01;
        fs::write(&path, &bytes).unwrap();
        assert_ne!(site.faults(), [], "byte {place}");
    }
    for dropped in 0..5 {
        let lines: Vec<&str> = left.split_inclusive('\n').collect();
        let kept: String = lines.iter().enumerate().filter(|(at, _)| *at != dropped).map(|(_, line)| *line).collect();
        fs::write(&path, kept).unwrap();
        assert!(site.faults().iter().any(|(_, word)| *word == "missing"), "line {dropped}");
    }
    fs::remove_file(&path).unwrap();
    assert!(site.faults().iter().any(|(_, word)| *word == "missing"));
}

#[test]
fn a_run_that_nobody_pruned_does_not_pass_for_pruned() {
    let site = Site::with_runs(3);
    site.store.keep_seals(&[id(2)], &id(3), at(600)).unwrap();
    assert_eq!(site.faults(), [], "a crash behind that did nothing yet");
    site.store.remove(&id(2)).unwrap();
    assert_eq!(site.faults(), [fault(2, "pruned-by-nobody")]);
}

#[test]
fn what_is_made_anew_as_a_whole_and_unsigned_is_not_found_here() {
    // only the hosts' own logs, or signatures, can tell: that is what they are for
    let anew = Site::new();
    (1..=3).for_each(|number| anew.run(number, "nothing happened"));
    assert_eq!(anew.faults_by(&Signers::new(None).unwrap()), []);
}
