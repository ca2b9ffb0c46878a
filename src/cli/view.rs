//! Who shows a run: a live terminal, plain lines, or events as JSON.

use std::io::IsTerminal as _;
use std::sync::Arc;

use console::Term;
use jiff::tz::TimeZone;

use super::app::{Format, Global};
use super::context::variable;
use crate::event::Observer;
use crate::report::{Data, Json, Live, Plain, Sink, Styles};
use crate::vocab::SystemClock;

/// Who shows the run, and what prompts need to take the terminal from it.
pub(super) struct View {
    pub(super) observer: Arc<dyn Observer>,
    pub(super) live: Option<Arc<Live>>,
    /// Where prose goes.
    pub(super) prose: Sink,
    pub(super) styles: Styles,
    /// The width of the terminal, where prose goes to one.
    pub(super) columns: Option<usize>,
}

/// Styles for what goes to stderr.
pub(super) fn styles(global: &Global) -> Styles {
    if global.colours_stderr() { Styles::colour() } else { Styles::plain() }
}

/// Styles for what goes to stdout.
pub(super) fn stdout_styles(global: &Global) -> Styles {
    if global.colours_stdout() { Styles::colour() } else { Styles::plain() }
}

/// Where data goes.
pub(super) fn data() -> Data {
    let sink = Sink::stdout();
    if std::io::stdout().is_terminal() { Data::terminal(sink, Term::stdout()) } else { Data::pipe(sink) }
}

/// Where what is said about rows goes: where they go on to another program, not with them.
pub(super) fn beside(data: &Data) -> Sink {
    if data.is_terminal() { data.sink().clone() } else { Sink::stderr() }
}

impl View {
    pub(super) fn new(global: &Global) -> Self {
        let styles = styles(global);
        let terminal = std::io::stderr().is_terminal();
        let moves = terminal && variable("TERM").is_some_and(|term| term != "dumb" && !term.is_empty());
        let columns = terminal.then(|| usize::from(Term::stderr().size().1));
        let prose = Sink::stderr();
        let clock = Arc::new(SystemClock);
        let (observer, live): (Arc<dyn Observer>, _) = if global.format == Format::Json {
            (Arc::new(Json::new(Sink::stdout())), None)
        } else if moves {
            let live = Arc::new(Live::new(Term::stderr(), data(), styles.clone(), clock));
            (live.clone(), Some(live))
        } else {
            (Arc::new(Plain::new(prose.clone(), data(), styles.clone(), TimeZone::system(), clock)), None)
        };
        Self { observer, live, prose, styles, columns }
    }
}
