//! The transactions that make and change records. Each begins by raising the store's revision: the
//! row of table `store` is the lock that orders all of them.

use covenant_core::sealer::Purpose;
use covenant_core::{KeyId, Owner, TenantId};
use sql_store::{Args, Mode, Tx};
use time::UtcDateTime;

use super::rows;
use super::{Failed, SqlStore};
use crate::journal::KeyEvent;
use crate::record::{KekRecord, KekState, RootRecord, RootState};
use crate::store::memory::refusal;
use crate::store::{Added, Counted, Moved, Planned, StoreError, Swap};
use crate::wrapped::WRAPS_MAX;

impl SqlStore {
    /// A writing transaction, alone until it ends, and the revision of what it changes.
    pub(super) async fn change(&self, at: Option<UtcDateTime>) -> Result<(Tx, u64), Failed> {
        let mut tx = self.begin(Mode::ReadWrite).await?;
        let args = Args::new().bind(at.unwrap_or(UtcDateTime::UNIX_EPOCH));
        let row = tx
            .row(include_str!("../../../sql/bump_store.sql"), args)
            .await?;
        let row = row.ok_or(rows::damaged("store"))?;
        Ok((tx, rows::count(&row, "revision")?))
    }

    pub(super) async fn write_kek(&self, kek: &KekRecord) -> Result<KekRecord, Failed> {
        let (mut tx, revision) = self.change(Some(kek.created_at)).await?;
        let kek = KekRecord {
            revision,
            ..kek.clone()
        };
        let sql = include_str!("../../../sql/add_kek.sql");
        if tx.execute(sql, rows::kek_args(&kek)?).await? > 0 {
            tx.commit().await?;
            return Ok(kek);
        }
        let group = keks_of(&mut tx, &kek).await?;
        let kept = group.into_iter().find(|kept| kept.n == kek.n);
        kept.ok_or(Failed::Store(StoreError::Taken(kek.id)))
    }

    pub(super) async fn write_enabled(
        &self,
        id: KeyId,
        canary: &[u8],
        event: &KeyEvent,
    ) -> Result<KekRecord, Failed> {
        let (mut tx, revision) = self.change(Some(event.at)).await?;
        let args = Args::new().bind(id).bind(canary.to_vec());
        let sql = include_str!("../../../sql/enable_kek.sql");
        if tx.execute(sql, args.bind(rows::int(revision)?)).await? == 0 {
            return kek_in(&mut tx, id).await;
        }
        tell(&mut tx, event).await?;
        let kek = kek_in(&mut tx, id).await?;
        tx.commit().await?;
        Ok(kek)
    }

    pub(super) async fn write_changed_kek(
        &self,
        kek: &KekRecord,
        event: &KeyEvent,
        only_empty: OnlyEmpty,
    ) -> Result<Swap, Failed> {
        let (mut tx, revision) = self.change(Some(event.at)).await?;
        if only_empty == OnlyEmpty::Yes {
            let sql = include_str!("../../../sql/count_roots_under.sql");
            let row = tx.row(sql, Args::new().bind(kek.id)).await?;
            let under = row.map_or(Ok(0), |row| rows::count(&row, "living"))?;
            if under > 0 {
                return Ok(Swap::NotEmpty(under));
            }
        }
        let args = Args::new().bind(kek.id).bind(rows::int(kek.revision)?);
        let args = args
            .bind(kek.switch.name())
            .bind(kek.expires_at)
            .bind(kek.destroy_at)
            .bind(kek.pending_until)
            .bind(kek.compromised_at)
            .bind(rows::int(revision)?);
        let sql = include_str!("../../../sql/change_kek.sql");
        if tx.execute(sql, args).await? == 0 {
            kek_in(&mut tx, kek.id).await?;
            return Ok(Swap::Stale);
        }
        tell(&mut tx, event).await?;
        tx.commit().await?;
        Ok(Swap::Done)
    }

    pub(super) async fn write_wrap(&self, kek: KeyId) -> Result<Counted, Failed> {
        let mut tx = self.begin(Mode::ReadWrite).await?;
        let counted = count(&mut tx, kek, 1).await?;
        tx.commit().await?;
        Ok(counted)
    }

    pub(super) async fn write_root(&self, root: &RootRecord) -> Result<Added, Failed> {
        let mut root = root.clone();
        let (mut tx, revision) = self.change(Some(root.created_at)).await?;
        let versions = versions_in(&mut tx, root.owner, root.purpose).await?;
        if let Some(existing) = versions.iter().find(|version| version.n == root.n) {
            return Ok(Added::Exists(existing.clone()));
        }
        if let Some(before) = versions.last() {
            if before.state == RootState::Destroyed {
                return Ok(Added::Refused(before.state.name()));
            }
            root.destroy_at = before.destroy_at;
        }
        if let Owner::Subject(tenant, subject) = root.owner {
            let data = versions_in(&mut tx, Owner::Tenant(tenant), Purpose::Data).await?;
            match sealing(&data) {
                None => return Ok(Added::NoTenant),
                Some(data) if data.state == RootState::Destroyed => {
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
        match count(&mut tx, root.kek, 1).await? {
            Counted::Done => {}
            Counted::Refused(state) => return Ok(Added::Refused(state)),
            Counted::Exhausted => return Ok(Added::Exhausted),
        }
        root.revision = revision;
        root.wrapped_revision = revision;
        let sql = include_str!("../../../sql/add_root.sql");
        if tx.execute(sql, rows::root_args(&root)?).await? == 0 {
            return Err(Failed::Store(StoreError::Taken(root.id)));
        }
        tx.commit().await?;
        Ok(Added::Stored(root))
    }

    pub(super) async fn write_changed_root(
        &self,
        root: &RootRecord,
        event: &KeyEvent,
    ) -> Result<Swap, Failed> {
        let (mut tx, revision) = self.change(Some(event.at)).await?;
        let args = Args::new().bind(root.id).bind(rows::int(root.revision)?);
        let args = args
            .bind(root.state.name())
            .bind(root.switch.name())
            .bind(root.active_from)
            .bind(root.destroy_at)
            .bind(root.pending_until)
            .bind(root.compromised_at)
            .bind(rows::int(revision)?);
        let sql = include_str!("../../../sql/change_root.sql");
        if tx.execute(sql, args).await? == 0 {
            root_in(&mut tx, root.id).await?;
            return Ok(Swap::Stale);
        }
        tell(&mut tx, event).await?;
        tx.commit().await?;
        Ok(Swap::Done)
    }

    pub(super) async fn write_moved(
        &self,
        to: KeyId,
        roots: &[RootRecord],
    ) -> Result<Moved, Failed> {
        let (mut tx, revision) = self.change(None).await?;
        let mut moved: u64 = 0;
        for root in roots {
            let args = Args::new().bind(root.id).bind(rows::int(root.revision)?);
            let args = args.bind(to).bind(&root.wrapped).bind(rows::int(revision)?);
            let sql = include_str!("../../../sql/move_root.sql");
            moved = moved.saturating_add(tx.execute(sql, args).await?);
        }
        match count(&mut tx, to, moved).await? {
            Counted::Done => {}
            Counted::Refused(state) => return Ok(Moved::Refused(state)),
            Counted::Exhausted => return Ok(Moved::Exhausted),
        }
        tx.commit().await?;
        Ok(Moved::Done(moved))
    }

    pub(super) async fn write_plan(
        &self,
        tenant: TenantId,
        at: UtcDateTime,
    ) -> Result<Planned, Failed> {
        let (mut tx, revision) = self.change(None).await?;
        let sql = include_str!("../../../sql/list_tenant_roots.sql");
        let mut planned: u64 = 0;
        for row in tx.rows(sql, Args::new().bind(tenant)).await? {
            let root = rows::root(&row)?;
            if matches!(root.owner, Owner::Vault(..)) {
                continue;
            }
            if let Some(other) = root.destroy_at.filter(|planned| *planned != at) {
                return Ok(Planned::Differs(root.id, other));
            }
            let args = Args::new().bind(root.id).bind(at);
            let args = args.bind(rows::int(revision)?);
            tx.execute(include_str!("../../../sql/plan_root.sql"), args)
                .await?;
            planned = planned.saturating_add(1);
        }
        tx.commit().await?;
        Ok(Planned::Done(planned))
    }
}

/// Whether a change is made only while no living root lies under the KEK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnlyEmpty {
    Yes,
    No,
}

pub(super) async fn tell(tx: &mut Tx, event: &KeyEvent) -> Result<(), Failed> {
    let args = Args::new().bind(event.id).bind(event.encode());
    tx.execute(include_str!("../../../sql/add_event.sql"), args)
        .await?;
    Ok(())
}

pub(super) async fn kek_in(tx: &mut Tx, id: KeyId) -> Result<KekRecord, Failed> {
    let sql = include_str!("../../../sql/read_kek.sql");
    let row = tx.row(sql, Args::new().bind(id)).await?;
    let kek = row.as_ref().map(rows::kek).transpose()?;
    kek.ok_or(Failed::Store(StoreError::NoRecord(id)))
}

pub(super) async fn root_in(tx: &mut Tx, id: KeyId) -> Result<RootRecord, Failed> {
    let sql = include_str!("../../../sql/read_root.sql");
    let row = tx.row(sql, Args::new().bind(id)).await?;
    let root = row.as_ref().map(rows::root).transpose()?;
    root.ok_or(Failed::Store(StoreError::NoRecord(id)))
}

/// The version that seals: the newest active one, else the newest.
pub(super) fn sealing(versions: &[RootRecord]) -> Option<&RootRecord> {
    let mut newest_first = versions.iter().rev();
    let active = newest_first.find(|root| root.state == RootState::Active);
    active.or(versions.last())
}

async fn keks_of(tx: &mut Tx, kek: &KekRecord) -> Result<Vec<KekRecord>, Failed> {
    let args = Args::new().bind(kek.group.to_string());
    let sql = include_str!("../../../sql/list_group_keks.sql");
    tx.rows(sql, args).await?.iter().map(rows::kek).collect()
}

async fn versions_in(
    tx: &mut Tx,
    owner: Owner,
    purpose: Purpose,
) -> Result<Vec<RootRecord>, Failed> {
    let args = rows::owner_args(owner).bind(purpose.name());
    let sql = include_str!("../../../sql/list_versions.sql");
    tx.rows(sql, args).await?.iter().map(rows::root).collect()
}

/// Counts wraps by the newest enabled KEK of its group.
async fn count(tx: &mut Tx, kek: KeyId, wraps: u64) -> Result<Counted, Failed> {
    let args = Args::new().bind(kek).bind(rows::int(wraps)?);
    let args = args.bind(rows::int(WRAPS_MAX)?);
    let sql = include_str!("../../../sql/count_wraps.sql");
    if tx.execute(sql, args).await? > 0 {
        return Ok(Counted::Done);
    }
    let kek = match kek_in(tx, kek).await {
        Err(Failed::Store(StoreError::NoRecord(_))) => {
            return Ok(Counted::Refused(KekState::Destroyed.name()));
        }
        found => found?,
    };
    let group = keks_of(tx, &kek).await?;
    Ok(refusal(&kek, group.iter()).map_or(Counted::Exhausted, Counted::Refused))
}
