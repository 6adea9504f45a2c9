//! The life of a tenant's database: created, checked, deleted.

mod purge;

use std::collections::BTreeSet;

use covenant_core::{TenantId, UserId};
use retention_policy::Retention as _;
use sql_store::due::Due;
use tenant_isolation::level::Maintain;
use tenant_isolation::{
    AccessAction, Attached, Caller, RegistryChange, Role, ServiceKind, StoreIdentity, StoreModel,
    TenantState,
};
use time::{Duration, UtcDateTime};

use crate::assembly::Covenant;
use crate::error::{Error, StartError};
use crate::pending::Pending;
use crate::plans::{self, PlanKind};
use crate::record::map::{DATA_MAP, EXEMPT, RECORDS, WATCHED};
use crate::sweep::kind;

/// How long before its ceiling the purge of a deleted database starts: a backup, the removal and a
/// sweep fit into it; ours.
pub(crate) const PURGE_AHEAD: Duration = Duration::hours(25);

impl Covenant {
    /// Creates a tenant with an empty database, in the deployment's first region, with this admin.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn create_tenant(&self, tenant: TenantId, admin: UserId) -> Result<(), Error> {
        let parts = self.parts();
        let isolation = parts.profile.isolation;
        parts.keys.create_tenant_with(tenant, isolation).await?;
        self.note_keys().await?;
        let change = RegistryChange::Create {
            region: parts.region.clone(),
            admin,
        };
        let attached = Attached {
            due: vec![
                self.backup_due(tenant).await?,
                store_row(kind::PROVISION, tenant, Vec::new(), parts.clock.now()),
            ],
            events: Vec::new(),
        };
        let caller = Caller::service(ServiceKind::Billing);
        parts.guard.act(caller, tenant, change, attached).await?;
        self.provision(tenant).await?;
        self.cancel_due(tenant, kind::PROVISION, &[]).await
    }

    /// Lets a member in, changes its role, or, with `None`, puts it out.
    ///
    /// # Errors
    /// [`Error::Denied`] to everybody but an administrator of the database; else [`Error`].
    // clause: R-05
    pub async fn set_member(
        &self,
        caller: &Caller,
        tenant: TenantId,
        user: UserId,
        role: Option<Role>,
    ) -> Result<(), Error> {
        let change = RegistryChange::SetMember { user, role };
        let none = Attached::default();
        let guard = &self.parts().guard;
        guard.act(caller.clone(), tenant, change, none).await?;
        Ok(())
    }

    /// Makes the tenant's store, unless it is there; may be repeated.
    pub(crate) async fn provision(&self, tenant: TenantId) -> Result<(), Error> {
        let parts = self.parts();
        let facts = parts.registry.snapshot(tenant, None).await?;
        let Some(record) = facts.record.filter(|r| r.state == TenantState::Active) else {
            return Ok(());
        };
        let identity = StoreIdentity::expected(tenant, &record, StoreModel::SqliteFile);
        let tables = [
            sql_store::OUTBOX,
            audit_log::changes::TOUCHES,
            RECORDS,
            retention_policy::hold::sql::MIGRATIONS,
        ];
        parts
            .tenants
            .provision(&identity, &tables)
            .await
            .map_err(Error::unavailable)?;
        let file = parts.layout.tenant_file(&parts.region, tenant);
        let db = self.maintenance_db(&file).await?;
        let installed = audit_log::changes::install_triggers(&db, WATCHED).await;
        let checked = check_new(&db).await;
        db.close().await;
        installed.map_err(Error::unavailable)?;
        checked.map_err(Error::unavailable)?;
        // A store in which nothing lies yet has no backlog that somebody should look at first.
        let swept = (tenant, PlanKind::Bin);
        let planned = plans::planned(&parts.control, tenant, PlanKind::Bin).await?;
        if planned.is_none() {
            plans::settle(&parts.control, swept, parts.profile.rules.digest()).await?;
        }
        match self.ceilings(tenant)? {
            // likewise, once a sweep has looked
            Some(_) => {
                self.put_due(&self.live_row(tenant, parts.clock.now()))
                    .await
            }
            None => Ok(()),
        }
    }

    /// Compares every live store with the data map, and with what its registry entry says it is.
    pub(crate) async fn check_stores(&self) -> Result<(), StartError> {
        let parts = self.parts();
        let failed = |error: Error| StartError::store("a tenant's store", error);
        let pending = Pending::read(&parts.control).await;
        let pending = pending.map_err(|error| failed(error.into()))?;
        let tenants = parts.registry.tenants().await;
        for (tenant, record) in tenants.map_err(|error| failed(error.into()))? {
            if record.state != TenantState::Active || pending.contains(tenant) {
                continue;
            }
            let caller = Caller::service(ServiceKind::Retention);
            let scope = self
                .enter::<Maintain>(&caller, tenant, AccessAction::StoreSweep)
                .await;
            let scope = scope.map_err(failed)?;
            let begun = scope.begin(parts.tenants.as_ref()).await;
            let mut tx = begun.map_err(|error| failed(error.into()))?;
            let lent = tx.tx().await.map_err(|error| failed(error.into()))?;
            check_schema(lent).await?;
        }
        Ok(())
    }

    /// Deletes the tenant's database: from the commit on, no read succeeds.
    ///
    /// # Errors
    /// [`Error`].
    // clause: P-58
    pub async fn delete_database(&self, caller: &Caller, tenant: TenantId) -> Result<(), Error> {
        self.refresh_rules().await?;
        let now = self.parts().clock.now();
        let due = Due {
            due_at: self.purge_at(tenant, now)?,
            kind: kind::DATABASE.to_owned(),
            tenant,
            key: Vec::new(),
        };
        let attached = Attached {
            due: vec![due],
            events: Vec::new(),
        };
        let change = RegistryChange::Delete;
        self.parts()
            .guard
            .act(caller.clone(), tenant, change, attached)
            .await?;
        Ok(())
    }

    /// When the purge of a database deleted at this instant starts: as late as its ceiling lets it,
    /// since its backups are owed until then.
    pub(crate) fn purge_at(
        &self,
        tenant: TenantId,
        deleted: UtcDateTime,
    ) -> Result<UtcDateTime, Error> {
        let verdict = self.judge_deleted(tenant, deleted);
        Ok(verdict
            .gone_by
            .unwrap_or(deleted)
            .saturating_sub(PURGE_AHEAD))
    }

    /// A handle for our own statements on a tenant's file, outside any scope: at provisioning.
    async fn maintenance_db(&self, file: &std::path::Path) -> Result<sql_store::Db, Error> {
        let options = sql_store::SqliteOptions::new(file, sql_store::SqliteProfile::Control)
            .durability(self.parts().durability)
            .readers(1);
        Ok(sql_store::Db::open_sqlite(options, self.parts().clock.clone()).await?)
    }
}

/// The row of work on a tenant's store, which lies in the queue until the work is done.
pub(crate) fn store_row(
    kind: &'static str,
    tenant: TenantId,
    key: Vec<u8>,
    due_at: UtcDateTime,
) -> Due {
    Due {
        due_at,
        kind: kind.to_owned(),
        tenant,
        key,
    }
}

async fn check_new(db: &sql_store::Db) -> Result<(), StartError> {
    let tag = covenant_core::TxTag {
        txn: covenant_core::TxnId::from_bytes([0; 16]),
        tenant: None,
        decision: None,
    };
    let begun = db.begin_with(sql_store::Mode::ReadOnly, tag).await;
    check_schema(&mut begun.map_err(unreadable)?).await
}

/// Compares the live schema with the data map, and the triggers with what must be there.
async fn check_schema(tx: &mut sql_store::Tx) -> Result<(), StartError> {
    let found = audit_log::changes::check_triggers(tx, WATCHED, EXEMPT).await;
    let found = found.map_err(unreadable)?;
    if !found.is_empty() {
        return Err(StartError::Schema(format!("{found:?}")));
    }
    let rows = tx
        .rows(
            include_str!("../sql/list_columns.sql"),
            sql_store::Args::new(),
        )
        .await;
    let mut live = BTreeSet::new();
    for row in rows.map_err(unreadable)? {
        let (table, column) = (row.text("tbl"), row.text("col"));
        let (table, column) = (table.map_err(unreadable)?, column.map_err(unreadable)?);
        live.insert((table.to_owned(), column.to_owned()));
    }
    let mapped: BTreeSet<(String, String)> = DATA_MAP
        .iter()
        .map(|c| (c.table.to_owned(), c.column.to_owned()))
        .collect();
    if let Some((table, column)) = mapped.difference(&live).next() {
        return Err(StartError::Schema(format!("{table}.{column} is missing")));
    }
    let of_ours = |table: &str| DATA_MAP.iter().any(|c| c.table == table);
    let mut undeclared = live.difference(&mapped).filter(|(table, _)| of_ours(table));
    match undeclared.next() {
        Some((table, column)) => Err(StartError::Schema(format!(
            "{table}.{column} is not declared"
        ))),
        None => Ok(()),
    }
}

fn unreadable(error: sql_store::DbError) -> StartError {
    StartError::store("a tenant's store", error)
}
