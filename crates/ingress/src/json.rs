//! A reader of the plainest JSON. Of anything else it says nothing.

/// Bytes of JSON, and how far they have been read.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Begin at the first byte.
    pub fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    /// Return whether nothing but space is left.
    pub fn is_at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// Return the next byte that is no space, and leave it there.
    fn peek(&mut self) -> Option<u8> {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
        self.rest.first().copied()
    }

    /// Take this byte, after space; return nothing if another one is there.
    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.rest = &self.rest[1..])
    }

    /// Take this word.
    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }

    /// Take text of printable ASCII without escapes, and without what opens a list or an object.
    pub fn text(&mut self) -> Option<&'a [u8]> {
        self.take(b'"')?;
        let is_end = |byte: &u8| !matches!(byte, b' '..=b'~') || matches!(byte, b'"' | b'\\');
        let length = self.rest.iter().position(is_end)?;
        let (text, rest) = self.rest.split_at(length);
        self.rest = rest.strip_prefix(b"\"")?;
        (!text.iter().any(|byte| matches!(byte, b'[' | b'{'))).then_some(text)
    }

    /// Take a whole number that is not negative, up to a limit.
    pub fn number(&mut self, most: u64) -> Option<u64> {
        self.peek()?;
        let is_end = |byte: &u8| !byte.is_ascii_digit();
        let length = self.rest.iter().position(is_end)?;
        let (digits, rest) = self.rest.split_at(length);
        if matches!(rest, [b'.' | b'e' | b'E', ..]) {
            return None;
        }
        self.rest = rest;
        digits_value(digits).filter(|value| *value <= most)
    }

    /// Take a truth.
    pub fn truth(&mut self) -> Option<bool> {
        match self.peek()? {
            b't' => self.word(b"true").map(|()| true),
            _ => self.word(b"false").map(|()| false),
        }
    }

    /// Take an object: `take` gets the name of each member, and takes its value.
    pub fn object(&mut self, mut take: impl FnMut(&[u8], &mut Self) -> Option<()>) -> Option<()> {
        self.take(b'{')?;
        loop {
            let name = self.text()?;
            self.take(b':')?;
            take(name, self)?;
            if self.take(b',').is_none() {
                return self.take(b'}');
            }
        }
    }

    /// Take a list that is not empty: `take` takes each value.
    pub fn list(&mut self, mut take: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.take(b'[')?;
        loop {
            take(self)?;
            if self.take(b',').is_none() {
                return self.take(b']');
            }
        }
    }
}

/// Return the value of digits without leading zeros, of at most 64 bits.
pub fn digits_value(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || (digits.len() > 1 && digits[0] == b'0') {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

/// Put a value where none is yet; return nothing if the member comes a second time.
pub fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.is_none().then(|| *place = Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_whole_and_bounded() {
        for (text, most, value) in [
            ("0,", 9, Some(0)),
            (" 12}", 12, Some(12)),
            ("13}", 12, None),
            ("012}", 99, None),
            ("-1}", 99, None),
            ("1.0}", 99, None),
            ("1e1}", 99, None),
            ("18446744073709551615 ", u64::MAX, Some(u64::MAX)),
            ("18446744073709551616 ", u64::MAX, None),
            ("", 9, None),
            ("1", 9, None),
        ] {
            assert_eq!(Cursor::new(text.as_bytes()).number(most), value, "{text}");
        }
    }

    #[test]
    fn text_is_plain() {
        for (text, value) in [
            (r#" "buy""#, Some("buy")),
            (r#""""#, Some("")),
            (r#""a\u0062""#, None),
            ("\"a\tb\"", None),
            ("\"\u{e9}\"", None),
            (r#""[""#, None),
            (r#""open"#, None),
            ("1", None),
        ] {
            let read = Cursor::new(text.as_bytes()).text();
            assert_eq!(read, value.map(str::as_bytes), "{text}");
        }
    }

    #[test]
    fn members_come_with_their_values() {
        let (mut names, mut cursor) = (Vec::new(), Cursor::new(br#" { "a" : true , "b":false } "#));
        let read = cursor.object(|name, value| {
            names.push((name.to_vec(), value.truth()?));
            Some(())
        });
        assert_eq!(read, Some(()), "it is an object");
        assert!(cursor.is_at_end(), "nothing is behind it");
        assert_eq!(names, [(b"a".to_vec(), true), (b"b".to_vec(), false)], "both members");
        for broken in [r#"{"a":true"#, r#"{"a":true,}"#, r#"{"a" true}"#, "{}", "[]"] {
            let read = Cursor::new(broken.as_bytes()).object(|_, value| value.truth().map(|_| ()));
            assert_eq!(read, None, "{broken}");
        }
    }
}
