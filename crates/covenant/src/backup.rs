//! Backing a tenant up, and giving a backup back: beside the live store, shut until everything
//! since has been replayed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use audit_log::fold::{LedgerKey, LedgerState};
use audit_log::log_of;
use audit_log::merkle::TreeHead;
use audit_log::store::AuditLog as _;
use backup_engine::source::{CompositeSource, ObjectsSource, SqliteSource};
use backup_engine::{
    DatasetError, Domain, Gate, GateError, LogHead, ReplayReport, Replayed, Snapshot,
};
use covenant_core::digest::Digest;
use covenant_core::event::Datum;
use covenant_core::{
    Action, ActorContext, BoxFuture, Event, ItemId, Outcome, SnapshotId, Target, TenantId, TxTag,
    TxnId,
};
use sql_store::due::Due;
use sql_store::{Args, Db, Mode, SqliteOptions, SqliteProfile, Tx};
use tenant_isolation::level::Maintain;
use tenant_isolation::{AccessAction, Caller, ServiceKind};
use time::UtcDateTime;

use crate::assembly::Covenant;
use crate::control;
use crate::error::Error;
use crate::hold::replay_of;
use crate::record::{ErasedRows, Record, map, target};
use crate::sweep::kind;

/// The one dataset of a tenant: rows and objects together.
const DATASET: &str = "main";
/// Folder of the database in a snapshot.
pub(crate) const ROWS: &str = "rows";
/// Folder of the objects in a snapshot.
pub(crate) const OBJECTS: &str = "objects";

impl Covenant {
    /// The domain of a tenant's backups.
    ///
    /// # Errors
    /// [`DatasetError`] never: the dataset's name is a constant.
    pub fn domain(tenant: TenantId) -> Result<Domain, DatasetError> {
        Domain::new(tenant, DATASET)
    }

    /// Backs the tenant up, now: rows and objects at one consistent point.
    ///
    /// # Errors
    /// [`Error`]; nothing was committed then.
    // clause: P-14, P-16, Q-13, R-22, R-23
    pub async fn back_up(&self, tenant: TenantId) -> Result<Snapshot, Error> {
        let parts = self.parts();
        let _turn = self.backup_turn(tenant).await;
        let caller = Caller::service(ServiceKind::Backup);
        let scope = self
            .enter::<Maintain>(&caller, tenant, AccessAction::StoreBackup)
            .await?;
        self.sequence().await?;
        let head = parts.log.head(log_of(tenant)).await?;
        let head = LogHead {
            size: head.size,
            root: *head.root.as_bytes(),
        };
        let domain = Self::domain(tenant).map_err(Error::unavailable)?;
        let slot = scope.maintain(parts.tenants.as_ref()).await?;
        let copy: covenant_core::StoreId = self.mint()?;
        let copy = parts.layout.scratch().join(format!("{}.db", copy.simple()));
        let file = slot.file().to_path_buf();
        let region = scope.region();
        let tenant_hex = tenant.simple();
        let prefix = object_store::path::Path::from_iter([region.as_str(), tenant_hex.as_str()]);
        let mut source = CompositeSource::new()
            .with(ROWS, SqliteSource::new(file, copy, parts.durability))
            .with(OBJECTS, ObjectsSource::new(parts.objects.clone(), prefix));
        let ran = parts.backups.run(&domain, &mut source, head).await;
        drop(slot);
        // Planned after a failure too: it may have left something of the epoch, which has its day.
        let (epoch, destroy_at) = match &ran {
            Ok(snapshot) => (snapshot.epoch, snapshot.destroy_at),
            Err(_) => {
                let policy = &parts.profile.backup;
                let epoch = policy.epoch_at(parts.clock.now());
                (epoch, policy.destroy_at(epoch)?)
            }
        };
        let due = Due {
            due_at: destroy_at,
            kind: kind::EPOCH.to_owned(),
            tenant,
            key: epoch.to_string().into_bytes(),
        };
        let planned = self.put_due(&due).await;
        let snapshot = ran?;
        planned?;
        Ok(snapshot)
    }

    /// The tenant's living backups, oldest first.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn snapshots(&self, tenant: TenantId) -> Result<Vec<Snapshot>, Error> {
        let domain = Self::domain(tenant).map_err(Error::unavailable)?;
        Ok(self.parts().backups.snapshots(&domain).await?)
    }

    /// Restores a backup beside the live store: every deletion since is replayed before anything can
    /// be read.
    ///
    /// # Errors
    /// [`Error::Backup`] for a backup past its day; [`Error::Shut`] when the log is behind a known
    /// head.
    // clause: P-14, P-18, P-49, P-60, R-23
    pub async fn restore_beside(
        &self,
        tenant: TenantId,
        snapshot: SnapshotId,
    ) -> Result<Restored, Error> {
        let (folder, report) = self.replayed(tenant, snapshot).await?;
        let restored = Restored {
            covenant: self.clone(),
            tenant,
            folder,
            report,
        };
        Ok(restored)
    }

    /// Restores a backup into a folder below scratch, with every deletion since replayed.
    pub(crate) async fn replayed(
        &self,
        tenant: TenantId,
        snapshot: SnapshotId,
    ) -> Result<(PathBuf, ReplayReport), Error> {
        self.sequence().await?;
        let parts = self.parts();
        let domain = Self::domain(tenant).map_err(Error::unavailable)?;
        let scratch = parts.layout.scratch();
        let quarantined = parts.backups.restore(&domain, snapshot, &scratch).await?;
        let gate: Arc<dyn Gate> = Arc::new(LogGate {
            covenant: self.clone(),
        });
        let gate = match &parts.gate {
            Some(wrap) => wrap(gate),
            None => gate,
        };
        let replayed: Replayed = quarantined.replay(gate.as_ref()).await?;
        let report = replayed.report();
        let name: covenant_core::StoreId = self.mint()?;
        let folder = replayed.release(&scratch.join(format!("restored-{}", name.simple())))?;
        Ok((folder, report))
    }

    /// The next backup of a tenant, as the schedule says from what completed.
    pub(crate) async fn backup_due(&self, tenant: TenantId) -> Result<Due, Error> {
        let parts = self.parts();
        let now = parts.clock.now();
        let facts = parts.registry.snapshot(tenant, None).await?;
        let since = facts.record.map_or(now, |record| record.created);
        let completed: Vec<UtcDateTime> = self
            .snapshots(tenant)
            .await?
            .into_iter()
            .map(|snapshot| snapshot.completed)
            .collect();
        let policy = &parts.profile.backup;
        let due_at = parts.schedule.next_due(policy, since, &completed, now)?;
        Ok(Due {
            due_at,
            kind: kind::BACKUP.to_owned(),
            tenant,
            key: Vec::new(),
        })
    }
}

/// A restored copy of a tenant, replayed, beside the live one. Dropped, it is removed.
#[derive(Debug)]
pub struct Restored {
    covenant: Covenant,
    tenant: TenantId,
    folder: PathBuf,
    report: ReplayReport,
}

impl Restored {
    /// What the replay did.
    #[must_use]
    pub const fn report(&self) -> ReplayReport {
        self.report
    }

    /// The folder: the database in `rows/main.db`, the objects below `objects`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Every record that a normal read would show.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn records(&self) -> Result<Vec<Record>, Error> {
        let parts = self.covenant.parts();
        let db = open_copy(&self.covenant, &self.folder).await?;
        let mut tx = db.begin_with(Mode::ReadOnly, own_tag(self.tenant)).await?;
        let listed = list(&mut tx, self.tenant).await?;
        let mut records = Vec::new();
        for id in listed {
            let args = || Args::new().bind(self.tenant).bind(&id);
            let row = tx
                .row(include_str!("../sql/read_record.sql"), args())
                .await?;
            let Some(row) = row else { continue };
            let place = map::body_place(self.tenant, &id)?;
            let body = parts.sealer.open(&place, row.bytes("body")?).await?;
            let has_sensitive = row.opt_bytes("sensitive")?.is_some();
            let mut attachments = Vec::new();
            for row in tx
                .rows(include_str!("../sql/list_attachments.sql"), args())
                .await?
            {
                let object = ItemId::try_from(row.bytes("id")?)?;
                let sealed = std::fs::read(self.folder.join(OBJECTS).join(object.hex()))?;
                let (region, tenant) = (parts.region.as_str(), self.tenant.simple());
                let path = format!("{region}/{tenant}/{}", object.hex());
                let place = map::object_place(self.tenant, &path)?;
                let plain = parts.sealer.open(&place, &sealed).await?;
                attachments.push(covenant_core::Redacted(plain.expose().clone()));
            }
            let body = covenant_core::Redacted(body.expose().clone());
            records.push(Record {
                id,
                body,
                attachments,
                has_sensitive,
            });
        }
        drop(tx);
        db.close().await;
        Ok(records)
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        // What cannot be removed now is removed with scratch at the next start.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// Replays the audit log onto a restored copy.
struct LogGate {
    covenant: Covenant,
}

impl Gate for LogGate {
    fn replay<'a>(
        &'a self,
        domain: &'a Domain,
        folder: &'a Path,
        head: LogHead,
    ) -> BoxFuture<'a, Result<ReplayReport, GateError>> {
        Box::pin(async move {
            let tenant = domain.tenant();
            let parts = self.covenant.parts();
            let log = log_of(tenant);
            let since = TreeHead {
                size: head.size,
                root: Digest::from_bytes(head.root),
            };
            // What is known of the log outside of its leaves: the head under its signature, the one
            // that the control database keeps, and the snapshot's own.
            let signed = parts.log.signed_head(log).await.map_err(failed)?;
            let kept = control::kept_head(&parts.control, tenant).await;
            let known: Vec<TreeHead> = signed
                .map(|signed| signed.head)
                .into_iter()
                .chain(kept.map_err(failed)?)
                .chain([since])
                .collect();
            let fold = parts
                .log
                .fold(log, since, &known)
                .await
                .map_err(|error| match error {
                    audit_log::fold::FoldError::Store(error) => failed(error),
                    _ => GateError::Behind,
                })?;
            let mut report = ReplayReport {
                log_size: fold.to.size,
                ..ReplayReport::default()
            };
            let db = open_copy(&self.covenant, folder).await.map_err(failed)?;
            let done = self.apply(&db, tenant, folder, &fold, &mut report).await;
            db.close().await;
            done.map_err(failed)?;
            let file = copy_file(folder);
            parts.flush.flush(&file).await.map_err(failed)?;
            Ok(report)
        })
    }
}

impl LogGate {
    async fn apply(
        &self,
        db: &Db,
        tenant: TenantId,
        folder: &Path,
        fold: &audit_log::fold::Fold,
        report: &mut ReplayReport,
    ) -> Result<(), Error> {
        let covenant = &self.covenant;
        let tables = &covenant.parts().tables;
        let tag = TxTag {
            txn: covenant.mint()?,
            ..own_tag(tenant)
        };
        let mut tx = db.begin_with(Mode::ReadWrite, tag).await?;
        audit_log::changes::begin_change(&mut tx).await?;
        // Holds first: what they keep is kept before anything else is looked at.
        let holds = replay_of(fold)?;
        let book = covenant.parts().holds.clone();
        book.replay(&mut tx, tenant, &holds).await?;
        let mut moved = 0_u64;
        let mut erased = ErasedRows::default();
        for (key, last) in &fold.last {
            let LedgerKey::Item { table, id } = key else {
                continue;
            };
            if table == "attachment" {
                // The one thing that becomes of a file by itself is that it is deleted.
                let rows = replay_deletion(&mut tx, tenant, id, last.at).await?;
                erased.attachments = erased.attachments.saturating_add(rows);
                continue;
            }
            if table != "record" {
                continue;
            }
            match last.state {
                LedgerState::Hidden => {
                    // Binned before and again since: the last deletion counts.
                    let shown = tables.unbin(&mut tx, tenant, id).await?;
                    let hidden = tables.bin(&mut tx, tenant, id, last.at).await?;
                    report.binned = report.binned.saturating_add(hidden);
                    moved = moved.saturating_add(shown).saturating_add(hidden);
                }
                LedgerState::Live => {
                    let shown = tables.unbin(&mut tx, tenant, id).await?;
                    moved = moved.saturating_add(shown);
                }
                _ => {
                    remove_objects(&mut tx, tenant, id, folder).await?;
                    let rows = tables.erase(&mut tx, tenant, id).await?;
                    report.purged = report.purged.saturating_add(rows.records);
                    erased = erased.and(rows);
                }
            }
        }
        remove_withdrawn(&mut tx, tenant, folder).await?;
        let outlived = covenant.outlived(&mut tx, tenant).await?;
        let now = covenant.parts().clock.now();
        for id in &outlived {
            let hidden = tables.bin(&mut tx, tenant, id, now).await?;
            report.binned = report.binned.saturating_add(hidden);
        }
        audit_log::changes::end_change(&mut tx).await?;
        for id in outlived {
            let event = Event::new(
                covenant.mint()?,
                now,
                ActorContext::service("restore"),
                Action::RecordDeleted,
                target(tenant, "record", &id),
                Outcome::Ok,
            );
            let prepared = covenant.parts().sink.prepare(event).await?;
            covenant.parts().sink.record(&mut tx, prepared).await?;
        }
        let changes = [
            ("record", "update", moved),
            ("record", "delete", erased.records),
            ("content", "delete", erased.contents),
            ("attachment", "delete", erased.attachments),
        ];
        for (table, op, rows) in changes {
            if rows > 0 {
                let event = self.account(tenant, table, op, rows)?;
                let prepared = covenant.parts().sink.prepare(event).await?;
                covenant.parts().sink.record(&mut tx, prepared).await?;
            }
        }
        Ok(tx.commit().await?)
    }

    /// An event that accounts for rows that a replay changed. The ledger knows them already, so it
    /// says nothing of what became of them; it stands in the copy's own outbox, and reaches the log
    /// when the copy takes the live store's place.
    // clause: R-20
    fn account(
        &self,
        tenant: TenantId,
        table: &'static str,
        op: &'static str,
        rows: u64,
    ) -> Result<Event, Error> {
        let target = Target {
            tenant: Some(tenant),
            kind: "record",
            table: Some(table),
            id: None,
        };
        let mut event = Event::new(
            self.covenant.mint()?,
            self.covenant.parts().clock.now(),
            ActorContext::service("restore"),
            Action::ChangeRecorded,
            target,
            Outcome::Ok,
        );
        event.rows = Some(rows);
        Ok(event.with("op", Datum::Token(op)))
    }
}

async fn remove_objects(
    tx: &mut Tx,
    tenant: TenantId,
    id: &ItemId,
    folder: &Path,
) -> Result<(), Error> {
    let args = Args::new().bind(tenant).bind(id);
    for row in tx
        .rows(include_str!("../sql/list_attachments.sql"), args)
        .await?
    {
        remove_object(folder, &ItemId::try_from(row.bytes("id")?)?)?;
    }
    Ok(())
}

fn remove_object(folder: &Path, object: &ItemId) -> Result<(), Error> {
    match std::fs::remove_file(folder.join(OBJECTS).join(object.hex())) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Takes the row of a file out that was deleted since, and journals it: whoever adopts the copy shows
/// again that nothing leads to it.
// clause: Q-25
async fn replay_deletion(
    tx: &mut Tx,
    tenant: TenantId,
    file: &ItemId,
    at: UtcDateTime,
) -> Result<u64, Error> {
    let args = || Args::new().bind(tenant).bind(file);
    let sql = include_str!("../sql/delete_attachment.sql");
    let rows = tx.execute(sql, args()).await?;
    if rows > 0 {
        let sql = include_str!("../sql/insert_withdrawal.sql");
        let version: Option<String> = None;
        tx.execute(sql, args().bind(at).bind(version)).await?;
    }
    Ok(rows)
}

/// Removes from the copy every file that is in its journal of deletions.
async fn remove_withdrawn(tx: &mut Tx, tenant: TenantId, folder: &Path) -> Result<(), Error> {
    let args = Args::new().bind(tenant);
    let sql = include_str!("../sql/list_withdrawals.sql");
    for row in tx.rows(sql, args).await? {
        remove_object(folder, &ItemId::try_from(row.bytes("file")?)?)?;
    }
    Ok(())
}

async fn list(tx: &mut Tx, tenant: TenantId) -> Result<Vec<ItemId>, Error> {
    let args = Args::new().bind(tenant);
    let rows = tx
        .rows(include_str!("../sql/list_records.sql"), args)
        .await?;
    rows.iter()
        .map(|row| Ok(ItemId::try_from(row.bytes("id")?)?))
        .collect()
}

pub(crate) fn copy_file(folder: &Path) -> PathBuf {
    folder
        .join(ROWS)
        .join(backup_engine::source::DATABASE_MEMBER)
}

async fn open_copy(covenant: &Covenant, folder: &Path) -> Result<Db, sql_store::OpenError> {
    let parts = covenant.parts();
    let options = SqliteOptions::new(copy_file(folder), SqliteProfile::Control)
        .durability(parts.durability)
        .readers(1);
    Db::open_sqlite(options, parts.clock.clone()).await
}

/// The tag of our own work on a copy that belongs to no live store.
const fn own_tag(tenant: TenantId) -> TxTag {
    TxTag {
        txn: TxnId::from_bytes([0; 16]),
        tenant: Some(tenant),
        decision: None,
    }
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> GateError {
    GateError::Failed(error.into())
}
