//! A small reader of shell text: is this place inside quotes?
//!
//! The engine quotes every value it puts into `run:`. Inside the author's own quotes that would quote twice. This reader
//! knows words, quotes, comments, here-documents and the common nestings; where it cannot be sure it says so, and the
//! complaint becomes a warning.

/// What is known of a place in a shell text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    /// Outside quotes: a value may stand here.
    Open,
    /// Inside a comment: it does not matter.
    Comment,
    /// Inside quotes for certain; the quote.
    Quoted(char),
    /// Inside something in which quoting means another thing; what it is.
    Unsure(&'static str),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Inside {
    Single,
    Double,
    Comment,
    Paren,
    Backtick,
    Brace,
    Arithmetic,
    Heredoc { word: String, tabs: bool },
}

/// A shell text that is read piece by piece.
#[derive(Debug, Default)]
pub(super) struct Shell {
    stack: Vec<Inside>,
    waiting: Vec<Inside>,
    line: String,
    before: Option<char>,
}

impl Shell {
    /// What is known of the place behind what was read.
    pub(super) fn spot(&self) -> Spot {
        let nested = self.stack.len() > 1;
        match self.stack.last() {
            Some(Inside::Backtick) if nested => Spot::Unsure("backticks inside quotes"),
            None | Some(Inside::Paren | Inside::Backtick) => Spot::Open,
            Some(Inside::Comment) => Spot::Comment,
            Some(Inside::Single) if !nested => Spot::Quoted('\''),
            Some(Inside::Double) if !nested => Spot::Quoted('"'),
            Some(Inside::Single | Inside::Double) => Spot::Unsure("quotes inside a substitution"),
            Some(Inside::Brace) => Spot::Unsure("`${…}`"),
            Some(Inside::Arithmetic) => Spot::Unsure("`$((…))`"),
            Some(Inside::Heredoc { .. }) => Spot::Unsure("a here-document"),
        }
    }

    /// An interpolated value stands here.
    pub(super) fn value(&mut self) {
        self.before = Some('x');
        self.line.push('x');
    }

    /// Reads on.
    pub(super) fn read(&mut self, text: &str) {
        let chars: Vec<char> = text.chars().collect();
        let mut at = 0;
        while at < chars.len() {
            at += self.step(&chars[at..]).max(1);
        }
    }

    /// Takes what stands at the start of `rest`; gives how many characters that was.
    fn step(&mut self, rest: &[char]) -> usize {
        let ch = rest[0];
        let next = rest.get(1).copied();
        let taken = match self.stack.last() {
            Some(Inside::Single) => {
                if ch == '\'' {
                    self.stack.pop();
                }
                1
            }
            Some(Inside::Comment) => {
                if ch == '\n' {
                    self.stack.pop();
                    self.line_end();
                }
                1
            }
            Some(Inside::Heredoc { word, tabs }) => {
                if ch == '\n' {
                    let line = if *tabs { self.line.trim_start_matches('\t') } else { &self.line };
                    if line == word {
                        self.stack.pop();
                    }
                    self.line.clear();
                    self.before = Some('\n');
                    return 1;
                }
                self.line.push(ch);
                return 1;
            }
            Some(Inside::Double) => match (ch, next) {
                ('\\', Some(_)) => 2,
                ('"', _) => {
                    self.stack.pop();
                    1
                }
                ('$', Some('(' | '{')) => self.open(rest),
                ('`', _) => self.backtick(),
                _ => 1,
            },
            Some(Inside::Brace) => match (ch, next) {
                ('\\', Some(_)) => 2,
                ('}', _) => {
                    self.stack.pop();
                    1
                }
                ('$', Some('(' | '{')) => self.open(rest),
                _ => 1,
            },
            Some(Inside::Arithmetic) => match (ch, next) {
                (')', Some(')')) => {
                    self.stack.pop();
                    2
                }
                ('(', _) => {
                    self.stack.push(Inside::Paren);
                    1
                }
                ('$', Some('(' | '{')) => self.open(rest),
                _ => 1,
            },
            None | Some(Inside::Paren | Inside::Backtick) => self.plain(rest, ch, next),
        };
        self.before = rest.get(taken - 1).copied();
        if taken == 1 && ch != '\n' {
            self.line.push(ch);
        }
        taken
    }

    fn plain(&mut self, rest: &[char], ch: char, next: Option<char>) -> usize {
        match (ch, next) {
            ('\\', Some(_)) => return 2,
            ('\'', _) => self.stack.push(Inside::Single),
            ('"', _) => self.stack.push(Inside::Double),
            ('`', _) => return self.backtick(),
            ('$', Some('(' | '{')) => return self.open(rest),
            ('(', _) => self.stack.push(Inside::Paren),
            (')', _) if self.stack.last() == Some(&Inside::Paren) => {
                self.stack.pop();
            }
            ('#', _) if self.before.is_none_or(|ch| ch.is_whitespace() || matches!(ch, ';' | '&' | '|' | '(')) => {
                self.stack.push(Inside::Comment);
            }
            ('<', Some('<')) if rest.get(2) != Some(&'<') => return self.heredoc(rest),
            ('\n', _) => self.line_end(),
            _ => {}
        }
        1
    }

    fn backtick(&mut self) -> usize {
        if self.stack.contains(&Inside::Backtick) {
            while self.stack.pop().is_some_and(|inside| inside != Inside::Backtick) {}
        } else {
            self.stack.push(Inside::Backtick);
        }
        1
    }

    fn open(&mut self, rest: &[char]) -> usize {
        match (rest.get(1), rest.get(2)) {
            (Some('('), Some('(')) => {
                self.stack.push(Inside::Arithmetic);
                3
            }
            (Some('('), _) => {
                self.stack.push(Inside::Paren);
                2
            }
            _ => {
                self.stack.push(Inside::Brace);
                2
            }
        }
    }

    fn heredoc(&mut self, rest: &[char]) -> usize {
        let mut at = 2;
        let tabs = rest.get(at) == Some(&'-');
        at += usize::from(tabs);
        while rest.get(at).is_some_and(|ch| matches!(ch, ' ' | '\t')) {
            at += 1;
        }
        let mut word = String::new();
        while let Some(ch) =
            rest.get(at).filter(|ch| !ch.is_whitespace() && !matches!(ch, ';' | '|' | '&' | '<' | '>' | '(' | ')'))
        {
            if !matches!(ch, '\'' | '"' | '\\') {
                word.push(*ch);
            }
            at += 1;
        }
        if !word.is_empty() {
            self.waiting.push(Inside::Heredoc { word, tabs });
        }
        at
    }

    fn line_end(&mut self) {
        self.line.clear();
        while let Some(heredoc) = self.waiting.pop() {
            self.stack.push(heredoc);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(text: &str) -> Spot {
        let mut shell = Shell::default();
        shell.read(text);
        shell.spot()
    }

    #[test]
    fn quotes_are_seen() {
        for open in [
            "",
            "echo ",
            "echo 'a' ",
            "a=\"b\" ",
            "echo \\' ",
            "echo \\\" ",
            "echo # it's\n",
            "x=$(",
            "echo ${x} ",
            "echo $((1)) ",
            "a; (b ",
            "cat <<'E' \nit's\nE\n",
            "echo a#b'c' ",
            "echo $# ",
            "case x in a) ",
        ] {
            assert_eq!(spot(open), Spot::Open, "{open:?}");
        }
        for single in ["'", "echo 'a ", "awk '{ print $1 } ", "a 'b\n c"] {
            assert_eq!(spot(single), Spot::Quoted('\''), "{single:?}");
        }
        for double in ["\"", "echo \"a 'b", "echo \"a\\\" ", "echo \"$(x) $(y 'z')"] {
            assert_eq!(spot(double), Spot::Quoted('"'), "{double:?}");
        }
        assert_eq!(spot("# it's "), Spot::Comment);
        assert_eq!(spot("\"$(echo "), Spot::Open);
        for unsure in
            ["\"$(echo \"", "cat <<E\nx ", "cat <<-'E' > f\nit's ", "echo ${x:-", "echo $((1 + ", "echo \"`echo "]
        {
            assert!(matches!(spot(unsure), Spot::Unsure(_)), "{unsure:?}: {:?}", spot(unsure));
        }
    }

    #[test]
    fn a_value_is_a_word() {
        let mut shell = Shell::default();
        shell.value();
        shell.read("#a'b");
        assert_eq!(shell.spot(), Spot::Quoted('\''));
    }
}
