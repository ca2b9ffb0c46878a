//! Times as people read them on a screen.
//!
//! Apart from [`Period`](crate::vocab::Period), which is exact so that it can be read back; here a glance must do.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A length of time for a glance: `0.4s`, `12s`, `2m 05s`, `1h 03m`, `3d 02h`.
pub fn short(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{}.{}s", seconds, duration.subsec_millis() / 100),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3600..86400 => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
        86400.. => format!("{}d {:02}h", seconds / 86400, seconds % 86400 / 3600),
    }
}

/// What is left of something: whole seconds, so that a countdown does not flicker.
pub fn left(duration: Duration) -> String {
    // the last second counts as one: `0s left` while it still waits would look stuck
    let whole = duration.as_secs() + u64::from(duration.subsec_millis() > 0);
    if whole < 60 { format!("{whole}s") } else { short(Duration::from_secs(whole)) }
}

/// The time between two stamps; none when the clock went back.
pub fn between(from: Timestamp, to: Timestamp) -> Duration {
    to.duration_since(from).try_into().unwrap_or(Duration::ZERO)
}

/// The time of day, `03:15:00`.
pub fn time_of_day(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}

/// The date, `2026-11-22`.
pub fn date(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d").to_string()
}

/// Date and time of day, `2026-11-22 03:15:00`.
pub fn stamp(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The zone's short name at that time, `UTC`, `CET`.
pub fn zone_name(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glance_is_enough() {
        for (millis, shown) in [
            (0, "0.0s"),
            (2_345, "2.3s"),
            (59_999, "59s"),
            (125_000, "2m 05s"),
            (3_780_000, "1h 03m"),
            (266_400_000, "3d 02h"),
        ] {
            assert_eq!(short(Duration::from_millis(millis)), shown);
        }
        assert_eq!(left(Duration::from_millis(2_001)), "3s");
        assert_eq!(left(Duration::ZERO), "0s");
    }
}
