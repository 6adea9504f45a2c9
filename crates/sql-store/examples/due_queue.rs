//! Puts two things on the due-queue of a SQLite file and drains what is due.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use covenant_core::{Clock as _, ManualClock, TenantId, TxTag, TxnId};
use sql_store::due::{self, DUE, Due};
use sql_store::{Db, Mode, SqliteOptions, SqliteProfile};
use time::UtcDateTime;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let clock = Arc::new(ManualClock::at(UtcDateTime::from_unix_timestamp(
        1_790_000_000,
    )?));
    let options = SqliteOptions::new(folder.path().join("control.db"), SqliteProfile::Control);
    let db = Db::create_sqlite(options, clock.clone()).await?;
    db.migrate(&DUE).await?;

    let tag = TxTag {
        txn: TxnId::from_bytes([1; 16]),
        tenant: None,
        decision: None,
    };
    let tenant = TenantId::from_bytes([2; 16]);
    let mut tx = db.begin_with(Mode::ReadWrite, tag).await?;
    for (days, key) in [(1, b"first"), (30, b"later")] {
        let due_at = clock.now() + time::Duration::days(days);
        let kind = "bin".to_owned();
        due::put(
            &mut tx,
            &Due {
                due_at,
                kind,
                tenant,
                key: key.to_vec(),
            },
        )
        .await?;
    }
    tx.commit().await?;

    clock.advance(Duration::from_secs(2 * 86_400));
    let mut tx = db.begin_with(Mode::ReadWrite, tag).await?;
    for due in due::due(&mut tx, clock.now(), 100).await? {
        println!(
            "{} {} is due since {}",
            due.kind,
            String::from_utf8_lossy(&due.key),
            due.due_at
        );
        due::done(&mut tx, &due).await?;
    }
    println!("the next falls due at {:?}", due::next(&mut tx).await?);
    tx.commit().await?;
    db.close().await;
    Ok(())
}
