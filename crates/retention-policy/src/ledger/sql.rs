//! A ledger in a database of its own, for those who keep no audit log: an event sink too. Facts
//! commit with the business change in its outbox, and [`SqlLedger::drain`] moves them here; keep
//! this database outside every data backup.

use covenant_core::digest::Digest;
use covenant_core::event::Datum;
use covenant_core::{
    Action, BoxFuture, Event, EventId, EventSink, HoldId, LogId, OutboxRow, OutboxTx, Outcome,
    Prepared, SinkError, TenantId, TxTag, TxnId,
};
use sql_store::{Args, Db, DbError, Migrations, Mode, Tx, outbox};

use super::entry::{chain, empty_root};
use super::{Entry, Head, Ledger, LedgerError, LedgerKey};
use crate::Hold;
use crate::hold::event::HOLD_DATUM;

/// The table of the ledger.
pub const MIGRATIONS: Migrations = Migrations {
    crate_name: "retention-ledger",
    steps: &[("ledger", include_str!("../../migrations/0002_ledger.sql"))],
};

/// Rows that one transaction of a drain moves.
const BATCH: u32 = 256;

/// A ledger in SQLite or PostgreSQL. Its root is a chain of digests over its entries.
#[derive(Debug, Clone)]
pub struct SqlLedger {
    db: Db,
}

impl SqlLedger {
    /// The ledger of this database, whose table is made unless it is there.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`] when the table cannot be made or is not as expected.
    pub async fn open(db: Db) -> Result<Self, LedgerError> {
        let migrated = db.migrate(&MIGRATIONS).await;
        migrated.map_err(|error| LedgerError::Unavailable(Box::new(error)))?;
        Ok(Self { db })
    }

    /// The head now.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    pub async fn head(&self, tenant: TenantId) -> Result<Head, LedgerError> {
        let mut tx = self.begin(Mode::ReadOnly).await?;
        Ok(head(&mut tx, tenant).await?)
    }

    /// Moves what committed in the outbox of a business database into the ledger, in the order of
    /// its commits; what was moved before is moved once. Returns how many facts were new.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`]; the same call settles the rest.
    pub async fn drain(&self, from: &Db) -> Result<u64, LedgerError> {
        let mut moved = 0_u64;
        loop {
            let mut source = begin(from, Mode::ReadWrite).await?;
            let rows = outbox::read(&mut source, BATCH).await?;
            if rows.is_empty() {
                return Ok(moved);
            }
            let mut tx = self.begin(Mode::ReadWrite).await?;
            let mut events = Vec::new();
            for entry in &rows {
                let tenant = TenantId::from_bytes(*entry.row.log.as_bytes());
                moved = moved.saturating_add(append(&mut tx, tenant, &entry.row.leaf).await?);
                events.push(entry.row.event);
            }
            // Here first: a crash in between moves them again, which is once.
            tx.commit().await?;
            outbox::delete(&mut source, &events).await?;
            source.commit().await?;
        }
    }

    async fn begin(&self, mode: Mode) -> Result<Tx, DbError> {
        begin(&self.db, mode).await
    }

    async fn read(
        &self,
        tenant: TenantId,
        from: Head,
        newest: &[Head],
    ) -> Result<Vec<Entry>, LedgerError> {
        let mut tx = self.begin(Mode::ReadOnly).await?;
        for known in newest.iter().chain([&from]) {
            if root_at(&mut tx, tenant, known.size).await? != Some(known.root) {
                return Err(LedgerError::Behind { size: known.size });
            }
        }
        let first = i64::try_from(from.size).unwrap_or(i64::MAX);
        let sql = include_str!("../../sql/list_ledger_entries.sql");
        let args = Args::new().bind(tenant).bind(first);
        let mut entries = Vec::new();
        let mut root = from.root;
        for row in tx.rows(sql, args).await? {
            let entry = Entry::from_bytes(row.bytes("body")?);
            let entry = entry.map_err(|error| LedgerError::Unavailable(Box::new(error)))?;
            root = chain(&root, &entry);
            // Every entry is where it was put, and nothing was taken out in between.
            let expected = from
                .size
                .saturating_add(u64::try_from(entries.len()).unwrap_or(0));
            if entry.seq != expected || root != row.digest("root")? {
                return Err(LedgerError::Behind { size: entry.seq });
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    async fn emit_one(&self, event: Event) -> Result<EventId, SinkError> {
        let id = event.id;
        if let Some((tenant, entry)) = fact(&event)? {
            let unavailable = |error: DbError| SinkError::Unavailable(Box::new(error));
            let mut tx = self.begin(Mode::ReadWrite).await.map_err(unavailable)?;
            append(&mut tx, tenant, &entry.bytes())
                .await
                .map_err(|error| SinkError::Unavailable(Box::new(error)))?;
            tx.commit().await.map_err(unavailable)?;
        }
        Ok(id)
    }
}

/// The row of an outbox by which a fact reaches the ledger: put it in the transaction that makes the
/// fact true, and [`SqlLedger::drain`] takes it over.
#[must_use]
pub fn outbox_row(tenant: TenantId, entry: &Entry) -> OutboxRow {
    OutboxRow {
        event: entry.event,
        log: LogId::from_bytes(*tenant.as_bytes()),
        kind: 0,
        leaf: entry.bytes(),
        sealed: Vec::new(),
    }
}

impl From<DbError> for LedgerError {
    fn from(error: DbError) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

async fn begin(db: &Db, mode: Mode) -> Result<Tx, DbError> {
    let tag = TxTag {
        txn: TxnId::from_bytes([0; 16]),
        tenant: None,
        decision: None,
    };
    db.begin_with(mode, tag).await
}

async fn head(tx: &mut Tx, tenant: TenantId) -> Result<Head, DbError> {
    let sql = include_str!("../../sql/last_ledger_root.sql");
    let last = tx.row(sql, Args::new().bind(tenant)).await?;
    Ok(match last {
        None => Head {
            size: 0,
            root: empty_root(),
        },
        Some(row) => Head {
            size: u64::try_from(row.int("seq")?.saturating_add(1)).unwrap_or(0),
            root: row.digest("root")?,
        },
    })
}

async fn root_at(tx: &mut Tx, tenant: TenantId, size: u64) -> Result<Option<Digest>, DbError> {
    let Some(last) = size.checked_sub(1) else {
        return Ok(Some(empty_root()));
    };
    let sql = include_str!("../../sql/read_ledger_root.sql");
    let last = i64::try_from(last).unwrap_or(i64::MAX);
    let row = tx.row(sql, Args::new().bind(tenant).bind(last)).await?;
    row.map(|row| row.digest("root")).transpose()
}

/// Appends a fact unless its event is there; says how many were new.
async fn append(tx: &mut Tx, tenant: TenantId, body: &[u8]) -> Result<u64, LedgerError> {
    let entry = Entry::from_bytes(body);
    let entry = entry.map_err(|error| LedgerError::Unavailable(Box::new(error)))?;
    let sql = include_str!("../../sql/find_ledger_event.sql");
    let args = Args::new().bind(tenant).bind(entry.event);
    if tx.row(sql, args).await?.is_some() {
        return Ok(0);
    }
    let Head { size, root } = head(tx, tenant).await?;
    let entry = Entry { seq: size, ..entry };
    let args = Args::new()
        .bind(tenant)
        .bind(i64::try_from(size).unwrap_or(i64::MAX))
        .bind(entry.event)
        .bind(entry.bytes())
        .bind(chain(&root, &entry));
    let sql = include_str!("../../sql/insert_ledger_entry.sql");
    tx.execute(sql, args).await?;
    Ok(1)
}

/// What the ledger keeps of an event; `None` for one that tells of no deletion, erasure or hold, or
/// of a try that did not succeed.
fn fact(event: &Event) -> Result<Option<(TenantId, Entry)>, SinkError> {
    let (Some(tenant), Outcome::Ok) = (event.target.tenant, event.outcome) else {
        return Ok(None);
    };
    let item = || event.target.id.clone();
    let mut hold = None;
    let key = match event.action {
        Action::RecordDeleted
        | Action::RecordRestored
        | Action::RecordManualPurge
        | Action::RecordPurged
        | Action::ErasureRequested
        | Action::ErasureApplied
        | Action::ErasureCompleted => LedgerKey::Item {
            class: event.target.kind.to_owned(),
            id: item().ok_or(SinkError::Incomplete("the item"))?,
        },
        Action::DatabaseDeleted | Action::DatabaseRestored | Action::DatabasePurged => {
            LedgerKey::Database
        }
        Action::HoldPlaced | Action::HoldReleased => {
            let id = item().ok_or(SinkError::Incomplete("the hold"))?;
            let id = <[u8; 16]>::try_from(id.as_bytes());
            if let Some(Datum::Bytes(bytes)) = event.data.get(HOLD_DATUM) {
                let part = Hold::from_bytes(bytes);
                hold = Some(part.or(Err(SinkError::Incomplete("a hold that reads")))?);
            }
            LedgerKey::Hold(HoldId::from_bytes(
                id.or(Err(SinkError::Incomplete("the id of a hold")))?,
            ))
        }
        _ => return Ok(None),
    };
    let entry = Entry {
        seq: 0,
        event: event.id,
        at: event.at,
        action: event.action,
        key,
        hold,
    };
    Ok(Some((tenant, entry)))
}

impl Ledger for SqlLedger {
    fn since<'a>(
        &'a self,
        tenant: TenantId,
        from: Head,
        newest: &'a [Head],
    ) -> BoxFuture<'a, Result<Vec<Entry>, LedgerError>> {
        Box::pin(self.read(tenant, from, newest))
    }
}

impl EventSink for SqlLedger {
    fn prepare(&self, event: Event) -> BoxFuture<'_, Result<Prepared, SinkError>> {
        Box::pin(std::future::ready(fact(&event).map(|fact| {
            Prepared {
                event: event.id,
                tenant: event.target.tenant,
                action: event.action,
                rows: fact
                    .into_iter()
                    .map(|(tenant, entry)| outbox_row(tenant, &entry))
                    .collect(),
            }
        })))
    }

    fn record<'a>(
        &'a self,
        tx: &'a mut dyn OutboxTx,
        prepared: Prepared,
    ) -> BoxFuture<'a, Result<EventId, SinkError>> {
        Box::pin(async move {
            let of = tx.tag().tenant;
            if of.is_some() && prepared.tenant.is_some() && of != prepared.tenant {
                return Err(SinkError::WrongTenant);
            }
            for row in prepared.rows {
                tx.put(row).await.map_err(SinkError::Outbox)?;
            }
            Ok(prepared.event)
        })
    }

    fn emit(&self, event: Event) -> BoxFuture<'_, Result<EventId, SinkError>> {
        Box::pin(self.emit_one(event))
    }
}
