//! The transactions that write. What must hold at the same time is locked by an update of the row
//! that decides it: the KEK for a new root, the tenant's root for its data subjects.

use covenant_core::sealer::{DestroyOrder, Purpose};
use covenant_core::{KeyId, OrderId, Owner, TenantId};
use sql_store::{Args, Mode, Tx};
use time::UtcDateTime;

use super::rows;
use super::{Failed, SqlStore};
use crate::record::{Erasure, KekRecord, KekState, RootRecord, RootState};
use crate::store::{Added, Planned, StoreError};
use crate::wrapped::WRAPS_MAX;

impl SqlStore {
    pub(super) async fn write_kek(&self, kek: &KekRecord) -> Result<KekRecord, Failed> {
        let mut tx = self.begin(Mode::ReadWrite).await?;
        tx.execute(
            include_str!("../../../sql/add_kek.sql"),
            rows::kek_args(kek)?,
        )
        .await?;
        let args = Args::new().bind(kek.group.to_string());
        let row = tx
            .row(include_str!("../../../sql/read_group_kek.sql"), args)
            .await?;
        let kept = row.as_ref().map(rows::kek).transpose()?;
        tx.commit().await?;
        kept.ok_or(Failed::Store(StoreError::Taken(kek.id)))
    }

    pub(super) async fn write_enabled(&self, id: KeyId) -> Result<KekRecord, Failed> {
        let mut tx = self.begin(Mode::ReadWrite).await?;
        tx.execute(
            include_str!("../../../sql/enable_kek.sql"),
            Args::new().bind(id),
        )
        .await?;
        let kek = kek_in(&mut tx, id).await?;
        tx.commit().await?;
        Ok(kek)
    }

    pub(super) async fn write_root(&self, root: &RootRecord) -> Result<Added, Failed> {
        let mut root = root.clone();
        let mut tx = self.begin(Mode::ReadWrite).await?;
        if let Some(existing) = root_in(&mut tx, root.owner, root.purpose).await? {
            return Ok(Added::Exists(existing));
        }
        if let Owner::Subject(tenant, subject) = root.owner {
            lock_tenant(&mut tx, tenant).await?;
            match root_in(&mut tx, Owner::Tenant(tenant), Purpose::Data).await? {
                None => return Ok(Added::NoTenant),
                Some(data) if data.state != RootState::Active => {
                    return Ok(Added::Refused(data.state.name()));
                }
                Some(data) => root.destroy_at = data.destroy_at,
            }
            let args = Args::new().bind(tenant).bind(subject);
            let sql = include_str!("../../../sql/read_first_erasure.sql");
            if tx.row(sql, args).await?.is_some() {
                return Ok(Added::Refused(RootState::Destroyed.name()));
            }
        }
        let max = i64::try_from(WRAPS_MAX).or(Err(rows::damaged("wraps")))?;
        let args = Args::new().bind(root.kek).bind(max);
        if tx
            .execute(include_str!("../../../sql/count_wrap.sql"), args)
            .await?
            == 0
        {
            return match kek_in(&mut tx, root.kek).await {
                Ok(kek) if kek.state == KekState::Enabled => Ok(Added::Exhausted),
                Ok(kek) => Ok(Added::Refused(kek.state.name())),
                Err(Failed::Store(StoreError::NoRecord(_))) => {
                    Ok(Added::Refused(KekState::Destroyed.name()))
                }
                Err(other) => Err(other),
            };
        }
        let sql = include_str!("../../../sql/add_root.sql");
        if tx.execute(sql, rows::root_args(&root)).await? == 0 {
            let existing = root_in(&mut tx, root.owner, root.purpose).await?;
            return existing
                .map(Added::Exists)
                .ok_or(Failed::Store(StoreError::Taken(root.id)));
        }
        tx.commit().await?;
        Ok(Added::Stored(root))
    }

    pub(super) async fn write_plan(
        &self,
        tenant: TenantId,
        at: UtcDateTime,
    ) -> Result<Planned, Failed> {
        let mut tx = self.begin(Mode::ReadWrite).await?;
        lock_tenant(&mut tx, tenant).await?;
        let sql = include_str!("../../../sql/list_tenant_roots.sql");
        let mut count: u64 = 0;
        for row in tx.rows(sql, Args::new().bind(tenant)).await? {
            let root = rows::root(&row)?;
            if matches!(root.owner, Owner::Vault(..)) {
                continue;
            }
            if let Some(planned) = root.destroy_at.filter(|planned| *planned != at) {
                return Ok(Planned::Differs(root.id, planned));
            }
            let args = Args::new().bind(root.id).bind(at);
            tx.execute(include_str!("../../../sql/plan_root.sql"), args)
                .await?;
            count = count.saturating_add(1);
        }
        tx.commit().await?;
        Ok(Planned::Done(count))
    }

    pub(super) async fn write_burial(
        &self,
        id: KeyId,
        at: UtcDateTime,
    ) -> Result<(KekRecord, Vec<RootRecord>), Failed> {
        let mut tx = self.begin(Mode::ReadWrite).await?;
        let args = || Args::new().bind(id).bind(at);
        if tx
            .execute(include_str!("../../../sql/bury_kek.sql"), args())
            .await?
            > 0
        {
            tx.execute(include_str!("../../../sql/add_kek_tombstones.sql"), args())
                .await?;
            tx.execute(include_str!("../../../sql/add_tombstone.sql"), args())
                .await?;
            let sql = include_str!("../../../sql/bury_kek_roots.sql");
            tx.execute(sql, args().bind(Vec::new())).await?;
        }
        let kek = kek_in(&mut tx, id).await?;
        let args = Args::new().bind(id).bind(kek.destroyed_at);
        let sql = include_str!("../../../sql/list_buried_roots.sql");
        let roots: Result<_, _> = tx.rows(sql, args).await?.iter().map(rows::root).collect();
        tx.commit().await?;
        Ok((kek, roots?))
    }

    pub(super) async fn write_finished(&self, id: KeyId) -> Result<(), Failed> {
        let mut tx = self.begin(Mode::ReadWrite).await?;
        tx.execute(
            include_str!("../../../sql/finish_kek.sql"),
            Args::new().bind(id),
        )
        .await?;
        kek_in(&mut tx, id).await?;
        Ok(tx.commit().await?)
    }

    pub(super) async fn write_buried_root(
        &self,
        id: KeyId,
        at: UtcDateTime,
    ) -> Result<RootRecord, Failed> {
        let mut tx = self.begin(Mode::ReadWrite).await?;
        let args = || Args::new().bind(id).bind(at);
        let sql = include_str!("../../../sql/bury_root.sql");
        if tx.execute(sql, args().bind(Vec::new())).await? > 0 {
            tx.execute(include_str!("../../../sql/add_tombstone.sql"), args())
                .await?;
        }
        let sql = include_str!("../../../sql/read_root.sql");
        let row = tx.row(sql, Args::new().bind(id)).await?;
        tx.commit().await?;
        row.as_ref()
            .map(rows::root)
            .transpose()?
            .ok_or(Failed::Store(StoreError::NoRecord(id)))
    }

    pub(super) async fn write_erasure(
        &self,
        order: &DestroyOrder,
        at: UtcDateTime,
    ) -> Result<Erasure, Failed> {
        let (tenant, subject) = (order.tenant, order.subject);
        let owner = Owner::Subject(tenant, subject);
        let mut tx = self.begin(Mode::ReadWrite).await?;
        lock_tenant(&mut tx, tenant).await?;
        let args = Args::new().bind(order.id);
        let done = tx
            .row(include_str!("../../../sql/read_erasure.sql"), args)
            .await?;
        let mut erasure = if let Some(row) = done {
            let done = rows::erasure(&row)?;
            if (done.tenant, done.subject) != (tenant, subject) {
                return Err(Failed::Store(StoreError::OtherOrder));
            }
            done
        } else {
            let args = Args::new().bind(tenant).bind(subject);
            let first = tx
                .row(include_str!("../../../sql/read_first_erasure.sql"), args)
                .await?;
            let (destroyed_at, complete_by) = match first.as_ref().map(rows::erasure).transpose()? {
                Some(first) => (first.destroyed_at, first.complete_by),
                None => (at, None),
            };
            let args = Args::new().bind(tenant).bind(subject).bind(order.id);
            let args = args.bind(destroyed_at).bind(complete_by);
            tx.execute(include_str!("../../../sql/add_erasure.sql"), args)
                .await?;
            let args = || rows::owner_args(owner).bind(at);
            tx.execute(
                include_str!("../../../sql/add_owner_tombstones.sql"),
                args(),
            )
            .await?;
            let sql = include_str!("../../../sql/bury_owner_roots.sql");
            tx.execute(sql, args().bind(Vec::new())).await?;
            let order = order.id;
            Erasure {
                order,
                tenant,
                subject,
                destroyed_at,
                keys: Vec::new(),
                complete_by,
            }
        };
        let sql = include_str!("../../../sql/list_owner_roots.sql");
        for row in tx.rows(sql, rows::owner_args(owner)).await? {
            erasure.keys.push(rows::root(&row)?.id);
        }
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

async fn kek_in(tx: &mut Tx, id: KeyId) -> Result<KekRecord, Failed> {
    let row = tx
        .row(
            include_str!("../../../sql/read_kek.sql"),
            Args::new().bind(id),
        )
        .await?;
    row.as_ref()
        .map(rows::kek)
        .transpose()?
        .ok_or(Failed::Store(StoreError::NoRecord(id)))
}

async fn root_in(
    tx: &mut Tx,
    owner: Owner,
    purpose: Purpose,
) -> Result<Option<RootRecord>, Failed> {
    let args = rows::owner_args(owner).bind(purpose.name());
    let row = tx
        .row(include_str!("../../../sql/read_owner_root.sql"), args)
        .await?;
    row.as_ref().map(rows::root).transpose()
}

/// Makes whoever adds, plans or erases within this tenant wait until this transaction ends.
async fn lock_tenant(tx: &mut Tx, tenant: TenantId) -> Result<(), Failed> {
    let args = rows::owner_args(Owner::Tenant(tenant)).bind(Purpose::Data.name());
    tx.execute(include_str!("../../../sql/lock_root.sql"), args)
        .await?;
    Ok(())
}
