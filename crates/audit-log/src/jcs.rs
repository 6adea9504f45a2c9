//! The part of RFC 8785 (JSON Canonicalization Scheme) that leaves need: null, integers from 0 to
//! 2^53-1, texts, arrays, and objects with names of lower-case letters, digits and underscores. No
//! floats, no booleans, no negative numbers. Reading accepts the canonical bytes and no others.
#![deny(clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;

/// Largest integer that every JSON reader keeps exact (RFC 8785 section 3.2.2.3).
pub const INT_MAX: u64 = (1 << 53) - 1;
/// Deepest nesting that is read: a bound of ours, leaves need 4.
pub const DEPTH_MAX: u32 = 8;

/// A value of the subset.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the subset is final")]
pub enum Value {
    /// `null`.
    Null,
    /// An integer from 0 to [`INT_MAX`].
    Int(u64),
    /// A text.
    Text(String),
    /// An array.
    Array(Vec<Value>),
    /// An object; names sort as bytes, which for this subset is the order of RFC 8785.
    Object(BTreeMap<String, Value>),
}

/// Bytes or a value are outside the canonical subset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not canonical JSON of the subset")]
pub struct JcsError;

/// The canonical bytes of a value.
///
/// # Errors
/// [`JcsError`] for an integer above [`INT_MAX`], a name outside the subset, or nesting deeper than
/// [`DEPTH_MAX`].
pub fn encode(value: &Value) -> Result<Vec<u8>, JcsError> {
    let mut out = String::new();
    write(value, &mut out, DEPTH_MAX)?;
    Ok(out.into_bytes())
}

/// The value of canonical bytes: parses, encodes again and compares.
///
/// # Errors
/// [`JcsError`] for anything that [`encode`] would not have written.
pub fn decode(bytes: &[u8]) -> Result<Value, JcsError> {
    let mut parser = Parser {
        rest: std::str::from_utf8(bytes).or(Err(JcsError))?,
    };
    let value = parser.value(DEPTH_MAX)?;
    if !parser.rest.is_empty() || encode(&value)? != bytes {
        return Err(JcsError);
    }
    Ok(value)
}

fn write(value: &Value, out: &mut String, depth: u32) -> Result<(), JcsError> {
    let depth = depth.checked_sub(1).ok_or(JcsError)?;
    match value {
        Value::Null => out.push_str("null"),
        Value::Int(number) if *number <= INT_MAX => out.push_str(&number.to_string()),
        Value::Int(_) => return Err(JcsError),
        Value::Text(text) => write_text(text, out),
        Value::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write(item, out, depth)?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (n, (name, item)) in members.iter().enumerate() {
                if !is_name(name) {
                    return Err(JcsError);
                }
                if n > 0 {
                    out.push(',');
                }
                write_text(name, out);
                out.push(':');
                write(item, out, depth)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    !name.is_empty() && name.bytes().all(ok)
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn value(&mut self, depth: u32) -> Result<Value, JcsError> {
        let depth = depth.checked_sub(1).ok_or(JcsError)?;
        if self.take("null") {
            Ok(Value::Null)
        } else if self.rest.starts_with('"') {
            self.text().map(Value::Text)
        } else if self.take("[") {
            self.array(depth)
        } else if self.take("{") {
            self.object(depth)
        } else {
            self.int()
        }
    }

    fn array(&mut self, depth: u32) -> Result<Value, JcsError> {
        let mut items = Vec::new();
        if self.take("]") {
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.take("]") {
                return Ok(Value::Array(items));
            }
            self.expect(",")?;
        }
    }

    fn object(&mut self, depth: u32) -> Result<Value, JcsError> {
        let mut members = BTreeMap::new();
        if self.take("}") {
            return Ok(Value::Object(members));
        }
        loop {
            let name = self.text()?;
            self.expect(":")?;
            let item = self.value(depth)?;
            if members.insert(name, item).is_some() {
                return Err(JcsError);
            }
            if self.take("}") {
                return Ok(Value::Object(members));
            }
            self.expect(",")?;
        }
    }

    fn int(&mut self) -> Result<Value, JcsError> {
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at_checked(end).ok_or(JcsError)?;
        self.rest = rest;
        let number = digits.parse().or(Err(JcsError))?;
        if number > INT_MAX {
            Err(JcsError)
        } else {
            Ok(Value::Int(number))
        }
    }

    fn text(&mut self) -> Result<String, JcsError> {
        self.expect("\"")?;
        let mut text = String::new();
        loop {
            let end = self.rest.find(['"', '\\']).ok_or(JcsError)?;
            let (plain, rest) = self.rest.split_at_checked(end).ok_or(JcsError)?;
            text.push_str(plain);
            self.rest = rest;
            if self.take("\"") {
                return Ok(text);
            }
            text.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char, JcsError> {
        let short = [
            ("\\\"", '"'),
            ("\\\\", '\\'),
            ("\\b", '\u{8}'),
            ("\\t", '\t'),
            ("\\n", '\n'),
            ("\\f", '\u{c}'),
            ("\\r", '\r'),
        ];
        if let Some((_, c)) = short.into_iter().find(|(escape, _)| self.take(escape)) {
            return Ok(c);
        }
        self.expect("\\u00")?;
        let (digits, rest) = self.rest.split_at_checked(2).ok_or(JcsError)?;
        self.rest = rest;
        u8::from_str_radix(digits, 16)
            .map(char::from)
            .or(Err(JcsError))
    }

    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), JcsError> {
        if self.take(token) {
            Ok(())
        } else {
            Err(JcsError)
        }
    }
}
