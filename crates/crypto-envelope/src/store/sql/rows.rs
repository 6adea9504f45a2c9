//! Records as rows, and rows as records.

use covenant_core::Owner;
use sql_store::{Args, Row};
use uuid::Uuid;

use super::Failed;
use crate::record::{
    Erasure, KekRecord, KekState, RootRecord, RootState, decode_owner, parse_purpose,
};
use crate::store::StoreError;

/// Tenant and owner: how every key of table `root` begins. The platform's tenant is zero.
pub(super) fn owner_args(owner: Owner) -> Args {
    let tenant = owner
        .tenant()
        .map_or_else(Uuid::nil, |tenant| tenant.as_uuid());
    Args::new().bind(tenant).bind(owner.encode())
}

pub(super) fn kek_args(kek: &KekRecord) -> Result<Args, Failed> {
    let KekRecord {
        id,
        group,
        state,
        wraps,
        created_at,
        destroy_at,
        destroyed_at,
    } = kek;
    let wraps = i64::try_from(*wraps).or(Err(damaged("wraps")))?;
    Ok(Args::new()
        .bind(id)
        .bind(group.to_string())
        .bind(state.name())
        .bind(wraps)
        .bind(*created_at)
        .bind(*destroy_at)
        .bind(*destroyed_at))
}

pub(super) fn root_args(root: &RootRecord) -> Args {
    let RootRecord {
        id,
        owner,
        purpose,
        kek,
        wrapped,
        state,
        created_at,
        destroy_at,
        destroyed_at,
    } = root;
    owner_args(*owner)
        .bind(purpose.name())
        .bind(id)
        .bind(kek)
        .bind(wrapped)
        .bind(state.name())
        .bind(*created_at)
        .bind(*destroy_at)
        .bind(*destroyed_at)
}

pub(super) fn kek(row: &Row) -> Result<KekRecord, Failed> {
    let state = row.text("state")?;
    let state = KekState::ALL.into_iter().find(|s| s.name() == state);
    Ok(KekRecord {
        id: row.id("id")?,
        group: row.text("key_group")?.parse().or(Err(damaged("group")))?,
        state: state.ok_or_else(|| damaged("state"))?,
        wraps: u64::try_from(row.int("wraps")?).or(Err(damaged("wraps")))?,
        created_at: row.instant("created_at")?,
        destroy_at: row.opt_instant("destroy_at")?,
        destroyed_at: row.opt_instant("destroyed_at")?,
    })
}

pub(super) fn root(row: &Row) -> Result<RootRecord, Failed> {
    let state = row.text("state")?;
    let state = [RootState::Active, RootState::Destroyed]
        .into_iter()
        .find(|s| s.name() == state);
    let owner = decode_owner(row.bytes("owner")?).ok_or_else(|| damaged("owner"))?;
    let tenant = owner
        .tenant()
        .map_or_else(Uuid::nil, |tenant| tenant.as_uuid());
    if tenant != row.uuid("tenant")? {
        return Err(damaged("tenant"));
    }
    Ok(RootRecord {
        id: row.id("id")?,
        owner,
        purpose: parse_purpose(row.text("purpose")?).ok_or_else(|| damaged("purpose"))?,
        kek: row.id("kek")?,
        wrapped: row.bytes("wrapped")?.to_vec(),
        state: state.ok_or_else(|| damaged("state"))?,
        created_at: row.instant("created_at")?,
        destroy_at: row.opt_instant("destroy_at")?,
        destroyed_at: row.opt_instant("destroyed_at")?,
    })
}

/// An erasure; its keys are those of the owner's roots.
pub(super) fn erasure(row: &Row) -> Result<Erasure, Failed> {
    Ok(Erasure {
        order: row.id("erasure_order")?,
        tenant: row.id("tenant")?,
        subject: row.uuid("subject")?,
        destroyed_at: row.instant("destroyed_at")?,
        keys: Vec::new(),
        complete_by: row.opt_instant("complete_by")?,
    })
}

pub(super) const fn damaged(what: &'static str) -> Failed {
    Failed::Store(StoreError::Damaged(what))
}
