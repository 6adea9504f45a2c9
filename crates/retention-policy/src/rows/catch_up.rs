//! Holds that a store has lost: a store that was put back from a copy knows less than the ledger,
//! and takes over what it missed before anything of it is planned or deleted. A ledger that knows
//! less than the store proves nothing, and is refused.

use covenant_core::TenantId;
use covenant_core::digest::Digest;
use sql_store::{Args, DbError, Mode, Tx};

use super::{Mark, Rows, RowsError};
use crate::ledger::entry::{chain, empty_root};
use crate::ledger::{Head, SqlLedger};
use crate::{Entry, HoldError, Ledger as _, LedgerError, hold, replay};

/// What a store took over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CaughtUp {
    /// Facts of its own that the ledger had not heard of.
    pub told: u64,
    /// Facts of the ledger that the store had not marked as seen.
    pub seen: u64,
}

/// A store and its ledger do not agree; nothing may be deleted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatchUpError {
    /// The holds of the ledger cannot be placed in the store.
    #[error("the holds of the ledger cannot be taken over")]
    Holds(#[from] HoldError),
    /// The ledger is behind the store, or cannot be read.
    #[error("the ledger does not say what the store has missed")]
    Ledger(#[from] LedgerError),
    /// The store cannot be read or written.
    #[error("the store cannot be brought up to date")]
    Rows(#[from] RowsError),
}

impl From<DbError> for CatchUpError {
    fn from(error: DbError) -> Self {
        Self::Rows(error.into())
    }
}

/// Moves the store's own facts into the ledger, and holds of the ledger into the store.
///
/// # Errors
/// [`CatchUpError`]; nothing may be deleted then.
// clause: P-47
pub async fn catch_up(
    rows: &Rows,
    ledger: &SqlLedger,
    tenant: TenantId,
) -> Result<CaughtUp, CatchUpError> {
    let told = ledger.drain(rows.db()).await?;
    let known = rows.mark(tenant).await?.ledger;
    let entries = ledger.since(tenant, known, &[]).await?;
    let seen = u64::try_from(entries.len()).unwrap_or(u64::MAX);
    if seen > 0 {
        let facts = replay(&entries);
        let mut tx = rows.begin(tenant, Mode::ReadWrite).await?;
        hold::sql::replay(&mut tx, tenant, &facts.holds).await?;
        let mark = Mark {
            ledger: after(known, &entries),
            ..mark(&mut tx, tenant).await?
        };
        put_mark(&mut tx, tenant, &mark).await?;
        tx.commit().await?;
    }
    Ok(CaughtUp { told, seen })
}

fn after(from: Head, entries: &[Entry]) -> Head {
    let root = entries
        .iter()
        .fold(from.root, |root, entry| chain(&root, entry));
    let more = u64::try_from(entries.len()).unwrap_or(u64::MAX);
    Head {
        size: from.size.saturating_add(more),
        root,
    }
}

pub(super) async fn mark(tx: &mut Tx, tenant: TenantId) -> Result<Mark, DbError> {
    let sql = include_str!("../../sql/read_row_mark.sql");
    let row = tx.row(sql, Args::new().bind(tenant)).await?;
    let empty = Head {
        size: 0,
        root: empty_root(),
    };
    row.map_or(
        Ok(Mark {
            ledger: empty,
            accepted_at: None,
        }),
        |row| {
            let root: Digest = row.digest("ledger_root")?;
            let size = u64::try_from(row.int("ledger_size")?).unwrap_or(0);
            Ok(Mark {
                ledger: Head { size, root },
                accepted_at: row.opt_instant("accepted_at")?,
            })
        },
    )
}

pub(super) async fn put_mark(tx: &mut Tx, tenant: TenantId, mark: &Mark) -> Result<(), DbError> {
    let args = Args::new()
        .bind(tenant)
        .bind(i64::try_from(mark.ledger.size).unwrap_or(i64::MAX))
        .bind(mark.ledger.root)
        .bind(mark.accepted_at);
    let sql = include_str!("../../sql/put_row_mark.sql");
    tx.execute(sql, args).await.map(drop)
}
