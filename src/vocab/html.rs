//! Text as HTML holds it, and how every page of ours begins.
//!
//! Apart because pages are made of runbooks and of records, on floors that do not know each other: what is escaped, and
//! what a page may load (nothing) is decided once.

use super::neutral::neutralise;

/// What all pages look like.
const STYLE: &str = include_str!("page.css");

/// Nothing is loaded, nothing runs, nothing is sent: whatever a text may hold.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// A page's beginning, up to and with the link past its navigation to `#content`. `style` is laid over what all pages look
/// like.
pub fn head(title: &str, style: &'static str) -> String {
    let title = line(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>\n{STYLE}{style}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#content\">Skip to the content</a>\n"
    )
}

/// A text on one line, for content and for attributes; what cannot be seen is made visible.
pub fn line(text: &str) -> String {
    entities(&neutralise(text).replace(['\n', '\t'], " "))
}

/// A text that keeps its lines, for `<pre>`: a newline right behind that tag would be dropped.
pub fn lines(text: &str) -> String {
    let text = entities(neutralise(text).trim_end_matches('\n'));
    if text.starts_with('\n') { format!("\n{text}") } else { text }
}

fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
