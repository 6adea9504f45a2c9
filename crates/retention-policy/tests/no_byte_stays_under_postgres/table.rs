//! What each step leaves, printed; where it is left, and whether anything is, asserted.

use retention_policy::apply::{Flush as _, FlushError};
use retention_policy::physical::{LogTurn, PostgresFlush, Verify as _};

use crate::lived::{ALONE, Database, Outcome, delete, folder_of, number, run};
use crate::markers::Seed;

/// Statistics of the planner that hold a value of a deleted row.
const SAMPLES: &str = "SELECT count(*) FROM pg_stats AS s, note AS n, \
     LATERAL unnest(s.histogram_bounds::text::text[]) AS value \
     WHERE s.tablename = 'note' AND s.attname = 'title' AND n.n = 4 \
     AND NOT EXISTS (SELECT 1 FROM note AS kept WHERE kept.title = value)";

// clause: P-52
#[tokio::test]
async fn only_a_rewrite_removes_deleted_rows_and_the_log_keeps_them_longer() -> Outcome {
    let _alone = ALONE.lock().await;
    let Some(tenant) = Database::create("bytes_table", Seed(1)).await? else {
        return Ok(());
    };
    let keeper = tenant.keep_log().await?;
    let mut db = tenant.connect().await?;
    tenant.fill(&mut db).await?;
    let flush = tenant.flush(LogTurn::Leave)?;
    let look = async |step: &str| -> Outcome<_> {
        let seen = flush.verify(&tenant.place, &tenant.deleted()).await?;
        println!("| {step} | {:?} |", tenant.by_relation(&seen).await?);
        Ok(seen)
    };

    delete(&mut db).await?;
    run(&mut db, "CHECKPOINT").await?;
    let seen = look("DELETE, checkpoint").await?;
    let relations = tenant.by_relation(&seen).await?;
    for relation in ["note", "note_title", "note_words", "pg_wal"] {
        assert!(
            relations.contains_key(relation),
            "{relation}: {relations:?}"
        );
    }
    assert!(
        relations.keys().any(|name| name.starts_with("pg_toast")),
        "{relations:?}"
    );

    run(&mut db, "VACUUM").await?;
    run(&mut db, "CHECKPOINT").await?;
    let seen = look("VACUUM, checkpoint").await?;
    assert!(
        seen.live.sightings.len() > 2_000,
        "a plain vacuum leaves bytes"
    );

    run(&mut db, "VACUUM (FULL) note").await?;
    run(&mut db, "CHECKPOINT").await?;
    let seen = look("VACUUM FULL of the table, checkpoint").await?;
    assert!(
        !seen.live.sightings.is_empty(),
        "statistics are copies of values"
    );
    assert!(number(&mut db, SAMPLES).await? > 0);

    flush.flush(&tenant.place).await?;
    let seen = look("flush, log left").await?;
    assert!(seen.live.sightings.is_empty());
    assert_eq!(number(&mut db, SAMPLES).await?, 0);
    let told = seen.remains.sightings.len();
    assert!(told > 20_000, "what stays in the log is told: {told}");

    let over = tenant.flush(LogTurn::Over)?;
    over.flush(&tenant.place).await?;
    let seen = look("flush, log turned over beside a replica that lags behind").await?;
    assert!(seen.live.sightings.is_empty());
    assert!(seen.remains.sightings.len() >= told, "it keeps the log");
    keeper.end().await?;
    over.flush(&tenant.place).await?;
    let seen = look("flush, log turned over").await?;
    assert!(seen.is_absent());
    // the control
    let kept = flush.verify(&tenant.place, &tenant.kept()).await?;
    assert!(kept.live.sightings.len() > 4_000);
    assert_eq!(number(&mut db, "SELECT count(*) FROM note").await?, 18_000);
    let version: String = sqlx::query_scalar("SHOW server_version")
        .fetch_one(&mut db)
        .await?;
    println!("| measured on PostgreSQL | {version} |");
    drop(db);
    tenant.remove().await
}

// clause: P-59
#[tokio::test]
async fn a_purged_tenant_leaves_no_byte() -> Outcome {
    let _alone = ALONE.lock().await;
    let Some(tenant) = Database::create("bytes_purged", Seed(2)).await? else {
        return Ok(());
    };
    let keeper = tenant.keep_log().await?;
    let mut db = tenant.connect().await?;
    tenant.fill(&mut db).await?;
    run(&mut db, "CHECKPOINT").await?;
    let sql = "SELECT oid::bigint FROM pg_database WHERE datname = current_database()";
    let folder = folder_of(&tenant.place, number(&mut db, sql).await?);
    assert!(folder.is_dir());
    let needles = [tenant.deleted(), tenant.kept()].concat();
    let flush = tenant.flush_from_outside(LogTurn::Leave)?;
    let seen = flush.verify(&tenant.place, &needles).await?;
    assert!(seen.live.sightings.len() > 10_000);

    // a session of the tenant is open: it is ended
    flush.drop_database(tenant.name, &tenant.place).await?;
    assert!(number(&mut db, "SELECT 1::bigint").await.is_err());
    assert!(!folder.exists());
    let seen = flush.verify(&tenant.place, &needles).await?;
    println!(
        "| DROP DATABASE, log left | pg_wal: {} |",
        seen.remains.sightings.len()
    );
    assert!(seen.live.sightings.is_empty());
    assert!(seen.remains.sightings.len() > 20_000);
    keeper.end().await?;

    // once more: what is gone is no error
    let flush = tenant.flush_from_outside(LogTurn::Over)?;
    flush.drop_database(tenant.name, &tenant.place).await?;
    assert!(flush.verify(&tenant.place, &needles).await?.is_absent());
    Ok(())
}

// clause: P-52
#[tokio::test]
async fn an_older_transaction_is_no_silent_failure() -> Outcome {
    let _alone = ALONE.lock().await;
    let Some(tenant) = Database::create("bytes_older", Seed(3)).await? else {
        return Ok(());
    };
    let mut db = tenant.connect().await?;
    tenant.fill(&mut db).await?;
    // it reads another table, so no lock of it is in the way
    let mut reader = tenant.connect().await?;
    run(&mut reader, "BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
    number(&mut reader, "SELECT count(*) FROM pg_class").await?;
    delete(&mut db).await?;
    run(&mut db, "VACUUM (FULL) note").await?;
    run(&mut db, "CHECKPOINT").await?;
    let flush = tenant.flush(LogTurn::Leave)?;
    let seen = flush.verify(&tenant.place, &tenant.deleted()).await?;
    let carried = tenant.by_relation(&seen).await?;
    println!("| VACUUM FULL beside an older reader | {carried:?} |");
    assert!(
        carried.get("note").is_some_and(|n| *n > 2_000),
        "carried over: {carried:?}"
    );
    refused(&tenant).await?;
    run(&mut reader, "COMMIT").await?;

    // one that writes, in another database of the server
    let Some(other) = Database::create("bytes_other", Seed(7)).await? else {
        return Ok(());
    };
    let mut writer = other.connect().await?;
    run(&mut writer, "BEGIN; SELECT pg_current_xact_id()").await?;
    run(&mut db, "DELETE FROM note WHERE n % 10 = 5").await?;
    refused(&tenant).await?;
    run(&mut writer, "COMMIT").await?;

    flush.flush(&tenant.place).await?;
    let seen = flush.verify(&tenant.place, &tenant.deleted()).await?;
    assert!(seen.live.sightings.is_empty());
    drop((db, reader, writer));
    other.remove().await?;
    tenant.remove().await
}

/// A flush that hardly waits is told of an older transaction.
async fn refused(tenant: &Database) -> Outcome {
    let wait = std::time::Duration::from_millis(40);
    let flush = PostgresFlush::new(tenant.options()?.lock_wait(wait), LogTurn::Leave);
    let blocked = flush.flush(&tenant.place).await;
    assert!(matches!(blocked, Err(FlushError::Busy)), "{blocked:?}");
    Ok(())
}

#[tokio::test]
async fn a_folder_of_another_server_is_refused() -> Outcome {
    let _alone = ALONE.lock().await;
    let Some(tenant) = Database::create("bytes_folder", Seed(4)).await? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let flush = tenant.flush(LogTurn::Leave)?;
    let refused = flush.flush(folder.path()).await;
    assert!(
        matches!(refused, Err(FlushError::Unavailable(_))),
        "{refused:?}"
    );
    flush.flush(&tenant.place).await?;
    tenant.remove().await
}
