//! Sequencing in a database: read committed outbox rows, append them in one transaction, delete
//! them. Stopped after any of the three steps, the next drain ends where an undisturbed one would.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;

use covenant_core::digest::Digest;
use covenant_core::{LogId, OutboxRow};
use sql_store::outbox::{self, OutboxEntry};
use sql_store::{Args, Db, Mode, Tx};

use super::hashes::STORED_HEIGHT_STEP;
use super::{Columns, HeadRow, SqlLog, begin, damaged, head_row, signed, store};
use crate::error::LogError;
use crate::field::decode_sealed;
use crate::merkle::{Edge, Subtree};
use crate::sequencer::{
    BATCH_LEN_MAX, Drained, QuarantineReason, Serves, Stamped, quarantine_leaf, stamp,
};

/// An outbox to drain, and the logs it may write to.
#[derive(Debug, Clone)]
pub struct Feed {
    db: Db,
    serves: Serves,
}

/// Committed rows on their way into logs, in the order in which they will stand there.
#[derive(Debug)]
pub struct Batch {
    rows: Vec<(Feed, OutboxEntry)>,
}

/// One log while a batch is appended.
struct Growing {
    old_size: u64,
    edge: Edge,
}

impl Feed {
    /// The outbox in this database.
    #[must_use]
    pub const fn new(db: Db, serves: Serves) -> Self {
        Self { db, serves }
    }
}

impl Batch {
    /// Whether there is nothing to do.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl SqlLog {
    /// Moves every committed row of these outboxes, and of the audit database's own, into its log.
    ///
    /// # Errors
    /// [`LogError`]; what was sequenced stays so, the rest waits, and the same call settles it.
    pub async fn drain(&self, feeds: &[Feed]) -> Result<Drained, LogError> {
        let mut total = Drained::default();
        loop {
            let batch = self.gather(feeds).await?;
            if batch.is_empty() {
                return Ok(total);
            }
            let Drained {
                sequenced,
                absorbed,
                quarantined,
            } = self.append(&batch).await?;
            total.sequenced = total.sequenced.saturating_add(sequenced);
            total.absorbed = total.absorbed.saturating_add(absorbed);
            total.quarantined = total.quarantined.saturating_add(quarantined);
            self.discard(batch).await?;
        }
    }

    /// First step: reads at most [`BATCH_LEN_MAX`] committed rows, ordered by record time and event.
    ///
    /// # Errors
    /// [`LogError`]; nothing was changed.
    pub async fn gather(&self, feeds: &[Feed]) -> Result<Batch, LogError> {
        let own = Feed::new(self.db.clone(), Serves::All);
        let mut rows: Vec<(Feed, OutboxEntry)> = Vec::new();
        for feed in std::iter::once(&own).chain(feeds) {
            let left = BATCH_LEN_MAX.saturating_sub(rows.len());
            if left == 0 {
                break;
            }
            let limit = u32::try_from(left).unwrap_or(u32::MAX);
            for entry in read_feed(&feed.db, limit).await? {
                rows.push((feed.clone(), entry));
            }
        }
        rows.sort_by_key(|(_, entry)| (entry.recorded_at, entry.row.event));
        Ok(Batch { rows })
    }

    /// Second step: appends the batch in one durable transaction. A row that is in its log already
    /// is absorbed; one that cannot be is set aside, and the operator's log says so.
    ///
    /// # Errors
    /// [`LogError`]; nothing was changed.
    pub async fn append(&self, batch: &Batch) -> Result<Drained, LogError> {
        let mut tx = self.writer(None).await?;
        let mut growing = BTreeMap::new();
        let mut drained = Drained::default();
        for (feed, entry) in &batch.rows {
            sequence(&mut tx, &mut growing, feed.serves, entry, &mut drained).await?;
        }
        for (log, Growing { old_size, edge }) in growing {
            advance(&mut tx, log, old_size, &edge).await?;
        }
        tx.commit().await.map_err(store)?;
        Ok(drained)
    }

    /// Third step: deletes the batch from its outboxes. A delete that is lost is absorbed by the
    /// next drain.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn discard(&self, batch: Batch) -> Result<(), LogError> {
        let mut rest = batch.rows.as_slice();
        while let Some((feed, _)) = rest.first() {
            let same = |(other, _): &&(Feed, OutboxEntry)| other.db.file() == feed.db.file();
            let run = rest.iter().take_while(same).count();
            let (head, tail) = rest.split_at(run.max(1));
            let events: Vec<_> = head.iter().map(|(_, entry)| entry.row.event).collect();
            let mut tx = begin(&feed.db, self.random(), None).await?;
            outbox::delete(&mut tx, &events).await.map_err(store)?;
            tx.commit().await.map_err(store)?;
            rest = tail;
        }
        Ok(())
    }
}

async fn read_feed(db: &Db, limit: u32) -> Result<Vec<OutboxEntry>, LogError> {
    let tag = covenant_core::TxTag {
        txn: covenant_core::TxnId::from_bytes([0; 16]),
        tenant: None,
        decision: None,
    };
    let mut tx = db.begin_with(Mode::ReadOnly, tag).await.map_err(store)?;
    outbox::read(&mut tx, limit).await.map_err(store)
}

async fn sequence(
    tx: &mut Tx,
    growing: &mut BTreeMap<LogId, Growing>,
    serves: Serves,
    entry: &OutboxEntry,
    drained: &mut Drained,
) -> Result<(), LogError> {
    let OutboxEntry {
        row,
        recorded_at,
        txn,
    } = entry;
    let reason = match stamp(row, *recorded_at, *txn, serves) {
        Err(reason) => reason,
        Ok(stamped) => match known(tx, &stamped).await? {
            None => {
                let sealed = decode_sealed(&row.sealed);
                match sealed {
                    Ok(sealed) => {
                        add(tx, growing, &stamped).await?;
                        for field in sealed {
                            let args = Args::new().bind(row.log).bind(row.event);
                            let args = args.bind(field.path).bind(field.sealed);
                            let sql = include_str!("../../../sql/insert_sealed.sql");
                            tx.execute(sql, args).await.map_err(store)?;
                        }
                        drained.sequenced = drained.sequenced.saturating_add(1);
                        return Ok(());
                    }
                    Err(_) => QuarantineReason::NoLeaf,
                }
            }
            Some(hash) if hash == stamped.hash => {
                drained.absorbed = drained.absorbed.saturating_add(1);
                return Ok(());
            }
            Some(_) => QuarantineReason::OtherLeaf,
        },
    };
    drained.quarantined = drained.quarantined.saturating_add(1);
    set_aside(tx, entry, reason).await?;
    let note = quarantine_leaf(row, *recorded_at, *txn, reason);
    let note = note.ok_or(damaged(row.log, 0))?;
    if known(tx, &note).await?.is_none() {
        add(tx, growing, &note).await?;
    }
    Ok(())
}

/// Hash of the leaf that stands in the log under the event of this one.
async fn known(tx: &mut Tx, stamped: &Stamped) -> Result<Option<Digest>, LogError> {
    let args = Args::new().bind(stamped.leaf.log).bind(stamped.leaf.event);
    let row = tx
        .row(include_str!("../../../sql/find_entry.sql"), args)
        .await
        .map_err(store)?;
    row.map(|row| row.digest("leaf_hash"))
        .transpose()
        .map_err(store)
}

async fn set_aside(
    tx: &mut Tx,
    entry: &OutboxEntry,
    reason: QuarantineReason,
) -> Result<(), LogError> {
    let OutboxEntry {
        row:
            OutboxRow {
                event,
                log,
                kind: _,
                leaf,
                sealed,
            },
        recorded_at,
        txn,
    } = entry;
    let args = Args::new()
        .bind(log)
        .bind(event)
        .bind(crate::merkle::leaf_hash(leaf))
        .bind(reason.name())
        .bind(*recorded_at)
        .bind(txn)
        .bind(leaf)
        .bind(sealed);
    let sql = include_str!("../../../sql/insert_quarantine.sql");
    tx.execute(sql, args).await.map(drop).map_err(store)
}

async fn add(
    tx: &mut Tx,
    growing: &mut BTreeMap<LogId, Growing>,
    stamped: &Stamped,
) -> Result<(), LogError> {
    let Stamped { leaf, bytes, hash } = stamped;
    let log = leaf.log;
    let growing = match growing.entry(log) {
        Slot::Occupied(slot) => slot.into_mut(),
        Slot::Vacant(slot) => {
            let row = head_row(tx, log).await?;
            let edge = row.map_or_else(Edge::default, |HeadRow { edge, .. }| edge);
            slot.insert(Growing {
                old_size: edge.size(),
                edge,
            })
        }
    };
    let index = growing.edge.size();
    let mut stored = Vec::new();
    growing.edge.push(*hash, |at, hash| {
        if at.height > 0 && at.height.is_multiple_of(STORED_HEIGHT_STEP) {
            stored.push((at, hash));
        }
    });
    let args = Args::new()
        .bind(log)
        .bind(signed(index))
        .bind(leaf.event)
        .bind(hash)
        .bind(bytes);
    let columns = Columns::of(leaf).ok_or(damaged(log, index))?;
    let sql = include_str!("../../../sql/insert_entry.sql");
    tx.execute(sql, columns.bind(args)).await.map_err(store)?;
    for (Subtree { height, index }, hash) in stored {
        let args = Args::new()
            .bind(log)
            .bind(i64::from(height))
            .bind(signed(index))
            .bind(hash);
        let sql = include_str!("../../../sql/insert_level.sql");
        tx.execute(sql, args).await.map_err(store)?;
    }
    Ok(())
}

/// Moves a head from the size it was read at; from any other size nothing moves.
async fn advance(tx: &mut Tx, log: LogId, old_size: u64, edge: &Edge) -> Result<(), LogError> {
    let head = edge.head();
    let first = Args::new()
        .bind(log)
        .bind(signed(head.size))
        .bind(head.root)
        .bind(edge.encode());
    let moved = if old_size == 0 {
        tx.execute(include_str!("../../../sql/insert_head.sql"), first)
            .await
    } else {
        let args = Args::new()
            .bind(log)
            .bind(signed(old_size))
            .bind(signed(head.size));
        let args = args.bind(head.root).bind(edge.encode());
        tx.execute(include_str!("../../../sql/update_head.sql"), args)
            .await
    };
    if moved.map_err(store)? == 1 {
        Ok(())
    } else {
        Err(LogError::Raced(log))
    }
}
