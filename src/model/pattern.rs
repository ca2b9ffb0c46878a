//! Host patterns: `jobs`, `jobs:!dfw-jobs02`, `va-web*`, `va-web[01:03]`.

use serde::{Serialize, Serializer};

use super::template::Template;
use crate::vocab::Location;

/// A host pattern, as declared; it may hold `${{ params.host }}`.
#[derive(Clone, Debug)]
pub struct HostPattern {
    template: Template,
}

impl HostPattern {
    /// A pattern from a template; a list in YAML is joined with `:`.
    pub fn new(template: Template) -> Self {
        Self { template }
    }

    /// A pattern from plain text.
    pub fn plain(text: &str, location: Location) -> Self {
        Self { template: Template::plain(text, location) }
    }

    /// The text to render before it is resolved.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// The pattern as written.
    pub fn source(&self) -> &str {
        self.template.source()
    }

    /// Where it stands.
    pub fn location(&self) -> &Location {
        self.template.location()
    }
}

impl Serialize for HostPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.source())
    }
}

/// One term of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Whether its hosts are taken out (`!`), kept only when in both (`&`), or added.
    pub how: TermKind,
    /// The name: a group, a host, or with `*`, `?` and `[01:06]`.
    pub name: String,
}

/// What a term does to the hosts so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermKind {
    /// Adds its hosts.
    Add,
    /// Takes its hosts out.
    Remove,
    /// Keeps only hosts that it has too.
    Keep,
}

/// The terms of a pattern, cut at `:` and `,` outside brackets and braces.
pub fn terms(pattern: &str) -> Vec<Term> {
    let mut terms = Vec::new();
    let mut depth = 0_i32;
    let mut current = String::new();
    for ch in pattern.chars().chain([':']) {
        match ch {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth <= 0 && matches!(ch, ':' | ',') {
            let text = current.trim();
            if !text.is_empty() {
                let (how, name) = match text.as_bytes()[0] {
                    b'!' => (TermKind::Remove, &text[1..]),
                    b'&' => (TermKind::Keep, &text[1..]),
                    _ => (TermKind::Add, text),
                };
                terms.push(Term { how, name: name.trim().to_owned() });
            }
            current.clear();
        } else {
            current.push(ch);
        }
    }
    terms
}

/// The names a range stands for: `va-web[01:06]`, `va-web{01,02}`, `db[1:9:2]`, several in one name. Text without a
/// range stands for itself. `Err` says what is wrong.
pub fn expand(text: &str) -> Result<Vec<String>, String> {
    const MOST: usize = 10_000;
    let Some(open) = text.find(['[', '{']) else { return Ok(vec![text.to_owned()]) };
    let close_with = if text.as_bytes()[open] == b'[' { ']' } else { '}' };
    let Some(close) = text[open..].find(close_with).map(|at| open + at) else {
        return Err(format!("`{text}`: the range is not closed with `{close_with}`"));
    };
    let inner = &text[open + 1..close];
    let middles: Vec<String> = if close_with == '}' {
        let mut all = Vec::new();
        for part in inner.split(',') {
            match part.trim().split_once("..") {
                Some((from, to)) => all.extend(range(text, from, to, "1")?),
                None => all.push(part.trim().to_owned()),
            }
        }
        all
    } else {
        let parts: Vec<&str> = inner.split(':').collect();
        match parts.as_slice() {
            [from, to] => range(text, from, to, "1")?,
            [from, to, step] => range(text, from, to, step)?,
            _ => return Err(format!("`{text}`: a range is written `[01:06]`")),
        }
    };
    let rest = expand(&text[close + 1..])?;
    if middles.len().saturating_mul(rest.len()) > MOST {
        return Err(format!("`{text}` stands for more than {MOST} hosts"));
    }
    let before = &text[..open];
    Ok(middles.iter().flat_map(|middle| rest.iter().map(move |tail| format!("{before}{middle}{tail}"))).collect())
}

fn range(text: &str, from: &str, to: &str, step: &str) -> Result<Vec<String>, String> {
    let bad = || format!("`{text}`: a range is written `[01:06]`, with whole numbers, the smaller one first");
    let (from, to) = (from.trim(), to.trim());
    let first: u32 = from.parse().map_err(|_| bad())?;
    let last: u32 = to.parse().map_err(|_| bad())?;
    let step: usize = step.trim().parse().map_err(|_| bad())?;
    if last < first || step == 0 || last - first > 9_999 {
        return Err(bad());
    }
    let width = if from.starts_with('0') { from.len() } else { 0 };
    Ok((first..=last).step_by(step).map(|number| format!("{number:0width$}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_expand() {
        assert_eq!(expand("va-web[01:03]").unwrap(), ["va-web01", "va-web02", "va-web03"]);
        assert_eq!(expand("va-web{01,03}").unwrap(), ["va-web01", "va-web03"]);
        assert_eq!(expand("va-web{01..03}").unwrap(), ["va-web01", "va-web02", "va-web03"]);
        assert_eq!(expand("r[1:2]-h[8:10:2]").unwrap(), ["r1-h8", "r1-h10", "r2-h8", "r2-h10"]);
        assert_eq!(expand("plain").unwrap(), ["plain"]);
        for bad in ["a[", "a[1]", "a[3:1]", "a[x:y]", "a[1:99999]", "a{1"] {
            assert!(expand(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn terms_are_cut_outside_ranges() {
        let found = terms("jobs:!dfw-jobs02:&dfw*:va-web[01:03]");
        let shown: Vec<_> = found.iter().map(|t| (t.how, t.name.as_str())).collect();
        assert_eq!(
            shown,
            [
                (TermKind::Add, "jobs"),
                (TermKind::Remove, "dfw-jobs02"),
                (TermKind::Keep, "dfw*"),
                (TermKind::Add, "va-web[01:03]")
            ]
        );
    }
}
