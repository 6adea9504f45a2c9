//! The transactions that destroy records: the tombstone, the emptied bytes and the event go
//! together.

use covenant_core::event::ActorContext;
use covenant_core::sealer::DestroyOrder;
use covenant_core::{KeyId, OrderId, Owner, TenantId};
use sql_store::{Args, Mode, Row, Tx};
use time::UtcDateTime;

use super::change::{kek_in, root_in, tell};
use super::rows;
use super::{Failed, SqlStore};
use crate::journal::KeyEvent;
use crate::record::{Erasure, KekRecord, RootRecord, RootState};
use crate::store::StoreError;

impl SqlStore {
    pub(super) async fn write_burial(
        &self,
        id: KeyId,
        at: UtcDateTime,
        actor: &ActorContext,
    ) -> Result<(KekRecord, Vec<RootRecord>), Failed> {
        let (mut tx, revision) = self.change(Some(at)).await?;
        let burial = Burial {
            at,
            revision,
            actor,
        };
        let args = Args::new().bind(id).bind(at).bind(rows::int(revision)?);
        let sql = include_str!("../../../sql/bury_kek.sql");
        if tx.execute(sql, args).await? == 0 {
            return buried(&mut tx, id).await;
        }
        burial.mark(&mut tx, id, None).await?;
        let args = Args::new().bind(id).bind(i64::MAX);
        let sql = include_str!("../../../sql/list_roots_under.sql");
        let under = tx.rows(sql, args).await?;
        burial.mark_roots(&mut tx, &under).await?;
        let args = Args::new().bind(id).bind(at).bind(Vec::new());
        let sql = include_str!("../../../sql/bury_kek_roots.sql");
        tx.execute(sql, args.bind(rows::int(revision)?)).await?;
        let went = buried(&mut tx, id).await?;
        tx.commit().await?;
        Ok(went)
    }

    pub(super) async fn write_finished(&self, id: KeyId, at: UtcDateTime) -> Result<(), Failed> {
        let (mut tx, revision) = self.change(Some(at)).await?;
        let args = Args::new().bind(id).bind(at).bind(rows::int(revision)?);
        let sql = include_str!("../../../sql/finish_kek.sql");
        if tx.execute(sql, args).await? == 0 {
            return kek_in(&mut tx, id).await.map(drop);
        }
        Ok(tx.commit().await?)
    }

    pub(super) async fn write_buried_root(
        &self,
        id: KeyId,
        at: UtcDateTime,
        actor: &ActorContext,
    ) -> Result<RootRecord, Failed> {
        let (mut tx, revision) = self.change(Some(at)).await?;
        let before = root_in(&mut tx, id).await?;
        if before.state == RootState::Destroyed {
            return Ok(before);
        }
        let burial = Burial {
            at,
            revision,
            actor,
        };
        burial.empty(&mut tx, &before).await?;
        let root = root_in(&mut tx, id).await?;
        tx.commit().await?;
        Ok(root)
    }

    pub(super) async fn write_erasure(
        &self,
        order: &DestroyOrder,
        at: UtcDateTime,
        actor: &ActorContext,
    ) -> Result<Erasure, Failed> {
        let (tenant, subject) = (order.tenant, order.subject);
        let (mut tx, revision) = self.change(Some(at)).await?;
        let args = Args::new().bind(order.id);
        let sql = include_str!("../../../sql/read_erasure.sql");
        if let Some(row) = tx.row(sql, args).await? {
            let done = rows::erasure(&row)?;
            if (done.tenant, done.subject) != (tenant, subject) {
                return Err(Failed::Store(StoreError::OtherOrder));
            }
            return with_keys(&mut tx, done).await;
        }
        let args = Args::new().bind(tenant).bind(subject);
        let sql = include_str!("../../../sql/read_first_erasure.sql");
        let first = tx.row(sql, args).await?;
        let (destroyed_at, complete_by) = match first.as_ref().map(rows::erasure).transpose()? {
            Some(first) => (first.destroyed_at, first.complete_by),
            None => (at, None),
        };
        let erasure = Erasure {
            order: order.id,
            tenant,
            subject,
            destroyed_at,
            keys: Vec::new(),
            revision,
            complete_by,
        };
        add_erasure(&mut tx, &erasure).await?;
        let burial = Burial {
            at,
            revision,
            actor,
        };
        let owner = Owner::Subject(tenant, subject);
        let sql = include_str!("../../../sql/list_owner_roots.sql");
        for row in tx.rows(sql, rows::owner_args(owner)).await? {
            let root = rows::root(&row)?;
            if root.state != RootState::Destroyed {
                burial.empty(&mut tx, &root).await?;
            }
        }
        let erasure = with_keys(&mut tx, erasure).await?;
        tx.commit().await?;
        Ok(erasure)
    }

    pub(super) async fn write_settled(
        &self,
        order: OrderId,
        complete_by: UtcDateTime,
    ) -> Result<UtcDateTime, Failed> {
        let mut tx = self.begin(Mode::ReadWrite).await?;
        let args = Args::new().bind(order).bind(complete_by);
        tx.execute(include_str!("../../../sql/settle_erasure.sql"), args)
            .await?;
        let args = Args::new().bind(order);
        let row = tx
            .row(include_str!("../../../sql/read_erasure.sql"), args)
            .await?;
        tx.commit().await?;
        let erasure = row.as_ref().map(rows::erasure).transpose()?;
        let settled = erasure.and_then(|erasure| erasure.complete_by);
        settled.ok_or(Failed::Store(StoreError::NoOrder(order)))
    }
}

/// A buried KEK, and the roots that went with it.
async fn buried(tx: &mut Tx, id: KeyId) -> Result<(KekRecord, Vec<RootRecord>), Failed> {
    let kek = kek_in(tx, id).await?;
    let args = Args::new().bind(id).bind(kek.destroyed_at);
    let sql = include_str!("../../../sql/list_buried_roots.sql");
    let roots: Result<_, _> = tx.rows(sql, args).await?.iter().map(rows::root).collect();
    Ok((kek, roots?))
}

/// What one transaction buries, and what it says of each key.
struct Burial<'a> {
    at: UtcDateTime,
    revision: u64,
    actor: &'a ActorContext,
}

impl Burial<'_> {
    async fn empty(&self, tx: &mut Tx, root: &RootRecord) -> Result<(), Failed> {
        self.mark(tx, root.id, root.owner.tenant()).await?;
        let args = Args::new().bind(root.id).bind(self.at).bind(Vec::new());
        let args = args.bind(rows::int(self.revision)?);
        tx.execute(include_str!("../../../sql/bury_root.sql"), args)
            .await?;
        Ok(())
    }

    async fn mark_roots(&self, tx: &mut Tx, under: &[Row]) -> Result<(), Failed> {
        for row in under {
            let root = rows::root(row)?;
            self.mark(tx, root.id, root.owner.tenant()).await?;
        }
        Ok(())
    }

    async fn mark(&self, tx: &mut Tx, id: KeyId, tenant: Option<TenantId>) -> Result<(), Failed> {
        let args = Args::new().bind(id).bind(self.at);
        tx.execute(include_str!("../../../sql/add_tombstone.sql"), args)
            .await?;
        let event = KeyEvent::destroyed(id, tenant, self.at, self.actor.clone());
        tell(tx, &event).await
    }
}

pub(super) async fn add_erasure(tx: &mut Tx, erasure: &Erasure) -> Result<(), Failed> {
    let Erasure {
        order,
        tenant,
        subject,
        destroyed_at,
        keys: _,
        revision,
        complete_by,
    } = erasure;
    let args = Args::new().bind(tenant).bind(*subject).bind(order);
    let args = args.bind(*destroyed_at).bind(*complete_by);
    let sql = include_str!("../../../sql/add_erasure.sql");
    tx.execute(sql, args.bind(rows::int(*revision)?)).await?;
    Ok(())
}

/// The erasure with its keys: all roots that its subject ever had.
pub(super) async fn with_keys(tx: &mut Tx, erasure: Erasure) -> Result<Erasure, Failed> {
    let owner = Owner::Subject(erasure.tenant, erasure.subject);
    let sql = include_str!("../../../sql/list_owner_roots.sql");
    let rows_of = tx.rows(sql, rows::owner_args(owner)).await?;
    let keys: Result<_, Failed> = rows_of.iter().map(|row| Ok(rows::root(row)?.id)).collect();
    Ok(Erasure {
        keys: keys?,
        ..erasure
    })
}
