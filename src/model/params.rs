//! Parameters: what the operator may say.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;

use crate::vocab::{Location, Period, Secret};

/// A declared parameter.
#[derive(Clone, Debug, Serialize)]
pub struct Param {
    /// Its name: letters, digits and `_`.
    pub name: String,
    /// Its type.
    pub kind: ParamType,
    /// The value when none is given, as text; none: it must be given. Of a secret: [`env:VARIABLE`](Param::variable).
    pub default: Option<String>,
    /// Its place among the positional arguments, from 1.
    pub position: Option<u32>,
    /// What it is, for people.
    pub help: String,
    /// Where it is declared.
    #[serde(skip)]
    pub location: Location,
}

impl Param {
    /// The variable of the operator's environment that a secret is read from when it is not given.
    pub fn variable(&self) -> Option<&str> {
        let default = self.default.as_deref().filter(|_| self.kind == ParamType::Secret)?;
        Self::variable_in(default)
    }

    /// The variable that `env:VARIABLE` names.
    pub fn variable_in(text: &str) -> Option<&str> {
        let name = text.strip_prefix("env:")?;
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        (starts && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')).then_some(name)
    }
}

/// A parameter's type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParamType {
    /// Any text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false` (also `yes`, `no`).
    Boolean,
    /// A length of time: `5s`, `1h 30m`; a bare number is seconds.
    Duration,
    /// One of these texts.
    Enum(Vec<String>),
    /// The name of a host of the inventory.
    Host,
    /// A text that is shown nowhere.
    Secret,
}

impl ParamType {
    /// The type's name in the language.
    pub fn word(&self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Duration => "duration",
            Self::Enum(_) => "enum",
            Self::Host => "host",
            Self::Secret => "secret",
        }
    }

    /// Reads a value of this type from text. `Err` says what is wrong, as a fragment.
    ///
    /// Durations become their canonical text (`5s`), so that `${{ params.pause }}` reads well in a command.
    pub fn read(&self, text: &str) -> Result<Json, String> {
        match self {
            Self::String => Ok(Json::from(text)),
            Self::Integer => {
                text.trim().parse::<i64>().map(Json::from).map_err(|_| format!("`{text}` is not a whole number"))
            }
            Self::Number => match text.trim().parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Json::from(number)),
                Ok(_) | Err(_) => Err(format!("`{text}` is not a number")),
            },
            Self::Boolean => match text.trim() {
                "true" | "yes" => Ok(Json::from(true)),
                "false" | "no" => Ok(Json::from(false)),
                _ => Err(format!("`{text}` is neither `true` nor `false`")),
            },
            Self::Duration => {
                let text = text.trim();
                let seconds = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
                let read = if seconds { format!("{text}s").parse::<Period>() } else { text.parse::<Period>() };
                read.map(|period| Json::from(period.to_string())).map_err(|error| error.to_string())
            }
            Self::Enum(choices) => {
                if choices.iter().any(|choice| choice == text) {
                    Ok(Json::from(text))
                } else {
                    Err(format!("`{text}` is none of `{}`", choices.join("`, `")))
                }
            }
            Self::Host => {
                if crate::vocab::HostName::is_valid(text) {
                    Ok(Json::from(text))
                } else {
                    Err(format!("`{text}` is not a host name"))
                }
            }
            Self::Secret => Err("a secret has no text form".to_owned()),
        }
    }
}

/// Parameters bound to values.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Params {
    /// Values that anyone may see.
    pub values: BTreeMap<String, Json>,
    /// Secrets.
    pub secrets: BTreeMap<String, Secret>,
}

impl Params {
    /// Each parameter's value as people may see it.
    pub fn shown(&self) -> BTreeMap<String, String> {
        let values = self.values.iter().map(|(name, value)| {
            let text = match value {
                Json::String(text) => text.clone(),
                other => other.to_string(),
            };
            (name.clone(), text)
        });
        let secrets = self.secrets.keys().map(|name| (name.clone(), "<secret>".to_owned()));
        values.chain(secrets).collect()
    }
}
