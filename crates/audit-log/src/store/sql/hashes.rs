//! Stored hashes: of leaves, and of perfect subtrees of 2^8, 2^16, ... leaves. Everything else is
//! computed from at most 255 of them.

use covenant_core::digest::Digest;
use covenant_core::{EventId, LogId};
use sql_store::{Args, Tx};

use super::{SqlLog, damaged, entries, head_row, signed, store};
use crate::error::LogError;
use crate::merkle::{Edge, Subtree, consistency_ranges, inclusion_ranges};
use crate::store::{AuditLog as _, LeafRef};

/// Every so many heights, hashes are stored: the width of a C2SP tile is 2^8.
pub(super) const STORED_HEIGHT_STEP: u32 = 8;

/// Hash of one perfect subtree.
pub(crate) async fn subtree(tx: &mut Tx, log: LogId, at: Subtree) -> Result<Digest, LogError> {
    let above = at.height.checked_rem(STORED_HEIGHT_STEP).unwrap_or(0);
    let height = at.height.saturating_sub(above);
    let from = at.index.checked_shl(above).unwrap_or(u64::MAX);
    let to = at
        .index
        .saturating_add(1)
        .checked_shl(above)
        .unwrap_or(u64::MAX);
    let range = |args: Args| args.bind(signed(from)).bind(signed(to));
    let rows = if height == 0 {
        let sql = include_str!("../../../sql/read_hashes.sql");
        tx.rows(sql, range(Args::new().bind(log))).await
    } else {
        let sql = include_str!("../../../sql/read_levels.sql");
        tx.rows(sql, range(Args::new().bind(log).bind(i64::from(height))))
            .await
    };
    let mut edge = Edge::default();
    for row in rows.map_err(store)? {
        edge.push(row.digest("hash").or(Err(damaged(log, from)))?, |_, _| ());
    }
    if edge.size() != to.saturating_sub(from) {
        return Err(damaged(log, from.checked_shl(height).unwrap_or(u64::MAX)));
    }
    Ok(edge.head().root)
}

impl SqlLog {
    /// The audit path of a leaf in the tree of `size` leaves.
    ///
    /// # Errors
    /// [`LogError::OutOfRange`] when there is no such leaf or size yet.
    pub async fn inclusion(&self, at: LeafRef, size: u64) -> Result<Vec<Digest>, LogError> {
        let LeafRef { log, index } = at;
        self.path(log, size, inclusion_ranges(index, size)).await
    }

    /// The proof that the log of `old` leaves is a prefix of that of `new` leaves.
    ///
    /// # Errors
    /// [`LogError::OutOfRange`] when `old > new`, or the log has fewer than `new`.
    pub async fn consistency(
        &self,
        log: LogId,
        old: u64,
        new: u64,
    ) -> Result<Vec<Digest>, LogError> {
        self.path(log, new, consistency_ranges(old, new)).await
    }

    /// The audit path of an event in the log's present head, and its place.
    ///
    /// # Errors
    /// [`LogError::NotSequenced`].
    pub async fn prove(&self, event: EventId) -> Result<(LeafRef, Vec<Digest>), LogError> {
        let at = self.sequenced(event).await?;
        let size = self.head(at.log).await?.size;
        Ok((at, self.inclusion(at, size).await?))
    }

    async fn path(
        &self,
        log: LogId,
        size: u64,
        ranges: Option<Vec<(u64, u64)>>,
    ) -> Result<Vec<Digest>, LogError> {
        let mut tx = self.reader().await?;
        let own = head_row(&mut tx, log)
            .await?
            .map_or(0, |head| head.head.size);
        let ranges = ranges.filter(|_| size <= own);
        let ranges = ranges.ok_or(LogError::OutOfRange { log, size: own })?;
        let mut path = Vec::new();
        for (from, to) in ranges {
            path.push(entries::range_root(&mut tx, log, from, to).await?);
        }
        Ok(path)
    }
}
