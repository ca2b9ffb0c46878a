//! Commands and requests.

use super::Lowering;
use crate::model::{CommandSpec, HttpSpec, Origin, ProgramSpec, Template};
use crate::source::decode::Place;
use crate::source::raw::command::{RawCommand, RawProgram};
use crate::source::raw::probe::{RawHttp, RawOrigin};
use crate::source::raw::scalar::is_variable;
use crate::source::raw::{Named, Word};

/// The keys that say what runs.
pub(super) const PROGRAMS: &[&str] = &["run", "command", "script"];

impl Lowering<'_> {
    /// A command that stands for itself.
    pub(super) fn command(&self, raw: &RawCommand) -> Option<CommandSpec> {
        let key = self.one_of(&raw.place, PROGRAMS, "a command")?;
        self.program(&raw.program, key, &raw.place)
    }

    /// The command of `program`, which is given by `key`.
    pub(super) fn program(&self, program: &RawProgram, key: &str, place: &Place) -> Option<CommandSpec> {
        let stdin = self.cx.maybe_template(program.stdin.as_ref());
        let env = self.environment(&program.env);
        let sudo = program.sudo.as_ref().and_then(|sudo| self.cx.sudo(sudo));
        let spec = match key {
            "run" => {
                let words = program.run.as_ref()?;
                if words.listed {
                    ProgramSpec::Argv(self.templates(&words.items)?)
                } else {
                    ProgramSpec::Shell(self.cx.template(words.items.first()?)?)
                }
            }
            "command" => ProgramSpec::Command(self.cx.template(program.command.as_ref()?)?),
            _ => {
                let script = &program.script.as_ref()?.spec;
                if let Some(span) = place.key("stdin") {
                    let found = self.cx.error("misplaced-key", span, "a script cannot have `stdin` too");
                    self.cx.report(found.help("the script itself travels on stdin; give it arguments or `env:`"));
                }
                let args = self.templates(&script.args);
                ProgramSpec::Script { file: self.files.script(script, self.cx)?, args: args? }
            }
        };
        Some(CommandSpec { program: spec, stdin, env, sudo })
    }

    /// An HTTP request; `method` is the one it has by default.
    pub(super) fn http(&self, raw: &RawHttp, method: &str) -> Option<HttpSpec> {
        let word = raw.method.as_ref();
        let method = word.map_or_else(|| method.to_owned(), |word| word.text.to_ascii_uppercase());
        if let Some(word) = word.filter(|_| method.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase())) {
            self.cx.fault("bad-name", &word.span, format!("`{}` is no HTTP method", word.text));
        }
        let address = raw.url.text.trim_start();
        if !["http://", "https://", "${{"].iter().any(|start| address.starts_with(start)) {
            let found = self.cx.error("bad-url", &raw.url.span, "an address begins with `http://` or `https://`");
            self.cx.report(found);
        }
        let mut headers = Vec::new();
        for entry in &raw.headers.entries {
            if !is_token(&entry.name) {
                self.cx.fault("bad-name", &entry.span, format!("`{}` is no name for a header", entry.name));
            }
            if let Some(value) = entry.value.as_ref().and_then(|word| self.cx.template(word)) {
                headers.push((entry.name.clone(), value));
            }
        }
        let mut statuses = Vec::new();
        for status in raw.status.iter().flat_map(|statuses| &statuses.items) {
            match u16::try_from(status.number) {
                Ok(number @ 100..=599) => statuses.push(number),
                Ok(_) | Err(_) => {
                    self.cx.fault("wrong-type", &status.span, format!("`{}` is no HTTP status", status.number));
                }
            }
        }
        let body = self.cx.maybe_template(raw.body.as_ref());
        Some(HttpSpec { from: origin(raw.from), method, url: self.cx.template(&raw.url)?, headers, body, statuses })
    }

    fn templates(&self, words: &[Word]) -> Option<Vec<Template>> {
        let templates: Vec<Template> = words.iter().filter_map(|word| self.cx.template(word)).collect();
        (templates.len() == words.len()).then_some(templates)
    }

    fn environment(&self, named: &Named<Word>) -> Vec<(String, Template)> {
        let mut env = Vec::new();
        for entry in &named.entries {
            let value = entry.value.as_ref().and_then(|word| self.cx.template(word));
            if is_variable(&entry.name, "an environment variable", &entry.span, self.cx) {
                env.extend(value.map(|value| (entry.name.clone(), value)));
            }
        }
        env
    }
}

pub(super) fn origin(raw: Option<RawOrigin>) -> Origin {
    match raw {
        Some(RawOrigin::Here) => Origin::Here,
        Some(RawOrigin::Host) | None => Origin::Host,
    }
}

fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}
