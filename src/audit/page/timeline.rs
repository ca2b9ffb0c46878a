//! The timeline as a drawing: hosts as rows, what each did as bars.
//!
//! Whatever it shows stands in the text as well; each bar leads there. How a try came out is told by pattern and sign as well
//! as by colour, so paper and any eyes will do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::course::{Bar, Course, Kind, Look, Sign, Span};
use super::html::{Html, id_of};
use super::made::Made;
use super::scale::Scale;
use super::steps::Chapters;
use crate::report::{Story, elapsed, line};
use crate::vocab::neutral::one_line;
use crate::vocab::{HostName, StepHost};

const WIDTH: f64 = 1000.0;
/// How wide a bar is drawn at least.
const LEAST: f64 = 3.0;
/// How many hosts have a row.
const MOST_ROWS: usize = 400;
/// How many letters of a host's name are written.
const LETTERS: usize = 26;
/// Where the rows begin: below the axis and the row of the run.
const TOP: f64 = 64.0;

/// Draws the timeline of a run.
pub(super) fn write(html: &mut Html, told: &Chapters) {
    let Chapters { story, sections, course, made, .. } = *told;
    let hosts = hosts(story, course);
    let shown = &hosts[..hosts.len().min(MOST_ROWS)];
    let letters = shown.iter().map(|host| line::width(&one_line(host.as_str()))).max().unwrap_or(0).clamp(7, LETTERS);
    let left = 18.0 + 7.4 * f64::from(u32::try_from(letters).unwrap_or(7));
    let row = match shown.len() {
        0..=14 => 30.0,
        15..=60 => 22.0,
        _ => 15.0,
    };
    let scale = Scale::of(course, left, WIDTH - 14.0);
    // every bar that has a section leads there
    let links = sections.iter().flat_map(|(_, places)| places).collect();
    let drawing = Drawing { course, scale: &scale, left, row, made, links, hosts: shown };
    drawing.write(html);
    drawing.legend(html);
    let more = hosts.len() - shown.len();
    if more > 0 {
        html.paragraph(&format!("{more} more hosts have no row here; their steps are told below."));
    }
}

/// The hosts in the order of the plan; then those that only events name.
fn hosts(story: &Story, course: &Course) -> Vec<HostName> {
    let planned = story.opened().into_iter().flat_map(|opened| opened.reached());
    let acted = course.bars.iter().map(|bar| &bar.at.host);
    let mut seen = BTreeSet::new();
    planned.chain(acted).filter(|host| seen.insert((*host).clone())).cloned().collect()
}

struct Drawing<'a> {
    course: &'a Course,
    scale: &'a Scale,
    left: f64,
    row: f64,
    made: &'a Made,
    links: BTreeSet<&'a StepHost>,
    hosts: &'a [HostName],
}

impl Drawing<'_> {
    fn write(&self, html: &mut Html) {
        let rows: BTreeMap<&HostName, f64> = self.hosts.iter().zip(steps(TOP, self.row)).collect();
        let height = TOP + self.row * f64::from(u32::try_from(self.hosts.len()).unwrap_or(0)) + 8.0;
        let name = format!("{}; the same is told in the text of this page", self.alternative());
        html.open("div", &[("class", "timeline"), ("tabindex", "0"), ("role", "group"), ("aria-label", &name)]);
        // an image may hold no links for those who hear the page, and they have the same in the tables below
        html.open("svg", &[("viewBox", &format!("0 0 {} {}", n(WIDTH), n(height))), ("aria-hidden", "true")]);
        patterns(html);
        self.axis(html, height);
        html.open("text", &[("x", "8"), ("y", &n(TOP - 8.0)), ("class", "name")]).text("the run").close("text");
        for (host, y) in &rows {
            let y = n(y + self.row / 2.0 + 4.0);
            html.open("text", &[("x", "8"), ("y", &y), ("class", "name")]);
            let name = cut_to(&one_line(host.as_str()), LETTERS);
            if name.ends_with('…') {
                html.leaf("title", &[], host.as_str());
            }
            html.text(&name).end("text");
        }
        self.spans(html, &rows);
        // what went badly is drawn over what went well
        let mut bars: Vec<&Bar> = self.course.bars.iter().collect();
        bars.sort_by_key(|bar| bar.look);
        for bar in bars {
            if let Some(y) = rows.get(&bar.at.host) {
                self.bar(html, bar, *y);
            }
        }
        self.points(html);
        html.close("svg").end("div");
    }

    /// What is to be seen, in a sentence.
    fn alternative(&self) -> String {
        let count = |look: Look| self.course.bars.iter().filter(|bar| bar.look == look).count();
        let looks: Vec<String> = LOOKS
            .iter()
            .map(|(look, _, word)| (count(*look), word))
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        let took = elapsed::short(self.course.now());
        let looks = if looks.is_empty() { "no step was begun".to_owned() } else { looks.join(", ") };
        format!("Timeline of {} on {took}: {looks}", crate::report::words::count(self.hosts.len(), "host"))
    }

    fn axis(&self, html: &mut Html, height: f64) {
        for tick in self.scale.ticks(&self.made.zone) {
            html.empty("path", &[("class", "grid"), ("d", &format!("M{} 34V{}", n(tick.x), n(height)))]);
            // the last one's words must not leave the drawing
            let x = n(tick.x.min(WIDTH - 32.0));
            if let Some(date) = &tick.date {
                html.open("text", &[("x", &x), ("y", "12"), ("class", "date")]).text(date).close("text");
            }
            html.open("text", &[("x", &x), ("y", "28"), ("class", "tick")]).text(&tick.time).end("text");
        }
        for piece in &self.scale.pieces {
            let x = n(piece.left);
            if piece.gap {
                let size = [("x", x.as_str()), ("y", "34"), ("width", &n(piece.width)), ("height", &n(height - 34.0))];
                html.empty("rect", &[&[("class", "gap")][..], &size[..]].concat());
                let (middle, y) = (n(piece.left + piece.width / 2.0), n(TOP + self.row / 2.0 + 4.0));
                html.leaf("text", &[("class", "gap"), ("x", &middle), ("y", &y)], &piece.words()).text("\n");
            }
            if let Some(back) = piece.back {
                html.open("path", &[("class", "back"), ("d", &format!("M{x} 34V{}", n(height)))]);
                let words = format!("the clock of the admin host went back by {}", elapsed::short(back));
                html.leaf("title", &[], &words).end("path");
            }
        }
    }

    fn spans(&self, html: &mut Html, rows: &BTreeMap<&HostName, f64>) {
        // a stretch lies below what stands in it
        let mut spans: Vec<&Span> = self.course.spans.iter().collect();
        spans.sort_by_key(|span| span.kind);
        for span in spans {
            let y = match &span.host {
                None => TOP - 16.0,
                Some(host) => match rows.get(host) {
                    Some(y) => y + 1.0,
                    None => continue,
                },
            };
            let (x, width) = self.place(span.from, span.to);
            let (class, height) = match span.kind {
                Kind::Stretch => ("stretch", 10.0),
                Kind::Pause => ("pause", 10.0),
                Kind::Wait => ("wait", 10.0),
                Kind::Question => ("question", 10.0),
                Kind::Cut => ("cut", 4.0),
            };
            let size = [("x", n(x)), ("y", n(y)), ("width", n(width)), ("height", n(height))];
            let mut attributes = vec![("class", class)];
            attributes.extend(size.iter().map(|(name, value)| (*name, value.as_str())));
            html.open("rect", &attributes);
            html.leaf("title", &[], &self.told(&span.words, span.from, span.to)).end("rect");
        }
    }

    fn bar(&self, html: &mut Html, bar: &Bar, y: f64) {
        let (x, width) = self.place(bar.from, bar.to);
        let (top, high) = (y + 4.0, self.row - 8.0);
        let acted = bar.acted.map_or(width, |acted| (self.scale.x(acted) - x).clamp(LEAST.min(width), width));
        // the action in full height, its checks lower
        let mut shape = format!("M{} {}h{}v{}h-{}z", n(x), n(top), n(acted), n(high), n(acted));
        if width - acted > 0.5 {
            let low = high / 2.0;
            let (x, top, width) = (x + acted, top + low / 2.0, width - acted);
            shape.push_str(&format!("M{} {}h{}v{}h-{}z", n(x), n(top), n(width), n(low), n(width)));
        }
        let again = if bar.attempt > 1 { format!(" (try {})", bar.attempt) } else { String::new() };
        let words = format!("{}{again}: {}", bar.at, cut_to(&bar.words, 160));
        let linked = self.links.contains(&bar.at);
        if linked {
            html.open("a", &[("href", &format!("#{}", id_of(&bar.at))), ("tabindex", "-1")]);
        }
        html.open("path", &[("class", class(bar.look)), ("d", &shape)]);
        html.leaf("title", &[], &self.told(&words, bar.from, bar.to)).close("path");
        if let Some(sign) = sign(bar.look) {
            let place = [("x", n(x + width.min(14.0) / 2.0)), ("y", n(top + high / 2.0 + 4.0))];
            let mut attributes = vec![("class", "sign")];
            attributes.extend(place.iter().map(|(name, value)| (*name, value.as_str())));
            html.leaf("text", &attributes, sign);
        }
        if linked {
            html.close("a");
        }
        html.text("\n");
    }

    fn points(&self, html: &mut Html) {
        for point in &self.course.points {
            let x = self.scale.x(point.at);
            let (class, sign) = match point.sign {
                Sign::Override => ("point override", "!"),
                Sign::Interrupt => ("point interrupt", "▼"),
                Sign::Stop => ("point stop", "■"),
            };
            html.open("text", &[("class", class), ("x", &n(x)), ("y", &n(TOP - 6.0))]);
            html.leaf("title", &[], &self.told(&point.words, point.at, point.at)).text(sign).end("text");
        }
    }

    /// Where something stands and how wide it is.
    fn place(&self, from: Duration, to: Duration) -> (f64, f64) {
        let x = self.scale.x_of_start(from);
        let width = (self.scale.x(to) - x).max(LEAST);
        (x.min(WIDTH - 14.0 - LEAST).max(self.left), width)
    }

    fn told(&self, words: &str, from: Duration, to: Duration) -> String {
        let time = |at: Duration| elapsed::time_of_day(self.scale.clock(at), &self.made.zone);
        let (began, ended) = (time(from), time(to));
        if from == to {
            return format!("{words}, {began}");
        }
        format!("{words}, {began} to {ended} ({})", elapsed::short(to.saturating_sub(from)))
    }

    fn legend(&self, html: &mut Html) {
        html.open("ul", &[("class", "legend")]);
        for (look, class, word) in LOOKS {
            if self.course.bars.iter().any(|bar| bar.look == *look) {
                swatch(html, class, sign(*look), word);
            }
        }
        for (kind, class, word) in KINDS {
            if self.course.spans.iter().any(|span| span.kind == *kind) {
                swatch(html, class, None, word);
            }
        }
        let points = |sign: Sign| self.course.points.iter().any(|point| point.sign == sign);
        for (sign, shape, word) in [
            (Sign::Override, "!", "an override"),
            (Sign::Interrupt, "▼", "an interruption"),
            (Sign::Stop, "■", "the run stopped"),
        ] {
            if points(sign) {
                html.open("li", &[]).leaf("b", &[("aria-hidden", "true")], shape).text(" ").text(word).end("li");
            }
        }
        html.end("ul");
        if self.course.bars.iter().any(|bar| bar.acted.is_some_and(|acted| acted < bar.to)) {
            html.paragraph("A bar's full height is the action; the lower part behind it, its checks.");
        }
    }
}

/// The looks of bars, their classes and words, what went well first.
const LOOKS: &[(Look, &str, &str)] = &[
    (Look::Ok, "bar ok", "ok"),
    (Look::Failed, "bar failed", "failed"),
    (Look::Doubt, "bar doubt", "in doubt"),
    (Look::Repeated, "bar repeated", "tried again"),
    (Look::Undo, "bar undo", "undo"),
    (Look::Left, "bar left", "skipped or left out"),
    (Look::Open, "bar open", "no end in this stretch"),
];

const KINDS: &[(Kind, &str, &str)] = &[
    (Kind::Stretch, "stretch", "the program at work"),
    (Kind::Pause, "pause", "a pause"),
    (Kind::Wait, "wait", "waited"),
    (Kind::Question, "question", "waited for an answer"),
    (Kind::Cut, "cut", "connection lost"),
];

fn class(look: Look) -> &'static str {
    LOOKS.iter().find(|(known, ..)| *known == look).map_or("bar", |(_, class, _)| class)
}

/// The sign on a bar, beside its colour and pattern.
fn sign(look: Look) -> Option<&'static str> {
    match look {
        Look::Failed => Some("✗"),
        Look::Doubt => Some("?"),
        Look::Undo => Some("↶"),
        Look::Repeated => Some("↻"),
        Look::Ok | Look::Left | Look::Open => None,
    }
}

/// An entry of a legend.
pub(super) fn swatch(html: &mut Html, class: &'static str, sign: Option<&'static str>, words: &str) {
    html.open("li", &[]);
    html.open("svg", &[("class", "swatch"), ("viewBox", "0 0 24 14"), ("aria-hidden", "true")]);
    html.empty("path", &[("class", class), ("d", "M1 1h22v12h-22z")]);
    if let Some(sign) = sign {
        html.leaf("text", &[("class", "sign"), ("x", "12"), ("y", "11")], sign);
    }
    html.close("svg").text(" ").text(words).end("li");
}

/// What bars are filled with.
pub(super) fn patterns(html: &mut Html) {
    html.open("defs", &[]);
    let mut pattern = |id: &str, class: &'static str, shape: &str| {
        let square = [("id", id), ("width", "6"), ("height", "6"), ("patternUnits", "userSpaceOnUse")];
        html.open("pattern", &square).empty("rect", &[("width", "6"), ("height", "6"), ("class", class)]);
        html.empty("path", &[("d", shape), ("class", "over")]).close("pattern");
    };
    pattern("hatched", "failed", "M-1 1L1 -1M0 6L6 0M5 7L7 5");
    pattern("dotted", "doubt", "M2 2h2v2h-2z");
    pattern("barred", "repeated", "M0 1h6M0 4h6");
    html.end("defs");
}

/// `first`, and on by `by`.
fn steps(first: f64, by: f64) -> impl Iterator<Item = f64> {
    std::iter::successors(Some(first), move |y| Some(y + by))
}

/// A number as an attribute: no more digits than a screen has.
fn n(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

fn cut_to(text: &str, most: usize) -> String {
    let mut chars = text.chars();
    let cut: String = chars.by_ref().take(most).collect();
    if chars.next().is_some() { format!("{cut}…") } else { cut }
}
