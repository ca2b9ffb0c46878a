//! Two texts, line by line.

use similar::TextDiff;

/// What changed from `old` to `new`, as `diff -u` writes it; empty when nothing did.
pub(super) fn unified(old: &str, new: &str, old_name: &str, new_name: &str) -> String {
    // a last line without its newline is no difference to anyone here
    let (old, new) = (format!("{}\n", old.trim_end()), format!("{}\n", new.trim_end()));
    TextDiff::from_lines(&old, &new).unified_diff().context_radius(2).header(old_name, new_name).to_string()
}
