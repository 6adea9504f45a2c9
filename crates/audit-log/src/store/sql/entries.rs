//! Reading leaves: whole, with everything that is stored of them checked against each other.

use std::ops::Range;

use covenant_core::digest::Digest;
use covenant_core::{EventId, ItemId, LogId, TxnId};
use sql_store::{Args, DbError, Row, Tx};
use time::UtcDateTime;

use super::{HeadRow, damaged, head_row, signed, store, subtree, unsigned};
use crate::error::LogError;
use crate::fold::{Fold, FoldError, Folder, check_bounds, check_same};
use crate::leaf::Leaf;
use crate::merkle::{Edge, TreeHead, combine, leaf_hash, subtrees};
use crate::store::{Entry, READ_LEN_MAX};

/// One stored entry with its query columns, as it stands in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntryRow {
    pub(crate) index: u64,
    pub(crate) event: EventId,
    pub(crate) hash: Digest,
    pub(crate) leaf: Vec<u8>,
    pub(crate) columns: Columns,
}

/// The query columns of an entry: all of them follow from its leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns {
    pub(crate) at: UtcDateTime,
    pub(crate) recorded_at: UtcDateTime,
    pub(crate) txn: TxnId,
    pub(crate) action: String,
    pub(crate) outcome: &'static str,
    pub(crate) kind: String,
    pub(crate) table: Option<String>,
    pub(crate) item: Option<ItemId>,
}

impl Columns {
    /// The columns of a sequenced leaf; `None` for one without its stamps.
    pub(crate) fn of(leaf: &Leaf) -> Option<Self> {
        Some(Self {
            at: leaf.at,
            recorded_at: leaf.recorded_at?,
            txn: leaf.txn?,
            action: leaf.action.name().to_owned(),
            outcome: crate::leaf::outcome_word(leaf.outcome),
            kind: leaf.target.kind.clone(),
            table: leaf.target.table.clone(),
            item: leaf.target.id.clone(),
        })
    }

    pub(crate) fn bind(self, args: Args) -> Args {
        let Self {
            at,
            recorded_at,
            txn,
            action,
            outcome,
            kind,
            table,
            item,
        } = self;
        args.bind(at)
            .bind(recorded_at)
            .bind(txn)
            .bind(action)
            .bind(outcome)
            .bind(kind)
            .bind(table)
            .bind(item)
    }

    fn read(row: &Row) -> Result<Option<Self>, DbError> {
        let words = ["ok", "denied", "error"];
        let outcome = row.text("outcome")?;
        let Some(outcome) = words.into_iter().find(|word| *word == outcome) else {
            return Ok(None);
        };
        let item = match row.opt_bytes("item")? {
            None => None,
            Some(bytes) => match ItemId::try_from(bytes) {
                Ok(item) => Some(item),
                Err(_) => return Ok(None),
            },
        };
        Ok(Some(Self {
            at: row.instant("at")?,
            recorded_at: row.instant("recorded_at")?,
            txn: row.id("txn")?,
            action: row.text("action")?.to_owned(),
            outcome,
            kind: row.text("kind")?.to_owned(),
            table: row.opt_text("tbl")?.map(str::to_owned),
            item,
        }))
    }
}

/// The stored entries of this range, in order; one whose columns cannot even be read has `None`.
pub(crate) async fn entry_rows(
    tx: &mut Tx,
    log: LogId,
    range: Range<u64>,
) -> Result<Vec<(u64, Option<EntryRow>)>, LogError> {
    let sql = include_str!("../../../sql/read_entries.sql");
    let args = Args::new()
        .bind(log)
        .bind(signed(range.start))
        .bind(signed(range.end));
    let rows = tx.rows(sql, args).await.map_err(store)?;
    rows.iter()
        .map(|row| {
            let index = unsigned(log, row.int("idx"))?;
            Ok((index, entry_row(row, index).ok().flatten()))
        })
        .collect()
}

fn entry_row(row: &Row, index: u64) -> Result<Option<EntryRow>, DbError> {
    let Some(columns) = Columns::read(row)? else {
        return Ok(None);
    };
    Ok(Some(EntryRow {
        index,
        event: row.id("event")?,
        hash: row.digest("leaf_hash")?,
        leaf: row.bytes("leaf")?.to_vec(),
        columns,
    }))
}

/// The leaves of a range, each hashed and compared with its stored hash.
pub(super) async fn read(
    tx: &mut Tx,
    log: LogId,
    range: Range<u64>,
) -> Result<Vec<Entry>, LogError> {
    let size = head_row(tx, log).await?.map_or(0, |head| head.head.size);
    if range.start > size {
        return Err(LogError::OutOfRange { log, size });
    }
    let to = range
        .end
        .min(size)
        .min(range.start.saturating_add(READ_LEN_MAX));
    let rows = leaf_rows(tx, log, range.start..to).await?;
    let mut entries = Vec::new();
    for (index, stored, bytes) in rows {
        let hash = leaf_hash(&bytes);
        if hash != stored {
            return Err(damaged(log, index));
        }
        match Leaf::decode(&bytes) {
            Ok(leaf) if leaf.log == log => entries.push(Entry { index, hash, leaf }),
            Ok(_) => return Err(damaged(log, index)),
            Err(error) => {
                return Err(LogError::Damaged {
                    log,
                    index,
                    source: Some(error),
                });
            }
        }
    }
    Ok(entries)
}

/// Number, stored hash and bytes of all leaves in the range; a missing one is damage.
async fn leaf_rows(
    tx: &mut Tx,
    log: LogId,
    range: Range<u64>,
) -> Result<Vec<(u64, Digest, Vec<u8>)>, LogError> {
    let sql = include_str!("../../../sql/read_entries.sql");
    let args = Args::new()
        .bind(log)
        .bind(signed(range.start))
        .bind(signed(range.end));
    let rows = tx.rows(sql, args).await.map_err(store)?;
    let mut leaves = Vec::new();
    let mut expected = range.clone();
    for row in &rows {
        let index = expected
            .next()
            .filter(|next| row.int("idx").ok() == Some(signed(*next)));
        let index = index.ok_or(damaged(log, range.start))?;
        let hash = row.digest("leaf_hash").or(Err(damaged(log, index)))?;
        let leaf = row.bytes("leaf").or(Err(damaged(log, index)))?;
        leaves.push((index, hash, leaf.to_vec()));
    }
    match expected.next() {
        Some(missing) => Err(damaged(log, missing)),
        None => Ok(leaves),
    }
}

/// The edge of the tree when it had `size` leaves, from stored hashes.
pub(super) async fn edge_at(tx: &mut Tx, log: LogId, size: u64) -> Result<Edge, LogError> {
    let mut peaks = Vec::new();
    for at in subtrees(0, size) {
        peaks.push(subtree(tx, log, at).await?);
    }
    Edge::new(size, peaks).or(Err(damaged(log, 0)))
}

/// Folds the ledger; trusts nothing but leaf bytes above `since`.
pub(super) async fn fold(
    tx: &mut Tx,
    log: LogId,
    since: TreeHead,
    known: &[TreeHead],
) -> Result<Fold, FoldError> {
    let waiting = tx.row(
        include_str!("../../../sql/count_waiting.sql"),
        Args::new().bind(log),
    );
    let waiting = waiting.await.map_err(store)?;
    if waiting.map(|row| row.int("n")).transpose().map_err(store)? != Some(0) {
        return Err(FoldError::NotDrained(log));
    }
    let head = head_row(tx, log).await?;
    let head = head.map_or_else(TreeHead::empty, |HeadRow { head, .. }| head);
    check_bounds(log, head.size, since, known)?;
    for outside in known.iter().filter(|outside| outside.size <= since.size) {
        let edge = edge_at(tx, log, outside.size).await?;
        check_same(log, *outside, edge.head())?;
    }
    let edge = edge_at(tx, log, since.size).await?;
    let mut folder = Folder::new(log, edge, since, known)?;
    let mut from = since.size;
    while from < head.size {
        let to = head.size.min(from.saturating_add(READ_LEN_MAX));
        for (_, _, bytes) in leaf_rows(tx, log, from..to).await? {
            folder.take(&bytes)?;
        }
        from = to;
    }
    folder.finish(head)
}

/// Root over a range of leaves that an RFC 6962 proof consists of.
pub(super) async fn range_root(
    tx: &mut Tx,
    log: LogId,
    from: u64,
    to: u64,
) -> Result<Digest, LogError> {
    let mut parts = Vec::new();
    for at in subtrees(from, to) {
        parts.push(subtree(tx, log, at).await?);
    }
    Ok(combine(&parts))
}
