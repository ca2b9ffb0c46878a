//! Parameters on the command line: `5s`, `pause=5s`, and secrets that never stand there.

use std::io::{IsTerminal as _, Read as _};
use std::path::Path;

use super::context::variable;
use super::custody;
use super::error::CliError;
use crate::model::{Param, ParamType};
use crate::plan::Given;
use crate::plan::bind::named;
use crate::vocab::neutral::one_line;
use crate::vocab::{Masker, Secret};

/// The largest secret, in bytes: more than a variable of the environment can carry on any host.
const LARGEST: u64 = 128 * 1024;

/// Sorts arguments into positional and named ones, and reads secrets from where they are.
pub(super) fn read(params: &[Param], args: &[String]) -> Result<Given, CliError> {
    let mut given = Given::default();
    for arg in args {
        let Some((name, value)) = named(arg) else {
            given.positional.push(arg.clone());
            continue;
        };
        let secret = params.iter().any(|param| param.name == name && param.kind == ParamType::Secret);
        if !secret {
            given.named.push((name.to_owned(), value.to_owned()));
        } else if let Some(file) = value.strip_prefix('@') {
            given.secrets.insert(name.to_owned(), from_file(name, Path::new(file))?);
        } else if let Some(name_of) = value.strip_prefix("env:") {
            let text = variable(name_of)
                .ok_or_else(|| CliError::usage(format!("the secret `{name}`: the variable {name_of} is not set")))?;
            given.secrets.insert(name.to_owned(), valid(name, text)?);
        } else {
            // bind says why not
            given.named.push((name.to_owned(), String::new()));
        }
    }
    for param in params {
        let named = given.named.iter().any(|(name, _)| *name == param.name);
        if !named
            && !given.secrets.contains_key(&param.name)
            && let Some(text) = param.variable().and_then(variable)
        {
            given.secrets.insert(param.name.clone(), valid(&param.name, text)?);
        }
    }
    Ok(given)
}

/// Asks for the secrets that are still missing, when there is a terminal to ask at.
pub(super) fn ask_for_secrets(params: &[Param], given: &mut Given) -> Result<(), CliError> {
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return Ok(());
    }
    for param in params.iter().filter(|param| param.kind == ParamType::Secret) {
        let literal = given.named.iter().any(|(name, _)| *name == param.name);
        if literal || given.secrets.contains_key(&param.name) {
            continue;
        }
        let help = one_line(&param.help);
        let asked = inquire::Password::new(&format!("{}:", param.name))
            .with_help_message(if help.is_empty() { "a secret; it is shown nowhere" } else { &help })
            .without_confirmation()
            .prompt();
        match asked {
            Ok(text) => {
                given.secrets.insert(param.name.clone(), valid(&param.name, text)?);
            }
            Err(_) => {
                return Err(CliError::new(super::exit::DECLINED, format!("the secret `{}` was not given", param.name)));
            }
        }
    }
    Ok(())
}

/// The secret is the file without one newline at its end, which editors add and nobody means.
fn from_file(name: &str, file: &Path) -> Result<Secret, CliError> {
    let problem = |what: String| CliError::usage(format!("the secret `{name}`: {}: {what}", file.display()));
    // also a pipe, as in `password=@<(pass show site)`: its size is not known beforehand
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).map_err(|error| problem(error.to_string()))?;
    opened.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| problem(error.to_string()))?;
    if bytes.len() as u64 > LARGEST {
        return Err(problem(format!("larger than {} KiB, which no command can be given", LARGEST / 1024)));
    }
    let mut text = String::from_utf8(bytes).map_err(|_| problem("not UTF-8".to_owned()))?;
    if text.ends_with('\n') {
        text.pop();
    }
    valid(name, text)
}

fn valid(name: &str, text: String) -> Result<Secret, CliError> {
    if text.contains('\0') {
        return Err(CliError::usage(format!("the secret `{name}` holds a NUL byte, which no command can be given")));
    }
    if text.len() < Masker::SHORTEST {
        return Err(CliError::usage(format!(
            "the secret `{name}` is shorter than {} bytes, and could not be hidden in what commands print",
            Masker::SHORTEST
        )));
    }
    let secret = Secret::new(text);
    custody::keep_secret(&secret);
    Ok(secret)
}
