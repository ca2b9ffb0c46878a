//! Durations as people write them: `90s`, `1h 30m`, `500ms`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time, at least zero, as written in runbooks and flags.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(Duration);

/// A text that is no duration.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a duration (write `90s`, `5m`, `1h 30m`)")]
pub struct BadPeriod(pub String);

impl Period {
    /// No time at all.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// Wraps a standard duration.
    pub const fn new(duration: Duration) -> Self {
        Self(duration)
    }

    /// So many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The standard duration.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for Period {
    type Err = BadPeriod;

    /// Reads units `ms`, `s`, `m`, `h`, `d`, `w`; a bare number is refused but for `0`, so that nobody has to guess.
    fn from_str(text: &str) -> Result<Self, BadPeriod> {
        let bad = || BadPeriod(text.to_owned());
        if text.trim() == "0" {
            return Ok(Self::ZERO);
        }
        let mut millis: u128 = 0;
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(bad());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
            let number: u128 = rest[..digits].parse().map_err(|_| bad())?;
            rest = &rest[digits..];
            let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            let unit = match &rest[..letters] {
                "ms" => 1,
                "s" => 1_000,
                "m" | "min" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                "w" => 604_800_000,
                _ => return Err(bad()),
            };
            millis = number.checked_mul(unit).and_then(|n| n.checked_add(millis)).ok_or_else(bad)?;
            rest = rest[letters..].trim_start();
        }
        // a hundred years: beyond it tokio's and jiff's arithmetic would have to be watched
        if millis > 3_155_760_000_000 {
            return Err(bad());
        }
        Ok(Self(Duration::from_millis(u64::try_from(millis).map_err(|_| bad())?)))
    }
}

impl fmt::Display for Period {
    /// Writes the shortest exact form: `1h 30m`, `2m`, `5s`, `250ms`; `0s` for none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut millis = self.0.as_millis();
        let mut parts = Vec::new();
        for (unit, name) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")] {
            let count = millis / unit;
            millis %= unit;
            if count > 0 {
                parts.push(format!("{count}{name}"));
            }
        }
        if parts.is_empty() {
            return f.pad("0s");
        }
        f.pad(&parts.join(" "))
    }
}

impl fmt::Debug for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Period {
    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "A length of time: `1h 30m`, `250ms`." })
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_what_people_write() {
        for (text, seconds, shown) in
            [("90s", 90, "1m 30s"), ("1h 30m", 5400, "1h 30m"), ("2h", 7200, "2h"), ("0", 0, "0s"), ("1d", 86400, "1d")]
        {
            let period: Period = text.parse().unwrap();
            assert_eq!(period, Period::seconds(seconds), "{text}");
            assert_eq!(period.to_string(), shown);
        }
        for bad in ["", "5", "5 apples", "-5s", "s", "1.5s", "99999999999999999999s", "200000d", "5s x"] {
            assert!(bad.parse::<Period>().is_err(), "{bad:?}");
        }
    }
}
