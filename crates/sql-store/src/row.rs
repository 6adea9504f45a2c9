//! Rows as values of our own, so that callers see one type for both databases.

use std::sync::Arc;

use covenant_core::Id;
use covenant_core::digest::Digest;
use time::UtcDateTime;
use uuid::Uuid;

use crate::DbError;
use crate::codec::instant;
use crate::value::Value;

/// One row of a result.
#[derive(Debug, Clone)]
pub struct Row {
    columns: Arc<[Box<str>]>,
    cells: Vec<Value>,
}

impl Row {
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) const fn new(columns: Arc<[Box<str>]>, cells: Vec<Value>) -> Self {
        Self { columns, cells }
    }

    /// The names of the columns, in the statement's order.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(AsRef::as_ref)
    }

    /// The value of a column as it came; a UUID comes from SQLite as [`Value::Bytes`].
    ///
    /// # Errors
    /// [`DbError::Column`] when the row has no such column.
    pub fn value(&self, name: &str) -> Result<&Value, DbError> {
        let at = self.columns.iter().position(|column| &**column == name);
        at.and_then(|at| self.cells.get(at))
            .ok_or_else(|| refuse(name, "a column of the row"))
    }

    /// An integer.
    ///
    /// # Errors
    /// [`DbError::Column`] when the column is absent, null or not an integer.
    pub fn int(&self, name: &str) -> Result<i64, DbError> {
        self.opt_int(name)?
            .ok_or_else(|| refuse(name, "an integer"))
    }

    /// An integer, or `None` where the column is null.
    ///
    /// # Errors
    /// [`DbError::Column`] when the column is absent or not an integer.
    pub fn opt_int(&self, name: &str) -> Result<Option<i64>, DbError> {
        match self.value(name)? {
            Value::Int(value) => Ok(Some(*value)),
            Value::Null => Ok(None),
            _ => Err(refuse(name, "an integer")),
        }
    }

    /// A text.
    ///
    /// # Errors
    /// [`DbError::Column`] when the column is absent, null or not a text.
    pub fn text(&self, name: &str) -> Result<&str, DbError> {
        self.opt_text(name)?.ok_or_else(|| refuse(name, "a text"))
    }

    /// A text, or `None` where the column is null.
    ///
    /// # Errors
    /// [`DbError::Column`] when the column is absent or not a text.
    pub fn opt_text(&self, name: &str) -> Result<Option<&str>, DbError> {
        match self.value(name)? {
            Value::Text(value) => Ok(Some(value)),
            Value::Null => Ok(None),
            _ => Err(refuse(name, "a text")),
        }
    }

    /// Bytes.
    ///
    /// # Errors
    /// [`DbError::Column`] when the column is absent, null or not bytes.
    pub fn bytes(&self, name: &str) -> Result<&[u8], DbError> {
        self.opt_bytes(name)?.ok_or_else(|| refuse(name, "bytes"))
    }

    /// Bytes, or `None` where the column is null.
    ///
    /// # Errors
    /// [`DbError::Column`] when the column is absent or not bytes.
    pub fn opt_bytes(&self, name: &str) -> Result<Option<&[u8]>, DbError> {
        match self.value(name)? {
            Value::Bytes(value) => Ok(Some(value)),
            Value::Null => Ok(None),
            _ => Err(refuse(name, "bytes")),
        }
    }

    /// Bytes of a fixed width.
    ///
    /// # Errors
    /// [`DbError::Column`] when the column is absent, null, not bytes or of another length.
    pub fn array<const N: usize>(&self, name: &str) -> Result<[u8; N], DbError> {
        self.bytes(name)?
            .try_into()
            .ok()
            .ok_or_else(|| refuse(name, "bytes of the right length"))
    }

    /// A SHA-256 digest.
    ///
    /// # Errors
    /// [`DbError::Column`] when the column is absent, null or not 32 bytes.
    pub fn digest(&self, name: &str) -> Result<Digest, DbError> {
        self.array(name).map(Digest::from_bytes)
    }

    /// A UUID.
    ///
    /// # Errors
    /// [`DbError::Column`] when the column is absent, null or not a UUID.
    pub fn uuid(&self, name: &str) -> Result<Uuid, DbError> {
        self.opt_uuid(name)?.ok_or_else(|| refuse(name, "a UUID"))
    }

    /// A UUID, or `None` where the column is null.
    ///
    /// # Errors
    /// [`DbError::Column`] when the column is absent or not a UUID.
    pub fn opt_uuid(&self, name: &str) -> Result<Option<Uuid>, DbError> {
        match self.value(name)? {
            Value::Uuid(value) => Ok(Some(*value)),
            Value::Bytes(value) => {
                let uuid = Uuid::from_slice(value).ok();
                uuid.map(Some).ok_or_else(|| refuse(name, "a UUID"))
            }
            Value::Null => Ok(None),
            _ => Err(refuse(name, "a UUID")),
        }
    }

    /// An id.
    ///
    /// # Errors
    /// [`DbError::Column`] when the column is absent, null or not a UUID.
    pub fn id<K>(&self, name: &str) -> Result<Id<K>, DbError> {
        self.uuid(name).map(Id::from_uuid)
    }

    /// An id, or `None` where the column is null.
    ///
    /// # Errors
    /// [`DbError::Column`] when the column is absent or not a UUID.
    pub fn opt_id<K>(&self, name: &str) -> Result<Option<Id<K>>, DbError> {
        Ok(self.opt_uuid(name)?.map(Id::from_uuid))
    }

    /// An instant.
    ///
    /// # Errors
    /// [`DbError::Column`] when the column is absent, null or not an instant.
    pub fn instant(&self, name: &str) -> Result<UtcDateTime, DbError> {
        self.opt_instant(name)?
            .ok_or_else(|| refuse(name, "an instant"))
    }

    /// An instant, or `None` where the column is null.
    ///
    /// # Errors
    /// [`DbError::Column`] when the column is absent or not an instant.
    pub fn opt_instant(&self, name: &str) -> Result<Option<UtcDateTime>, DbError> {
        match self.opt_int(name)? {
            Some(value) => instant(value)
                .map(Some)
                .ok_or_else(|| refuse(name, "an instant")),
            None => Ok(None),
        }
    }
}

fn refuse(name: &str, expected: &'static str) -> DbError {
    DbError::Column {
        name: name.to_owned(),
        expected,
    }
}
