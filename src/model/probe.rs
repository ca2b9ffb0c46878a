//! Probes: read-only observations.

use std::sync::Arc;

use serde::Serialize;

use super::parse::Parse;
use super::pattern::HostPattern;
use super::template::Template;
use crate::vocab::observation::NoReply;
use crate::vocab::{HostName, Location, Observation, Period, Reply};

/// A read-only observation, as declared.
#[derive(Clone, Debug, Serialize)]
pub struct Probe {
    /// Its name; an inline probe is named after where it stands.
    pub name: String,
    /// Whether it stands in `book.yaml`, so that its text is not covered by the runbook's.
    pub shared: bool,
    /// What it tells, for people.
    pub summary: String,
    /// The hosts it looks at, when not those of the step that uses it.
    pub hosts: Option<HostPattern>,
    /// How it looks.
    pub look: LookSpec,
    /// How its output is read.
    pub parse: Option<Parse>,
    /// The exit statuses that are an answer; any other makes the observation unknown. Default: only 0.
    pub exits: Vec<i32>,
    /// What may be met instead of a TCP reply and is an answer, too; anything else makes the observation unknown.
    pub answers: Vec<NoReply>,
    /// How long a look may take, connecting included. Default: 10 s.
    pub timeout: Period,
    /// The columns people see; empty: all.
    pub show: Vec<String>,
    /// Where it is declared.
    #[serde(skip)]
    pub location: Location,
}

impl Probe {
    /// What a reply from `host` means to this probe: the exit status judged, the output parsed.
    pub fn observe(&self, host: HostName, reply: Reply, took: Period) -> Observation {
        let mut observation = Observation { host, reply, took, rows: None, value: None, problems: Vec::new() };
        let text = match &observation.reply {
            Reply::Command { exit, stdout, stderr } => {
                if !self.exits.contains(exit) {
                    let said = crate::vocab::neutral::one_line(stderr.trim().lines().next_back().unwrap_or_default());
                    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
                    observation.problems.push(format!("exit status {exit}{said}"));
                }
                stdout.as_str()
            }
            Reply::Tcp { reply } => reply.as_str(),
            Reply::Http { body, .. } => body.as_str(),
            Reply::Nothing { reason, .. } if self.answers.contains(reason) => "",
            Reply::Nothing { reason, detail } => {
                let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
                observation.problems.push(format!("{}{detail}", reason.words()));
                return observation;
            }
        };
        // an output after a bad exit status is evidence, but no table to judge by
        if observation.problems.is_empty()
            && let Some(parse) = &self.parse
        {
            let parsed = parse.read(text);
            observation.rows = parsed.rows;
            observation.value = parsed.value;
            observation.problems = parsed.problems;
        }
        observation
    }
}

/// How a probe looks.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LookSpec {
    /// A command.
    Run(CommandSpec),
    /// A TCP conversation.
    Tcp(TcpSpec),
    /// An HTTP request.
    Http(HttpSpec),
}

/// A command, as declared.
#[derive(Clone, Debug, Serialize)]
pub struct CommandSpec {
    /// What runs.
    pub program: ProgramSpec,
    /// What it reads.
    pub stdin: Option<Template>,
    /// Its environment, names validated.
    pub env: Vec<(String, Template)>,
    /// Through which user; none: as the step, runbook, group or host says.
    pub sudo: Option<Sudo>,
}

/// What runs.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProgramSpec {
    /// `run:` a text for `sh -e`; every interpolation is quoted.
    Shell(Template),
    /// `run: [ … ]` an argument vector.
    Argv(Vec<Template>),
    /// `command:` a whole command from the inventory; nothing is quoted.
    Command(Template),
    /// `script:` a file of the book.
    Script {
        /// The file.
        file: ScriptFile,
        /// Its arguments.
        args: Vec<Template>,
    },
}

/// A script of the book.
#[derive(Clone, Debug, Serialize)]
pub struct ScriptFile {
    /// Its path in the book, for people.
    pub name: String,
    /// Its interpreter with arguments: `interpreter:`, or its `#!` line, or `sh`.
    pub interpreter: Vec<String>,
    /// Its text.
    #[serde(skip)]
    pub text: Arc<str>,
}

/// Through which user a command runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sudo {
    /// As the login user, whatever the runbook, group or host says.
    No,
    /// Through `sudo -n` as this user.
    User(String),
}

/// Where a TCP or HTTP probe starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The target host.
    #[default]
    Host,
    /// The operator's machine.
    Here,
}

/// A TCP conversation, as declared.
#[derive(Clone, Debug, Serialize)]
pub struct TcpSpec {
    /// Where it starts.
    pub from: Origin,
    /// Where it goes; none: the host's address.
    pub to: Option<Template>,
    /// The port: a number when rendered.
    pub port: Template,
    /// What is sent; escapes were read by YAML.
    pub send: Option<Template>,
    /// What ends the reply.
    pub until: Option<Template>,
}

/// An HTTP request, as declared.
#[derive(Clone, Debug, Serialize)]
pub struct HttpSpec {
    /// Where it starts.
    pub from: Origin,
    /// The method; `GET` for a probe, `POST` for an action by default.
    pub method: String,
    /// The address.
    pub url: Template,
    /// Headers in order.
    pub headers: Vec<(String, Template)>,
    /// The body.
    pub body: Option<Template>,
    /// For an action: the statuses that are well; empty: 200 to 299.
    pub statuses: Vec<u16>,
}
