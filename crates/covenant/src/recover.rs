//! Restoring in place: a backup, with every deletion since replayed, becomes the tenant's live store
//! of the next generation. What was written after the backup is gone afterwards; what was deleted
//! after it stays deleted.

use std::collections::BTreeSet;
use std::path::Path;

use backup_engine::ReplayReport;
use covenant_core::event::Datum;
use covenant_core::{Action, Event, ItemId, Outcome, SnapshotId, Target, TenantId};
use futures_util::TryStreamExt as _;
use object_store::{ObjectStoreExt as _, PutMode, PutOptions};
use sql_store::Args;
use sql_store::due::Due;
use tenant_isolation::level::Maintain;
use tenant_isolation::{
    AccessAction, AccessRequest, Attached, Caller, Effect, Principal, RegistryChange, Rules as _,
    Scope, ServiceKind, StandardRules, TenantRecord, TenantState,
};

use crate::assembly::Covenant;
use crate::backup::{OBJECTS, copy_file};
use crate::database::store_row;
use crate::error::Error;
use crate::record::object_path;
use crate::sweep::kind;

/// Bytes of a snapshot's id in the key of a row of the due-queue.
const SNAPSHOT_LEN_BYTES: usize = 16;

impl Covenant {
    /// Puts a backup in the place of the tenant's live store: of a database in use, on the order of
    /// the restore service; of a deleted one that is not purged yet, which it brings back, on the
    /// order of an admin as well. Nobody writes meanwhile. The tenant keeps its id, its generation
    /// is raised, and older files are refused from then on.
    ///
    /// # Errors
    /// [`Error::Denied`]; [`Error::Backup`] for a backup past its day; [`Error::Shut`] when the log
    /// is behind a known head; [`Error::KeysEnd`] for a purged tenant, and for one
    /// whose contract has ended: nothing was changed then.
    /// Any other error may leave the restore begun, and the next sweep finishes it.
    // clause: P-14, R-20
    pub async fn restore_in_place(
        &self,
        caller: &Caller,
        tenant: TenantId,
        snapshot: SnapshotId,
    ) -> Result<ReplayReport, Error> {
        let parts = self.parts();
        let _replacing = parts.replacing(tenant).await;
        let record = self.restorable(caller, tenant).await?;
        let (folder, report) = self.replayed(tenant, snapshot).await?;
        let restored = self
            .adopt(caller, tenant, snapshot, &record, &folder, report)
            .await;
        // What cannot be removed now is removed with scratch at the next start.
        drop(std::fs::remove_dir_all(&folder));
        restored.map(|()| report)
    }

    /// Finishes a restore that was interrupted after its replay.
    pub(crate) async fn restore_again(&self, due: &Due) -> Result<(), Error> {
        let Some((snapshot, generation)) = parse_key(&due.key) else {
            return Ok(());
        };
        let facts = self.parts().registry.snapshot(due.tenant, None).await?;
        let reached = facts.record.map(|record| record.generation);
        let caller = Caller::service(ServiceKind::Restore);
        if reached.is_some_and(|reached| reached >= generation) {
            // The store is in use already: only what follows the adoption is left.
            let _replacing = self.parts().replacing(due.tenant).await;
            let scope = self
                .enter::<Maintain>(&caller, due.tenant, AccessAction::StoreRestore)
                .await?;
            return self.settle(&scope).await;
        }
        let restored = self.restore_in_place(&caller, due.tenant, snapshot).await;
        restored.map(drop)
    }

    /// The tenant's record, if this caller may have it restored in place.
    async fn restorable(&self, caller: &Caller, tenant: TenantId) -> Result<TenantRecord, Error> {
        let parts = self.parts();
        let member = match caller.principal() {
            Principal::Member { user, .. } => Some(user),
            _ => None,
        };
        let facts = parts.registry.snapshot(tenant, member).await?;
        let change = facts.record.as_ref().map(change_of);
        let action = change.map_or(AccessAction::DatabaseRestore, |change| change.action());
        let request = AccessRequest::new(caller.clone(), tenant, action);
        let rules = StandardRules::new(parts.profile.regions.clone());
        let allowed = rules.decide(&request, &facts).effect() == Effect::Allow;
        match facts.record {
            Some(record) if allowed && record.state == TenantState::Purged => Err(Error::KeysEnd),
            // Its contract has ended: what was brought back would end with its keys.
            Some(record)
                if allowed
                    && record.state == TenantState::Deleted
                    && self.roots_end(tenant).await?.is_some() =>
            {
                Err(Error::KeysEnd)
            }
            Some(record) if allowed => Ok(record),
            _ => {
                // Denied on record: nobody who is denied the order is let in for the restore.
                let denied = self
                    .enter::<Maintain>(caller, tenant, AccessAction::StoreRestore)
                    .await;
                Err(denied.err().unwrap_or(Error::Revoked))
            }
        }
    }

    /// Objects back, file replaced, registry changed; from its first step on the due-queue knows.
    async fn adopt(
        &self,
        caller: &Caller,
        tenant: TenantId,
        snapshot: SnapshotId,
        record: &TenantRecord,
        folder: &Path,
        report: ReplayReport,
    ) -> Result<(), Error> {
        let parts = self.parts();
        let key = row_key(snapshot, record.generation.saturating_add(1));
        let now = parts.clock.now();
        let row = store_row(kind::RESTORE, tenant, key, now);
        self.put_due(&row).await?;
        let service = Caller::service(ServiceKind::Restore);
        let scope = self
            .enter::<Maintain>(&service, tenant, AccessAction::StoreRestore)
            .await?;
        self.put_objects_back(&scope, &folder.join(OBJECTS)).await?;
        let undrained = parts.close_feed(tenant).await;
        scope
            .replace(parts.tenants.as_ref(), &copy_file(folder))
            .await?;
        drop(undrained);
        let event = Event::new(
            self.mint()?,
            now,
            caller.actor(),
            Action::RestoreCompleted,
            Target::of(tenant, "backup", ItemId::from(snapshot.as_uuid())),
            Outcome::Ok,
        );
        let event = event
            .with("log_size", Datum::Count(report.log_size))
            .with("binned", Datum::Count(report.binned))
            .with("purged", Datum::Count(report.purged));
        let attached = Attached {
            due: Vec::new(),
            events: vec![event],
        };
        let change = change_of(record);
        parts
            .guard
            .act(caller.clone(), tenant, change, attached)
            .await?;
        self.settle(&scope).await?;
        self.cancel_due(tenant, &row.kind, &row.key).await
    }

    /// What follows the adoption: files that no row names go, and what is due is planned anew.
    async fn settle(&self, scope: &Scope<Maintain>) -> Result<(), Error> {
        let tenant = scope.tenant();
        self.parts().mark_dirty(tenant);
        self.remove_unnamed(scope).await?;
        let backup = self.backup_due(tenant).await?;
        self.put_due(&backup).await?;
        self.plan_bin(tenant).await
    }

    /// Puts back the files that are missing; those that are there are the same.
    async fn put_objects_back(&self, scope: &Scope<Maintain>, folder: &Path) -> Result<(), Error> {
        let entries = match std::fs::read_dir(folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let region = scope.region();
            let tenant = scope.tenant().simple();
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let path =
                object_store::path::Path::from_iter([region.as_str(), tenant.as_str(), &*name]);
            let sealed = std::fs::read(entry.path())?;
            let options = PutOptions::from(PutMode::Create);
            let objects = &self.parts().objects;
            match objects.put_opts(&path, sealed.into(), options).await {
                Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Deletes the files of records that came after the backup. Nobody writes meanwhile, so none is
    /// of a record that is about to be.
    async fn remove_unnamed(&self, scope: &Scope<Maintain>) -> Result<(), Error> {
        let tenant = scope.tenant();
        let mut tx = scope.begin(self.parts().tenants.as_ref()).await?;
        let rows = tx
            .tx()
            .await?
            .rows(
                include_str!("../sql/list_objects.sql"),
                Args::new().bind(tenant),
            )
            .await?;
        drop(tx);
        let mut named = BTreeSet::new();
        for row in &rows {
            named.insert(object_path(scope, &ItemId::try_from(row.bytes("id")?)?));
        }
        let region = scope.region();
        let tenant = tenant.simple();
        let prefix = object_store::path::Path::from_iter([region.as_str(), tenant.as_str()]);
        let objects = &self.parts().objects;
        let listed: Vec<_> = objects.list(Some(&prefix)).try_collect().await?;
        for meta in listed {
            if !named.contains(&meta.location) {
                objects.delete(&meta.location).await?;
            }
        }
        Ok(())
    }
}

/// How the registry adopts the restored store of a tenant in this state.
const fn change_of(record: &TenantRecord) -> RegistryChange {
    match record.state {
        TenantState::Active | TenantState::Expired | TenantState::Locked => RegistryChange::Repoint,
        TenantState::Deleted | TenantState::Purged | TenantState::Gone => RegistryChange::Restore,
    }
}

fn row_key(snapshot: SnapshotId, generation: u64) -> Vec<u8> {
    let mut key = snapshot.as_bytes().to_vec();
    key.extend(generation.to_be_bytes());
    key
}

fn parse_key(key: &[u8]) -> Option<(SnapshotId, u64)> {
    let (snapshot, generation) = key.split_at_checked(SNAPSHOT_LEN_BYTES)?;
    let snapshot = SnapshotId::from_bytes(snapshot.try_into().ok()?);
    Some((snapshot, u64::from_be_bytes(generation.try_into().ok()?)))
}
