//! Roles of text and how each looks, with colour or without.
//!
//! Apart so that nobody writes a colour: text says what it *is*, and whether and how that shows is decided once, by
//! the caller that knows the terminal. Nothing is said by colour alone: every role that matters has a symbol or word.

use console::Style;

use crate::vocab::neutral::neutralise;

/// What a piece of text is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Ordinary text.
    #[default]
    Text,
    /// What is well.
    Ok,
    /// What failed.
    Failed,
    /// What nobody knows.
    Doubt,
    /// What a person should know.
    Warning,
    /// A title.
    Heading,
    /// A host's name.
    Host,
    /// What may be overlooked.
    Dim,
    /// Something to type.
    Command,
}

/// A symbol in front of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It is well.
    Ok,
    /// It failed.
    Failed,
    /// Nobody knows.
    Doubt,
    /// It was left out.
    Left,
    /// A person should know.
    Warning,
}

impl Mark {
    /// The role of text that goes with the mark.
    pub fn role(self) -> Role {
        match self {
            Self::Ok => Role::Ok,
            Self::Failed => Role::Failed,
            Self::Doubt => Role::Doubt,
            Self::Left => Role::Dim,
            Self::Warning => Role::Warning,
        }
    }
}

/// How roles look, and which symbols are used.
#[derive(Clone, Debug)]
pub struct Styles {
    colour: bool,
    ascii: bool,
}

impl Styles {
    /// No colour, no escape sequence at all.
    pub fn plain() -> Self {
        Self { colour: false, ascii: false }
    }

    /// Colours of the terminal's own palette.
    pub fn colour() -> Self {
        Self { colour: true, ascii: false }
    }

    /// Symbols of ASCII only, for terminals without UTF-8. Text of others is left as it is.
    #[must_use]
    pub fn ascii(self, ascii: bool) -> Self {
        Self { ascii, ..self }
    }

    /// `text`, made harmless, as `role` looks.
    pub fn paint(&self, role: Role, text: &str) -> String {
        let text = neutralise(text);
        if !self.colour || role == Role::Text || text.is_empty() {
            return text;
        }
        let style = Style::new().force_styling(true);
        let style = match role {
            Role::Text => style,
            Role::Ok => style.green(),
            Role::Failed => style.red().bold(),
            Role::Doubt => style.magenta().bold(),
            Role::Warning => style.yellow(),
            Role::Host => style.cyan(),
            Role::Dim => style.dim(),
            Role::Heading | Role::Command => style.bold(),
        };
        style.apply_to(text).to_string()
    }

    /// The symbol of `mark`.
    pub fn symbol(&self, mark: Mark) -> &'static str {
        match (mark, self.ascii) {
            (Mark::Ok, false) => "✓",
            (Mark::Ok, true) => "+",
            (Mark::Failed, false) => "✗",
            (Mark::Failed, true) => "x",
            (Mark::Doubt, _) => "?",
            (Mark::Left, false) => "–",
            (Mark::Left, true) => "-",
            (Mark::Warning, _) => "!",
        }
    }

    /// What stands for text that was cut off; one column wide.
    pub fn more(&self) -> &'static str {
        if self.ascii { "~" } else { "…" }
    }

    /// What stands between the parts of a line.
    pub fn dot(&self) -> &'static str {
        if self.ascii { "-" } else { "·" }
    }

    /// The turning symbol of things that go on, by the number of the frame.
    pub fn spinner(&self, frame: usize) -> &'static str {
        const DOTS: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
        const ASCII: [&str; 4] = ["|", "/", "-", "\\"];
        if self.ascii { ASCII[frame % ASCII.len()] } else { DOTS[frame % DOTS.len()] }
    }
}
