//! TOML as a tree with places.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::node::{Node, Value};
use super::{FileErrorKind, Mistakes};

/// The tree of a text; `None` after mistakes, which are then told.
pub(super) fn parse(text: &str, mistakes: &mut Mistakes<'_>) -> Option<Node> {
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let at = error.span().map_or(0, |span| span.start);
        mistakes.push(at, FileErrorKind::Syntax(error.message().to_owned()));
    }
    errors.is_empty().then(|| Node {
        at: root.span().start,
        value: table(root.get_ref()),
    })
}

fn table(table: &DeTable<'_>) -> Value {
    let entries = table.iter().map(|(key, value)| {
        let at = key.span().start;
        (key.get_ref().to_string(), at, node(value))
    });
    let mut entries: Vec<_> = entries.collect();
    entries.sort_by_key(|(_, at, _)| *at);
    Value::Table(entries)
}

fn node(value: &Spanned<DeValue<'_>>) -> Node {
    Node {
        at: value.span().start,
        value: match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(Value::Other("a number"), Value::Number),
            DeValue::Float(_) => Value::Other("a number with a fraction"),
            DeValue::Boolean(truth) => Value::Truth(*truth),
            // a date stands for its text
            DeValue::Datetime(at) => Value::Text(at.to_string()),
            DeValue::Array(items) => Value::List(items.iter().map(node).collect()),
            DeValue::Table(inner) => table(inner),
        },
    }
}
