//! Holds in the database of the data that they keep, on SQLite and PostgreSQL.
//!
//! The functions work in the caller's transaction, so that a check and a deletion, or a hold and its
//! events, are one. [`SqlHolds`] is a [`Holds`] over them, with transactions of its own.
//!
//! A check takes a share of the row of the tenant's generation, which every change of its holds
//! updates: on PostgreSQL a hold waits for checks that began before it, and a check for a hold; on
//! SQLite a writing transaction excludes every other.

use std::sync::Arc;

use covenant_core::event::ActorContext;
use covenant_core::{
    BoxFuture, EventSink, HoldId, ItemId, Prepared, PrincipalId, TenantId, TxTag, TxnId, canon,
};
use sql_store::{Args, Db, DbError, Dialect, Migrations, Mode, Row, Tx};
use time::UtcDateTime;

use super::event::{self, HoldReplay};
use super::{
    Asked, DisposalTarget, Hold, HoldAct, HoldError, HoldRecord, HoldRefused, HoldView, Holds,
    Passed, Placed, Release,
};
use crate::StoreName;

/// The tables of holds.
pub const MIGRATIONS: Migrations = Migrations {
    crate_name: "retention-policy",
    steps: &[("holds", include_str!("../../migrations/0001_holds.sql"))],
};

/// How often a transaction that collided with another is run again.
const ATTEMPTS: u32 = 8;

impl From<DbError> for HoldError {
    fn from(error: DbError) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

/// Places the hold; its events are the caller's, see [`event::placed`].
///
/// # Errors
/// [`HoldError`]; the transaction must be rolled back.
pub async fn place(tx: &mut Tx, hold: &Hold) -> Result<Placed, HoldError> {
    lock(tx, hold.tenant).await?;
    match find(tx, hold.tenant, hold.id).await? {
        Some(record) if record.hold().bytes() == hold.bytes() => {}
        Some(_) => return Err(HoldError::Taken(hold.id)),
        None => {
            put(tx, &HoldRecord::new(hold.clone())).await?;
            raise(tx, hold.tenant).await?;
        }
    }
    Ok(Placed {
        generation: generation(tx, hold.tenant).await?,
        beyond: beyond(tx, hold).await?,
    })
}

/// Moves the end of a hold later, and returns the hold as it is now.
///
/// # Errors
/// [`HoldError`]; the transaction must be rolled back.
pub async fn extend(
    tx: &mut Tx,
    tenant: TenantId,
    id: HoldId,
    until: UtcDateTime,
    now: UtcDateTime,
) -> Result<Hold, HoldError> {
    lock(tx, tenant).await?;
    let found = find(tx, tenant, id).await?;
    let mut record = found.ok_or(HoldError::Unknown(id))?;
    record.extend(until, now)?;
    put(tx, &record).await?;
    raise(tx, tenant).await?;
    Ok(record.hold().clone())
}

/// Asks for the release of a hold.
///
/// # Errors
/// [`HoldError`]; the transaction must be rolled back.
pub async fn release(
    tx: &mut Tx,
    tenant: TenantId,
    id: HoldId,
    by: PrincipalId,
    now: UtcDateTime,
) -> Result<Release, HoldError> {
    lock(tx, tenant).await?;
    let found = find(tx, tenant, id).await?;
    let mut record = found.ok_or(HoldError::Unknown(id))?;
    let release = record.release(by, now)?;
    put(tx, &record).await?;
    raise(tx, tenant).await?;
    Ok(release)
}

/// Every hold of the tenant, in order of their ids.
///
/// # Errors
/// [`HoldError::Unavailable`].
pub async fn list(tx: &mut Tx, tenant: TenantId) -> Result<Vec<HoldRecord>, HoldError> {
    let sql = include_str!("../../sql/list_holds.sql");
    let rows = tx.rows(sql, Args::new().bind(tenant)).await?;
    rows.iter().map(record).collect()
}

/// The tenant's holds as they stand in this transaction. In a writing transaction nobody changes
/// them before it ends.
///
/// # Errors
/// [`HoldError::Unavailable`].
pub async fn view(tx: &mut Tx, tenant: TenantId, mode: Mode) -> Result<HoldView, HoldError> {
    let generation = match mode {
        Mode::ReadWrite => share(tx, tenant).await?,
        Mode::ReadOnly => generation(tx, tenant).await?,
    };
    let sql = include_str!("../../sql/list_standing_holds.sql");
    let rows = tx.rows(sql, Args::new().bind(tenant)).await?;
    let records: Result<Vec<HoldRecord>, HoldError> = rows.iter().map(record).collect();
    let holds = records?.into_iter().map(|record| record.hold().clone());
    Ok(HoldView::of(tenant, generation, holds))
}

/// Asks whether the item may be given up now; the caller deletes in the same transaction.
///
/// # Errors
/// [`HoldError::Held`]: nothing may be deleted; [`HoldError::Unavailable`]: nothing either.
// clause: P-47
pub async fn check(
    tx: &mut Tx,
    target: &DisposalTarget,
    now: UtcDateTime,
) -> Result<(), HoldError> {
    let view = view(tx, target.tenant, Mode::ReadWrite).await?;
    view.permit(target, now)
}

/// As [`check`], and notes that the store has passed the point of no return.
///
/// # Errors
/// As [`check`].
pub async fn pass(
    tx: &mut Tx,
    target: &DisposalTarget,
    store: &StoreName,
    now: UtcDateTime,
) -> Result<(), HoldError> {
    check(tx, target, now).await?;
    let args = Args::new()
        .bind(target.tenant)
        .bind(target.class.as_str())
        .bind(&target.id)
        .bind(store.as_str())
        .bind(target.made_at)
        .bind(target.subjects.as_deref().map(subjects));
    let sql = include_str!("../../sql/put_hold_passed.sql");
    tx.execute(sql, args).await?;
    Ok(())
}

/// Forgets what the item passed: its disposal is over.
///
/// # Errors
/// [`HoldError::Unavailable`].
pub async fn settle(tx: &mut Tx, target: &DisposalTarget) -> Result<(), HoldError> {
    let args = Args::new()
        .bind(target.tenant)
        .bind(target.class.as_str())
        .bind(&target.id);
    let sql = include_str!("../../sql/delete_hold_passed.sql");
    tx.execute(sql, args).await?;
    Ok(())
}

/// Takes over, in a store that was put back, what the log says of holds since the copy was taken.
///
/// # Errors
/// [`HoldError`]; the transaction must be rolled back, and the store stays shut.
pub async fn replay(tx: &mut Tx, tenant: TenantId, facts: &HoldReplay) -> Result<(), HoldError> {
    lock(tx, tenant).await?;
    if let Some(damaged) = facts.damaged.first() {
        return Err(HoldError::Taken(*damaged));
    }
    for id in facts.ids() {
        let there = find(tx, tenant, id).await?;
        let wanted = facts.record(id, there.as_ref());
        let wanted = wanted.filter(|record| record.hold().tenant == tenant);
        if let Some(record) = wanted
            && there.as_ref() != Some(&record)
        {
            put(tx, &record).await?;
            raise(tx, tenant).await?;
        }
    }
    Ok(())
}

/// The row of the tenant's generation, which every change updates before it looks.
async fn lock(tx: &mut Tx, tenant: TenantId) -> Result<(), DbError> {
    let args = || Args::new().bind(tenant);
    let sql = include_str!("../../sql/insert_hold_generation.sql");
    tx.execute(sql, args()).await?;
    if tx.dialect() == Dialect::Postgres {
        let sql = include_str!("../../sql/postgres/lock_hold_generation.sql");
        tx.rows(sql, args()).await?;
    }
    Ok(())
}

async fn raise(tx: &mut Tx, tenant: TenantId) -> Result<(), DbError> {
    let sql = include_str!("../../sql/raise_hold_generation.sql");
    tx.execute(sql, Args::new().bind(tenant)).await.map(drop)
}

/// The generation, and a share of its row.
async fn share(tx: &mut Tx, tenant: TenantId) -> Result<u64, DbError> {
    let args = || Args::new().bind(tenant);
    if tx.dialect() == Dialect::Postgres {
        // Without a row there would be nothing to share.
        let sql = include_str!("../../sql/insert_hold_generation.sql");
        tx.execute(sql, args()).await?;
        let sql = include_str!("../../sql/postgres/share_hold_generation.sql");
        let row = tx.row(sql, args()).await?;
        return count(row.as_ref());
    }
    generation(tx, tenant).await
}

async fn generation(tx: &mut Tx, tenant: TenantId) -> Result<u64, DbError> {
    let sql = include_str!("../../sql/read_hold_generation.sql");
    let row = tx.row(sql, Args::new().bind(tenant)).await?;
    count(row.as_ref())
}

fn count(row: Option<&Row>) -> Result<u64, DbError> {
    let generation = row.map_or(Ok(0), |row| row.int("generation"))?;
    Ok(u64::try_from(generation).unwrap_or(0))
}

async fn find(tx: &mut Tx, tenant: TenantId, id: HoldId) -> Result<Option<HoldRecord>, HoldError> {
    let sql = include_str!("../../sql/read_hold.sql");
    let row = tx.row(sql, Args::new().bind(tenant).bind(id)).await?;
    row.as_ref().map(record).transpose()
}

async fn put(tx: &mut Tx, record: &HoldRecord) -> Result<(), DbError> {
    let hold = record.hold();
    let args = Args::new()
        .bind(hold.tenant)
        .bind(hold.id)
        .bind(hold.bytes())
        .bind(record.asked().map(|asked| asked.by.as_uuid()))
        .bind(record.asked().map(|asked| asked.at))
        .bind(record.released_at());
    let sql = include_str!("../../sql/put_hold.sql");
    tx.execute(sql, args).await.map(drop)
}

fn record(row: &Row) -> Result<HoldRecord, HoldError> {
    let damaged = |error| HoldError::Unavailable(Box::new(error));
    let hold = Hold::from_bytes(row.bytes("body")?).map_err(damaged)?;
    let by = row.opt_id("asked_by")?;
    let at = row.opt_instant("asked_at")?;
    let asked = by.zip(at).map(|(by, at)| Asked { by, at });
    let released = row.opt_instant("released_at")?;
    Ok(HoldRecord::from_parts(hold, asked, released))
}

async fn beyond(tx: &mut Tx, hold: &Hold) -> Result<Vec<Passed>, HoldError> {
    let unreadable = |what: &'static str| HoldError::Unavailable(what.into());
    let sql = include_str!("../../sql/list_hold_passed.sql");
    let rows = tx.rows(sql, Args::new().bind(hold.tenant)).await?;
    let mut beyond = Vec::new();
    for row in &rows {
        let class = row.text("class")?.parse();
        let store = row.text("store")?.parse();
        let id = ItemId::try_from(row.bytes("item")?);
        let (Ok(class), Ok(store), Ok(id)) = (class, store, id) else {
            return Err(unreadable("a passed step cannot be read"));
        };
        let about = row.opt_bytes("subjects")?.map(unsubjects);
        let about = about.map(|about| about.ok_or(unreadable("subjects cannot be read")));
        let target = DisposalTarget {
            made_at: row.opt_instant("made_at")?,
            subjects: about.transpose()?,
            ..DisposalTarget::new(hold.tenant, class, id)
        };
        if hold.covers(&target.item()) {
            let DisposalTarget { class, id, .. } = target;
            beyond.push(Passed { class, id, store });
        }
    }
    beyond.sort_unstable();
    Ok(beyond)
}

fn subjects(ids: &[ItemId]) -> Vec<u8> {
    let mut w = canon::Writer::new();
    for id in ids {
        w.bytes(id.as_bytes());
    }
    w.finish()
}

fn unsubjects(bytes: &[u8]) -> Option<Vec<ItemId>> {
    let mut r = canon::Reader::new(bytes);
    let mut ids = Vec::new();
    while r.left() > 0 {
        ids.push(ItemId::try_from(r.bytes(64).ok()?).ok()?);
    }
    Some(ids)
}

/// Holds in a database, each change in one transaction with its events.
#[derive(Debug, Clone)]
pub struct SqlHolds {
    db: Db,
    sink: Arc<dyn EventSink>,
}

/// Runs a transaction again while it collides with others.
macro_rules! retried {
    ($transaction:expr) => {{
        let mut left = ATTEMPTS;
        loop {
            match $transaction.await {
                Err(HoldError::Unavailable(error))
                    if left > 0
                        && error
                            .downcast_ref::<DbError>()
                            .is_some_and(DbError::is_transient) =>
                {
                    left = left.saturating_sub(1);
                }
                done => break done,
            }
        }
    }};
}

impl SqlHolds {
    /// The holds of this database, whose tables are made unless they are there; their events go to
    /// the sink through the database's outbox.
    ///
    /// # Errors
    /// [`HoldError::Unavailable`] when the tables cannot be made or are not as expected.
    pub async fn open(db: Db, sink: Arc<dyn EventSink>) -> Result<Self, HoldError> {
        let unavailable = |error: sql_store::MigrateError| HoldError::Unavailable(Box::new(error));
        db.migrate(&sql_store::OUTBOX).await.map_err(unavailable)?;
        db.migrate(&MIGRATIONS).await.map_err(unavailable)?;
        Ok(Self { db, sink })
    }

    async fn begin(&self, tenant: TenantId, mode: Mode) -> Result<Tx, HoldError> {
        let tag = TxTag {
            txn: TxnId::from_bytes(*tenant.as_bytes()),
            tenant: Some(tenant),
            decision: None,
        };
        Ok(self.db.begin_with(mode, tag).await?)
    }

    async fn prepare(&self, events: Vec<covenant_core::Event>) -> Result<Vec<Prepared>, HoldError> {
        let mut prepared = Vec::new();
        for event in events {
            let one = self.sink.prepare(event).await;
            prepared.push(one.map_err(|error| HoldError::Unavailable(Box::new(error)))?);
        }
        Ok(prepared)
    }

    async fn record(&self, tx: &mut Tx, prepared: Vec<Prepared>) -> Result<(), HoldError> {
        for event in prepared {
            let recorded = self.sink.record(tx, event).await;
            recorded.map_err(|error| HoldError::Unavailable(Box::new(error)))?;
        }
        Ok(())
    }

    async fn place_once(&self, hold: &Hold, actor: &ActorContext) -> Result<Placed, HoldError> {
        let events = event::placed(hold, hold.placed_at, actor);
        let prepared = self.prepare(events).await?;
        let mut tx = self.begin(hold.tenant, Mode::ReadWrite).await?;
        lock(&mut tx, hold.tenant).await?;
        let again = find(&mut tx, hold.tenant, hold.id).await?.is_some();
        let placed = place(&mut tx, hold).await?;
        if !again {
            self.record(&mut tx, prepared).await?;
        }
        tx.commit().await?;
        Ok(placed)
    }

    async fn extend_once(
        &self,
        tenant: TenantId,
        id: HoldId,
        until: UtcDateTime,
        act: &HoldAct,
    ) -> Result<(), HoldError> {
        // The events are made of the hold as it will be: read, then checked again in the writing
        // transaction.
        let mut tx = self.begin(tenant, Mode::ReadOnly).await?;
        let found = find(&mut tx, tenant, id).await?;
        drop(tx);
        let mut wanted = found.ok_or(HoldError::Unknown(id))?;
        wanted.extend(until, act.at)?;
        let events = event::placed(wanted.hold(), act.at, &act.actor);
        let prepared = self.prepare(events).await?;
        let mut tx = self.begin(tenant, Mode::ReadWrite).await?;
        extend(&mut tx, tenant, id, until, act.at).await?;
        self.record(&mut tx, prepared).await?;
        Ok(tx.commit().await?)
    }

    async fn release_once(
        &self,
        tenant: TenantId,
        id: HoldId,
        act: &HoldAct,
    ) -> Result<Release, HoldError> {
        let mut tx = self.begin(tenant, Mode::ReadOnly).await?;
        let found = find(&mut tx, tenant, id).await?;
        drop(tx);
        let mut wanted = found.ok_or(HoldError::Unknown(id))?;
        let expected = wanted.release(act.by, act.at)?;
        let event = event::release(tenant, id, expected, act);
        let prepared = self.prepare(vec![event]).await?;
        let mut tx = self.begin(tenant, Mode::ReadWrite).await?;
        let release = release(&mut tx, tenant, id, act.by, act.at).await?;
        if release != expected {
            // Another principal was faster; asked again, this is the second one.
            return Err(HoldError::Refused(HoldRefused::Overtaken));
        }
        self.record(&mut tx, prepared).await?;
        tx.commit().await?;
        Ok(release)
    }

    async fn pass_once(
        &self,
        target: &DisposalTarget,
        store: &StoreName,
        now: UtcDateTime,
    ) -> Result<(), HoldError> {
        let mut tx = self.begin(target.tenant, Mode::ReadWrite).await?;
        pass(&mut tx, target, store, now).await?;
        Ok(tx.commit().await?)
    }

    async fn settle_once(&self, target: &DisposalTarget) -> Result<(), HoldError> {
        let mut tx = self.begin(target.tenant, Mode::ReadWrite).await?;
        settle(&mut tx, target).await?;
        Ok(tx.commit().await?)
    }
}

impl Holds for SqlHolds {
    fn place<'a>(
        &'a self,
        hold: &'a Hold,
        actor: ActorContext,
    ) -> BoxFuture<'a, Result<Placed, HoldError>> {
        Box::pin(async move { retried!(self.place_once(hold, &actor)) })
    }

    fn extend(
        &self,
        tenant: TenantId,
        id: HoldId,
        until: UtcDateTime,
        act: HoldAct,
    ) -> BoxFuture<'_, Result<(), HoldError>> {
        Box::pin(async move { retried!(self.extend_once(tenant, id, until, &act)) })
    }

    fn release(
        &self,
        tenant: TenantId,
        id: HoldId,
        act: HoldAct,
    ) -> BoxFuture<'_, Result<Release, HoldError>> {
        Box::pin(async move { retried!(self.release_once(tenant, id, &act)) })
    }

    fn list(&self, tenant: TenantId) -> BoxFuture<'_, Result<Vec<HoldRecord>, HoldError>> {
        Box::pin(async move {
            let mut tx = self.begin(tenant, Mode::ReadOnly).await?;
            list(&mut tx, tenant).await
        })
    }

    fn view(&self, tenant: TenantId) -> BoxFuture<'_, Result<HoldView, HoldError>> {
        Box::pin(async move {
            let mut tx = self.begin(tenant, Mode::ReadOnly).await?;
            view(&mut tx, tenant, Mode::ReadOnly).await
        })
    }

    fn pass<'a>(
        &'a self,
        target: &'a DisposalTarget,
        store: &'a StoreName,
        now: UtcDateTime,
    ) -> BoxFuture<'a, Result<(), HoldError>> {
        Box::pin(async move { retried!(self.pass_once(target, store, now)) })
    }

    fn settle<'a>(&'a self, target: &'a DisposalTarget) -> BoxFuture<'a, Result<(), HoldError>> {
        Box::pin(async move { retried!(self.settle_once(target)) })
    }
}
