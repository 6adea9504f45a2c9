//! A source: what is backed up, read at one consistent point.

mod composite;
mod objects;
#[cfg(feature = "sqlite")]
mod sqlite;

use covenant_core::BoxFuture;

pub use composite::CompositeSource;
pub use objects::ObjectsSource;
#[cfg(feature = "sqlite")]
pub use sqlite::{DATABASE_MEMBER, SqliteSource};

/// One file of a source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceFile {
    /// Path from the source's root, in the normal form of [`crate::format::snapshot`].
    pub path: String,
    /// Length in bytes.
    pub len: u64,
}

/// A source could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// It changed or vanished while it was read; a new session may succeed.
    #[error("the source changed while it was read")]
    Changed,
    /// It lists what could not be restored as files; says what is asked of it.
    #[error("a source has {0}")]
    Unfit(&'static str),
    /// It cannot be read now.
    #[error("the source is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl SourceError {
    /// A failure of whatever the source reads from.
    pub(crate) fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(error.into())
    }
}

/// What is backed up.
///
/// # Contract
/// `token` names the content as it is now: equal tokens mean equal content, and an empty token means
/// that the source cannot tell. `begin` takes the consistent point and lists the files; `read`
/// returns bytes of that point, whatever has been written since. `end` gives back what `begin` took,
/// and is called after errors too, also of a `begin` that took nothing.
///
/// # Errors
/// [`SourceError`].
pub trait Source: std::fmt::Debug + Send {
    /// What the content is known by.
    fn token(&mut self) -> BoxFuture<'_, Result<Vec<u8>, SourceError>>;
    /// Takes the consistent point.
    fn begin(&mut self) -> BoxFuture<'_, Result<Vec<SourceFile>, SourceError>>;
    /// Reads bytes of one file: `len` of them, or fewer only at its end.
    fn read<'a>(
        &'a mut self,
        path: &'a str,
        offset: u64,
        len: u32,
    ) -> BoxFuture<'a, Result<Vec<u8>, SourceError>>;
    /// Gives back what `begin` took.
    fn end(&mut self) -> BoxFuture<'_, Result<(), SourceError>>;
}
