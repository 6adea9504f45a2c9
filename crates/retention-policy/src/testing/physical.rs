//! The laws of [`Flush`] and [`Verify`], and what breaks them: a flush without a rewrite, one that
//! does not empty the log, a purge that takes the row out of the list and leaves the content.

use std::error::Error;
use std::fmt::Debug;
use std::path::Path;

use covenant_core::BoxFuture;

use crate::apply::{Flush, FlushError};
use crate::physical::{Verified, Verify};
use crate::scan::Needle;

#[cfg(feature = "sqlite")]
mod sabotage;

#[cfg(feature = "sqlite")]
pub use sabotage::{NoCheckpoint, NoVacuum, no_secure_delete};

/// How often a flush may be busy while the subject is at rest; each time it has waited by itself.
const BUSY_MAX: u32 = 20;

/// Why a subject failed, in its own words.
pub type SubjectError = Box<dyn Error + Send + Sync>;

/// A database that the laws fill, read, delete from and look under.
///
/// # Contract
/// Everything is committed when a call returns. Rows have several versions, and content beyond a
/// page; each version bears a marker. A list beside the content names the rows, as a bin does.
///
/// # Errors
/// Whatever the database says: the law then says that it could not be tried.
pub trait Subject: Debug + Send + Sync {
    /// What flush and verify are given.
    fn place(&self) -> &Path;
    /// Markers of every version of the rows that are deleted, in every form to look for.
    fn deleted(&self) -> Vec<Needle>;
    /// The same of the last version of rows that stay.
    fn kept(&self) -> Vec<Needle>;
    /// Writes all rows in all versions.
    fn fill(&self) -> BoxFuture<'_, Result<(), SubjectError>>;
    /// Deletes rows: their content, and their places in the list.
    fn delete(&self) -> BoxFuture<'_, Result<(), SubjectError>>;
    /// Deletes their places in the list only.
    fn unlist(&self) -> BoxFuture<'_, Result<(), SubjectError>>;
    /// How many rows are read, by whoever asks now.
    fn count(&self) -> BoxFuture<'_, Result<u64, SubjectError>>;
    /// Begins to read and does not end.
    fn read(&self) -> BoxFuture<'_, Result<Box<dyn Reader>, SubjectError>>;
}

/// A transaction that has read.
pub trait Reader: Debug + Send {
    /// Ends it.
    fn end(self: Box<Self>) -> BoxFuture<'static, Result<(), SubjectError>>;
}

/// A law that does not hold, or could not be tried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LawError {
    /// The flush or the look did something else than the law says.
    #[error("law broken: {0}")]
    Broken(&'static str),
    /// The flush or the look failed where it must not.
    #[error("the flush or the look failed")]
    Flush(#[from] FlushError),
    /// The subject failed.
    #[error("the subject failed")]
    Subject(#[source] SubjectError),
}

/// What must be true, and the words for it when it is not.
macro_rules! law {
    ($holds:expr, $text:literal $(,)?) => {
        if !$holds {
            return Err(LawError::Broken($text));
        }
    };
}

/// Runs every law, on a subject of its own each time, and returns what the last look saw: what is in
/// [`Verified::remains`] is up to the caller.
///
/// # Errors
/// The first law that does not hold.
pub async fn all<S: Subject>(
    flush: &dyn Flush,
    verify: &dyn Verify,
    fresh: &mut (dyn FnMut() -> BoxFuture<'static, Result<S, SubjectError>> + Send),
) -> Result<Verified, LawError> {
    let mut subject = async || fresh().await.map_err(LawError::Subject);
    a_reader_is_told_of_or_harmless(flush, verify, &subject().await?).await?;
    what_was_deleted_is_nowhere(flush, verify, &subject().await?).await
}

/// After a flush no byte of any version of a deleted row is in a live file; the others are there,
/// as many as before, and a second flush changes nothing of that.
///
/// # Errors
/// [`LawError`].
pub async fn what_was_deleted_is_nowhere(
    flush: &dyn Flush,
    verify: &dyn Verify,
    subject: &dyn Subject,
) -> Result<Verified, LawError> {
    subject.fill().await.map_err(LawError::Subject)?;
    let before = count(subject).await?;
    flushed(flush, subject).await?;
    let seen = look(verify, subject, &subject.deleted()).await?;
    law!(
        !seen.live.sightings.is_empty(),
        "what is not deleted is seen"
    );
    subject.delete().await.map_err(LawError::Subject)?;
    let after = count(subject).await?;
    law!(after < before, "rows were deleted");
    flushed(flush, subject).await?;
    let seen = look(verify, subject, &subject.deleted()).await?;
    law!(
        seen.live.sightings.is_empty(),
        "no byte of a deleted row is left"
    );
    let kept = look(verify, subject, &subject.kept()).await?;
    law!(!kept.live.sightings.is_empty(), "what is kept is seen");
    flushed(flush, subject).await?;
    let again = look(verify, subject, &subject.deleted()).await?;
    law!(again.live.sightings.is_empty(), "a flush can be repeated");
    law!(
        count(subject).await? == after,
        "a flush takes no row away and brings none back"
    );
    Ok(again)
}

/// While somebody reads, a flush either says that it is busy or leaves nothing all the same; once
/// the reader has ended, it leaves nothing.
///
/// # Errors
/// [`LawError`].
pub async fn a_reader_is_told_of_or_harmless(
    flush: &dyn Flush,
    verify: &dyn Verify,
    subject: &dyn Subject,
) -> Result<Verified, LawError> {
    subject.fill().await.map_err(LawError::Subject)?;
    let reader = subject.read().await.map_err(LawError::Subject)?;
    subject.delete().await.map_err(LawError::Subject)?;
    match flush.flush(subject.place()).await {
        Err(FlushError::Busy) => {}
        Err(error) => return Err(error.into()),
        Ok(_) => {
            let seen = look(verify, subject, &subject.deleted()).await?;
            law!(
                seen.live.sightings.is_empty(),
                "a flush beside a reader is busy or leaves nothing"
            );
        }
    }
    reader.end().await.map_err(LawError::Subject)?;
    flushed(flush, subject).await?;
    let seen = look(verify, subject, &subject.deleted()).await?;
    law!(
        seen.live.sightings.is_empty(),
        "no byte of a deleted row is left when the reader has ended"
    );
    Ok(seen)
}

/// Flushes with nobody of ours in the way; maintenance of the database itself may still be.
async fn flushed(flush: &dyn Flush, subject: &dyn Subject) -> Result<(), LawError> {
    let mut refused = 0;
    loop {
        match flush.flush(subject.place()).await {
            Ok(_) => return Ok(()),
            Err(FlushError::Busy) if refused < BUSY_MAX => refused += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

async fn count(subject: &dyn Subject) -> Result<u64, LawError> {
    subject.count().await.map_err(LawError::Subject)
}

async fn look(
    verify: &dyn Verify,
    subject: &dyn Subject,
    needles: &[Needle],
) -> Result<Verified, LawError> {
    Ok(verify.verify(subject.place(), needles).await?)
}

/// Takes rows out of the list and leaves their content where it is, as a bin does that is emptied by
/// half.
#[derive(Debug)]
pub struct IndexRowOnly<S>(pub S);

impl<S: Subject> Subject for IndexRowOnly<S> {
    fn place(&self) -> &Path {
        self.0.place()
    }

    fn deleted(&self) -> Vec<Needle> {
        self.0.deleted()
    }

    fn kept(&self) -> Vec<Needle> {
        self.0.kept()
    }

    fn fill(&self) -> BoxFuture<'_, Result<(), SubjectError>> {
        self.0.fill()
    }

    fn delete(&self) -> BoxFuture<'_, Result<(), SubjectError>> {
        self.0.unlist()
    }

    fn unlist(&self) -> BoxFuture<'_, Result<(), SubjectError>> {
        self.0.unlist()
    }

    fn count(&self) -> BoxFuture<'_, Result<u64, SubjectError>> {
        self.0.count()
    }

    fn read(&self) -> BoxFuture<'_, Result<Box<dyn Reader>, SubjectError>> {
        self.0.read()
    }
}
