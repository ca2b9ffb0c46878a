//! The last step before anything is sent: templates rendered on one host.

use super::{Action, CommandSpec, EvalError, HttpSpec, LookSpec, Origin, Probe, ProgramSpec, Scope, Sudo, Target};
use crate::vocab::command::{From, Stdin};
use crate::vocab::{Command, HttpRequest, Period, Program, TcpTalk, quote};

/// What an action is on one host, nothing left open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A command.
    Command(Command),
    /// A request, and the statuses that are well (none: 200 to 299).
    Http {
        /// The request.
        request: HttpRequest,
        /// The statuses that are well.
        statuses: Vec<u16>,
    },
    /// Something a person does.
    Manual(String),
    /// A wait.
    Wait(Period),
}

/// What a probe is on one host, nothing left open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Glance {
    /// A command.
    Run(Command),
    /// A TCP conversation.
    Tcp(TcpTalk),
    /// A request.
    Http(HttpRequest),
}

impl Deed {
    /// The deed as a person would type it, secrets as placeholders.
    pub fn shown(&self) -> String {
        match self {
            Self::Command(command) => command.shown(),
            Self::Http { request, .. } => request.shown(),
            Self::Manual(text) => text.trim().to_owned(),
            Self::Wait(length) => format!("wait {length}"),
        }
    }
}

impl Glance {
    /// The probe as a person would type it, secrets as placeholders.
    pub fn shown(&self) -> String {
        match self {
            Self::Run(command) => command.shown(),
            Self::Tcp(talk) => talk.shown(),
            Self::Http(request) => request.shown(),
        }
    }
}

/// Makes an action ready for `target`.
pub fn ready_action(action: &Action, sudo: Option<&Sudo>, scope: &Scope, target: &Target) -> Result<Deed, EvalError> {
    Ok(match action {
        Action::Command(spec) => Deed::Command(ready_command(spec, sudo, scope, target)?),
        Action::Copy { file, dest, mode, owner } => {
            let dest = dest.text(scope)?;
            Deed::Command(Command {
                program: Program::Shell(copy_text(&dest, mode.as_deref(), owner.as_deref())),
                stdin: Some(Stdin::File { name: file.name.clone(), bytes: file.bytes.to_vec() }),
                env: Vec::new(),
                sudo: user(None, sudo, target),
            })
        }
        Action::Http(spec) => Deed::Http { request: ready_request(spec, scope)?, statuses: spec.statuses.clone() },
        Action::Manual { says } => Deed::Manual(says.text(scope)?),
        Action::Wait { length } => Deed::Wait(length.period(scope)?),
    })
}

/// Makes a command ready for `target`.
pub fn ready_command(
    spec: &CommandSpec,
    sudo: Option<&Sudo>,
    scope: &Scope,
    target: &Target,
) -> Result<Command, EvalError> {
    let program = match &spec.program {
        ProgramSpec::Shell(text) => Program::Shell(text.shell(scope)?),
        ProgramSpec::Argv(words) => Program::Argv(words.iter().map(|word| word.text(scope)).collect::<Result<_, _>>()?),
        // a whole command of the inventory's author: quoting it would make one word of it
        ProgramSpec::Command(text) => Program::Shell(text.text(scope)?),
        ProgramSpec::Script { file, args } => Program::Script {
            name: file.name.clone(),
            interpreter: file.interpreter.clone(),
            text: file.text.to_string(),
            args: args.iter().map(|arg| arg.text(scope)).collect::<Result<_, _>>()?,
        },
    };
    let stdin = spec.stdin.as_ref().map(|text| text.masked(scope)).transpose()?.map(Stdin::Text);
    let mut env = Vec::new();
    for (name, value) in &spec.env {
        env.push((name.clone(), value.masked(scope)?));
    }
    Ok(Command { program, stdin, env, sudo: user(spec.sudo.as_ref(), sudo, target) })
}

/// Makes a probe ready for `target`.
pub fn ready_probe(probe: &Probe, sudo: Option<&Sudo>, scope: &Scope, target: &Target) -> Result<Glance, EvalError> {
    Ok(match &probe.look {
        LookSpec::Run(spec) => Glance::Run(ready_command(spec, sudo, scope, target)?),
        LookSpec::Tcp(spec) => {
            let port = spec.port.text(scope)?;
            let number = port.trim().parse().map_err(|_| EvalError::WrongKind {
                location: spec.port.location().clone(),
                source_text: spec.port.source().to_owned(),
                got: format!("`{port}`"),
                needed: "a port from 1 to 65535",
            })?;
            Glance::Tcp(TcpTalk {
                from: origin(spec.from),
                to: spec.to.as_ref().map_or_else(|| Ok(target.address.clone()), |to| to.text(scope))?,
                port: number,
                send: spec.send.as_ref().map(|text| text.text(scope)).transpose()?,
                until: spec.until.as_ref().map(|text| text.text(scope)).transpose()?,
            })
        }
        LookSpec::Http(spec) => Glance::Http(ready_request(spec, scope)?),
    })
}

fn ready_request(spec: &HttpSpec, scope: &Scope) -> Result<HttpRequest, EvalError> {
    let mut headers = Vec::new();
    for (name, value) in &spec.headers {
        headers.push((name.clone(), value.masked(scope)?));
    }
    Ok(HttpRequest {
        from: origin(spec.from),
        method: spec.method.clone(),
        url: spec.url.text(scope)?,
        headers,
        body: spec.body.as_ref().map(|body| body.masked(scope)).transpose()?,
    })
}

fn origin(origin: Origin) -> From {
    match origin {
        Origin::Host => From::Host,
        Origin::Here => From::Here,
    }
}

/// The nearest word on sudo wins: the command's, the step's (or block's, or runbook's), the host's.
fn user(command: Option<&Sudo>, step: Option<&Sudo>, target: &Target) -> Option<String> {
    match command.or(step) {
        Some(Sudo::User(user)) => Some(user.clone()),
        Some(Sudo::No) => None,
        None => target.sudo.clone(),
    }
}

/// A shell text that writes its input beside `dest` and renames it into place, so that `dest` is never half a file.
fn copy_text(dest: &str, mode: Option<&str>, owner: Option<&str>) -> String {
    let dest = if dest.starts_with('-') { format!("./{dest}") } else { dest.to_owned() };
    let dest = quote::shell_word(&dest);
    let mut text = format!("t={dest}.runbook-$$\ntrap 'rm -f \"$t\"' EXIT\numask 077\ncat > \"$t\"\n");
    if let Some(owner) = owner {
        text.push_str(&format!("chown {} \"$t\"\n", quote::shell_word(owner)));
    }
    text.push_str(&format!(
        "chmod {} \"$t\"\nmv -f \"$t\" {dest}\ntrap - EXIT\n",
        quote::shell_word(mode.unwrap_or("0644"))
    ));
    text
}
