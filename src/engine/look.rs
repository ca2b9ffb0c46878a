//! Looking: one probe, several hosts, in parallel.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::recorder::Recorder;
use crate::event::Progress;
use crate::model::{EvalError, Glance, Probe, Scope, Sudo, Target, ready_probe};
use crate::transport::{Ended, Fault, Inspect, Look, Seen};
use crate::vocab::observation::NoReply;
use crate::vocab::{HostName, Observation, Period, Reply};

/// What an observation keeps of an output, in bytes: beyond it the look is unknown, since what was cut off might
/// have mattered.
const LARGEST: usize = 4 << 20;

/// Looks at hosts on behalf of a run or a rehearsal.
#[derive(Clone)]
pub struct Looker<'a> {
    inspect: &'a dyn Inspect,
    recorder: Option<&'a Recorder>,
    parallel: Arc<Semaphore>,
    cancel: CancellationToken,
}

impl<'a> Looker<'a> {
    /// Looks through `inspect` at no more than `parallel` hosts at once, until `cancel`.
    pub fn new(
        inspect: &'a dyn Inspect,
        recorder: Option<&'a Recorder>,
        parallel: usize,
        cancel: CancellationToken,
    ) -> Self {
        Self { inspect, recorder, parallel: Arc::new(Semaphore::new(parallel.max(1))), cancel }
    }

    /// Whether looks are cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Looks at each of `targets` with the scope that `scope` gives for it. One observation a host, in their order.
    pub async fn all(
        &self,
        probe: &Probe,
        sudo: Option<&Sudo>,
        targets: &[&Target],
        scope: &(dyn Fn(&Target) -> Scope + Sync),
    ) -> Vec<Observation> {
        if let Some(recorder) = self.recorder
            && targets.len() > 1
        {
            let says = if probe.summary.is_empty() { probe.name.clone() } else { probe.summary.clone() };
            recorder.progress(&Progress::Looking { says, hosts: targets.len() });
        }
        let looks = targets.iter().map(|target| async move {
            let observation = self.one(probe, sudo, target, &scope(target)).await;
            if let Some(recorder) = self.recorder {
                recorder.progress(&Progress::Looked { host: target.name.clone() });
            }
            observation
        });
        join_all(looks).await
    }

    /// Looks at one host.
    pub async fn one(&self, probe: &Probe, sudo: Option<&Sudo>, target: &Target, scope: &Scope) -> Observation {
        let host = target.name.clone();
        let glance = match ready_probe(probe, sudo, scope, target) {
            Ok(glance) => glance,
            Err(error) => return unready(host, &error),
        };
        let Ok(_turn) = self.parallel.acquire().await else {
            return Observation::nothing(host, NoReply::Interrupted, "", Period::ZERO);
        };
        let started = tokio::time::Instant::now();
        let look = Look {
            name: probe.name.clone(),
            probe: match glance {
                Glance::Run(command) => crate::transport::Probe::Run(command),
                Glance::Tcp(talk) => crate::transport::Probe::Tcp(talk),
                Glance::Http(request) => crate::transport::Probe::Http(request),
            },
            timeout: probe.timeout,
            cancel: self.cancel.clone(),
        };
        let seen = self.inspect.look(target, look).await;
        let took = Period::new(started.elapsed());
        match seen {
            Ok(seen) => match reply(seen) {
                Some(reply) => probe.observe(host, reply, took),
                None => Observation::nothing(host, NoReply::Protocol, "the answer is larger than 4 MiB", took),
            },
            Err(fault) => {
                let (reason, detail) = no_reply(fault);
                probe.observe(host, Reply::Nothing { reason, detail }, took)
            }
        }
    }
}

/// An observation of a probe that could not be made ready.
fn unready(host: HostName, error: &EvalError) -> Observation {
    let mut observation = Observation::nothing(host, NoReply::Protocol, error.to_string(), Period::ZERO);
    observation.problems = vec![error.to_string()];
    observation
}

fn reply(seen: Seen) -> Option<Reply> {
    let text = |bytes: Vec<u8>| (bytes.len() <= LARGEST).then(|| String::from_utf8_lossy(&bytes).into_owned());
    Some(match seen {
        Seen::Command(finished) => {
            let exit = match finished.ended {
                Ended::Exited(code) => code,
                // a look that was stopped comes as a fault; should a transport say so here, it is no answer either
                Ended::TimedOut | Ended::Cancelled => return None,
            };
            Reply::Command { exit, stdout: text(finished.stdout)?, stderr: text(finished.stderr)? }
        }
        Seen::Tcp(bytes) => Reply::Tcp { reply: text(bytes)? },
        Seen::Http(reply) => {
            let mut headers: BTreeMap<String, String> = BTreeMap::new();
            for (name, value) in reply.headers {
                headers
                    .entry(name)
                    .and_modify(|known| {
                        known.push_str(", ");
                        known.push_str(&value);
                    })
                    .or_insert(value);
            }
            Reply::Http { status: reply.status, headers, body: text(reply.body)? }
        }
    })
}

fn no_reply(fault: Fault) -> (NoReply, String) {
    match fault {
        Fault::Unreachable { reason, hint } => {
            let hint = hint.map(|hint| format!(" (hint: {hint})")).unwrap_or_default();
            (NoReply::Unreachable, format!("{reason}{hint}"))
        }
        Fault::NotStarted { reason } => (NoReply::Protocol, format!("did not start: {reason}")),
        Fault::Lost { reason, .. } => (NoReply::Lost, reason),
        Fault::NotStopped { reason, .. } => (NoReply::TimedOut, format!("and could not be stopped: {reason}")),
        Fault::Conversation { reason, detail } => (reason, detail),
        Fault::TimedOut { after } => (NoReply::TimedOut, format!("after {after}")),
        Fault::Cancelled => (NoReply::Interrupted, String::new()),
    }
}
