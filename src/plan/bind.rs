//! Binding parameters: what the operator gave, against what the runbook declares.

use std::collections::BTreeMap;

use crate::model::scope::nearest;
use crate::model::{Inventory, Param, ParamType, Params};
use crate::vocab::Secret;

/// What the operator gave for the parameters.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Positional arguments in order.
    pub positional: Vec<String>,
    /// `name=value` arguments in order.
    pub named: Vec<(String, String)>,
    /// Secrets, already read from their file, variable or prompt.
    pub secrets: BTreeMap<String, Secret>,
}

/// An argument as `name=value`; none: it is a value by its position.
pub fn named(argument: &str) -> Option<(&str, &str)> {
    let is_name = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
            && !text.as_bytes()[0].is_ascii_digit()
    };
    argument.split_once('=').filter(|(name, _)| is_name(name))
}

/// Why what was given does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// There is no such parameter.
    #[error("the runbook has no parameter `{name}`")]
    Unknown {
        /// The name given.
        name: String,
        /// The nearest there is.
        near: Option<String>,
    },
    /// More positional arguments than parameters with a position.
    #[error("`{value}` is one argument too many: the runbook takes {takes} without a name")]
    TooMany {
        /// The first argument beyond.
        value: String,
        /// How many it takes.
        takes: usize,
    },
    /// Given twice.
    #[error("the parameter `{0}` is given twice")]
    Twice(String),
    /// Required and not given.
    #[error("the parameter `{name}` ({kind}) must be given: {help}")]
    Missing {
        /// Its name.
        name: String,
        /// Its type.
        kind: &'static str,
        /// Its help.
        help: String,
        /// The variable of the environment it would be read from.
        variable: Option<String>,
    },
    /// The value is not of its type.
    #[error("the parameter `{name}`: {problem}")]
    BadValue {
        /// Its name.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// A secret stood on the command line, where every user of the machine can read it.
    #[error("the secret `{0}` may not stand on the command line")]
    LiteralSecret(String),
}

/// Binds `params`.
pub fn bind(params: &[Param], given: &Given, inventory: &Inventory) -> Result<Params, Vec<BindError>> {
    let mut faults = Vec::new();
    let mut texts: BTreeMap<&str, &str> = BTreeMap::new();
    let mut by_position: Vec<&Param> = params.iter().filter(|param| param.position.is_some()).collect();
    by_position.sort_by_key(|param| param.position);

    for (index, value) in given.positional.iter().enumerate() {
        if let Some(param) = by_position.get(index) {
            texts.insert(&param.name, value);
        } else {
            faults.push(BindError::TooMany { value: value.clone(), takes: by_position.len() });
            break;
        }
    }
    for (name, value) in &given.named {
        if !params.iter().any(|param| param.name == *name) {
            let near = nearest(name, params.iter().map(|param| param.name.as_str())).map(str::to_owned);
            faults.push(BindError::Unknown { name: name.clone(), near });
        } else if texts.insert(name, value).is_some() {
            faults.push(BindError::Twice(name.clone()));
        }
    }

    let mut bound = Params::default();
    for param in params {
        let text = texts.get(param.name.as_str()).copied();
        if param.kind == ParamType::Secret {
            match (given.secrets.get(&param.name), text) {
                (_, Some(_)) => faults.push(BindError::LiteralSecret(param.name.clone())),
                (Some(secret), None) => {
                    bound.secrets.insert(param.name.clone(), secret.clone());
                }
                (None, None) => faults.push(missing(param)),
            }
            continue;
        }
        let Some(text) = text.or(param.default.as_deref()) else {
            faults.push(missing(param));
            continue;
        };
        match param.kind.read(text) {
            Ok(_) if param.kind == ParamType::Host && !inventory.has_host(text) => {
                let near = nearest(text, inventory.host_names().map(crate::vocab::HostName::as_str));
                let near = near.map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
                faults.push(BindError::BadValue {
                    name: param.name.clone(),
                    problem: format!("`{text}` is not a host of the inventory{near}"),
                });
            }
            Ok(value) => {
                bound.values.insert(param.name.clone(), value);
            }
            Err(problem) => faults.push(BindError::BadValue { name: param.name.clone(), problem }),
        }
    }
    if faults.is_empty() { Ok(bound) } else { Err(faults) }
}

fn missing(param: &Param) -> BindError {
    BindError::Missing {
        name: param.name.clone(),
        kind: param.kind.word(),
        help: param.help.clone(),
        variable: param.variable().map(str::to_owned),
    }
}
