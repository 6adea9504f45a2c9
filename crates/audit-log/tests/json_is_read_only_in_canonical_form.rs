//! What the writer writes is what every JSON reader reads, and the reader takes the canonical bytes
//! alone.

use std::collections::BTreeMap;

use audit_log::jcs::{DEPTH_MAX, INT_MAX, JcsError, Value, decode, encode};
use proptest::prelude::*;

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn the_writer_follows_the_examples_of_rfc_8785() {
    let members = [
        (
            "numbers",
            Value::Array(vec![Value::Int(0), Value::Int(INT_MAX)]),
        ),
        ("string", text("\u{20ac}$\u{f}\nA'B\"\\\\\"/")),
        ("literals", Value::Null),
    ];
    let value = Value::Object(
        members
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v))
            .collect(),
    );
    let expected = "{\"literals\":null,\"numbers\":[0,9007199254740991],\
        \"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
    assert_eq!(
        String::from_utf8(encode(&value).unwrap()).unwrap(),
        expected
    );
    assert_eq!(decode(expected.as_bytes()), Ok(value));
}

#[test]
fn other_forms_are_refused() {
    let bad: &[&[u8]] = &[
        b"",
        b" null",
        b"null ",
        b"nul",
        b"true",
        b"false",
        b"01",
        b"-1",
        b"-0",
        b"+1",
        b"1.0",
        b"1e3",
        b"9007199254740992",
        b"18446744073709551616",
        b"[1, 2]",
        b"[1,]",
        b"[,1]",
        b"[",
        b"[1",
        b"{\"a\":1,\"a\":1}",
        b"{\"b\":1,\"a\":2}",
        b"{\"a\" :1}",
        b"{\"A\":1}",
        b"{\"\":1}",
        b"{\"a\":1,}",
        b"{a:1}",
        b"{1:1}",
        b"\"",
        b"\"\\u0041\"",
        b"\"\\u000a\"",
        b"\"\\/\"",
        b"\"\\u001F\"",
        b"\"\\ud83d\\ude00\"",
        b"\"\n\"",
        b"\"\\x\"",
        b"\"\xff\"",
        b"nullnull",
        b"\xef\xbb\xbfnull",
        b"'a'",
        b"\"\\u00+1\"",
    ];
    for bytes in bad {
        assert_eq!(
            decode(bytes),
            Err(JcsError),
            "{}",
            String::from_utf8_lossy(bytes)
        );
    }
    let good: &[&[u8]] = &[
        b"null",
        b"0",
        b"[]",
        b"{}",
        b"[[],{}]",
        b"\"\"",
        b"\"\\u0000\"",
    ];
    for bytes in good {
        assert_eq!(
            decode(bytes).and_then(|value| encode(&value)).as_deref(),
            Ok(*bytes)
        );
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let max = usize::try_from(DEPTH_MAX).unwrap();
    assert!(decode(nested(max).as_bytes()).is_ok());
    assert_eq!(decode(nested(max + 1).as_bytes()), Err(JcsError));
    assert_eq!(decode(nested(100_000).as_bytes()), Err(JcsError));
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        (0..=INT_MAX).prop_map(Value::Int),
        any::<String>().prop_map(Value::Text),
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::btree_map("[a-z0-9_]{1,8}", inner, 0..6).prop_map(Value::Object),
        ]
    })
}

fn of_serde(value: &serde_json::Value) -> Option<Value> {
    Some(match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Number(n) => Value::Int(n.as_u64()?),
        serde_json::Value::String(text) => Value::Text(text.clone()),
        serde_json::Value::Array(items) => {
            Value::Array(items.iter().map(of_serde).collect::<Option<_>>()?)
        }
        serde_json::Value::Object(members) => {
            let members = members.iter().map(|(k, v)| Some((k.clone(), of_serde(v)?)));
            Value::Object(members.collect::<Option<BTreeMap<_, _>>>()?)
        }
        serde_json::Value::Bool(_) => return None,
    })
}

proptest! {
    #[test]
    fn another_reader_reads_the_same(value in values()) {
        let bytes = encode(&value).unwrap();
        let other = of_serde(&serde_json::from_slice(&bytes).unwrap());
        prop_assert_eq!(other.as_ref(), Some(&value));
        prop_assert_eq!(decode(&bytes), Ok(value));
    }

    #[test]
    fn what_parses_is_what_would_be_written(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(value) = decode(&bytes) {
            prop_assert_eq!(encode(&value), Ok(bytes));
        }
    }
}
