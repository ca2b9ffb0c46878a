//! A page as a browser would read it.

use html5gum::{Token, Tokenizer};

/// What is in a page's HTML.
#[derive(Debug, Default)]
pub struct Shown {
    /// All that is read, also in code.
    pub text: String,
    /// What is read outside `<pre>` and `<code>`.
    pub prose: String,
    /// The texts of `<pre>`.
    pub blocks: Vec<String>,
    /// The pages that links lead to.
    pub links: Vec<String>,
    /// Each element with its attributes.
    pub elements: Vec<(String, Vec<(String, String)>)>,
}

impl Shown {
    pub fn of(html: &str) -> Self {
        let mut shown = Self::default();
        let (mut pre, mut code) = (0_usize, 0_usize);
        for token in Tokenizer::new(html) {
            let Ok(token) = token;
            let bytes = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
            match token {
                Token::StartTag(tag) => {
                    let name = bytes(&tag.name);
                    let attributes: Vec<(String, String)> =
                        tag.attributes.iter().map(|(name, value)| (bytes(name), bytes(value))).collect();
                    match name.as_str() {
                        "pre" => {
                            pre += 1;
                            shown.blocks.push(String::new());
                        }
                        "code" => code += 1,
                        "a" => {
                            let title = attributes.iter().find(|(name, _)| name == "title");
                            shown.links.extend(title.map(|(_, title)| title.replace(" (page does not exist)", "")));
                        }
                        _ => {}
                    }
                    shown.elements.push((name, attributes));
                }
                Token::EndTag(tag) => match &*bytes(&tag.name) {
                    "pre" => {
                        pre -= 1;
                        let block = shown.blocks.last_mut().unwrap();
                        // the newline behind the tag is none, the one at the end of the last line is the line's
                        *block = block.strip_prefix('\n').unwrap_or(block).trim_end_matches('\n').to_owned();
                    }
                    "code" => code -= 1,
                    _ => {}
                },
                Token::String(text) => {
                    let text = bytes(&text);
                    shown.text.push_str(&text);
                    if pre > 0 {
                        shown.blocks.last_mut().unwrap().push_str(&text);
                    } else if code == 0 {
                        shown.prose.push_str(&text);
                    }
                }
                Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
            }
        }
        shown
    }

    /// Asserts that no markup is read where the page has none of its own.
    #[track_caller]
    pub fn has_no_markup(&self) {
        for markup in
            ["'''", "''", "[[", "]]", "{{", "}}", "{|", "|}", "|-", "==", "<", "&#", "wikitable", "style=", "sha256"]
        {
            assert!(!self.prose.contains(markup), "`{markup}` is seen in\n{}", self.prose);
        }
    }

    /// Whether an element of this name is there.
    pub fn has(&self, name: &str) -> bool {
        self.elements.iter().any(|(known, _)| known == name)
    }
}
