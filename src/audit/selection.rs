//! The runs that fit a filter, page by page; the last run of each runbook.

use std::collections::BTreeMap;

use super::filter::Filter;
use crate::journal::{Catalogue, Indexed, JournalError, Store};
use crate::vocab::RunId;

/// The runs of a store that fit a filter, newest first.
///
/// They are chosen by what the index says; each is looked at when it is shown.
#[derive(Debug)]
pub struct Selection {
    catalogue: Catalogue,
    filter: Filter,
    /// Their places in the catalogue.
    places: Vec<usize>,
}

/// Some of a selection.
#[derive(Clone, Debug)]
pub struct Page {
    /// The runs.
    pub runs: Vec<Indexed>,
    /// How many older ones fit.
    pub more: usize,
    /// The last of these, where there are older ones: what the next page is before.
    pub last: Option<RunId>,
}

impl Selection {
    /// Those of `store` that fit `filter`, and those that cannot be read.
    pub fn of(store: &Store, filter: &Filter) -> Result<Self, JournalError> {
        let catalogue = store.catalogue()?;
        let places = if filter.is_empty() {
            (0..catalogue.len()).collect()
        } else {
            let fits =
                catalogue.known().map(|known| known.facts().is_none_or(|(facts, running)| filter.fits(facts, running)));
            fits.enumerate().filter(|(_, fits)| *fits).map(|(place, _)| place).collect()
        };
        Ok(Self { catalogue, filter: filter.clone(), places })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// At most so many, beginning behind `before` where that is given; empty where `before` is no run.
    pub fn page(&self, before: Option<&RunId>, most: usize) -> Page {
        let is =
            |place: usize, run: &RunId| self.catalogue.at(place).and_then(|known| known.run()).as_ref() == Some(run);
        let first = match before {
            None => 0,
            // it need not be one that fits
            Some(run) => (0..self.catalogue.len())
                .find(|place| is(*place, run))
                .map_or(self.places.len(), |before| self.places.partition_point(|place| *place <= before)),
        };
        let behind = first.saturating_add(most).min(self.places.len());
        let known = self.places[first..behind].iter().filter_map(|place| self.catalogue.at(*place));
        // what the index said may have been changed by other hands
        let runs = known.filter_map(|known| known.look()).filter(|indexed| self.filter.takes(indexed)).collect();
        let more = self.places.len() - behind;
        let last = self.places[..behind].last().filter(|_| more > 0);
        let last = last.and_then(|place| self.catalogue.at(*place)?.run());
        Page { runs, more, last }
    }
}

/// The newest run of each runbook that can be read.
pub fn last_runs(store: &Store) -> Result<BTreeMap<String, Indexed>, JournalError> {
    let catalogue = store.catalogue()?;
    let mut last: BTreeMap<String, Indexed> = BTreeMap::new();
    for known in catalogue.known() {
        let Some((facts, _)) = known.facts() else { continue };
        let runbook = facts.runbook();
        if !last.contains_key(runbook.as_ref())
            && let Some(indexed) = known.look()
            && indexed.entry.is_ok()
        {
            last.insert(runbook.into_owned(), indexed);
        }
    }
    Ok(last)
}
