//! A run from its preconditions to its end.

use std::sync::Arc;

use super::ask::{Operator, Question, Response};
use super::check::Checking;
use super::ending::{Ending, Performed};
use super::interrupt::Interrupt;
use super::locks::Locks;
use super::look::Looker;
use super::options::Options;
use super::recorder::{RecordError, Recorder};
use super::scope::RunScope;
use super::stamp;
use crate::event::{Answer, Event, Moment, Outcome, StepState};
use crate::model::{Probe, Scope, Target};
use crate::plan::{Plan, ScopeId};
use crate::transport::Operate;
use crate::vocab::{HostName, Observation, RunId, StepHost};

/// Everyone and everything a run needs.
pub struct Crew<'a> {
    /// What is done.
    pub plan: &'a Plan,
    /// How hosts are reached and changed.
    pub fleet: &'a dyn Operate,
    /// Who is asked.
    pub operator: &'a dyn Operator,
    /// Where everything is written.
    pub recorder: &'a Recorder,
    /// The operator's wish to stop.
    pub interrupt: Interrupt,
    /// The operator's word.
    pub options: &'a Options,
    /// The run.
    pub run: RunId,
}

/// Why a run does not go on.
#[derive(Debug)]
pub enum Halt {
    /// It ends here, for this reason.
    End(Ending, String),
    /// It could not be recorded.
    Record(RecordError),
}

impl From<RecordError> for Halt {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

/// A part of a run: it goes on, or it halts.
pub type Flow<T = ()> = Result<T, Halt>;

/// Performs a plan whose run was opened (or resumed) in the recorder. Gives how this stretch ended, and on which
/// hosts its end was stamped; `Err` when the journal could not be written, with nothing sent after that, and the end of the
/// stretch in it if it takes that still.
pub async fn perform(crew: Crew<'_>) -> Result<Performed, RecordError> {
    let looker = Looker::new(crew.fleet, Some(crew.recorder), crew.options.parallel, crew.interrupt.stop());
    let scope = RunScope::new(crew.run.clone(), crew.options);
    let locks = Locks::new(&crew).await;
    let questions = Arc::new(tokio::sync::Mutex::new(()));
    let stage = Stage { crew: &crew, looker: &looker, locks: &locks, scope, questions };
    let played = tokio::select! {
        biased;
        played = stage.play() => played,
        never = locks.keep() => match never {},
    };
    let released = locks.release().await;
    let (ending, why) = match played {
        Ok(()) => (Ending::Done, "everything was done, and every check holds".to_owned()),
        Err(Halt::End(ending, why)) => (ending, why),
        Err(Halt::Record(error)) => {
            if let RecordError::Journal(failure) = &error
                && failure.is_state_unwritable()
            {
                // a log that takes nothing new still takes the end; one that takes nothing at all has said so
                let (exit, why) = (Ending::Unwritable.exit(), failure.to_string());
                let _ = crew.recorder.record(Event::Stopped { exit, why }).await;
            }
            return Err(error);
        }
    };
    let silent = released?;
    // doubt outlives whatever else ended the stretch
    let (doubt, untouched) = crew
        .recorder
        .state(|state| {
            let untouched = state.stretches == 1 && state.steps.values().all(|step| *step == StepState::NotStarted);
            (state.in_doubt(), untouched)
        })
        .await;
    let ending = if doubt.is_empty() || ending == Ending::Unwritable { ending } else { Ending::InDoubt };
    let over = match ending {
        Ending::Done => true,
        // nothing to go on from: the next try is a run of its own
        Ending::Precondition | Ending::Declined | Ending::Locked => untouched,
        Ending::Failed => !crew.plan.changes,
        Ending::InDoubt | Ending::Unwritable | Ending::Interrupted => false,
    };
    let exit = ending.exit();
    crew.recorder.record(if over { Event::Ended { exit, why } } else { Event::Stopped { exit, why } }).await?;
    Ok(stamp::leave(&crew, ending, &silent).await)
}

/// A run in progress: what all its parts share.
pub(super) struct Stage<'a> {
    pub(super) crew: &'a Crew<'a>,
    pub(super) looker: &'a Looker<'a>,
    pub(super) locks: &'a Locks<'a>,
    pub(super) scope: RunScope,
    /// One question at a time, however many hosts have one.
    pub(super) questions: Arc<tokio::sync::Mutex<()>>,
}

impl Stage<'_> {
    pub(super) fn plan(&self) -> &Plan {
        self.crew.plan
    }

    pub(super) fn target(&self, host: &HostName) -> &Target {
        self.crew.plan.host(host)
    }

    pub(super) async fn record(&self, event: Event) -> Flow {
        Ok(self.crew.recorder.record(event).await?)
    }

    /// Writes down what was seen and what no other event will show.
    pub(super) async fn record_looked(
        &self,
        at: Option<&StepHost>,
        probe: &Probe,
        observations: Vec<Observation>,
    ) -> Flow {
        if observations.is_empty() {
            return Ok(());
        }
        self.record(Event::Looked { at: at.cloned(), probe: probe.name.clone(), observations }).await
    }

    /// Halts if a lock was lost, or the operator wants to stop.
    pub(super) fn go_on(&self) -> Flow {
        self.locks.go_on()?;
        if self.crew.interrupt.is_raised() {
            return Err(Halt::End(Ending::Interrupted, "interrupted by the operator".to_owned()));
        }
        Ok(())
    }

    /// The scope of the run's own parts.
    pub(super) fn scope_at(&self, id: ScopeId, host: Option<&HostName>) -> Scope {
        self.scope.on(self.plan(), id, host, &std::collections::BTreeMap::new())
    }

    /// Asks, and writes question and answer down.
    pub(super) async fn ask(&self, question: Question) -> Flow<Response> {
        let _turn = self.questions.lock().await;
        self.record(Event::Asked { what: question.what(), question: question.words() }).await?;
        let response = self.crew.operator.ask(&question).await;
        let answer = match &response {
            Response::Yes | Response::Chose(..) => Answer::Yes,
            Response::No => Answer::No,
            Response::Text(text) => Answer::Text(text.clone()),
            Response::NoTerminal => Answer::NoTerminal,
        };
        self.record(Event::Answered { what: question.what(), answer }).await?;
        // Ctrl-C at a prompt is a key there and no signal: nobody wrote it down yet
        let count = self.crew.interrupt.level();
        if count > self.crew.recorder.state(|state| state.interrupts).await {
            self.record(Event::Interrupted { signal: "Ctrl-C".to_owned(), count }).await?;
        }
        // an interrupt is no decision; a manual step still has to end
        if response == Response::No && !matches!(question, Question::Manual { .. }) {
            self.go_on()?;
        }
        Ok(response)
    }

    async fn play(&self) -> Flow {
        let resumed = self.crew.recorder.state(|state| state.stretches > 1).await;
        self.locks.take().await?;
        let mut interrupted_by_talk = self.preconditions(if resumed { Moment::Resume } else { Moment::Start }).await?;
        interrupted_by_talk |= self.warnings().await?;
        if self.plan().changes {
            interrupted_by_talk |= self.agree(resumed).await?;
        }
        if interrupted_by_talk {
            // while people talk or wait, the world moves on
            self.preconditions_again().await?;
        }
        if resumed {
            self.settle().await?;
        }
        self.floors().await?;
        for (index, unit) in self.plan().units.iter().enumerate() {
            self.roll(unit, index == 0).await?;
        }
        self.final_checks().await
    }

    /// The one question before a run that changes something. Gives whether a person was asked.
    async fn agree(&self, resumed: bool) -> Flow<bool> {
        if self.crew.options.yes {
            let what = crate::event::AskedWhat::Start;
            self.record(Event::Answered { what, answer: Answer::Flag("--yes".to_owned()) }).await?;
            return Ok(false);
        }
        let hosts = self.plan().changed_hosts().len();
        let hosts = if hosts == 1 { "1 host".to_owned() } else { format!("{hosts} hosts") };
        let verb = if resumed { "Go on with" } else { "Run" };
        let text = format!("{verb} {} on {hosts}?", self.plan().runbook.name);
        match self.ask(Question::Start { text }).await? {
            Response::Yes => Ok(true),
            Response::NoTerminal => Err(Halt::End(
                Ending::Declined,
                "there is no terminal to ask at: `--yes` agrees to the start".to_owned(),
            )),
            Response::No | Response::Text(_) | Response::Chose(..) => {
                // Ctrl-C at the question is an interrupt, not an answer
                self.go_on()?;
                Err(Halt::End(Ending::Declined, "the operator declined".to_owned()))
            }
        }
    }

    /// The checks of the whole run.
    async fn final_checks(&self) -> Flow {
        let plan = self.plan();
        // a step that failed within its budget is a failure of the run all the same
        let failed = self
            .crew
            .recorder
            .state(|state| {
                let failed = |(at, step): (&StepHost, &StepState)| {
                    step.outcome().is_some_and(Outcome::failed).then(|| at.to_string())
                };
                state.steps.iter().filter_map(failed).collect::<Vec<_>>()
            })
            .await;
        let mut broken = Vec::new();
        for (index, planned) in plan.checks.iter().enumerate() {
            self.go_on()?;
            let scope = |host: Option<&HostName>| self.scope_at(planned.scope, host);
            let checking = Checking {
                looker: self.looker,
                recorder: Some(self.crew.recorder),
                interrupt: &self.crew.interrupt,
                targets: planned.hosts.iter().map(|host| self.target(host)).collect(),
                scope: &scope,
                before: Vec::new(),
                sudo: plan.runbook.sudo.as_ref(),
                at: None,
            };
            let judged = checking.until(&planned.check).await;
            if judged.interrupted {
                return self.go_on();
            }
            let holds = judged.holds();
            let why = judged.why();
            self.record_looked(None, &planned.check.probe, judged.unshown).await?;
            self.record(Event::CheckJudged {
                at: None,
                check: index + 1,
                says: planned.check.says.clone(),
                verdicts: judged.verdicts,
                polls: judged.polls,
                took: judged.took,
            })
            .await?;
            if !holds {
                broken.push(format!("{}: {why}", planned.check.says));
            }
        }
        if !failed.is_empty() {
            return Err(Halt::End(Ending::Failed, format!("failed: {}", failed.join(", "))));
        }
        if !broken.is_empty() {
            return Err(Halt::End(Ending::Failed, broken.join("; ")));
        }
        Ok(())
    }
}
