//! Which runs are meant, as it is typed: for every part of `audit` that looks at many.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::super::app::Global;
use super::super::context::Context;
use super::super::error::CliError;
use crate::audit::{Filter, Kind};
use crate::model::{pattern, scope};
use crate::vocab::quote::shell_word;
use crate::vocab::{Clock as _, Period, SystemClock};

/// Which runs; without any of these, all.
#[derive(Clone, Debug, Default, PartialEq, clap::Args)]
#[command(next_help_heading = "Which runs")]
pub(super) struct FilterArgs {
    /// Of this runbook
    #[arg(long, value_name = "NAME")]
    runbook: Option<String>,
    /// Begun by this operator
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// With a step that goes to this host: a name, `va-web*`, `va-web[01:03]`, or a group of the book's inventory; also
    /// several, with commas
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    host: Vec<String>,
    /// Begun then or later: `2026-11-22`, `2026-11-22 03:15`, RFC 3339, `03:15` (the last time it was
    /// so late), `today`, `yesterday`, or an age: `7d`, `12h`
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Begun before then; a date alone is the whole day, with its end
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// That stand so: ok, failed, refused, declined, in-doubt, locked, not-written, interrupted, abandoned, running, died,
    /// broken; also several, with commas
    #[arg(long, value_name = "WORD", value_delimiter = ',')]
    outcome: Vec<String>,
    /// With this text in their reason, or in that of an override
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// That went on against a precondition: this one, or any
    #[arg(long = "override", value_name = "ID", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    overridden: Option<String>,
    /// That can be resumed
    #[arg(long)]
    unfinished: bool,
}

impl FilterArgs {
    /// Whether nothing was said.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The filter that is meant. Dates are of the local time zone; faults say what to type.
    pub(super) fn filter(&self, global: &Global) -> Result<Filter, CliError> {
        let near = Near::here();
        let since = self.since.as_deref().map(|text| near.since("--since", text)).transpose()?;
        let until = self.until.as_deref().map(|text| near.until(text)).transpose()?;
        if let (Some(since), Some(until)) = (since, until)
            && since >= until
        {
            let (from, to) = (near.shown(since), near.shown(until));
            return Err(CliError::usage(format!("no time is since {from} and before {to}"))
                .hint("`--since` is the earlier time, `--until` the later one"));
        }
        Ok(Filter {
            runbook: self.runbook.clone(),
            operator: self.operator.clone(),
            hosts: self.hosts(global)?,
            since,
            until,
            kinds: self.outcome.iter().map(|word| kind(word)).collect::<Result<_, _>>()?,
            reason: self.reason.clone(),
            overridden: self.overridden.clone(),
            unfinished: self.unfinished,
        })
    }

    /// The same filter as words of a command; times as they were meant now, so that an age does not move.
    pub(super) fn words(&self, filter: &Filter) -> Vec<String> {
        let mut words = Vec::new();
        let mut give = |flag: &str, value: &str| words.push(format!("{flag} {}", shell_word(value)));
        for (flag, value) in [("--runbook", &self.runbook), ("--operator", &self.operator), ("--reason", &self.reason)]
        {
            value.iter().for_each(|value| give(flag, value));
        }
        for (flag, at) in [("--since", filter.since), ("--until", filter.until)] {
            at.iter().for_each(|at| give(flag, &at.to_string()));
        }
        for (flag, values) in [("--host", &self.host), ("--outcome", &self.outcome)] {
            if !values.is_empty() {
                give(flag, &values.join(","));
            }
        }
        match self.overridden.as_deref() {
            Some("") => words.push("--override".to_owned()),
            Some(id) => words.push(format!("--override={}", shell_word(id))),
            None => {}
        }
        if self.unfinished {
            words.push("--unfinished".to_owned());
        }
        words
    }

    /// The hosts' names and patterns. A group is one only where a book is at hand; its hosts are those of now, and the
    /// word counts as a host's name as well: one may be gone from the inventory and still be in the record.
    fn hosts(&self, global: &Global) -> Result<Vec<String>, CliError> {
        let mut hosts = Vec::new();
        for word in self.host.iter().map(|word| word.trim()).filter(|word| !word.is_empty()) {
            let names = pattern::expand(word).map_err(|fault| CliError::usage(format!("--host: {fault}")))?;
            hosts.extend(names);
        }
        if self.host.iter().any(|word| !word.contains(['*', '?', '[', '{']))
            && let Ok(context) = Context::open(global)
        {
            for word in &self.host {
                let members = context.inventory.select(word.trim()).unwrap_or_default();
                hosts.extend(members.iter().map(|host| host.as_str().to_owned()));
            }
        }
        hosts.sort();
        hosts.dedup();
        Ok(hosts)
    }
}

fn kind(word: &str) -> Result<Kind, CliError> {
    Kind::named(word).ok_or_else(|| {
        let names = Kind::ALL.map(Kind::name);
        let near = scope::nearest(word, names);
        CliError::usage(format!("--outcome: no run stands as `{word}`"))
            .maybe_hint(near.map(|near| format!("did you mean `{near}`?")))
            .hint(format!("the words are {}", names.join(", ")))
    })
}

/// What times are said from.
pub(super) struct Near {
    now: Timestamp,
    zone: TimeZone,
}

impl Near {
    /// Now, in the local time zone.
    pub(super) fn here() -> Self {
        // to the second: an age is said again as a time, in the command for the next page
        let now = SystemClock.now();
        Self { now: Timestamp::from_second(now.as_second()).unwrap_or(now), zone: TimeZone::system() }
    }

    /// The time that was given with `flag`; a date alone is its beginning.
    pub(super) fn since(&self, flag: &str, text: &str) -> Result<Timestamp, CliError> {
        match self.date(text) {
            Some(date) => self.begin(date),
            None => self.moment(flag, text),
        }
    }

    fn until(&self, text: &str) -> Result<Timestamp, CliError> {
        match self.date(text) {
            Some(date) => self.begin(date.tomorrow().map_err(CliError::usage)?),
            None => self.moment("--until", text),
        }
    }

    /// A date and no more: a parser of dates also takes one with a time of day behind it.
    fn date(&self, text: &str) -> Option<Date> {
        let today = || self.now.to_zoned(self.zone.clone()).date();
        match text.trim() {
            "today" => Some(today()),
            "yesterday" => today().yesterday().ok(),
            date if date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') => date.parse().ok(),
            _ => None,
        }
    }

    /// When it was last so late: today, or yesterday where that is still to come.
    fn time_of_day(&self, time: Time) -> Option<Timestamp> {
        let now = self.now.to_zoned(self.zone.clone());
        let on = |date: Date| Some(date.to_datetime(time).to_zoned(self.zone.clone()).ok()?.timestamp());
        on(now.date()).filter(|at| *at <= self.now).or_else(|| on(now.date().yesterday().ok()?))
    }

    fn begin(&self, date: Date) -> Result<Timestamp, CliError> {
        Ok(date.to_zoned(self.zone.clone()).map_err(CliError::usage)?.timestamp())
    }

    fn moment(&self, flag: &str, text: &str) -> Result<Timestamp, CliError> {
        let text = text.trim();
        let bad = || {
            CliError::usage(format!("{flag}: `{text}` is no time"))
                .hint("write `2026-11-22`, `2026-11-22 03:15`, `2026-11-22T03:15:00Z`, `03:15`, `today`, `yesterday`, or an age: `7d`, `12h`")
        };
        if let Ok(moment) = text.parse::<Timestamp>() {
            return Ok(moment);
        }
        if let Ok(age) = text.parse::<Period>() {
            let age = SignedDuration::try_from(age.get()).map_err(|_| bad())?;
            return self.now.checked_sub(age).map_err(|_| bad());
        }
        if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b':')
            && text.contains(':')
            && let Ok(time) = text.parse::<Time>()
        {
            return self.time_of_day(time).ok_or_else(bad);
        }
        let local: DateTime = text.parse().map_err(|_| bad())?;
        Ok(local.to_zoned(self.zone.clone()).map_err(|_| bad())?.timestamp())
    }

    /// A time as people here write it.
    pub(super) fn shown(&self, at: Timestamp) -> String {
        crate::report::elapsed::stamp(at, &self.zone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near() -> Near {
        Near { now: "2026-11-22T12:00:00Z".parse().unwrap(), zone: TimeZone::get("Europe/Berlin").unwrap() }
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, since, until) in [
            ("2026-11-22", "2026-11-21T23:00:00Z", "2026-11-22T23:00:00Z"),
            (" 2026-11-22 ", "2026-11-21T23:00:00Z", "2026-11-22T23:00:00Z"),
            // the day has 25 hours
            ("2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
            ("2026-11-22 03:15", "2026-11-22T02:15:00Z", "2026-11-22T02:15:00Z"),
            ("2026-11-22T03:15:30", "2026-11-22T02:15:30Z", "2026-11-22T02:15:30Z"),
            ("2026-11-22T03:15:00Z", "2026-11-22T03:15:00Z", "2026-11-22T03:15:00Z"),
            ("2026-11-22T03:15:00-05:00", "2026-11-22T08:15:00Z", "2026-11-22T08:15:00Z"),
            ("7d", "2026-11-15T12:00:00Z", "2026-11-15T12:00:00Z"),
            ("12h", "2026-11-22T00:00:00Z", "2026-11-22T00:00:00Z"),
            ("today", "2026-11-21T23:00:00Z", "2026-11-22T23:00:00Z"),
            ("yesterday", "2026-11-20T23:00:00Z", "2026-11-21T23:00:00Z"),
            ("07:10", "2026-11-22T06:10:00Z", "2026-11-22T06:10:00Z"),
            // it is 13:00 here
            ("13:00", "2026-11-22T12:00:00Z", "2026-11-22T12:00:00Z"),
            ("13:00:01", "2026-11-21T12:00:01Z", "2026-11-21T12:00:01Z"),
        ] {
            assert_eq!(near().since("--since", text).unwrap().to_string(), since, "{text}");
            assert_eq!(near().until(text).unwrap().to_string(), until, "{text}");
        }
        for bad in [
            "",
            "tomorrow",
            "7:1",
            "25:00",
            "2026-13-01",
            "2026-02-30",
            "22.11.2026",
            "2026-11-22 25:00",
            "7",
            "9999999w",
        ] {
            let fault = near().since("--since", bad).unwrap_err();
            assert!(fault.messages[0].contains("is no time") && fault.hints[0].contains("7d"), "{bad}: {fault:?}");
        }
    }

    #[test]
    fn an_unknown_outcome_is_told_with_the_nearest() {
        assert_eq!(kind("Failed").unwrap(), Kind::Failed);
        assert_eq!(kind("in doubt").unwrap(), Kind::InDoubt);
        let fault = kind("faild").unwrap_err();
        assert_eq!(fault.hints[0], "did you mean `failed`?");
        assert!(fault.hints[1].contains("in-doubt"));
    }
}
