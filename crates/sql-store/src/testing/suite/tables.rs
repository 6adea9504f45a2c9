//! Laws of the tables: outbox, due-queue, leases.

use std::time::Duration;

use covenant_core::{EventId, LogId, OutboxError, OutboxRow, OutboxTx as _, TenantId};
use time::UtcDateTime;
use uuid::Uuid;

use super::{Outcome, broken, law, tag};
use crate::due::Due;
use crate::{Db, DbError, Mode, due, lease, outbox};

/// Outbox rows commit with the change; ids are unique; order is that of time and id.
///
/// # Errors
/// [`SuiteError`](super::SuiteError).
pub async fn outbox_rows_commit_with_their_transaction(db: &Db) -> Outcome {
    let mut tx = db.begin_with(Mode::ReadWrite, tag(51)).await?;
    tx.put(outbox_row(2)).await?;
    tx.put(outbox_row(1)).await?;
    let now = tx.now();
    tx.commit().await?;
    let mut tx = db.begin_with(Mode::ReadWrite, tag(52)).await?;
    tx.put(outbox_row(3)).await?;
    drop(tx);
    let mut tx = db.begin_with(Mode::ReadWrite, tag(53)).await?;
    let twice = tx.put(outbox_row(1)).await;
    law!(
        matches!(twice, Err(OutboxError::Store(_))),
        "the same event again is an error",
    )?;
    drop(tx);
    let mut tx = db.begin_with(Mode::ReadWrite, tag(54)).await?;
    let mut large = outbox_row(4);
    large.leaf = vec![0; covenant_core::outbox::LEAF_LEN_BYTES_MAX.saturating_add(1)];
    let large = tx.put(large).await;
    law!(
        matches!(large, Err(OutboxError::TooLarge)),
        "a leaf has a cap",
    )?;
    let rows = outbox::read(&mut tx, 256).await?;
    let read: Vec<OutboxRow> = rows.iter().map(|entry| entry.row.clone()).collect();
    law!(
        read == [outbox_row(1), outbox_row(2)],
        "the rows are as they were put, in order",
    )?;
    let stamped = rows
        .iter()
        .all(|e| e.txn == tag(51).txn && e.recorded_at <= now);
    law!(stamped, "transaction and time are stamped")?;
    law!(
        outbox::read(&mut tx, 1).await?.len() == 1,
        "at most as many as asked for",
    )?;
    let events = [
        outbox_row(1).event,
        outbox_row(2).event,
        outbox_row(9).event,
    ];
    outbox::delete(&mut tx, &events).await?;
    law!(outbox::count(&mut tx).await? == 0, "deleted rows are gone")?;
    tx.commit().await?;
    Ok(())
}

/// The queue is ordered, an upsert moves a row, and a row that moved is not taken off by mistake.
///
/// # Errors
/// [`SuiteError`](super::SuiteError).
pub async fn the_queue_gives_what_is_due_in_order(db: &Db) -> Outcome {
    let at = |secs: i64| UtcDateTime::from_unix_timestamp(secs).unwrap_or(UtcDateTime::MAX);
    let row = |secs: i64, kind: &str, key: u8| Due {
        due_at: at(secs),
        kind: kind.to_owned(),
        tenant: TenantId::from_bytes([1; 16]),
        key: vec![key],
    };
    let mut tx = db.begin_with(Mode::ReadWrite, tag(1)).await?;
    law!(
        due::next(&mut tx).await?.is_none(),
        "an empty queue has no next",
    )?;
    for due in [
        row(30, "b", 1),
        row(20, "b", 2),
        row(20, "a", 3),
        row(10, "a", 4),
    ] {
        due::put(&mut tx, &due).await?;
    }
    due::put(&mut tx, &row(40, "a", 4)).await?;
    law!(
        due::next(&mut tx).await? == Some(at(20)),
        "the next is the earliest",
    )?;
    let now = due::due(&mut tx, at(30), 10).await?;
    let expected = [row(20, "a", 3), row(20, "b", 2), row(30, "b", 1)];
    law!(now == expected, "what is due comes in order")?;
    law!(
        due::due(&mut tx, at(30), 2).await?.len() == 2,
        "at most as many as asked for",
    )?;
    due::done(&mut tx, &row(10, "a", 4)).await?;
    due::done(&mut tx, &row(20, "a", 3)).await?;
    law!(
        due::next(&mut tx).await? == Some(at(20)),
        "what is done is off the queue",
    )?;
    let rows = [(at(5), vec![7]), (at(50), vec![8])];
    due::replace(&mut tx, TenantId::from_bytes([1; 16]), "b", &rows).await?;
    let left = due::due(&mut tx, at(100), 10).await?;
    let expected = [row(5, "b", 7), row(40, "a", 4), row(50, "b", 8)];
    law!(
        left == expected,
        "a row that moved stays; a kind is replaced whole",
    )?;
    due::cancel(&mut tx, TenantId::from_bytes([1; 16]), "a", &[4]).await?;
    law!(
        due::due(&mut tx, at(100), 10).await?.len() == 2,
        "a row is cancelled at any instant",
    )?;
    let long = Due {
        key: vec![0; due::KEY_LEN_BYTES_MAX.saturating_add(1)],
        ..row(1, "a", 1)
    };
    let refused = due::put(&mut tx, &long).await;
    law!(
        matches!(refused, Err(DbError::TooLong { .. })),
        "a key has a cap",
    )?;
    tx.rollback().await?;
    Ok(())
}

/// One worker holds a lease; every acquisition has a higher fence; who lost it is told.
///
/// # Errors
/// [`SuiteError`](super::SuiteError).
pub async fn one_worker_holds_a_lease(db: &Db) -> Outcome {
    let (anne, bert) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let long = Duration::from_secs(3_600);
    let acquire = async |holder: Uuid, length: Duration| -> Result<_, DbError> {
        let mut tx = db.begin_with(Mode::ReadWrite, tag(1)).await?;
        let lease = lease::acquire(&mut tx, "suite", holder, length).await?;
        tx.commit().await?;
        Ok(lease)
    };
    let first = acquire(anne, long).await?;
    let first = first.ok_or_else(|| broken("a free lease is given"))?;
    law!(
        acquire(bert, long).await?.is_none(),
        "a lease that is held is not given",
    )?;
    law!(
        acquire(anne, long).await?.is_none(),
        "not even to its holder",
    )?;
    let mut tx = db.begin_with(Mode::ReadWrite, tag(2)).await?;
    law!(lease::verify(&mut tx, &first).await?, "the holder holds it")?;
    law!(
        lease::renew(&mut tx, &first, long).await?,
        "the holder can prolong it",
    )?;
    lease::release(&mut tx, &first).await?;
    law!(
        !lease::verify(&mut tx, &first).await?,
        "released, nobody holds it",
    )?;
    law!(
        !lease::renew(&mut tx, &first, long).await?,
        "nor prolongs it",
    )?;
    tx.commit().await?;
    let second = acquire(bert, Duration::ZERO).await?;
    let second = second.ok_or_else(|| broken("a released lease is given"))?;
    let third = acquire(anne, long).await?;
    let third = third.ok_or_else(|| broken("a lease whose time is over is given"))?;
    law!(
        first.fence() < second.fence() && second.fence() < third.fence(),
        "fences grow",
    )?;
    let mut tx = db.begin_with(Mode::ReadWrite, tag(3)).await?;
    law!(
        !lease::verify(&mut tx, &second).await?,
        "who lost it is told",
    )?;
    law!(
        !lease::renew(&mut tx, &second, long).await?,
        "and cannot prolong it",
    )?;
    lease::release(&mut tx, &second).await?;
    law!(
        lease::verify(&mut tx, &third).await?,
        "nor release it for another",
    )?;
    let refused = lease::acquire(&mut tx, &"x".repeat(129), anne, long).await;
    law!(
        matches!(refused, Err(DbError::TooLong { .. })),
        "a name has a cap",
    )?;
    tx.commit().await?;
    Ok(())
}

pub(super) fn outbox_row(n: u8) -> OutboxRow {
    OutboxRow {
        event: EventId::from_bytes([n; 16]),
        log: LogId::from_bytes([9; 16]),
        kind: n & 1,
        leaf: vec![n; 3],
        sealed: vec![],
    }
}
