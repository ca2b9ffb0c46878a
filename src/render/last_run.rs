//! The last run of a runbook, as a page's box shows it.

use jiff::Timestamp;

use crate::vocab::Period;

/// What is known of the last run on this admin host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastRun {
    /// The run; none: there is no record of one.
    pub run: Option<Ran>,
    /// The book's `stale_after`, when the last run is longer ago than that, or there is none.
    pub stale_after: Option<Period>,
}

/// A run in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// When it was started.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// How it ended, in a word or two.
    pub outcome: String,
    /// How long it took, from its first event to its last.
    pub took: Period,
}

impl LastRun {
    /// The box for `run`, STALE by the book's `stale_after`.
    pub fn new(run: Option<Ran>, stale_after: Option<Period>, now: Timestamp) -> Self {
        let is_stale = |after: &Period| {
            run.as_ref().is_none_or(|run| {
                let age = now.duration_since(run.at);
                // a run in the future is a clock's fault, and not long ago
                age.is_positive() && age.unsigned_abs() > after.get()
            })
        };
        Self { stale_after: stale_after.filter(is_stale), run }
    }

    /// Whether it says STALE.
    pub fn is_stale(&self) -> bool {
        self.stale_after.is_some()
    }

    /// What the box says behind its label.
    pub fn words(&self) -> String {
        let mut words = match &self.run {
            Some(Ran { at, by, outcome, took }) => {
                format!("{} UTC by {by}: {outcome}, in {took}.", at.strftime("%Y-%m-%d %H:%M"))
            }
            None => "no run is on record.".to_owned(),
        };
        if let Some(after) = self.stale_after {
            words.push_str(&match &self.run {
                Some(_) => {
                    format!(" STALE: that is more than {after} ago; read it with care, the fleet may have changed.")
                }
                None => " STALE: nobody knows whether it still works; read it with care.".to_owned(),
            });
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_long_ago_is_stale() {
        let at: Timestamp = "2026-08-01T03:15:00Z".parse().unwrap();
        let ran = Ran { at, by: "mark".into(), outcome: "ok".into(), took: Period::seconds(95) };
        let after: Period = "90d".parse().unwrap();
        let fresh = LastRun::new(Some(ran.clone()), Some(after), "2026-08-02T00:00:00Z".parse().unwrap());
        assert_eq!(fresh.words(), "2026-08-01 03:15 UTC by mark: ok, in 1m 35s.");
        let late: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
        let stale = LastRun::new(Some(ran.clone()), Some(after), late);
        assert!(stale.is_stale() && stale.words().contains("STALE"));
        assert!(!LastRun::new(Some(ran.clone()), None, late).is_stale());
        assert!(!LastRun::new(Some(ran), Some(after), "2026-07-01T00:00:00Z".parse().unwrap()).is_stale());
        assert!(LastRun::new(None, Some(after), late).words().contains("STALE"));
    }
}
