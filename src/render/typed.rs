//! What is typed where: an action or a probe on each of its hosts, the hosts folded that are told the same.

use super::document::{Block, Inline, Place, hosts_in_words};
use super::hand;
use super::inside::Inside;
use crate::model::deed::{Deed, ready_action, ready_command};
use crate::model::template::Piece;
use crate::model::{
    Action, CommandSpec, EvalError, Glance, LookSpec, Probe, ProgramSpec, Scope, Sudo, Target, ready_probe,
};
use crate::vocab::command::From;
use crate::vocab::{Command, HostName, Period};

/// How long a request may take that has no time of its own.
const PATIENCE: Period = Period::seconds(30);

/// What is typed for one host.
type One<'a> = &'a dyn Fn(&Target) -> Result<Typed, EvalError>;

/// A command as it is pasted, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Typed {
    text: String,
    user: Option<String>,
    /// On the admin host, whatever host it is for.
    at_home: bool,
    in_book: bool,
}

/// A probe on its hosts. `exit`: what it ends with is told, too.
pub(super) fn look(
    inside: &Inside<'_>,
    probe: &Probe,
    sudo: Option<&Sudo>,
    hosts: &[HostName],
    exit: bool,
) -> Vec<Block> {
    let one = |target: &Target| {
        let scope = match &probe.look {
            LookSpec::Run(spec) => scope_of(inside, spec, target),
            LookSpec::Tcp(_) | LookSpec::Http(_) => inside.on(target),
        };
        let mut typed = match ready_probe(probe, sudo, &scope, target)? {
            Glance::Run(command) => on_host(&command, target),
            Glance::Tcp(talk) => away(hand::talk(&talk, probe.timeout), talk.from, target),
            Glance::Http(request) => away(hand::request(&request, probe.timeout), request.from, target),
        };
        if exit {
            let then = if typed.text.contains('\n') { '\n' } else { ';' };
            typed.text = format!("{}{then} echo \"exit status $?\"", typed.text).replace("\n echo", "\necho");
        }
        Ok(typed)
    };
    blocks(inside, hosts, source_of_look(probe).as_deref(), &one)
}

/// An action on its hosts; none where there is nothing to type.
pub(super) fn act(inside: &Inside<'_>, action: &Action, sudo: Option<&Sudo>, hosts: &[HostName]) -> Vec<Block> {
    let one = |target: &Target| {
        let scope = match action {
            Action::Command(spec) => scope_of(inside, spec, target),
            Action::Copy { .. } | Action::Http(_) | Action::Manual { .. } | Action::Wait { .. } => inside.on(target),
        };
        if let Action::Copy { file, dest, mode, owner } = action {
            let user = sudo_user(sudo, target);
            let mode = mode.as_deref().unwrap_or("0644");
            let text = hand::copy(&file.name, &dest.text(&scope)?, mode, owner.as_deref(), user.as_deref(), target);
            return Ok(Typed { text, in_book: true, ..home() });
        }
        match ready_action(action, sudo, &scope, target)? {
            Deed::Command(command) => Ok(on_host(&command, target)),
            Deed::Http { request, .. } => Ok(away(hand::request(&request, PATIENCE), request.from, target)),
            // said in prose
            Deed::Manual(_) | Deed::Wait(_) => Ok(home()),
        }
    };
    let source = match action {
        Action::Command(spec) => Some(source_of(spec)),
        Action::Copy { file, dest, .. } => Some(format!("{} {}", file.name, dest.source())),
        Action::Http(spec) => Some(format!("{} {}", spec.method, spec.url.source())),
        Action::Manual { .. } | Action::Wait { .. } => return Vec::new(),
    };
    blocks(inside, hosts, source.as_deref(), &one)
}

/// A command beside a step: what collects evidence, what undoes.
pub(super) fn command(inside: &Inside<'_>, spec: &CommandSpec, sudo: Option<&Sudo>, hosts: &[HostName]) -> Vec<Block> {
    let one =
        |target: &Target| Ok(on_host(&ready_command(spec, sudo, &scope_of(inside, spec, target), target)?, target));
    blocks(inside, hosts, Some(&source_of(spec)), &one)
}

/// What a command sees: where nothing quotes its values, placeholders that need no quotes.
fn scope_of(inside: &Inside<'_>, spec: &CommandSpec, target: &Target) -> Scope {
    let unquoted = match &spec.program {
        ProgramSpec::Command(_) => true,
        ProgramSpec::Shell(text) => {
            text.pieces().iter().any(|piece| matches!(piece, Piece::Expression { raw: true, .. }))
        }
        ProgramSpec::Argv(_) | ProgramSpec::Script { .. } => false,
    };
    if unquoted { inside.unquoted_on(target) } else { inside.on(target) }
}

fn home() -> Typed {
    Typed { text: String::new(), user: None, at_home: true, in_book: false }
}

fn on_host(command: &Command, target: &Target) -> Typed {
    match (hand::script(command, target), hand::command(command)) {
        (Some(text), _) => Typed { text, in_book: true, ..home() },
        (None, text) => Typed {
            text: text.unwrap_or_default(),
            user: target.user.clone(),
            at_home: target.name.is_here(),
            in_book: false,
        },
    }
}

fn away(text: String, from: From, target: &Target) -> Typed {
    match from {
        From::Host => Typed { text, user: target.user.clone(), at_home: target.name.is_here(), in_book: false },
        From::Here => Typed { text, ..home() },
    }
}

fn sudo_user(sudo: Option<&Sudo>, target: &Target) -> Option<String> {
    match sudo {
        Some(Sudo::User(user)) => Some(user.clone()),
        Some(Sudo::No) => None,
        None => target.sudo.clone(),
    }
}

/// The command as the book has it, for what cannot be known before a run.
fn source_of(spec: &CommandSpec) -> String {
    match &spec.program {
        ProgramSpec::Shell(text) | ProgramSpec::Command(text) => text.source().trim_end().to_owned(),
        ProgramSpec::Argv(words) => words.iter().map(crate::model::Template::source).collect::<Vec<_>>().join(" "),
        ProgramSpec::Script { file, args } => std::iter::once(&*file.name)
            .chain(args.iter().map(crate::model::Template::source))
            .collect::<Vec<_>>()
            .join(" "),
    }
}

fn source_of_look(probe: &Probe) -> Option<String> {
    match &probe.look {
        LookSpec::Run(spec) => Some(source_of(spec)),
        LookSpec::Http(spec) => Some(format!("{} {}", spec.method, spec.url.source())),
        LookSpec::Tcp(spec) => Some(format!(
            "tcp {}:{}",
            spec.to.as_ref().map_or("${{ host.address }}", crate::model::Template::source),
            spec.port.source()
        )),
    }
}

/// The commands of all hosts: one where they are told the same, else one each.
fn blocks(inside: &Inside<'_>, hosts: &[HostName], source: Option<&str>, one: One<'_>) -> Vec<Block> {
    let mut groups: Vec<(Typed, Vec<HostName>)> = Vec::new();
    let mut unknown: Vec<(HostName, EvalError)> = Vec::new();
    let mut add = |typed: Typed, host: HostName| match groups.iter_mut().find(|(known, _)| *known == typed) {
        Some((_, hosts)) => hosts.push(host),
        None => groups.push((typed, vec![host])),
    };
    for host in hosts {
        match one(&inside.target(host)) {
            Ok(typed) => add(typed, host.clone()),
            // a host that is a parameter: whatever hosts it could be
            Err(error) if inside.edition.target(host).is_none() => {
                let known = inside.edition.inventory.host_names();
                let able: Vec<_> = known.filter_map(|host| Some((one(&inside.target(host)).ok()?, host))).collect();
                match able.split_first() {
                    None => unknown.push((host.clone(), error)),
                    Some(((first, _), rest)) if rest.iter().all(|(typed, _)| typed == first) => {
                        add(first.clone(), host.clone());
                    }
                    Some(_) => able.into_iter().for_each(|(typed, host)| add(typed, host.clone())),
                }
            }
            Err(error) => unknown.push((host.clone(), error)),
        }
    }
    let mut out = shown(groups);
    if let (Some((_, error)), Some(source)) = (unknown.first(), source) {
        let hosts: Vec<HostName> = unknown.iter().map(|(host, _)| host.clone()).collect();
        out.push(Block::Paragraph(vec![
            Inline::text(format!("For {}, put in yourself what depends on the run: ", hosts_in_words(&hosts))),
            Inline::code(missing(error)),
            Inline::text("."),
        ]));
        out.push(Block::Code { place: None, text: source.to_owned() });
    }
    out
}

/// What an expression misses, without the place in the file: that moves with every edit above it.
fn missing(error: &EvalError) -> String {
    match error {
        EvalError::Undefined { name, .. } | EvalError::Secret { name, .. } => name.clone(),
        EvalError::WrongKind { source_text, .. } | EvalError::Failed { source_text, .. } => source_text.clone(),
    }
}

fn shown(mut groups: Vec<(Typed, Vec<HostName>)>) -> Vec<Block> {
    groups.retain(|(typed, _)| !typed.text.is_empty());
    let place = |typed: &Typed, hosts: Vec<HostName>| Place {
        hosts: if typed.at_home { vec![HostName::here()] } else { hosts },
        user: typed.user.clone().filter(|_| !typed.at_home),
        in_book: typed.in_book,
    };
    let alike = |one: &Typed, other: &Typed| {
        (&one.user, one.at_home, one.in_book) == (&other.user, other.at_home, other.in_book)
    };
    let first = groups.first().map(|(typed, _)| typed.clone());
    let table = first.filter(|first| {
        groups.len() > 1 && groups.iter().all(|(typed, _)| alike(typed, first) && fits_a_cell(&typed.text))
    });
    let Some(first) = table else {
        let of_many = groups.len() > 1;
        return groups
            .into_iter()
            .flat_map(|(typed, hosts)| {
                let whom = (of_many && typed.at_home)
                    .then(|| Block::Paragraph(vec![Inline::text(format!("For {}:", hosts_in_words(&hosts)))]));
                let code = Block::Code { place: Some(place(&typed, hosts)), text: typed.text };
                whom.into_iter().chain([code])
            })
            .collect();
    };
    let caption = match (&first.user, first.at_home) {
        (_, true) => format!("{}, the line for each host:", place(&first, Vec::new()).words()),
        (Some(user), false) => format!("As {user} on each host, its own line:"),
        (None, false) => "On each host, its own line:".to_owned(),
    };
    let head = [if first.at_home { "For" } else { "On" }, "Command"].map(str::to_owned).to_vec();
    let rows = groups
        .into_iter()
        .map(|(typed, hosts)| vec![vec![Inline::text(hosts_in_words(&hosts))], vec![Inline::code(typed.text)]]);
    vec![Block::Table { caption: vec![Inline::text(caption)], head, rows: rows.collect() }]
}

/// Whether a command can be copied out of a table: on one line, where no blanks fall together, with none of its bars.
fn fits_a_cell(text: &str) -> bool {
    !text.contains(['\n', '\t', '|']) && !text.contains("  ") && text.trim() == text && text.chars().count() <= 200
}
