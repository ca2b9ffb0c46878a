//! The file `book.yaml`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::Lowering;
use crate::model::{Book, Probe, System};
use crate::source::raw::book::{RawBook, RawSystem};
use crate::source::raw::{Named, Word};

/// The book in `dir`, and its probes with those that could not be lowered.
pub(in crate::source) fn book(
    dir: &Path,
    raw: &RawBook,
    low: &Lowering<'_>,
) -> (Book, BTreeMap<String, Option<Arc<Probe>>>) {
    let probes = low.probes(&raw.probes);
    let systems = raw.systems.entries.iter().map(|entry| match &entry.value {
        Some(system) => low.system(&entry.name, system),
        None => System { name: entry.name.clone(), title: entry.name.clone(), ..System::default() },
    });
    let book = Book {
        dir: dir.to_owned(),
        name: raw.name.as_ref().map(|prose| prose.0.text.trim().to_owned()),
        systems: systems.collect(),
        probes: probes.iter().filter_map(|(name, probe)| Some((name.clone(), probe.clone()?))).collect(),
        stale_after: raw.stale_after.as_ref().map(|length| length.period),
        wiki: pairs(&raw.wiki).into_iter().collect(),
    };
    (book, probes)
}

impl Lowering<'_> {
    fn system(&self, name: &str, raw: &RawSystem) -> System {
        let port = raw.port.as_ref().and_then(|whole| match u16::try_from(whole.number) {
            Ok(port) if port > 0 => Some(port),
            Ok(_) | Err(_) => {
                self.cx.fault("wrong-type", &whole.span, format!("`{}` is no port", whole.number));
                None
            }
        });
        System {
            name: name.to_owned(),
            title: raw.title.as_ref().map_or_else(|| name.to_owned(), |prose| prose.0.text.trim().to_owned()),
            prose: raw.prose.as_ref().map(|prose| prose.0.text.trim().to_owned()).unwrap_or_default(),
            hosts: raw.hosts.as_ref().and_then(|words| self.cx.hosts(words)),
            port,
            links: pairs(&raw.links),
        }
    }
}

fn pairs(named: &Named<Word>) -> Vec<(String, String)> {
    let pairs = named.entries.iter().filter_map(|entry| Some((entry.name.clone(), entry.value.as_ref()?.text.clone())));
    pairs.collect()
}
