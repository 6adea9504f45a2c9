//! Values bound to statements: a closed set that both databases store alike.

use covenant_core::digest::Digest;
use covenant_core::{Id, ItemId};
use time::UtcDateTime;
use uuid::Uuid;

/// One bound value.
///
/// Integers are 64 bits, instants are whole microseconds since 1970 as an integer, a UUID is a
/// `BLOB` of 16 bytes in SQLite and a `UUID` in PostgreSQL, bytes are `BLOB` and `BYTEA`.
#[derive(Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "both drivers bind every variant; a new one must stop the build"
)]
pub enum Value {
    /// Bytes.
    Bytes(Vec<u8>),
    /// An instant.
    Instant(UtcDateTime),
    /// An integer.
    Int(i64),
    /// No value; takes the type that the place in the statement asks for.
    Null,
    /// Text.
    Text(String),
    /// A UUID.
    Uuid(Uuid),
}

/// Prints the variant and never the content.
impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Bytes(_) => "Bytes(..)",
            Self::Instant(_) => "Instant(..)",
            Self::Int(_) => "Int(..)",
            Self::Null => "Null",
            Self::Text(_) => "Text(..)",
            Self::Uuid(_) => "Uuid(..)",
        })
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}
impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}
impl From<u16> for Value {
    fn from(value: u16) -> Self {
        Self::Int(value.into())
    }
}
impl From<u8> for Value {
    fn from(value: u8) -> Self {
        Self::Int(value.into())
    }
}
impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(value.into())
    }
}
impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}
impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}
impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}
impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}
impl From<&Vec<u8>> for Value {
    fn from(value: &Vec<u8>) -> Self {
        Self::Bytes(value.clone())
    }
}
impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(value.to_vec())
    }
}
impl<const N: usize> From<[u8; N]> for Value {
    fn from(value: [u8; N]) -> Self {
        Self::Bytes(value.to_vec())
    }
}
impl<const N: usize> From<&[u8; N]> for Value {
    fn from(value: &[u8; N]) -> Self {
        Self::Bytes(value.to_vec())
    }
}
impl From<Uuid> for Value {
    fn from(value: Uuid) -> Self {
        Self::Uuid(value)
    }
}
impl<K> From<Id<K>> for Value {
    fn from(value: Id<K>) -> Self {
        Self::Uuid(value.as_uuid())
    }
}
impl<K> From<&Id<K>> for Value {
    fn from(value: &Id<K>) -> Self {
        Self::Uuid(value.as_uuid())
    }
}
impl From<&ItemId> for Value {
    fn from(value: &ItemId) -> Self {
        Self::Bytes(value.as_bytes().to_vec())
    }
}
impl From<ItemId> for Value {
    fn from(value: ItemId) -> Self {
        Self::from(&value)
    }
}
impl From<Digest> for Value {
    fn from(value: Digest) -> Self {
        Self::from(value.as_bytes())
    }
}
impl From<&Digest> for Value {
    fn from(value: &Digest) -> Self {
        Self::from(value.as_bytes())
    }
}
impl From<UtcDateTime> for Value {
    fn from(value: UtcDateTime) -> Self {
        Self::Instant(value)
    }
}
impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The values of a statement, in the order of its placeholders `$1`, `$2`, ...
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Args(Vec<Value>);

impl Args {
    /// No values yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Appends the value of the next placeholder.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.0.push(value.into());
        self
    }

    /// How many values are bound.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no value is bound.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn into_values(self) -> Vec<Value> {
        self.0
    }
}

impl FromIterator<Value> for Args {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

/// The highest placeholder `$n` of a statement; text in quotes counts too, which none of ours has.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) fn placeholders(sql: &str) -> usize {
    sql.split('$')
        .skip(1)
        .filter_map(|rest| {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            rest.get(..digits)?.parse().ok()
        })
        .max()
        .unwrap_or(0)
}
