//! Where a time stands on the timeline: in proportion, but for long times in which no step was at work.
//!
//! A night between two stretches would press everything else into nothing: it becomes a gap of one width, and says how long
//! it was.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::course::Course;
use crate::report::elapsed;

/// How wide a gap is drawn.
const GAP: f64 = 46.0;
/// How wide a part between gaps is at least.
const LEAST: f64 = 50.0;
/// How far apart ticks are at least.
const APART: f64 = 62.0;
/// No time without work is left out that is shorter.
const SHORT: Duration = Duration::from_secs(15);
/// A clock that goes back by less is one that is kept in step.
pub(super) const CLOCK_STEP: Duration = Duration::from_secs(1);

/// A part of the axis.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) from: Duration,
    pub(super) to: Duration,
    pub(super) left: f64,
    pub(super) width: f64,
    /// It is a gap: not in proportion.
    pub(super) gap: bool,
    /// What the clock said at its beginning.
    began: Timestamp,
    /// How far the clock went back at its beginning.
    pub(super) back: Option<Duration>,
}

/// A tick of the axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    pub(super) x: f64,
    pub(super) time: String,
    /// The date, where it is another than that of the tick before.
    pub(super) date: Option<String>,
}

/// The axis.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    pub(super) pieces: Vec<Piece>,
}

impl Scale {
    /// The axis of a course between `left` and `right`.
    pub(super) fn of(course: &Course, left: f64, right: f64) -> Self {
        let end = course.now();
        let mut cuts: Vec<(Duration, Duration)> = idle(course, end);
        let busy = end.saturating_sub(cuts.iter().map(|(from, to)| to.saturating_sub(*from)).sum());
        let least = SHORT.max(busy / 2);
        cuts.retain(|(from, to)| to.saturating_sub(*from) > least);
        let backs: Vec<(Duration, Duration)> = course
            .clock
            .windows(2)
            .filter_map(|pair| {
                let [(_, before), (now, after)] = pair else { return None };
                Some((*now, elapsed::between(*after, *before))).filter(|(_, back)| *back >= CLOCK_STEP)
            })
            .collect();
        let mut pieces = Vec::new();
        let mut from = Duration::ZERO;
        let mut add = |from: Duration, to: Duration, gap: bool| {
            let back = backs.iter().find(|(at, _)| *at == from).map(|(_, back)| *back);
            let piece = Piece { from, to, left: 0.0, width: 0.0, gap, began: at(&course.clock, from), back };
            pieces.push(piece);
        };
        let parts = cuts.into_iter().chain([(end, end)]);
        for (gap_from, gap_to) in parts {
            for (back, _) in &backs {
                if *back > from && *back <= gap_from {
                    add(from, *back, false);
                    from = *back;
                }
            }
            if from < gap_from || gap_from == gap_to {
                add(from, gap_from, false);
            }
            if gap_from < gap_to {
                add(gap_from, gap_to, true);
            }
            from = gap_to;
        }
        let mut scale = Self { pieces };
        scale.lay(left, right);
        scale
    }

    fn lay(&mut self, left: f64, right: f64) {
        let gaps = self.pieces.iter().filter(|piece| piece.gap).count();
        let parts = self.pieces.len() - gaps;
        let room = (right - left - GAP * float(gaps)).max(1.0);
        let least = LEAST.min(room / float(parts.max(1)));
        let spare = (room - least * float(parts)).max(0.0);
        let whole: f64 = self.pieces.iter().filter(|piece| !piece.gap).map(Piece::length).sum();
        let mut x = left;
        for piece in &mut self.pieces {
            let share = if whole > 0.0 { piece.length() / whole } else { 1.0 / float(parts.max(1)) };
            piece.left = x;
            piece.width = if piece.gap { GAP } else { least + spare * share };
            x += piece.width;
        }
    }

    /// Where a time stands.
    pub(super) fn x(&self, at: Duration) -> f64 {
        let piece = self.pieces.iter().find(|piece| at <= piece.to).or(self.pieces.last());
        piece.map_or(0.0, |piece| {
            let length = piece.length();
            let inside = at.saturating_sub(piece.from).as_secs_f64();
            piece.left + if length > 0.0 { piece.width * (inside / length).min(1.0) } else { 0.0 }
        })
    }

    /// Where something stands that begins then: behind a gap that ends then, not before it.
    pub(super) fn x_of_start(&self, at: Duration) -> f64 {
        let piece = self.pieces.iter().rev().find(|piece| piece.from == at && !piece.gap);
        piece.map_or_else(|| self.x(at), |piece| piece.left)
    }

    /// What the clock said then.
    pub(super) fn clock(&self, at: Duration) -> Timestamp {
        let piece = self.pieces.iter().rev().find(|piece| piece.from <= at).or(self.pieces.first());
        piece.map_or_else(Timestamp::default, |piece| piece.clock(at))
    }

    /// The ticks: at round local times, and the date wherever it is another.
    pub(super) fn ticks(&self, zone: &TimeZone) -> Vec<Tick> {
        let mut ticks: Vec<Tick> = Vec::new();
        let mut day = String::new();
        for piece in self.pieces.iter().filter(|piece| !piece.gap) {
            for (x, at, fine) in piece.ticks(zone) {
                let date = elapsed::date(at, zone);
                let date = (day != date).then(|| date.clone());
                if let Some(date) = &date {
                    day.clone_from(date);
                }
                let time = match fine {
                    Fine::Tenths => at.to_zoned(zone.clone()).strftime("%H:%M:%S%.1f").to_string(),
                    Fine::Seconds => elapsed::time_of_day(at, zone),
                    Fine::Minutes => at.to_zoned(zone.clone()).strftime("%H:%M").to_string(),
                };
                ticks.push(Tick { x, time, date });
            }
        }
        ticks
    }
}

#[derive(Clone, Copy, Debug)]
enum Fine {
    Tenths,
    Seconds,
    Minutes,
}

/// Lengths between ticks, in milliseconds.
const DAY: i64 = 86_400_000;
const STEPS: [i64; 20] = [
    100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000,
    3_600_000, 7_200_000, 21_600_000, 43_200_000, DAY,
];

impl Piece {
    fn length(&self) -> f64 {
        self.to.saturating_sub(self.from).as_secs_f64()
    }

    /// How long it is, in words.
    pub(super) fn words(&self) -> String {
        elapsed::short(self.to.saturating_sub(self.from))
    }

    fn clock(&self, at: Duration) -> Timestamp {
        let into = SignedDuration::try_from(at.saturating_sub(self.from)).unwrap_or_default();
        self.began.checked_add(into).unwrap_or(self.began)
    }

    fn ticks(&self, zone: &TimeZone) -> Vec<(f64, Timestamp, Fine)> {
        let length = self.length();
        let most = (self.width / APART).floor().max(1.0);
        let longer = STEPS.into_iter().chain(std::iter::successors(Some(2 * DAY), |step| step.checked_mul(2)));
        let step = longer.into_iter().find(|step| length / seconds(*step) <= most).unwrap_or(DAY);
        let fine = match step {
            ..1_000 => Fine::Tenths,
            1_000..60_000 => Fine::Seconds,
            60_000.. => Fine::Minutes,
        };
        // round by the clock on the wall there
        let offset = i64::from(zone.to_offset(self.began).seconds()) * 1000;
        let began = self.began.as_millisecond();
        let first = (began + offset + step - 1).div_euclid(step) * step - offset;
        let per = if length > 0.0 { self.width / length } else { 0.0 };
        let mut ticks = Vec::new();
        // a first tick that comes late tells nobody when it began
        if seconds(first - began) > length || seconds(first - began) * per > APART {
            let fine = if let Fine::Minutes = fine { Fine::Seconds } else { fine };
            ticks.push((self.left, self.began, fine));
        }
        let rounds = std::iter::successors(Some(first), |at| at.checked_add(step));
        for at in rounds.take_while(|at| seconds(*at - began) <= length).take(200) {
            if let Ok(stamp) = Timestamp::from_millisecond(at) {
                ticks.push((self.left + seconds(at - began) * per, stamp, fine));
            }
        }
        ticks
    }
}

fn seconds(millis: i64) -> f64 {
    SignedDuration::from_millis(millis).as_secs_f64()
}

/// The times in which no step is at work.
fn idle(course: &Course, end: Duration) -> Vec<(Duration, Duration)> {
    let mut busy: Vec<(Duration, Duration)> = course.bars.iter().map(|bar| (bar.from, bar.to)).collect();
    busy.sort();
    let mut idle = Vec::new();
    let mut until = Duration::ZERO;
    for (from, to) in busy.into_iter().chain([(end, end)]) {
        if from > until {
            idle.push((until, from));
        }
        until = until.max(to);
    }
    idle
}

/// What the clock said at the last record up to then, and what has passed since.
fn at(clock: &[(Duration, Timestamp)], when: Duration) -> Timestamp {
    let index = clock.partition_point(|(now, _)| *now <= when);
    let Some((now, stamp)) = index.checked_sub(1).and_then(|index| clock.get(index)) else {
        return Timestamp::default();
    };
    let since = SignedDuration::try_from(when.saturating_sub(*now)).unwrap_or_default();
    stamp.checked_add(since).unwrap_or(*stamp)
}

fn float(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
