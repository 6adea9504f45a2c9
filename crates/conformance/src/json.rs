//! JSON in a fixed order of keys: a tree of values and two ways to print it.
//!
//! Reports must be the same bytes for the same run, so keys stay in the order in which the format
//! lists them. Reading JSON is serde_json's work, not this module's.

use std::fmt::Write as _;

/// A JSON value whose objects keep the order of their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "JSON has these and no others; numbers here are integers"
)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object; keys are printed in this order.
    Map(Vec<(String, Json)>),
}

impl Json {
    /// A string.
    pub fn text(text: impl ToString) -> Self {
        Self::Text(text.to_string())
    }

    /// A string, or `null`.
    pub fn text_or_null(text: Option<impl ToString>) -> Self {
        text.map_or(Self::Null, Self::text)
    }

    /// A count.
    #[must_use]
    pub fn count(count: u64) -> Self {
        Self::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// An array of strings.
    pub fn texts(texts: impl IntoIterator<Item = impl ToString>) -> Self {
        Self::List(texts.into_iter().map(Self::text).collect())
    }

    /// An object.
    pub fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Map(
            entries
                .into_iter()
                .map(|(key, value)| (key.into(), value))
                .collect(),
        )
    }

    /// On one line, without spaces.
    #[must_use]
    pub fn compact(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, None);
        out
    }

    /// With two spaces of indent, line feeds, and one at the end.
    #[must_use]
    pub fn pretty(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, Some(0));
        out.push('\n');
        out
    }

    fn write(&self, out: &mut String, depth: Option<usize>) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::Int(number) => out.push_str(&number.to_string()),
            Self::Text(text) => quote(out, text),
            Self::List(items) => {
                let parts = items.iter().map(|item| (None, item));
                group(out, depth, ('[', ']'), parts);
            }
            Self::Map(entries) => {
                let parts = entries
                    .iter()
                    .map(|(key, value)| (Some(key.as_str()), value));
                group(out, depth, ('{', '}'), parts);
            }
        }
    }
}

fn group<'j>(
    out: &mut String,
    depth: Option<usize>,
    (open, close): (char, char),
    parts: impl ExactSizeIterator<Item = (Option<&'j str>, &'j Json)>,
) {
    let inner = depth.map(|depth| depth.saturating_add(1));
    let empty = parts.len() == 0;
    out.push(open);
    for (at, (key, value)) in parts.enumerate() {
        if at > 0 {
            out.push(',');
        }
        indent(out, inner);
        if let Some(key) = key {
            quote(out, key);
            out.push_str(if depth.is_some() { ": " } else { ":" });
        }
        value.write(out, inner);
    }
    if !empty {
        indent(out, depth);
    }
    out.push(close);
}

fn indent(out: &mut String, depth: Option<usize>) {
    if let Some(depth) = depth {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    }
}

/// Quotes a text. Control characters and whatever turns the direction of writing are escaped, so
/// that a hostile text reads in an editor as what it is.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if is_hidden(c) => {
                let mut units = [0_u16; 2];
                for unit in c.encode_utf16(&mut units) {
                    write_unit(out, *unit);
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn write_unit(out: &mut String, unit: u16) {
    // INVARIANT: writing to a String does not fail
    write!(out, "\\u{unit:04x}").unwrap_or_default();
}

/// Characters that do not show as themselves: controls, bidirectional controls, zero-width ones.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{61c}')
}

/// The text with every hidden character replaced, for output that cannot escape.
#[must_use]
pub fn shown(text: &str) -> String {
    text.chars()
        .map(|c| if is_hidden(c) { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_keep_their_order_and_empty_groups_stay_closed() {
        let json = Json::map([
            ("z", Json::Int(-1)),
            ("a", Json::List(vec![])),
            (
                "m",
                Json::map([("x", Json::Null), ("b", Json::texts(["1", "2"]))]),
            ),
            ("e", Json::Map(vec![])),
        ]);
        assert_eq!(
            json.compact(),
            r#"{"z":-1,"a":[],"m":{"x":null,"b":["1","2"]},"e":{}}"#
        );
        let pretty = "{\n  \"z\": -1,\n  \"a\": [],\n  \"m\": {\n    \"x\": null,\n    \"b\": [\n      \"1\",\n      \"2\"\n    ]\n  },\n  \"e\": {}\n}\n";
        assert_eq!(json.pretty(), pretty);
    }

    #[test]
    fn hidden_characters_are_escaped() {
        let json = Json::text("a\u{202e}b\u{0}\"\\\n");
        assert_eq!(json.compact(), "\"a\\u202eb\\u0000\\\"\\\\\\n\"");
        assert_eq!(shown("a\u{202e}b\u{7}"), "a\u{fffd}b\u{fffd}");
    }

    proptest! {
        #[test]
        fn whatever_is_printed_reads_back(text in ".*", number in any::<i64>()) {
            let json = Json::map([("t", Json::text(&text)), ("n", Json::Int(number))]);
            for printed in [json.compact(), json.pretty()] {
                let read: serde_json::Value = serde_json::from_str(&printed).unwrap();
                prop_assert_eq!(read["t"].as_str(), Some(text.as_str()));
                prop_assert_eq!(read["n"].as_i64(), Some(number));
            }
        }
    }
}
