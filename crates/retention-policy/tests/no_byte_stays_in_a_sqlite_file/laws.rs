//! SQLite keeps the laws of a flush; without the vacuum, without the checkpoint
//! and with the list alone emptied they are broken, and the scan says so. Only the start-up check
//! finds a connection that does not overwrite.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use covenant_core::BoxFuture;
use retention_policy::SqliteFlush;
use retention_policy::apply::Flush;
use retention_policy::physical::Verify as _;
use retention_policy::scan::Needle;
use retention_policy::testing::physical::{
    self, IndexRowOnly, LawError, NoCheckpoint, NoVacuum, Reader, Subject, SubjectError,
    no_secure_delete,
};
use sql_store::{Durability, OpenError};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteJournalMode as Journal;
use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::lived::SEED;
use crate::lived::{self, Make, Outcome, close, run};
use crate::markers::{deleted_forms, kept_forms};

/// A file in a folder of its own, and somebody who has it open.
#[derive(Debug)]
struct Lived {
    make: Make,
    path: PathBuf,
    open: Arc<Mutex<Option<SqliteConnection>>>,
    _folder: TempDir,
}

impl Lived {
    fn new(make: Make) -> std::io::Result<Self> {
        let folder = tempfile::tempdir()?;
        Ok(Self {
            make,
            path: folder.path().join("main.db"),
            open: Arc::default(),
            _folder: folder,
        })
    }

    async fn run(&self, sql: &str) -> Outcome {
        let mut open = self.open.lock().await;
        let open = open.as_mut().ok_or("not filled")?;
        run(open, sql.to_owned()).await
    }
}

#[derive(Debug)]
struct Reading(SqliteConnection);

impl Reader for Reading {
    fn end(mut self: Box<Self>) -> BoxFuture<'static, Result<(), SubjectError>> {
        Box::pin(async move {
            run(&mut self.0, "COMMIT".into()).await.map_err(told)?;
            close(self.0).await.map_err(told)
        })
    }
}

impl Subject for Lived {
    fn place(&self) -> &Path {
        &self.path
    }

    fn deleted(&self) -> Vec<Needle> {
        deleted_forms(SEED)
    }

    fn kept(&self) -> Vec<Needle> {
        kept_forms(SEED)
    }

    fn fill(&self) -> BoxFuture<'_, Result<(), SubjectError>> {
        Box::pin(async move {
            let mut db = self.make.live(&self.path).await.map_err(told)?;
            let list = "CREATE TABLE listed AS SELECT n FROM note";
            run(&mut db, list.into()).await.map_err(told)?;
            *self.open.lock().await = Some(db);
            Ok(())
        })
    }

    fn delete(&self) -> BoxFuture<'_, Result<(), SubjectError>> {
        Box::pin(async move {
            self.unlist().await?;
            let mut open = self.open.lock().await;
            let open = open.as_mut().ok_or("not filled")?;
            self.make.delete(open).await.map_err(told)
        })
    }

    fn unlist(&self) -> BoxFuture<'_, Result<(), SubjectError>> {
        Box::pin(async move {
            let sql = "DELETE FROM listed WHERE n % 10 = 3";
            self.run(sql).await.map_err(told)
        })
    }

    fn count(&self) -> BoxFuture<'_, Result<u64, SubjectError>> {
        Box::pin(async move {
            let mut open = self.open.lock().await;
            let open = open.as_mut().ok_or("not filled")?;
            let sql = "SELECT count(*) FROM listed JOIN note USING (n)";
            Ok(u64::try_from(
                lived::number(open, sql).await.map_err(told)?,
            )?)
        })
    }

    fn read(&self) -> BoxFuture<'_, Result<Box<dyn Reader>, SubjectError>> {
        Box::pin(async move {
            // Whoever reads under a rollback journal keeps the deletion itself out: there it reads a
            // table, and ends at once.
            let mut db = self.make.connect(&self.path).await.map_err(told)?;
            run(&mut db, "BEGIN".into()).await.map_err(told)?;
            let wal = matches!(self.make.journal, Journal::Wal);
            if wal {
                let sql = "SELECT count(*) FROM note";
                lived::number(&mut db, sql).await.map_err(told)?;
            }
            Ok(Box::new(Reading(db)) as Box<dyn Reader>)
        })
    }
}

fn told(error: Box<dyn std::error::Error>) -> SubjectError {
    error.to_string().into()
}

fn flush() -> SqliteFlush {
    SqliteFlush::new(Durability::Off).waiting(Duration::from_millis(20))
}

fn fresh(make: Make) -> BoxFuture<'static, Result<Lived, SubjectError>> {
    Box::pin(async move { Ok(Lived::new(make)?) })
}

// clause: P-52
#[tokio::test]
async fn the_laws_hold_under_each_kind_of_journal() -> Outcome {
    for journal in [Journal::Wal, Journal::Persist] {
        let make = Make::new(journal);
        let seen = physical::all(&flush(), &flush(), &mut || fresh(make)).await?;
        assert!(
            seen.is_absent(),
            "SQLite has no logs that stay: {journal:?}"
        );
    }
    Ok(())
}

/// The law that this flush breaks.
async fn broken(sabotage: &dyn Flush) -> Outcome<&'static str> {
    let subject = Lived::new(Make::new(Journal::Wal))?;
    match physical::what_was_deleted_is_nowhere(sabotage, &flush(), &subject).await {
        Err(LawError::Broken(law)) => Ok(law),
        other => Err(format!("not found: {other:?}").into()),
    }
}

#[tokio::test]
async fn a_flush_without_vacuum_or_checkpoint_is_found_by_the_scan() -> Outcome {
    for sabotage in [&NoVacuum as &dyn Flush, &NoCheckpoint] {
        let law = broken(sabotage).await?;
        assert_eq!(law, "no byte of a deleted row is left", "{sabotage:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_purge_of_the_list_alone_is_found_by_the_scan() -> Outcome {
    let subject = IndexRowOnly(Lived::new(Make::new(Journal::Wal))?);
    let tried = physical::what_was_deleted_is_nowhere(&flush(), &flush(), &subject).await;
    let law = "no byte of a deleted row is left";
    assert!(
        matches!(tried, Err(LawError::Broken(found)) if found == law),
        "{tried:?}"
    );
    // whoever counts the list alone sees what an honest purge shows
    assert_eq!(subject.count().await.map_err(|e| e.to_string())?, 18_000);
    Ok(())
}

// clause: P-52
#[tokio::test]
async fn a_connection_that_does_not_overwrite_is_found_by_the_start_up_check_alone() -> Outcome {
    let subject = Lived::new(Make::new(Journal::Wal))?;
    subject.fill().await.map_err(|e| e.to_string())?;
    {
        let mut open = subject.open.lock().await;
        let open = open.as_mut().ok_or("not filled")?;
        sql_store::check_secure_delete(open).await?;
        no_secure_delete(open).await?;
    }
    // no scan finds it once the file was flushed
    subject.delete().await.map_err(|e| e.to_string())?;
    flush().flush(&subject.path).await?;
    assert!(
        flush()
            .verify(&subject.path, &deleted_forms(SEED))
            .await?
            .is_absent()
    );
    for setting in ["OFF", "FAST"] {
        subject
            .run(&format!("PRAGMA secure_delete={setting}"))
            .await?;
        let mut open = subject.open.lock().await;
        let open = open.as_mut().ok_or("not filled")?;
        let refused = sql_store::check_secure_delete(open).await;
        let name = "secure_delete";
        assert!(
            matches!(&refused, Err(OpenError::Setting { name: found, .. }) if *found == name),
            "{setting}: {refused:?}"
        );
        // the refused connection is on now
        sql_store::check_secure_delete(open).await?;
    }
    Ok(())
}
