//! PostgreSQL keeps the same laws of a flush as SQLite; a purge of the list alone breaks them.

use std::path::Path;

use covenant_core::BoxFuture;
use retention_policy::physical::{LogTurn, PostgresFlush};
use retention_policy::scan::Needle;
use retention_policy::testing::physical::{
    self, IndexRowOnly, LawError, Reader, Subject, SubjectError,
};
use sql_store::PgConnection;
use std::time::Duration;

use crate::lived::{self, ALONE, Database, Outcome, number, run};
use crate::markers::Seed;

const LAWS: Seed = Seed(5);
const LIST: Seed = Seed(6);

#[derive(Debug)]
struct Tenant(Database);

#[derive(Debug)]
struct Reading(PgConnection);

impl Reader for Reading {
    fn end(mut self: Box<Self>) -> BoxFuture<'static, Result<(), SubjectError>> {
        Box::pin(async move { run(&mut self.0, "COMMIT").await })
    }
}

impl Subject for Tenant {
    fn place(&self) -> &Path {
        &self.0.place
    }

    fn deleted(&self) -> Vec<Needle> {
        self.0.deleted()
    }

    fn kept(&self) -> Vec<Needle> {
        self.0.kept()
    }

    fn fill(&self) -> BoxFuture<'_, Result<(), SubjectError>> {
        Box::pin(async move {
            let mut db = self.0.connect().await?;
            self.0.fill(&mut db).await
        })
    }

    fn delete(&self) -> BoxFuture<'_, Result<(), SubjectError>> {
        Box::pin(async move { lived::delete(&mut self.0.connect().await?).await })
    }

    fn unlist(&self) -> BoxFuture<'_, Result<(), SubjectError>> {
        Box::pin(async move {
            let sql = "DELETE FROM listed WHERE n % 10 = 3";
            run(&mut self.0.connect().await?, sql).await
        })
    }

    fn count(&self) -> BoxFuture<'_, Result<u64, SubjectError>> {
        Box::pin(async move {
            let sql = "SELECT count(*) FROM listed JOIN note USING (n)";
            let rows = number(&mut self.0.connect().await?, sql).await?;
            Ok(u64::try_from(rows)?)
        })
    }

    fn read(&self) -> BoxFuture<'_, Result<Box<dyn Reader>, SubjectError>> {
        Box::pin(async move {
            let mut db = self.0.connect().await?;
            run(&mut db, "BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
            number(&mut db, "SELECT count(*) FROM note").await?;
            Ok(Box::new(Reading(db)) as Box<dyn Reader>)
        })
    }
}

fn flush(tenant: &Database) -> Outcome<PostgresFlush> {
    let options = tenant.options()?.lock_wait(Duration::from_secs(1));
    Ok(PostgresFlush::new(options, LogTurn::Leave))
}

// clause: P-52
#[tokio::test]
async fn the_laws_hold() -> Outcome {
    let _alone = ALONE.lock().await;
    let Some(tenant) = Database::create("bytes_laws", LAWS).await? else {
        return Ok(());
    };
    let flush = flush(&tenant)?;
    let name = tenant.name;
    physical::all(&flush, &flush, &mut || {
        Box::pin(async move {
            let tenant = Database::create(name, LAWS)
                .await?
                .ok_or("the server is gone")?;
            Ok(Tenant(tenant))
        })
    })
    .await?;
    tenant.remove().await
}

#[tokio::test]
async fn a_purge_of_the_list_alone_is_found_by_the_scan() -> Outcome {
    let _alone = ALONE.lock().await;
    let Some(tenant) = Database::create("bytes_list", LIST).await? else {
        return Ok(());
    };
    let flush = flush(&tenant)?;
    let subject = IndexRowOnly(Tenant(tenant.clone()));
    let tried = physical::what_was_deleted_is_nowhere(&flush, &flush, &subject).await;
    let law = "no byte of a deleted row is left";
    assert!(
        matches!(tried, Err(LawError::Broken(found)) if found == law),
        "{tried:?}"
    );
    tenant.remove().await
}
