//! Conducting a run from an open journal to its last screen: what `run` and `resume` share.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::app::{Format, Global};
use super::context::control_dir;
use super::custody;
use super::error::CliError;
use super::outline;
use super::seal::{self, Extent, Stamped};
use super::signals;
use super::terminal::Terminal;
use super::view::View;
use crate::engine::{Crew, Interrupt, Options, RecordError, Recorder, masked, perform};
use crate::event::{Event, Observer, RunState, StepEntry};
use crate::journal::{EventLog, Journal, Replay, Store};
use crate::plan::Plan;
use crate::report::{Closing, Keeper, Role, Story};
use crate::transport::{Fleet, Settings};
use crate::vocab::{Clock, HostName, StepHost, SystemClock};

/// A run whose journal is open.
pub(super) struct Conduct<'a> {
    pub(super) global: &'a Global,
    pub(super) store: &'a Store,
    pub(super) plan: &'a Plan,
    pub(super) options: &'a Options,
    pub(super) journal: Journal,
    /// What the journal holds already; the first event of this stretch not among it.
    pub(super) past: Replay,
    /// What begins this stretch, when it is not the run's own beginning.
    pub(super) resumed: Option<Event>,
}

/// The runtime: few threads, since the work is waiting.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| CliError::new(super::exit::FAILED, format!("the runtime could not start: {error}")))
}

/// The hosts, reached for real.
pub(super) fn fleet(parallel: usize) -> Fleet {
    let mut settings = Settings::new(control_dir());
    settings.parallel = settings.parallel.min(parallel.max(1));
    Fleet::new(settings)
}

impl Conduct<'_> {
    /// Runs it and tells the end. Gives the exit status.
    pub(super) fn run(self) -> Result<u8, CliError> {
        let runtime = runtime()?;
        let view = Arc::new(View::new(self.global));
        let text = self.global.format == Format::Text;
        let run = self.past.state.opened.run.clone();
        let masker = self.plan.masker();
        // what was a secret to nobody when it was written may be one by now
        let past = self.past.records.iter().map(|record| (record.at, masked(&masker, record.event.clone())));
        let story = Story::from_records(past);
        let keeper = Arc::new(Keeper::resuming(story));
        // a stretch's first event was written before there was anyone to tell
        if self.resumed.is_none() {
            for record in &self.past.records {
                view.observer.event(record.at, &record.event, &self.past.state);
            }
        }
        let observers: Vec<Arc<dyn Observer>> = vec![keeper.clone(), view.observer.clone()];
        let torn = self.journal.torn_note();
        let recorder = Recorder::new(
            self.past.state.clone(),
            Box::new(self.journal) as Box<dyn EventLog>,
            Arc::new(SystemClock) as Arc<dyn Clock>,
            observers,
            masker,
        );
        let interrupt = Interrupt::new();
        let fleet = fleet(self.options.parallel);
        let terminal = Terminal::new(view.clone(), interrupt.clone(), outline::short(self.plan));
        let plan = self.plan;
        let options = self.options;
        let resumed = self.resumed;
        let result = runtime.block_on(async {
            let listening = signals::listen(interrupt.clone(), Some(recorder.clone()));
            let performed = async {
                if let Some(event) = resumed {
                    recorder.record(event).await?;
                }
                if let Some(note) = torn {
                    recorder.record(note).await?;
                }
                let crew = Crew {
                    plan,
                    fleet: &fleet,
                    operator: &terminal,
                    recorder: &recorder,
                    interrupt: interrupt.clone(),
                    options,
                    run: run.clone(),
                };
                perform(crew).await
            }
            .await;
            if let Ok(listening) = listening {
                listening.abort();
            }
            performed
        });
        if let Some(live) = &view.live {
            live.finish();
        }
        let story = keeper.story();
        let lost = matches!(&result, Err(RecordError::Journal(error)) if error.is_lost());
        // a journal that could not be written is not sealed: it has no end yet
        let (exit, why, performed, error) = match result {
            Ok(performed) => (performed.ending.exit(), last_word(&story), Some(performed), None),
            Err(error) => {
                let mut error = CliError::from(error);
                let unrecorded = runtime.block_on(recorder.unrecorded());
                error.messages.extend(unrecorded.iter().map(|(at, end)| format!("not recorded: {at}: {end}")));
                (error.exit, custody::masked(&error.messages.join("; ")), None, Some(error))
            }
        };
        if text {
            let closing = Closing::new(view.styles.clone(), TimeZone::system(), view.columns)
                .program(program(self.global))
                .lost(lost);
            view.prose.write(&format!("\n{}", closing.shown(&story, exit, &why)));
        }
        // behind the last screen: a key may want to be touched
        if let Some(performed) = performed {
            let (records, head) = runtime.block_on(recorder.head());
            let first = self.past.first();
            let state = runtime.block_on(recorder.state(RunState::clone));
            let extent = Extent { records, head, first };
            let stamped = Stamped { hosts: performed.stamped, not: performed.unstamped };
            let said = seal::seal(
                self.global,
                self.store,
                &state,
                extent,
                &recorder.masker().mask(&options.operator),
                stamped,
            );
            if text || said.starts_with(seal::NOT_SEALED) {
                let said = crate::vocab::neutral::one_line(&said);
                view.prose.write(&format!("{}\n", view.styles.paint(Role::Dim, &said)));
            }
        }
        // a blocking prompt may still hold a thread; nothing of the run is left to wait for
        runtime.shutdown_background();
        match error {
            Some(error) if !text => Err(error),
            Some(error) => {
                for hint in &error.hints {
                    view.prose.write(&format!("hint: {}\n", custody::shown(hint)));
                }
                Ok(exit)
            }
            None => Ok(exit),
        }
    }
}

/// What the stretch's last event says of its end.
fn last_word(story: &Story) -> String {
    let last = story.records().iter().rev().find_map(|(_, event)| match event {
        Event::Stopped { why, .. } | Event::Ended { why, .. } => Some(why.clone()),
        _ => None,
    });
    last.unwrap_or_default()
}

/// The words in front of a command that goes on from here: the program with the global options it was given.
pub(super) fn program(global: &Global) -> String {
    use crate::vocab::quote::shell_word;
    let mut words = vec!["runbook".to_owned()];
    // what stands in the environment will stand there again
    let from_environment = |name: &str, value: &std::path::Path| {
        super::context::variable(name).is_some_and(|set| std::path::Path::new(&set) == value)
    };
    if let Some(book) = &global.book
        && !from_environment("RUNBOOK_BOOK", book)
    {
        words.extend(["--book".to_owned(), shell_word(&book.display().to_string())]);
    }
    for file in &global.inventory {
        words.extend(["-i".to_owned(), shell_word(&file.display().to_string())]);
    }
    if let Some(dir) = &global.state_dir
        && !from_environment("RUNBOOK_STATE_DIR", dir)
    {
        words.extend(["--state-dir".to_owned(), shell_word(&dir.display().to_string())]);
    }
    words.join(" ")
}

/// Whether a run acts on any of the hosts that the plan changes, and has begun to: one that never sent anything left
/// nothing half done.
pub(super) fn touches(state: &RunState, plan: &Plan) -> bool {
    let hosts = plan.changed_hosts();
    let shared = |step: &StepEntry| step.hosts.iter().any(|host| hosts.contains(host));
    let sent = |step: &StepEntry| {
        let attempts = |host: &HostName| state.step(&StepHost::new(step.id.clone(), host.clone())).attempts();
        step.kind != "wait" && step.hosts.iter().any(|host| attempts(host) > 0)
    };
    let steps = &state.opened.steps;
    state.opened.changes && steps.iter().any(shared) && steps.iter().any(sent)
}
