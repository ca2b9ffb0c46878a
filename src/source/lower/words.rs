//! Words that hold something: templates, expressions, regular expressions, host patterns, users.

use regex::Regex;

use crate::model::expression::ExpressionFault;
use crate::model::parse::Pattern;
use crate::model::{Expression, HostPattern, Sudo, Template, pattern};
use crate::source::decode::Context;
use crate::source::raw::command::RawSudo;
use crate::source::raw::{Expr, OneOrMany, Word};
use crate::source::text::Span;
use crate::vocab::{HostName, Location};

/// The most interpolations of one text: each is looked for from the text's start.
const MOST_INTERPOLATIONS: usize = 500;

impl Context {
    /// The place of `span`, as the model keeps it.
    pub(super) fn location(&self, span: &Span) -> Location {
        self.source().location(span.start)
    }

    /// A template.
    pub(super) fn template(&self, word: &Word) -> Option<Template> {
        if word.text.matches("${{").count() > MOST_INTERPOLATIONS {
            let message = format!("the text has more than {MOST_INTERPOLATIONS} interpolations");
            self.fault("expression", &word.span, message);
            return None;
        }
        let place = |offset| self.source().location(word.place(self.source().text(), offset));
        match Template::parse(&word.text, place(0), &place) {
            Ok(template) => Some(template),
            Err(fault) => {
                self.bad_expression(word, &fault);
                None
            }
        }
    }

    /// A template that may be missing.
    pub(super) fn maybe_template(&self, word: Option<&Word>) -> Option<Template> {
        word.and_then(|word| self.template(word))
    }

    /// An expression.
    pub(super) fn expression(&self, Expr(word): &Expr) -> Option<Expression> {
        let start = self.source().location(word.place(self.source().text(), 0));
        let text = word.text.trim();
        if text.starts_with("${{") && text.ends_with("}}") {
            let found = self.error("expression", &word.span, "this is an expression already");
            self.report(found.help("write it without `${{` and `}}`"));
            return None;
        }
        match Expression::parse(&word.text, start) {
            Ok(expression) => {
                self.patterns(word, &expression, 0);
                Some(expression)
            }
            Err(fault) => {
                self.bad_expression(word, &fault);
                None
            }
        }
    }

    fn bad_expression(&self, word: &Word, fault: &ExpressionFault) {
        // a fault about a name points at the name, not at the operator before it
        let named = fault.message.split('`').nth(1).filter(|name| !name.is_empty());
        let offset = named
            .and_then(|name| word.text.get(fault.offset..)?.find(name))
            .map_or(fault.offset, |at| fault.offset + at);
        let at = self.source().floor(word.place(self.source().text(), offset));
        let rest = &self.source().text()[at..];
        let length = match named {
            Some(name) if rest.starts_with(name) => name.len(),
            Some(_) | None => rest.chars().next().filter(|ch| *ch != '\n').map_or(0, char::len_utf8),
        };
        let found = self.error("expression", &(at..at + length), fault.message.clone());
        self.report(found.maybe_help(fault.hint.clone()));
    }

    /// Regular expressions inside an expression.
    fn patterns(&self, word: &Word, expression: &Expression, base: usize) {
        for (pattern, offset) in expression.patterns() {
            if let Err(error) = Regex::new(pattern) {
                let at = word.place(self.source().text(), base + offset);
                let (message, _) = regex_fault(&error);
                let found =
                    self.error("bad-regex", &(at..at), format!("bad regular expression `{pattern}`: {message}"));
                self.report(found);
            }
        }
    }

    /// A regular expression.
    pub(super) fn regex(&self, word: &Word) -> Option<Pattern> {
        match Regex::new(&word.text) {
            Ok(regex) => Some(Pattern(regex)),
            Err(error) => {
                let (message, chars) = regex_fault(&error);
                let offset = word.text.char_indices().nth(chars).map_or(word.text.len(), |(at, _)| at);
                let at = self.source().floor(word.place(self.source().text(), offset));
                let end = self.source().text()[at..]
                    .chars()
                    .next()
                    .filter(|ch| *ch != '\n')
                    .map_or(at, |ch| at + ch.len_utf8());
                self.fault("bad-regex", &(at..end), format!("bad regular expression: {message}"));
                None
            }
        }
    }

    /// A host pattern; a list is joined.
    pub(super) fn hosts(&self, words: &OneOrMany<Word>) -> Option<HostPattern> {
        for word in words.items.iter().filter(|word| !word.text.contains("${{")) {
            self.host_terms(word);
        }
        match words.items.as_slice() {
            [word] => self.template(word).map(HostPattern::new),
            several => {
                let joined = several.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(":");
                let place = |offset: usize| {
                    let mut before = 0;
                    let mut at = words.span.start;
                    for word in several {
                        if offset >= before {
                            at = word.place(self.source().text(), offset - before);
                        }
                        before += word.text.len() + 1;
                    }
                    self.source().location(at)
                };
                match Template::parse(&joined, place(0), &place) {
                    Ok(template) => Some(HostPattern::new(template)),
                    Err(fault) => {
                        self.fault("expression", &words.span, fault.message);
                        None
                    }
                }
            }
        }
    }

    fn host_terms(&self, word: &Word) {
        let terms = pattern::terms(&word.text);
        if terms.is_empty() {
            self.fault("bad-host", &word.span, "the host pattern is empty");
        }
        for term in terms {
            let bare: String = term.name.chars().filter(|ch| !matches!(ch, '*' | '?')).collect();
            match pattern::expand(&bare) {
                Err(message) => self.fault("bad-host", &word.span, message),
                Ok(names) => {
                    if let Some(name) = names.iter().find(|name| !name.is_empty() && !HostName::is_valid(name)) {
                        let found =
                            self.error("bad-host", &word.span, format!("`{name}` cannot name a host or a group"));
                        self.report(
                            found.help("names are letters, digits, `.`, `_` and `-`; several are joined with `:`"),
                        );
                    }
                }
            }
        }
    }

    /// Through which user.
    pub(super) fn sudo(&self, sudo: &RawSudo) -> Option<Sudo> {
        let word = &sudo.word;
        match word.text.as_str() {
            "true" => Some(Sudo::User("root".to_owned())),
            "false" => Some(Sudo::No),
            user if is_user(user) && !matches!(user, "yes" | "no" | "on" | "off") => Some(Sudo::User(user.to_owned())),
            other => {
                let found = self.error("bad-name", &word.span, format!("`{other}` is no user's name"));
                self.report(found.help("write `true` for root, a user's name, or `false`"));
                None
            }
        }
    }
}

/// Whether `text` may be a user or a group.
pub(super) fn is_user(text: &str) -> bool {
    text.len() <= 32
        && text.as_bytes().first().is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// What the regex crate says, and where in the pattern, in characters.
///
/// It draws the pattern (indented by four) with carets below; with several lines it names positions instead, and then
/// the start has to do.
fn regex_fault(error: &regex::Error) -> (String, usize) {
    let text = error.to_string();
    let message = text.rsplit("error: ").next().unwrap_or(&text).trim().to_owned();
    let caret = text.lines().find(|line| !line.trim().is_empty() && line.trim().bytes().all(|b| b == b'^'));
    (message, caret.map_or(0, |line| line.find('^').unwrap_or(4).saturating_sub(4)))
}
