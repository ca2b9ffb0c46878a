//! What is sent to a host, with its secrets masked in every view but the one that sends it.

use serde::Serialize;

use super::masking::MaskedText;
use super::quote;

/// One command for a host, whole: nothing about it is decided later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Command {
    /// What runs.
    pub program: Program,
    /// What it reads; nothing when absent.
    pub stdin: Option<Stdin>,
    /// Environment variables, names validated (`[A-Za-z_][A-Za-z0-9_]*`). Values travel on the channel, never in argv.
    pub env: Vec<(String, MaskedText)>,
    /// The user it runs as through `sudo -n`, when not as the login user.
    pub sudo: Option<String>,
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    /// A text for `sh -e`.
    Shell(String),
    /// An argument vector, no shell.
    Argv(Vec<String>),
    /// A script of the book: its interpreter, its text, its arguments.
    Script {
        /// The file's name in the book, for people.
        name: String,
        /// The interpreter and its own arguments, for example `["/usr/bin/perl", "-w"]`.
        interpreter: Vec<String>,
        /// The whole text.
        text: String,
        /// Arguments.
        args: Vec<String>,
    },
}

/// What a command reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stdin {
    /// A text, perhaps with secrets.
    Text(MaskedText),
    /// The bytes of a file of the book.
    File {
        /// The file's name in the book.
        name: String,
        /// Its contents.
        #[serde(skip)]
        bytes: Vec<u8>,
    },
}

impl Stdin {
    /// The bytes to send.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.expose().as_bytes(),
            Self::File { bytes, .. } => bytes,
        }
    }
}

impl Command {
    /// A shell text with nothing else to it.
    pub fn shell(text: impl Into<String>) -> Self {
        Self { program: Program::Shell(text.into()), stdin: None, env: Vec::new(), sudo: None }
    }

    /// The command as a person would type it, secrets as placeholders. Text that is not a single line stays so.
    pub fn shown(&self) -> String {
        let mut out = String::new();
        if let Some(user) = &self.sudo {
            out.push_str("sudo -n ");
            if user != "root" {
                out.push_str(&format!("-u {} ", quote::shell_word(user)));
            }
        }
        for (name, value) in &self.env {
            // a placeholder is easier to read bare than quoted
            let shown = if value.has_secret() { value.shown().to_owned() } else { quote::shell_word(value.shown()) };
            out.push_str(&format!("{name}={shown} "));
        }
        match &self.program {
            Program::Shell(text) => out.push_str(text.trim_end()),
            Program::Argv(argv) => out.push_str(&words(argv)),
            Program::Script { name, args, .. } => {
                out.push_str(name);
                if !args.is_empty() {
                    out.push(' ');
                    out.push_str(&words(args));
                }
            }
        }
        match &self.stdin {
            None => {}
            Some(Stdin::File { name, .. }) => out.push_str(&format!(" < {}", quote::shell_word(name))),
            Some(Stdin::Text(text)) if text.shown().lines().count() == 1 && text.shown().len() < 60 => {
                out.push_str(&format!(" <<< {}", quote::shell_word(text.shown().trim_end())));
            }
            Some(Stdin::Text(text)) => out.push_str(&format!(" < (a text of {} lines)", text.shown().lines().count())),
        }
        out
    }
}

fn words(argv: &[String]) -> String {
    argv.iter().map(|word| quote::shell_word(word)).collect::<Vec<_>>().join(" ")
}

/// Where a TCP or HTTP probe starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum From {
    /// The target host, through the shared connection.
    Host,
    /// The operator's machine.
    Here,
}

/// A TCP conversation: connect, send, read until a text or the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TcpTalk {
    /// Where it starts.
    pub from: From,
    /// The name or address to connect to.
    pub to: String,
    /// The port.
    pub port: u16,
    /// What is sent once connected, if anything.
    pub send: Option<String>,
    /// The text that ends the reply; without it, the peer's close does. With neither `send` nor `until` the
    /// connection alone is the answer.
    pub until: Option<String>,
}

/// An HTTP request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HttpRequest {
    /// Where it starts.
    pub from: From,
    /// The method, upper case.
    pub method: String,
    /// `http://` or `https://`; never with a secret in it.
    pub url: String,
    /// Headers in order.
    pub headers: Vec<(String, MaskedText)>,
    /// The body, if any.
    pub body: Option<MaskedText>,
}

impl HttpRequest {
    /// The request on one line, for people.
    pub fn shown(&self) -> String {
        format!("{} {}", self.method, self.url)
    }
}

impl TcpTalk {
    /// The conversation on one line, for people.
    pub fn shown(&self) -> String {
        match &self.send {
            Some(text) => format!("tcp {}:{} send {:?}", self.to, self.port, text),
            None => format!("tcp {}:{}", self.to, self.port),
        }
    }
}
