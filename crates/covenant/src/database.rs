//! The life of a tenant's database: created, deleted, purged.

use covenant_core::{Action, ItemId, TenantId, UserId};
use retention_policy::{Item, Occurrence};
use sql_store::due::Due;
use tenant_isolation::level::Maintain;
use tenant_isolation::{
    AccessAction, Attached, Caller, RegistryChange, ServiceKind, StoreIdentity, StoreModel,
    TenantState,
};
use time::{Duration, UtcDateTime};

use crate::assembly::Covenant;
use crate::error::{Error, StartError};
use crate::profile::CLASS_DATABASE;
use crate::record::map::{DATA_MAP, EXEMPT, RECORDS, WATCHED};
use crate::sweep::kind;

/// How long before its ceiling the purge of a deleted database starts: a backup, the removal and a
/// sweep fit into it; ours.
const PURGE_AHEAD: Duration = Duration::hours(25);

impl Covenant {
    /// Creates a tenant with an empty database, in the deployment's first region, with this admin.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn create_tenant(&self, tenant: TenantId, admin: UserId) -> Result<(), Error> {
        let parts = self.parts();
        parts.keys.create_tenant(tenant).await?;
        let change = RegistryChange::Create {
            region: parts.region.clone(),
            admin,
        };
        let attached = Attached {
            due: vec![self.backup_due(tenant).await?],
            events: Vec::new(),
        };
        let caller = Caller::service(ServiceKind::Billing);
        let changed = parts.guard.act(caller, tenant, change, attached).await?;
        let model = StoreModel::SqliteFile;
        let identity = StoreIdentity::expected(tenant, &changed.record, model);
        let tables = [sql_store::OUTBOX, audit_log::changes::TOUCHES, RECORDS];
        parts
            .tenants
            .provision(&identity, &tables)
            .await
            .map_err(Error::unavailable)?;
        let file = parts.layout.tenant_file(&parts.region, tenant);
        let db = self.maintenance_db(&file).await?;
        let installed = audit_log::changes::install_triggers(&db, WATCHED).await;
        let checked = check_schema(&db).await;
        db.close().await;
        installed.map_err(Error::unavailable)?;
        checked.map_err(Error::unavailable)
    }

    /// Deletes the tenant's database: from the commit on, no read succeeds.
    ///
    /// # Errors
    /// [`Error`].
    // clause: P-58
    pub async fn delete_database(&self, caller: &Caller, tenant: TenantId) -> Result<(), Error> {
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
        let events = [Occurrence::new(Action::DatabaseDeleted.name(), deleted)];
        let item = Item::new(
            tenant,
            CLASS_DATABASE,
            ItemId::from(tenant.as_uuid()),
            &events,
        );
        let verdict = self
            .parts()
            .retention
            .evaluate(&item, &self.moment(deleted));
        Ok(verdict
            .gone_by
            .unwrap_or(deleted)
            .saturating_sub(PURGE_AHEAD))
    }

    /// Purges a deleted database: a last backup, then files and objects go, then the registry says
    /// so. Every step may be repeated.
    pub(crate) async fn purge_database(&self, tenant: TenantId) -> Result<(), Error> {
        let parts = self.parts();
        let facts = parts.registry.snapshot(tenant, None).await?;
        if facts.record.as_ref().map(|record| record.state) != Some(TenantState::Deleted) {
            return Ok(());
        }
        self.sequence().await?;
        let file = parts.layout.tenant_file(&parts.region, tenant);
        if file.exists() {
            self.back_up(tenant).await?;
            self.sequence().await?;
        }
        let caller = Caller::service(ServiceKind::Purge);
        let scope = self
            .enter::<Maintain>(&caller, tenant, AccessAction::StoreRemove)
            .await?;
        parts.close_feed(tenant).await;
        scope.remove(parts.tenants.as_ref()).await?;
        self.remove_objects(&scope).await?;
        // The roots outlive every backup that holds bytes under them.
        let now = parts.clock.now();
        let roots_end = match parts.profile.tenant_roots {
            Some(after) => after.resolve(now, &parts.profile.reading)?.latest,
            None => parts
                .profile
                .backup
                .destroy_at(parts.profile.backup.epoch_at(now))?,
        };
        parts.keys.plan_tenant(tenant, roots_end).await?;
        let change = RegistryChange::Purge;
        parts
            .guard
            .act(caller, tenant, change, Attached::default())
            .await?;
        Ok(())
    }

    /// A handle for our own statements on a tenant's file, outside any scope: at provisioning.
    async fn maintenance_db(&self, file: &std::path::Path) -> Result<sql_store::Db, Error> {
        let options = sql_store::SqliteOptions::new(file, sql_store::SqliteProfile::Control)
            .durability(self.parts().durability)
            .readers(1);
        Ok(sql_store::Db::open_sqlite(options, self.parts().clock.clone()).await?)
    }
}

/// Compares the live schema with the data map, and the triggers with what must be there.
async fn check_schema(db: &sql_store::Db) -> Result<(), StartError> {
    let failed = |error: sql_store::DbError| StartError::store("a tenant's store", error);
    let tag = covenant_core::TxTag {
        txn: covenant_core::TxnId::from_bytes([0; 16]),
        tenant: None,
        decision: None,
    };
    let mut tx = db
        .begin_with(sql_store::Mode::ReadOnly, tag)
        .await
        .map_err(failed)?;
    let found = audit_log::changes::check_triggers(&mut tx, WATCHED, EXEMPT).await;
    let found = found.map_err(failed)?;
    if !found.is_empty() {
        return Err(StartError::Schema(format!("{found:?}")));
    }
    let rows = tx
        .rows(
            include_str!("../sql/list_columns.sql"),
            sql_store::Args::new(),
        )
        .await;
    for row in rows.map_err(failed)? {
        let (table, column) = (row.text("tbl"), row.text("col"));
        let (table, column) = (table.map_err(failed)?, column.map_err(failed)?);
        let mapped = DATA_MAP
            .iter()
            .any(|c| c.table == table && c.column == column);
        let ours = DATA_MAP.iter().any(|c| c.table == table);
        if ours && !mapped {
            return Err(StartError::Schema(format!(
                "{table}.{column} is not declared"
            )));
        }
    }
    Ok(())
}
