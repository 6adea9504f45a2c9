//! JSON (RFC 8259) as a tree with places. Integers only: rule files have no other numbers.
//!
//! A key that stands twice in one object is a mistake; so are values nested deeper than
//! [`DEPTH_MAX`].

use super::node::{Node, Value};
use super::{FileErrorKind, Mistakes};

/// Deepest nesting: a bound of ours; a request has five levels.
const DEPTH_MAX: usize = 32;

/// The tree of a text; `None` after a mistake, which is then told.
pub(crate) fn parse(text: &str, mistakes: &mut Mistakes<'_>) -> Option<Node> {
    let mut parser = Parser { text, at: 0 };
    let parsed = parser.document();
    match parsed {
        Ok(node) => Some(node),
        Err((at, what)) => {
            mistakes.push(at, FileErrorKind::Syntax(what.to_owned()));
            None
        }
    }
}

type Wrong = (usize, &'static str);

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl Parser<'_> {
    fn document(&mut self) -> Result<Node, Wrong> {
        let node = self.value(0)?;
        self.space();
        match self.peek() {
            None => Ok(node),
            Some(_) => Err((self.at, "there is something behind the value")),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, Wrong> {
        self.space();
        let at = self.at;
        if depth > DEPTH_MAX {
            return Err((at, "values are nested too deeply"));
        }
        let value = match self.peek() {
            Some('{') => self.object(depth)?,
            Some('[') => self.array(depth)?,
            Some('"') => Value::Text(self.string()?),
            Some('-' | '0'..='9') => self.number()?,
            Some(_) => self.word()?,
            None => return Err((at, "a value is missing")),
        };
        Ok(Node { at, value })
    }

    fn object(&mut self, depth: usize) -> Result<Value, Wrong> {
        self.take();
        let mut entries: Vec<(String, usize, Node)> = Vec::new();
        let mut keys = std::collections::BTreeSet::new();
        self.space();
        if self.peek() == Some('}') {
            self.take();
            return Ok(Value::Table(entries));
        }
        loop {
            self.space();
            let key_at = self.at;
            if self.peek() != Some('"') {
                return Err((key_at, "a key is a text in double quotes"));
            }
            let key = self.string()?;
            if !keys.insert(key.clone()) {
                return Err((key_at, "a key stands twice in one object"));
            }
            self.space();
            if self.take() != Some(':') {
                return Err((key_at, "a colon is missing behind the key"));
            }
            let node = self.value(depth.saturating_add(1))?;
            entries.push((key, key_at, node));
            if self.goes_on('}', "a comma or the end of the object is missing")? {
                continue;
            }
            return Ok(Value::Table(entries));
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, Wrong> {
        self.take();
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(']') {
            self.take();
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value(depth.saturating_add(1))?);
            if self.goes_on(']', "a comma or the end of the list is missing")? {
                continue;
            }
            return Ok(Value::List(items));
        }
    }

    /// Takes a comma or the end: whether there is more.
    fn goes_on(&mut self, end: char, what: &'static str) -> Result<bool, Wrong> {
        self.space();
        let at = self.at;
        match self.take() {
            Some(',') => Ok(true),
            Some(c) if c == end => Ok(false),
            _ => Err((at, what)),
        }
    }

    fn string(&mut self) -> Result<String, Wrong> {
        let start = self.at;
        self.take();
        let mut text = String::new();
        loop {
            let at = self.at;
            match self.take() {
                None => return Err((start, "a text has no end")),
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escape(at)?),
                Some(c) if c < ' ' => return Err((at, "a control character must be escaped")),
                Some(c) => text.push(c),
            }
        }
    }

    fn escape(&mut self, at: usize) -> Result<char, Wrong> {
        let malformed = (at, "an escape is malformed");
        Ok(match self.take() {
            Some(c @ ('"' | '\\' | '/')) => c,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let first = self.hex().ok_or(malformed)?;
                let code = match first {
                    0xd800..=0xdbff => {
                        let follows = self.take() == Some('\\') && self.take() == Some('u');
                        let second = self
                            .hex()
                            .filter(|s| follows && (0xdc00..=0xdfff).contains(s));
                        let low = second.ok_or(malformed)?.saturating_sub(0xdc00);
                        let high = first.saturating_sub(0xd800);
                        0x1_0000_u32.saturating_add(high << 10).saturating_add(low)
                    }
                    other => other,
                };
                char::from_u32(code).ok_or(malformed)?
            }
            _ => return Err(malformed),
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let mut code = 0_u32;
        for _ in 0..4 {
            let digit = self.take()?.to_digit(16)?;
            code = (code << 4) | digit;
        }
        Some(code)
    }

    fn number(&mut self) -> Result<Value, Wrong> {
        let at = self.at;
        while matches!(self.peek(), Some('-' | '+' | '.' | 'e' | 'E' | '0'..='9')) {
            self.take();
        }
        let text = self.text.get(at..self.at).unwrap_or_default();
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_integer = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let leading = digits.len() > 1 && digits.starts_with('0');
        if !is_integer || leading {
            return Err((at, "a number is an integer without leading zeros"));
        }
        let number = text.parse();
        Ok(Value::Number(
            number.or(Err((at, "a number is too great")))?,
        ))
    }

    fn word(&mut self) -> Result<Value, Wrong> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let words = [
            ("null", Value::Null),
            ("true", Value::Truth(true)),
            ("false", Value::Truth(false)),
        ];
        for (word, value) in words {
            if rest.starts_with(word) {
                self.at = self.at.saturating_add(word.len());
                return Ok(value);
            }
        }
        Err((self.at, "this is no value"))
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.take();
        }
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at = self.at.saturating_add(c.len_utf8());
        Some(c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ours(text: &str) -> Option<String> {
        let mut mistakes = Mistakes::new(text);
        let node = parse(text, &mut mistakes)?;
        Some(node.value.to_string())
    }

    fn values() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_another_writes_is_read_and_written_alike(value in values(), pretty: bool) {
            let text = if pretty { format!("{value:#}") } else { value.to_string() };
            let again = ours(&text).expect("it is JSON");
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&again).unwrap(), value);
        }

        #[test]
        fn what_another_refuses_is_refused(tokens in prop::collection::vec(
            prop::sample::select(vec![
                "{", "}", "[", "]", ",", ":", "\"a\"", "\"b\\n\"", "1", "-0", "01", "-", "null", "true",
                "tru", " ", "\n", "\"\\ud83d\\ude00\"", "\"\\ud83d\"", "\"\\x\"", "\u{e9}",
            ]), 0..12,
        )) {
            let text = tokens.concat();
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            // a key that stands twice is a mistake here alone
            let twice = text.matches("\"a\"").count() > 1 || text.matches("\"b").count() > 1
                || text.matches("\\ude00").count() > 1;
            match (ours(&text), theirs) {
                (Some(text), Ok(theirs)) => {
                    let again: serde_json::Value = serde_json::from_str(&text).unwrap();
                    let is_zero = |v: &serde_json::Value| v.to_string().replace("-0.0", "0");
                    prop_assert_eq!(is_zero(&again), is_zero(&theirs));
                }
                (None, Ok(_)) => prop_assert!(twice, "{:?}", text),
                (Some(_), Err(_)) => prop_assert!(false, "accepted {:?}", text),
                (None, Err(_)) => {}
            }
        }
    }

    #[test]
    fn what_is_too_deep_or_no_integer_is_refused() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(ours(&nested(DEPTH_MAX)).is_some());
        assert!(ours(&nested(DEPTH_MAX + 1)).is_none());
        for bad in [
            "1.5",
            "1e3",
            "9223372036854775808",
            "+1",
            "{\"a\":1,\"a\":2}",
            "\"\t\"",
        ] {
            assert!(ours(bad).is_none(), "{bad}");
        }
        assert_eq!(
            ours(" 9223372036854775807 ").as_deref(),
            Some("9223372036854775807")
        );
    }
}
