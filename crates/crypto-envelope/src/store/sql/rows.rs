//! Records as rows, and rows as records.

use covenant_core::Owner;
use sql_store::{Args, Row};
use time::{Duration, UtcDateTime};
use uuid::Uuid;

use super::Failed;
use crate::copies::{CopyEnd, KeyCopy};
use crate::record::{
    Erasure, KekRecord, KekState, RootRecord, RootState, Switch, decode_owner, parse_purpose,
};
use crate::store::{Gate, StoreError, StoreStanding};

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
        n,
        state,
        switch,
        wraps,
        created_at,
        expires_at,
        destroy_at,
        pending_until,
        compromised_at,
        destroyed_at,
        gone_at,
        canary,
        revision,
    } = kek;
    Ok(Args::new()
        .bind(id)
        .bind(group.to_string())
        .bind(*n)
        .bind(state.name())
        .bind(switch.name())
        .bind(int(*wraps)?)
        .bind(*created_at)
        .bind(*expires_at)
        .bind(*destroy_at)
        .bind(*pending_until)
        .bind(*compromised_at)
        .bind(*destroyed_at)
        .bind(*gone_at)
        .bind(canary)
        .bind(int(*revision)?))
}

pub(super) fn root_args(root: &RootRecord) -> Result<Args, Failed> {
    let RootRecord {
        id,
        owner,
        purpose,
        n,
        kek,
        wrapped,
        state,
        switch,
        created_at,
        active_from,
        destroy_at,
        pending_until,
        compromised_at,
        destroyed_at,
        wrapped_revision,
        revision,
    } = root;
    Ok(owner_args(*owner)
        .bind(purpose.name())
        .bind(*n)
        .bind(id)
        .bind(kek)
        .bind(wrapped)
        .bind(state.name())
        .bind(switch.name())
        .bind(*created_at)
        .bind(*active_from)
        .bind(*destroy_at)
        .bind(*pending_until)
        .bind(*compromised_at)
        .bind(*destroyed_at)
        .bind(int(*wrapped_revision)?)
        .bind(int(*revision)?))
}

pub(super) fn kek(row: &Row) -> Result<KekRecord, Failed> {
    let state = row.text("state")?;
    let state = KekState::ALL.into_iter().find(|s| s.name() == state);
    Ok(KekRecord {
        id: row.id("id")?,
        group: row.text("key_group")?.parse().or(Err(damaged("group")))?,
        n: number(row)?,
        state: state.ok_or_else(|| damaged("state"))?,
        switch: switch(row)?,
        wraps: count(row, "wraps")?,
        created_at: row.instant("created_at")?,
        expires_at: row.opt_instant("expires_at")?,
        destroy_at: row.opt_instant("destroy_at")?,
        pending_until: row.opt_instant("pending_until")?,
        compromised_at: row.opt_instant("compromised_at")?,
        destroyed_at: row.opt_instant("destroyed_at")?,
        gone_at: row.opt_instant("gone_at")?,
        canary: row.bytes("canary")?.to_vec(),
        revision: count(row, "revision")?,
    })
}

pub(super) fn root(row: &Row) -> Result<RootRecord, Failed> {
    let state = row.text("state")?;
    let state = RootState::ALL.into_iter().find(|s| s.name() == state);
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
        n: number(row)?,
        kek: row.id("kek")?,
        wrapped: row.bytes("wrapped")?.to_vec(),
        state: state.ok_or_else(|| damaged("state"))?,
        switch: switch(row)?,
        created_at: row.instant("created_at")?,
        active_from: row.opt_instant("active_from")?,
        destroy_at: row.opt_instant("destroy_at")?,
        pending_until: row.opt_instant("pending_until")?,
        compromised_at: row.opt_instant("compromised_at")?,
        destroyed_at: row.opt_instant("destroyed_at")?,
        wrapped_revision: count(row, "wrapped_revision")?,
        revision: count(row, "revision")?,
    })
}

pub(super) fn copy_args(copy: &KeyCopy) -> Result<Args, Failed> {
    let KeyCopy {
        id,
        site,
        revision,
        taken_at,
        end,
        removed_at,
    } = copy;
    let (ends_at, lag_secs) = match end {
        CopyEnd::At(at) => (Some(*at), None),
        CopyEnd::Follows(lag) => (None, Some(lag.whole_seconds())),
        CopyEnd::Unknown => (None, None),
    };
    Ok(Args::new()
        .bind(*id)
        .bind(site.as_str())
        .bind(int(*revision)?)
        .bind(*taken_at)
        .bind(ends_at)
        .bind(lag_secs)
        .bind(*removed_at))
}

pub(super) fn copy(row: &Row) -> Result<KeyCopy, Failed> {
    let end = match (row.opt_instant("ends_at")?, row.opt_int("lag_secs")?) {
        (Some(at), None) => CopyEnd::At(at),
        (None, Some(lag)) => CopyEnd::Follows(Duration::seconds(lag)),
        (None, None) => CopyEnd::Unknown,
        (Some(_), Some(_)) => return Err(damaged("copy")),
    };
    Ok(KeyCopy {
        id: row.uuid("id")?,
        site: row.text("site")?.to_owned(),
        revision: count(row, "revision")?,
        taken_at: row.instant("taken_at")?,
        end,
        removed_at: row.opt_instant("removed_at")?,
    })
}

pub(super) fn standing(row: &Row) -> Result<StoreStanding, Failed> {
    let latest_at = row.instant("latest_at")?;
    Ok(StoreStanding {
        revision: count(row, "revision")?,
        gate: match row.text("gate")? {
            "open" => Gate::Open,
            "shut" => Gate::Shut,
            _ => return Err(damaged("gate")),
        },
        latest_at: (latest_at > UtcDateTime::UNIX_EPOCH).then_some(latest_at),
    })
}

pub(super) const fn gate_name(gate: Gate) -> &'static str {
    match gate {
        Gate::Open => "open",
        Gate::Shut => "shut",
    }
}

fn switch(row: &Row) -> Result<Switch, Failed> {
    let name = row.text("switched")?;
    let switch = Switch::ALL.into_iter().find(|s| s.name() == name);
    switch.ok_or_else(|| damaged("switch"))
}

fn number(row: &Row) -> Result<u32, Failed> {
    u32::try_from(row.int("n")?).or(Err(damaged("number")))
}

pub(super) fn count(row: &Row, name: &'static str) -> Result<u64, Failed> {
    u64::try_from(row.int(name)?).or(Err(damaged(name)))
}

pub(super) fn int(count: u64) -> Result<i64, Failed> {
    i64::try_from(count).or(Err(damaged("count")))
}

/// An erasure; its keys are those of the owner's roots.
pub(super) fn erasure(row: &Row) -> Result<Erasure, Failed> {
    Ok(Erasure {
        order: row.id("erasure_order")?,
        tenant: row.id("tenant")?,
        subject: row.uuid("subject")?,
        destroyed_at: row.instant("destroyed_at")?,
        keys: Vec::new(),
        revision: count(row, "revision")?,
        complete_by: row.opt_instant("complete_by")?,
    })
}

pub(super) const fn damaged(what: &'static str) -> Failed {
    Failed::Store(StoreError::Damaged(what))
}
