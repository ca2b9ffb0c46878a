//! When and from what a page was made.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::html::Html;
use crate::report::elapsed;

/// When and from what a page was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// When.
    pub at: Timestamp,
    /// The admin host whose records these are.
    pub admin_host: String,
    /// The state folder they are in.
    pub store: String,
    /// The version of the program that made it.
    pub version: String,
    /// The zone in which times are told.
    pub zone: TimeZone,
}

impl Made {
    /// Date and time.
    pub(super) fn stamp(&self, at: Timestamp) -> String {
        elapsed::stamp(at, &self.zone)
    }

    /// The date.
    pub(super) fn date(&self, at: Timestamp) -> String {
        elapsed::date(at, &self.zone)
    }

    /// The name of the zone by a moment: its own and its short one.
    pub(super) fn zone_at(&self, at: Timestamp) -> String {
        let short = elapsed::zone_name(at, &self.zone);
        match self.zone.iana_name() {
            Some(name) if name != short => format!("{name} ({short})"),
            Some(_) | None => short,
        }
    }

    pub(super) fn write(&self, html: &mut Html, how: &str) {
        html.open("footer", &[]);
        html.paragraph(&format!(
            "Made {} {} on {} by runbook {}, from the records in {}. {how}",
            self.stamp(self.at),
            elapsed::zone_name(self.at, &self.zone),
            self.admin_host,
            self.version,
            self.store,
        ));
        html.end("footer");
    }
}
