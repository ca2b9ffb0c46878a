//! Names by a pattern: `va-web*`.

/// Whether `name` fits a pattern with `*` (any text) and `?` (any one character).
pub fn glob(pattern: &str, name: &str) -> bool {
    fn fits(pattern: &[char], name: &[char]) -> bool {
        match (pattern.first(), name.first()) {
            (None, None) => true,
            (Some('*'), _) => fits(&pattern[1..], name) || (!name.is_empty() && fits(pattern, &name[1..])),
            (Some('?'), Some(_)) => fits(&pattern[1..], &name[1..]),
            (Some(a), Some(b)) if a == b => fits(&pattern[1..], &name[1..]),
            _ => false,
        }
    }
    // `**` means no more than `*`, and is where the recursion would explode
    let mut chars: Vec<char> = pattern.chars().collect();
    chars.dedup_by(|a, b| *a == '*' && *b == '*');
    fits(&chars, &name.chars().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_fit() {
        assert!(glob("va-web*", "va-web01") && glob("*", "") && glob("a?c", "abc"));
        assert!(!glob("va-web?", "va-web01") && !glob("a", "b"));
        assert!(!glob("*a*a*a*a*a*a*b", &"a".repeat(40)));
    }
}
