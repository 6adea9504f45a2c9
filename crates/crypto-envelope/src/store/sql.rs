//! Key records in a database of their own, `keys.db` on the embedded default, which no data backup
//! holds. Statements are in `sql/`; each method is one transaction.

mod burial;
mod change;
mod copy;
mod rows;

use std::time::Duration;

use covenant_core::event::ActorContext;
use covenant_core::sealer::{DestroyOrder, Purpose};
use covenant_core::{EventId, KeyId, OrderId, Owner, TenantId, TxTag, TxnId};
use sql_store::{Args, Db, DbError, Migrations, Mode, Row, Tx};
use time::UtcDateTime;
use uuid::Uuid;

use self::change::OnlyEmpty;
use super::{
    Added, Changes, Counted, Due, Flush, Gate, KeyStore, Moved, Planned, StoreError, StoreFuture,
    StoreStanding, Swap,
};
use crate::copies::KeyCopy;
use crate::group::GroupName;
use crate::journal::KeyEvent;
use crate::record::{Erasure, KekRecord, RootRecord};

/// Runs a transaction again while it collides with others.
macro_rules! retried {
    ($transaction:expr) => {{
        let mut left = ATTEMPTS;
        loop {
            match $transaction.await {
                Err(Failed::Database(error)) if error.is_transient() && left > 0 => {
                    left = left.saturating_sub(1);
                }
                done => break Ok(done?),
            }
        }
    }};
}

/// The tables of the key store.
pub const MIGRATIONS: Migrations = Migrations {
    crate_name: "crypto-envelope",
    steps: &[("keys", include_str!("../../migrations/0001_keys.sql"))],
};

/// How often a transaction that collided with another is run again.
const ATTEMPTS: u32 = 8;
/// How long each step of a flush waits for readers before it is put off to the next call.
const QUIET_WAIT: Duration = Duration::from_millis(500);

/// Key records in SQLite or PostgreSQL.
///
/// Only on SQLite can [`KeyStore::flush`] say when destroyed bytes have left the files: it
/// vacuums, and cuts the write-ahead log. On PostgreSQL it answers [`Flush::Pending`] for as long
/// as there is a destroyed key, since dead tuples and the log are the server's affair.
#[derive(Debug, Clone)]
pub struct SqlStore {
    db: Db,
    #[cfg(feature = "sqlite")]
    durability: sql_store::Durability,
}

impl SqlStore {
    /// The store in this database, whose tables are made unless they are there.
    ///
    /// # Errors
    /// [`StoreError::Database`] when the tables cannot be made or are not as expected.
    pub async fn open(db: Db) -> Result<Self, StoreError> {
        db.migrate(&MIGRATIONS)
            .await
            .map_err(|e| StoreError::Database(Box::new(e)))?;
        Ok(Self {
            db,
            #[cfg(feature = "sqlite")]
            durability: sql_store::Durability::Full,
        })
    }

    /// The same with another durability of vacuuming; durable unless set.
    #[cfg(feature = "sqlite")]
    #[must_use]
    pub fn durability(mut self, durability: sql_store::Durability) -> Self {
        self.durability = durability;
        self
    }

    async fn begin(&self, mode: Mode) -> Result<Tx, Failed> {
        let tag = TxTag {
            txn: TxnId::from_bytes([0; 16]),
            tenant: None,
            decision: None,
        };
        Ok(self.db.begin_with(mode, tag).await?)
    }

    async fn read(&self, sql: &'static str, args: Args) -> Result<Vec<Row>, Failed> {
        let mut tx = self.begin(Mode::ReadOnly).await?;
        let rows = tx.rows(sql, args).await?;
        tx.commit().await?;
        Ok(rows)
    }

    async fn read_keks(&self, sql: &'static str, args: Args) -> Result<Vec<KekRecord>, Failed> {
        self.read(sql, args).await?.iter().map(rows::kek).collect()
    }

    async fn read_roots(&self, sql: &'static str, args: Args) -> Result<Vec<RootRecord>, Failed> {
        self.read(sql, args).await?.iter().map(rows::root).collect()
    }

    async fn read_next(&self) -> Result<Option<UtcDateTime>, Failed> {
        let mut next = Vec::new();
        for sql in [
            include_str!("../../sql/next_due_kek.sql"),
            include_str!("../../sql/next_dying_kek.sql"),
            include_str!("../../sql/next_expiring_kek.sql"),
            include_str!("../../sql/next_due_root.sql"),
            include_str!("../../sql/next_pending_root.sql"),
            include_str!("../../sql/next_ripe_root.sql"),
        ] {
            for row in self.read(sql, Args::new()).await? {
                next.extend(row.opt_instant("due_at")?);
            }
        }
        Ok(next.into_iter().min())
    }

    async fn flush_now(&self) -> Result<Flush, Failed> {
        let sql = include_str!("../../sql/list_unflushed.sql");
        let unflushed = self.read(sql, Args::new()).await?;
        if unflushed.is_empty() {
            return Ok(Flush::Clean);
        }
        match self.vacuum().await {
            Ok(Flush::Clean) => {}
            Ok(Flush::Pending) | Err(Failed::Database(DbError::Busy(_))) => {
                return Ok(Flush::Pending);
            }
            Err(other) => return Err(other),
        }
        let mut tx = self.begin(Mode::ReadWrite).await?;
        for row in &unflushed {
            let args = Args::new().bind(row.id::<covenant_core::kind::Key>("id")?);
            tx.execute(include_str!("../../sql/flush_tombstone.sql"), args)
                .await?;
        }
        tx.commit().await?;
        Ok(Flush::Clean)
    }

    #[cfg(feature = "sqlite")]
    async fn vacuum(&self) -> Result<Flush, Failed> {
        use sql_store::maintenance::Maintenance;

        let Some(file) = self.db.file() else {
            return Ok(Flush::Pending);
        };
        let _quiet = self.db.quiesce(QUIET_WAIT).await?;
        let mut maintenance = Maintenance::open_waiting(file, self.durability, QUIET_WAIT)
            .await
            .map_err(|e| Failed::Store(StoreError::Database(Box::new(e))))?;
        maintenance.vacuum().await?;
        let report = maintenance.checkpoint_truncate().await?;
        maintenance.close().await?;
        Ok(if report.busy {
            Flush::Pending
        } else {
            Flush::Clean
        })
    }

    #[cfg(not(feature = "sqlite"))]
    async fn vacuum(&self) -> Result<Flush, Failed> {
        let _quiet = self.db.quiesce(QUIET_WAIT).await?;
        Ok(Flush::Pending)
    }
}

impl KeyStore for SqlStore {
    fn kek(&self, id: KeyId) -> StoreFuture<'_, Option<KekRecord>> {
        let (sql, args) = (include_str!("../../sql/read_kek.sql"), Args::new().bind(id));
        Box::pin(async { Ok(self.read_keks(sql, args).await?.pop()) })
    }

    fn keks_of<'a>(&'a self, group: &'a GroupName) -> StoreFuture<'a, Vec<KekRecord>> {
        let args = Args::new().bind(group.to_string());
        let sql = include_str!("../../sql/list_group_keks.sql");
        Box::pin(async { Ok(self.read_keks(sql, args).await?) })
    }

    fn intend_kek<'a>(&'a self, kek: &'a KekRecord) -> StoreFuture<'a, KekRecord> {
        Box::pin(async { retried!(self.write_kek(kek)) })
    }

    fn enable_kek<'a>(
        &'a self,
        id: KeyId,
        canary: &'a [u8],
        event: &'a KeyEvent,
    ) -> StoreFuture<'a, KekRecord> {
        Box::pin(async move { retried!(self.write_enabled(id, canary, event)) })
    }

    fn put_kek<'a>(&'a self, kek: &'a KekRecord, event: &'a KeyEvent) -> StoreFuture<'a, Swap> {
        Box::pin(async { retried!(self.write_changed_kek(kek, event, OnlyEmpty::No)) })
    }

    fn put_empty_kek<'a>(
        &'a self,
        kek: &'a KekRecord,
        event: &'a KeyEvent,
    ) -> StoreFuture<'a, Swap> {
        Box::pin(async { retried!(self.write_changed_kek(kek, event, OnlyEmpty::Yes)) })
    }

    fn count_wrap(&self, kek: KeyId) -> StoreFuture<'_, Counted> {
        Box::pin(async move { retried!(self.write_wrap(kek)) })
    }

    fn root(&self, id: KeyId) -> StoreFuture<'_, Option<RootRecord>> {
        let (sql, args) = (
            include_str!("../../sql/read_root.sql"),
            Args::new().bind(id),
        );
        Box::pin(async { Ok(self.read_roots(sql, args).await?.pop()) })
    }

    fn root_of(&self, owner: Owner, purpose: Purpose) -> StoreFuture<'_, Option<RootRecord>> {
        Box::pin(async move {
            let versions = self.roots_of(owner, purpose).await?;
            Ok(change::sealing(&versions).cloned())
        })
    }

    fn roots_of(&self, owner: Owner, purpose: Purpose) -> StoreFuture<'_, Vec<RootRecord>> {
        let args = rows::owner_args(owner).bind(purpose.name());
        let sql = include_str!("../../sql/list_versions.sql");
        Box::pin(async { Ok(self.read_roots(sql, args).await?) })
    }

    fn add_root<'a>(&'a self, root: &'a RootRecord) -> StoreFuture<'a, Added> {
        Box::pin(async { retried!(self.write_root(root)) })
    }

    fn put_root<'a>(&'a self, root: &'a RootRecord, event: &'a KeyEvent) -> StoreFuture<'a, Swap> {
        Box::pin(async { retried!(self.write_changed_root(root, event)) })
    }

    fn roots_under(
        &self,
        kek: KeyId,
        after: Option<KeyId>,
        limit: u32,
    ) -> StoreFuture<'_, Vec<RootRecord>> {
        let args = Args::new().bind(kek).bind(limit);
        let (sql, args) = match after {
            None => (include_str!("../../sql/list_roots_under.sql"), args),
            Some(id) => (
                include_str!("../../sql/list_roots_under_after.sql"),
                args.bind(id),
            ),
        };
        Box::pin(async { Ok(self.read_roots(sql, args).await?) })
    }

    fn move_roots<'a>(&'a self, to: KeyId, roots: &'a [RootRecord]) -> StoreFuture<'a, Moved> {
        Box::pin(async move { retried!(self.write_moved(to, roots)) })
    }

    fn plan_roots(&self, tenant: TenantId, at: UtcDateTime) -> StoreFuture<'_, Planned> {
        Box::pin(async move { retried!(self.write_plan(tenant, at)) })
    }

    fn due(&self, now: UtcDateTime) -> StoreFuture<'_, Due> {
        Box::pin(async move {
            let args = || Args::new().bind(now);
            let sql = include_str!("../../sql/list_due_keks.sql");
            let keks = self.read_keks(sql, args()).await?;
            let sql = include_str!("../../sql/list_due_roots.sql");
            let roots = self.read_roots(sql, args()).await?;
            let sql = include_str!("../../sql/list_ripe_roots.sql");
            let ripe = self.read_roots(sql, args()).await?;
            Ok(Due { keks, roots, ripe })
        })
    }

    fn next_due(&self) -> StoreFuture<'_, Option<UtcDateTime>> {
        Box::pin(async { Ok(self.read_next().await?) })
    }

    fn bury_kek<'a>(
        &'a self,
        id: KeyId,
        at: UtcDateTime,
        actor: &'a ActorContext,
    ) -> StoreFuture<'a, (KekRecord, Vec<RootRecord>)> {
        Box::pin(async move { retried!(self.write_burial(id, at, actor)) })
    }

    fn finish_kek(&self, id: KeyId, at: UtcDateTime) -> StoreFuture<'_, ()> {
        Box::pin(async move { retried!(self.write_finished(id, at)) })
    }

    fn bury_root<'a>(
        &'a self,
        id: KeyId,
        at: UtcDateTime,
        actor: &'a ActorContext,
    ) -> StoreFuture<'a, RootRecord> {
        Box::pin(async move { retried!(self.write_buried_root(id, at, actor)) })
    }

    fn erase_subject<'a>(
        &'a self,
        order: &'a DestroyOrder,
        at: UtcDateTime,
        actor: &'a ActorContext,
    ) -> StoreFuture<'a, Erasure> {
        Box::pin(async move { retried!(self.write_erasure(order, at, actor)) })
    }

    fn settle_erasure(
        &self,
        order: OrderId,
        complete_by: UtcDateTime,
    ) -> StoreFuture<'_, UtcDateTime> {
        Box::pin(async move { retried!(self.write_settled(order, complete_by)) })
    }

    fn flush(&self) -> StoreFuture<'_, Flush> {
        Box::pin(async { retried!(self.flush_now()) })
    }

    fn keks(&self) -> StoreFuture<'_, Vec<KekRecord>> {
        let sql = include_str!("../../sql/list_keks.sql");
        Box::pin(async { Ok(self.read_keks(sql, Args::new()).await?) })
    }

    fn roots(&self) -> StoreFuture<'_, Vec<RootRecord>> {
        let sql = include_str!("../../sql/list_roots.sql");
        Box::pin(async { Ok(self.read_roots(sql, Args::new()).await?) })
    }

    fn standing(&self) -> StoreFuture<'_, StoreStanding> {
        Box::pin(async { Ok(self.read_standing().await?) })
    }

    fn set_gate(&self, gate: Gate) -> StoreFuture<'_, ()> {
        let args = move || Args::new().bind(rows::gate_name(gate));
        let sql = include_str!("../../sql/set_gate.sql");
        Box::pin(async move { retried!(self.write(sql, args())) })
    }

    fn changes(&self, after: u64) -> StoreFuture<'_, Changes> {
        Box::pin(async move { retried!(self.read_changes(after)) })
    }

    fn restore<'a>(&'a self, copies: &'a [Changes]) -> StoreFuture<'a, ()> {
        Box::pin(async move { retried!(self.write_restored(copies)) })
    }

    fn put_copy<'a>(&'a self, copy: &'a KeyCopy) -> StoreFuture<'a, ()> {
        let sql = include_str!("../../sql/put_copy.sql");
        Box::pin(async move {
            let args = rows::copy_args(copy)?;
            retried!(self.write(sql, args.clone()))
        })
    }

    fn copies(&self) -> StoreFuture<'_, Vec<KeyCopy>> {
        let sql = include_str!("../../sql/list_copies.sql");
        Box::pin(async {
            let found = self.read(sql, Args::new()).await?;
            let copies: Result<_, Failed> = found.iter().map(rows::copy).collect();
            Ok(copies?)
        })
    }

    fn forget_copy(&self, id: Uuid) -> StoreFuture<'_, ()> {
        let sql = include_str!("../../sql/forget_copy.sql");
        Box::pin(async move { retried!(self.write(sql, Args::new().bind(id))) })
    }

    fn add_event<'a>(&'a self, event: &'a KeyEvent) -> StoreFuture<'a, ()> {
        Box::pin(async move { retried!(self.write_event(event)) })
    }

    fn events(&self, limit: u32) -> StoreFuture<'_, Vec<KeyEvent>> {
        Box::pin(async move { Ok(self.read_events(limit).await?) })
    }

    fn settle_events<'a>(&'a self, ids: &'a [EventId]) -> StoreFuture<'a, ()> {
        Box::pin(async move { retried!(self.write_settled_events(ids)) })
    }
}

/// Why a transaction failed; told apart for running it again.
#[derive(Debug)]
enum Failed {
    Database(DbError),
    Store(StoreError),
}

impl From<DbError> for Failed {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}
impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
impl From<Failed> for StoreError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Database(error) => Self::Database(Box::new(error)),
            Failed::Store(error) => error,
        }
    }
}
