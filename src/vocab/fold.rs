//! Many hosts in few letters: `va-web{01..06}`, as staff write them.
//!
//! Apart because a screen at night has no room for two hundred names, and because the shell understands the short
//! form: it can be pasted behind `for host in`.

use std::fmt::Write as _;

use super::HostName;

/// The names folded: ranges of numbers in braces, groups in the order in which they first appear, separated by blanks.
pub fn fold_hosts<'a>(hosts: impl IntoIterator<Item = &'a HostName>) -> String {
    let mut groups: Vec<Group> = Vec::new();
    for host in hosts {
        let (prefix, number, suffix) = split(host.as_str());
        match groups.iter_mut().find(|group| group.prefix == prefix && group.suffix == suffix) {
            Some(group) => group.numbers.push(number),
            None => groups.push(Group { prefix, suffix, numbers: vec![number] }),
        }
    }
    groups.into_iter().map(Group::shown).collect::<Vec<_>>().join(" ")
}

struct Group<'a> {
    prefix: &'a str,
    suffix: &'a str,
    numbers: Vec<&'a str>,
}

impl Group<'_> {
    fn shown(mut self) -> String {
        self.numbers.sort_by_key(|digits| (value(digits), digits.len()));
        self.numbers.dedup();
        let mut runs: Vec<(&str, &str)> = Vec::new();
        for digits in self.numbers {
            match runs.last_mut() {
                Some((_, last)) if follows(last, digits) => *last = digits,
                Some(_) | None => runs.push((digits, digits)),
            }
        }
        let mut inner = String::new();
        let single = matches!(runs.as_slice(), [(first, last)] if first == last);
        for (first, last) in runs {
            if !inner.is_empty() {
                inner.push(',');
            }
            let _ = match (first == last, follows(first, last)) {
                (true, _) => write!(inner, "{first}"),
                (false, true) => write!(inner, "{first},{last}"),
                (false, false) => write!(inner, "{first}..{last}"),
            };
        }
        let (open, close) = if single { ("", "") } else { ("{", "}") };
        format!("{}{open}{inner}{close}{}", self.prefix, self.suffix)
    }
}

/// The number by which a name is folded: the last one of its first label, or of the whole where that has none (or is
/// nothing but a number, as in an address). A name without a number has an empty one.
fn split(name: &str) -> (&str, &str, &str) {
    let label = name.find('.').unwrap_or(name.len());
    let numeric = name[..label].bytes().all(|b| b.is_ascii_digit());
    let digits_in = |end: usize| {
        let last = name[..end].rfind(|ch: char| ch.is_ascii_digit())? + 1;
        let first = name[..last].trim_end_matches(|ch: char| ch.is_ascii_digit()).len();
        Some((first, last))
    };
    let found = if numeric { digits_in(name.len()) } else { digits_in(label).or_else(|| digits_in(name.len())) };
    match found {
        Some((first, last)) => (&name[..first], &name[first..last], &name[last..]),
        None => (name, "", ""),
    }
}

/// Numbers beyond 64 bits are only sorted to the end, never joined.
fn value(digits: &str) -> u64 {
    digits.parse().unwrap_or(u64::MAX)
}

fn follows(before: &str, after: &str) -> bool {
    let alike = before.len() == after.len() || !(before.starts_with('0') || after.starts_with('0'));
    alike && value(before).checked_add(1).is_some_and(|next| next == value(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_as_staff_write() {
        let fold = |names: &str| {
            let hosts: Vec<HostName> = names.split(' ').filter(|name| !name.is_empty()).map(HostName::new).collect();
            fold_hosts(&hosts)
        };
        for (names, folded) in [
            ("va-web01 va-web02 va-web03 va-web04 va-web05 va-web06", "va-web{01..06}"),
            ("va-web01 va-web02", "va-web{01,02}"),
            ("va-web03 va-web01 va-web02 va-web05 va-web01", "va-web{01..03,05}"),
            ("dfw-jobs01 dfw-mail01", "dfw-jobs01 dfw-mail01"),
            ("dfw-jobs01", "dfw-jobs01"),
            ("web8 web9 web10 web11", "web{8..11}"),
            ("web08 web9", "web{08,9}"),
            ("here", "here"),
            ("é2 é3", "é{2,3}"),
            ("here here", "here"),
            ("", ""),
            ("a1.dc2.example.org a2.dc2.example.org", "a{1,2}.dc2.example.org"),
            ("10.0.0.1 10.0.0.2 10.0.0.3", "10.0.0.{1..3}"),
            ("x99999999999999999999999 x99999999999999999999998", "x{99999999999999999999999,99999999999999999999998}"),
        ] {
            assert_eq!(fold(names), folded, "{names}");
        }
    }
}
