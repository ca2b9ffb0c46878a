//! Walks over JSON without making anything of it.

/// How deep values are walked into: far less than serde_json goes.
const DEEPEST: usize = 32;

/// A place in a text of JSON.
///
/// Goes only over what serde_json would take too: some of that is refused (white space, very deep values), nothing that
/// it would refuse is taken. After a refusal the place means nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walker<'a> {
    rest: &'a str,
}

impl<'a> Walker<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// Whether nothing is left.
    pub(super) fn is_over(self) -> bool {
        self.rest.is_empty()
    }

    /// Goes over `literal`, if it stands here.
    pub(super) fn has(&mut self, literal: &str) -> bool {
        match self.rest.strip_prefix(literal) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Goes over a text and gives what is in it, if it has no escapes.
    pub(super) fn plain(&mut self) -> Option<&'a str> {
        let before = self.rest;
        self.text()?;
        let text = &before[1..before.len() - self.rest.len() - 1];
        (!text.contains('\\')).then_some(text)
    }

    /// Goes over a text.
    pub(super) fn text(&mut self) -> Option<()> {
        let bytes = self.rest.as_bytes();
        if bytes.first() != Some(&b'"') {
            return None;
        }
        let mut place = 1;
        loop {
            place += run(&bytes[place..])?;
            match bytes[place] {
                b'"' => break,
                b'\\' => place += escape(&bytes[place + 1..])?,
                _ => return None,
            }
        }
        self.rest = &self.rest[place + 1..];
        Some(())
    }

    /// Goes over null, a boolean, a number or a text.
    pub(super) fn scalar(&mut self) -> Option<()> {
        match self.rest.as_bytes().first()? {
            b'"' => self.text(),
            b'-' | b'0'..=b'9' => self.number(),
            _ => (self.has("null") || self.has("true") || self.has("false")).then_some(()),
        }
    }

    /// Goes over a value and gives it.
    pub(super) fn value(&mut self) -> Option<&'a str> {
        let before = self.rest;
        self.any(DEEPEST)?;
        Some(&before[..before.len() - self.rest.len()])
    }

    fn any(&mut self, deepest: usize) -> Option<()> {
        let (is_map, end) = match self.rest.as_bytes().first()? {
            b'{' => (true, "}"),
            b'[' => (false, "]"),
            _ => return self.scalar(),
        };
        let deepest = deepest.checked_sub(1)?;
        self.rest = &self.rest[1..];
        if self.has(end) {
            return Some(());
        }
        loop {
            if is_map {
                self.text()?;
                self.has(":").then_some(())?;
            }
            self.any(deepest)?;
            if self.has(end) {
                return Some(());
            }
            self.has(",").then_some(())?;
        }
    }

    fn number(&mut self) -> Option<()> {
        let end = self.rest.bytes().position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
        let (number, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let is_short =
            number.len() < 16 && !number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit());
        if !is_short {
            serde_json::from_str::<f64>(number).ok()?;
        }
        self.rest = rest;
        Some(())
    }
}

/// The length of what stands in front of a quote, a backslash or a control character.
///
/// Eight bytes at a time: most of a journal is gone over here. A byte of `hits` has its highest bit where that byte of the
/// text is one of them; behind the first there may be false ones.
fn run(bytes: &[u8]) -> Option<usize> {
    const EACH: u64 = u64::MAX / 255;
    let mut length = 0;
    while let Some(eight) = bytes[length..].first_chunk() {
        let eight = u64::from_le_bytes(*eight);
        let below = |limit: u64, of: u64| of.wrapping_sub(EACH * limit) & !of;
        let is = |byte: u8| below(1, eight ^ (EACH * u64::from(byte)));
        let hits = (below(0x20, eight) | is(b'"') | is(b'\\')) & (EACH * 0x80);
        if hits != 0 {
            return Some(length + hits.trailing_zeros() as usize / 8);
        }
        length += 8;
    }
    bytes[length..].iter().position(|byte| matches!(byte, b'"' | b'\\' | ..b' ')).map(|more| length + more)
}

/// The length of the escape whose backslash stands in front.
fn escape(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Some(2),
        // the halves of a pair are left to others
        [b'u', first, rest @ ..] if first.is_ascii_hexdigit() && !matches!(first, b'd' | b'D') => {
            rest.get(..3)?.iter().all(u8::is_ascii_hexdigit).then_some(6)
        }
        _ => None,
    }
}
