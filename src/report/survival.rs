//! Streams of events without sense: duplicated, reordered, begun in the middle. All must be told without a panic.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::sample::{Still, Tell, all, play, start};
use super::screen::Screen;
use crate::event::{Event, Observer, Progress, RunState};
use crate::report::{Closing, Data, Fit, Json, Ledger, Plain, Sink, Story, Styles, Telling};

/// Whatever comes in whatever order: told, never a panic, never a control character, never too wide.
fn survive(told: &[Tell], columns: usize) {
    let ((out, lines), (data, tables), (json, entries)) = (Sink::captured(), Sink::captured(), Sink::captured());
    let plain = Plain::new(out, Data::pipe(data), Styles::plain(), TimeZone::UTC, Arc::new(Still::new()));
    play(told, &plain, |_| {});
    play(told, &Json::new(json), |_| {});
    let screen = Looker { screen: Mutex::new(Screen::new(Styles::plain())), columns };
    play(told, &screen, |_| {});
    let records = told.iter().filter_map(|tell| match tell {
        Tell::Event(at, event) => Some((*at, (**event).clone())),
        Tell::Progress(..) => None,
    });
    let story = Story::from_records(records);
    let mut all = lines.text() + &tables.text() + &entries.text();
    for exit in [0, 1, 3, 4, 5, 6, 8, 9, 130] {
        let closing = Closing::new(Styles::plain(), TimeZone::UTC, Some(columns)).lines(&story, exit, "why\x1b[2J not");
        for line in &closing {
            assert!(columns < 60 || line.width() <= columns, "{columns}: {line:?}");
        }
        all.push_str(&crate::report::line::shown(&closing, &Styles::plain()));
    }
    let telling = Telling::new(Styles::plain(), TimeZone::UTC, Some(columns)).all_output(true);
    for line in telling.lines(&story) {
        assert!(columns < 20 || line.width() <= columns, "{columns}: {line:?}");
    }
    all.push_str(&telling.shown(&story));
    let harmless = |ch: char| !ch.is_control() || ch == '\n' || ch == '\t';
    assert!(all.chars().all(harmless), "{all:?}");
    let _ = Ledger::default().shown(Fit::Tabs, &Styles::plain(), &TimeZone::UTC);
}

#[derive(Debug)]
struct Looker {
    screen: Mutex<Screen>,
    columns: usize,
}

impl Observer for Looker {
    fn event(&self, at: Timestamp, event: &Event, state: &RunState) {
        let now = crate::report::elapsed::between(start(), at);
        let mut screen = self.screen.lock().unwrap();
        screen.event(now, event, state);
        for height in [0, 1, 3, 10, 50] {
            let frame = screen.frame(now, self.columns, height);
            assert!(frame.len() <= height.saturating_sub(1), "{height}: {frame:?}");
            assert!(frame.iter().all(|line| line.width() <= self.columns), "{frame:?}");
        }
    }

    fn progress(&self, progress: &Progress) {
        self.screen.lock().unwrap().progress(Duration::from_secs(1), progress);
    }
}

#[test]
fn every_sample_is_told_at_every_width() {
    for tape in all() {
        for columns in [0, 1, 10, 40, 80, 200] {
            survive(&tape.told, columns);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn streams_without_sense_are_survived(picks in prop::collection::vec((0_usize..11, any::<prop::sample::Index>()), 0..60), columns in 0_usize..120) {
        let tapes = all();
        let told: Vec<Tell> = picks.iter().map(|(tape, index)| tapes[*tape].told[index.index(tapes[*tape].told.len())].clone()).collect();
        survive(&told, columns);
    }
}
